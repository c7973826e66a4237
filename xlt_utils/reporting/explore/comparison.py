"""Two runs side by side on the same test items: arms, rungs or studies. Studies that were opened go in; a widget comes
out, or the same as tables: how many items both have right, only one, or neither, by language, and the items that are
answered differently, with gold and predicted labels."""

from collections.abc import Sequence
from html import escape
from typing import Any, NamedTuple

import pandas as pd

from xlt_utils.formatting import count_of, short_size
from xlt_utils.reporting.explore import display
from xlt_utils.reporting.explore.choice import first_choice
from xlt_utils.reporting.explore.explorer import Explorer
from xlt_utils.reporting.explore.frame import OTHERS, OpenStudy, join_studies, language_name
from xlt_utils.reporting.explore.same_items import Run, count_outcomes, disagreements

NO_ITEMS = (
    "Nothing says which items these runs had right: their records were written before items were kept (schema 4), and "
    "their predictions are not here."
)


class Place(NamedTuple):
    """A place on the grid of a study, without its seed."""

    study: str
    arm: str
    examples: int
    tokens: int


NOWHERE = Place("", "", 0, 0)


class Comparison:
    """What is compared: a `target`, the places `a` and `b`, a `seed`, and the `language` whose items are listed. A is
    the run that is picked in an explorer of the same studies, where there is one."""

    def __init__(self, studies: Sequence[OpenStudy], explorer: Explorer | None = None):
        self.explorer = explorer
        self.studies = {study.name: study for study in studies}
        self.frame = join_studies(studies)
        first = first_choice(self.frame)
        self.target = first.target
        self.a = self.b = NOWHERE
        self.seed, self.language = 0, ""
        self._settle()

    def options(self) -> dict[str, list[tuple[str, Any]]]:
        """What can be chosen, with what it is called."""
        rows = self._rows()
        places = list(dict.fromkeys(Place(*row) for row in rows[list(Place._fields)].itertuples(index=False)))
        return {
            "target": [(name, name) for name in sorted(set(self.frame["task"]))],
            "a": [(self.place_name(place), place) for place in places],
            "b": [(self.place_name(place), place) for place in places],
            "seed": [(str(seed), seed) for seed in sorted(map(int, set(rows["seed"])))],
            "language": [
                (language_name(code), code)
                for code in sorted(set(rows["language"]) - {OTHERS}, key=lambda code: (code != "en", code))
            ],
        }

    def place_name(self, place: Place) -> str:
        """A place in words, with its study where there are several."""
        arm = f"{place.arm}, I = {short_size(place.examples)}" if place.arm else "no arm, I = 0"
        study = f", {place.study}" if len(self.studies) > 1 else ""
        return f"{arm}, P = {short_size(place.tokens)}{study}"

    def choose(self, name: str, value: Any) -> None:
        """Take one dropdown's new value; what the new target does not have falls back to what it has."""
        if name == "target":  # another target may have arms that this one lacks
            self.a = self.b = NOWHERE
        setattr(self, name, value)
        self._settle()

    def follow(self) -> None:
        """Take the run that is picked in the explorer as A, with its target, its seed and the language there."""
        if self.explorer:
            study, cell = self.explorer.picked
            choice = self.explorer.choice
            rows = self.frame[(self.frame["study"] == study) & (self.frame["cell"] == cell)]
            place = rows[["arm", "examples", "tokens", "seed"]].iloc[0]
            self.target, self.seed = choice.target, int(place["seed"])
            self.a = Place(study, place["arm"], int(place["examples"]), int(place["tokens"]))
            self.b = self.b if self.b != self.a and self.b.tokens == self.a.tokens else NOWHERE
            self.language = choice.language
            self._settle()

    def show(self) -> None:
        """Show the comparison."""
        display.show(lambda: ComparisonPanel(self).box, self.html)

    def html(self) -> str:
        """Both tables, or why there are none."""
        a, b = self.run(self.a), self.run(self.b)
        names = ""
        for letter, place, run in (("A", self.a, a), ("B", self.b, b)):
            cell = run.record.cell if run else "no run"
            names += f"<div><b>{letter}</b> {escape(self.place_name(place))}: {escape(cell)}</div>"
        head = f"<p>{escape(self.target)}, seed {self.seed}</p>{names}"
        if a is None or b is None:
            return f"{head}<p>There is no run of this seed at one of the places.</p>"
        counts = count_outcomes(a, b, self.target)
        if counts.empty:
            return f"{head}<p>{NO_ITEMS}</p>"
        bars = display.counts_html(counts, {code: language_name(code) for code in counts["language"]})
        table = disagreements(a, b, self.target, self.language)
        title = f"{count_of(len(table), 'item')} in {language_name(self.language)} answered differently"
        notes = f"<p>{escape(' '.join(self._what_is_missing(table, a, b)))}</p>"
        return f"{head}<p>{bars}</p><h4>{escape(title)}</h4>{notes}{display.items_html(table) if len(table) else ''}"

    def _what_is_missing(self, table: pd.DataFrame, a: Run, b: Run) -> list[str]:
        """Why the table has no predicted labels, or no texts."""
        notes = []
        if len(table) and (a.predictions.empty or b.predictions.empty):
            notes.append(
                "A and B say right or wrong: predicted labels are in the runs' own folders, not in an archive."
            )
        if len(table) and not table["text"].any():
            data = a.record.parameters.get("data", "–")
            notes.append(f"The data set ({data}) is not on this machine, so there are no texts.")
        return notes

    def run(self, place: Place) -> Run | None:
        """The run of the chosen seed at a place; None without one."""
        rows = self._rows()
        is_here = rows["seed"] == self.seed
        for name, value in place._asdict().items():
            is_here &= rows[name] == value
        cells = rows.loc[is_here, "cell"]
        return Run(*self.studies[place.study].runs[cells.iloc[0]]) if len(cells) else None

    def _rows(self) -> pd.DataFrame:
        order = ["study", "examples", "arm", "tokens"]
        return self.frame[self.frame["task"] == self.target].sort_values(order, ascending=[True, False, True, False])

    def _settle(self) -> None:
        """Replace what the target does not have: A by the largest arm, B by its run at I = 0, or in another study."""
        options = {name: [value for _, value in values] for name, values in self.options().items()}
        if self.a not in options["a"]:
            self.a = options["a"][0]
        if self.b not in options["b"]:
            elsewhere = [place for place in options["b"] if place[1:] == self.a[1:] and place.study != self.a.study]
            same_tokens = [place for place in options["b"] if place.tokens == self.a.tokens]
            before = [place for place in same_tokens if not place.arm]
            others = [place for place in [*elsewhere, *before, *same_tokens, *options["b"]] if place != self.a]
            self.b = next(iter(others), self.a)
        if self.seed not in options["seed"]:
            self.seed = options["seed"][0]
        if self.language not in options["language"]:
            self.language = options["language"][0]


