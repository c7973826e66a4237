"""Zero-shot scores on one scale over the grid of pretraining tokens P and intermediate examples I. The tidy
table of `results_table` goes in; normalised scores, zero-shot means and the places of the grid without one come out.
Nothing is averaged over a missing cell or language: such a mean is NaN, and `missing_means` names it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from xlt_utils.data.tasks import TASKS
from xlt_utils.records import items

PLACE = ["seed", "tokens", "arm", "examples"]
TRAINED, RETRIEVAL = "mean of trained targets", "mean of retrieval targets"
MEANS = {"trained": TRAINED, "retrieval": RETRIEVAL}


def normalised_scores(table: pd.DataFrame) -> pd.DataFrame:
    """The target runs' main scores, one row a run, task and language: `score` has the `zero` point at 0 and the ceiling
    at 1 (worse than that is negative), `group` is trained or retrieval, `arm` is "" without one, `counts` is True: what
    was not learnt is marked by `learning.Learning.mark`.

    The zero point is the better of chance and the majority class of the very examples that were tested; of records that
    do not hold it, chance. Replicates of a run are averaged.

    Raises:
        ValueError: a task is not in TASKS, or two runs have the same place on the grid and would pass for one.
    """
    rows = table[(table["phase"] == "target") & table["main"].astype(bool)].copy()
    unknown = sorted(set(rows["task"]) - set(TASKS))
    if unknown:
        raise ValueError(f"no such task in xlt_utils/data/tasks.py: {', '.join(unknown)}; there are {', '.join(TASKS)}")
    rows["arm"] = rows["arm"].where(rows["arm"].notna(), "")
    place = [*PLACE, "task", "language"]
    repeated = rows[rows.duplicated([*place, "replicate"], keep=False)]
    if len(repeated):
        raise ValueError(f"runs at the same place on the grid: {', '.join(sorted(set(repeated['folder'])))}; keep one")
    rows["value"], rows["zero"] = rows["value"].astype(float), zero_points(rows)
    rows["score"] = (rows["value"] - rows["zero"]) / (1 - rows["zero"])
    rows["group"] = ["trained" if TASKS[name].trains else "retrieval" for name in rows["task"]]
    rows[["seed", "tokens", "examples"]] = rows[["seed", "tokens", "examples"]].astype(int)
    if rows["replicate"].any():
        numbers = dict.fromkeys(["value", "zero", "score", "n"], "mean")
        rows = rows.groupby([*place, "group"], as_index=False).agg(numbers | {"cell": "first"})
    columns = [*PLACE, "task", "group", "language", "value", "zero", "score", "n", "cell"]
    return rows[columns].assign(counts=True).sort_values(place, ignore_index=True)


def with_items(scores: pd.DataFrame, packed: Mapping[tuple[Any, ...], Sequence[str]]) -> pd.DataFrame:
    """The scores of `normalised_scores` with a column `items`: the `Contributions` (records/items.py) of each, unpacked
    once for all samples; None where the record holds none.

    Args:
        scores: a row a run, task and language.
        packed: as `packed_items` gives it.
    """
    places = scores[[*PLACE, "task", "language"]].itertuples(index=False, name=None)
    lines = [packed.get(place) for place in places]
    unpacked = [items.mean_contributions(of_run) if of_run else None for of_run in lines]
    return scores.assign(items=pd.Series(unpacked, index=scores.index, dtype=object))


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
    that), `languages` (how many), `missing_languages` (those that other runs of the task have) and whether it `counts`.

    A run that lacks a language has no mean. Two more targets are the means over the trained and over the retrieval
    tasks that count anywhere, kept apart (untrained retrieval would drown the rest), where there are several; they have
    no value at a place where one of these does not count.
    """
    if scores.empty:
        names = [*PLACE, "target", "group", "english", "zero_shot", "gap", "languages", "missing_languages", "counts"]
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
        runs["counts"] = part.groupby(PLACE)["counts"].all().to_numpy()
        runs["languages"] = has_score.sum(axis=1).to_numpy()
        runs["missing_languages"] = [
            " ".join(np.array(others)[row]) if row.any() else "" for row in ~has_score.to_numpy()
        ]
        parts.append(runs)
    runs = pd.concat(parts, ignore_index=True).sort_values([*PLACE, "target"], ignore_index=True)
    return pd.concat([runs, *_group_means(runs)], ignore_index=True)


