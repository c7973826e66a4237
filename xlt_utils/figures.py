"""The study's pictures. Each function takes tidy rows and returns a Figure: the drawing, its data, a
title that says what the data say, a caption with n, and a text for those who cannot see it, all
computed."""

from collections.abc import Iterable

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure as Drawing

from xlt_utils import drawing as canvas
from xlt_utils import scaling
from xlt_utils.cells import short
from xlt_utils.drawing import Figure
from xlt_utils.scaling import number
from xlt_utils.tasks import TASKS


def score_surface(runs: pd.DataFrame, arm: str = "", more: Iterable[dict] = ()) -> Figure:
    """Zero-shot score over both sizes, a panel a target; `runs` is scaling.zero_shot(...), `more` the
    coordinates of cells that are not there. Cells without a run are hatched."""
    targets = canvas.targets(runs)
    data = pd.concat([scaling.surface(runs, target, arm, more) for target in targets], ignore_index=True)
    drawing, panels = canvas.panels(targets, lambda: 0.62 + 0.36 * data["examples"].nunique())
    low, high = canvas.limits(data["mean"])
    for target, axes in panels.items():
        part = data[data["target"] == target]
        table = part.pivot(index="examples", columns="tokens", values="mean").sort_index(ascending=False)
        counts = part.pivot(index="examples", columns="tokens", values="n").loc[table.index]
        wanted = part.pivot(index="examples", columns="tokens", values="wanted").loc[table.index]
        with mpl.rc_context(canvas.STYLE):
            sns.heatmap(
                table,
                ax=axes,
                vmin=low,
                vmax=high,
                cmap="viridis",
                cbar=False,
                linewidths=1.5,
                xticklabels=False,
                yticklabels=False,
            )
            canvas.write_numbers(axes, table, counts, wanted, (low, high))
        canvas.label_rungs(axes, table.columns, table.index)
        axes.set(title=target, xlabel="", ylabel="")
    canvas.legend_of_holes(drawing, data)
    drawing.supxlabel("pretraining tokens P", fontsize=10)
    drawing.supylabel(f"{arm or 'intermediate'} examples I", fontsize=10)
    full = data[data["n"] == data["wanted"]]  # titles and texts tell of means over all seeds alone
    ranges = {target: canvas.range_of(full[full["target"] == target], "mean") for target in targets}
    widest = max(ranges, key=lambda name: ranges[name][2], default="")
    holes = int((data["n"] < data["wanted"]).sum())
    title = f"Over the grid {widest} moves most, from {canvas.span(ranges[widest])}" if widest else "No scores yet"
    if widest and ranges[widest][2] < 0:
        title = "No place of the grid has all its seeds, so nothing is said to move"
    elif widest and ranges[widest][2] == 0:
        title = "One place of the grid has scores, so nothing can move"
    caption = (
        "Zero-shot score, the mean over the non-English languages: 0 is chance, 1 the ceiling; each number is a mean "
        f"over {canvas.n_of(data['n'], 'seed')}. {canvas.holes(holes, len(data))}"
    )
    alt = f"{len(targets)} heat maps of the zero-shot score over pretraining tokens and {arm} examples. "
    told = [f"{name}: from {canvas.span(found)}." for name, found in ranges.items() if found[2] >= 0]
    alt += f"{' '.join(told) or 'No place has all its seeds.'} {canvas.holes(holes, len(data))}"
    return Figure(canvas.file_name("surface", arm), drawing, data, title, caption, alt, arm)


