"""Labelled examples of the tasks: from a split's columns to examples under the study's names, each held to what its
format needs. What cannot be scored is left out and counted, what is wrong is refused by name.

By format an example holds, beside `id` (str): classification `text`, perhaps `text2`, `label`; choice the same
and `options`; tagging `tokens` and a `label` a word; span `text` (the question), `context` and `answers`, each a
`text` and its `start` in the context; retrieval `text` and its translation `text2`; mining `text` and its `side`."""

import functools
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from xlt_utils.data import bucc
from xlt_utils.data.languages import LANGUAGES
from xlt_utils.data.loading import DataError, MissingData, describe_split, local_folder, read_split
from xlt_utils.data.tasks import TASKS, Source, Task

OTHER = "<other>"  # the label of what training never shows, where a task takes its labels from its training data


class Withheld(DataError):
    """Nothing is left to score: every label or answer is withheld or dropped."""


class Examples(list):
    """Examples, a dict each; `dropped` counts by reason what was left out, `places` says where they were read."""

    def __init__(self, rows=(), dropped=(), places=()):
        super().__init__(rows)
        self.dropped, self.places = Counter(dropped), list(places)


@functools.cache
def complete_task(name: str, data: str) -> Task:
    """A task with its labels: those of its row or, where that leaves them open, those of its training data,
    sorted, and OTHER."""
    task = TASKS[name]
    if task.format != "tagging" or task.labels:
        return task
    found = {tag for source in task.train for tags in read_split(source, data)["label"] for tag in tags}
    return replace(task, labels=(*sorted(found), OTHER))


def read_examples(task: Task, part: str, data: str, language: str = "en", limit: int | None = None) -> Examples:
    """The examples of one part (`train`, `translated`, `development` or `test`) of a task, with a `limit` that many,
    evenly spaced.

    `label` is an index into the completed task's labels. Rows whose label is -1, dropped by the task or withheld are
    left out and counted. Raises Withheld where nothing is left, Missing where nothing is there, DataError where
    something is wrong.
    """
    task = complete_task(task.name, data) if task.format == "tagging" and not task.labels else task
    found = Examples()
    for source in getattr(task, part):
        rows = _first(task, part, source, data, language)
        found += rows
        found.dropped += rows.dropped
        found.places += rows.places
    if part in ("development", "test"):
        _check_ids(found)
    if limit and limit < len(found):
        kept = [found[number] for number in np.linspace(0, len(found) - 1, limit).astype(int)]
        return Examples(kept, found.dropped, found.places)
    return found


def read_sides(task: Task, part: str, data: str, language: str, limit: int | None = None):
    """The sentences of a mining task's two sides, foreign and English, and the gold pairs of their ids; with a `limit`
    at most that many sentences a side, with gold pairs as dense as in the whole. Raises as `read`."""
    source = gold_split(task, part, data, language)
    foreign, english, gold = read_bitext_split(source, data, language)
    if limit:
        foreign, english, gold = bucc.sample_bitext(foreign, english, gold, limit)
    where = [describe_split(source, data, language)]
    foreign = Examples((row | {"side": "foreign"} for row in foreign), places=where)
    return foreign, Examples((row | {"side": "english"} for row in english), places=where), gold


def gold_split(task: Task, part: str, data: str, language: str) -> Source:
    """The split that `sides` reads for a part: the first of the part's chain that comes with gold pairs. Looks for
    files, reads none. Raises Missing where no split has them."""
    (source,) = getattr(task, part)
    tried = []
    for one in chain(source):
        try:
            if (_folder(one, data, language) / f"{language}-en.{one.split}.gold").is_file():
                return one
            tried.append(f"{describe_split(one, data, language)}: no gold pairs")
        except MissingData as error:
            tried.append(str(error))
    raise MissingData(f"{task.name}, {part}: " + "; ".join(tried))


def read_bitext_split(source: Source, data: str, language: str):
    """The foreign and the English sentences of one split as the shared task ships it, and its gold pairs or None."""
    folder = _folder(source, data, language)
    try:
        return bucc.read_bitext(folder, language, source.split)
    except ValueError as error:
        raise DataError(f"{describe_split(source, data, language)}: {error}") from error


def is_scorable(task: Task, data: str, language: str) -> bool:
    """Whether a task has test examples to score in a language."""
    find = read_sides if task.format == "mining" else read_examples
    try:
        return bool(find(task, "test", data, language))
    except (MissingData, Withheld):
        return False


def languages_with(task: Task, data: str) -> list[str]:
    """The languages that a task can be scored in, in the order of the language table."""
    return [code for code in LANGUAGES if is_scorable(task, data, code)]


def chain(source: Source) -> Iterator[Source]:
    """A source and what is read instead of it."""
    while source:
        yield source
        source = source.instead


