"""The ten claims of the parent study (Phang et al. 2020, arXiv 2005.13013), a row each: the contrast that tests it
here, this study's figure in points with its interval, and a verdict. The findings go in, rows of text come out. What a
contrast is made of, and which targets and arms count, is in evidence.py."""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass

from xlt_utils.analysis.intervals import Interval
from xlt_utils.data.tasks import TASKS
from xlt_utils.formatting import count_of, join_words
from xlt_utils.reporting.evidence import Contrast, Evidence, Weights, mean_of, points_text
from xlt_utils.reporting.findings import RUN_PHASES, Findings

SUPPORTED, CONTRADICTED, UNDECIDED, UNTESTABLE = "supported", "contradicted", "undecided", "not testable"
MATCHES, DIFFERS = "this design matches", "this design differs"
NINE = ("anli", "mnli", "qqp", "squad_v2", "squad", "hellaswag", "ccg", "cosmos_qa", "commonsense_qa")
# Of the nine together, and of the best three, so many may be lacking: CCGbank, which `ccg` is made of, takes a licence,
# and a small encoder does not learn HellaSwag
ALL_BUT = 1
LARGE = "FacebookAI/xlm-roberta-large"
TWO_SEEDS = "two seeds with all of these runs, one of them to choose the best by,"
NO_EVIDENCE = "the study was built this way: a match is no evidence"
# How much less English may bring and still be no worse, on the raw scale: two points, the gain that a study here is
# sized to see. Less would not pay for translating the examples, or for more text beside them.
MARGIN = 0.02


@dataclass(frozen=True)
class ClaimOutcome:
    """What this study says of a claim: a verdict, its own figure, and why, or why it cannot be tested."""

    verdict: str
    figure: str = "–"
    why: str = ""


@dataclass(frozen=True)
class Claim:
    """What the parent study says, the contrast that tests it here, and the test itself."""

    number: int
    statement: str
    contrast: str
    test: Callable[[Evidence], ClaimOutcome]


def claim_rows(findings: Findings) -> list[dict]:
    """The table: a dict a claim, of `number`, `statement`, `contrast`, `figure`, `verdict` and `why`."""
    evidence = Evidence(findings)
    return [
        {"number": claim.number, "statement": claim.statement, "contrast": claim.contrast}
        | asdict(claim.test(evidence))
        for claim in CLAIMS
    ]


def _untestable(lacks: Iterable[str] = (), notes: Iterable[str] = (), figure: str = "–") -> ClaimOutcome:
    """The outcome where the grid lacks something, or where it has nothing that was learnt, as notes say."""
    lacking = "; ".join(lacks)
    parts = [f"the grid lacks {lacking}" if lacking else "", *notes]
    return ClaimOutcome(UNTESTABLE, figure, "; ".join(filter(None, parts)))


def _outcome_of_positive(
    evidence: Evidence, contrast: Contrast, notes: Iterable[str], beside: str = "", lacking: str = ""
) -> ClaimOutcome:
    """The outcome of a claim that a contrast is above 0.

    Args:
        contrast: What the claim is about.
        notes: What was left out of it, and where its arms end.
        beside: Further figures.
        lacking: What the grid lacks where no seed has a value.
    """
    difference, figure = evidence.compare(contrast)
    if not difference.n:
        return _untestable(notes=[evidence.why_none(contrast, lacking), *notes], figure=figure)
    verdict = UNDECIDED
    if difference.excludes(0):
        verdict = SUPPORTED if difference.mean > 0 else CONTRADICTED
    return ClaimOutcome(verdict, figure, "; ".join(filter(None, [beside, *notes])))


