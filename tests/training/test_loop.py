"""The training loop: a run that is stopped, wherever that is, ends in the bits of one that is not, and so does a rung
that goes on from the trunk of the one below. Nothing of a run that diverged is kept."""

import copy
import functools
import hashlib
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
import torch
from accelerate.state import AcceleratorState

from xlt_utils.data.tasks import TASKS
from xlt_utils.evaluation import predict
from xlt_utils.training import batches, checkpoints, encoders, encoding, hardware, loop, mixture, objectives, resume
from xlt_utils.training.corpus import Corpus
from xlt_utils.training.schedules import ladder_schedule, linear_schedule

LENGTH, BATCH, RATE = 32, 8, 0.15


class Stop(Exception):
    pass


@dataclass(frozen=True)
class Case:
    """A training run of some phase, from its untouched objective and the batches of so many steps to what the trained
    one predicts."""

    start: torch.nn.Module
    batches: Callable[[int], batches.BatchAt]
    predict: Callable[[torch.nn.Module], list]
    steps: int = 30
    options: dict = field(default_factory=dict)
    score: Callable[[torch.nn.Module, torch.nn.Module], float] | None = None  # of the objective, and its start
    asked: list[int] = field(default_factory=list)  # the steps of the last attempt

    def run(self, folder: Path, seconds: float = 0.0, **options) -> tuple[str, list[dict], list]:
        """One attempt, or what an earlier one left of it: the sha256 of its weights, its curve, its predictions."""
        objective, at = copy.deepcopy(self.start), self.batches(self.steps)
        options = {"seed": 1, "state": folder, "save_seconds": seconds} | self.options | options
        options = {"schedule": ladder_schedule(2e-3, 5, self.steps, 0.2)} | options
        if self.score:
            options["judge"] = loop.EarlyStopping(lambda: self.score(objective, self.start), every=2, patience=4)
        torch.default_generator.manual_seed(0)  # as a new process
        self.asked.clear()
        curve = loop.train(objective, lambda step: self.asked.append(step) or at(step), **options)
        weights = b"".join(p.detach().numpy().tobytes() for p in objective.parameters())
        return hashlib.sha256(weights).hexdigest(), curve, self.predict(objective)


@pytest.fixture(scope="module")
def text(world, pieces):
    return Corpus(world, ["en", "xa", "xh"], pieces.tokenizer, LENGTH, 0.3)


@pytest.fixture(scope="module")
def cases(world, pieces, text) -> dict[str, Case]:
    """Runs of every phase: masked text, one task with dropout and epochs, the same in parts or under a judge, several
    tasks by turns with masked text."""
    shape = {"layers": 2, "width": 32, "heads": 2, "vocabulary": len(pieces.tokenizer), "length": 64}
    plain = encoders.create_encoder(encoders.configuration("modernbert", **shape), seed=0)
    config = encoders.configuration("xlm-roberta", **shape)
    config.hidden_dropout_prob = 0.1
    dropping = encoders.create_encoder(config, seed=0)
    known = {
        name: encoding.encode(TASKS[name], "train", world, "en", pieces.tokenizer, 64) for name in ("sst", "udpos")
    }
    test = {
        name: encoding.encode(TASKS[name], "test", world, "xa", pieces.tokenizer, 64, limit=30)
        for name in ("sst", "udpos")
    }

    masked = Case(
        objectives.MaskedLM(plain),
        lambda steps: text.batches(0, steps, BATCH, RATE),
        lambda objective: list(predict.held_out_loss(objective, text, RATE).values()),
    )
    rows = batches.subset(known["sst"], 0, 3 * BATCH + 4)  # epochs end inside a batch
    tuned = Case(
        objectives.TaskHead(dropping, TASKS["sst"], seed=0),
        lambda steps: batches.epoch_batches(known["sst"], rows, BATCH, 0),
        lambda objective: predict.predict_labels(objective, test["sst"]),
        options={"schedule": linear_schedule(2e-3, 3, 30), "ladder": False},
    )
    parts = tuple(mixture.Part(TASKS[name], "en", known[name]) for name in ("sst", "udpos"))
    mixed = mixture.Mixture(parts, np.array([0.4, 0.35, 0.25]), text, RATE)
    several = Case(
        objectives.MultiTask(plain, mixed.tasks, seed=0, mlm=True),
        lambda steps: mixed.batches(0, steps * BATCH, BATCH, steps),
        lambda objective: [predict.predict_labels(objective.heads[name], test[name]) for name in ("sst", "udpos")],
    )
    gold = predict.gold_labels(TASKS["sst"], test["sst"])
    return {
        "masked text": masked,
        "a long run": replace(masked, steps=200),
        "one task": tuned,
        "one task in parts": replace(tuned, options=tuned.options | {"micro_batch": 3}),
        "judged": replace(
            tuned, score=lambda one, _: float(np.mean(np.array(predict.predict_labels(one, test["sst"])) == gold))
        ),
        "judged worse and worse": replace(
            tuned, score=lambda one, start: -(one.head[0].weight - start.head[0].weight).norm().item()
        ),
        "several tasks": several,
    }


