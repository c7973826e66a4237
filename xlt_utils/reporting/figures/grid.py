"""The study's pictures. Each function takes tidy rows and returns a Figure: the drawing, its data, a
title that says what the data say, a caption with n, and a text for those who cannot see it, all
computed."""

from collections.abc import Iterable

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.patches import Rectangle

from xlt_utils.analysis import transfer_scores
from xlt_utils.analysis.intervals import ALPHA
from xlt_utils.analysis.transfer_scores import MEANS
from xlt_utils.formatting import count_of, join_words, number, short_size
from xlt_utils.reporting.figures import canvas
from xlt_utils.reporting.figures.canvas import Figure, colour_limit, name_rows, row_axes


def score_surface(runs: pd.DataFrame, arm: str = "", more: Iterable[dict] = ()) -> Figure:
    """Zero-shot score over both sizes, a panel a target; `runs` is scaling.zero_shot(...), `more` the
    coordinates of cells that are not there. Cells without a run are hatched."""
    targets = canvas.target_order(runs)
    data = pd.concat(
        [transfer_scores.score_surface_table(runs, target, arm, more) for target in targets], ignore_index=True
    )
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
    title = f"Over the grid {widest} moves most, from {canvas.span_text(ranges[widest])}" if widest else "No scores yet"
    if widest and ranges[widest][2] < 0:
        title = "No place of the grid has all its seeds, so nothing is said to move"
    elif widest and ranges[widest][2] == 0:
        title = "One place of the grid has scores, so nothing can move"
    caption = (
        "Zero-shot score, the mean over the non-English languages: 0 is chance, 1 the ceiling; each number is a mean "
        f"over {canvas.n_of(data['n'], 'seed')}. {canvas.holes_text(holes, len(data))}"
    )
    alt = f"{len(targets)} heat maps of the zero-shot score over pretraining tokens and {arm} examples. "
    told = [f"{name}: from {canvas.span_text(found)}." for name, found in ranges.items() if found[2] >= 0]
    alt += f"{' '.join(told) or 'No place has all its seeds.'} {canvas.holes_text(holes, len(data))}"
    return Figure(canvas.file_name("surface", arm), drawing, data, title, caption, alt, arm)


def scaling_curves(runs: pd.DataFrame, axis: str = "tokens", arm: str = "") -> Figure:
    """Zero-shot score along one size (`tokens` or `examples`), a line a rung of the other; every seed is a dot."""
    other = {"tokens": "examples", "examples": "tokens"}[axis]
    targets = canvas.target_order(runs)
    part = runs[runs["target"].isin(targets) & ((runs["arm"] == arm) | (runs["examples"] == 0))]
    data = part[["target", "seed", axis, other, "zero_shot"]].sort_values(["target", other, axis, "seed"])
    rungs, lines = sorted(data[axis].unique()), sorted(data[other].unique())
    drawing, panels = canvas.panels(targets, lambda: 1.55, sharey=True)
    colours = sns.color_palette("viridis", len(lines) + 1)[: len(lines)]
    symbol = {"tokens": "P", "examples": "I"}
    for target, axes in panels.items():
        for colour, marker, rung in zip(colours, canvas.marks(lines), lines, strict=False):
            seeds = data[(data["target"] == target) & (data[other] == rung)]
            label = f"{symbol[other]} = {short_size(rung)}"
            canvas.seed_lines(axes, seeds, axis, "zero_shot", rungs, colour, marker, label, data["seed"].nunique())
        canvas.categories(axes, [short_size(rung) for rung in rungs])
        axes.set_title(target)
        axes.axhline(0, color="black", linewidth=0.8, linestyle=":")
    canvas.shared_legend(drawing, panels)
    drawing.supxlabel({"tokens": "pretraining tokens P", "examples": f"{arm} examples I".strip()}[axis], fontsize=10)
    drawing.supylabel("zero-shot score (0: chance)", fontsize=10)
    ladder = data.pivot_table(index=["target", "seed", other], columns=axis, values="zero_shot", dropna=False)
    climbs = (ladder.iloc[:, -1] - ladder.iloc[:, 0]).dropna() if len(rungs) > 1 else pd.Series(dtype=float)
    # only lines that have both ends, seed by seed: else a rung that is not there would pass for a movement
    steps = climbs.groupby(level="target").mean().sort_values() if len(climbs) else climbs
    ends = f"from {symbol[axis]} = {short_size(rungs[0])} to {short_size(rungs[-1])}" if rungs else ""
    title = (
        canvas.moves_text(steps, ends) if len(steps) else f"No line has both ends of {symbol[axis]}: nothing to compare"
    )
    counts = data.groupby(["target", other, axis])["zero_shot"].count()
    whole = "" if len(climbs) == len(ladder) else f" The title is told by the {len(climbs)} of {len(ladder)} lines "
    whole += "of single seeds that have both ends." if whole else ""
    caption = (
        f"Lines are means over seeds, dots are the single seeds ({data['seed'].nunique()}); the rungs stand evenly, "
        "0 among them, so the axis is no scale. Dotted: chance. "
        f"n = {count_of(data['zero_shot'].count(), 'score')}.{canvas.fewer(counts, data['seed'].nunique())}{whole}"
    )
    told = [f"{target} {number(step, '+')}" for target, step in steps.items()]
    noun = {"tokens": "tokens", "examples": "intermediate examples"}[other]
    alt = (
        f"{len(targets)} panels of the zero-shot score {ends}, lines for {join_words(map(short_size, lines))} {noun}. "
    )
    alt += f"Mean change over the lines that have both ends: {join_words(told)}." if told else "No line has both ends."
    return Figure(canvas.file_name(f"curves-{axis}", arm), drawing, data, title, caption, alt, arm)


