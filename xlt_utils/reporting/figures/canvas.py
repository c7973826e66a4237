"""The parts that figures share: panels, heat maps, marks by rung, rows with intervals, legends, and the words on how
many seeds a mean rests on. Axes and tidy rows go in; no part knows what a figure shows."""

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.patches import Patch, Rectangle

from xlt_utils.analysis.transfer_scores import MEANS
from xlt_utils.data.tasks import TASKS
from xlt_utils.formatting import count_of, number_text, short_size
from xlt_utils.reporting.figures.figure import STYLE
from xlt_utils.reporting.house_style import COLOURS

FIGURE_WIDTH = 5.8  # inches: narrow, so that the letters can still be read on a telephone
CLEAR, UNCLEAR = COLOURS[0], "#8a8a8a"  # of a mean whose 95 % CI excludes 0, and of one whose CI includes it
MARKERS = "osD^vPX*"
HATCHED: dict[str, Any] = {"hatch": "////", "edgecolor": "#777777"}
PALENESS = 0.7  # how far to white what does not count is drawn
DOTTED: dict[str, Any] = {"color": "black", "linewidth": 0.8, "linestyle": ":"}
MAX_ROWS = 30  # rows of a figure that lists pairs of an arm and a target
SMALLEST_END = 0.05  # of a scale of gains: without it the noise of a study without gains would fill the scale


def subplots(height: float, rows: int = 1, columns: int = 1, **sharing: Any) -> tuple[Drawing, np.ndarray]:
    """A drawing of some inches in height, and its axes row by row."""
    with mpl.rc_context(STYLE):
        drawing = Drawing(figsize=(FIGURE_WIDTH, height), layout="constrained")
        return drawing, drawing.subplots(rows, columns, squeeze=False, **sharing).ravel()


