"""The explorer of a study's scores: dropdowns, the linked views, and the record of the run that was chosen by its name
or by a click. Studies that were opened go in; a widget comes out, or the same as a picture."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from html import escape
from typing import Any

from xlt_utils.formatting import short_size
from xlt_utils.reporting.explore import choice as choices
from xlt_utils.reporting.explore import display, view_tables, views
from xlt_utils.reporting.explore.choice import ALL
from xlt_utils.reporting.explore.frame import SCALES, OpenStudy, join_studies, language_name
from xlt_utils.reporting.explore.run_facts import run_html

LABELS = {
    "target": "target",
    "arm": "arm",
    "language": "language",
    "tokens": "P (tokens)",
    "examples": "I (examples)",
    "seed": "seed",
    "scale": "scale",
    "study": "study",
}
RENDERING = {"renderer": "svg", "actions": False}  # SVG: text stays text, for a reader's search and for tests


class Explorer:
    """What is shown and chosen: `choice` and the chosen run, `picked`, its study and cell."""

    def __init__(self, studies: Sequence[OpenStudy]):
        self.studies = {study.name: study for study in studies}
        self.frame = join_studies(studies)
        self.choice = choices.first_choice(self.frame)
        self.picked = self.runs()[0]
        self.followers: list[Callable[[], None]] = []  # called when another run was picked
        self._orders = view_tables.axis_orders(self.frame)
        self._drawn: tuple[Any, Any] = (None, None)

    def runs(self) -> list[tuple[str, str]]:
        """The study and cell of each run that can be chosen."""
        return choices.chosen_runs(choices.chosen_rows(self.frame, self.choice), self.choice)

    def chart(self) -> Any:
        """All views of what was chosen; the last one is kept, as it is shown twice."""
        shown = (self.choice, self.picked)
        if self._drawn[0] != shown:
            tables = view_tables.view_tables(self.frame, self.choice, self.studies.values())
            words, conditions = view_tables.words(self.choice), sorted(set(self.frame["condition"]))
            chart = views.explorer_chart(words, conditions, self._orders, tables, self.picked)
            self._drawn = (shown, chart)
        return self._drawn[1]

    def show(self) -> None:
        """Show the explorer."""
        display.show(lambda: Panel(self).box, self.static)

    def static(self) -> str:
        """The explorer as it opens, without a widget."""
        return views.to_svg(self.chart()) + self.run_html()

    def run_html(self) -> str:
        """What the record of the chosen run says."""
        study, cell = self.picked
        return f"<h4>The run {escape(cell)}</h4>{run_html(self.studies[study], cell)}"

    def pick(self, run: tuple[str, str]) -> None:
        """Take a run, by its study and cell."""
        self.picked = run
        for follow in self.followers:
            follow()

    def options(self) -> dict[str, list[tuple[str, Any]]]:
        """The options of each dropdown, with what they are called."""
        of_target = choices.options(self.frame, self.choice.target)
        named = {name: [(str(value), value) for value in values] for name, values in of_target.items()}
        named["language"] = [(language_name(code), code) for code in of_target["language"]]
        for size in ("tokens", "examples"):
            named[size] = [(short_size(value), value) for value in of_target[size]]
        targets = sorted(set(self.frame["task"]))
        return named | {"target": [(name, name) for name in targets], "scale": [(name, name) for name in SCALES]}

    def choose(self, name: str, value: Any) -> None:
        """Take one dropdown's new value; what the new target does not have falls back to the nearest that it has."""
        self.choice = replace(self.choice, **{name: value})
        for other, values in choices.options(self.frame, self.choice.target).items():
            if getattr(self.choice, other) not in values:
                fallback = values[0] if ALL in values or other == "language" else values[-1]
                self.choice = replace(self.choice, **{other: fallback})
        runs = self.runs()
        if runs and self.picked not in runs:
            self.picked = runs[0]


class Panel:
    """The explorer as a widget, `box`: it keeps dropdowns, chart and record in step with an `Explorer`."""

    def __init__(self, explorer: Explorer):
        import altair
        import ipywidgets

        altair.JupyterChart.enable_offline()  # before any chart: else it asks a server elsewhere, and stays blank
        self.explorer, self._is_filling = explorer, False
        wide = {"style": {"description_width": "84px"}, "layout": {"width": "245px"}}
        self.dropdowns = {name: ipywidgets.Dropdown(description=label, **wide) for name, label in LABELS.items()}
        self.run = ipywidgets.Dropdown(description="run", layout={"width": "700px"}, style=wide["style"])
        self.record = ipywidgets.HTML()
        self.chart = altair.JupyterChart(explorer.chart(), embed_options=RENDERING)
        self._fill()
        for name, dropdown in self.dropdowns.items():
            dropdown.observe(lambda change, name=name: self._chosen(name, change["new"]), "value")
        self.run.observe(lambda change: self._picked(change["new"]), "value")
        shown = [dropdown for name, dropdown in self.dropdowns.items() if name != "study" or len(explorer.studies) > 1]
        controls = ipywidgets.HBox(shown, layout={"flex_flow": "row wrap"})
        self.box = ipywidgets.VBox([controls, self.chart, self.run, self.record])

    def _fill(self) -> None:
        """Give every dropdown the options and the value that the explorer has."""
        self._is_filling = True
        for name, options in self.explorer.options().items():
            dropdown, value = self.dropdowns[name], getattr(self.explorer.choice, name)
            if list(dropdown.options) != options:
                dropdown.options = options
            dropdown.value = value
        runs = self.explorer.runs()
        names = [
            (cell if len(self.explorer.studies) == 1 else f"{cell}, {study}", (study, cell)) for study, cell in runs
        ]
        self.run.options = names
        self.run.value = self.explorer.picked if runs else None
        self.record.value = self.explorer.run_html()
        self.chart.selections.observe(self._clicked, views.CLICKED)  # each chart brings selections of its own
        self.chart.selections.observe(self._placed, views.PLACE)
        self._is_filling = False

    def _chosen(self, name: str, value: Any) -> None:
        if not self._is_filling:
            self.explorer.choose(name, value)
            self.chart.chart = self.explorer.chart()
            self._fill()

    def _picked(self, run: tuple[str, str] | None) -> None:
        if not self._is_filling and run and run != self.explorer.picked:
            self.explorer.pick(run)
            self.chart.chart = self.explorer.chart()
            self._fill()

    def _clicked(self, change: dict[str, Any]) -> None:
        """Take the run whose mark was clicked; the page has marked it already."""
        clicked = (change["new"].value or [{}])[0]
        run = clicked.get("study"), clicked.get("cell")
        if run in self.explorer.runs() and run != self.explorer.picked:
            self.explorer.pick(run)
            self._is_filling = True
            self.run.value = run
            self._is_filling = False
            self.record.value = self.explorer.run_html()

    def _placed(self, change: dict[str, Any]) -> None:
        """Take P and I of the square that was clicked; one at I = 0 leaves I as it is."""
        place = (change["new"].value or [{}])[0]
        wanted = {"tokens": place.get("tokens"), "examples": place.get("examples") or None}
        for name, value in wanted.items():
            if value is not None:
                self.dropdowns[name].value = int(value)
