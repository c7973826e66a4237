"""The linked views of the explorer: the surface over both sizes, scores over I and over P, gains by language, English
against the other languages, learning curves and cost. Names of tables go in; one Vega-Lite chart comes out, which names
a run on hover and lets a click choose it. The notebook fills the tables by Python, the page beside the report by
JavaScript."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from xlt_utils import imports
from xlt_utils.analysis.intervals import t_factor
from xlt_utils.reporting.explore.choice import condition_order
from xlt_utils.reporting.explore.frame import GAIN, NO_ARM
from xlt_utils.reporting.house_style import COLOURS, FONT

with imports.without():
    import altair as alt

WITHOUT_ARM = "#555555"  # grey, for runs without an arm
WIDTH, HEIGHT = 280, 210  # two views fit beside the file list of JupyterLab at 1,280 px, one on a telephone
POINTS = "points of"  # how the names of views with a mark a run begin
SQUARES = "squares"  # the name of the view with a mark a place of the grid
CLICKED, PLACE = "run", "place"  # the selections: the run that was clicked, and the place of the grid
POINT = 70  # the area of a seed's mark, in square pixels: a pointer hits it
MOST_SEEDS = 30  # beyond which Student's t is as good as normal

# What the views are called, with what stands below it: words in braces are filled in from the choice.
TITLES = {
    "surface": ("Both sizes", "{target}, {language}; a click takes P and I"),
    "examples": ("Over intermediate examples I", "{target}, {language}, P = {P}"),
    "tokens": ("Over pretraining tokens P", "{target}, {language}, I = {I}{beside}"),
    "languages": ("{what} by language", "{target}, P = {P}, I = {I}; 95 % CI over seeds"),
    "English": ("English against the other languages", "{target}, every P and I{dashed}"),
    "curves": ("Learning curves", "fine-tuning on the target; a line a seed"),
    "costs": ("Cost by phase", "hours of work, as the records state them"),
}
# What stands there instead where a table is empty.
NOTHING = {
    "surface": "no {scale} to show here",
    "examples": "no {scale} to show here",
    "tokens": "no {scale} to show here",
    "languages": "no run at these rungs",
    "English": "{target} has no English test on this scale",
    "curves": "nothing was trained on this target, or the records hold no curve",
    "costs": "the records hold no times",
}
RUN_TIPS = {"cell": "run", "study": "study", "condition": "arm", "P": "P", "I": "I", "seed": "seed"}

View: TypeAlias = alt.Chart | alt.LayerChart


def explorer_chart(
    words: Mapping[str, str],
    conditions: Sequence[str],
    orders: Mapping[str, Sequence[str]],
    tables: Mapping[str, pd.DataFrame] | None = None,
    picked: tuple[str, str] | None = None,
) -> alt.ConcatChart:
    """All views in one chart, so that a run that is chosen in one is marked in all.

    Args:
        words: what TITLES name in braces, and the `scale`.
        conditions: those that have a colour.
        orders: of the axes: `rung`, `square` and `name`.
        tables: the rows of each view by its name in TITLES, and the `baseline`; None leaves them to who shows it.
        picked: the study and cell of the run that is marked.
    """
    colour = _colour(condition_order(conditions))
    click = alt.selection_point(CLICKED, fields=["study", "cell"], on="click", empty=False)
    titles = {name: _title(name, words, tables is not None and tables[name].empty) for name in TITLES}
    is_gain = words["scale"] == GAIN
    drawn = {
        "surface": surface(orders, is_gain),
        "costs": cost_by_phase(),
        "languages": by_language(words, orders, colour, click),
        "examples": scores_over("examples", words, orders, colour, click),
        "tokens": scores_over("tokens", words, orders, colour, click),
        "English": english_against_others(words, colour, click),
        "curves": curves_of_loss(colour),
    }
    views = {name: view.properties(title=titles[name]) for name, view in drawn.items()}
    places = [alt.vconcat(views.pop("surface"), views.pop("costs"), spacing=28), *views.values()]
    chart = alt.concat(*places, columns=2, align="each", spacing={"row": 28, "column": 28})
    chart = chart.resolve_scale(color="shared", yOffset="independent")
    # one selection of all views that have points: added to each, it would be as many of one name
    chart.params = [
        alt.TopLevelSelectionParameter(
            name=name,
            select=alt.PointSelectionConfig(type="point", fields=fields, on="click"),
            views=_views_called(chart, start),
            value=[dict(zip(fields, value, strict=True))] if value else alt.Undefined,
        )
        for name, fields, start, value in (
            (CLICKED, ["study", "cell"], POINTS, picked),
            (PLACE, ["tokens", "examples", "arm"], SQUARES, None),
        )
    ]
    if tables is not None:
        chart.datasets = {name: _plain(table) for name, table in tables.items()}
    return (
        chart.configure(font=f"{FONT}, Arial, sans-serif", background="white")
        .configure_axis(labelFontSize=11, titleFontSize=11, titleFontWeight="normal", gridColor="#e4e4e4")
        .configure_legend(orient="top", labelFontSize=11, titleFontSize=11, columns=6, labelLimit=300)
        .configure_title(fontSize=13, anchor="start", subtitleFontSize=11, subtitleColor="#555555")
        .configure_view(stroke="#dddddd")
    )


def scores_over(
    size: str, words: Mapping[str, str], orders: Mapping[str, Sequence[str]], colour: alt.Color, click: alt.Parameter
) -> View:
    """The chosen language's values over the rungs of one size (`examples` or `tokens`): seeds as points, their mean as
    a line."""
    letter = "I" if size == "examples" else "P"
    x = alt.X("rung:N", sort=orders["rung"], title=f"{letter} (rungs, evenly spaced)", axis=alt.Axis(labelAngle=0))
    y = alt.Y("value:Q", title=words["scale"], scale=alt.Scale(zero=False, nice=True))
    chart = _chart_of(size).encode(x=x, color=colour)
    line = chart.mark_line(strokeWidth=1.8).encode(y=alt.Y("mean(value):Q", title=words["scale"]))
    return (line + _points(chart.encode(y=y), click, size)).properties(width=WIDTH, height=HEIGHT)


def surface(orders: Mapping[str, Sequence[str]], is_gain: bool) -> View:
    """A square a place of the grid: P along, each arm's I up, coloured by the mean over seeds, which stands in it."""
    name, extent = ("purpleorange", [0.15, 0.85]) if is_gain else ("blues", [0.0, 0.6])  # light: the numbers are black
    scale = alt.Scale(scheme={"name": name, "extent": extent}, domainMid=0 if is_gain else alt.Undefined)
    chart = over_seeds(_chart_of("surface"), ["square", "P", "I", "tokens", "examples", "arm", "condition", "study"])
    chart = chart.encode(
        x=alt.X("P:N", sort=orders["rung"], title="P (rungs, evenly spaced)", axis=alt.Axis(labelAngle=0)),
        y=alt.Y("square:N", sort=orders["square"], title=None, axis=alt.Axis(labelLimit=150)),
        tooltip=[*_tips({"condition": "arm", "P": "P", "I": "I"}), *MEAN_TIPS],
    )
    squares = chart.mark_rect(stroke="white", cursor="pointer")
    squares = squares.encode(color=alt.Color("mean:Q", scale=scale, legend=None)).properties(name=SQUARES)
    numbers = chart.mark_text(fontSize=10.5, color="#111111").encode(text=alt.Text("mean:Q", format=".2f"))
    layers = (squares + numbers).resolve_scale(color="independent")
    return layers.properties(width=WIDTH - 60, height=alt.Step(17))


