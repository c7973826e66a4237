"""The microworld: the same bytes for a seed, the hub's layout and types, labels that hold in every language,
nothing trained on that is tested on, and tasks that words alone do not solve."""

import hashlib
import json
import re
import sys
from collections import Counter
from itertools import islice
from pathlib import Path

import datasets
import pytest
from pyarrow import parquet
from scipy.stats import spearmanr
from sklearn.feature_extraction import DictVectorizer
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression

from xlt_utils import microworld
from xlt_utils.microworld import ccg, choices, examples, layout, lexicon, paraphrases, questions, relations, tasks
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
    few = {kind: tuple(min(count, 40) for count in counts) for kind, counts in microworld.COUNTS.items()}
    monkeypatch.setattr(examples, "COUNTS", few)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(small, tmp_path):
    seeds = {"one": 3, "again": 3, "other": 4}
    one, again, other = (
        contents(microworld.write(tmp_path / name, seed=seed, sentences=900)) for name, seed in seeds.items()
    )
    assert one == again
    assert all(other[name] != digest for name, digest in one.items() if name.endswith((".parquet", ".auto", ".gold")))


def test_three_languages_have_the_same_examples_as_nine(small, tmp_path):
    """What a language reads does not hang on who else speaks; only the text and Tatoeba, whose sentences differ in
    every language of the world, may."""
    nine = microworld.write(tmp_path / "nine", sentences=300)
    three = microworld.write(tmp_path / "three", sentences=300, languages=["en", "xa", "xh"])
    mixed = {"google/xtreme/XNLI/validation.parquet", "google/xtreme/XNLI/test.parquet"}
    mixed.add("google/xtreme/tydiqa/validation.parquet")
    digests, compared = contents(nine), 0
    for name, digest in contents(three).items():
        if name in mixed:
            rows = parquet.read_table(nine / name).to_pylist()
            fewer = parquet.read_table(three / name).to_pylist()
            assert fewer == [row for row in rows if row in fewer] and len(rows) == 3 * len(fewer)
        elif not name.startswith("text/") and "tatoeba" not in name and not name.endswith(("README.md", ".json")):
            assert digests[name] == digest, name
            compared += 1
    assert compared > 50


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
INT = datasets.Value("int32")
SPAN = {
    "context": STRING,
    "question": STRING,
    "answers": {"text": datasets.List(STRING), "answer_start": datasets.List(INT)},
}
SQUAD = {"id": STRING, "title": STRING, **SPAN}
PAWS = dict.fromkeys(("sentence1", "sentence2", "label"), STRING)
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
    ("stanfordnlp/snli", "plain_text", ["train", "validation"],
     {"premise": STRING, "hypothesis": STRING, "label": NLI}),
    ("facebook/anli", "plain_text", [f"{split}_r{i}" for split in ("train", "dev") for i in (1, 2, 3)],
     {"uid": STRING, "premise": STRING, "hypothesis": STRING, "label": NLI, "reason": STRING}),
    ("nyu-mll/glue", "qqp", ["train", "validation"],
     {"question1": STRING, "question2": STRING, "label": LABEL(names=["not_duplicate", "duplicate"]), "idx": INT}),
    ("rajpurkar/squad", "plain_text", ["train", "validation"], SQUAD),
    ("rajpurkar/squad_v2", "squad_v2", ["train", "validation"], SQUAD),
    ("google/xtreme", "PAWS-X.en", ["train", "validation", "test"], PAWS),
    ("google/xtreme", "PAWS-X.xh", ["validation", "test"], PAWS),
    ("google/xtreme", "XQuAD.xc", ["validation"], {"id": STRING, **SPAN}),
    ("google/xtreme", "MLQA.xe.xe", ["validation", "test"], SQUAD),
    ("google/xtreme", "tydiqa", ["train", "validation"], SQUAD),
    ("Rowan/hellaswag", "default", ["train", "validation"],
     {"ind": INT, "ctx": STRING, "endings": datasets.List(STRING), "label": STRING}),
    ("allenai/cosmos_qa", "default", ["train", "validation"],
     {"id": STRING, "context": STRING, "question": STRING, **{f"answer{i}": STRING for i in range(4)}, "label": INT}),
    ("tau/commonsense_qa", "default", ["train", "validation"],
     {"id": STRING, "question": STRING, "question_concept": STRING,
      "choices": {"label": datasets.List(STRING), "text": datasets.List(STRING)}, "answerKey": STRING}),
]  # fmt: skip