def scaling_curves(runs: pd.DataFrame, axis: str = "tokens", arm: str = "") -> Figure:
    """Zero-shot score along one size (`tokens` or `examples`), a line a rung of the other; every seed is a dot."""
    other = {"tokens": "examples", "examples": "tokens"}[axis]
    targets = canvas.targets(runs)
    part = runs[runs["target"].isin(targets) & ((runs["arm"] == arm) | (runs["examples"] == 0))]
    data = part[["target", "seed", axis, other, "zero_shot"]].sort_values(["target", other, axis, "seed"])
    rungs, lines = sorted(data[axis].unique()), sorted(data[other].unique())
    drawing, panels = canvas.panels(targets, lambda: 1.55, sharey=True)
    colours = sns.color_palette("viridis", len(lines) + 1)[: len(lines)]
    symbol = {"tokens": "P", "examples": "I"}
    for target, axes in panels.items():
        for colour, marker, rung in zip(colours, canvas.marks(lines), lines, strict=False):
            seeds = data[(data["target"] == target) & (data[other] == rung)]
            label = f"{symbol[other]} = {short(rung)}"
            canvas.seed_lines(axes, seeds, axis, "zero_shot", rungs, colour, marker, label, data["seed"].nunique())
        canvas.categories(axes, [short(rung) for rung in rungs])
        axes.set_title(target)
        axes.axhline(0, color="black", linewidth=0.8, linestyle=":")
    canvas.shared_legend(drawing, panels)
    drawing.supxlabel({"tokens": "pretraining tokens P", "examples": f"{arm} examples I".strip()}[axis], fontsize=10)
    drawing.supylabel("zero-shot score (0: chance)", fontsize=10)
    ladder = data.pivot_table(index=["target", "seed", other], columns=axis, values="zero_shot", dropna=False)
    climbs = (ladder.iloc[:, -1] - ladder.iloc[:, 0]).dropna() if len(rungs) > 1 else pd.Series(dtype=float)
    # only lines that have both ends, seed by seed: else a rung that is not there would pass for a movement
    steps = climbs.groupby(level="target").mean().sort_values() if len(climbs) else climbs
    ends = f"from {symbol[axis]} = {short(rungs[0])} to {short(rungs[-1])}" if rungs else ""
    title = canvas.moves(steps, ends) if len(steps) else f"No line has both ends of {symbol[axis]}: nothing to compare"
    counts = data.groupby(["target", other, axis])["zero_shot"].count()
    whole = "" if len(climbs) == len(ladder) else f" The title is told by the {len(climbs)} of {len(ladder)} lines "
    whole += "of single seeds that have both ends." if whole else ""
    caption = (
        f"Lines are means over seeds, dots are the single seeds ({data['seed'].nunique()}); the rungs stand evenly, "
        "0 among them, so the axis is no scale. Dotted: chance. "
        f"n = {canvas.count(data['zero_shot'].count(), 'score')}.{canvas.fewer(counts, data['seed'].nunique())}{whole}"
    )
    told = [f"{target} {number(step, '+')}" for target, step in steps.items()]
    noun = {"tokens": "tokens", "examples": "intermediate examples"}[other]
    alt = f"{len(targets)} panels of the zero-shot score {ends}, lines for {canvas.listed(map(short, lines))} {noun}. "
    alt += (
        f"Mean change over the lines that have both ends: {canvas.listed(told)}." if told else "No line has both ends."
    )
    return Figure(canvas.file_name(f"curves-{axis}", arm), drawing, data, title, caption, alt, arm)


def gain_curves(gains: pd.DataFrame, arm: str) -> Figure:
    """What intermediate training adds to the same seed's score, by rung of I and P; every seed is a dot."""
    part = gains[(gains["arm"] == arm) & gains["gain"].notna()]
    targets = canvas.targets(part)
    data = part[part["target"].isin(targets)][["target", "seed", "tokens", "examples", "gain"]]
    rungs, lines = sorted(data["examples"].unique()), sorted(data["tokens"].unique())
    drawing, panels = canvas.panels(targets, lambda: 1.55, sharey=True)
    colours = sns.color_palette("viridis", len(lines) + 1)[: len(lines)]
    for target, axes in panels.items():
        axes.axhline(0, color="black", linewidth=0.8)
        for place, (colour, marker, rung) in enumerate(zip(colours, canvas.marks(lines), lines, strict=False)):
            seeds = data[(data["target"] == target) & (data["tokens"] == rung)]
            aside = (place - (len(lines) - 1) / 2) * 0.13
            label = f"P = {short(rung)}"
            canvas.seed_lines(
                axes, seeds, "examples", "gain", rungs, colour, marker, label, gains["seed"].nunique(), aside
            )
        canvas.categories(axes, [short(rung) for rung in rungs])
        axes.set_title(target)
    canvas.shared_legend(drawing, panels)
    drawing.supxlabel(f"{arm} examples I", fontsize=10)
    drawing.supylabel("gain over I = 0", fontsize=10)
    largest = data[data["examples"].isin(rungs[-1:]) & ~data["target"].isin(scaling.MEANS.values())].dropna()
    up = (largest["gain"] > 0).groupby(largest["target"]).agg(["sum", "size"])
    told = [f"{target} {row['sum']} of {row['size']}" for target, row in up.iterrows()]
    all_up = int(up["sum"].sum()), int(up["size"].sum())
    title = "No run to compare"
    if told:
        title = (
            f"With {short(rungs[-1])} {arm} examples {all_up[0]} of {all_up[1]} zero-shot means are higher than without"
        )
    caption = (
        "Difference to the run of the same seed and P without intermediate training. Lines are means over seeds, "
        f"dots single seeds ({data['seed'].nunique()}). n = {canvas.count(len(data), 'pair')}."
        f"{canvas.fewer(data.groupby(['target', 'tokens', 'examples'])['gain'].count(), gains['seed'].nunique())}"
    )
    alt = f"Gain in zero-shot score by {arm} examples. Runs above 0 at the largest rung: {canvas.listed(told)}."
    return Figure(canvas.file_name("gains", arm), drawing, data, title, caption, alt, arm)