def by_language(
    words: Mapping[str, str], orders: Mapping[str, Sequence[str]], colour: alt.Color, click: alt.Parameter
) -> View:
    """A row a language at the chosen P and I: the mean over seeds with Student's t interval, and each seed."""
    y = alt.Y("name:N", sort=orders["name"], title=None, axis=alt.Axis(grid=True))
    shift = alt.YOffset("condition:N")
    base = over_seeds(_chart_of("languages"), ["name", "condition"]).encode(y=y, yOffset=shift, color=colour)
    tips = [*_tips({"name": "language", "condition": "arm"}), *MEAN_TIPS]
    bars = base.mark_rule(strokeWidth=2).encode(x=alt.X("drawn_low:Q"), x2="drawn_high:Q", tooltip=tips)
    marks = base.mark_point(filled=True, size=60, shape="diamond").encode(x="mean:Q", tooltip=tips)
    x = alt.X("value:Q", title=words["scale"], scale=alt.Scale(zero=True))
    seeds = _points(_chart_of("languages").encode(x=x, y=y, yOffset=shift, color=colour), click, "languages", size=24)
    zero = alt.Chart(alt.InlineData([{"zero": 0}])).mark_rule(color="#222222").encode(x="zero:Q")
    return (zero + bars + marks + seeds).properties(width=WIDTH - 60, height=alt.Step(12, **{"for": "offset"}))


