"""The data sets: labels that hold in every language, and nothing trained on that is tested on."""

import pytest
from small_world import CODES, TWEETS, say

from xlt_utils import microworld
from xlt_utils.microworld import data_sets, draws
from xlt_utils.microworld.layout import NER, POS
from xlt_utils.microworld.speech import Speaker


def test_labels_are_the_same_in_every_language(load):
    xnli = load("google/xtreme", "XNLI", "test")
    paws = [list(load("google/xtreme", f"PAWS-X.{code}", "test")["label"]) for code in CODES]
    assert all(labels == paws[0] for labels in paws) and set(paws[0]) == {"0", "1"}
    labels = {code: [] for code in CODES}
    for code, label in zip(xnli["language"], xnli["gold_label"], strict=True):
        labels[code].append(label)
    assert all(labels[code] == labels["en"] for code in CODES)
    english = list(load(TWEETS, "english", "test")["label"])
    for grammar in microworld.LANGUAGES.values():
        assert list(load(TWEETS, grammar.umsab_name, "test")["label"]) == english


def entities(row: dict) -> list[str]:
    """The kinds of a row's entities, sorted; fails where an I- tag does not continue its own kind."""
    kinds = []
    for before, tag in zip([0, *row["ner_tags"]], row["ner_tags"], strict=False):
        if NER[tag].startswith("B-"):
            kinds.append(NER[tag][2:])
        elif tag:
            assert NER[before][2:] == NER[tag][2:]
    return sorted(kinds)


def test_a_sentence_has_the_same_entities_in_every_language(load):
    english = [entities(row) for row in load("google/xtreme", "PAN-X.en", "test")]
    assert {kind for kinds in english for kind in kinds} == {"PER", "ORG", "LOC"} and all(english)
    for code in CODES[1:]:
        assert [entities(row) for row in load("google/xtreme", f"PAN-X.{code}", "test")] == english


def test_a_sentence_has_as_many_nouns_and_verbs_in_every_language(load):
    def count(row):
        return [row["pos_tags"].count(POS.index(tag)) for tag in ("NOUN", "VERB", "PROPN", "NUM", "SYM")]

    english = [count(row) for row in load("google/xtreme", "udpos.English", "test")]
    for grammar in microworld.LANGUAGES.values():
        assert [count(row) for row in load("google/xtreme", f"udpos.{grammar.ud_name}", "test")] == english


def test_all_but_the_rarest_word_classes_occur(load):
    seen = {tag for row in load("google/xtreme", "udpos.English", "train")["pos_tags"] for tag in row}
    assert {POS[tag] for tag in seen} >= set(POS) - {"X"}


def test_labels_are_balanced(load):
    for labels in (
        load("nyu-mll/multi_nli", "default", "train")["label"],
        load("nyu-mll/glue", "sst2", "train")["label"],
        load("nyu-mll/glue", "qqp", "train")["label"],
        load("google/xtreme", "PAWS-X.en", "train")["label"],
        [label for label in load("stanfordnlp/snli", "plain_text", "train")["label"] if label >= 0],
    ):
        labels = list(labels)
        shares = [labels.count(label) / len(labels) for label in set(labels)]
        assert max(shares) - min(shares) < 0.04


def test_training_and_test_examples_are_disjoint(load):
    def keys(*place):
        rows = load(*place)
        columns = "premise hypothesis sentence tokens sentence1 sentence2 question1 question2 question choices".split()
        columns = [name for name in columns if name in rows.column_names]
        return [draws.comparison_key(" | ".join(str(row[name]) for name in columns)) for row in rows]

    for dataset, config, splits in (
        ("google/xtreme", "udpos.English", ("train", "validation", "test")),
        ("google/xtreme", "PAN-X.en", ("train", "validation", "test")),
        ("nyu-mll/multi_nli", "default", ("train", "validation_matched")),
        ("nyu-mll/glue", "sst2", ("train", "validation")),
        ("stanfordnlp/snli", "plain_text", ("train", "validation")),
        ("nyu-mll/glue", "qqp", ("train", "validation")),
        ("google/xtreme", "PAWS-X.en", ("train", "validation", "test")),
        ("tau/commonsense_qa", "default", ("train", "validation")),
    ):
        parts = [keys(dataset, config, split) for split in splits]
        joined = [key for part in parts for key in part]
        assert len(set(joined)) == len(joined)
    trained = set(keys("nyu-mll/multi_nli", "default", "train")) | set(keys("stanfordnlp/snli", "plain_text", "train"))
    xnli = [row for row in load("google/xtreme", "XNLI", "test") if row["language"] == "en"]
    assert not trained & {draws.comparison_key(f"{row['sentence1']} | {row['sentence2']}") for row in xnli}


@pytest.mark.parametrize("split", ["dev", "test"])
def test_gold_pairs_are_translations_and_no_other_sentences_are(mirror, split, monkeypatch):
    """The test says the meanings again, in all languages; the English side is the same for all."""
    meanings = []

    class Remembering(draws.FreshDraws):
        def draw(self, *arguments):
            for meaning in super().draw(*arguments):
                meanings.append(meaning)
                yield meaning

    class Nowhere:
        def save_lines(self, *_):
            pass

    monkeypatch.setattr(draws, "FreshDraws", Remembering)
    data_sets.write_mining(data_sets.WorldBuild(Nowhere(), 3, ["en", "xa"]))
    english = {say("en", meaning): meaning for meaning in meanings}
    sides = set()
    for code in CODES[1:]:
        read = {
            side: dict(
                line.split("\t")
                for line in (mirror / f"bucc2018/{code}-en.{split}.{side}").read_text(encoding="utf-8").splitlines()
            )
            for side in (code, "en", "gold")
        }
        for side in (code, "en"):
            assert list(read[side]) == [f"{side}-{i:09d}" for i in range(1, len(read[side]) + 1)]
            assert len(set(map(draws.comparison_key, read[side].values()))) == len(read[side]) > 390
        sides.add(tuple(read["en"].values()))
        speaker = Speaker(code)
        translations = {speaker.text(english[text]): name for name, text in read["en"].items()}
        assert {n: translations[t] for n, t in read[code].items() if t in translations} == read["gold"]
        assert 0.22 < len(read["gold"]) / len(read[code]) < 0.28
    assert len(sides) == 1
