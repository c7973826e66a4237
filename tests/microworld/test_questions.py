"""Reading: answers stand where their spans say, and one fact answers a question or none."""

from collections import Counter

import pytest
from sklearn.feature_extraction import DictVectorizer
from sklearn.linear_model import LogisticRegression
from small_world import CODES, say

from xlt_utils import microworld
from xlt_utils.microworld import questions
from xlt_utils.microworld.meanings import Clause, Phrase, Sentence, World

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
        context, question = set(row["context"].split()), set(row["question"].split())
        return {f"question {word}": 1 for word in question} | {f"both {word}": 1 for word in question & context}

    train, test = (load("rajpurkar/squad_v2", "squad_v2", split).to_list() for split in ("train", "validation"))
    has = [[bool(row["answers"]["text"]) for row in rows] for rows in (train, test)]
    assert 0.45 < sum(has[0]) / len(has[0]) < 0.55
    vectors = DictVectorizer()
    model = LogisticRegression(max_iter=300).fit(vectors.fit_transform(map(features, train)), has[0])
    assert model.score(vectors.transform(map(features, test)), has[1]) < 0.68


def test_one_fact_answers_a_question_or_none_although_its_words_are_there():
    world, count = World("asked"), 0
    for _ in range(200):
        passage = questions.draw_passage(world, facts=5, questions=4, unanswerable=0.5)
        text = " ".join(say("en", sentence) for sentence in passage.sentences()).lower()
        for question in passage.questions:
            answering = [i for i, fact in enumerate(passage.facts) if question.fits(fact)]
            assert answering == ([] if question.fact is None else [question.fact])
            if question.content.subject and question.slot != "subject":
                assert say("en", Sentence((("", Clause(question.content.subject, "run")),))).lower()[:-5] in text
            count += 1
    assert count == 800


def test_a_question_asks_in_the_words_of_its_language():
    anna, ben = (Phrase("name", n, "name", parts=((n, "brand"),), tag="PER") for n in ("Anna", "Ben"))
    car = Phrase("noun", "car", "vehicle", True, number="three")
    friday = Phrase("name", "Friday", "day", parts=(("Friday", "day"),))
    fact = questions.Fact(anna, "give", car, goal=ben, time=friday)
    sentences = {
        slot: say("en", questions.Question(fact, slot).sentence()) for slot in ("subject", "object", "goal", "time")
    }
    assert sentences == {
        "subject": "Who gave three cars to Ben on Friday?",
        "object": "What did Anna give to Ben on Friday?",
        "goal": "Who did Anna give three cars to on Friday?",
        "time": "When did Anna give three cars to Ben?",
    }
    assert say("en", questions.Question(fact, "number").sentence()) == "How many cars did Anna give to Ben on Friday?"
    for code, grammar in microworld.LANGUAGES.items():
        if code != "en":
            first = say(code, questions.Question(fact, "time").sentence()).lower().split()[0]
            assert (first == grammar.in_script(grammar.roots["when"])) == (grammar.order in ("SVO", "VSO"))
