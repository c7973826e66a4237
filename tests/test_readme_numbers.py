"""Every number in README's results is recomputed from the published records. A claim is a piece of README with `{}`
where a number stands, and a function that computes these from the findings of the published studies; a number that no
claim computes fails. What README should say is printed."""

import re
import string
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from xlt_utils.analysis.intervals import Interval
from xlt_utils.analysis.movements import movement
from xlt_utils.analysis.proportionality import ProportionalityVerdict
from xlt_utils.formatting import number_text, short_size
from xlt_utils.reporting.findings import Findings, gather_findings
from xlt_utils.reporting.headline import headline
from xlt_utils.reporting.tables import cost_table

ROOT = Path(__file__).parents[1]
STUDIES = ("real-pretrained", "real-scratch")
SECTIONS = ("The answer so far", "Limitations")
WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
NUMBER = re.compile(rf"[+−]?(?:\d[\d,]*(?:\.\d+)?|\.\d+)[kMG]?\b|\b(?:{'|'.join(WORDS[2:])})\b")  # "one" is a pronoun
CONSTANTS = (
    "95 % CI",
    "excludes 0",
    "at 0 and the ceiling at 1",
    "I = 0",
    "P = 0",
    "phases 2 and 3",
    "four of five repetitions",
)


def interval(value: Interval) -> list[str]:
    """A mean and both ends of its interval."""
    return [number_text(number, "+") for number in (value.mean, value.low, value.high)]


def verdict(findings: Findings, target: str, arm: str) -> ProportionalityVerdict:
    (only,) = (one for one in findings.verdicts if (one.target, one.arm) == (target, arm))
    return only


def gain(findings: Findings, target: str, arm: str) -> Interval:
    return verdict(findings, target, arm).gain


def change(findings: Findings, target: str) -> list[str]:
    """From the smallest to the largest P, without intermediate training."""
    return interval(movement(findings.samples[target]))


def text_rungs(findings: Findings) -> list[str]:
    """The smallest and the largest P."""
    return [short_size(int(end(findings.scores["tokens"]))) for end in (min, max)]


def largest(findings: Findings, size: str, **places: Any) -> str:
    """The largest rung of a size, of the runs of an arm where one is named."""
    rows = findings.scores
    for name, value in places.items():
        rows = rows[rows[name] == value]
    return short_size(int(rows[size].max()))


def learnt_targets(findings: Findings) -> list[int]:
    """How many trained targets were learnt in English, and of how many."""
    tasks = set(findings.learning.targets["task"])
    return [len(tasks - set(findings.learning.unlearnt_targets)), len(tasks)]


def english_score(findings: Findings, arm: str) -> list[str]:
    """An arm's English development score on its own task at the largest P and I, on the metric's own scale, a mean over
    seeds, and the zero point."""
    rows = findings.learning.arms[findings.learning.arms["arm"] == arm].sort_values(["tokens", "examples"])
    values, zero = rows.iloc[-1][["values", "zero"]]
    return [f"{number:.2f}".removeprefix("0") for number in (np.mean(list(values.values())), zero)]


def items_per_test(findings: Findings) -> set[int]:
    return set(findings.scores["n"].astype(int))


def size_and_cost(findings: Findings) -> list[Any]:
    """Runs, seeds, hours and minutes on two cores."""
    minutes = round(cost_table(findings)["attempts"].sum() / findings.plan["jobs"] / 60)
    return [len(findings.records), WORDS[len(findings.seeds)], *divmod(minutes, 60)]


def cell(value: Interval) -> str:
    """A gain or a change as README's tables have it; one whose runs failed to learn their target has no interval."""
    mean, low, high = interval(value)
    if not value.n:
        return "not learnt"
    return f"{mean}, runs failed" if value.why else f"{mean} ({low} to {high})"


def visible_gain(findings: Findings, target: str, arm: str) -> str:
    """The smallest gain that the study would have seen in four of five repetitions."""
    power = verdict(findings, target, arm).power
    return number_text(power.visible if power else np.nan)


def gain_row(target: str) -> Callable[[Findings, Findings], list[str]]:
    """A row of README's second table: the gain after each arm, and the smallest that the study would have seen after
    MNLI."""

    def row(pre: Findings, scratch: Findings) -> list[str]:
        return [*(cell(gain(pre, target, arm)) for arm in TABLE_ARMS), visible_gain(pre, target, "mnli")]

    return row


def scratch_row(target: str) -> Callable[[Findings, Findings], list[str]]:
    """A row of README's first table: what more text changes, the gains after QQP and after its control, and what could
    have been seen after QQP."""

    def row(pre: Findings, scratch: Findings) -> list[str]:
        gains = [gain(scratch, target, arm) for arm in ("qqp", "qqp-shuffled")]
        return [*map(cell, (movement(scratch.samples[target]), *gains)), visible_gain(scratch, target, "qqp")]

    return row


def targets_that_gain(findings: Findings, arm: str) -> list[int]:
    """How many single targets gain after an arm, with the whole interval, and of how many."""
    single = set(findings.scores["task"])
    lows = [verdict.gain.low for verdict in findings.verdicts if verdict.arm == arm and verdict.target in single]
    return [sum(low > 0 for low in lows), len(lows)]


