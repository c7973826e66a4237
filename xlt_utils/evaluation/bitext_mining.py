"""Bitext mining as BUCC 2018 defines it and XTREME scores it (third_party/utils_retrieve.py): which sentences of two
monolingual sides are translations of each other. In go the sides, their sentence vectors and the gold pairs; out
come candidate pairs with a margin score, the threshold that cuts them, and precision, recall and F1."""

from itertools import compress
from typing import NamedTuple

import numpy as np
import torch

from xlt_utils.data.bucc import Pair
from xlt_utils.evaluation import metrics
from xlt_utils.training import hardware

STEPS_PER_UNIT = 2**21  # a unit vector's components are rounded to multiples of its inverse: 2e-7 in a cosine
CHUNK = 2**9  # sentences of a side in one product; float64 holds integers up to STEPS_PER_UNIT² · CHUNK exactly


class Candidates(NamedTuple):
    """Candidate pairs by falling score, no sentence in two of them, and the ids of all foreign sentences."""

    pairs: list[Pair]
    scores: np.ndarray
    foreign: list[str]


def mine_pairs(
    foreign: np.ndarray, english: np.ndarray, k: int = 4, chunk: int = CHUNK
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pair the sentences of two sides one to one by the ratio margin (Artetxe & Schwenk 2019, arXiv 1811.01136).

    A pair's score is its cosine over the mean cosine of its two sentences to their `k` nearest on the other side.
    Each sentence proposes the best scored of its neighbours; the positive proposals of both sides are taken greedily
    (XTREME's `max`), ties by the lower index. The search is exact, holds one chunk × chunk product at a time, and
    gives the same bits on any device, for any chunk and any number of threads.

    Args:
        foreign: vectors `(n, width)`.
        english: vectors `(m, width)`.
        k: neighbours; all sentences of a side that has fewer.
        chunk: sentences of a side in one product.

    Returns:
        Foreign index, English index and score of each pair, by falling score.

    Raises:
        ValueError: an empty side, unequal widths, or vectors that are not finite.
    """
    if not len(foreign) or not len(english) or foreign.shape[1] != english.shape[1]:
        raise ValueError(f"mining needs two sides of vectors of one width, not {foreign.shape} and {english.shape}")
    if k < 1 or not 1 <= chunk <= CHUNK:
        raise ValueError(f"k = {k}, chunk = {chunk}: k is at least 1, chunk 1 to {CHUNK}")
    ahead: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}
    back: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}
    for i in range(0, len(foreign), chunk):
        rows = _integer_vectors(foreign, i, chunk, "foreign")
        for j in range(0, len(english), chunk):
            products = rows @ _integer_vectors(english, j, chunk, "english").T
            ahead[i] = _update_neighbours(ahead.get(i), products, j, k)
            back[j] = _update_neighbours(back.get(j), products.T, i, k)
    (cosines, places), (cosines_back, places_back) = (
        [torch.cat(parts).cpu().numpy() for parts in zip(*side.values(), strict=True)] for side in (ahead, back)
    )
    means, means_back = cosines.mean(1), cosines_back.mean(1)
    partner, margin = _proposals(cosines, places, means, means_back)
    partner_back, margin_back = _proposals(cosines_back, places_back, means_back, means)
    left = np.concatenate([np.arange(len(foreign)), partner_back])
    right = np.concatenate([partner, np.arange(len(english))])
    scores = np.concatenate([margin, margin_back])
    taken, free, free_back = np.zeros(len(scores), bool), np.ones(len(foreign), bool), np.ones(len(english), bool)
    order = np.lexsort((right, left, -scores))
    for row in order[scores[order] > 0]:
        if free[left[row]] and free_back[right[row]]:
            free[left[row]] = free_back[right[row]] = False
            taken[row] = True
    order = order[taken[order]]
    return left[order], right[order], scores[order]


def mine_candidates(
    foreign: list[dict], english: list[dict], vectors: tuple[np.ndarray, np.ndarray], k: int = 4
) -> Candidates:
    """Mine two sides of rows {"id", "text"} with their vectors `(n, width)` and `(m, width)`, row by row.

    As in XTREME's script a text that a side has several times is mined once, so that it does not crowd its own
    neighbourhood, and its pair is dropped: nothing says which of its ids is meant.
    """
    first_places, is_unique = [], []
    for side in (foreign, english):
        places: dict[str, list[int]] = {}
        for place, row in enumerate(side):
            places.setdefault(row["text"], []).append(place)
        first_places.append(np.array([same[0] for same in places.values()]))
        is_unique.append(np.array([len(same) == 1 for same in places.values()]))
    left, right, scores = mine_pairs(vectors[0][first_places[0]], vectors[1][first_places[1]], k)
    kept = is_unique[0][left] & is_unique[1][right]
    rows = zip(first_places[0][left[kept]], first_places[1][right[kept]], strict=True)
    pairs = [(foreign[i]["id"], english[j]["id"]) for i, j in rows]
    return Candidates(pairs, scores[kept], [row["id"] for row in foreign])


def best_threshold(candidates: Candidates, gold: list[Pair]) -> float:
    """The score that cuts the candidates with the best F1 against `gold`, halfway between two neighbouring scores.

    Of equally good cuts the highest; 0, as in XTREME's bucc_optimize, where no candidate is a gold pair.
    """
    gold_pairs, scores = set(gold), np.append(candidates.scores, -np.inf)
    correct = np.cumsum([pair in gold_pairs for pair in candidates.pairs])
    f1 = 2 * correct / (np.arange(1, len(scores)) + len(gold_pairs))
    f1[scores[:-1] == scores[1:]] = 0  # no threshold separates equal scores
    if not f1.any():
        return 0.0
    upper, lower = scores[f1.argmax() :][:2]
    middle = (upper + lower) / 2
    return float(middle if lower < middle else upper)  # `upper` where it is the last, or one bit above the next


def pairs_above(candidates: Candidates, threshold: float) -> list[Pair]:
    """The candidates whose score is at least the threshold, by falling score."""
    return list(compress(candidates.pairs, candidates.scores >= threshold))


def score_mining(
    candidates: Candidates, gold: list[Pair], development: tuple[Candidates, list[Pair]] | None = None
) -> tuple[list[Pair], dict[str, float]]:
    """The predicted pairs and their precision, recall and F1, 0 to 1, at a threshold tuned on other gold pairs.

    With `development`, candidates and gold, the threshold is tuned on these. Without it, the one gold set is
    cross-fitted: the candidates of each half of the foreign sentences are cut at the threshold of the other half, and
    both are scored together. "f1, tuned on itself" is what XTREME's script then prints: optimistic, because its
    threshold was tuned on what it is scored on.
    """
    if development:
        predicted = pairs_above(candidates, best_threshold(*development))
        return predicted, metrics.mining_scores(gold, predicted)
    first, second = split_in_halves(candidates, gold)
    predicted = pairs_above(first[0], best_threshold(*second)) + pairs_above(second[0], best_threshold(*first))
    optimistic = metrics.mining_scores(gold, pairs_above(candidates, best_threshold(candidates, gold)))["f1"]
    return predicted, metrics.mining_scores(gold, predicted) | {"f1, tuned on itself": optimistic}


def split_in_halves(candidates: Candidates, gold: list[Pair]) -> list[tuple[Candidates, list[Pair]]]:
    """Candidates and gold in two parts, each with every other foreign sentence that has a translation and every other
    one that has none, in the order of the side: as dense as the whole, and the same for all vectors. Raises ValueError
    on fewer than two translated sentences."""
    translated = {foreign for foreign, _ in gold}
    if len(translated) < 2:
        raise ValueError(f"{len(translated)} translated foreign sentence(s) in the gold: two halves take at least two")
    order, halves = sorted(candidates.foreign, key=lambda sentence: sentence in translated), []
    for ids in (set(order[::2]), set(order[1::2])):
        inside = np.array([foreign in ids for foreign, _ in candidates.pairs], dtype=bool)
        half = Candidates(list(compress(candidates.pairs, inside)), candidates.scores[inside], candidates.foreign)
        halves.append((half, [pair for pair in gold if pair[0] in ids]))
    return halves


def _integer_vectors(vectors: np.ndarray, start: int, chunk: int, side: str) -> torch.Tensor:
    """Rows of unit length, in whole steps. Their products and sums are integers that float64 holds exactly, so that no
    order of summation changes a bit."""
    rows = vectors[start : start + chunk].astype(np.float64, order="C")
    if not np.isfinite(rows).all():
        row = start + int((~np.isfinite(rows)).any(1).argmax())
        raise ValueError(f"the vector of {side} sentence {row} is not finite")
    rows *= STEPS_PER_UNIT / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    return torch.from_numpy(rows.round(out=rows)).to(hardware.device())


def _update_neighbours(
    before: tuple[torch.Tensor, torch.Tensor] | None, products: torch.Tensor, start: int, k: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """The k nearest so far: cosines `(rows, ≤ k)`, falling, and places. `products` are STEPS_PER_UNIT² times the
    cosines to the sentences from `start` on; of equal ones the first comes first."""
    # No two keys are equal, so that topk has no ties to break.
    keys = products * CHUNK - torch.arange(products.shape[1], device=products.device)
    places = keys.topk(min(k, products.shape[1]), dim=1).indices
    cosines, places = products.gather(1, places) / STEPS_PER_UNIT**2, places + start
    if before:
        cosines, places = torch.cat([before[0], cosines], 1), torch.cat([before[1], places], 1)
    order = cosines.sort(dim=1, descending=True, stable=True).indices[:, :k]
    return cosines.gather(1, order), places.gather(1, order)


def _proposals(
    cosines: np.ndarray, places: np.ndarray, means: np.ndarray, other_means: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Each sentence's best scored neighbour and that score. A mean at or below 0, where a ratio has no meaning, counts
    as the smallest step above it."""
    margins = cosines / np.maximum((means[:, None] + other_means[places]) / 2, 1 / STEPS_PER_UNIT)
    best = margins.argmax(1)[:, None]
    return np.take_along_axis(places, best, 1)[:, 0], np.take_along_axis(margins, best, 1)[:, 0]
