"""Cells: a study file spelt out into the notebook runs that it asks for. A cell is one execution of
one notebook; its hash covers all that can change its result, so that a changed study, code or data
set means a new run folder and an unchanged one is never run again."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xlt_utils import records, sources

if TYPE_CHECKING:  # a notebook's last cell needs the hashes, not the study file's models
    from xlt_utils.study import Arm, Study

PHASES = ("pretrain", "intermediate", "target", "report")
# Where a run lies and what it is called changes no result; what it reads is in the hash as hashes.
PLACES = ("study", "data", "out", "previous", "checkpoint", "runs", "cells", "missing", "report")


@dataclass(frozen=True)
class Cell:
    """One run: its notebook's parameters, the cells that it reads, its hash (8 hex digits) and its folder."""

    phase: str
    slug: str
    notebook: str
    parameters: dict[str, Any]
    inputs: tuple[Cell, ...]
    hash: str
    folder: str

    @property
    def name(self) -> str:
        return f"{self.slug}-{self.hash}"


@dataclass
class Grid:
    """The cells of a study as they are laid out, inputs before those who read them."""

    study: Study
    data: str
    fingerprint: str
    cells: list[Cell] = field(default_factory=list)
    code: dict[str, str] = field(default_factory=dict)  # by phase: one reading of the sources serves all cells

    def add(self, phase: str, slug: str, parameters: dict[str, Any], **inputs: Cell | None) -> Cell:
        """Complete a cell with what follows from the rest: its paths, its hash, its folder."""
        if phase not in self.code:
            self.code[phase] = sources.code(records.resolve(notebook(phase)), phase)
        parameters = {"study": self.study.name, "data": self.data, **parameters, "threads": self.study.threads}
        parameters |= {name: cell and cell.folder for name, cell in inputs.items()}
        read = tuple(cell for cell in inputs.values() if cell)
        hash = digest(phase, parameters, self.code[phase], self.fingerprint, [cell.hash for cell in read])
        folder = records.relative(records.RUNS / self.study.name / phase / f"{slug}-{hash}")
        cell = Cell(phase, slug, notebook(phase), {**parameters, "out": folder}, read, hash, folder)
        self.cells.append(cell)
        return cell


def notebook(phase: str) -> str:
    """The notebook of a phase; `XLT_NOTEBOOKS` names another folder of them (tests do)."""
    folder = os.environ.get("XLT_NOTEBOOKS", "notebooks")
    return records.relative(Path(folder) / f"0{PHASES.index(phase) + 1}_{phase}.ipynb")


def expand(study: Study, data: str | None = None, fingerprint: str | None = None) -> list[Cell]:
    """Every cell of the study but the report, inputs before those who read them.

    `data` and `fingerprint` are the data set's folder and content; left out, `xlt_utils.data` finds them.
    """
    if data is None:
        from xlt_utils import data as loading

        data = loading.locate(study.data, study.microworld and study.microworld.model_dump())
    grid = Grid(study, data, _fingerprint(data) if fingerprint is None else fingerprint)
    for seed in study.seeds:
        rung = None
        for tokens in study.pretrain.tokens:
            rung = grid.add("pretrain", f"s{seed}-p{short(tokens)}", _pretrain(study, seed, tokens), previous=rung)
            _targets(grid, seed, rung)
            for arm in study.intermediate.arms:
                _ladder(grid, seed, rung, arm)
    return grid.cells


def _ladder(grid: Grid, seed: int, pretrained: Cell, arm: Arm) -> None:
    """One arm's rungs from one pretrained encoder, each followed by the target tasks."""
    rung = None
    for examples in grid.study.intermediate.examples:
        slug = f"{pretrained.slug}-{arm.name}-i{short(examples)}"
        parameters = _intermediate(grid.study, seed, arm, examples)
        rung = grid.add("intermediate", slug, parameters, checkpoint=pretrained, previous=rung)
        _targets(grid, seed, rung)


def _targets(grid: Grid, seed: int, checkpoint: Cell) -> None:
    for tasks, languages in grid.study.target_batches():
        slug = f"{checkpoint.slug}-{tasks[0] if len(tasks) == 1 else f'{len(tasks)}tasks'}"
        grid.add("target", slug, _target(grid.study, seed, tasks, languages), checkpoint=checkpoint)


def _pretrain(study: Study, seed: int, tokens: int) -> dict[str, Any]:
    phase = study.pretrain
    encoder = phase.encoder.model_dump(exclude={"start"})
    settings = phase.model_dump(exclude={"encoder", "tokens", "arm"})
    return {"seed": seed, "languages": study.languages, **encoder, "tokens": tokens, **settings}


