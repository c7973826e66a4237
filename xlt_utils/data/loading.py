"""The only way to the data: `datasets.load_dataset`, from the hub or from a folder laid out like the hub, and readers
for the two data sets that are not on the hub. In goes a source, out come its columns under the study's names, checked:
data set, config, split, columns, their types, label names."""

import functools
import hashlib
import json
import os
import re
import string
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow
from pyarrow import compute, types

from xlt_utils import microworld, paths
from xlt_utils.code_hash import room_code_hash
from xlt_utils.data import ccgbank
from xlt_utils.data.languages import LANGUAGES
from xlt_utils.data.pinned_place import PLACE_FILE, identify, read_place
from xlt_utils.data.tasks import Source
from xlt_utils.errors import did_you_mean
from xlt_utils.files import lfs_pointer

CONVERTED = "refs/convert/parquet"  # where the hub itself keeps a data set as parquet files, in config/split/
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
    """The place that a study's `data` names: a folder, relative to the project if it is inside.

    Args:
        data: a mirror folder, one that is pinned, or `microworld`, which is written first where it does not exist yet.
        settings: of the microworld: seed, sentences, bilingual, languages.

    Raises:
        DataError: the folder does not exist, or it is `hub`, which is read from snapshots alone.
    """
    if data == "hub":
        raise DataError(
            "data: 'hub' is read from snapshots alone: `xlt mirror STUDY` takes them and prints the folder that a "
            "notebook run by hand reads as `data`"
        )
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


def data_fingerprint(data: str, reads: frozenset[str] | None = None) -> str:
    """The sha256 of all files in a mirror folder, names and bytes, and in paths.LOCAL; of data that are pinned, that of
    the commits and the text that something reads, so that a study which grows by a data set keeps its runs.

    Of a data set's README only its YAML counts, which says where its files are. Hidden files and folders do not count,
    nor does the microworld's manifest: it says which code wrote the data, and the data are hashed anyway.

    Args:
        data: the place.
        reads: the ids of the data sets, and pinned_place.TEXT where text is read; None: all.
    """
    place = read_place(data)
    if place is None:
        return _files_digest((paths.resolve(data), paths.LOCAL))
    pins = identify(place, reads)
    if place["folder"]:
        return hashlib.sha256((pins + data_fingerprint(place["folder"])).encode()).hexdigest()
    local = paths.LOCAL.glob("*") if reads is None else (paths.LOCAL / name for name in reads)
    return hashlib.sha256((pins + _files_digest(tuple(sorted(local)))).encode()).hexdigest()


@functools.cache
def _files_digest(folders: tuple[Path, ...]) -> str:
    digest = hashlib.sha256()
    for folder in folders:
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


def fill_in(pattern: str, language: str | None) -> str:
    """A pattern of a task's or a text's row with the names of `language` filled in."""
    return pattern.format(**asdict(LANGUAGES[language])) if language else pattern


def describe_split(source: Source, data: str, language: str | None = None) -> str:
    """Where a split is read, in words, as records have it: of a data set that is pinned, at which commit."""
    place = read_place(data)
    commit = place["datasets"].get(source.dataset, {}).get("commit") if place else None
    where = f"of commit {commit[:12]}" if commit else f"in {data}"
    return f"{source.dataset}, config {fill_in(source.config, language)}, split {source.split}, {where}"


def local_folder(source: Source, data: str) -> Path | None:
    """The folder of a data set that is not on the hub: in the mirror, else in paths.LOCAL."""
    parents = [*_mirror(data), paths.LOCAL]
    return next((parent / source.dataset for parent in parents if (parent / source.dataset).is_dir()), None)


def _mirror(data: str) -> list[Path]:
    """The mirror folder of a place; none where all of it is pinned."""
    place = read_place(data)
    folder = place["folder"] if place else data
    return [paths.resolve(folder)] if folder else []