class ComparisonPanel:
    """The comparison as a widget, `box`."""

    def __init__(self, comparison: Comparison):
        import ipywidgets

        self.comparison, self._is_filling = comparison, False
        labels = {"target": "target", "a": "A", "b": "B", "seed": "seed", "language": "items in"}
        self.dropdowns = {
            name: ipywidgets.Dropdown(
                description=label,
                style={"description_width": "60px"},
                layout={"width": "420px" if name in "ab" else "220px"},
            )
            for name, label in labels.items()
        }
        self.tables = ipywidgets.HTML()
        self._fill()
        if comparison.explorer:
            comparison.explorer.followers.append(self._follow)
        for name, dropdown in self.dropdowns.items():
            dropdown.observe(lambda change, name=name: self._chosen(name, change["new"]), "value")
        controls = ipywidgets.HBox(list(self.dropdowns.values()), layout={"flex_flow": "row wrap"})
        self.box = ipywidgets.VBox([controls, self.tables])

    def _fill(self) -> None:
        self._is_filling = True
        for name, options in self.comparison.options().items():
            if list(self.dropdowns[name].options) != options:
                self.dropdowns[name].options = options
            self.dropdowns[name].value = getattr(self.comparison, name)
        self.tables.value = self.comparison.html()
        self._is_filling = False

    def _chosen(self, name: str, value: Any) -> None:
        if not self._is_filling:
            self.comparison.choose(name, value)
            self._fill()

    def _follow(self) -> None:
        self.comparison.follow()
        self._fill()
