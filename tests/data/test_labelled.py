"""Examples: what is right comes in the study's form, what cannot be scored is left out and counted, what is wrong is
refused by name. The files are the tests' own, in the hub's layout; the real ones in ../shared where they are."""

from dataclasses import replace

import pytest
from datasets import ClassLabel, Features
from hub_layout import TEXT, nli, spans, tagged, write

from xlt_utils import microworld, paths
from xlt_utils.data import labelled, loading
from xlt_utils.data.labelled import SplitRef
from xlt_utils.data.tasks import TASKS

CONTEXT = "Anna lives in Bern. Bob lives in Rome."


def read(name, part, place, language="en", limit=None):
    return labelled.read_examples(SplitRef(TASKS[name], part, str(place), language, limit))


def test_rows_labelled_minus_one_are_dropped_and_counted(tmp_path):
    write(tmp_path, "nyu-mll/multi_nli", "default", "train", *nli([0, 1, -1, 2]))
    rows = read("mnli", "train", tmp_path)
    assert [(row["id"], row["text"], row["label"]) for row in rows] == [("0", "p0", 0), ("1", "p1", 1), ("3", "p3", 2)]
    assert rows.dropped == {"labelled -1": 1}


def test_a_limit_draws_from_the_whole_split_in_its_order(tmp_path):
    write(tmp_path, "nyu-mll/multi_nli", "default", "train", *nli([0] * 100))
    numbers = [int(row["id"]) for row in read("mnli", "train", tmp_path, limit=30)]
    assert numbers == sorted(set(numbers)) and numbers[0] < 15 and numbers[-1] > 85


def test_several_data_sets_are_one_under_one_head(tmp_path):
    write(tmp_path, "stanfordnlp/snli", "plain_text", "train", *nli([0, -1]))
    write(tmp_path, "nyu-mll/multi_nli", "default", "train", *nli([1]))
    for number in (1, 2, 3):
        write(tmp_path, "facebook/anli", "plain_text", f"train_r{number}", *nli([2]))
    rows = read("anli", "train", tmp_path)
    assert [row["label"] for row in rows] == [0, 1, 2, 2, 2]
    assert len(rows.places) == 5 and rows.dropped == {"labelled -1": 1}


def test_the_neutral_class_of_the_tweets_is_dropped_and_counted(tmp_path):
    features = Features({"text": TEXT, "label": ClassLabel(names=["negative", "neutral", "positive"])})
    columns = {"text": ["a", "b", "c"], "label": [0, 1, 2]}
    write(tmp_path, "cardiffnlp/tweet_sentiment_multilingual", "german", "test", columns, features)
    rows = read("sst", "test", tmp_path, "de")
    assert [(row["text"], row["label"]) for row in rows] == [("a", 0), ("c", 1)]
    assert rows.dropped == {"labelled neutral": 1}


def test_line_ends_of_tatoeba_go(tmp_path):
    columns = {"source_sentence": ["Hallo.\n"], "target_sentence": ["Hello.\n"]}
    write(tmp_path, "google/xtreme", "tatoeba.deu", "validation", columns)
    assert read("tatoeba", "test", tmp_path, "de") == [{"id": "0", "text": "Hallo.", "text2": "Hello."}]


def test_choices_come_with_their_labels_whatever_the_data_set_calls_them(tmp_path):
    columns = {"ctx": ["So"], "endings": [list("wxyz")], "label": ["2"]}
    write(tmp_path, "Rowan/hellaswag", "default", "train", columns)
    columns = {"context": ["c"], "question": ["q"], "label": [3]} | {f"answer{i}": [str(i)] for i in range(4)}
    write(tmp_path, "allenai/cosmos_qa", "default", "train", columns)
    columns = {"question": ["q"], "choices": [{"label": list("ABCDE"), "text": list("abcde")}], "answerKey": ["B"]}
    write(tmp_path, "tau/commonsense_qa", "default", "train", columns)
    examples = {name: read(name, "train", tmp_path)[0] for name in ("hellaswag", "cosmos_qa", "commonsense_qa")}
    assert {name: (row["options"], row["label"]) for name, row in examples.items()} == {
        "hellaswag": (list("wxyz"), 2),
        "cosmos_qa": (list("0123"), 3),
        "commonsense_qa": (list("abcde"), 1),
    }
    write(tmp_path, "Rowan/hellaswag", "default", "validation", {"ctx": ["So"], "endings": [["w"]], "label": ["0"]})
    with pytest.raises(loading.DataError, match=r"row 0 \(id 0\): 1 options for the labels 0, 1, 2, 3"):
        read("hellaswag", "development", tmp_path)


def test_answers_stand_in_their_context(tmp_path):
    rows = [("q1", "Where does Anna live?", CONTEXT, [("Bern", 14)])]
    write(tmp_path, "rajpurkar/squad", "plain_text", "train", *spans(rows))
    assert read("squad", "train", tmp_path)[0]["answers"] == [{"text": "Bern", "start": 14}]
    wrong = [*rows, ("q2", "Where does Bob live?", CONTEXT, [("Rome", 30)])]
    write(tmp_path, "rajpurkar/squad", "plain_text", "validation", *spans(wrong))
    with pytest.raises(loading.DataError, match=r"row 1 \(id q2\): the answer 'Rome' is not at character 30"):
        read("squad", "development", tmp_path)


