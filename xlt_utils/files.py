"""JSON files written whole or not at all, and the sha256 of a file."""

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from xlt_utils import paths

HALF_JSON = ".*.json.*"  # the pattern of the temporary names of `write_json`


def sha256_of_file(file: Path) -> str:
    """The sha256 of a file's bytes, in hex; the file is read in parts, so that a large one fits."""
    with open(file, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def damaged_files(folder: Path, digests: Mapping[str, str]) -> list[Path]:
    """The files below a folder that are not there or not the bytes of their sha256, given by their paths in it."""
    files = {folder / name: digest for name, digest in digests.items()}
    return [file for file, digest in files.items() if not file.is_file() or sha256_of_file(file) != digest]


def lfs_pointer(folder: Path) -> Path | None:
    """A file below a folder that is the pointer of Git LFS to a file that was never fetched; None where there is none.
    Files of any other size are not opened."""
    for file in sorted(folder.rglob("*")):
        if file.is_file() and file.stat().st_size < 1_000 and file.read_bytes().startswith(b"version https://git-lfs"):
            return file
    return None


def write_json(path: Path, content: Any) -> Path:
    """Write a JSON file whole or not at all (temporary name, fsync, rename); return its path. An OSError names it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(temporary, "w", encoding="utf-8") as file:
            json.dump(content, file, ensure_ascii=False, indent=1, default=json_plain)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:  # a full disk does not say which file it had no room for
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise OSError(error.errno, error.strerror, str(path)) from error
    return path


def attempt_files(folder: Path, name: str) -> list[Path]:
    """The files of this name of a run folder's attempts, `attempts/NN`, the first first. What someone put beside
    them, such as `attempts/01-old`, is none."""
    files = [file for file in folder.glob(f"attempts/*/{name}") if file.parent.name.isdecimal()]
    return sorted(files, key=lambda file: int(file.parent.name))


def read_json(path: Path) -> Any:
    """The content of a JSON file.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no JSON, or half of it.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except RecursionError:
        raise ValueError(f"{path}: nested too deeply to be read") from None


def json_plain(value: Any) -> Any:
    """A numpy scalar or array, a path, a set or a tuple as JSON can store it: `json.dump`'s `default`."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, Path):
        return paths.relative(value)
    if isinstance(value, (set, frozenset, tuple)):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} cannot stand in a record: {value!r}")
