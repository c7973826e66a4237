"""The tables of the report: every cell, gains, robustness, and cost. The findings go in; data frames,
or rows as the page lists them, come out."""

from collections import Counter
from typing import Any

import numpy as np
import pandas as pd

from xlt_utils import paths
from xlt_utils.analysis import bootstrap, robustness, transfer_scores
from xlt_utils.analysis.arms import Arm
from xlt_utils.analysis.transfer_scores import MEANS, PLACE
from xlt_utils.formatting import join_words, number_text
from xlt_utils.records.record import Record
from xlt_utils.reporting.findings import RUN_PHASES, Findings, executed_notebook, read_attempts


def cell_index(findings: Findings) -> pd.DataFrame:
    """Every cell, done or missing, by phase and place on the grid: its own main scores or last loss, seconds of work,
    device, state, error, flags and executed notebook."""
    means_by_run = _means_by_run(findings)
    rows: list[dict[str, Any]] = []
    for folder, record in findings.records.items():
        coordinates = record.coordinates.model_dump() if record.coordinates else {}
        run = tuple((coordinates | {"arm": coordinates.get("arm") or ""}).get(name) for name in [*PLACE, "replicate"])
        rows.append(
            {
                "phase": record.phase,
                "cell": folder.name,
                **coordinates,
                "result": _result_text(record, means_by_run.get(run, [])),
                "seconds": record.seconds.get("work"),
                "device": record.device,
                "state": "done",
                "error": "",
                "flags": "; ".join(record_flags(record)),
                "notebook": executed_notebook(folder),
            }
        )
    for cell in findings.missing_cells:
        rows.append(
            {
                "phase": cell.phase,
                "cell": cell.folder.name,
                **(cell.coordinates or {}),
                "result": "",
                "seconds": None,
                "device": "",
                "state": cell.state,
                "error": cell.error,
                "flags": "",
                "notebook": executed_notebook(cell.folder),
            }
        )
    table = pd.DataFrame(rows)
    table["arm"] = table["arm"].fillna("") if "arm" in table else ""
    order = table["phase"].map({phase: number for number, phase in enumerate(paths.PHASES)}).fillna(len(paths.PHASES))
    columns = ["order", *(name for name in PLACE if name in table), "cell"]
    return table.assign(order=order).sort_values(columns, ignore_index=True, na_position="last").drop(columns="order")


def _means_by_run(findings: Findings) -> dict[tuple, list[tuple[str, float]]]:
    """By place and replicate the zero-shot mean of each target; those of `findings` are means over the replicates."""
    means: dict[tuple, list[tuple[str, float]]] = {}
    results = findings.results[findings.results["phase"] == "target"]
    for replicate, part in results.groupby("replicate"):
        runs = transfer_scores.zero_shot(transfer_scores.normalised_scores(part))
        runs = runs[~runs["target"].isin(MEANS.values())]
        for *place, target, mean in runs[[*PLACE, "target", "zero_shot"]].itertuples(index=False):
            means.setdefault((*place, replicate), []).append((target, mean))
    return means


def _result_text(record: Record, means: list[tuple[str, float]]) -> str:
    """A target run's zero-shot means, another run's last loss."""
    if record.phase == "target":
        tasks = {result.task for result in record.results}
        return join_words(f"{target} {number_text(mean)}" for target, mean in means if target in tasks)
    losses = [(point.name, point.loss) for point in record.curves if point.loss is not None]
    return f"{losses[-1][0]} loss {number_text(losses[-1][1], digits=2)}" if losses else ""


def record_flags(record: Record) -> list[str]:
    """What a reader of a run's scores is warned of."""
    flags = record.facts.get("flags", [])
    return [str(flag) for flag in flags] if isinstance(flags, (list, tuple)) else [str(flags)]


def arm_rows(findings: Findings) -> list[dict[str, Any]]:
    """What each arm was trained on and which controls it is compared with, controls last. Empty where there is one
    arm and no control."""
    specs = _arm_specs(findings)
    rows = []
    for arm in specs if len(specs) > 1 else ():
        controls = join_words(control.name for control in arm.controls(specs))
        rows.append({"arm": arm.name, "kind": arm.kind, "is_control": arm.is_control, "controls": controls})
    return rows


