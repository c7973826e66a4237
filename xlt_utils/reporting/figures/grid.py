"""Figures over the grid of pretraining tokens P and intermediate examples I: scores and gains as heat maps and as
curves, and which cells are complete. Each function takes tidy rows and returns a Figure whose title, caption and alt
text are computed from them."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from xlt_utils.analysis import transfer_scores
from xlt_utils.analysis.intervals import ALPHA
from xlt_utils.analysis.transfer_scores import MEANS
from xlt_utils.formatting import count_of, join_words, number_text, short_size
from xlt_utils.reporting.figures import canvas
from xlt_utils.reporting.figures.figure import Figure, figure_name

SYMBOLS = {"tokens": "P", "examples": "I"}


def score_surface(runs: pd.DataFrame, arm: str = "", missing_cells: Sequence[dict] = ()) -> Figure:
    """Zero-shot score over P and I as heat maps, a panel per target that the study tests after the arm; cells without
    a run are hatched.

    Args:
        runs: as `transfer_scores.zero_shot` gives them.
        arm: the intermediate arm.
        missing_cells: coordinates of cells without a record, and their `targets`.
    """
    targets = _targets_after(runs, arm, missing_cells)
    tables = [transfer_scores.score_surface_table(runs, target, arm, missing_cells) for target in targets]
    of_arm = runs[(runs["arm"] == arm) | (runs["examples"] == 0)]
    cells = ["target", "tokens", "examples"]
    counts = canvas.counting(of_arm).groupby([of_arm[name] for name in cells]).all().rename("counts").reset_index()
    data = pd.concat(tables, ignore_index=True).merge(counts, how="left", on=cells)
    data["counts"] = data["counts"].fillna(True).astype(bool)  # nothing says that what never ran was not learnt
    texts = [canvas.score_text(*row) for row in data[["mean", "n", "wanted"]].to_numpy()]
    drawing, panels = canvas.panels(targets, 0.62 + 0.36 * data["examples"].nunique())
    limits = canvas.score_limits(data["mean"])
    for target, axes in panels.items():
        _grid_heat_map(axes, data.assign(text=texts)[data["target"] == target], "mean", limits, size=10, linewidths=1.5)
    canvas.title_panels(panels, data)
    canvas.missing_legend(drawing, data, data["wanted"])
    _label_sizes(drawing, arm)
    single = canvas.single_targets(data)
    title = f"Zero-shot scores by {_sizes_text(arm)}: "
    if single["counts"].all():
        title += f"{count_of(single['target'].nunique(), 'target')}, all learnt in English"
    else:
        title += f"{single['counts'].sum()} of {count_of(len(single), 'cell')} count, the others were not learnt"
    n_incomplete = int((data["counts"] & (data["n"] < data["wanted"])).sum())
    missing = (
        f"{n_incomplete} of {len(data)} cells lack seeds (hatched where none ran)."
        if n_incomplete
        else "No cell is missing."
    )
    caption = (
        "Zero-shot score, the mean over the non-English languages: 0 is the zero point, 1 the ceiling; each number is "
        f"a mean over {canvas.range_of_counts(data['n'], 'seed')}. {missing}{canvas.unlearnt_text(data)}"
    )
    alt = (
        f"{count_of(len(targets), 'heat map')} of the zero-shot score by {_sizes_text(arm)}. "
        f"{' '.join(_corner_text(data, target) for target in targets)} {missing}"
    )
    return Figure(figure_name("surface", arm), drawing, data, title, caption, alt, arm)


def scaling_curves(runs: pd.DataFrame, axis: str = "tokens", arm: str = "") -> Figure:
    """Zero-shot score along one size, a line per rung of the other, a dot per seed; along I only the targets that the
    study tests after the arm.

    Args:
        runs: as `transfer_scores.zero_shot` gives them.
        axis: `tokens` or `examples`.
        arm: the intermediate arm.
    """
    other = "examples" if axis == "tokens" else "tokens"
    after_arm = _targets_after(runs, arm)
    targets = canvas.target_order(runs["target"]) if axis == "tokens" else after_arm
    part = runs[((runs["arm"] == arm) & runs["target"].isin(after_arm)) | (runs["examples"] == 0)]
    part = part[part["target"].isin(targets)]
    data = part.assign(counts=canvas.counting(part))[["target", "seed", axis, other, "zero_shot", "counts"]]
    data = data.sort_values(["target", other, axis, "seed"])
    n_seeds = data["seed"].nunique()
    rungs, lines = sorted(data[axis].unique()), sorted(data[other].unique())
    drawing, panels = canvas.panels(targets, 1.55, sharey=True)
    for target, axes in panels.items():
        rows_by_line = {rung: data[(data["target"] == target) & (data[other] == rung)] for rung in lines}
        for rung, colour, marker in canvas.rung_styles(lines):  # what does not count lies below what does
            rows = rows_by_line[rung]
            if not rows["counts"].all():
                _seed_lines(axes, rows, axis, "zero_shot", rungs, n_seeds, canvas.pale(colour), marker)
        for rung, colour, marker in canvas.rung_styles(lines):
            rows, label = rows_by_line[rung], f"{SYMBOLS[other]} = {short_size(rung)}"
            _seed_lines(axes, rows[rows["counts"]], axis, "zero_shot", rungs, n_seeds, colour, marker, label)
        _label_categories(axes, rungs)
        axes.axhline(0, **canvas.DOTTED)
    canvas.title_panels(panels, data)
    canvas.shared_legend(drawing, panels)
    drawing.supxlabel("pretraining tokens P" if axis == "tokens" else _examples_text(arm), fontsize=10)
    drawing.supylabel("zero-shot score (0: zero point)", fontsize=10)
    scores = data["zero_shot"].where(data["counts"])
    table = data.assign(zero_shot=scores)
    ladders = table.pivot_table(index=["target", "seed", other], columns=axis, values="zero_shot", dropna=False)
    if axis == "tokens":
        lines_at, targets_of = (ladders.index.get_level_values(name) for name in (other, "target"))
        ladders = ladders[(lines_at == 0) | targets_of.isin(after_arm)]
    # only lines with both ends, seed by seed: a missing rung would pass for a movement
    climbs = (ladders.iloc[:, -1] - ladders.iloc[:, 0]).dropna() if len(rungs) > 1 else pd.Series(dtype=float)
    changes = climbs.groupby(level="target").mean().reindex(targets).dropna() if len(climbs) else climbs
    ends = f"from {SYMBOLS[axis]} = {short_size(rungs[0])} to {short_size(rungs[-1])}" if rungs else ""
    title = f"No line that counts has both ends of {SYMBOLS[axis]}: nothing to compare"
    if len(changes):
        title = f"Mean change {ends}: {_changes_text(changes)}"
    counted = ""
    if 0 < len(climbs) < len(ladders):
        counted = f" The title's means are over {len(climbs)} of {len(ladders)} single-seed lines: both ends count."
    counts = data.groupby(["target", other, axis])["zero_shot"].count()
    caption = (
        f"Lines are means over seeds, dots are single seeds ({n_seeds}). Rungs are evenly spaced, 0 included, so the "
        f"axis is not to scale. Dotted: the zero point. n = {count_of(data['zero_shot'].count(), 'score')}."
        f"{canvas.hollow_text(counts, n_seeds)}{canvas.unlearnt_text(data)}{counted}"
    )
    noun = "tokens" if other == "tokens" else "intermediate examples"
    sizes = join_words(map(short_size, lines))
    alt = f"{count_of(len(targets), 'panel')} of the zero-shot score {ends}, lines for {sizes} {noun}. {title}."
    return Figure(figure_name(f"curves-{axis}", arm), drawing, data, title, caption, alt, arm)


def gain_curves(gains: pd.DataFrame, arm: str) -> Figure:
    """Gain of intermediate training over the same seed's score at I = 0 along I, a line per rung of P, a dot per seed.

    Args:
        gains: as `gains.paired_gains` gives them.
        arm: the intermediate arm.
    """
    data = gains.loc[(gains["arm"] == arm) & gains["gain"].notna(), ["target", "seed", "tokens", "examples", "gain"]]
    targets, n_seeds = canvas.target_order(data["target"]), gains["seed"].nunique()
    rungs, lines = sorted(data["examples"].unique()), sorted(data["tokens"].unique())
    drawing, panels = canvas.panels(targets, 1.55, sharey=True)
    for target, axes in panels.items():
        axes.axhline(0, color="black", linewidth=0.8)
        for place, (rung, colour, marker) in enumerate(canvas.rung_styles(lines)):
            rows = data[(data["target"] == target) & (data["tokens"] == rung)]
            shift = (place - (len(lines) - 1) / 2) * 0.13
            label = f"P = {short_size(rung)}"
            _seed_lines(axes, rows, "examples", "gain", rungs, n_seeds, colour, marker, label, shift)
        _label_categories(axes, rungs)
        canvas.widen_gain_axis(axes)
        axes.set_title(target)
    canvas.shared_legend(drawing, panels)
    drawing.supxlabel(_examples_text(arm), fontsize=10)
    drawing.supylabel("gain over I = 0", fontsize=10)
    at_largest = canvas.single_targets(data[data["examples"].isin(rungs[-1:])])
    positive = (at_largest["gain"] > 0).groupby(at_largest["target"]).agg(["sum", "size"])
    title = "No run to compare"
    if len(positive):
        n_positive, n_gains = (int(positive[column].sum()) for column in ("sum", "size"))
        score = "scores" if n_positive == 1 else "score"
        title = f"At I = {short_size(rungs[-1])} ({arm}) {n_positive} of {count_of(n_gains, 'run')} {score} above the "
        title += "same seed and P at I = 0; half would by chance"
    counts = data.groupby(["target", "tokens", "examples"])["gain"].count()
    caption = (
        "Difference from the run of the same seed and P without intermediate training. Lines are means over seeds, "
        f"dots are single seeds ({data['seed'].nunique()}). n = {count_of(len(data), 'pair')}."
        f"{canvas.hollow_text(counts, n_seeds)}"
    )
    by_target = join_words(f"{target} {row['sum']} of {row['size']}" for target, row in positive.iterrows())
    alt = f"Gain in zero-shot score by {arm} examples. Runs above 0 at the largest rung: {by_target or 'none'}."
    return Figure(figure_name("gains", arm), drawing, data, title, caption, alt, arm)


def gain_map(gains: pd.DataFrame, arm: str) -> Figure:
    """Gain over I = 0 at every P and I as heat maps, a panel per target; starred where it differs from 0.

    Args:
        gains: as `gains.gain_table` gives them, with p values corrected for their number.
        arm: the intermediate arm.
    """
    data = gains[gains["arm"] == arm].drop(columns="arm")
    targets = canvas.target_order(data["target"])
    drawing, panels = canvas.panels(targets, 0.62 + 0.3 * data["examples"].nunique())
    limits = canvas.gain_limits(data["gain"])
    stars = np.where(data["corrected"] < ALPHA, "*", "")
    texts = [number_text(gain, "+", digits=2) + star for gain, star in zip(data["gain"].to_numpy(), stars, strict=True)]
    for target, axes in panels.items():
        _grid_heat_map(axes, data.assign(text=texts)[data["target"] == target], "gain", limits, diverging=True)
        axes.set_title(target)
    _label_sizes(drawing, arm)
    single = canvas.single_targets(data).dropna(subset=["gain"])
    n_positive, n_starred = int((single["gain"] > 0).sum()), int((single["corrected"] < ALPHA).sum())
    title = f"{arm}: {n_starred} of {count_of(len(single), 'gain')} differ from 0 after correction for their number"
    if single["p"].isna().all():
        title = f"{arm}: {count_of(len(single), 'gain')}, none with the seeds that a test needs"
    caption = (
        "Zero-shot score minus that without intermediate training, paired by seed. Star: different from 0 at the 5 % "
        "level after correction for the number of gains (false discovery rate). Hatched: no pair. "
        f"Above 0: {n_positive} of {count_of(len(single), 'gain')}; half would be by chance. "
        f"n = {canvas.range_of_counts(data['n'], 'seed')} per cell."
    )
    corner = (single["tokens"] == single["tokens"].max()) & (single["examples"] == single["examples"].max())
    by_target = join_words(f"{row.target} {number_text(row.gain, '+')}" for row in single[corner].itertuples())
    alt = f"Heat maps of the gain after {arm}; at the largest P and I: {by_target or 'none'}. Starred: {n_starred}."
    return Figure(figure_name("gain-map", arm), drawing, data, title, caption, alt, arm)


def completeness(runs: pd.DataFrame, missing_cells: Sequence[dict] = ()) -> Figure:
    """How many seeds have, at each place of the grid, every target that the study tests there.

    Args:
        runs: as `transfer_scores.zero_shot` gives them.
        missing_cells: coordinates of cells without a record, and their `targets`.
    """
    grid, single = transfer_scores.grid_places(runs, missing_cells), canvas.single_targets(runs)
    n_asked = {
        arm: len(transfer_scores.asked_targets(runs, arm, missing_cells) - set(MEANS.values()))
        for arm in grid["arm"].unique()
    }
    scored = single.dropna(subset=["zero_shot"]).groupby(transfer_scores.PLACE)["target"].nunique().rename("targets")
    grid = grid.merge(scored.reset_index(), how="left", on=transfer_scores.PLACE).fillna({"targets": 0})
    grid["complete"] = grid["targets"] == grid["arm"].map(n_asked)
    data = grid.groupby(["arm", "examples", "tokens"])["complete"].agg(seeds="sum", wanted="size").reset_index()
    seeds, planned = (
        data.pivot(index=["arm", "examples"], columns="tokens", values=column) for column in ("seeds", "wanted")
    )
    names = [f"{arm}  {short_size(rung)}" if arm else "I = 0" for arm, rung in seeds.index]
    drawing, axes = canvas.named_rows(names, row_height=0.24)
    shares = (seeds / planned).to_numpy()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1.4, aspect="auto")
    for (row, column), share in np.ndenumerate(shares):
        if share == 0:
            canvas.hatch(axes, column - 0.5, row - 0.5)
        text = f"{seeds.iloc[row, column]} of {planned.iloc[row, column]}"
        axes.text(column, row, text, ha="center", va="center", fontsize=8.5)
    axes.set_xticks(range(seeds.shape[1]), canvas.rung_labels(seeds.columns))
    axes.set_xlabel("pretraining tokens P")
    canvas.label_rows(axes, names)  # imshow has set its own limits
    axes.tick_params(length=0)
    axes.grid(visible=False)
    n_complete, n_cells = int(grid["complete"].sum()), len(grid)
    title = "Every place of the grid is complete"
    if n_complete < n_cells:
        title = f"{n_cells - n_complete} of {n_cells} places are incomplete"
    caption = (
        "Seeds with every target that is tested there, in every language, out of those planned; hatched: none. "
        f"Rows: arm and I. n = {count_of(n_cells, 'place')} of the grid."
    )
    alt = f"{n_complete} of {n_cells} places of the grid have all the targets that are tested there."
    return Figure("completeness", drawing, data, title, caption, alt)


def _targets_after(runs: pd.DataFrame, arm: str, missing_cells: Sequence[dict] = ()) -> list[str]:
    """The targets with runs that the study tests after an arm, in the order of their panels."""
    asked = transfer_scores.asked_targets(runs, arm, missing_cells)
    return canvas.target_order(runs.loc[runs["target"].isin(asked), "target"])


def _grid_heat_map(axes: Axes, rows: pd.DataFrame, value: str, limits: tuple[float, float], **style) -> None:
    """A heat map of one target: P to the right, I upwards, each cell with its `text`; pale where it does not count."""
    table, texts, counts = (
        rows.assign(counts=canvas.counting(rows))
        .pivot(index="examples", columns="tokens", values=column)
        .sort_index(ascending=False)
        for column in (value, "text", "counts")
    )
    canvas.heat_map(axes, table, texts, limits, counts=counts, **style)
    canvas.label_cells(axes, canvas.rung_labels(table.columns), canvas.rung_labels(table.index))


def _label_sizes(drawing: Drawing, arm: str) -> None:
    drawing.supxlabel("pretraining tokens P", fontsize=10)
    drawing.supylabel(_examples_text(arm), fontsize=10)


def _examples_text(arm: str) -> str:
    return f"intermediate examples I ({arm})" if arm else "intermediate examples I"


def _sizes_text(arm: str) -> str:
    return f"P and I ({arm})" if arm else "P"


def _corner_text(data: pd.DataFrame, target: str) -> str:
    """A target's mean scores at both ends of the grid."""
    rows = data[data["target"] == target].sort_values(["examples", "tokens"])
    first, last = rows.iloc[0], rows.iloc[-1]
    learnt = "" if rows["counts"].any() else " (not learnt)"
    scores = " and ".join(number_text(row["mean"]) for row in (first, last))
    return f"{target}{learnt}: {scores} at the smallest and at the largest P and I."


