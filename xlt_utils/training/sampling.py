"""Seeded orders that are computed place by place: what stands at a place follows from the seed and the place alone,
and no order is ever held in memory, however long."""

import functools
from collections.abc import Sequence

import numpy as np

BLOCK = 4096  # places whose kinds are drawn together
# Streams of random numbers that must not meet carry their own number beside the seed.
DRAW, SHUFFLE, MASK, LABELS, AGAIN = range(1, 6)


class Permutation:
    """A seeded order of range(n): a Feistel network over the next power of four, walked on until it lands below n
    (Black & Rogaway 2002, *Ciphers with arbitrary finite domains*)."""

    def __init__(self, n: int, seed: Sequence[int]):
        self.n = n = int(n)
        self.half = np.uint64(max(1, (max(n - 1, 1).bit_length() + 1) // 2))
        self.keys = np.random.default_rng(seed).integers(0, 2**63, size=6, dtype=np.uint64)

    def __call__(self, places: np.ndarray) -> np.ndarray:
        """What stands at each of the places, all below n."""
        found = self._mixed(np.asarray(places, dtype=np.uint64))
        while (beyond := found >= self.n).any():
            found[beyond] = self._mixed(found[beyond])
        return found.astype(np.int64)

    def _mixed(self, values: np.ndarray) -> np.ndarray:
        low = (np.uint64(1) << self.half) - np.uint64(1)
        left, right = values >> self.half, values & low
        for key in self.keys:
            word = (right + key) * np.uint64(0x9E3779B97F4A7C15)  # wraps around, as hashing wants it
            left, right = right, left ^ ((word ^ (word >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9) >> 40 & low)
        return (left << self.half) | right


class LanguageSampler:
    """The first `count` draws of a seed from several kinds, each with its share of the probability: which kind stands
    at a place, and how many of it stood before. A longer draw begins with the shorter one. It holds a number a block
    of 4,096 places and kind."""

    def __init__(self, shares: Sequence[float], seed: int, count: int):
        self.bounds, self.seed, self.count = np.cumsum(shares)[:-1], seed, count
        self.before = np.zeros((-(-count // BLOCK) + 1, len(shares)), dtype=np.int64)
        for block in range(len(self.before) - 1):
            kinds = self._kinds(block)
            self.before[block + 1] = self.before[block] + np.bincount(kinds, minlength=len(shares))
        self._block = functools.lru_cache(maxsize=64)(self._ranked)

    @property
    def counts(self) -> np.ndarray:
        """How often each kind is drawn."""
        return self.before[-1]

    def __call__(self, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The kind at each place, and its rank among the places of its kind."""
        kinds, ranks = np.empty(len(places), dtype=np.int64), np.empty(len(places), dtype=np.int64)
        for block in np.unique(places // BLOCK).tolist():
            mine = places // BLOCK == block
            kinds[mine], ranks[mine] = (drawn[places[mine] % BLOCK] for drawn in self._block(block))
        return kinds, ranks

    def _kinds(self, block: int) -> np.ndarray:
        numbers = np.random.default_rng([self.seed, DRAW, block]).random(BLOCK)
        return np.searchsorted(self.bounds, numbers[: self.count - block * BLOCK], side="right")

    def _ranked(self, block: int) -> tuple[np.ndarray, np.ndarray]:
        kinds = self._kinds(block)
        ranks = np.empty(len(kinds), dtype=np.int64)
        for kind, before in enumerate(self.before[block]):
            mine = kinds == kind
            ranks[mine] = before + np.arange(mine.sum())
        return kinds, ranks
