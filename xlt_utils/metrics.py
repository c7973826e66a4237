"""Scores of predictions against gold labels, as the XTREME leaderboard computes them. In go the
labels of one language, out come named scores between 0 and 1."""

from collections.abc import Sequence

import numpy as np


def accuracy(gold: Sequence, predicted: Sequence) -> float:
    """The share of predictions that equal the gold label. Raises ValueError on unequal lengths and
    on nothing to score: a missing test set is no score of 0."""
    if len(gold) != len(predicted):
        raise ValueError(f"{len(predicted)} predictions for {len(gold)} labels: one prediction a label is needed")
    if not len(gold):
        raise ValueError("no labels to score: the test set is empty")
    return float(np.mean([g == p for g, p in zip(gold, predicted, strict=True)]))


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
    precision = right / found if found else 0.0
    recall = right / wanted if wanted else 0.0
    f1 = 2 * precision * recall / (precision + recall) if right else 0.0
    tokens = accuracy([tag for tags in gold for tag in tags], [tag for tags in predicted for tag in tags])
    return {"f1": f1, "precision": precision, "recall": recall, "accuracy": tokens}


def retrieve(queries: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    """The index of each query's nearest candidate by cosine, `(queries,)` int. Takes `(n, width)`
    float vectors of the two sides; ties go to the first."""
    left, right = (
        side / np.maximum(np.linalg.norm(side, axis=1, keepdims=True), 1e-12) for side in (queries, candidates)
    )
    return (left @ right.T).argmax(axis=1)
