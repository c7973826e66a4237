"""The state of a run comes back to the bit; a damaged one or another run's is named, and the one before it is used."""

import copy
import math
import re

import pytest
import torch
from training_runs import damage

from xlt_utils.training import checkpoints, resume

SETTINGS = {"peak": 0.001, "trunk": 8, "total": 10, "seed": 3}


def objective(seed=0):
    torch.manual_seed(seed)
    return torch.nn.ModuleDict({"used": torch.nn.Linear(3, 4), "unused": torch.nn.Linear(4, 2)})


def batches(seed=0):
    return lambda step: {"input_ids": torch.full((2, 3), seed * 1_000.0 + step), "part": "mlm"}


def trained(model, steps=3):
    """An optimiser that has taken some steps; one layer's weights have no gradient yet, so no moments."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    for step in range(steps):
        model["used"](torch.full((1, 3), step + 1.0)).square().sum().backward()
        optimizer.step()
        optimizer.zero_grad()
    return optimizer


def saved(folder, step, settings=SETTINGS, model=None, batch_at=None):
    """A state as a run of these settings leaves it; gives the run, the model and the optimiser."""
    model = model or objective()
    run = resume.run_identity(model, batch_at or batches(), settings)
    optimizer = trained(model, step)
    resume.save_state(folder, model, optimizer, resume.Position(step=step), run)
    return run, model, optimizer


def same_weights(model, other) -> bool:
    return all(torch.equal(a, b) for a, b in zip(model.parameters(), other.parameters(), strict=True))


def test_weights_optimiser_and_position_come_back_to_the_bit(tmp_path):
    model, position = objective(), resume.Position(7, [{"step": 7, "loss": 0.1 + 0.2}], -math.inf, 2)
    run = resume.run_identity(model, batches(), SETTINGS)
    optimizer = trained(model)
    resume.save_state(tmp_path / "last", model, optimizer, position, run)
    again = objective(1)
    fresh = torch.optim.AdamW(again.parameters(), lr=0.1)
    assert resume.resume_state(again, fresh, run, tmp_path / "last", None) == position
    assert same_weights(model, again)
    saved_state, state = optimizer.state_dict()["state"], fresh.state_dict()["state"]
    assert saved_state.keys() == state.keys() == {0, 1}
    assert all(torch.equal(state[index][name], saved_state[index][name]) for index in state for name in state[index])


def test_a_damaged_state_is_named_and_the_one_before_it_used(tmp_path, capsys):
    for step in (4, 5):
        run, *_ = saved(tmp_path / "last", step)
    assert resume.resume_state(objective(), None, run, tmp_path / "last", None).step == 5
    damage(tmp_path / "last")
    assert resume.resume_state(objective(), None, run, tmp_path / "last", None).step == 4
    assert capsys.readouterr().out.startswith(
        f"warning: {tmp_path / 'last' / 'tensors.safetensors'}: missing or not the bytes"
    )
    saved(tmp_path / "trunk", 2, SETTINGS | {"trunk": 2, "total": 3})
    damage(tmp_path / "last.before")
    model = objective()
    assert resume.resume_state(model, None, run, tmp_path / "last", None) == resume.Position()
    assert same_weights(model, objective())
    assert resume.resume_state(model, None, run, tmp_path / "last", tmp_path / "trunk").step == 2
    assert str(tmp_path / "last.before" / "tensors.safetensors") in capsys.readouterr().out


OTHERS = {
    "seed": ({"settings": SETTINGS | {"seed": 4}}, "seed 4 where this one has 3"),
    "learning rate": ({"settings": SETTINGS | {"peak": 0.002}}, "peak 0.002 where this one has 0.001"),
    "length": ({"settings": SETTINGS | {"total": 20}}, "total 20 where this one has 10"),
    "data": ({"batch_at": batches(1)}, r"first batch \w{16} where this one has \w{16}$"),
    "starting weights": ({"model": objective(1)}, r"starting weights \w{16} where this one has \w{16}$"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_another_runs_state_is_named_and_not_used(tmp_path, capsys, name):
    other, difference = copy.deepcopy(OTHERS[name][0]), OTHERS[name][1]
    saved(tmp_path / "last", 5, **other)
    model = objective()
    run = resume.run_identity(model, batches(), SETTINGS)
    assert resume.resume_state(model, None, run, tmp_path / "last", None) == resume.Position()
    assert same_weights(model, objective())
    warning = capsys.readouterr().out.split("; what was saved")[0]
    assert re.search(difference, warning)


def test_a_rung_goes_on_from_the_trunk_of_the_one_below_alone(tmp_path):
    _, below, _ = saved(tmp_path / "trunk", 4, SETTINGS | {"trunk": 4, "total": 5})
    model = objective()
    run = resume.run_identity(model, batches(), SETTINGS)
    assert resume.resume_state(model, None, run, tmp_path / "last", tmp_path / "trunk").step == 4
    assert same_weights(model, below)
    saved(tmp_path / "foreign", 4, SETTINGS | {"seed": 4})
    with pytest.raises(checkpoints.CheckpointError, match=r"foreign: another run.s state: seed 4 where .* 3$"):
        resume.resume_state(model, None, run, tmp_path / "last", tmp_path / "foreign")
    damage(tmp_path / "trunk")
    with pytest.raises(checkpoints.CheckpointError, match=r"trunk/tensors\.safetensors: missing or not the bytes"):
        resume.resume_state(model, None, run, tmp_path / "last", tmp_path / "trunk")
    with pytest.raises(checkpoints.CheckpointError, match=r"none/manifest\.json: no manifest"):
        resume.resume_state(model, None, run, tmp_path / "last", tmp_path / "none")


def test_a_run_of_no_steps_asks_for_no_batch():
    resume.run_identity(objective(), None, SETTINGS | {"total": 0})