def _best_three(evidence: Evidence) -> ClaimOutcome:
    arm_of_task = {task: arm for arm, task in evidence.single.items()}
    squad = next((name for name in ("squad", "squad_v2") if name in arm_of_task), "squad")
    three = [squad, "mnli", "hellaswag"]
    other_tasks = [task for task in NINE if task not in (*three, "squad", "squad_v2")]
    absent = [task for task in three if task not in arm_of_task]
    missing = [task for task in (*three, *other_tasks) if task not in arm_of_task]
    lacks = [f"an arm of {task} alone" for task in absent] if len(absent) > ALL_BUT else []
    lacks += [] if set(other_tasks) - set(missing) else ["an arm of another of the nine tasks alone"]
    lacks += [] if evidence.trained else ["a trained target"]
    if lacks:
        return _untestable(lacks)
    best = [arm_of_task[task] for task in three if task not in absent]
    others = [arm_of_task[task] for task in other_tasks if task in arm_of_task]
    notes = [*evidence.unlearnt(evidence.trained, [*best, *others]), *evidence.rungs([*best, *others])]
    learnt = [task for task in three if task not in absent and not evidence.unlearnt([], [arm_of_task[task]])]
    if len(three) - len(learnt) > ALL_BUT:
        return _untestable(notes=notes)

    def contrast(with_shared: bool) -> Weights | None:
        # target by target, so that no arm is judged by easier targets than another
        sides = [[evidence.counting([name], arms, with_shared) for arms in (best, others)] for name in evidence.trained]
        return mean_of(evidence.mean(first) - evidence.mean(second) for first, second in sides if first and second)

    gains = {task: evidence.xtreme_gain([arm_of_task[task]]) for task in learnt}
    beside = evidence.beside_parent(gains | {"the others": evidence.xtreme_gain(others)})
    notes += [f"no arm of {join_words(missing)}"] if missing else []
    return _outcome_of_positive(evidence, contrast, notes, beside)


def _all_nine(evidence: Evidence) -> ClaimOutcome:
    lacking = {name: set(NINE) - set(arm.tasks) for name, arm in evidence.arms.items() if set(arm.tasks) <= set(NINE)}
    fewest = min((len(lacking[name]) for name in evidence.english if name in lacking), default=len(NINE))
    together = [name for name in evidence.english if name in lacking and len(lacking[name]) == fewest <= ALL_BUT]
    single = list(evidence.single)
    lacks = [] if together else [f"an arm of all nine tasks together, or of {len(NINE) - ALL_BUT}"]
    lacks += [] if len(single) > 1 else ["two or more arms of one task alone"]
    lacks += [] if evidence.trained else ["a trained target"]
    if lacks:
        return _untestable(lacks)
    notes = [*evidence.unlearnt(evidence.trained, [*together, *single]), *evidence.rungs([*together, *single])]

    def contrast(with_shared: bool) -> Weights | None:
        pairs = evidence.counting(evidence.trained, together, with_shared)
        targets = sorted({target for target, _ in pairs})
        of_arms = [evidence.counting(targets, [arm], with_shared) for arm in single]
        candidates = [evidence.mean(of_arm) for of_arm in of_arms if of_arm and len(of_arm) == len(targets)]
        return evidence.mean(pairs) - evidence.best_by_other_seeds(candidates) if candidates else None

    missing = [task for task in NINE if task not in evidence.single.values()]
    notes += [f"{name} is without {join_words(sorted(lacking[name]))}" for name in together if lacking[name]]
    notes += [f"no arm of {join_words(missing)} alone"] if missing else []
    beside = evidence.beside_parent({"all nine": evidence.xtreme_gain(together)})
    return _outcome_of_positive(evidence, contrast, notes, beside, TWO_SEEDS)


def _retrieval_most(evidence: Evidence) -> ClaimOutcome:
    retrieval = [name for name in ("bucc2018", "tatoeba") if name in evidence.retrieval]
    lacks = [] if retrieval else ["the targets bucc2018 and tatoeba"]
    lacks += [] if evidence.trained else ["a trained target"]
    lacks += [] if evidence.english else ["an arm of English tasks"]
    if lacks:
        return _untestable(lacks)

    def gains_of_both(with_shared: bool) -> tuple[Weights | None, Weights | None]:
        # the same arms on both sides: the claim is about the targets
        sides = [
            [evidence.counting(targets, [arm], with_shared) for targets in (retrieval, evidence.trained)]
            for arm in evidence.english
        ]
        both = [(evidence.mean(first), evidence.mean(second)) for first, second in sides if first and second]
        return mean_of(first for first, _ in both), mean_of(second for _, second in both)

    def contrast(with_shared: bool) -> Weights | None:
        first, second = gains_of_both(with_shared)
        return None if first is None or second is None else first - second

    gains = [points_text(evidence.interval(weights)) for weights in gains_of_both(with_shared=False)]
    beside = f"{' and '.join(retrieval)} {gains[0]}; trained targets {gains[1]}"
    missing = [name for name in ("bucc2018", "tatoeba") if name not in retrieval]
    notes = [*evidence.unlearnt(evidence.trained, evidence.english), *evidence.rungs(evidence.english)]
    notes += [f"{join_words(missing)} is no target here"] if missing else []
    return _outcome_of_positive(evidence, contrast, notes, beside)


