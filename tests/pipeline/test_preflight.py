"""What would fail later is reported before: by arm, by text, by checkpoint, with the field and the numbers."""

import pytest
from small_study import GOOD, load
from world_settings import WORLD

from xlt_utils.pipeline import preflight

ARM = "[{name: mnli, tasks: [mnli]}]"


def faults_of(tmp_path, *changes):
    """The faults of a study that can run, with these changes of its text."""
    text = GOOD.replace("{sentences: 20k}", "{seed: 0, sentences: 6k, bilingual: 0.05}").replace(
        "100k, 1.6M", "40k, 80k"
    )
    text = text.replace("vocabulary: 1k}", "vocabulary: 1k}\n  vocabulary_sample: 2k")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    study = load(tmp_path, text)
    assert study.microworld_settings() == WORLD  # the tests' world: written once
    return preflight.check_study(study)


def test_a_study_that_can_run_has_no_fault(world, tmp_path):
    assert faults_of(tmp_path) == []


@pytest.mark.parametrize(
    ("arm", "message"),
    [
        (
            "{name: a, tasks: [mnli, qqp], sampling: {kind: uniform}}",
            "30,000 examples need 14,976 of qqp in 'en', which has 8,000",
        ),
        ("{name: a, tasks: [mnli], languages: [xa]}", "30,000 examples need 29,984 of mnli in 'xa', which has 2,000"),
        ("{name: a, tasks: [mnli], mlm_share: 0.9}", "intermediate.arms.0.mlm_share: 1,728,000 tokens need"),
    ],
)
def test_an_arm_that_asks_for_more_than_there_is_is_named(world, tmp_path, arm, message):
    faults = faults_of(tmp_path, (ARM, f"[{arm}]"), ("[512, 4096]", "[512, 30k]"))
    assert any(message in fault for fault in faults), faults


def test_an_arm_whose_data_hold_less_has_fewer_rungs(world, tmp_path):
    arm = "{name: a, tasks: [mnli, qqp], sampling: {kind: uniform}, examples: [512]}"
    assert faults_of(tmp_path, (ARM, f"[{arm}]"), ("[512, 4096]", "[512, 30k]")) == []


def test_every_checkpoint_of_a_ladder_is_looked_for(world, tmp_path, checkpoint):
    ladder = (
        "encoder: {layers: 2, width: 32, heads: 2, vocabulary: 1k}\n  vocabulary_sample: 2k\n  tokens: [0, 40k, 80k]"
    )
    ready = f"checkpoints: [{{start: {checkpoint}, tokens: 1M}}, {{start: {tmp_path}/no, tokens: 2M}}]"
    (fault,) = faults_of(tmp_path, (ladder, ready))
    assert fault.startswith("pretrain.checkpoints.1.start: ") and "no such folder" in fault
