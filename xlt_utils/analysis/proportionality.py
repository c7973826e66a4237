"""Does the gain of intermediate training grow in proportion to I? A target's `GridSample` goes in; the gain of the
largest rung and the slope d log(gain) / d log(I), both with 95 % CI, and the verdict come out. No logarithm of a gain
is taken, so small and negative gains stay in."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from xlt_utils.analysis import bootstrap
from xlt_utils.analysis.bootstrap import GridSample
from xlt_utils.analysis.intervals import NO_INTERVAL, Interval
from xlt_utils.formatting import count_of, number_text

SLOPE_CANDIDATES = np.round(np.arange(-1, 3.001, 0.01), 2)
REFERENCE_SLOPE = 0.5  # between no gain and proportional; the test is valid for any other, and less powerful
VERDICTS = (
    "harmful",
    "none",
    "less than proportional",
    "proportional",
    "more than proportional",
    "undecided",
    "not testable",
)


@dataclass(frozen=True)
class ProportionalityVerdict:
    """What the data say about "the gain grows in proportion to I" for one target and arm, and why.

    `gain` is that of the largest rung, `slope` is d log(gain) / d log(I), both at the mean over the complete rungs of
    P. `positive` of `pairs` places of the grid (P and I) score above I = 0.
    """

    target: str
    arm: str
    verdict: str
    why: str
    gain: Interval
    slope: Interval | None
    positive: int
    pairs: int


@dataclass(frozen=True)
class ExampleRungs:
    """The rungs of I (I = 0 first), `means`: contrasts (rungs, cells) that take each rung's mean over the complete
    rungs of P, and how many rungs of P are complete, of how many."""

    sizes: np.ndarray
    means: np.ndarray
    complete: int
    tokens: int


def example_rungs(sample: GridSample) -> ExampleRungs:
    """The rungs of I as means over those rungs of P that have a cell at each of them."""
    cells = sample.cells
    sizes = np.unique(np.append(cells["examples"].to_numpy(), 0))
    by_tokens = cells.groupby("tokens")["examples"].nunique()
    complete = by_tokens.index[by_tokens == len(sizes)]
    is_counted = cells["tokens"].isin(complete).to_numpy()
    rows = np.stack([is_counted & (cells["examples"] == size).to_numpy() for size in sizes])
    return ExampleRungs(sizes, rows / max(1, len(complete)), len(complete), len(by_tokens))


def largest_gain(sample: GridSample) -> Interval:
    """Score at the largest rung of I minus that at I = 0, at the mean over P, paired by seed and P."""
    means = example_rungs(sample).means
    return bootstrap.contrast_interval(sample, means[-1] - means[0])


def gain_slope(sample: GridSample) -> Interval:
    """d log(gain) / d log(I) at the mean over P: the s of score = c + g·I^s, c being the score at I = 0.

    The curve is fitted to the scores themselves by least squares, with a free c, since all gains share the runs at
    I = 0. The interval holds every s that the data do not reject: at the true s, what c and g leave of the scores has
    mean 0 along every direction, here towards I^REFERENCE_SLOPE, which is a linear contrast of the grid and is tested.
    So its coverage is right for a gain near 0 too, where it widens to an infinite end: beyond SLOPE_CANDIDATES lies no
    bound.
    """
    rungs = example_rungs(sample)
    if len(rungs.sizes) < 3 or not rungs.complete:
        return NO_INTERVAL
    sizes = rungs.sizes[1:] / rungs.sizes[-1]
    curve = np.pad(sizes ** SLOPE_CANDIDATES[:, None], ((0, 0), (1, 0)))
    reference = np.append(0, sizes**REFERENCE_SLOPE)
    tangent = np.append(0, sizes**REFERENCE_SLOPE * np.log(sizes))
    distance = (REFERENCE_SLOPE - SLOPE_CANDIDATES)[:, None]
    is_reference = distance == 0
    direction = np.where(is_reference, tangent, (reference - curve) / np.where(is_reference, 1, distance))
    basis, _ = np.linalg.qr(np.stack([np.ones_like(curve), curve], axis=-1))

    def residuals(rows: np.ndarray) -> np.ndarray:
        """What each candidate's c and g leave of rows (candidates, rungs)."""
        return rows - np.einsum("krm,km->kr", basis, np.einsum("krm,kr->km", basis, rows))

    squares = (residuals(np.broadcast_to(rungs.means @ sample.mean, curve.shape)) ** 2).sum(axis=1)
    best = float(SLOPE_CANDIDATES[np.argmin(squares)])
    n = sample.fewest_seeds((rungs.means != 0).any(axis=0))
    if sample.n_seeds < 2:
        return Interval(best, np.nan, np.nan, n)
    estimate, margin = bootstrap.linear_contrasts(sample, residuals(direction) @ rungs.means)
    accepted = np.append(SLOPE_CANDIDATES[np.abs(estimate) <= margin], best)
    low = -np.inf if accepted.min() == SLOPE_CANDIDATES[0] else float(accepted.min())
    high = np.inf if accepted.max() == SLOPE_CANDIDATES[-1] else float(accepted.max())
    return Interval(best, low, high, n)


