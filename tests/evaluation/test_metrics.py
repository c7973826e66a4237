"""Scores on worked examples; nothing to score, or unequal lengths, are refused."""

import tracemalloc

import numpy as np
import pytest

from xlt_utils.evaluation import metrics


def test_accuracy_refuses_nothing_to_score():
    with pytest.raises(ValueError, match="empty"):
        metrics.accuracy([], [])
    with pytest.raises(ValueError, match="2 predictions for 1 labels"):
        metrics.accuracy([1], [1, 0])


def test_chunks_follow_the_roles_of_the_first_letter():
    assert metrics.find_chunks(["B-PER", "I-PER", "O", "I-LOC"]) == {("PER", 0, 1), ("LOC", 3, 3)}
    assert metrics.find_chunks(["B-PER", "B-PER"]) == {("PER", 0, 0), ("PER", 1, 1)}
    # Runs of equal part-of-speech tags are one span, but tags that begin with S stand alone.
    assert metrics.find_chunks(["NOUN", "NOUN", "SCONJ", "SCONJ"]) == {("NOUN", 0, 1), ("SCONJ", 2, 2), ("SCONJ", 3, 3)}


def test_chunk_scores_are_exact_on_a_worked_example():
    gold = [["B-PER", "I-PER", "O", "B-LOC"], ["O", "B-ORG"]]
    predicted = [["B-PER", "I-PER", "O", "O"], ["B-ORG", "B-ORG"]]
    scores = metrics.chunk_scores(gold, predicted)
    assert scores == pytest.approx({"precision": 2 / 3, "recall": 2 / 3, "f1": 2 / 3, "accuracy": 4 / 6})
    with pytest.raises(ValueError, match="sentence 1: 1 predicted tags for 2 words"):
        metrics.chunk_scores(gold, [predicted[0], ["O"]])


def test_retrieval_finds_the_nearest_by_angle_not_by_length():
    queries = np.array([[1.0, 0.0], [0.0, 2.0]])
    candidates = np.array([[0.1, 5.0], [3.0, 0.1]])
    assert metrics.nearest_candidates(queries, candidates).tolist() == [1, 0]


def test_retrieval_in_blocks_finds_the_same_and_holds_no_full_table(monkeypatch):
    rng = np.random.default_rng(0)
    queries, candidates = (rng.normal(size=(n, 16)).astype(np.float32) for n in (3_000, 2_000))
    whole = metrics.nearest_candidates(queries, candidates)
    monkeypatch.setattr(metrics, "SIMILARITY_BYTES", 2**20)
    tracemalloc.start()
    blocks = metrics.nearest_candidates(queries, candidates)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert blocks.tolist() == whole.tolist()
    assert peak < 3e6  # all similarities would take 24 MB


def test_a_main_score_of_two_names_is_their_mean():
    assert metrics.main_score("f1", {"f1": 0.4, "accuracy": 0.8}) == 0.4
    assert metrics.main_score("accuracy+f1", {"f1": 0.4, "accuracy": 0.8}) == pytest.approx(0.6)
    with pytest.raises(KeyError, match="exact_match"):
        metrics.main_score("exact_match+f1", {"f1": 0.4})


def test_binary_f1_is_that_of_the_positive_class():
    gold, predicted = [1, 1, 1, 0, 0, 0], [1, 0, 0, 1, 0, 0]
    assert metrics.binary_f1(gold, predicted) == pytest.approx(2 / 5)  # precision 1/2, recall 1/3
    assert metrics.binary_f1(gold, predicted, positive=0) == pytest.approx(4 / 7)
    assert metrics.binary_f1(gold, [0] * 6) == 0
    assert metrics.binary_f1(np.array(gold), np.array(gold)) == 1
    with pytest.raises(ValueError, match="empty"):
        metrics.binary_f1([], [])