def transfer_gap(scores: pd.DataFrame, distances: dict[str, float] | None = None) -> Figure:
    """English score minus each language's, without intermediate training, by rung of P; the languages
    stand by their distance to English where `distances` knows it. Tasks without an English test are left out."""
    part, when = scaling.plain(scores[scores["group"] == "trained"])
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
            axes.plot(means, range(len(order)), linestyle="", marker=marker, color=colour, label=f"P = {short(rung)}")
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
    nearest = f"Languages by their distance to English, the nearest first ({canvas.listed(order)})"
    ordered = (
        nearest if canvas.known_order(order, distances) else "Languages by code: their distances are not known here"
    )
    title = "No target with an English test"
    if len(by_rung):
        fewer = [f" (of {n} of {most} gaps)" if n < most else "" for n in by_rung["count"]]
        first, last = (number(by_rung["mean"].iloc[end]) for end in (0, -1))
        title = f"The transfer gap is {last} at P = {short(rungs[-1])}{fewer[-1]}"
        title += f", against {first} at P = {short(rungs[0])}{fewer[0]}" if len(by_rung) > 1 else ""
    caption = (
        f"Score in English minus score in the language, {when}. {ordered}. "
        f"Large marks are means over seeds ({data['seed'].nunique()}), small dots single seeds. "
        f"n = {canvas.count(len(data), 'gap')}."
        f"{canvas.fewer(data.groupby(['target', 'language', 'tokens'])['gap'].count(), seeds)}"
    )
    mean_gaps = data.groupby("language")["gap"].agg(["mean", "count"]).reindex(order)
    told = [f"{language} {number(row['mean'])} (n = {row['count']:.0f})" for language, row in mean_gaps.iterrows()]
    return Figure("gaps", drawing, data, title, caption, f"Mean transfer gap by language: {canvas.listed(told)}.")


def language_scores(scores: pd.DataFrame, distances: dict[str, float] | None = None) -> Figure:
    """Score of every language by rung of P without intermediate training, a panel a target, English on top."""
    part, when = scaling.plain(scores)
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
        axes.set_xticks(np.arange(len(rungs)) + 0.5, [short(rung) for rung in rungs], rotation=0)
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
        title = f"At P = {short(rungs[-1])} the {group} targets transfer best to {best} ({number(ends[best])})"
        title += f", worst to {worst} ({number(ends[worst])})" if len(ends) > 1 else ""
        title += lost
    ordered = (
        "by distance to English" if canvas.known_order(order[1:], distances) else "by code (distances not known here)"
    )
    caption = (
        f"Score {when}: 0 is chance, 1 the ceiling; languages {ordered}, English first where "
        f"the task has an English test. Means over {canvas.n_of(data['n'], 'seed')}; "
        f"n = {canvas.count(len(data), 'mean')}."
    )
    told = [f"{language} {number(value)}" for language, value in ends.reindex(order).dropna().items()]
    at = f" at P = {short(rungs[-1])}" if rungs else ""
    told = ([f"English {number(english)}"] if np.isfinite(english) else []) + told
    alt = f"Mean score over the {group} targets that test a language{at}{lost}: {canvas.listed(told)}."
    return Figure("languages", drawing, data, title, caption, alt)


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
        f"{row['phase']}: " + canvas.listed(f"{name} {canvas.seconds(row[name])}" for name in columns)
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
        axes.xaxis.set_major_formatter(lambda value, _: short(round(value)) if value < 1e4 else f"{value:.3g}")
        if part[unit].max() >= 1e4:
            axes.xaxis.set_major_formatter(mpl.ticker.EngFormatter(sep=""))
        axes.xaxis.set_major_locator(mpl.ticker.MaxNLocator(4))
        if smooth.notna().any():
            first, last = smooth.dropna().iloc[[0, -1]]
            word = "falls" if last < first else "does not fall:"
            told.append(f"{name} {word} from {first:.2f} to {last:.2f} over {part[unit].max():,.0f} {unit}")
    drawing.supxlabel(unit, fontsize=10)
    drawing.supylabel("training loss (nats)", fontsize=10)
    title = f"The loss of {canvas.listed(told)}" if told else "Nothing was trained"
    caption = f"Thin: as logged. Thick: running mean. n = {canvas.count(len(data), 'point')}."
    return Figure("learning-curve", drawing, data, title, caption, f"Training loss. {'. '.join(told)}.")


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
    title = "Zero-shot means: " + canvas.listed(f"{task} {value:.2f}" for task, value in means.items())
    title = title if len(means) else "No language beside English"
    caption = (
        f"Scores as the tasks give them, English (orange) and untouched languages (blue); dotted: chance. "
        f"n = {canvas.n_of(data['n'], 'test example')} a bar."
    )
    return Figure("scores-by-language", drawing, data, title, caption, ". ".join(told) + ".")
