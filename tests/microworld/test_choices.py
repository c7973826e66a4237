"""Multiple choice: one option is right, and neither its place nor its length nor its words give it away."""

import re
from collections import Counter

import pytest
from sklearn.feature_extraction import DictVectorizer
from sklearn.linear_model import LogisticRegression
from small_world import say

from xlt_utils.microworld import choices, lexicon
from xlt_utils.microworld.meanings import Sentence, World

CHOICES = {"Rowan/hellaswag": 4, "allenai/cosmos_qa": 4, "tau/commonsense_qa": 5}


def chosen(load, dataset: str, split: str) -> list[tuple[list[str], int]]:
    """The options of each row and the number of the right one."""
    rows = []
    for row in load(dataset, "default", split).to_list():
        if "endings" in row:
            rows.append((row["endings"], int(row["label"])))
        elif "choices" in row:
            assert row["choices"]["label"] == list("ABCDE")
            rows.append((row["choices"]["text"], "ABCDE".index(row["answerKey"])))
        else:
            rows.append(([row[f"answer{i}"] for i in range(4)], row["label"]))
    return rows


@pytest.mark.parametrize(("dataset", "options"), CHOICES.items())
def test_neither_place_nor_length_nor_the_option_alone_tells_the_right_one(load, dataset, options):
    train, test = (chosen(load, dataset, split) for split in ("train", "validation"))
    assert all(len(set(texts)) == options for texts, _ in train + test)
    places = Counter(label for _, label in train)
    assert all(abs(places[place] / len(train) - 1 / options) < 0.02 for place in range(options))
    lengths = [(len(texts[label]), sum(map(len, texts)) / options) for texts, label in train]
    right, mean = (sum(part) / len(train) for part in zip(*lengths, strict=True))
    assert abs(right - mean) < 0.06 * mean
    vectors = DictVectorizer()

    def features(rows):
        return [dict.fromkeys(text.split(), 1) for texts, _ in rows for text in texts]

    is_right = [i == label for texts, label in train for i in range(len(texts))]
    model = LogisticRegression(max_iter=300).fit(vectors.fit_transform(features(train)), is_right)
    scores = model.decision_function(vectors.transform(features(test))).reshape(-1, options)
    hits = scores.argmax(1) == [label for _, label in test]
    assert hits.mean() < 1 / options + 0.2


def test_the_one_who_has_a_thing_uses_it():
    """The test follows in the story who has what."""
    world = World("who has what")
    for _ in range(300):
        choice, has = choices.draw_ending(world), {}
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
    """Why: a deed in the story with that effect. What then: the effect of a deed on the person who did it. Where: the
    last city."""
    world, seen = World("stories"), Counter()
    for _ in range(300):
        choice = choices.draw_story(world)
        story, kind = " ".join(say("en", sentence) for sentence in choice.context), choice.question.split()[0]
        clauses = [sentence.clauses[0][1] for sentence in choice.context]
        if kind == "Why":
            effect = choice.question.rstrip("?").split()[-1]
            right = [
                option in story and any(f" {lexicon.PAST.get(deed, deed)}" in option for deed in choices.EFFECTS
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
        choice = choices.draw_fitting(world)
        first, link, second = re.search(r"What can \w+ (\w+) (and|but not) (\w+)", choice.question).groups()
        fits = [
            kinds[option] in takes[first] and (kinds[option] in takes[second]) == (link == "and")
            for option in choice.options
        ]
        assert [i for i, is_right in enumerate(fits) if is_right] == [choice.label] and choice.concept == first
