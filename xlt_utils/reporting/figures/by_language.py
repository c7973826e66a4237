"""Figures by language: the transfer gap over P, the scores of every language in every target, the scores of one run.
Tidy scores go in; each function returns a Figure whose title, caption and alt text are computed from them."""

from collections.abc import Iterable

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from xlt_utils.analysis import transfer_scores
from xlt_utils.data.tasks import TASKS
from xlt_utils.formatting import count_of, join_words, number_text, short_size
from xlt_utils.reporting.figures import canvas
from xlt_utils.reporting.figures.figure import Figure


def transfer_gap(scores: pd.DataFrame, distances: dict[str, float] | None = None) -> Figure:
    """English score minus each language's, without intermediate training, by rung of P. Targets without an English
    test are left out.

    Args:
        scores: as `transfer_scores.normalised_scores` gives them.
        distances: of the languages to English, by which they are ordered.
    """
    trained, condition = transfer_scores.without_intermediate(scores[scores["group"] == "trained"])
    english = trained.loc[trained["language"] == "en", ["seed", "tokens", "task", "score"]]
    pairs = trained[trained["language"] != "en"].merge(
        english, on=["seed", "tokens", "task"], suffixes=("", "_english")
    )
    pairs["gap"] = pairs["score_english"] - pairs["score"]
    data = pairs[["task", "language", "tokens", "seed", "gap"]].rename(columns={"task": "target"})
    n_seeds = scores["seed"].nunique()
    targets, rungs = canvas.target_order(data["target"]), sorted(data["tokens"].unique())
    languages, is_by_distance = _language_order(data["language"], distances)
    drawing, panels = canvas.panels(targets, 0.55 + 0.21 * len(languages), sharex=True)
    for target, axes in panels.items():
        for rung, colour, marker in canvas.rung_styles(rungs):
            rows = data[(data["target"] == target) & (data["tokens"] == rung)]
            places = [languages.index(language) for language in rows["language"]]
            axes.plot(rows["gap"], places, linestyle="", marker=".", markersize=3, color=colour, alpha=0.6)
            gaps = rows.groupby("language")["gap"].agg(mean="mean", n="count").reindex(languages)
            places, label = list(range(len(languages))), f"P = {short_size(rung)}"
            axes.plot(gaps["mean"], places, linestyle="", marker=marker, color=colour, label=label)
            canvas.hollow_marks(axes, gaps["mean"], places, gaps["n"], n_seeds, marker, colour)
        axes.tick_params(labelbottom=True)
        axes.set_yticks(range(len(languages)), languages)
        axes.set_ylim(len(languages) - 0.5, -0.5)
        axes.grid(axis="x", color="#dddddd")
        axes.xaxis.set_major_locator(MaxNLocator(4))
        axes.axvline(0, **canvas.DOTTED)
        axes.set_title(target)
    canvas.shared_legend(drawing, panels)
    drawing.supxlabel("transfer gap: English minus the language", fontsize=10)
    # as in the sentence on the gap: the mean over targets of the mean over a target's languages
    by_target = data.groupby(["tokens", "target", "seed"])["gap"].mean().groupby(["tokens", "target"]).mean()
    by_rung = by_target.groupby("tokens").mean().to_frame("mean").assign(n=data.groupby("tokens")["gap"].count())
    n_planned = len(data[["target", "language"]].drop_duplicates()) * n_seeds
    title = "No target with an English test"
    if len(by_rung):
        texts = []
        for rung, row in by_rung.iterrows():
            fewer = f" (over {row['n']:.0f} of {n_planned} gaps)" if row["n"] < n_planned else ""
            texts.append(f"{number_text(row['mean'])} at P = {short_size(rung)}{fewer}")
        title = f"The transfer gap is {texts[-1]}" + (f", against {texts[0]}" if len(texts) > 1 else "")
    order = "Languages by code: their distances are not known here"
    if is_by_distance:
        order = f"Languages by their distance to English, the nearest first ({join_words(languages)})"
    counts = data.groupby(["target", "language", "tokens"])["gap"].count()
    caption = (
        f"Score in English minus score in the language, {condition}. {order}. Large marks are means over seeds "
        f"({data['seed'].nunique()}), small dots single seeds. n = {count_of(len(data), 'gap')}."
        f"{canvas.hollow_text(counts, n_seeds)}"
    )
    by_language = data.groupby("language")["gap"].agg(mean="mean", n="count").reindex(languages)
    texts = [f"{language} {number_text(row['mean'])} (n = {row['n']:.0f})" for language, row in by_language.iterrows()]
    return Figure("gaps", drawing, data, title, caption, f"Mean transfer gap by language: {join_words(texts)}.")


