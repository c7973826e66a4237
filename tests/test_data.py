import datasets
import pytest

from xlt_utils import data, paths
from xlt_utils.tasks import TASKS, Source

NLI = ["entailment", "neutral", "contradiction"]


def write(folder, name, config, split, columns, features=None):
    """One split of one data set in the hub's layout, as a mirror folder holds it."""
    place = folder / name
    (place / config).mkdir(parents=True, exist_ok=True)
    rows = datasets.Dataset.from_dict(columns, features=features)
    rows.to_parquet(place / config / f"{split}.parquet")
    readme = place / "README.md"
    head = readme.read_text().removesuffix("---\n") if readme.exists() else "---\nconfigs:\n"
    entry = f"- config_name: {config}\n  data_files:\n  - split: {split}\n    path: {config}/{split}.parquet\n"
    readme.write_text(f"{head}{entry}---\n")


def nli(labels, names=NLI):
    count = len(labels)
    columns = {
        "premise": [f"p{i}" for i in range(count)],
        "hypothesis": [f"h{i}" for i in range(count)],
        "label": labels,
    }
    text, label = datasets.Value("string"), datasets.ClassLabel(names=names)
    return columns, datasets.Features({"premise": text, "hypothesis": text, "label": label})


@pytest.fixture
def mirror(tmp_path):
    write(tmp_path, "nyu-mll/multi_nli", "default", "train", *nli([0, 1, -1, 2]))
    return tmp_path


def test_labels_come_under_their_names_and_minus_one_is_dropped(mirror):
    rows = data.examples(TASKS["mnli"], "train", str(mirror))
    assert [(row["text"], row["label"]) for row in rows] == [("p0", 0), ("p1", 1), ("p3", 2)]


def test_a_limit_spreads_over_the_whole_split(tmp_path):
    write(tmp_path, "nyu-mll/multi_nli", "default", "train", *nli([0] * 100))
    assert [row["id"] for row in data.examples(TASKS["mnli"], "train", str(tmp_path), limit=3)] == [0, 49, 99]


def test_two_mirrors_with_data_sets_of_one_name_are_kept_apart(tmp_path):
    for place, count in (("one", 3), ("other", 7)):
        write(tmp_path / place, "nyu-mll/multi_nli", "default", "train", *nli([0] * count))
        assert len(data.examples(TASKS["mnli"], "train", str(tmp_path / place))) == count


def test_other_label_names_are_refused_with_those_expected(tmp_path):
    write(tmp_path, "nyu-mll/multi_nli", "default", "train", *nli([0], ["yes", "maybe", "no"]))
    with pytest.raises(data.DataError, match=r"nyu-mll/multi_nli.*labels are \['yes'.*expected \['entailment'"):
        data.examples(TASKS["mnli"], "train", str(tmp_path))


def test_a_renamed_column_is_named_with_the_nearest(tmp_path):
    columns, _ = nli([0])
    columns["premises"] = columns.pop("premise")
    write(tmp_path, "nyu-mll/multi_nli", "default", "train", columns)
    with pytest.raises(data.DataError, match="no column 'premise'; the nearest there is 'premises'"):
        data.examples(TASKS["mnli"], "train", str(tmp_path))


def test_a_missing_data_set_config_or_split_says_where_it_was_looked_for(mirror):
    with pytest.raises(data.DataError, match=r"nyu-mll/glue: no such data set .*looked for the folder"):
        data.examples(TASKS["sst"], "train", str(mirror))
    with pytest.raises(data.DataError, match="no such config; the nearest there is 'default'"):
        data.load(Source("nyu-mll/multi_nli", "defaults", "train", {}), str(mirror))
    with pytest.raises(data.DataError, match="validation_matched"):
        data.examples(TASKS["mnli"], "development", str(mirror))


def test_mixed_languages_are_split_and_an_absent_one_is_no_empty_test(tmp_path):
    columns = {"language": ["en", "de", "de"], "sentence1": ["a", "b", "c"], "sentence2": ["x", "y", "z"]}
    write(
        tmp_path, "google/xtreme", "XNLI", "test", columns | {"gold_label": ["neutral", "entailment", "contradiction"]}
    )
    rows = data.examples(TASKS["xnli"], "test", str(tmp_path), "de")
    assert [(row["text2"], row["label"]) for row in rows] == [("y", 0), ("z", 2)]
    assert data.languages_with(TASKS["xnli"], str(tmp_path)) == ["de", "en"]
    with pytest.raises(data.DataError, match="no row of language 'fr'"):
        data.examples(TASKS["xnli"], "test", str(tmp_path), "fr")


def test_the_neutral_class_of_the_tweets_is_dropped(tmp_path):
    label = datasets.ClassLabel(names=["negative", "neutral", "positive"])
    features = datasets.Features({"text": datasets.Value("string"), "label": label})
    columns = {"text": ["a", "b", "c"], "label": [0, 1, 2]}
    write(tmp_path, "cardiffnlp/tweet_sentiment_multilingual", "german", "test", columns, features)
    rows = data.examples(TASKS["sst"], "test", str(tmp_path), "de")
    assert [(row["text"], row["label"]) for row in rows] == [("a", 0), ("c", 1)]


def test_the_fingerprint_follows_the_content(mirror):
    before = data.fingerprint.__wrapped__(str(mirror))
    assert before == data.fingerprint.__wrapped__(str(mirror))
    write(mirror, "nyu-mll/multi_nli", "default", "train", *nli([1, 1, 1, 1]))
    assert before != data.fingerprint.__wrapped__(str(mirror))


def test_a_folder_that_is_not_there_is_named():
    with pytest.raises(data.DataError, match="'no/such/mirror' is no folder"):
        data.locate("no/such/mirror")


def test_the_microworld_is_written_once_and_has_every_task_in_every_language(world):
    from xlt_utils import microworld, paths

    assert world == data.locate("microworld", {"seed": 0, "sentences": 6_000, "bilingual": 0.05})
    assert (paths.resolve(world) / "manifest.json").is_file()
    everywhere = set(microworld.LANGUAGES)
    for task in TASKS.values():
        if task.test:
            expected = everywhere - {"en"} if task.format == "retrieval" else everywhere
            assert set(data.languages_with(task, world)) == expected, task.name


def test_text_comes_in_chunks(world):
    chunks = list(data.text(world, "xa", chunk=100))
    assert max(map(len, chunks)) == 100
    assert sum(map(len, chunks)) == len(data.load(data.TEXT, world, "xa"))


MIRROR = paths.ROOT.parent / "shared" / "mirror"


@pytest.mark.skipif(not MIRROR.is_dir(), reason="the real data in ../shared/mirror are not here")
@pytest.mark.parametrize("name", [name for name, task in TASKS.items() if task.test])
def test_real_data_pass_the_same_checks(name):
    task, place = TASKS[name], data.locate(str(MIRROR))
    assert "de" in data.languages_with(task, place)
    rows = data.examples(task, "test", place, "de", limit=5)
    assert len(rows) == 5
