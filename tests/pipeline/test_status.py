"""Status and progress: read from the run folders alone, and right at every stage of a cell's life."""

import io

import pytest
from small_study import grid

from xlt_utils import paths
from xlt_utils.files import write_json
from xlt_utils.pipeline.cell import locks
from xlt_utils.pipeline.engine import progress, status
from xlt_utils.records.record import write_record
from xlt_utils.study import cells


@pytest.fixture
def cell(tmp_path, monkeypatch):
    """The first cell of a study, its folder written and nothing run."""
    monkeypatch.setattr(paths, "RUNS", tmp_path / "runs")
    everything = grid(tmp_path)
    cells.write_params(everything[0])
    return everything[0]


def attempt(cell, number, **state):
    folder = paths.resolve(cell.folder) / "attempts" / f"{number:02d}"
    write_json(folder / "attempt.json", {"seconds": 2.0, "error": None, **state})


def done(cell):
    write_record(cell.folder, cell.phase, cell.parameters)


def test_the_states_of_a_cell(cell):
    assert status.cell_state(cell).kind == "missing"
    attempt(cell, 1, status="failed", error="ValueError: x")
    log = f"{cell.folder}/attempts/01/log.txt"
    assert status.cell_state(cell) == status.CellState("failed", "ValueError: x", log, 2.0)
    attempt(cell, 2, status="running")
    with open(paths.resolve(cell.folder) / ".lock", "w") as lock:
        locks.lock(lock)
        assert status.cell_state(cell).kind == "running"
    # nobody holds the lock: that runner was killed
    assert status.cell_state(cell).kind == "stopped" and status.cell_state(cell).error.startswith("Killed")
    attempt(cell, 3, status="timeout", error="Timeout: not done after 9 seconds")
    assert status.cell_state(cell).kind == "failed"
    done(cell)
    assert status.cell_state(cell).kind == "done"


def test_a_record_of_another_hash_is_not_done(cell):
    write_record(cell.folder, cell.phase, cell.parameters | {"seed": 7})
    assert status.cell_state(cell).kind == "missing"


def test_the_table_counts_every_cell_and_names_failures(cell, tmp_path):
    attempt(cell, 1, status="failed", error="ValueError: x")
    table = status.status_text("demo", grid(tmp_path))
    rows = {line.split()[0]: line.split()[1:] for line in table.splitlines()[:4]}
    assert rows["demo"] == ["done", "failed", "missing", "cells"]
    assert rows["pretrain"] == ["0", "1", "5", "6"] and rows["target"] == ["0", "0", "18", "18"]
    assert f"failed: pretrain {cell.name}\n  ValueError: x\n  log: {cell.folder}/attempts/01/log.txt" in table
    assert "5 of the missing wait for a failed cell" in table  # what is tuned from random weights; the ladder is not


def test_a_file_gets_few_lines_and_each_says_how_far_it_is(cell, tmp_path):
    stream, everything = io.StringIO(), grid(tmp_path)
    folders = [run.folder for run in everything]
    line = progress.ProgressLine(stream, "demo", len(everything), everything, dict.fromkeys(folders, 10.0))
    for run in everything:
        cells.write_params(run)
        write_record(run.folder, run.phase, run.parameters, inputs=[before.folder for before in run.inputs])
        line.update(2)
        line.update(2)
    lines = stream.getvalue().splitlines()
    assert len(lines) <= 11 and "36/36 cells" in lines[-1] and "left" not in lines[-1]
    assert "left 2:55 min" in lines[0]  # 35 of 10 seconds, two at a time


def test_a_cell_counts_as_done_once_its_attempt_is_timed(cell, tmp_path):
    line = progress.ProgressLine(io.StringIO(), "demo", 1, [cell], {cell.folder: 100.0})
    cells.write_params(cell)
    write_record(cell.folder, cell.phase, cell.parameters)
    attempt(cell, 1, status="running", seconds=None)
    line.update(1)
    assert (line.done, line.seconds_left(1)) == (0, 100.0)
    attempt(cell, 1, status="done", seconds=50.0)
    line.update(1)
    assert (line.done, line.spent, line.planned) == (1, 50.0, 100.0)


def test_the_time_left_falls_while_a_cell_runs(cell, monkeypatch):
    line = progress.ProgressLine(io.StringIO(), "demo", 1, [cell], {cell.folder: 100.0})
    attempt(cell, 1, status="running", seconds=None)
    with open(paths.resolve(cell.folder) / ".lock", "w") as lock:
        locks.lock(lock)
        left = []
        for now in (1000.0, 1030.0, 1500.0):
            monkeypatch.setattr(progress.time, "monotonic", lambda now=now: now)
            line.update(1)
            left.append(line.seconds_left(1))
    assert left == [100.0, 70.0, 0.0]
    line.update(1)  # killed: its next attempt begins anew
    assert line.seconds_left(1) == 100.0


def test_failures_of_earlier_runs_are_not_counted(cell, tmp_path):
    attempt(cell, 1, status="failed", error="ValueError: x")
    stream = io.StringIO()
    line = progress.ProgressLine(stream, "demo", 1, [cell], {})
    line.update(1)
    assert line.failed == 0
    attempt(cell, 2, status="failed", error="ValueError: x")
    line.update(1)
    assert line.failed == 1


def test_the_time_left_is_no_less_than_the_longest_chain(tmp_path):
    everything = grid(tmp_path)
    expected = {cell.folder: 10.0 for cell in everything}
    line = progress.ProgressLine(io.StringIO(), "demo", len(everything), everything, expected)
    assert line.seconds_left(1) == 360.0
    # two pretraining rungs (random weights are none), two intermediate ones, a target
    assert line.seconds_left(1000) == 50.0
