"""Text for pretraining: each sequence once, or the same few again and again; masks depend on the step."""

import tracemalloc
from collections import defaultdict

import numpy as np
import pytest

from xlt_utils.data import loading
from xlt_utils.training import tokenization
from xlt_utils.training.corpus import HELD_OUT, Corpus
from xlt_utils.training.encoding import IGNORED

LANGUAGES = ["en", "xa", "xh"]


@pytest.fixture(scope="module")
def text(world, vocabulary):
    return Corpus(world, LANGUAGES, vocabulary.tokenizer, 32, 0.3)


def sequences(batch_at, steps) -> list[bytes]:
    """The sequences of some steps as they were before tokens were hidden, without the first token."""
    rows = []
    for batch in (batch_at(step) for step in range(steps)):
        hidden = batch["labels"] != IGNORED
        ids = batch["input_ids"].masked_scatter(hidden, batch["labels"][hidden])
        rows += [row[1:].numpy().astype(np.int32).tobytes() for row in ids]
    return rows


def test_a_longer_order_begins_with_the_shorter(text):
    short, long = text.batches(3, 10, 8, 0.15), text.batches(3, 40, 8, 0.15)
    assert sequences(short, 10) == sequences(long, 10)


def test_no_sequence_is_drawn_twice_and_none_is_held_out(text):
    languages, ranks = text.language_sampler(0, 600)(np.arange(600))
    assert len(set(zip(languages.tolist(), ranks.tolist(), strict=True))) == 600
    training = {row.tobytes() for rows in text.sequences for row in rows[:-HELD_OUT]}
    assert set(sequences(text.batches(0, 75, 8, 0.15), 75)) <= training


def test_a_whole_language_can_be_drawn(world, vocabulary):
    text = Corpus(world, ["xa"], vocabulary.tokenizer, 32, 0.3)
    available = int(text.available[0])
    seen = sequences(text.batches(0, available, 1, 0.15), available)
    assert sorted(seen) == sorted(row.tobytes() for row in text.sequences[0][:-HELD_OUT])


def test_small_languages_are_favoured_by_the_exponent(world, vocabulary):
    even, between, plain = (Corpus(world, LANGUAGES, vocabulary.tokenizer, 32, exponent) for exponent in (0, 0.3, 1))
    assert np.allclose(even.shares, 1 / 3)
    assert np.allclose(plain.shares, plain.available / plain.available.sum())
    assert 1 / 3 < between.shares[0] < plain.shares[0]


def test_a_draw_larger_than_the_text_is_refused_with_what_there_is(text):
    with pytest.raises(loading.DataError, match=r"tokens need .* of '\w+', whose text has"):
        text.language_sampler(0, int(text.available.sum()) + 1)


def test_a_batch_depends_on_seed_and_step_alone(text):
    short, long = text.batches(0, 10, 4, 0.15), text.batches(0, 40, 4, 0.15)
    for step in (7, 2):
        assert all(np.array_equal(short(step)[name], long(step)[name]) for name in short(step))
    assert not np.array_equal(text.batches(1, 10, 4, 0.15)(2)["input_ids"], short(2)["input_ids"])


def test_repeated_text_is_the_same_few_sequences_once_a_round(text):
    fresh, repeated = text.batches(0, 40, 8, 0.15), text.batches(0, 40, 8, 0.15, unique=80)
    seen = sequences(repeated, 40)
    rounds = [seen[start : start + 80] for start in range(0, 320, 80)]
    assert rounds[0] == sequences(fresh, 10)
    assert all(sorted(seen) == sorted(rounds[0]) for seen in rounds)
    assert len({tuple(seen) for seen in rounds}) == 4  # each round in an order of its own
    assert all(np.array_equal(fresh(step)[name], repeated(step)[name]) for step in range(10) for name in fresh(step))


def test_repeated_text_is_hidden_anew_each_round(text):
    repeated, masks = text.batches(0, 40, 8, 0.15, unique=8), defaultdict(set)  # a round a step
    for step in range(40):
        hidden = (repeated(step)["labels"] != IGNORED).numpy()
        for sequence, mask in zip(sequences(lambda _, step=step: repeated(step), 1), hidden, strict=True):
            masks[sequence].add(mask.tobytes())
    assert len(masks) == 8 and min(len(seen) for seen in masks.values()) > 35


def test_a_round_may_end_inside_a_batch(text):
    seen = sequences(text.batches(0, 30, 8, 0.15, unique=20), 30)
    first = sorted(seen[:20])
    assert all(sorted(seen[start : start + 20]) == first for start in range(0, 240, 20))


def test_memory_does_not_grow_with_the_draw(text, monkeypatch):
    monkeypatch.setattr(text, "available", np.full(3, 10**9))
    tracemalloc.start()
    sampler = text.language_sampler(0, 10**7)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert sampler.counts.sum() == 10**7 and peak < 10**6


def test_masking_hides_tokens_but_never_the_special_ones(text):
    rows = text.sequences[0][:200]
    batch = text.mask_tokens(rows, 0.3, np.random.default_rng(0))
    ids = np.concatenate([np.full((200, 1), text.tokenizer.cls_token_id), rows], axis=1)
    masked, labels = batch["input_ids"].numpy(), batch["labels"].numpy()
    hidden = labels != IGNORED
    assert masked.shape == labels.shape == ids.shape
    assert np.array_equal(ids[hidden], labels[hidden]) and np.array_equal(ids[~hidden], masked[~hidden])
    assert not np.isin(labels[hidden], text.tokenizer.all_special_ids).any()
    regular = (~np.isin(ids, text.tokenizer.all_special_ids)).sum()
    assert hidden.sum() / regular == pytest.approx(0.3, abs=0.02)
    assert (masked[hidden] == text.tokenizer.mask_token_id).mean() == pytest.approx(0.8, abs=0.03)
    assert (masked[hidden] == ids[hidden]).mean() == pytest.approx(0.1, abs=0.03)


def test_the_vocabulary_is_the_same_each_time_it_is_trained(world, vocabulary):
    lines, counts = tokenization._sample_lines(world, LANGUAGES, 2_000, 0.3)
    assert counts == vocabulary.sample["lines"]
    again = [tokenization.wrap_tokenizer(tokenization.train_vocabulary(lines, 1_000)) for _ in range(2)]
    assert len({tokenization.tokenizer_fingerprint(tokenizer) for tokenizer in (*again, vocabulary.tokenizer)}) == 1
