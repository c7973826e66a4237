"""Scores of predictions against gold labels, as the XTREME leaderboard computes them. In go the
labels of one language, out come named scores between 0 and 1."""

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

BLOCK = 2**26  # bytes of similarities in memory at a time

# What each language's answers lose before they are compared (mlqa_evaluation_v1.py). Arabic's article is part of its
# word; the script's other Arabic pattern, `\sال^`, matches nowhere.
ARTICLES = {
    "ar": re.compile("ال"),
    "de": re.compile(r"\b(ein|eine|einen|einem|eines|einer|der|die|das|den|dem|des)\b"),
    "en": re.compile(r"\b(a|an|the)\b"),
    "es": re.compile(r"\b(un|una|unos|unas|el|la|los|las)\b"),
    "vi": re.compile(r"\b(của|là|cái|chiếc|những)\b"),
}
# Where a character is a word of its own; elsewhere, and between such characters, words end at white space.
CHARACTERS = {"zh": re.compile("([\u4e00-\u9fa5])")}


def main_score(metric: str, scores: Mapping[str, float]) -> float:
    """A task's main score from its named scores: `a+b` is the mean of both. Raises KeyError where one is missing."""
    names = metric.split("+")
    return sum(scores[name] for name in names) / len(names)


def accuracy(gold: Sequence, predicted: Sequence) -> float:
    """The share of predictions that equal the gold label. Raises ValueError on unequal lengths and
    on nothing to score: a missing test set is no score of 0."""
    _check(gold, predicted)
    return float(np.mean([g == p for g, p in zip(gold, predicted, strict=True)]))


def binary_f1(gold: Sequence[int], predicted: Sequence[int], positive: int = 1) -> float:
    """The F1 of the positive class, as GLUE scores QQP (duplicates); 0 where no positive one is found. Raises
    ValueError as accuracy does."""
    _check(gold, predicted)
    wanted, found = np.asarray(gold) == positive, np.asarray(predicted) == positive
    return _f1(int((wanted & found).sum()), int(found.sum()), int(wanted.sum()))["f1"]


def chunks(tags: Sequence[str]) -> set[tuple[str, int, int]]:
    """The (type, first, last) spans of one tag sequence under the rules of seqeval 0.0.12, which
    XTREME scores with (its get_entities with start_of_chunk and end_of_chunk).

    A tag's first letter is its role (B, I, E, S, O), what follows the last hyphen its type. Plain
    part-of-speech tags pass through the same rules: `SCONJ` and `SYM` begin with S and are spans of one
    word each, `INTJ` begins with I, every other run of equal tags is one span.
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
    """Micro-averaged precision, recall and F1 of the spans, and the accuracy of the tags, over
    sentences. Raises ValueError where a prediction has not one tag a word."""
    right = found = wanted = 0
    for number, (g, p) in enumerate(zip(gold, predicted, strict=True)):
        if len(g) != len(p):
            raise ValueError(f"sentence {number}: {len(p)} predicted tags for {len(g)} words")
        wanted_spans, found_spans = chunks(g), chunks(p)
        right += len(wanted_spans & found_spans)
        found += len(found_spans)
        wanted += len(wanted_spans)
    tokens = accuracy([tag for tags in gold for tag in tags], [tag for tags in predicted for tag in tags])
    return _f1(right, found, wanted) | {"accuracy": tokens}


def span_scores(
    gold: Sequence[Sequence[str]], predicted: Sequence[str], language: str | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Exact match and F1 of each question, two `(questions,)` arrays of 0..1: the best over its gold answers.

    Without a language the rules are those of SQuAD 1.1 (evaluate-v1.1.py), with one those of MLQA for it
    (mlqa_evaluation_v1.py), which give a language that they do not know no articles and words between spaces. No word
    in common is an F1 of 0 even where both sides are empty, as in both scripts. A question without gold answers is
    SQuAD 2.0's unanswerable one: no answer is right, any other wrong. Raises ValueError as accuracy does.
    """
    _check(gold, predicted)
    scores = np.zeros((2, len(gold)))
    for place, (answers, text) in enumerate(zip(gold, predicted, strict=True)):
        found = _words(text, language)
        wanted = [_words(answer, language) for answer in answers]
        scores[0, place] = found in (wanted or [[]])
        scores[1, place] = max((_overlap(words, found) for words in wanted), default=float(not found))
    return scores[0], scores[1]


def spans(gold: Sequence[Sequence[str]], predicted: Sequence[str], language: str | None = None) -> dict[str, float]:
    """`exact_match` and `f1` of answer texts over all questions; see span_scores for the rules."""
    exact, f1 = span_scores(gold, predicted, language)
    return {"exact_match": float(exact.mean()), "f1": float(f1.mean())}


