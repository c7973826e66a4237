"""The hub's layout: the same columns and types as on the hub, and every set in every language."""

import re

import datasets
import pytest
from small_world import TWEETS

from xlt_utils import microworld
from xlt_utils.microworld import layout

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
    arrow_schema = layout.arrow_schema(kind)
    assert datasets.Features.from_arrow_schema(arrow_schema).arrow_schema.equals(arrow_schema, check_metadata=True)


def test_the_readme_lists_every_config_and_split(mirror):
    for readme in mirror.rglob("README.md"):
        listed = set(re.findall(r"^    path: (.+)$", readme.read_text(), re.MULTILINE))
        assert listed == {path.relative_to(readme.parent).as_posix() for path in readme.parent.rglob("*.parquet")}


def test_every_language_has_every_test_set_of_the_same_size(load):
    xnli = load("google/xtreme", "XNLI", "test")
    for code, grammar in microworld.LANGUAGES.items():
        assert load("google/xtreme", f"udpos.{grammar.ud_name}", "test").num_rows == 500
        assert load("google/xtreme", f"PAN-X.{code}", "test").num_rows == 500
        assert load(TWEETS, grammar.umsab_name, "test").num_rows == 600
        assert list(xnli["language"]).count(code) == 500
        assert load("google/xtreme", f"PAWS-X.{code}", "test").num_rows == 400
        assert load("google/xtreme", f"XQuAD.{code}", "validation").num_rows == 240
        assert load("google/xtreme", f"MLQA.{code}.{code}", "test").num_rows == 240
        if code != "en":
            pairs = load("google/xtreme", f"tatoeba.{grammar.iso3}", "validation")
            assert len(set(pairs["source_sentence"])) == len(set(pairs["target_sentence"])) == 400
            assert all(text.endswith("\n") for text in pairs["source_sentence"])
