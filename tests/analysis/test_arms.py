import pytest

from xlt_utils.analysis.arms import Arm, arms_from_parameters

MNLI = {"arm": "mnli", "tasks": ["mnli"]}
RUNS = [
    MNLI,
    {"arm": "qqp", "tasks": ["qqp"]},
    {"arm": "mixed", "tasks": ["mnli"], "mlm_share": 0.2},
    {"arm": "translated", "tasks": ["mnli"], "languages": ["en", "de"]},
    {"arm": "odd", "tasks": ["mnli"], "labels": "shuffled"},
    {"arm": "text", "tasks": [], "mlm_share": 1.0},
]


def test_runs_of_one_arm_that_differ_are_refused():
    with pytest.raises(ValueError, match="runs of the arm mnli differ: mnli and qqp"):
        arms_from_parameters([MNLI, {"arm": "mnli", "tasks": ["qqp"]}])


def test_a_control_goes_with_the_arms_whose_steps_it_takes():
    arms = arms_from_parameters(RUNS)
    controls = {name: [other.name for other in arm.controls(arms.values())] for name, arm in arms.items()}
    assert controls["mnli"] == ["odd", "text"] and controls["qqp"] == controls["mixed"] == ["text"]
    assert controls["odd"] == controls["text"] == []


def test_an_arm_is_known_by_its_parameters_and_not_by_its_name():
    arms = arms_from_parameters([*RUNS, {"arm": "shuffled", "tasks": ["sst"]}], names=["mnli", "lost"])
    assert [name for name, arm in arms.items() if arm.is_control] == ["odd", "text"]
    assert [name for name, arm in arms.items() if arm.is_english] == ["mnli", "qqp", "shuffled"]
    assert (
        arms["lost"] == Arm("lost", is_known=False) and not arms["lost"].is_english and "not known" in arms["lost"].kind
    )


def test_the_kind_says_what_an_arm_was_trained_on():
    arms = arms_from_parameters([*RUNS, {"arm": "all", "tasks": ["qqp", "mnli", "sst", "squad"]}])
    kinds = {name: arm.kind for name, arm in arms.items()}
    assert kinds["all"] == "4 tasks" and kinds["text"] == "control: masked LM alone"
    assert kinds["mixed"] == "mnli, masked LM in 20% of the steps" and kinds["translated"] == "mnli, in 2 languages"
    assert kinds["odd"] == "control: labels shuffled, mnli"