def judge_proportionality(
    sample: GridSample, target: str, arm: str, small: float = 0.02, wide: float = 1.0
) -> ProportionalityVerdict:
    """One of VERDICTS for a target and arm, and why. A gain whose interval includes 0 is never an effect: "none" where
    the whole interval is small, otherwise "undecided".

    Args:
        sample: the target's cells, of all arms.
        target: named in the result.
        arm: the arm to judge.
        small: the gain, in normalised score, below which it counts as none.
        wide: an interval of the slope wider than this that holds 1 does not make the gain proportional.
    """
    sample = sample.of_arm(arm)
    rungs = example_rungs(sample)
    n_rungs = len(rungs.sizes)
    gain = largest_gain(sample) if rungs.complete and n_rungs > 1 else NO_INTERVAL
    slope = None
    gain_sentence = f"the gain at I = {rungs.sizes[-1]:,} is {gain}"
    if sample.n_seeds < 2 or n_rungs < 2 or not rungs.complete:
        verdict = "not testable"
        counts = f"{sample.n_seeds} seeds, {n_rungs - 1} rungs of I besides 0, {rungs.complete} complete rungs of P"
        why = f"there are {counts}; the test needs 2, 1 and 1"
    elif gain.high < 0:
        verdict, why = "harmful", gain_sentence
    elif not gain.excludes(0) and max(-gain.low, gain.high) <= small:
        verdict, why = "none", f"{gain_sentence}; the CI lies within {number_text(small)} of 0"
    elif not gain.excludes(0):
        verdict, why = "undecided", f"{gain_sentence}; the CI includes 0"
    elif n_rungs < 3:
        verdict, why = "undecided", f"{gain_sentence}; one rung of I gives no slope"
    else:
        slope = gain_slope(sample)
        why = f"{gain_sentence}; the slope is {slope_text(slope)}"
        if slope.excludes(1):
            verdict = "less than proportional" if slope.high < 1 else "more than proportional"
        elif slope.high - slope.low > wide:
            verdict, why = "undecided", f"{why}; its CI includes 1 and is too wide to decide"
        else:
            verdict, why = "proportional", f"{why}; its CI includes 1"
    if rungs.complete != rungs.tokens:
        why += f" (over the {rungs.complete} of {rungs.tokens} rungs of P that are complete)"
    if sample.missing_runs:
        why += f"; {sample.missing_runs} of {sample.n_seeds * len(sample.cells)} runs are missing"
    return ProportionalityVerdict(target, arm, verdict, why, gain, slope, *_count_gains(sample))


def slope_text(slope: Interval) -> str:
    """A slope's interval in words; an infinite end is one that the data do not bound."""
    low = number_text(slope.low) if np.isfinite(slope.low) else "no lower bound"
    high = number_text(slope.high) if np.isfinite(slope.high) else "no upper bound"
    return f"{number_text(slope.mean)} (95 % CI {low} to {high}, n = {count_of(slope.n, 'seed')})"


def _count_gains(sample: GridSample) -> tuple[int, int]:
    """How many (P, I) cells score above their cell without intermediate training, and of how many."""
    means = pd.Series(sample.mean, index=pd.MultiIndex.from_frame(sample.cells[["tokens", "examples"]]))
    table = means.unstack("examples")
    if 0 not in table:
        return 0, 0
    gains = table.drop(columns=0).sub(table[0], axis=0).to_numpy()
    return int((gains > 0).sum()), int(np.isfinite(gains).sum())


def judge_all(scores: pd.DataFrame) -> list[ProportionalityVerdict]:
    """One verdict for each arm and target of the normalised scores, the means over a group's targets first."""
    arms = sorted(set(scores.loc[scores["examples"] > 0, "arm"]))
    samples = bootstrap.build_grid_samples(scores)
    return [judge_proportionality(sample, target, arm) for arm in arms for target, sample in samples.items()]
