"""The ten claims of the parent study (Phang et al. 2020, arXiv 2005.13013), a row each: the contrast that tests it
here, this study's figure with its interval, and a verdict. The findings go in, rows of text come out. Contrasts are
paired by seed at the largest P and I; a seed that lacks a run of a contrast is left out, and the row says so."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from xlt_utils.analysis.arms import Arm
from xlt_utils.analysis.intervals import Interval, t_interval
from xlt_utils.data.tasks import TASKS
from xlt_utils.formatting import count_of, join_words, number_text, short_size
from xlt_utils.reporting.findings import RUN_PHASES, Findings

SUPPORTED, CONTRADICTED, UNDECIDED, UNTESTABLE = "supported", "contradicted", "undecided", "not testable on this grid"
MATCHES, DIFFERS = "this design matches", "this design differs"
NINE = ("anli", "mnli", "qqp", "squad_v2", "squad", "hellaswag", "ccg", "cosmos_qa", "commonsense_qa")
XTREME = ("xnli", "pawsx", "udpos", "panx", "xquad", "mlqa", "tydiqa", "bucc2018", "tatoeba")
LARGE = "FacebookAI/xlm-roberta-large"
NO_EVIDENCE = "the study was built this way: a match is no evidence"


@dataclass(frozen=True)
class ClaimOutcome:
    """What this study says of a claim: a verdict, its own figure, and why, or what the grid lacks."""

    verdict: str
    figure: str = "–"
    why: str = ""


@dataclass(frozen=True)
class Claim:
    """What the parent study says, the contrast that tests it here, and the test itself."""

    number: int
    statement: str
    contrast: str
    test: Callable[["Evidence"], ClaimOutcome]


class Evidence:
    """What the claims are tested on: the arms, and the gains over I = 0 of the same seed at the largest P and I."""

    def __init__(self, findings: Findings):
        self.findings = findings
        self.arms: dict[str, Arm] = findings.arm_specs
        self.seeds = findings.seeds
        gains = findings.gains
        self.tokens = int(gains["tokens"].max()) if len(gains) else 0
        self.examples = int(gains["examples"].max()) if len(gains) else 0
        at_largest = gains[(gains["tokens"] == self.tokens) & (gains["examples"] == self.examples)]
        self.gains = at_largest.pivot_table(index="seed", columns=["target", "arm"], values="gain")
        self.english = [name for name, arm in self.arms.items() if arm.is_english]
        self.single = {name: arm.tasks[0] for name, arm in self.arms.items() if arm.is_english and len(arm.tasks) == 1}
        self.targets = [target for target in findings.targets if target in set(gains["target"])]
        self.trained = [target for target in self.targets if TASKS[target].trains]
        self.retrieval = [target for target in self.targets if not TASKS[target].trains]
        self.place = f"at P = {short_size(self.tokens)} and I = {short_size(self.examples)}"

    def gain(self, targets: Sequence[str], arms: Sequence[str]) -> pd.DataFrame:
        """The mean gain over some targets, a row a seed and a column an arm; NaN where a target is missing."""
        columns = {arm: [(target, arm) for target in targets] for arm in arms}
        table = self.gains.reindex(columns=[key for keys in columns.values() for key in keys])
        return pd.DataFrame({arm: table[keys].mean(axis=1, skipna=False) for arm, keys in columns.items()})

    def mean_gain(self, targets: Sequence[str], arms: Sequence[str]) -> pd.Series:
        """The mean gain over some targets and arms, by seed; NaN where one of the runs is missing."""
        return self.gain(targets, arms).mean(axis=1, skipna=False)

    def figure(self, interval: Interval) -> str:
        """An interval, with how many of the study's seeds are not in it."""
        missing = len(self.seeds) - interval.n
        note = f"; {missing} of {len(self.seeds)} seeds lack one of its runs" if missing and interval.n else ""
        return f"{interval}{note}"

    def whole_seed(self) -> str:
        """What the grid lacks where no seed has all runs of a contrast."""
        return f"a seed with all of these runs {self.place}"

    def two_seeds(self) -> str:
        return f"two seeds with all of these runs {self.place}, one to choose the best task by"


def claim_rows(findings: Findings) -> list[dict]:
    """The table: a dict a claim, of `number`, `statement`, `contrast`, `figure`, `verdict` and `why`."""
    evidence = Evidence(findings)
    return [
        {"number": claim.number, "statement": claim.statement, "contrast": claim.contrast}
        | asdict(claim.test(evidence))
        for claim in CLAIMS
    ]