def _intermediate(study: Study, seed: int, arm: Arm, examples: int) -> dict[str, Any]:
    settings = study.intermediate.model_dump(exclude={"examples", "arms"})
    return {"seed": seed, "arm": arm.name, "task": arm.tasks[0], "examples": examples, **settings}


def _target(study: Study, seed: int, tasks: list[str], languages: list[str]) -> dict[str, Any]:
    settings = study.target.model_dump(exclude={"tasks", "languages", "tasks_per_cell"})
    return {"seed": seed, "tasks": tasks, "languages": languages, **settings}


def report(study: Study, grid: list[Cell], failed: set[str]) -> Cell:
    """The cell that renders the report from the records that there are; `failed` are folders."""
    done = [cell for cell in grid if records.is_done(cell.folder, cell.hash)]
    there = {cell.folder for cell in done}
    rest = [cell.folder for cell in grid if cell.folder not in there]
    parameters = {
        "study": study.name,
        "runs": records.relative(records.RUNS / study.name),
        "cells": [cell.folder for cell in done],
        "missing": [[folder, "failed" if folder in failed else "missing"] for folder in rest],
        "report": records.relative(records.REPORTS / study.name),
    }
    hash = _report_digest(parameters, notebook("report"))
    folder = records.relative(records.RUNS / study.name / "report" / f"{study.name}-{hash}")
    return Cell("report", study.name, notebook("report"), {**parameters, "out": folder}, tuple(done), hash, folder)


def write(cell: Cell) -> Path:
    """Write a cell's params.json, which the runner takes; a file that says the same is left as it is."""
    path = records.resolve(cell.folder) / "params.json"
    content = {
        "phase": cell.phase,
        "cell": cell.name,
        "hash": cell.hash,
        "notebook": cell.notebook,
        "inputs": [before.folder for before in cell.inputs],
        "parameters": cell.parameters,
    }
    try:
        if json.loads(path.read_text(encoding="utf-8")) == content:
            return path
    except (OSError, ValueError):
        pass
    return records.write_json(path, content)


def short(size: int) -> str:
    """A size as study files write it: 400000 is `400k`, 1600000 is `1.6M`; exact, so two never look alike."""
    for unit, letter in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if size >= unit and size * 100 % unit == 0:
            return f"{size / unit:.2f}".rstrip("0").rstrip(".") + letter
    return str(size)


def digest(phase: str, parameters: dict[str, Any], code: str, data: str, inputs: list[str]) -> str:
    """The hash of a cell, 8 hex digits, the same on every machine and for every order of the parameters.

    `code` is sources.code(...) of the notebook, `data` the data's fingerprint, `inputs` the hashes of what is read.
    """
    parameters = {name: value for name, value in parameters.items() if name not in PLACES}
    covered = [records.SCHEMA, phase, parameters, code, data, inputs]
    return hashlib.sha256(json.dumps(covered, sort_keys=True).encode()).hexdigest()[:8]


def hash_in(folder: Path, phase: str, parameters: dict[str, Any]) -> str:
    """The hash that a record carries: params.json's when `xlt` wrote it for these parameters, else by hand."""
    try:
        given = json.loads((folder / "params.json").read_text(encoding="utf-8"))
        if given["phase"] == phase and given["parameters"] == json.loads(json.dumps(parameters)):
            return given["hash"]
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return hash_by_hand(phase, parameters)


def hash_by_hand(phase: str, parameters: dict[str, Any]) -> str:
    """The hash of a notebook run without `xlt`: that of the same cell of a study, `byhand` where it is unknown."""
    try:
        if phase == "report":
            return _report_digest(parameters, notebook(phase))
        before = [parameters.get(name) for name in ("checkpoint", "previous")]
        inputs = [records.read(folder).hash for folder in before if folder]
        code = sources.code(records.resolve(notebook(phase)), phase)
        return digest(phase, parameters, code, _fingerprint(parameters.get("data")), inputs)
    except (OSError, ValueError, KeyError, TypeError):
        return "byhand"


def _report_digest(parameters: dict[str, Any], notebook: str) -> str:
    """The report's hash: of the records' bytes and of what is missing."""
    paths = [records.resolve(folder) / "record.json" for folder in parameters["cells"]]
    contents = [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]
    missing = json.dumps(parameters["missing"])
    return digest("report", {}, sources.code(records.resolve(notebook), "report"), missing, contents)


def _fingerprint(data: str | None) -> str:
    from xlt_utils import data as loading

    return loading.fingerprint(data) if data else ""