def over_seeds(chart: alt.Chart, groups: list[Any]) -> alt.Chart:
    """The `mean` over the seeds of each group with the `low` and `high` end of its 95 % CI by Student's t, and the
    number of `seeds`. A t interval of two seeds reaches beyond any score: `drawn_low` and `drawn_high` stay as far from
    the seeds' own range as that is wide, so that it can be read."""
    factors = [t_factor(n) for n in range(MOST_SEEDS + 1)]
    factor = "[" + ",".join(f"{number:.4f}" if np.isfinite(number) else "NaN" for number in factors) + "]"
    return (
        chart.transform_joinaggregate(least="min(value)", most="max(value)")
        .transform_aggregate(
            mean="mean(value)",
            error="stderr(value)",
            seeds="count()",
            least="min(least)",
            most="max(most)",
            groupby=groups,
        )
        .transform_calculate(
            margin=f"{factor}[min(datum.seeds, {MOST_SEEDS})] * datum.error",
            room="max(max(datum.most, 0) - min(datum.least, 0), 0.05)",
        )
        .transform_calculate(low="datum.mean - datum.margin", high="datum.mean + datum.margin")
        .transform_calculate(
            drawn_low="max(datum.low, min(datum.least, 0) - datum.room)",
            drawn_high="min(datum.high, max(datum.most, 0) + datum.room)",
            interval="datum.seeds > 1 ? format(datum.low, '.3f') + ' to ' + format(datum.high, '.3f') : 'one seed'",
        )
    )


def english_against_others(words: Mapping[str, str], colour: alt.Color, click: alt.Parameter) -> View:
    """A point a run, of every P and I: English against the mean over the other languages, with the curve through the
    rungs of P at I = 0. What lies above it transfers more than its English score predicts."""
    x = alt.X("english:Q", title=f"English, {words['scale']}", scale=alt.Scale(zero=False))
    y = alt.Y("others:Q", title="mean of the others", scale=alt.Scale(zero=False))
    points = _points(_chart_of("English").encode(x=x, y=y, color=colour), click, "English", value="others")
    curve = _chart_of("baseline").mark_line(color="#222222", strokeDash=[5, 4], strokeWidth=1.2)
    curve = curve.encode(x="english:Q", y="others:Q", detail="study:N")
    return (curve + points).properties(width=WIDTH, height=HEIGHT)


def curves_of_loss(colour: alt.Color) -> View:
    """The training loss of the chosen runs over their steps, a line a seed: what never falls was not learnt."""
    tips = [*_tips({"cell": "run", "seed": "seed", "step": "step"}), alt.Tooltip("loss:Q", format=".3f")]
    chart = _chart_of("curves").mark_line(strokeWidth=1.2, opacity=0.8, clip=True)
    chart = chart.encode(
        x=alt.X("step:Q", axis=alt.Axis(tickMinStep=1, tickCount=6)),
        y=alt.Y("loss:Q", title="training loss", scale=alt.Scale(zero=False)),
        color=colour,
        detail=["cell:N", "study:N"],
        tooltip=tips,
    )
    return chart.properties(width=WIDTH, height=HEIGHT)


