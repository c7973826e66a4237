"""The progress that a run shows: cells done and in all, what runs, the time left. The states of the cells go in, text
for a stream comes out. A terminal shows bars, rewritten in place; a file or a pipe gets a line at every tenth of the
cells, and after five minutes without one."""

import os
import time
from typing import TextIO

from xlt_utils import paths
from xlt_utils.formatting import duration
from xlt_utils.pipeline.cell import slurm
from xlt_utils.pipeline.engine import status
from xlt_utils.pipeline.engine.bars import Bars, RunningCell, last_step
from xlt_utils.pipeline.planning.plan import longest_chain
from xlt_utils.study import cells

MOST_SECONDS_BETWEEN_LINES = 300
MOST_DEATHS_TOLD = 5


class ProgressLine:
    """The progress of a run over the missing cells of a grid.

    Args:
        stream: what the line is written to.
        name: the study's name.
        total: the number of cells in the grid, those done before included.
        missing: the cells that the run is to do.
        expected: the seconds that the plan expects of each cell, by run folder.
        queue: the study's jobs in Slurm's queue, where it may have some.
    """

    def __init__(
        self,
        stream: TextIO,
        name: str,
        total: int,
        missing: list[cells.Cell],
        expected: dict[str, float],
        queue: slurm.Queue | None = None,
    ):
        self.stream, self.name, self.total, self.expected, self.queue = stream, name, total, expected, queue
        self.open = {cell.folder: cell for cell in missing}
        self.done, self.failed = total - len(missing), 0
        self.earlier_logs = {status.cell_state(cell, (), queue).log for cell in missing}
        self.began: dict[str, float] = {}  # when running cells were first seen at work, by run folder
        self.deaths: set[str] = set()  # how jobs died before their runner began
        self.spent, self.planned = 0.0, 0.0  # seconds of cells done in this run, and what was expected of them
        self.last_tenth, self.last_time = -1, 0.0  # of the last line in a file
        self.bars = Bars(stream) if stream.isatty() and os.environ.get("TERM") != "dumb" else None

    def update(self, jobs: int) -> None:
        """Look again at the cells that were not done, and show what has changed; `jobs` run at a time."""
        running: list[tuple[cells.Cell, str]] = []
        queued, self.failed = 0, 0
        if self.queue:
            self.queue.refresh()
        for folder, cell in list(self.open.items()):
            state = status.cell_state(cell, (), self.queue)
            if state.kind == "running":
                running.append((cell, state.log))
            elif state.kind == "queued":
                queued += 1
            elif state.kind == "failed" and state.log not in self.earlier_logs:
                self.failed += 1
                if state.error.startswith("JobDied"):
                    self._tell_death(cell, state)
            elif state.kind == "done" and (state.seconds or not state.log):  # a record is there before its attempt ends
                self.done += 1
                self.spent += state.seconds
                self.planned += self.expected.get(folder, state.seconds)
                del self.open[folder]
        now = time.monotonic()
        self.began = {cell.folder: self.began.get(cell.folder, now) for cell, _ in running}
        words = f"{self.done}/{self.total} cells"
        words += f"  {self.failed} failed" if self.failed else ""
        words += f"  left {duration(self.seconds_left(jobs))}" if self.open and self.expected else ""
        others = f"  queued {queued}" if queued else ""
        others += "  starting" if not running and not queued and not self.spent else ""
        if self.bars:
            at_work = [RunningCell(f"{cell.phase} {cell.slug}", last_step(paths.resolve(log))) for cell, log in running]
            self.bars.show(self.name, self.done, self.total, words + others, at_work)
        else:
            names = ", ".join(f"{cell.phase} {cell.slug}" for cell, _ in running)
            self._write_line(f"{self.name}  {words}" + (f"  running {names}" if names else "") + others)

    def _tell_death(self, cell: cells.Cell, state: status.CellState) -> None:
        """Say at once that a job died before its runner began, for no attempt will: the first of each kind."""
        if state.error not in self.deaths:
            self.deaths.add(state.error)
            if len(self.deaths) <= MOST_DEATHS_TOLD:
                self.tell(f"failed: {cell.phase} {cell.name}: {state.error}\n  log: {state.log}")

    def seconds_left(self, jobs: int) -> float:
        """Seconds until all is done with `jobs` cells at a time, if the plan errs for the rest as it did so far. Of a
        running cell counts what it has not run yet."""
        pace, now = self.spent / self.planned if self.planned > 10 else 1.0, time.monotonic()
        seconds = {
            folder: max(0.0, self.expected.get(folder, 0.0) * pace - (now - self.began.get(folder, now)))
            for folder in self.open
        }
        return max(sum(seconds.values()) / jobs, longest_chain(list(self.open.values()), seconds))

    def _write_line(self, text: str) -> None:
        """Write a line into a file, where there is news."""
        tenth, now = 10 * self.done // self.total, time.monotonic()
        if tenth != self.last_tenth or now - self.last_time > MOST_SECONDS_BETWEEN_LINES:
            self.last_tenth, self.last_time = tenth, now
            self.stream.write(time.strftime("%H:%M:%S  ") + text + "\n")
            self.stream.flush()

    def tell(self, text: str) -> None:
        """Write lines that stay."""
        if self.bars:
            self.bars.tell(text)
        else:
            self.stream.write(text + "\n")
            self.stream.flush()

    def end(self) -> None:
        """End the bars on a terminal, so that what follows stands below them."""
        if self.bars:
            self.bars.end()
