"""What a study's run folders hold: `gather_findings` reads the records, `Findings` computes from them, each
once and only when asked, the tables, verdicts and laws that sentences, figures and the page show."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from xlt_utils import microworld, paths
from xlt_utils.analysis import arm_table, effective_robustness, exchange_rates, proportionality, transfer_scores
from xlt_utils.analysis.arm_table import Arm
from xlt_utils.analysis.exchange_rates import Law
from xlt_utils.analysis.gain_tests import correct_gains
from xlt_utils.analysis.proportionality import Verdict
from xlt_utils.analysis.transfer_scores import MEANS
from xlt_utils.errors import did_you_mean
from xlt_utils.files import read_json
from xlt_utils.records.record import Record, read_record, results_table


@dataclass(frozen=True)
class MissingCell:
    """A cell without a record: `state` is failed or missing, `place` its coordinates where they can be known."""

    folder: Path
    state: str
    error: str
    place: dict[str, Any] | None


@dataclass(frozen=True)
class Findings:
    """All that a study's records say. Tables are as in scaling.py; what is not there is in `absent`."""

    study: str
    runs: Path
    records: dict[Path, Record]
    absent: list[MissingCell]
    plan: dict[str, Any] = field(default_factory=dict)
    run: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def table(self) -> pd.DataFrame:
        """Every score of every run, tidy: what results.csv holds."""
        return results_table(list(self.records))

    @cached_property
    def scores(self) -> pd.DataFrame:
        return transfer_scores.normalised_scores(self.table)

    @cached_property
    def zero_shot(self) -> pd.DataFrame:
        return transfer_scores.zero_shot(self.scores)

    @cached_property
    def gains(self) -> pd.DataFrame:
        return transfer_scores.gains(self.zero_shot)

    @cached_property
    def gain_table(self) -> pd.DataFrame:
        """The gain at each place of the grid, with its p value as it is and corrected for their number."""
        return correct_gains(transfer_scores.gain_table(self.gains))

    @cached_property
    def verdicts(self) -> list[Verdict]:
        return proportionality.verdicts_by_pair(self.scores)

    @cached_property
    def laws(self) -> list[Law]:
        """A surface and exchange rate for each intermediate arm and target."""
        return exchange_rates.fit_laws(
            self.scores, filter(None, self.arms), exchange_rates.flops_by_arm(self.records.values())
        )

    @property
    def law(self) -> Law | None:
        """The law that speaks for the study: the focus after the arm of the most English tasks, the first by name."""
        own = {one.arm: one for one in self.laws if one.target == self.focus}
        ranked = sorted(own, key=lambda arm: (not self.kinds[arm].is_english, -len(self.kinds[arm].tasks), arm))
        return own[ranked[0]] if ranked else None

    @cached_property
    def effective(self) -> pd.DataFrame:
        """Effective robustness by target, arm and I."""
        return effective_robustness.effective_robustness_table(self.scores)

    @property
    def is_scratch(self) -> bool:
        """Whether P = 0 are random weights and no checkpoint that was pretrained before."""
        starts = {one.parameters.get("start", "scratch") for one in self.records.values() if one.phase == "pretrain"}
        return starts <= {"scratch"}

    @property
    def seeds(self) -> list[int]:
        return sorted({record.coordinates.seed for record in self.records.values() if record.coordinates})

    @property
    def wanted(self) -> list[int]:
        """The seeds there should be: those of the records and of the target cells that are not there."""
        return sorted({*self.seeds, *(hole["seed"] for hole in self.holes)})

    @property
    def lost_tasks(self) -> list[str]:
        """Targets of cells that are not there, of which no other cell has a score: no mean counts them."""
        lost = [json_content(one.folder / "params.json") for one in self.absent]
        named = {task for one in lost if one.get("phase") == "target" for task in one["parameters"].get("tasks", [])}
        return sorted(named - set(self.tasks))

    @property
    def languages(self) -> list[str]:
        return sorted(set(self.scores["language"]) | {"en"})

    @property
    def tasks(self) -> list[str]:
        return sorted(set(self.scores["task"]))

    @cached_property
    def kinds(self) -> dict[str, Arm]:
        """What each arm was trained on, as the parameters of its runs say, of those too that are not done."""
        given = [record.parameters for record in self.records.values() if record.phase == "intermediate"]
        lost = [json_content(one.folder / "params.json") for one in self.absent]
        given += [one["parameters"] for one in lost if one.get("phase") == "intermediate"]
        return arm_table.arms_by_name(given, self.scores["arm"])

    @property
    def arms(self) -> list[str]:
        """The arms that a target was tested after, controls left out; one without a name where there is none."""
        return [name for name in sorted(set(self.scores["arm"]) - {""}) if not self.kinds[name].is_control] or [""]

    @property
    def controls(self) -> list[str]:
        """The arms that are no intermediate task: the same steps with nothing to learn."""
        return [name for name in sorted(set(self.scores["arm"]) - {""}) if self.kinds[name].is_control]

    @property
    def counted(self) -> list[Verdict]:
        """The verdicts on intermediate tasks: neither a control nor an arm of which nothing is known is among them."""
        return [one for one in self.verdicts if self.kinds[one.arm].is_known and not self.kinds[one.arm].is_control]

    @property
    def holes(self) -> list[dict[str, Any]]:
        """The coordinates of the cells that are not there, as far as their parameters tell them."""
        return [one.place for one in self.absent if one.place]

    @cached_property
    def typology(self) -> pd.DataFrame | None:
        """The microworld's table of languages, where the study speaks them."""
        languages = set(self.languages)
        inside = languages - {"en"} and languages <= set(microworld.LANGUAGES)
        table = microworld.typology() if inside else None
        return table if table is None else table[table["code"].isin(languages)].sort_values("distance")

    @property
    def distances(self) -> dict[str, float]:
        """Each language's distance to English, where it is known."""
        return {} if self.typology is None else dict(zip(self.typology["code"], self.typology["distance"], strict=True))

    @property
    def focus(self) -> str:
        """The target that speaks for the study: the mean of the trained ones, or the only one there is."""
        groups = self.zero_shot.drop_duplicates("target").set_index("target")["group"]
        trained, others = (list(groups.index[(groups == "trained") == side]) for side in (True, False))
        return transfer_scores.TRAINED if transfer_scores.TRAINED in trained else [*trained, *others, ""][0]

    @property
    def targets(self) -> list[str]:
        return [name for name in self.zero_shot["target"].unique() if name not in MEANS.values()]


