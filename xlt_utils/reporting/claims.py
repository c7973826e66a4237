"""The ten claims of the parent study (Phang et al. 2020, arXiv 2005.13013), a row each: the contrast that tests it
here, this study's figure with its interval, and a verdict. In go the findings of report.py, out come rows of words.
Contrasts are paired by seed at the largest P and I; a seed that lacks one of the runs that a contrast needs is left
out of it, and the row says how many are in."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from xlt_utils.analysis.arm_table import Arm
from xlt_utils.analysis.intervals import Interval, t_interval
from xlt_utils.analysis.transfer_scores import MEANS
from xlt_utils.data.tasks import TASKS
from xlt_utils.formatting import number, short_size
from xlt_utils.reporting.findings import Findings

SUPPORTED, CONTRADICTED, UNDECIDED, UNTESTABLE = "supported", "contradicted", "undecided", "not testable on this grid"
MATCHES, DIFFERS = "this design matches", "this design differs"
NINE = ("anli", "mnli", "qqp", "squad_v2", "squad", "hellaswag", "ccg", "cosmos_qa", "commonsense_qa")
XTREME = ("xnli", "pawsx", "udpos", "panx", "xquad", "mlqa", "tydiqa", "bucc2018", "tatoeba")
LARGE = "FacebookAI/xlm-roberta-large"
NO_EVIDENCE = "the study was built so: agreeing is no evidence"


@dataclass(frozen=True)
class ClaimOutcome:
    """What this study says of a claim: a verdict, its own figure, and why, or what the grid lacks."""

    verdict: str
    figure: str = "–"
    why: str = ""


@dataclass(frozen=True)
class Claim:
    """A row: what the parent study says, the contrast that tests it here, and the test itself."""

    number: int
    said: str
    contrast: str
    test: Callable[["Evidence"], ClaimOutcome]


class Evidence:
    """What the claims are tested on: the arms, and the gains over I = 0 of the same seed at the largest P and I."""

    def __init__(self, found: Findings):
        self.found = found
        self.arms: dict[str, Arm] = found.kinds
        self.seeds = found.seeds
        gains = found.gains
        self.tokens = int(gains["tokens"].max()) if len(gains) else 0
        self.examples = int(gains["examples"].max()) if len(gains) else 0
        here = gains[(gains["tokens"] == self.tokens) & (gains["examples"] == self.examples)]
        self.gains = here.pivot_table(index="seed", columns=["target", "arm"], values="gain")
        self.english = [name for name, arm in self.arms.items() if arm.is_english]
        self.single = {name: arm.tasks[0] for name, arm in self.arms.items() if arm.is_english and len(arm.tasks) == 1}
        self.targets = [name for name in gains["target"].unique() if name not in MEANS.values()]
        self.trained = [name for name in self.targets if TASKS[name].trains]
        self.retrieval = [name for name in self.targets if not TASKS[name].trains]
        self.place = f"at P = {short_size(self.tokens)} and I = {short_size(self.examples)}"

    def gain(self, targets: Sequence[str], arms: Sequence[str]) -> pd.DataFrame:
        """The mean gain over some targets, a row a seed and a column an arm; NaN where one of the targets lacks."""
        columns = {arm: [(target, arm) for target in targets] for arm in arms}
        table = self.gains.reindex(columns=[key for keys in columns.values() for key in keys])
        return pd.DataFrame({arm: table[keys].mean(axis=1, skipna=False) for arm, keys in columns.items()})

    def figure(self, interval: Interval) -> str:
        """An interval with how many of the study's seeds are in it."""
        said = str(interval)
        lost = len(self.seeds) - interval.n
        return f"{said}; {lost} of {len(self.seeds)} seeds lack one of its runs" if lost and interval.n else said

    def nothing(self) -> str:
        return f"a seed with all of these runs {self.place}"


def claim_rows(found: Findings) -> list[dict]:
    """The table: a dict a claim, of `number`, `said`, `contrast`, `figure`, `verdict` and `why`."""
    evidence = Evidence(found)
    outcomes = [(claim, claim.test(evidence)) for claim in CLAIMS]
    return [{"number": one.number, "said": one.said, "contrast": one.contrast, **vars(out)} for one, out in outcomes]


def _lacks(what: Iterable[str]) -> ClaimOutcome:
    return ClaimOutcome(UNTESTABLE, why=f"the grid lacks {'; '.join(what)}")


def _judged(interval: Interval, on: Evidence, why: str = "") -> ClaimOutcome:
    """A claim that a difference is above 0."""
    if not interval.n:
        return _lacks([on.nothing()])
    verdict = UNDECIDED
    if interval.excludes(0):
        verdict = SUPPORTED if interval.mean > 0 else CONTRADICTED
    return ClaimOutcome(verdict, on.figure(interval), why)


def _by_seed(table: pd.DataFrame) -> np.ndarray:
    """The mean over columns, seed by seed, of the seeds that have them all."""
    return table.dropna().mean(axis=1).to_numpy()