def test_a_question_without_an_answer_is_scored_only_where_the_task_has_such(tmp_path):
    rows = [("q1", "Where does Anna live?", CONTEXT, [("Bern", 14)]), ("q2", "Where does Eve live?", CONTEXT, [])]
    write(tmp_path, "rajpurkar/squad_v2", "squad_v2", "train", *spans(rows))
    write(tmp_path, "rajpurkar/squad", "plain_text", "train", *spans(rows))
    assert len(read("squad_v2", "train", tmp_path)) == 2
    kept = read("squad", "train", tmp_path)
    assert len(kept) == 1 and kept.dropped == {"without an answer": 1}


def test_withheld_answers_are_read_from_the_split_that_stands_in_never_scored_as_wrong(tmp_path):
    hidden = [("english-1", "q", CONTEXT, [("", 0)]), ("swahili-1", "q", CONTEXT, [("", 0)])]
    write(tmp_path, "google/xtreme", "tydiqa", "validation", *spans(hidden))
    shown = [("english-2", "q", CONTEXT, [("Bern", 14)]), ("swahili-2", "q", CONTEXT, [("Rome", 33)])]
    write(tmp_path, "google/xtreme", "tydiqa", "train", *spans(shown))
    rows = read("tydiqa", "test", tmp_path, "sw")
    assert [row["answers"][0]["text"] for row in rows] == ["Rome"] and "split train" in rows.places[0]
    # English was trained on there: it is no test
    with pytest.raises(labelled.Withheld, match="nothing left to score: 1 without an answer"):
        read("tydiqa", "test", tmp_path, "en")
    assert labelled.languages_with(TASKS["tydiqa"], str(tmp_path)) == ["sw"]


def test_an_empty_language_is_missing_not_empty(tmp_path):
    columns = {"language": ["de"], "sentence1": ["b"], "sentence2": ["y"], "gold_label": ["neutral"]}
    write(tmp_path, "google/xtreme", "XNLI", "test", columns)
    with pytest.raises(loading.MissingData, match="no row of language 'fr'"):
        read("xnli", "test", tmp_path, "fr")


def test_a_tag_sequence_shorter_than_its_words_is_refused(tmp_path):
    names = list(TASKS["panx"].labels)
    rows = [(["Anna", "runs"], [1, 0]), (["Bob", "sleeps"], [1])]
    write(tmp_path, "google/xtreme", "PAN-X.de", "test", *tagged(rows, names, "ner_tags"))
    with pytest.raises(loading.DataError, match=r"PAN-X.de.*row 1 \(id 1\): 1 tags for 2 words"):
        read("panx", "test", tmp_path, "de")


def test_an_id_that_stands_twice_is_refused_where_predictions_go_by_it(tmp_path):
    rows = [("q1", "Where does Anna live?", CONTEXT, [("Bern", 14)])] * 2
    for config, split in (("XQuAD.de", "validation"), ("XQuAD.en", "validation")):
        write(tmp_path, "google/xtreme", config, split, *spans(rows))
    with pytest.raises(loading.DataError, match=r"XQuAD.de.*1 ids occur more than once, such as 'q1'"):
        read("xquad", "test", tmp_path, "de")


@pytest.mark.parametrize(
    ("label", "expected"), [("maybe", "the label 'maybe' is none of 0, 1"), (None, "column 'label' holds a null")]
)
def test_a_label_that_no_row_knows_is_refused(tmp_path, label, expected):
    columns = {"sentence1": ["a", "c"], "sentence2": ["b", "d"], "label": ["1", label]}
    features = Features({"sentence1": TEXT, "sentence2": TEXT, "label": TEXT})
    write(tmp_path, "google/xtreme", "PAWS-X.de", "test", columns, features)
    with pytest.raises(loading.DataError, match=rf"PAWS-X.de.*row 1 \(id 1\): {expected}"):
        read("pawsx", "test", tmp_path, "de")


def ccgbank(folder, section, words):
    place = folder / "ccgbank" / "data" / "AUTO" / section
    place.mkdir(parents=True)
    leaves = " ".join(f"(<L {category} X X {word} {category}>)" for word, category in words)
    (place / f"wsj_{section}00.auto").write_text(f"ID=wsj_{section}00.1 PARSER=GOLD NUMPARSE=1\n{leaves}\n")


def test_a_task_without_labels_takes_those_of_its_training_data(tmp_path):
    ccgbank(tmp_path, "02", [("Dogs", "N"), ("bark", "S[dcl]\\NP")])
    ccgbank(tmp_path, "00", [("Dogs", "N"), ("loudly", "(S\\NP)\\(S\\NP)")])
    task = labelled.complete_task.__wrapped__("ccg", str(tmp_path))
    assert task.labels == ("N", "S[dcl]\\NP", labelled.OTHER)
    assert labelled.read_examples(SplitRef(task, "development", str(tmp_path)))[0]["label"] == [0, 2]


