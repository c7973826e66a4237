"""Mining: it is exact, gives the same bits everywhere, and its threshold never sees the pairs that it is scored on."""

import itertools

import numpy as np
import pytest
import torch

from xlt_utils.data import bucc
from xlt_utils.evaluation import bitext_mining, metrics
from xlt_utils.training import hardware


def plainly(foreign: np.ndarray, english: np.ndarray, k: int) -> list[tuple[int, int, float]]:
    """Mining as it is defined, on the full matrix, one sentence at a time."""
    unit = [side / np.linalg.norm(side, axis=1, keepdims=True) for side in (foreign, english)]
    cosine = unit[0] @ unit[1].T
    near = np.argsort(-cosine, axis=1, kind="stable")[:, :k]
    near_back = np.argsort(-cosine.T, axis=1, kind="stable")[:, :k]
    mean = [cosine[i, row].mean() for i, row in enumerate(near)]
    mean_back = [cosine[row, j].mean() for j, row in enumerate(near_back)]

    def margin(i, j):
        return cosine[i, j] / ((mean[i] + mean_back[j]) / 2)

    proposals = [(i, max(row, key=lambda j: margin(i, j))) for i, row in enumerate(near)]
    proposals += [(max(row, key=lambda i: margin(i, j)), j) for j, row in enumerate(near_back)]
    taken = []
    for score, i, j in sorted(
        ((margin(i, j), i, j) for i, j in proposals), key=lambda scored: (-scored[0], scored[1:])
    ):
        if score > 0 and all(i != row and j != column for row, column, _ in taken):
            taken.append((int(i), int(j), float(score)))
    return taken


