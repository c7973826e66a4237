"""The hash of a run: 8 hex digits over all that can change its result, so that a changed study, code or data set means
a new run folder and an unchanged one is never run again. `xlt` and a notebook run by hand compute the same."""

import hashlib
import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from xlt_utils import paths
from xlt_utils.code_hash import notebook_code_hash
from xlt_utils.files import sha256_of_file

SCHEMA = 2  # of records; raised when their meaning changes, and then every run is new
# Where a run lies and what it is called changes no result; what it reads is in the hash as hashes.
PLACES = ("study", "data", "out", "previous", "checkpoint", "runs", "cells", "missing", "report")


def run_hash(phase: str, parameters: dict[str, Any], code: str, data: str, inputs: Sequence[str]) -> str:
    """The hash of a run, the same on every machine and for every order of the parameters.

    Args:
        phase: one of paths.PHASES.
        parameters: the notebook's; those in PLACES are left out.
        code: code_hash.notebook_code_hash of the notebook.
        data: the data's fingerprint.
        inputs: the hashes of the runs that are read.
    """
    parameters = {name: value for name, value in parameters.items() if name not in PLACES}
    if (folder := paths.resolve(parameters.get("start", ""))) != paths.ROOT and folder.is_dir():
        parameters["start"] = _content(folder)  # a checkpoint is what it holds, wherever it lies
    covered = [SCHEMA, phase, parameters, code, data, list(inputs)]
    return hashlib.sha256(json.dumps(covered, sort_keys=True).encode()).hexdigest()[:8]


@cache
def _content(folder: Path) -> str:
    """The sha256 of a checkpoint folder's files, names and bytes."""
    digest = hashlib.sha256()
    for file in sorted(folder.glob("*")):
        if file.suffix in (".json", ".safetensors"):
            digest.update(f"{file.name} {sha256_of_file(file)}\n".encode())
    return digest.hexdigest()


def report_hash(parameters: dict[str, Any], notebook: str) -> str:
    """The report's hash: of the records' bytes and of what is missing."""
    files = [paths.resolve(folder) / "record.json" for folder in parameters["cells"]]
    contents = [sha256_of_file(file) for file in files]
    missing = json.dumps(parameters["missing"])
    return run_hash("report", {}, notebook_code_hash(paths.resolve(notebook), "report"), missing, contents)


def recorded_hash(folder: Path, phase: str, parameters: dict[str, Any], inputs: Sequence[str]) -> str:
    """The hash that a record carries: params.json's when `xlt` wrote it for these parameters, else by hand."""
    try:
        given = json.loads((folder / "params.json").read_text(encoding="utf-8"))
        if given["phase"] == phase and given["parameters"] == json.loads(json.dumps(parameters)):
            return given["hash"]
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return by_hand_hash(phase, parameters, inputs)


def by_hand_hash(phase: str, parameters: dict[str, Any], inputs: Sequence[str]) -> str:
    """The hash of a notebook run without `xlt`: that of the same cell of a study, `byhand` where it is unknown."""
    from xlt_utils.data import loading

    try:
        if phase == "report":
            return report_hash(parameters, paths.notebook(phase))
        code = notebook_code_hash(paths.resolve(paths.notebook(phase)), phase)
        data = parameters.get("data")
        return run_hash(phase, parameters, code, loading.data_fingerprint(data) if data else "", inputs)
    except (OSError, ValueError, KeyError, TypeError):
        return "byhand"