def panels(names: Sequence[str], height: float, **sharing: Any) -> tuple[Drawing, dict[str, Axes]]:
    """Axes by name, two a row, each of some inches in height; `sharing` is `sharex` or `sharey`."""
    columns = 1 if len(names) <= 1 else 2
    rows = max(1, -(-len(names) // columns))
    # what a row needs beside its panel: the title above, the tick labels below; and once, the legend
    drawing, axes = subplots(rows * (height + 0.62) + 0.55, rows, columns, **sharing)
    for unused in axes[max(1, len(names)) :]:
        unused.remove()
    if not len(names):
        axes[0].set_axis_off()
        axes[0].text(0.5, 0.5, "no runs to show", ha="center", va="center")
    return drawing, dict(zip(names, axes, strict=False))


def named_rows(names: Sequence[str], row_height: float = 0.36) -> tuple[Drawing, Axes]:
    """One panel with a named row for each entry."""
    drawing, (axes,) = subplots(1.0 + row_height * max(2, len(names)))
    axes.grid(visible=False, axis="y")
    axes.grid(axis="x", color="#dddddd")
    label_rows(axes, names)
    return drawing, axes


def label_rows(axes: Axes, names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), names, fontsize=8.5)
    axes.set_ylim(len(names) - 0.4, -0.6)


def heat_map(
    axes: Axes,
    table: pd.DataFrame,
    texts: pd.DataFrame,
    limits: tuple[float, float],
    diverging: bool = False,
    size: float = 9,
    linewidths: float = 1.2,
    counts: pd.DataFrame | None = None,
) -> None:
    """Colour a table's cells and write into them; cells without a number are hatched.

    Args:
        texts: what to write into each cell.
        limits: the values at both ends of the colours.
        diverging: colours around 0, for gains, rather than from dark to light, for scores.
        size: of the letters, in points.
        linewidths: of the white lines between the cells, in points.
        counts: whether a cell counts; one that does not is pale. None: all do.
    """
    colours, options = "PuOr_r" if diverging else "viridis", {"xticklabels": False, "yticklabels": False}
    with mpl.rc_context(STYLE):
        sns.heatmap(
            table, ax=axes, vmin=limits[0], vmax=limits[1], cmap=colours, cbar=False, linewidths=linewidths, **options
        )
    axes.grid(visible=False)
    axes.tick_params(length=0)
    axes.set(xlabel="", ylabel="")
    for (row, column), value in np.ndenumerate(table.to_numpy(dtype=float)):
        if not np.isfinite(value):
            hatch(axes, column, row)
            continue
        is_dark = abs(value) > 0.65 * limits[1] if diverging else value < sum(limits) / 2
        colour = "white" if is_dark else "black"
        if counts is not None and not counts.iloc[row, column]:
            axes.add_patch(Rectangle((column, row), 1, 1, facecolor="white", alpha=PALENESS, linewidth=0))
            colour = "#555555"
        axes.text(
            column + 0.5, row + 0.5, texts.iloc[row, column], ha="center", va="center", color=colour, fontsize=size
        )


def hatch(axes: Axes, x: float, y: float) -> None:
    """Hatch the unit square whose lower corner is at (x, y)."""
    with mpl.rc_context(STYLE):
        axes.add_patch(Rectangle((x, y), 1, 1, fill=False, **HATCHED, linewidth=0))


def label_cells(axes: Axes, columns: Sequence[str], rows: Sequence[str]) -> None:
    axes.set_xticks(np.arange(len(columns)) + 0.5, columns, rotation=0)
    axes.set_yticks(np.arange(len(rows)) + 0.5, rows, rotation=0)


def score_text(score: float, n: float, planned: float) -> str:
    """A cell's score, and where seeds are missing how many of the planned ones it is a mean over."""
    return number_text(score, digits=2) + (f"\n{n:.0f} of {planned:.0f}" if n < planned else "")


def score_limits(scores: pd.Series) -> tuple[float, float]:
    """One colour scale for all panels, so that the same colour is the same score everywhere."""
    finite = scores.dropna()
    return (min(0.0, float(finite.min())), max(float(finite.max()), 0.01)) if len(finite) else (0.0, 1.0)


def gain_limits(gains: pd.Series) -> tuple[float, float]:
    """A colour scale around 0 that reaches the largest gain or loss, and SMALLEST_END at least."""
    finite = gains.to_numpy(dtype=float)[np.isfinite(gains.to_numpy(dtype=float))]
    end = max([SMALLEST_END, *np.abs(finite).tolist()])
    return -end, end


def widen_gain_axis(axes: Axes) -> None:
    """Let a vertical axis of gains reach SMALLEST_END to both sides of 0 at least."""
    low, high = axes.get_ylim()
    axes.set_ylim(min(low, -SMALLEST_END), max(high, SMALLEST_END))


def counting(rows: pd.DataFrame) -> pd.Series:
    """Whether each row counts, as it was learnt in English; all do where nothing says so."""
    return rows["counts"].astype(bool) if "counts" in rows else pd.Series(True, rows.index)


def pale(colour: Sequence[float]) -> tuple[float, ...]:
    """The colour of what does not count."""
    return tuple(1 - (1 - part) * (1 - PALENESS) for part in colour)


def title_panels(axes_by_target: dict[str, Axes], rows: pd.DataFrame) -> None:
    """Each panel's target as its title, "(not learnt)" behind one none of whose rows counts."""
    learnt = set(rows.loc[counting(rows), "target"])
    for target, axes in axes_by_target.items():
        axes.set_title(target if target in learnt else f"{target} (not learnt)")


def unlearnt_text(rows: pd.DataFrame) -> str:
    """What the pale marks are; nothing where all rows count."""
    if counting(rows).all():
        return ""
    return (
        " Pale: does not count, as the target, or the arm's own task, was not learnt in English; in no mean over "
        "targets and not in the title."
    )


def rung_styles(rungs: Sequence[int]) -> list[tuple[int, tuple[float, float, float], str]]:
    """Each rung with its colour, darker for smaller ones, and its marker."""
    colours = sns.color_palette("viridis", len(rungs) + 1)
    return [(rung, colours[place], MARKERS[place % len(MARKERS)]) for place, rung in enumerate(rungs)]


def hollow_marks(axes: Axes, x, y, counts: pd.Series, n_seeds: int, marker: str, colour) -> None:
    """Open the marks of means over some of the seeds."""
    some = ((counts > 0) & (counts < n_seeds)).to_numpy()
    style: dict[str, Any] = {"linestyle": "", "markersize": 5, "markerfacecolor": "white", "zorder": 3}
    axes.plot(np.asarray(x)[some], np.asarray(y)[some], marker=marker, markeredgecolor=colour, **style)


def interval_marks(axes: Axes, rows: pd.DataFrame, value: str, places, marker: str, colour, label: str = "") -> None:
    """A mark at each row's `value` with a bar from `low` to `high`; one seed has no bars."""
    bars = np.abs(rows[["low", "high"]].to_numpy(dtype=float).T - rows[value].to_numpy(dtype=float))
    style: dict[str, Any] = {"fmt": marker, "color": colour, "markersize": 5, "linewidth": 1.4, "capsize": 2}
    axes.errorbar(rows[value], places, xerr=bars if np.isfinite(bars).all() else None, label=label, **style)


def legend_above(drawing: Drawing, axes: Axes, most_columns: int = 4, **spacing: float) -> None:
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        columns = min(most_columns, len(labels))
        drawing.legend(handles, labels, loc="outside upper center", frameon=False, ncols=columns, **spacing)


def shared_legend(drawing: Drawing, axes_by_name: dict[str, Axes]) -> None:
    """The legend of the first panel, where all panels have the same."""
    for axes in list(axes_by_name.values())[:1]:
        legend_above(drawing, axes, columnspacing=1.2)


def missing_legend(drawing: Drawing, data: pd.DataFrame, planned: pd.Series | int) -> None:
    """Explain the hatching, where a cell of `data` has fewer seeds (`n`) than planned."""
    if (data["n"] < planned).any():
        with mpl.rc_context(STYLE):
            patch = Patch(fill=False, **HATCHED, label="no score; “1 of 2”: seeds with one")
        drawing.legend(handles=[patch], loc="outside upper center", frameon=False)


def target_order(targets: pd.Series) -> list[str]:
    """The targets among these, in the order of tasks.py, the means last."""
    present = set(targets)
    return [name for name in [*TASKS, *MEANS.values()] if name in present]


def single_targets(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of targets that are tasks, not means over tasks."""
    return rows[~rows["target"].isin(MEANS.values())]


def rung_labels(rungs: Sequence[int]) -> list[str]:
    return [short_size(rung) for rung in rungs]


def hollow_text(counts: pd.Series, n_seeds: int) -> str:
    """How many means are over some of the seeds; nothing where none is."""
    some = int(((counts > 0) & (counts < n_seeds)).sum())
    return f" Hollow: {count_of(some, 'mean')} over fewer than the {n_seeds} seeds." if some else ""


def range_of_counts(counts: pd.Series, noun: str) -> str:
    """The smallest and the largest count with their noun: 2 to 3 seeds."""
    low, high = (int(counts.min()), int(counts.max())) if len(counts) else (0, 0)
    return count_of(low, noun) if low == high else f"{low} to {count_of(high, noun)}"