@pytest.fixture(scope="module")
def whole(cases, tmp_path_factory):
    """What the uninterrupted run of a case ends in; it saves nothing on its way."""
    return functools.cache(lambda name: cases[name].run(tmp_path_factory.mktemp("whole"), seconds=math.inf))


@pytest.fixture
def trunks(cases, tmp_path):
    """The trunk of a case's rung of half as many steps."""

    def made(name):
        replace(cases[name], steps=cases[name].steps // 2).run(tmp_path / "below", seconds=math.inf)
        return tmp_path / "below" / "trunk"

    return made


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """Time that passes in steps, a second each, and not in saving: every point of a curve is a point to save at."""
    clock, parts = SimpleNamespace(now=0.0, pace=lambda: 1.0), loop.micro_batches

    def counted(*given):
        clock.now += clock.pace()
        return parts(*given)

    monkeypatch.setattr(loop, "micro_batches", counted)
    monkeypatch.setattr(loop, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


# What a run calls again and again, and may be stopped in.
PLACES = {
    "step": (loop, "micro_batches"),
    "part": (objectives.TaskHead, "forward"),
    "score": (loop, "_development_score"),
    "rename": (checkpoints.Path, "rename"),
}


def stop(case: Case, folder: Path, where: str, **options) -> None:
    """An attempt that ends at, say, `before step 3` or `after rename 20`, both counted from 1 in this attempt."""
    side, place, number = where.split()
    owner, name = PLACES[place]
    done, calls = getattr(owner, name), itertools.count(1)

    def stopping(*given, **named):
        is_last = next(calls) == int(number)
        if is_last and side == "before":
            raise Stop
        result = done(*given, **named)
        if is_last:
            raise Stop
        return result

    with pytest.MonkeyPatch.context() as patch, pytest.raises(Stop):
        patch.setattr(owner, name, stopping)
        case.run(folder, **options)


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
    ("judged", "before step 8"),  # between two scores
    ("judged", "before step 9"),  # right after one
    ("judged", "after score 3"),  # after one that is on no checkpoint yet
    ("judged worse and worse", "before step 6"),
    ("judged worse and worse", "after score 4"),
    ("several tasks", "before step 2"),  # some heads have no moments yet
    ("several tasks", "before step 17"),
]


@pytest.mark.parametrize(("name", "stops"), STOPS)
def test_a_stopped_run_ends_in_the_same_bits(cases, whole, tmp_path, name, stops):
    expected = whole(name)
    for where in stops.split(", "):
        stop(cases[name], tmp_path, where)
    assert cases[name].run(tmp_path) == expected
    assert cases[name].asked[1] > 0  # the first batch is asked for to know the run; then it goes on, not anew


@pytest.mark.parametrize("name", ["masked text", "several tasks"])
def test_a_stopped_cooldown_branch_ends_in_the_same_bits(cases, whole, trunks, tmp_path, name):
    trunk = trunks(name)
    for where in ("before step 2", "before step 7", "before rename 4"):  # the branch begins at step 12
        stop(cases[name], tmp_path, where, previous=trunk)
    assert cases[name].run(tmp_path, previous=trunk) == whole(name)


def test_a_run_saved_and_stopped_at_random_ends_in_the_same_bits(cases, whole, clock, tmp_path):
    case, random, expected = cases["a long run"], np.random.default_rng(0), whole("a long run")
    clock.pace = lambda: float(random.random() < 0.2)
    for _ in range(3):
        stop(case, tmp_path, f"before step {random.integers(40, 60)}", seconds=2.5)
    assert case.run(tmp_path, seconds=2.5) == expected
    assert [point["step"] for point in expected[1]] == list(range(2, 201, 2))
    assert case.asked[1] > 30


def forgotten(suffix: str, what: Callable = torch.zeros_like):
    """What a checkpoint holds, with the tensors of this name as a run begins with them."""
    return lambda tensors, facts: ({n: what(t) if n.endswith(suffix) else t for n, t in tensors.items()}, facts)


LEFT_OUT = {
    "a weight": ("masked text", "before step 14", forgotten("norm.weight", torch.ones_like)),
    "the first moments": ("masked text", "before step 14", forgotten(".exp_avg")),
    "the second moments": ("masked text", "before step 14", forgotten(".exp_avg_sq")),
    "the optimiser's steps": ("masked text", "before step 14", forgotten(".step")),
    "the position": ("masked text", "before step 14", lambda tensors, facts: (tensors, facts | {"step": 0})),
    "the curve": ("masked text", "before step 14", lambda tensors, facts: (tensors, facts | {"curve": []})),
    "the best": (
        "judged worse and worse",
        "before step 6",
        lambda tensors, facts: (tensors, facts | {"best": -math.inf}),
    ),
    "since the best": (
        "judged worse and worse",
        "before step 6",
        lambda tensors, facts: (tensors, facts | {"since": 0}),
    ),
}


@pytest.mark.parametrize("what", LEFT_OUT)
def test_with_one_state_left_out_the_run_ends_otherwise(cases, whole, tmp_path, monkeypatch, what):
    name, where, leave_out = LEFT_OUT[what]
    assert (name, where) in STOPS  # with all of its state it ends in the same bits
    save = checkpoints.save_checkpoint
    monkeypatch.setattr(checkpoints, "save_checkpoint", lambda folder, *held: save(folder, *leave_out(*held)))
    stop(cases[name], tmp_path, where)
    found = cases[name].run(tmp_path)
    assert found != whole(name)
    if what not in ("the curve", "since the best"):
        assert found[0] != whole(name)[0]


def test_without_a_seed_for_each_step_the_run_ends_otherwise(cases, tmp_path, monkeypatch):
    monkeypatch.setattr(torch, "manual_seed", lambda seed: None)
    uninterrupted = cases["one task"].run(tmp_path / "whole")
    assert cases["one task"].run(tmp_path / "again") == uninterrupted
    stop(cases["one task"], tmp_path / "stopped", "before step 6")
    assert cases["one task"].run(tmp_path / "stopped")[0] != uninterrupted[0]


def damage(folder: Path) -> None:
    file = folder / "tensors.safetensors"
    file.write_bytes(file.read_bytes()[:100])


@pytest.mark.parametrize(("names", "goes_on"), [(["last"], 20), (["last", "last.before"], 0)])
def test_a_damaged_checkpoint_is_named_and_the_run_ends_in_the_same_bits(
    cases, whole, tmp_path, capsys, names, goes_on
):
    case = cases["masked text"]
    stop(case, tmp_path, "before step 22")
    for name in names:
        damage(tmp_path / name)
    assert case.run(tmp_path) == whole("masked text")
    assert case.asked[1] == goes_on
    said = capsys.readouterr().out
    assert all(f"warning: {tmp_path / name / 'tensors.safetensors'}: missing or not the" in said for name in names)


def test_a_branch_whose_checkpoints_are_damaged_begins_at_the_trunk_again(cases, whole, trunks, tmp_path):
    case, trunk = cases["masked text"], trunks("masked text")
    stop(case, tmp_path, "before step 6", previous=trunk)
    for name in ("last", "last.before"):
        damage(tmp_path / name)
    assert case.run(tmp_path, previous=trunk) == whole("masked text")
    assert case.asked[1] == 12
    damage(trunk)
    with pytest.raises(checkpoints.CheckpointError, match=r"trunk/tensors.safetensors"):
        case.run(tmp_path / "another", previous=trunk)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"seed": 2}, "seed 1 where this one has 2"),
        ({"schedule": ladder_schedule(1e-3, 5, 30, 0.2)}, "peak 0.002 where this one has 0.001"),
        ({"clip": 2.0}, "clip 1.0 where this one has 2.0"),
        ({"weight_decay": 0.0}, "weight decay 0.01 where this one has 0.0"),
    ],
)
def test_what_another_run_left_is_named_and_not_used(cases, trunks, tmp_path, capsys, options, said):
    case, trunk = cases["masked text"], trunks("masked text")
    stop(case, tmp_path / "other", "before step 4")
    stop(case, tmp_path / "other", "before step 2", **options)
    assert case.asked == [0, 0, 1]
    assert f"another run's state: {said}; " in capsys.readouterr().out
    with pytest.raises(checkpoints.CheckpointError, match=f"trunk: another run's state: {said}$"):
        case.run(tmp_path / "new", previous=trunk, **options)


