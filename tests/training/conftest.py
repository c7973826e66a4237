"""What the tests of the training loop share: runs of every phase, what they end in, and a clock of steps."""

import functools
import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from accelerate.state import AcceleratorState
from training_runs import BATCH, LENGTH, RATE, Case

from xlt_utils.data.labelled import SplitRef
from xlt_utils.data.tasks import TASKS
from xlt_utils.evaluation import predict
from xlt_utils.training import batches, encoders, encoding, hardware, loop, mixture, objectives
from xlt_utils.training.corpus import Corpus
from xlt_utils.training.schedules import linear_schedule


@pytest.fixture(scope="session")
def cases(world, vocabulary) -> dict[str, Case]:
    """Runs of every phase: masked text, one task with dropout and epochs, the same in parts or with early stopping,
    several tasks by turns with masked text."""
    tokenizer = vocabulary.tokenizer
    text = Corpus(world, ["en", "xa", "xh"], tokenizer, LENGTH, 0.3)
    shape = {"layers": 2, "width": 32, "heads": 2, "vocabulary": len(tokenizer), "length": 64}
    plain = encoders.create_encoder(encoders.make_config("modernbert", **shape), seed=0)
    config = encoders.make_config("xlm-roberta", **shape)
    config.hidden_dropout_prob = 0.1
    with_dropout = encoders.create_encoder(config, seed=0)
    names = ("sst", "udpos")
    train = {name: encoding.encode(SplitRef(TASKS[name], "train", world), tokenizer, 64) for name in names}
    test = {
        name: encoding.encode(SplitRef(TASKS[name], "test", world, "xa", limit=30), tokenizer, 64) for name in names
    }

    masked = Case(
        objectives.MaskedLM(plain),
        lambda steps: text.batches(0, steps, BATCH, RATE),
        lambda objective: list(predict.held_out_loss(objective, text, RATE).values()),
    )
    rows = batches.subset(train["sst"], 0, 3 * BATCH + 4)  # epochs end inside a batch
    one_task = Case(
        objectives.TaskHead(with_dropout, TASKS["sst"], seed=0),
        lambda steps: batches.epoch_batches(train["sst"], rows, BATCH, 0),
        lambda objective: predict.predict_labels(objective, test["sst"]),
        options={"schedule": linear_schedule(2e-3, 3, 30), "ladder": False},
    )
    parts = tuple(mixture.TaskPart(TASKS[name], "en", train[name]) for name in names)
    mixed = mixture.Mixture(parts, np.array([0.4, 0.35]), mixture.MaskedLMSteps(0.25, text, RATE))
    several = Case(
        objectives.MultiTask(plain, mixed.tasks, seed=0, mlm=True),
        lambda steps: mixed.batches(0, steps * BATCH, BATCH, steps),
        lambda objective: [predict.predict_labels(objective.heads[name], test[name]) for name in names],
    )
    gold = predict.gold_labels(TASKS["sst"], test["sst"])

    def accuracy(objective, start) -> float:
        return float(np.mean(np.array(predict.predict_labels(objective, test["sst"])) == gold))

    def nearness_to_start(objective, start) -> float:
        return -(objective.head[0].weight - start.head[0].weight).norm().item()

    return {
        "masked text": masked,
        "a long run": replace(masked, steps=200),
        "one task": one_task,
        "one task in parts": replace(one_task, options=one_task.options | {"micro_batch": 3}),
        "early stopping": replace(one_task, score=accuracy),
        "worse at every score": replace(one_task, score=nearness_to_start),
        "several tasks": several,
    }


@pytest.fixture(scope="session")
def uninterrupted(cases, tmp_path_factory):
    """What the uninterrupted run of a case ends in; it saves nothing on its way."""
    return functools.cache(lambda name: cases[name].run(tmp_path_factory.mktemp("uninterrupted"), seconds=math.inf))


@pytest.fixture
def trunks(cases, tmp_path):
    """The trunk of a case's rung of half as many steps."""

    def make_trunk(name):
        replace(cases[name], steps=cases[name].steps // 2).run(tmp_path / "below", seconds=math.inf)
        return tmp_path / "below" / "trunk"

    return make_trunk


@pytest.fixture
def clock(monkeypatch):
    """Time that passes in steps, a second each, and not in saving: every point of a curve is a point to save at."""
    clock, micro_batches = SimpleNamespace(now=0.0, pace=lambda: 1.0), loop.micro_batches

    def ticking(*args):
        clock.now += clock.pace()
        return micro_batches(*args)

    monkeypatch.setattr(loop, "micro_batches", ticking)
    monkeypatch.setattr(loop, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


@pytest.fixture
def fp32(monkeypatch):
    """Products in fp32: what is left between two ways to sum them up is rounding."""
    monkeypatch.setattr(hardware, "precision", lambda: "fp32")
    AcceleratorState._reset_state()
    yield
    AcceleratorState._reset_state()
