"""A place of data that is pinned: a folder with one file, which says at which commit each data set of the hub is read
and where its snapshot lies, or which text a mirror folder's pretraining text is. In goes such a folder; out come the
folders of data sets, the sources of text, and what identifies them."""

import functools
import hashlib
import json
from pathlib import Path
from typing import Any

from xlt_utils import paths
from xlt_utils.files import read_json, write_json

PLACE_FILE = "place.json"
TEXT = "text"  # beside ids of data sets, in what a run reads: its pretraining text


def write_place(content: dict[str, Any]) -> str:
    """Write a place, in a folder whose name is a hash of all that identifies the data, and return it as `data` names
    it.

    Args:
        content: `folder` (a mirror that has what is not pinned, or None), `datasets` (by id, with `commit` and
            `snapshot`) and `text` (rows of a source's fields, with `commit` and `languages` where it is pinned).
    """
    name = hashlib.sha256(_canonical(_identity(content)).encode()).hexdigest()[:16]
    folder = paths.RUNS / "data" / f"pinned-{name}"
    if read_place(str(folder)) != content:
        write_json(folder / PLACE_FILE, content)
        _read.cache_clear()
    return paths.relative(folder)


def read_place(data: str) -> dict[str, Any] | None:
    """The content of a place that is pinned; None of any other folder."""
    return _read(paths.resolve(data) / PLACE_FILE)


@functools.cache
def _read(file: Path) -> dict[str, Any] | None:
    try:
        return read_json(file)
    except (OSError, ValueError):
        return None


def identify(place: dict[str, Any], reads: frozenset[str] | None) -> str:
    """What identifies the data of a place that something `reads` (ids of data sets, TEXT; None: all), as text."""
    identity = _identity(place)
    if reads is not None:
        identity["datasets"] = {name: pin for name, pin in identity["datasets"].items() if name in reads}
        identity["text"] = identity["text"] if TEXT in reads else []
    return _canonical(identity)


def commits(place: dict[str, Any], reads: frozenset[str]) -> dict[str, str]:
    """The commits, by id, of those data sets of a place that something reads, and of its text."""
    pinned = [(name, pin) for name, pin in place["datasets"].items() if name in reads]
    pinned += [(row["dataset"], row) for row in place["text"] if TEXT in reads]
    return {name: pin["commit"] for name, pin in pinned if pin.get("commit")}


def _identity(place: dict[str, Any]) -> dict[str, Any]:
    """A place without that which may differ between machines: where the snapshots lie."""
    text = []
    for row in place["text"]:
        languages = {code: {"sha256": part["sha256"]} for code, part in row.get("languages", {}).items()}
        text.append(row | ({"languages": languages} if languages else {}))
    return {"datasets": {name: pin["commit"] for name, pin in place["datasets"].items()}, "text": text}


def _canonical(content: dict[str, Any]) -> str:
    return json.dumps(content, sort_keys=True)
