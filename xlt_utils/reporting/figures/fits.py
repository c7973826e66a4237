"""Figures of the fitted surfaces: isoquants over P and I, exchange rates with their CIs, and how well the surfaces fit.
Laws and their tables go in; each function returns a Figure whose title, caption and alt text are computed from them."""

import textwrap
from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

from xlt_utils.analysis.laws import Law
from xlt_utils.analysis.surface_forms import FORMS
from xlt_utils.formatting import count_of, join_words, number_text, three_digits
from xlt_utils.reporting.figures import canvas
from xlt_utils.reporting.figures.figure import STYLE, Figure, figure_name
from xlt_utils.reporting.house_style import COLOURS


def isoquants(laws: Sequence[Law], arm: str) -> Figure:
    """The fitted surfaces of one arm as lines of equal score over P and I, the measured means as dots."""
    law_by_target = {law.target: law for law in laws if law.arm == arm}
    targets = canvas.target_order(pd.Series(list(law_by_target)))
    data = _cell_table([law_by_target[target] for target in targets])
    drawing, panels = canvas.panels(targets, 1.75)
    low, high = canvas.score_limits(data["score"])
    for target, axes in panels.items():
        surface, rows = law_by_target[target].surface, data[data["target"] == target]
        places = [np.log1p(rows[name].astype(float) / unit) for name, unit in zip(SIZES, surface.scale, strict=True)]
        lines = [np.linspace(0, max(values.max(), 1e-9), 60) for values in places]
        tokens, examples = (unit * np.expm1(line) for unit, line in zip(surface.scale, lines, strict=True))
        fitted = 1 - surface.error(tokens[None], examples[:, None])
        if all(surface.axes) and np.ptp(fitted) > 1e-6:
            with mpl.rc_context(STYLE):
                contour = axes.contour(*lines, fitted, levels=6, cmap="viridis", vmin=low, vmax=high, linewidths=1.6)
                axes.clabel(contour, fmt=lambda score: number_text(float(score), digits=2), fontsize=8)
        axes.scatter(places[0], places[1], c=rows["score"], cmap="viridis", vmin=low, vmax=high, s=34,
                     edgecolor="black", linewidth=0.5, clip_on=False, zorder=3)  # fmt: skip
        for values, name, set_ticks in zip(places, SIZES, (axes.set_xticks, axes.set_yticks), strict=True):
            rungs = pd.Series(rows[name].to_numpy(), values.to_numpy()).groupby(level=0).first()
            set_ticks(rungs.index, canvas.rung_labels(rungs))
        axes.grid(visible=False)
        axes.set_title(target)
        axes.set_xlabel(surface.form, fontsize=8.5, color=canvas.UNCLEAR)
    drawing.supxlabel("pretraining tokens P (logarithmic from the first rung)", fontsize=10)
    drawing.supylabel(f"intermediate examples I ({arm})", fontsize=10)
    surfaces = [law_by_target[target].surface for target in targets]
    forms = join_words(f"{form} for {n}" for form, n in pd.Series([s.form for s in surfaces]).value_counts().items())
    with_rate = [target for target in targets if any(not rate.why for rate in law_by_target[target].exchange)]
    title = f"After {arm}, {len(with_rate)} of {count_of(len(targets), 'surface')} give an exchange rate"
    errors = pd.Series([surface.held_out.get(surface.form) for surface in surfaces], dtype=float).dropna()
    held_out = f"held-out errors up to {number_text(max(errors))}" if len(errors) else "no form could be held out"
    caption = (
        "Dots: measured zero-shot means. Lines: equal scores of the fitted surface, in the form with the smallest "
        f"error on the held-out largest rungs ({forms}; {held_out}). Where a line is steep, examples hardly replace "
        f"tokens. n = {count_of(len(data), 'cell')}, {canvas.range_of_counts(data['seeds'], 'seed')} each."
    )
    rates = f"Exchange rates exist for {join_words(with_rate)}." if with_rate else "None has an exchange rate."
    alt = f"Isoquants of {join_words(targets)} after {arm}. Forms: {forms}. {rates}"
    return Figure(figure_name("isoquants", arm), drawing, data, title, caption, alt, arm)


SIZES = ("tokens", "examples")


def _cell_table(laws: Sequence[Law]) -> pd.DataFrame:
    """The measured and the fitted score of each cell of some laws."""
    tables = [
        pd.DataFrame(
            {
                "arm": law.arm,
                "target": law.target,
                "tokens": law.sample.cells["tokens"],
                "examples": law.sample.cells["examples"],
                "score": law.sample.mean,
                "fitted": 1 - law.surface.error(law.sample.cells["tokens"], law.sample.cells["examples"]),
                "seeds": law.sample.cells["n"],
            }
        )
        for law in laws
    ]
    columns = ["arm", "target", *SIZES, "score", "fitted", "seeds"]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=columns)


