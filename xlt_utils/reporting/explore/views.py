"""The linked views of the explorer: scores over I and over P, gains by language, English against the other languages,
learning curves and cost. Rows that were chosen go in; Vega-Lite charts come out, which name a run on hover and let a
click choose it. One chart holds all views, so that a run that is chosen in one is marked in all."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import altair as alt
import numpy as np
import pandas as pd

from xlt_utils.analysis.effective_robustness import EDGE
from xlt_utils.analysis.intervals import t_interval
from xlt_utils.formatting import short_size
from xlt_utils.reporting.explore import choice as choices
from xlt_utils.reporting.explore.choice import Choice
from xlt_utils.reporting.explore.frame import ABOVE, GAIN, OTHERS, RAW, language_name
from xlt_utils.reporting.house_style import COLOURS, FONT

WITHOUT_ARM = "#555555"  # grey, for runs without an arm
WIDTH, HEIGHT = 280, 210  # two views fit beside the file list of JupyterLab at 1,280 px
POINTS = "points of"  # how the names of views with a mark a run begin
CLICKED = "run"  # the name of the selection: the cell of a run that was clicked
POINT = 70  # the area of a seed's mark, in square pixels: a pointer hits it


View: TypeAlias = alt.Chart | alt.LayerChart | alt.FacetChart


def explorer_chart(
    rows: pd.DataFrame,
    curves: pd.DataFrame,
    costs: pd.DataFrame,
    choice: Choice,
    picked: tuple[str, str] | None = None,
) -> alt.VConcatChart:
    """All views in one chart.

    Args:
        rows: as `choice.chosen_rows` gives them.
        curves: as `curves.learning_curves` gives them.
        costs: `study`, `phase`, `hours` worked.
        choice: what was chosen.
        picked: the study and cell of the run that is marked.
    """
    colour = _colour(choices.condition_order(rows["condition"]))
    click = alt.selection_point(CLICKED, fields=["study", "cell"], on="click", empty=False)
    scores = alt.hconcat(
        scores_over(choices.over_examples(rows, choice), "examples", choice, colour, click),
        scores_over(choices.over_tokens(rows, choice), "tokens", choice, colour, click),
        spacing=40,
    )
    languages = alt.hconcat(
        gains_by_language(choices.at_rungs(rows, choice), choice, colour, click),
        english_against_others(rows, choice, colour, click),
        spacing=40,
    )
    work = alt.hconcat(curves_of_loss(curves, colour), cost_by_phase(costs), spacing=40)
    chart = alt.vconcat(scores, languages, work, spacing=28).resolve_scale(color="shared", yOffset="independent")
    # one selection of all views that have points: added to each, it would be as many of one name
    select = alt.PointSelectionConfig(type="point", fields=["study", "cell"], on="click")
    marked = [{"study": picked[0], "cell": picked[1]}] if picked else alt.Undefined
    if views := _views_with_points(chart):  # none where there is no run to click
        chart.params = [alt.TopLevelSelectionParameter(name=CLICKED, select=select, views=views, value=marked)]
    return (
        chart.configure(font=f"{FONT}, Arial, sans-serif", background="white")
        .configure_axis(labelFontSize=11, titleFontSize=11, titleFontWeight="normal", gridColor="#e4e4e4")
        .configure_legend(orient="top", labelFontSize=11, titleFontSize=11, columns=6, labelLimit=300)
        .configure_title(fontSize=13, anchor="start", subtitleFontSize=11, subtitleColor="#555555")
        .configure_view(stroke="#dddddd")
    )


def scores_over(rows: pd.DataFrame, size: str, choice: Choice, colour: alt.Color, click: alt.Parameter) -> View:
    """The chosen language's values over the rungs of one size (`examples` or `tokens`): seeds as points, their mean as
    a line."""
    letter, other = ("I", "P") if size == "examples" else ("P", "I")
    fixed = choice.tokens if size == "examples" else choice.examples
    beside = "" if size == "examples" or choice.scale == GAIN else ", and at I = 0"
    title = _title(
        f"Over {'intermediate examples I' if letter == 'I' else 'pretraining tokens P'}",
        f"{choice.target}, {language_name(choice.language)}, {other} = {short_size(fixed)}{beside}",
    )
    if rows.empty:
        return _nothing(title, f"no {choice.scale} to show here")
    rows = rows.assign(rung=rows[size].map(lambda value: short_size(int(value))))
    order = [short_size(int(value)) for value in sorted(set(rows[size]))]
    x = alt.X("rung:N", sort=order, title=f"{letter} (rungs, evenly spaced)", axis=alt.Axis(labelAngle=0))
    y = alt.Y("value:Q", title=choice.scale, scale=alt.Scale(zero=False, nice=True))
    chart = alt.Chart(_plain(rows)).encode(x=x, color=colour)
    line = chart.mark_line(strokeWidth=1.8).encode(y=alt.Y("mean(value):Q", title=choice.scale))
    return (line + _points(chart.encode(y=y), click, size)).properties(title=title, width=WIDTH, height=HEIGHT)


def gains_by_language(rows: pd.DataFrame, choice: Choice, colour: alt.Color, click: alt.Parameter) -> View:
    """A row a language at the chosen P and I: the mean over seeds with Student's t interval, and each seed."""
    what = "Gains" if choice.scale == GAIN else "Scores"
    subtitle = (
        f"{choice.target}, P = {short_size(choice.tokens)}, I = {short_size(choice.examples)}; 95 % CI over seeds"
    )
    title = _title(f"{what} by language", subtitle)
    if rows.empty:
        return _nothing(title, "no run at these rungs")
    rows = rows.assign(name=rows["language"].map(language_name))
    means = language_means(rows)
    first = [language_name(code) for code in (OTHERS, "en")]
    order = sorted(set(rows["name"]), key=lambda name: (name not in first, name not in first[:1], name))
    y = alt.Y("name:N", sort=order, title=None, axis=alt.Axis(grid=True))
    shift = alt.YOffset("condition:N", sort=choices.condition_order(rows["condition"]))
    base = alt.Chart(_plain(means)).encode(y=y, yOffset=shift, color=colour)
    tips = _tips({"name": "language", "condition": "arm", "text": "mean over seeds"})
    bars = base.mark_rule(strokeWidth=2, clip=True).encode(x=alt.X("low:Q"), x2="high:Q", tooltip=tips)
    marks = base.mark_point(filled=True, size=60, shape="diamond").encode(x="mean:Q", tooltip=tips)
    # a t interval of two seeds reaches beyond any score: the seeds' own range, widened, is what can be read
    x = alt.X("value:Q", title=choice.scale, scale=alt.Scale(domain=_readable(rows, means), nice=False))
    seeds = _points(alt.Chart(_plain(rows)).encode(x=x, y=y, yOffset=shift, color=colour), click, "languages", size=24)
    zero = alt.Chart(_plain(pd.DataFrame({"zero": [0.0]}))).mark_rule(color="#222222").encode(x="zero:Q")
    height = max(HEIGHT, (8 + 9 * rows["condition"].nunique()) * len(order))
    return (zero + bars + marks + seeds).properties(title=title, width=WIDTH - 45, height=height)


