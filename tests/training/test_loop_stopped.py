"""A run that is stopped, wherever that is, ends in the bits of one that is not; what is damaged or another run's is
named and not used."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from training_runs import damage, stop

from xlt_utils.training import checkpoints
from xlt_utils.training.schedules import ladder_schedule

pytestmark = pytest.mark.usefixtures("clock")

# With a checkpoint after every step the renames are: half to last; then, each step, last to before, half to last.
STOPS = [
    ("masked text", "before step 3"),  # in warm-up
    ("masked text", "before step 14"),  # on the trunk
    ("masked text", "before step 25"),  # as it branches off
    ("masked text", "before step 28"),  # in the cooldown
    ("masked text", "before rename 20"),  # a checkpoint is whole, and not yet in its place
    ("masked text", "before rename 21"),  # the one before is out of its place
    ("masked text", "after rename 21"),  # the checkpoint has just been written
    ("masked text", "before step 9, before step 1"),  # twice at one point
    ("masked text", "before step 9, before step 5, before step 1, before rename 4"),
    ("one task", "before step 6"),  # inside an epoch
    ("one task", "before step 8"),  # at the edge of one: 7 steps are two epochs
    ("one task", "before step 14, before step 8"),
    ("one task in parts", "before part 32"),  # inside a step of three parts
    ("one task in parts", "after part 33"),
    ("early stopping", "before step 8"),  # between two scores
    ("early stopping", "before step 9"),  # right after a score
    ("early stopping", "after score 3"),  # after a score that is in no checkpoint yet
    ("worse at every score", "before step 6"),
    ("worse at every score", "after score 4"),
    ("several tasks", "before step 2"),  # some heads have no moments yet
    ("several tasks", "before step 17"),
]


@pytest.mark.parametrize(("name", "stops"), STOPS)
def test_a_stopped_run_ends_in_the_same_bits(cases, uninterrupted, tmp_path, name, stops):
    for where in stops.split(", "):
        stop(cases[name], tmp_path, where)
    ending = cases[name].run(tmp_path)
    assert ending == uninterrupted(name)
    assert ending.requested_steps[1] > 0  # the first batch identifies the run; then it goes on, not anew


@pytest.mark.parametrize("name", ["masked text", "several tasks"])
def test_a_stopped_cooldown_branch_ends_in_the_same_bits(cases, uninterrupted, trunks, tmp_path, name):
    trunk = trunks(name)
    for where in ("before step 2", "before step 7", "before rename 4"):  # the branch begins at step 12
        stop(cases[name], tmp_path, where, previous=trunk)
    assert cases[name].run(tmp_path, previous=trunk) == uninterrupted(name)


def test_a_run_saved_and_stopped_at_random_ends_in_the_same_bits(cases, uninterrupted, clock, tmp_path):
    case, random, expected = cases["a long run"], np.random.default_rng(0), uninterrupted("a long run")
    clock.pace = lambda: float(random.random() < 0.2)
    for _ in range(3):
        stop(case, tmp_path, f"before step {random.integers(40, 60)}", seconds=2.5)
    ending = case.run(tmp_path, seconds=2.5)
    assert ending == expected
    assert [point["step"] for point in expected.curve] == list(range(2, 201, 2))
    assert ending.requested_steps[1] > 30


def forgotten(suffix: str, initial: Callable = torch.zeros_like):
    """What a checkpoint holds, with the tensors of this name as a run begins with them."""
    return lambda tensors, facts: ({n: initial(t) if n.endswith(suffix) else t for n, t in tensors.items()}, facts)


LEFT_OUT = {
    "a weight": ("masked text", "before step 14", forgotten("norm.weight", torch.ones_like)),
    "the first moments": ("masked text", "before step 14", forgotten(".exp_avg")),
    "the second moments": ("masked text", "before step 14", forgotten(".exp_avg_sq")),
    "the optimiser's steps": ("masked text", "before step 14", forgotten(".step")),
    "the position": ("masked text", "before step 14", lambda tensors, facts: (tensors, facts | {"step": 0})),
    "the curve": ("masked text", "before step 14", lambda tensors, facts: (tensors, facts | {"curve": []})),
    "the best": (
        "worse at every score",
        "before step 6",
        lambda tensors, facts: (tensors, facts | {"best": -math.inf}),
    ),
    "since the best": (
        "worse at every score",
        "before step 6",
        lambda tensors, facts: (tensors, facts | {"since": 0}),
    ),
}


@pytest.mark.parametrize("state", LEFT_OUT)
def test_with_one_state_left_out_the_run_ends_otherwise(cases, uninterrupted, tmp_path, monkeypatch, state):
    name, where, leave_out = LEFT_OUT[state]
    assert (name, where) in STOPS  # with all of its state it ends in the same bits
    save = checkpoints.save_checkpoint
    monkeypatch.setattr(checkpoints, "save_checkpoint", lambda folder, *content: save(folder, *leave_out(*content)))
    stop(cases[name], tmp_path, where)
    ending = cases[name].run(tmp_path)
    assert ending != uninterrupted(name)
    if state not in ("the curve", "since the best"):
        assert ending.weights != uninterrupted(name).weights


def test_without_a_seed_for_each_step_the_run_ends_otherwise(cases, tmp_path, monkeypatch):
    monkeypatch.setattr(torch, "manual_seed", lambda seed: None)
    ending = cases["one task"].run(tmp_path / "whole")
    assert cases["one task"].run(tmp_path / "again") == ending
    stop(cases["one task"], tmp_path / "stopped", "before step 6")
    assert cases["one task"].run(tmp_path / "stopped").weights != ending.weights


@pytest.mark.parametrize(("names", "goes_on"), [(["last"], 20), (["last", "last.before"], 0)])
def test_a_damaged_checkpoint_is_named_and_the_run_ends_in_the_same_bits(
    cases, uninterrupted, tmp_path, capsys, names, goes_on
):
    case = cases["masked text"]
    stop(case, tmp_path, "before step 22")
    for name in names:
        damage(tmp_path / name)
    ending = case.run(tmp_path)
    output = capsys.readouterr().out
    assert ending == uninterrupted("masked text")
    assert ending.requested_steps[1] == goes_on
    assert all(f"warning: {tmp_path / name / 'tensors.safetensors'}: missing or not the" in output for name in names)


def test_a_branch_whose_checkpoints_are_damaged_begins_at_the_trunk_again(cases, uninterrupted, trunks, tmp_path):
    case, trunk = cases["masked text"], trunks("masked text")
    stop(case, tmp_path, "before step 6", previous=trunk)
    for name in ("last", "last.before"):
        damage(tmp_path / name)
    ending = case.run(tmp_path, previous=trunk)
    assert ending == uninterrupted("masked text")
    assert ending.requested_steps[1] == 12
    damage(trunk)
    with pytest.raises(checkpoints.CheckpointError, match=r"trunk/tensors.safetensors"):
        case.run(tmp_path / "another", previous=trunk)


@pytest.mark.parametrize(
    ("options", "difference"),
    [
        ({"seed": 2}, "seed 1 where this one has 2"),
        ({"schedule": ladder_schedule(1e-3, 5, 30, 0.2)}, "peak 0.002 where this one has 0.001"),
        ({"clip": 2.0}, "clip 1.0 where this one has 2.0"),
        ({"weight_decay": 0.0}, "weight decay 0.01 where this one has 0.0"),
    ],
)
def test_what_another_run_left_is_named_and_not_used(cases, trunks, tmp_path, capsys, options, difference):
    case, trunk = cases["masked text"], trunks("masked text")
    stop(case, tmp_path / "other", "before step 4")
    steps = []
    stop(case, tmp_path / "other", "before step 2", requested_steps=steps, **options)
    assert steps == [0, 0, 1]
    assert f"another run's state: {difference}; " in capsys.readouterr().out
    with pytest.raises(checkpoints.CheckpointError, match=f"trunk: another run's state: {difference}$"):
        case.run(tmp_path / "new", previous=trunk, **options)
