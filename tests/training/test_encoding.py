"""Examples as pieces: nothing of an example is lost, and what a label points at is what was meant."""

import numpy as np
import pytest

from xlt_utils.data import labelled
from xlt_utils.data.tasks import TASKS
from xlt_utils.training import encoding


def encode(name, part, world, language, pieces, length, **options):
    return encoding.encode(TASKS[name], part, world, language, pieces.tokenizer, length, **options)


def row(encoded, number):
    return encoded.pieces[encoded.starts[number] : encoded.starts[number + 1]].tolist()


def test_every_word_is_labelled_once_however_long_its_sentence(world, pieces):
    rows = labelled.read_examples(TASKS["udpos"], "test", world, "xh", 50)
    for length in (8, 128):
        encoded = encode("udpos", "test", world, "xh", pieces, length, limit=50)
        assert max(np.diff(encoded.starts)) <= length
        for number, example in enumerate(rows):
            lines = np.flatnonzero(encoded.sentences == number)
            labels = np.concatenate([encoded.labels[encoded.starts[line] : encoded.starts[line + 1]] for line in lines])
            assert labels[labels != encoding.IGNORED].tolist() == example["label"]


@pytest.mark.parametrize("length", [32, 384])
def test_an_answers_pieces_cover_it_in_every_window_that_holds_it(world, pieces, length):
    rows = labelled.read_examples(TASKS["xquad"], "test", world, "xh", 60)
    encoded = encode("xquad", "test", world, "xh", pieces, length, limit=60)
    assert encoded.lengths().max() <= length and encoded.examples == 60
    answered = set()
    for window, (first, last) in enumerate(encoded.labels.tolist()):
        example = rows[encoded.sentences[window]]
        places = encoded.offsets[encoded.starts[window] : encoded.starts[window + 1]]
        if last:
            answered.add(int(encoded.sentences[window]))
            answer, text = example["answers"][0], example["context"][places[first, 0] : places[last, 1]]
            assert answer["text"] in text and len(text.strip()) < len(answer["text"]) + 12
    assert len(answered) == 60  # the windows overlap, so that an answer is whole in one of them


def test_windows_of_a_context_leave_nothing_out(world, pieces):
    rows = labelled.read_examples(TASKS["xquad"], "test", world, "xa", 20)
    encoded = encode("xquad", "test", world, "xa", pieces, 32, limit=20)
    for number, example in enumerate(rows):
        covered = np.zeros(len(example["context"]), dtype=bool)
        for window in np.flatnonzero(encoded.sentences == number):
            for first, last in encoded.offsets[encoded.starts[window] : encoded.starts[window + 1]]:
                covered[max(first, 0) : max(last, 0)] = True
        assert all(covered[place] for place, letter in enumerate(example["context"]) if not letter.isspace())


def test_a_choice_is_one_item_of_as_many_rows_as_options(world, pieces):
    rows = labelled.read_examples(TASKS["commonsense_qa"], "development", world, limit=7)
    encoded = encode("commonsense_qa", "development", world, "en", pieces, 64, limit=7)
    assert (len(encoded), encoded.options, len(encoded.starts)) == (7, 5, 36)
    batch = encoded.batch([2, 6])
    assert batch["input_ids"].shape[0] == 10 and batch["labels"].tolist() == [rows[2]["label"], rows[6]["label"]]
    expected = pieces.tokenizer(rows[6]["text"], rows[6]["options"][3])["input_ids"]
    assert batch["input_ids"][8][: len(expected)].tolist() == expected


def test_sides_are_encoded_apart_and_perturbation_reaches_the_foreign_one_alone(world, pieces):
    for name, foreign, english in (("tatoeba", "text", "text2"), ("bucc2018", "foreign", "english")):
        for side, is_changed in ((foreign, True), (english, False)):
            plain = encode(name, "test", world, "xa", pieces, 64, limit=50, side=side)
            typos = encode(name, "test", world, "xa", pieces, 64, limit=50, side=side, perturbation=("typos", 0.2))
            assert (row(plain, 0), len(plain)) != ([], 0)
            assert (plain.pieces.tobytes() != typos.pieces.tobytes()) is is_changed, (name, side)


def test_what_was_dropped_and_where_it_was_read_stays_with_the_pieces(world, pieces):
    encoded = encode("sst", "test", world, "xa", pieces, 64)
    assert encoded.facts["dropped"]["labelled neutral"] > 50
    assert "cardiffnlp" in encoded.facts["read"][0]


@pytest.mark.parametrize("name", ["pawsx", "udpos", "commonsense_qa", "xnli"])
def test_shuffled_labels_are_the_same_labels_of_other_examples(name, world, pieces):
    encoded = encode(name, "train", world, "en", pieces, 64)
    one, same, other = (encoded.shuffled(seed).labels for seed in (0, 0, 1))
    labelled_ = encoded.labels != encoding.IGNORED
    assert np.array_equal(one != encoding.IGNORED, labelled_)  # a tag stays on the first piece of a word
    assert np.array_equal(np.bincount(one[labelled_]), np.bincount(encoded.labels[labelled_]))
    # As many keep theirs as chance gives the same label again.
    chance = ((np.bincount(one[labelled_]) / labelled_.sum()) ** 2).sum()
    assert (one == encoded.labels)[labelled_].mean() == pytest.approx(chance, abs=0.03)
    assert np.array_equal(one, same) and not np.array_equal(one, other)


@pytest.mark.parametrize("name", ["squad", "squad_v2"])
def test_shuffled_answers_are_as_long_and_elsewhere_in_their_context(name, world, pieces):
    encoded = encode(name, "train", world, "en", pieces, 64)
    shuffled = encoded.shuffled(0)
    answered = encoded.labels[:, 1] > 0
    assert answered.any() and np.array_equal(shuffled.labels[~answered], encoded.labels[~answered])
    assert np.array_equal(np.diff(shuffled.labels), np.diff(encoded.labels))
    assert (shuffled.labels != encoded.labels).any(axis=1)[answered].mean() > 0.8
    for row in np.flatnonzero(answered):
        places = encoded.offsets[encoded.starts[row] : encoded.starts[row + 1]]
        first, last = shuffled.labels[row]
        assert (places[first : last + 1] >= 0).all()  # neither of the question nor beyond the row's end