def language_means(rows: pd.DataFrame) -> pd.DataFrame:
    """The mean over seeds of each `name` and condition with the `low` and `high` end of its 95 % CI, and its `text`."""
    means = []
    for (name, condition), part in rows.groupby(["name", "condition"]):
        interval = t_interval(part["value"])
        means.append([name, condition, interval.mean, interval.low, interval.high, interval.text("")])
    return pd.DataFrame(means, columns=["name", "condition", "mean", "low", "high", "text"])


def english_against_others(rows: pd.DataFrame, choice: Choice, colour: alt.Color, click: alt.Parameter) -> View:
    """A point a run, of every P and I: English against the mean over the other languages, with the curve through the
    rungs of P at I = 0. What lies above it transfers more than its English score predicts."""
    both = choices.english_and_others(rows)
    dashed = "; dashed: predicted from I = 0" if choice.scale != GAIN else ""
    title = _title("English against the other languages", f"{choice.target}, every P and I{dashed}")
    if both.empty:
        return _nothing(title, f"{choice.target} has no English test on this scale")
    x = alt.X("english:Q", title=f"English, {choice.scale}", scale=alt.Scale(zero=False))
    y = alt.Y("others:Q", title="mean of the others", scale=alt.Scale(zero=False))
    points = _points(alt.Chart(_plain(both)).encode(x=x, y=y, color=colour), click, "English", value="others")
    curve = baseline_curve(both, choice.scale)
    layers = [points]
    if len(curve):
        encoded = alt.Chart(_plain(curve)).mark_line(color="#222222", strokeDash=[5, 4], strokeWidth=1.2)
        layers.insert(0, encoded.encode(x="english:Q", y="others:Q", detail="study:N"))
    return alt.layer(*layers).properties(title=title, width=WIDTH, height=HEIGHT)


