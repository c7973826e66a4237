"""Checkpoints of a training run: tensors in safetensors, facts in JSON, and a manifest of their sha256. A checkpoint is
written under a temporary name and then renamed, so that a whole one exists at any time. Reading gives what was written
to the bit, or an error that names the damaged file."""

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from xlt_utils.files import sha256_of_file

MANIFEST = "manifest.json"


class CheckpointError(ValueError):
    """A checkpoint that cannot be used: a file is missing, cut off or changed, or another run wrote it."""


def save_checkpoint(folder: Path, tensors: Mapping[str, torch.Tensor], facts: dict) -> None:
    """Write a checkpoint. The previous one stays beside it, and is replaced once the new one is whole on the disk."""
    folder = Path(folder)
    half = folder.with_name(folder.name + ".half")
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir(parents=True)
    save_file(
        {name: tensor.detach().contiguous().cpu() for name, tensor in tensors.items()}, half / "tensors.safetensors"
    )
    (half / "facts.json").write_text(json.dumps(facts))
    digests = {file.name: sha256_of_file(file) for file in sorted(half.iterdir())}
    (half / MANIFEST).write_text(json.dumps(digests))
    for file in half.iterdir():
        _sync(file)
    if folder.exists():
        shutil.rmtree(_before(folder), ignore_errors=True)
        folder.rename(_before(folder))
    half.rename(folder)
    _sync(folder.parent)


def kept_checkpoints(folder: Path) -> list[Path]:
    """The checkpoints under a name, the newest first, whole or not: at most two, and only the one before if a save was
    stopped between its two renames."""
    return [path for path in (Path(folder), _before(folder)) if path.exists()]


def load_checkpoint(folder: Path) -> tuple[dict[str, torch.Tensor], dict]:
    """Read a checkpoint's tensors and facts. Raises CheckpointError naming a file that is missing or damaged."""
    folder = Path(folder)
    if not (folder / MANIFEST).is_file():
        raise CheckpointError(f"{folder / MANIFEST}: no manifest, so this is no whole checkpoint")
    try:
        digests = json.loads((folder / MANIFEST).read_text())
    except ValueError as error:
        raise CheckpointError(f"{folder / MANIFEST}: cut off or damaged ({error})") from error
    for name, digest in digests.items():
        if not (folder / name).is_file() or sha256_of_file(folder / name) != digest:
            raise CheckpointError(f"{folder / name}: missing or not the bytes that were written")
    return load_file(folder / "tensors.safetensors"), json.loads((folder / "facts.json").read_text())


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _before(folder: Path) -> Path:
    return Path(folder).with_name(Path(folder).name + ".before")
