"""The pictures of the analysis: fitted surfaces, exchange rates, gains over the grid, arms against targets, ranks,
perturbations, fits, and which cells are there. As in figures.py, each takes what the analysis found and returns a
Figure with its data, a title that says what they say, a caption with n, and a text in its place."""

from collections.abc import Iterable, Sequence

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure as Drawing
from matplotlib.patches import Rectangle
from scipy import stats

from xlt_utils import drawing as canvas
from xlt_utils import scaling
from xlt_utils.cells import short
from xlt_utils.drawing import Figure
from xlt_utils.laws import ALPHA, Law
from xlt_utils.proportional import Verdict
from xlt_utils.scaling import MEANS, number
from xlt_utils.surfaces import FORMS

MOST = 30  # rows of a picture that lists pairs of an arm and a target
SURE, UNSURE = canvas.COLOURS[0], "#8a8a8a"


def isoquants(laws: Sequence[Law], arm: str) -> Figure:
    """The fitted surfaces of one arm as lines of equal score over both sizes, the measured means as dots."""
    own = {law.target: law for law in laws if law.arm == arm}
    names = [name for name in canvas.targets(pd.DataFrame({"target": list(own)})) if name in own]
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
            setter(ticks.index, [short(rung) for rung in ticks])
        axes.grid(visible=False)
        axes.set_title(name)
        axes.set_xlabel(law.surface.form, fontsize=8.5, color=UNSURE)
    drawing.supxlabel("pretraining tokens P (logarithmic from the first rung)", fontsize=10)
    drawing.supylabel(f"{arm} examples I", fontsize=10)
    forms = pd.Series([own[name].surface.form for name in names]).value_counts()
    told = canvas.listed(f"{form} for {n}" for form, n in forms.items())
    rated = [name for name in names if any(not one.why for one in own[name].exchange)]
    title = f"After {arm}, {len(rated)} of {canvas.count(len(names), 'surface')} rise surely along both sizes"
    held = [own[name].surface.held_out.get(own[name].surface.form, np.nan) for name in names]
    known = [value for value in held if np.isfinite(value)]
    worst = f"; held-out errors up to {number(max(known))}" if known else "; no form could be held out"
    caption = (
        "Dots: measured zero-shot means; lines: equal scores of the fitted surface, the form that came closest to the "
        f"largest rungs, held out ({told}{worst}). Where a line runs steeply, examples hardly stand in for tokens. "
        f"n = {canvas.count(len(data), 'cell')}, {canvas.n_of(data['seeds'], 'seed')} each."
    )
    alt = f"Isoquants of {canvas.listed(names)} after {arm}. Forms: {told}. " + (
        f"Exchange rates exist for {canvas.listed(rated)}." if rated else "None has an exchange rate."
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
    listed = [pair for pair in pairs.itertuples(index=False, name=None) if len(pairs) <= MOST or pair in with_rate]
    shown = listed[:MOST]
    drawing, axes = _rows(len(shown))
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
    _name_rows(axes, [f"{target}\n{arm}" for arm, target in shown])
    axes.set_xlabel("pretraining tokens for one more intermediate example")
    if len(defined):
        drawing.legend(*axes.get_legend_handles_labels(), loc="outside upper center", frameon=False, ncols=2)
    else:
        axes.set_xticks([])
    title = f"{len(with_rate)} of {canvas.count(len(pairs), 'pair')} of a target and an arm have an exchange rate"
    centre = defined.loc[defined["place"] == "centre", "tokens"]
    if len(centre):
        ends = f"{centre.min():.3g} to {centre.max():.3g}" if len(centre) > 1 else f"{centre.iloc[0]:.3g}"
        title += f": {ends} tokens an example at the grid's centre"
    more = len(pairs) - len(shown)
    left = f" {more} more pairs are in the CSV alone." if more else ""
    caption = (
        "Ratio of the fitted surface's slopes, with 95 % intervals over seeds, languages, test examples and rival "
        f"forms. Not defined where a slope's interval includes 0. n = {canvas.count(len(defined), 'rate')}.{left}"
    )
    told = [
        f"{row.target} after {row.arm} at the {row.place} {row.tokens:.3g}" for row in defined.head(12).itertuples()
    ]
    alt = (
        f"Exchange rates in tokens an example: {canvas.listed(told) or 'none is defined'}; 0 of none shown is invented."
    )
    alt = f"Exchange rates in tokens an example: {canvas.listed(told) if told else 'none of 0 is defined'}."
    return Figure("exchange", drawing, table, title, caption, alt)


def gain_map(gains: pd.DataFrame, arm: str) -> Figure:
    """The gain over I = 0 at every P and I, a panel a target; `gains` is `laws.corrected(...)`. Starred: other than 0
    after Holm's correction."""
    data = gains[gains["arm"] == arm].drop(columns="arm")
    names = canvas.targets(data)
    drawing, panels = canvas.panels(names, lambda: 0.62 + 0.3 * data["examples"].nunique())
    most = _most(data["gain"].to_numpy(dtype=float))
    for name, axes in panels.items():
        part = data[data["target"] == name]
        table, holm = (
            part.pivot(index="examples", columns="tokens", values=column).sort_index(ascending=False)
            for column in ("gain", "holm")
        )
        with mpl.rc_context(canvas.STYLE):
            sns.heatmap(
                table, ax=axes, cmap="PuOr_r", vmin=-most, vmax=most, cbar=False, linewidths=1.2,
                xticklabels=False, yticklabels=False,
            )  # fmt: skip
        _write_gains(axes, table, holm, most)
        canvas.label_rungs(axes, table.columns, table.index)
        axes.set(title=name, xlabel="", ylabel="")
    drawing.supxlabel("pretraining tokens P", fontsize=10)
    drawing.supylabel(f"{arm} examples I", fontsize=10)
    own = data[~data["target"].isin(MEANS.values())].dropna(subset=["gain"])
    sure = own[own["holm"] < ALPHA]
    up = int((own["gain"] > 0).sum())
    title = f"{arm}: {up} of {canvas.count(len(own), 'gain')} are above 0, "
    title += (
        f"{len(sure)} told from 0 when corrected for their number" if own["p"].notna().any() else "none on two seeds"
    )
    caption = (
        "Zero-shot score minus that without intermediate training, paired by seed. Star: other than 0 at 5 % after "
        f"Holm's correction over all arms and single targets. Hatched: no pair. "
        f"n = {canvas.n_of(data['n'], 'seed')} a cell."
    )
    last = own[(own["tokens"] == own["tokens"].max()) & (own["examples"] == own["examples"].max())]
    told = canvas.listed(f"{row.target} {number(row.gain, '+')}" for row in last.itertuples())
    alt = f"Heat maps of the gain after {arm}; at the largest P and I: {told or 'nothing'}. {len(sure)} are starred."
    return Figure(canvas.file_name("gain-map", arm), drawing, data, title, caption, alt, arm)


def _most(gains: np.ndarray) -> float:
    """The end of a colour scale about 0."""
    return float(max(np.abs(gains[np.isfinite(gains)]), default=0.01)) or 0.01


def _write_gains(axes, table: pd.DataFrame, holm: pd.DataFrame, most: float) -> None:
    axes.grid(visible=False)
    for (row, column), gain in np.ndenumerate(table.to_numpy()):
        if not np.isfinite(gain):
            axes.add_patch(Rectangle((column, row), 1, 1, fill=False, **canvas.HATCHED, linewidth=0))
            continue
        star = "*" if holm.iloc[row, column] < ALPHA else ""
        text = f"{round(gain, 2) + 0.0:+.2f}{star}".replace("-", "−")
        colour = "white" if abs(gain) > 0.65 * most else "black"
        axes.text(column + 0.5, row + 0.5, text, ha="center", va="center", color=colour, fontsize=9)


def arms_by_targets(verdicts: Sequence[Verdict], arms: Sequence[str], controls: Sequence[str]) -> Figure:
    """Each arm's gain in each target at the largest I, a mean over P; in brackets where its interval includes 0."""
    found = {(one.arm, one.target): one.gain for one in verdicts}
    names = [arm for arm in [*arms, *controls] if any(key[0] == arm for key in found)]
    targets = canvas.targets(pd.DataFrame({"target": [target for _, target in found]}))
    rows = [
        {"arm": arm, "target": target, **vars(found[arm, target])}
        for arm in names for target in targets if (arm, target) in found
    ]  # fmt: skip
    data = pd.DataFrame(rows, columns=["arm", "target", "mean", "low", "high", "n"])
    with mpl.rc_context(canvas.STYLE):
        size = (canvas.WIDTH, 1.5 + 0.34 * max(1, len(names)))
        drawing = Drawing(figsize=size, layout="constrained")
        axes = drawing.subplots()
    table = data.pivot(index="arm", columns="target", values="mean").reindex(names, columns=targets)
    most = _most(table.to_numpy(dtype=float))
    if len(data):
        axes.pcolormesh(table, cmap="PuOr_r", vmin=-most, vmax=most, edgecolor="white", linewidth=1.2)
        axes.invert_yaxis()
    for (row, column), gain in np.ndenumerate(table.to_numpy()):
        one = found.get((names[row], targets[column]))
        if one is None or not one.n:
            axes.add_patch(Rectangle((column, row), 1, 1, fill=False, **canvas.HATCHED, linewidth=0))
            continue
        text = f"{round(gain, 2) + 0.0:+.2f}".replace("-", "−").replace("0.", ".", 1)
        text = text if one.excludes(0) else f"({text})"
        colour = "white" if abs(gain) > 0.65 * most else "black"
        axes.text(column + 0.5, row + 0.5, text, ha="center", va="center", fontsize=8, color=colour)
    axes.grid(visible=False)
    axes.tick_params(length=0)
    labels = [target.replace("mean of ", "mean:\n").replace(" targets", "") for target in targets]
    axes.set_xticks(np.arange(len(targets)) + 0.5, labels, rotation=45, ha="right", rotation_mode="anchor", fontsize=9)
    axes.set_yticks(np.arange(len(names)) + 0.5, [f"{arm} (control)" if arm in controls else arm for arm in names])
    own = data[~data["target"].isin(MEANS.values()) & ~data["arm"].isin(controls) & (data["n"] > 0)]
    up, down = int((own["low"] > 0).sum()), int((own["high"] < 0).sum())
    title = f"{up} of {canvas.count(len(own), 'gain')} of tasks are surely above 0, {down} below"
    title = title if own["low"].notna().any() else "One seed, so no gain is told from 0"
    caption = (
        "Gain over I = 0 at the largest I, a mean over the rungs of P that are whole; in brackets where the 95 % "
        f"interval includes 0. Controls last. n = {canvas.n_of(data['n'], 'seed')} a gain."
    )
    best = own.loc[own.groupby("target")["mean"].idxmax()] if len(own) else own
    told = canvas.listed(f"{row.target} {row.arm} ({number(row.mean, '+')})" for row in best.itertuples())
    size = f"{canvas.count(len(names), 'arm')} and {canvas.count(len(targets), 'target')}"
    alt = f"Matrix of {size}. Best arm by target: {told or 'none'}."
    return Figure("arms-by-targets", drawing, data, title, caption, alt)


def rank_stability(gains: pd.DataFrame, scores: pd.DataFrame) -> Figure:
    """Whether the order found at a smaller P is that at the largest: Kendall's tau by seed and target, of the arms by
    gain at the largest I; with fewer than three arms, of the languages by score without intermediate training."""
    arms = gains.loc[gains["examples"] == gains["examples"].max()]
    if arms["arm"].nunique() > 2:
        what, value, table = "arms by gain at the largest I", "gain", arms.rename(columns={"arm": "item"})
    else:
        rows, when = scaling.plain(scores[scores["language"] != "en"])
        what, value = f"languages by score {when}", "score"
        table = rows.rename(columns={"language": "item", "task": "target"})
    table = table[~table["target"].isin(MEANS.values())]
    data = pd.DataFrame(_taus(table, value), columns=["target", "seed", "tokens", "tau", "items"])
    names = canvas.targets(data)
    rungs = sorted(data["tokens"].unique())
    drawing, axes = _rows(len(names))
    colours = sns.color_palette("viridis", len(rungs) + 1)[: len(rungs)]
    for place, (rung, colour, marker) in enumerate(zip(rungs, colours, canvas.marks(rungs), strict=True)):
        part = data[data["tokens"] == rung]
        aside = 0.0 if len(rungs) < 2 else 0.5 * (place / (len(rungs) - 1) - 0.5)
        at = [names.index(target) + aside for target in part["target"]]
        axes.plot(part["tau"], at, linestyle="", marker=marker, markersize=3.5, color=colour, alpha=0.6)
        means = part.groupby("target")["tau"].mean().reindex(names)
        axes.plot(means, np.arange(len(names)) + aside, linestyle="", marker=marker, markersize=6.5, color=colour,
                  markeredgecolor="black", markeredgewidth=0.5, label=f"P = {short(rung)}")  # fmt: skip
    axes.axvline(0, color="black", linewidth=0.8, linestyle=":")
    axes.set_xlim(-1.08, 1.08)
    _name_rows(axes, names)
    axes.set_xlabel("Kendall's tau with the order at the largest P")
    if rungs:
        handles = axes.get_legend_handles_labels()
        drawing.legend(*handles, loc="outside upper center", frameon=False, ncols=min(4, len(rungs)))
    by_seed = data.groupby("seed")["tau"].mean()
    tau = scaling.t_interval(by_seed)
    title = f"There is no smaller P to compare the order of {what.split(' by')[0]} with"
    if tau.n:
        word = "agrees with" if tau.excludes(0) and tau.mean > 0 else "is not surely"
        title = (
            f"The order of {what.split(' by')[0]} at smaller P {word} that at the largest: tau {number(tau.mean, '+')}"
        )
    caption = (
        f"Order of {what}, compared with that of the same seed at the largest P: 1 is the same order, 0 chance. Large "
        f"marks are means over seeds. Mean over targets and rungs: tau {tau}. n = {canvas.count(len(data), 'pair')} of "
        f"orders of {canvas.n_of(data['items'], what.split(' by')[0][:-1])}."
    )
    means = data.groupby("target")["tau"].mean()
    told = canvas.listed(f"{name} {number(means[name], '+')}" for name in names)
    alt = f"Kendall's tau of {what}: {told or '0 pairs'}."
    return Figure("rank-stability", drawing, data, title, caption, alt)


def _taus(table: pd.DataFrame, value: str):
    last = table["tokens"].max()
    for (target, seed), part in table.groupby(["target", "seed"]):
        orders = part.pivot_table(index="item", columns="tokens", values=value)
        for rung in [rung for rung in orders if rung != last and last in orders]:
            both = orders[[rung, last]].dropna()
            tau = stats.kendalltau(both[rung], both[last]).statistic if len(both) > 2 else np.nan
            if np.isfinite(tau):
                yield target, seed, rung, tau, len(both)


def perturbation_losses(five: pd.DataFrame) -> Figure | None:
    """What perturbed test text costs at the smallest and at the largest P without intermediate training, by task;
    `five` is report_tables.five_numbers. None where no test was perturbed."""
    kinds = [column for column in five if column.startswith("loss, ")]
    rows, when = scaling.plain(five)
    data = rows.melt(["task", "tokens"], kinds, "perturbation", "loss").rename(columns={"task": "target"})
    data["perturbation"] = data["perturbation"].str.removeprefix("loss, ")
    data = data[data["tokens"].isin([data["tokens"].min(), data["tokens"].max()])].dropna(subset=["loss"])
    if data.empty:
        return None
    names, order = canvas.targets(data), list(dict.fromkeys(data["perturbation"]))
    rungs = sorted(data["tokens"].unique())
    drawing, panels = canvas.panels(names, lambda: 0.5 + 0.24 * len(order), sharex=True)
    for name, axes in panels.items():
        for rung, colour, marker in zip(rungs, canvas.COLOURS, "os", strict=False):
            part = data[(data["target"] == name) & (data["tokens"] == rung)].set_index("perturbation")["loss"]
            axes.plot(part.reindex(order), range(len(order)), linestyle="", marker=marker, color=colour,
                      label=f"P = {short(rung)}")  # fmt: skip
        axes.axvline(0, color="black", linewidth=0.8, linestyle=":")
        _name_rows(axes, order)
        axes.tick_params(labelbottom=True)
        axes.xaxis.set_major_locator(mpl.ticker.MaxNLocator(4))
        axes.set_title(name)
    canvas.shared_legend(drawing, panels)
    drawing.supxlabel("loss: clean minus perturbed (raw scale)", fontsize=10)
    means = data.groupby(["perturbation", "tokens"])["loss"].mean().unstack()
    worst = means[rungs[-1]].idxmax() if rungs[-1] in means and means[rungs[-1]].notna().any() else order[-1]
    ends = " to ".join(number(means.loc[worst, rung], "+") for rung in rungs)
    title = f"{worst} cost most, on average {ends}" + (
        f" from P = {short(rungs[0])} to {short(rungs[-1])}" * (len(rungs) > 1)
    )
    n = "1 loss" if len(data) == 1 else f"{len(data):,} losses"
    caption = (
        "Mean over the languages but English on clean text minus that on perturbed text, "
        f"{when}; means over all seeds. A score at chance has nothing to lose. n = {n}."
    )
    told = canvas.listed(f"{kind} {number(value, '+')}" for kind, value in means[rungs[-1]].items())
    alt = f"Mean loss by perturbation at P = {short(rungs[-1])}: {told}."
    return Figure("perturbations", drawing, data, title, caption, alt)


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
    _name_rows(right, [f"{form}\n(chosen {int((chosen == form).sum())})" for form in FORMS])
    right.set_xlabel("held-out error")
    right.set_xlim(left=0)
    right.grid(axis="x", color="#dddddd")
    miss = np.sqrt(((data["score"] - data["fitted"]).astype(float) ** 2).mean()) if len(data) else np.nan
    counts = chosen.value_counts()
    title = "No surface was fitted"
    if len(counts):
        title = f"{counts.index[0].capitalize()} is chosen for {counts.iloc[0]} of {canvas.count(len(laws), 'surface')}"
        title += f"; fits miss their cells by {number(miss)}"
    caption = (
        "Left: every cell of every target and arm, on the dotted line where the fit is exact. Right: root mean square "
        "error on the largest rungs of P, of I and of both, left out of the fit; bar: median. "
        f"n = {canvas.count(len(data), 'cell')}, {canvas.count(len(laws), 'fit')}."
    )
    told = canvas.listed(
        f"{form} {number(held[form].median())}" for form in FORMS if len(held) and held[form].notna().any()
    )
    alt = f"Median held-out error by form: {told or 'none of 0 fits'}. Root mean square residual {number(miss)}."
    return Figure("fits", drawing, data, title, caption, alt)


def effective_robustness(table: pd.DataFrame) -> Figure:
    """How far zero-shot scores lie above what English predicts, at each arm's largest I, with 95 % intervals."""
    data = table[table["examples"] == table.groupby("arm")["examples"].transform("max")]
    known = data[data["note"] == ""].astype({"effective": float, "low": float, "high": float}).reset_index(drop=True)
    shown = known.head(MOST)
    drawing, axes = _rows(len(shown))
    sure = (shown["low"] > 0) | (shown["high"] < 0)
    for rows, colour in ((shown[sure], SURE), (shown[~sure], UNSURE)):
        ends = np.abs(rows[["low", "high"]].to_numpy().T - rows["effective"].to_numpy())
        style = {"fmt": "o", "color": colour, "markersize": 5, "linewidth": 1.4, "capsize": 2}
        axes.errorbar(rows["effective"], rows.index, xerr=ends if np.isfinite(ends).all() else None, **style)
    axes.axvline(0, color="black", linewidth=0.8, linestyle=":")
    _name_rows(axes, [f"{row.target}\n{row.arm}" for row in shown.itertuples()])
    axes.set_xlabel("normalised score above the English–others line")
    whole = (known["low"] > 0) | (known["high"] < 0)
    up = int((whole & (known["effective"] > 0)).sum())
    title = f"{up} of {canvas.count(len(known), 'pair')} lie surely above the line, {int(whole.sum()) - up} below"
    title = title if len(known) else "No target has a line to compare with"
    left = f" {len(known) - len(shown)} more are in the CSV alone." if len(known) > len(shown) else ""
    none = (
        f" No line: {canvas.count(len(data) - len(known), 'pair')} (the reasons are in the CSV)."
        if len(data) > len(known)
        else ""
    )
    caption = (
        "Zero-shot score minus what the English score predicts by the runs without intermediate training (a line in "
        f"logits), at the largest I, a mean over P; grey: the 95 % interval includes 0. "
        f"n = {canvas.n_of(known['n'], 'seed')}.{left}{none}"
    )
    told = canvas.listed(
        f"{row.target} after {row.arm} {number(row.effective, '+')}" for row in shown.head(12).itertuples()
    )
    alt = f"Effective robustness: {told or '0 pairs'}."
    return Figure("effective-robustness", drawing, data, title, caption, alt)


def completeness(runs: pd.DataFrame, more: Iterable[dict] = ()) -> Figure:
    """How many seeds have all their targets at each place of the grid; `more` are the places of cells that are not
    there."""
    grid = scaling.places(runs, more)
    single = runs[~runs["target"].isin(MEANS.values())]
    done = single.dropna(subset=["zero_shot"]).groupby(scaling.PLACE)["target"].nunique().rename("targets")
    grid = grid.merge(done.reset_index(), how="left", on=scaling.PLACE).fillna({"targets": 0})
    grid["whole"] = grid["targets"] == single["target"].nunique()
    data = grid.groupby(["arm", "examples", "tokens"])["whole"].agg(seeds="sum", wanted="size").reset_index()
    table = data.pivot(index=["arm", "examples"], columns="tokens", values="seeds")
    wanted = data.pivot(index=["arm", "examples"], columns="tokens", values="wanted")
    drawing, axes = _rows(len(table), each=0.24)
    share = (table / wanted).to_numpy()
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1.4, aspect="auto")
    for (row, column), value in np.ndenumerate(share):
        if value == 0:
            box = Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, **canvas.HATCHED, linewidth=0)
            axes.add_patch(box)
        text = f"{table.iloc[row, column]} of {wanted.iloc[row, column]}"
        axes.text(column, row, text, ha="center", va="center", fontsize=8.5)
    axes.set_xticks(range(table.shape[1]), [short(rung) for rung in table.columns])
    axes.set_xlabel("pretraining tokens P")
    _name_rows(axes, [f"{arm}  {short(rung)}" if arm else "I = 0" for arm, rung in table.index])
    axes.tick_params(length=0)
    axes.grid(visible=False)
    whole, cells = int(grid["whole"].sum()), len(grid)
    title = "Every cell of the grid is there" if whole == cells else f"{cells - whole} of {cells} cells are not whole"
    caption = (
        "Seeds with all their targets in all languages, of those there should be; hatched: none. Rows: arm and I. "
        f"n = {canvas.count(cells, 'cell')} of the grid."
    )
    alt = f"{whole} of {cells} cells of the grid have all their {single['target'].nunique()} targets."
    return Figure("completeness", drawing, data, title, caption, alt)


def _rows(n: int, each: float = 0.36) -> tuple[Drawing, mpl.axes.Axes]:
    """One panel of `n` named rows."""
    with mpl.rc_context(canvas.STYLE):
        drawing = Drawing(figsize=(canvas.WIDTH, 1.0 + each * max(2, n)), layout="constrained")
        axes = drawing.subplots()
    axes.grid(visible=False, axis="y")
    axes.grid(axis="x", color="#dddddd")
    return drawing, axes


def _name_rows(axes, names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), names, fontsize=8.5)
    axes.set_ylim(len(names) - 0.4, -0.6)
