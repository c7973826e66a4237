"""The tables of the report's page: every cell, plan against spent, robustness, what was left out. In go the findings
of report.py, out come data frames; every number is from a record, an attempt or the plan."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from xlt_utils import paths, records
from xlt_utils.records import Record
from xlt_utils.scaling import MEANS, PLACE, number

if TYPE_CHECKING:
    from xlt_utils.report import Findings

PHASES = paths.PHASES[:3]  # the report is none of its own cells


def attempts(folder: Path) -> list[dict[str, Any]]:
    """What was noted of a run folder's attempts, the first first."""
    return [content(path) for path in sorted(folder.glob("attempts/*/attempt.json"))]


def executed(folder: Path) -> Path | None:
    """The last executed notebook of a run folder."""
    found = sorted(folder.glob("attempts/*/executed.ipynb")) or sorted(folder.glob("executed.ipynb"))
    return found[-1] if found else None


def content(path: Path) -> dict[str, Any]:
    """What a JSON file holds; nothing where there is none, or half of one."""
    try:
        return records.read_json(path)
    except (OSError, ValueError):
        return {}


def index_of_cells(found: "Findings") -> pd.DataFrame:
    """Every cell, done or not: where it stands, its main scores or last loss, seconds, device, state, error, flags."""
    means = found.zero_shot[~found.zero_shot["target"].isin(MEANS.values())]
    by_place = dict(iter(means.groupby(PLACE)))
    rows = []
    for folder, record in found.records.items():
        place = record.coordinates.model_dump() if record.coordinates else {}
        key = tuple(place.get(name) if name != "arm" else place.get("arm") or "" for name in PLACE)
        own = {result.task for result in record.results}
        score = ""
        if record.phase == "target":
            part = by_place.get(key, means.iloc[:0])
            part = part[part["target"].isin(own)]
            score = ", ".join(f"{row.target} {number(row.zero_shot)}" for row in part.itertuples())
        elif losses := [point for point in record.curves if point.loss is not None]:
            score = f"{losses[-1].name} loss {losses[-1].loss:.2f}"
        rows.append(
            {
                "phase": record.phase,
                "cell": folder.name,
                **place,
                "result": score,
                "seconds": record.seconds.get("work"),
            }
            | {"device": record.device, "state": "done", "error": "", "flags": "; ".join(flags(record))}
            | {"notebook": executed(folder)}
        )
    for one in found.absent:
        phase = content(one.folder / "params.json").get("phase", one.folder.parent.name)
        rows.append(
            {"phase": phase, "cell": one.folder.name, **(one.place or {}), "result": "", "seconds": None, "device": ""}
            | {"state": one.state, "error": one.error, "flags": "", "notebook": executed(one.folder)}
        )
    table = pd.DataFrame(rows)
    table["arm"] = table["arm"].fillna("") if "arm" in table else ""
    order = table["phase"].map({name: place for place, name in enumerate(paths.PHASES)}).fillna(9)
    by = ["order", *(name for name in PLACE if name in table), "cell"]
    return table.assign(order=order).sort_values(by, ignore_index=True, na_position="last").drop(columns="order")


def flags(record: Record) -> list[str]:
    """What a reader of a run's scores is warned of."""
    found = record.facts.get("flags", [])
    return [str(flag) for flag in found] if isinstance(found, (list, tuple)) else [str(found)]


def spent(found: "Findings") -> pd.DataFrame:
    """Plan against spent, a row a phase: cells, tokens, examples, FLOPs, and seconds planned, of work, of attempts.

    `attempts` counts every attempt of a cell, failed ones too; NaN where a run was by hand and left none.
    """
    rows = []
    for phase in PHASES:
        own = {folder: record for folder, record in found.records.items() if record.phase == phase}
        absent = [one.folder for one in found.absent if one.folder.parent.name == phase]
        if not own and not absent:
            continue
        row: dict[str, Any] = {"phase": phase, "cells": len(own)}
        for name in ("tokens", "examples", "flops"):
            row[name] = sum(getattr(record.cost, name) for record in own.values())
        row["work"] = sum(record.seconds.get("work", 0.0) for record in own.values())
        tried = [attempts(folder) for folder in [*own, *absent]]
        whole = all(tried[: len(own)]) and bool(own)
        row["attempts"] = sum(one.get("seconds") or 0.0 for some in tried for one in some) if whole else np.nan
        for name in ("cells", "tokens", "examples", "flops", "seconds"):
            row[f"planned {name}"] = found.plan.get(name, {}).get(phase, np.nan)
        rows.append(row | {"planned": row["planned seconds"]})
    return pd.DataFrame(rows)


def overhead(costs: pd.DataFrame) -> float:
    """1 − work / attempts over the phases whose attempts are known, the share of start and imports; NaN without."""
    known = costs.dropna(subset=["attempts"])
    total = known["attempts"].sum()
    return float(1 - known["work"].sum() / total) if total > 0 else np.nan


def typology(table: pd.DataFrame | None) -> dict[str, list] | None:
    """The table of languages as the page shows it: columns, and rows of words."""
    if table is None:
        return None
    shown = table.map(lambda value: {True: "yes", False: "no"}[value] if isinstance(value, (bool, np.bool_)) else value)
    shown = shown.map(lambda value: f"{value:.2f}" if isinstance(value, float) else value)
    return {"columns": list(shown.columns), "rows": shown.to_numpy().tolist()}
