"""Labelled examples of the tasks. In goes a reference to a split, out come its examples under the study's names, each
validated against its format. What cannot be scored is left out and counted; what is wrong raises an error.

Beside `id` (str), an example has by format: classification `text`, perhaps `text2`, `label`; choice the same and
`options`; tagging `tokens` (words) and a `label` a word; span `text` (the question), `context` and `answers`, each a
`text` and its `start` in the context; retrieval `text` and its translation `text2`; mining `text` and its `side`."""

import functools
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from xlt_utils.data import bucc, perturb
from xlt_utils.data.languages import LANGUAGES
from xlt_utils.data.loading import DataError, MissingData, describe_split, local_folder, read_split
from xlt_utils.data.tasks import TASKS, Source, Task

TEST_SUBSET = 6  # a stream of random numbers of its own: those of training are 1 to 5
OTHER = "<other>"  # the label of what training never shows, where a task takes its labels from its training data


class Withheld(DataError):
    """Nothing is left to score: every label or answer is withheld or dropped."""


@dataclass(frozen=True)
class SplitRef:
    """The examples that are meant: one part of a task, in one language, as one place has it.

    Attributes:
        part: `train`, `translated`, `development` or `test`.
        data: the place, as `loading.locate` gives it.
        limit: so many examples at most (of mining: sentences a side), drawn by `seed`; None: all.
        side: of retrieval one column (`text`, `text2`), of mining one side (`foreign`, `english`).
        perturbation: a kind and a share of the words (perturb.py).
    """

    task: Task
    part: str
    data: str
    language: str = "en"
    limit: int | None = None
    seed: int = 0
    side: str = ""
    perturbation: tuple[str, float] | None = None

    @property
    def sources(self) -> tuple[Source, ...]:
        return getattr(self.task, self.part)

    @property
    def all_sources(self) -> list[Source]:
        """The part's sources and their stand-ins."""
        return [source for first in self.sources for source in with_stand_ins(first)]

    @property
    def perturbation_name(self) -> str:
        """What results call the perturbation, "" where there is none."""
        return perturb.perturbation_name(*self.perturbation) if self.perturbation else ""

    def describe(self, source: Source) -> str:
        """Where one of the sources is read, in words."""
        return describe_split(source, self.data, self.language)


class Examples(list[dict]):
    """Examples, a dict each; `dropped` counts by reason what was left out, `places` says where they were read."""

    def __init__(self, rows: Iterable[dict] = (), places: Iterable[str] = ()):
        super().__init__(rows)
        self.dropped: Counter[str] = Counter()
        self.places = list(places)


@functools.cache
def complete_task(name: str, data: str) -> Task:
    """A task with its labels: those of its row or, where the row has none, those of its training data, sorted, and
    OTHER."""
    task = TASKS[name]
    if task.format != "tagging" or task.labels:
        return task
    tags = {tag for source in task.train for tags in read_split(source, data)["label"] for tag in tags}
    return replace(task, labels=(*sorted(tags), OTHER))


def read_examples(split: SplitRef) -> Examples:
    """The examples of a split, perturbed where the reference says so.

    `label` is an index into the completed task's labels. Rows whose label is -1, dropped by the task or withheld are
    left out and counted.

    Raises:
        MissingData: the data are not there.
        Withheld: nothing is left to score.
        DataError: a row is wrong, or two rows that predictions would be written for share an id.
    """
    if split.task.format == "mining":
        foreign, english, _ = read_sides(split)
        examples = {"foreign": foreign, "english": english}[split.side]
    else:
        examples = _read_all_sources(split)
    if split.limit and split.limit < len(examples) and split.task.format != "mining":
        examples[:] = [examples[number] for number in draw_subset(examples, split.limit, split.seed)]
    if split.perturbation:
        examples[:] = [perturb.perturb_example(row, *split.perturbation, seed=0) for row in examples]
    return examples


