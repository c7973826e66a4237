"""The head of a checkpoint that brings none: it is trained alone until its loss settles, and P does not count it."""

import copy
import itertools
import math

import pytest
import torch
from headless import HEADLESS, save_headless
from training_runs import BATCH, LENGTH, RATE, Stop, weights_sha256

from xlt_utils.training import costs, encoders, fresh_head, loop, objectives
from xlt_utils.training.corpus import Corpus
from xlt_utils.training.schedules import ladder_schedule

SETTINGS = {"tokens": 300 * BATCH * LENGTH, "learning_rate": 1e-2}


@pytest.fixture(scope="module")
def text(world, vocabulary):
    return Corpus(world, ["en", "xa", "xh"], vocabulary.tokenizer, LENGTH, 0.3)


@pytest.fixture(scope="module")
def headless(vocabulary, tmp_path_factory):
    """The objective on a checkpoint without a head, untouched; tests train copies of it."""
    folder = save_headless("bert", vocabulary.tokenizer, tmp_path_factory.mktemp("headless"))
    return objectives.MaskedLM(encoders.starting_encoder(folder, None, seed=0)[0])


def warm_up(objective, text, state, below=None, **changes):
    options = {"seed": 0, "sequences": 40, "batch": BATCH, "mask_rate": RATE} | changes
    settings = options.pop("settings", SETTINGS)
    return fresh_head.warm_up(objective, text, settings, state=state, below=below, **options)


@pytest.fixture(scope="module")
def warmed(headless, text, tmp_path_factory):
    """The objective with its trained head, what that took, and the folder of its states."""
    objective, state = copy.deepcopy(headless), tmp_path_factory.mktemp("warmed")
    return objective, warm_up(objective, text, state), state


@pytest.mark.parametrize("name", HEADLESS)
def test_a_missing_head_is_seen_and_predicts_through_the_input_embeddings(name, vocabulary, tmp_path):
    start = save_headless(name, vocabulary.tokenizer, tmp_path / "start")
    model, brings_head = encoders.starting_encoder(start, None, seed=0)
    assert not brings_head
    assert model.get_output_embeddings().weight is model.get_input_embeddings().weight
    again, other = (encoders.starting_encoder(start, None, seed)[0] for seed in (0, 1))
    assert weights_sha256(model) == weights_sha256(again) != weights_sha256(other)  # the seed decides the head
    encoders.save_encoder(model, vocabulary.tokenizer, tmp_path / "with a head")
    saved, brings_head = encoders.starting_encoder(str(tmp_path / "with a head"), None, seed=1)
    assert brings_head and weights_sha256(saved) == weights_sha256(model)
    assert saved.get_output_embeddings().weight is saved.get_input_embeddings().weight


def test_random_weights_have_their_own_head():
    shape = {"layers": 1, "width": 32, "heads": 2, "vocabulary": 200, "length": 32}
    assert encoders.starting_encoder("scratch", "modernbert", seed=0, **shape)[1]


def test_the_head_learns_and_the_encoder_keeps_every_bit(headless, warmed, text):
    objective, result, _ = warmed
    before, after = dict(headless.model.named_parameters()), dict(objective.model.named_parameters())
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == set(encoders.head_parameters(objective.model))
    assert all(weights.requires_grad for weights in objective.parameters())
    knows_nothing = math.log(len(text.tokenizer))
    assert result.facts["last loss"] < knows_nothing - 0.5 < result.facts["first loss"]


def test_it_ends_when_the_loss_settles_or_at_the_most_tokens(headless, warmed, text, tmp_path):
    _, result, _ = warmed
    steps = result.facts["steps"]
    assert result.facts["settled"] and 60 <= steps < 300 and result.facts["tokens"] == steps * BATCH * LENGTH
    few = {"tokens": 12 * BATCH * LENGTH - 1, "learning_rate": 1e-2}
    result = warm_up(copy.deepcopy(headless), text, tmp_path, settings=few)
    assert result.facts["steps"] == 12 and not result.facts["settled"]


@pytest.mark.parametrize(
    ("losses", "settled"),
    [
        ([9.0] * 10, False),  # nothing to compare with
        ([9.0] * 10 + [8.92] * 10, True),
        ([9.0] * 10 + [8.9] * 10, False),
        ([9.0] * 13 + [8.92] * 10, False),  # it is asked at every tenth point
        ([9.0] * 10 + [9.5] * 10, True),
    ],
)
def test_a_loss_has_settled_when_ten_points_gain_less_than_a_hundredth(losses, settled):
    assert fresh_head.is_settled([{"loss": loss} for loss in losses]) is settled