def gather_findings(
    runs: str | Path, folders: Sequence[str] | None = None, missing: Iterable[Sequence[str]] = ()
) -> Findings:
    """Read the records of a study. `folders` are those of finished runs (None: all below `runs`), `missing`
    pairs of a folder and `failed` or `missing`.

    Raises RecordFault when a record is cut off, and FileNotFoundError, with the nearest folder there is,
    when there is no record at all.
    """
    root = paths.resolve(runs)
    if folders is None:
        there = sorted(path.parent for path in root.rglob("record.json"))
        found = {folder: read_record(folder) for folder in there}
        found = {folder: record for folder, record in found.items() if record.phase in RUN_PHASES}
    else:
        found = {paths.resolve(folder): read_record(folder) for folder in folders}
    if not found:
        near = did_you_mean(root.name, sorted(path.name for path in root.parent.glob("*") if path.is_dir()))
        raise FileNotFoundError(f"{root}: no record below this folder, so there is nothing to report; {near}")
    absent = [_missing_cell(paths.resolve(folder), state) for folder, state in missing]
    study = next(iter(found.values())).study
    return Findings(study, root, found, absent, json_content(root / "plan.json"), json_content(root / "run.json"))


def _missing_cell(folder: Path, state: str) -> MissingCell:
    tried = attempts(folder)
    error = (tried[-1].get("error") or "") if tried else ""
    return MissingCell(
        folder, state, error or ("never started" if not tried else "ended without a word"), _coordinates(folder)
    )


def _coordinates(folder: Path) -> dict[str, Any] | None:
    """A target cell's coordinates, read up its chain of params.json; None where the chain is not there
    and for other phases, which have no scores."""
    given = json_content(folder / "params.json")
    if given.get("phase") != "target":
        return None
    try:
        before = json_content(paths.resolve(given["parameters"]["checkpoint"]) / "params.json")
        tuned = before if before["phase"] == "intermediate" else None
        first = json_content(paths.resolve(tuned["parameters"]["checkpoint"]) / "params.json") if tuned else before
        tokens = first["parameters"].get("before", 0) + first["parameters"]["tokens"]
        place = {"seed": first["parameters"]["seed"], "tokens": tokens}
        second = tuned["parameters"] if tuned else {"arm": "", "examples": 0}
        return place | {"arm": second["arm"], "examples": second["examples"]}
    except (KeyError, TypeError):
        return None


RUN_PHASES = paths.PHASES[:3]  # the report is none of its own cells


def attempts(folder: Path) -> list[dict[str, Any]]:
    """What was noted of a run folder's attempts, the first first."""
    return [json_content(path) for path in sorted(folder.glob("attempts/*/attempt.json"))]


def executed_notebook(folder: Path) -> Path | None:
    """The last executed notebook of a run folder."""
    found = sorted(folder.glob("attempts/*/executed.ipynb")) or sorted(folder.glob("executed.ipynb"))
    return found[-1] if found else None


def json_content(path: Path) -> dict[str, Any]:
    """What a JSON file holds; nothing where there is none, or half of one."""
    try:
        return read_json(path)
    except (OSError, ValueError):
        return {}
