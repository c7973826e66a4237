"""The first screen in words: short, and saying what the records say."""

import re

import simulated
from report_studies import LANGUAGES, gather_all

from xlt_utils.reporting.brief import answer_sentences, five_findings
from xlt_utils.reporting.findings import gather_findings
from xlt_utils.reporting.headline import headline

MOST_WORDS, MOST_CLAIM_WORDS = 60, 15


def studies(tmp_path):
    """Studies with nothing in common but that each is a study."""
    shapes = [
        {},
        {"seeds": (0,)},
        {"tokens": (100_000,)},
        {"arms": {"mnli": {"tasks": ["mnli"]}, "odd": {"tasks": ["mnli"], "labels": "shuffled"}}},
        {"arms": {"odd": {"tasks": ["mnli"], "labels": "shuffled"}}},
        {"examples": (0,)},
        {"truth": lambda *place: 0.0},  # nothing is learnt
    ]
    for number, shape in enumerate(shapes):
        simulated.study(tmp_path / f"s{number}", languages=LANGUAGES, notebooks=False, **shape)
        yield gather_all(tmp_path / f"s{number}")


def test_every_study_has_a_short_answer_and_five_short_findings(tmp_path):
    for findings in studies(tmp_path):
        answer = " ".join([headline(findings)[0], *answer_sentences(findings)])
        assert len(answer.split()) <= MOST_WORDS, answer
        brief = five_findings(findings)
        assert len(brief) == 5 and all(finding.number for finding in brief)
        for finding in brief:
            assert len(finding.claim.split()) <= MOST_CLAIM_WORDS, finding.claim
        assert not re.search(r"\bnan\b|None|–", answer + " ".join(finding.claim + finding.number for finding in brief))


def test_the_largest_gain_and_change_are_named_with_their_intervals(rising_findings):
    examples, text = answer_sentences(rising_findings)
    gains = [v for v in rising_findings.task_verdicts if not v.target.startswith("mean")]
    best = max(gains, key=lambda verdict: verdict.gain.mean)
    above = sum(verdict.gain.low > 0 for verdict in gains)
    assert f"{above} of {len(gains)} target-arm pairs gain" in examples and 0 < above < len(gains)
    assert f"most {best.target} after 4096 {best.arm}, +0." in examples
    changes = rising_findings.pretraining_changes
    target = max((name for name in changes), key=lambda name: changes[name].change.mean)
    assert f"{len(changes)} of {len(changes)} targets gain, 0 lose; most {target} from 0 to 1.6M tokens, +0." in text


def test_one_seed_claims_nothing(tmp_path):
    simulated.study(tmp_path / "s", seeds=(0,), notebooks=False)
    findings = gather_findings(tmp_path / "s")
    texts = [*answer_sentences(findings), *(f"{finding.claim} {finding.number}" for finding in five_findings(findings))]
    assert not any(" gain," in text for text in texts)
    assert all("one seed" in text for text in texts[:2])


def test_where_nothing_gains_the_last_finding_is_the_bound(tmp_path):
    def truth(task, language, seed, tokens, examples):
        gain = {"sst": -0.05, "udpos": 0.004}.get(task, 0.0)
        return 0.4 + 0.001 * seed + (gain + 0.001 * (-1) ** seed if examples else 0.0)

    simulated.study(tmp_path / "s", truth=truth, languages=LANGUAGES, seeds=(0, 1, 2), notebooks=False)
    findings = gather_findings(tmp_path / "s")
    pair = max(findings.task_verdicts, key=lambda verdict: verdict.gain.high)
    assert headline(findings)[0] == "No: no arm brings a gain above 0.02" and pair.target == "udpos"
    assert five_findings(findings)[-1].number == (
        f"the highest 95 % CI of a gain ends at +{pair.gain.high:.3f}, udpos after mnli"
    )
