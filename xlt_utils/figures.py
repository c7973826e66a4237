"""The study's pictures. Each function takes tidy rows and returns a Figure: the drawing, its data, a
title that says what the data say, a caption with n, and a text for those who cannot see it, all
computed. The same rows give the same bytes."""

import base64
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure as Drawing
from matplotlib.patches import Patch, Rectangle

from xlt_utils import scaling
from xlt_utils.cells import short
from xlt_utils.scaling import number
from xlt_utils.tasks import TASKS

WIDTH = 5.8  # inches: narrow, so that the letters can still be read on a telephone
STYLE = {
    **sns.axes_style("ticks"),
    "font.family": "DejaVu Sans",  # comes with matplotlib, so every machine draws the same
    "font.size": 10,
    "axes.titlesize": 10.5,
    "axes.labelsize": 10,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.color": "#dddddd",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.fontsize": 9.5,
    "legend.frameon": False,
    "svg.hashsalt": "xlt",
    "svg.fonttype": "path",
    "hatch.linewidth": 0.6,
}
COLOURS = sns.color_palette("colorblind")  # Okabe and Ito's, told apart without red against green
MARKERS = "osD^vPX*"
HATCHED = {"hatch": "////", "edgecolor": "#777777"}


@dataclass(frozen=True)
class Figure:
    """A picture with all that a reader needs to check it; a notebook shows it as it is."""

    name: str
    drawing: Drawing
    data: pd.DataFrame
    title: str
    caption: str
    alt: str
    arm: str = ""  # the one that it is about, if it is about one
    images: dict[str, bytes] = field(default_factory=dict, repr=False, compare=False)  # drawn once

    def image(self, kind: str = "svg") -> bytes:
        """The picture as `svg` or `png`, the same bytes every time."""
        if kind not in self.images:
            metadata = {"Date": None, "Creator": None} if kind == "svg" else {"Software": None}
            buffer = io.BytesIO()
            with mpl.rc_context(STYLE):
                self.drawing.savefig(buffer, format=kind, dpi=150, metadata=metadata, facecolor="white")
            self.images[kind] = buffer.getvalue()
        return self.images[kind]

    def save(self, folder: Path) -> list[Path]:
        """Write NAME.svg, NAME.png and NAME.csv into the folder and return their paths."""
        folder.mkdir(parents=True, exist_ok=True)
        paths = [folder / f"{self.name}.{kind}" for kind in ("svg", "png", "csv")]
        for path in paths[:2]:
            path.write_bytes(self.image(path.suffix[1:]))
        self.data.to_csv(paths[2], index=False, lineterminator="\n")
        return paths

    def uri(self, kind: str = "svg") -> str:
        """The picture as a data: address, for a page that stands alone."""
        mime = {"svg": "image/svg+xml", "png": "image/png"}[kind]
        return f"data:{mime};base64,{base64.b64encode(self.image(kind)).decode()}"

    def _repr_html_(self) -> str:
        image = f'<img src="{self.uri("png")}" alt="{escape(self.alt)}" style="max-width:640px;width:100%">'
        return f"<figure><b>{escape(self.title)}</b><br>{image}<figcaption>{escape(self.caption)}</figcaption></figure>"


