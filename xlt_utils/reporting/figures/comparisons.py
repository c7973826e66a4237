"""Figures that compare arms, targets and conditions: each arm's gain in each target, whether a small P ranks arms as
the largest does, what perturbed text costs, effective robustness. What the analysis computed goes in; each function
returns a Figure whose title, caption and alt text are computed from it."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator
from scipy import stats

from xlt_utils.analysis import transfer_scores
from xlt_utils.analysis.intervals import t_interval
from xlt_utils.analysis.proportionality import ProportionalityVerdict
from xlt_utils.formatting import count_of, join_words, number_text, short_size, verb_of
from xlt_utils.reporting.figures import canvas
from xlt_utils.reporting.figures.figure import Figure
from xlt_utils.reporting.house_style import COLOURS


def arms_by_targets(verdicts: Sequence[ProportionalityVerdict], arms: Sequence[str], controls: Sequence[str]) -> Figure:
    """Each arm's gain in each target at the largest I, a mean over P; in brackets where its 95 % CI includes 0.

    Args:
        verdicts: the gains, one per arm and target.
        arms: the intermediate arms, in the order of the rows.
        controls: the control arms, which come last and which the title does not count.
    """
    gains = {(verdict.arm, verdict.target): verdict.gain for verdict in verdicts}
    names = [arm for arm in [*arms, *controls] if any(arm == verdict.arm for verdict in verdicts)]
    targets = canvas.target_order(pd.Series([verdict.target for verdict in verdicts]))
    rows = [
        {"arm": arm, "target": target, **vars(gains[arm, target])}
        for arm in names for target in targets if (arm, target) in gains
    ]  # fmt: skip
    data = pd.DataFrame(rows, columns=["arm", "target", "mean", "low", "high", "n"])
    is_clear = (data["low"] > 0) | (data["high"] < 0)
    texts = [number_text(gain, "+", digits=2).replace("0.", ".", 1) for gain in data["mean"].to_numpy()]
    texts = [text if clear else f"({text})" for text, clear in zip(texts, is_clear, strict=True)]
    drawing, (axes,) = canvas.subplots(1.5 + 0.34 * max(1, len(names)))
    if len(data):
        table, cell_texts = (
            data.assign(text=texts).pivot(index="arm", columns="target", values=column).reindex(names, columns=targets)
            for column in ("mean", "text")
        )
        canvas.heat_map(axes, table, cell_texts, canvas.gain_limits(data["mean"]), diverging=True, size=8)
    labels = [target.replace("mean of ", "mean:\n").replace(" targets", "") for target in targets]
    canvas.label_cells(axes, labels, [f"{arm} (control)" if arm in controls else arm for arm in names])
    axes.set_xticks(axes.get_xticks(), labels, rotation=45, ha="right", rotation_mode="anchor", fontsize=9)
    counted = canvas.single_targets(data[~data["arm"].isin(controls) & (data["n"] > 0)])
    n_above, n_below = int((counted["low"] > 0).sum()), int((counted["high"] < 0).sum())
    title = "With one seed there is no CI, so no gain can be shown to differ from 0"
    if counted["low"].notna().any():
        has = verb_of(n_above, "has", "have")
        title = f"{n_above} of {count_of(len(counted), 'gain')} of tasks {has} a 95 % CI above 0, {n_below} below"
    caption = (
        "Gain over I = 0 at the largest I, a mean over the complete rungs of P; in brackets where the 95 % CI includes "
        "0, hatched where the target or the arm's own task was not learnt in English. Controls last. "
        f"n = {canvas.range_of_counts(data['n'], 'seed')} per gain."
    )
    best = counted.loc[counted.groupby("target")["mean"].idxmax()]
    by_target = join_words(f"{row.target} {number_text(row.mean, '+')} ({row.arm})" for row in best.itertuples())
    alt = (
        f"Matrix of {count_of(len(names), 'arm')} and {count_of(len(targets), 'target')}. "
        f"Largest mean gain by target: {by_target or 'none'}."
    )
    return Figure("arms-by-targets", drawing, data, title, caption, alt)


def rank_stability(gains: pd.DataFrame, scores: pd.DataFrame) -> Figure:
    """Whether a smaller P orders arms as the largest P does: Kendall's tau by seed and target, of the arms by gain at
    the largest I; with fewer than three arms, of the languages by score without intermediate training.

    Args:
        gains: as `gains.paired_gains` gives them.
        scores: as `transfer_scores.normalised_scores` gives them; those that count.
    """
    at_largest = gains.loc[gains["examples"] == gains.groupby("arm")["examples"].transform("max")]
    if at_largest.loc[at_largest["tokens"] == at_largest["tokens"].max(), "arm"].nunique() > 2:
        items, criterion, value = "arms", "gain at the largest I", "gain"
        table = at_largest.rename(columns={"arm": "item"})
    else:
        rows, condition = transfer_scores.without_intermediate(scores[scores["language"] != "en"])
        items, criterion, value = "languages", f"score {condition}", "score"
        table = rows.rename(columns={"language": "item", "task": "target"})
    taus = _taus_to_largest(canvas.single_targets(table), value)
    data = pd.DataFrame(taus, columns=["target", "seed", "tokens", "tau", "items"])
    targets, rungs = canvas.target_order(data["target"]), sorted(data["tokens"].unique())
    drawing, axes = canvas.named_rows(targets)
    for place, (rung, colour, marker) in enumerate(canvas.rung_styles(rungs)):
        rows = data[data["tokens"] == rung]
        shift = 0.0 if len(rungs) < 2 else 0.5 * (place / (len(rungs) - 1) - 0.5)
        places = [targets.index(target) + shift for target in rows["target"]]
        axes.plot(rows["tau"], places, linestyle="", marker=marker, markersize=3.5, color=colour, alpha=0.6)
        means = rows.groupby("target")["tau"].mean().reindex(targets)
        axes.plot(means, np.arange(len(targets)) + shift, linestyle="", marker=marker, markersize=6.5, color=colour,
                  markeredgecolor="black", markeredgewidth=0.5, label=f"P = {short_size(rung)}")  # fmt: skip
    axes.axvline(0, **canvas.DOTTED)
    axes.set_xlim(-1.08, 1.08)
    axes.set_xlabel("Kendall's tau with the order at the largest P")
    canvas.legend_above(drawing, axes)
    tau = t_interval(data.groupby("seed")["tau"].mean())
    title = f"There is no smaller P to compare the order of {items} with"
    if tau.n:
        title = f"Order of {items} at smaller P and at the largest: tau {tau}"
    caption = (
        f"Order of {items} by {criterion}, compared with that of the same seed at the largest P: 1 is the same order, "
        f"0 chance. Large marks are means over seeds; the title's is over targets and rungs too. "
        f"n = {count_of(len(data), 'pair')} of orders of {canvas.range_of_counts(data['items'], items[:-1])}."
    )
    means = data.groupby("target")["tau"].mean()
    by_target = join_words(f"{target} {number_text(means[target], '+')}" for target in targets)
    alt = f"Kendall's tau of {items} by {criterion}: {by_target or '0 pairs'}."
    return Figure("rank-stability", drawing, data, title, caption, alt)


def _taus_to_largest(table: pd.DataFrame, value: str) -> Iterator[tuple]:
    """Target, seed, rung of P, Kendall's tau between the items' orders there and at the largest P, number of items."""
    largest = table["tokens"].max()
    for (target, seed), part in table.groupby(["target", "seed"]):
        values = part.pivot_table(index="item", columns="tokens", values=value)
        if largest not in values:
            continue
        for rung in values.columns.drop(largest):
            pairs = values[[rung, largest]].dropna()
            tau = stats.kendalltau(pairs[rung], pairs[largest]).statistic if len(pairs) > 2 else np.nan
            if np.isfinite(tau):
                yield target, seed, rung, tau, len(pairs)


def perturbation_losses(robustness: pd.DataFrame) -> Figure | None:
    """What perturbed test text costs at the smallest and at the largest P without intermediate training, by task.

    Args:
        robustness: as `tables.robustness_table` gives it.

    Returns:
        None where no test was perturbed.
    """
    kinds = [column for column in robustness if column.startswith("loss, ")]
    rows, condition = transfer_scores.without_intermediate(robustness)
    data = rows.melt(["task", "tokens"], kinds, "perturbation", "loss").rename(columns={"task": "target"})
    data["perturbation"] = data["perturbation"].str.removeprefix("loss, ")
    data = data[data["tokens"].isin([data["tokens"].min(), data["tokens"].max()])].dropna(subset=["loss"])
    if data.empty:
        return None
    targets, rungs = canvas.target_order(data["target"]), sorted(data["tokens"].unique())
    perturbations = list(data["perturbation"].unique())
    drawing, panels = canvas.panels(targets, 0.5 + 0.24 * len(perturbations), sharex=True)
    for target, axes in panels.items():
        for rung, colour, marker in zip(rungs, COLOURS, "os", strict=False):
            rows = data[(data["target"] == target) & (data["tokens"] == rung)]
            losses = rows.set_index("perturbation")["loss"].reindex(perturbations)
            axes.plot(losses, range(len(perturbations)), linestyle="", marker=marker, color=colour,
                      label=f"P = {short_size(rung)}")  # fmt: skip
        axes.axvline(0, **canvas.DOTTED)
        canvas.label_rows(axes, perturbations)
        axes.tick_params(labelbottom=True)
        axes.xaxis.set_major_locator(MaxNLocator(4))
        axes.set_title(target)
    canvas.shared_legend(drawing, panels)
    drawing.supxlabel("loss: clean minus perturbed (raw scale)", fontsize=10)
    means = data.groupby(["perturbation", "tokens"])["loss"].mean().unstack()
    at_largest = means[rungs[-1]].sort_values(ascending=False, kind="stable")
    by_perturbation = [f"{kind} {number_text(loss, '+')}" for kind, loss in at_largest.items()]
    title = f"Mean loss at P = {short_size(rungs[-1])}: {join_words(by_perturbation[:4])}"
    title += f", {len(by_perturbation) - 4} more smaller" if len(by_perturbation) > 4 else ""
    n_losses = "1 loss" if len(data) == 1 else f"{len(data):,} losses"
    caption = (
        "Mean over the non-English languages on clean text minus that on perturbed text, "
        f"{condition}; means over all seeds. A score at its zero point has nothing to lose. n = {n_losses}."
    )
    alt = f"Mean loss by perturbation at P = {short_size(rungs[-1])}: {join_words(by_perturbation)}."
    return Figure("perturbations", drawing, data, title, caption, alt)


def effective_robustness_by_pair(table: pd.DataFrame) -> Figure:
    """How far zero-shot scores lie above what English predicts, at each arm's largest I, with 95 % CIs.

    Args:
        table: as `effective_robustness.effective_robustness_table` gives it.
    """
    data = table[table["examples"] == table.groupby("arm")["examples"].transform("max")]
    with_line = data[data["note"] == ""]
    with_line = with_line.astype({"effective": float, "low": float, "high": float}).reset_index(drop=True)
    shown = with_line.head(canvas.MAX_ROWS)
    drawing, axes = canvas.named_rows([f"{row.target}\n{row.arm}" for row in shown.itertuples()])
    is_above, is_below = with_line["low"] > 0, with_line["high"] < 0
    is_clear = (is_above | is_below)[shown.index]
    for rows, colour in ((shown[is_clear], canvas.CLEAR), (shown[~is_clear], canvas.UNCLEAR)):
        canvas.interval_marks(axes, rows, "effective", rows.index, "o", colour)
    axes.axvline(0, **canvas.DOTTED)
    axes.set_xlabel("normalised score above the English–others line")
    title = "No target has a line to compare with"
    if len(with_line):
        has = verb_of(is_above.sum(), "has", "have")
        title = f"{is_above.sum()} of {count_of(len(with_line), 'pair')} {has} a 95 % CI above the line, "
        title += f"{is_below.sum()} below"
    n_hidden, n_without = len(with_line) - len(shown), len(data) - len(with_line)
    hidden = f" {n_hidden} more are in the CSV alone." if n_hidden else ""
    without = f" No line: {count_of(n_without, 'pair')} (the reasons are in the CSV)." if n_without else ""
    caption = (
        "Zero-shot score minus what the English score predicts from the runs without intermediate training (a line in "
        f"logits), at the largest I, a mean over P; grey: the 95 % CI includes 0. "
        f"n = {canvas.range_of_counts(with_line['n'], 'seed')}.{hidden}{without}"
    )
    by_pair = join_words(
        f"{row.target} after {row.arm} {number_text(row.effective, '+')}" for row in shown.head(12).itertuples()
    )
    alt = f"Effective robustness: {by_pair or '0 pairs'}."
    return Figure("effective-robustness", drawing, data, title, caption, alt)
