"""The only way to the data: `datasets.load_dataset`, from the hub or from a folder laid out like the hub, and readers
for the two data sets that are not on the hub. In goes a source, out come its columns under the study's names, checked:
data set, config, split, columns, their types, label names."""

import functools
import hashlib
import json
import os
import re
import string
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow
from pyarrow import compute, types

from xlt_utils import microworld, paths
from xlt_utils.code_hash import room_code_hash
from xlt_utils.data import ccgbank
from xlt_utils.data.languages import LANGUAGES
from xlt_utils.data.tasks import Source
from xlt_utils.errors import did_you_mean
from xlt_utils.files import lfs_pointer

_TEXT = Source("text/multilingual", "{code}", "train", {"text": "text"})
# The embedded data that notebooks use by default: large enough for their tiny settings.
MICROWORLD_DEFAULTS: dict[str, Any] = {
    "seed": 0,
    "sentences": 20_000,
    "bilingual": 0.05,
    "languages": ["en", "xa", "xd", "xh"],
}


class DataError(ValueError):
    """Data that are missing or not as expected; the message says what was expected and where."""


class MissingData(DataError):
    """The data set, the config, the split or the language is missing."""


def locate(data: str, settings: dict | None = None) -> str:
    """The place that a study's `data` names: `hub`, or a mirror folder, relative to the project if it is inside.

    Args:
        data: `hub`, a folder, or `microworld`, which is written first where it does not exist yet.
        settings: of the microworld: seed, sentences, bilingual, languages.

    Raises:
        DataError: the folder does not exist.
    """
    if data == "hub":
        return data
    if data == "microworld":
        settings = MICROWORLD_DEFAULTS | (settings or {})
        # The folder's name is a hash of everything that decides its bytes: the settings and the generator itself.
        settings["source"] = room_code_hash("microworld")
        name = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:8]
        folder = paths.RUNS / "data" / f"microworld-{name}"
        microworld.write(folder, **settings)
        return paths.relative(folder)
    folder = paths.resolve(data)
    if not folder.is_dir():
        raise DataError(
            f"data: {data!r} is no folder (looked at {folder}); give 'microworld', 'hub' or a mirror folder"
        )
    return paths.relative(folder)


@functools.cache
def data_fingerprint(data: str) -> str:
    """The sha256 of all files in a mirror folder, names and bytes (of the hub: its name), and in paths.LOCAL.

    Of a data set's README only its YAML counts, which says where its files are. Hidden files and folders do not count,
    nor does the microworld's manifest: it says which code wrote the data, and the data are hashed anyway.
    """
    digest = hashlib.sha256(b"hub" if data == "hub" else b"")
    for folder in [paths.LOCAL] if data == "hub" else [paths.resolve(data), paths.LOCAL]:
        for file in walk_files(folder):
            if file.suffix == ".lock" or file == folder / microworld.WORLD_MANIFEST:
                continue
            name = file.relative_to(folder)
            if file.suffix == ".md":
                if text := _front_matter(file):
                    digest.update(f"{name}\0{text}\0".encode())
                continue
            digest.update(f"{name}\0{file.stat().st_size}\0".encode())
            with open(file, "rb") as stream:
                digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()


def walk_files(folder: Path) -> list[Path]:
    """The files below a folder in the order of their names, those behind symbolic links too, without hidden ones."""
    found = []
    for parent, folders, names in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(parent, name) for name in names if not name.startswith(".")]
    return sorted(file for file in found if file.is_file())


def _front_matter(file: Path) -> str:
    """The YAML between the lines `---` at the top of a README; "" where there is none."""
    match = re.match(r"---\s*\n(.*?)\n---\s*(\n|$)", file.read_text(encoding="utf-8", errors="replace"), re.S)
    return match[1] if match else ""


def _fill_in(pattern: str, language: str | None) -> str:
    """A pattern of a task's row with the names of `language` filled in."""
    return pattern.format(**asdict(LANGUAGES[language])) if language else pattern


