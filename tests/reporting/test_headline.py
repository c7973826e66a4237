"""The answer, and what it would take to have one."""

from dataclasses import replace

import pytest
import simulated
from report_studies import LANGUAGES

from xlt_utils.reporting.findings import gather_findings
from xlt_utils.reporting.headline import NOT_SETTLED, headline, what_it_would_take


@pytest.fixture
def root_of_examples(tmp_path):
    """A gain with the root of I in every pair: less than proportional."""

    def truth(task, language, seed, tokens, examples):
        return 0.4 + 0.001 * (seed * len(task) % 5) + (0.1 * (examples / 4096) ** 0.5 if examples else 0)

    simulated.study(tmp_path / "s", truth=truth, languages=LANGUAGES, seeds=(0, 1, 2), notebooks=False)
    return gather_findings(tmp_path / "s")


def test_a_settled_study_needs_nothing(root_of_examples):
    assert headline(root_of_examples)[0] == "No" and what_it_would_take(root_of_examples) == ""


def test_a_verdict_that_does_not_survive_correction_settles_nothing(root_of_examples):
    verdicts = [replace(verdict, survives=verdict.target == "sst") for verdict in root_of_examples.verdicts]
    root_of_examples.__dict__["verdicts"] = verdicts
    answer, reasons = headline(root_of_examples)
    assert answer == NOT_SETTLED
    assert "Less than proportional: sst; less than proportional, but not after correction for 3 pairs: " in reasons
    text = what_it_would_take(root_of_examples)
    powers = [verdict.power for verdict in verdicts if verdict.target in ("udpos", "tatoeba")]
    assert "the 2 open pairs could have shown with 80 % power" in text
    assert f"{min(power.seeds for power in powers):.0f}" in text and "telling a slope of 1 from ½" in text
