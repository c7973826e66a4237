"""The files of the BUCC 2018 shared task: two monolingual sides and the gold pairs between them, read and checked, and
smaller samples of them that keep the density of pairs."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

Pair = tuple[str, str]  # (foreign id, english id)


def sample_bitext(
    foreign: list[dict], english: list[dict], gold: list[Pair], limit: int
) -> tuple[list[dict], list[dict], list[Pair]]:
    """A smaller task, at most `limit` sentences a side: both sides and the gold shrink by the same share.

    Gold pairs (two at least, for cross-fitting) and sentences without a translation are evenly spaced over the
    whole; an untaken pair's sentences are left out, so that nothing is a translation without being gold.
    """
    share = limit / max(len(foreign), len(english))
    if share >= 1:
        return foreign, english, gold
    taken = _spaced(gold, min(limit, max(2, round(share * len(gold)))))
    sides = []
    for way, side in enumerate((foreign, english)):
        chosen, translated = ({pair[way] for pair in some} for some in (taken, gold))
        others = [row["id"] for row in side if row["id"] not in translated]
        ids = chosen | set(_spaced(others, max(0, round(share * len(side)) - len(chosen))))
        sides.append([row for row in side if row["id"] in ids])
    held = [{row["id"] for row in side} for side in sides]
    return *sides, [pair for pair in gold if pair[0] in held[0] and pair[1] in held[1]]


def read_bitext(folder: Path, language: str, split: str) -> tuple[list[dict], list[dict], list[Pair] | None]:
    """The foreign rows, English rows {"id", "text"} and gold pairs of `{language}-en.{split}.{language|en|gold}`, tab
    separated UTF-8 as the shared task ships them; gold is None where there is no such file, as in its test set.

    A sentence may be in several gold pairs, a pair in the list once. Raises ValueError naming the file, the line, what
    stands there and what is expected.
    """
    file = {part: Path(folder) / f"{language}-en.{split}.{part}" for part in (language, "en", "gold")}
    sides: dict[str, dict[str, str]] = {language: {}, "en": {}}
    for side, rows in sides.items():
        for where, name, text in _lines(file[side], "an id, a tab and a sentence"):
            if name in rows:
                raise ValueError(f"{where}: the id {name!r} for the second time; a sentence has an id of its own")
            rows[name] = text
    gold: dict[Pair, str] = {}
    for where, *pair in _lines(file["gold"], "a foreign id, a tab and an English id") if file["gold"].exists() else ():
        for name, side in zip(pair, sides, strict=True):
            if name not in sides[side]:
                raise ValueError(f"{where}: {name!r} is no id of {file[side].name}")
        if gold.setdefault(tuple(pair), where) != where:
            raise ValueError(f"{where}: the pair {pair} for the second time; a pair counts once")
    rows = ([{"id": name, "text": text} for name, text in side.items()] for side in sides.values())
    return *rows, list(gold) or None


def _lines(file: Path, expected: str) -> Iterator[tuple[str, str, str]]:
    """Each line's place and its two fields. Only \\n ends a line: sentences hold other line separators."""
    if not file.is_file():
        raise ValueError(f"{file}: no such file; it should hold {expected} a line")
    lines = file.read_bytes().removeprefix(b"\xef\xbb\xbf").removesuffix(b"\n").split(b"\n")
    for number, line in enumerate(lines, 1):
        where, shown = f"{file}, line {number}", line[:80].decode(errors="backslashreplace")
        try:
            first, _, second = (field.strip() for field in line.decode().partition("\t"))
        except UnicodeDecodeError as error:
            raise ValueError(f"{where}: {shown!r} is not UTF-8 ({error.reason})") from error
        if not first or not second:
            raise ValueError(f"{where}: {shown!r}; expected {expected}")
        yield where, first, second


def _spaced(items: list, count: int) -> list:
    return [items[place] for place in np.linspace(0, len(items) - 1, min(count, len(items))).astype(int)]