TABLE_ARMS = ("mnli", "qqp", "mnli-shuffled")
TABLE_NAMES = {
    "xnli": "XNLI", "sst": "sentiment", "udpos": "UDPOS", "panx": "PAN-X", "tatoeba": "Tatoeba", "bucc2018": "BUCC"
}  # fmt: skip
SCRATCH_TARGETS = ("udpos", "panx", "sst", "tatoeba")
Numbers = Callable[[Findings, Findings], Iterable[Any]]
CLAIMS: list[tuple[str, Numbers]] = [
    ("Encoders from scratch: **{}.** From", lambda pre, scratch: [headline(scratch)[0]]),
    ("From {} to {} tokens of text they", lambda pre, scratch: text_rungs(scratch)),
    ("they gain {} (95 % CI {} to {}) in UDPOS", lambda pre, scratch: change(scratch, "udpos")),
    ("in UDPOS and {} ({} to {}) in PAN-X;", lambda pre, scratch: change(scratch, "panx")),
    (
        "{} QQP pairs change UDPOS by {} ({} to {})",
        lambda pre, scratch: [largest(scratch, "examples", arm="qqp"), *interval(gain(scratch, "udpos", "qqp"))],
    ),
    ("and PAN-X by {} ({} to {}).", lambda pre, scratch: interval(gain(scratch, "panx", "qqp"))),
    (
        "A small pretrained encoder: **{}.** After {} MNLI examples",
        lambda pre, scratch: [headline(pre)[0], largest(pre, "examples", arm="mnli")],
    ),
    ("it gains {} ({} to {}) in XNLI, the same task", lambda pre, scratch: interval(gain(pre, "xnli", "mnli"))),
    (
        "On shuffled labels {} of {} targets gain, from scratch {} of {}",
        lambda pre, scratch: [*targets_that_gain(pre, "mnli-shuffled"), *targets_that_gain(scratch, "qqp-shuffled")],
    ),
    (
        "| after {} MNLI | after {} QQP |",
        lambda pre, scratch: [largest(pre, "examples", arm=arm) for arm in ("mnli", "qqp")],
    ),
    *(("| " + name + " | {} | {} | {} | {} |", gain_row(target)) for target, name in TABLE_NAMES.items()),
    (
        "| {} to {} tokens of text | after {} QQP |",
        lambda pre, scratch: [*text_rungs(scratch), largest(scratch, "examples", arm="qqp")],
    ),
    *(("| " + TABLE_NAMES[target] + " | {} | {} | {} | {} |", scratch_row(target)) for target in SCRATCH_TARGETS),
    ("{} of {} trained targets were learnt in English", lambda pre, scratch: learnt_targets(pre)),
    ("by those from scratch {} of {}", lambda pre, scratch: learnt_targets(scratch)),
    ("[report/real-pretrained], {} runs, {} seeds, {} h {} min", lambda pre, scratch: size_and_cost(pre)),
    ("[report/real-scratch], {} runs, {} seeds, {} h {} min", lambda pre, scratch: size_and_cost(scratch)),
    ("min of {} CPU cores", lambda pre, scratch: {WORDS[study.plan["jobs"]] for study in (pre, scratch)}),
    ("learn QQP, not much above the gate ({}, zero point {})", lambda pre, scratch: english_score(scratch, "qqp")),
    ("Encoders from scratch read {} tokens at the most", lambda pre, scratch: text_rungs(scratch)[1:]),
    (
        "Tests hold {} to {} items a language",
        lambda pre, scratch: [end(items_per_test(pre) | items_per_test(scratch)) for end in (min, max)],
    ),
    ("and {} seeds leave wide intervals", lambda pre, scratch: [WORDS[len(pre.seeds)]]),
    ("leave wide intervals, the {} from scratch too.", lambda pre, scratch: [WORDS[len(scratch.seeds)]]),
]


@pytest.fixture(scope="module")
def findings(tmp_path_factory) -> list[Findings]:
    folder = tmp_path_factory.mktemp("published")
    for study in STUDIES:
        with zipfile.ZipFile(ROOT / "report" / study / "records.zip") as packed:
            packed.extractall(folder / study)
    return [gather_findings(folder / study) for study in STUDIES]


@pytest.fixture(scope="module")
def sections() -> str:
    """The sections with results, on one line, without the addresses of links and the numbers of lists."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    parts = [re.search(rf"^## {name}\n(.*?)(?=^## )", text, re.DOTALL | re.MULTILINE)[1] for name in SECTIONS]
    return " ".join(re.sub(r"(?m)^\d\. |(?<=\])\([^)]*\)", "", "\n".join(parts)).split())


@pytest.mark.parametrize(("text", "numbers"), CLAIMS, ids=[text for text, _ in CLAIMS])
def test_readme_says_what_the_records_say(text, numbers, findings, sections):
    should_say = text.format(*numbers(*findings))
    says = re.search(re.escape(text).replace(r"\{\}", "(.+?)"), sections)
    assert should_say in sections, f"\nREADME should say: {should_say}\nit says:           {says and says[0]}"


def without_support(sections: str, findings: list[Findings]) -> list[str]:
    """The numbers in README that stand neither in a claim nor in a constant, with the words around them."""
    supported = set()
    for text in (*CONSTANTS, *(text.format(*numbers(*findings)) for text, numbers in CLAIMS)):
        for match in re.finditer(re.escape(text), sections):
            supported |= set(range(*match.span()))
    return [
        sections[max(0, match.start() - 40) : match.end() + 20]
        for match in NUMBER.finditer(sections)
        if not set(range(*match.span())) <= supported
    ]


def test_no_number_in_readme_lacks_records_behind_it(sections, findings):
    assert without_support(sections, findings) == []
    claim = " XNLI gains +0.43 after 8k examples, in three languages and 12 % of runs."
    assert len(without_support(sections + claim, findings)) == 4


@pytest.mark.parametrize("text", [text for text, _ in CLAIMS])
def test_a_claim_writes_no_number_by_hand(text):
    literals = " ".join(literal for literal, *_ in string.Formatter().parse(text))
    for constant in CONSTANTS:
        literals = literals.replace(constant, "")
    assert not NUMBER.search(literals)
