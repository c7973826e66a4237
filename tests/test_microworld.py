"""The microworld: the same bytes for a seed, the hub's layout and types, labels that hold in every language,
nothing trained on that is tested on, and tasks that words alone do not solve."""

import hashlib
import json
import re
import sys
from itertools import islice
from pathlib import Path

import datasets
import pytest
from pyarrow import parquet
from scipy.stats import spearmanr
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression

from xlt_utils import microworld
from xlt_utils.microworld import relations, tasks
from xlt_utils.microworld.meanings import Clause, Phrase, Sentence, World
from xlt_utils.microworld.speech import Speaker

CODES = list(microworld.LANGUAGES)


def say(code: str, sentence: Sentence) -> str:
    return Speaker(code).text(sentence)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return microworld.write(tmp_path_factory.mktemp("mirror") / "world", seed=3, sentences=3000, bilingual=0.1)


@pytest.fixture(scope="module")
def load(folder, tmp_path_factory):
    """Reads a split as the study does, with a cache of its own: datasets takes two folders of one name for the same."""
    cache = str(tmp_path_factory.mktemp("cache"))

    def read(dataset: str, config: str, split: str) -> datasets.Dataset:
        return datasets.load_dataset(str(folder / dataset), config, split=split, cache_dir=cache)

    return read


def contents(folder: Path) -> dict[str, str]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


# Writing


@pytest.fixture
def small(monkeypatch):
    """Smaller sets of examples, where only the writing is looked at."""
    few = {kind: tuple(min(count, 60) for count in counts) for kind, counts in microworld.COUNTS.items()}
    monkeypatch.setattr(sys.modules["xlt_utils.microworld.write"], "COUNTS", few)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(small, tmp_path):
    seeds = {"one": 3, "again": 3, "other": 4}
    one, again, other = (
        contents(microworld.write(tmp_path / name, seed=seed, sentences=900)) for name, seed in seeds.items()
    )
    assert one == again
    assert all(other[name] != digest for name, digest in one.items() if name.endswith(".parquet"))