def _group_means(runs: pd.DataFrame) -> list[pd.DataFrame]:
    """The means over a group's targets that count, run by run; NaN where one has no score or does not count."""
    parts = []
    for group, name in MEANS.items():
        part = runs[runs["group"] == group]
        part = part[part["target"].isin(part.loc[part["counts"], "target"])]
        tasks = part["target"].nunique()
        if tasks > 1:
            numbers = ["english", "zero_shot", "gap"]
            by_place = part.assign(**{number: part[number].where(part["counts"]) for number in numbers}).groupby(PLACE)
            table = by_place[numbers].sum(min_count=tasks) / tasks
            constants = {"target": name, "group": group, "languages": part["languages"].max(), "missing_languages": ""}
            parts.append(table.assign(counts=by_place["counts"].all(), **constants).reset_index())
    return parts


def transfer_gaps(runs: pd.DataFrame, target: str) -> tuple[pd.DataFrame, str]:
    """The transfer gap of a target, English minus the mean over the other languages, without intermediate training
    (seeds, rungs of P), NaN where a seed has none; and the words for "without intermediate training".

    Args:
        runs: `zero_shot`; those that count.
        target: a task or one of MEANS.
    """
    rows, condition = without_intermediate(runs[runs["target"] == target])
    return rows.pivot_table(index="seed", columns="tokens", values="gap"), condition


def grid_places(runs: pd.DataFrame, missing_cells: Iterable[dict] = ()) -> pd.DataFrame:
    """Every place of the grid, seeds × P × (no arm, or arm × I).

    Args:
        runs: `zero_shot`.
        missing_cells: of those that failed or never ran the coordinates (PLACE) and, as a list, the `targets`.
    """
    places = pd.concat([runs[PLACE], pd.DataFrame(list(missing_cells), columns=PLACE)], ignore_index=True)
    places["arm"] = places["arm"].where(places["arm"].notna(), "")
    bare = pd.DataFrame([["", 0]], columns=["arm", "examples"])
    phases = pd.concat([bare, places[["arm", "examples"]].drop_duplicates()]).drop_duplicates()
    grid = places[["seed"]].drop_duplicates().merge(places[["tokens"]].drop_duplicates(), how="cross")
    return grid.merge(phases, how="cross").astype({"seed": int, "tokens": int, "examples": int})


def asked_targets(runs: pd.DataFrame, arm: str, missing_cells: Iterable[dict] = ()) -> set[str]:
    """The targets that the study tests after an arm, "" for none: those that one of its runs or missing cells has, all
    where there is neither. A mean over several is among them where all its targets are.

    Args:
        runs: `zero_shot`.
        arm: an arm may precede some of the study's targets only.
        missing_cells: as in `grid_places`.
    """
    asked = {target for cell in missing_cells if (cell["arm"] or "") == arm for target in cell["targets"]}
    single = runs[~runs["target"].isin(MEANS.values())]
    asked |= set(single.loc[single["arm"] == arm, "target"])
    asked = asked or set(single["target"])
    counting = single[single["counts"].astype(bool)]
    averaged = {name: set(counting.loc[counting["group"] == group, "target"]) for group, name in MEANS.items()}
    return asked | {name for name, targets in averaged.items() if len(targets) > 1 and targets <= asked}


def missing_means(runs: pd.DataFrame, missing_cells: Iterable[dict] = ()) -> pd.DataFrame:
    """The places of the grid where a target that is tested there (`asked_targets`) has no zero-shot mean, with the
    reason, one row each.

    Args:
        runs: `zero_shot`.
        missing_cells: as in `grid_places`.
    """
    missing_cells = list(missing_cells)
    tasks = runs.loc[~runs["target"].isin(MEANS.values()), ["target"]].drop_duplicates()
    grid = grid_places(runs, missing_cells).merge(tasks, how="cross").merge(runs, how="left", on=[*PLACE, "target"])
    asked = {arm: asked_targets(runs, arm, missing_cells) for arm in grid["arm"].unique()}
    is_asked = [target in asked[arm] for arm, target in grid[["arm", "target"]].to_numpy()]
    holes = grid[grid["zero_shot"].isna() & np.array(is_asked, dtype=bool)].copy()
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
