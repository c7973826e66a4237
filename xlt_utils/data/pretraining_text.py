"""Pretraining text: the lines of each language, from `text/multilingual` of a mirror folder or from the data sets that
a study names, whose rows may be whole documents. In go a place and a language; out come lines in chunks, so that
memory stays bounded however much text there is."""

import itertools
from collections.abc import Iterable, Iterator
from typing import Any

from xlt_utils import paths
from xlt_utils.data import loading
from xlt_utils.data.loading import DataError, MissingData
from xlt_utils.data.pinned_place import read_place
from xlt_utils.data.tasks import Source

_MULTILINGUAL = {"dataset": "text/multilingual", "config": "{code}", "split": "train", "column": "text"}


def text_sources(data: str) -> list[dict[str, Any]]:
    """The sources of a place's text: those that it names, else `text/multilingual`."""
    place = read_place(data)
    return (place and place["text"]) or [_MULTILINGUAL]


def is_named(data: str) -> bool:
    """Whether the text of a place comes from sources that a study names, whose lines may hold many sentences."""
    return text_sources(data) != [_MULTILINGUAL]


def read_text(data: str, language: str, chunk: int = 10_000) -> Iterator[list[str]]:
    """The lines of a language's text, in chunks of at most `chunk`, of one source after the other.

    Raises:
        MissingData: no source has text in the language.
        DataError: there is no column of text, or a line of it is null.
    """
    for lines in _parts(data, language):
        while part := list(itertools.islice(lines, chunk)):
            yield part


def count_lines(data: str, language: str) -> int:
    """How many lines of text a language has."""
    if is_named(data):
        return sum(map(len, read_text(data, language)))
    (row,) = text_sources(data)
    return len(loading.open_split(_source(row), data, language))


def lines_of(documents: Iterable[str], split_lines: bool, max_lines: int | None) -> Iterator[str]:
    """The lines that count of some rows: each row as it is or, with `split_lines`, its lines that are not blank."""
    lines: Iterator[str] = iter(documents)
    if split_lines:
        lines = (line.strip() for text in documents for line in text.splitlines() if line.strip())
    return itertools.islice(lines, max_lines)


def _parts(data: str, language: str) -> Iterator[Iterator[str]]:
    """The lines of each source that has the language."""
    missing: list[MissingData] = []
    sources = text_sources(data)
    for row in sources:
        try:
            yield _snapshot_lines(row, language) if row.get("commit") else _folder_lines(row, data, language)
        except MissingData as error:
            missing.append(error)
    if len(missing) == len(sources):
        raise MissingData("; ".join(map(str, missing)))


def _snapshot_lines(row: dict[str, Any], language: str) -> Iterator[str]:
    """The lines that `xlt mirror` took from one source."""
    from pyarrow import parquet

    part = row["languages"].get(language)
    if part is None:
        raise MissingData(f"text: {row['dataset']}, config {row['config']}: no text in {language!r}")
    table = parquet.ParquetFile(paths.resolve(part["file"]))
    return (line for batch in table.iter_batches(10_000) for line in batch.column(0).to_pylist())


def _folder_lines(row: dict[str, Any], data: str, language: str) -> Iterator[str]:
    """The lines of one source in a mirror folder."""
    source = _source(row)
    rows, where = loading.open_split(source, data, language), loading.describe_split(source, data, language)
    loading.check_column("text", row["column"], rows, source, where)

    def documents(chunk: int = 10_000) -> Iterator[str]:
        for start in range(0, len(rows), chunk):
            texts = rows[start : start + chunk][row["column"]]
            if None in texts:
                raise DataError(f"{where}: row {start + texts.index(None)}: the line is null; an empty one is ''")
            yield from texts

    return lines_of(documents(), row.get("split_lines", False), row.get("max_lines"))


def _source(row: dict[str, Any]) -> Source:
    return Source(row["dataset"], row["config"], row["split"], {"text": row["column"]})
