"""The training loop: a rung that goes on from the trunk of the one below equals the rung alone, the best weights are
kept, a batch may be cut or shared, and nothing of a run that diverged is kept."""

import copy
import functools
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import torch
from training_runs import Case, weights_sha256

from xlt_utils.training import checkpoints, loop, resume
from xlt_utils.training.schedules import ladder_schedule

pytestmark = pytest.mark.usefixtures("clock")


def test_training_lowers_the_loss(uninterrupted):
    curve = uninterrupted("a long run").curve
    assert curve[-1]["step"] == 200
    assert curve[-1]["loss"] < curve[0]["loss"] - 1


@pytest.mark.parametrize("name", ["masked text", "several tasks"])
def test_a_rung_from_the_trunk_below_equals_the_rung_alone(cases, uninterrupted, trunks, tmp_path, name):
    trunk = trunks(name)
    assert loop.first_step(trunk) == 12
    ending = cases[name].run(tmp_path / "large", previous=trunk)
    assert ending == uninterrupted(name)
    assert ending.requested_steps == [0, *range(12, 30)]  # the trunk's steps are not taken again


@pytest.mark.parametrize("below", [7, 19])
def test_a_rung_without_a_cooldown_is_its_own_trunk(cases, tmp_path, below):
    case, level = cases["masked text"], functools.partial(ladder_schedule, 2e-3, 5, cooldown=0.0)
    replace(case, steps=below).run(tmp_path / "small", schedule=level(total=below))
    alone = case.run(tmp_path / "alone", schedule=level(total=30))
    assert case.run(tmp_path / "large", schedule=level(total=30), previous=tmp_path / "small" / "trunk") == alone


def test_a_run_of_no_steps_leaves_everything_as_it_was(cases, tmp_path):
    case = replace(cases["masked text"], steps=0)
    ending = case.run(tmp_path / "none")
    assert ending.curve == [] and not (tmp_path / "none").exists()
    assert ending.weights == weights_sha256(case.start)


def test_the_best_scored_weights_are_the_result_and_patience_ends_the_run(cases, tmp_path):
    case = cases["worse at every score"]
    ending = case.run(tmp_path)
    assert len(ending.curve) == 10  # the first of the scores, one every two steps, is the best, and four are no better
    best = copy.deepcopy(case.start)
    resume.load_weights(best, tmp_path / "best")
    assert ending.weights == weights_sha256(best)
    assert checkpoints.load_checkpoint(tmp_path / "best")[1]["step"] == 2


def spoil_weights(model):
    model.base_model.final_norm.weight.fill_(float("nan"))


def spoil_loss(model):
    model.decoder.bias.fill_(-2e38)
    model.decoder.bias[0] = 2e38  # every other token costs more than a number can hold


def spoil_gradient(model):
    model.head.norm.weight.mul_(1e6)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (spoil_weights, "loss nan, gradient norm nan"),
        (spoil_loss, "loss inf, gradient norm"),
        (spoil_gradient, r"loss \d+\.\d+, gradient norm \d{5,}\.\d+"),
    ],
)
def test_divergence_ends_the_run_with_its_step_and_nothing_of_it_is_saved(cases, tmp_path, spoil, message):
    case = cases["masked text"]
    objective, batch_at = copy.deepcopy(case.start), case.batches(30)

    def spoilt(step):
        if step == 7:
            with torch.no_grad():
                spoil(objective.model)
        return batch_at(step)

    options = {"seed": 1, "state": tmp_path, "save_seconds": 0.0}
    with pytest.raises(loop.Divergence, match=f"^step 7: {message}"):
        loop.train(objective, spoilt, ladder_schedule(2e-3, 5, 30, 0.2), **options)
    kept = checkpoints.kept_checkpoints(tmp_path / "last")
    assert [checkpoints.load_checkpoint(folder)[1]["step"] for folder in kept] == [7, 6]
    tensors, _ = checkpoints.load_checkpoint(tmp_path / "last")
    assert all(torch.isfinite(tensor).all() for tensor in tensors.values())
    assert max(tensor.abs().max() for name, tensor in tensors.items() if name.startswith("weights.")) < 10


def trained_weights(case: Case, folder: Path, **options: object) -> torch.Tensor:
    objective = copy.deepcopy(case.start)
    schedule = ladder_schedule(2e-3, 3, 8, 0.2)
    loop.train(objective, case.batches(8), schedule, seed=1, state=folder, **options)
    return torch.cat([p.detach().flatten() for p in objective.parameters()])


@pytest.mark.parametrize("name", ["masked text", "several tasks"])
def test_a_batch_in_parts_trains_the_same_weights(cases, tmp_path, fp32, name):
    whole, in_parts = (trained_weights(cases[name], tmp_path / f"{most}", micro_batch=most) for most in (None, 3))
    assert torch.allclose(whole, in_parts, atol=2e-4) and not torch.equal(whole, in_parts)


@pytest.mark.parametrize("name", ["masked text", "several tasks"])
def test_two_devices_train_the_weights_of_one(cases, tmp_path, fp32, name):
    before = psutil.Process().children(recursive=True)
    single = trained_weights(cases[name], tmp_path / "single")
    shared, again = (trained_weights(cases[name], tmp_path / folder, devices=2) for folder in ("shared", "again"))
    assert torch.allclose(single, shared, atol=2e-4)
    assert torch.equal(shared, again)
    assert psutil.Process().children(recursive=True) == before