def draw_subset(examples: Sequence[dict], size: int, seed: int) -> list[int]:
    """The positions, rising, of a random subset that holds the labels in the proportions of the whole.

    Evenly spaced rows would not do: in a file whose labels alternate they hold one label more often. Files of parallel
    translations, whose labels stand in one order, give the same positions.

    Args:
        examples: with an index as `label`, or without one (tags, answers, sentences: one group).
        size: fewer than there are.
        seed: of the draw.
    """
    positions_by_label: dict[int, list[int]] = {}
    for position, row in enumerate(examples):
        label = row.get("label")
        positions_by_label.setdefault(label if isinstance(label, int) else 0, []).append(position)
    groups = [positions_by_label[label] for label in sorted(positions_by_label)]
    shares = np.array([len(group) * size / len(examples) for group in groups])
    counts = np.floor(shares).astype(int)
    counts[np.argsort(counts - shares, kind="stable")[: size - counts.sum()]] += 1  # the largest remainders
    random = np.random.default_rng([seed, TEST_SUBSET])
    drawn = [random.permutation(group)[:count] for group, count in zip(groups, counts, strict=True)]
    return sorted(np.concatenate(drawn).tolist())


def read_sides(split: SplitRef) -> tuple[Examples, Examples, list[bucc.Pair]]:
    """A mining task's sentences, foreign and English, and the gold pairs of their ids, as dense with a `limit` as
    without. Raises as `read_examples`."""
    source = gold_split(split)
    bitext = read_bitext_split(source, split.data, split.language)
    if split.limit:
        bitext = bucc.sample_bitext(bitext, split.limit, [split.seed, TEST_SUBSET])
    places = [split.describe(source)]
    foreign = Examples((row | {"side": "foreign"} for row in bitext.foreign), places=places)
    english = Examples((row | {"side": "english"} for row in bitext.english), places=places)
    return foreign, english, bitext.gold


def gold_split(split: SplitRef) -> Source:
    """The source that `read_sides` reads: the first with gold pairs among the part's source and its stand-ins. Looks
    for files, reads none. Raises MissingData where none has them."""
    (first,) = split.sources
    reasons = []
    for source in with_stand_ins(first):
        try:
            folder = _bitext_folder(source, split.data, split.language)
            if (folder / f"{split.language}-en.{source.split}.gold").is_file():
                return source
            reasons.append(f"{split.describe(source)}: no gold pairs")
        except MissingData as error:
            reasons.append(str(error))
    raise MissingData(f"{split.task.name}, {split.part}: " + "; ".join(reasons))


def read_bitext_split(source: Source, data: str, language: str) -> bucc.Bitext:
    """Both sides and the gold pairs of one split as the shared task ships it. Raises MissingData, DataError."""
    folder = _bitext_folder(source, data, language)
    try:
        return bucc.read_bitext(folder, language, source.split)
    except ValueError as error:
        raise DataError(f"{describe_split(source, data, language)}: {error}") from error


def is_scorable(split: SplitRef) -> bool:
    """Whether a split has examples to score."""
    try:
        return bool(read_sides(split) if split.task.format == "mining" else read_examples(split))
    except (MissingData, Withheld):
        return False


def languages_with(task: Task, data: str) -> list[str]:
    """The languages that a task can be tested in, in the order of the language table."""
    return [code for code in LANGUAGES if is_scorable(SplitRef(task, "test", data, code))]


def task_sources(tasks: Iterable[str], parts: Iterable[str]) -> list[Source]:
    """The sources of some parts (`train`, `translated`, `development`, `test`) of some tasks and their stand-ins, each
    once."""
    sources: list[Source] = []
    for name in tasks:
        for first in (source for part in parts for source in getattr(TASKS[name], part)):
            sources += [source for source in with_stand_ins(first) if source not in sources]
    return sources


def with_stand_ins(source: Source) -> Iterator[Source]:
    """A source, then the sources that are read where it is missing or withheld."""
    stand_in: Source | None = source
    while stand_in:
        yield stand_in
        stand_in = stand_in.instead


def _bitext_folder(source: Source, data: str, language: str) -> Path:
    """Where the files of a mining split are. Raises MissingData where they are not there."""
    folder = local_folder(source, data)
    if folder is None or not (folder / f"{language}-en.{source.split}.{language}").is_file():
        raise MissingData(
            f"{describe_split(source, data, language)}: no files {language}-en.{source.split}.* in a folder "
            f"{source.dataset} there or in `local/`; they come from the BUCC 2018 shared task, "
            "the hub has its gold pairs only"
        )
    return folder


