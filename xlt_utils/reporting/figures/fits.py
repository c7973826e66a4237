"""The pictures of the analysis: fitted surfaces, exchange rates, gains over the grid, arms against targets, ranks,
perturbations, fits, and which cells are there. As in figures.py, each takes what the analysis found and returns a
Figure with its data, a title that says what they say, a caption with n, and a text in its place."""

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure as Drawing

from xlt_utils.analysis.exchange_rates import Law
from xlt_utils.analysis.surfaces import FORMS
from xlt_utils.formatting import count_of, join_words, number, short_size
from xlt_utils.reporting.figures import canvas
from xlt_utils.reporting.figures.canvas import MOST_ROWS, SURE, UNSURE, Figure, name_rows, row_axes


def isoquants(laws: Sequence[Law], arm: str) -> Figure:
    """The fitted surfaces of one arm as lines of equal score over both sizes, the measured means as dots."""
    own = {law.target: law for law in laws if law.arm == arm}
    names = [name for name in canvas.target_order(pd.DataFrame({"target": list(own)})) if name in own]
    data = pd.concat([_cells(own[name]) for name in names], ignore_index=True) if names else _cells(None)
    drawing, panels = canvas.panels(names, lambda: 1.75)
    low, high = canvas.limits(data["score"])
    for name, axes in panels.items():
        law, part = own[name], data[data["target"] == name]
        at = [_logs(part[column], unit) for column, unit in zip(("tokens", "examples"), law.surface.scale, strict=True)]
        lines = [np.linspace(0, max(axis.max(), 1e-9), 60) for axis in at]
        sizes = [unit * np.expm1(line) for unit, line in zip(law.surface.scale, lines, strict=True)]
        fitted = 1 - law.surface.error(sizes[0][None], sizes[1][:, None])
        if all(law.surface.axes) and np.ptp(fitted) > 1e-6:
            with mpl.rc_context(canvas.STYLE):
                drawn = axes.contour(*lines, fitted, levels=6, cmap="viridis", vmin=low, vmax=high, linewidths=1.6)
                axes.clabel(drawn, fmt=lambda value: f"{value + 0.0:.2f}".replace("-", "−"), fontsize=8)
        dots = {"cmap": "viridis", "vmin": low, "vmax": high, "s": 34, "edgecolor": "black", "linewidth": 0.5}
        axes.scatter(*at, c=part["score"], clip_on=False, zorder=3, **dots)
        for place, size, setter in zip(at, ("tokens", "examples"), (axes.set_xticks, axes.set_yticks), strict=True):
            ticks = pd.Series(part[size].to_numpy(), place.to_numpy()).groupby(level=0).first()
            setter(ticks.index, [short_size(rung) for rung in ticks])
        axes.grid(visible=False)
        axes.set_title(name)
        axes.set_xlabel(law.surface.form, fontsize=8.5, color=UNSURE)
    drawing.supxlabel("pretraining tokens P (logarithmic from the first rung)", fontsize=10)
    drawing.supylabel(f"{arm} examples I", fontsize=10)
    forms = pd.Series([own[name].surface.form for name in names]).value_counts()
    told = join_words(f"{form} for {n}" for form, n in forms.items())
    rated = [name for name in names if any(not one.why for one in own[name].exchange)]
    title = f"After {arm}, {len(rated)} of {count_of(len(names), 'surface')} rise surely along both sizes"
    held = [own[name].surface.held_out.get(own[name].surface.form, np.nan) for name in names]
    known = [value for value in held if np.isfinite(value)]
    worst = f"; held-out errors up to {number(max(known))}" if known else "; no form could be held out"
    caption = (
        "Dots: measured zero-shot means; lines: equal scores of the fitted surface, the form that came closest to the "
        f"largest rungs, held out ({told}{worst}). Where a line runs steeply, examples hardly stand in for tokens. "
        f"n = {count_of(len(data), 'cell')}, {canvas.n_of(data['seeds'], 'seed')} each."
    )
    alt = f"Isoquants of {join_words(names)} after {arm}. Forms: {told}. " + (
        f"Exchange rates exist for {join_words(rated)}." if rated else "None has an exchange rate."
    )
    return Figure(canvas.file_name("isoquants", arm), drawing, data, title, caption, alt, arm)


def _cells(law: Law | None) -> pd.DataFrame:
    """The measured and the fitted score of each cell of a law."""
    if law is None:
        return pd.DataFrame(columns=["arm", "target", "tokens", "examples", "score", "fitted", "seeds"])
    cells = law.sample.cells
    fitted = 1 - law.surface.error(cells["tokens"], cells["examples"])
    columns = {"arm": law.arm, "target": law.target, "tokens": cells["tokens"], "examples": cells["examples"]}
    return pd.DataFrame(columns | {"score": law.sample.mean, "fitted": fitted, "seeds": cells["n"]})


def _logs(sizes: pd.Series, unit: float) -> pd.Series:
    return np.log1p(sizes.astype(float) / unit)


