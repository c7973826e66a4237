"""Bitext mining as BUCC 2018 sets it and XTREME scores it (third_party/utils_retrieve.py): which sentences of two
monolingual sides are translations of each other. In go the sides, their sentence vectors and the gold pairs; out
come candidate pairs with a margin score, the threshold that cuts them, and precision, recall and F1."""

from itertools import compress
from typing import NamedTuple

import numpy as np
import torch

from xlt_utils.data.bucc import Pair
from xlt_utils.evaluation import metrics
from xlt_utils.training import hardware

STEPS = 2**21  # a unit vector's components are rounded to whole multiples of 1 / STEPS: 2e-7 in a cosine
CHUNK = 2**9  # sentences of a side in one product; float64 holds integers up to STEPS² · CHUNK to the last bit


class Mined(NamedTuple):
    """Candidate pairs by falling score, no sentence in two of them, and the ids of all foreign sentences."""

    pairs: list[Pair]
    scores: np.ndarray
    foreign: list[str]


def mine(foreign: np.ndarray, english: np.ndarray, k: int = 4, chunk: int = CHUNK) -> tuple[np.ndarray, ...]:
    """Pair the sentences of two sides one to one by the ratio margin (Artetxe & Schwenk 2019, arXiv 1811.01136).

    Takes vectors `(n, width)` and `(m, width)`; gives foreign index, english index and score of each pair, by falling
    score. A pair's score is its cosine over the mean cosine of its two sentences to their `k` nearest on the other
    side (to all of them where there are fewer). Each sentence proposes the best scored of its neighbours; the
    positive proposals of both sides are taken greedily (XTREME's `max`), ties by the lower index. The search is exact,
    holds one chunk × chunk product at a time and gives the same bits on any device, chunk and number of threads.
    Raises ValueError on an empty side, unequal widths and vectors that are not finite.
    """
    if not len(foreign) or not len(english) or foreign.shape[1] != english.shape[1]:
        raise ValueError(f"mining needs two sides of vectors of one width, not {foreign.shape} and {english.shape}")
    if k < 1 or not 1 <= chunk <= CHUNK:
        raise ValueError(f"k = {k}, chunk = {chunk}: k is at least 1, chunk 1 to {CHUNK}")
    ahead, back = {}, {}
    for i in range(0, len(foreign), chunk):
        rows = _whole(foreign, i, chunk, "foreign")
        for j in range(0, len(english), chunk):
            similar = rows @ _whole(english, j, chunk, "english").T
            ahead[i] = _nearest(ahead.get(i), similar, j, k)
            back[j] = _nearest(back.get(j), similar.T, i, k)
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


def candidates(foreign: list[dict], english: list[dict], vectors: tuple[np.ndarray, np.ndarray], k: int = 4) -> Mined:
    """Mine two sides of rows {"id", "text"} with their vectors `(n, width)` and `(m, width)`, row by row.

    As in XTREME's script a text that a side holds several times is mined once, so that it does not crowd its own
    neighbourhood, and its pair is dropped: nothing tells which of its ids is meant.
    """
    kept, alone = [], []
    for side in (foreign, english):
        places: dict[str, list[int]] = {}
        for place, row in enumerate(side):
            places.setdefault(row["text"], []).append(place)
        kept.append(np.array([same[0] for same in places.values()]))
        alone.append(np.array([len(same) == 1 for same in places.values()]))
    left, right, scores = mine(vectors[0][kept[0]], vectors[1][kept[1]], k)
    sure = alone[0][left] & alone[1][right]
    rows = zip(kept[0][left[sure]], kept[1][right[sure]], strict=True)
    return Mined([(foreign[i]["id"], english[j]["id"]) for i, j in rows], scores[sure], [row["id"] for row in foreign])


def threshold(mined: Mined, gold: list[Pair]) -> float:
    """The score that cuts the candidates with the best F1 against `gold`, halfway between two neighbouring scores.

    Of equally good cuts the highest; 0, as in XTREME's bucc_optimize, where no candidate is a gold pair.
    """
    wanted, scores = set(gold), np.append(mined.scores, -np.inf)
    right = np.cumsum([pair in wanted for pair in mined.pairs])
    f1 = 2 * right / (np.arange(1, len(scores)) + len(wanted))
    f1[scores[:-1] == scores[1:]] = 0  # no threshold parts equal scores
    if not f1.any():
        return 0.0
    upper, lower = scores[f1.argmax() :][:2]
    middle = (upper + lower) / 2
    return float(middle if lower < middle else upper)  # `upper` where it is the last, or one bit above the next


