"""A mean with its 95 % interval, Student's t interval of a few seeds, and how an interval is said in words."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy import stats

from xlt_utils.formatting import count_seeds, number

LEVEL = 0.95
ALPHA = 1 - LEVEL


@dataclass(frozen=True)
class Interval:
    """A mean over `n` seeds with its 95 % t interval; one seed has a mean and no interval (NaN)."""

    mean: float
    low: float
    high: float
    n: int

    def excludes(self, value: float) -> bool:
        """Whether the interval is there and the value lies outside it."""
        return bool(self.low > value or self.high < value)

    def __str__(self) -> str:
        return self.said()

    def said(self, sign: str = "+") -> str:
        if self.n == 0:
            return "not measured"
        if np.isnan(self.low) and self.n == 1:
            return f"{number(self.mean, sign)} (one seed, so no interval)"
        low, high = number(self.low, sign), number(self.high, sign)
        return f"{number(self.mean, sign)} (95 % interval {low} to {high}, n = {count_seeds(self.n)})"


def t_interval(values: Iterable[float]) -> Interval:
    """The mean of a few seeds' values with Student's t interval; NaN among them are left out of n."""
    values = np.asarray(list(values), dtype=float)
    values = values[np.isfinite(values)]
    n = len(values)
    if n == 0:
        return Interval(np.nan, np.nan, np.nan, 0)
    half = t_factor(n) * values.std(ddof=1) / np.sqrt(n) if n > 1 else np.nan
    return Interval(float(values.mean()), float(values.mean() - half), float(values.mean() + half), n)


def t_factor(n: int) -> float:
    """How many standard errors of a mean of `n` values its interval reaches to either side; NaN for one value."""
    return float(stats.t.ppf((1 + LEVEL) / 2, n - 1)) if n > 1 else np.nan


DIRECTIONS = (
    "rise (95 % interval above 0)",
    "rise by more than twice the seed noise (though no interval lies above 0)",
    "fall (95 % interval below 0)",
    "fall by more than twice the seed noise (though no interval lies below 0)",
    "do not move beyond the seed noise",
    "have no seed noise to compare with",
    "were not measured",
)


def direction(moved: Interval, noise: float) -> str:
    """How surely a difference of two cells' scores moved, in the words of DIRECTIONS. `noise` is the
    standard deviation between seeds; that of the mean difference is sqrt(2 / n) times it."""
    if moved.n == 0:
        return DIRECTIONS[6]
    if moved.excludes(0):
        return DIRECTIONS[0 if moved.mean > 0 else 2]
    if not np.isfinite(noise):
        return DIRECTIONS[5]
    if abs(moved.mean) > 2 * noise * np.sqrt(2 / moved.n):
        return DIRECTIONS[1 if moved.mean > 0 else 3]
    return DIRECTIONS[4]
