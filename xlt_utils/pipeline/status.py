"""How a study stands: what is done, at work, failed, missing. It is read from the run folders alone (records,
locks, attempts), so it is right after a crash, on another machine, and while a run goes on."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from xlt_utils import paths
from xlt_utils.files import read_json
from xlt_utils.pipeline import runner
from xlt_utils.records.record import is_done
from xlt_utils.study import cells

STATES = ("done", "running", "failed", "stopped", "missing")


@dataclass(frozen=True)
class State:
    """One cell: its state, and of the last attempt its error, its log and how long it took (seconds)."""

    kind: str
    error: str = ""
    log: str = ""
    seconds: float = 0.0


def cell_state(cell: cells.Cell) -> State:
    """How a cell stands. An attempt that says `running` while nobody holds the folder's lock was killed."""
    attempts = sorted((paths.resolve(cell.folder) / "attempts").glob("[0-9]*/attempt.json"))
    last = _read(attempts[-1]) if attempts else {}
    log = paths.relative(attempts[-1].with_name("log.txt")) if attempts else ""
    seconds = last.get("seconds") or 0.0
    if is_done(cell.folder, cell.hash):
        return State("done", log=log, seconds=seconds)
    if runner.is_running(cell.folder):
        return State("running", log=log)
    if not last:
        return State("missing")
    kind = "failed" if last.get("status") in ("failed", "timeout") else "stopped"
    return State(kind, last.get("error") or "Killed: the runner was ended without a word", log, seconds)


def status_text(name: str, grid: list[cells.Cell]) -> str:
    """The state of a study as `xlt status` prints it: a row a phase, then every failure with its error and log."""
    states = {cell.folder: cell_state(cell) for cell in grid}
    phases = [phase for phase in paths.PHASES if any(cell.phase == phase for cell in grid)]
    counts = {phase: Counter(states[cell.folder].kind for cell in grid if cell.phase == phase) for phase in phases}
    shown = [kind for kind in STATES if kind in ("done", "missing") or any(counts[phase][kind] for phase in phases)]
    lines = [f"{name:<14}" + "".join(f"{kind:>9}" for kind in (*shown, "cells"))]
    for phase in phases:
        row = [*(counts[phase][kind] for kind in shown), counts[phase].total()]
        lines.append(f"  {phase:<12}" + "".join(f"{number:>9}" for number in row))
    for cell in grid:
        one = states[cell.folder]
        if one.kind in ("running", "failed", "stopped"):
            lines.append(f"{one.kind}: {cell.phase} {cell.name}" + (f"\n  {one.error}" if one.error else ""))
            lines.append(f"  log: {one.log}")
    waiting = [cell for cell in grid if states[cell.folder].kind == "missing"]
    behind = [cell for cell in waiting if any(states[c.folder].kind == "failed" for c in blocked_by(cell))]
    if behind:
        lines.append(f"{len(behind)} of the missing wait for a failed cell")
    return "\n".join(lines)


def blocked_by(cell: cells.Cell) -> list[cells.Cell]:
    """All cells that a cell reads, itself or through others."""
    return [one for before in cell.inputs for one in (before, *blocked_by(before))]


def _read(path: Path) -> dict:
    try:
        return read_json(path)
    except (OSError, ValueError):
        return {}
