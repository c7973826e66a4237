"""Notebooks run by hand, without `xlt`: a notebook whose input run is not there runs the notebook before it, with that
notebook's own defaults, so that *Run all* works in a fresh clone."""

import subprocess
import sys
from pathlib import Path

from xlt_utils import paths
from xlt_utils.records import run_hash
from xlt_utils.records.parameters import declared_parameters
from xlt_utils.records.record import RecordFault, is_done, read_record


def ensure_run(folder: str | Path, notebook: str | Path) -> Path:
    """See that a notebook's input run is there, and return its folder.

    By hand, in a fresh clone, it is not: when `folder` is where `notebook` writes by default, that
    notebook is run first, with its defaults. Any other missing run is a RecordFault that says what to run.
    """
    from filelock import FileLock

    folder, notebook = paths.resolve(folder), paths.resolve(notebook)
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
        inputs = [defaults.get(name) for name in ("checkpoint", "previous")]
        before = [read_record(name).hash for name in inputs if name and (paths.resolve(name) / "record.json").exists()]
        if not is_done(folder, run_hash.by_hand_hash(notebook.stem.split("_", 1)[-1], defaults, before)):
            print(f"{paths.relative(folder)} is not there yet: running {notebook.name} with its defaults", flush=True)
            executed = folder / "executed.ipynb"
            command = [sys.executable, "-m", "papermill", "--no-progress-bar", "-k", "python3"]
            command += ["--cwd", str(paths.ROOT), str(notebook), str(executed)]
            done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
            if done.returncode or not (folder / "record.json").exists():
                raise RecordFault(f"{notebook.name} failed; see {executed}\n{done.stderr[-2000:]}")
    return folder
