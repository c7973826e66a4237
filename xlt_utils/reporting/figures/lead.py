"""The figure that carries the answer: what the largest intermediate training adds to each target beside what the most
pretraining text adds, on one scale, over the gains that the study could not have seen. Verdicts and changes go in; a
Figure comes out."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from xlt_utils.analysis.learning import TARGET_NOT_LEARNT
from xlt_utils.analysis.movements import PretrainingChange
from xlt_utils.analysis.proportionality import ProportionalityVerdict
from xlt_utils.formatting import count_of, join_words, number_text, short_size, verb_of
from xlt_utils.reporting.figures import canvas
from xlt_utils.reporting.figures.figure import Figure
from xlt_utils.reporting.house_style import COLOURS

COLUMNS = ["size", "target", "arm", "mean", "low", "high", "n", "visible"]
MOST_SERIES = 6  # arms and controls that a row of one target can hold
GREY, BAND = "#6f6f6f", "#e4e4e4"
EXAMPLES, TOKENS = "I", "P"  # the two sizes, as the column `size` names them


def gains_by_size(
    verdicts: Sequence[ProportionalityVerdict],
    changes: Mapping[str, PretrainingChange],
    arms: Sequence[str],
    controls: Sequence[str],
) -> Figure | None:
    """What each size buys, target by target, with 95 % CIs. None where there are more arms than a row can hold.

    Args:
        verdicts: the gains at the largest I, one per arm and target; those without a gain were not learnt.
        changes: by target, from the smallest to the largest P without intermediate training; empty with one P.
        arms: the intermediate arms.
        controls: the control arms, drawn in grey.
    """
    series = [arm for arm in [*arms, *controls] if any(arm == verdict.arm and verdict.gain.n for verdict in verdicts)]
    if len(series) > MOST_SERIES:
        return None
    data = _rows(verdicts, changes, series)
    targets = canvas.target_order(data["target"])
    sizes = [size for size, is_there in ((EXAMPLES, series or not changes), (TOKENS, changes)) if is_there]
    height = 1.2 + max(0.3, 0.13 * len(series)) * max(2, len(targets))
    drawing, panels = canvas.subplots(height, 1, len(sizes), sharex=True, sharey=True)
    for size, axes in zip(sizes, panels, strict=True):
        axes.grid(visible=False, axis="y")
        axes.grid(axis="x", color="#dddddd")
        for arm, shift, colour, marker in _styles(series, controls) if size == EXAMPLES else [("", 0.0, "black", "D")]:
            rows = data[(data["size"] == size) & (data["arm"] == arm)]
            places = np.array([targets.index(target) + shift for target in rows["target"]])
            width = 6 if size == EXAMPLES and len(series) > 1 else 10
            axes.hlines(places, -rows["visible"], rows["visible"], color=BAND, linewidth=width, zorder=0.5)
            is_bounded = np.isfinite(rows["low"].to_numpy(dtype=float))
            for part, label in ((is_bounded, arm), (~is_bounded, "" if is_bounded.any() else arm)):
                if part.any():
                    canvas.interval_marks(axes, rows[part], "mean", places[part], marker, colour, label)
        axes.axvline(0, **canvas.DOTTED)
    limits = _limits(data, controls)
    panels[0].set_xlim(*limits)
    canvas.label_rows(panels[0], targets)
    panels[0].set_xlabel("gain from the most examples\nover I = 0")
    if changes:
        ends = {change.ends for change in changes.values()}
        low, high = min(low for low, _ in ends), max(high for _, high in ends)
        panels[-1].set_xlabel(f"change from P = {short_size(low)}\nto P = {short_size(high)}, at I = 0")
    canvas.legend_above(drawing, panels[0])
    unlearnt = sorted({verdict.target for verdict in verdicts if verdict.verdict == TARGET_NOT_LEARNT})
    unlearnt = canvas.target_order(pd.Series(unlearnt, dtype=object))
    of_controls = data[data["arm"].isin(controls)]
    is_cut = (of_controls["low"] < limits[0]).any() or (of_controls["high"] > limits[1]).any()
    caption = _caption(data, sizes, any(arm in controls for arm in series), is_cut, unlearnt)
    return Figure("gains-by-size", drawing, data, _title(data, controls), caption, _alt(data))


def _limits(data: pd.DataFrame, controls: Sequence[str]) -> tuple[float, float]:
    """The ends of the scale: what means and the intervals of tasks need, no score being further than 1 from another. A
    pale bar or a control's interval that is wider is cut: it would squeeze what the figure is for."""
    of_tasks = data[~data["arm"].isin(controls)]
    ends = np.concatenate([data["mean"], of_tasks["low"], of_tasks["high"]]).astype(float)
    ends = ends[np.isfinite(ends)].clip(-1, 1)
    low, high = min([*ends, -canvas.SMALLEST_END]), max([*ends, canvas.SMALLEST_END])
    margin = 0.05 * (high - low)
    return low - margin, high + margin