def gain_curves(gains: pd.DataFrame, arm: str) -> Figure:
    """What intermediate training adds to the same seed's score, by rung of I and P; every seed is a dot."""
    part = gains[(gains["arm"] == arm) & gains["gain"].notna()]
    targets = canvas.target_order(part)
    data = part[part["target"].isin(targets)][["target", "seed", "tokens", "examples", "gain"]]
    rungs, lines = sorted(data["examples"].unique()), sorted(data["tokens"].unique())
    drawing, panels = canvas.panels(targets, lambda: 1.55, sharey=True)
    colours = sns.color_palette("viridis", len(lines) + 1)[: len(lines)]
    for target, axes in panels.items():
        axes.axhline(0, color="black", linewidth=0.8)
        for place, (colour, marker, rung) in enumerate(zip(colours, canvas.marks(lines), lines, strict=False)):
            seeds = data[(data["target"] == target) & (data["tokens"] == rung)]
            aside = (place - (len(lines) - 1) / 2) * 0.13
            label = f"P = {short_size(rung)}"
            canvas.seed_lines(
                axes, seeds, "examples", "gain", rungs, colour, marker, label, gains["seed"].nunique(), aside
            )
        canvas.categories(axes, [short_size(rung) for rung in rungs])
        axes.set_title(target)
    canvas.shared_legend(drawing, panels)
    drawing.supxlabel(f"{arm} examples I", fontsize=10)
    drawing.supylabel("gain over I = 0", fontsize=10)
    largest = data[data["examples"].isin(rungs[-1:]) & ~data["target"].isin(transfer_scores.MEANS.values())].dropna()
    up = (largest["gain"] > 0).groupby(largest["target"]).agg(["sum", "size"])
    told = [f"{target} {row['sum']} of {row['size']}" for target, row in up.iterrows()]
    all_up = int(up["sum"].sum()), int(up["size"].sum())
    title = "No run to compare"
    if told:
        title = f"With {short_size(rungs[-1])} {arm} examples {all_up[0]} of {all_up[1]} zero-shot means are higher than without"
    caption = (
        "Difference to the run of the same seed and P without intermediate training. Lines are means over seeds, "
        f"dots single seeds ({data['seed'].nunique()}). n = {count_of(len(data), 'pair')}."
        f"{canvas.fewer(data.groupby(['target', 'tokens', 'examples'])['gain'].count(), gains['seed'].nunique())}"
    )
    alt = f"Gain in zero-shot score by {arm} examples. Runs above 0 at the largest rung: {join_words(told)}."
    return Figure(canvas.file_name("gains", arm), drawing, data, title, caption, alt, arm)


