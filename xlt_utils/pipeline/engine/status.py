"""The state of a study: which cells are done, running, failed or missing. Cells go in, states and a table come out. All
is read from the run folders (records, locks, attempts) and Slurm's queue, so it is right after a crash, on another
machine, and during a run."""

from collections import Counter
from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xlt_utils import paths
from xlt_utils.files import attempt_files, read_json
from xlt_utils.pipeline.archives.growth import Archived, growth_lines
from xlt_utils.pipeline.cell import runner, slurm
from xlt_utils.records.record import is_done
from xlt_utils.study import cells

STATES = ("done", "running", "queued", "failed", "stopped", "missing")


@dataclass(frozen=True)
class CellState:
    """The state of a cell, one of STATES; the error, log and duration in seconds are of its last attempt."""

    kind: str
    error: str = ""
    log: str = ""
    seconds: float = 0.0


def cell_state(cell: cells.Cell, archived: Container[str] = (), queue: slurm.Queue | None = None) -> CellState:
    """The state of a cell. An attempt that says `running` while nobody holds the folder's lock was killed.

    Args:
        cell: the cell.
        archived: run folders of cells that an archive holds: done unless the last attempt here was not.
        queue: the study's jobs in Slurm's queue, where it may have some.
    """
    attempts = attempt_files(paths.resolve(cell.folder), "attempt.json")
    last = _read_attempt(attempts[-1]) if attempts else {}
    log = paths.relative(attempts[-1].with_name("log.txt")) if attempts else ""
    seconds = last.get("seconds") or 0.0
    is_archived = cell.folder in archived and last.get("status") in (None, "done")
    if is_archived or is_done(cell.folder, cell.hash):
        return CellState("done", log=log, seconds=seconds)
    if queue and (job := queue.jobs.get(f"{cell.phase}/{cell.name}")):
        job_log = queue.log(f"{cell.phase}/{cell.name}")
        return CellState(job.kind, log=log if last.get("job") == job.number else paths.relative(job_log or ""))
    if runner.is_running(cell.folder):
        return CellState("running", log=log)
    began = attempts[-1].stat().st_mtime if attempts else 0.0
    if queue and (death := queue.death(f"{cell.phase}/{cell.name}", began)):
        return CellState("failed", f"JobDied: before the runner began: {death[1]}", paths.relative(death[0]))
    if not last:
        return CellState("missing")
    kind = "failed" if last.get("status") in ("failed", "timeout") else "stopped"
    return CellState(kind, last.get("error") or "Killed: the runner ended before it could write why", log, seconds)


@dataclass(frozen=True)
class StudyState:
    """The state of every cell by its run folder, and the queue that was asked for all of them."""

    states: dict[str, CellState]
    queue: slurm.Queue


def look(name: str, grid: list[cells.Cell], archived: Container[str] = ()) -> StudyState:
    """Read the state of all cells of the study `name`, and ask Slurm once; `archived` as for `cell_state`."""
    queue = slurm.Queue(paths.RUNS / name)
    queue.refresh()
    return StudyState({cell.folder: cell_state(cell, archived, queue) for cell in grid}, queue)


def status_text(
    name: str,
    grid: list[cells.Cell],
    archived: dict[str, Archived] | None = None,
    seen: StudyState | None = None,
) -> str:
    """The state of the study `name` as `xlt status` prints it: a row a phase, then each failure with its log, then what
    `growth.find_archived` found and what has to be trained again. `seen` is what `look` gave, if it was called."""
    archived = archived or {}
    seen = seen or look(name, grid, archived)
    states, queue = seen.states, seen.queue
    phases = [phase for phase in paths.PHASES if any(cell.phase == phase for cell in grid)]
    counts = {phase: Counter(states[cell.folder].kind for cell in grid if cell.phase == phase) for phase in phases}
    kinds = [kind for kind in STATES if kind in ("done", "missing") or any(counts[phase][kind] for phase in phases)]
    lines = [f"{name:<14}" + "".join(f"{kind:>9}" for kind in (*kinds, "cells"))]
    for phase in phases:
        row = [*(counts[phase][kind] for kind in kinds), counts[phase].total()]
        lines.append(f"  {phase:<12}" + "".join(f"{number:>9}" for number in row))
    for cell in grid:
        state = states[cell.folder]
        if state.kind in ("running", "failed", "stopped"):
            lines.append(f"{state.kind}: {cell.phase} {cell.name}" + (f"\n  {state.error}" if state.error else ""))
            lines.append(f"  log: {state.log}")
    if reasons := queue.reasons():
        lines.append(f"queued, as Slurm says: {reasons}")
    if queue.error:
        lines.append(f"what is queued or running under Slurm is not known: {queue.error}")
    missing = [cell for cell in grid if states[cell.folder].kind == "missing"]
    waiting = [cell for cell in missing if any(states[read.folder].kind == "failed" for read in cell.upstream())]
    if waiting:
        lines.append(f"{len(waiting)} of the missing wait for a failed cell")
    lines += growth_lines(grid, archived)
    return "\n".join(lines)


def status_rows(grid: list[cells.Cell], seen: StudyState) -> list[dict[str, Any]]:
    """The state of every cell as plain values, for other programs: phase, cell, hash, folder, state, error, log and
    seconds."""
    states = [(cell, seen.states[cell.folder]) for cell in grid]
    return [
        {"phase": cell.phase, "cell": cell.name, "hash": cell.hash, "folder": cell.folder}
        | {"state": state.kind, "error": state.error, "log": state.log, "seconds": state.seconds}
        for cell, state in states
    ]


def _read_attempt(path: Path) -> dict[str, Any]:
    """What an attempt says of itself; nothing where the file is not whole: the machine went down."""
    try:
        return dict(read_json(path))
    except (OSError, ValueError, TypeError):
        return {}
