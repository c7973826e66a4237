"""A line that a test holds too is left out of the pretraining text, in whatever language and however it is spaced."""

import pytest
from hub_layout import spans, write

from xlt_utils import paths
from xlt_utils.data import decontaminate, loading, pinned_place, pretraining_text
from xlt_utils.data.tasks import TASKS


@pytest.fixture
def mirror(tmp_path):
    tatoeba = {"source_sentence": ["Wo ist der Bahnhof?\n"], "target_sentence": ["Where is the station?\n"]}
    write(tmp_path, "google/xtreme", "tatoeba.deu", "validation", tatoeba)
    write(
        tmp_path, "google/xtreme", "udpos.German", "test", {"tokens": [["Er", "geht", "."]], "pos_tags": [[10, 15, 12]]}
    )
    context = "Anna wohnt in Bern. Bob wohnt in Rom."
    write(tmp_path, "google/xtreme", "XQuAD.de", "validation", *spans([("q", "Wo?", context, [("Bern", 14)])]))
    write(
        tmp_path, "rajpurkar/squad", "plain_text", "train", *spans([("q", "Only trained on", context, [("Bern", 14)])])
    )
    lines = [
        "wo ist  der bahnhof",
        "Er geht",
        "Bob wohnt in Rom!",
        "Only trained on",
        "...",
        "Where is the station?",
        "Neu.",
    ]
    write(tmp_path, "text/multilingual", "de", "train", {"text": lines})
    return str(tmp_path)


def test_lines_that_a_test_holds_are_left_out_and_counted(mirror):
    ((lines, dropped),) = decontaminate.clean_text(mirror, "de")
    assert lines == ["Only trained on", "...", "Neu."]
    assert dropped == 4


def pinned(snapshots, **content):
    """A place that pins two data sets, whose snapshots lie in a folder."""
    sets = {
        name: {"commit": "c" * 40, "snapshot": f"{snapshots}/{name}"} for name in ("google/xtreme", "rajpurkar/squad")
    }
    return pinned_place.write_place({"folder": None, "datasets": sets, "text": []} | content)


def documents(mirror, config, **fields):
    """The mirror with text from a data set of documents."""
    row = {"dataset": "some/documents", "config": config, "split": "train", "column": "body"}
    return pinned(mirror, folder=mirror, text=[row | {"split_lines": False, "max_lines": None} | fields])


def test_of_documents_the_sentences_that_a_test_holds_are_left_out(mirror, tmp_path):
    texts = ["Vorher. Wo ist der Bahnhof? Nachher.", "Er geht\n\nBob wohnt in Rom!", "Alles neu. Und gut."]
    write(tmp_path, "some/documents", "2023.de", "train", {"body": texts})
    ((lines, dropped),) = decontaminate.clean_text(documents(mirror, "2023.{code}"), "de")
    assert lines == ["Vorher. Nachher.", "Alles neu. Und gut."] and dropped == 3
    ((lines, _),) = decontaminate.clean_text(documents(mirror, "2023.{code}", split_lines=True, max_lines=3), "de")
    assert lines == ["Vorher. Nachher."]  # of three lines, two are tests
    with pytest.raises(loading.MissingData, match=r"2023\.fr.*no such config"):
        list(decontaminate.clean_text(documents(mirror, "2023.{code}"), "fr"))


def test_several_sources_follow_each_other_and_one_may_lack_a_language(mirror, tmp_path):
    write(tmp_path, "some/documents", "2023.de", "train", {"body": ["Erstens.", "Zweitens."]})
    write(tmp_path, "more/documents", "sw", "train", {"body": ["Kwanza."]})
    write(tmp_path, "more/documents", "de", "train", {"body": ["Drittens."]})
    row = {"dataset": "more/documents", "config": "{code}", "split": "train", "column": "body"}
    first = {"dataset": "some/documents", "config": "2023.{code}", "split": "train", "column": "body"}
    place = pinned(mirror, folder=mirror, text=[first, row])
    read = {
        code: [line for lines in pretraining_text.read_text(place, code) for line in lines] for code in ("de", "sw")
    }
    assert read == {"de": ["Erstens.", "Zweitens.", "Drittens."], "sw": ["Kwanza."]}
    assert pretraining_text.count_lines(place, "de") == 3


def test_what_the_text_was_compared_with_is_known(mirror):
    compared = decontaminate.tests_compared(mirror)
    assert compared["google/xtreme, config tatoeba.{iso3}, split validation"]["read"] == 1
    assert compared["google/xtreme, config XNLI, split test"] == {"read": 0, "passed over": 1}


def test_the_filter_ends_the_run_where_a_test_was_to_be_there_and_cannot_be_read(mirror, tmp_path):
    with pytest.raises(loading.DataError, match=r"stanfordnlp/snli: not among the data sets that .* pins") as caught:
        list(decontaminate.evaluation_texts(pinned(mirror)))
    assert not isinstance(caught.value, loading.MissingData)
    (tmp_path / "google/xtreme/XQuAD.de/validation.parquet").write_bytes(b"half a file")
    with pytest.raises(loading.DataError, match=r"google/xtreme, config XQuAD\.de"):
        list(decontaminate.evaluation_texts(mirror))


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("Straße, bitte!", "STRASSE BITTE", True),
        ("我 在 家。", "我在家", True),
        ("कि", "की", False),  # vowel signs are no punctuation
        ("2:30", "230", True),
        ("a+b", "ab", False),  # a symbol is no punctuation
    ],
)
def test_case_space_and_punctuation_do_not_count(first, second, same):
    assert (decontaminate.normalise(first) == decontaminate.normalise(second)) is same


def test_the_embedded_text_holds_no_evaluation_sentence(world):
    for language in ("en", "xa", "xh"):
        assert sum(dropped for _, dropped in decontaminate.clean_text(world, language)) == 0, language


MIRROR = paths.ROOT.parent / "shared" / "mirror"


@pytest.mark.skipif(not MIRROR.is_dir(), reason="the real data in ../shared/mirror are not here")
@pytest.mark.slow
def test_tatoebas_test_sentences_go_from_the_real_text():
    place, task = loading.locate(str(MIRROR)), TASKS["tatoeba"]
    columns = [column for code in ("ar", "hi") for column in loading.read_split(task.test[0], place, code).values()]
    tests = {decontaminate.normalise(text) for column in columns for text in column}

    def test_lines(lines: list[str]) -> int:
        return sum(decontaminate.normalise(line) in tests for line in lines)

    for language, least in (("ar", 700), ("hi", 260)):
        before = sum(test_lines(lines) for lines in pretraining_text.read_text(place, language))
        cleaned = list(decontaminate.clean_text(place, language))
        assert before >= least and sum(test_lines(lines) for lines, _ in cleaned) == 0
        assert before <= sum(dropped for _, dropped in cleaned) < before + 20
