"""Mixtures: each part has its share of every prefix of the steps, and a small rung is the beginning of a large one."""

import numpy as np
import pytest
import torch
from hub_layout import nli, write

from xlt_utils.data import loading
from xlt_utils.training import batches, mixture
from xlt_utils.training.corpus import Corpus

SETTINGS = {"labels": "given", "sampling": {"kind": "proportional", "cap": None, "temperature": 1.0}}


def load(tasks, folder, tokenizer, languages=("en",), length=64, **settings):
    settings = SETTINGS | {"lengths": dict.fromkeys(tasks, length)} | settings
    return mixture.load_mixture(tasks, languages, str(folder), tokenizer, seed=0, **settings)


@pytest.fixture(scope="module")
def mixed(world, vocabulary):
    """Three tasks, and masked-LM steps for a quarter of the steps."""
    text = Corpus(world, ["en", "xa"], vocabulary.tokenizer, 32, 0.3)
    sampling = {"kind": "uniform", "cap": None, "temperature": 1.0}
    tasks = ["mnli", "commonsense_qa", "squad"]
    masked_lm = mixture.MaskedLMSteps(0.25, text, 0.15)
    return load(tasks, world, vocabulary.tokenizer, sampling=sampling, masked_lm=masked_lm)


@pytest.mark.parametrize(
    ("kind", "cap", "temperature", "expected"),
    [
        ("proportional", None, 1.0, [9 / 14, 4 / 14, 1 / 14]),
        ("proportional", 400, 1.0, [4 / 9, 4 / 9, 1 / 9]),
        ("temperature", None, 2.0, [3 / 6, 2 / 6, 1 / 6]),  # the roots: 30, 20, 10
        ("temperature", 400, 2.0, [2 / 5, 2 / 5, 1 / 5]),
        ("uniform", 400, 1.0, [1 / 3, 1 / 3, 1 / 3]),
    ],
)
def test_shares_are_those_worked_out_by_hand(kind, cap, temperature, expected):
    assert mixture.sampling_shares([900, 400, 100], kind, cap, temperature) == pytest.approx(expected)


def test_every_prefix_is_within_one_step_of_each_share():
    random = np.random.default_rng(0)
    for _ in range(200):
        parts = int(random.integers(1, 13))
        shares = random.random(parts) ** random.integers(1, 6) * (random.random(parts) < 0.9)
        if not shares.any():
            continue
        shares /= shares.sum()
        turns = mixture.interleave(shares, 200)
        turns_taken = np.cumsum(np.eye(parts)[turns], axis=0)
        assert np.abs(turns_taken - np.arange(1, 201)[:, None] * shares).max() < 1
        assert np.array_equal(mixture.interleave(shares, 50), turns[:50])
        assert set(turns) <= set(np.flatnonzero(shares))


def test_masked_steps_have_their_share_beside_the_tasks(mixed):
    assert mixed.names == ["mnli", "commonsense_qa", "squad", "mlm"]
    batch_at = mixed.batches(0, 640, 16, 40)
    heads = [batch_at(step)["part"] for step in range(40)]
    assert {name: heads.count(name) for name in mixed.names} == dict.fromkeys(mixed.names, 10)
    masked = batch_at(heads.index("mlm"))
    assert masked["input_ids"].shape == masked["labels"].shape == (16, 32)
    facts = mixed.facts(640, 16, 40)
    assert {name: (row["share"], row["unique"], row["seen"]) for name, row in facts.items()} == dict.fromkeys(
        mixed.names, (0.25, 160, 160)
    )


def test_a_rungs_batches_begin_the_next_ones(mixed):
    small, large = mixed.batches(0, 320, 16, 20), mixed.batches(0, 1280, 16, 80)
    for step in range(20):
        batch, again = small(step), large(step)
        assert batch.keys() == again.keys() and batch["part"] == again["part"]
        assert all(torch.equal(batch[name], again[name]) for name in batch if name != "part")


