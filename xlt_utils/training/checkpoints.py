"""Checkpoints of a training run: tensors in safetensors and a little JSON, with a manifest of sha256. A
checkpoint is written under a temporary name and renamed, so that there is always a whole one; one that was
damaged, or that another run wrote, is refused by name."""

import json
import os
import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from xlt_utils.files import sha256_of_file

MANIFEST = "manifest.json"


class CheckpointError(ValueError):
    """A checkpoint that cannot be trusted: a file missing, cut off or changed, or another run's."""


def save_checkpoint(folder: Path, tensors: dict[str, torch.Tensor], facts: dict) -> None:
    """Write a checkpoint. The one before is kept beside it, and replaced only once the new one is whole on the disk."""
    folder = Path(folder)
    half, before = folder.with_name(folder.name + ".half"), _before(folder)
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir(parents=True)
    save_file(
        {name: tensor.detach().contiguous().cpu() for name, tensor in tensors.items()}, half / "tensors.safetensors"
    )
    (half / "facts.json").write_text(json.dumps(facts))
    sums = {file.name: sha256_of_file(file) for file in sorted(half.iterdir())}
    (half / MANIFEST).write_text(json.dumps(sums))
    for file in half.iterdir():
        _sync(file)
    if folder.exists():
        shutil.rmtree(before, ignore_errors=True)
        folder.rename(before)
    half.rename(folder)
    _sync(folder.parent)


def kept_checkpoints(folder: Path) -> list[Path]:
    """The checkpoints that are there under a name, whole or not, the newest first: at most two, and after a stop
    between two renames perhaps only the one before."""
    return [one for one in (Path(folder), _before(folder)) if one.exists()]


def load_checkpoint(folder: Path) -> tuple[dict[str, torch.Tensor], dict]:
    """Read a checkpoint back. Raises CheckpointError naming the file that is missing or not as it was written."""
    folder = Path(folder)
    if not (folder / MANIFEST).is_file():
        raise CheckpointError(f"{folder / MANIFEST}: no manifest, so this is no whole checkpoint")
    try:
        sums = json.loads((folder / MANIFEST).read_text())
    except ValueError as error:
        raise CheckpointError(f"{folder / MANIFEST}: cut off or damaged ({error})") from error
    for name, digest in sums.items():
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
