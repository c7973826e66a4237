"""The files of the BUCC 2018 shared task, checked as they are read. In goes a folder, out come two monolingual sides
and the gold pairs between them, or a smaller sample that keeps the density of pairs."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

Pair = tuple[str, str]  # (foreign id, english id)


class Bitext(NamedTuple):
    """Two sides of rows {"id", "text"} and the gold pairs between them, empty where they are not given out."""

    foreign: list[dict]
    english: list[dict]
    gold: list[Pair]


def sample_bitext(bitext: Bitext, limit: int, seed: Sequence[int]) -> Bitext:
    """A smaller task, at most `limit` sentences a side: both sides and the gold pairs shrink by the same share.

    Gold pairs (two at least, for cross-fitting) and sentences without a translation are drawn by `seed`. The sentences
    of a pair that is not sampled are left out, so that every translation in the sample is gold.
    """
    gold = bitext.gold
    share = limit / max(len(bitext.foreign), len(bitext.english))
    if share >= 1:
        return bitext
    random = np.random.default_rng(seed)
    sampled_pairs = _draw(gold, random, min(limit, max(2, round(share * len(gold)))))
    sides = []
    for column, side in enumerate((bitext.foreign, bitext.english)):
        ids, translated = ({pair[column] for pair in pairs} for pairs in (sampled_pairs, gold))
        untranslated = [row["id"] for row in side if row["id"] not in translated]
        ids |= set(_draw(untranslated, random, max(0, round(share * len(side)) - len(ids))))
        sides.append([row for row in side if row["id"] in ids])
    foreign_ids, english_ids = ({row["id"] for row in side} for side in sides)
    return Bitext(sides[0], sides[1], [pair for pair in gold if pair[0] in foreign_ids and pair[1] in english_ids])


def read_bitext(folder: Path, language: str, split: str) -> Bitext:
    """Read `{language}-en.{split}.{language|en|gold}`, tab separated UTF-8 as the shared task ships them.

    There may be no gold file, as in the shared task's test set. A sentence may be in several gold pairs; a pair is in
    the list once.

    Raises:
        ValueError: a file or line is not as expected; the message names the file, the line, its text and what is right.
    """
    file = {part: Path(folder) / f"{language}-en.{split}.{part}" for part in (language, "en", "gold")}
    sides: dict[str, dict[str, str]] = {language: {}, "en": {}}
    for side, texts in sides.items():
        for place, sentence_id, text in _lines(file[side], "an id, a tab and a sentence"):
            if sentence_id in texts:
                raise ValueError(f"{place}: the id {sentence_id!r} for the second time; each sentence has its own id")
            texts[sentence_id] = text
    gold: list[Pair] = []
    seen: set[Pair] = set()
    lines = _lines(file["gold"], "a foreign id, a tab and an English id") if file["gold"].exists() else ()
    for place, foreign_id, english_id in lines:
        pair = (foreign_id, english_id)
        for sentence_id, side in zip(pair, sides, strict=True):
            if sentence_id not in sides[side]:
                raise ValueError(f"{place}: {sentence_id!r} is no id of {file[side].name}")
        if pair in seen:
            raise ValueError(f"{place}: the pair {pair} for the second time; a pair counts once")
        seen.add(pair)
        gold.append(pair)
    foreign, english = ([{"id": name, "text": text} for name, text in side.items()] for side in sides.values())
    return Bitext(foreign, english, gold)


def _lines(file: Path, expected: str) -> Iterator[tuple[str, str, str]]:
    """Each line's place and its two fields. Only \\n ends a line: sentences contain other line separators."""
    if not file.is_file():
        raise ValueError(f"{file}: no such file; expected {expected} a line")
    lines = file.read_bytes().removeprefix(b"\xef\xbb\xbf").removesuffix(b"\n").split(b"\n")
    for number, line in enumerate(lines, 1):
        place, shown = f"{file}, line {number}", line[:80].decode(errors="backslashreplace")
        try:
            first, _, second = (field.strip() for field in line.decode().partition("\t"))
        except UnicodeDecodeError as error:
            raise ValueError(f"{place}: {shown!r} is not UTF-8 ({error.reason})") from error
        if not first or not second:
            raise ValueError(f"{place}: {shown!r}; expected {expected}")
        yield place, first, second


def _draw(items: list, random: np.random.Generator, count: int) -> list:
    """So many of the items, or all, in their order."""
    return [items[place] for place in sorted(random.permutation(len(items))[:count].tolist())]
