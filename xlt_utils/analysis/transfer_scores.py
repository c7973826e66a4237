"""Zero-shot scores on one scale over the grid of pretraining tokens P and intermediate examples I. The tidy
table of `results_table` goes in; normalised scores, zero-shot means and the places of the grid without one come out.
Nothing is averaged over a missing cell or language: such a mean is NaN, and `missing_means` names it."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from xlt_utils.data.tasks import TASKS

PLACE = ["seed", "tokens", "arm", "examples"]
TRAINED, RETRIEVAL = "mean of trained targets", "mean of retrieval targets"
MEANS = {"trained": TRAINED, "retrieval": RETRIEVAL}


def normalised_scores(table: pd.DataFrame) -> pd.DataFrame:
    """The target runs' main scores, one row a run, task and language: `score` has the `zero` point at 0 and the ceiling
    at 1 (worse than that is negative), `group` is trained or retrieval, `arm` is "" without one.

    The zero point is the better of chance and the majority class of the very examples that were tested; of records that
    do not hold it, chance.

    Raises:
        ValueError: a task is not in TASKS, or two runs have the same place on the grid and would pass for one.
    """
    rows = table[(table["phase"] == "target") & table["main"].astype(bool)].copy()
    unknown = sorted(set(rows["task"]) - set(TASKS))
    if unknown:
        raise ValueError(f"no such task in xlt_utils/data/tasks.py: {', '.join(unknown)}; there are {', '.join(TASKS)}")
    rows["arm"] = rows["arm"].where(rows["arm"].notna(), "")
    repeated = rows[rows.duplicated([*PLACE, "task", "language"], keep=False)]
    if len(repeated):
        raise ValueError(f"runs at the same place on the grid: {', '.join(sorted(set(repeated['folder'])))}; keep one")
    rows["zero"] = zero_points(rows)
    rows["score"] = (rows["value"].astype(float) - rows["zero"]) / (1 - rows["zero"])
    rows["group"] = ["trained" if TASKS[name].trains else "retrieval" for name in rows["task"]]
    rows[["seed", "tokens", "examples"]] = rows[["seed", "tokens", "examples"]].astype(int)
    columns = [*PLACE, "task", "group", "language", "value", "zero", "score", "n", "cell"]
    return rows[columns].sort_values([*PLACE, "task", "language"], ignore_index=True)


def zero_points(results: pd.DataFrame) -> pd.Series:
    """Of each row of results the score of whoever knows nothing, as its record has it; where it has none, chance."""
    chance = results["task"].map({name: task.chance for name, task in TASKS.items()}).astype(float)
    return results["zero"].astype(float).fillna(chance) if "zero" in results else chance


def targets_of(scores: pd.DataFrame) -> list[str]:
    """The targets of normalised scores: the means over groups of several tasks first, then each task."""
    means = [name for group, name in MEANS.items() if scores.loc[scores["group"] == group, "task"].nunique() > 1]
    return [*means, *sorted(set(scores["task"]))]


def zero_shot(scores: pd.DataFrame) -> pd.DataFrame:
    """One row a run and target: `english`, `zero_shot` (the mean over the non-English languages), `gap` (English minus
    that), `languages` (how many) and `missing_languages` (those that other runs of the task have).

    A run that lacks a language has no mean. Two more targets are the means over the trained and over the retrieval
    tasks, kept apart (untrained retrieval would drown the rest), where there are several.
    """
    if scores.empty:
        names = [*PLACE, "target", "group", "english", "zero_shot", "gap", "languages", "missing_languages"]
        return pd.DataFrame(columns=names)
    parts = []
    for (task, group), part in scores.groupby(["task", "group"]):
        table = part.pivot(index=PLACE, columns="language", values="score")
        others = sorted(set(table.columns) - {"en"})
        has_score = table[others].notna()
        runs = table.index.to_frame(index=False).assign(target=task, group=group)
        runs["english"] = table["en"].to_numpy() if "en" in table else np.nan
        runs["zero_shot"] = table[others].mean(axis=1, skipna=False).to_numpy() if others else np.nan
        runs["gap"] = runs["english"] - runs["zero_shot"]
        runs["languages"] = has_score.sum(axis=1).to_numpy()
        runs["missing_languages"] = [
            " ".join(np.array(others)[row]) if row.any() else "" for row in ~has_score.to_numpy()
        ]
        parts.append(runs)
    runs = pd.concat(parts, ignore_index=True).sort_values([*PLACE, "target"], ignore_index=True)
    return pd.concat([runs, *_group_means(runs)], ignore_index=True)


def _group_means(runs: pd.DataFrame) -> list[pd.DataFrame]:
    """The means over a group's targets, run by run; NaN where one of the targets has no score."""
    parts = []
    for group, name in MEANS.items():
        part = runs[runs["group"] == group]
        tasks = part["target"].nunique()
        if tasks > 1:
            table = part.groupby(PLACE)[["english", "zero_shot", "gap"]].sum(min_count=tasks) / tasks
            constants = {"target": name, "group": group, "languages": part["languages"].max(), "missing_languages": ""}
            parts.append(table.reset_index().assign(**constants))
    return parts


