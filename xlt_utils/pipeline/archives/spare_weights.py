"""Weights that no cell of a study needs any more. A grid goes in; the encoders and trunks of its done cells go away
once every cell that goes on from them is done: a 12-layer encoder and its trunk are 2 GB a cell."""

import shutil
from collections.abc import Iterable
from pathlib import Path

from xlt_utils import paths
from xlt_utils.pipeline.archives.archive import ARCHIVE
from xlt_utils.records.record import is_done
from xlt_utils.study.cells import Cell
from xlt_utils.study.schema import Study


def keeps_needed_only(study: Study) -> bool:
    """Whether a study's spare weights go: `keep` says so or, where the file is silent, its records are published."""
    return (study.keep or ("needed" if (paths.REPORTS / study.name / ARCHIVE).exists() else "all")) == "needed"


def remove_spare_weights(grid: Iterable[Cell]) -> None:
    """Remove the weights of done cells that no cell which is not done goes on from.

    Args:
        grid: all cells of the study.
    """
    grid = list(grid)
    needed = {source.folder for cell in grid if not is_done(cell.folder, cell.hash) for source in cell.inputs}
    for cell in grid:
        if cell.phase != "target" and cell.folder not in needed and is_done(cell.folder, cell.hash):
            for weights in _weights(paths.resolve(cell.folder)):
                shutil.rmtree(weights, ignore_errors=True)


def _weights(folder: Path) -> list[Path]:
    """The encoder, the trunk and the trunk of a head that a cell left, and those that were found damaged."""
    return [*folder.glob("state/encoder*"), *folder.glob("state/**/trunk*")]