def _rows(
    verdicts: Sequence[ProportionalityVerdict], changes: Mapping[str, PretrainingChange], series: Sequence[str]
) -> pd.DataFrame:
    """The tidy rows of the figure: a gain by target and arm, then a change by target."""
    rows = [
        {"size": EXAMPLES, "target": verdict.target, "arm": verdict.arm, **vars(verdict.gain)}
        | {"visible": verdict.power.visible if verdict.power else np.nan}
        for verdict in verdicts
        if verdict.arm in series and verdict.gain.n
    ]
    rows += [
        {"size": TOKENS, "target": target, "arm": "", **vars(change.change), "visible": change.visible}
        for target, change in changes.items()
    ]
    return canvas.single_targets(pd.DataFrame(rows, columns=COLUMNS)).reset_index(drop=True)


def _styles(series: Sequence[str], controls: Sequence[str]) -> list[tuple]:
    """Each arm with its shift within a row, its colour and its marker; controls in grey, without a colour of theirs."""
    shifts = np.linspace(-0.3, 0.3, len(series)) if len(series) > 1 else np.zeros(1)
    return [
        (arm, shift, GREY if arm in controls else COLOURS[place], "s" if arm in controls else "o")
        for place, (arm, shift) in enumerate(zip(series, shifts, strict=False))
    ]


def _title(data: pd.DataFrame, controls: Sequence[str]) -> str:
    """How many gains of tasks, and how many changes with P, have a 95 % CI that excludes 0."""
    gains = data[(data["size"] == EXAMPLES) & ~data["arm"].isin(controls)]
    changes = data[data["size"] == TOKENS]
    if data.empty:
        return "No target was learnt that an arm could raise"
    if data["low"].isna().all():
        return "With one seed there is no CI, so no gain can be shown to differ from 0"
    n_gains, n_changes = (int((rows["low"] > 0).sum()) for rows in (gains, changes))
    if gains.empty and len(changes):
        changed = count_of(len(changes), "change")
        return f"{n_changes} of {changed} with more text {verb_of(n_changes, 'exceeds', 'exceed')} 0"
    title = f"{n_gains} of {count_of(len(gains), 'gain')} from more examples {verb_of(n_gains, 'exceeds', 'exceed')} 0"
    return f"{title}, {n_changes} of {len(changes)} from more text" if len(changes) else title


def _caption(
    data: pd.DataFrame, sizes: Sequence[str], has_controls: bool, is_cut: bool, unlearnt: Sequence[str]
) -> str:
    text = (
        "Zero-shot means over the languages other than English, from the zero point 0 to the ceiling 1, with 95 % CIs"
    )
    if EXAMPLES in sizes:
        text += "; left at the arm's largest I, a mean over P" if TOKENS in sizes else "; at the arm's largest I"
    visible = " Pale bar: gains too small for this study to see in four of five repetitions." if (
        data["visible"].notna().any()
    ) else ""  # fmt: skip
    cut = ", whose intervals go on beyond the edge where they reach it" if is_cut else ""
    squares = f" Grey squares: controls{cut}." if has_controls else ""
    is_bare = (data["low"].isna() & (data["n"] > 1)).any()
    bare = " A mark without a line has no CI, for single runs failed to learn the target." if is_bare else ""
    left_out = f" Not learnt in English, so not here: {join_words(unlearnt)}." if unlearnt else ""
    return f"{text}.{visible}{squares}{bare}{left_out} n = {canvas.range_of_counts(data['n'], 'seed')}."


def _alt(data: pd.DataFrame) -> str:
    texts = [
        f"{row.target} {f'after {row.arm}' if row.size == EXAMPLES else 'with P'} {number_text(row.mean, '+')}"
        for row in data.itertuples()
    ]
    return f"Gains by target: {join_words(texts) or 'none'}."
