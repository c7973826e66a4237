"""Figures by language: the transfer gap over P, scores and gains of every language in every target, one run's scores.
Tidy scores go in; each function returns a Figure whose title, caption and alt text are computed from them."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from xlt_utils.analysis import bootstrap, proportionality, transfer_scores
from xlt_utils.data.tasks import TASKS
from xlt_utils.formatting import count_of, join_words, number_text, short_size, verb_of
from xlt_utils.reporting.figures import canvas
from xlt_utils.reporting.figures.figure import Figure
from xlt_utils.reporting.house_style import COLOURS, language_name

MOST_SHOWN = 6  # targets, and arms, of the gains by language


def transfer_gap(scores: pd.DataFrame, distances: dict[str, float] | None = None) -> Figure:
    """English score minus each language's, without intermediate training, by rung of P. Targets without an English
    test are left out.

    Args:
        scores: as `transfer_scores.normalised_scores` gives them.
        distances: of the languages to English, by which they are ordered.
    """
    trained, condition = transfer_scores.without_intermediate(scores[scores["group"] == "trained"])
    trained = trained.assign(counts=canvas.counting(trained))
    english = trained.loc[trained["language"] == "en", ["seed", "tokens", "task", "score"]]
    pairs = trained[trained["language"] != "en"].merge(
        english, on=["seed", "tokens", "task"], suffixes=("", "_english")
    )
    pairs["gap"] = pairs["score_english"] - pairs["score"]
    data = pairs[["task", "language", "tokens", "seed", "gap", "counts"]].rename(columns={"task": "target"})
    n_seeds = scores["seed"].nunique()
    targets, rungs = canvas.target_order(data["target"]), sorted(data["tokens"].unique())
    languages, is_by_distance = _language_order(data["language"], distances)
    drawing, panels = canvas.panels(targets, 0.55 + (0.13 + 0.05 * len(rungs)) * len(languages), sharex=True)
    for target, axes in panels.items():
        tested = [language for language in languages if language in set(data.loc[data["target"] == target, "language"])]
        for number, (rung, full_colour, marker) in enumerate(canvas.rung_styles(rungs)):
            rows = data[(data["target"] == target) & (data["tokens"] == rung)]
            colour = full_colour if rows["counts"].all() else canvas.pale(full_colour)
            shift = _shift(number, len(rungs))
            dots = [tested.index(language) + shift for language in rows["language"]]
            axes.plot(rows["gap"], dots, linestyle="", marker=".", markersize=3, color=colour, alpha=0.6)
            gaps = rows.groupby("language")["gap"].agg(mean="mean", n="count").reindex(tested)
            places = np.arange(len(tested)) + shift
            style: dict[str, Any] = {"linestyle": "", "marker": marker, "markersize": 5}
            axes.plot(gaps["mean"], places, color=colour, **style)
            axes.plot([], [], color=full_colour, label=f"P = {short_size(rung)}", **style)
            canvas.hollow_marks(axes, gaps["mean"], places, gaps["n"], n_seeds, marker, colour)
        _label_languages(axes, tested)
        axes.axvline(0, **canvas.DOTTED)
    canvas.title_panels(panels, data)
    canvas.shared_legend(drawing, panels)
    drawing.supxlabel("transfer gap: English minus the language", fontsize=10)
    counted = trained[trained["counts"] & trained["task"].isin(targets)]
    title = "No target that was learnt has a test in English and in all other languages"
    if len(counted):
        target = transfer_scores.targets_of(counted)[0]
        gaps, _ = transfer_scores.transfer_gaps(transfer_scores.zero_shot(counted), target)
        seeds = gaps.count()
        texts = [
            f"{number_text(gap)} at P = {short_size(rung)}"
            + (f" ({seeds[rung]} of {n_seeds} seeds)" if seeds[rung] < n_seeds else "")
            for rung, gap in gaps.mean().items()
        ]
        title = f"Transfer gap ({target}): {join_words(dict.fromkeys([texts[0], texts[-1]]))}" if texts else title
    order = "Languages by code: their distances are not known here"
    if is_by_distance:
        order = f"Languages by their distance to English, the nearest first ({join_words(languages)})"
    counts = data.groupby(["target", "language", "tokens"])["gap"].count()
    caption = (
        f"Score in English minus score in the language, {condition}. {order}. Large marks are means over seeds "
        f"({data['seed'].nunique()}), small dots single seeds. n = {count_of(len(data), 'gap')}."
        f"{canvas.hollow_text(counts, n_seeds)}{canvas.unlearnt_text(data)}"
    )
    at_largest = data[data["counts"] & data["tokens"].isin(rungs[-1:])]
    by_target = at_largest.pivot_table(index="language", columns="target", values="gap")
    place = f"at P = {short_size(rungs[-1])} " if rungs else ""
    alt = f"Mean transfer gap {place}{_by_language_text(by_target, languages)}"
    return Figure("gaps", drawing, data, title, caption, alt)


def language_score_map(scores: pd.DataFrame, distances: dict[str, float] | None = None) -> Figure:
    """Score of every language by rung of P without intermediate training, a heat map per target, English on top.

    Args:
        scores: as `transfer_scores.normalised_scores` gives them.
        distances: of the languages to English, by which they are ordered.
    """
    rows, condition = transfer_scores.without_intermediate(scores)
    cells = rows.assign(counts=canvas.counting(rows)).groupby(["task", "language", "tokens"])
    means = cells["score"].agg(score="mean", sd="std", n="count").assign(counts=cells["counts"].all())
    data = means.reset_index().rename(columns={"task": "target"})
    n_seeds = scores["seed"].nunique()
    targets, rungs = canvas.target_order(data["target"]), sorted(data["tokens"].unique())
    others, is_by_distance = _language_order(data["language"], distances)
    texts = [canvas.score_text(score, n, n_seeds) for score, n in data[["score", "n"]].to_numpy()]
    drawing, panels = canvas.panels(targets, 0.5 + 0.25 * (1 + len(others)))
    limits = canvas.score_limits(data["score"])
    for target, axes in panels.items():
        part = data.assign(text=texts)[data["target"] == target]
        tested = [language for language in others if language in set(part["language"])]
        languages = ["en", *tested] if TASKS[target].trains else tested  # others have no English test to be missing
        table, cell_texts, counts = (
            part.pivot(index="language", columns="tokens", values=column).reindex(languages, columns=rungs)
            for column in ("score", "text", "counts")
        )
        canvas.heat_map(axes, table, cell_texts, limits, linewidths=1, counts=counts)
        canvas.label_cells(axes, canvas.rung_labels(rungs), [*map(language_name, languages)])
    canvas.title_panels(panels, data)
    canvas.missing_legend(drawing, data, n_seeds)
    drawing.supxlabel("pretraining tokens P", fontsize=10)
    n_unlearnt = len(targets) - data.loc[data["counts"], "target"].nunique()
    title = f"Scores by language and P, {condition}"
    title += f"; {n_unlearnt} of {count_of(len(targets), 'target')} not learnt in English" if n_unlearnt else ""
    # trained and retrieval targets are never averaged together
    at_largest = data[data["counts"] & data["tokens"].isin(rungs[-1:])]
    is_trained = at_largest["target"].isin(rows.loc[rows["group"] == "trained", "task"])
    at_largest = at_largest[is_trained if is_trained.any() else ~is_trained]
    missing = ""
    if (at_largest["n"] < n_seeds).any():
        missing = f" (seeds are missing: {canvas.range_of_counts(at_largest['n'], 'seed')} of {n_seeds})"
    by_target = at_largest.pivot(index="language", columns="target", values="score")
    order = "by distance to English" if is_by_distance else "by code (distances not known here)"
    caption = (
        f"Score {condition}: 0 is the zero point, 1 the ceiling; languages {order}, English first where the task has "
        f"an English test. Means over {canvas.range_of_counts(data['n'], 'seed')}; n = {count_of(len(data), 'mean')}."
        f"{canvas.unlearnt_text(data)}"
    )
    place = f"at P = {short_size(rungs[-1])}{missing} " if rungs else ""
    alt = f"Mean score {place}{_by_language_text(by_target, ['en', *others])}"
    return Figure("languages", drawing, data, title, caption, alt)


def gains_by_language(
    scores: pd.DataFrame, arms: Sequence[str], controls: Sequence[str], distances: dict[str, float] | None = None
) -> Figure:
    """The gain over I = 0 in each language at each arm's largest I, a mean over P, with its 95 % CI: a panel per
    target, a colour per arm.

    Args:
        scores: as `transfer_scores.normalised_scores` gives them; those that count are drawn.
        arms: the intermediate arms, in the order of their marks.
        controls: the control arms, which come last and which the title does not count.
        distances: of the languages to English, by which they are ordered.
    """
    counted = scores[canvas.counting(scores)]
    after = counted[counted["arm"].isin([*arms, *controls]) & (counted["examples"] > 0)]
    targets = canvas.target_order(_most_scored(after["task"]))
    shown_arms = [arm for arm in [*arms, *controls] if arm in set(_most_scored(after["arm"]))]
    data = _language_gains(counted, targets, shown_arms)
    others, is_by_distance = _language_order(data["language"], distances)
    languages = ["en", *others]
    drawing, panels = canvas.panels(targets, 0.55 + (0.13 + 0.05 * len(shown_arms)) * len(languages), sharex=True)
    for target, axes in panels.items():
        tested = [language for language in languages if language in set(data.loc[data["target"] == target, "language"])]
        for number, arm in enumerate(shown_arms):
            rows = data[(data["target"] == target) & (data["arm"] == arm)]
            places = [tested.index(language) + _shift(number, len(shown_arms)) for language in rows["language"]]
            colour = canvas.UNCLEAR if arm in controls else COLOURS[number]
            label = f"{arm} (control)" if arm in controls else arm
            canvas.interval_marks(axes, rows, "gain", places, canvas.MARKERS[number], colour, label)
        _label_languages(axes, tested)
        axes.axvline(0, color="black", linewidth=0.8)
        axes.set_title(target)
    canvas.shared_legend(drawing, panels)
    drawing.supxlabel("gain over I = 0 at the largest I", fontsize=10)
    titled = data[(data["language"] != "en") & ~data["arm"].isin(controls)]
    title = "No gain in a language has a 95 % CI"
    if titled["low"].notna().any():
        n_above, n_below = int((titled["low"] > 0).sum()), int((titled["high"] < 0).sum())
        has = verb_of(n_above, "has", "have")
        title = f"{n_above} of {count_of(len(titled), 'gain')} in a language {has} a 95 % CI above 0, {n_below} below"
    order = "by their distance to English, the nearest first" if is_by_distance else "by code"
    hidden = [
        f"{count_of(total, noun)}, those with the most scores shown"
        for total, noun, shown in (
            (after["task"].nunique(), "target", targets), (after["arm"].nunique(), "arm", shown_arms)
        )
        if total > len(shown)
    ]  # fmt: skip
    caption = (
        "Score at the arm's largest I minus that at I = 0, a mean over the complete rungs of P, in English where it is "
        f"tested, then in the other languages {order}. Bars: 95 % CIs over seeds and test items, one by one: about one "
        f"in twenty excludes 0 by chance. n = {canvas.range_of_counts(data['n'], 'seed')} per gain. Targets and arms "
        f"that were not learnt in English are left out.{f' Of {join_words(hidden)}.' if hidden else ''}"
    )
    texts = []
    for (target, arm), part in data[data["language"] != "en"].groupby(["target", "arm"], sort=False):
        low, high = (number_text(gain, "+") for gain in (part["gain"].min(), part["gain"].max()))
        texts.append(f"{target} after {arm} {low} to {high}")
    alt = f"Gains of {count_of(len(others), 'language')}, the smallest and the largest: {join_words(texts) or 'none'}."
    return Figure("gains-by-language", drawing, data, title, caption, alt)


def scores_by_language(results: list[dict] | pd.DataFrame, distances: dict[str, float] | None = None) -> Figure:
    """One run's main scores by language, a panel per task, with the zero point of each test as a line.

    Args:
        results: the results of a record.
        distances: of the languages to English, by which they are ordered.
    """
    data = pd.DataFrame(results)
    data["zero"] = transfer_scores.zero_points(data)
    data = data[data["main"].astype(bool)][["task", "language", "metric", "value", "zero", "n"]].copy()
    languages, _ = _language_order(data["language"], distances)
    languages = ["en", *languages] if "en" in set(data["language"]) else languages
    drawing, panels = canvas.panels(list(data["task"].unique()), 0.55 + 0.19 * len(languages))
    for task, axes in panels.items():
        part = data[data["task"] == task].set_index("language").reindex(languages)
        values, places = part["value"], np.arange(len(languages))
        colours = [COLOURS[1] if language == "en" else COLOURS[0] for language in languages]
        axes.barh(places, values, 0.7, color=colours)
        axes.vlines(part["zero"].where(part["zero"] > 0), places - 0.42, places + 0.42, color="black", linewidth=1.2)
        for place, value in enumerate(values):
            text = number_text(value, digits=2) if np.isfinite(value) else "no test"
            axes.text(np.nan_to_num(value) + 0.02, place, text, va="center", fontsize=8.5)
        axes.set_yticks(places, [*map(language_name, languages)])
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
        texts.append(f"{start}highest {best} {high}, lowest {worst} {low}")
    means = others.groupby("task", sort=False)["value"].mean()
    title = "No language besides English"
    if len(means):
        title = "Zero-shot means: "
        title += join_words(f"{task} {number_text(mean, digits=2)}" for task, mean in means.items())
    caption = (
        "Scores as the tasks give them, in English (orange) and in languages without training examples (blue). Black: "
        "the zero point, the better of chance and the majority class of these examples, where it is above 0. "
        f"n = {canvas.range_of_counts(data['n'], 'test example')} per bar."
    )
    return Figure("scores-by-language", drawing, data, title, caption, ". ".join(texts) + ".")


def _language_order(languages: Iterable[str], distances: dict[str, float] | None) -> tuple[list[str], bool]:
    """The non-English languages, the nearest to English first, those of unknown distance last, by code; and whether
    all distances are known."""
    known = distances or {}
    order = sorted(set(languages) - {"en"}, key=lambda code: (known.get(code, np.inf), code))
    return order, bool(order) and set(order) <= set(known)


def _label_languages(axes: Axes, languages: Sequence[str]) -> None:
    """A row for each language; the axis of values below each panel."""
    axes.tick_params(labelbottom=True)
    axes.set_yticks(range(len(languages)), [*map(language_name, languages)])
    axes.set_ylim(len(languages) - 0.5, -0.5)
    axes.grid(axis="x", color="#dddddd")
    axes.xaxis.set_major_locator(MaxNLocator(4))


def _most_scored(names: pd.Series) -> pd.Series:
    """The MOST_SHOWN names with the most rows."""
    counts = names.value_counts().sort_index().sort_values(ascending=False, kind="stable")
    return pd.Series(counts.index[:MOST_SHOWN], dtype=object)


def _language_gains(scores: pd.DataFrame, targets: Sequence[str], arms: Sequence[str]) -> pd.DataFrame:
    """The gain of each target, language and arm: the verdicts' own contrast, of one language's scores alone."""
    gains = []
    for (target, language), part in scores[scores["task"].isin(targets)].groupby(["task", "language"]):
        sample = bootstrap.build_grid_sample(part, target, use_english=language == "en")
        for arm in set(arms) & set(part["arm"]):
            gain = proportionality.largest_gain(sample.of_arm(arm))
            gains.append([target, language, arm, gain.mean, gain.low, gain.high, gain.n])
    data = pd.DataFrame(gains, columns=["target", "language", "arm", "gain", "low", "high", "n"])
    return data[data["n"] > 0].sort_values(["target", "arm", "language"], ignore_index=True)


def _shift(number: int, total: int) -> float:
    """Where in a row of height 1 the mark of one of several stands, so that none hides another."""
    return 0.6 * ((number + 0.5) / total - 0.5)


def _by_language_text(by_target: pd.DataFrame, order: Sequence[str]) -> str:
    """Each language's mean over the targets that all languages have: a mean over others would compare targets.

    Args:
        by_target: a row a language, a column a target; NaN where the language lacks it.
        order: of the languages.
    """
    common = by_target.columns[by_target.drop("en", errors="ignore").notna().all()]
    means = by_target[common].mean(axis=1).reindex(order).dropna()
    if means.empty:
        return "by language: no target that counts has all languages."
    texts = join_words(f"{language} {number_text(mean)}" for language, mean in means.items())
    return f"over {join_words(common)}, which all languages have: {texts}."