@pytest.mark.parametrize(("dataset", "config", "splits", "features"), LAYOUT, ids=lambda value: str(value)[:30])
def test_layout_and_types_are_the_hubs(load, dataset, config, splits, features):
    for split in splits:
        assert load(dataset, config, split).features == datasets.Features(features)


@pytest.mark.parametrize("kind", layout.COLUMNS)
def test_the_types_in_the_files_are_those_that_the_library_writes(kind):
    """The layout writes them without the library."""
    schema = layout.schema(kind)
    assert datasets.Features.from_arrow_schema(schema).arrow_schema.equals(schema, check_metadata=True)


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
        assert load("google/xtreme", f"PAWS-X.{code}", "test").num_rows == 400
        assert load("google/xtreme", f"XQuAD.{code}", "validation").num_rows == 240
        assert load("google/xtreme", f"MLQA.{code}.{code}", "test").num_rows == 240
        if code != "en":
            pairs = load("google/xtreme", f"tatoeba.{grammar.iso3}", "validation")
            assert len(set(pairs["source_sentence"])) == len(set(pairs["target_sentence"])) == 400
            assert all(text.endswith("\n") for text in pairs["source_sentence"])


# Labels


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
        load("nyu-mll/glue", "qqp", "train")["label"],
        load("google/xtreme", "PAWS-X.en", "train")["label"],
        [label for label in load("stanfordnlp/snli", "plain_text", "train")["label"] if label >= 0],
    ):
        labels = list(labels)
        shares = [labels.count(label) / len(labels) for label in set(labels)]
        assert max(shares) - min(shares) < 0.04


# Reading

READING = [
    ("rajpurkar/squad", "plain_text", "train"),
    ("rajpurkar/squad_v2", "squad_v2", "train"),
    ("google/xtreme", "tydiqa", "train"),
    ("google/xtreme", "tydiqa", "validation"),
    *(("google/xtreme", f"XQuAD.{code}", "validation") for code in CODES),
    *(("google/xtreme", f"MLQA.{code}.{code}", "test") for code in CODES),
]


@pytest.mark.parametrize("place", READING, ids=lambda place: "-".join(place))
def test_answers_stand_where_they_are_said_to_and_ids_are_unique(load, place):
    rows = load(*place).to_list()
    assert len({row["id"] for row in rows}) == len(rows)
    for row in rows:
        texts, starts = row["answers"]["text"], row["answers"]["answer_start"]
        assert len(texts) == len(starts) == 1 or (place[1] == "squad_v2" and not texts and not starts)
        for text, start in zip(texts, starts, strict=True):
            context = row["context"]
            assert text and context[start : start + len(text)] == text
            assert not context[:start][-1:].isalnum() and not context[start + len(text) :][:1].isalnum()


def test_every_language_answers_with_the_same_fact(load):
    """The sentence of the answer has the same place in the passage."""

    def sentences(row):
        return row["context"][: row["answers"]["answer_start"][0]].count(". ")

    english = [sentences(row) for row in load("google/xtreme", "MLQA.en.en", "test")]
    assert len(set(english)) == 7
    for code in CODES[1:]:
        assert [sentences(row) for row in load("google/xtreme", f"MLQA.{code}.{code}", "test")] == english


def test_tydiqas_ids_begin_with_the_languages_name(load):
    names = Counter(row.rsplit("-", 1)[0] for row in load("google/xtreme", "tydiqa", "validation")["id"])
    assert names == {grammar.ud_name.lower(): 300 for grammar in microworld.LANGUAGES.values()}