def baseline_curve(both: pd.DataFrame, scale: str) -> pd.DataFrame:
    """Points of the curve that the runs at I = 0 give in each study: a line in logits through the means over seeds of
    the rungs of P, as in Taori et al. 2020 (arXiv 2007.00644). None with fewer than three rungs, where English does
    not differ there, or on a scale that has no share of right answers."""
    curves = [pd.DataFrame(columns=["study", "english", "others"])]
    for study, part in both[both["examples"] == 0].groupby("study") if scale in (RAW, ABOVE) else ():
        means = part.groupby("tokens")[["english", "others"]].mean().clip(EDGE, 1 - EDGE)
        if len(means) < 3 or np.ptp(means["english"]) < EDGE:
            continue
        logits = np.log(means / (1 - means))
        slope, start = np.polyfit(logits["english"], logits["others"], 1)
        of_study = both.loc[both["study"] == study, "english"].clip(EDGE, 1 - EDGE)
        english = np.linspace(of_study.min(), of_study.max(), 30)
        others = 1 / (1 + np.exp(-(start + slope * np.log(english / (1 - english)))))
        curves.append(pd.DataFrame({"study": study, "english": english, "others": others}))
    return pd.concat([part for part in curves if len(part)] or curves, ignore_index=True)


def curves_of_loss(curves: pd.DataFrame, colour: alt.Color) -> alt.Chart:
    """The training loss of the chosen runs over their steps, a line a seed: what never falls was not learnt."""
    title = _title("Learning curves", "fine-tuning on the target; a line a seed")
    if curves.empty:
        return _nothing(title, "nothing was trained on this target, or the records hold no curve")
    tips = [*_tips({"cell": "run", "seed": "seed", "step": "step"}), alt.Tooltip("loss:Q", format=".3f")]
    chart = alt.Chart(_plain(curves)).mark_line(strokeWidth=1.2, opacity=0.8, clip=True)
    chart = chart.encode(
        x=alt.X("step:Q", axis=alt.Axis(tickMinStep=1, tickCount=6)),
        y=alt.Y("loss:Q", title="training loss", scale=alt.Scale(zero=False)),
        color=colour,
        detail=["cell:N", "study:N"],
        tooltip=tips,
    )
    return chart.properties(title=title, width=WIDTH, height=HEIGHT)


def cost_by_phase(costs: pd.DataFrame) -> View:
    """The hours that each phase worked, a bar a study."""
    title = _title("Cost by phase", "hours of work, as the records state them")
    if costs.empty:
        return _nothing(title, "the records hold no times")
    phases = ["pretrain", "intermediate", "target"]
    base = alt.Chart(_plain(costs)).encode(
        y=alt.Y("phase:N", sort=phases, title=None),
        yOffset=alt.YOffset("study:N"),
        x=alt.X("hours:Q", title="hours", axis=alt.Axis(tickCount=5)),
        tooltip=_tips({"study": "study", "phase": "phase", "runs": "runs", "label": "time"}),
    )
    label = alt.Text("label:N")
    bars = base.mark_bar(color="#9bb8d3") + base.mark_text(align="left", dx=4, fontSize=11).encode(text=label)
    return bars.properties(title=title, width=WIDTH - 45, height=HEIGHT)


