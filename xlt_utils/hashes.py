"""The hash of a run: 8 hex digits over all that can change its result, so that a changed study, code or data set means
a new run folder and an unchanged one is never run again. `xlt` and a notebook run by hand compute the same."""

import hashlib
import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from xlt_utils import paths, sources

SCHEMA = 2  # of records; raised when their meaning changes, and then every run is new
# Where a run lies and what it is called changes no result; what it reads is in the hash as hashes.
PLACES = ("study", "data", "out", "previous", "checkpoint", "runs", "cells", "missing", "report")


def digest(phase: str, parameters: dict[str, Any], code: str, data: str, inputs: Sequence[str]) -> str:
    """The hash of a run, the same on every machine and for every order of the parameters.

    `code` is sources.code(...) of the notebook, `data` the data's fingerprint, `inputs` the hashes of what is read.
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
            digest.update(f"{file.name} {of_file(file)}\n".encode())
    return digest.hexdigest()


def of_file(file: Path) -> str:
    """The sha256 of a file's bytes, in hex; a large file is never whole in memory."""
    with open(file, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def of_report(parameters: dict[str, Any], notebook: str) -> str:
    """The report's hash: of the records' bytes and of what is missing."""
    files = [paths.resolve(folder) / "record.json" for folder in parameters["cells"]]
    contents = [of_file(file) for file in files]
    missing = json.dumps(parameters["missing"])
    return digest("report", {}, sources.code(paths.resolve(notebook), "report"), missing, contents)


def of_run(folder: Path, phase: str, parameters: dict[str, Any], inputs: Sequence[str]) -> str:
    """The hash that a record carries: params.json's when `xlt` wrote it for these parameters, else by hand."""
    try:
        given = json.loads((folder / "params.json").read_text(encoding="utf-8"))
        if given["phase"] == phase and given["parameters"] == json.loads(json.dumps(parameters)):
            return given["hash"]
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return by_hand(phase, parameters, inputs)


def by_hand(phase: str, parameters: dict[str, Any], inputs: Sequence[str]) -> str:
    """The hash of a notebook run without `xlt`: that of the same cell of a study, `byhand` where it is unknown."""
    try:
        if phase == "report":
            return of_report(parameters, paths.notebook(phase))
        code = sources.code(paths.resolve(paths.notebook(phase)), phase)
        return digest(phase, parameters, code, fingerprint(parameters.get("data")), inputs)
    except (OSError, ValueError, KeyError, TypeError):
        return "byhand"


def fingerprint(data: str | None) -> str:
    """The fingerprint of a study's data; of a notebook that reads none, nothing."""
    from xlt_utils import data as loading

    return loading.fingerprint(data) if data else ""
