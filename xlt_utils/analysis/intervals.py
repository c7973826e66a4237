"""A mean with its 95 % confidence interval (CI), and Student's t interval of a few seeds. Values of seeds go in, an
`Interval` comes out, which also writes itself as text."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy import stats

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


def t_factor(n: float) -> float:
    """How many standard errors of a mean of `n` values its interval reaches to either side; NaN for one value. A
    fraction is an effective number of values."""
    return float(stats.t.ppf((1 + LEVEL) / 2, n - 1)) if n > 1 else np.nan
