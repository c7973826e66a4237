"""The planted truth on the page: where the data hold it, the study's intervals stand beside it."""

import numpy as np
import pytest
import simulated

from xlt_utils.formatting import number_text
from xlt_utils.microworld import COUNTS, offers
from xlt_utils.reporting import page, planted
from xlt_utils.reporting.findings import gather_findings

LARGEST = COUNTS["reputations"][0]


@pytest.fixture
def study(tmp_path):
    """The findings of a study of offers after reputations whose gain is `gain` (I / largest) ** `slope`."""

    def make(gain: float, slope: float, arm: dict):
        def truth(task, language, seed, tokens, examples):
            noise = np.random.default_rng([seed, tokens, examples]).normal(0, 0.004)
            return 0.45 + gain * (examples / LARGEST) ** slope + noise

        sizes = {"tokens": (0, 100_000), "examples": (0, LARGEST // 4, LARGEST // 2, LARGEST), "seeds": (0, 1, 2, 3)}
        simulated.study(tmp_path / "s", tasks=("offers",), truth=truth, arms={"a": arm}, notebooks=False, **sizes)
        return gather_findings(tmp_path / "s")

    return make


def test_a_study_that_follows_the_law_has_a_true_verdict_and_holds_both_values(study, tmp_path):
    findings = study(offers.NEW_IN_TESTS, offers.SLOPE, {"tasks": ["reputations"]})
    (law,) = planted.planted_laws(findings)
    assert law["verdict"] == "proportional" and law["true"]
    assert [row[3] for row in law["rows"]] == ["yes", "yes"]
    text = page.render_page(findings, [], tmp_path / "page").read_text()
    assert "The truth that was planted" in text and number_text(offers.NEW_IN_TESTS) in text
    alone = [part for part in text.split("<table")[:-1] if 'class="scroll' not in part.rstrip().splitlines()[-1]]
    assert not alone  # a table that does not scroll by itself widens the page on a telephone


def test_another_slope_or_gain_is_said_not_to_hold_the_planted_value(study):
    (law,) = planted.planted_laws(study(0.3, 0.4, {"tasks": ["reputations"]}))
    assert law["verdict"] == "less than proportional" and not law["true"]
    assert [row[3] for row in law["rows"]] == ["no", "no"]


@pytest.mark.parametrize("arm", [{"tasks": ["mnli"]}, {"tasks": ["reputations"], "labels": "shuffled"}])
def test_nothing_is_planted_after_another_task_or_shuffled_labels(study, tmp_path, arm):
    findings = study(0.3, 1, arm)
    assert planted.planted_laws(findings) == []
    assert "planted" not in page.render_page(findings, [], tmp_path / "page").read_text()


def test_no_law_is_shown_of_an_arm_without_a_gain_that_counts(study, tmp_path):
    findings = study(offers.NEW_IN_TESTS, offers.SLOPE, {"tasks": ["reputations"]})
    vars(findings)["gains"] = findings.gains.iloc[:0]
    assert planted.planted_laws(findings) == []