def best_spans(gold: Sequence[Sequence[str]], predicted: Sequence[str], margins: Sequence[float]) -> dict[str, float]:
    """SQuAD 2.0's best_exact and best_f1, and the thresholds that reach them (evaluate-v2.0.py).

    `predicted` is each question's best span, `margins` its null score less that span's score: the question is left
    unanswered where the margin is above the threshold. Raises ValueError as accuracy does.
    """
    scores = {}
    without = span_scores(gold, [""] * len(gold))
    for name, answered, empty in zip(("best_exact", "best_f1"), span_scores(gold, predicted), without, strict=True):
        scores[f"{name}_thresh"], scores[name] = find_threshold(margins, answered, empty)
    return scores


def find_threshold(
    margins: Sequence[float], answered: Sequence[float], unanswered: Sequence[float]
) -> tuple[float, float]:
    """The threshold with the best mean score, the lowest of equals, and that mean.

    Takes each question's margin, its score with its best span and its score without an answer. Equal margins stand or
    fall together, as a threshold cannot part them (evaluate-v2.0.py parts them, and so its best figure can be out of
    reach; without equal margins both agree). A threshold below all margins answers nothing. Raises ValueError as
    accuracy does.
    """
    _check(margins, answered)
    margins, answered, unanswered = (np.asarray(side, dtype=float) for side in (margins, answered, unanswered))
    order = np.argsort(margins, kind="stable")
    ordered = margins[order]
    ends = np.append(ordered[1:] != ordered[:-1], True)
    gains = np.append(0.0, (answered - unanswered)[order].cumsum()[ends])
    thresholds = np.append(np.nextafter(ordered[0], -np.inf), ordered[ends])
    best = int(gains.argmax())
    return float(thresholds[best]), float(unanswered.mean() + gains[best] / len(margins))


def abstain(predicted: Sequence[str], margins: Sequence[float], threshold: float) -> list[str]:
    """The answers at a threshold, for spans to score: no answer ("") where the margin is above it."""
    _check(margins, predicted)
    return ["" if margin > threshold else text for text, margin in zip(predicted, margins, strict=True)]


def mining_scores(gold: Iterable[tuple[str, str]], predicted: Iterable[tuple[str, str]]) -> dict[str, float]:
    """F1, precision and recall of mined (foreign id, English id) pairs, as XTREME's bucc_f1; a pair counts once. Raises
    ValueError where there are no gold pairs."""
    wanted, found = set(gold), set(predicted)
    if not wanted:
        raise ValueError("no gold pairs to score: the test set is empty")
    return _f1(len(wanted & found), len(found), len(wanted))


def nearest_candidates(queries: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    """The index of each query's nearest candidate by cosine, `(queries,)` int. Takes `(n, width)`
    float vectors of the two sides; ties go to the first. At most BLOCK bytes of similarities are in memory."""
    left, right = (
        side / np.maximum(np.linalg.norm(side, axis=1, keepdims=True), 1e-12) for side in (queries, candidates)
    )
    rows = max(1, BLOCK // (left.itemsize * len(right)))
    nearest = [(left[start : start + rows] @ right.T).argmax(axis=1) for start in range(0, len(left), rows)]
    return np.concatenate(nearest)


def _check(gold: Sequence, predicted: Sequence) -> None:
    if len(gold) != len(predicted):
        raise ValueError(f"{len(predicted)} predictions for {len(gold)} labels: one prediction a label is needed")
    if not len(gold):
        raise ValueError("no labels to score: the test set is empty")


def _f1(right: int, found: int, wanted: int) -> dict[str, float]:
    precision = right / found if found else 0.0
    recall = right / wanted if wanted else 0.0
    f1 = 2 * precision * recall / (precision + recall) if right else 0.0
    return {"f1": f1, "precision": precision, "recall": recall}


def _words(text: str, language: str | None) -> list[str]:
    """The words of an answer that count: lower case, no punctuation, no articles."""
    marks = string.punctuation
    if language is None:  # SQuAD's script knows ASCII's punctuation and English articles only
        kept = "".join(sign for sign in text.lower() if sign not in marks)
        return ARTICLES["en"].sub(" ", kept).split()
    kept = "".join(s for s in text.lower() if s not in marks and not unicodedata.category(s).startswith("P"))
    if language in ARTICLES:
        kept = ARTICLES[language].sub(" ", kept)
    if language in CHARACTERS:
        kept = CHARACTERS[language].sub(r" \1 ", kept)
    return kept.split()


def _overlap(wanted: list[str], found: list[str]) -> float:
    shared = (Counter(wanted) & Counter(found)).total()
    return 2 * shared / (len(wanted) + len(found)) if shared else 0.0
