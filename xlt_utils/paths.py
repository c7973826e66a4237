"""Where files are: the folders of the project, the runs, the reports and the notebooks. Paths in parameters and records
are relative to the project, so that a study can move to another machine."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# Tests and clusters move these.
RUNS = ROOT / os.environ.get("XLT_RUNS", "runs")
REPORTS = ROOT / os.environ.get("XLT_REPORT", "report")
# Data sets that are not on the hub (CCGbank, BUCC), where the study's own data folder has none.
LOCAL = ROOT / os.environ.get("XLT_LOCAL", "local")
PHASES = ("pretrain", "intermediate", "target", "report")


def resolve(path: str | Path) -> Path:
    """The full path of one that is relative to the project, as parameters give it."""
    return ROOT / path


def relative(path: str | Path) -> str:
    """A path as records and parameters store it: relative to the project if it is inside."""
    path = Path(os.path.abspath(resolve(path)))
    return path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else str(path)


def notebook(phase: str) -> str:
    """The notebook of a phase; `XLT_NOTEBOOKS` names another folder of them (tests do)."""
    folder = os.environ.get("XLT_NOTEBOOKS", "notebooks")
    return relative(Path(folder) / f"0{PHASES.index(phase) + 1}_{phase}.ipynb")