def test_writing_again_does_nothing_and_a_damaged_world_is_written_anew(small, tmp_path):
    folder = microworld.write(tmp_path / "w", sentences=300, languages=["en", "xa"])
    before, times = contents(folder), {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    microworld.write(folder, sentences=300, languages=["en", "xa"])
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == times
    cut = folder / "google/xtreme/XNLI/test.parquet"
    cut.write_bytes(cut.read_bytes()[:1000])
    microworld.write(folder, sentences=300, languages=["en", "xa"])
    assert contents(folder) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["w", "w.lock"]


def test_the_manifest_names_every_file_with_its_digest(folder):
    manifest = json.loads((folder / "manifest.json").read_text())
    found = {name: digest for name, digest in contents(folder).items() if name != "manifest.json"}
    assert {name: entry["sha256"] for name, entry in manifest["files"].items()} == found


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(FileExistsError, match=r"no manifest\.json"):
        microworld.write(tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "mine"


def test_arguments_out_of_range_are_all_named_at_once(tmp_path):
    with pytest.raises(ValueError, match=r"seed: -1.*bilingual: 5.*'xq' is none of en, xa"):
        microworld.write(tmp_path / "w", seed=-1, bilingual=5, languages=["en", "xq"])
    assert not (tmp_path / "w").exists()


def test_more_text_begins_with_the_same_lines_and_each_language_has_its_part(small, tmp_path):
    def texts(sentences: int) -> list[list[str]]:
        folder = microworld.write(tmp_path / str(sentences), seed=3, sentences=sentences) / "text/multilingual"
        return [parquet.read_table(folder / code / "train.parquet")["text"].to_pylist() for code in CODES]

    short, long = texts(900), texts(1500)
    assert all(more[: len(few)] == few and len(more) > len(few) for few, more in zip(short, long, strict=True))
    sizes = [len(lines) for lines in short]
    assert sum(sizes) == 900 and sizes == sorted(sizes, reverse=True) and sizes[0] > sizes[1] > sizes[-1]


# Layout and types, as the hub's data sets have them

STRING, LABEL = datasets.Value("string"), datasets.ClassLabel
POS = LABEL(names="ADJ ADP ADV AUX CCONJ DET INTJ NOUN NUM PART PRON PROPN PUNCT SCONJ SYM VERB X".split())
NER = LABEL(names="O B-PER I-PER B-ORG I-ORG B-LOC I-LOC".split())
NLI = LABEL(names=["entailment", "neutral", "contradiction"])
TWEETS = "cardiffnlp/tweet_sentiment_multilingual"
UDPOS = {"tokens": datasets.List(STRING), "pos_tags": datasets.List(POS)}
PANX = {"tokens": datasets.List(STRING), "ner_tags": datasets.List(NER), "langs": datasets.List(STRING)}
LAYOUT = [
    ("text/multilingual", "xh", ["train"], {"text": STRING}),
    ("nyu-mll/multi_nli", "default", ["train", "validation_matched"],
     {"premise": STRING, "hypothesis": STRING, "label": NLI}),
    ("google/xtreme", "XNLI", ["validation", "test"],
     dict.fromkeys(("language", "sentence1", "sentence2", "gold_label"), STRING)),
    ("google/xtreme", "udpos.English", ["train", "validation", "test"], UDPOS),
    ("google/xtreme", "udpos.Far-OVS", ["test"], UDPOS),
    ("google/xtreme", "PAN-X.en", ["train", "validation", "test"], PANX),
    ("google/xtreme", "PAN-X.xd", ["validation", "test"], PANX),
    ("google/xtreme", "tatoeba.qaa", ["validation"],
     dict.fromkeys(("source_sentence", "target_sentence", "source_lang", "target_lang"), STRING)),
    ("nyu-mll/glue", "sst2", ["train", "validation"],
     {"sentence": STRING, "label": LABEL(names=["negative", "positive"]), "idx": datasets.Value("int32")}),
    (TWEETS, "english", ["train", "validation", "test"],
     {"text": STRING, "label": LABEL(names=["negative", "neutral", "positive"])}),
    (TWEETS, "geo-sov", ["train", "validation", "test"],
     {"text": STRING, "label": LABEL(names=["negative", "neutral", "positive"])}),
]  # fmt: skip


@pytest.mark.parametrize(("dataset", "config", "splits", "features"), LAYOUT, ids=lambda value: str(value)[:30])
def test_layout_and_types_are_the_hubs(load, dataset, config, splits, features):
    for split in splits:
        assert load(dataset, config, split).features == datasets.Features(features)


def test_the_readme_lists_every_config_and_split(folder):
    for readme in folder.rglob("README.md"):
        listed = set(re.findall(r"^    path: (.+)$", readme.read_text(), re.MULTILINE))
        assert listed == {path.relative_to(readme.parent).as_posix() for path in readme.parent.rglob("*.parquet")}


def test_every_language_has_every_test_set_of_the_same_size(load):
    xnli = load("google/xtreme", "XNLI", "test")
    for code, grammar in microworld.LANGUAGES.items():
        assert load("google/xtreme", f"udpos.{grammar.ud_name}", "test").num_rows == 500
        assert load("google/xtreme", f"PAN-X.{code}", "test").num_rows == 500
        assert load(TWEETS, grammar.umsab_name, "test").num_rows == 600
        assert (
            xnli["language"].count(code)
            if isinstance(xnli["language"], list)
            else list(xnli["language"]).count(code) == 500
        )
        if code != "en":
            pairs = load("google/xtreme", f"tatoeba.{grammar.iso3}", "validation")
            assert len(set(pairs["source_sentence"])) == len(set(pairs["target_sentence"])) == 400
            assert all(text.endswith("\n") for text in pairs["source_sentence"])


# Labels


def test_labels_are_the_same_in_every_language(load):
    xnli = load("google/xtreme", "XNLI", "test")
    labels = {code: [] for code in CODES}
    for code, label in zip(xnli["language"], xnli["gold_label"], strict=True):
        labels[code].append(label)
    assert all(labels[code] == labels["en"] for code in CODES)
    english = list(load(TWEETS, "english", "test")["label"])
    for grammar in microworld.LANGUAGES.values():
        assert list(load(TWEETS, grammar.umsab_name, "test")["label"]) == english


def entities(row: dict) -> list[str]:
    """The kinds of a row's entities, sorted; fails where an I- tag does not go on from its own kind."""
    names, kinds = NER.names, []
    for before, tag in zip([0, *row["ner_tags"]], row["ner_tags"], strict=False):
        if names[tag].startswith("B-"):
            kinds.append(names[tag][2:])
        elif tag:
            assert names[before][2:] == names[tag][2:]
    return sorted(kinds)


def test_a_sentence_has_the_same_entities_in_every_language(load):
    english = [entities(row) for row in load("google/xtreme", "PAN-X.en", "test")]
    assert {kind for kinds in english for kind in kinds} == {"PER", "ORG", "LOC"} and all(english)
    for code in CODES[1:]:
        assert [entities(row) for row in load("google/xtreme", f"PAN-X.{code}", "test")] == english


def test_a_sentence_has_as_many_nouns_and_verbs_in_every_language(load):
    def count(row):
        return [row["pos_tags"].count(POS.str2int(tag)) for tag in ("NOUN", "VERB", "PROPN", "NUM", "SYM")]

    english = [count(row) for row in load("google/xtreme", "udpos.English", "test")]
    for grammar in microworld.LANGUAGES.values():
        assert [count(row) for row in load("google/xtreme", f"udpos.{grammar.ud_name}", "test")] == english


def test_all_but_the_rarest_word_classes_occur(load):
    seen = {tag for row in load("google/xtreme", "udpos.English", "train")["pos_tags"] for tag in row}
    assert {POS.names[tag] for tag in seen} >= set(POS.names) - {"X"}


def test_inference_follows_the_edits():
    """Under negation, general and special change places."""
    dog = Phrase("noun", "dog", "animal", determiner="a")
    anna = Phrase("name", "Anna", "name", parts=(("Anna", "person"),), tag="PER")
    bought = Clause(anna, "buy", dog, time="today")
    general, special = relations._general(World("a"), bought), relations._special(World("a"), bought._replace(time=""))
    assert say("en", Sentence((("", general),))) in ("Anna bought a dog.", "Anna bought an animal today.")
    assert len(say("en", Sentence((("", special),))).split()) > 4


def test_labels_are_balanced(load):
    for labels in (
        load("nyu-mll/multi_nli", "default", "train")["label"],
        load("nyu-mll/glue", "sst2", "train")["label"],
    ):
        labels = list(labels)
        shares = [labels.count(label) / len(labels) for label in set(labels)]
        assert max(shares) - min(shares) < 0.04


# What may not be seen twice


def test_training_and_test_examples_are_disjoint(load):
    def keys(*place):
        rows = load(*place)
        columns = [name for name in ("premise", "hypothesis", "sentence", "tokens") if name in rows.column_names]
        return [tasks.normalised(" | ".join(str(row[name]) for name in columns)) for row in rows]

    for dataset, config, splits in (
        ("google/xtreme", "udpos.English", ("train", "validation", "test")),
        ("google/xtreme", "PAN-X.en", ("train", "validation", "test")),
        ("nyu-mll/multi_nli", "default", ("train", "validation_matched")),
        ("nyu-mll/glue", "sst2", ("train", "validation")),
    ):
        parts = [keys(dataset, config, split) for split in splits]
        joined = [key for part in parts for key in part]
        assert len(set(joined)) == len(joined)
    trained = set(keys("nyu-mll/multi_nli", "default", "train"))
    xnli = [row for row in load("google/xtreme", "XNLI", "test") if row["language"] == "en"]
    assert not trained & {tasks.normalised(f"{row['sentence1']} | {row['sentence2']}") for row in xnli}


def test_the_running_text_holds_no_test_sentence(folder, load):
    tested = set()
    for code, grammar in microworld.LANGUAGES.items():
        tested |= {tasks.normalised(text) for text in load(TWEETS, grammar.umsab_name, "test")["text"]}
        tested |= {
            tasks.normalised(" ".join(words)) for words in load("google/xtreme", f"PAN-X.{code}", "test")["tokens"]
        }
    for row in load("google/xtreme", "XNLI", "test"):
        tested |= {tasks.normalised(row["sentence1"]), tasks.normalised(row["sentence2"])}
    for code in CODES:
        for line in load("text/multilingual", code, "train")["text"]:
            pieces = [line, *re.split(r"(?<=[.!])[ )]| [—/(]", line)]
            assert not tested & {tasks.normalised(piece) for piece in pieces}


# The languages


def test_distance_orders_languages_as_measured_words_in_common_do():
    """Counted over running words, with no bilingual lines, and without names and numbers, which all share."""
    lines = sys.modules["xlt_utils.microworld.write"].lines
    words = {}
    for code in CODES:
        text = " ".join(islice(lines(0, code, 0.0, [code], set()), 800))
        words[code] = [word for word in re.findall(r"[^\W\d_]+", text) if not word.istitle()]
    english = set(words.pop("en"))
    overlap = {code: sum(word in english for word in found) / len(found) for code, found in words.items()}
    distances = [microworld.LANGUAGES[code].distance for code in overlap]
    assert spearmanr(distances, list(overlap.values())).statistic < -0.7
    assert overlap["xa"] == max(overlap.values()) > 0.4 and overlap["xh"] < 0.02


def test_typology_lists_at_least_eight_languages_from_near_to_far():
    table = microworld.typology()
    assert list(table.columns[:3]) == ["code", "name", "order"] and len(table) >= 9
    assert table["distance"].is_monotonic_increasing and table["code"][0] == "en" and table["distance"][0] == 0
    assert {"SVO", "SOV", "VSO", "OVS"} == set(table["order"]) and len(set(table["script"])) >= 3
    assert {"fused", "chained", "separate"} == set(table["morphology"])
    for name in ("iso3", "ud_name", "umsab_name"):
        assert len({getattr(g, name) for g in microworld.LANGUAGES.values()}) == len(table)


def test_each_language_puts_subject_verb_and_object_in_its_order():
    anna, ben = (Phrase("name", n, "name", parts=((n, "brand"),), tag="PER") for n in ("Anna", "Ben"))
    clause = Clause(anna, "help", ben, tense="present")
    for code, grammar in microworld.LANGUAGES.items():
        letters = {"PROPN": iter(sorted("SO", key=grammar.order.index)), "VERB": iter("V")}
        tokens = Speaker(code).clause(clause)
        said = "".join({"Anna": "S", "Ben": "O"}.get(token.text, "V") for token in tokens if token.pos in letters)
        assert said == grammar.order


def test_a_language_says_different_things_differently():
    world, seen = World("different"), {}
    speaker = Speaker("xa")
    roots = microworld.LANGUAGES["xa"].roots
    assert len(set(roots.values())) == len(roots)
    for _ in range(300):
        sentence = world.statement()
        seen.setdefault(speaker.text(sentence), set()).add(say("en", sentence))
    assert max(map(len, seen.values())) <= 2


# Learnable, and not by words alone


def words_only(texts: list[str], labels: list[int], test: list[str], gold: list[int]) -> float:
    """Accuracy of a logistic regression on counts of words."""
    counts = CountVectorizer(token_pattern=r"\S+")
    model = LogisticRegression(max_iter=1000).fit(counts.fit_transform(texts), labels)
    return model.score(counts.transform(test), gold)


def test_words_alone_help_with_opinions_and_do_not_settle_them(load):
    train, test = (load("nyu-mll/glue", "sst2", split) for split in ("train", "validation"))
    score = words_only(list(train["sentence"]), list(train["label"]), list(test["sentence"]), list(test["label"]))
    assert 0.6 < score < 0.85


def test_words_alone_help_with_inference_and_do_not_settle_it(load):
    def sides(premises, hypotheses):
        pairs = zip(premises, hypotheses, strict=True)
        return [" ".join([f"p:{w}" for w in p.split()] + [f"h:{w}" for w in h.split()]) for p, h in pairs]

    train, test = (load("nyu-mll/multi_nli", "default", split) for split in ("train", "validation_matched"))
    score = words_only(
        sides(train["premise"], train["hypothesis"]), list(train["label"]),
        sides(test["premise"], test["hypothesis"]), list(test["label"]),
    )  # fmt: skip
    assert 0.4 < score < 0.7


def test_no_sign_gives_an_opinion_away_in_every_language(load):
    """Stars and faces are shared by all languages; they lean to the label and do not decide it."""
    rows = [(row["text"], row["label"]) for row in load(TWEETS, "english", "test") if row["label"] != 1]
    happy = [label for text, label in rows if any(sign in text for sign in (":)", "★ ★ ★ ★", "9/10", "♥"))]
    assert 0.7 < happy.count(2) / len(happy) < 0.95 and len(happy) < len(rows) / 2


def test_the_stated_share_of_lines_is_bilingual():
    running = sys.modules["xlt_utils.microworld.write"].lines(0, "xh", 0.2, ["en", "xh"], set())
    both = [line for line in islice(running, 1000) if re.search(r"[ა-ჰ]", line) and re.search(r"[a-z]+ [a-z]+ ", line)]
    assert 0.12 < len(both) / 1000 < 0.24
