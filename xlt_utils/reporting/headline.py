"""The answer to the study's question. The findings go in; a few words, the verdicts that they rest on, and what it
would take to settle what is open come out."""

from collections.abc import Callable, Iterable

import numpy as np

from xlt_utils.analysis.intervals import LEVEL
from xlt_utils.analysis.learning import TARGET_NOT_LEARNT, TASK_NOT_LEARNT
from xlt_utils.analysis.power import POWER, Power, seeds_text
from xlt_utils.analysis.proportionality import SMALL_GAIN, WITH_SLOPE, ProportionalityVerdict
from xlt_utils.analysis.transfer_scores import MEANS
from xlt_utils.formatting import join_words, number_text
from xlt_utils.reporting.findings import Findings
from xlt_utils.reporting.learnt import MOST_NAMED

UNLEARNT = {TARGET_NOT_LEARNT: "target", TASK_NOT_LEARNT: "arm"}  # and what of a pair was not learnt
NOT_SETTLED = "Not settled by this study"


def headline(findings: Findings) -> tuple[str, str]:
    """The answer to "proportional?": one to a few words, and the verdicts that it rests on.

    A yes or a no takes more than half of the testable pairs of a target and an arm that share no training data: what a
    pair that shares some gains may be more data of the target's own. A verdict that does not survive the correction
    for testing many pairs decides nothing.
    """
    verdicts = of_single_targets(findings.task_verdicts)
    counting = [verdict for verdict in verdicts if verdict.verdict not in UNLEARNT]
    with_arm = names_arms(verdicts)
    pairs_by_verdict: dict[str, list[str]] = {}
    without_shared_data = []
    for verdict in counting:
        notes = [verdict.arm] if with_arm else []
        if findings.shares_data(verdict.target, verdict.arm):
            notes.append("shares training data")
        else:
            without_shared_data.append("undecided" if verdict.falls_to_correction else verdict.verdict)
        note = f", but not after correction for {len(counting)} pairs" if verdict.falls_to_correction else ""
        pair = f"{verdict.target} ({'; '.join(notes)})" if notes else verdict.target
        pairs_by_verdict.setdefault(verdict.verdict + note, []).append(pair)
    reasons = [f"{name}: {_pairs_text(pairs, len(counting))}" for name, pairs in pairs_by_verdict.items()]
    for name, side in UNLEARNT.items():
        names = sorted({getattr(verdict, side) for verdict in verdicts if verdict.verdict == name})
        reasons += [f"{name}: {join_words(names)}"] if names else []
    text = "; ".join(reasons) or "No run after intermediate tasks has one without them to compare with"
    answer = "Not testable on this grid"
    if any(name != "not testable" for name in pairs_by_verdict):
        answer = _answer(without_shared_data)
    elif verdicts and not counting:
        answer = "Not testable: no target was learnt in English after an arm that learnt its own task"
    return answer, text[:1].upper() + text[1:]


def _answer(verdicts: list[str]) -> str:
    """The answer that the verdicts on pairs of a target and an arm give."""
    testable = [verdict for verdict in verdicts if verdict != "not testable"]
    decided = [verdict for verdict in testable if verdict != "undecided"]
    with_slope = [verdict for verdict in decided if verdict in WITH_SLOPE]
    if decided and len(decided) == len(testable) and not with_slope:
        return f"No: no arm brings a gain above {SMALL_GAIN:g}"
    if 2 * len(decided) <= len(testable) or not with_slope:
        return NOT_SETTLED
    proportional = with_slope.count("proportional")
    # of many slopes that are less than 1, one in twenty is expected to look like 1
    if proportional <= (1 - LEVEL) * len(with_slope):
        return "No"
    return "Yes" if proportional == len(decided) else "Only in part"


def what_it_would_take(findings: Findings) -> str:
    """What a study like this one would have to be to settle the open pairs that share no training data; "" where none
    is open or nothing is known of the noise."""
    powers = [
        verdict.power
        for verdict in of_single_targets(findings.task_verdicts)
        if verdict.power and not verdict.survives and not findings.shares_data(verdict.target, verdict.arm)
    ]
    return power_sentence(powers) if powers else ""


def power_sentence(powers: list[Power]) -> str:
    """What some pairs of a target and an arm can show and what more it takes, from the best pair to the worst."""
    which = "the open pair" if len(powers) == 1 else f"the {len(powers)} open pairs"
    effect = number_text(powers[0].effect)
    return (
        f"The smallest gain that {which} could have shown with {100 * POWER:.0f} % power: "
        f"{_span([power.visible for power in powers], number_text)}. A gain of {effect} would take "
        f"{_span([power.seeds for power in powers], seeds_text)} seeds, and telling a slope of 1 from ½ "
        f"{_span([power.seeds_for_slope for power in powers], seeds_text)}"
    )


def _span(values: Iterable[float], text: Callable[[float], str]) -> str:
    known = sorted(value for value in values if not np.isnan(value))
    return " to ".join(dict.fromkeys(map(text, (known[0], known[-1])))) if known else "an unknown number of"


def of_single_targets(verdicts: Iterable[ProportionalityVerdict]) -> list[ProportionalityVerdict]:
    """The verdicts on single targets, without those on means over several."""
    return [verdict for verdict in verdicts if verdict.target not in MEANS.values()]


def names_arms(verdicts: Iterable[ProportionalityVerdict]) -> bool:
    """Whether a pair has to be named with its arm: there are several."""
    return len({verdict.arm for verdict in verdicts}) > 1


def _pairs_text(pairs: list[str], total: int) -> str:
    """Pairs of a target and an arm by name, or how many where naming them all would fill the screen."""
    if total <= MOST_NAMED:
        return join_words(pairs)
    examples = f" ({join_words(pairs)})" if len(pairs) < 4 else ""
    count = "all" if len(pairs) == total else f"{len(pairs)} of"
    return f"{count} {total} pairs of a target and an arm{examples}"
