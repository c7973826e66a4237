"""Figures by language: the transfer gap over P, scores of every language in every target, the scores of one run."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns

from xlt_utils.analysis import transfer_scores
from xlt_utils.data.tasks import TASKS
from xlt_utils.formatting import count_of, join_words, number, short_size
from xlt_utils.reporting.figures import canvas
from xlt_utils.reporting.figures.canvas import Figure


def transfer_gap(scores: pd.DataFrame, distances: dict[str, float] | None = None) -> Figure:
    """English score minus each language's, without intermediate training, by rung of P; the languages
    stand by their distance to English where `distances` knows it. Tasks without an English test are left out."""
    part, when = transfer_scores.without_intermediate(scores[scores["group"] == "trained"])
    english = part.loc[part["language"] == "en", ["seed", "tokens", "task", "score"]]
    both = part[part["language"] != "en"].merge(english, on=["seed", "tokens", "task"], suffixes=("", "_english"))
    both["gap"] = both["score_english"] - both["score"]
    data = both[["task", "language", "tokens", "seed", "gap"]].rename(columns={"task": "target"})
    seeds = scores["seed"].nunique()
    targets = [name for name in TASKS if name in set(data["target"])]
    order = canvas.language_order(data["language"], distances)
    rungs = sorted(data["tokens"].unique())
    drawing, panels = canvas.panels(targets, lambda: 0.55 + 0.21 * len(order), sharex=True)
    colours = sns.color_palette("viridis", len(rungs) + 1)[: len(rungs)]
    for target, axes in panels.items():
        for colour, marker, rung in zip(colours, canvas.marks(rungs), rungs, strict=False):
            at = data[(data["target"] == target) & (data["tokens"] == rung)]
            means = at.groupby("language")["gap"].mean().reindex(order)
            places = [order.index(language) for language in at["language"]]
            axes.plot(at["gap"], places, linestyle="", marker=".", markersize=3, color=colour, alpha=0.6)
            axes.plot(
                means, range(len(order)), linestyle="", marker=marker, color=colour, label=f"P = {short_size(rung)}"
            )
            counts = at.groupby("language")["gap"].count().reindex(order)
            canvas.hollow(axes, means, range(len(order)), counts, seeds, marker, colour)
        axes.tick_params(labelbottom=True)
        axes.set_yticks(range(len(order)), order)
        axes.set_ylim(len(order) - 0.5, -0.5)
        axes.grid(axis="x", color="#dddddd")
        axes.xaxis.set_major_locator(mpl.ticker.MaxNLocator(4))
        axes.axvline(0, color="black", linewidth=0.8, linestyle=":")
        axes.set_title(target)
    canvas.shared_legend(drawing, panels)
    drawing.supxlabel("transfer gap: English minus the language", fontsize=10)
    by_rung = data.groupby("tokens")["gap"].agg(["mean", "count"])
    most = data[["target", "language"]].drop_duplicates().shape[0] * seeds
    nearest = f"Languages by their distance to English, the nearest first ({join_words(order)})"
    ordered = (
        nearest if canvas.known_order(order, distances) else "Languages by code: their distances are not known here"
    )
    title = "No target with an English test"
    if len(by_rung):
        fewer = [f" (of {n} of {most} gaps)" if n < most else "" for n in by_rung["count"]]
        first, last = (number(by_rung["mean"].iloc[end]) for end in (0, -1))
        title = f"The transfer gap is {last} at P = {short_size(rungs[-1])}{fewer[-1]}"
        title += f", against {first} at P = {short_size(rungs[0])}{fewer[0]}" if len(by_rung) > 1 else ""
    caption = (
        f"Score in English minus score in the language, {when}. {ordered}. "
        f"Large marks are means over seeds ({data['seed'].nunique()}), small dots single seeds. "
        f"n = {count_of(len(data), 'gap')}."
        f"{canvas.fewer(data.groupby(['target', 'language', 'tokens'])['gap'].count(), seeds)}"
    )
    mean_gaps = data.groupby("language")["gap"].agg(["mean", "count"]).reindex(order)
    told = [f"{language} {number(row['mean'])} (n = {row['count']:.0f})" for language, row in mean_gaps.iterrows()]
    return Figure("gaps", drawing, data, title, caption, f"Mean transfer gap by language: {join_words(told)}.")


def language_scores(scores: pd.DataFrame, distances: dict[str, float] | None = None) -> Figure:
    """Score of every language by rung of P without intermediate training, a panel a target, English on top."""
    part, when = transfer_scores.without_intermediate(scores)
    found = part.groupby(["task", "language", "tokens"])["score"].agg(score="mean", sd="std", n="count").reset_index()
    data = found.rename(columns={"task": "target"})
    seeds = scores["seed"].nunique()
    targets = [name for name in TASKS if name in set(data["target"])]
    order = ["en", *canvas.language_order(data["language"], distances)]
    rungs = sorted(data["tokens"].unique())
    drawing, panels = canvas.panels(targets, lambda: 0.5 + 0.25 * len(order))
    low, high = canvas.limits(data["score"])
    for target, axes in panels.items():
        at = data[data["target"] == target]
        table = at.pivot(index="language", columns="tokens", values="score").reindex(order, columns=rungs)
        counts = at.pivot(index="language", columns="tokens", values="n").reindex(order, columns=rungs).fillna(0)
        wanted = counts * 0 + seeds
        if not TASKS[target].trains:  # no English test: a row that cannot be there is not missing
            table, counts, wanted = table.drop("en"), counts.drop("en"), wanted.drop("en")
        with mpl.rc_context(canvas.STYLE):
            sns.heatmap(
                table,
                ax=axes,
                vmin=low,
                vmax=high,
                cmap="viridis",
                cbar=False,
                linewidths=1,
                xticklabels=False,
                yticklabels=False,
            )
            canvas.write_numbers(axes, table, counts, wanted, (low, high), size=9)
        axes.set_xticks(np.arange(len(rungs)) + 0.5, [short_size(rung) for rung in rungs], rotation=0)
        axes.set_yticks(np.arange(len(table)) + 0.5, table.index, rotation=0)
        axes.tick_params(length=0)
        axes.set(title=target, xlabel="", ylabel="")
    canvas.legend_of_holes(drawing, data.assign(wanted=seeds))
    drawing.supxlabel("pretraining tokens P", fontsize=10)
    group = "trained" if (part["group"] == "trained").any() else "retrieval"
    told_of = set(part.loc[part["group"] == group, "task"])  # the two are never averaged together
    last = data[data["target"].isin(told_of) & data["tokens"].isin(rungs[-1:])]
    ends = last.groupby("language")["score"].mean()
    lost = f" (seeds are missing: {canvas.n_of(last['n'], 'seed')} of {seeds})" if (last["n"] < seeds).any() else ""
    ends, english = ends.drop("en", errors="ignore"), ends.get("en", np.nan)
    title = "No scores yet"
    if len(ends):
        best, worst = ends.idxmax(), ends.idxmin()
        title = f"At P = {short_size(rungs[-1])} the {group} targets transfer best to {best} ({number(ends[best])})"
        title += f", worst to {worst} ({number(ends[worst])})" if len(ends) > 1 else ""
        title += lost
    ordered = (
        "by distance to English" if canvas.known_order(order[1:], distances) else "by code (distances not known here)"
    )
    caption = (
        f"Score {when}: 0 is chance, 1 the ceiling; languages {ordered}, English first where "
        f"the task has an English test. Means over {canvas.n_of(data['n'], 'seed')}; "
        f"n = {count_of(len(data), 'mean')}."
    )
    told = [f"{language} {number(value)}" for language, value in ends.reindex(order).dropna().items()]
    at = f" at P = {short_size(rungs[-1])}" if rungs else ""
    told = ([f"English {number(english)}"] if np.isfinite(english) else []) + told
    alt = f"Mean score over the {group} targets that test a language{at}{lost}: {join_words(told)}."
    return Figure("languages", drawing, data, title, caption, alt)


def scores_by_language(results: list[dict] | pd.DataFrame, distances: dict[str, float] | None = None) -> Figure:
    """One run's main scores by language, a panel a task, chance as a dotted line; `results` are a record's rows."""
    data = pd.DataFrame(results)
    data = data[data["main"].astype(bool)][["task", "language", "metric", "value", "n"]].copy()
    tasks = list(dict.fromkeys(data["task"]))
    order = [code for code in ["en"] if code in set(data["language"])] + canvas.language_order(
        data["language"], distances
    )
    drawing, panels = canvas.panels(tasks, lambda: 0.55 + 0.19 * len(order))
    for task, axes in panels.items():
        part = data[data["task"] == task].set_index("language")["value"].reindex(order)
        shades = [canvas.COLOURS[1] if code == "en" else canvas.COLOURS[0] for code in order]
        axes.barh(range(len(order)), part, 0.7, color=shades)
        for place, value in enumerate(part):
            text = f"{value:.2f}" if np.isfinite(value) else "no test"
            axes.text(np.nan_to_num(value) + 0.02, place, text, va="center", fontsize=8.5)
        if task in TASKS and TASKS[task].chance > 0:
            axes.axvline(TASKS[task].chance, color="black", linewidth=1, linestyle=":")
        axes.set_yticks(range(len(order)), order)
        axes.set_ylim(len(order) - 0.4, -0.6)
        axes.set_xlim(0, 1.16)
        axes.set_xticks([0, 0.5, 1])
        axes.grid(visible=False)
        axes.set_title(f"{task} ({data.loc[data['task'] == task, 'metric'].iloc[0]})")
    away = data[data["language"] != "en"]
    told = []
    for task, part in away.groupby("task", sort=False):
        by_language = part.set_index("language")["value"]
        english = data.loc[(data["task"] == task) & (data["language"] == "en"), "value"]
        before = f"English {english.iloc[0]:.2f}, " if len(english) else ""
        best, worst = by_language.idxmax(), by_language.idxmin()
        told.append(f"{task}: {before}best {best} {by_language[best]:.2f}, worst {worst} {by_language[worst]:.2f}")
    means = away.groupby("task", sort=False)["value"].mean()
    title = "Zero-shot means: " + join_words(f"{task} {value:.2f}" for task, value in means.items())
    title = title if len(means) else "No language beside English"
    caption = (
        f"Scores as the tasks give them, English (orange) and untouched languages (blue); dotted: chance. "
        f"n = {canvas.n_of(data['n'], 'test example')} a bar."
    )
    return Figure("scores-by-language", drawing, data, title, caption, ". ".join(told) + ".")
