"""A figure with all that a reader needs to check it. Drawings, tidy data and texts go in; SVG and PNG bytes, a CSV file
and HTML for a notebook come out. The same rows give the same bytes."""

import base64
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure as Drawing
from PIL import Image

from xlt_utils.parallel import map_forked
from xlt_utils.reporting.house_style import FONT
from xlt_utils.reporting.rounding import rounded

STYLE: Any = {  # matplotlib's type of it would have to name every key
    **sns.axes_style("ticks"),
    "font.family": FONT,
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


@dataclass(frozen=True)
class Figure:
    """A drawing with its data, title, caption and alt text; a notebook shows it as it is.

    `name` is the stem of its files. `arm` is the intermediate arm that the figure is about, "" where it is about
    several. `images` keeps the bytes by kind, so that each is drawn once.
    """

    name: str
    drawing: Drawing
    data: pd.DataFrame
    title: str
    caption: str
    alt: str
    arm: str = ""
    images: dict[str, bytes] = field(default_factory=dict, repr=False, compare=False)

    def image(self, kind: str = "svg") -> bytes:
        """The figure as `svg` or `png`, the same bytes every time."""
        if kind not in self.images:
            self._lay_out()
            metadata = {"Date": None, "Creator": None} if kind == "svg" else {"Software": None}
            buffer = io.BytesIO()
            with mpl.rc_context(STYLE):
                self.drawing.savefig(buffer, format=kind, dpi=150, metadata=metadata, facecolor="white")
            self.images[kind] = buffer.getvalue() if kind == "svg" else _in_64_colours(buffer.getvalue())
        return self.images[kind]

    def _lay_out(self) -> None:
        """Place the panels once for both kinds; a drawing with a layout engine is drawn twice in each."""
        if (engine := self.drawing.get_layout_engine()) is not None:
            with mpl.rc_context(STYLE):
                engine.execute(self.drawing)
                self.drawing.set_layout_engine(None)

    def save(self, folder: Path) -> list[Path]:
        """Write NAME.svg, NAME.png and NAME.csv into the folder and return their paths."""
        folder.mkdir(parents=True, exist_ok=True)
        paths = [folder / f"{self.name}.{kind}" for kind in ("svg", "png", "csv")]
        for path in paths[:2]:
            path.write_bytes(self.image(path.suffix[1:]))
        rounded(self.data).to_csv(paths[2], index=False, lineterminator="\n")
        return paths

    def uri(self, kind: str = "svg") -> str:
        """The figure as a data: URI, for a page that stands alone."""
        mime = "image/svg+xml" if kind == "svg" else "image/png"
        return f"data:{mime};base64,{base64.b64encode(self.image(kind)).decode()}"

    def _repr_html_(self) -> str:
        image = f'<img src="{self.uri("png")}" alt="{escape(self.alt)}" style="max-width:640px;width:100%">'
        return f"<figure><b>{escape(self.title)}</b><br>{image}<figcaption>{escape(self.caption)}</figcaption></figure>"


def draw_figures(figures: Sequence[Figure]) -> None:
    """Draw the figures as SVG and PNG on all processors; each keeps its bytes."""
    undrawn = [figure for figure in figures if len(figure.images) < 2]
    for figure, images in zip(undrawn, map_forked(_draw, undrawn), strict=True):
        figure.images.update(images)


def show_figures(*figures: Figure) -> None:
    """Show figures in a notebook, drawn on all processors."""
    from IPython.display import display

    draw_figures(figures)
    display(*figures)


def figure_name(stem: str, arm: str) -> str:
    """The name of an arm's figure, safe as a file name."""
    return re.sub(r"[^\w+-]", "_", f"{stem}-{arm}" if arm else stem)


def _draw(figure: Figure) -> dict[str, bytes]:
    return {kind: figure.image(kind) for kind in ("svg", "png")}


def _in_64_colours(png: bytes) -> bytes:
    """The image in a third of the bytes; the eye sees no difference."""
    buffer = io.BytesIO()
    image = Image.open(io.BytesIO(png)).convert("RGB").quantize(64, dither=Image.Dither.NONE)
    image.save(buffer, format="png", optimize=True)
    return buffer.getvalue()
