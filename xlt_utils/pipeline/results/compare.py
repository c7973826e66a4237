"""Two studies compared: the places where their results lie go in, text and the files of one figure come out."""

import re
from collections.abc import Sequence
from pathlib import Path

from xlt_utils import paths
from xlt_utils.pipeline.results.explore import find_results, open_studies
from xlt_utils.reporting.figures.two_studies import side_by_side
from xlt_utils.reporting.two_studies import TwoStudies


def compare(first: str, second: str, out: str | None = None) -> tuple[str, list[Path]]:
    """Compare two studies on the cells that both have.

    Args:
        first, second: study files, folders of runs or of published reports, or archives.
        out: the folder of the figure; None for one of the comparison's own below the reports.

    Returns:
        The comparison in words, and the files of the figure: none where nothing that both learnt is common.

    Raises:
        Fault: a study cannot be opened, or the two have no test in common.
    """
    a, b = open_studies([find_results(first), find_results(second)])
    studies = TwoStudies((a.name, b.name), (a.findings, b.findings))
    text = studies.text([paths.relative(study.place) for study in (a, b)])
    figure = side_by_side(studies)
    return text, figure.save(Path(out) if out else _folder(studies.names)) if figure else []


def _folder(names: Sequence[str]) -> Path:
    return paths.REPORTS / "compare" / re.sub(r"[^\w+-]+", "_", "+".join(names))
