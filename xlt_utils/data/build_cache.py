"""What is built once and read by every run: vocabularies, encoded text and examples, in folders named after all
that decides what is in them."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock

from xlt_utils import paths
from xlt_utils.code_hash import module_code_hash


def build_once(kind: str, key: dict, build: Callable[[Path], None], module: str) -> Path:
    """The folder of something that is built once: by the first who asks, under a lock, whole or not at all.

    Args:
        kind: what it is, the first part of the folder's name.
        key: all that decides what is in it, as JSON holds it.
        build: writes it into the folder that it is given.
        module: the `__name__` of the module that builds; another code builds another folder.
    """
    key = key | {"code": module_code_hash(module)}
    name = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:16]
    folder = paths.RUNS / "data" / f"{kind}-{name}"
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not folder.is_dir():
            half = folder.with_name(f"{folder.name}.half")
            half.mkdir(exist_ok=True)
            build(half)
            half.rename(folder)
    return folder
