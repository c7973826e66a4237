"""Pretraining text without test sentences: lines that equal a sentence of any evaluation set, except for case, space
and punctuation, are dropped and counted. All tasks of the registry count, in all languages, whatever a study tests, so
that a checkpoint can be tested on every task."""

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
_SENTENCE_END = regex.compile(r"(?<=[.!?…؟۔।])\s+|(?<=[。！？])")


def normalise(text: str) -> str:
    """A text without case, space and punctuation: texts that are equal then count as the same sentence."""
    return _NOISE.sub("", text.casefold())


def clean_text(data: str, language: str) -> Iterator[tuple[list[str], int]]:
    """A language's text in chunks: the lines that are in no evaluation set, and how many lines were dropped."""
    evaluation_keys = _evaluation_keys(data)
    for lines in loading.read_text(data, language):
        keys = np.array([_key(line) for line in lines], dtype=np.uint64)
        # Searched in the sorted keys: np.isin would sort them again for each chunk.
        places = np.minimum(np.searchsorted(evaluation_keys, keys), len(evaluation_keys) - 1)
        is_clean = evaluation_keys[places] != keys if len(evaluation_keys) else np.ones(len(keys), dtype=bool)
        yield [line for line, kept in zip(lines, is_clean, strict=True) if kept], int((~is_clean).sum())


def evaluation_texts(data: str) -> Iterator[str]:
    """Every text in `data` that an encoder reads in a test or a development set, in every language; contexts come
    whole and sentence by sentence."""
    sources: list[Source] = []
    for task in TASKS.values():
        for source in itertools.chain.from_iterable(map(labelled.with_stand_ins, (*task.test, *task.development))):
            if source not in sources:
                sources.append(source)
                yield from _source_texts(task, source, data)


def _source_texts(task: Task, source: Source, data: str) -> Iterator[str]:
    # A training split that stands in for a test does so in every language except that of training.
    is_training = source in task.train
    is_mixed = "{" not in source.config and not is_training  # then all languages are read at once
    languages = [code for code in LANGUAGES if not (code == "en" and is_training)]
    for language in [None] if is_mixed else languages:
        with contextlib.suppress(loading.MissingData):
            if task.format == "mining" and language:
                foreign, english, _ = labelled.read_bitext_split(source, data, language)
                yield from (row["text"] for row in [*foreign, *english])
            else:
                for name, column in loading.read_split(source, data, language).items():
                    yield from filter(None, _column_texts(name, column))


def _column_texts(name: str, column: list) -> Iterator[str]:
    """The texts of a column that an encoder reads, nulls among them: those of a task that a study leaves out are no
    reason to end it."""
    if name in ("text", "text2"):
        yield from column
    elif name == "tokens":
        yield from (" ".join(filter(None, words or ())) for words in column)
    elif name == "options":
        yield from (option for options in column for option in options or ())
    elif name == "context":
        for context in filter(None, set(column)):
            yield context
            yield from _SENTENCE_END.split(context)


def _key(text: str) -> int:
    """Eight bytes that stand for a normalised text; 0 for one without letters, which equals no text."""
    plain = normalise(text)
    return int.from_bytes(hashlib.blake2b(plain.encode(), digest_size=8).digest()) if plain else 0


@functools.cache
def _evaluation_keys(data: str) -> np.ndarray:
    """The keys of all evaluation texts in `data`, sorted."""

    def build(folder: Path) -> None:
        keys = {_key(text) for text in evaluation_texts(data)} - {0}
        np.save(folder / "keys.npy", np.array(sorted(keys), dtype=np.uint64))

    folder = build_cache.build_once("evaluated", {"data": loading.data_fingerprint(data)}, build, __name__)
    return np.load(folder / "keys.npy")
