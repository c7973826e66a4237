"""A test's result item by item, packed into one line of a record: what says whether the same items make a gain in every
run. `pack` takes the items' names and what each has right, `unpack` gives them back."""

import base64
import binascii
import functools
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from xlt_utils.errors import Fault

COUNTS, SHARES, BITS = b"c", b"s", b"b"  # the kinds of packed results
SHARE_UNIT = 65_535  # a share of 0..1 in two bytes


@dataclass(frozen=True)
class ItemResults:
    """What each item of a test has `right`, `of` how much (items,): the score of the test is sum(right) / sum(of).

    An exact answer has 1 of 1, an F1 its share of 1, a sentence's tags twice the right spans of all gold and predicted
    ones. `names` (items,) are numbers of 32 bits: translations of one example have one name in all languages.
    """

    names: np.ndarray
    right: np.ndarray
    of: np.ndarray

    @property
    def score(self) -> float:
        """The score of the whole test, 0..1."""
        return float(self.right.sum() / max(self.of.sum(), 1))

    @property
    def contributions(self) -> np.ndarray:
        """What each item would add to the score as a mean over items (items,): their mean is the score. Where the items
        are of different size, that is the score's linear approximation (the influence of each item)."""
        score = self.score
        return score + (self.right - score * self.of) / max(self.of.mean(), 1e-12)


@dataclass(frozen=True, eq=False)
class Contributions:
    """What each item of a test adds to its score: `values` (items,) whose mean is the score, 0..1, by rising `names`
    (items,), which tests of the same items share as one array."""

    names: np.ndarray
    values: np.ndarray


def name_of_id(identifier: str) -> int:
    """An example's id as a number of 32 bits: its own where it is one, else its checksum."""
    is_number = identifier.isascii() and identifier.isdigit() and len(identifier) < 10
    return int(identifier) if is_number else zlib.crc32(identifier.encode())


def pack(identifiers: Sequence[str], right: Sequence[float], of: Sequence[float] | None = None) -> str:
    """The items as a line of ASCII, about a byte an item.

    Args:
        identifiers: the examples' ids.
        right, of: as in `ItemResults`, but for the names' order; without `of` each item counts 1.
    """
    names = np.array([name_of_id(identifier) for identifier in identifiers], dtype=np.int64)
    order = np.argsort(names, kind="stable")
    steps = np.diff(names[order], prepend=0).astype("<u4").view(np.uint8).reshape(-1, 4)
    values = np.asarray(right, dtype=float)[order]
    if of is not None:
        kind = COUNTS
        packed = np.stack([values, np.asarray(of, dtype=float)[order]]).astype("<u2").tobytes()
    elif np.isin(values, (0, 1)).all():
        kind, packed = BITS, np.packbits(values.astype(bool)).tobytes()
    else:
        kind, packed = SHARES, np.rint(values * SHARE_UNIT).astype("<u2").tobytes()
    head = kind + len(names).to_bytes(4, "little")
    # the steps' first bytes, then their second ones: nearly all but the first are 0
    return base64.b64encode(zlib.compress(head + steps.T.tobytes() + packed, 9)).decode()


def unpack(line: str) -> ItemResults:
    """The items of a packed line, by rising name.

    Raises:
        Fault: it is no packed line, or half of one.
    """
    try:
        data = zlib.decompress(base64.b64decode(line, validate=True))
        kind, n = data[:1], int.from_bytes(data[1:5], "little")
        names = _read_names(data[5 : 5 + 4 * n], n)
        body = data[5 + 4 * n :]
        if kind == COUNTS:
            right, of = np.frombuffer(body, "<u2", 2 * n).reshape(2, n).astype(float)
        elif kind == SHARES:
            right, of = np.frombuffer(body, "<u2", n) / SHARE_UNIT, np.ones(n)
        elif kind == BITS:
            right, of = np.unpackbits(np.frombuffer(body, np.uint8), count=n).astype(float), np.ones(n)
        else:
            raise ValueError(f"no such kind: {kind!r}")
    except (binascii.Error, zlib.error, ValueError) as error:
        raise Fault(f"items {line[:20]!r}...: not the packed results of a test: {error}") from None
    return ItemResults(names, right, of)


def mean_contributions(lines: Sequence[str]) -> Contributions:
    """The contributions to one test's score, averaged over the packed lines of the runs that repeat it.

    Raises:
        Fault: a line is no packed line, or two lines hold other items.
    """
    repeated = [unpack(line) for line in lines]
    names = repeated[0].names
    if not all(np.array_equal(names, other.names) for other in repeated[1:]):
        raise Fault("replicates of one run were tested on different items; a replicate takes the tests of its run")
    # four bytes an item: a study has hundreds of millions
    return Contributions(names, np.mean([one.contributions for one in repeated], axis=0).astype(np.float32))


@functools.lru_cache(maxsize=4096)  # the runs of a seed are tested on the same items: one array for all
def _read_names(steps: bytes, n: int) -> np.ndarray:
    """The names (n,) of the packed steps from each to the next; not to be written to."""
    table = np.frombuffer(steps, np.uint8).reshape(4, n)
    names = np.cumsum(table.T.copy().view("<u4")[:, 0], dtype=np.int64)
    names.flags.writeable = False
    return names
