"""The one way to data: `datasets.load_dataset`, from the hub or from a folder laid out as the hub. What is
loaded is checked here once (columns, label names, rows) and handed on under the study's own names;
everything after this module trusts it."""

import difflib
import functools
import hashlib
import json
import string
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np

from xlt_utils import microworld, paths
from xlt_utils.languages import LANGUAGES
from xlt_utils.tasks import Source, Task

TEXT = Source("text/multilingual", "{code}", "train", {"text": "text"})
# The embedded data that a notebook uses when nobody names any: large enough for its tiny defaults.
MICROWORLD = {"seed": 0, "sentences": 20_000, "bilingual": 0.05}


class DataError(ValueError):
    """Data that are not there or not as they should be; the message says what was expected and where."""


def locate(data: str, settings: dict | None = None) -> str:
    """The place that `data` names: `hub`, or a mirror folder, relative to the project where it lies
    inside. `microworld` is written first where it is not there yet, with `settings` (seed, sentences,
    bilingual)."""
    if data == "hub":
        return data
    if data == "microworld":
        settings = MICROWORLD | (settings or {})
        # Its folder is named after all that decides its bytes: the settings and the generator itself.
        generator = [file.read_bytes() for file in sorted(Path(microworld.__file__).parent.glob("*.py"))]
        name = hashlib.sha256(b"".join([json.dumps(settings, sort_keys=True).encode(), *generator])).hexdigest()[:8]
        folder = paths.RUNS / "data" / f"microworld-{name}"
        microworld.write(folder, languages=list(microworld.LANGUAGES), **settings)
        return paths.relative(folder)
    folder = paths.resolve(data)
    if not folder.is_dir():
        raise DataError(
            f"data: {data!r} is no folder (looked at {folder}); give 'microworld', 'hub' or a mirror folder"
        )
    return paths.relative(folder)


@functools.cache
def fingerprint(data: str) -> str:
    """The sha256 of everything in a mirror folder, names and bytes; of the hub, its name."""
    if data == "hub":
        return "hub"
    digest = hashlib.sha256()
    folder = paths.resolve(data)
    for file in sorted(folder.rglob("*.parquet")):
        digest.update(f"{file.relative_to(folder)}\0{file.stat().st_size}\0".encode())
        with open(file, "rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()


def config_name(source: Source, language: str | None) -> str:
    """The config of `source` that holds `language`, spelt as the data set spells it."""
    return source.config.format(**asdict(LANGUAGES[language])) if language else source.config


@functools.cache
def _configs(data: str, dataset: str) -> tuple[str, ...]:
    import datasets

    path = dataset if data == "hub" else paths.resolve(data) / dataset
    if data != "hub" and not Path(path).is_dir():
        raise DataError(f"{dataset}: no such data set in {data} (looked for the folder {path})")
    return tuple(datasets.get_dataset_config_names(str(path)))


def load(source: Source, data: str, language: str | None = None):
    """Load one split as a `datasets.Dataset` and check it against its row in the registry.

    Raises DataError naming the data set, the place and what was expected where the data set, config,
    split, a column or a label name is not there.
    """
    import datasets

    config = config_name(source, language if _is_per_language(source) else None)
    where = f"{source.dataset}, config {config}, split {source.split}, in {data}"
    configs = _configs(data, source.dataset)
    if config not in configs:
        raise DataError(f"{where}: no such config; {_nearest(config, configs)}")
    path = source.dataset if data == "hub" else str(paths.resolve(data) / source.dataset)
    # The library's own cache takes two folders with data sets of one name for the same data (datasets 5.2): each
    # mirror has a cache of its own, under the name of its content.
    cache = None if data == "hub" else str(paths.RUNS / "data" / f"arrow-{fingerprint(data)[:16]}")
    try:
        rows = datasets.load_dataset(path, config, split=source.split, cache_dir=cache)
    except (ValueError, FileNotFoundError) as error:
        raise DataError(f"{where}: {error}") from error
    for column in filter(None, [*source.columns.values(), source.language_column]):
        if column not in rows.column_names:
            raise DataError(f"{where}: no column {column!r}; {_nearest(column, rows.column_names)}")
    names = _label_names(rows.features[source.columns["label"]]) if "label" in source.columns else None
    if names is not None and tuple(names) != source.labels:
        raise DataError(f"{where}: the labels are {list(names)}, expected {list(source.labels)}")
    if source.language_column and language:
        values = np.asarray(rows.with_format("numpy")[source.language_column][:])
        rows = rows.select(np.flatnonzero(values == language))
    if not len(rows):
        raise DataError(f"{where}: no row{f' of language {language!r}' if language else ''}")
    return rows


def examples(task: Task, part: str, data: str, language: str | None = None, limit: int | None = None) -> list[dict]:
    """The examples of one part (`train`, `development` or `test`) of a task under the study's names.

    Each has `id` (its row), `text` (and `text2`) or `tokens`, and `label`: an index into `task.labels`, or
    a list of them, one a word. Rows whose label is -1 or that the task drops are left out. With a
    `limit`, that many rows, evenly spaced over the split.
    """
    source = getattr(task, part)
    rows = load(source, data, language)
    table = {name: rows.with_format("arrow")[:][column].to_pylist() for name, column in source.columns.items()}
    kept = range(len(rows))
    if "label" in table:
        table["label"] = [_index(label, source, task) for label in table["label"]]
        kept = [row for row in kept if table["label"][row] is not None]
    if not kept:
        raise DataError(f"{task.name}, {part}: every row's label was dropped")
    if limit and limit < len(kept):
        kept = [kept[place] for place in np.linspace(0, len(kept) - 1, limit).astype(int)]
    return [{"id": row} | {name: column[row] for name, column in table.items()} for row in kept]


def languages_with(task: Task, data: str) -> list[str]:
    """The languages that a task can be tested in, in the order of the language table."""
    source = task.test
    if source.language_column:
        held = set(load(source, data).unique(source.language_column))
        return [code for code in LANGUAGES if code in held]
    configs = set(_configs(data, source.dataset))
    return [code for code in LANGUAGES if config_name(source, code) in configs]


def text(data: str, language: str, chunk: int = 10_000) -> Iterator[list[str]]:
    """The lines of a language's pretraining text, in chunks of at most `chunk`: never all in memory."""
    rows = load(TEXT, data, language)
    for start in range(0, len(rows), chunk):
        yield rows[start : start + chunk]["text"]


def _is_per_language(source: Source) -> bool:
    return any(field for _, field, _, _ in string.Formatter().parse(source.config) if field)


def _label_names(feature) -> list[str] | None:
    """The names of a ClassLabel, alone or in a list; None for labels that are strings."""
    return getattr(getattr(feature, "feature", feature), "names", None)


def _index(label, source: Source, task: Task):
    if isinstance(label, list):
        return [_index(one, source, task) for one in label]
    if label in (-1, "-1"):
        return None
    name = label if isinstance(label, str) else source.labels[label]
    if name in source.dropped:
        return None
    if name not in task.labels:
        raise DataError(f"{source.dataset}: the label {name!r} is none of {list(task.labels)} of {task.name}")
    return task.labels.index(name)


def _nearest(name: str, names) -> str:
    near = difflib.get_close_matches(name, names, n=1)
    return f"the nearest there is {near[0]!r}" if near else f"there are {', '.join(sorted(names)[:12])}"
