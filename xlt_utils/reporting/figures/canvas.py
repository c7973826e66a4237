"""What every picture of the study shares: the Figure with its data, texts and bytes, the style, panels, marks, and the
small words of captions. The same rows give the same bytes."""

import base64
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure as Drawing
from matplotlib.patches import Patch, Rectangle
from PIL import Image

from xlt_utils.analysis import transfer_scores
from xlt_utils.data.tasks import TASKS
from xlt_utils.formatting import count_of, number, short_size
from xlt_utils.parallel import map_forked

WIDTH = 5.8  # inches: narrow, so that the letters can still be read on a telephone
STYLE = {
    **sns.axes_style("ticks"),
    "font.family": "DejaVu Sans",  # comes with matplotlib, so every machine draws the same
    "font.size": 10,
    "axes.titlesize": 10.5,
    "axes.labelsize": 10,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.color": "#dddddd",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.fontsize": 9.5,
    "legend.frameon": False,
    "svg.hashsalt": "xlt",
    "svg.fonttype": "path",
    "hatch.linewidth": 0.6,
}
COLOURS = sns.color_palette("colorblind")  # Okabe and Ito's, told apart without red against green
MARKERS = "osD^vPX*"
HATCHED = {"hatch": "////", "edgecolor": "#777777"}


def draw_figures(pictures: Sequence["Figure"]) -> None:
    """Draw the pictures as SVG and PNG, on all processors; each then holds its own bytes."""
    todo = [picture for picture in pictures if len(picture.images) < 2]
    for picture, images in zip(todo, map_forked(_drawn, todo), strict=True):
        picture.images.update(images)


def show_figures(*pictures: "Figure") -> None:
    """Show pictures in a notebook, drawn on all processors."""
    from IPython.display import display

    draw_figures(pictures)
    display(*pictures)


def _in_64_colours(png: bytes) -> bytes:
    """The picture in a third of the bytes, to the eye the same."""
    buffer = io.BytesIO()
    picture = Image.open(io.BytesIO(png)).convert("RGB").quantize(64, dither=Image.Dither.NONE)
    picture.save(buffer, format="png", optimize=True)
    return buffer.getvalue()


def _drawn(picture: "Figure") -> dict[str, bytes]:
    return {kind: picture.image(kind) for kind in ("svg", "png")}


@dataclass(frozen=True)
class Figure:
    """A picture with all that a reader needs to check it; a notebook shows it as it is."""

    name: str
    drawing: Drawing
    data: pd.DataFrame
    title: str
    caption: str
    alt: str
    arm: str = ""  # the one that it is about, if it is about one
    images: dict[str, bytes] = field(default_factory=dict, repr=False, compare=False)  # drawn once

    def image(self, kind: str = "svg") -> bytes:
        """The picture as `svg` or `png`, the same bytes every time."""
        if kind not in self.images:
            self._settle()
            metadata = {"Date": None, "Creator": None} if kind == "svg" else {"Software": None}
            buffer = io.BytesIO()
            with mpl.rc_context(STYLE):
                self.drawing.savefig(buffer, format=kind, dpi=150, metadata=metadata, facecolor="white")
            self.images[kind] = buffer.getvalue() if kind == "svg" else _in_64_colours(buffer.getvalue())
        return self.images[kind]

    def _settle(self) -> None:
        """Lay the panels out once, for both kinds alike: it is half of the work."""
        if not self.images and self.drawing.get_layout_engine() is not None:
            with mpl.rc_context(STYLE):
                self.drawing.draw_without_rendering()
            self.drawing.set_layout_engine("none")

    def save(self, folder: Path) -> list[Path]:
        """Write NAME.svg, NAME.png and NAME.csv into the folder and return their paths."""
        folder.mkdir(parents=True, exist_ok=True)
        paths = [folder / f"{self.name}.{kind}" for kind in ("svg", "png", "csv")]
        for path in paths[:2]:
            path.write_bytes(self.image(path.suffix[1:]))
        self.data.to_csv(paths[2], index=False, lineterminator="\n")
        return paths

    def uri(self, kind: str = "svg") -> str:
        """The picture as a data: address, for a page that stands alone."""
        mime = "image/svg+xml" if kind == "svg" else "image/png"
        return f"data:{mime};base64,{base64.b64encode(self.image(kind)).decode()}"

    def _repr_html_(self) -> str:
        image = f'<img src="{self.uri("png")}" alt="{escape(self.alt)}" style="max-width:640px;width:100%">'
        return f"<figure><b>{escape(self.title)}</b><br>{image}<figcaption>{escape(self.caption)}</figcaption></figure>"


