"""Orders that nobody holds in memory: each place has its number, and a longer order begins with the shorter one."""

import tracemalloc

import numpy as np
import pytest

from xlt_utils.training import sampling


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 16, 17, 64, 65, 1_000, 4_097, 100_003])
def test_every_place_has_its_own_number(n):
    found = sampling.Permutation(n, [7, n])(np.arange(n))
    assert np.array_equal(np.sort(found), np.arange(n))


def test_a_place_is_computed_alone():
    order = sampling.Permutation(1_000, [3])
    assert order(np.array([17]))[0] == order(np.arange(1_000))[17]


def test_the_seed_decides_the_order_and_neighbours_part():
    one, same, other = (sampling.Permutation(10_000, seed)(np.arange(10_000)) for seed in ([1, 2], [1, 2], [1, 3]))
    assert np.array_equal(one, same)
    assert (one == other).mean() < 0.01
    assert abs(np.corrcoef(np.arange(10_000), one)[0, 1]) < 0.05
    assert abs(np.corrcoef(one[:-1], one[1:])[0, 1]) < 0.05


def test_an_order_too_long_to_hold_is_there_at_once():
    n = 10**12
    found = sampling.Permutation(n, [0])(np.arange(n - 10_000, n))
    assert len(np.unique(found)) == 10_000 and found.min() >= 0 and found.max() < n
    assert found.mean() == pytest.approx(n / 2, rel=0.05)  # spread over all of it


SHARES = [0.5, 0.3, 0.15, 0.05]


def test_a_longer_draw_begins_with_the_shorter():
    places = np.arange(5_000)
    for count in (5_000, 2 * sampling.BLOCK, 20_000):
        short, long = (
            sampling.LanguageSampler(SHARES, 3, 5_000)(places),
            sampling.LanguageSampler(SHARES, 3, count)(places),
        )
        assert all(np.array_equal(one, other) for one, other in zip(short, long, strict=True))
    assert not np.array_equal(sampling.LanguageSampler(SHARES, 4, 5_000)(places)[0], short[0])


@pytest.mark.parametrize("count", [1, 100, sampling.BLOCK, sampling.BLOCK + 1, 30_000])
def test_the_ranks_of_a_kind_count_its_places(count):
    draw = sampling.LanguageSampler(SHARES, 0, count)
    kinds, ranks = draw(np.arange(count))
    assert np.array_equal(draw.counts, np.bincount(kinds, minlength=4)) and draw.counts.sum() == count
    for kind, number in enumerate(draw.counts):
        assert np.array_equal(ranks[kinds == kind], np.arange(number))
    mixed = np.random.default_rng(0).permutation(count)[:50]  # places from many blocks, in no order
    assert np.array_equal(draw(mixed), (kinds[mixed], ranks[mixed]))


def test_kinds_are_drawn_as_often_as_their_shares_say():
    counts = sampling.LanguageSampler(SHARES, 1, 100_000).counts
    assert counts / 100_000 == pytest.approx(np.array(SHARES), abs=0.006)


def test_memory_does_not_grow_with_the_draw():
    draw = sampling.LanguageSampler(SHARES, 0, 10**8)
    assert draw.before.nbytes < 10**6  # of 16 bytes a place it would be 1.6 GB
    tracemalloc.start()
    for place in range(0, 10**8, 10**6):
        draw(np.arange(place, place + 32))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**23