def _best_three(on: Evidence) -> ClaimOutcome:
    by_task = {task: arm for arm, task in on.single.items()}
    squad = next((name for name in ("squad", "squad_v2") if name in by_task), "squad")
    named = [squad, "mnli", "hellaswag"]
    others = [task for task in NINE if task in by_task and task not in (*named, "squad", "squad_v2")]
    lacks = [f"an arm of {task} alone" for task in named if task not in by_task]
    lacks += [] if others else ["an arm of another of the nine tasks alone"]
    if lacks:
        return _lacks(lacks)
    if not on.trained:
        return _lacks(["a trained target"])
    table = on.gain(on.trained, [by_task[task] for task in [*named, *others]]).dropna()
    one, rest = (table[[by_task[task] for task in some]].mean(axis=1) for some in (named, others))
    each = [f"{task} {number(table[by_task[task]].mean(), '+')}" for task in [*named, *others]]
    absent = [task for task in NINE if task not in by_task and task not in ("squad", "squad_v2")]
    why = f"gains: {', '.join(each)}" + (f"; no arm of {', '.join(absent)}" if absent else "")
    return _judged(t_interval(one - rest), on, why)


def _chosen(table: pd.DataFrame) -> np.ndarray:
    """The best column's value in each seed, the column chosen by the mean of the other seeds."""
    values = table.to_numpy()
    return np.array([row[np.delete(values, place, axis=0).mean(axis=0).argmax()] for place, row in enumerate(values)])


def _all_nine(on: Evidence) -> ClaimOutcome:
    together = [name for name in on.english if set(on.arms[name].tasks) == set(NINE)]
    lacks = [] if together else ["an arm of all nine tasks together"]
    lacks += [] if len(on.single) > 1 else ["two or more arms of one task alone"]
    lacks += [] if on.trained else ["a trained target"]
    if lacks:
        return _lacks(lacks)
    table = on.gain(on.trained, [*together, *on.single]).dropna()
    if len(table) < 2:
        return _lacks([f"two seeds with all of these runs {on.place}, one to choose the best task by"])
    difference = table[together].mean(axis=1).to_numpy() - _chosen(table[list(on.single)])
    gain = on.figure(t_interval(table[together].mean(axis=1)))
    absent = [task for task in NINE if task not in on.single.values()]
    why = f"all nine gain {gain}" + (f"; no arm of {', '.join(absent)} alone" if absent else "")
    return _judged(t_interval(difference), on, why)


def _retrieval_most(on: Evidence) -> ClaimOutcome:
    untrained = [name for name in ("bucc2018", "tatoeba") if name in on.targets]
    lacks = [] if untrained else ["the targets bucc2018 and tatoeba"]
    lacks += [] if on.trained else ["a trained target"]
    lacks += [] if on.english else ["an arm of English tasks"]
    if lacks:
        return _lacks(lacks)
    # the one place where the two groups meet: the claim is about their difference
    parts = [_by_name(on.gain(targets, on.english), on.english) for targets in (untrained, on.trained)]
    both = pd.concat(parts, axis=1).dropna()
    gains = [number(both[column].mean(), "+") for column in both]
    why = f"{' and '.join(untrained)} {gains[0]}, trained targets {gains[1]}, over {_count(len(on.english), 'arm')}"
    absent = [name for name in ("bucc2018", "tatoeba") if name not in untrained]
    why += f"; {', '.join(absent)} is no target here" if absent else ""
    return _judged(t_interval(both.iloc[:, 0] - both.iloc[:, 1]), on, why)


def _by_name(table: pd.DataFrame, arms: Sequence[str]) -> pd.Series:
    return table[list(arms)].mean(axis=1, skipna=False)


def _tydiqa_not_xnli(on: Evidence) -> ClaimOutcome:
    lacks = [f"the target {name}" for name in ("tydiqa", "xnli") if name not in on.targets]
    lacks += [] if len(on.single) > 1 else ["two or more arms of one task alone"]
    if lacks:
        return _lacks(lacks)
    arms = list(on.single)
    both = pd.concat([_by_name(on.gain([name], arms), arms) for name in ("tydiqa", "xnli")], axis=1).dropna()
    tydiqa, xnli, difference = (t_interval(values) for values in (both[0], both[1], both[0] - both[1]))
    if not difference.n:
        return _lacks([on.nothing()])
    verdict = UNDECIDED
    if (tydiqa.excludes(0) and tydiqa.mean < 0) or (xnli.excludes(0) and xnli.mean > 0):
        verdict = CONTRADICTED
    elif tydiqa.excludes(0) and difference.excludes(0) and difference.mean > 0:
        verdict = SUPPORTED
    above = [int((on.gain([name], arms).reindex(both.index).mean() > 0).sum()) for name in ("tydiqa", "xnli")]
    why = f"TyDiQA gains {tydiqa.said()}, after {above[0]} of {len(arms)} tasks; "
    why += f"XNLI {xnli.said()}, after {above[1]} of {len(arms)}"
    return ClaimOutcome(verdict, on.figure(difference), why)


