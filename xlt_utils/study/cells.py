"""A study as the notebook runs that it needs. In goes a `Study`, out come its cells: a cell is one execution of one
notebook. A cell's hash covers all that can change its result, so that a changed study, code or data set means a new run
folder and an unchanged one is never run again."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from xlt_utils import paths
from xlt_utils.code_hash import notebook_code_hash
from xlt_utils.data import loading
from xlt_utils.data.tasks import TASKS
from xlt_utils.files import read_json, write_json
from xlt_utils.formatting import short_size
from xlt_utils.records import run_hash
from xlt_utils.records.record import is_done
from xlt_utils.study.schema import ArmSettings, Rung, Section, Study


@dataclass(frozen=True)
class Cell:
    """One run: its notebook and parameters, the cells whose records it reads (`inputs`), its hash (8 hex digits), its
    run folder, and the sha256 of what the hash `covers` besides (run_hash.COVERED)."""

    phase: str
    slug: str
    notebook: str
    parameters: dict[str, Any]
    inputs: tuple[Cell, ...]
    hash: str
    folder: str
    covers: dict[str, str | None] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.slug}-{self.hash}"

    def upstream(self) -> list[Cell]:
        """All cells that this one reads, itself or through others; one that is read twice stands there twice."""
        return [cell for read in self.inputs for cell in (read, *read.upstream())]


@dataclass
class Grid:
    """The cells of a study so far, inputs before the cells that read them."""

    study: Study
    data: str
    fingerprint: str | None  # of the data; None: of what each cell reads
    cells: list[Cell] = field(default_factory=list)
    code: dict[str, str] = field(default_factory=dict)  # code hash by phase, so that the sources are read once

    def add(self, phase: str, slug: str, parameters: dict[str, Any], **inputs: Cell | None) -> Cell:
        """Complete a cell with what follows from the rest: its paths, its hash, its folder.

        Args:
            phase: one of paths.PHASES.
            slug: the readable part of the cell's name.
            parameters: the notebook's, without the paths.
            inputs: by the parameter that takes its folder, a cell that is read; None where there is none.
        """
        if phase not in self.code:
            self.code[phase] = notebook_code_hash(paths.notebook_file(paths.notebook(phase)), phase)
        machine = {"threads": self.study.threads, "devices": self.study.devices}
        parameters = {"study": self.study.name, "data": self.data, **parameters, **machine}
        parameters |= {name: cell and cell.folder for name, cell in inputs.items()}
        input_cells = tuple(cell for cell in inputs.values() if cell)
        input_hashes = [cell.hash for cell in input_cells]
        fingerprint = self.fingerprint
        if fingerprint is None:
            fingerprint = loading.data_fingerprint(self.data, run_hash.reads(phase, parameters))
        hash = run_hash.hash_run(phase, parameters, self.code[phase], fingerprint, input_hashes)
        folder = paths.relative(paths.RUNS / self.study.name / phase / f"{slug}-{hash}")
        checkpoint = run_hash.hash_checkpoint(parameters)
        covers = {"code": self.code[phase], "data": fingerprint, "checkpoint": checkpoint}
        parameters["out"] = folder
        cell = Cell(phase, slug, paths.notebook(phase), parameters, input_cells, hash, folder, covers)
        self.cells.append(cell)
        return cell


def expand_study(study: Study, data: str | None = None, fingerprint: str | None = None) -> list[Cell]:
    """Every cell of the study except the report, inputs before the cells that read them.

    Args:
        study: the study.
        data: the data set's folder; left out, `loading.locate` finds it.
        fingerprint: of the data; left out, `loading.data_fingerprint` reads it.
    """
    if data is None:
        data = loading.locate(study.data, study.microworld_settings())
    grid = Grid(study, data, fingerprint)
    trained = [name for name in study.target.tasks if TASKS[name].trains]  # without training, replicates are the same
    for seed in study.seeds:
        below, rungs = None, study.pretrain.rungs
        for rung in rungs:
            slug = f"s{seed}-p{short_size(rung.before + rung.tokens)}"
            rung_above = study.pretrain.shares_trunk and rung is not rungs[-1]
            parameters = {"rung_above": rung_above, **_pretrain(study, seed, rung)}
            pretrained = grid.add("pretrain", slug, parameters, previous=below)
            below = pretrained if study.pretrain.shares_trunk and rung.tokens else None
            _targets(grid, seed, pretrained)
            for replicate in range(1, study.target.baseline_replicates):
                _targets(grid, seed, pretrained, trained, replicate)
            for arm in study.intermediate.arms:
                _ladder(grid, seed, pretrained, arm)
    return grid.cells


def _ladder(grid: Grid, seed: int, pretrained: Cell, arm: ArmSettings) -> None:
    """Add one arm's rungs from one pretrained encoder, each followed by the arm's target tasks."""
    below, phase = None, grid.study.intermediate
    for examples in phase.rungs(arm):
        slug = f"{pretrained.slug}-{arm.name}-i{short_size(examples)}"
        rung_above = phase.shares_trunk and examples != phase.rungs(arm)[-1]
        parameters = {"rung_above": rung_above, **_intermediate(grid.study, seed, arm, examples)}
        rung = grid.add("intermediate", slug, parameters, checkpoint=pretrained, previous=below)
        below = rung if phase.shares_trunk else None
        _targets(grid, seed, rung, arm.targets)


def _targets(grid: Grid, seed: int, checkpoint: Cell, tasks: list[str] | None = None, replicate: int = 0) -> None:
    """Add the cells that fine-tune and test one checkpoint."""
    for batch in grid.study.target_batches(tasks):
        slug = f"{checkpoint.slug}-{batch[0] if len(batch) == 1 else f'{len(batch)}tasks'}"
        slug += f"-r{replicate}" if replicate else ""
        parameters = {"replicate": replicate, **_target(grid.study, seed, batch)}
        grid.add("target", slug, parameters, checkpoint=checkpoint)


def _pretrain(study: Study, seed: int, rung: Rung) -> dict[str, Any]:
    phase = study.pretrain
    seen = max(phase.tokens) if phase.arm == "repeated" and rung.tokens and phase.tokens else None
    settings = phase.model_dump(exclude={"encoder", "tokens", "checkpoints", "arm", "head_warmup"})
    ladder = {"before": rung.before, "tokens": rung.tokens, "seen": seen}
    # an arm with masked-LM steps also goes on from the head of the checkpoint as it stands, now or, where the file asks
    # for that head, when it is added to a study that has grown without it
    is_asked = "head_warmup" in phase.model_fields_set
    predicts = rung.tokens or is_asked or any(arm.mlm_share for arm in study.intermediate.arms)
    has_warmup = predicts and phase.head_warmup.tokens and not rung.encoder.is_scratch
    settings["head_warmup"] = phase.head_warmup.model_dump() if has_warmup else None
    return {"seed": seed, "languages": study.languages, **rung.encoder.model_dump(), **ladder, **settings}


def _intermediate(study: Study, seed: int, arm: ArmSettings, examples: int) -> dict[str, Any]:
    phase, text = study.intermediate, study.pretrain
    common = phase.model_dump(exclude={"examples", "arms", "settings", "learning_rate"})
    condition = arm.model_dump(exclude={"name", "targets", "learning_rate", "mlm_languages", "examples"})
    return {
        "seed": seed,
        "arm": arm.name,
        "examples": examples,
        **condition,
        "mlm_languages": arm.text_languages(study.languages),
        "mlm_length": text.length,
        "mask_rate": text.mask_rate,
        "language_exponent": text.language_exponent,
        **common,
        "learning_rate": arm.learning_rate or phase.learning_rate,
        "settings": _settings(phase.settings, arm.tasks),
    }


def _target(study: Study, seed: int, tasks: list[str]) -> dict[str, Any]:
    phase = study.target
    apart = {"tasks", "languages", "tasks_per_cell", "baseline_replicates"}
    apart |= {"settings", "perturbations", "perturbation_rates"}
    languages = {name: study.target_languages(name) for name in tasks}
    return {
        "seed": seed,
        "tasks": tasks,
        "languages": study.languages,
        "task_languages": {name: codes for name, codes in languages.items() if codes != study.languages},
        **phase.model_dump(exclude=apart),
        "settings": _settings(phase.settings, tasks),
        "perturbations": [[kind, rate] for kind in phase.perturbations for rate in phase.perturbation_rates],
    }


def _settings(settings: Mapping[str, Section], tasks: list[str]) -> dict[str, dict[str, Any]]:
    """The settings of a cell's tasks that differ from the phase's."""
    return {name: settings[name].model_dump(exclude_none=True) for name in tasks if name in settings}


def write_provenance(study: Study) -> None:
    """Write what the study file says of its checkpoints beside the runs, where the report reads it. It is in no run's
    parameters, so that a card can be corrected without a new run."""
    checkpoints = study.provenance()
    for checkpoint in checkpoints:
        if name := run_hash.hub_name(checkpoint["start"]):
            checkpoint["start"] = name
        elif os.path.isabs(checkpoint["start"]):
            checkpoint["start"] = os.path.relpath(checkpoint["start"], paths.ROOT)
    write_json(paths.RUNS / study.name / run_hash.PROVENANCE, {"checkpoints": checkpoints})


def report_cell(study: Study, grid: list[Cell], failed: set[str]) -> Cell:
    """The cell that renders the report from the records that exist.

    Args:
        study: the study.
        grid: its cells.
        failed: the folders of the cells that failed, which the report counts apart from those that never ran.
    """
    done = {cell.folder: cell for cell in grid if is_done(cell.folder, cell.hash)}
    missing = [cell.folder for cell in grid if cell.folder not in done]
    states = [[folder, "failed" if folder in failed else "missing"] for folder in missing]
    runs, page = paths.RUNS / study.name, paths.REPORTS / study.name
    return render_cell(study.name, runs, page, list(done), states, tuple(done.values()))


def render_cell(
    study: str, runs: Path, page: Path, done: list[str], missing: list[list[str]], inputs: tuple[Cell, ...] = ()
) -> Cell:
    """The cell that renders some records into a page.

    Args:
        study: the study's name.
        runs: the folder of its runs.
        page: the folder of the page.
        done: the run folders with a record.
        missing: pairs of a run folder without one and `failed` or `missing`.
        inputs: the cells of `done`, where they are known.
    """
    parameters = {"study": study, "runs": paths.relative(runs), "cells": done, "missing": missing}
    parameters["report"] = paths.relative(page)
    notebook = paths.notebook("report")
    hash = run_hash.hash_report(parameters, notebook)
    folder = paths.relative(runs / "report" / f"{study}-{hash}")
    return Cell("report", study, notebook, {**parameters, "out": folder}, inputs, hash, folder)


def write_params(cell: Cell) -> Path:
    """Write a cell's params.json, which the runner reads; a file of the same content stays untouched."""
    path = paths.resolve(cell.folder) / "params.json"
    content = {
        "phase": cell.phase,
        "cell": cell.name,
        "hash": cell.hash,
        **cell.covers,
        "notebook": cell.notebook,
        "inputs": [source.folder for source in cell.inputs],
        "parameters": cell.parameters,
    }
    try:
        if read_json(path) == content:
            return path
    except (OSError, ValueError):
        pass
    return write_json(path, content)
