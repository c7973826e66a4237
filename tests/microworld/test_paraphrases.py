"""Paraphrase pairs: the label is right, and words alone do not settle it."""

from sklearn.feature_extraction import DictVectorizer
from sklearn.linear_model import LogisticRegression
from small_world import say

from xlt_utils.microworld import paraphrases
from xlt_utils.microworld.meanings import World


def test_pairs_mean_the_same_or_not_in_the_same_words():
    """Two sentences mean the same if their clauses are equal in a normal form: sorted, every trade as buying."""

    def clauses(sentence):
        if "because" in (links := [link for link, _ in sentence.clauses]) or "when" in links:
            return dict(sentence.clauses)
        normalised = []
        for _, clause in sentence.clauses:
            if clause.verb == "sell" and clause.obliques and clause.obliques[0][0] == "to":
                clause = paraphrases.converse_trade(clause)
            if clause.subject.companion:
                people = clause.subject._replace(companion=None), clause.subject.companion
                first, second = sorted(people, key=str)
                clause = clause._replace(subject=first._replace(companion=second))
            normalised.append(clause)
        return sorted(normalised, key=str)

    world, same_words = World("pairs"), 0
    for _ in range(500):
        pair = paraphrases.draw_paraphrase(world)
        assert (clauses(pair.first) == clauses(pair.second)) == (pair.label == 1)
        words = [sorted(say("en", sentence).lower().replace(",", "").rstrip(".").split()) for sentence in pair[:2]]
        same_words += words[0] == words[1]
    assert same_words > 300


def test_words_alone_do_not_settle_paraphrase(load):
    def features(first, second):
        first, second = set(first.split()), set(second.split())
        return {f"both {w}": 1 for w in first & second} | {f"either {w}": 1 for w in first ^ second} | {
            "share": 3 * len(first & second) / len(first | second)}  # fmt: skip

    for place, columns, splits in (
        (("google/xtreme", "PAWS-X.en"), ("sentence1", "sentence2"), ("train", "test")),
        (("nyu-mll/glue", "qqp"), ("question1", "question2"), ("train", "validation")),
    ):
        train, test = ([features(*(row[name] for name in columns)) for row in load(*place, split)] for split in splits)
        labels, gold = (list(load(*place, split)["label"]) for split in splits)
        vectors = DictVectorizer()
        model = LogisticRegression(max_iter=300).fit(vectors.fit_transform(train), labels)
        assert model.score(vectors.transform(test), gold) < 0.85