def language_score_map(scores: pd.DataFrame, distances: dict[str, float] | None = None) -> Figure:
    """Score of every language by rung of P without intermediate training, a heat map per target, English on top.

    Args:
        scores: as `transfer_scores.normalised_scores` gives them.
        distances: of the languages to English, by which they are ordered.
    """
    rows, condition = transfer_scores.without_intermediate(scores)
    means = rows.groupby(["task", "language", "tokens"])["score"].agg(score="mean", sd="std", n="count").reset_index()
    data = means.rename(columns={"task": "target"})
    n_seeds = scores["seed"].nunique()
    targets, rungs = canvas.target_order(data["target"]), sorted(data["tokens"].unique())
    others, is_by_distance = _language_order(data["language"], distances)
    texts = [canvas.score_text(score, n, n_seeds) for score, n in data[["score", "n"]].to_numpy()]
    drawing, panels = canvas.panels(targets, 0.5 + 0.25 * (1 + len(others)))
    limits = canvas.score_limits(data["score"])
    for target, axes in panels.items():
        part = data.assign(text=texts)[data["target"] == target]
        languages = ["en", *others] if TASKS[target].trains else others  # others have no English test to be missing
        table, cell_texts = (
            part.pivot(index="language", columns="tokens", values=column).reindex(languages, columns=rungs)
            for column in ("score", "text")
        )
        canvas.heat_map(axes, table, cell_texts, limits, linewidths=1)
        canvas.label_cells(axes, canvas.rung_labels(rungs), languages)
        axes.set_title(target)
    canvas.missing_legend(drawing, data, n_seeds)
    drawing.supxlabel("pretraining tokens P", fontsize=10)
    # trained and retrieval targets are never averaged together
    group = "trained" if (rows["group"] == "trained").any() else "retrieval"
    targets_of_group = set(rows.loc[rows["group"] == group, "task"])
    at_largest = data[data["target"].isin(targets_of_group) & data["tokens"].isin(rungs[-1:])]
    missing = ""
    if (at_largest["n"] < n_seeds).any():
        missing = f" (seeds are missing: {canvas.range_of_counts(at_largest['n'], 'seed')} of {n_seeds})"
    by_target = at_largest.pivot(index="language", columns="target", values="score")
    # languages are compared by the targets that all of them have: a mean over others would compare targets
    common = by_target.columns[by_target.drop("en", errors="ignore").notna().all()]
    by_language = by_target[common].mean(axis=1)
    ends = by_language.drop("en", errors="ignore").dropna()
    place = f"At P = {short_size(rungs[-1])}" if rungs else ""
    named = f"the {group} targets" if len(common) == by_target.shape[1] else join_words(common)
    if by_target.empty:
        title = "No scores yet"
    elif not len(ends):
        title = f"{place} no target is tested in all languages, so they are not compared{missing}"
    else:
        best, worst = ends.idxmax(), ends.idxmin()
        title = f"{place} {named} transfer{'s' if len(common) == 1 else ''} best to {best} ({number_text(ends[best])})"
        title += f", worst to {worst} ({number_text(ends[worst])})" if len(ends) > 1 else ""
        title += missing
    order = "by distance to English" if is_by_distance else "by code (distances not known here)"
    caption = (
        f"Score {condition}: 0 is the zero point, 1 the ceiling; languages {order}, English first where the task has "
        f"an English test. Means over {canvas.range_of_counts(data['n'], 'seed')}; n = {count_of(len(data), 'mean')}."
    )
    scored = by_language.reindex(["en", *others]).dropna().rename({"en": "English"})
    texts = [f"{language} {number_text(score)}" for language, score in scored.items()]
    alt = f"Mean score over {named}, which all languages have. {place}{missing}: {join_words(texts) or 'none'}."
    return Figure("languages", drawing, data, title, caption, alt)


