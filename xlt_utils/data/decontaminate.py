"""Pretraining text without test sentences: lines, or sentences of documents, that equal a sentence of any evaluation
set, except for case, space and punctuation, are dropped and counted. All tasks of the registry count, in all languages,
whatever a study tests, so that a checkpoint can be tested on every task."""

import functools
import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import regex

from xlt_utils.data import build_cache, labelled, loading, pretraining_text
from xlt_utils.data.languages import LANGUAGES
from xlt_utils.data.pinned_place import TEXT, read_place
from xlt_utils.data.tasks import TASKS, Source, Task

_NOISE = regex.compile(r"[\p{P}\p{Z}\p{C}]+")
_SENTENCE_END = regex.compile(r"(?<=[.!?…؟۔।])\s+|(?<=[。！？])")
_BETWEEN_SENTENCES = regex.compile(r"(\s*\n\s*|(?<=[.!?…؟۔।])\s+)|(?<=[。！？])")


def normalise(text: str) -> str:
    """A text without case, space and punctuation: texts that are equal then count as the same sentence."""
    return _NOISE.sub("", text.casefold())


def clean_text(data: str, language: str) -> Iterator[tuple[list[str], int]]:
    """A language's text in chunks, without what is in an evaluation set: the lines, and how many of them were dropped
    or, of text that a study names, whose lines may hold many sentences, how many sentences."""
    evaluation_keys = _evaluation_keys(data)
    clean = _without_sentences if pretraining_text.is_named(data) else _without_lines
    for lines in pretraining_text.read_text(data, language):
        yield clean(lines, evaluation_keys)


def _without_lines(lines: list[str], evaluation_keys: np.ndarray) -> tuple[list[str], int]:
    is_clean = ~_are_in_tests(lines, evaluation_keys)
    return [line for line, kept in zip(lines, is_clean, strict=True) if kept], int((~is_clean).sum())


def _without_sentences(lines: list[str], evaluation_keys: np.ndarray) -> tuple[list[str], int]:
    """Lines without their sentences that a test holds; a line that is one as a whole goes with all its sentences."""
    parts = [[part for part in _BETWEEN_SENTENCES.split(line) if part] for line in lines]  # sentences and spaces
    whole = _are_in_tests(lines, evaluation_keys)
    found = iter(_are_in_tests([part for line in parts for part in line], evaluation_keys))
    kept, dropped = [], 0
    for line, pieces, is_whole in zip(lines, parts, whole, strict=True):
        in_tests = [next(found) for _ in pieces]
        if not is_whole and not any(in_tests):
            kept.append(line)
            continue
        dropped += max(1, sum(in_tests))
        follows = [False, *in_tests]  # the space after a sentence goes with it
        rest = [
            p
            for p, hit, after in zip(pieces, in_tests, follows, strict=False)
            if not hit and not (after and p.isspace())
        ]
        if not is_whole and rest:
            kept.append("".join(rest).strip())
    return kept, dropped


def _are_in_tests(texts: list[str], evaluation_keys: np.ndarray) -> np.ndarray:
    """Which of some texts equal one of a test."""
    if not texts or not len(evaluation_keys):
        return np.zeros(len(texts), dtype=bool)
    keys = np.array([_key(text) for text in texts], dtype=np.uint64)
    # Searched in the sorted keys: np.isin would sort them again for each chunk.
    places = np.minimum(np.searchsorted(evaluation_keys, keys), len(evaluation_keys) - 1)
    return evaluation_keys[places] == keys


def evaluation_sources() -> list[Source]:
    """Where the tests and development sets of all tasks are read, stand-ins among them."""
    return labelled.task_sources(TASKS, ("test", "development"))


def text_reads() -> frozenset[str]:
    """What reading text without test sentences reads: the text, and the data sets of all tests."""
    return frozenset({TEXT, *(source.dataset for source in evaluation_sources())})


def evaluation_texts(data: str, note: Callable[[Source, str], None] = lambda source, what: None) -> Iterator[str]:
    """Every text in `data` that an encoder reads in a test or a development set, in every language; contexts come
    whole and sentence by sentence.

    Args:
        data: the place.
        note: is told of each source what was `read`, or why it is `passed over`: its data set, config, language or
            split does not exist there.

    Raises:
        DataError: a source is there and cannot be read, or was to be there: a filter that lacks tests says nothing.
    """
    seen: list[Source] = []
    for task in TASKS.values():
        for source in labelled.task_sources([task.name], ("test", "development")):
            if source not in seen and not (source.dataset.startswith("microworld/") and _is_of_the_hub(data)):
                seen.append(source)
                yield from _source_texts(task, source, data, note)


def _is_of_the_hub(data: str) -> bool:
    place = read_place(data)
    return place is not None and place["folder"] is None


def _source_texts(task: Task, source: Source, data: str, note: Callable[[Source, str], None]) -> Iterator[str]:
    # A training split that stands in for a test does so in every language except that of training.
    is_training = source in task.train
    is_mixed = "{" not in source.config and not is_training  # then all languages are read at once
    languages = [code for code in LANGUAGES if not (code == "en" and is_training)]
    for language in [None] if is_mixed else languages:
        try:
            if task.format == "mining" and language:
                foreign, english, _ = labelled.read_bitext_split(source, data, language)
                texts = [row["text"] for row in [*foreign, *english]]
            else:
                columns = loading.read_split(source, data, language)
                texts = [text for name, column in columns.items() for text in _column_texts(name, column) if text]
        except loading.MissingData:
            note(source, "passed over")
            continue
        note(source, "read")
        yield from texts


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


def tests_compared(data: str) -> dict[str, dict[str, int]]:
    """What the text of a place was compared with, as a record has it: of each split of the tests, in how many languages
    it was read, and in how many it does not exist."""
    return json.loads((_evaluated(data) / "sources.json").read_text())


@functools.cache
def _evaluation_keys(data: str) -> np.ndarray:
    """The keys of all evaluation texts in `data`, sorted."""
    return np.load(_evaluated(data) / "keys.npy")


def _evaluated(data: str) -> Path:
    """The folder that holds the keys of all evaluation texts in `data`, and their sources."""

    def build(folder: Path) -> None:
        counts: dict[str, dict[str, int]] = {}

        def note(source: Source, what: str) -> None:
            row = counts.setdefault(source.place, {"read": 0, "passed over": 0})
            row[what] += 1

        keys = {_key(text) for text in evaluation_texts(data, note)} - {0}
        np.save(folder / "keys.npy", np.array(sorted(keys), dtype=np.uint64))
        (folder / "sources.json").write_text(json.dumps(counts))

    key = {"data": loading.data_fingerprint(data, text_reads() - {TEXT})}
    return build_cache.build_once("evaluated", key, build, __name__)