def _read_all_sources(split: SplitRef) -> Examples:
    task = split.task
    if task.format == "tagging" and not task.labels:
        split = replace(split, task=complete_task(task.name, split.data))
    examples = Examples()
    for source in split.sources:
        rows = _read_first_scorable(split, source)
        examples += rows
        examples.dropped += rows.dropped
        examples.places += rows.places
    if split.part in ("development", "test"):
        _make_ids_unique(examples)
    return examples


def _read_first_scorable(split: SplitRef, first: Source) -> Examples:
    """The examples of a source or, where it is missing or withheld, of the first stand-in that has some."""
    failures: list[DataError] = []
    for source in with_stand_ins(first):
        # English examples that the model was trained on are not a test.
        if split.part != "train" and split.language == "en" and source in split.task.train:
            continue
        try:
            examples = _read_source(split, source)
            if examples:
                return examples
            reasons = ", ".join(f"{number:,} {reason}" for reason, number in examples.dropped.items())
            failures.append(Withheld(f"{split.describe(source)}: nothing left to score: {reasons}"))
        except MissingData as error:
            failures.append(error)
    kind = Withheld if any(isinstance(error, Withheld) for error in failures) else MissingData
    raise kind(f"{split.task.name}, {split.part}: " + "; ".join(map(str, failures)))


def _read_source(split: SplitRef, source: Source) -> Examples:
    columns = read_split(source, split.data, split.language)
    place = split.describe(source)
    examples = Examples(places=[place])
    for number, values in enumerate(zip(*columns.values(), strict=True)):
        row = {"id": str(number)} | dict(zip(columns, values, strict=True))
        try:
            reason = _validate_example(split.task, source, row)
        except ValueError as error:
            raise DataError(f"{place}: row {number} (id {row['id']}): {error}") from None
        if reason:
            examples.dropped[reason] += 1
        else:
            examples.append(row)
    return examples


def _validate_example(task: Task, source: Source, row: dict) -> str | None:
    """Bring one example into the study's form; the reason where it is to be left out. Raises ValueError with what is
    wrong with it."""
    for name, value in row.items():
        if _holds_null(value):
            raise ValueError(f"column {name!r} holds a null: {value!r}")
    if "label" in row:
        tags = row["label"] if isinstance(row["label"], list) else [row["label"]]
        indices = [_label_index(tag, source, task) for tag in tags]
        reason = next((index for index in indices if isinstance(index, str)), None)
        if reason:
            return reason
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


def _holds_null(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_holds_null, value.values()))
    return value is None or (isinstance(value, list) and None in value)


def _validate_answers(task: Task, row: dict) -> str | None:
    texts_and_starts = zip(row["answers"]["text"], row["answers"]["answer_start"], strict=True)
    row["answers"] = [{"text": text, "start": start} for text, start in texts_and_starts if text.strip()]
    for answer in row["answers"]:
        in_context = row["context"][answer["start"] : answer["start"] + len(answer["text"])]
        if in_context != answer["text"]:
            raise ValueError(
                f"the answer {answer['text']!r} is not at character {answer['start']} of its context, where "
                f"{in_context!r} is"
            )
    return None if row["answers"] or task.unanswerable else "without an answer"


def _label_index(label: int | str, source: Source, task: Task) -> int | str:
    """The label's index in the task's labels, or the reason why its example is left out."""
    if label in (-1, "-1"):
        return "labelled -1"
    if isinstance(label, int) and not 0 <= label < len(source.labels):
        raise ValueError(f"the label {label} is none of 0 to {len(source.labels) - 1} ({', '.join(source.labels)})")
    name = label if isinstance(label, str) else source.labels[label]
    if name in source.dropped:
        return f"labelled {name}"
    if name not in task.labels:
        if OTHER in task.labels:
            return task.labels.index(OTHER)
        raise ValueError(f"the label {name!r} is none of {', '.join(task.labels)}")
    return task.labels.index(name)


def _make_ids_unique(examples: Examples) -> None:
    """Predictions are stored under their ids. The rows of several sources may share ids and are numbered anew; in one
    source a repeated id is an error."""
    counts = Counter(row["id"] for row in examples)
    repeated = [name for name, number in counts.items() if number > 1]
    if repeated and len(examples.places) == 1:
        raise DataError(
            f"{examples.places[0]}: {len(repeated)} ids occur more than once, such as {repeated[0]!r}; "
            "each example needs its own"
        )
    if repeated:
        for number, row in enumerate(examples):
            row["id"] = str(number)
