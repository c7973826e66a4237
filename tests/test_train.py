import pytest
import torch

from xlt_utils import batches, checkpoints, encoders, objectives, train

LANGUAGES, LENGTH, BATCH, RATE = ["en", "xa", "xh"], 32, 8, 0.15


@pytest.fixture(scope="module")
def text(world, pieces):
    return batches.Text(world, LANGUAGES, pieces.tokenizer, LENGTH, 0.3)


@pytest.fixture(scope="module")
def config(pieces):
    return encoders.configuration(
        "modernbert", layers=2, width=32, heads=2, vocabulary=len(pieces.tokenizer), length=LENGTH
    )


def run(text, config, state, total, previous=None, **options):
    objective = objectives.MaskedLM(encoders.create(config, seed=0))
    schedule = train.rung(2e-3, 5, total, 0.2)
    at = text.batches(0, total, BATCH, RATE)
    curve = train.train(objective, at, schedule, seed=0, state=state, previous=previous, **options)
    return objective, curve


def same(one, other) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def test_rate_warms_up_stays_and_cools_down_to_nothing():
    rates = [train.rung(1.0, 4, 20, 0.5).rate(step) for step in range(20)]
    assert rates[:4] == [0.25, 0.5, 0.75, 1.0]
    assert set(rates[3:10]) == {1.0}
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert 0 < rates[-1] < 0.06
    assert rates[14] == pytest.approx(1 - (5 / 11) ** 0.5)
    linear = train.alone(1.0, 0.1, 10)
    assert [linear.rate(step) for step in (0, 1, 9)] == pytest.approx([1.0, 0.9, 0.1])


def test_rungs_of_one_ladder_share_every_step_of_the_trunk():
    short, long = train.rung(1.0, 4, 20, 0.2), train.rung(1.0, 4, 80, 0.2)
    assert [short.rate(step) for step in range(16)] == [long.rate(step) for step in range(16)]


def test_training_lowers_the_loss(text, config, tmp_path):
    _, curve = run(text, config, tmp_path, 60)
    assert curve[-1]["step"] == 60
    assert curve[-1]["loss"] < curve[0]["loss"] - 0.5


def test_a_rung_from_the_trunk_below_equals_the_rung_alone(text, config, tmp_path):
    run(text, config, tmp_path / "small", 20)
    branched, _ = run(text, config, tmp_path / "large", 50, previous=tmp_path / "small" / "trunk")
    alone, _ = run(text, config, tmp_path / "alone", 50)
    assert same(branched, alone)


def test_the_rung_above_random_weights_equals_the_rung_alone(text, config, tmp_path):
    untouched, curve = run(text, config, tmp_path / "none", 0)
    assert curve == []
    assert same(untouched, objectives.MaskedLM(encoders.create(config, seed=0)))
    branched, _ = run(text, config, tmp_path / "large", 20, previous=tmp_path / "none" / "trunk")
    alone, _ = run(text, config, tmp_path / "alone", 20)
    assert same(branched, alone)


class Stop(Exception):
    pass


@pytest.mark.parametrize("stop", [3, 17, 41, 47])  # in warm-up, on the trunk, just after it branches, near the end
def test_a_stopped_run_ends_in_the_same_bits(text, config, tmp_path, stop):
    whole, curve = run(text, config, tmp_path / "whole", 50)
    objective = objectives.MaskedLM(encoders.create(config, seed=0))
    at = text.batches(0, 50, BATCH, RATE)

    def stopping(step):
        if step == stop:
            raise Stop
        return at(step)

    options = {"seed": 0, "state": tmp_path / "stopped", "save_seconds": 0.0}
    with pytest.raises(Stop):
        train.train(objective, stopping, train.rung(2e-3, 5, 50, 0.2), **options)
    assert checkpoints.load(tmp_path / "stopped" / "last")[1]["step"] == stop
    resumed, again = run(text, config, tmp_path / "stopped", 50, save_seconds=0.0)
    assert same(whole, resumed)
    assert curve == again


def test_a_damaged_checkpoint_is_named_and_the_run_begins_again(text, config, tmp_path, capsys):
    whole, _ = run(text, config, tmp_path / "whole", 20)
    run(text, config, tmp_path / "damaged", 20, save_seconds=0.0)
    file = tmp_path / "damaged" / "last" / "tensors.safetensors"
    file.write_bytes(file.read_bytes()[:100])
    again, _ = run(text, config, tmp_path / "damaged", 20)
    assert "tensors.safetensors: missing or not the bytes" in capsys.readouterr().out
    assert same(whole, again)


def test_divergence_ends_the_run_with_its_step(text, config, tmp_path):
    objective = objectives.MaskedLM(encoders.create(config, seed=0))
    at = text.batches(0, 20, BATCH, RATE)

    def spoilt(step):
        if step == 7:
            with torch.no_grad():
                next(objective.parameters()).fill_(float("nan"))
        return at(step)

    with pytest.raises(train.Divergence, match="step 7: loss nan"):
        train.train(objective, spoilt, train.rung(2e-3, 5, 20, 0.2), seed=0, state=tmp_path)