# Gold answers, the answer predicted, its exact match and F1 under SQuAD's rules (None) or a language's of MLQA's.
ANSWERS = [
    (None, ["the Denver Broncos"], "Denver Broncos!", 1, 1),
    (None, ["Denver Broncos", "Broncos"], "the Broncos", 1, 1),  # the best gold answer counts
    (None, ["Denver Broncos"], "Carolina Panthers", 0, 0),
    (None, ["in the year 1999"], "1999", 0, 1 / 2),  # 1 of 1 words is right, 1 of 3 predicted
    (None, ["to be or not to be"], "to to to", 0, 4 / 9),  # a word counts as often as both sides have it
    (None, ["«Broncos»"], "Broncos", 0, 0),  # only ASCII's punctuation goes
    (None, ["der Hund"], "Hund", 0, 2 / 3),  # only English articles go
    (None, [""], "The  .", 1, 0),  # nothing is left of either: equal, but no word is shared
    (None, [], "", 1, 1),  # SQuAD 2.0: unanswerable
    (None, [], "Broncos", 0, 0),
    ("en", ["«Broncos»"], "the Broncos", 1, 1),
    ("de", ["der Hund"], "„einen Hund“", 1, 1),
    ("de", ["dem großen Hund"], "Hund", 0, 2 / 3),
    ("es", ["¿la Organización?"], "una organización", 1, 1),
    ("es", ["the dog"], "dog", 0, 2 / 3),  # an English article is a word in Spanish
    ("vi", ["những con mèo"], "con mèo", 1, 1),
    ("vi", ["chiếc xe của tôi"], "xe tôi", 1, 1),
    ("ar", ["الكتاب"], "كتاب،", 1, 1),
    ("ar", ["الكتاب الأزرق"], "كتاب", 0, 2 / 3),
    ("hi", ["the किताब।"], "किताब", 0, 2 / 3),
    ("zh", ["《毁灭战士3》"], "毁灭战士3", 1, 1),
    ("zh", ["毁灭战士3"], "战士", 0, 4 / 7),  # each character is a word, `3` is one too
    ("zh", ["Doom 3 游戏"], "doom游戏", 0, 6 / 7),  # what stands between characters is split at spaces
    ("sw", ["the mbwa"], "mbwa?", 0, 2 / 3),  # not one of MLQA's languages: no articles
]


@pytest.mark.parametrize(("language", "gold", "predicted", "exact", "f1"), ANSWERS)
def test_answers_are_compared_by_the_rules_of_their_language(language, gold, predicted, exact, f1):
    assert metrics.answer_scores([gold], [predicted], language) == pytest.approx({"exact_match": exact, "f1": f1})


def test_spans_are_means_over_questions_and_refuse_nothing_to_score():
    scores = metrics.answer_scores([["a dog"], ["a cat"], []], ["dog", "black cat", "cow"])
    assert scores == pytest.approx({"exact_match": 1 / 3, "f1": (1 + 2 / 3) / 3})
    with pytest.raises(ValueError, match="empty"):
        metrics.answer_scores([], [])
    with pytest.raises(ValueError, match="1 predictions for 2 labels"):
        metrics.answer_scores([["a"], ["b"]], ["a"])


@pytest.mark.parametrize("ties", [False, True])
def test_the_best_threshold_is_the_best_of_all_and_in_reach(ties):
    rng = np.random.default_rng(1)
    for _ in range(50):
        gold = [[] if rng.random() < 0.5 else [rng.choice(["red dog", "cat"])] for _ in range(12)]
        predicted = rng.choice(["red dog", "cat", "red", "cow"], size=12).tolist()
        margins = rng.integers(-3, 3, size=12).astype(float) if ties else rng.normal(size=12)
        best = metrics.best_answer_scores(gold, predicted, margins)
        everywhere = [
            metrics.answer_scores(gold, metrics.abstain(predicted, margins, at)) for at in [-np.inf, *margins]
        ]
        for name, key in (("best_exact", "exact_match"), ("best_f1", "f1")):
            reached = metrics.answer_scores(gold, metrics.abstain(predicted, margins, best[f"{name}_thresh"]))[key]
            assert reached == pytest.approx(best[name]) == pytest.approx(max(scores[key] for scores in everywhere))


def test_a_threshold_may_answer_all_or_nothing():
    assert metrics.find_threshold([0.5, -1.0], [1, 1], [0, 0]) == (0.5, 1.0)
    threshold, best = metrics.find_threshold([0.5, -1.0], [0, 0], [1, 1])
    assert best == 1 and threshold < -1
    assert metrics.abstain(["a", "b"], [0.5, -1.0], threshold) == ["", ""]


def test_mining_counts_pairs_once():
    gold = [("zh-1", "en-1"), ("zh-2", "en-2"), ("zh-3", "en-3")]
    predicted = [("zh-1", "en-1"), ("zh-1", "en-1"), ("zh-2", "en-3")]
    assert metrics.mining_scores(gold, predicted) == pytest.approx({"f1": 2 / 5, "precision": 1 / 2, "recall": 1 / 3})
    assert metrics.mining_scores(gold, []) == {"f1": 0, "precision": 0, "recall": 0}
    with pytest.raises(ValueError, match="empty"):
        metrics.mining_scores([], predicted)