def grid_places(runs: pd.DataFrame, missing_cells: Iterable[dict] = ()) -> pd.DataFrame:
    """Every place of the grid, seeds × P × (no arm, or arm × I).

    Args:
        runs: `zero_shot`.
        missing_cells: coordinates (PLACE) of cells that failed or never ran.
    """
    places = pd.concat([runs[PLACE], pd.DataFrame(list(missing_cells), columns=PLACE)], ignore_index=True)
    places["arm"] = places["arm"].where(places["arm"].notna(), "")
    bare = pd.DataFrame([["", 0]], columns=["arm", "examples"])
    phases = pd.concat([bare, places[["arm", "examples"]].drop_duplicates()]).drop_duplicates()
    grid = places[["seed"]].drop_duplicates().merge(places[["tokens"]].drop_duplicates(), how="cross")
    return grid.merge(phases, how="cross").astype({"seed": int, "tokens": int, "examples": int})


def missing_means(runs: pd.DataFrame, missing_cells: Iterable[dict] = ()) -> pd.DataFrame:
    """The places of the grid where a target has no zero-shot mean, with the reason, one row each.

    Args:
        runs: `zero_shot`.
        missing_cells: as in `grid_places`.
    """
    tasks = runs.loc[~runs["target"].isin(MEANS.values()), ["target"]].drop_duplicates()
    grid = grid_places(runs, missing_cells).merge(tasks, how="cross").merge(runs, how="left", on=[*PLACE, "target"])
    holes = grid[grid["zero_shot"].isna()].copy()
    languages = holes["missing_languages"].fillna("")
    holes["reason"] = np.where(languages != "", "no score in: " + languages, "no record")
    return holes[[*PLACE, "target", "reason"]].sort_values([*PLACE, "target"], ignore_index=True)


def score_surface_table(
    runs: pd.DataFrame, target: str, arm: str = "", missing_cells: Iterable[dict] = ()
) -> pd.DataFrame:
    """The target's zero-shot score over P and I for one arm: `mean` and `sd` over seeds, how many seeds
    there are (`n`) and how many there should be (`wanted`). A mean over some of the seeds has n < wanted.

    Args:
        runs: `zero_shot`.
        target: a task or one of MEANS.
        arm: its cells, and those without intermediate training.
        missing_cells: as in `grid_places`.
    """
    grid = grid_places(runs, missing_cells)
    grid = grid[(grid["arm"] == arm) | (grid["examples"] == 0)]
    part = grid.merge(runs[runs["target"] == target], how="left", on=PLACE)
    by_rung = part.groupby(["tokens", "examples"])["zero_shot"]
    table = by_rung.agg(mean="mean", sd="std", n="count", wanted="size").reset_index()
    return table.assign(target=target, arm=arm)[["target", "arm", "tokens", "examples", "mean", "sd", "n", "wanted"]]


def without_intermediate(rows: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """The rows without intermediate training, and the words for it; where every run had some, those of the smallest
    rung of the first arm."""
    if rows.empty or (rows["examples"] == 0).any():
        return rows[rows["examples"] == 0], "without intermediate training"
    arm, examples = rows.sort_values(["examples", "arm"])[["arm", "examples"]].iloc[0]
    chosen = rows[(rows["arm"] == arm) & (rows["examples"] == examples)]
    return chosen, f"after {examples} {arm} examples (no run went without)"
