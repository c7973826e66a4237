"""Does the gain of intermediate training grow in proportion to I? In goes a target's `bootstrap.Sample` of one
arm, out come the gain of the largest rung, the slope d log(gain) / d log(I), both with 95 % intervals, and the
verdict: no logarithm of a gain is taken, so small and negative ones stay in."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from xlt_utils.analysis import bootstrap, transfer_scores
from xlt_utils.analysis.bootstrap import Sample
from xlt_utils.analysis.intervals import Interval
from xlt_utils.formatting import count_seeds, number

SLOPES = np.round(np.arange(-1, 3.001, 0.01), 2)
MIDDLE = 0.5  # between none and proportional; any other direction is as honest and less sharp
WORDS = "harmful, none, less than proportional, proportional, more than proportional, undecided, not testable"
VERDICTS = tuple(WORDS.split(", "))


@dataclass(frozen=True)
class Verdict:
    """What the data say of "the gain grows in proportion to I" for one target and arm, and why.

    `gain` is that of the largest rung, `slope` is d log(gain) / d log(I), both at the mean over the whole rungs of P.
    `positive` of `pairs` places of the grid (P and I) score above I = 0 at all.
    """

    target: str
    arm: str
    verdict: str
    why: str
    gain: Interval
    slope: Interval | None
    positive: int
    pairs: int


def over_tokens(sample: Sample) -> tuple[np.ndarray, np.ndarray, int, int]:
    """The rungs of I (I = 0 first), contrasts (rungs, cells) that take each rung's mean over the rungs of P which
    are whole, how many of those there are, and of how many."""
    cells = sample.cells
    rungs = np.unique(np.append(cells["examples"].to_numpy(), 0))
    by_tokens = cells.groupby("tokens")["examples"].nunique()
    whole = by_tokens.index[by_tokens == len(rungs)]
    inside = cells["tokens"].isin(whole).to_numpy()
    rows = np.stack([inside & (cells["examples"] == rung).to_numpy() for rung in rungs])
    return rungs, rows / max(1, len(whole)), len(whole), len(by_tokens)


def gain(sample: Sample) -> Interval:
    """Score at the largest rung of I minus that at I = 0, at the mean over P, paired by seed and P."""
    _, means, _, _ = over_tokens(sample)
    return bootstrap.contrast(sample, means[-1] - means[0])


def slope(sample: Sample) -> Interval:
    """d log(gain) / d log(I) at the mean over P: the s of score = c + g·I^s, c being the score at I = 0.

    The curve is fitted to the scores themselves by least squares, with a free c, since all gains share the runs at
    I = 0. The interval holds every s that the data do not refuse: at the true s, what is left of the scores after c
    and g has mean 0 along every direction, here the one towards I^MIDDLE: a linear contrast of the grid, tested. So it
    is as honest for a gain near 0, where it widens to an infinite end, as for a large one: beyond SLOPES lies no bound.
    """
    rungs, means, whole, _ = over_tokens(sample)
    if len(rungs) < 3 or not whole:
        return Interval(np.nan, np.nan, np.nan, 0)
    sizes = rungs[1:] / rungs[-1]
    curve = np.pad(sizes ** SLOPES[:, None], ((0, 0), (1, 0)))
    middle = np.append(0, sizes**MIDDLE)
    tangent = np.append(0, sizes**MIDDLE * np.log(sizes))
    apart = (MIDDLE - SLOPES)[:, None]
    toward = np.where(apart == 0, tangent, (middle - curve) / np.where(apart == 0, 1, apart))
    flat = np.stack([np.ones_like(curve), curve], axis=-1)
    basis, _ = np.linalg.qr(flat)

    def rest(rows: np.ndarray) -> np.ndarray:
        return rows - np.einsum("krm,km->kr", basis, np.einsum("krm,kr->km", basis, rows))

    left = (rest(np.broadcast_to(means @ sample.mean, curve.shape)) ** 2).sum(axis=1)
    best = int(np.argmin(left))
    n = bootstrap.fewest(sample, (means != 0).any(axis=0))
    if sample.n_seeds < 2:
        return Interval(float(SLOPES[best]), np.nan, np.nan, n)
    value, wide = bootstrap.linear(sample, rest(toward) @ means)
    kept = np.append(SLOPES[np.abs(value) <= wide], SLOPES[best])
    low, high = kept.min(), kept.max()
    low, high = (-np.inf if low == SLOPES[0] else float(low)), (np.inf if high == SLOPES[-1] else float(high))
    return Interval(float(SLOPES[best]), low, high, n)


def proportionality(sample: Sample, target: str, arm: str, small: float = 0.02, wide: float = 1.0) -> Verdict:
    """One of VERDICTS for a target and arm, and why. `small` is the gain, in normalised score, below which there
    is none to speak of; an interval of the slope wider than `wide` that holds 1 does not make it proportional.

    A gain whose interval includes 0 is never an effect: "none" where the whole interval is small, otherwise
    "undecided".
    """
    sample = sample.arm(arm)
    rungs, _, whole, of = over_tokens(sample)
    some = "" if whole == of else f" (over the {whole} of {of} rungs of P that are whole)"
    lost = f"; {sample.absent} of {sample.n_seeds * len(sample.cells)} runs are missing" if sample.absent else ""
    positive, pairs = _signs(sample)

    def found(name: str, why: str, moved: Interval, fitted: Interval | None = None) -> Verdict:
        return Verdict(target, arm, name, why + some + lost, moved, fitted, positive, pairs)

    if sample.n_seeds < 2 or len(rungs) < 2 or not whole:
        moved = gain(sample) if whole and len(rungs) > 1 else Interval(np.nan, np.nan, np.nan, 0)
        there = f"{sample.n_seeds} seeds, {len(rungs) - 1} rungs of I besides 0, {whole} whole rungs of P"
        return found("not testable", f"there are {there}; it takes 2, 1 and 1", moved)
    moved = gain(sample)
    said = f"the gain at I = {rungs[-1]:,} is {moved}"
    if moved.high < 0:
        return found("harmful", said, moved)
    if not moved.excludes(0):
        if max(-moved.low, moved.high) <= small:
            return found("none", f"{said}, all of it within {number(small)} of 0", moved)
        return found("undecided", f"{said}, which includes 0", moved)
    if len(rungs) < 3:
        return found("undecided", f"{said}; one rung of I has no slope", moved)
    fitted = slope(sample)
    tells = f"{said}; slope {slope_text(fitted)}"
    if fitted.excludes(1):
        return found(f"{'less' if fitted.high < 1 else 'more'} than proportional", tells, moved, fitted)
    if fitted.high - fitted.low > wide:
        return found("undecided", f"{tells}, which includes 1 and is too wide to tell", moved, fitted)
    return found("proportional", f"{tells}, which includes 1", moved, fitted)


def slope_text(fitted: Interval) -> str:
    """A slope's interval in words; an infinite end is one that the data do not bound."""
    low = number(fitted.low) if np.isfinite(fitted.low) else "no lower bound"
    high = number(fitted.high) if np.isfinite(fitted.high) else "no upper bound"
    return f"{number(fitted.mean)} (95 % interval {low} to {high}, n = {count_seeds(fitted.n)})"


def _signs(sample: Sample) -> tuple[int, int]:
    """How many (P, I) cells score above their cell without intermediate training, and of how many."""
    means = pd.Series(sample.mean, index=pd.MultiIndex.from_frame(sample.cells[["tokens", "examples"]]))
    table = means.unstack("examples")
    if 0 not in table:
        return 0, 0
    gains = table.drop(columns=0).sub(table[0], axis=0).to_numpy()
    return int((gains > 0).sum()), int(np.isfinite(gains).sum())


def verdicts_by_pair(scores: pd.DataFrame) -> list[Verdict]:
    """One verdict for each arm and target of the tidy scores, the means over a group's targets first."""
    groups = [
        name for key, name in transfer_scores.MEANS.items() if scores.loc[scores["group"] == key, "task"].nunique() > 1
    ]
    arms = sorted(set(scores.loc[scores["examples"] > 0, "arm"]))
    samples = {target: bootstrap.make_sample(scores, target) for target in [*groups, *sorted(set(scores["task"]))]}
    return [proportionality(one, target, arm) for arm in arms for target, one in samples.items()]
