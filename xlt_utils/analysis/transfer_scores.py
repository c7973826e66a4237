"""How zero-shot transfer moves with the two sizes: pretraining tokens P and intermediate examples I.
In goes the tidy table of `records.table`, out come scores on one scale, surfaces, gains paired by seed
with their intervals, and the slope that the word "proportional" stands on. Nothing is averaged over
a cell that is not there: such a mean is NaN, and `absent` names the cell."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from xlt_utils.analysis.intervals import Interval, t_interval
from xlt_utils.data.tasks import TASKS

PLACE = ["seed", "tokens", "arm", "examples"]
TRAINED, RETRIEVAL = "mean of trained targets", "mean of retrieval targets"
MEANS = {"trained": TRAINED, "retrieval": RETRIEVAL}


def normalised_scores(table: pd.DataFrame) -> pd.DataFrame:
    """The target runs' main scores, one row a run, task and language: `score` has chance at 0 and the
    ceiling at 1 (below chance is negative), `group` is trained or retrieval, `arm` is "" without one.

    Raises ValueError when a task is not in tasks.py or two runs stand at one place on the grid: their
    mean would pass for one run.
    """
    rows = table[(table["phase"] == "target") & table["main"].astype(bool)].copy()
    unknown = sorted(set(rows["task"]) - set(TASKS))
    if unknown:
        raise ValueError(f"no such task in xlt_utils/tasks.py: {', '.join(unknown)}; there are {', '.join(TASKS)}")
    rows["arm"] = rows["arm"].where(rows["arm"].notna(), "")
    twice = rows[rows.duplicated([*PLACE, "task", "language"], keep=False)]
    if len(twice):
        raise ValueError(f"runs at the same place on the grid: {', '.join(sorted(set(twice['folder'])))}; keep one")
    chance = rows["task"].map({name: task.chance for name, task in TASKS.items()}).astype(float)
    rows["score"] = (rows["value"].astype(float) - chance) / (1 - chance)
    rows["group"] = ["trained" if TASKS[name].trains else "retrieval" for name in rows["task"]]
    rows[["seed", "tokens", "examples"]] = rows[["seed", "tokens", "examples"]].astype(int)
    columns = [*PLACE, "task", "group", "language", "value", "score", "n", "cell"]
    return rows[columns].sort_values([*PLACE, "task", "language"], ignore_index=True)


def zero_shot(scores: pd.DataFrame) -> pd.DataFrame:
    """One row a run and target: `english`, `zero_shot` (the mean over the non-English languages), `gap`
    (English minus that), `languages` (how many) and `absent` (those that other runs of the task have).

    A run that lacks a language has no mean. Two more targets are the means over the trained and over
    the retrieval tasks, kept apart (untrained retrieval would drown the rest), where there are several.
    """
    if scores.empty:
        names = [*PLACE, "target", "group", "english", "zero_shot", "gap", "languages", "absent"]
        return pd.DataFrame(columns=names)
    parts = []
    for (task, group), part in scores.groupby(["task", "group"]):
        table = part.pivot(index=PLACE, columns="language", values="score")
        others = sorted(set(table.columns) - {"en"})
        there = table[others].notna()
        found = table.index.to_frame(index=False).assign(target=task, group=group)
        found["english"] = table["en"].to_numpy() if "en" in table else np.nan
        found["zero_shot"] = table[others].mean(axis=1, skipna=False).to_numpy() if others else np.nan
        found["gap"] = found["english"] - found["zero_shot"]
        found["languages"] = there.sum(axis=1).to_numpy()
        lost = ~there.to_numpy()
        found["absent"] = [" ".join(np.array(others)[row]) if row.any() else "" for row in lost]
        parts.append(found)
    runs = pd.concat(parts, ignore_index=True).sort_values([*PLACE, "target"], ignore_index=True)
    return pd.concat([runs, *_means(runs)], ignore_index=True)


def _means(runs: pd.DataFrame) -> list[pd.DataFrame]:
    """The means over a group's targets, run by run; NaN where one of the targets is not there."""
    parts = []
    for group, name in MEANS.items():
        part = runs[runs["group"] == group]
        tasks = part["target"].nunique()
        if tasks > 1:
            table = part.groupby(PLACE)[["english", "zero_shot", "gap"]].sum(min_count=tasks) / tasks
            more = {"target": name, "group": group, "languages": part["languages"].max(), "absent": ""}
            parts.append(table.reset_index().assign(**more))
    return parts


def places(runs: pd.DataFrame, more: Iterable[dict] = ()) -> pd.DataFrame:
    """Every place of the grid, seeds × P × (no arm, or arm × I), from the runs there are and from `more`
    coordinates (of cells that failed or were never run)."""
    known = pd.concat([runs[PLACE], pd.DataFrame(list(more), columns=PLACE)], ignore_index=True)
    known["arm"] = known["arm"].where(known["arm"].notna(), "")
    phases = known[["arm", "examples"]].drop_duplicates()
    bare = pd.DataFrame([["", 0]], columns=["arm", "examples"])
    phases = pd.concat([bare, phases]).drop_duplicates()
    grid = known[["seed"]].drop_duplicates().merge(known[["tokens"]].drop_duplicates(), how="cross")
    return grid.merge(phases, how="cross").astype({"seed": int, "tokens": int, "examples": int})


