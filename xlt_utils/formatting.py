"""Numbers, sizes, durations and lists as text: one place, so that a score looks the same in a table, a figure, a
sentence and a message."""

from collections.abc import Iterable

import numpy as np


def short_size(size: int) -> str:
    """A size as study files write it: 400000 is `400k`, 1600000 is `1.6M`; exact, so two never look alike."""
    for unit, letter in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if size >= unit and size * 100 % unit == 0:
            return f"{size / unit:.2f}".rstrip("0").rstrip(".") + letter
    return str(size)


def count_of(n: int, noun: str) -> str:
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def join_words(parts: Iterable[str]) -> str:
    return ", ".join(parts)


def about_size(size: float) -> str:
    """A place between the rungs, two digits."""
    return short_size(int(float(f"{size:.2g}")))


def three_digits(value: float) -> str:
    return f"{float(f'{value:.3g}'):,g}" if 0.001 <= abs(value) < 1e9 else f"{value:.3g}"


def duration(seconds: float) -> str:
    """A duration for people: 42 s, 3:20 min, 5:07 h."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d} min" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02d} h"


def short_count(number: float) -> str:
    return next(
        (f"{number / n:.3g}{unit}" for n, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")) if number >= n), f"{number:.0f}"
    )


def lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]


def size_text(value: float) -> str:
    """A count as a reader takes it in: 1.54M, 3.2e+12 FLOPs."""
    if not np.isfinite(value):
        return "–"
    if value >= 1e11:
        return f"{value:.2e}"
    return next(
        (f"{value / n:.3g}{unit}" for n, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")) if value >= n), f"{value:.0f}"
    )


def seconds_text(value: float | None) -> str:
    return "–" if value is None or not np.isfinite(value) else f"{value:,.1f}"


def number(value: float, sign: str = "") -> str:
    """A score or a difference as the report prints it: two digits, three below a tenth, a real minus."""
    digits = 3 if abs(value) < 0.0995 else 2
    # + 0.0 makes the zero that a small loss is rounded to a plain one
    return f"{round(value, digits) + 0.0:{sign}.{digits}f}".replace("-", "−") if np.isfinite(value) else "–"


def count_seeds(n: int) -> str:
    return f"{n} seed{'' if n == 1 else 's'}"