def _arm_specs(findings: Findings) -> list[Arm]:
    return [findings.arm_specs[name] for name in [*findings.arms, *findings.controls] if name]


def gain_matrix(findings: Findings) -> dict[str, Any]:
    """The gain over I = 0 at the largest I, a row an arm (controls last) and a column a target, as verdicts. No rows
    where there is one arm: the table of verdicts says as much."""
    verdicts = {(verdict.arm, verdict.target): verdict for verdict in findings.verdicts}
    targets = sorted({target for _, target in verdicts}, key=lambda name: (name not in MEANS.values(), name))
    arms = [arm for arm in [*findings.arms, *findings.controls] if any(arm == of_arm for of_arm, _ in verdicts)]
    rows = [
        {
            "arm": arm,
            "is_control": arm in findings.controls,
            "cells": [verdicts.get((arm, name)) for name in targets],
        }
        for arm in arms
    ]
    return {"targets": targets, "rows": rows if len(rows) > 1 else []}


def gains_over_controls(findings: Findings) -> pd.DataFrame:
    """What an arm gains over the controls that take its steps, paired by seed at the largest I both have. A row an
    arm, control and target: `gain`, the interval of the mean over the `rungs` of P (`of` those there are) that have
    both. What was not learnt is left out."""
    specs = _arm_specs(findings)
    rows = []
    for arm, control in [(spec, control) for spec in specs for control in spec.controls(specs)]:
        for target, sample in findings.samples.items():
            cells = sample.cells
            sides = [cells[cells["arm"] == spec.name] for spec in (arm, control)]
            largest = max(set.intersection(*(set(side["examples"]) for side in sides)), default=None)
            sides = [side[side["examples"] == largest] for side in sides]
            both = set.intersection(*(set(side["tokens"]) for side in sides))
            if both:
                weights = np.zeros(len(cells))
                for side, sign in zip(sides, (1, -1), strict=True):
                    weights[side.index[side["tokens"].isin(both)]] = sign / len(both)
                gain = bootstrap.contrast_interval(sample, weights)
                rows.append([arm.name, control.name, target, gain, len(both), findings.zero_shot["tokens"].nunique()])
    return pd.DataFrame(rows, columns=["arm", "control", "target", "gain", "rungs", "of"])


def cost_table(findings: Findings) -> pd.DataFrame:
    """Planned and spent, a row a phase: cells, tokens, examples, FLOPs, and seconds `planned`, of `work`, of
    `attempts`. The last count every attempt of a cell, failed ones too; NaN where a run by hand left none, or
    one cannot be read."""
    rows = []
    for phase in RUN_PHASES:
        records = {folder: record for folder, record in findings.records.items() if record.phase == phase}
        missing = [cell.folder for cell in findings.missing_cells if cell.phase == phase]
        if not records and not missing:
            continue
        row: dict[str, Any] = {"phase": phase, "cells": len(records)}
        for name in ("tokens", "examples", "flops"):
            row[name] = sum(getattr(record.cost, name) for record in records.values())
        row["work"] = sum(record.seconds.get("work", 0.0) for record in records.values())
        attempts = [read_attempts(folder) for folder in [*records, *missing]]
        is_known = bool(records) and all(of_cell and all(of_cell) for of_cell in attempts[: len(records)])
        seconds = [attempt.get("seconds") or 0.0 for of_cell in attempts for attempt in of_cell]
        row["attempts"] = sum(seconds) if is_known else np.nan
        for name in ("cells", "tokens", "examples", "flops"):
            row[f"planned {name}"] = findings.plan.get(name, {}).get(phase, np.nan)
        row["planned"] = findings.plan.get("seconds", {}).get(phase, np.nan)
        rows.append(row)
    return pd.DataFrame(rows)


def overhead_share(costs: pd.DataFrame) -> float | None:
    """1 − work / attempts over the phases whose attempts are known: the share of start and imports. None without."""
    known = costs.dropna(subset=["attempts"])
    seconds = known["attempts"].sum()
    return float(1 - known["work"].sum() / seconds) if seconds > 0 else None


