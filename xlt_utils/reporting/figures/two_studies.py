"""The figure of two studies side by side: the gains, or else the scores at I = 0, of each in every common target, arm,
P and I. A `TwoStudies` goes in; a Figure comes out."""

import numpy as np
import pandas as pd

from xlt_utils.formatting import count_of, join_words, number_text, short_size
from xlt_utils.reporting.figures import canvas
from xlt_utils.reporting.figures.figure import Figure, figure_name
from xlt_utils.reporting.two_studies import GAIN, SCORE, TwoStudies, difference_sentence

SHIFTS = (-0.16, 0.16)  # of the two marks of a row


def side_by_side(studies: TwoStudies) -> Figure | None:
    """The gains of both studies with 95 % CIs, a row a target, arm, P and I; the scores at I = 0 where no gain is
    common, None where no score is. The figure's data are all numbers, those of single languages too."""
    gains = studies.means(GAIN)
    means, measure = (studies.means(SCORE), SCORE) if gains.empty else (gains, GAIN)
    if means.empty:
        return None
    rows, which = _drawn(means)
    rows = rows.reset_index(drop=True)
    drawing, axes = canvas.named_rows([_row_name(row) for row in rows.to_dict("records")], 0.42)
    for side, name, marker, shift, colour in zip("ab", studies.names, "os", SHIFTS, canvas.COLOURS, strict=False):
        values = rows[[f"value {side}", f"low {side}", f"high {side}"]].set_axis(["value", "low", "high"], axis=1)
        is_bounded = np.isfinite(values["low"].to_numpy(dtype=float))
        for part, label in ((is_bounded, name), (~is_bounded, "" if is_bounded.any() else name)):
            if part.any():
                places = np.arange(len(rows))[part] + shift
                canvas.interval_marks(axes, values[part], "value", places, marker, colour, label)
    axes.axvline(0, **canvas.DOTTED)
    axes.set_xlim(*_limits(rows))
    axes.set_xlabel(f"zero-shot {measure}")
    canvas.legend_above(drawing, axes, most_columns=2)
    counts = [canvas.range_of_counts(rows[f"n {side}"], "seed") for side in "ab"]
    seeds = join_words(f"{count} of {name}" for count, name in zip(counts, studies.names, strict=True))
    caption = (
        "Means over the common languages besides English, from the zero point 0 to the ceiling 1, with 95 % CIs over "
        f"seeds, languages and items; {which}. {seeds}."
    )
    name = figure_name("compare", "+".join(studies.names))
    return Figure(name, drawing, studies.numbers, difference_sentence(means), caption, _alt(rows))


def _drawn(means: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """The rows that a figure can hold, and which they are: all, else those at the largest common I, at the largest
    common P too, or the first of these."""
    if len(means) <= canvas.MAX_ROWS:
        return means, "all common places"
    largest = means[means["examples"] == means.groupby(["target", "arm", "tokens"])["examples"].transform("max")]
    if len(largest) <= canvas.MAX_ROWS:
        return largest, "at the largest common I"
    largest = largest[largest["tokens"] == largest.groupby(["target", "arm"])["tokens"].transform("max")]
    if len(largest) <= canvas.MAX_ROWS:
        return largest, "at the largest common P and I"
    left_out = len(largest) - canvas.MAX_ROWS
    return largest.head(canvas.MAX_ROWS), f"at the largest common P and I, {left_out} more in the table"


def _row_name(row: dict) -> str:
    arm = f", {row['arm']}" if row["arm"] else ""
    return f"{row['target']}{arm}\nP = {short_size(row['tokens'])}, I = {short_size(row['examples'])}"


def _limits(rows: pd.DataFrame) -> tuple[float, float]:
    """The ends of the scale; no score is further than 1 from another, so a wider bar is cut."""
    ends = rows[[f"{name} {side}" for name in ("value", "low", "high") for side in "ab"]].to_numpy(dtype=float).ravel()
    ends = ends[np.isfinite(ends)].clip(-1, 1)
    low, high = min([*ends, -canvas.SMALLEST_END]), max([*ends, canvas.SMALLEST_END])
    margin = 0.05 * (high - low)
    return low - margin, high + margin


def _alt(rows: pd.DataFrame) -> str:
    texts = [
        f"{_row_name(row)} {number_text(row['value a'])} and {number_text(row['value b'])}".replace("\n", ", ")
        for row in rows.to_dict("records")
    ]
    return f"Two studies, {count_of(len(rows), 'row')}: {'; '.join(texts)}."
