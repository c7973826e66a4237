import numpy as np
import pytest

from xlt_utils import batches, data, encoding
from xlt_utils.tasks import TASKS


@pytest.fixture(scope="module")
def text(world, pieces):
    return batches.Text(world, ["en", "xa", "xh"], pieces.tokenizer, 32, 0.3)


def test_a_longer_draw_begins_with_the_shorter(text):
    short, long = text.draw(3, 100), text.draw(3, 400)
    assert all(np.array_equal(a, b[:100]) for a, b in zip(short, long, strict=True))


def test_no_sequence_is_drawn_twice_and_none_is_held_out(text):
    languages, ranks = text.draw(0, 600)
    assert len(set(zip(languages.tolist(), ranks.tolist(), strict=True))) == 600
    assert all(ranks[languages == index].max() < available for index, available in enumerate(text.available))


def test_small_languages_are_favoured_by_the_exponent(world, pieces):
    even = batches.Text(world, ["en", "xa", "xh"], pieces.tokenizer, 32, 0.0)
    plain = batches.Text(world, ["en", "xa", "xh"], pieces.tokenizer, 32, 1.0)
    between = batches.Text(world, ["en", "xa", "xh"], pieces.tokenizer, 32, 0.3)
    assert np.allclose(even.shares, 1 / 3)
    assert np.allclose(plain.shares, plain.available / plain.available.sum())
    assert 1 / 3 < between.shares[0] < plain.shares[0]


def test_a_draw_larger_than_the_text_is_refused_with_what_there_is(text):
    with pytest.raises(data.DataError, match=r"tokens need .* of '\w+', whose text has"):
        text.draw(0, int(text.available.sum()) + 1)


def test_a_batch_depends_on_seed_and_step_alone(text):
    one, other = text.batches(0, 10, 4, 0.15), text.batches(0, 40, 4, 0.15)
    for step in (7, 2):
        assert all(np.array_equal(one(step)[name], other(step)[name]) for name in one(step))
    assert not np.array_equal(text.batches(1, 10, 4, 0.15)(2)["input_ids"], one(2)["input_ids"])


def test_masking_hides_pieces_but_never_the_special_ones(text):
    rows = text.sequences[0][:200]
    batch = text.mask(rows, 0.3, np.random.default_rng(0))
    ids = np.concatenate([np.full((200, 1), text.tokenizer.bos_token_id), rows], axis=1)
    assert np.array_equal(ids.ravel()[batch["places"]], batch["labels"])
    assert not np.isin(batch["labels"], text.tokenizer.all_special_ids).any()
    changed = np.flatnonzero(batch["input_ids"].numpy().ravel() != ids.ravel())
    assert set(changed) <= set(batch["places"].tolist())
    regular = (~np.isin(ids, text.tokenizer.all_special_ids)).sum()
    assert len(batch["places"]) / regular == pytest.approx(0.3, abs=0.02)
    masked = (batch["input_ids"].numpy().ravel()[batch["places"]] == text.tokenizer.mask_token_id).mean()
    assert masked == pytest.approx(0.8, abs=0.03)


def test_the_vocabulary_is_the_same_each_time_it_is_trained(world, pieces):
    from xlt_utils import encoders

    lines, counts = batches._sample(world, ["en", "xa", "xh"], 2_000, 0.3)
    assert counts == pieces.sample["lines"]
    again = encoders.wrap(encoders.train_vocabulary(lines, 1_000))
    assert encoders.fingerprint(again) == encoders.fingerprint(encoders.wrap(encoders.train_vocabulary(lines, 1_000)))


def test_subsets_are_nested_and_whole_sentences(world, pieces):
    encoded = encoding.encode(TASKS["udpos"], "train", world, "en", pieces.tokenizer, 8)
    small, large = batches.subset(encoded, 5, 20), batches.subset(encoded, 5, 80)
    assert np.array_equal(small, large[: len(small)])
    assert len(set(encoded.sentences[small])) == 20
    with pytest.raises(data.DataError, match="examples asked for"):
        batches.subset(encoded, 5, 10**7)


def test_an_example_of_several_windows_is_drawn_whole(world, pieces):
    encoded = encoding.encode(TASKS["squad"], "train", world, "en", pieces.tokenizer, 32)
    items = batches.subset(encoded, 0, 10)
    assert len(items) > 10
    for example in set(encoded.sentences[items].tolist()):
        assert set(np.flatnonzero(encoded.sentences == example)) <= set(items.tolist())


def test_an_epoch_shows_each_example_once_and_the_next_in_another_order(world, pieces):
    encoded = encoding.encode(TASKS["sst"], "train", world, "en", pieces.tokenizer, 32)
    rows = batches.subset(encoded, 0, 64)
    seen = []
    batch_of = encoded.batch
    object.__setattr__(encoded, "batch", lambda chosen: seen.append([int(row) for row in chosen]) or batch_of(chosen))
    at = batches.epochs(encoded, rows, 16, 0)
    for step in range(8):
        at(step)
    first, second = ([row for rows_ in half for row in rows_] for half in (seen[:4], seen[4:]))
    assert sorted(first) == sorted(second) == sorted(rows.tolist())
    assert first != second
