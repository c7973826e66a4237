"""The engine: Snakemake runs the grid, this module starts it and watches. A run writes what each cell needs,
starts the warm server, keeps Snakemake's log in a file, shows one line of progress, and renders the
report from whatever records there are; repeated, it does only what is missing."""

import fcntl
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from xlt_utils import paths
from xlt_utils.files import read_json, write_json
from xlt_utils.formatting import duration
from xlt_utils.pipeline import plan, prefork, progress, runner, status
from xlt_utils.records.record import is_done
from xlt_utils.study import cells
from xlt_utils.study.schema import Study

BUSY = 75  # EX_TEMPFAIL: another run of the study is at work
TICK = 0.5  # seconds between two looks at the run folders


def run_study(
    study: Study,
    grid: list[cells.Cell],
    prepare: Callable[[], plan.Plan],
    profile: str = "local",
    kernel: str = "python3",
    limit: float | None = None,
) -> int:
    """Run what is missing of a study, then its report; return the exit code.

    `prepare` checks the data, raising what it finds, and gives the plan; it is called before any kernel starts and
    only when something is missing. `limit` is seconds a cell. Returns BUSY while another run of the study is at work.
    """
    folder = paths.RUNS / study.name
    folder.mkdir(parents=True, exist_ok=True)
    missing = [cell for cell in grid if not is_done(cell.folder, cell.hash)]
    with open(folder / ".lock", "w") as lock, runner.signals():
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if missing:
                environment = os.environ | runner.surroundings(study.threads) | {"XLT_ENGINE": "snakemake"}
                with _processes(profile, environment, folder) as environment:
                    print(f"{study.name}: {len(missing)} of {len(grid)} cells to run; checking the data", flush=True)
                    expected = prepare()
                    pace = f"about {duration(expected.wall_seconds)} for all, {expected.jobs} at a time"
                    print(f"{study.name}: {pace}; log in {paths.relative(folder)}/snakemake.log", flush=True)
                    options = ["--kernel", kernel, *(["--limit", f"{limit:g}"] if limit else [])]
                    cell = prefork.command("xlt_utils.cli:main", "cell", *options, server=environment.get("XLT_WARM"))
                    command = _snakemake(folder, study, expected.jobs, profile, cell)
                    _run_grid(folder, grid, missing, expected, command, environment)
                    return _finish(study, grid, kernel, environment)
            return _finish(study, grid, kernel, dict(os.environ))
        except BlockingIOError:
            print(f"{folder}: another `xlt run` is at work; see `xlt status`", file=sys.stderr)
            return BUSY
        except runner.Stopped as stop:
            print(f"stopped; the same command goes on from here ({folder}/snakemake.log)", file=sys.stderr)
            return stop.code


def report_study(study: Study, grid: list[cells.Cell], kernel: str = "python3") -> int:
    """Render the report from the records there are, unless it stands there for just these; return the exit code."""
    states = {cell.folder: status.cell_state(cell).kind for cell in grid}
    if "done" not in states.values():
        print(f"{study.name}: no cell is done, so there is nothing to report", file=sys.stderr)
        return runner.NO_RECORD
    cell = cells.report_cell(study, grid, {folder for folder, kind in states.items() if kind == "failed"})
    page = paths.REPORTS / study.name / "index.html"
    if not page.exists():
        (paths.resolve(cell.folder) / "record.json").unlink(missing_ok=True)
    code = 0
    if not is_done(cell.folder, cell.hash):
        code = runner.run_cell(cells.write_params(cell), kernel)
    if code == 0:
        print(f"report: {page}")
    return code


