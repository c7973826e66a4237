"""What a cell goes on from: the encoder of a run before it, or the trunk of the rung below. In go a run folder and the
parameters of the cell that reads it; out comes whether the weights are there, and whole. Damaged ones are laid aside:
they count as gone, so that the same command trains the cell that left them again."""

import shutil
from pathlib import Path
from typing import Any

from xlt_utils import paths
from xlt_utils.files import damaged_files, read_json
from xlt_utils.records.record import read_record

DAMAGED = ".damaged"  # the ending of weights that were laid aside
TRUNK_MANIFEST = "manifest.json"  # of a checkpoint (training/checkpoints.py): its files' sha256


def weights_read(source: str, reader: dict[str, Any]) -> Path:
    """The folder of the weights that a cell with the parameters `reader` reads from the run folder `source`: its trunk
    for the rung above, else its encoder."""
    name = "trunk" if reader.get("previous") == source else "encoder"
    return paths.resolve(source) / "state" / name


def lay_damaged_aside(source: str, reader: dict[str, Any]) -> str:
    """Compare the weights that a cell reads with the sha256 stated where they were written, lay them aside where they
    are not those, and say so; "" where they are whole. Records of earlier versions state no sha256 of an encoder."""
    weights = weights_read(source, reader)
    if weights.name == "encoder":
        damaged = damaged_files(weights.parents[1], _stated(weights))
    else:
        damaged = damaged_in_trunk(weights)
    if weights.is_dir() and not damaged:
        return ""
    aside = weights.with_name(weights.name + DAMAGED)
    shutil.rmtree(aside, ignore_errors=True)
    if weights.is_dir():
        weights.rename(aside)
    what = paths.relative(damaged[0] if damaged else weights)
    return f"DamagedWeights: {what}: missing, or not what was written; `xlt run` trains its cell again"


def damaged_in_trunk(trunk: Path) -> list[Path]:
    """The files of a trunk that are not there or not what its manifest states; the manifest, if it is not."""
    try:
        return damaged_files(trunk, read_json(trunk / TRUNK_MANIFEST))
    except (OSError, ValueError, AttributeError):
        return [trunk / TRUNK_MANIFEST]


def _stated(weights: Path) -> dict[str, str]:
    return {name: digest for name, digest in read_record(weights.parents[1]).files.items() if name.startswith("state/")}