def test_rate_warms_up_stays_and_cools_down_to_nothing():
    rates = [ladder_schedule(1.0, 4, 20, 0.5).rate(step) for step in range(20)]
    assert rates[:4] == [0.25, 0.5, 0.75, 1.0]
    assert set(rates[3:10]) == {1.0}
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert 0 < rates[-1] < 0.06
    assert rates[14] == pytest.approx(1 - (5 / 11) ** 0.5)
    linear = linear_schedule(1.0, 1, 10)
    assert [linear.rate(step) for step in (0, 1, 9)] == pytest.approx([1.0, 0.9, 0.1])


def test_rungs_of_one_ladder_share_every_step_of_the_trunk():
    short, long = ladder_schedule(1.0, 4, 20, 0.2), ladder_schedule(1.0, 4, 80, 0.2)
    assert [short.rate(step) for step in range(16)] == [long.rate(step) for step in range(16)]


def test_training_lowers_the_loss(whole):
    curve = whole("a long run")[1]
    assert curve[-1]["step"] == 200
    assert curve[-1]["loss"] < curve[0]["loss"] - 1


@pytest.mark.parametrize("name", ["masked text", "several tasks"])
def test_a_rung_from_the_trunk_below_equals_the_rung_alone(cases, whole, trunks, tmp_path, name):
    trunk = trunks(name)
    assert loop.begun(trunk) == 12
    assert cases[name].run(tmp_path / "large", previous=trunk) == whole(name)
    assert cases[name].asked == [0, *range(12, 30)]  # and the trunk's steps are not taken again