def exchange_rates(table: pd.DataFrame) -> Figure:
    """The rates of `laws.exchange_table`, a row an arm and target, with their intervals on a logarithmic axis."""
    defined = table[table["why"] == ""]
    pairs = table[["arm", "target"]].drop_duplicates()
    with_rate = set(defined[["arm", "target"]].itertuples(index=False, name=None))
    listed = [pair for pair in pairs.itertuples(index=False, name=None) if len(pairs) <= MOST_ROWS or pair in with_rate]
    shown = listed[:MOST_ROWS]
    drawing, axes = row_axes(len(shown))
    styles = {"centre": ("o", SURE, -0.16), "largest rungs": ("s", canvas.COLOURS[1], 0.16)}
    for place, (marker, colour, aside) in styles.items():
        part = defined[defined["place"] == place].set_index(["arm", "target"])
        at = [row for row, pair in enumerate(shown) if pair in part.index]
        rows = part.loc[[shown[row] for row in at]] if at else part.iloc[:0]
        ends = np.abs(rows[["low", "high"]].to_numpy().T - rows["tokens"].to_numpy())
        style = {"fmt": marker, "color": colour, "markersize": 5, "linewidth": 1.4, "capsize": 2}
        axes.errorbar(rows["tokens"], np.array(at) + aside, xerr=ends, label=f"at the {place}", **style)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(mpl.ticker.LogLocator(subs=(1, 3), numticks=8))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.xaxis.set_minor_locator(mpl.ticker.NullLocator())
    known = defined[["low", "high"]].to_numpy() if len(defined) else np.array([0.1, 10])
    axes.set_xlim(known.min() / 1.5, known.max() * 1.5)
    reasons = table.drop_duplicates(["arm", "target"]).set_index(["arm", "target"])["why"]
    for row, pair in enumerate(shown):
        if pair not in with_rate:
            why = f"not defined: {reasons[pair].removesuffix(' (95 % interval)')}"
            axes.text(0.02, row, why, transform=axes.get_yaxis_transform(), va="center", color=UNSURE, fontsize=8.5)
    name_rows(axes, [f"{target}\n{arm}" for arm, target in shown])
    axes.set_xlabel("pretraining tokens for one more intermediate example")
    if len(defined):
        drawing.legend(*axes.get_legend_handles_labels(), loc="outside upper center", frameon=False, ncols=2)
    else:
        axes.set_xticks([])
    title = f"{len(with_rate)} of {count_of(len(pairs), 'pair')} of a target and an arm have an exchange rate"
    centre = defined.loc[defined["place"] == "centre", "tokens"]
    if len(centre):
        ends = f"{centre.min():.3g} to {centre.max():.3g}" if len(centre) > 1 else f"{centre.iloc[0]:.3g}"
        title += f": {ends} tokens an example at the grid's centre"
    more = len(pairs) - len(shown)
    left = f" {more} more pairs are in the CSV alone." if more else ""
    caption = (
        "Ratio of the fitted surface's slopes, with 95 % intervals over seeds, languages, test examples and rival "
        f"forms. Not defined where a slope's interval includes 0. n = {count_of(len(defined), 'rate')}.{left}"
    )
    told = [
        f"{row.target} after {row.arm} at the {row.place} {row.tokens:.3g}" for row in defined.head(12).itertuples()
    ]
    alt = f"Exchange rates in tokens an example: {join_words(told) or 'none is defined'}; 0 of none shown is invented."
    alt = f"Exchange rates in tokens an example: {join_words(told) if told else 'none of 0 is defined'}."
    return Figure("exchange", drawing, table, title, caption, alt)


def fit_diagnostics(laws: Sequence[Law]) -> Figure:
    """Fitted against measured scores of all cells, and each form's error on the largest rungs, held out."""
    data = pd.concat([_cells(law) for law in laws], ignore_index=True) if laws else _cells(None)
    held = pd.DataFrame([law.surface.held_out for law in laws]).reindex(columns=FORMS)
    chosen = pd.Series([law.surface.form for law in laws], dtype=object)
    with mpl.rc_context(canvas.STYLE):
        drawing = Drawing(figsize=(canvas.WIDTH, 3.1), layout="constrained")
        left, right = drawing.subplots(1, 2)
    ends = canvas.limits(pd.concat([data["score"], data["fitted"]]))
    left.plot(ends, ends, color="black", linewidth=0.8, linestyle=":")
    left.plot(data["score"], data["fitted"], linestyle="", marker=".", markersize=4, alpha=0.5, color=SURE)
    left.set(xlabel="measured score", ylabel="fitted score")
    left.xaxis.set_major_locator(mpl.ticker.MaxNLocator(4))
    left.yaxis.set_major_locator(mpl.ticker.MaxNLocator(4))
    for place, form in enumerate(FORMS):
        values = held[form].dropna() if len(held) else pd.Series(dtype=float)
        aside = place + np.linspace(-0.2, 0.2, len(values)) if len(values) > 1 else np.full(len(values), place)
        right.plot(
            values.sort_values(), aside, linestyle="", marker=".", markersize=5, alpha=0.6, color=canvas.COLOURS[1]
        )
        if len(values):
            right.plot(values.median(), place, marker="|", markersize=16, color="black", markeredgewidth=1.6)
    name_rows(right, [f"{form}\n(chosen {int((chosen == form).sum())})" for form in FORMS])
    right.set_xlabel("held-out error")
    right.set_xlim(left=0)
    right.grid(axis="x", color="#dddddd")
    miss = np.sqrt(((data["score"] - data["fitted"]).astype(float) ** 2).mean()) if len(data) else np.nan
    counts = chosen.value_counts()
    title = "No surface was fitted"
    if len(counts):
        title = f"{counts.index[0].capitalize()} is chosen for {counts.iloc[0]} of {count_of(len(laws), 'surface')}"
        title += f"; fits miss their cells by {number(miss)}"
    caption = (
        "Left: every cell of every target and arm, on the dotted line where the fit is exact. Right: root mean square "
        "error on the largest rungs of P, of I and of both, left out of the fit; bar: median. "
        f"n = {count_of(len(data), 'cell')}, {count_of(len(laws), 'fit')}."
    )
    told = join_words(
        f"{form} {number(held[form].median())}" for form in FORMS if len(held) and held[form].notna().any()
    )
    alt = f"Median held-out error by form: {told or 'none of 0 fits'}. Root mean square residual {number(miss)}."
    return Figure("fits", drawing, data, title, caption, alt)
