"""Figures of runs rather than scores: a learning curve, and what a study was planned to cost and did."""

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure as Drawing

from xlt_utils.formatting import count_of, join_words, short_size
from xlt_utils.reporting.figures import canvas
from xlt_utils.reporting.figures.canvas import Figure


def cost(phases: pd.DataFrame) -> Figure:
    """Planned against spent seconds and what is overhead, by phase. Columns: phase, planned, work, attempts
    (all seconds of CPU time or wall time of the runs; NaN where not known)."""
    data = phases[["phase", "planned", "work", "attempts"]].copy()
    data["overhead"] = (data["attempts"] - data["work"]).clip(lower=0)
    with mpl.rc_context(canvas.STYLE):
        drawing = Drawing(figsize=(canvas.WIDTH, 0.95 + 0.62 * max(1, len(data))), layout="constrained")
        axes = drawing.subplots()
    places = np.arange(len(data))
    axes.barh(places - 0.2, data["planned"], 0.36, color="#cccccc", edgecolor="black", linewidth=0.6, label="planned")
    axes.barh(places + 0.2, data["work"], 0.36, color=canvas.COLOURS[0], label="spent on work")
    axes.barh(
        places + 0.2, data["overhead"], 0.36, left=data["work"], color=canvas.COLOURS[1], hatch="//", edgecolor="white",
        label="start and imports",
    )  # fmt: skip
    axes.set_yticks(places, data["phase"])
    axes.set_ylim(len(data) - 0.45, -0.55)
    axes.set_xlabel("seconds")
    axes.grid(axis="x", color="#dddddd")
    axes.grid(visible=False, axis="y")
    drawing.legend(*axes.get_legend_handles_labels(), loc="outside upper center", frameon=False, ncols=3)
    known = data.dropna(subset=["attempts"])
    share = 1 - known["work"].sum() / known["attempts"].sum() if known["attempts"].sum() > 0 else np.nan
    planned, spent = data["planned"].sum(min_count=1), data["attempts"].fillna(data["work"]).sum()
    title = f"{share:.0%} of the runs' time was overhead" if np.isfinite(share) else "What the runs took"
    if np.isfinite(planned):
        title += f"; planned {planned:.0f} s, spent {spent:.0f} s"
    caption = "Overhead is a run's time from start to end less its notebook's own work. Sums over the runs of a phase."
    columns = ("planned", "work", "overhead")
    told = [
        f"{row['phase']}: " + join_words(f"{name} {canvas.seconds(row[name])}" for name in columns)
        for _, row in data.iterrows()
    ]
    return Figure("cost", drawing, data, title, caption, ". ".join(told) + ".")


def learning_curve(curves: list[dict] | pd.DataFrame, unit: str = "steps", per_step: float = 1) -> Figure:
    """The loss of each named curve over training, as logged and as a running mean. `curves` are a record's rows
    (name, step, loss; without a name they are one curve); `per_step` turns steps into another `unit`."""
    data = pd.DataFrame(curves, columns=["name", "step", "loss", "learning_rate"])
    data["name"], data["loss"] = data["name"].astype(object).fillna("training"), pd.to_numeric(data["loss"])
    data[unit] = data["step"] * per_step
    names = list(dict.fromkeys(data["name"]))
    drawing, panels = canvas.panels(names, lambda: 1.7)
    told = []
    for name, axes in panels.items():
        part = data[data["name"] == name].sort_values("step")
        window = max(1, len(part) // 20)
        smooth = part["loss"].rolling(window, min_periods=1, center=True).mean()
        axes.plot(part[unit], part["loss"], color=canvas.COLOURS[0], linewidth=0.8, alpha=0.35)
        axes.plot(part[unit], smooth, color=canvas.COLOURS[0], linewidth=2)
        axes.set_title(name)
        axes.xaxis.set_major_formatter(lambda value, _: short_size(round(value)) if value < 1e4 else f"{value:.3g}")
        if part[unit].max() >= 1e4:
            axes.xaxis.set_major_formatter(mpl.ticker.EngFormatter(sep=""))
        axes.xaxis.set_major_locator(mpl.ticker.MaxNLocator(4))
        if smooth.notna().any():
            first, last = smooth.dropna().iloc[[0, -1]]
            word = "falls" if last < first else "does not fall:"
            told.append(f"{name} {word} from {first:.2f} to {last:.2f} over {part[unit].max():,.0f} {unit}")
    drawing.supxlabel(unit, fontsize=10)
    drawing.supylabel("training loss (nats)", fontsize=10)
    title = f"The loss of {join_words(told)}" if told else "Nothing was trained"
    caption = f"Thin: as logged. Thick: running mean. n = {count_of(len(data), 'point')}."
    return Figure("learning-curve", drawing, data, title, caption, f"Training loss. {'. '.join(told)}.")
