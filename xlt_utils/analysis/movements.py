"""How far zero-shot scores move from the smallest to the largest rung of P without intermediate training. The tables
of `transfer_scores` go in; movements paired by seed come out, those of near and far languages too, and the words for a
movement beside the noise between seeds."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from xlt_utils.analysis.intervals import Interval, t_interval

DIRECTIONS = (
    "rise (95 % CI above 0)",
    "rise by more than twice the seed noise (but the 95 % CI includes 0)",
    "fall (95 % CI below 0)",
    "fall by more than twice the seed noise (but the 95 % CI includes 0)",
    "do not move beyond the seed noise",
    "have no seed noise to compare with",
    "were not measured",
)


def target_movement(runs: pd.DataFrame, target: str) -> Interval:
    """How far a target's zero-shot score moves from the smallest to the largest P, paired by seed.

    Args:
        runs: `transfer_scores.zero_shot`.
        target: a task or one of MEANS.
    """
    part = runs[(runs["target"] == target) & (runs["examples"] == 0)]
    return t_interval(_last_minus_first(part, "zero_shot", _ends(runs)))


def movement_by_seed(scores: pd.DataFrame, languages: Sequence[str], tasks: Sequence[str]) -> np.ndarray:
    """The same movement of the mean over some languages and tasks, without their mean over seeds.

    Args:
        scores: `normalised_scores`.
        languages, tasks: those in the mean.

    Returns:
        One value a seed, NaN for a seed that lacks a score; empty where one of the two rungs of P has none.
    """
    part = scores[scores["task"].isin(tasks) & (scores["examples"] == 0) & scores["language"].isin(languages)]
    if part.empty:
        return np.array([])
    table = part.pivot_table(index=["seed", "tokens"], columns=["task", "language"], values="score")
    means = table.mean(axis=1, skipna=False).rename("score").reset_index()
    return _last_minus_first(means, "score", _ends(scores))


def _ends(rows: pd.DataFrame) -> tuple[int, int]:
    return rows["tokens"].min(), rows["tokens"].max()


def _last_minus_first(part: pd.DataFrame, column: str, ends: tuple[int, int]) -> np.ndarray:
    """One value a seed; empty where the part lacks one of the ends: rungs between are no substitute."""
    table = part.pivot_table(index="seed", columns="tokens", values=column, dropna=False)
    has_both = ends[0] != ends[1] and set(ends) <= set(table.columns)
    return (table[ends[1]] - table[ends[0]]).to_numpy() if has_both else np.array([])


def near_and_far(languages: Iterable[str], distances: dict[str, float]) -> tuple[list[str], list[str]]:
    """The nearest and the farthest third of the non-English languages; the middle third belongs to neither.

    Args:
        languages: codes.
        distances: to English, by code; where fewer than two are known, both thirds are empty.
    """
    by_distance = sorted((distances[code], code) for code in set(languages) - {"en"} if code in distances)
    ordered = [code for _, code in by_distance]
    third = max(1, len(ordered) // 3)
    return (ordered[:third], ordered[-third:]) if len(ordered) > 1 else ([], [])


def seed_noise(runs: pd.DataFrame, target: str) -> float:
    """The standard deviation between seeds of one cell, pooled over all cells of the target; NaN with one seed.

    Args:
        runs: `transfer_scores.zero_shot`.
        target: a task or one of MEANS.
    """
    by_cell = runs[runs["target"] == target].groupby(["tokens", "arm", "examples"])["zero_shot"]
    n, variance = by_cell.count(), by_cell.var()
    degrees = (n - 1)[n > 1]
    return float(np.sqrt((variance[n > 1] * degrees).sum() / degrees.sum())) if len(degrees) else np.nan


def direction(movement: Interval, noise: float) -> str:
    """One of DIRECTIONS for a movement.

    Args:
        movement: a difference of two cells' scores.
        noise: the standard deviation between seeds; that of the mean difference is sqrt(2 / n) times it.
    """
    if movement.n == 0:
        return DIRECTIONS[6]
    if movement.excludes(0):
        return DIRECTIONS[0 if movement.mean > 0 else 2]
    if not np.isfinite(noise):
        return DIRECTIONS[5]
    if abs(movement.mean) > 2 * noise * np.sqrt(2 / movement.n):
        return DIRECTIONS[1 if movement.mean > 0 else 3]
    return DIRECTIONS[4]
