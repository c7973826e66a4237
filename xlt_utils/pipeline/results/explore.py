"""Studies for the explorer: opened from wherever their records lie, and shown in JupyterLab. A run folder, a published
folder or an archive goes in; an `OpenStudy` comes out, or JupyterLab with the notebook of that study."""

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from xlt_utils import paths
from xlt_utils.errors import Fault, did_you_mean
from xlt_utils.files import write_json
from xlt_utils.pipeline.archives.archive import ARCHIVE, Archive
from xlt_utils.records.record import Record
from xlt_utils.reporting.explore.frame import OpenStudy
from xlt_utils.reporting.findings import Findings, findings_of, gather_findings

NOTEBOOK = paths.SHIPPED / "notebooks" / "explore.ipynb"


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
        raise NothingToExplore("no study was named; `studies` lists folders, such as report/real-scratch")
    return opened


def find_results(study: str) -> str:
    """Where the results of a study lie, as the notebook names it.

    Args:
        study: a folder or an archive as the command line has it, or a study file: then its runs or, without any, what
            was published of it.

    Raises:
        NothingToExplore: there are none.
        Fault: the study file is wrong.
    """
    path = Path(study).absolute()
    if path.is_dir() or path.suffix == ".zip":
        return paths.relative(path)
    from xlt_utils.study import study_file

    name = study_file.load_study(study).name
    places = [paths.RUNS / name, paths.REPORTS / name]
    if any((places[0] / "target").glob("*/record.json")):
        return paths.relative(places[0])
    if (places[1] / ARCHIVE).exists():
        return paths.relative(places[1])
    raise NothingToExplore(f"{study}: no run of it is done and none was published; `xlt run {study}` comes first")


def write_notebook(studies: Sequence[str], folder: Path) -> Path:
    """Write a copy of the explorer's notebook with the studies filled in, so that the project's own stays as it is, and
    return its path. A copy that was there is replaced."""
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    (cell,) = [cell for cell in notebook["cells"] if "parameters" in cell["metadata"].get("tags", [])]
    cell["source"] = f"studies = {json.dumps(list(studies), ensure_ascii=False)}"
    return write_json(folder / NOTEBOOK.name, notebook)


def lab_command(notebook: Path, browser: bool = True) -> list[str]:
    """The command that serves a notebook in JupyterLab: to this machine alone, and to who has the token that it prints.
    The project is its folder, or the notebook's own where that lies elsewhere."""
    root = paths.ROOT if notebook.is_relative_to(paths.ROOT) else notebook.parent
    command = [sys.executable, "-m", "jupyterlab", "--ip", "127.0.0.1", f"--ServerApp.root_dir={root}"]
    command.append(f"--LabApp.default_url=/lab/tree/{quote(notebook.relative_to(root).as_posix())}")
    command += [] if browser else ["--no-browser"]
    # in a container everybody is root, and Jupyter refuses to be started by root unless it is told
    return command + (["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else [])


def explore(studies: Sequence[str], browser: bool = True) -> None:
    """Become JupyterLab, with the notebook of these studies; Ctrl-C ends it. Never returns.

    Raises:
        Fault: a study cannot be opened: that is said here, not by a notebook later.
    """
    places = [find_results(study) for study in studies]
    name = "+".join(study.findings.study for study in open_studies(places))
    notebook = write_notebook(places, paths.RUNS / "explore" / name)
    print(f"{notebook}: a copy that the next `xlt explore` replaces; Run All shows it", flush=True)
    command = lab_command(notebook, browser)
    # labconfig/ there keeps JupyterLab from asking elsewhere for updates and news, and wraps long lines of code
    settings = [str(NOTEBOOK.parent), os.environ.get("JUPYTER_CONFIG_PATH", "")]
    os.environ["JUPYTER_CONFIG_PATH"] = os.pathsep.join(filter(None, settings))
    os.execv(command[0], command)


def _gather(place: Path) -> Findings:
    if not place.exists():
        names = [paths.relative(folder) for root in (paths.RUNS, paths.REPORTS) for folder in sorted(root.glob("*/"))]
        hint = did_you_mean(paths.relative(place), names)
        raise NothingToExplore(f"{place}: no such folder or archive; {hint}")
    try:
        if place.is_file() or (place / ARCHIVE).exists():
            with Archive(place) as archive:
                records = {_run_folder(archive, cell, record): record for cell, record in archive.records()}
            return findings_of(records, archive.path)
        return gather_findings(place)
    except FileNotFoundError as error:
        raise NothingToExplore(str(error)) from None


def _run_folder(archive: Archive, cell: str, record: Record) -> Path:
    """Where the run of an archived record lies, with its notebook and predictions: below this project's runs, where it
    was made here and is still there, for its name says what it holds; else its place in the archive."""
    here = paths.RUNS / record.study / cell
    return here if (here / "record.json").is_file() else archive.path / cell
