"""The one line that a run shows: cells done and total, what runs, the time left. On a terminal it is rewritten
in place; in a file or a pipe a line is added at every tenth of the cells, and after five minutes without one."""

import shutil
import time
from typing import TextIO

from xlt_utils.formatting import duration
from xlt_utils.pipeline import plan, status
from xlt_utils.study import cells

SILENT = 300  # seconds


class Line:
    """Progress over the `missing` cells of a grid of `total`, timed by what the plan expects of each (seconds)."""

    def __init__(self, stream: TextIO, name: str, total: int, missing: list[cells.Cell], expected: dict[str, float]):
        self.stream, self.name, self.total, self.expected = stream, name, total, expected
        self.open = {cell.folder: cell for cell in missing}
        self.done, self.failed = total - len(missing), 0
        self.before = {status.cell_state(cell).log for cell in missing}  # attempts of earlier runs
        self.spent, self.planned = 0.0, 0.0  # seconds of cells done in this run, and what was expected of them
        self.shown, self.live = (-1, 0.0), stream.isatty()

    def update(self, jobs: int) -> None:
        """Look at the cells that were not done at the last look, and show what has changed."""
        running, self.failed = [], 0
        for folder, cell in list(self.open.items()):
            state = status.cell_state(cell)
            if state.kind == "running":
                running.append(cell)
            elif state.kind == "failed" and state.log not in self.before:
                self.failed += 1
            elif state.kind == "done" and (state.seconds or not state.log):  # a record stands before its attempt's time
                self.done += 1
                self.spent += state.seconds
                self.planned += self.expected.get(folder, state.seconds)
                del self.open[folder]
        text = f"{self.name}  {self.done}/{self.total} cells"
        text += f"  {self.failed} failed" if self.failed else ""
        text += f"  left {duration(self.left(jobs))}" if self.open else ""
        text += "  running " + ", ".join(f"{cell.phase} {cell.slug}" for cell in running) if running else ""
        text += "  starting" if not running and not self.spent else ""
        self._show(text)

    def left(self, jobs: int) -> float:
        """Seconds until the rest is done, if it takes longer or shorter than planned as the cells so far did."""
        pace = self.spent / self.planned if self.planned > 10 else 1.0
        seconds = {folder: self.expected.get(folder, 0.0) * pace for folder in self.open}
        return max(sum(seconds.values()) / jobs, plan.longest_chain(list(self.open.values()), seconds))

    def _show(self, text: str) -> None:
        if self.live:
            width = shutil.get_terminal_size().columns
            self.stream.write("\r\x1b[K" + text[: width - 1])
        elif (tenth := 10 * self.done // self.total) != self.shown[0] or time.monotonic() - self.shown[1] > SILENT:
            self.shown = (tenth, time.monotonic())
            self.stream.write(time.strftime("%H:%M:%S  ") + text + "\n")
        self.stream.flush()

    def end(self) -> None:
        """Leave the line as it stands."""
        if self.live:
            self.stream.write("\n")
            self.stream.flush()
