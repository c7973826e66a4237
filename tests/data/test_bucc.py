"""BUCC's files are read, or refused by file and line; a sample of them is as dense in gold pairs as the whole."""

from pathlib import Path

import pytest

from xlt_utils.data import bucc

BUCC = Path(__file__).parents[3] / "shared" / "mirror" / "bucc2018"


def rows(language: str, count: int) -> list[dict]:
    return [{"id": f"{language}-{place:03}", "text": f"{language} {place}"} for place in range(count)]


@pytest.mark.parametrize("limit", [1, 2, 30, 60, 199, 200, 1_000])
def test_a_sample_keeps_the_density_of_gold(limit):
    foreign, english = rows("xx", 100), rows("en", 200)
    gold = [(f"xx-{place:03}", f"en-{199 - place:03}") for place in range(0, 100, 5)]
    gold.append((gold[0][0], "en-100"))
    few, few_english, pairs = bucc.sample_bitext(bucc.Bitext(foreign, english, gold), limit, [1])
    assert len(few) <= limit and len(few_english) == min(limit, 200)
    ids = [{row["id"] for row in side} for side in (few, few_english)]
    assert pairs == [pair for pair in gold if pair[0] in ids[0] and pair[1] in ids[1]]
    wanted = min(limit, max(2, limit * len(gold) / 200))
    assert abs(len(pairs) - min(wanted, len(gold))) <= 0.5
    # A sentence whose translation was left out is left out too.
    assert all((pair[0] in ids[0]) == (pair[1] in ids[1]) for pair in gold[1:-1])
    assert [row for row in foreign if row["id"] in ids[0]] == few
    if limit == 60:
        assert len(few) == 30
        again, other = (bucc.sample_bitext(bucc.Bitext(foreign, english, gold), limit, [seed]) for seed in (1, 2))
        assert again.foreign == few and other.foreign != few


def write(folder: Path, **parts: str) -> Path:
    """A task of two sentences a side in the shared task's layout, with some parts put otherwise."""
    parts = {"xx": "xx-1\teins\nxx-2\tzwei\n", "en": "en-1\tone\nen-2\ttwo\n", "gold": "xx-1\ten-2\n"} | parts
    folder.mkdir()
    for part, text in parts.items():
        (folder / f"xx-en.dev.{part}").write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


def test_the_shared_tasks_files_are_read(tmp_path):
    foreign, english, gold = bucc.read_bitext(write(tmp_path / "plain"), "xx", "dev")
    assert foreign == [{"id": "xx-1", "text": "eins"}, {"id": "xx-2", "text": "zwei"}]
    assert english[1] == {"id": "en-2", "text": "two"} and gold == [("xx-1", "en-2")]
    odd = write(
        tmp_path / "odd", xx="\ufeffxx-1\teins\u2028und\x85mehr \r\nxx-2\tzwei\tdrei", gold="xx-1\ten-2\nxx-1\ten-1"
    )
    foreign, _, gold = bucc.read_bitext(odd, "xx", "dev")
    assert foreign == [{"id": "xx-1", "text": "eins\u2028und\x85mehr"}, {"id": "xx-2", "text": "zwei\tdrei"}]
    assert gold == [("xx-1", "en-2"), ("xx-1", "en-1")]  # one sentence, two translations
    (odd / "xx-en.dev.gold").unlink()
    assert bucc.read_bitext(odd, "xx", "dev").gold == []


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"en": "en-1\tone\nen-2 two\n"}, r"xx-en\.dev\.en, line 2: 'en-2 two'; expected an id, a tab and a sentence"),
        ({"en": "en-1\tone\nen-1\ttwo\n"}, r"xx-en\.dev\.en, line 2: the id 'en-1' for the second time"),
        ({"xx": "xx-1\t \nxx-2\tzwei\n"}, r"xx-en\.dev\.xx, line 1: .*; expected an id, a tab and a sentence"),
        ({"xx": "xx-1\teins\n\nxx-2\tzwei\n"}, r"xx-en\.dev\.xx, line 2: ''; expected"),
        ({"xx": ""}, r"xx-en\.dev\.xx, line 1: ''; expected"),
        ({"xx": b"xx-1\teins\nxx-2\t\xff\n"}, r"xx-en\.dev\.xx, line 2: .* is not UTF-8"),
        ({"gold": "xx-3\ten-1\n"}, r"xx-en\.dev\.gold, line 1: 'xx-3' is no id of xx-en\.dev\.xx"),
        ({"gold": "xx-1\ten-2\nen-1\txx-1\n"}, r"xx-en\.dev\.gold, line 2: 'en-1' is no id of xx-en\.dev\.xx"),
        ({"gold": "xx-1\ten-3\n"}, r"xx-en\.dev\.gold, line 1: 'en-3' is no id of xx-en\.dev\.en"),
        ({"gold": "xx-1\ten-2\nxx-1\ten-2\n"}, r"xx-en\.dev\.gold, line 2: the pair .* for the second time"),
        ({"gold": ""}, r"xx-en\.dev\.gold, line 1: ''; expected a foreign id, a tab and an English id"),
    ],
)
def test_a_faulty_file_is_named_with_its_line(tmp_path, parts, message):
    with pytest.raises(ValueError, match=message):
        bucc.read_bitext(write(tmp_path / "faulty", **parts), "xx", "dev")


def test_a_missing_side_is_named(tmp_path):
    folder = write(tmp_path / "half")
    (folder / "xx-en.dev.en").unlink()
    with pytest.raises(ValueError, match=r"xx-en\.dev\.en: no such file"):
        bucc.read_bitext(folder, "xx", "dev")


@pytest.mark.skipif(not BUCC.is_dir(), reason="the shared task's files in ../shared/mirror/bucc2018 are not here")
def test_the_mirrors_task_is_read_and_sampled():
    foreign, english, gold = bucc.read_bitext(BUCC, "zh", "dev")
    assert (len(foreign), len(english), len(gold)) == (8_624, 13_589, 257)
    few, few_english, pairs = bucc.sample_bitext(bucc.Bitext(foreign, english, gold), 1_000, [0])
    assert (len(few), len(few_english), len(pairs)) == (635, 1_000, 19)
