"""What is built once and read by every run: vocabularies, encoded text, encoded examples. In go a key and a function
that builds, out comes a folder whose name is a hash of everything that decides its content."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock

from xlt_utils import paths
from xlt_utils.code_hash import module_code_hash


def build_once(kind: str, key: dict, build: Callable[[Path], None], module: str) -> Path:
    """The folder of a cached result: the first caller builds it, under a lock, completely or not at all.

    Args:
        kind: what it is, the first part of the folder's name.
        key: everything that decides the content, as JSON values.
        build: writes the content into the folder that it gets.
        module: the `__name__` of the module that builds; when its code changes, a new folder is built.
    """
    key = key | {"code": module_code_hash(module)}
    name = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:16]
    folder = paths.RUNS / "data" / f"{kind}-{name}"
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not folder.is_dir():
            unfinished = folder.with_name(f"{folder.name}.half")
            unfinished.mkdir(exist_ok=True)
            build(unfinished)
            unfinished.rename(folder)
    return folder
