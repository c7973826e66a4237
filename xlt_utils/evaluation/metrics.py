"""Scores of predictions against gold labels, as the XTREME leaderboard computes them. In go the labels of one language,
out come named scores between 0 and 1."""

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence, Sized

import numpy as np
from numpy.typing import ArrayLike

SIMILARITY_BYTES = 2**26  # in memory at a time

# The articles that are removed from answers before they are compared (mlqa_evaluation_v1.py). Arabic's article is part
# of its word; the script's other Arabic pattern, `\sال^`, never matches.
ARTICLES = {
    "ar": re.compile("ال"),
    "de": re.compile(r"\b(ein|eine|einen|einem|eines|einer|der|die|das|den|dem|des)\b"),
    "en": re.compile(r"\b(a|an|the)\b"),
    "es": re.compile(r"\b(un|una|unos|unas|el|la|los|las)\b"),
    "vi": re.compile(r"\b(của|là|cái|chiếc|những)\b"),
}
# Where each character is a word; elsewhere, and between such characters, words end at white space.
CHARACTER_WORDS = {"zh": re.compile("([\u4e00-\u9fa5])")}


def main_score(metric: str, scores: Mapping[str, float]) -> float:
    """A task's main score from its named scores: `a+b` is the mean of both. Raises KeyError where one is missing."""
    names = metric.split("+")
    return sum(scores[name] for name in names) / len(names)


def accuracy(gold: Sequence, predicted: Sequence) -> float:
    """The share of predictions that equal the gold label. Raises ValueError on unequal lengths and on nothing to score:
    a missing test set is not a score of 0."""
    _check_lengths(gold, predicted)
    return float(np.mean([g == p for g, p in zip(gold, predicted, strict=True)]))


def binary_f1(gold: Sequence[int], predicted: Sequence[int], positive: int = 1) -> float:
    """The F1 of the positive class, as GLUE scores QQP (duplicates); 0 where nothing is predicted positive. Raises
    ValueError as accuracy does."""
    _check_lengths(gold, predicted)
    is_gold, is_predicted = np.asarray(gold) == positive, np.asarray(predicted) == positive
    return _f1(int((is_gold & is_predicted).sum()), int(is_predicted.sum()), int(is_gold.sum()))["f1"]


def find_chunks(tags: Sequence[str]) -> set[tuple[str, int, int]]:
    """The (type, first, last) spans of one tag sequence under the rules of seqeval 0.0.12, which XTREME scores with
    (its get_entities with start_of_chunk and end_of_chunk).

    A tag's first letter is its role (B, I, E, S, O), what follows the last hyphen is its type. The same rules apply to
    plain part-of-speech tags: `SCONJ` and `SYM` begin with S and are spans of one word each, `INTJ` begins with I,
    every other run of equal tags is one span.
    """
    spans, start = set(), 0
    before_role, before_type = "O", ""
    for place, tag in enumerate([*tags, "O"]):
        role, kind = tag[0], tag.split("-")[-1]
        changes = before_type != kind
        ends = before_role in "ES" or (before_role in "BI" and role in "BSO") or (before_role not in "O." and changes)
        begins = role in "BS" or (before_role in "ESO" and role in "EI") or (role not in "O." and changes)
        if ends:
            spans.add((before_type, start, place - 1))
        if begins:
            start = place
        before_role, before_type = role, kind
    return spans


