"""The page's first screen in words: the answer in at most 60 words, and the five findings that it rests on, each a
short claim with its number and the figure or table that shows it. The findings go in, text comes out; `sentences` says
the same at length."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isnan
from typing import Any

from xlt_utils.analysis.intervals import Interval
from xlt_utils.analysis.proportionality import slope_text
from xlt_utils.analysis.transfer_scores import MEANS
from xlt_utils.formatting import count_of, join_words, number_text, short_size, verb_of
from xlt_utils.reporting.findings import Findings
from xlt_utils.reporting.headline import UNLEARNT, headline, of_single_targets, what_it_would_take
from xlt_utils.reporting.tables import gains_over_controls

MOST_SLOPES = 3  # that a finding names


@dataclass(frozen=True)
class Finding:
    """A claim of at most 15 words, the number behind it with its interval, and the place on the page that shows it."""

    claim: str
    number: str
    place: str


def answer_sentences(findings: Findings) -> list[str]:
    """What more intermediate examples buy, and what more pretraining text buys: two sentences."""
    return [
        f"More intermediate examples: {_gains_text(findings)}.",
        f"More pretraining text: {_changes_text(findings)}.",
    ]


def five_findings(findings: Findings) -> list[Finding]:
    """What was learnt, what each size buys, what the controls say, and whether the gain is in proportion."""
    return [
        _learnt(findings),
        _gains(findings),
        _over_controls(findings),
        _changes(findings),
        _proportional(findings),
    ]


def short_interval(interval: Interval) -> str:
    """A difference with its 95 % CI in as few words as it takes."""
    if isnan(interval.low):
        why = "one seed, no interval" if interval.n == 1 else "runs failed, no interval"
        return f"{number_text(interval.mean, '+')} ({why})"
    return f"{number_text(interval.mean, '+')} ({number_text(interval.low, '+')} to {number_text(interval.high, '+')})"


def _pairs(findings: Findings) -> dict[tuple[str, str], Interval]:
    """The gains at the largest I of single targets and intermediate arms that were learnt, the largest first."""
    verdicts = [
        verdict
        for verdict in of_single_targets(findings.task_verdicts)
        if verdict.verdict not in UNLEARNT and verdict.gain.n
    ]
    return {(verdict.target, verdict.arm): verdict.gain for verdict in sorted(verdicts, key=lambda v: -v.gain.mean)}


def _single_changes(findings: Findings) -> dict[str, Interval]:
    """How single targets change with P, the largest rise first."""
    changes = {target: change.change for target, change in findings.pretraining_changes.items()}
    return dict(sorted(changes.items(), key=lambda item: -item[1].mean))


def _counts_text(intervals: Mapping, noun: str) -> str:
    """How many of some differences lie above 0 and how many below, by their 95 % CIs."""
    if all(isnan(interval.low) for interval in intervals.values()):
        return f"{count_of(len(intervals), noun)} measured, with one seed and no interval"
    above = sum(interval.low > 0 for interval in intervals.values())
    below = sum(interval.high < 0 for interval in intervals.values())
    verb = "gains" if above == 1 else "gain"
    nouns = count_of(len(intervals), noun)
    return f"{above} of {nouns} {verb}, {below} {'loses' if below == 1 else 'lose'}"


def _rung(findings: Findings, arm: str) -> str:
    return short_size(int(findings.gains.loc[findings.gains["arm"] == arm, "examples"].max()))


def _ends(findings: Findings, target: str) -> str:
    return " to ".join(short_size(size) for size in findings.pretraining_changes[target].ends)


def _gains_text(findings: Findings) -> str:
    pairs = _pairs(findings)
    if not pairs:
        return "no target and arm that were learnt stand beside each other"
    (target, arm), gain = next(iter(pairs.items()))
    best = f"most {target} after {_rung(findings, arm)} {arm}, {short_interval(gain)}"
    return f"{_counts_text(pairs, 'target-arm pair')}; {best}"


def _changes_text(findings: Findings) -> str:
    changes = _single_changes(findings)
    if not changes:
        return "not varied here" if findings.targets else "no target was learnt"
    target, change = next(iter(changes.items()))
    best = f"most {target} from {_ends(findings, target)} tokens, {short_interval(change)}"
    return f"{_counts_text(changes, 'target')}; {best}"


def _learnt(findings: Findings) -> Finding:
    trained = sorted(set(findings.scores.loc[findings.scores["group"] == "trained", "task"]))
    unlearnt = findings.learning.unlearnt_targets
    learnt = [task for task in trained if task not in unlearnt]
    were = verb_of(len(learnt), "was", "were")
    claim = f"{len(learnt)} of {count_of(len(trained), 'trained target')} {were} learnt in English"
    number = join_words(learnt) or "none"
    if unlearnt:
        number += f"; not {join_words(unlearnt)}, which count nowhere"
    return Finding(claim, number, "learnt")


def _gains(findings: Findings) -> Finding:
    pairs = _pairs(findings)
    if not pairs:
        return Finding("No gain from intermediate examples can be measured", _gains_text(findings), "gains")
    claim = f"Intermediate examples: {_counts_text(pairs, 'target-arm pair')}"
    return Finding(claim, _extremes(pairs, lambda pair: f"{pair[0]} after {pair[1]}"), "gains")


def _over_controls(findings: Findings) -> Finding:
    if not findings.controls:
        return Finding(
            "No control took the same steps", "so gains of the task and of more steps are not separated", "gains"
        )
    table = gains_over_controls(findings)
    table = table[~table["target"].isin(MEANS.values())]
    gains = {
        (row.target, row.arm, row.control): row.gain
        for row in sorted(table.itertuples(), key=lambda row: -row.gain.mean)
        if row.gain.n
    }
    if not gains:
        return Finding("No arm that counts stands beside its control", "so the steps alone may explain it", "gains")
    claim = f"Beside controls with the same steps: {_counts_text(gains, 'comparison')}"
    return Finding(claim, _extremes(gains, lambda key: f"{key[0]}, {key[1]} over {key[2]}"), "controls")


def _changes(findings: Findings) -> Finding:
    changes = _single_changes(findings)
    if not changes:
        number = f"one P in the study: {short_size(int(findings.zero_shot['tokens'].max()))} tokens"
        number = number if findings.zero_shot["tokens"].nunique() == 1 else _changes_text(findings)
        return Finding("Pretraining text was not varied where a target counts", number, "figures")
    claim = f"Pretraining text: {_counts_text(changes, 'target')}"
    number = _extremes(changes, lambda target: f"{target} from {_ends(findings, target)} tokens")
    return Finding(claim, number, "figures")


def _proportional(findings: Findings) -> Finding:
    verdicts = of_single_targets(findings.task_verdicts)
    slopes = [
        f"{verdict.target} after {verdict.arm} {slope_text(verdict.slope)}" for verdict in verdicts if verdict.slope
    ]
    slopes = slopes[:MOST_SLOPES]
    number = f"slopes (1 is in proportion): {'; '.join(slopes)}" if slopes else what_it_would_take(findings)
    return Finding(f"In proportion? {headline(findings)[0]}", number or _bound(findings), "gains")


def _bound(findings: Findings) -> str:
    """Where the highest interval of a gain ends."""
    ends = [(gain.high, *pair) for pair, gain in _pairs(findings).items() if not isnan(gain.high)]
    if not ends:
        return "no slope could be fitted"
    highest, target, arm = max(ends)
    return f"the highest 95 % CI of a gain ends at {number_text(highest, '+')}, {target} after {arm}"


def _extremes(intervals: Mapping[Any, Interval], name: Callable[[Any], str]) -> str:
    """The first and the last of some differences, by name."""
    ends = dict.fromkeys([next(iter(intervals)), list(intervals)[-1]])
    return "; ".join(f"{name(key)} {short_interval(intervals[key])}" for key in ends)