def test_about_half_of_squad_2_has_no_answer_and_its_words_do_not_tell(load):
    def features(row):
        said, asked = set(row["context"].split()), set(row["question"].split())
        return {f"asked {word}": 1 for word in asked} | {f"both {word}": 1 for word in asked & said}

    train, test = (load("rajpurkar/squad_v2", "squad_v2", split).to_list() for split in ("train", "validation"))
    has = [[bool(row["answers"]["text"]) for row in rows] for rows in (train, test)]
    assert 0.45 < sum(has[0]) / len(has[0]) < 0.55
    turn = DictVectorizer()
    model = LogisticRegression(max_iter=300).fit(turn.fit_transform(map(features, train)), has[0])
    assert model.score(turn.transform(map(features, test)), has[1]) < 0.68


def test_one_fact_answers_a_question_or_none_although_its_words_are_there():
    world, asked = World("asked"), 0
    for _ in range(200):
        passage = questions.passage(world, facts=5, questions=4, unanswerable=0.5)
        said = " ".join(say("en", sentence) for sentence in passage.sentences()).lower()
        for question in passage.questions:
            answering = [i for i, fact in enumerate(passage.facts) if question.fits(fact)]
            assert answering == ([] if question.fact is None else [question.fact])
            if question.known.subject and question.asked != "subject":
                assert say("en", Sentence((("", Clause(question.known.subject, "run")),))).lower()[:-5] in said
            asked += 1
    assert asked == 800


def test_a_question_asks_in_the_words_of_its_language():
    anna, ben = (Phrase("name", n, "name", parts=((n, "brand"),), tag="PER") for n in ("Anna", "Ben"))
    car = Phrase("noun", "car", "vehicle", True, number="three")
    friday = Phrase("name", "Friday", "day", parts=(("Friday", "day"),))
    fact = questions.Fact(anna, "give", car, goal=ben, time=friday)
    asked = {
        slot: say("en", questions.Question(fact, slot).sentence()) for slot in ("subject", "object", "goal", "time")
    }
    assert asked == {
        "subject": "Who gave three cars to Ben on Friday?",
        "object": "What did Anna give to Ben on Friday?",
        "goal": "Who did Anna give three cars to on Friday?",
        "time": "When did Anna give three cars to Ben?",
    }
    assert say("en", questions.Question(fact, "number").sentence()) == "How many cars did Anna give to Ben on Friday?"
    for code, grammar in microworld.LANGUAGES.items():
        if code != "en":
            first = say(code, questions.Question(fact, "time").sentence()).lower().split()[0]
            assert (first == grammar.written(grammar.roots["when"])) == (grammar.order in ("SVO", "VSO"))


# Paraphrase and choice


def test_pairs_mean_the_same_or_not_in_the_same_words():
    """Saying a pair in its least order shows whether it is one meaning."""

    def clauses(sentence):
        if "because" in (links := [link for link, _ in sentence.clauses]) or "when" in links:
            return dict(sentence.clauses)
        found = []
        for _, clause in sentence.clauses:
            if clause.verb == "sell" and clause.obliques and clause.obliques[0][0] == "to":
                clause = paraphrases.traded(clause)
            if clause.subject.companion:
                both = clause.subject._replace(companion=None), clause.subject.companion
                one, two = sorted(both, key=str)
                clause = clause._replace(subject=one._replace(companion=two))
            found.append(clause)
        return sorted(found, key=str)

    world, same_words = World("pairs"), 0
    for _ in range(500):
        pair = paraphrases.pair(world)
        assert (clauses(pair.first) == clauses(pair.second)) == (pair.label == 1)
        words = [sorted(say("en", sentence).lower().replace(",", "").rstrip(".").split()) for sentence in pair[:2]]
        same_words += words[0] == words[1]
    assert same_words > 300