@pytest.mark.parametrize("steps", [1, 37, 70])
def test_a_stopped_run_ends_in_the_same_bits(headless, warmed, text, tmp_path, monkeypatch, clock, steps):
    objective, result, _ = warmed
    clock.pace = lambda: 61.0  # seconds a step: it saves at every point of the curve, of which there is one in 3 steps
    micro_batches, taken = loop.micro_batches, itertools.count()

    def stopping(*args):
        if next(taken) == steps:
            raise Stop
        return micro_batches(*args)

    monkeypatch.setattr(loop, "micro_batches", stopping)
    with pytest.raises(Stop):
        warm_up(copy.deepcopy(headless), text, tmp_path)
    again = copy.deepcopy(headless)
    assert warm_up(again, text, tmp_path) == result
    assert weights_sha256(again) == weights_sha256(objective)
    assert next(taken) == steps + 1 + result.facts["steps"] - steps // 3 * 3  # it went on from the last point


def test_the_rung_above_takes_the_head_from_the_rung_below(headless, warmed, text, tmp_path):
    objective, result, state = warmed
    above = copy.deepcopy(headless)
    later = warm_up(above, text, tmp_path / "middle", below=state)
    assert weights_sha256(above) == weights_sha256(objective)
    assert later.curve == [] and not any(later.cost.values()) and later.facts == result.facts
    top = copy.deepcopy(headless)
    warm_up(top, text, tmp_path / "top", below=tmp_path / "middle")
    assert weights_sha256(top) == weights_sha256(objective)


def test_a_rung_from_the_trunk_below_equals_the_rung_alone(headless, text, tmp_path):
    """The trunk carries the trained head."""

    def rung(steps, name, below=None):
        state, objective = tmp_path / name, copy.deepcopy(headless)
        warm_up(objective, text, state, below, settings={"tokens": 30 * BATCH * LENGTH, "learning_rate": 1e-2})
        schedule = ladder_schedule(2e-3, 2, steps, 0.2)
        trunk = below / "trunk" if below else None
        loop.train(objective, text.batches(0, steps, BATCH, RATE), schedule, seed=0, state=state, previous=trunk)
        return weights_sha256(objective), state

    _, below = rung(10, "small")
    assert rung(20, "large", below)[0] == rung(20, "alone")[0]


def test_two_devices_keep_the_encoder_too(headless, text, tmp_path):
    objective = copy.deepcopy(headless)
    few = {"tokens": 3 * BATCH * LENGTH, "learning_rate": 1e-2}
    warm_up(objective, text, tmp_path, settings=few, devices=2)
    before, after = dict(headless.named_parameters()), dict(objective.named_parameters())
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {f"model.{name}" for name in encoders.head_parameters(objective.model)}


def test_nothing_to_train_leaves_no_trace(headless, text, tmp_path):
    objective = copy.deepcopy(headless)
    assert warm_up(objective, text, tmp_path, settings=None) == fresh_head.HeadWarmup([], {}, {})
    assert weights_sha256(objective) == weights_sha256(headless) and not list(tmp_path.iterdir())


def test_its_cost_is_a_forward_pass_and_the_heads_own_backward_pass(headless, warmed):
    _, result, _ = warmed
    config, tokens = headless.model.config, result.facts["tokens"]
    width, words = config.hidden_size, config.vocab_size
    forward = 2 * costs.encoder_weights(config) + 4 * config.num_hidden_layers * width * LENGTH
    assert result.cost["flops"] == pytest.approx(tokens * (forward + 2 * RATE * 2 * width * (width + words)))
    assert (result.cost["tokens"], result.cost["steps"]) == (tokens, result.facts["steps"])


def sequences(batch_at, steps):
    rows = [batch_at(step) for step in range(steps)]
    ids = torch.cat([torch.where(b["labels"] == -100, b["input_ids"], b["labels"]) for b in rows])
    return {tuple(row) for row in ids.tolist()}


def test_its_text_is_in_no_rung_until_a_language_is_used_up(text):
    few = 5
    last = sequences(text.batches_from_the_end(0, few, BATCH, RATE), few)
    assert len(last) == few * BATCH
    assert not last & sequences(text.batches(0, 40, BATCH, RATE), 40)
    assert text.tokens_of_both_ends(0, 40 * BATCH, few * BATCH) == 0
    left = (text.available - text.language_sampler(0, n * BATCH).counts for n in itertools.count(1))
    many = 1 + next(index for index, sequences_left in enumerate(left) if sequences_left.min() < 5)
    both = last & sequences(text.batches(0, many, BATCH, RATE), many)
    assert text.tokens_of_both_ends(0, many * BATCH, few * BATCH) == len(both) * LENGTH > 0


def test_more_than_a_language_holds_begins_again(text):
    steps = 2 * int(text.available.sum()) // BATCH
    batch_at = text.batches_from_the_end(0, steps, BATCH, RATE)
    assert batch_at(steps - 1)["input_ids"].shape == (BATCH, LENGTH)
