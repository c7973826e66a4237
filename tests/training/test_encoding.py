"""Examples as tokens: nothing of an example is lost, and what a label points at is what was meant."""

import shutil

import numpy as np
import pytest
import torch
from transformers import PreTrainedTokenizerFast

from xlt_utils.data import labelled
from xlt_utils.data.labelled import SplitRef
from xlt_utils.data.tasks import TASKS
from xlt_utils.training import corpus, encoding, tokenization


def encode(name, part, world, language, vocabulary, length, **options):
    return encoding.encode(SplitRef(TASKS[name], part, world, language, **options), vocabulary.tokenizer, length)


def row(encoded, number):
    return encoded.tokens[encoded.starts[number] : encoded.starts[number + 1]].tolist()


def test_every_word_is_is_labelonce_however_long_its_sentence(world, vocabulary):
    rows = labelled.read_examples(SplitRef(TASKS["udpos"], "test", world, "xh", 50))
    for length in (8, 128):
        encoded = encode("udpos", "test", world, "xh", vocabulary, length, limit=50)
        assert max(np.diff(encoded.starts)) <= length
        for number, example in enumerate(rows):
            lines = np.flatnonzero(encoded.sentences == number)
            labels = np.concatenate([encoded.labels[encoded.starts[line] : encoded.starts[line + 1]] for line in lines])
            assert labels[labels != encoding.IGNORED].tolist() == example["label"]


def test_a_vocabulary_with_bos_and_eos_in_place_of_cls_and_sep_reads_alike(world, vocabulary, checkpoint, tmp_path):
    shutil.copytree(checkpoint, tmp_path / "encoder")
    roles = {
        "bos_token": "<s>",
        "eos_token": "</s>",
        "pad_token": "<pad>",
        "unk_token": "<unk>",
        "mask_token": "<mask>",
    }
    PreTrainedTokenizerFast(tokenizer_object=vocabulary.tokenizer.backend_tokenizer, **roles).save_pretrained(
        tmp_path / "encoder"
    )
    tokenizer = tokenization.load_tokenizer(tmp_path / "encoder")
    assert tokenizer.cls_token_id is None and tokenizer.sep_token_id is None
    for name in ("udpos", "xquad"):
        split = SplitRef(TASKS[name], "test", world, "xa", 20)
        with_cls, with_bos = (encoding.encode(split, one, 64) for one in (vocabulary.tokenizer, tokenizer))
        assert np.array_equal(with_cls.tokens, with_bos.tokens) and np.array_equal(with_cls.labels, with_bos.labels)
    batches = [
        corpus.Corpus(world, ["en"], one, 32, 0.3).batches(0, 1, 4, 0.15)(0)
        for one in (vocabulary.tokenizer, tokenizer)
    ]
    assert torch.equal(batches[0]["input_ids"], batches[1]["input_ids"])
    PreTrainedTokenizerFast(
        tokenizer_object=vocabulary.tokenizer.backend_tokenizer, pad_token="<pad>", bos_token="<s>"
    ).save_pretrained(tmp_path / "encoder")
    with pytest.raises(tokenization.StartError, match="needs a fast tokenizer with sep_token or eos_token"):
        tokenization.load_tokenizer(tmp_path / "encoder")


@pytest.mark.parametrize("length", [32, 384])
def test_an_answers_tokens_cover_it_in_every_window_that_holds_it(world, vocabulary, length):
    rows = labelled.read_examples(SplitRef(TASKS["xquad"], "test", world, "xh", 60))
    encoded = encode("xquad", "test", world, "xh", vocabulary, length, limit=60)
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


def test_windows_of_a_context_leave_nothing_out(world, vocabulary):
    rows = labelled.read_examples(SplitRef(TASKS["xquad"], "test", world, "xa", 20))
    encoded = encode("xquad", "test", world, "xa", vocabulary, 32, limit=20)
    for number, example in enumerate(rows):
        covered = np.zeros(len(example["context"]), dtype=bool)
        for window in np.flatnonzero(encoded.sentences == number):
            for first, last in encoded.offsets[encoded.starts[window] : encoded.starts[window + 1]]:
                covered[max(first, 0) : max(last, 0)] = True
        assert all(covered[place] for place, letter in enumerate(example["context"]) if not letter.isspace())