def default_jobs(study: Study) -> int:
    """As many cells at a time as this process has cores for."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores // study.threads)


def _finish(study: Study, grid: list[cells.Cell], kernel: str, environment: dict[str, str]) -> int:
    # the report's notebook starts warm as well, but here the runner hangs on no engine
    os.environ.update({name: value for name, value in environment.items() if name != "XLT_ENGINE"})
    states = [(cell, status.cell_state(cell)) for cell in grid if not is_done(cell.folder, cell.hash)]
    print(f"{study.name}: {len(grid) - len(states)} of {len(grid)} cells done")
    for cell, one in states:
        if one.kind in ("failed", "stopped"):
            print(f"{one.kind}: {cell.phase} {cell.name}: {one.error}\n  log: {one.log}", file=sys.stderr)
    code = report_study(study, grid, kernel)
    return runner.RAISED if states else code


def _run_grid(
    folder: Path,
    grid: list[cells.Cell],
    missing: list[cells.Cell],
    expected: plan.Plan,
    command: list[str],
    environment: dict[str, str],
) -> None:
    """Write what Snakemake reads, run it, and watch it until it ends."""
    for cell in grid:
        cells.write_params(cell)
    for cell in missing:
        (paths.resolve(cell.folder) / "record.json").unlink(missing_ok=True)  # cut off, or of another hash
    names = [f"{cell.phase}/{cell.name}" for cell in grid]
    (folder / "cells.txt").write_text("\n".join(names) + "\n", encoding="utf-8")
    began = time.time()
    line = progress.Line(sys.stdout, folder.name, len(grid), missing, expected.by_cell)
    with open(folder / "snakemake.log", "w", encoding="utf-8") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment,
            start_new_session=True,
            preexec_fn=lambda: prefork.end_with_parent(signal.SIGKILL),
        )
    try:
        while process.poll() is None:
            line.update(expected.jobs)
            time.sleep(TICK)
        line.update(expected.jobs)
    except BaseException:  # a signal, or a terminal that is gone
        _stop(process, missing)
        raise
    finally:
        line.end()
        _spent(folder, expected, began, sum(is_done(cell.folder, cell.hash) for cell in missing))
    if process.returncode and not line.failed:
        said = (folder / "snakemake.log").read_text(encoding="utf-8", errors="replace").splitlines()[-15:]
        print("\n".join(["Snakemake ended with a fault of its own:", *said]), file=sys.stderr)


def _snakemake(folder: Path, study: Study, jobs: int, profile: str, cell: list[str]) -> list[str]:
    """The command line of Snakemake; `cell` is the command that runs a cell, less its params.json."""
    known = paths.ROOT / "workflow" / "profiles" / profile
    return [
        *(sys.executable, "-m", "snakemake", "--snakefile", str(paths.ROOT / "workflow" / "Snakefile")),
        *("--directory", str(folder), "--workflow-profile", "none"),
        *("--profile", str(known if known.is_dir() else profile)),
        *(("--cores", str(jobs * study.threads)) if profile == "local" else ("--jobs", str(jobs))),
        # a string of YAML, as Snakemake reads the values of its configuration
        *("--config", f"threads={study.threads}", f"cell={json.dumps(shlex.join(cell))}"),
    ]


@contextmanager
def _processes(profile: str, environment: dict[str, str], folder: Path) -> Iterator[dict[str, str]]:
    """The environment that cells start in: beside a warm server where they run on this machine."""
    if profile != "local" or os.environ.get("XLT_COLD"):
        yield environment
    else:
        with prefork.Server(environment, folder / "warm.log") as environment:
            yield environment


def _stop(process: subprocess.Popen, missing: list[cells.Cell]) -> None:
    """End Snakemake and the runners below it, and wait until they have ended their kernels."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(3 * runner.GRACE)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue
    patience = time.time() + 3 * runner.GRACE
    while time.time() < patience and any(runner.is_running(cell.folder) for cell in missing):
        time.sleep(0.1)


def _spent(folder: Path, expected: plan.Plan, began: float, done: int) -> None:
    """Add this run to run.json; runs that went on with the same grid add up."""
    path = folder / "run.json"
    now = {"grid": expected.grid, "started": runner.stamp(began), "seconds": 0.0, "cells_run": 0, "runs": 0}
    try:
        before = read_json(path)
        now = before if before["grid"] == expected.grid else now
    except (OSError, ValueError, KeyError):
        pass
    now |= {"ended": runner.stamp(time.time()), "seconds": round(now["seconds"] + time.time() - began, 1)}
    write_json(path, now | {"jobs": expected.jobs, "cells_run": now["cells_run"] + done, "runs": now["runs"] + 1})
