"""Training the rows of an embedding that a run sees equals training all of it: in the weights, in what tests on the way
see, after a stop, from a trunk, and with early stopping. Where a run may see any row, all are trained."""

import copy
import functools
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from training_runs import BATCH, Case, stop

from xlt_utils.data.labelled import SplitRef
from xlt_utils.data.tasks import TASKS
from xlt_utils.training import batches, encoding, loop, mixture, objectives, seen_vocabulary
from xlt_utils.training.schedules import ladder_schedule, linear_schedule

pytestmark = [pytest.mark.usefixtures("clock"), pytest.mark.usefixtures("fp32")]
NEAR = 1e-6  # of weights of which the largest are about 1


@pytest.fixture(scope="session")
def examples(world, vocabulary):
    """Encoded examples of two tasks."""
    encoded = {
        name: encoding.encode(SplitRef(TASKS[name], "train", world, limit=120), vocabulary.tokenizer, 64)
        for name in ("sst", "udpos")
    }
    return encoded


@pytest.fixture
def seen_cases(cases, examples) -> dict[str, Case]:
    """Runs that announce what they see: one task with dropout and epochs, and two tasks by turns."""
    rows = batches.subset(examples["sst"], 0, 3 * BATCH + 4)
    one_task = replace(
        cases["one task"],
        batches=lambda steps: batches.epoch_batches(examples["sst"], rows, BATCH, 0),
        options={"schedule": linear_schedule(2e-3, 3, 30), "tokens": examples["sst"].vocabulary(rows)},
    )
    parts = tuple(mixture.TaskPart(TASKS[name], "en", some) for name, some in examples.items())
    mixed = mixture.Mixture(parts, np.array([0.5, 0.5]), None)
    start = objectives.MultiTask(copy.deepcopy(cases["masked text"].start.model), mixed.tasks, seed=0)
    two_tasks = Case(
        start,
        lambda steps: mixed.batches(0, steps * BATCH, BATCH, steps),
        lambda objective: [],
        options={"tokens": mixed.tokens},
    )
    return {"one task": one_task, "two tasks": two_tasks}


@pytest.fixture
def cuts(monkeypatch):
    """The embeddings that were cut; those of test encoders would be too small to gain from it."""
    monkeypatch.setattr(seen_vocabulary, "WORTHWHILE", 0)
    monkeypatch.setattr(seen_vocabulary, "LARGEST_SHARE", 0.9)
    made: list[seen_vocabulary.SeenRows] = []
    create = seen_vocabulary.SeenRows.__init__
    monkeypatch.setattr(
        seen_vocabulary.SeenRows, "__init__", lambda self, *args: (create(self, *args), made.append(self))[0]
    )
    return made


def trained(case: Case, folder, **options) -> torch.nn.Module:
    objective = copy.deepcopy(case.start)
    options = {"seed": 1, "schedule": ladder_schedule(2e-3, 3, 30, 0.2), "weight_decay": 0.3} | case.options | options
    loop.train(objective, case.batches(30), state=folder, save_seconds=math.inf, **options)
    return objective


def distance(one: torch.nn.Module, other: torch.nn.Module) -> float:
    pairs = zip(one.named_parameters(), other.named_parameters(), strict=True)
    return max(float((a - b).abs().max()) for (name, a), (same_name, b) in pairs if name == same_name)


@pytest.mark.parametrize("name", ["one task", "two tasks"])
def test_the_weights_are_those_of_training_the_whole_embedding(seen_cases, tmp_path, cuts, name):
    case = seen_cases[name]
    whole = trained(case, tmp_path / "whole", tokens=None)
    assert not cuts
    cut = trained(case, tmp_path / "cut")
    assert len(cuts) == 1 and distance(whole, cut) < NEAR
    names = [[name for name, p in objective.named_parameters() if p.requires_grad] for objective in (case.start, cut)]
    assert names[0] == names[1]
    embedding, start = (o.state_dict()[names[0][0]] for o in (cut, case.start))
    unseen = np.setdiff1d(np.arange(len(start)), case.options["tokens"])
    assert not torch.allclose(embedding[unseen], start[unseen], atol=100 * NEAR)  # weight decay moved them