def test_mining_reads_the_shared_tasks_files_and_says_where_they_come_from(tmp_path):
    folder = tmp_path / "bucc2018"
    folder.mkdir()
    (folder / "de-en.dev.de").write_text("de-1\tHallo.\nde-2\tTschüss.\n")
    (folder / "de-en.dev.en").write_text("en-1\tBye.\nen-2\tHello.\n")
    (folder / "de-en.dev.gold").write_text("de-1\ten-2\n")
    german = SplitRef(TASKS["bucc2018"], "test", str(tmp_path), "de")
    foreign, english, gold = labelled.read_sides(german)
    assert foreign[0] == {"id": "de-1", "text": "Hallo.", "side": "foreign"} and english[0]["side"] == "english"
    assert gold == [("de-1", "en-2")] and "split dev" in foreign.places[0]
    (folder / "de-en.test.de").write_text("de-3\tDanke.\n")  # as shipped: without gold pairs
    (folder / "de-en.test.en").write_text("en-3\tThanks.\n")
    assert labelled.gold_split(german).split == "dev"
    (folder / "de-en.test.gold").write_text("de-3\ten-3\n")
    assert labelled.gold_split(german).split == "test"
    assert labelled.read_sides(german)[2] == [("de-3", "en-3")]
    (folder / "de-en.test.gold").unlink()
    with pytest.raises(loading.MissingData, match="BUCC 2018 shared task"):
        labelled.read_sides(replace(german, language="fr"))
    (folder / "de-en.dev.gold").write_text("de-1\ten-9\n")
    with pytest.raises(loading.DataError, match=r"'en-9' is no id of de-en.dev.en"):
        labelled.read_sides(german)


def test_a_language_that_xtreme_does_not_know_needs_no_code(tmp_path):
    write(
        tmp_path,
        "google/xtreme",
        "tatoeba.glg",
        "validation",
        {"source_sentence": ["Ola."], "target_sentence": ["Hi."]},
    )
    write(
        tmp_path,
        "google/xtreme",
        "udpos.Galician",
        "test",
        *tagged([(["Ola"], [6])], list(TASKS["udpos"].labels), "pos_tags"),
    )
    assert read("tatoeba", "test", tmp_path, "gl")[0]["text"] == "Ola."
    assert labelled.languages_with(TASKS["udpos"], str(tmp_path)) == ["gl"]


def test_the_microworld_has_every_task_in_every_language(world):
    everywhere = {"en", "xa", "xh"}
    assert everywhere < set(microworld.LANGUAGES)
    for task in (task for task in TASKS.values() if task.name != "squad_wiki"):  # its SQuAD is as large as it likes
        for part in ("train", "development"):
            if getattr(task, part) and task.format != "mining":
                assert len(labelled.read_examples(SplitRef(task, part, world))) > 100, (task.name, part)
        if task.test:
            assert set(labelled.languages_with(task, world)) == everywhere - ({"en"} if not task.trains else set())


MIRROR = paths.ROOT.parent / "shared" / "mirror"


@pytest.mark.skipif(not MIRROR.is_dir(), reason="the real data in ../shared/mirror are not here")
@pytest.mark.parametrize("name", [name for name in TASKS if name not in ("ccg", "reputations", "offers")])
def test_real_data_pass_the_same_checks(name):
    task, place = TASKS[name], loading.locate(str(MIRROR))
    if task.trains:
        assert len(labelled.read_examples(SplitRef(task, "train", place))) >= 1_600
    for language in {"tydiqa": ["sw"], "bucc2018": ["zh"]}.get(name, ["de"]) if task.test else []:
        assert labelled.is_scorable(SplitRef(task, "test", place, language))


def test_a_subset_holds_the_labels_in_the_proportions_of_the_whole():
    """Evenly spaced rows of a file whose labels alternate hold 53 positive ones of 80; a draw by label holds 40."""
    alternating = [{"id": str(number), "label": number % 2} for number in range(580)]
    for seed in range(5):
        positions = labelled.draw_subset(alternating, 80, seed)
        assert positions == sorted(set(positions)) and len(positions) == 80
        assert sum(alternating[position]["label"] for position in positions) == 40
    skewed = [{"id": str(number), "label": int(number < 30)} for number in range(90)]
    assert sum(skewed[position]["label"] for position in labelled.draw_subset(skewed, 31, 0)) in (10, 11)


def test_a_subset_depends_on_the_seed_and_parallel_files_give_the_same_rows(world):
    split = labelled.SplitRef(TASKS["xnli"], "test", world, "xa", limit=60, seed=1)
    ids = [row["id"] for row in labelled.read_examples(split)]
    assert [row["id"] for row in labelled.read_examples(replace(split, language="xh"))] == ids
    assert [row["id"] for row in labelled.read_examples(split)] == ids
    assert [row["id"] for row in labelled.read_examples(replace(split, seed=2))] != ids


def test_rows_without_a_label_are_drawn_as_one_group(world):
    tagged = labelled.read_examples(labelled.SplitRef(TASKS["udpos"], "test", world, "xa", limit=40, seed=3))
    assert len({row["id"] for row in tagged}) == 40
