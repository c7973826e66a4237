"""Seeded orders that are computed position by position: what is at a position follows from the seed and the position
alone. No order is ever in memory, however long it is."""

import functools
from collections.abc import Sequence

import numpy as np

BLOCK = 4096  # positions whose languages are drawn together
# Each use of a seed adds its own number to it, so that no two uses share a stream of random numbers.
DRAW, SHUFFLE, MASK, LABELS, REPEAT, HEAD_MASK = range(1, 7)


class Permutation:
    """A seeded order of range(n): a Feistel network over the next power of four, applied again while the result is n
    or more (Black & Rogaway 2002, *Ciphers with arbitrary finite domains*)."""

    def __init__(self, n: int, seed: Sequence[int]):
        self.n = n = int(n)
        self.half_bits = np.uint64(max(1, (max(n - 1, 1).bit_length() + 1) // 2))
        self.keys = np.random.default_rng(seed).integers(0, 2**63, size=6, dtype=np.uint64)

    def __call__(self, positions: np.ndarray) -> np.ndarray:
        """The numbers at these positions, all below n."""
        numbers = self._network(np.asarray(positions, dtype=np.uint64))
        while (too_large := numbers >= self.n).any():
            numbers[too_large] = self._network(numbers[too_large])
        return numbers.astype(np.int64)

    def _network(self, values: np.ndarray) -> np.ndarray:
        low_bits = (np.uint64(1) << self.half_bits) - np.uint64(1)
        left, right = values >> self.half_bits, values & low_bits
        for key in self.keys:
            word = (right + key) * np.uint64(0x9E3779B97F4A7C15)  # wraps around, as hashing wants it
            word = (word ^ (word >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
            left, right = right, left ^ ((word >> np.uint64(40)) & low_bits)
        return (left << self.half_bits) | right


class LanguageSampler:
    """The first `count` draws of a seed from several languages: the language at each position, and how often it was
    drawn before. A longer order begins with the shorter one.

    Memory holds one number a language and block of 4,096 positions.

    Args:
        shares: each language's probability; they add up to 1.
        seed: decides the draws.
        count: the number of draws.
    """

    def __init__(self, shares: Sequence[float] | np.ndarray, seed: int, count: int):
        self.bounds, self.seed, self.count = np.cumsum(shares)[:-1], seed, count
        self.drawn_before = np.zeros((-(-count // BLOCK) + 1, len(shares)), dtype=np.int64)  # (blocks + 1, languages)
        for block in range(len(self.drawn_before) - 1):
            drawn = np.bincount(self._draw(block), minlength=len(shares))
            self.drawn_before[block + 1] = self.drawn_before[block] + drawn
        self._cached_block = functools.lru_cache(maxsize=64)(self._draw_and_rank)

    @property
    def counts(self) -> np.ndarray:
        """How often each language is drawn."""
        return self.drawn_before[-1]

    def __call__(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The language at each position, and how often that language was drawn at earlier positions (its rank)."""
        languages, ranks = np.empty(len(positions), dtype=np.int64), np.empty(len(positions), dtype=np.int64)
        for block in np.unique(positions // BLOCK).tolist():
            in_block = positions // BLOCK == block
            block_languages, block_ranks = self._cached_block(block)
            languages[in_block] = block_languages[positions[in_block] % BLOCK]
            ranks[in_block] = block_ranks[positions[in_block] % BLOCK]
        return languages, ranks

    def _draw(self, block: int) -> np.ndarray:
        numbers = np.random.default_rng([self.seed, DRAW, block]).random(BLOCK)
        return np.searchsorted(self.bounds, numbers[: self.count - block * BLOCK], side="right")

    def _draw_and_rank(self, block: int) -> tuple[np.ndarray, np.ndarray]:
        languages = self._draw(block)
        ranks = np.empty(len(languages), dtype=np.int64)
        for language, before in enumerate(self.drawn_before[block]):
            of_language = languages == language
            ranks[of_language] = before + np.arange(of_language.sum())
        return languages, ranks