def _best_for_each(on: Evidence) -> ClaimOutcome:
    if len(on.english) < 2:
        return _lacks(["two or more arms of English tasks to choose among"])
    groups = {"trained": on.trained, "retrieval": on.retrieval}
    found: dict[str, Interval] = {}
    for name, targets in groups.items():
        tables = [on.gain([target], on.english) for target in targets]
        whole = [] if not tables else sorted(set.intersection(*(set(table.dropna().index) for table in tables)))
        if len(whole) > 1:
            found[name] = t_interval(np.mean([_chosen(table.loc[whole]) for table in tables], axis=0))
    if not found:
        return _lacks([f"two seeds with all of these runs {on.place}, one to choose the best task by"])
    first = next(iter(found))
    why = f"over the {first} targets, {sum(name in XTREME for name in groups[first])} of XTREME's nine"
    if len(found) > 1:
        why += f"; over the {len(groups['retrieval'])} of retrieval {on.figure(found['retrieval'])}"
    why += "; the parent's points are raw, these have chance at 0"
    return _judged(found[first], on, why)


def _english_beats(on: Evidence) -> ClaimOutcome:
    targets = on.trained or on.targets
    pairs = {"masked LM beside it": [], "translated examples": []}
    for name in on.english:
        own = on.arms[name]
        for other in on.arms.values():
            if other.name != name and other.tasks == own.tasks and other.labels == own.labels and other.is_known:
                if other.mlm_share and not other.is_translated:
                    pairs["masked LM beside it"].append((name, other.name))
                if other.is_translated and not other.mlm_share:
                    pairs["translated examples"].append((name, other.name))
    intervals: dict[str, Interval] = {}
    differ: list[str] = []
    for what, some in pairs.items():
        if some:
            table = on.gain(targets, sorted({arm for pair in some for arm in pair}))
            differences = pd.DataFrame({pair: table[pair[0]] - table[pair[1]] for pair in some})
            intervals[what] = t_interval(_by_seed(differences))
            differ += [
                f"{one} and {two} also differ in {', '.join(names)}"
                for one, two in some
                if (names := _other_differences(on.arms[one], on.arms[two]))
            ]
    lacks = [f"an arm with {what} and one of the same tasks without" for what, some in pairs.items() if not some]
    lacks += [on.nothing() for interval in intervals.values() if not interval.n]
    measured = {what: interval for what, interval in intervals.items() if interval.n}
    if not measured:
        return _lacks(dict.fromkeys(lacks))
    figure = "; ".join(f"over {what}: {on.figure(interval)}" for what, interval in measured.items())
    sure = [interval.mean > 0 for interval in measured.values() if interval.excludes(0)]
    verdict = CONTRADICTED if False in sure else SUPPORTED if len(sure) == len(pairs) else UNDECIDED
    lacking = [f"the grid lacks {'; '.join(dict.fromkeys(lacks))}"] if lacks else []
    return ClaimOutcome(verdict, figure, "; ".join([*lacking, *differ]))


def _other_differences(one: Arm, other: Arm) -> list[str]:
    found = {"sampling": one.sampling != other.sampling, "learning rate": one.learning_rate != other.learning_rate}
    return [name for name, is_other in found.items() if is_other]


def _starts(on: Evidence) -> ClaimOutcome:
    given = [record.parameters for record in on.found.records.values() if record.phase == "pretrain"]
    starts = sorted({str(one.get("start", "not told")) for one in given})
    if not given:
        return _lacks(["a record of phase 1"])
    plain = {one.split("@")[0].rstrip("/").rsplit("/", 1)[-1] for one in starts}
    return _designed(plain == {LARGE.rsplit("/", 1)[-1]}, f"it starts from {', '.join(starts)}")


def _three_phases(on: Evidence) -> ClaimOutcome:
    there = {record.phase for record in on.found.records.values()}
    three = {"pretrain", "intermediate", "target"} <= there
    return _designed(
        three, f"runs of {', '.join(name for name in ('pretrain', 'intermediate', 'target') if name in there)}"
    )


def _tasks(on: Evidence) -> list[str]:
    """The intermediate tasks that were trained on, controls not counted."""
    return sorted({task for arm in on.arms.values() if not arm.is_control for task in arm.tasks})


def _nine_tasks(on: Evidence) -> ClaimOutcome:
    tasks = _tasks(on)
    figure = f"{len(tasks)} of the nine: {', '.join(tasks)}" if tasks else "none"
    return _designed(set(tasks) == set(NINE), figure)


def _formats_vary(on: Evidence) -> ClaimOutcome:
    formats = sorted({TASKS[task].format for task in _tasks(on) if task in TASKS})
    return _designed(len(formats) > 1, f"{_count(len(formats), 'format')}: {', '.join(formats)}" if formats else "none")


def _designed(matches: bool, figure: str) -> ClaimOutcome:
    return ClaimOutcome(MATCHES if matches else DIFFERS, figure, NO_EVIDENCE if matches else "by its own design")


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}{'' if n == 1 else 's'}"


CLAIMS = (
    Claim(
        1,
        "SQuAD, MNLI and HellaSwag bring the largest gains (8.2, 7.5 and 7.0 points)",
        "their mean gain minus that of the other tasks' arms, one task an arm, over the trained targets",
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
        "mean gain over the arms of one task: TyDiQA above 0 and above XNLI, and XNLI not surely above 0",
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