def exchange_rates_by_pair(table: pd.DataFrame) -> Figure:
    """Exchange rates with their 95 % CIs on a logarithmic axis, a row per arm and target.

    Args:
        table: as `laws.exchange_table` gives it.
    """
    defined = table[table["why"] == ""]
    reasons = table.drop_duplicates(["arm", "target"]).set_index(["arm", "target"])["why"]
    pairs, with_rate = list(reasons.index), set(defined.set_index(["arm", "target"]).index)
    # a long list leaves out the pairs without a rate first
    listed = [pair for pair in pairs if len(pairs) <= canvas.MAX_ROWS or pair in with_rate]
    shown = listed[: canvas.MAX_ROWS]
    drawing, axes = canvas.named_rows([f"{target}\n{arm}" for arm, target in shown])
    styles = {"centre": ("o", canvas.CLEAR, -0.16), "largest rungs": ("s", COLOURS[1], 0.16)}
    for place, (marker, colour, shift) in styles.items():
        part = defined[defined["place"] == place].set_index(["arm", "target"])
        rows = part.reindex([pair for pair in shown if pair in part.index])
        places = [shown.index(pair) + shift for pair in rows.index]
        canvas.interval_marks(axes, rows, "tokens", places, marker, colour, f"at the {place}")
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 3), numticks=8))
    axes.xaxis.set_major_formatter(lambda rate, _: f"{rate:g}")
    axes.xaxis.set_minor_locator(NullLocator())
    low, high = (defined["low"].min(), defined["high"].max()) if len(defined) else (0.1, 10)
    axes.set_xlim(low / 1.5, high * 1.5)
    for row, pair in enumerate(shown):
        if pair not in with_rate:
            text = textwrap.fill(f"not defined: {reasons[pair].removesuffix(' (95 % CI)')}", 60)
            left_end = axes.get_yaxis_transform()
            axes.text(0.02, row, text, transform=left_end, va="center", color=canvas.UNCLEAR, fontsize=8.5)
    axes.set_xlabel("pretraining tokens for one more intermediate example")
    if len(defined):
        canvas.legend_above(drawing, axes)
    else:
        axes.set_xticks([])
    title = f"{len(with_rate)} of {count_of(len(pairs), 'pair')} of a target and an arm have an exchange rate"
    at_centre = defined.loc[defined["place"] == "centre", "tokens"]
    if len(at_centre):
        ends = " to ".join(dict.fromkeys(three_digits(rate) for rate in (at_centre.min(), at_centre.max())))
        title += f": {ends} tokens per example at the grid's centre"
    n_hidden = len(pairs) - len(shown)
    hidden = f" {n_hidden} more pairs are in the CSV alone." if n_hidden else ""
    caption = (
        "Ratio of the fitted surface's slopes, with 95 % CIs over seeds, languages, test examples and rival forms. "
        "Not defined where a slope's CI is not above 0, the fit is too coarse or ruled out, or the forms disagree. "
        f"n = {count_of(len(defined), 'rate')}.{hidden}"
    )
    by_pair = join_words(
        f"{row.target} after {row.arm} at the {row.place} {three_digits(row.tokens)}"
        for row in defined.head(12).itertuples()
    )
    alt = f"Exchange rates in tokens per example: {by_pair or 'none of 0 is defined'}."
    return Figure("exchange", drawing, table, title, caption, alt)


def fit_diagnostics(laws: Sequence[Law]) -> Figure:
    """Fitted against measured scores of all cells, and each form's error on the held-out largest rungs."""
    data = _cell_table(laws)
    errors = pd.DataFrame([law.surface.held_out for law in laws], columns=FORMS, dtype=float)
    chosen = pd.Series([law.surface.form for law in laws], dtype=object).value_counts()
    drawing, (left, right) = canvas.subplots(3.1, columns=2)
    ends = canvas.score_limits(pd.concat([data["score"], data["fitted"]]))
    left.plot(ends, ends, **canvas.DOTTED)
    left.plot(data["score"], data["fitted"], linestyle="", marker=".", markersize=4, alpha=0.5, color=canvas.CLEAR)
    left.set(xlabel="measured score", ylabel="fitted score")
    left.xaxis.set_major_locator(MaxNLocator(4))
    left.yaxis.set_major_locator(MaxNLocator(4))
    for row, form in enumerate(FORMS):
        values = errors[form].dropna().sort_values()
        places = row + np.linspace(-0.2, 0.2, len(values)) if len(values) > 1 else np.full(len(values), row)
        style = {"linestyle": "", "marker": ".", "markersize": 5, "alpha": 0.6, "color": COLOURS[1]}
        right.plot(values, places, **style)
        if len(values):
            right.plot(values.median(), row, marker="|", markersize=16, color="black", markeredgewidth=1.6)
    canvas.label_rows(right, [f"{form}\n(chosen {chosen.get(form, 0)})" for form in FORMS])
    right.set_xlabel("held-out error")
    right.set_xlim(left=0)
    right.grid(axis="x", color="#dddddd")
    residual = np.sqrt(((data["score"] - data["fitted"]).astype(float) ** 2).mean())
    title = "No surface was fitted"
    if len(chosen):
        title = f"{chosen.index[0].capitalize()} is chosen for {chosen.iloc[0]} of {count_of(len(laws), 'surface')}"
        title += f"; root mean square residual {number_text(residual)}"
    caption = (
        "Left: every cell of every target and arm, on the dotted line where the fit is exact. Right: root mean square "
        "error on the largest rungs of P, of I and of both, held out of the fit; bar: median. "
        f"n = {count_of(len(data), 'cell')}, {count_of(len(laws), 'fit')}."
    )
    medians = errors.median().dropna()
    by_form = join_words(f"{form} {number_text(medians[form])}" for form in medians.index)
    alt = f"Median held-out error by form: {by_form or 'none of 0 fits'}. "
    alt += f"Root mean square residual {number_text(residual)}."
    return Figure("fits", drawing, data, title, caption, alt)
