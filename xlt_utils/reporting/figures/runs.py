"""Figures of how runs went: the loss over training, planned and spent time by phase. Rows of records and of the cost
table go in; each function returns a Figure whose title, caption and alt text are computed from them."""

import numpy as np
import pandas as pd
from matplotlib.ticker import EngFormatter, MaxNLocator

from xlt_utils.formatting import count_of, join_words, short_size
from xlt_utils.reporting.figures import canvas
from xlt_utils.reporting.figures.figure import Figure
from xlt_utils.reporting.house_style import COLOURS


def cost_by_phase(phases: pd.DataFrame) -> Figure:
    """Planned and spent seconds by phase, and how many of them were overhead.

    Args:
        phases: columns phase, planned, work and attempts, the last three in seconds, NaN where not known.
    """
    data = phases[["phase", "planned", "work", "attempts"]].copy()
    data["overhead"] = (data["attempts"] - data["work"]).clip(lower=0)
    drawing, (axes,) = canvas.subplots(0.95 + 0.62 * max(1, len(data)))
    places = np.arange(len(data))
    axes.barh(places - 0.2, data["planned"], 0.36, color="#cccccc", edgecolor="black", linewidth=0.6, label="planned")
    axes.barh(places + 0.2, data["work"], 0.36, color=COLOURS[0], label="spent on work")
    axes.barh(
        places + 0.2, data["overhead"], 0.36, left=data["work"], color=COLOURS[1], hatch="//", edgecolor="white",
        label="start and imports",
    )  # fmt: skip
    axes.set_yticks(places, data["phase"])
    axes.set_ylim(len(data) - 0.45, -0.55)
    axes.set_xlabel("seconds")
    axes.grid(axis="x", color="#dddddd")
    axes.grid(visible=False, axis="y")
    canvas.legend_above(drawing, axes)
    timed = data.dropna(subset=["attempts"])
    planned, spent = data["planned"].sum(min_count=1), data["attempts"].fillna(data["work"]).sum()
    title = "What the runs took"
    if timed["attempts"].sum() > 0:
        title = f"{1 - timed['work'].sum() / timed['attempts'].sum():.0%} of the runs' time was overhead"
    if np.isfinite(planned):
        title += f"; planned {planned:.0f} s, spent {spent:.0f} s"
    caption = "Overhead is a run's time from start to end minus its notebook's own work. Sums over the runs of a phase."
    texts = []
    for _, row in data.iterrows():
        seconds = [f"{name} {_seconds_text(row[name])}" for name in ("planned", "work", "overhead")]
        texts.append(f"{row['phase']}: {join_words(seconds)}")
    return Figure("cost", drawing, data, title, caption, ". ".join(texts) + ".")


def learning_curve(curves: list[dict] | pd.DataFrame, unit: str = "steps", per_step: float = 1) -> Figure:
    """The loss of each named curve over training, as logged and as a running mean.

    Args:
        curves: a record's rows (name, step, loss); without a name they are one curve.
        unit: of the horizontal axis.
        per_step: how many of the unit a step has.
    """
    data = pd.DataFrame(curves, columns=["name", "step", "loss", "learning_rate"])
    data["name"], data["loss"] = data["name"].astype(object).fillna("training"), pd.to_numeric(data["loss"])
    data[unit] = data["step"] * per_step
    drawing, panels = canvas.panels(list(data["name"].unique()), 1.7)
    texts = []
    for name, axes in panels.items():
        part = data[data["name"] == name].sort_values("step")
        running_mean = part["loss"].rolling(max(1, len(part) // 20), min_periods=1, center=True).mean()
        axes.plot(part[unit], part["loss"], color=COLOURS[0], linewidth=0.8, alpha=0.35)
        axes.plot(part[unit], running_mean, color=COLOURS[0], linewidth=2)
        axes.set_title(name)
        axes.xaxis.set_major_formatter(lambda value, _: short_size(round(value)) if value < 1e4 else f"{value:.3g}")
        if part[unit].max() >= 1e4:
            axes.xaxis.set_major_formatter(EngFormatter(sep=""))
        axes.xaxis.set_major_locator(MaxNLocator(4))
        if running_mean.notna().any():
            first, last = running_mean.dropna().iloc[[0, -1]]
            verb = "falls" if last < first else "does not fall:"
            texts.append(f"{name} {verb} from {first:.2f} to {last:.2f} over {part[unit].max():,.0f} {unit}")
    drawing.supxlabel(unit, fontsize=10)
    drawing.supylabel("training loss (nats)", fontsize=10)
    title = f"The loss of {join_words(texts)}" if texts else "Nothing was trained"
    caption = f"Thin: as logged. Thick: running mean. n = {count_of(len(data), 'point')}."
    alt = f"Training loss. {'. '.join(texts) or 'Nothing was trained'}."
    return Figure("learning-curve", drawing, data, title, caption, alt)


def _seconds_text(seconds: float) -> str:
    return f"{seconds:.0f} s" if np.isfinite(seconds) else "not known"