def test_words_alone_do_not_settle_paraphrase(load):
    def features(first, second):
        first, second = set(first.split()), set(second.split())
        return {f"both {w}": 1 for w in first & second} | {f"one {w}": 1 for w in first ^ second} | {
            "share": 3 * len(first & second) / len(first | second)}  # fmt: skip

    for place, columns, splits in (
        (("google/xtreme", "PAWS-X.en"), ("sentence1", "sentence2"), ("train", "test")),
        (("nyu-mll/glue", "qqp"), ("question1", "question2"), ("train", "validation")),
    ):
        train, test = ([features(*(row[name] for name in columns)) for row in load(*place, split)] for split in splits)
        labels, gold = (list(load(*place, split)["label"]) for split in splits)
        turn = DictVectorizer()
        model = LogisticRegression(max_iter=300).fit(turn.fit_transform(train), labels)
        assert model.score(turn.transform(test), gold) < 0.85


def chosen(load, dataset: str, split: str) -> list[tuple[list[str], int]]:
    """The options and the right one's number."""
    found = []
    for row in load(dataset, "default", split).to_list():
        if "endings" in row:
            found.append((row["endings"], int(row["label"])))
        elif "choices" in row:
            assert row["choices"]["label"] == list("ABCDE")
            found.append((row["choices"]["text"], "ABCDE".index(row["answerKey"])))
        else:
            found.append(([row[f"answer{i}"] for i in range(4)], row["label"]))
    return found


CHOICES = {"Rowan/hellaswag": 4, "allenai/cosmos_qa": 4, "tau/commonsense_qa": 5}


@pytest.mark.parametrize(("dataset", "options"), CHOICES.items())
def test_neither_place_nor_length_nor_the_option_alone_tells_the_right_one(load, dataset, options):
    train, test = (chosen(load, dataset, split) for split in ("train", "validation"))
    assert all(len(set(texts)) == options for texts, _ in train + test)
    places = Counter(label for _, label in train)
    assert all(abs(places[place] / len(train) - 1 / options) < 0.02 for place in range(options))
    lengths = [(len(texts[label]), sum(map(len, texts)) / options) for texts, label in train]
    right, mean = (sum(part) / len(train) for part in zip(*lengths, strict=True))
    assert abs(right - mean) < 0.06 * mean
    turn = DictVectorizer()

    def features(rows):
        return [dict.fromkeys(text.split(), 1) for texts, _ in rows for text in texts]

    said = [i == label for texts, label in train for i in range(len(texts))]
    model = LogisticRegression(max_iter=300).fit(turn.fit_transform(features(train)), said)
    scores = model.decision_function(turn.transform(features(test))).reshape(-1, options)
    hits = scores.argmax(1) == [label for _, label in test]
    assert hits.mean() < 1 / options + 0.2


def test_the_one_who_has_a_thing_uses_it():
    """Who has what is worked out from the story as it is read."""
    world = World("who has what")
    for _ in range(300):
        choice, has = choices.ending(world), {}
        for sentence in choice.context:
            clause = sentence.clauses[0][1]
            if clause.verb in ("buy", "find") and not clause.negated:
                has[clause.object.head] = clause.subject.head
            elif clause.obliques:
                assert has[clause.object.head] == clause.subject.head
                has[clause.object.head] = clause.obliques[0][1].head
        owners = [has.get(option.rstrip(".").split()[-1]) for option in choice.options]
        assert [i for i, owner in enumerate(owners) if owner == choice.question] == [choice.label]