def gain_map(gains: pd.DataFrame, arm: str) -> Figure:
    """The gain over I = 0 at every P and I, a panel a target; `gains` is `laws.corrected(...)`. Starred: other than 0
    after Holm's correction."""
    data = gains[gains["arm"] == arm].drop(columns="arm")
    names = canvas.target_order(data)
    drawing, panels = canvas.panels(names, lambda: 0.62 + 0.3 * data["examples"].nunique())
    most = colour_limit(data["gain"].to_numpy(dtype=float))
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
    title = f"{arm}: {up} of {count_of(len(own), 'gain')} are above 0, "
    title += (
        f"{len(sure)} told from 0 when corrected for their number" if own["p"].notna().any() else "none on two seeds"
    )
    caption = (
        "Zero-shot score minus that without intermediate training, paired by seed. Star: other than 0 at 5 % after "
        f"Holm's correction over all arms and single targets. Hatched: no pair. "
        f"n = {canvas.n_of(data['n'], 'seed')} a cell."
    )
    last = own[(own["tokens"] == own["tokens"].max()) & (own["examples"] == own["examples"].max())]
    told = join_words(f"{row.target} {number(row.gain, '+')}" for row in last.itertuples())
    alt = f"Heat maps of the gain after {arm}; at the largest P and I: {told or 'nothing'}. {len(sure)} are starred."
    return Figure(canvas.file_name("gain-map", arm), drawing, data, title, caption, alt, arm)


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


def completeness(runs: pd.DataFrame, more: Iterable[dict] = ()) -> Figure:
    """How many seeds have all their targets at each place of the grid; `more` are the places of cells that are not
    there."""
    grid = transfer_scores.places(runs, more)
    single = runs[~runs["target"].isin(MEANS.values())]
    done = single.dropna(subset=["zero_shot"]).groupby(transfer_scores.PLACE)["target"].nunique().rename("targets")
    grid = grid.merge(done.reset_index(), how="left", on=transfer_scores.PLACE).fillna({"targets": 0})
    grid["whole"] = grid["targets"] == single["target"].nunique()
    data = grid.groupby(["arm", "examples", "tokens"])["whole"].agg(seeds="sum", wanted="size").reset_index()
    table = data.pivot(index=["arm", "examples"], columns="tokens", values="seeds")
    wanted = data.pivot(index=["arm", "examples"], columns="tokens", values="wanted")
    drawing, axes = row_axes(len(table), each=0.24)
    share = (table / wanted).to_numpy()
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1.4, aspect="auto")
    for (row, column), value in np.ndenumerate(share):
        if value == 0:
            box = Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, **canvas.HATCHED, linewidth=0)
            axes.add_patch(box)
        text = f"{table.iloc[row, column]} of {wanted.iloc[row, column]}"
        axes.text(column, row, text, ha="center", va="center", fontsize=8.5)
    axes.set_xticks(range(table.shape[1]), [short_size(rung) for rung in table.columns])
    axes.set_xlabel("pretraining tokens P")
    name_rows(axes, [f"{arm}  {short_size(rung)}" if arm else "I = 0" for arm, rung in table.index])
    axes.tick_params(length=0)
    axes.grid(visible=False)
    whole, cells = int(grid["whole"].sum()), len(grid)
    title = "Every cell of the grid is there" if whole == cells else f"{cells - whole} of {cells} cells are not whole"
    caption = (
        "Seeds with all their targets in all languages, of those there should be; hatched: none. Rows: arm and I. "
        f"n = {count_of(cells, 'cell')} of the grid."
    )
    alt = f"{whole} of {cells} cells of the grid have all their {single['target'].nunique()} targets."
    return Figure("completeness", drawing, data, title, caption, alt)