def _untestable(lacks: Iterable[str]) -> ClaimOutcome:
    return ClaimOutcome(UNTESTABLE, why=f"the grid lacks {'; '.join(lacks)}")


def _outcome_of_positive(difference: Interval, evidence: Evidence, why: str = "") -> ClaimOutcome:
    """The outcome of a claim that a difference is above 0."""
    if not difference.n:
        return _untestable([evidence.whole_seed()])
    verdict = UNDECIDED
    if difference.excludes(0):
        verdict = SUPPORTED if difference.mean > 0 else CONTRADICTED
    return ClaimOutcome(verdict, evidence.figure(difference), why)


def _best_three(evidence: Evidence) -> ClaimOutcome:
    arm_of_task = {task: arm for arm, task in evidence.single.items()}
    squad = next((name for name in ("squad", "squad_v2") if name in arm_of_task), "squad")
    three = [squad, "mnli", "hellaswag"]
    other_tasks = [task for task in NINE if task not in (*three, "squad", "squad_v2")]
    others = [task for task in other_tasks if task in arm_of_task]
    lacks = [f"an arm of {task} alone" for task in three if task not in arm_of_task]
    lacks += [] if others else ["an arm of another of the nine tasks alone"]
    if lacks:
        return _untestable(lacks)
    if not evidence.trained:
        return _untestable(["a trained target"])
    table = evidence.gain(evidence.trained, [arm_of_task[task] for task in [*three, *others]]).dropna()
    mean_of_three, mean_of_others = (
        table[[arm_of_task[task] for task in tasks]].mean(axis=1) for tasks in (three, others)
    )
    gains = [f"{task} {number_text(table[arm_of_task[task]].mean(), '+')}" for task in [*three, *others]]
    missing = [task for task in other_tasks if task not in others]
    why = f"gains: {join_words(gains)}" + (f"; no arm of {join_words(missing)}" if missing else "")
    return _outcome_of_positive(t_interval(mean_of_three - mean_of_others), evidence, why)


def _gain_of_best(table: pd.DataFrame) -> np.ndarray:
    """The best column's value in each seed, the column chosen by the mean of the other seeds."""
    values = table.to_numpy()
    return np.array([row[np.delete(values, place, axis=0).mean(axis=0).argmax()] for place, row in enumerate(values)])


def _all_nine(evidence: Evidence) -> ClaimOutcome:
    together = [name for name in evidence.english if set(evidence.arms[name].tasks) == set(NINE)]
    lacks = [] if together else ["an arm of all nine tasks together"]
    lacks += [] if len(evidence.single) > 1 else ["two or more arms of one task alone"]
    lacks += [] if evidence.trained else ["a trained target"]
    if lacks:
        return _untestable(lacks)
    table = evidence.gain(evidence.trained, [*together, *evidence.single]).dropna()
    if len(table) < 2:
        return _untestable([evidence.two_seeds()])
    gain = table[together].mean(axis=1)
    missing = [task for task in NINE if task not in evidence.single.values()]
    why = f"all nine gain {evidence.figure(t_interval(gain))}"
    why += f"; no arm of {join_words(missing)} alone" if missing else ""
    difference = t_interval(gain.to_numpy() - _gain_of_best(table[list(evidence.single)]))
    return _outcome_of_positive(difference, evidence, why)


def _retrieval_most(evidence: Evidence) -> ClaimOutcome:
    retrieval = [name for name in ("bucc2018", "tatoeba") if name in evidence.targets]
    lacks = [] if retrieval else ["the targets bucc2018 and tatoeba"]
    lacks += [] if evidence.trained else ["a trained target"]
    lacks += [] if evidence.english else ["an arm of English tasks"]
    if lacks:
        return _untestable(lacks)
    # the one place where the two groups meet: the claim is about their difference
    means = [evidence.mean_gain(targets, evidence.english) for targets in (retrieval, evidence.trained)]
    both = pd.concat(means, axis=1).dropna()
    gains = [number_text(both[column].mean(), "+") for column in both]
    why = f"{' and '.join(retrieval)} {gains[0]}, trained targets {gains[1]}, "
    why += f"over {count_of(len(evidence.english), 'arm')}"
    missing = [name for name in ("bucc2018", "tatoeba") if name not in retrieval]
    why += f"; {join_words(missing)} is no target here" if missing else ""
    return _outcome_of_positive(t_interval(both[0] - both[1]), evidence, why)