def test_stories_have_one_right_answer():
    """True of the story and of the kind that has the effect; the effect of what that person did; the last city."""
    world, seen = World("stories"), Counter()
    for _ in range(300):
        choice = choices.story(world)
        told, kind = choice.told(choices.ENGLISH), choice.question.split()[0]
        clauses = [sentence.clauses[0][1] for sentence in choice.context]
        if kind == "Why":
            effect = choice.question.rstrip("?").split()[-1]
            right = [
                option in told and any(f" {lexicon.PAST.get(deed, deed)}" in option for deed in choices.EFFECTS
                                       if choices.EFFECTS[deed] == effect)
                for option in choice.options
            ]  # fmt: skip
        elif kind == "What":
            effects = {say("en", Sentence((("", choices._effect(c.subject, c.verb)),))) for c in clauses}
            right = [option in effects for option in choice.options]
        else:
            person = choice.question.split()[2]
            last = [c.obliques[0][1].head for c in clauses if c.subject.head == person][-1]
            right = [last in option for option in choice.options]
        assert [i for i, is_right in enumerate(right) if is_right] == [choice.label], choice
        seen[kind] += 1
    assert set(seen) == {"Why", "What", "Where"} and min(seen.values()) > 60


def test_one_thing_fits_both_verbs():
    world = World("things")
    takes = {verb.lemma: verb.objects for verb in [*lexicon.TRANSITIVE, *lexicon.GIVING]}
    kinds = {noun: kind for kind, nouns in lexicon.NOUNS.items() for noun in nouns}
    for _ in range(300):
        choice = choices.fitting(world)
        one, link, two = re.search(r"What can \w+ (\w+) (and|but not) (\w+)", choice.question).groups()
        fits = [
            kinds[option] in takes[one] and (kinds[option] in takes[two]) == (link == "and")
            for option in choice.options
        ]
        assert [i for i, is_right in enumerate(fits) if is_right] == [choice.label] and choice.concept == one


# Supertags


def brackets(line: str):
    """A derivation as (node, children); leaves have none."""
    tokens = re.findall(r"\(?<[^>]*>\)?|\)", line)

    def node(at: int):
        head = tokens[at]
        if head.startswith("(<L"):
            assert head.endswith(")")
            return (head[2:-2].split(), []), at + 1
        assert head.startswith("(<T")
        at, children = at + 1, []
        while tokens[at] != ")":
            child, at = node(at)
            children.append(child)
        return (head[2:-1].split(), children), at + 1

    tree, end = node(0)
    assert end == len(tokens)
    return tree


def leaves(tree) -> list[list[str]]:
    (head, children) = tree
    return [head] if not children else [leaf for child in children for leaf in leaves(child)]


def check(tree) -> str:
    """The category of a tree, whose children the grammar joins to it."""
    (kind, category, *rest), children = tree
    if kind == "L":
        assert rest[0] == rest[1] and rest[3] == category
        return category
    found = [check(child) for child in children]
    assert int(rest[1]) == len(found) and int(rest[0]) < len(found)
    if len(found) == 1:
        assert (found[0], category) in {("N", "NP"), ("NP", r"S/(S\NP)")}
    else:
        assert ccg.joint(*found)[0] == category
    return category


def test_derivations_parse_and_their_leaves_are_the_words(folder):
    world, tagged = World("derivations"), {}
    for section, count in (("02", 4000), ("00", 300), ("23", 400)):
        lines = (folder / f"ccgbank/data/AUTO/{section}/wsj_{section}00.auto").read_text().splitlines()
        assert lines[::2] == [f"ID=wsj_{section}00.{i} PARSER=GOLD NUMPARSE=1" for i in range(1, count + 1)]
        for line in lines[1::2]:
            tree = brackets(line)
            words = leaves(tree)
            assert check(tree) == "S[dcl]" and words[-1][4] == "." and len(words) > 2
            for _, category, *_, word, _ in words:
                tagged.setdefault(word, Counter())[category] += 1
    tree = ccg.sentence(world)
    assert [leaf[4] for leaf in leaves(brackets(ccg.written(tree)))] == ccg.words(tree)
    assert len(tagged["that"]) == 4 and len(tagged["in"]) == 3 and len(tagged["ate"]) == 2
    counts = [sum(tags.values()) for tags in tagged.values()]
    commonest = [max(tags.values()) for tags in tagged.values()]
    assert 0.8 < sum(commonest) / sum(counts) < 0.93