def score_surface(runs: pd.DataFrame, arm: str = "", more: Iterable[dict] = ()) -> Figure:
    """Zero-shot score over both sizes, a panel a target; `runs` is scaling.zero_shot(...), `more` the
    coordinates of cells that are not there. Cells without a run are hatched."""
    targets = _targets(runs)
    data = pd.concat([scaling.surface(runs, target, arm, more) for target in targets], ignore_index=True)
    drawing, panels = _panels(targets, lambda: 0.62 + 0.36 * data["examples"].nunique())
    low, high = _limits(data["mean"])
    for target, axes in panels.items():
        part = data[data["target"] == target]
        table = part.pivot(index="examples", columns="tokens", values="mean").sort_index(ascending=False)
        counts = part.pivot(index="examples", columns="tokens", values="n").loc[table.index]
        wanted = part.pivot(index="examples", columns="tokens", values="wanted").loc[table.index]
        with mpl.rc_context(STYLE):
            sns.heatmap(table, ax=axes, vmin=low, vmax=high, cmap="viridis", cbar=False, linewidths=1.5)
            _write_numbers(axes, table, counts, wanted, (low, high))
        _label_rungs(axes, table.columns, table.index)
        axes.set(title=target, xlabel="", ylabel="")
    _legend_of_holes(drawing, data)
    drawing.supxlabel("pretraining tokens P", fontsize=10)
    drawing.supylabel(f"{arm or 'intermediate'} examples I", fontsize=10)
    full = data[data["n"] == data["wanted"]]  # titles and texts tell of means over all seeds alone
    ranges = {target: _range(full[full["target"] == target], "mean") for target in targets}
    widest = max(ranges, key=lambda name: ranges[name][2], default="")
    holes = int((data["n"] < data["wanted"]).sum())
    title = f"Over the grid {widest} moves most, from {_said(ranges[widest])}" if widest else "No scores yet"
    if widest and ranges[widest][2] < 0:
        title = "No place of the grid has all its seeds, so nothing is said to move"
    elif widest and ranges[widest][2] == 0:
        title = "One place of the grid has scores, so nothing can move"
    caption = (
        "Zero-shot score, the mean over the non-English languages: 0 is chance, 1 the ceiling; each number is a mean "
        f"over {_n(data['n'], 'seed')}. {_holes(holes, len(data))}"
    )
    alt = f"{len(targets)} heat maps of the zero-shot score over pretraining tokens and {arm} examples. "
    told = [f"{name}: from {_said(found)}." for name, found in ranges.items() if found[2] >= 0]
    alt += f"{' '.join(told) or 'No place has all its seeds.'} {_holes(holes, len(data))}"
    return Figure(_name("surface", arm), drawing, data, title, caption, alt, arm)


def scaling_curves(runs: pd.DataFrame, axis: str = "tokens", arm: str = "") -> Figure:
    """Zero-shot score along one size (`tokens` or `examples`), a line a rung of the other; every seed is a dot."""
    other = {"tokens": "examples", "examples": "tokens"}[axis]
    targets = _targets(runs)
    part = runs[runs["target"].isin(targets) & ((runs["arm"] == arm) | (runs["examples"] == 0))]
    data = part[["target", "seed", axis, other, "zero_shot"]].sort_values(["target", other, axis, "seed"])
    rungs, lines = sorted(data[axis].unique()), sorted(data[other].unique())
    drawing, panels = _panels(targets, lambda: 1.55, sharey=True)
    colours = sns.color_palette("viridis", len(lines) + 1)[: len(lines)]
    symbol = {"tokens": "P", "examples": "I"}
    for target, axes in panels.items():
        for colour, marker, rung in zip(colours, _marks(lines), lines, strict=False):
            seeds = data[(data["target"] == target) & (data[other] == rung)]
            label = f"{symbol[other]} = {short(rung)}"
            _seed_lines(axes, seeds, axis, "zero_shot", rungs, colour, marker, label, data["seed"].nunique())
        _categories(axes, [short(rung) for rung in rungs])
        axes.set_title(target)
        axes.axhline(0, color="black", linewidth=0.8, linestyle=":")
    _shared_legend(drawing, panels)
    drawing.supxlabel({"tokens": "pretraining tokens P", "examples": f"{arm} examples I".strip()}[axis], fontsize=10)
    drawing.supylabel("zero-shot score (0: chance)", fontsize=10)
    ladder = data.pivot_table(index=["target", "seed", other], columns=axis, values="zero_shot", dropna=False)
    climbs = (ladder.iloc[:, -1] - ladder.iloc[:, 0]).dropna() if len(rungs) > 1 else pd.Series(dtype=float)
    # only lines that have both ends, seed by seed: else a rung that is not there would pass for a movement
    steps = climbs.groupby(level="target").mean().sort_values() if len(climbs) else climbs
    ends = f"from {symbol[axis]} = {short(rungs[0])} to {short(rungs[-1])}" if rungs else ""
    title = _moves(steps, ends) if len(steps) else f"No line has both ends of {symbol[axis]}: nothing to compare"
    counts = data.groupby(["target", other, axis])["zero_shot"].count()
    whole = "" if len(climbs) == len(ladder) else f" The title is told by the {len(climbs)} of {len(ladder)} lines "
    whole += "of single seeds that have both ends." if whole else ""
    caption = (
        f"Lines are means over seeds, dots are the single seeds ({data['seed'].nunique()}); the rungs stand evenly, "
        f"0 among them, so the axis is no scale. Dotted: chance. n = {_count(data['zero_shot'].count(), 'score')}."
        f"{_fewer(counts, data['seed'].nunique())}{whole}"
    )
    told = [f"{target} {number(step, '+')}" for target, step in steps.items()]
    noun = {"tokens": "tokens", "examples": "intermediate examples"}[other]
    alt = f"{len(targets)} panels of the zero-shot score {ends}, lines for {_list(map(short, lines))} {noun}. "
    alt += f"Mean change over the lines that have both ends: {_list(told)}." if told else "No line has both ends."
    return Figure(_name(f"curves-{axis}", arm), drawing, data, title, caption, alt, arm)