def test_more_steps_than_examples_show_the_same_ones_again(mixed):
    batch_at = mixed.batches(0, 320, 16, 60)
    seen = {name: [] for name in mixed.names}
    for batch in (batch_at(step) for step in range(60)):
        ids = batch["input_ids"]
        whole = torch.where(batch["labels"] >= 0, batch["labels"], ids) if batch["part"] == "mlm" else ids
        seen[batch["part"]] += [tuple(row[row != 1].tolist()) for row in whole]  # without padding
    for name in ("mnli", "commonsense_qa", "mlm"):
        third = len(seen[name]) // 3
        rounds = [seen[name][start : start + third] for start in (0, third, 2 * third)]
        assert sorted(rounds[0]) == sorted(rounds[1]) == sorted(rounds[2])
        assert rounds[0] != rounds[1] != rounds[2]


def test_a_part_with_too_few_examples_ends_the_run_before_it_begins(mixed):
    with pytest.raises(loading.DataError, match="examples asked for"):
        mixed.batches(0, 10**6, 16, 10**6 // 16)


@pytest.fixture(scope="module")
def mirror(tmp_path_factory):
    """MNLI in English, and its translations into two languages; German's are fewer."""
    folder = tmp_path_factory.mktemp("mirror")
    write(folder, "nyu-mll/multi_nli", "default", "train", *nli([0, 1, 2] * 20))
    write(folder, "facebook/xnli", "fr", "train", *nli([0, 1, 2] * 20))
    write(folder, "facebook/xnli", "de", "train", *nli([2, 1, -1] * 10))
    return folder


def test_translations_are_parts_of_their_own_under_one_head(mirror, vocabulary):
    mixed = load(["mnli"], mirror, vocabulary.tokenizer, ("en", "fr", "de"))
    assert mixed.names == ["mnli", "mnli.fr", "mnli.de", "mlm"]
    assert mixed.shares == pytest.approx([60 / 140, 60 / 140, 20 / 140, 0])
    assert [task.name for task in mixed.tasks] == ["mnli"]
    batch_at = mixed.batches(0, 56, 4, 14)
    assert {batch_at(step)["part"] for step in range(14)} == {"mnli"}
    german = mixed.parts[2]
    assert german.encoded.labels.tolist() == [2, 1] * 10
    assert "facebook/xnli, config de, split train" in german.encoded.facts["read"][0]
    assert {name: row["seen"] for name, row in mixed.facts(56, 4, 14).items()} == {
        "mnli": 24,
        "mnli.fr": 24,
        "mnli.de": 8,
    }


def test_shuffled_labels_are_the_same_on_every_rung(mirror, world, vocabulary):
    given, shuffled = (load(["mnli"], mirror, vocabulary.tokenizer, labels=labels) for labels in ("given", "shuffled"))
    again = load(["mnli"], mirror, vocabulary.tokenizer, labels="shuffled")
    labels, shuffled_labels = (mixed.parts[0].encoded.labels for mixed in (given, shuffled))
    assert np.bincount(labels).tolist() == np.bincount(shuffled_labels).tolist() == [20, 20, 20]
    assert (labels != shuffled_labels).mean() > 0.5
    small, large, plain = shuffled.batches(0, 16, 4, 4), again.batches(0, 48, 4, 12), given.batches(0, 16, 4, 4)
    for step in range(4):
        assert torch.equal(small(step)["labels"], large(step)["labels"])
        assert torch.equal(small(step)["input_ids"], plain(step)["input_ids"])


def test_a_rung_holds_as_many_questions_as_it_says_each_in_the_window_of_its_answer(world, vocabulary):
    mixed = load(["squad"], world, vocabulary.tokenizer, length=32)
    encoded = mixed.parts[0].encoded
    assert len(encoded) > 1.5 * encoded.examples  # most contexts are several windows
    rows = mixture._one_row_each(encoded, batches.subset(encoded, 0, 64))
    questions = encoded.sentences[rows].tolist()
    assert questions == list(dict.fromkeys(questions)) and len(questions) == 64
    answered = set(encoded.sentences[encoded.labels[:, 1] > 0].tolist())
    assert [bool(row) for row in encoded.labels[rows, 1]] == [question in answered for question in questions]
    small, large = (mixed.batches(0, size, 16, size // 16) for size in (32, 64))
    assert all(torch.equal(small(step)["input_ids"], large(step)["input_ids"]) for step in range(2))
    shown = torch.cat([large(step)["labels"] for step in range(4)])
    assert torch.equal(shown, torch.from_numpy(encoded.labels[rows].astype(np.int64)))