def scores_by_language(results: list[dict] | pd.DataFrame, distances: dict[str, float] | None = None) -> Figure:
    """One run's main scores by language, a panel per task, chance as a dotted line.

    Args:
        results: the results of a record.
        distances: of the languages to English, by which they are ordered.
    """
    data = pd.DataFrame(results)
    data = data[data["main"].astype(bool)][["task", "language", "metric", "value", "n"]].copy()
    languages, _ = _language_order(data["language"], distances)
    languages = ["en", *languages] if "en" in set(data["language"]) else languages
    drawing, panels = canvas.panels(list(data["task"].unique()), 0.55 + 0.19 * len(languages))
    for task, axes in panels.items():
        values = data[data["task"] == task].set_index("language")["value"].reindex(languages)
        colours = [canvas.COLOURS[1] if language == "en" else canvas.COLOURS[0] for language in languages]
        axes.barh(range(len(languages)), values, 0.7, color=colours)
        for place, value in enumerate(values):
            text = number_text(value, digits=2) if np.isfinite(value) else "no test"
            axes.text(np.nan_to_num(value) + 0.02, place, text, va="center", fontsize=8.5)
        if task in TASKS and TASKS[task].chance > 0:
            axes.axvline(TASKS[task].chance, color="black", linewidth=1, linestyle=":")
        axes.set_yticks(range(len(languages)), languages)
        axes.set_ylim(len(languages) - 0.4, -0.6)
        axes.set_xlim(0, 1.16)
        axes.set_xticks([0, 0.5, 1])
        axes.grid(visible=False)
        axes.set_title(f"{task} ({data.loc[data['task'] == task, 'metric'].iloc[0]})")
    others = data[data["language"] != "en"]
    texts = []
    for task, part in others.groupby("task", sort=False):
        values = part.set_index("language")["value"]
        english = data.loc[(data["task"] == task) & (data["language"] == "en"), "value"]
        start = f"{task}: English {number_text(english.iloc[0], digits=2)}, " if len(english) else f"{task}: "
        best, worst = values.idxmax(), values.idxmin()
        low, high = (number_text(values[language], digits=2) for language in (worst, best))
        texts.append(f"{start}best {best} {high}, worst {worst} {low}")
    means = others.groupby("task", sort=False)["value"].mean()
    title = "No language besides English"
    if len(means):
        title = "Zero-shot means: "
        title += join_words(f"{task} {number_text(mean, digits=2)}" for task, mean in means.items())
    caption = (
        "Scores as the tasks give them, in English (orange) and in languages without training examples (blue); dotted: "
        f"chance. n = {canvas.range_of_counts(data['n'], 'test example')} per bar."
    )
    return Figure("scores-by-language", drawing, data, title, caption, ". ".join(texts) + ".")


def _language_order(languages: Iterable[str], distances: dict[str, float] | None) -> tuple[list[str], bool]:
    """The non-English languages, the nearest to English first, those of unknown distance last, by code; and whether
    all distances are known."""
    known = distances or {}
    order = sorted(set(languages) - {"en"}, key=lambda code: (known.get(code, np.inf), code))
    return order, bool(order) and set(order) <= set(known)