def _label_categories(axes: Axes, rungs: list[int]) -> None:
    axes.set_xticks(range(len(rungs)), canvas.rung_labels(rungs))
    axes.set_xlim(-0.4, len(rungs) - 0.6)


def _seed_lines(
    axes: Axes, rows: pd.DataFrame, x: str, y: str, rungs, n_seeds: int, colour, marker: str, label="", shift=0.0
) -> None:
    """A line through the means over seeds, hollow where some are missing, and a dot per seed; `shift` to the right
    keeps neighbours from hiding each other."""
    dots = [rungs.index(rung) + shift for rung in rows[x]]
    axes.plot(dots, rows[y], linestyle="", marker=marker, markersize=3.5, color=colour, alpha=0.55, markeredgewidth=0)
    by_rung = rows.groupby(x)[y].agg(["mean", "count"]).reindex(rungs)
    places = np.arange(len(rungs)) + shift
    axes.plot(places, by_rung["mean"], color=colour, linewidth=1.6, marker=marker, markersize=5, label=label)
    canvas.hollow_marks(axes, places, by_rung["mean"], by_rung["count"], n_seeds, marker, colour)


def _changes_text(changes: pd.Series) -> str:
    """The changes by target, or, of more than fit into a title, how far they reach."""
    changes = changes.drop(labels=list(MEANS.values()), errors="ignore")
    if len(changes) < 5:
        return join_words(f"{target} {number_text(change, '+')}" for target, change in changes.items())
    ends = " to ".join(number_text(change, "+") for change in (changes.min(), changes.max()))
    return f"{ends} over {count_of(len(changes), 'target')}"