def cost_by_phase() -> View:
    """The hours that each phase worked, a bar a study."""
    base = _chart_of("costs").encode(
        y=alt.Y("phase:N", sort=["pretrain", "intermediate", "target"], title=None),
        yOffset=alt.YOffset("study:N"),
        x=alt.X("hours:Q", title="hours", axis=alt.Axis(tickCount=5)),
        tooltip=_tips({"study": "study", "phase": "phase", "runs": "runs", "label": "time"}),
    )
    labels = base.mark_text(align="left", fontSize=11).encode(text="label:N", x=alt.value(5))
    bars = base.mark_bar(color="#9bb8d3") + labels
    return bars.properties(width=WIDTH - 60, height=HEIGHT // 2)


def to_svg(chart: alt.TopLevelMixin) -> str:
    """The chart as it opens, for where no widget lives; drawn without a network."""
    import vl_convert

    return vl_convert.vegalite_to_svg(chart.to_dict(), vl_version=".".join(alt.SCHEMA_VERSION[1:].split(".")[:2]))


def _chart_of(table: str) -> alt.Chart:
    return alt.Chart(alt.NamedData(name=table))


def _views_called(chart: Any, start: str) -> list[str]:
    """The names of the views below a chart that begin so."""
    parts = [part for kind in ("concat", "vconcat", "layer") for part in getattr(chart, kind, [])]
    name = getattr(chart, "name", alt.Undefined)
    here = [name] if isinstance(name, str) and name.startswith(start) else []
    return [*here, *(view for part in parts for view in _views_called(part, start))]


def _points(chart: alt.Chart, click: alt.Parameter, view: str, size: int = POINT, value: str = "value") -> alt.Chart:
    """A mark a run, that says on hover which it is, and on a click is chosen."""
    tips = [*_tips(RUN_TIPS), alt.Tooltip(f"{value}:Q", format=".3f")]
    tips += _tips({"interval": "95 % CI (its items)"}) if value == "value" else []
    tips += _tips({"n": "n (items)"})
    marks = chart.mark_point(filled=True, stroke="#111111", cursor="pointer").encode(
        tooltip=tips,
        opacity=alt.condition(click, alt.value(1), alt.value(0.65)),
        size=alt.condition(click, alt.value(3 * size), alt.value(size)),
        strokeWidth=alt.condition(click, alt.value(2), alt.value(0)),
    )
    return marks.properties(name=f"{POINTS} {view}")


def _tips(titles: Mapping[str, str]) -> list[alt.Tooltip]:
    """What a pointer reads, by field with its title."""
    return [alt.Tooltip(f"{field}:N", title=title) for field, title in titles.items()]


MEAN_TIPS = [alt.Tooltip("mean:Q", format=".3f"), *_tips({"interval": "95 % CI (over seeds)", "seeds": "seeds"})]


def _colour(conditions: Sequence[str]) -> alt.Color:
    without = [name for name in conditions if name.startswith(NO_ARM)]
    colours = [WITHOUT_ARM] * len(without) + [*COLOURS] * (1 + len(conditions) // len(COLOURS))
    domain = list(conditions)
    return alt.Color("condition:N", title="arm", scale=alt.Scale(domain=domain, range=colours[: len(domain)]))


def _plain(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows with no more digits than can be seen, and none for NaN, which JSON has not; without what no view draws."""
    table = rows.drop(columns=["low", "high", "counts", "task", "language"], errors="ignore")
    numbers = table.select_dtypes("number").columns
    table[numbers] = table[numbers].astype(float).round(5)
    return table.astype(object).where(table.notna(), None).to_dict("records")


def _title(name: str, words: Mapping[str, str], is_empty: bool) -> alt.TitleParams:
    title, subtitle = TITLES[name]
    return alt.TitleParams(title.format(**words), subtitle=(NOTHING[name] if is_empty else subtitle).format(**words))
