"""Loading: what is there comes as columns under the study's names, what is not is named with what was expected."""

import json

import datasets
import pytest
from hub_layout import nli, write

from xlt_utils import paths
from xlt_utils.data import ccgbank, loading, pretraining_text
from xlt_utils.data.tasks import TASKS, Source

(MNLI,) = TASKS["mnli"].train


@pytest.fixture
def mirror(tmp_path):
    write(tmp_path, "nyu-mll/multi_nli", "default", "train", *nli([0, 1, -1, 2]))
    return tmp_path


def test_columns_come_under_the_studys_names(mirror):
    rows = loading.read_split(MNLI, str(mirror))
    assert rows == {"text": ["p0", "p1", "p2", "p3"], "text2": ["h0", "h1", "h2", "h3"], "label": [0, 1, -1, 2]}


def test_fields_of_structs_and_several_columns_come_as_lists(tmp_path):
    columns = {"a": ["x"], "b": ["y"], "c": [{"text": ["u", "v"], "label": ["A", "B"]}]}
    write(tmp_path, "some/set", "default", "train", columns)
    rows = loading.read_split(Source("some/set", "default", "train", {"options": "c.text"}), str(tmp_path))
    assert rows == {"options": [["u", "v"]]}
    rows = loading.read_split(Source("some/set", "default", "train", {"options": ("a", "b")}), str(tmp_path))
    assert rows == {"options": [["x", "y"]]}
    with pytest.raises(loading.DataError, match="column 'c' has no field 'texts'"):
        loading.read_split(Source("some/set", "default", "train", {"options": "c.texts"}), str(tmp_path))


def test_two_mirrors_with_data_sets_of_one_name_are_kept_apart(tmp_path):
    for place, count in (("one", 3), ("other", 7)):
        write(tmp_path / place, "nyu-mll/multi_nli", "default", "train", *nli([0] * count))
        assert len(loading.read_split(MNLI, str(tmp_path / place))["label"]) == count


def test_other_label_names_are_refused_with_those_expected(tmp_path):
    write(tmp_path, "nyu-mll/multi_nli", "default", "train", *nli([0], ["yes", "maybe", "no"]))
    with pytest.raises(
        loading.DataError, match=r"nyu-mll/multi_nli.*labels of column 'label' are \['yes'.*\['entailment'"
    ):
        loading.read_split(MNLI, str(tmp_path))


def test_a_renamed_column_is_named_with_the_nearest(tmp_path):
    columns, _ = nli([0])
    columns["premises"] = columns.pop("premise")
    write(tmp_path, "nyu-mll/multi_nli", "default", "train", columns)
    with pytest.raises(loading.DataError, match="no column 'premise'; did you mean `premises`"):
        loading.read_split(MNLI, str(tmp_path))


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("text", [1], "column 'x' holds int64, expected text"),
        ("tokens", ["a b"], "column 'x' holds string, expected a list of text"),
        ("answers", [{"text": ["a"]}], "expected a struct of the lists text and answer_start"),
        ("label", [0.5], "column 'x' holds double, expected a label or a list of labels"),
    ],
)
def test_a_column_of_another_type_is_refused(tmp_path, name, values, expected):
    write(tmp_path, "some/set", "default", "train", {"x": values})
    with pytest.raises(loading.DataError, match=expected):
        loading.read_split(Source("some/set", "default", "train", {name: "x"}), str(tmp_path))


def test_a_missing_data_set_config_or_split_says_where_it_was_looked_for(mirror):
    with pytest.raises(loading.MissingData, match=r"nyu-mll/glue: no such data set .*looked for the folder"):
        loading.read_split(TASKS["sst"].train[0], str(mirror))
    with pytest.raises(loading.MissingData, match="no such config; did you mean `default`"):
        loading.read_split(Source("nyu-mll/multi_nli", "defaults", "train", {}), str(mirror))
    with pytest.raises(loading.MissingData, match="validation_matched"):
        loading.read_split(TASKS["mnli"].development[0], str(mirror))