@pytest.mark.parametrize("below", [7, 19])
def test_a_rung_without_a_cooldown_is_its_own_trunk(cases, tmp_path, below):
    case, level = cases["masked text"], functools.partial(ladder_schedule, 2e-3, 5, cooldown=0.0)
    replace(case, steps=below).run(tmp_path / "small", schedule=level(total=below))
    alone = case.run(tmp_path / "alone", schedule=level(total=30))
    assert case.run(tmp_path / "large", schedule=level(total=30), previous=tmp_path / "small" / "trunk") == alone


def test_a_run_of_no_steps_leaves_everything_as_it_was(cases, tmp_path):
    case = replace(cases["masked text"], steps=0)
    weights, curve, _ = case.run(tmp_path / "none")
    assert curve == [] and not (tmp_path / "none").exists()
    assert (
        weights == hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in case.start.parameters())).hexdigest()
    )


def test_the_best_scored_weights_are_the_result_and_patience_ends_the_run(cases, tmp_path):
    case = cases["judged worse and worse"]
    weights, curve, _ = case.run(tmp_path)
    assert len(curve) == 10  # the first of the scores, one every two steps, is the best, and four are no better
    best = copy.deepcopy(case.start)
    resume.load_weights(best, tmp_path / "best")
    assert weights == hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in best.parameters())).hexdigest()
    assert checkpoints.load_checkpoint(tmp_path / "best")[1]["step"] == 2