def _tydiqa_not_xnli(evidence: Evidence) -> ClaimOutcome:
    lacks = [f"the target {name}" for name in ("tydiqa", "xnli") if name not in evidence.targets]
    lacks += [] if len(evidence.single) > 1 else ["two or more arms of one task alone"]
    if lacks:
        return _untestable(lacks)
    arms = list(evidence.single)
    both = pd.concat([evidence.mean_gain([target], arms) for target in ("tydiqa", "xnli")], axis=1).dropna()
    tydiqa, xnli, difference = (t_interval(values) for values in (both[0], both[1], both[0] - both[1]))
    if not difference.n:
        return _untestable([evidence.whole_seed()])
    verdict = UNDECIDED
    if (tydiqa.excludes(0) and tydiqa.mean < 0) or (xnli.excludes(0) and xnli.mean > 0):
        verdict = CONTRADICTED
    elif tydiqa.excludes(0) and difference.excludes(0) and difference.mean > 0:
        verdict = SUPPORTED
    arms_above_0 = [
        int((evidence.gain([target], arms).reindex(both.index).mean() > 0).sum()) for target in ("tydiqa", "xnli")
    ]
    why = f"TyDiQA gains {tydiqa}, after {arms_above_0[0]} of {len(arms)} tasks; "
    why += f"XNLI {xnli}, after {arms_above_0[1]} of {len(arms)}"
    return ClaimOutcome(verdict, evidence.figure(difference), why)


def _best_for_each(evidence: Evidence) -> ClaimOutcome:
    if len(evidence.english) < 2:
        return _untestable(["two or more arms of English tasks to choose among"])
    groups = {"trained": evidence.trained, "retrieval": evidence.retrieval}
    gains: dict[str, Interval] = {}
    for group, targets in groups.items():
        tables = [evidence.gain([target], evidence.english) for target in targets]
        seeds = sorted(set.intersection(*(set(table.dropna().index) for table in tables))) if tables else []
        if len(seeds) > 1:
            gains[group] = t_interval(np.mean([_gain_of_best(table.loc[seeds]) for table in tables], axis=0))
    if not gains:
        return _untestable([evidence.two_seeds()])
    first = next(iter(gains))
    why = f"over the {first} targets, {sum(target in XTREME for target in groups[first])} of XTREME's nine"
    if len(gains) > 1:
        why += f"; over the {len(groups['retrieval'])} of retrieval {evidence.figure(gains['retrieval'])}"
    why += "; the parent's points are raw, here the zero point is 0"
    return _outcome_of_positive(gains[first], evidence, why)


def _english_beats(evidence: Evidence) -> ClaimOutcome:
    targets = evidence.trained or evidence.targets
    pairs: dict[str, list[tuple[str, str]]] = {"masked LM beside it": [], "translated examples": []}
    for name in evidence.english:
        english = evidence.arms[name]
        for other in evidence.arms.values():
            if (
                other.name == name
                or not other.is_known
                or (other.tasks, other.labels) != (english.tasks, english.labels)
            ):
                continue
            if other.mlm_share and not other.is_translated:
                pairs["masked LM beside it"].append((name, other.name))
            if other.is_translated and not other.mlm_share:
                pairs["translated examples"].append((name, other.name))
    intervals: dict[str, Interval] = {}
    notes: list[str] = []
    for what, arms in pairs.items():
        if arms:
            table = evidence.gain(targets, sorted({arm for pair in arms for arm in pair}))
            differences = pd.DataFrame({pair: table[pair[0]] - table[pair[1]] for pair in arms})
            intervals[what] = t_interval(differences.dropna().mean(axis=1))
            notes += [
                f"{english} and {other} also differ in {join_words(differing)}"
                for english, other in arms
                if (differing := _other_differences(evidence.arms[english], evidence.arms[other]))
            ]
    lacks = [f"an arm with {what} and one of the same tasks without" for what, arms in pairs.items() if not arms]
    lacks += [evidence.whole_seed() for interval in intervals.values() if not interval.n]
    lacks = list(dict.fromkeys(lacks))
    measured = {what: interval for what, interval in intervals.items() if interval.n}
    if not measured:
        return _untestable(lacks)
    figure = "; ".join(f"over {what}: {evidence.figure(interval)}" for what, interval in measured.items())
    is_above = [interval.mean > 0 for interval in measured.values() if interval.excludes(0)]
    verdict = CONTRADICTED if False in is_above else SUPPORTED if len(is_above) == len(pairs) else UNDECIDED
    lacking = [f"the grid lacks {'; '.join(lacks)}"] if lacks else []
    return ClaimOutcome(verdict, figure, "; ".join([*lacking, *notes]))