def test_mixed_languages_are_split_by_value_or_by_prefix(tmp_path):
    columns = {"language": ["en", "de", "de"], "sentence1": ["a", "b", "c"], "sentence2": ["x", "y", "z"]}
    columns["gold_label"] = ["neutral", "entailment", "contradiction"]
    write(tmp_path, "google/xtreme", "XNLI", "test", columns)
    assert loading.read_split(TASKS["xnli"].test[0], str(tmp_path), "de")["text"] == ["b", "c"]
    with pytest.raises(loading.MissingData, match="no row of language 'fr'"):
        loading.read_split(TASKS["xnli"].test[0], str(tmp_path), "fr")
    write(tmp_path, "some/set", "default", "train", {"id": ["near-svo-1", "near-svo-old-1"], "q": ["a", "b"]})
    source = Source("some/set", "default", "train", {"text": "q"}, language_column="id", language_value="{lower_name}-")
    assert loading.read_split(source, str(tmp_path), "xa")["text"] == ["a", "b"]
    with pytest.raises(loading.MissingData):
        loading.read_split(source, str(tmp_path), "en")


LEAVES = "(<T S[dcl] 0 2> (<L NP NN NN Dogs NP>) (<T S[dcl]\\NP 0 2> (<L S[dcl]\\NP VB VB -LRB- S[dcl]\\NP>) ) )"


def test_ccgbank_is_read_from_its_own_files_by_section(tmp_path):
    for section in ("02", "21", "23"):
        folder = tmp_path / "data" / "AUTO" / section
        folder.mkdir(parents=True)
        (folder / f"wsj_{section}00.auto").write_text(f"ID=wsj_{section}00.1 PARSER=GOLD NUMPARSE=1\n{LEAVES}\n")
    rows = ccgbank.read_ccgbank(tmp_path, "02-21")
    assert rows == {"tokens": [["Dogs", "("]] * 2, "label": [["NP", "S[dcl]\\NP"]] * 2}
    with pytest.raises(ValueError, match="no sentence in data/AUTO/00 to 00"):
        ccgbank.read_ccgbank(tmp_path, "00-00")
    (tmp_path / "data/AUTO/23/wsj_2300.auto").write_text("ID=x\nno derivation\n")
    with pytest.raises(ValueError, match=r"wsj_2300.auto, line 2: no leaf"):
        ccgbank.read_ccgbank(tmp_path, "23-23")


def test_without_ccgbank_it_is_said_that_it_is_licensed(mirror):
    with pytest.raises(loading.DataError, match=r"LDC2005T13.*`ccgbank` into the mirror folder"):
        loading.read_split(TASKS["ccg"].train[0], str(mirror))


def fingerprint_anew(data):
    loading._files_digest.cache_clear()
    return loading.data_fingerprint(data)


def test_the_fingerprint_follows_the_content(mirror):
    before = fingerprint_anew(str(mirror))
    assert before == fingerprint_anew(str(mirror))
    (mirror / "bucc2018").mkdir()
    (mirror / "bucc2018" / "zh-en.dev.en").write_text("en-1\tHello.\n")
    with_pairs = fingerprint_anew(str(mirror))
    write(mirror, "nyu-mll/multi_nli", "default", "train", *nli([1, 1, 1, 1]))
    assert len({before, with_pairs, fingerprint_anew(str(mirror))}) == 3


def test_a_folder_that_is_not_there_is_named():
    with pytest.raises(loading.DataError, match="'no/such/mirror' is no folder"):
        loading.locate("no/such/mirror")


def test_the_microworld_is_written_once(world):
    manifest = paths.resolve(world) / "manifest.json"
    written = manifest.stat().st_mtime_ns
    assert world == loading.locate("microworld", json.loads(manifest.read_text())["microworld"])
    assert manifest.stat().st_mtime_ns == written


def test_text_comes_in_chunks(world):
    chunks = list(pretraining_text.read_text(world, "xa", chunk=100))
    assert max(map(len, chunks)) == 100
    assert sum(map(len, chunks)) == pretraining_text.count_lines(world, "xa") > 1_000


def test_no_data_set_runs_code_of_its_own():
    assert datasets.__version__ >= "4"  # the version from which loading scripts are refused