def test_a_choice_is_one_item_of_as_many_rows_as_options(world, vocabulary):
    rows = labelled.read_examples(SplitRef(TASKS["commonsense_qa"], "development", world, limit=7))
    encoded = encode("commonsense_qa", "development", world, "en", vocabulary, 64, limit=7)
    assert (len(encoded), encoded.options, len(encoded.starts)) == (7, 5, 36)
    batch = encoded.batch([2, 6])
    assert batch["input_ids"].shape[0] == 10 and batch["labels"].tolist() == [rows[2]["label"], rows[6]["label"]]
    expected = vocabulary.tokenizer(rows[6]["text"], rows[6]["options"][3])["input_ids"]
    assert batch["input_ids"][8][: len(expected)].tolist() == expected


def test_sides_are_encoded_apart_and_perturbation_reaches_the_foreign_one_alone(world, vocabulary):
    for name, foreign, english in (("tatoeba", "text", "text2"), ("bucc2018", "foreign", "english")):
        for side, is_changed in ((foreign, True), (english, False)):
            plain = encode(name, "test", world, "xa", vocabulary, 64, limit=50, side=side)
            typos = encode(name, "test", world, "xa", vocabulary, 64, limit=50, side=side, perturbation=("typos", 0.2))
            assert (row(plain, 0), len(plain)) != ([], 0)
            assert (plain.tokens.tobytes() != typos.tokens.tobytes()) is is_changed, (name, side)


def test_what_was_dropped_and_where_it_was_read_stays_with_the_tokens(world, vocabulary):
    encoded = encode("sst", "test", world, "xa", vocabulary, 64)
    assert encoded.facts["dropped"]["labelled neutral"] > 50
    assert "cardiffnlp" in encoded.facts["read"][0]


@pytest.mark.parametrize("name", ["pawsx", "udpos", "commonsense_qa", "xnli"])
def test_shuffled_labels_are_the_same_labels_of_other_examples(name, world, vocabulary):
    encoded = encode(name, "train", world, "en", vocabulary, 64)
    first, same, other = (encoded.shuffled(seed).labels for seed in (0, 0, 1))
    is_label = encoded.labels != encoding.IGNORED
    assert np.array_equal(first != encoding.IGNORED, is_label)  # a tag stays on the first token of a word
    assert np.array_equal(np.bincount(first[is_label]), np.bincount(encoded.labels[is_label]))
    # As many keep theirs as chance gives the same label again.
    chance = ((np.bincount(first[is_label]) / is_label.sum()) ** 2).sum()
    assert (first == encoded.labels)[is_label].mean() == pytest.approx(chance, abs=0.03)
    assert np.array_equal(first, same) and not np.array_equal(first, other)


@pytest.mark.parametrize("name", ["squad", "squad_v2"])
def test_shuffled_answers_are_as_long_and_elsewhere_in_their_context(name, world, vocabulary):
    encoded = encode(name, "train", world, "en", vocabulary, 64)
    shuffled = encoded.shuffled(0)
    answered = encoded.labels[:, 1] > 0
    assert answered.any() and np.array_equal(shuffled.labels[~answered], encoded.labels[~answered])
    assert np.array_equal(np.diff(shuffled.labels), np.diff(encoded.labels))
    assert (shuffled.labels != encoded.labels).any(axis=1)[answered].mean() > 0.8
    for row in np.flatnonzero(answered):
        places = encoded.offsets[encoded.starts[row] : encoded.starts[row + 1]]
        first, last = shuffled.labels[row]
        assert (places[first : last + 1] >= 0).all()  # neither of the question nor beyond the row's end
