"""Two records of one cell: do they agree? On one kind of machine the same cell is the same to the bit; on another,
rounding differs, and training carries it on. Two records go in; what they disagree on comes out, in words."""

from typing import Any

from xlt_utils.formatting import join_words
from xlt_utils.records.record import Record, Result

# How far two scores of one cell may lie apart on machines of different kinds, on the scale of 0..1: so much, or two
# items of a small test. params/tiny.yaml, computed with and without AVX in bf16, differs by 0.003 at most.
MOST_APART, MOST_ITEMS_APART = 0.02, 2
MOST_NAMED = 3


def is_same_kind(first: Record, second: Record) -> bool:
    """Whether two runs were made on one kind of machine: processor, device, precision and versions are the same.
    Records that do not name their processor are of no kind."""
    kinds = [(record.machine, record.device, record.precision, record.versions) for record in (first, second)]
    return first.machine is not None and kinds[0] == kinds[1]


def disagreements(first: Record, second: Record) -> list[str]:
    """What two records of one cell disagree on, in words with both values; empty where they agree."""
    is_exact = is_same_kind(first, second)
    rows, others = ({_name(row): row for row in record.results} for record in (first, second))
    lines = [f"{name}: in one of the two alone" for name in [*rows, *others] if (name in rows) != (name in others)]
    for name, row in rows.items():
        other = others.get(name, row)
        most = 0.0 if is_exact else max(MOST_APART, MOST_ITEMS_APART / max(row.n, 1))
        if row.n != other.n:
            lines.append(f"{name}: over {row.n} and {other.n} items")
        elif abs(row.value - other.value) > most:
            lines.append(f"{name}: {row.value:.6g} and {other.value:.6g}")
        elif is_exact and row != other:
            lines.append(f"{name}: the same score, {row.value:.6g}, of other items")
    if is_exact and not lines and first.curves != second.curves:
        lines.append(_first_difference(first.curves, second.curves))
    return lines


def disagreement_text(first: Record, second: Record) -> str:
    """`disagreements` in one line, the first few of many; empty where the records agree."""
    lines = disagreements(first, second)
    rest = f" and {len(lines) - MOST_NAMED} more" if len(lines) > MOST_NAMED else ""
    return f"{'; '.join(lines[:MOST_NAMED])}{rest}" if lines else ""


def _name(row: Result) -> str:
    return join_words([f"{row.task} in {row.language}", row.metric, *([row.perturbation] if row.perturbation else [])])


def _first_difference(first: list[Any], second: list[Any]) -> str:
    for point, other in zip(first, second, strict=False):
        if point != other:
            return f"{point.name} loss at step {point.step}: {point.loss} and {other.loss}"
    return f"learning curves of {len(first)} and {len(second)} points"
