"""What a study can see. A `GridSample` and a contrast of its cells go in; out come the smallest effect that such a
study would see in four of five repetitions, and how many seeds a given effect takes."""

from dataclasses import dataclass

import numpy as np
from scipy import special

from xlt_utils.analysis import bootstrap
from xlt_utils.analysis.bootstrap import GridSample
from xlt_utils.analysis.intervals import t_factor

POWER = 0.8  # the usual share of repetitions (Cohen 1988)
MOST_SEEDS = 200


@dataclass(frozen=True)
class Power:
    """What a target and arm can show: the smallest `visible` gain; the `seeds` that a gain of `effect` takes, and those
    that telling slope 1 from ½ takes (`seeds_for_slope`): infinite where MOST_SEEDS are not enough, NaN where there is
    no slope.
    """

    target: str
    arm: str
    visible: float
    effect: float
    seeds: float
    seeds_for_slope: float


def seeds_text(seeds: float) -> str:
    """How many seeds something takes: 7, > 200, or – where that is not known."""
    return "–" if np.isnan(seeds) else f"{seeds:.0f}" if np.isfinite(seeds) else f"> {MOST_SEEDS}"


def visible_effect(sample: GridSample, weights: np.ndarray, seeds: int | None = None) -> float:
    """The smallest effect that a study of this size sees, its 95 % CI excluding 0, with probability POWER; NaN for one
    seed.

    The margin of error is that of this sample; a repetition's estimate scatters by the standard error behind it and
    must reach beyond it (Cohen 1988, §2.2, with Student's quantiles).

    Args:
        sample: the grid.
        weights: of the cells in the contrast (cells,).
        seeds: of another study that differs in nothing else; None: those of this one. More seeds take nothing off
            what languages differ in and what the items of all runs have in common.
    """
    n = sample.n_seeds
    seeds = seeds or n
    if n < 2 or seeds < 2:
        return np.nan
    now = {name: value[0] for name, value in bootstrap.contrast_variances(sample, weights[None]).items()}
    then = {name: now[name] * n / seeds for name in ("seeds", "crossed", "examples")}
    then |= {"languages": max(now["languages"] - now["crossed"], 0) + then["crossed"], "items": now["items"]}
    margin = float(bootstrap.margin_of_error(then, seeds, sample.n_languages))
    return margin * (1 + float(special.stdtrit(seeds - 1, POWER)) / t_factor(seeds))


def seeds_needed(sample: GridSample, weights: np.ndarray, effect: float) -> float:
    """How many seeds make an effect visible, everything else as in the sample: infinite where MOST_SEEDS do not, NaN
    where one seed leaves no noise to reckon with."""
    if sample.n_seeds < 2:
        return np.nan
    enough = (seeds for seeds in range(2, MOST_SEEDS + 1) if visible_effect(sample, weights, seeds) <= effect)
    return next(enough, np.inf)
