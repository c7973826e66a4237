"""A test's results item by item: packed without loss, and their sum is the score."""

import numpy as np
import pytest

from xlt_utils.errors import Fault
from xlt_utils.records import items


@pytest.mark.parametrize(
    ("right", "of"),
    [
        (np.random.default_rng(0).integers(0, 2, 301), None),  # right or wrong
        (np.random.default_rng(1).integers(0, 65_536, 9) / items.SHARE_UNIT, None),  # shares
        (np.array([4, 0, 6]), np.array([5, 0, 12])),  # spans of sentences, of which one has none
    ],
)
def test_what_is_packed_is_unpacked_by_rising_name(right, of):
    identifiers = [str(number) for number in reversed(range(len(right)))]
    unpacked = items.unpack(items.pack(identifiers, right, of))
    assert unpacked.names.tolist() == list(range(len(right)))
    assert unpacked.right[::-1] == pytest.approx(right, abs=1e-12)
    assert unpacked.of[::-1] == pytest.approx(np.ones(len(right)) if of is None else of)
    assert unpacked.contributions.mean() == pytest.approx(unpacked.score)


def test_translations_have_one_name_and_other_ids_their_checksum():
    assert items.name_of_id("17") == 17
    assert items.name_of_id("56beb4343aeaaa14008c925b") == items.name_of_id("56beb4343aeaaa14008c925b") < 2**32
    assert items.name_of_id("zh-000000001") != items.name_of_id("zh-000000002")


def test_a_sample_takes_little_more_than_a_byte_an_item():
    random = np.random.default_rng(0)
    drawn = random.permutation(870)[:300]
    assert len(items.pack([str(number) for number in drawn], random.integers(0, 2, 300))) < 400
    assert len(items.pack([str(number) for number in range(2000)], random.integers(0, 2, 2000))) < 500


@pytest.mark.parametrize("line", ["", "AAAA", items.pack(["1"], [1])[:-6], "no base64!"])
def test_a_line_that_was_cut_is_refused(line):
    with pytest.raises(Fault, match="not the packed results of a test"):
        items.unpack(line)
