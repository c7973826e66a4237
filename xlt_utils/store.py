"""What is built once and read by every run: vocabularies, encoded text and examples, in folders named after all
that decides what is in them."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock

from xlt_utils import paths, sources


def built(kind: str, key: dict, build: Callable[[Path], None], code: tuple[str, ...] = ()) -> Path:
    """The folder of something that `key` and the modules `code` determine: built under a lock by the first who asks,
    whole or not at all."""
    key = key | {"code": [hashlib.sha256((sources.PACKAGE / f"{name}.py").read_bytes()).hexdigest() for name in code]}
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
