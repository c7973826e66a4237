"""Numbers, sizes, durations and lists as text, for tables, figures, sentences and messages. Numbers go in, short text
comes out: the same number looks the same everywhere. Only the standard library is imported, so `xlt` starts fast."""

from collections.abc import Iterable, Sequence
from math import isfinite

UNITS = ((10**9, "G"), (10**6, "M"), (10**3, "k"))


def number_text(value: float, sign: str = "", digits: int | None = None) -> str:
    """A score or a difference as the report prints it, with a real minus; – where there is none (NaN).

    Args:
        sign: "+" writes the sign of positive numbers too.
        digits: Decimals; by default two, and three below a tenth.
    """
    if not isfinite(value):
        return "–"
    value = float(f"{value:.10g}")  # else the last bits, which differ from one processor to the next, round a half
    digits = digits or (3 if abs(value) < 0.0995 else 2)
    # + 0.0 makes the negative zero that a small loss is rounded to a plain one
    return f"{round(value, digits) + 0.0:{sign}.{digits}f}".replace("-", "−")


def three_digits(value: float) -> str:
    """A ratio, such as an exchange rate, with three significant digits: 0.0123, 76.4, 1,230."""
    return f"{float(f'{value:.3g}'):,g}" if 0.001 <= abs(value) < 1e9 else f"{value:.3g}"


def short_size(size: float, digits: int | None = None) -> str:
    """A size as study files write it: 400000 is `400k`. It is exact, so that two sizes never look alike, unless
    `digits` gives the significant digits to keep."""
    size = int(float(f"{size:.{digits}g}") if digits else size)
    for unit, letter in UNITS:
        if size >= unit and size * 100 % unit == 0:
            return f"{size / unit:.2f}".rstrip("0").rstrip(".") + letter
    return str(size)


def short_count(count: float) -> str:
    """A count with three significant digits: 1.54M tokens, 3.20e+12 FLOPs; – where it is not known (NaN)."""
    if not isfinite(count):
        return "–"
    if count >= 1e11:
        return f"{count:.2e}"
    return next((f"{count / unit:.3g}{letter}" for unit, letter in UNITS if count >= unit), f"{count:.0f}")


def flops_text(flops: float) -> str:
    """FLOPs as an order of magnitude: 3.2e+12."""
    return f"{flops:.1e}"


def bytes_text(size: float) -> str:
    """Bytes in whole megabytes, or gigabytes from ten of them."""
    return f"{size / 1e6:,.0f} MB" if size < 1e10 else f"{size / 1e9:,.0f} GB"


def duration(seconds: float) -> str:
    """A duration for people: 42 s, 3:20 min, 5:07 h."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d} min" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02d} h"


def seconds_text(seconds: float | None) -> str:
    """Seconds as a table shows them: 1,234.5; – where they are not known."""
    return "–" if seconds is None or not isfinite(seconds) else f"{seconds:,.1f}"


def count_of(n: int, noun: str) -> str:
    """A count with its noun: 1 seed, 3 seeds."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def verb_of(n: int, one: str, more: str) -> str:
    """The form of a verb that a count asks for: 1 gain has, 3 gains have."""
    return one if n == 1 else more


def aligned(table: Sequence[Sequence[str]]) -> list[str]:
    """The rows of a table as indented lines, in columns of equal width."""
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return ["  " + "  ".join(map(str.ljust, row, widths)).rstrip() for row in table]


def join_words(parts: Iterable[str]) -> str:
    return ", ".join(parts)


def lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]
