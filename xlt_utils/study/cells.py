"""Cells: a study file spelt out into the notebook runs that it asks for. A cell is one execution of
one notebook; its hash covers all that can change its result, so that a changed study, code or data
set means a new run folder and an unchanged one is never run again."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xlt_utils import paths
from xlt_utils.code_hash import notebook_code_hash
from xlt_utils.files import read_json, write_json
from xlt_utils.records import run_hash
from xlt_utils.records.record import is_done

if TYPE_CHECKING:  # a notebook's last cell needs the hashes, not the study file's models
    from xlt_utils.study.schema import ArmSettings, Rung, Study
from xlt_utils.formatting import short_size


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
            self.code[phase] = notebook_code_hash(paths.resolve(paths.notebook(phase)), phase)
        machine = {"threads": self.study.threads, "devices": self.study.devices}
        parameters = {"study": self.study.name, "data": self.data, **parameters, **machine}
        parameters |= {name: cell and cell.folder for name, cell in inputs.items()}
        read = tuple(cell for cell in inputs.values() if cell)
        hash = run_hash.run_hash(phase, parameters, self.code[phase], self.fingerprint, [cell.hash for cell in read])
        folder = paths.relative(paths.RUNS / self.study.name / phase / f"{slug}-{hash}")
        cell = Cell(phase, slug, paths.notebook(phase), {**parameters, "out": folder}, read, hash, folder)
        self.cells.append(cell)
        return cell


def expand_study(study: Study, data: str | None = None, fingerprint: str | None = None) -> list[Cell]:
    """Every cell of the study but the report, inputs before those who read them.

    `data` and `fingerprint` are the data set's folder and content; left out, `xlt_utils.data` finds them.
    """
    from xlt_utils.data import loading

    if data is None:
        data = loading.locate(study.data, study.microworld_settings())
    grid = Grid(study, data, loading.data_fingerprint(data) if fingerprint is None else fingerprint)
    for seed in study.seeds:
        below = None
        for rung in study.pretrain.rungs:
            slug = f"s{seed}-p{short_size(rung.before + rung.tokens)}"
            pretrained = grid.add("pretrain", slug, _pretrain(study, seed, rung), previous=below)
            below = pretrained if study.pretrain.shares_trunk and rung.tokens else None
            _targets(grid, seed, pretrained)
            for arm in study.intermediate.arms:
                _ladder(grid, seed, pretrained, arm)
    return grid.cells


def _ladder(grid: Grid, seed: int, pretrained: Cell, arm: ArmSettings) -> None:
    """One arm's rungs from one pretrained encoder, each followed by the target tasks."""
    below, phase = None, grid.study.intermediate
    for examples in phase.rungs(arm):
        slug = f"{pretrained.slug}-{arm.name}-i{short_size(examples)}"
        parameters = _intermediate(grid.study, seed, arm, examples)
        rung = grid.add("intermediate", slug, parameters, checkpoint=pretrained, previous=below)
        below = rung if phase.shares_trunk else None
        _targets(grid, seed, rung, arm.targets)


def _targets(grid: Grid, seed: int, checkpoint: Cell, wanted: list[str] | None = None) -> None:
    for tasks, languages in grid.study.target_batches(wanted):
        slug = f"{checkpoint.slug}-{tasks[0] if len(tasks) == 1 else f'{len(tasks)}tasks'}"
        grid.add("target", slug, _target(grid.study, seed, tasks, languages), checkpoint=checkpoint)


def _pretrain(study: Study, seed: int, rung: Rung) -> dict[str, Any]:
    phase = study.pretrain
    seen = max(phase.tokens) if phase.arm == "repeated" and rung.tokens else None
    settings = phase.model_dump(exclude={"encoder", "tokens", "checkpoints", "arm"})
    ladder = {"before": rung.before, "tokens": rung.tokens, "seen": seen}
    return {"seed": seed, "languages": study.languages, **rung.encoder.model_dump(), **ladder, **settings}


def _intermediate(study: Study, seed: int, arm: ArmSettings, examples: int) -> dict[str, Any]:
    phase, text = study.intermediate, study.pretrain
    common = phase.model_dump(exclude={"examples", "arms", "settings"})
    own = {name: phase.settings[name].model_dump(exclude_none=True) for name in arm.tasks if name in phase.settings}
    condition = arm.model_dump(exclude={"name", "targets", "learning_rate", "mlm_languages", "examples"})
    condition["mlm_languages"] = arm.text_languages(study.languages)
    masked = {"mlm_length": text.length, "mask_rate": text.mask_rate, "language_exponent": text.language_exponent}
    rate = {"learning_rate": arm.learning_rate or phase.learning_rate}
    return {
        "seed": seed,
        "arm": arm.name,
        "examples": examples,
        **condition,
        **masked,
        **common,
        **rate,
        "settings": own,
    }


def _target(study: Study, seed: int, tasks: list[str], languages: list[str]) -> dict[str, Any]:
    apart = {"tasks", "languages", "tasks_per_cell", "settings", "perturbations", "perturbation_rates"}
    common, phase = study.target.model_dump(exclude=apart), study.target
    own = {name: phase.settings[name].model_dump(exclude_none=True) for name in tasks if name in phase.settings}
    changed = [[kind, rate] for kind in phase.perturbations for rate in phase.perturbation_rates]
    return {"seed": seed, "tasks": tasks, "languages": languages, **common, "settings": own, "perturbations": changed}


def report_cell(study: Study, grid: list[Cell], failed: set[str]) -> Cell:
    """The cell that renders the report from the records that there are; `failed` are folders."""
    done = [cell for cell in grid if is_done(cell.folder, cell.hash)]
    there = {cell.folder for cell in done}
    rest = [cell.folder for cell in grid if cell.folder not in there]
    missing = [[folder, "failed" if folder in failed else "missing"] for folder in rest]
    runs, page = paths.RUNS / study.name, paths.REPORTS / study.name
    return render_cell(study.name, runs, page, [cell.folder for cell in done], missing, tuple(done))


def render_cell(
    study: str, runs: Path, page: Path, done: list[str], missing: list[list[str]], inputs: tuple[Cell, ...] = ()
) -> Cell:
    """The cell that renders the records of the folders `done`, below `runs`, into the folder `page`."""
    parameters = {"study": study, "runs": paths.relative(runs), "cells": done, "missing": missing}
    parameters["report"] = paths.relative(page)
    notebook = paths.notebook("report")
    hash = run_hash.report_hash(parameters, notebook)
    folder = paths.relative(runs / "report" / f"{study}-{hash}")
    return Cell("report", study, notebook, {**parameters, "out": folder}, inputs, hash, folder)


def write_params(cell: Cell) -> Path:
    """Write a cell's params.json, which the runner takes; a file that says the same is left as it is."""
    path = paths.resolve(cell.folder) / "params.json"
    content = {
        "phase": cell.phase,
        "cell": cell.name,
        "hash": cell.hash,
        "notebook": cell.notebook,
        "inputs": [before.folder for before in cell.inputs],
        "parameters": cell.parameters,
    }
    try:
        if read_json(path) == content:
            return path
    except (OSError, ValueError):
        pass
    return write_json(path, content)
