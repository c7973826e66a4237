"""Progress on a terminal: a bar of the cells, and below it a bar of the steps within each running cell. Counts and the
logs of running cells go in; what is on the screen is rewritten in place."""

import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

MOST_ROWS = 8  # running cells that have a bar
TAIL_BYTES = 4096  # of a log: what the last step's line lies in
NAME_WIDTH, BAR_WIDTH = 30, 24
STEP = re.compile(rb"step ([\d,]+) of ([\d,]+), loss (\S+)")  # as training/loop.py prints it


@dataclass(frozen=True)
class Step:
    """How far the training of a running cell is."""

    step: int
    total: int
    loss: str


@dataclass(frozen=True)
class RunningCell:
    """A running cell by `name`, and its last `step`; None before its training, and in what has none."""

    name: str
    step: Step | None


def last_step(log: Path) -> Step | None:
    """The last step that a cell's log names; None without one."""
    try:
        with open(log, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - TAIL_BYTES))
            steps = STEP.findall(file.read())
    except OSError:  # not written yet
        return None
    if not steps:
        return None
    step, total, loss = (part.decode() for part in steps[-1])
    return Step(int(step.replace(",", "")), int(total.replace(",", "")), loss)


class Bars:
    """The bars of a run, on a terminal `stream`. They are drawn when asked and by no thread of their own, since the
    process forks."""

    def __init__(self, stream: TextIO):
        from rich.console import Console

        self.console = Console(file=stream, highlight=False)
        self._live: Any = None

    def show(self, name: str, done: int, total: int, words: str, running: list[RunningCell]) -> None:
        """Draw the cells `done` of all in `total`, with `words` on the rest, and a bar for each running cell."""
        from rich.live import Live

        if self._live is None:
            # what other code prints meanwhile goes above the bars; errors that go to a file stay there
            errors = sys.stderr.isatty()
            self._live = Live(
                console=self.console, auto_refresh=False, vertical_overflow="crop", redirect_stderr=errors
            )
            self._live.start()
        self._live.update(self._table(name, done, total, words, running), refresh=True)

    def tell(self, text: str) -> None:
        """Write lines that stay, above the bars."""
        self.console.print(text, markup=False, soft_wrap=True)

    def end(self) -> None:
        """Leave the bars as they are; what follows begins below them."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _table(self, name: str, done: int, total: int, words: str, running: list[RunningCell]) -> Any:
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_column(width=min(NAME_WIDTH, self.console.width // 3), no_wrap=True, overflow="ellipsis")
        table.add_column(width=min(BAR_WIDTH, max(8, self.console.width // 4)))
        table.add_column(no_wrap=True, overflow="ellipsis")
        table.add_row(Text(name, "bold"), ProgressBar(total, done), Text(words))
        for cell in running[:MOST_ROWS]:
            step = cell.step
            bar = ProgressBar(step.total, step.step) if step else Text("")
            words = f"step {step.step:,} of {step.total:,}, loss {step.loss}" if step else "at work"
            table.add_row(Text(f"  {cell.name}"), bar, Text(words, "dim"))
        if len(running) > MOST_ROWS:
            table.add_row(Text(f"  and {len(running) - MOST_ROWS} more"), "", "")
        return table
