"""Does the gain of intermediate training grow in proportion to I? A target's `GridSample` goes in; the gain of the
largest rung and the slope d log(gain) / d log(I), both with 95 % CI, and the verdict come out. No logarithm of a gain
is taken, so small and negative gains stay in."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from xlt_utils.analysis import bootstrap, power
from xlt_utils.analysis.bootstrap import GridSample
from xlt_utils.analysis.intervals import ALPHA, NO_INTERVAL, Interval, false_discovery_rate, p_value
from xlt_utils.analysis.power import Power
from xlt_utils.analysis.transfer_scores import MEANS
from xlt_utils.formatting import count_of, number_text

SLOPE_CANDIDATES = np.round(np.arange(-1, 3.001, 0.01), 2)
REFERENCE_SLOPE = 0.5  # between no gain and proportional; the test is valid for any other, and less powerful
WITH_SLOPE = ("less than proportional", "proportional", "more than proportional")
DECIDED = ("harmful", "no gain", *WITH_SLOPE)
SMALL_GAIN = 0.02  # in normalised score: a gain that this much bounds from above counts as none
VERDICTS = (
    *DECIDED,
    "undecided",
    "not testable",
    "target not learnt",
    "task not learnt",
)


@dataclass(frozen=True)
class ProportionalityVerdict:
    """What the data say about "the gain grows in proportion to I" for one target and arm, and why.

    `gain` is that of the largest rung, `slope` is d log(gain) / d log(I), both at the mean over the complete rungs of
    P. `positive` of `pairs` places of the grid (P and I) score above I = 0. `p_gain` and `p_slope` are the two-sided p
    values of a gain of 0 and of a slope of 1. `survives`: the verdict stands after correction for all verdicts of the
    study (`correct_for_many`). `power` is what the pair can show.
    """

    target: str
    arm: str
    verdict: str
    why: str
    gain: Interval
    slope: Interval | None
    positive: int
    pairs: int
    p_gain: float = np.nan
    p_slope: float = np.nan
    survives: bool = False
    power: Power | None = None

    @property
    def falls_to_correction(self) -> bool:
        """Whether the intervals decide, but no longer after correction."""
        return self.verdict in DECIDED and not self.survives


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


@dataclass(frozen=True)
class SlopeFit:
    """The slope with its 95 % CI, the two-sided p value of a slope of 1, and the contrast of the cells (cells,) that
    tests it, with what that contrast is for a slope of REFERENCE_SLOPE and a gain of 1 at the largest rung."""

    interval: Interval
    p: float
    contrast: np.ndarray
    expected: float


def gain_slope(sample: GridSample) -> SlopeFit | None:
    """d log(gain) / d log(I) at the mean over P: the s of score = c + g·I^s, c being the score at I = 0. None where
    there are fewer than two rungs of I above 0, or no complete rung of P.

    The curve is fitted to the scores themselves by least squares, with a free c, since all gains share the runs at
    I = 0. The interval holds every s that the data do not reject: at the true s, what c and g leave of the scores has
    mean 0 along every direction, here towards I^REFERENCE_SLOPE, which is a linear contrast of the grid and is tested.
    So its coverage is right for a gain near 0 too, where it widens to an infinite end: beyond SLOPE_CANDIDATES lies no
    bound.
    """
    rungs = example_rungs(sample)
    if len(rungs.sizes) < 3 or not rungs.complete:
        return None
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
    rows = (rungs.means != 0).any(axis=0)
    n, why = sample.fewest_seeds(rows), sample.why_no_interval(rows)
    by_rung = residuals(direction)
    contrasts = by_rung @ rungs.means
    at_one = int(np.argmin(np.abs(SLOPE_CANDIDATES - 1)))
    expected = abs(float(by_rung[at_one] @ reference))
    if sample.n_seeds < 2 or why:
        return SlopeFit(Interval(best, np.nan, np.nan, n, why), np.nan, contrasts[at_one], expected)
    estimate, margin = bootstrap.linear_contrasts(sample, contrasts)
    accepted = np.append(SLOPE_CANDIDATES[np.abs(estimate) <= margin], best)
    low = -np.inf if accepted.min() == SLOPE_CANDIDATES[0] else float(accepted.min())
    high = np.inf if accepted.max() == SLOPE_CANDIDATES[-1] else float(accepted.max())
    p = p_value(estimate[at_one], margin[at_one], sample.n_seeds)
    return SlopeFit(Interval(best, low, high, n), p, contrasts[at_one], expected)


def pair_power(
    sample: GridSample, target: str, arm: str, effect: float = SMALL_GAIN, seeds: int | None = None
) -> Power | None:
    """What one arm's cells of a target can show; None where there is nothing to compare or one seed. The slope's seeds
    are those that tell a slope of 1 from REFERENCE_SLOPE, the gain at the largest rung being as measured, or `effect`
    where it is less.

    Args:
        sample: the target's cells, of all arms.
        target, arm: the pair.
        effect: the gain, in normalised score, that `Power.seeds` are needed for.
        seeds: of the study to plan, which differs in nothing else from the sample's; None: those of the sample.
    """
    sample = sample.of_arm(arm)
    rungs = example_rungs(sample)
    if sample.n_seeds < 2 or len(rungs.sizes) < 2 or not rungs.complete:
        return None
    contrast = rungs.means[-1] - rungs.means[0]
    slope = gain_slope(sample)
    gain = max(float(contrast @ sample.mean), effect)
    return Power(
        target,
        arm,
        power.visible_effect(sample, contrast, seeds),
        effect,
        power.seeds_needed(sample, contrast, effect),
        power.seeds_needed(sample, slope.contrast, slope.expected * gain) if slope else np.nan,
    )


def judge_proportionality(
    sample: GridSample, target: str, arm: str, small: float = SMALL_GAIN, wide: float = 1.0
) -> ProportionalityVerdict:
    """One of VERDICTS for a target and arm, and why. A gain whose interval includes 0 is never an effect: "no gain"
    where the interval ends so low that a gain worth the name is excluded, otherwise "undecided".

    Args:
        sample: the target's cells, of all arms.
        target: named in the result.
        arm: the arm to judge.
        small: the gain, in normalised score, up to which it counts as none.
        wide: an interval of the slope wider than this that holds 1 does not make the gain proportional.
    """
    sample = sample.of_arm(arm)
    rungs = example_rungs(sample)
    n_rungs = len(rungs.sizes)
    gain = largest_gain(sample) if rungs.complete and n_rungs > 1 else NO_INTERVAL
    slope, p_slope = None, np.nan
    gain_sentence = f"the gain at I = {rungs.sizes[-1]:,} is {gain}"
    if sample.n_seeds < 2 or n_rungs < 2 or not rungs.complete:
        verdict = "not testable"
        counts = f"{sample.n_seeds} seeds, {n_rungs - 1} rungs of I besides 0, {rungs.complete} complete rungs of P"
        why = f"there are {counts}; the test needs 2, 1 and 1"
    elif gain.why:
        verdict, why = "undecided", gain_sentence
    elif gain.high < 0:
        verdict, why = "harmful", gain_sentence
    elif not gain.excludes(0) and gain.high <= small:
        verdict, why = "no gain", f"{gain_sentence}; the CI ends below {number_text(small)}"
    elif not gain.excludes(0):
        verdict, why = "undecided", f"{gain_sentence}; the CI includes 0"
    elif n_rungs < 3:
        verdict, why = "undecided", f"{gain_sentence}; one rung of I gives no slope"
    else:
        fit = gain_slope(sample)
        assert fit  # there are three rungs
        slope, p_slope = fit.interval, fit.p
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
    p_gain = p_value(gain.mean, (gain.high - gain.low) / 2, sample.n_seeds)
    pair = pair_power(sample, target, arm, small)
    counts_above = _count_gains(sample)
    return ProportionalityVerdict(target, arm, verdict, why, gain, slope, *counts_above, p_gain, p_slope, power=pair)


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


def judge_all(samples: Mapping[str, GridSample], arms: Iterable[str]) -> list[ProportionalityVerdict]:
    """One verdict for each arm and target of the samples, in their order, corrected for being many."""
    verdicts = [
        judge_proportionality(sample, target, arm)
        for arm in arms
        for target, sample in samples.items()
        if (sample.cells["arm"] == arm).any()
    ]
    return correct_for_many(verdicts)


def correct_for_many(verdicts: list[ProportionalityVerdict]) -> list[ProportionalityVerdict]:
    """The verdicts with `survives`: hierarchically, first which pairs have a gain or a loss at all, at a false
    discovery rate of 5 % over all pairs (Benjamini and Hochberg 1995), then which of those selected have a slope other
    than 1, at 5 % times the share selected (Benjamini and Bogomolov 2014, Journal of the Royal Statistical Society B
    76). A group's means are corrected apart from single targets. That the pairs share the runs at I = 0 correlates
    their gains positively, under which the procedure is valid (Benjamini and Yekutieli 2001). It is used in place of
    Holm's, which with two to five seeds can pass nothing: the smallest p value there is seldom below 0.001.

    "no gain" rests on an interval that ends below SMALL_GAIN, which more pairs do not make easier: it survives. So does
    "proportional" where the gain does: it claims no more than that 1 is not excluded. A loss that does not survive is
    no gain all the same.
    """
    by_family: dict[bool, list[ProportionalityVerdict]] = {True: [], False: []}
    for verdict in verdicts:
        by_family[verdict.target in MEANS.values()].append(verdict)
    survivors = set()
    for family in by_family.values():
        gains = false_discovery_rate([verdict.p_gain for verdict in family])
        selected = [verdict for verdict, p in zip(family, gains, strict=True) if p < ALPHA]
        tested = sum(np.isfinite(verdict.p_gain) for verdict in family)
        slopes = false_discovery_rate([verdict.p_slope for verdict in selected])
        slope_level = ALPHA * len(selected) / max(1, tested)
        for verdict, p in zip(selected, slopes, strict=True):
            if verdict.verdict in ("harmful", "proportional") or p < slope_level:
                survivors.add((verdict.target, verdict.arm))
    corrected = []
    for verdict in verdicts:
        survives = (verdict.target, verdict.arm) in survivors
        if verdict.verdict == "harmful" and not survives:
            why = f"{verdict.why}; the loss does not survive correction for many pairs"
            verdict = replace(verdict, verdict="no gain", why=why)
        corrected.append(replace(verdict, survives=survives or verdict.verdict == "no gain"))
    return corrected