def gain_curves(gains: pd.DataFrame, arm: str) -> Figure:
    """What intermediate training adds to the same seed's score, by rung of I and P; every seed is a dot."""
    part = gains[(gains["arm"] == arm) & gains["gain"].notna()]
    targets = _targets(part)
    data = part[part["target"].isin(targets)][["target", "seed", "tokens", "examples", "gain"]]
    rungs, lines = sorted(data["examples"].unique()), sorted(data["tokens"].unique())
    drawing, panels = _panels(targets, lambda: 1.55, sharey=True)
    colours = sns.color_palette("viridis", len(lines) + 1)[: len(lines)]
    for target, axes in panels.items():
        axes.axhline(0, color="black", linewidth=0.8)
        for place, (colour, marker, rung) in enumerate(zip(colours, _marks(lines), lines, strict=False)):
            seeds = data[(data["target"] == target) & (data["tokens"] == rung)]
            aside = (place - (len(lines) - 1) / 2) * 0.13
            label = f"P = {short(rung)}"
            _seed_lines(axes, seeds, "examples", "gain", rungs, colour, marker, label, gains["seed"].nunique(), aside)
        _categories(axes, [short(rung) for rung in rungs])
        axes.set_title(target)
    _shared_legend(drawing, panels)
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
        f"dots single seeds ({data['seed'].nunique()}). n = {_count(len(data), 'pair')}."
        f"{_fewer(data.groupby(['target', 'tokens', 'examples'])['gain'].count(), gains['seed'].nunique())}"
    )
    alt = f"Gain in zero-shot score by {arm} examples. Runs above 0 at the largest rung: {_list(told)}."
    return Figure(_name("gains", arm), drawing, data, title, caption, alt, arm)


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
    order = language_order(data["language"], distances)
    rungs = sorted(data["tokens"].unique())
    drawing, panels = _panels(targets, lambda: 0.55 + 0.21 * len(order), sharex=True)
    colours = sns.color_palette("viridis", len(rungs) + 1)[: len(rungs)]
    for target, axes in panels.items():
        for colour, marker, rung in zip(colours, _marks(rungs), rungs, strict=False):
            at = data[(data["target"] == target) & (data["tokens"] == rung)]
            means = at.groupby("language")["gap"].mean().reindex(order)
            places = [order.index(language) for language in at["language"]]
            axes.plot(at["gap"], places, linestyle="", marker=".", markersize=3, color=colour, alpha=0.6)
            axes.plot(means, range(len(order)), linestyle="", marker=marker, color=colour, label=f"P = {short(rung)}")
            counts = at.groupby("language")["gap"].count().reindex(order)
            _hollow(axes, means, range(len(order)), counts, seeds, marker, colour)
        axes.tick_params(labelbottom=True)
        axes.set_yticks(range(len(order)), order)
        axes.set_ylim(len(order) - 0.5, -0.5)
        axes.grid(axis="x", color="#dddddd")
        axes.xaxis.set_major_locator(mpl.ticker.MaxNLocator(4))
        axes.axvline(0, color="black", linewidth=0.8, linestyle=":")
        axes.set_title(target)
    _shared_legend(drawing, panels)
    drawing.supxlabel("transfer gap: English minus the language", fontsize=10)
    by_rung = data.groupby("tokens")["gap"].agg(["mean", "count"])
    most = data[["target", "language"]].drop_duplicates().shape[0] * seeds
    nearest = f"Languages by their distance to English, the nearest first ({_list(order)})"
    ordered = nearest if _known(order, distances) else "Languages by code: their distances are not known here"
    title = "No target with an English test"
    if len(by_rung):
        fewer = [f" (of {n} of {most} gaps)" if n < most else "" for n in by_rung["count"]]
        first, last = (number(by_rung["mean"].iloc[end]) for end in (0, -1))
        title = f"The transfer gap is {last} at P = {short(rungs[-1])}{fewer[-1]}"
        title += f", against {first} at P = {short(rungs[0])}{fewer[0]}" if len(by_rung) > 1 else ""
    caption = (
        f"Score in English minus score in the language, {when}. {ordered}. "
        f"Large marks are means over seeds ({data['seed'].nunique()}), small dots single seeds. "
        f"n = {_count(len(data), 'gap')}."
        f"{_fewer(data.groupby(['target', 'language', 'tokens'])['gap'].count(), seeds)}"
    )
    mean_gaps = data.groupby("language")["gap"].agg(["mean", "count"]).reindex(order)
    told = [f"{language} {number(row['mean'])} (n = {row['count']:.0f})" for language, row in mean_gaps.iterrows()]
    return Figure("gaps", drawing, data, title, caption, f"Mean transfer gap by language: {_list(told)}.")