def describe_split(source: Source, data: str, language: str | None = None) -> str:
    """Where a split is read, in words, as records have it."""
    return f"{source.dataset}, config {_fill_in(source.config, language)}, split {source.split}, in {data}"


def local_folder(source: Source, data: str) -> Path | None:
    """The folder of a data set that is not on the hub: in the mirror, else in paths.LOCAL."""
    parents = [paths.LOCAL] if data == "hub" else [paths.resolve(data), paths.LOCAL]
    return next((parent / source.dataset for parent in parents if (parent / source.dataset).is_dir()), None)


def read_split(source: Source, data: str, language: str | None = None) -> dict[str, list]:
    """The columns of a split (the rows of one language, where a config mixes them) under the study's names.

    Raises:
        MissingData: the data set, config, split or language is missing.
        DataError: a column, its type or its label names are not as the task's row says.
    """
    if source.reader == "ccgbank":
        folder = local_folder(source, data)
        try:
            return ccgbank.read_ccgbank(folder, source.split)
        except ValueError as error:
            raise (DataError if folder else MissingData)(str(error)) from error
    rows, where = _split(source, data, language), describe_split(source, data, language)
    for name, columns in source.columns.items():
        for column in (columns,) if isinstance(columns, str) else columns:
            _check_column(name, column, rows, source, where)
    columns = rows.with_format("arrow")[:]
    if source.language_column and language:
        value = _fill_in(source.language_value, language)
        languages = columns[source.language_column]
        matches = compute.starts_with if value.endswith("-") else compute.equal
        columns = columns.filter(matches(languages, value))
    if not len(columns):
        raise MissingData(f"{where}: no row{f' of language {language!r}' if language else ''}")
    return {name: _values(columns, theirs) for name, theirs in source.columns.items()}


def read_text(data: str, language: str, chunk: int = 10_000) -> Iterator[list[str]]:
    """The lines of a language's text, unchanged, in chunks of at most `chunk`, so that memory stays bounded.

    Raises:
        MissingData: the language has no text.
        DataError: there is no column of text, or a line of it is null.
    """
    rows, where = _split(_TEXT, data, language), describe_split(_TEXT, data, language)
    _check_column("text", "text", rows, _TEXT, where)
    for start in range(0, len(rows), chunk):
        lines = rows[start : start + chunk]["text"]
        if None in lines:
            raise DataError(f"{where}: row {start + lines.index(None)}: the line is null; an empty one is ''")
        yield lines


def count_lines(data: str, language: str) -> int:
    """How many lines of text a language has."""
    return len(_split(_TEXT, data, language))


def _split(source: Source, data: str, language: str | None) -> Any:
    """A split as a `datasets.Dataset`."""
    per_language = any(field for _, field, _, _ in string.Formatter().parse(source.config) if field)
    config, where = _fill_in(source.config, language if per_language else None), describe_split(source, data, language)
    folder = None if data == "hub" else paths.resolve(data) / source.dataset
    configs = _with_place(lambda: _configs(data, source.dataset), where, folder)
    if config not in configs:
        raise MissingData(f"{where}: no such config; {did_you_mean(config, configs)}")
    path = str(folder or source.dataset)
    # The library's cache takes data sets of one name in two folders for the same data (datasets 5.2): each mirror has
    # its own cache, named after its content.
    cache = None if data == "hub" else str(paths.RUNS / "data" / f"arrow-{data_fingerprint(data)[:16]}")
    return _with_place(lambda: _open(path, config, source.split, cache), where, folder)