def test_a_test_on_the_way_sees_the_whole_embedding(seen_cases, tmp_path, cuts):
    case, embeddings = seen_cases["one task"], {}
    for name, tokens in (("whole", None), ("cut", case.options["tokens"])):
        objective = copy.deepcopy(case.start)
        ids = torch.arange(objective.encoder.config.vocab_size)
        seen: list[torch.Tensor] = []

        def score(objective=objective, ids=ids, seen=seen) -> float:
            seen.append(objective.encoder.get_input_embeddings()(ids).detach().clone())
            return -float(len(seen))

        options = {"tokens": tokens, "early_stopping": loop.EarlyStopping(score, 3, 4), "weight_decay": 0.3}
        loop.train(objective, case.batches(30), case.options["schedule"], seed=1, state=tmp_path / name, **options)
        embeddings[name] = [*seen, objective.encoder.get_input_embeddings().weight.detach()]
    assert len(embeddings["cut"]) == 6
    for whole, cut in zip(embeddings["whole"], embeddings["cut"], strict=True):
        assert float((whole - cut).abs().max()) < NEAR
    assert torch.equal(embeddings["cut"][0], embeddings["cut"][-1])  # the first score was the best: its weights


@pytest.mark.parametrize("where", ["before step 3", "before step 14", "before rename 20"])
def test_a_stopped_run_ends_in_the_same_bits(seen_cases, tmp_path, cuts, where):
    case = seen_cases["one task"]
    uninterrupted = case.run(tmp_path / "whole", seconds=math.inf)
    stop(case, tmp_path / "stopped", where)
    ending = case.run(tmp_path / "stopped")
    assert ending == uninterrupted and ending.requested_steps[1] > 0 and len(cuts) == 3


def test_a_rung_from_the_trunk_below_equals_the_rung_alone(seen_cases, tmp_path, cuts):
    case = seen_cases["two tasks"]
    replace(case, steps=15).run(tmp_path / "below")
    ending = case.run(tmp_path / "large", previous=tmp_path / "below" / "trunk")
    assert ending == case.run(tmp_path / "alone") and ending.requested_steps[1] == 12 and len(cuts) == 3


def test_two_devices_train_the_weights_of_one(seen_cases, tmp_path, cuts):
    train = functools.partial(trained, seen_cases["two tasks"], schedule=ladder_schedule(2e-3, 3, 8, 0.2))
    assert distance(train(tmp_path / "one", tokens=None), train(tmp_path / "two", devices=2)) < 2e-4
    assert len(cuts) == 1


def test_a_token_that_was_not_announced_ends_the_run(seen_cases, tmp_path, cuts):
    case = seen_cases["one task"]
    with pytest.raises(ValueError, match="is in a batch, but not among the 9 announced"):
        trained(case, tmp_path, tokens=np.union1d(np.arange(8), case.options["tokens"][-1]))


def test_nothing_is_cut_where_it_saves_little(seen_cases, examples, tmp_path, cuts, monkeypatch):
    case = seen_cases["one task"]
    train = functools.partial(trained, case, schedule=linear_schedule(2e-3, 1, 2))
    train(tmp_path / "most", tokens=np.arange(case.start.encoder.config.vocab_size * 19 // 20))
    monkeypatch.setattr(seen_vocabulary, "WORTHWHILE", 4_000_000)
    train(tmp_path / "small")
    assert not cuts


def test_a_mixture_with_masked_text_may_see_any_token(cases, examples):
    parts = (mixture.TaskPart(TASKS["sst"], "en", examples["sst"]),)
    masked = mixture.MaskedLMSteps(0.5, None, 0.15)
    assert mixture.Mixture(parts, np.array([0.5]), masked).tokens is None