def language_scores(scores: pd.DataFrame, distances: dict[str, float] | None = None) -> Figure:
    """Score of every language by rung of P without intermediate training, a panel a target, English on top."""
    part, when = scaling.plain(scores)
    found = part.groupby(["task", "language", "tokens"])["score"].agg(score="mean", sd="std", n="count").reset_index()
    data = found.rename(columns={"task": "target"})
    seeds = scores["seed"].nunique()
    targets = [name for name in TASKS if name in set(data["target"])]
    order = ["en", *language_order(data["language"], distances)]
    rungs = sorted(data["tokens"].unique())
    drawing, panels = _panels(targets, lambda: 0.5 + 0.25 * len(order))
    low, high = _limits(data["score"])
    for target, axes in panels.items():
        at = data[data["target"] == target]
        table = at.pivot(index="language", columns="tokens", values="score").reindex(order, columns=rungs)
        counts = at.pivot(index="language", columns="tokens", values="n").reindex(order, columns=rungs).fillna(0)
        wanted = counts * 0 + seeds
        if not TASKS[target].trains:  # no English test: a row that cannot be there is not missing
            table, counts, wanted = table.drop("en"), counts.drop("en"), wanted.drop("en")
        with mpl.rc_context(STYLE):
            sns.heatmap(table, ax=axes, vmin=low, vmax=high, cmap="viridis", cbar=False, linewidths=1)
            _write_numbers(axes, table, counts, wanted, (low, high), size=9)
        axes.set_xticks(np.arange(len(rungs)) + 0.5, [short(rung) for rung in rungs], rotation=0)
        axes.set_yticks(np.arange(len(table)) + 0.5, table.index, rotation=0)
        axes.tick_params(length=0)
        axes.set(title=target, xlabel="", ylabel="")
    _legend_of_holes(drawing, data.assign(wanted=seeds))
    drawing.supxlabel("pretraining tokens P", fontsize=10)
    group = "trained" if (part["group"] == "trained").any() else "retrieval"
    told_of = set(part.loc[part["group"] == group, "task"])  # the two are never averaged together
    last = data[data["target"].isin(told_of) & data["tokens"].isin(rungs[-1:])]
    ends = last.groupby("language")["score"].mean()
    lost = f" (seeds are missing: {_n(last['n'], 'seed')} of {seeds})" if (last["n"] < seeds).any() else ""
    ends, english = ends.drop("en", errors="ignore"), ends.get("en", np.nan)
    title = "No scores yet"
    if len(ends):
        best, worst = ends.idxmax(), ends.idxmin()
        title = f"At P = {short(rungs[-1])} the {group} targets transfer best to {best} ({number(ends[best])})"
        title += f", worst to {worst} ({number(ends[worst])})" if len(ends) > 1 else ""
        title += lost
    ordered = "by distance to English" if _known(order[1:], distances) else "by code (distances not known here)"
    caption = (
        f"Score {when}: 0 is chance, 1 the ceiling; languages {ordered}, English first where "
        f"the task has an English test. Means over {_n(data['n'], 'seed')}; n = {_count(len(data), 'mean')}."
    )
    told = [f"{language} {number(value)}" for language, value in ends.reindex(order).dropna().items()]
    at = f" at P = {short(rungs[-1])}" if rungs else ""
    told = ([f"English {number(english)}"] if np.isfinite(english) else []) + told
    alt = f"Mean score over the {group} targets that test a language{at}{lost}: {_list(told)}."
    return Figure("languages", drawing, data, title, caption, alt)