def _with_place(call: Callable[[], Any], where: str, folder: Path | None) -> Any:
    """The result of a call of the library, whose errors come with the place. A split that does not exist is missing, as
    are data that need code of their own to be read; all else is a fault of the data, or of a hub that cannot be
    reached, and nothing stands in for those."""
    try:
        return call()
    except DataError:
        raise
    except Exception as error:  # the library raises what its readers raise: of parquet, of YAML, of the network
        if str(error).startswith("Unknown split") or "scripts are no longer supported" in str(error):
            raise MissingData(f"{where}: {error}") from error
        reason = f"{error} {error.__cause__ or ''}".strip() or type(error).__name__
        if folder is None:
            raise DataError(f"{where}: {reason}; without the hub, `data` names a mirror folder") from error
        if pointer := lfs_pointer(folder):
            reason = f"{pointer} is a pointer of Git LFS: the file itself was not fetched (`git lfs pull`)"
        raise DataError(f"{where}: {reason}") from error


@functools.lru_cache(maxsize=256)
def _open(path: str, config: str, split: str, cache: str | None) -> Any:
    """A split, memory-mapped: opening it takes longer than reading it, and a check opens it for each language."""
    import datasets

    return datasets.load_dataset(path, config, split=split, cache_dir=cache)


@functools.cache
def _configs(data: str, dataset: str) -> tuple[str, ...]:
    import datasets

    path = dataset if data == "hub" else str(paths.resolve(data) / dataset)
    if data != "hub" and not Path(path).is_dir():
        raise MissingData(f"{dataset}: no such data set in {data} (looked for the folder {path})")
    return tuple(datasets.get_dataset_config_names(path))


def _is_text(kind: pyarrow.DataType) -> bool:
    return types.is_string(kind) or types.is_large_string(kind)


def _is_list(kind: pyarrow.DataType, of=_is_text) -> bool:
    return bool(types.is_list(kind) or types.is_large_list(kind)) and of(kind.value_type)


def _is_label(kind: pyarrow.DataType) -> bool:
    return types.is_integer(kind) or _is_text(kind)


def _is_answers(kind: pyarrow.DataType) -> bool:
    names = {field.name: field.type for field in kind} if types.is_struct(kind) else {}
    if not {"text", "answer_start"} <= set(names):
        return False
    return _is_list(names["text"]) and _is_list(names["answer_start"], types.is_integer)


# The type that a column must have, in words and as a check, by the study's name for it.
_COLUMN_TYPES: dict[str, tuple[str, Callable[[pyarrow.DataType], bool]]] = {
    "tokens": ("a list of text", _is_list),
    "options": ("text, or a list of it", lambda kind: _is_text(kind) or _is_list(kind)),
    "names": ("a list of text", _is_list),
    "answers": ("a struct of the lists text and answer_start (whole numbers)", _is_answers),
    "label": ("a label or a list of labels", lambda kind: _is_label(kind) or _is_list(kind, _is_label)),
}


def _check_column(name: str, column: str, rows, source: Source, where: str) -> None:
    first, _, field = column.partition(".")
    if first not in rows.column_names:
        raise DataError(f"{where}: no column {first!r}; {did_you_mean(first, rows.column_names)}")
    kind = rows.features.arrow_schema.field(first).type
    if field:
        fields = [inner.name for inner in kind] if types.is_struct(kind) else []
        if field not in fields:
            raise DataError(f"{where}: column {first!r} has no field {field!r}; it is {kind}")
        kind = kind.field(field).type
    expected, fits = _COLUMN_TYPES.get(name, ("text", _is_text))
    if not fits(kind):
        raise DataError(f"{where}: column {column!r} holds {kind}, expected {expected}")
    feature = rows.features[first]
    names = getattr(getattr(feature, "feature", feature), "names", None)  # of a ClassLabel, alone or in a list
    if name == "label" and names is not None and tuple(names) != source.labels:
        raise DataError(f"{where}: the labels of column {column!r} are {list(names)}, expected {list(source.labels)}")


def _values(rows: pyarrow.Table, columns: str | tuple[str, ...]) -> list:
    """The values of a column, of a field of a struct, or of several columns as one list a row."""
    if not isinstance(columns, str):
        return [list(row) for row in zip(*(_values(rows, column) for column in columns), strict=True)]
    first, _, field = columns.partition(".")
    values = rows[first].combine_chunks()
    return (compute.struct_field(values, field) if field else values).to_pylist()
