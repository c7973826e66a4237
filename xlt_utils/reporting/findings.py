"""What a study's run folders hold. `gather_findings` reads the records of a study; the `Findings` that come out compute
the tables, verdicts and scaling laws that sentences, figures and the page show, each once and only when asked for."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from xlt_utils import microworld, paths
from xlt_utils.analysis import bootstrap, effective_robustness, exchange_rates, laws, proportionality, transfer_scores
from xlt_utils.analysis.arms import Arm, arms_from_parameters
from xlt_utils.analysis.bootstrap import GridSample
from xlt_utils.analysis.gains import gain_table, paired_gains
from xlt_utils.analysis.intervals import NO_INTERVAL
from xlt_utils.analysis.laws import Law
from xlt_utils.analysis.learning import TARGET_NOT_LEARNT, TASK_NOT_LEARNT, Learning, judge_learning
from xlt_utils.analysis.movements import PretrainingChange, pretraining_changes
from xlt_utils.analysis.proportionality import ProportionalityVerdict
from xlt_utils.analysis.transfer_scores import MEANS
from xlt_utils.data.tasks import TASKS
from xlt_utils.errors import did_you_mean
from xlt_utils.files import attempt_files, read_json
from xlt_utils.records.record import Record, packed_items, read_record, tidy_results

RUN_PHASES = paths.PHASES[:3]  # the report is none of its own cells


ORIGIN_STEP = 10_000  # between the numbers of one seed in two origins


@dataclass(frozen=True)
class MissingCell:
    """A cell without a record.

    Attributes:
        state: failed or missing.
        error: The message of its last attempt, or that it never started.
        parameters: Those of its params.json; empty where there is none.
        coordinates: Seed, tokens, arm and examples of a target cell; None where they cannot be known.
    """

    folder: Path
    phase: str
    state: str
    error: str
    parameters: dict[str, Any]
    coordinates: dict[str, Any] | None


@dataclass(frozen=True)
class Findings:
    """All that a study's records say.

    Attributes:
        runs_folder: The folder below which the runs lie.
        records: By run folder.
        missing_cells: The cells of the study that have no record.
        plan: What plan.json says: cells, tokens, examples, FLOPs and seconds by phase; empty without a plan.
        engine: What run.json says of the last `xlt run`: seconds, and jobs at a time; empty for runs by hand.
    """

    study: str
    runs_folder: Path
    records: dict[Path, Record]
    missing_cells: list[MissingCell]
    plan: dict[str, Any] = field(default_factory=dict)
    engine: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def results(self) -> pd.DataFrame:
        """Every score of every run, tidy: what results.csv holds."""
        return tidy_results(self.records)

    @cached_property
    def learning(self) -> Learning:
        """What English development data say was learnt."""
        return judge_learning(self.results, [name for name, arm in self.arm_specs.items() if arm.is_control])

    @cached_property
    def scores(self) -> pd.DataFrame:
        """The target runs' main scores on the scale from the zero point to the ceiling, and whether each counts."""
        scores = transfer_scores.normalised_scores(self.results)
        return self.learning.mark(transfer_scores.with_items(scores, packed_items(self.records.values())))

    @cached_property
    def counting_scores(self) -> pd.DataFrame:
        """The scores of what was learnt: those that means, tests, laws and claims rest on."""
        return self.scores[self.scores["counts"]]

    @cached_property
    def samples(self) -> dict[str, GridSample]:
        """The sample of each target that counts, the means over a group's targets first."""
        return bootstrap.build_grid_samples(self.counting_scores)

    @property
    def has_items(self) -> bool:
        """Whether every record that counts holds its tests' results item by item; those before schema 4 do not."""
        return all(sample.has_items for sample in self.samples.values())

    @property
    def has_zero_points(self) -> bool:
        """Whether every record holds the zero points of its tests; those of schema 2 do not."""
        main = self.results[self.results["main"].astype(bool)]
        return bool(main["zero"].notna().all())

    @cached_property
    def zero_shot(self) -> pd.DataFrame:
        """A row a run and target: its mean over the non-English languages, and whether it counts."""
        return transfer_scores.zero_shot(self.scores)

    @cached_property
    def counting_runs(self) -> pd.DataFrame:
        """The rows of `zero_shot` that count."""
        return self.zero_shot[self.zero_shot["counts"].astype(bool)]

    @cached_property
    def gains(self) -> pd.DataFrame:
        """A row a target and run with I > 0 that counts: its zero-shot score minus that at I = 0 of the same seed and
        P."""
        return paired_gains(self.counting_runs)

    @cached_property
    def gain_table(self) -> pd.DataFrame:
        """The mean gain at each place of the grid, with its p value, plain and corrected for multiple tests."""
        return gain_table(self.samples)

    @cached_property
    def pretraining_changes(self) -> dict[str, PretrainingChange]:
        """What growing P brings each target that counts, without intermediate training; empty with one rung of P."""
        return pretraining_changes({name: self.samples[name] for name in self.targets if name in self.samples})

    @cached_property
    def verdicts(self) -> list[ProportionalityVerdict]:
        """For each target and arm: does the gain grow in proportion to I? Last of each arm those that do not count."""
        judged = proportionality.judge_all(self.samples, sorted(set(self.counting_scores["arm"]) - {""}))
        notes = [self.learning.unlearnt_note(verdict.target, verdict.arm) for verdict in judged]
        judged = [
            replace(verdict, why=f"{verdict.why}; {note}") if note else verdict
            for verdict, note in zip(judged, notes, strict=True)
        ]
        verdicts = [*judged, *self._verdicts_on_unlearnt()]
        return sorted(verdicts, key=lambda verdict: verdict.arm)

    def _verdicts_on_unlearnt(self) -> Iterator[ProportionalityVerdict]:
        """A verdict for each target and arm that do not count anywhere."""
        after = self.scores[self.scores["examples"] > 0]
        for (arm, target), counts in after.groupby(["arm", "task"])["counts"].any().items():
            if not counts:
                is_target = target in self.learning.unlearnt_targets
                verdict = TARGET_NOT_LEARNT if is_target else TASK_NOT_LEARNT
                why = self.learning.why_target(target) if is_target else self.learning.why_arm(arm)
                yield ProportionalityVerdict(target, arm, verdict, why, NO_INTERVAL, None, 0, 0)

    @property
    def task_verdicts(self) -> list[ProportionalityVerdict]:
        """The verdicts on intermediate tasks: no controls, and no arms whose tasks are unknown."""
        specs = self.arm_specs
        return [
            verdict for verdict in self.verdicts if specs[verdict.arm].is_known and not specs[verdict.arm].is_control
        ]

    def shares_data(self, target: str, arm: str) -> bool:
        """Whether training examples of the target are among those of the arm."""
        tasks = self.arm_specs[arm].tasks
        return any(TASKS[target].shares_data_with(TASKS[task]) for task in tasks if task in TASKS)

    @cached_property
    def laws(self) -> list[Law]:
        """A surface and exchange rate for each intermediate arm and target."""
        flops = exchange_rates.flops_by_arm(self.records.values())
        return laws.fit_laws(self.samples, [arm for arm in self.arms if arm], flops)

    @property
    def headline_law(self) -> Law | None:
        """The law that the page leads with: of the gain target, after the arm with the most English tasks."""
        law_by_arm = {law.arm: law for law in self.laws if law.target == self.gain_target}

        def rank(arm: str) -> tuple[bool, int, str]:
            return not self.arm_specs[arm].is_english, -len(self.arm_specs[arm].tasks), arm

        return law_by_arm[min(law_by_arm, key=rank)] if law_by_arm else None

    @cached_property
    def effective_robustness(self) -> pd.DataFrame:
        """By target, arm and I: how far the zero-shot score lies above what the English score predicts."""
        return effective_robustness.effective_robustness_table(self.counting_scores)

    @property
    def starts_from_scratch(self) -> bool:
        """Whether P = 0 means random weights, not a checkpoint that was pretrained before."""
        pretraining = [record.parameters for record in self.records.values() if record.phase == "pretrain"]
        return all(parameters.get("start", "scratch") == "scratch" for parameters in pretraining)

    @property
    def seeds(self) -> list[int]:
        """The seeds that have records."""
        return sorted({record.coordinates.seed for record in self.records.values() if record.coordinates})

    @property
    def expected_seeds(self) -> list[int]:
        """The seeds of the study: those of the records and those of missing target cells."""
        return sorted({*self.seeds, *(place["seed"] for place in self.missing_coordinates)})

    @property
    def missing_coordinates(self) -> list[dict[str, Any]]:
        """The coordinates of the missing target cells, where they are known, and their `targets`."""
        cells = [cell for cell in self.missing_cells if cell.coordinates]
        return [{**(cell.coordinates or {}), "targets": cell.parameters.get("tasks", [])} for cell in cells]

    @property
    def tasks(self) -> list[str]:
        """The target tasks that have scores."""
        return sorted(set(self.scores["task"]))

    @property
    def unscored_tasks(self) -> list[str]:
        """The target tasks of missing cells that no other cell has a score of: no mean counts them."""
        targets = [cell.parameters for cell in self.missing_cells if cell.phase == "target"]
        return sorted({task for parameters in targets for task in parameters.get("tasks", [])} - set(self.tasks))

    @property
    def targets(self) -> list[str]:
        """The single targets that count, without the means over several."""
        return [name for name in self.counting_runs["target"].unique() if name not in MEANS.values()]

    @property
    def headline_target(self) -> str:
        """The target that the page leads with: the mean of the trained ones that count, or the only one; "" without."""
        groups = self.counting_runs.drop_duplicates("target").set_index("target")["group"]
        trained, retrieval = (list(groups.index[(groups == "trained") == side]) for side in (True, False))
        if transfer_scores.TRAINED in trained:
            return transfer_scores.TRAINED
        return next(iter([*trained, *retrieval]), "")

    @property
    def gain_target(self) -> str:
        """The target whose gains the page leads with: the headline target or, where no arm was followed by all of that
        mean's targets, the first single one that counts after an arm."""
        runs = self.counting_runs
        is_after_arm = (runs["examples"] > 0) & (runs["group"] == "trained") & runs["zero_shot"].notna()
        trained = runs.loc[is_after_arm, "target"].tolist()
        return self.headline_target if self.headline_target in trained or not trained else trained[0]

    @property
    def languages(self) -> list[str]:
        return sorted(set(self.scores["language"]) | {"en"})

    @cached_property
    def arm_specs(self) -> dict[str, Arm]:
        """What each arm was trained on, by name, from the parameters of its runs, done or not."""
        parameters = [record.parameters for record in self.records.values() if record.phase == "intermediate"]
        parameters += [
            cell.parameters for cell in self.missing_cells if cell.phase == "intermediate" and cell.parameters
        ]
        return arms_from_parameters(parameters, self._tested_arms)

    @property
    def arms(self) -> list[str]:
        """The arms that a target was tested after, without controls; [""] where there is none."""
        return [name for name in self._tested_arms if not self.arm_specs[name].is_control] or [""]

    @property
    def controls(self) -> list[str]:
        """The arms that are no intermediate task: the same steps with nothing to learn."""
        return [name for name in self._tested_arms if self.arm_specs[name].is_control]

    @cached_property
    def _tested_arms(self) -> list[str]:
        return sorted(set(self.results.loc[self.results["phase"] == "target", "arm"].dropna()) - {""})

    @cached_property
    def typology(self) -> pd.DataFrame | None:
        """The microworld's table of languages, nearest to English first; None for a study of other languages."""
        languages = set(self.languages)
        if languages == {"en"} or not languages <= set(microworld.LANGUAGES):
            return None
        table = microworld.typology()
        return table[table["code"].isin(languages)].sort_values("distance")

    @property
    def distances(self) -> dict[str, float]:
        """Each language's distance to English; empty where it is not known."""
        return {} if self.typology is None else dict(zip(self.typology["code"], self.typology["distance"], strict=True))


