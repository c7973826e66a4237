"""The hash of a run: 8 hex digits over all that can change its result. In go its parameters, code, data and input runs;
an unchanged run has the same hash on every machine, whether `xlt` or a notebook run by hand computes it."""

import hashlib
import json
import re
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


def reads(phase: str, parameters: dict[str, Any]) -> frozenset[str]:
    """The ids of the data sets that a run reads, and pinned_place.TEXT where it reads text."""
    from xlt_utils.data import decontaminate, labelled

    parts = {"intermediate": ("train", "translated", "development"), "target": ("train", "development", "test")}
    sources = labelled.task_sources(parameters.get("tasks", ()), parts.get(phase, ()))
    trains = parameters.get("tokens") or parameters.get("head_warmup") or parameters.get("start") == "scratch"
    reads_text = trains if phase == "pretrain" else parameters.get("mlm_share")
    return frozenset(source.dataset for source in sources) | (decontaminate.text_reads() if reads_text else frozenset())


def commits_read(phase: str, parameters: dict[str, Any]) -> dict[str, str]:
    """The commits of what a run reads from the hub, by id: data sets, text, the checkpoint that it starts from."""
    from xlt_utils.data import pinned_place

    place = pinned_place.read_place(parameters["data"]) if parameters.get("data") else None
    found = pinned_place.commits(place, reads(phase, parameters)) if place else {}
    if name := hub_name(parameters.get("start", "")):
        checkpoint, _, commit = name.partition("@")
        found[checkpoint] = commit
    return found


def hash_checkpoint(parameters: dict[str, Any]) -> str | None:
    """The sha256 of the checkpoint that a run starts from, names and bytes of its files, or that of its commit where it
    is a snapshot of the hub; None where the parameters name no folder."""
    folder = paths.resolve(parameters.get("start", ""))
    if name := hub_name(folder):  # the commit stands for all its files: `xlt mirror` compared them
        return hashlib.sha256(name.encode()).hexdigest()
    return _folder_hash(folder) if folder != paths.ROOT and folder.is_dir() else None


def hub_name(start: str | Path) -> str | None:
    """What the hub calls a folder below its snapshots, as its client lays them out: `owner/name@commit`, and perhaps
    a subfolder; None for any other folder."""
    match = re.search(r"models--([^/]+)/snapshots/([0-9a-f]{40})(/.+)?$", Path(start).as_posix())
    return f"{match[1].replace('--', '/')}@{match[2]}{match[3] or ''}" if match else None


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
        data = loading.data_fingerprint(parameters["data"], reads(phase, parameters)) if parameters.get("data") else ""
        hash = hash_run(phase, parameters, code, data, inputs)
        return {"hash": hash, "code": code, "data": data, "checkpoint": hash_checkpoint(parameters)}
    except (OSError, ValueError, KeyError, TypeError):
        return {"hash": "byhand"}