def test_what_no_rule_joins_is_an_error():
    with pytest.raises(ValueError, match=r"no rule joins NP\[nb\]/N \(\['the'\]\) and NP/N \(\['a'\]\)"):
        ccg.join(ccg.leaf("NP[nb]/N", "DT", "the"), ccg.leaf("NP/N", "DT", "a"))


# Mining


@pytest.mark.parametrize("split", ["dev", "test"])
def test_gold_pairs_are_translations_and_no_other_sentences_are(folder, split, monkeypatch):
    """Said again from the meanings, in all languages; the English side is one for all."""
    meanings = []

    class Remembering(tasks.Drawn):
        def fresh(self, *arguments):
            for meaning in super().fresh(*arguments):
                meanings.append(meaning)
                yield meaning

    class Nowhere:
        def save_lines(self, *_):
            pass

    monkeypatch.setattr(tasks, "Drawn", Remembering)
    examples.mining(examples.Making(Nowhere(), 3, ["en", "xa"]))
    english = {say("en", meaning): meaning for meaning in meanings}
    sides = set()
    for code in CODES[1:]:
        read = {
            side: dict(
                line.split("\t") for line in (folder / f"bucc2018/{code}-en.{split}.{side}").read_text().splitlines()
            )
            for side in (code, "en", "gold")
        }
        for side in (code, "en"):
            assert list(read[side]) == [f"{side}-{i:09d}" for i in range(1, len(read[side]) + 1)]
            assert len(set(map(tasks.normalised, read[side].values()))) == len(read[side]) > 390
        sides.add(tuple(read["en"].values()))
        speaker = Speaker(code)
        translations = {speaker.text(english[text]): name for name, text in read["en"].items()}
        assert {n: translations[t] for n, t in read[code].items() if t in translations} == read["gold"]
        assert 0.22 < len(read["gold"]) / len(read[code]) < 0.28
    assert len(sides) == 1


# What may not be seen twice


def test_training_and_test_examples_are_disjoint(load):
    def keys(*place):
        rows = load(*place)
        columns = "premise hypothesis sentence tokens sentence1 sentence2 question1 question2 question choices".split()
        columns = [name for name in columns if name in rows.column_names]
        return [tasks.normalised(" | ".join(str(row[name]) for name in columns)) for row in rows]

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
    assert not trained & {tasks.normalised(f"{row['sentence1']} | {row['sentence2']}") for row in xnli}


def test_the_running_text_holds_no_test_sentence(folder, load):
    tested = set()
    for code, grammar in microworld.LANGUAGES.items():
        tested |= {tasks.normalised(text) for text in load(TWEETS, grammar.umsab_name, "test")["text"]}
        tested |= {
            tasks.normalised(" ".join(words)) for words in load("google/xtreme", f"PAN-X.{code}", "test")["tokens"]
        }
    sentences = [text for row in load("google/xtreme", "XNLI", "test") for text in (row["sentence1"], row["sentence2"])]
    for file in [*folder.glob("bucc2018/*.??"), *folder.glob("bucc2018/*.en")]:
        sentences += [line.split("\t")[1] for line in file.read_text().splitlines()]
    columns = "context question sentence1 sentence2 premise question1 question2 answer0".split()
    for path in folder.rglob("*.parquet"):
        if path.stem.startswith("train"):
            continue
        for row in parquet.read_table(path).to_pylist():
            for name in columns:
                sentences += [row[name], *re.split(r"(?<=\.) ", row[name])] if name in row else []
    for section in ("00", "23"):
        for line in (folder / f"ccgbank/data/AUTO/{section}/wsj_{section}00.auto").read_text().splitlines()[1::2]:
            sentences.append(" ".join(leaf[4] for leaf in leaves(brackets(line))))
    assert len(sentences) > 30_000
    tested |= {"".join(filter(str.isalnum, sentence.lower())) for sentence in sentences}
    for code in CODES:
        for line in load("text/multilingual", code, "train")["text"]:
            pieces = [line, *re.split(r"(?<=[.!?])[ )]| [—/(]", line)]
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
