"""Orders that are never in memory: each position has its number, and a longer order begins with the shorter one."""

import tracemalloc

import numpy as np
import pytest

from xlt_utils.training import sampling


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 16, 17, 64, 65, 1_000, 4_097, 100_003])
def test_every_position_has_its_own_number(n):
    numbers = sampling.Permutation(n, [7, n])(np.arange(n))
    assert np.array_equal(np.sort(numbers), np.arange(n))


def test_a_position_is_computed_alone():
    order = sampling.Permutation(1_000, [3])
    assert order(np.array([17]))[0] == order(np.arange(1_000))[17]


def test_the_seed_decides_the_order_and_neighbours_part():
    order, same, other = (sampling.Permutation(10_000, seed)(np.arange(10_000)) for seed in ([1, 2], [1, 2], [1, 3]))
    assert np.array_equal(order, same)
    assert (order == other).mean() < 0.01
    assert abs(np.corrcoef(np.arange(10_000), order)[0, 1]) < 0.05
    assert abs(np.corrcoef(order[:-1], order[1:])[0, 1]) < 0.05


def test_an_order_too_long_to_hold_is_there_at_once():
    n = 10**12
    numbers = sampling.Permutation(n, [0])(np.arange(n - 10_000, n))
    assert len(np.unique(numbers)) == 10_000 and numbers.min() >= 0 and numbers.max() < n
    assert numbers.mean() == pytest.approx(n / 2, rel=0.05)  # spread over all of it


SHARES = [0.5, 0.3, 0.15, 0.05]


def test_a_longer_draw_begins_with_the_shorter():
    positions = np.arange(5_000)
    short = sampling.LanguageSampler(SHARES, 3, 5_000)(positions)
    for count in (5_000, 2 * sampling.BLOCK, 20_000):
        assert np.array_equal(short, sampling.LanguageSampler(SHARES, 3, count)(positions))
    assert not np.array_equal(sampling.LanguageSampler(SHARES, 4, 5_000)(positions)[0], short[0])


@pytest.mark.parametrize("count", [1, 100, sampling.BLOCK, sampling.BLOCK + 1, 30_000])
def test_the_ranks_of_a_language_count_its_positions(count):
    sampler = sampling.LanguageSampler(SHARES, 0, count)
    languages, ranks = sampler(np.arange(count))
    assert np.array_equal(sampler.counts, np.bincount(languages, minlength=4)) and sampler.counts.sum() == count
    for language, number in enumerate(sampler.counts):
        assert np.array_equal(ranks[languages == language], np.arange(number))
    mixed = np.random.default_rng(0).permutation(count)[:50]  # positions from many blocks, in no order
    assert np.array_equal(sampler(mixed), (languages[mixed], ranks[mixed]))


def test_languages_are_drawn_as_often_as_their_shares_say():
    counts = sampling.LanguageSampler(SHARES, 1, 100_000).counts
    assert counts / 100_000 == pytest.approx(np.array(SHARES), abs=0.006)


def test_memory_does_not_grow_with_the_draw():
    sampler = sampling.LanguageSampler(SHARES, 0, 10**8)
    assert sampler.drawn_before.nbytes < 10**6  # with 16 bytes a position it would be 1.6 GB
    tracemalloc.start()
    for position in range(0, 10**8, 10**6):
        sampler(np.arange(position, position + 32))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**23
