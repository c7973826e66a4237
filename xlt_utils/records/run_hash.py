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
COVERED = ("code", "data", "checkpoint")  # by a hash, besides the parameters and the inputs; fields of a record
# Parameters that say what a study is called, where things are and what is kept: no result depends on them. What a run
# reads is in its hash as the hashes of its inputs.
UNHASHED_PARAMETERS = (
    "study",
    "data",
    "out",
    "previous",
    "checkpoint",
    "rung_above",
    "runs",
    "cells",
    "missing",
    "report",
)

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
    if checkpoint := hash_checkpoint(parameters):
        parameters["start"] = checkpoint  # wherever it lies
    covered = [SCHEMA, phase, parameters, code, data, list(inputs)]
    return hashlib.sha256(json.dumps(covered, sort_keys=True).encode()).hexdigest()[:8]


def hash_checkpoint(parameters: dict[str, Any]) -> str | None:
    """The sha256 of the checkpoint that a run starts from, names and bytes of its files; None where the parameters name
    no folder."""
    folder = paths.resolve(parameters.get("start", ""))
    return _folder_hash(folder) if folder != paths.ROOT and folder.is_dir() else None


@cache
def _folder_hash(folder: Path) -> str:
    """Of a tokenizer's files, whatever they are called, too; without hidden ones, prose and weights in formats that are
    never read."""
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
    data = json.dumps([parameters["missing"], provenance.read_text(encoding="utf-8") if provenance.exists() else ""])
    return hash_run("report", {}, notebook_code_hash(paths.notebook_file(notebook), "report"), data, records)


def identity_for_record(
    folder: Path, phase: str, parameters: dict[str, Any], inputs: Sequence[str]
) -> dict[str, str | None]:
    """The `hash` that a record carries, and the `code`, `data` and `checkpoint` that it covers: those of params.json if
    `xlt` wrote it for these parameters, else by hand."""
    try:
        params = read_json(folder / "params.json")
        if params["phase"] == phase and params["parameters"] == json.loads(json.dumps(parameters)):
            return {"hash": params["hash"], **{name: params.get(name) for name in COVERED}}
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return _identity_by_hand(phase, parameters, inputs)


def hash_by_hand(phase: str, parameters: dict[str, Any], inputs: Sequence[str]) -> str:
    """The hash of a notebook run without `xlt`: that of the same cell of a study, `byhand` where it is unknown."""
    return _identity_by_hand(phase, parameters, inputs)["hash"] or ""


def _identity_by_hand(phase: str, parameters: dict[str, Any], inputs: Sequence[str]) -> dict[str, str | None]:
    from xlt_utils.data import loading

    try:
        code = notebook_code_hash(paths.notebook_file(paths.notebook(phase)), phase)
        if phase == "report":
            return {"hash": hash_report(parameters, paths.notebook(phase)), "code": code}
        data = loading.data_fingerprint(parameters["data"]) if parameters.get("data") else ""
        hash = hash_run(phase, parameters, code, data, inputs)
        return {"hash": hash, "code": code, "data": data, "checkpoint": hash_checkpoint(parameters)}
    except (OSError, ValueError, KeyError, TypeError):
        return {"hash": "byhand"}