def spoil_weights(model):
    model.base_model.final_norm.weight.fill_(float("nan"))


def spoil_loss(model):
    model.decoder.bias.fill_(-2e38)
    model.decoder.bias[0] = 2e38  # every other piece costs more than a number can hold


def spoil_gradient(model):
    model.head.norm.weight.mul_(1e6)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (spoil_weights, "loss nan, gradient norm nan"),
        (spoil_loss, "loss inf, gradient norm"),
        (spoil_gradient, r"loss \d+\.\d+, gradient norm \d{5,}\.\d+"),
    ],
)
def test_divergence_ends_the_run_with_its_step_and_nothing_of_it_is_saved(cases, tmp_path, spoil, said):
    case = cases["masked text"]
    objective, at = copy.deepcopy(case.start), case.batches(30)

    def spoilt(step):
        if step == 7:
            with torch.no_grad():
                spoil(objective.model)
        return at(step)

    options = {"seed": 1, "state": tmp_path, "save_seconds": 0.0}
    with pytest.raises(loop.Divergence, match=f"^step 7: {said}"):
        loop.train(objective, spoilt, ladder_schedule(2e-3, 5, 30, 0.2), **options)
    assert [checkpoints.load_checkpoint(one)[1]["step"] for one in checkpoints.kept_checkpoints(tmp_path / "last")] == [
        7,
        6,
    ]
    tensors, _ = checkpoints.load_checkpoint(tmp_path / "last")
    assert all(torch.isfinite(tensor).all() for tensor in tensors.values())
    assert max(tensor.abs().max() for name, tensor in tensors.items() if name.startswith("weights.")) < 10


@pytest.fixture
def exact(monkeypatch):
    """Products in fp32: what is left between two ways to sum them up is rounding."""
    monkeypatch.setattr(hardware, "precision", lambda: "fp32")
    AcceleratorState._reset_state()
    yield
    AcceleratorState._reset_state()


def weights_of(case: Case, folder: Path, **options) -> torch.Tensor:
    objective = copy.deepcopy(case.start)
    schedule = ladder_schedule(2e-3, 3, 8, 0.2)
    loop.train(objective, case.batches(8), schedule, seed=1, state=folder, **options)
    return torch.cat([p.detach().flatten() for p in objective.parameters()])


@pytest.mark.parametrize("name", ["masked text", "several tasks"])
def test_a_batch_in_parts_trains_the_same_weights(cases, tmp_path, exact, name):
    one, other = (weights_of(cases[name], tmp_path / f"{most}", micro_batch=most) for most in (None, 3))
    assert torch.allclose(one, other, atol=2e-4) and not torch.equal(one, other)


@pytest.mark.parametrize("name", ["masked text", "several tasks"])
def test_two_devices_train_the_weights_of_one(cases, tmp_path, exact, name):
    before = psutil.Process().children(recursive=True)
    one = weights_of(cases[name], tmp_path / "one")
    two, again = (weights_of(cases[name], tmp_path / folder, devices=2) for folder in ("two", "again"))
    assert torch.allclose(one, two, atol=2e-4)
    assert torch.equal(two, again)
    assert psutil.Process().children(recursive=True) == before