def language_order(languages: Iterable[str], distances: dict[str, float] | None = None) -> list[str]:
    """The non-English languages, nearest first; those of unknown distance follow by code."""
    known = distances or {}
    return sorted(set(languages) - {"en"}, key=lambda code: (known.get(code, np.inf), code))


def known_order(languages: Sequence[str], distances: dict[str, float] | None) -> bool:
    return bool(languages) and all(code in (distances or {}) for code in languages)


def target_order(rows: pd.DataFrame) -> list[str]:
    """The targets there are, in the order of tasks.py, the means last."""
    there = set(rows["target"])
    return [name for name in [*TASKS, *transfer_scores.MEANS.values()] if name in there]


def panels(names: Sequence[str], height, sharex: bool = False, sharey: bool = False) -> tuple[Drawing, dict]:
    """Axes by name, two a row, the last cell of an odd number left out."""
    columns = 1 if len(names) <= 1 else 2
    rows = max(1, -(-len(names) // columns))
    with mpl.rc_context(STYLE):
        # what a row needs beside its panel: the title above, the tick labels below; and once, the legend
        drawing = Drawing(figsize=(WIDTH, rows * (height() + 0.62) + 0.55), layout="constrained")
        axes = drawing.subplots(rows, columns, squeeze=False, sharex=sharex, sharey=sharey).ravel()
    for spare in axes[max(1, len(names)) :]:
        spare.remove()
    if not len(names):
        axes[0].set_axis_off()
        axes[0].text(0.5, 0.5, "no runs to show", ha="center", va="center")
    return drawing, dict(zip(names, axes, strict=False))


def write_numbers(axes, table: pd.DataFrame, counts, wanted, limits: tuple[float, float], size: float = 10) -> None:
    """Each cell's number, hatched where no seed ran, marked where some are missing."""
    axes.grid(visible=False)
    middle = sum(limits) / 2
    for row in range(table.shape[0]):
        for column in range(table.shape[1]):
            value, n, full = (part.iloc[row, column] for part in (table, counts, wanted))
            if not np.isfinite(value):
                axes.add_patch(Rectangle((column, row), 1, 1, fill=False, **HATCHED, linewidth=0))
                continue
            text = f"{round(value, 2) + 0.0:.2f}".replace("-", "−") + (f"\n{int(n)} of {int(full)}" if n < full else "")
            colour = "white" if value < middle else "black"
            axes.text(column + 0.5, row + 0.5, text, ha="center", va="center", color=colour, fontsize=size)


def label_rungs(axes, tokens, examples) -> None:
    axes.set_xticks(np.arange(len(tokens)) + 0.5, [short_size(rung) for rung in tokens], rotation=0)
    axes.set_yticks(np.arange(len(examples)) + 0.5, [short_size(rung) for rung in examples], rotation=0)
    axes.tick_params(length=0)


def legend_of_holes(drawing: Drawing, data: pd.DataFrame) -> None:
    if (data["n"] == 0).any() or data.get("wanted", data["n"]).gt(data["n"]).any():
        patch = Patch(fill=False, **HATCHED, label="no run; “1 of 2”: seeds there are")
        drawing.legend(handles=[patch], loc="outside upper center", frameon=False)


def seed_lines(axes, rows, x: str, y: str, rungs, colour, marker, label: str, seeds: int, aside: float = 0.0) -> None:
    """A line through the means over seeds and a dot a seed; a mean over fewer than the `seeds` there are is hollow.
    `aside` keeps neighbours from hiding each other."""
    places = [rungs.index(rung) + aside for rung in rows[x]]
    axes.plot(places, rows[y], linestyle="", marker=marker, markersize=3.5, color=colour, alpha=0.55, markeredgewidth=0)
    means = rows.groupby(x)[y].mean().reindex(rungs)
    places = np.arange(len(rungs)) + aside
    axes.plot(places, means, color=colour, linewidth=1.6, marker=marker, markersize=5, label=label)
    hollow(axes, places, means, rows.groupby(x)[y].count().reindex(rungs), seeds, marker, colour)


def hollow(axes, x, y, counts, seeds: int, marker, colour) -> None:
    """Open the marks of means over fewer than all seeds."""
    some = ((counts > 0) & (counts < seeds)).to_numpy()
    open_ = {"linestyle": "", "markersize": 5, "markerfacecolor": "white", "zorder": 3}
    axes.plot(np.asarray(x)[some], np.asarray(y)[some], marker=marker, markeredgecolor=colour, **open_)


def fewer(counts: pd.Series, seeds: int) -> str:
    """How many of the means stand on fewer than all seeds; nothing where none does."""
    some = int(((counts > 0) & (counts < seeds)).sum())
    return f" Hollow: {count_of(some, 'mean')} over fewer than the {seeds} seeds." if some else ""


def categories(axes, labels: Sequence[str]) -> None:
    axes.set_xticks(range(len(labels)), labels)
    axes.set_xlim(-0.4, len(labels) - 0.6)


def shared_legend(drawing: Drawing, panels: dict) -> None:
    for axes in list(panels.values())[:1]:
        handles, labels = axes.get_legend_handles_labels()
        if handles:
            drawing.legend(
                handles, labels, loc="outside upper center", frameon=False, ncols=min(4, len(labels)), columnspacing=1.2
            )


def marks(lines: Sequence) -> str:
    return (MARKERS * (1 + len(lines) // len(MARKERS)))[: len(lines)]


def limits(values: pd.Series) -> tuple[float, float]:
    """One scale for all panels, so that the same colour is the same score everywhere."""
    found = values.dropna()
    return (min(0.0, float(found.min())), max(float(found.max()), 0.01)) if len(found) else (0.0, 1.0)


def range_of(rows: pd.DataFrame, column: str) -> tuple[float, float, float]:
    found = rows[column].dropna()
    low, high = (found.min(), found.max()) if len(found) else (np.nan, np.nan)
    return low, high, high - low if len(found) else -1.0


def span_text(found: tuple[float, float, float]) -> str:
    return f"{number(found[0])} to {number(found[1])}"


def moves_text(steps: pd.Series, ends: str) -> str:
    """A title of who rises and who falls; `steps` are differences by target, sorted."""
    single = steps.drop(labels=list(transfer_scores.MEANS.values()), errors="ignore")
    up, down = single[single > 0], single[single <= 0]
    said = f"On average {len(up)} of {count_of(len(single), 'target')} rise{'s' if len(single) == 1 else ''} {ends}"
    said += f", most {up.index[-1]} ({number(up.iloc[-1], '+')})" if len(up) else ""
    return said + (f"; {down.index[0]} falls most ({number(down.iloc[0], '+')})" if len(down) else "")


def holes_text(holes: int, cells: int) -> str:
    return f"{holes} of {cells} cells lack seeds (hatched where none ran)." if holes else "No cell is missing."


def n_of(counts: pd.Series, noun: str) -> str:
    low, high = (int(counts.min()), int(counts.max())) if len(counts) else (0, 0)
    return count_of(low, noun) if low == high else f"{low} to {count_of(high, noun)}"


def seconds(value: float) -> str:
    return f"{value:.0f} s" if np.isfinite(value) else "not known"


def file_name(stem: str, arm: str) -> str:
    return re.sub(r"[^\w+-]", "_", f"{stem}-{arm}" if arm else stem)  # a file's name


MOST_ROWS = 30  # rows of a picture that lists pairs of an arm and a target
SURE, UNSURE = COLOURS[0], "#8a8a8a"


def colour_limit(gains: np.ndarray) -> float:
    """The end of a colour scale about 0."""
    return float(max(np.abs(gains[np.isfinite(gains)]), default=0.01)) or 0.01


def row_axes(n: int, each: float = 0.36) -> tuple[Drawing, mpl.axes.Axes]:
    """One panel of `n` named rows."""
    with mpl.rc_context(STYLE):
        drawing = Drawing(figsize=(WIDTH, 1.0 + each * max(2, n)), layout="constrained")
        axes = drawing.subplots()
    axes.grid(visible=False, axis="y")
    axes.grid(axis="x", color="#dddddd")
    return drawing, axes


def name_rows(axes, names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), names, fontsize=8.5)
    axes.set_ylim(len(names) - 0.4, -0.6)
