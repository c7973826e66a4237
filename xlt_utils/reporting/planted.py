"""The truth that was planted in a study's data, beside what the study found. It is known what the microworld's
reputations are worth to its offers (microworld/offers.py). The findings go in, rows for the page come out."""

from typing import Any

from xlt_utils.analysis.proportionality import ProportionalityVerdict, slope_text
from xlt_utils.microworld import COUNTS, offers
from xlt_utils.reporting.findings import Findings

TASK, TARGET = "reputations", "offers"


def planted_laws(findings: Findings) -> list[dict[str, Any]]:
    """For each arm of the planted task alone that the planted target was tested after: the `arm`, its largest rung
    `examples`, the `verdict`, whether that is `true`, and `rows`: what was measured, the planted value, the study's
    interval, and whether it holds the value. Nothing where there is no such arm, or
    none of its gains counts."""
    return [
        _law(findings, verdict)
        for verdict in findings.task_verdicts
        if verdict.target == TARGET and _is_planted(findings, verdict.arm)
    ]


def settings() -> dict[str, Any]:
    """What was planted: `new` firms of which the target's training data say nothing, the `share` of test items that
    are about them, and the examples `available`, one for each new firm, the rest about others."""
    return {"new": len(offers.NEW), "share": offers.NEW_IN_TESTS, "available": COUNTS[TASK][0]}


def _is_planted(findings: Findings, arm: str) -> bool:
    spec = findings.arm_specs[arm]
    return spec.is_english and spec.tasks == (TASK,) and arm in set(findings.gains["arm"])


def _law(findings: Findings, verdict: ProportionalityVerdict) -> dict[str, Any]:
    examples = int(findings.gains.loc[findings.gains["arm"] == verdict.arm, "examples"].max())
    rows = []
    planted_gain = offers.planted_gain(examples, COUNTS[TASK][0])
    for name, planted, interval, text in (
        ("slope d log(gain) / d log(I)", offers.SLOPE, verdict.slope, slope_text),
        (f"gain at I = {examples}, at most", planted_gain, verdict.gain, str),
    ):
        is_known = interval is not None and interval.low <= interval.high
        holds = ("no" if interval.excludes(planted) else "yes") if interval is not None and is_known else "no interval"
        rows.append([name, planted, text(interval) if interval is not None and interval.n else "–", holds])
    return {"arm": verdict.arm, "verdict": verdict.verdict, "true": verdict.verdict == "proportional", "rows": rows}
