"""The hash of a run: 8 hex digits over all that can change its result. In go its parameters, code, data and input runs;
an unchanged run has the same hash on every machine, whether `xlt` or a notebook run by hand computes it."""

import hashlib
import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from xlt_utils import paths
from xlt_utils.code_hash import notebook_code_hash
from xlt_utils.files import read_json, sha256_of_file

SCHEMA = 4  # of records; raised when their meaning changes, and then every run is new
OLDEST_SCHEMA = 2  # that can still be read
PROVENANCE = "provenance.json"  # beside the runs: what a study file says of its checkpoints, for the report alone
# Parameters that say what a study is called and where things are: no result depends on them. What a run reads is in its
# hash as the hashes of its inputs.
UNHASHED_PARAMETERS = ("study", "data", "out", "previous", "checkpoint", "runs", "cells", "missing", "report")

UNREAD = (".md", ".bin", ".h5", ".msgpack", ".onnx", ".ot", ".pt", ".pth")  # files of a checkpoint that no run reads


def hash_run(phase: str, parameters: dict[str, Any], code: str, data: str, inputs: Sequence[str]) -> str:
    """The hash of a run, the same on every machine and for every order of the parameters.

    Args:
        phase: one of paths.PHASES.
        parameters: the notebook's; UNHASHED_PARAMETERS are left out.
        code: `code_hash.notebook_code_hash` of the notebook.
        data: the data's fingerprint.
        inputs: the hashes of the runs that are read.
    """
    parameters = {name: value for name, value in parameters.items() if name not in UNHASHED_PARAMETERS}
    if (folder := paths.resolve(parameters.get("start", ""))) != paths.ROOT and folder.is_dir():
        parameters["start"] = _checkpoint_hash(folder)  # wherever the checkpoint lies
    covered = [SCHEMA, phase, parameters, code, data, list(inputs)]
    return hashlib.sha256(json.dumps(covered, sort_keys=True).encode()).hexdigest()[:8]


@cache
def _checkpoint_hash(folder: Path) -> str:
    """The sha256 of a checkpoint folder's files, names and bytes, whatever a tokenizer's are called; without hidden
    ones, prose and weights in formats that are never read."""
    digest = hashlib.sha256()
    for file in sorted(folder.glob("*")):
        if file.is_file() and file.name[0] != "." and file.suffix not in UNREAD:
            digest.update(f"{file.name} {sha256_of_file(file)}\n".encode())
    return digest.hexdigest()


def hash_report(parameters: dict[str, Any], notebook: str) -> str:
    """The report's hash: of the records' bytes, of the missing cells, of what the study file says of its checkpoints
    and of the code that draws the page."""
    records = [sha256_of_file(paths.resolve(folder) / "record.json") for folder in parameters["cells"]]
    provenance = paths.resolve(parameters["runs"]) / PROVENANCE
    data = json.dumps([parameters["missing"], provenance.read_text() if provenance.exists() else ""])
    return hash_run("report", {}, notebook_code_hash(paths.resolve(notebook), "report"), data, records)


def hash_for_record(folder: Path, phase: str, parameters: dict[str, Any], inputs: Sequence[str]) -> str:
    """The hash that a record carries: that of params.json if `xlt` wrote it for these parameters, else by hand."""
    try:
        params = read_json(folder / "params.json")
        if params["phase"] == phase and params["parameters"] == json.loads(json.dumps(parameters)):
            return params["hash"]
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return hash_by_hand(phase, parameters, inputs)


def hash_by_hand(phase: str, parameters: dict[str, Any], inputs: Sequence[str]) -> str:
    """The hash of a notebook run without `xlt`: that of the same cell of a study, `byhand` where it is unknown."""
    from xlt_utils.data import loading

    try:
        if phase == "report":
            return hash_report(parameters, paths.notebook(phase))
        code = notebook_code_hash(paths.resolve(paths.notebook(phase)), phase)
        data = parameters.get("data")
        return hash_run(phase, parameters, code, loading.data_fingerprint(data) if data else "", inputs)
    except (OSError, ValueError, KeyError, TypeError):
        return "byhand"
