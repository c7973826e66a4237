"""Studies for the explorer: opened from wherever their records lie, and shown in JupyterLab. A run folder, a published
folder or an archive goes in; an `OpenStudy` comes out, or JupyterLab with the notebook of that study."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from xlt_utils import paths
from xlt_utils.errors import Fault, did_you_mean
from xlt_utils.pipeline.archive import ARCHIVE, unpack_all
from xlt_utils.reporting.explore.frame import OpenStudy
from xlt_utils.reporting.findings import gather_findings


class NothingToExplore(Fault):
    """A place that holds no results; the message says what would."""


def open_studies(places: Sequence[str | Path]) -> list[OpenStudy]:
    """The studies at some places, relative to the project: folders of runs, published folders, or archives.

    Raises:
        NothingToExplore: one does not exist, or has no record of a target run.
        Fault: an archive or a record is damaged.
    """
    opened: list[OpenStudy] = []
    for place in map(paths.resolve, places):
        findings = _gather(place)
        name = findings.study
        if name in {study.name for study in opened}:  # the same study twice, such as its runs and what was published
            name = f"{name} ({paths.relative(place)})"
        opened.append(OpenStudy(name, place, findings))
    if not opened:
        raise NothingToExplore("no study was named; `studies` lists folders, such as report/real-cpu")
    return opened


def _gather(place: Path):
    if not place.exists():
        names = [paths.relative(folder) for root in (paths.RUNS, paths.REPORTS) for folder in sorted(root.glob("*/"))]
        hint = did_you_mean(paths.relative(place), names)
        raise NothingToExplore(f"{place}: no such folder or archive; {hint}")
    try:
        if place.is_file() or (place / ARCHIVE).exists():
            with tempfile.TemporaryDirectory(prefix="xlt-explore-") as unpacked:
                unpack_all(place, Path(unpacked, "runs"))
                return gather_findings(Path(unpacked, "runs"))
        return gather_findings(place)
    except FileNotFoundError as error:
        raise NothingToExplore(str(error)) from None
