"""Progress on a real pseudo-terminal, read as the terminal shows it."""

import fcntl
import os
import re
import struct
import termios
from pathlib import Path

import pytest
from small_study import grid

from xlt_utils import paths
from xlt_utils.files import write_json
from xlt_utils.pipeline.engine.bars import MOST_ROWS, Step, last_step
from xlt_utils.pipeline.engine.progress import ProgressLine
from xlt_utils.study import cells

CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """A terminal of 100 columns: a `stream` to write to, and what has been written since the last look."""

    def __init__(self):
        self.reader, writer = os.openpty()
        fcntl.ioctl(writer, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
        os.set_blocking(self.reader, False)
        self.stream = os.fdopen(writer, "w", encoding="utf-8")

    def written(self) -> str:
        self.stream.flush()
        parts = []
        while True:
            try:
                parts.append(os.read(self.reader, 65536))
            except BlockingIOError:
                return b"".join(parts).decode()

    def close(self) -> None:
        self.stream.close()
        os.close(self.reader)


@pytest.fixture
def terminal(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    terminal = Terminal()
    yield terminal
    terminal.close()


@pytest.fixture
def at_work(tmp_path, monkeypatch):
    """Starts cells: holds the lock of each run folder, as its runner does, and writes its log."""
    monkeypatch.setattr(paths, "RUNS", tmp_path / "runs")
    locks = []

    def start(cell: cells.Cell, log: str = "") -> Path:
        folder = paths.resolve(cell.folder)
        cells.write_params(cell)
        write_json(folder / "attempts" / "01" / "attempt.json", {"status": "running", "seconds": None, "error": None})
        (folder / "attempts" / "01" / "log.txt").write_text(log)
        locks.append(os.open(folder / ".lock", os.O_CREAT | os.O_WRONLY))
        fcntl.flock(locks[-1], fcntl.LOCK_EX)
        return folder / "attempts" / "01" / "log.txt"

    yield start
    for lock in locks:
        os.close(lock)


def screen(text: str) -> list[str]:
    return [line.rstrip() for line in CONTROL.sub("", text).replace("\r", "").splitlines() if line.strip()]


def test_a_terminal_shows_a_bar_of_cells_and_one_of_the_steps_of_each_running_cell(tmp_path, terminal, at_work):
    everything = grid(tmp_path)
    log = at_work(everything[0], "step 1 of 1,000, loss 9.1\nstep 250 of 1,000, loss 4.321\nWriting 100%|###|")
    line = ProgressLine(terminal.stream, "demo", len(everything), everything, {})
    line.update(1)
    head, row = screen(terminal.written())
    assert head.split()[0] == "demo" and head.endswith("0/36 cells") and "━" in head
    assert row.split()[0] == "pretrain" and row.endswith("step 250 of 1,000, loss 4.321")
    quarter = row.count("━") + row.count("╸") + row.count("╺")
    log.write_text("step 1,000 of 1,000, loss 1.5\n")
    line.update(1)
    text = terminal.written()
    assert "\x1b[2K" in text and "\x1b[1A" in text  # rewritten in place, not written below
    assert screen(text)[-1].endswith("step 1,000 of 1,000, loss 1.5") and screen(text)[-1].count("━") == quarter
    line.tell("failed: something\n  log: here")
    assert screen(terminal.written())[:2] == ["failed: something", "  log: here"]
    line.end()
    assert terminal.written().endswith("\x1b[?25h")  # the cursor is there again


def test_many_running_cells_are_counted_and_long_names_cut(tmp_path, terminal, at_work):
    everything = grid(tmp_path)
    for cell in everything[: MOST_ROWS + 3]:
        at_work(cell)
    line = ProgressLine(terminal.stream, "demo", len(everything), everything, dict.fromkeys([everything[0].folder], 90))
    line.update(1)
    rows = screen(terminal.written())
    assert len(rows) == 1 + MOST_ROWS + 1 and rows[-1] == "  and 3 more" and "left 1:" in rows[0]
    assert all(len(row) <= 100 for row in rows)
    line.end()


def test_a_terminal_that_can_move_no_cursor_gets_lines(tmp_path, terminal, monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    everything = grid(tmp_path)
    line = ProgressLine(terminal.stream, "demo", len(everything), everything, {})
    line.update(1)
    line.end()
    assert re.fullmatch(r"\d\d:\d\d:\d\d  demo  0/36 cells  starting\r\n", terminal.written())


def test_the_last_step_of_a_long_log_is_read_from_its_end(tmp_path):
    log = tmp_path / "log.txt"
    assert last_step(log) is None
    log.write_text("begun\n")
    assert last_step(log) is None
    log.write_text("step 1 of 9, loss 2.0\n" + "x" * 100_000 + "\nstep 8 of 9, loss nan\n")
    assert last_step(log) == Step(8, 9, "nan")