def chunk_scores(gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> dict[str, float]:
    """Micro-averaged precision, recall and F1 of the spans, and the accuracy of the tags, over sentences. Raises
    ValueError where a prediction does not have one tag a word."""
    correct, predictions, golds = chunk_counts(gold, predicted).sum(axis=0).tolist()
    by_word = accuracy([tag for tags in gold for tag in tags], [tag for tags in predicted for tag in tags])
    return _f1(correct, predictions, golds) | {"accuracy": by_word}


def chunk_counts(gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> np.ndarray:
    """Of each sentence (sentences, 3) the correct, the predicted and the gold spans. Raises as `chunk_scores`."""
    counts = np.zeros((len(gold), 3), dtype=int)
    for number, (gold_tags, predicted_tags) in enumerate(zip(gold, predicted, strict=True)):
        if len(gold_tags) != len(predicted_tags):
            raise ValueError(f"sentence {number}: {len(predicted_tags)} predicted tags for {len(gold_tags)} words")
        gold_spans, predicted_spans = find_chunks(gold_tags), find_chunks(predicted_tags)
        counts[number] = len(gold_spans & predicted_spans), len(predicted_spans), len(gold_spans)
    return counts


def answer_scores_by_question(
    gold: Sequence[Sequence[str]], predicted: Sequence[str], language: str | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Exact match and F1 of each question, the best over its gold answers.

    No word in common is an F1 of 0 even where both sides are empty, as in both scripts named below.

    Args:
        gold: the gold answers of each question; none: SQuAD 2.0's unanswerable question, where only "" is right.
        predicted: one answer a question.
        language: None: the rules of SQuAD 1.1 (evaluate-v1.1.py); else those of MLQA for it (mlqa_evaluation_v1.py),
            which know no articles, and words between spaces, for a language that they do not list.

    Returns:
        Two arrays `(questions,)` of 0..1.

    Raises:
        ValueError: unequal lengths, or nothing to score.
    """
    _check_lengths(gold, predicted)
    scores = np.zeros((2, len(gold)))
    for place, (answers, text) in enumerate(zip(gold, predicted, strict=True)):
        predicted_words = _words(text, language)
        gold_words = [_words(answer, language) for answer in answers]
        scores[0, place] = predicted_words in (gold_words or [[]])
        overlaps = (_overlap(words, predicted_words) for words in gold_words)
        scores[1, place] = max(overlaps, default=float(not predicted_words))
    return scores[0], scores[1]


def answer_scores(
    gold: Sequence[Sequence[str]], predicted: Sequence[str], language: str | None = None
) -> dict[str, float]:
    """`exact_match` and `f1` over all questions; see answer_scores_by_question for the rules and the arguments."""
    exact, f1 = answer_scores_by_question(gold, predicted, language)
    return {"exact_match": float(exact.mean()), "f1": float(f1.mean())}


def best_answer_scores(
    gold: Sequence[Sequence[str]], predicted: Sequence[str], margins: Sequence[float]
) -> dict[str, float]:
    """SQuAD 2.0's best_exact and best_f1, and the thresholds that reach them (evaluate-v2.0.py).

    Args:
        gold: the gold answers of each question, none where it is unanswerable.
        predicted: the best span of each question.
        margins: the score of no answer minus that of the span; above the threshold a question is left unanswered.

    Raises:
        ValueError: unequal lengths, or nothing to score.
    """
    scores = {}
    answered, unanswered = (answer_scores_by_question(gold, texts) for texts in (predicted, [""] * len(gold)))
    for name, with_span, without in zip(("best_exact", "best_f1"), answered, unanswered, strict=True):
        scores[f"{name}_thresh"], scores[name] = find_threshold(margins, with_span, without)
    return scores


def find_threshold(margins: ArrayLike, answered: ArrayLike, unanswered: ArrayLike) -> tuple[float, float]:
    """The threshold with the best mean score, the lowest of equally good ones, and that mean.

    Questions with equal margins are answered or not together, because no threshold separates them; evaluate-v2.0.py
    separates them, so that its best score can be out of reach. Without equal margins both agree. A threshold below
    all margins answers nothing.

    Args:
        margins: `(questions,)`, see best_answer_scores.
        answered: `(questions,)` scores with the best span.
        unanswered: `(questions,)` scores without an answer.

    Raises:
        ValueError: unequal lengths, or nothing to score.
    """
    margins, answered, unanswered = (np.asarray(values, dtype=float) for values in (margins, answered, unanswered))
    _check_lengths(margins, answered)
    order = np.argsort(margins, kind="stable")
    ordered = margins[order]
    ends = np.append(ordered[1:] != ordered[:-1], True)
    gains = np.append(0.0, (answered - unanswered)[order].cumsum()[ends])
    thresholds = np.append(np.nextafter(ordered[0], -np.inf), ordered[ends])
    best = int(gains.argmax())
    return float(thresholds[best]), float(unanswered.mean() + gains[best] / len(margins))


def abstain(predicted: Sequence[str], margins: Sequence[float], threshold: float) -> list[str]:
    """The answers at a threshold: no answer ("") where the margin is above it."""
    _check_lengths(margins, predicted)
    return ["" if margin > threshold else text for text, margin in zip(predicted, margins, strict=True)]


def mining_scores(gold: Iterable[Hashable], predicted: Iterable[Hashable]) -> dict[str, float]:
    """F1, precision and recall of mined (foreign id, English id) pairs, as XTREME's bucc_f1; a pair counts once. Raises
    ValueError where there are no gold pairs."""
    gold, predicted = set(gold), set(predicted)
    if not gold:
        raise ValueError("no gold pairs to score: the test set is empty")
    return _f1(len(gold & predicted), len(predicted), len(gold))


def nearest_candidates(queries: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    """The index of each query's nearest candidate by cosine; the first of equally near ones.

    Args:
        queries: vectors `(n, width)`.
        candidates: vectors `(m, width)`.

    Returns:
        `(n,)` int; at most SIMILARITY_BYTES of similarities are in memory.
    """
    left, right = (
        side / np.maximum(np.linalg.norm(side, axis=1, keepdims=True), 1e-12) for side in (queries, candidates)
    )
    rows = max(1, SIMILARITY_BYTES // (left.itemsize * len(right)))
    nearest = [(left[start : start + rows] @ right.T).argmax(axis=1) for start in range(0, len(left), rows)]
    return np.concatenate(nearest)


def _check_lengths(gold: Sized, predicted: Sized) -> None:
    if len(gold) != len(predicted):
        raise ValueError(f"{len(predicted)} predictions for {len(gold)} labels: one prediction a label is needed")
    if not len(gold):
        raise ValueError("no labels to score: the test set is empty")


def _f1(correct: int, predictions: int, golds: int) -> dict[str, float]:
    precision = correct / predictions if predictions else 0.0
    recall = correct / golds if golds else 0.0
    f1 = 2 * precision * recall / (precision + recall) if correct else 0.0
    return {"f1": f1, "precision": precision, "recall": recall}


def _words(text: str, language: str | None) -> list[str]:
    """The words of an answer that count: lower case, no punctuation, no articles."""
    kept = "".join(sign for sign in text.lower() if sign not in string.punctuation)
    if language is None:  # SQuAD's script knows only the punctuation of ASCII and English articles
        return ARTICLES["en"].sub(" ", kept).split()
    kept = "".join(sign for sign in kept if not unicodedata.category(sign).startswith("P"))
    if language in ARTICLES:
        kept = ARTICLES[language].sub(" ", kept)
    if language in CHARACTER_WORDS:
        kept = CHARACTER_WORDS[language].sub(r" \1 ", kept)
    return kept.split()


def _overlap(gold: list[str], predicted: list[str]) -> float:
    """The F1 of two bags of words."""
    shared = (Counter(gold) & Counter(predicted)).total()
    return 2 * shared / (len(gold) + len(predicted)) if shared else 0.0
