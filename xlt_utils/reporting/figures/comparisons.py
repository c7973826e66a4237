"""Figures that compare arms, targets and conditions: gains of each arm in each target, whether a small P ranks the arms
as the largest does, what perturbed text costs, effective robustness."""

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure as Drawing
from matplotlib.patches import Rectangle
from scipy import stats

from xlt_utils.analysis import transfer_scores
from xlt_utils.analysis.intervals import t_interval
from xlt_utils.analysis.proportionality import Verdict
from xlt_utils.analysis.transfer_scores import MEANS
from xlt_utils.formatting import count_of, join_words, number, short_size
from xlt_utils.reporting.figures import canvas
from xlt_utils.reporting.figures.canvas import MOST_ROWS, SURE, UNSURE, Figure, colour_limit, name_rows, row_axes


def arms_by_targets(verdicts: Sequence[Verdict], arms: Sequence[str], controls: Sequence[str]) -> Figure:
    """Each arm's gain in each target at the largest I, a mean over P; in brackets where its interval includes 0."""
    found = {(one.arm, one.target): one.gain for one in verdicts}
    names = [arm for arm in [*arms, *controls] if any(key[0] == arm for key in found)]
    targets = canvas.target_order(pd.DataFrame({"target": [target for _, target in found]}))
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
    most = colour_limit(table.to_numpy(dtype=float))
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
    title = f"{up} of {count_of(len(own), 'gain')} of tasks are surely above 0, {down} below"
    title = title if own["low"].notna().any() else "One seed, so no gain is told from 0"
    caption = (
        "Gain over I = 0 at the largest I, a mean over the rungs of P that are whole; in brackets where the 95 % "
        f"interval includes 0. Controls last. n = {canvas.n_of(data['n'], 'seed')} a gain."
    )
    best = own.loc[own.groupby("target")["mean"].idxmax()] if len(own) else own
    told = join_words(f"{row.target} {row.arm} ({number(row.mean, '+')})" for row in best.itertuples())
    size = f"{count_of(len(names), 'arm')} and {count_of(len(targets), 'target')}"
    alt = f"Matrix of {size}. Best arm by target: {told or 'none'}."
    return Figure("arms-by-targets", drawing, data, title, caption, alt)


def rank_stability(gains: pd.DataFrame, scores: pd.DataFrame) -> Figure:
    """Whether the order found at a smaller P is that at the largest: Kendall's tau by seed and target, of the arms by
    gain at the largest I; with fewer than three arms, of the languages by score without intermediate training."""
    arms = gains.loc[gains["examples"] == gains["examples"].max()]
    if arms["arm"].nunique() > 2:
        what, value, table = "arms by gain at the largest I", "gain", arms.rename(columns={"arm": "item"})
    else:
        rows, when = transfer_scores.without_intermediate(scores[scores["language"] != "en"])
        what, value = f"languages by score {when}", "score"
        table = rows.rename(columns={"language": "item", "task": "target"})
    table = table[~table["target"].isin(MEANS.values())]
    data = pd.DataFrame(_taus(table, value), columns=["target", "seed", "tokens", "tau", "items"])
    names = canvas.target_order(data)
    rungs = sorted(data["tokens"].unique())
    drawing, axes = row_axes(len(names))
    colours = sns.color_palette("viridis", len(rungs) + 1)[: len(rungs)]
    for place, (rung, colour, marker) in enumerate(zip(rungs, colours, canvas.marks(rungs), strict=True)):
        part = data[data["tokens"] == rung]
        aside = 0.0 if len(rungs) < 2 else 0.5 * (place / (len(rungs) - 1) - 0.5)
        at = [names.index(target) + aside for target in part["target"]]
        axes.plot(part["tau"], at, linestyle="", marker=marker, markersize=3.5, color=colour, alpha=0.6)
        means = part.groupby("target")["tau"].mean().reindex(names)
        axes.plot(means, np.arange(len(names)) + aside, linestyle="", marker=marker, markersize=6.5, color=colour,
                  markeredgecolor="black", markeredgewidth=0.5, label=f"P = {short_size(rung)}")  # fmt: skip
    axes.axvline(0, color="black", linewidth=0.8, linestyle=":")
    axes.set_xlim(-1.08, 1.08)
    name_rows(axes, names)
    axes.set_xlabel("Kendall's tau with the order at the largest P")
    if rungs:
        handles = axes.get_legend_handles_labels()
        drawing.legend(*handles, loc="outside upper center", frameon=False, ncols=min(4, len(rungs)))
    by_seed = data.groupby("seed")["tau"].mean()
    tau = t_interval(by_seed)
    title = f"There is no smaller P to compare the order of {what.split(' by')[0]} with"
    if tau.n:
        word = "agrees with" if tau.excludes(0) and tau.mean > 0 else "is not surely"
        title = (
            f"The order of {what.split(' by')[0]} at smaller P {word} that at the largest: tau {number(tau.mean, '+')}"
        )
    caption = (
        f"Order of {what}, compared with that of the same seed at the largest P: 1 is the same order, 0 chance. Large "
        f"marks are means over seeds. Mean over targets and rungs: tau {tau}. n = {count_of(len(data), 'pair')} of "
        f"orders of {canvas.n_of(data['items'], what.split(' by')[0][:-1])}."
    )
    means = data.groupby("target")["tau"].mean()
    told = join_words(f"{name} {number(means[name], '+')}" for name in names)
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
    rows, when = transfer_scores.without_intermediate(five)
    data = rows.melt(["task", "tokens"], kinds, "perturbation", "loss").rename(columns={"task": "target"})
    data["perturbation"] = data["perturbation"].str.removeprefix("loss, ")
    data = data[data["tokens"].isin([data["tokens"].min(), data["tokens"].max()])].dropna(subset=["loss"])
    if data.empty:
        return None
    names, order = canvas.target_order(data), list(dict.fromkeys(data["perturbation"]))
    rungs = sorted(data["tokens"].unique())
    drawing, panels = canvas.panels(names, lambda: 0.5 + 0.24 * len(order), sharex=True)
    for name, axes in panels.items():
        for rung, colour, marker in zip(rungs, canvas.COLOURS, "os", strict=False):
            part = data[(data["target"] == name) & (data["tokens"] == rung)].set_index("perturbation")["loss"]
            axes.plot(part.reindex(order), range(len(order)), linestyle="", marker=marker, color=colour,
                      label=f"P = {short_size(rung)}")  # fmt: skip
        axes.axvline(0, color="black", linewidth=0.8, linestyle=":")
        name_rows(axes, order)
        axes.tick_params(labelbottom=True)
        axes.xaxis.set_major_locator(mpl.ticker.MaxNLocator(4))
        axes.set_title(name)
    canvas.shared_legend(drawing, panels)
    drawing.supxlabel("loss: clean minus perturbed (raw scale)", fontsize=10)
    means = data.groupby(["perturbation", "tokens"])["loss"].mean().unstack()
    worst = means[rungs[-1]].idxmax() if rungs[-1] in means and means[rungs[-1]].notna().any() else order[-1]
    ends = " to ".join(number(means.loc[worst, rung], "+") for rung in rungs)
    title = f"{worst} cost most, on average {ends}" + (
        f" from P = {short_size(rungs[0])} to {short_size(rungs[-1])}" * (len(rungs) > 1)
    )
    n = "1 loss" if len(data) == 1 else f"{len(data):,} losses"
    caption = (
        "Mean over the languages but English on clean text minus that on perturbed text, "
        f"{when}; means over all seeds. A score at chance has nothing to lose. n = {n}."
    )
    told = join_words(f"{kind} {number(value, '+')}" for kind, value in means[rungs[-1]].items())
    alt = f"Mean loss by perturbation at P = {short_size(rungs[-1])}: {told}."
    return Figure("perturbations", drawing, data, title, caption, alt)