def robustness_table(findings: Findings) -> pd.DataFrame:
    """The five numbers averaged over seeds: a row a task and place of the grid, the largest P first, on the raw scale.

    A number is given only where every seed of the study has it; `seeds` says how many have a run there ("2 of 3"),
    `note` what is missing and in which seeds. `worst_languages` are those of each seed, with how often where they
    differ.
    """
    runs = robustness.five_numbers(findings.results)
    losses = [column for column in runs if column.startswith("loss, ")]
    numbers = ["english", *robustness.NUMBERS, *losses]
    seeds = findings.expected_seeds
    place = ["task", "tokens", "arm", "examples"]
    rows = []
    for key, part in runs.assign(arm=runs["arm"].astype(object).fillna("")).groupby(place):
        is_complete = set(seeds) <= set(part["seed"])
        means = part[numbers].mean(skipna=False) if is_complete else pd.Series(np.nan, numbers)
        row = dict(zip(place, key, strict=True))
        row["seeds"] = str(len(seeds)) if is_complete else f"{len(part)} of {len(seeds)}"
        row |= means.to_dict()
        row["worst_languages"] = _worst_languages(part) if pd.notna(means["worst"]) else ""
        row["note"] = _seed_notes(part, seeds)
        rows.append(row)
    table = pd.DataFrame(rows, columns=[*place, "seeds", *numbers, "worst_languages", "note"])
    return table.sort_values(place, ascending=[True, False, True, True], ignore_index=True)


def _worst_languages(runs: pd.DataFrame) -> str:
    counts = Counter(" ".join(runs["worst_languages"]).split())
    return join_words(
        language if n == len(runs) else f"{language} ({n} of {len(runs)})" for language, n in counts.most_common()
    )


def _seed_notes(runs: pd.DataFrame, seeds: list[int]) -> str:
    """The notes of one place's runs, each with the seeds that it is about unless it is about all of them."""
    notes = [f"no run of seed {seed}" for seed in seeds if seed not in set(runs["seed"])]
    seeds_by_note: dict[str, list[int]] = {}
    for seed, note in zip(runs["seed"], runs["note"], strict=True):
        for part in filter(None, note.split("; ")):
            seeds_by_note.setdefault(part, []).append(seed)
    for note, of_seeds in seeds_by_note.items():
        notes.append(note if len(of_seeds) == len(runs) else f"{note} (seed {join_words(map(str, of_seeds))})")
    return "; ".join(notes)


def robustness_blocks(table: pd.DataFrame, most: int | None = None) -> list[dict[str, Any]]:
    """`robustness_table` as the page shows it, a block a task.

    Args:
        table: What `robustness_table` gives.
        most: Rows in all; every task has its share of them, and at least one.

    Returns:
        Blocks. `shared` are the notes of all rows; `remarks` has each other note once, and a row's `remark` is the
        number of its note there, or 0. `numbers` are the columns in which a row has one; `means` is the range of the
        mean over languages.
    """
    blocks = []
    numbers = [name for name in table if name in ("english", *robustness.NUMBERS) or name.startswith("loss, ")]
    most_of_task = None if most is None else max(1, most // max(1, table["task"].nunique()))
    for task, all_rows in table.groupby("task"):
        rows = all_rows.head(most_of_task)
        notes = [note.split("; ") for note in rows["note"]]
        shared = [note for note in notes[0] if note and all(note in others for others in notes)]
        own = ["; ".join(note for note in of_row if note not in shared) for of_row in notes]
        remarks = list(dict.fromkeys(filter(None, own)))
        numbered = rows.assign(remark=[remarks.index(note) + 1 if note else 0 for note in own])
        blocks.append(
            {
                "task": task,
                "shared": shared,
                "remarks": remarks,
                "names_languages": any(rows["worst_languages"]),
                "numbers": [name for name in numbers if rows[name].notna().any()],
                "means": _range_text(all_rows["mean"]),
                "places": len(all_rows),
                "rows": numbered.to_dict("records"),
            }
        )
    return blocks


def _range_text(values: pd.Series) -> str:
    """Smallest to largest, one number where they are written alike; empty where there is none."""
    if values.isna().all():
        return ""
    return " to ".join(dict.fromkeys(number_text(value) for value in (values.min(), values.max())))


def display_table(table: pd.DataFrame) -> dict[str, list]:
    """A table as the page shows it: its `columns`, and its `rows` as text."""
    return {"columns": list(table.columns), "rows": table.map(_cell_text).to_numpy().tolist()}


def _cell_text(value: Any) -> Any:
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    return number_text(value, digits=2) if isinstance(value, float) else value