def to_svg(chart: alt.TopLevelMixin) -> str:
    """The chart as it opens, for where no widget lives; drawn without a network."""
    import vl_convert

    return vl_convert.vegalite_to_svg(chart.to_dict(), vl_version=".".join(alt.SCHEMA_VERSION[1:].split(".")[:2]))


def _views_with_points(chart: Any) -> list[str]:
    """The names of the views below a chart that `_points` drew."""
    parts = [part for kind in ("vconcat", "hconcat", "layer") for part in getattr(chart, kind, [])]
    name = getattr(chart, "name", alt.Undefined)
    here = [name] if isinstance(name, str) and name.startswith(POINTS) else []
    return [*here, *(view for part in parts for view in _views_with_points(part))]


def _points(chart: alt.Chart, click: alt.Parameter, view: str, size: int = POINT, value: str = "value") -> alt.Chart:
    """A mark a run, that says on hover which it is, and on a click is chosen."""
    tips = _tips({"cell": "run", "study": "study", "condition": "arm", "P": "P", "I": "I", "seed": "seed"})
    tips += [alt.Tooltip(f"{value}:Q", format=".3f")]
    tips += _tips({"interval": "95 % CI (its items)"}) if value == "value" else []
    tips += _tips({"n": "n (items)"})
    marks = chart.mark_point(filled=True, stroke="#111111", cursor="pointer").encode(
        tooltip=tips,
        opacity=alt.condition(click, alt.value(1), alt.value(0.65)),
        size=alt.condition(click, alt.value(3 * size), alt.value(size)),
        strokeWidth=alt.condition(click, alt.value(2), alt.value(0)),
    )
    return marks.properties(name=f"{POINTS} {view}")


def _tips(titles: dict[str, str]) -> list[alt.Tooltip]:
    """What a pointer reads, by field with its title."""
    return [alt.Tooltip(f"{field}:N", title=title) for field, title in titles.items()]


def _colour(conditions: Sequence[str]) -> alt.Color:
    without = [name for name in conditions if name.startswith("none")]
    colours = [WITHOUT_ARM] * len(without) + [*COLOURS] * (1 + len(conditions) // len(COLOURS))
    domain = list(conditions)
    return alt.Color("condition:N", title="arm", scale=alt.Scale(domain=domain, range=colours[: len(domain)]))


def _readable(rows: pd.DataFrame, means: pd.DataFrame) -> list[float]:
    """The ends of an axis that shows every seed, and of the intervals at most as much again on either side."""
    low, high = float(min(rows["value"].min(), 0)), float(max(rows["value"].max(), 0))
    room = max(high - low, 0.05)
    ends = np.nanmin([means["low"].min(), low]), np.nanmax([means["high"].max(), high])
    return [max(float(ends[0]), low - room) - 0.02 * room, min(float(ends[1]), high + room) + 0.02 * room]


def _plain(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows with P and I in words and no more digits than can be seen."""
    table = rows.copy()
    for letter, size in (("P", "tokens"), ("I", "examples")):
        if size in table:
            table[letter] = table[size].map(lambda value: short_size(int(value)))
    numbers = table.select_dtypes("number").columns
    table[numbers] = table[numbers].astype(float).round(5)
    return table


def _title(text: str, subtitle: str) -> alt.TitleParams:
    return alt.TitleParams(text, subtitle=subtitle)


def _nothing(title: Any, why: str) -> alt.Chart:
    """An empty view that says why it is empty."""
    text = alt.Chart(alt.Data(values=[{"why": why}])).mark_text(color="#555555", fontSize=12)
    return text.encode(text="why:N").properties(title=title, width=WIDTH, height=HEIGHT)
