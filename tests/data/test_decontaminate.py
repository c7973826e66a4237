"""A line that a test holds too is left out of the pretraining text, in whatever language and however it is spaced."""

import pytest
from hub_layout import spans, write

from xlt_utils import paths
from xlt_utils.data import decontaminate, loading
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
        before = sum(test_lines(lines) for lines in loading.read_text(place, language))
        cleaned = list(decontaminate.clean_text(place, language))
        assert before >= least and sum(test_lines(lines) for lines, _ in cleaned) == 0
        assert before <= sum(dropped for _, dropped in cleaned) < before + 20