def _tydiqa_not_xnli(evidence: Evidence) -> ClaimOutcome:
    both, arms = ("tydiqa", "xnli"), list(evidence.single)
    lacks = [f"the target {name}" for name in both if name not in evidence.trained]
    lacks += [] if len(arms) > 1 else ["two or more arms of one task alone"]
    if lacks:
        return _untestable(lacks)
    notes = [*evidence.unlearnt(both, arms), *evidence.rungs(arms)]

    def arms_of_both(with_shared: bool) -> list[str]:
        return [arm for arm in arms if len(evidence.counting(both, [arm], with_shared)) == len(both)]

    def contrast(with_shared: bool) -> Weights | None:
        tydiqa, xnli = ([(target, arm) for arm in arms_of_both(with_shared)] for target in both)
        return evidence.mean(tydiqa) - evidence.mean(xnli) if tydiqa else None

    difference, figure = evidence.compare(contrast)
    if not difference.n:
        return _untestable(notes=[evidence.why_none(contrast), *notes], figure=figure)
    pairs = [[(target, arm) for arm in arms_of_both(with_shared=False)] for target in both]
    tydiqa, xnli = (evidence.interval(evidence.mean(of_target)) for of_target in pairs)
    verdict = UNDECIDED
    if (tydiqa.excludes(0) and tydiqa.mean < 0) or (xnli.excludes(0) and xnli.mean > 0):
        verdict = CONTRADICTED
    elif tydiqa.excludes(0) and difference.excludes(0) and difference.mean > 0:
        verdict = SUPPORTED
    gaining = [sum(evidence.interval(evidence.mean([pair])).mean > 0 for pair in of_target) for of_target in pairs]
    why = f"TyDiQA gains {points_text(tydiqa)}, after {gaining[0]} of {len(pairs[0])} tasks; "
    why += f"XNLI {points_text(xnli)}, after {gaining[1]} of {len(pairs[1])}"
    return ClaimOutcome(verdict, figure, "; ".join([why, *notes]))


def _best_for_each(evidence: Evidence) -> ClaimOutcome:
    lacks = [] if len(evidence.english) > 1 else ["two or more arms of English tasks to choose among"]
    lacks += [] if evidence.trained else ["a trained target"]
    if lacks:
        return _untestable(lacks)

    def gain_of_best(targets: list[str], with_shared: bool) -> Weights | None:
        pairs = [evidence.counting([target], evidence.english, with_shared) for target in targets]
        candidates = [[evidence.mean([pair]) for pair in of_target] for of_target in pairs if len(of_target) > 1]
        return mean_of(evidence.best_by_other_seeds(of_target) for of_target in candidates)

    def contrast(with_shared: bool) -> Weights | None:
        return gain_of_best(evidence.trained, with_shared)

    notes = [*evidence.unlearnt(evidence.trained, evidence.english), *evidence.rungs(evidence.english)]
    beside = evidence.beside_parent({"the best": gain_of_best(evidence.xtreme, with_shared=True)})
    return _outcome_of_positive(evidence, contrast, notes, beside, TWO_SEEDS)


def _english_no_worse(evidence: Evidence) -> ClaimOutcome:
    pairs_of_alternatives = _alternatives(evidence)
    lacks = [
        f"an arm with {what} and one of the same tasks without"
        for what, arms in pairs_of_alternatives.items()
        if not arms
    ]
    lacks += [] if evidence.trained else ["a trained target"]
    arms = [arm for pairs in pairs_of_alternatives.values() for pair in pairs for arm in pair]
    notes = [*evidence.unlearnt(evidence.trained, dict.fromkeys(arms)), *evidence.rungs(arms)]
    intervals: dict[str, Interval] = {}
    figures: list[str] = []
    for what, pairs in pairs_of_alternatives.items():
        contrast = _minus_english(evidence, pairs)
        interval, figure = evidence.compare(contrast)
        if interval.n:
            intervals[what] = interval
        elif pairs:
            notes.append(evidence.why_none(contrast))
        figures += [f"{what} minus English: {figure}"] if figure != "–" else []
        notes += _other_differences(evidence, pairs)
    figure = "; ".join(figures) or "–"
    notes = list(dict.fromkeys(filter(None, notes)))
    if not intervals:
        return _untestable(lacks, notes, figure)
    better = {what: interval for what, interval in intervals.items() if interval.low > 0}
    no_worse = [what for what, interval in intervals.items() if interval.high < MARGIN]
    verdict = CONTRADICTED if better else SUPPORTED if len(no_worse) == len(pairs_of_alternatives) else UNDECIDED
    reasons = [
        f"{what} is better than English alone, for the whole 95 % CI lies above 0"
        + (", though by less than the margin" if what in no_worse else "")
        for what in better
    ]
    reasons += [f"the grid lacks {'; '.join(lacks)}"] if lacks else []
    return ClaimOutcome(verdict, figure, "; ".join([*reasons, *notes]))


