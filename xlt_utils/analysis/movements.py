"""How far zero-shot scores move from the smallest to the largest rung of P without intermediate training. A
`GridSample` goes in; the movement with its interval comes out, and the words for it; near and far languages are told
by distance."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from xlt_utils.analysis import bootstrap, power
from xlt_utils.analysis.bootstrap import GridSample
from xlt_utils.analysis.intervals import NO_INTERVAL, Interval

DIRECTIONS = (
    "rise (95 % CI above 0)",
    "fall (95 % CI below 0)",
    "do not differ from 0 (95 % CI)",
    "have no interval",
    "were not measured",
)


def movement_ends(sample: GridSample) -> tuple[int, int] | None:
    """The smallest and the largest rung of P that have runs without intermediate training; None where they are one."""
    rungs = sample.cells.loc[sample.cells["examples"] == 0, "tokens"]
    return (int(rungs.min()), int(rungs.max())) if rungs.nunique() > 1 else None


def movement(sample: GridSample | None) -> Interval:
    """The score at the largest rung of P minus that at the smallest, without intermediate training, with its interval:
    paired by seed, language and item, as every contrast of the grid. Not measured where there are no two rungs."""
    if sample is None or (ends := movement_ends(sample)) is None:
        return NO_INTERVAL
    return bootstrap.contrast_interval(sample, _movement_weights(sample, ends))


@dataclass(frozen=True)
class PretrainingChange:
    """How a target moves from the smallest to the largest rung of P, its `ends` in tokens, without intermediate
    training; `visible` is the smallest change that such a study would see in four of five repetitions, NaN for one
    seed."""

    ends: tuple[int, int]
    change: Interval
    visible: float


def pretraining_changes(samples: Mapping[str, GridSample]) -> dict[str, PretrainingChange]:
    """The change of each target that has two rungs of P."""
    changes = {}
    for target, sample in samples.items():
        if (ends := movement_ends(sample)) is not None:
            visible = power.visible_effect(sample, _movement_weights(sample, ends))
            changes[target] = PretrainingChange(ends, movement(sample), visible)
    return changes


def _movement_weights(sample: GridSample, ends: tuple[int, int]) -> np.ndarray:
    """The contrast (cells,) of the larger of two rungs of P over the smaller, without intermediate training."""
    return bare_cell(sample, ends[1]) - bare_cell(sample, ends[0])


def bare_cell(sample: GridSample, tokens: int) -> np.ndarray:
    """The contrast (cells,) that is the score at one rung of P without intermediate training."""
    return ((sample.cells["examples"] == 0) & (sample.cells["tokens"] == tokens)).to_numpy(dtype=float)


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


def direction(change: Interval) -> str:
    """One of DIRECTIONS for a difference of two cells' scores."""
    if change.n == 0:
        return DIRECTIONS[4]
    if change.excludes(0):
        return DIRECTIONS[0 if change.mean > 0 else 1]
    return DIRECTIONS[2 if np.isfinite(change.low) else 3]