def sides(n: int, m: int, width: int = 16, translated: int = 0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Random vectors with a common direction, as encoders give them; the first `translated` rows are near twins."""
    rng = np.random.default_rng(seed)
    foreign, english = (rng.normal(size=(size, width)).astype(np.float32) + 1 for size in (n, m))
    english[:translated] = foreign[:translated] + 0.1 * english[:translated]
    return foreign, english


def rows(language: str, count: int) -> list[dict]:
    return [{"id": f"{language}-{place:03}", "text": f"{language} {place}"} for place in range(count)]


def world(
    count: int = 40, translated: int = 20, noise: float = 0.6
) -> tuple[bitext_mining.Candidates, list[bucc.Pair]]:
    """Candidates among `count` sentences a side, every other one of which has a translation, some hard to find."""
    foreign, english = sides(count, count)
    english[::2] = foreign[::2] + noise * np.linspace(0, 3, len(english[::2]))[:, None] * english[::2]
    mined = bitext_mining.mine_candidates(rows("xx", count), rows("en", count), (foreign, english))
    return mined, [(f"xx-{place:03}", f"en-{place:03}") for place in range(0, 2 * translated, 2)]


@pytest.mark.parametrize(("n", "m", "k"), [(40, 55, 4), (1, 9, 4), (9, 1, 4), (3, 2, 4), (30, 30, 1), (5, 5, 50)])
def test_mining_is_exact(n, m, k):
    for seed in range(5):
        foreign, english = sides(n, m, seed=seed)
        expected = plainly(foreign.astype(np.float64), english.astype(np.float64), k)
        left, right, scores = bitext_mining.mine_pairs(foreign, english, k)
        assert list(zip(left, right, strict=True)) == [pair[:2] for pair in expected]
        assert scores == pytest.approx([score for *_, score in expected], abs=2e-6)


def test_ties_go_to_the_lower_index():
    # Components of ±1/2: every cosine is a quarter or a half or one, to the bit, and most are equal to many others.
    rng = np.random.default_rng(1)
    foreign, english = (rng.choice([-1.0, 1.0], size=(size, 4)) for size in (70, 50))
    expected = plainly(foreign, english, 4)
    for chunk in (3, 16, bitext_mining.CHUNK):
        assert (
            list(zip(*(array.tolist() for array in bitext_mining.mine_pairs(foreign, english, 4, chunk)), strict=True))
            == expected
        )


def test_chunks_threads_and_memory_order_change_no_bit():
    foreign, english = sides(300, 200, width=48, translated=50)
    whole = bitext_mining.mine_pairs(foreign, english)
    before = torch.get_num_threads()
    for chunk, threads in itertools.product((17, 64, 200), (1, 2)):
        torch.set_num_threads(threads)
        again = bitext_mining.mine_pairs(np.asfortranarray(foreign), english, chunk=chunk)
        assert [array.tobytes() for array in again] == [array.tobytes() for array in whole]
    torch.set_num_threads(before)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_the_device_changes_no_bit(monkeypatch):
    foreign, english = sides(3_000, 2_500, width=64)
    on_gpu = bitext_mining.mine_pairs(foreign, english)
    monkeypatch.setattr(hardware, "device", lambda: torch.device("cpu"))
    assert [array.tobytes() for array in bitext_mining.mine_pairs(foreign, english)] == [
        array.tobytes() for array in on_gpu
    ]


def test_pairs_are_one_to_one_by_falling_positive_score():
    foreign, english = sides(80, 60)
    foreign[::3] -= 4  # these point away from everything: their cosines are negative
    foreign[0] = 0
    left, right, scores = bitext_mining.mine_pairs(foreign, english)
    assert len(set(left)) == len(left) and len(set(right)) == len(right)
    assert (np.diff(scores) <= 0).all() and (scores > 0).all() and np.isfinite(scores).all()
    assert 0 < len(left) < 60
    for nothing in (-abs(english), 0 * english):  # no likeness at all: a ratio of two negative cosines is no praise
        assert not len(bitext_mining.mine_pairs(nothing, abs(english))[0])


def test_planted_translations_come_first():
    foreign, english = sides(500, 700, width=32, translated=100)
    shuffled = np.random.default_rng(3).permutation(700)
    left, right, _ = bitext_mining.mine_pairs(foreign, english[shuffled])
    assert set(zip(left[:100], shuffled[right[:100]], strict=True)) == {(place, place) for place in range(100)}


def test_the_margin_outdoes_a_hub():
    # English 2 is near to everything. By cosine it is everybody's nearest; beside its own neighbourhood it is not.
    foreign = np.array([[1.0, 0.0], [0.0, 1.0], [0.7, 0.7]])
    english = np.array([[0.9, -0.3], [-0.3, 0.9], [1.0, 1.0]])
    assert set(zip(*bitext_mining.mine_pairs(foreign, english, k=3)[:2], strict=True)) == {(0, 0), (1, 1), (2, 2)}


def test_vectors_that_cannot_be_mined_are_refused():
    foreign, english = sides(4, 4)
    with pytest.raises(ValueError, match=r"two sides .* \(0, 16\) and \(4, 16\)"):
        bitext_mining.mine_pairs(foreign[:0], english)
    with pytest.raises(ValueError, match="one width"):
        bitext_mining.mine_pairs(foreign[:, :8], english)
    with pytest.raises(ValueError, match="k = 0"):
        bitext_mining.mine_pairs(foreign, english, k=0)
    english[2, 5] = np.nan
    with pytest.raises(ValueError, match="english sentence 2 is not finite"):
        bitext_mining.mine_pairs(foreign, english, chunk=2)


def test_a_repeated_text_is_mined_once_and_never_predicted():
    foreign, english = sides(30, 30, translated=10)
    left, right = rows("xx", 30), rows("en", 30)
    alone = bitext_mining.mine_candidates(left, right, (foreign, english))
    again = [*left, {"id": "xx-030", "text": left[3]["text"]}]
    mined = bitext_mining.mine_candidates(again, right, (np.concatenate([foreign, foreign[3:4]]), english))
    assert mined.pairs == [pair for pair in alone.pairs if pair[0] != "xx-003"]
    assert ("xx-003", "en-003") in alone.pairs and len(mined.foreign) == 31
    assert mined.scores.tolist() == [score for pair, score in zip(*alone[:2], strict=True) if pair[0] != "xx-003"]


def test_the_threshold_is_the_best_of_all():
    rng = np.random.default_rng(0)
    for size in [*range(1, 8), 30] * 8:
        scores = -np.sort(-rng.integers(1, 6, size) / 4)  # few values: many ties
        pairs = [(f"f{place}", f"e{place}") for place in range(size)]
        gold = [pair for pair, score in zip(pairs, scores, strict=True) if rng.random() < score - 0.25]
        gold.append(("f", "unfound"))
        mined = bitext_mining.Candidates(pairs, scores, [])
        cut = bitext_mining.best_threshold(mined, gold)
        limits = [*scores, *(scores + 0.01)]
        best = max(metrics.mining_scores(gold, bitext_mining.pairs_above(mined, limit))["f1"] for limit in limits)
        assert metrics.mining_scores(gold, bitext_mining.pairs_above(mined, cut))["f1"] == pytest.approx(
            best, abs=1e-12
        )


def test_the_threshold_lies_between_neighbours():
    pairs = [("a", "1"), ("b", "2"), ("c", "3")]
    mined = bitext_mining.Candidates(pairs, np.array([1.4, 1.2, 1.0]), ["a", "b", "c"])
    assert bitext_mining.best_threshold(mined, pairs[:1]) == pytest.approx(1.3)
    assert bitext_mining.best_threshold(mined, pairs) == 1.0  # below the last there is no neighbour
    assert bitext_mining.best_threshold(mined, [("a", "3")]) == 0.0  # nothing right: XTREME's script leaves it at 0
    close = bitext_mining.Candidates(pairs[:2], np.array([np.nextafter(1.0, 2.0), 1.0]), ["a", "b"])
    assert bitext_mining.pairs_above(close, bitext_mining.best_threshold(close, pairs[:1])) == pairs[:1]
    empty = bitext_mining.Candidates([], np.zeros(0), ["a"])
    assert bitext_mining.best_threshold(empty, pairs) == 0.0 and bitext_mining.pairs_above(empty, 0.0) == []


def test_development_data_set_the_threshold():
    mined, gold = world()
    harder, harder_gold = world(noise=1.5)
    predicted, scores = bitext_mining.score_mining(mined, gold, (harder, harder_gold))
    assert predicted == bitext_mining.pairs_above(mined, bitext_mining.best_threshold(harder, harder_gold))
    assert scores == metrics.mining_scores(gold, predicted)


def test_halves_part_candidates_and_gold_by_their_foreign_sentence():
    mined, gold = world(count=41)
    gold.append((gold[0][0], "en-001"))  # a sentence with two translations stays whole
    (first, first_gold), (second, second_gold) = bitext_mining.split_in_halves(mined, gold)
    foreign = [
        {pair[0] for pair in [*part.pairs, *wanted]} for part, wanted in ((first, first_gold), (second, second_gold))
    ]
    assert not foreign[0] & foreign[1]
    assert sorted(first.pairs + second.pairs) == sorted(mined.pairs) and sorted(first_gold + second_gold) == sorted(
        gold
    )
    assert len({pair[0] for pair in first_gold}) == len({pair[0] for pair in second_gold}) == 10
    assert abs(len(foreign[0]) - len(foreign[1])) <= 3
    with pytest.raises(ValueError, match="1 translated foreign sentence"):
        bitext_mining.split_in_halves(mined, gold[:1])


def test_cross_fitting_never_sees_the_half_it_scores():
    mined, gold = world(noise=1.0)
    predicted, scores = bitext_mining.score_mining(mined, gold)
    parts = bitext_mining.split_in_halves(mined, gold)
    ids = [{pair[0] for pair in part.pairs} for part, _ in parts]
    for half, other in ((0, 1), (1, 0)):
        # Whatever the gold says of this half, what is predicted in it stays the same.
        wrong = [(foreign, "en-nothing") for foreign, _ in parts[half][1]]
        again, _ = bitext_mining.score_mining(
            mined, [wrong.pop(0) if pair in parts[half][1] else pair for pair in gold]
        )
        inside = [pair for pair in predicted if pair[0] in ids[half]]
        assert [pair for pair in again if pair[0] in ids[half]] == inside
        assert inside == bitext_mining.pairs_above(parts[half][0], bitext_mining.best_threshold(*parts[other]))
    assert scores.items() >= metrics.mining_scores(gold, predicted).items()
    assert scores["f1, tuned on itself"] == max(
        metrics.mining_scores(gold, bitext_mining.pairs_above(mined, limit))["f1"] for limit in mined.scores
    )