def _alternatives(evidence: Evidence) -> dict[str, list[tuple[str, str]]]:
    """By what is done beside or in place of English: the pairs of an English arm and one of the same tasks."""
    pairs: dict[str, list[tuple[str, str]]] = {"masked LM beside it": [], "translated examples": []}
    for name in evidence.english:
        english = evidence.arms[name]
        for other in evidence.arms.values():
            if not other.is_known or (other.tasks, other.labels) != (english.tasks, english.labels):
                continue
            if other.mlm_share and not other.is_translated:
                pairs["masked LM beside it"].append((name, other.name))
            if other.is_translated and not other.mlm_share:
                pairs["translated examples"].append((name, other.name))
    return pairs


def _minus_english(evidence: Evidence, pairs: list[tuple[str, str]]) -> Contrast:
    def contrast(with_shared: bool) -> Weights | None:
        parts = []
        for english, other in pairs:
            targets = [
                name for name in evidence.trained if len(evidence.counting([name], [english, other], with_shared)) == 2
            ]
            if targets:
                of_english, of_other = ([(name, arm) for name in targets] for arm in (english, other))
                parts.append(evidence.mean(of_other) - evidence.mean(of_english))
        return mean_of(parts)

    return contrast


def _other_differences(evidence: Evidence, pairs: list[tuple[str, str]]) -> list[str]:
    """In what the arms of a pair differ that are not to differ, in words."""
    notes = []
    for names in pairs:
        first, second = (evidence.arms[name] for name in names)
        is_other = {
            "sampling": first.sampling != second.sampling,
            "learning rate": first.learning_rate != second.learning_rate,
        }
        differing = [name for name, differs in is_other.items() if differs]
        notes += [f"{first.name} and {second.name} also differ in {join_words(differing)}"] if differing else []
    return notes


def _starts(evidence: Evidence) -> ClaimOutcome:
    records = [record for record in evidence.records if record.phase == "pretrain"]
    starts = sorted({str(record.parameters.get("start", "not recorded")) for record in records})
    if not records:
        return _untestable(["a record of phase 1"])
    models = {start.split("@")[0].rstrip("/").rsplit("/", 1)[-1] for start in starts}
    return _design_outcome(models == {LARGE.rsplit("/", 1)[-1]}, f"it starts from {join_words(starts)}")


def _three_phases(evidence: Evidence) -> ClaimOutcome:
    phases = {record.phase for record in evidence.records}
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
        "their mean gain, or that of two of them, minus that of the arms of each other task alone, target by target, "
        "over the trained targets",
        _best_three,
    ),
    Claim(
        2,
        "All nine tasks together do best (8.7 points)",
        "gain of all nine, or of the eight that need no licence, minus that of the best single task, which the other "
        "seeds choose; trained targets",
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
        "mean gain of the best arm for each trained target, chosen by the other seeds, above 0",
        _best_for_each,
    ),
    Claim(
        6,
        "Neither masked LM continued beside English intermediate training nor translated examples outperform it",
        "each of the two minus English alone, same tasks, over the trained targets: supported where both upper ends of "
        f"the 95 % CI lie below a margin of {100 * MARGIN:g} points, contradicted where a whole CI lies above 0",
        _english_no_worse,
    ),
    Claim(7, "It starts from XLM-R Large", "a fact of the design", _starts),
    Claim(8, "It has three phases", "a fact of the design", _three_phases),
    Claim(9, "It takes nine English intermediate tasks", "a fact of the design", _nine_tasks),
    Claim(10, "The tasks' formats vary", "a fact of the design", _formats_vary),
)
