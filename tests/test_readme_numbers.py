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
from xlt_utils.formatting import number_text, short_size
from xlt_utils.reporting.findings import Findings, gather_findings
from xlt_utils.reporting.headline import headline
from xlt_utils.reporting.tables import cost_table

ROOT = Path(__file__).parents[1]
STUDIES = ("real-cpu", "real-pretrained", "real-scratch")
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


def gain(findings: Findings, target: str, arm: str) -> Interval:
    (verdict,) = (one for one in findings.verdicts if (one.target, one.arm) == (target, arm))
    return verdict.gain


def change(findings: Findings, target: str) -> list[str]:
    """From the smallest to the largest P, without intermediate training."""
    return interval(movement(findings.samples[target]))


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


def training_examples(findings: Findings) -> set[int]:
    """How many English examples the trained targets were trained on."""
    trained = set(findings.learning.targets["task"])
    return {
        record.parameters["settings"].get(task, {}).get("examples", record.parameters["examples"])
        for record in findings.records.values() if record.phase == "target"
        for task in record.parameters["tasks"] if task in trained
    }  # fmt: skip


def items_per_test(findings: Findings) -> set[int]:
    return set(findings.scores["n"].astype(int))


def size_and_cost(findings: Findings) -> list[Any]:
    """Runs, seeds, hours and minutes on two cores."""
    minutes = round(cost_table(findings)["attempts"].sum() / findings.plan["jobs"] / 60)
    return [len(findings.records), WORDS[len(findings.seeds)], *divmod(minutes, 60)]


def gain_cell(findings: Findings, target: str, arm: str) -> str:
    """A gain as README's table has it; one whose runs failed to learn their target has no interval."""
    mean, low, high = interval(value := gain(findings, target, arm))
    if not value.n:
        return "not learnt"
    return f"{mean}, runs failed" if value.why else f"{mean} ({low} to {high})"


def gain_row(target: str) -> Callable[[Findings, Findings, Findings], list[str]]:
    """A row of README's table: the gain after each arm, and the smallest that the study would have seen after MNLI."""

    def row(cpu: Findings, pre: Findings, scratch: Findings) -> list[str]:
        (power,) = (v.power for v in pre.verdicts if (v.target, v.arm) == (target, "mnli"))
        return [*(gain_cell(pre, target, arm) for arm in TABLE_ARMS), number_text(power.visible if power else np.nan)]

    return row


def gains_of(findings: Findings, arm: str) -> list[Interval]:
    """An arm's gains in single targets."""
    single = set(findings.scores["task"])
    return [verdict.gain for verdict in findings.verdicts if verdict.arm == arm and verdict.target in single]


TABLE_ARMS = ("mnli", "qqp", "mnli-shuffled")
TABLE_TARGETS = {
    "XNLI": "xnli", "sentiment": "sst", "UDPOS": "udpos", "PAN-X": "panx", "Tatoeba": "tatoeba", "BUCC": "bucc2018"
}  # fmt: skip
Numbers = Callable[[Findings, Findings, Findings], Iterable[Any]]
CLAIMS: list[tuple[str, Numbers]] = [
    ("**{}.** After", lambda cpu, pre, scratch: [headline(pre)[0]]),
    ("After {} English MNLI examples", lambda cpu, pre, scratch: [largest(pre, "examples", arm="mnli")]),
    (
        "a small pretrained encoder gains {} (95 % CI {} to {}) in XNLI",
        lambda cpu, pre, scratch: interval(gain(pre, "xnli", "mnli")),
    ),
    ("and changes by {} ({} to {}) in BUCC", lambda cpu, pre, scratch: interval(gain(pre, "bucc2018", "mnli"))),
    ("BUCC and by {} ({} to {}) in sentiment", lambda cpu, pre, scratch: interval(gain(pre, "sst", "mnli"))),
    (
        "The same steps on shuffled labels gain in {} of {} targets",
        lambda cpu, pre, scratch: [
            sum(value.low > 0 for value in gains_of(pre, "mnli-shuffled")),
            len(gains_of(pre, "mnli-shuffled")),
        ],
    ),
    ("encoders from scratch, which learnt {} of {} targets, change", lambda cpu, pre, scratch: learnt_targets(scratch)),
    ("change by {} ({} to {}) in UDPOS", lambda cpu, pre, scratch: change(scratch, "udpos")),
    ("in UDPOS and by {} ({} to {}) in PAN-X", lambda cpu, pre, scratch: change(scratch, "panx")),
    (
        "in PAN-X from {} to {} tokens",
        lambda cpu, pre, scratch: [scratch.scores["tokens"].min(), largest(scratch, "tokens")],
    ),
    (
        "| after {} MNLI | after {} QQP |",
        lambda cpu, pre, scratch: [largest(pre, "examples", arm=arm) for arm in ("mnli", "qqp")],
    ),
    *(("| " + name + " | {} | {} | {} | {} |", gain_row(target)) for name, target in TABLE_TARGETS.items()),
    ("{} of {} trained targets were learnt in English", lambda cpu, pre, scratch: learnt_targets(pre)),
    ("[report/real-pretrained], {} runs, {} seeds, {} h {} min", lambda cpu, pre, scratch: size_and_cost(pre)),
    ("min of {} CPU cores", lambda cpu, pre, scratch: {WORDS[study.plan["jobs"]] for study in (cpu, pre, scratch)}),
    ("learnt QQP ({}, chance {})", lambda cpu, pre, scratch: english_score(cpu, "qqp")),
    ("neither MNLI ({}, chance {})", lambda cpu, pre, scratch: english_score(cpu, "mnli")),
    ("nor SQuAD ({})", lambda cpu, pre, scratch: english_score(cpu, "squad_wiki")[:1]),
    (
        "Their targets had {} to {} English examples",
        lambda cpu, pre, scratch: [end(training_examples(cpu)) for end in (min, max)],
    ),
    (
        "Tests hold {} to {} items a language",
        lambda cpu, pre, scratch: [
            end(items_per_test(cpu) | items_per_test(pre) | items_per_test(scratch)) for end in (min, max)
        ],
    ),
    ("and {} seeds leave wide intervals", lambda cpu, pre, scratch: [WORDS[len(pre.seeds)]]),
    ("the encoders from scratch have {}.", lambda cpu, pre, scratch: [WORDS[len(scratch.seeds)]]),
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