def gather_findings(
    runs: str | Path, folders: Sequence[str] | None = None, missing: Iterable[Sequence[str]] = ()
) -> Findings:
    """Read the records of a study.

    Args:
        runs: The folder of the study's runs.
        folders: Those of finished runs; None reads all below `runs`.
        missing: Pairs of the folder and the state (failed or missing) of every other cell.

    Raises:
        RecordFault: A record is cut off.
        FileNotFoundError: There is no record of a target run; without any, the message names the nearest folder.
    """
    root = paths.resolve(runs)
    if folders is None:
        records = {path.parent: read_record(path.parent) for path in sorted(root.rglob("record.json"))}
    else:
        records = {paths.resolve(folder): read_record(folder) for folder in folders}
    missing_cells = [_missing_cell(paths.resolve(folder), state) for folder, state in missing]
    plan, engine = (read_json_if_whole(root / name) for name in ("plan.json", "run.json"))
    return findings_of(records, root, missing_cells, plan, engine)


def findings_of(
    all_records: Mapping[Path, Record],
    root: Path,
    missing_cells: Sequence[MissingCell] = (),
    plan: dict[str, Any] | None = None,
    engine: dict[str, Any] | None = None,
) -> Findings:
    """The findings of records that were read.

    Args:
        all_records: By run folder; a report's own among them is left out.
        root: The folder below which the runs lie, or what they were read from.
        missing_cells: The cells that have none.
        plan: What plan.json says.
        engine: What run.json says.

    Raises:
        FileNotFoundError: There is no record of a target run; without any, the message names the nearest folder.
    """
    records = {folder: record for folder, record in all_records.items() if record.phase in RUN_PHASES}
    if not records:
        hint = did_you_mean(root.name, sorted(path.name for path in root.parent.glob("*") if path.is_dir()))
        raise FileNotFoundError(f"{root}: no record below this folder, so there is nothing to report; {hint}")
    if not any(record.phase == "target" for record in records.values()):
        raise FileNotFoundError(f"{root}: {len(records)} records, none of a target run, so there is nothing to report")
    records = _number_seeds_apart(records)
    study = next(iter(records.values())).study
    return Findings(study, root, records, list(missing_cells), plan or {}, engine or {})


