"""What is built once and read by every run: vocabularies, encoded text, encoded examples. In go a key and a function
that builds, out comes a folder whose name is a hash of everything that decides its content."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock

from xlt_utils import paths
from xlt_utils.code_hash import module_code_hash

SIZES = "sizes.json"  # of the files that were built, in bytes


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
    if _is_whole(folder):
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not _is_whole(folder):
            shutil.rmtree(folder, ignore_errors=True)
            unfinished = folder.with_name(f"{folder.name}.half")
            unfinished.mkdir(exist_ok=True)
            build(unfinished)
            (unfinished / SIZES).write_text(json.dumps(_sizes(unfinished)))
            unfinished.rename(folder)
    return folder


def _sizes(folder: Path) -> dict[str, int]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != SIZES)
    return {file.relative_to(folder).as_posix(): file.stat().st_size for file in files}


def _is_whole(folder: Path) -> bool:
    """Whether a folder is there with all that was built: a full disk or a crash of the machine cuts files off."""
    try:
        return json.loads((folder / SIZES).read_text()).items() <= _sizes(folder).items()
    except (OSError, ValueError, AttributeError):
        return False
