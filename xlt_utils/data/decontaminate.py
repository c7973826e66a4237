"""Pretraining text that a test holds too is no pretraining text: lines that equal a sentence of any evaluation set,
but for case, space and punctuation, are dropped and counted. All tasks of the registry count, in all languages,
whatever a study tests: a checkpoint stays good for every test."""

import contextlib
import functools
import hashlib
import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import regex

from xlt_utils.data import build_cache, labelled, loading
from xlt_utils.data.languages import LANGUAGES
from xlt_utils.data.tasks import TASKS, Source, Task

_NOISE = regex.compile(r"[\p{P}\p{Z}\p{C}]+")
_ENDS = regex.compile(r"(?<=[.!?…؟۔।])\s+|(?<=[。！？])")  # where a context is cut into sentences


def normalised(text: str) -> str:
    """A text without case, space and punctuation: where two are equal, they are the same sentence."""
    return _NOISE.sub("", text.casefold())


def evaluation_sentences(data: str) -> Iterator[str]:
    """Every text that a test or a development set in `data` shows an encoder, in every language; contexts come whole
    and sentence by sentence."""
    seen: list[Source] = []
    for task in TASKS.values():
        for source in itertools.chain.from_iterable(map(labelled.chain, (*task.test, *task.development))):
            if source not in seen:
                seen.append(source)
                yield from _sentences(task, source, data)


def clean_text(data: str, language: str) -> Iterator[tuple[list[str], int]]:
    """The text of a language in chunks of lines that no evaluation set holds, each with the number of those left
    out."""
    known = _keys(data)
    for lines in loading.read_text(data, language):
        keys = np.array([_key(line) for line in lines], dtype=np.uint64)
        places = np.minimum(np.searchsorted(known, keys), len(known) - 1)
        fresh = (known[places] != keys) if len(known) else np.ones(len(keys), dtype=bool)
        yield [line for line, kept in zip(lines, fresh, strict=True) if kept], int((~fresh).sum())


def _sentences(task: Task, source: Source, data: str) -> Iterator[str]:
    # A training split that stands in for a test does so in every language but that of training.
    languages = [code for code in LANGUAGES if not (code == "en" and source in task.train)]
    mixed = "{" not in source.config and source not in task.train
    for language in [None] if mixed else languages:
        with contextlib.suppress(loading.MissingData):
            if task.format == "mining":
                yield from (
                    row["text"] for side in labelled.read_bitext_split(source, data, language)[:2] for row in side
                )
            else:
                for name, column in loading.read_split(source, data, language).items():
                    yield from _shown(name, column)


def _shown(name: str, column: list) -> Iterator[str]:
    """The texts of a column that an encoder is shown."""
    if name in ("text", "text2"):
        yield from column
    elif name == "tokens":
        yield from map(" ".join, column)
    elif name == "options":
        yield from (option for options in column for option in options)
    elif name == "context":
        for context in set(column):
            yield context
            yield from _ENDS.split(context)


def _key(text: str) -> int:
    """Eight bytes that stand for a normalised text; 0 for one without letters, which equals nothing."""
    plain = normalised(text)
    return int.from_bytes(hashlib.blake2b(plain.encode(), digest_size=8).digest()) if plain else 0


@functools.cache
def _keys(data: str) -> np.ndarray:
    def build(folder: Path) -> None:
        keys = {_key(text) for text in evaluation_sentences(data)} - {0}
        np.save(folder / "keys.npy", np.array(sorted(keys), dtype=np.uint64))

    folder = build_cache.build_once("evaluated", {"data": loading.data_fingerprint(data)}, build, __name__)
    return np.load(folder / "keys.npy")