def data_set_folder(data: str, dataset: str) -> Path:
    """The folder of a data set of the hub: its snapshot, or that in the mirror.

    Raises:
        MissingData: the mirror has no such data set.
        DataError: the data are the hub's, and this data set is not among those that were taken, or is gone.
    """
    place = read_place(data)
    if place and dataset in place["datasets"]:
        folder = paths.resolve(place["datasets"][dataset]["snapshot"])
        if folder.is_dir():
            return folder
        raise DataError(f"{dataset}: its snapshot {folder} is gone; `xlt mirror STUDY` takes it again")
    for mirror in _mirror(data):
        for name in (dataset, dataset.partition("/")[2]):  # the hub's first ids had no owner, as mirrors may still have
            if name and (mirror / name).is_dir():
                return mirror / name
        raise MissingData(f"{dataset}: no such data set in {data} (looked for the folder {mirror / dataset})")
    raise DataError(f"{dataset}: not among the data sets that {data}/{PLACE_FILE} pins; `xlt mirror STUDY` takes it")


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
    rows, where = open_split(source, data, language), describe_split(source, data, language)
    for name, columns in source.columns.items():
        for column in (columns,) if isinstance(columns, str) else columns:
            check_column(name, column, rows, source, where)
    columns = rows.with_format("arrow")[:]
    if source.language_column and language:
        value = fill_in(source.language_value, language)
        languages = columns[source.language_column]
        matches = compute.starts_with if value.endswith("-") else compute.equal
        columns = columns.filter(matches(languages, value))
    if not len(columns):
        raise MissingData(f"{where}: no row{f' of language {language!r}' if language else ''}")
    return {name: _values(columns, theirs) for name, theirs in source.columns.items()}


def open_split(source: Source, data: str, language: str | None) -> Any:
    """A split as a `datasets.Dataset`."""
    per_language = any(field for _, field, _, _ in string.Formatter().parse(source.config) if field)
    config, where = fill_in(source.config, language if per_language else None), describe_split(source, data, language)
    folder = data_set_folder(data, source.dataset)
    configs = _with_place(lambda: config_names(folder), where, folder)
    if config not in configs:
        raise MissingData(f"{where}: no such config; {did_you_mean(config, configs)}")
    # The library's cache takes data sets of one name in two folders for the same data (datasets 5.2): each mirror has
    # its own cache, named after its content; a snapshot's folder is called after its commit.
    is_pinned = all(parent not in folder.parents for parent in _mirror(data))
    name = "hub" if is_pinned else data_fingerprint(data)[:16]
    cache = str(paths.RUNS / "data" / f"arrow-{name}")
    return _with_place(lambda: _open(folder, config, source.split, cache), where, folder)


def _with_place(call: Callable[[], Any], where: str, folder: Path) -> Any:
    """The result of a call of the library, whose errors come with the place. A split that does not exist is missing;
    all else is a fault of the data, and nothing stands in for those."""
    try:
        return call()
    except DataError:
        raise
    except Exception as error:  # the library raises what its readers raise: of parquet, of YAML
        if str(error).startswith("Unknown split"):
            raise MissingData(f"{where}: {error}") from error
        reason = f"{error} {error.__cause__ or ''}".strip() or type(error).__name__
        if "scripts are no longer supported" in str(error):
            reason = f"{error}: no code of a data set is ever run; a `revision` such as {CONVERTED} has files alone"
        if pointer := lfs_pointer(folder):
            reason = f"{pointer} is a pointer of Git LFS: the file itself was not fetched (`git lfs pull`)"
        raise DataError(f"{where}: {reason}") from error


@functools.lru_cache(maxsize=256)
def _open(folder: Path, config: str, split: str, cache: str) -> Any:
    """A split, memory-mapped: opening it takes longer than reading it, and a check opens it for each language."""
    import datasets

    converted = _converted(folder)
    if config not in converted:
        return datasets.load_dataset(str(folder), config, split=split, cache_dir=cache)
    files = {place.name: [str(file) for file in sorted(place.glob("*.parquet"))] for place in converted[config]}
    return datasets.load_dataset(str(folder), data_files=files, split=split, cache_dir=cache)


@functools.cache
def config_names(folder: Path) -> tuple[str, ...]:
    """The configs of a data set's folder."""
    import datasets

    return tuple(_converted(folder)) or tuple(datasets.get_dataset_config_names(str(folder)))


@functools.cache
def _converted(folder: Path) -> dict[str, list[Path]]:
    """By config, the splits of a data set that the hub itself converted, which no README lists: its parquet files lie
    in `config/split/`. Empty for a data set of another form."""
    readme = folder / "README.md"
    if readme.exists() and "configs:" in _front_matter(readme):
        return {}
    splits: dict[str, list[Path]] = {}
    for place in sorted({file.parent for file in folder.glob("*/*/[0-9][0-9][0-9][0-9].parquet")}):
        splits.setdefault(place.parent.name, []).append(place)
    return splits


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


def check_column(name: str, column: str, rows, source: Source, where: str) -> None:
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
