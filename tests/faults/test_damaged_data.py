"""Data and checkpoints that are damaged: the message says the file, the row, the field, the value."""

import hub_layout
import pytest
from datasets import Features, List, Value

from xlt_utils.data import decontaminate, loading, pretraining_text
from xlt_utils.data.labelled import SplitRef, read_examples
from xlt_utils.data.tasks import TASKS
from xlt_utils.training import encoders, tokenization

TAGS = list(TASKS["udpos"].labels)


def text_of(folder, column="text", lines=("one", "two")):
    features = Features({column: Value("string")})
    hub_layout.write(folder, "text/multilingual", "en", "train", {column: list(lines)}, features)


def nli_of(folder, premises=("p0", "p1")):
    columns, features = hub_layout.nli([0, 1])
    columns["premise"] = list(premises)
    hub_layout.write(folder, "nyu-mll/multi_nli", "default", "train", columns, features)


def tags_of(folder, words, tags):
    columns, features = hub_layout.tagged([(["fine"], [0]), (words, tags)], TAGS, "pos_tags")
    hub_layout.write(folder, "google/xtreme", "udpos.English", "train", columns, features)


def answers_of(folder, start_type="int32", **answers):
    columns, features = hub_layout.spans([("q7", "who?", "Ada wrote.", [("Ada", 0)])])
    columns["answers"][0].update(answers)
    features["answers"]["answer_start"] = List(Value(start_type))
    hub_layout.write(folder, "rajpurkar/squad", "plain_text", "train", columns, features)


def read_text(folder):
    return [line for lines in pretraining_text.read_text(str(folder), "en") for line in lines]


def read(task):
    return lambda folder: read_examples(SplitRef(TASKS[task], "train", str(folder)))


@pytest.mark.parametrize(
    ("write", "reader", "expected"),
    [
        pytest.param(
            lambda folder: text_of(folder, lines=("one", None)),
            read_text,
            r"text/multilingual, config en, split train, .*: row 1: the line is null; an empty one is ''",
            id="a null line",
        ),
        pytest.param(
            lambda folder: text_of(folder, column="sentence"),
            read_text,
            r"text/multilingual, config en.*: no column 'text'; there are sentence",
            id="a text column of another name",
        ),
        pytest.param(
            lambda folder: nli_of(folder, premises=("p0", None)),
            read("mnli"),
            r"multi_nli.* row 1 \(id 1\): column 'text' holds a null: None",
            id="a null premise",
        ),
        pytest.param(
            lambda folder: tags_of(folder, ["a", None], [0, 1]),
            read("udpos"),
            r"udpos.English.* row 1 \(id 1\): column 'tokens' holds a null: \['a', None\]",
            id="a null word",
        ),
        pytest.param(
            lambda folder: tags_of(folder, ["a", "b"], [0, None]),
            read("udpos"),
            r"udpos.English.* row 1 .*column 'label' holds a null: \[0, None\]",
            id="a null tag",
        ),
        pytest.param(
            lambda folder: tags_of(folder, ["a", "b"], [0]),
            read("udpos"),
            r"row 1 \(id 1\): 1 tags for 2 words; each word has one",
            id="a tag too few",
        ),
        pytest.param(
            lambda folder: answers_of(folder, text=["Ada", None], answer_start=[0, 4]),
            read("squad"),
            r"squad.* row 0 \(id q7\): column 'answers' holds a null",
            id="a null answer",
        ),
        pytest.param(
            lambda folder: answers_of(folder, start_type="float64", answer_start=[0.5]),
            read("squad"),
            r"column 'answers' holds struct<.*double.*, expected a struct of the lists text and answer_start",
            id="a fraction as the answer's start",
        ),
        pytest.param(
            lambda folder: answers_of(folder, answer_start=[3]),
            read("squad"),
            r"row 0 \(id q7\): the answer 'Ada' is not at character 3 of its context, where ' wr' is",
            id="an answer that is not there",
        ),
    ],
)
def test_the_place_of_a_wrong_value_is_said(tmp_path, write, reader, expected):
    write(tmp_path)
    with pytest.raises(loading.DataError, match=expected):
        reader(tmp_path)


def cut(file):
    file.write_bytes(file.read_bytes()[:-20])


def flip(file):
    content = bytearray(file.read_bytes())
    content[len(content) // 3] ^= 0xFF
    content[4:12] = bytes(8)
    file.write_bytes(content)


def point(file):
    file.write_text(f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 1234\n")


@pytest.mark.parametrize(
    ("damage", "expected"),
    [(cut, "[Pp]arquet"), (point, "train.parquet is a pointer of Git LFS"), (None, "other.parquet")],
)
def test_a_damaged_file_of_data_is_named(tmp_path, damage, expected):
    nli_of(tmp_path)
    if damage:
        damage(tmp_path / "nyu-mll" / "multi_nli" / "default" / "train.parquet")
    else:  # the README names a file that is not there
        readme = tmp_path / "nyu-mll" / "multi_nli" / "README.md"
        readme.write_text(readme.read_text().replace("train.parquet", "other.parquet"))
    with pytest.raises(loading.DataError, match=rf"nyu-mll/multi_nli, config default.*{expected}") as fault:
        read("mnli")(tmp_path)
    assert not isinstance(fault.value, loading.MissingData)  # nothing stands in for it


@pytest.mark.parametrize("text", ["---\nconfigs: [}\n---\n", "---\nconfigs: 5\n---\n"])
def test_a_readme_that_is_no_yaml_is_named(tmp_path, text):
    nli_of(tmp_path)
    (tmp_path / "nyu-mll" / "multi_nli" / "README.md").write_text(text)
    with pytest.raises(loading.DataError, match="nyu-mll/multi_nli, config default"):
        read("mnli")(tmp_path)


@pytest.mark.parametrize("damage", [cut, flip, point])
def test_damaged_weights_are_named(start, damage):
    damage(start / "model.safetensors")
    with pytest.raises(tokenization.StartError, match=f"{start}: no encoder to start from: "):
        encoders.load_encoder(start)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"model": {"type": "Unigram"}}'])
def test_a_damaged_tokenizer_is_named(start, content):
    (start / "tokenizer.json").write_text(content)
    with pytest.raises(tokenization.StartError, match=f"{start}: "):
        encoders.load_encoder(start)


def test_a_bad_cell_of_a_task_that_is_not_asked_for_leaves_the_text_readable(tmp_path):
    """The contamination filter reads every task's tests; a null among them equals no line."""
    text_of(tmp_path, lines=("one small step", "another line"))
    columns, features = hub_layout.nli([0, 1])
    columns["premise"], columns["hypothesis"] = ["One small step!", None], ["h0", "h1"]
    hub_layout.write(tmp_path, "nyu-mll/multi_nli", "default", "validation_matched", columns, features)
    assert [lines for lines, _ in decontaminate.clean_text(str(tmp_path), "en")] == [["another line"]]


def test_a_damaged_test_set_is_not_passed_over_by_the_contamination_filter(tmp_path):
    text_of(tmp_path)
    columns, features = hub_layout.nli([0, 1])
    hub_layout.write(tmp_path, "nyu-mll/multi_nli", "default", "validation_matched", columns, features)
    cut(tmp_path / "nyu-mll" / "multi_nli" / "default" / "validation_matched.parquet")
    with pytest.raises(loading.DataError, match="validation_matched"):
        list(decontaminate.clean_text(str(tmp_path), "en"))