def effective_robustness(table: pd.DataFrame) -> Figure:
    """How far zero-shot scores lie above what English predicts, at each arm's largest I, with 95 % intervals."""
    data = table[table["examples"] == table.groupby("arm")["examples"].transform("max")]
    known = data[data["note"] == ""].astype({"effective": float, "low": float, "high": float}).reset_index(drop=True)
    shown = known.head(MOST_ROWS)
    drawing, axes = row_axes(len(shown))
    sure = (shown["low"] > 0) | (shown["high"] < 0)
    for rows, colour in ((shown[sure], SURE), (shown[~sure], UNSURE)):
        ends = np.abs(rows[["low", "high"]].to_numpy().T - rows["effective"].to_numpy())
        style = {"fmt": "o", "color": colour, "markersize": 5, "linewidth": 1.4, "capsize": 2}
        axes.errorbar(rows["effective"], rows.index, xerr=ends if np.isfinite(ends).all() else None, **style)
    axes.axvline(0, color="black", linewidth=0.8, linestyle=":")
    name_rows(axes, [f"{row.target}\n{row.arm}" for row in shown.itertuples()])
    axes.set_xlabel("normalised score above the English–others line")
    whole = (known["low"] > 0) | (known["high"] < 0)
    up = int((whole & (known["effective"] > 0)).sum())
    title = f"{up} of {count_of(len(known), 'pair')} lie surely above the line, {int(whole.sum()) - up} below"
    title = title if len(known) else "No target has a line to compare with"
    left = f" {len(known) - len(shown)} more are in the CSV alone." if len(known) > len(shown) else ""
    none = (
        f" No line: {count_of(len(data) - len(known), 'pair')} (the reasons are in the CSV)."
        if len(data) > len(known)
        else ""
    )
    caption = (
        "Zero-shot score minus what the English score predicts by the runs without intermediate training (a line in "
        f"logits), at the largest I, a mean over P; grey: the 95 % interval includes 0. "
        f"n = {canvas.n_of(known['n'], 'seed')}.{left}{none}"
    )
    told = join_words(
        f"{row.target} after {row.arm} {number(row.effective, '+')}" for row in shown.head(12).itertuples()
    )
    alt = f"Effective robustness: {told or '0 pairs'}."
    return Figure("effective-robustness", drawing, data, title, caption, alt)