def _number_seeds_apart(records: dict[Path, Record]) -> dict[Path, Record]:
    """The records with other seeds for each origin: runs of one seed and two origins are no repetition of each other,
    and no pair."""
    origins = sorted({record.origin for record in records.values() if record.origin})
    numbered = {}
    for folder, record in records.items():
        shift = ORIGIN_STEP * origins.index(record.origin) if record.origin else 0
        place = record.coordinates and record.coordinates.model_copy(update={"seed": record.coordinates.seed + shift})
        numbered[folder] = record.model_copy(update={"coordinates": place}) if shift else record
    return numbered


def _missing_cell(folder: Path, state: str) -> MissingCell:
    cell = read_json_if_whole(folder / "params.json")
    attempts = read_attempts(folder)
    error = (attempts[-1].get("error") or "ended without a message") if attempts else "never started"
    phase = cell.get("phase", folder.parent.name)
    return MissingCell(folder, phase, state, error, cell.get("parameters", {}), _coordinates(cell))


def _coordinates(cell: dict[str, Any]) -> dict[str, Any] | None:
    """A target cell's coordinates, read along the params.json of the cells before it; None where one of those is
    missing, and for other phases, which have no scores."""
    if cell.get("phase") != "target":
        return None
    try:
        before = _cell_before(cell)
        arm, examples = "", 0
        if before["phase"] == "intermediate":
            arm, examples = before["parameters"]["arm"], before["parameters"]["examples"]
            before = _cell_before(before)
        pretraining = before["parameters"]
        tokens = pretraining.get("before", 0) + pretraining["tokens"]
        return {"seed": pretraining["seed"], "tokens": tokens, "arm": arm, "examples": examples}
    except (KeyError, TypeError):
        return None


def _cell_before(cell: dict[str, Any]) -> dict[str, Any]:
    return read_json_if_whole(paths.resolve(cell["parameters"]["checkpoint"]) / "params.json")


def read_attempts(folder: Path) -> list[dict[str, Any]]:
    """What was noted of a run folder's attempts, the first first."""
    return [read_json_if_whole(path) for path in attempt_files(folder, "attempt.json")]


def executed_notebook(folder: Path) -> Path | None:
    """The last executed notebook of a run folder."""
    notebooks = attempt_files(folder, "executed.ipynb") or sorted(folder.glob("executed.ipynb"))
    return notebooks[-1] if notebooks else None


def read_json_if_whole(path: Path) -> dict[str, Any]:
    """What a JSON file holds; empty where the file is missing, cut off, or holds no mapping."""
    try:
        content = read_json(path)
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