def _other_differences(first: Arm, second: Arm) -> list[str]:
    differs = {
        "sampling": first.sampling != second.sampling,
        "learning rate": first.learning_rate != second.learning_rate,
    }
    return [name for name, is_other in differs.items() if is_other]


def _starts(evidence: Evidence) -> ClaimOutcome:
    records = [record for record in evidence.findings.records.values() if record.phase == "pretrain"]
    starts = sorted({str(record.parameters.get("start", "not recorded")) for record in records})
    if not records:
        return _untestable(["a record of phase 1"])
    models = {start.split("@")[0].rstrip("/").rsplit("/", 1)[-1] for start in starts}
    return _design_outcome(models == {LARGE.rsplit("/", 1)[-1]}, f"it starts from {join_words(starts)}")


def _three_phases(evidence: Evidence) -> ClaimOutcome:
    phases = {record.phase for record in evidence.findings.records.values()}
    run_phases = [phase for phase in RUN_PHASES if phase in phases]
    return _design_outcome(len(run_phases) == len(RUN_PHASES), f"runs of {join_words(run_phases)}")


def _tasks(evidence: Evidence) -> list[str]:
    """The intermediate tasks that were trained on, without controls."""
    return sorted({task for arm in evidence.arms.values() if not arm.is_control for task in arm.tasks})


def _nine_tasks(evidence: Evidence) -> ClaimOutcome:
    tasks = _tasks(evidence)
    figure = f"{len(tasks)} of the nine: {join_words(tasks)}" if tasks else "none"
    return _design_outcome(set(tasks) == set(NINE), figure)


def _formats_vary(evidence: Evidence) -> ClaimOutcome:
    formats = sorted({TASKS[task].format for task in _tasks(evidence) if task in TASKS})
    figure = f"{count_of(len(formats), 'format')}: {join_words(formats)}" if formats else "none"
    return _design_outcome(len(formats) > 1, figure)


def _design_outcome(matches: bool, figure: str) -> ClaimOutcome:
    return ClaimOutcome(MATCHES if matches else DIFFERS, figure, NO_EVIDENCE if matches else "by its own design")


CLAIMS = (
    Claim(
        1,
        "SQuAD, MNLI and HellaSwag bring the largest gains (8.2, 7.5 and 7.0 points)",
        "their mean gain minus that of the arms of each other task alone, over the trained targets",
        _best_three,
    ),
    Claim(
        2,
        "All nine tasks together do best (8.7 points)",
        "gain of all nine minus that of the best single task, which is chosen by the other seeds; trained targets",
        _all_nine,
    ),
    Claim(
        3,
        "BUCC and Tatoeba, which have no training data, gain most",
        "their mean gain minus that of the trained targets, over all arms of English tasks",
        _retrieval_most,
    ),
    Claim(
        4,
        "TyDiQA gains with many tasks, XNLI does not",
        "mean gain over the arms of one task: TyDiQA above 0 and above XNLI, and the 95 % CI of XNLI not above 0",
        _tydiqa_not_xnli,
    ),
    Claim(
        5,
        "The best intermediate task for each target brings 5.4 points on XTREME",
        "mean gain of the best arm for each target, chosen by the other seeds, above 0",
        _best_for_each,
    ),
    Claim(
        6,
        "English intermediate training beats masked LM continued beside it, and translated examples",
        "English alone minus the arm of the same tasks with the other; both above 0, over the trained targets",
        _english_beats,
    ),
    Claim(7, "It starts from XLM-R Large", "a fact of the design", _starts),
    Claim(8, "It has three phases", "a fact of the design", _three_phases),
    Claim(9, "It takes nine English intermediate tasks", "a fact of the design", _nine_tasks),
    Claim(10, "The tasks' formats vary", "a fact of the design", _formats_vary),
)
