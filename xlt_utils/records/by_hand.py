"""Notebooks run by hand, without `xlt`. In goes the run folder that a notebook reads; where it is empty, the notebook
before it is run with its own defaults, so that *Run all* works in a fresh clone."""

import subprocess
import sys
from pathlib import Path

from xlt_utils import paths
from xlt_utils.records import run_hash
from xlt_utils.records.parameters import declared_parameters
from xlt_utils.records.record import RecordFault, is_done, read_record


def ensure_run(folder: str | Path, notebook: str | Path) -> Path:
    """See that a notebook's input run is done, and return its folder.

    Args:
        folder: the run folder.
        notebook: run with its defaults where `folder` is its default output and holds no record of its present code.

    Raises:
        RecordFault: another folder without a record (the message says what to run), or the notebook failed.
    """
    from filelock import FileLock

    folder, notebook = paths.resolve(folder), paths.notebook_file(notebook)
    defaults = {name: parameter.default for name, parameter in declared_parameters(notebook).items()}
    if paths.resolve(defaults.get("out", "")) != folder:
        try:
            read_record(folder)
        except RecordFault as fault:
            command = f"xlt cell {paths.relative(folder)}/params.json"
            raise RecordFault(f"{fault}\nRun it first: {command}") from None
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".ensure.lock"):
        inputs = [name for name in (defaults.get("checkpoint"), defaults.get("previous")) if name]
        hashes = [read_record(name).hash for name in inputs if (paths.resolve(name) / "record.json").exists()]
        if not is_done(folder, run_hash.hash_by_hand(notebook.stem.split("_", 1)[-1], defaults, hashes)):
            print(f"{paths.relative(folder)} has no record yet: running {notebook.name} with its defaults", flush=True)
            _run_notebook(notebook, folder)
    return folder


def _run_notebook(notebook: Path, folder: Path) -> None:
    executed = folder / "executed.ipynb"
    command = [sys.executable, "-m", "papermill", "--no-progress-bar", "-k", "python3"]
    command += ["--cwd", str(paths.ROOT), str(notebook), str(executed)]
    process = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if process.returncode or not (folder / "record.json").exists():
        raise RecordFault(f"{notebook.name} failed; see {executed}\n{process.stderr[-2000:]}")