def cost(phases: pd.DataFrame) -> Figure:
    """Planned against spent seconds and what is overhead, by phase. Columns: phase, planned, work, attempts
    (all seconds of CPU time or wall time of the runs; NaN where not known)."""
    data = phases[["phase", "planned", "work", "attempts"]].copy()
    data["overhead"] = (data["attempts"] - data["work"]).clip(lower=0)
    with mpl.rc_context(STYLE):
        drawing = Drawing(figsize=(WIDTH, 0.95 + 0.62 * max(1, len(data))), layout="constrained")
        axes = drawing.subplots()
    places = np.arange(len(data))
    axes.barh(places - 0.2, data["planned"], 0.36, color="#cccccc", edgecolor="black", linewidth=0.6, label="planned")
    axes.barh(places + 0.2, data["work"], 0.36, color=COLOURS[0], label="spent on work")
    axes.barh(
        places + 0.2, data["overhead"], 0.36, left=data["work"], color=COLOURS[1], hatch="//", edgecolor="white",
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
        f"{row['phase']}: " + _list(f"{name} {_seconds(row[name])}" for name in columns) for _, row in data.iterrows()
    ]
    return Figure("cost", drawing, data, title, caption, ". ".join(told) + ".")


def learning_curve(curves: list[dict] | pd.DataFrame, unit: str = "steps", per_step: float = 1) -> Figure:
    """The loss of each named curve over training, as logged and as a running mean. `curves` are a record's rows
    (name, step, loss; without a name they are one curve); `per_step` turns steps into another `unit`."""
    data = pd.DataFrame(curves, columns=["name", "step", "loss", "learning_rate"])
    data["name"], data["loss"] = data["name"].astype(object).fillna("training"), pd.to_numeric(data["loss"])
    data[unit] = data["step"] * per_step
    names = list(dict.fromkeys(data["name"]))
    drawing, panels = _panels(names, lambda: 1.7)
    told = []
    for name, axes in panels.items():
        part = data[data["name"] == name].sort_values("step")
        window = max(1, len(part) // 20)
        smooth = part["loss"].rolling(window, min_periods=1, center=True).mean()
        axes.plot(part[unit], part["loss"], color=COLOURS[0], linewidth=0.8, alpha=0.35)
        axes.plot(part[unit], smooth, color=COLOURS[0], linewidth=2)
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
    title = f"The loss of {_list(told)}" if told else "Nothing was trained"
    caption = f"Thin: as logged. Thick: running mean. n = {_count(len(data), 'point')}."
    return Figure("learning-curve", drawing, data, title, caption, f"Training loss. {'. '.join(told)}.")


def scores_by_language(results: list[dict] | pd.DataFrame, distances: dict[str, float] | None = None) -> Figure:
    """One run's main scores by language, a panel a task, chance as a dotted line; `results` are a record's rows."""
    data = pd.DataFrame(results)
    data = data[data["main"].astype(bool)][["task", "language", "metric", "value", "n"]].copy()
    tasks = list(dict.fromkeys(data["task"]))
    order = [code for code in ["en"] if code in set(data["language"])] + language_order(data["language"], distances)
    drawing, panels = _panels(tasks, lambda: 0.55 + 0.19 * len(order))
    for task, axes in panels.items():
        part = data[data["task"] == task].set_index("language")["value"].reindex(order)
        shades = [COLOURS[1] if code == "en" else COLOURS[0] for code in order]
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
    title = "Zero-shot means: " + _list(f"{task} {value:.2f}" for task, value in means.items())
    title = title if len(means) else "No language beside English"
    caption = (
        f"Scores as the tasks give them, English (orange) and untouched languages (blue); dotted: chance. "
        f"n = {_n(data['n'], 'test example')} a bar."
    )
    return Figure("scores-by-language", drawing, data, title, caption, ". ".join(told) + ".")


def language_order(languages: Iterable[str], distances: dict[str, float] | None = None) -> list[str]:
    """The non-English languages, nearest first; those of unknown distance follow by code."""
    known = distances or {}
    return sorted(set(languages) - {"en"}, key=lambda code: (known.get(code, np.inf), code))


def _known(languages: Sequence[str], distances: dict[str, float] | None) -> bool:
    return bool(languages) and all(code in (distances or {}) for code in languages)


def _targets(rows: pd.DataFrame) -> list[str]:
    """The targets there are, in the order of tasks.py, the means last."""
    there = set(rows["target"])
    return [name for name in [*TASKS, *scaling.MEANS.values()] if name in there]


def _panels(names: Sequence[str], height, sharex: bool = False, sharey: bool = False) -> tuple[Drawing, dict]:
    """Axes by name, two a row, the last cell of an odd number left out."""
    columns = 1 if len(names) <= 1 else 2
    rows = max(1, -(-len(names) // columns))
    with mpl.rc_context(STYLE):
        # what a row needs beside its panel: the title above, the tick labels below; and once, the legend
        drawing = Drawing(figsize=(WIDTH, rows * (height() + 0.62) + 0.55), layout="constrained")
        axes = drawing.subplots(rows, columns, squeeze=False, sharex=sharex, sharey=sharey).ravel()
    for spare in axes[max(1, len(names)) :]:
        spare.remove()
    if not len(names):
        axes[0].set_axis_off()
        axes[0].text(0.5, 0.5, "no runs to show", ha="center", va="center")
    return drawing, dict(zip(names, axes, strict=False))


def _write_numbers(axes, table: pd.DataFrame, counts, wanted, limits: tuple[float, float], size: float = 10) -> None:
    """Each cell's number, hatched where no seed ran, marked where some are missing."""
    axes.grid(visible=False)
    middle = sum(limits) / 2
    for row in range(table.shape[0]):
        for column in range(table.shape[1]):
            value, n, full = (part.iloc[row, column] for part in (table, counts, wanted))
            if not np.isfinite(value):
                axes.add_patch(Rectangle((column, row), 1, 1, fill=False, **HATCHED, linewidth=0))
                continue
            text = f"{round(value, 2) + 0.0:.2f}".replace("-", "−") + (f"\n{int(n)} of {int(full)}" if n < full else "")
            colour = "white" if value < middle else "black"
            axes.text(column + 0.5, row + 0.5, text, ha="center", va="center", color=colour, fontsize=size)


def _label_rungs(axes, tokens, examples) -> None:
    axes.set_xticks(np.arange(len(tokens)) + 0.5, [short(rung) for rung in tokens], rotation=0)
    axes.set_yticks(np.arange(len(examples)) + 0.5, [short(rung) for rung in examples], rotation=0)
    axes.tick_params(length=0)


def _legend_of_holes(drawing: Drawing, data: pd.DataFrame) -> None:
    if (data["n"] == 0).any() or data.get("wanted", data["n"]).gt(data["n"]).any():
        patch = Patch(fill=False, **HATCHED, label="no run; “1 of 2”: seeds there are")
        drawing.legend(handles=[patch], loc="outside upper center", frameon=False)


def _seed_lines(axes, rows, x: str, y: str, rungs, colour, marker, label: str, seeds: int, aside: float = 0.0) -> None:
    """A line through the means over seeds and a dot a seed; a mean over fewer than the `seeds` there are is hollow.
    `aside` keeps neighbours from hiding each other."""
    places = [rungs.index(rung) + aside for rung in rows[x]]
    axes.plot(places, rows[y], linestyle="", marker=marker, markersize=3.5, color=colour, alpha=0.55, markeredgewidth=0)
    means = rows.groupby(x)[y].mean().reindex(rungs)
    places = np.arange(len(rungs)) + aside
    axes.plot(places, means, color=colour, linewidth=1.6, marker=marker, markersize=5, label=label)
    _hollow(axes, places, means, rows.groupby(x)[y].count().reindex(rungs), seeds, marker, colour)


def _hollow(axes, x, y, counts, seeds: int, marker, colour) -> None:
    """Open the marks of means over fewer than all seeds."""
    some = ((counts > 0) & (counts < seeds)).to_numpy()
    open_ = {"linestyle": "", "markersize": 5, "markerfacecolor": "white", "zorder": 3}
    axes.plot(np.asarray(x)[some], np.asarray(y)[some], marker=marker, markeredgecolor=colour, **open_)


def _fewer(counts: pd.Series, seeds: int) -> str:
    """How many of the means stand on fewer than all seeds; nothing where none does."""
    some = int(((counts > 0) & (counts < seeds)).sum())
    return f" Hollow: {_count(some, 'mean')} over fewer than the {seeds} seeds." if some else ""


def _categories(axes, labels: Sequence[str]) -> None:
    axes.set_xticks(range(len(labels)), labels)
    axes.set_xlim(-0.4, len(labels) - 0.6)


def _shared_legend(drawing: Drawing, panels: dict) -> None:
    for axes in list(panels.values())[:1]:
        handles, labels = axes.get_legend_handles_labels()
        if handles:
            drawing.legend(
                handles, labels, loc="outside upper center", frameon=False, ncols=min(4, len(labels)), columnspacing=1.2
            )


def _marks(lines: Sequence) -> str:
    return (MARKERS * (1 + len(lines) // len(MARKERS)))[: len(lines)]


def _limits(values: pd.Series) -> tuple[float, float]:
    """One scale for all panels, so that the same colour is the same score everywhere."""
    found = values.dropna()
    return (min(0.0, float(found.min())), max(float(found.max()), 0.01)) if len(found) else (0.0, 1.0)


def _range(rows: pd.DataFrame, column: str) -> tuple[float, float, float]:
    found = rows[column].dropna()
    low, high = (found.min(), found.max()) if len(found) else (np.nan, np.nan)
    return low, high, high - low if len(found) else -1.0


def _said(found: tuple[float, float, float]) -> str:
    return f"{number(found[0])} to {number(found[1])}"


def _moves(steps: pd.Series, ends: str) -> str:
    """A title of who rises and who falls; `steps` are differences by target, sorted."""
    single = steps.drop(labels=list(scaling.MEANS.values()), errors="ignore")
    up, down = single[single > 0], single[single <= 0]
    said = f"On average {len(up)} of {_count(len(single), 'target')} rise{'s' if len(single) == 1 else ''} {ends}"
    said += f", most {up.index[-1]} ({number(up.iloc[-1], '+')})" if len(up) else ""
    return said + (f"; {down.index[0]} falls most ({number(down.iloc[0], '+')})" if len(down) else "")


def _holes(holes: int, cells: int) -> str:
    return f"{holes} of {cells} cells lack seeds (hatched where none ran)." if holes else "No cell is missing."


def _n(counts: pd.Series, noun: str) -> str:
    low, high = (int(counts.min()), int(counts.max())) if len(counts) else (0, 0)
    return _count(low, noun) if low == high else f"{low} to {_count(high, noun)}"


def _count(n: int, noun: str) -> str:
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def _list(parts: Iterable[str]) -> str:
    return ", ".join(parts)


def _seconds(value: float) -> str:
    return f"{value:.0f} s" if np.isfinite(value) else "not known"


def _name(stem: str, arm: str) -> str:
    return re.sub(r"[^\w+-]", "_", f"{stem}-{arm}" if arm else stem)  # a file's name
