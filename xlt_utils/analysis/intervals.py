"""A mean with its 95 % confidence interval (CI), and Student's t interval of a few seeds. Values of seeds go in, an
`Interval` comes out, which also writes itself as text. Of scipy.stats, a second of imports, two functions take what
they need when they are called."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy import special

from xlt_utils.formatting import count_of, number_text

LEVEL = 0.95
ALPHA = 1 - LEVEL


@dataclass(frozen=True)
class Interval:
    """A mean over `n` seeds with the ends of its 95 % CI; one seed has a mean and no interval (NaN), and neither has
    one where `why` says what forbids it."""

    mean: float
    low: float
    high: float
    n: int
    why: str = ""

    def excludes(self, value: float) -> bool:
        """Whether there is an interval and the value lies outside it."""
        return bool(self.low > value or self.high < value)

    def __str__(self) -> str:
        return self.text()

    def text(self, sign: str = "+") -> str:
        """The mean with its CI and n; `sign` is "+" for a difference and "" for a score."""
        if self.n == 0:
            return "not measured"
        if self.why:
            return f"{number_text(self.mean, sign)} (no interval: {self.why})"
        if np.isnan(self.low) and self.n == 1:
            return f"{number_text(self.mean, sign)} (one seed, so no interval)"
        low, high = number_text(self.low, sign), number_text(self.high, sign)
        return f"{number_text(self.mean, sign)} (95 % CI {low} to {high}, n = {count_of(self.n, 'seed')})"


NO_INTERVAL = Interval(np.nan, np.nan, np.nan, 0)


def t_interval(values: Iterable[float]) -> Interval:
    """The mean of a few seeds' values with Student's t interval; NaN among them are left out of n."""
    scores = np.array([*values], dtype=float)
    scores = scores[np.isfinite(scores)]
    n = len(scores)
    if n == 0:
        return NO_INTERVAL
    mean = scores.mean()
    margin = t_factor(n) * scores.std(ddof=1) / np.sqrt(n) if n > 1 else np.nan
    return Interval(float(mean), float(mean - margin), float(mean + margin), n)


def difference_interval(first: Iterable[float], second: Iterable[float]) -> Interval:
    """The mean of the second values less that of the first, which are other seeds', with Welch's t interval (Welch
    1947); n is the fewer of the two. NaN for ends where one side has one value."""
    from scipy import stats

    first, second = np.array([*first], dtype=float), np.array([*second], dtype=float)
    mean, n = float(second.mean() - first.mean()), min(len(first), len(second))
    if n < 2:
        return Interval(mean, np.nan, np.nan, n)
    ends = stats.ttest_ind(second, first, equal_var=False).confidence_interval(LEVEL)
    return Interval(mean, float(ends.low), float(ends.high), n)


def t_factor(n: float) -> float:
    """How many standard errors of a mean of `n` values its interval reaches to either side; NaN for one value. A
    fraction is an effective number of values."""
    return float(special.stdtrit(n - 1, (1 + LEVEL) / 2)) if n > 1 else np.nan


def p_value(estimate: float, margin: float, n: int) -> float:
    """The two-sided p value of an estimate whose 95 % CI reaches `margin` to either side, over `n` seeds: the smallest
    level at which Student's t interval of that standard error excludes 0; NaN without an interval."""
    if n < 2 or not np.isfinite(margin):
        return np.nan
    if margin == 0:
        return float(estimate == 0)
    return float(2 * special.stdtr(n - 1, -abs(estimate) / margin * t_factor(n)))


def false_discovery_rate(p: Iterable[float]) -> np.ndarray:
    """The p values corrected for their number so that those below a level hold at most that share of false ones
    (Benjamini and Hochberg 1995, Journal of the Royal Statistical Society B 57); NaN are not counted."""
    from scipy import stats

    values = np.array([*p], dtype=float)
    corrected, is_known = values.copy(), np.isfinite(values)
    if is_known.any():
        corrected[is_known] = stats.false_discovery_control(values[is_known])
    return corrected