def pairs(mined: Mined, limit: float) -> list[Pair]:
    """The candidates whose score is at least `limit`, by falling score."""
    return list(compress(mined.pairs, mined.scores >= limit))


def score_mining(
    mined: Mined, gold: list[Pair], development: tuple[Mined, list[Pair]] | None = None
) -> tuple[list[Pair], dict[str, float]]:
    """The predicted pairs and their precision, recall and F1, 0 to 1, at a threshold tuned on other gold pairs.

    With `development`, its candidates and gold, the threshold is tuned there. Without, the one gold set is
    cross-fitted: the candidates of each half of the foreign sentences are cut where the other half says, and both are
    scored together. Beside it "f1, tuned on itself" is what XTREME's script prints on development data: optimistic,
    because its threshold saw what it is scored on.
    """
    if development:
        predicted = pairs(mined, threshold(*development))
        return predicted, metrics.mining_scores(gold, predicted)
    one, other = halves(mined, gold)
    predicted = pairs(one[0], threshold(*other)) + pairs(other[0], threshold(*one))
    optimistic = metrics.mining_scores(gold, pairs(mined, threshold(mined, gold)))["f1"]
    return predicted, metrics.mining_scores(gold, predicted) | {"f1, tuned on itself": optimistic}


def halves(mined: Mined, gold: list[Pair]) -> list[tuple[Mined, list[Pair]]]:
    """Candidates and gold in two parts, each with every other foreign sentence that has a translation and every other
    one that has none, in the order of the side: as dense as the whole, and the same for all vectors. Raises ValueError
    on fewer than two translated sentences."""
    translated = {foreign for foreign, _ in gold}
    if len(translated) < 2:
        raise ValueError(f"{len(translated)} translated foreign sentence(s) in the gold: two halves take at least two")
    order, parts = sorted(mined.foreign, key=lambda one: one in translated), []
    for ids in (set(order[::2]), set(order[1::2])):
        inside = np.array([foreign in ids for foreign, _ in mined.pairs], dtype=bool)
        part = Mined(list(compress(mined.pairs, inside)), mined.scores[inside], mined.foreign)
        parts.append((part, [pair for pair in gold if pair[0] in ids]))
    return parts


def _whole(vectors: np.ndarray, start: int, chunk: int, side: str) -> torch.Tensor:
    """Rows of unit length in whole steps of 1 / STEPS. Their products and sums are integers that float64 holds
    exactly, so that no order of summation, and nothing that decides on it, changes a bit."""
    rows = vectors[start : start + chunk].astype(np.float64, order="C")
    if not np.isfinite(rows).all():
        row = start + int((~np.isfinite(rows)).any(1).argmax())
        raise ValueError(f"the vector of {side} sentence {row} is not finite")
    rows *= STEPS / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    return torch.from_numpy(rows.round(out=rows)).to(hardware.device())


def _nearest(before: tuple | None, similar: torch.Tensor, start: int, k: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The k nearest so far: cosines `(rows, ≤ k)`, falling, and places. `similar` holds STEPS² times the cosines to
    the sentences from `start` on; of equal ones the first comes first."""
    keys = similar * CHUNK - torch.arange(similar.shape[1], device=similar.device)  # no two alike: topk is free in ties
    places = keys.topk(min(k, similar.shape[1]), dim=1).indices
    cosines, places = similar.gather(1, places) / STEPS**2, places + start
    if before:
        cosines, places = torch.cat([before[0], cosines], 1), torch.cat([before[1], places], 1)
    order = cosines.sort(dim=1, descending=True, stable=True).indices[:, :k]
    return cosines.gather(1, order), places.gather(1, order)


def _proposals(
    cosines: np.ndarray, places: np.ndarray, means: np.ndarray, others: np.ndarray
) -> tuple[np.ndarray, ...]:
    """Each sentence's best scored neighbour and that score. A mean at or below 0, where a ratio says nothing, counts
    as the smallest step above it."""
    margins = cosines / np.maximum((means[:, None] + others[places]) / 2, 1 / STEPS)
    best = margins.argmax(1)[:, None]
    return np.take_along_axis(places, best, 1)[:, 0], np.take_along_axis(margins, best, 1)[:, 0]