def _folder(source: Source, data: str, language: str) -> Path:
    """Where the files of a mining split lie. Raises Missing where there are none."""
    folder = local_folder(source, data)
    if folder is None or not (folder / f"{language}-en.{source.split}.{language}").is_file():
        raise MissingData(
            f"{describe_split(source, data, language)}: no files {language}-en.{source.split}.* in a folder "
            f"{source.dataset} there or in `local/`; they come from the BUCC 2018 shared task, the hub holds its gold pairs only"
        )
    return folder


def _first(task: Task, part: str, source: Source, data: str, language: str) -> Examples:
    """The examples of a source or, where it is missing or withheld, of the one that stands in for it."""
    tried: list[DataError] = []
    for one in chain(source):
        # What an English model was trained on tests no English.
        if part != "train" and language == "en" and one in task.train:
            continue
        try:
            found = _examples(task, one, data, language)
            if found:
                return found
            reasons = ", ".join(f"{number:,} {reason}" for reason, number in found.dropped.items())
            tried.append(Withheld(f"{describe_split(one, data, language)}: nothing left to score: {reasons}"))
        except MissingData as error:
            tried.append(error)
    kind = Withheld if any(isinstance(error, Withheld) for error in tried) else MissingData
    raise kind(f"{task.name}, {part}: " + "; ".join(map(str, tried)))


def _examples(task: Task, source: Source, data: str, language: str) -> Examples:
    columns = read_split(source, data, language)
    where, found = describe_split(source, data, language), Examples(places=[describe_split(source, data, language)])
    names = list(columns)
    for number, values in enumerate(zip(*columns.values(), strict=True)):
        row = {"id": str(number)} | dict(zip(names, values, strict=True))
        try:
            reason = _validate_example(task, source, row)
        except ValueError as error:
            raise DataError(f"{where}: row {number} (id {row['id']}): {error}") from None
        if reason:
            found.dropped[reason] += 1
        else:
            found.append(row)
    return found


def _validate_example(task: Task, source: Source, row: dict) -> str | None:
    """Bring one example into the study's form; the reason where it is to be left out. Raises ValueError with what is
    wrong with it."""
    if None in row.values():
        raise ValueError(f"column {next(name for name in row if row[name] is None)!r} is empty")
    if "label" in row:
        tags = row["label"] if isinstance(row["label"], list) else [row["label"]]
        indices = [_index(tag, source, task) for tag in tags]
        dropped = next((index for index in indices if isinstance(index, str)), None)
        if dropped:
            return dropped
        row["label"] = indices if isinstance(row["label"], list) else indices[0]
    if "tokens" in row and len(row["label"]) != len(row["tokens"]):
        raise ValueError(f"{len(row['label'])} tags for {len(row['tokens'])} words; each word has one")
    if "options" in row and not len(task.labels) == len(row["options"]) == len(row.pop("names", task.labels)):
        raise ValueError(f"{len(row['options'])} options for the labels {', '.join(task.labels)}")
    if "answers" in row:
        return _validate_answers(task, row)
    if "text2" in row and task.format == "retrieval":
        row["text"], row["text2"] = row["text"].rstrip("\n"), row["text2"].rstrip("\n")
    return None


def _validate_answers(task: Task, row: dict) -> str | None:
    given = zip(row["answers"]["text"], row["answers"]["answer_start"], strict=True)
    row["answers"] = [{"text": text, "start": start} for text, start in given if text]
    for answer in row["answers"]:
        there = row["context"][answer["start"] : answer["start"] + len(answer["text"])]
        if there != answer["text"]:
            raise ValueError(
                f"the answer {answer['text']!r} does not stand at {answer['start']} of its context, where {there!r} is"
            )
    return None if row["answers"] or task.unanswerable else "without an answer"


def _index(label: int | str, source: Source, task: Task) -> int | str:
    """The label's index in the task's labels, or the reason why its example is left out."""
    if label in (-1, "-1"):
        return "labelled -1"
    if isinstance(label, int) and label >= len(source.labels):
        raise ValueError(f"the label {label} is beyond {', '.join(source.labels)}")
    name = label if isinstance(label, str) else source.labels[label]
    if name in source.dropped:
        return f"labelled {name}"
    if name not in task.labels:
        if OTHER in task.labels:
            return task.labels.index(OTHER)
        raise ValueError(f"the label {name!r} is none of {', '.join(task.labels)}")
    return task.labels.index(name)


def _check_ids(found: Examples) -> None:
    """Predictions go under their ids: no two examples of a language may share one."""
    counts = Counter(row["id"] for row in found)
    twice = [name for name, number in counts.items() if number > 1]
    if twice and len(found.places) == 1:
        raise DataError(
            f"{found.places[0]}: {len(twice)} ids stand there more than once, such as {twice[0]!r}; "
            "each example needs one of its own"
        )
    if twice:  # the rows of several sources are numbered apart
        for number, row in enumerate(found):
            row["id"] = str(number)