def missing_means(runs: pd.DataFrame, more: Iterable[dict] = ()) -> pd.DataFrame:
    """The places of the grid where a target has no zero-shot mean, with the reason, one row each."""
    tasks = runs.loc[~runs["target"].isin(MEANS.values()), ["target"]].drop_duplicates()
    grid = places(runs, more).merge(tasks, how="cross").merge(runs, how="left", on=[*PLACE, "target"])
    holes = grid[grid["zero_shot"].isna()].copy()
    listed = holes["absent"].fillna("")
    holes["reason"] = np.where(listed != "", "no score in: " + listed, "no record")
    return holes[[*PLACE, "target", "reason"]].sort_values([*PLACE, "target"], ignore_index=True)


def score_surface_table(runs: pd.DataFrame, target: str, arm: str = "", more: Iterable[dict] = ()) -> pd.DataFrame:
    """The target's zero-shot score over P and I for one arm: `mean` and `sd` over seeds, how many seeds
    there are (`n`) and how many there should be (`wanted`). A mean over some of the seeds is marked by n < wanted.
    """
    grid = places(runs, more)
    grid = grid[(grid["arm"] == arm) | (grid["examples"] == 0)]
    part = grid.merge(runs[runs["target"] == target], how="left", on=PLACE)
    by_rung = part.groupby(["tokens", "examples"])["zero_shot"]
    found = by_rung.agg(mean="mean", sd="std", n="count", wanted="size").reset_index()
    return found.assign(target=target, arm=arm)[["target", "arm", "tokens", "examples", "mean", "sd", "n", "wanted"]]


def gains(runs: pd.DataFrame) -> pd.DataFrame:
    """What intermediate training added, by seed: score(P, I) − score(P, 0) of the same seed and P."""
    before = runs.loc[runs["examples"] == 0, ["seed", "tokens", "target", "zero_shot"]]
    after = runs.loc[runs["examples"] > 0, [*PLACE, "target", "group", "zero_shot"]]
    both = after.merge(before, how="left", on=["seed", "tokens", "target"], suffixes=("", "_before"))
    both["gain"] = both["zero_shot"] - both["zero_shot_before"]
    return both[[*PLACE, "target", "group", "gain"]]


def gain_table(gains: pd.DataFrame) -> pd.DataFrame:
    """The gains of all seeds at each (target, arm, P, I) as mean, 95 % t interval and n."""
    rows = []
    for key, part in gains.groupby(["target", "arm", "tokens", "examples"]):
        interval = t_interval(part["gain"])
        rows.append([*key, interval.mean, interval.low, interval.high, interval.n])
    return pd.DataFrame(rows, columns=["target", "arm", "tokens", "examples", "gain", "low", "high", "n"])


def movement(runs: pd.DataFrame, target: str) -> Interval:
    """How far the zero-shot score moves from the smallest to the largest rung of P without
    intermediate training, paired by seed."""
    part = runs[(runs["target"] == target) & (runs["examples"] == 0)]
    return t_interval(_climb(part, "zero_shot", _ends(runs)))


def near_and_far(languages: Iterable[str], distances: dict[str, float]) -> tuple[list[str], list[str]]:
    """The nearest and the farthest third of the non-English languages by their distance to English;
    empty lists where fewer than two distances are known. The middle third belongs to neither."""
    known = sorted((distances[code], code) for code in set(languages) - {"en"} if code in distances)
    ordered = [code for _, code in known]
    third = max(1, len(ordered) // 3)
    return (ordered[:third], ordered[-third:]) if len(ordered) > 1 else ([], [])


def movement_of(scores: pd.DataFrame, languages: Sequence[str], tasks: Sequence[str]) -> np.ndarray:
    """The same movement by seed, of the mean over these languages and tasks; NaN for a seed that lacks one of
    them. Empty where there is nothing at one of the ends."""
    part = scores[scores["task"].isin(tasks) & (scores["examples"] == 0) & scores["language"].isin(languages)]
    if part.empty:
        return np.array([])
    table = part.pivot_table(index=["seed", "tokens"], columns=["task", "language"], values="score")
    return _climb(table.mean(axis=1, skipna=False).rename("score").reset_index(), "score", _ends(scores))


def _ends(rows: pd.DataFrame) -> tuple[int, int]:
    return rows["tokens"].min(), rows["tokens"].max()


def _climb(part: pd.DataFrame, column: str, ends: tuple[int, int]) -> np.ndarray:
    """Last minus first end, one value a seed; empty where the part has not both: rungs between are no stand-in."""
    table = part.pivot_table(index="seed", columns="tokens", values=column, dropna=False)
    there = ends[0] != ends[1] and set(ends) <= set(table.columns)
    return (table[ends[1]] - table[ends[0]]).to_numpy() if there else np.array([])


def without_intermediate(rows: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """The rows without intermediate training, and the words for it; where no run went without, those of the
    smallest rung of the first arm."""
    if rows.empty or (rows["examples"] == 0).any():
        return rows[rows["examples"] == 0], "without intermediate training"
    arm, examples = rows.sort_values(["examples", "arm"])[["arm", "examples"]].iloc[0]
    chosen = rows[(rows["arm"] == arm) & (rows["examples"] == examples)]
    return chosen, f"after {examples} {arm} examples (no run went without)"


def seed_noise(runs: pd.DataFrame, target: str) -> float:
    """The standard deviation between seeds of one cell, pooled over all cells of the target; NaN with one seed."""
    by_cell = runs[runs["target"] == target].groupby(["tokens", "arm", "examples"])["zero_shot"]
    n, variance = by_cell.count(), by_cell.var()
    degrees = (n - 1)[n > 1]
    return float(np.sqrt((variance[n > 1] * degrees).sum() / degrees.sum())) if len(degrees) else np.nan
