"""Where files are: the project's folder with its runs and reports, and the notebooks, workflow and example studies that
come with the package. Paths in parameters and records are relative to the project, so that a study can move to another
machine."""

import os
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
# A wheel has `notebooks`, `params` and `workflow` inside the package, a clone beside it.
IS_CLONE = not (_PACKAGE / "shipped").is_dir()
SHIPPED = _PACKAGE.parent if IS_CLONE else _PACKAGE / "shipped"
# The project: the clone, or the folder in which `xlt` is called. What `xlt` then starts in other folders, such as the
# engine in that of its runs, has it from XLT_ROOT.
ROOT = SHIPPED if IS_CLONE else Path(os.environ.get("XLT_ROOT", "")).absolute()
# Tests and clusters move these.
RUNS = ROOT / os.environ.get("XLT_RUNS", "runs")
REPORTS = ROOT / os.environ.get("XLT_REPORT", "report")
# Data sets that are not on the hub (CCGbank, BUCC), where the study's own data folder has none.
LOCAL = ROOT / os.environ.get("XLT_LOCAL", "local")
# Snapshots of the hub's data sets and checkpoints, as its client lays them out.
HUB = ROOT / os.environ.get("XLT_HUB", "hub")
PHASES = ("pretrain", "intermediate", "target", "report")


def resolve(path: str | Path) -> Path:
    """The full path of one that is relative to the project, as parameters give it."""
    return ROOT / path


def relative(path: str | Path) -> str:
    """A path as records and parameters store it: relative to the project if it is inside."""
    path = Path(os.path.abspath(resolve(path)))
    return path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else str(path)


def notebook(phase: str) -> str:
    """The name of a phase's notebook; `XLT_NOTEBOOKS` names another folder of them (tests do)."""
    folder = os.environ.get("XLT_NOTEBOOKS", "notebooks")
    return relative(Path(folder) / f"0{PHASES.index(phase) + 1}_{phase}.ipynb")


def notebook_file(name: str | Path) -> Path:
    """The file of a notebook that parameters or `notebook` name: one that comes with the package, else the project's
    own."""
    shipped = SHIPPED / name
    return shipped if shipped.is_file() else resolve(name)
