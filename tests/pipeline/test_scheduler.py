"""The engine: a failing cell stops nothing but what reads it, a repeated run does only what is missing, and a
stopped one leaves no process behind. The real Snakemake over a grid of tiny notebooks."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import tiny_grid
from processes import wait


def start(folder, command="run", **environment):
    return subprocess.Popen(
        [sys.executable, tiny_grid.__file__, str(folder), command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=tiny_grid.place(folder) | environment,
    )


def end(process, seconds=90):
    said = process.communicate(timeout=seconds)[0]
    return process.returncode, said


def attempts(folder):
    """The attempts that there were, by cell, the report's left out."""
    found = sorted((folder / "runs" / "grid").glob("[pit]*/*/attempts/*"))
    return [f"{path.parents[1].name[:-9]} {path.name}" for path in found]


def beneath(folder):
    """The processes that work for a folder: they have it in their environment."""
    found = []
    for process in psutil.process_iter():
        try:
            mine = process.environ().get("XLT_RUNS") == str(folder / "runs")
            if mine and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


RESTS = ["", "-2tasks", "-mnli-i512", "-mnli-i512-2tasks"]  # what each pretraining rung is the start of


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A study that was run once while its larger pretraining rung was broken: folder, exit code, what was said."""
    folder = tmp_path_factory.mktemp("grid")
    (folder / "broken").touch()
    return folder, *end(start(folder))


def test_a_failing_cell_stops_only_what_reads_it(folder):
    folder, code, said = folder
    assert code == 70, said
    assert "failed: pretrain s0-p100k" in said and "ValueError: no such luck" in said
    assert "4 of 8 cells done" in said
    records = sorted(path.parent.name[:-9] for path in (folder / "runs" / "grid").glob("[pit]*/*/record.json"))
    assert records == sorted(f"s0-p0{rest}" for rest in RESTS)


def test_status_names_the_failure_and_its_log(folder):
    said = end(start(folder[0], "status"))[1]
    assert "failed: pretrain s0-p100k" in said and "ValueError: no such luck" in said
    assert "3 of the missing wait for a failed cell" in said
    log = next(line.split("log: ")[1] for line in said.splitlines() if "log: " in line)
    assert "no such luck" in Path(log).read_text()
    assert Path(log).with_name("executed.ipynb").exists()


def test_the_report_is_made_of_what_there_is(folder):
    page = (folder[0] / "report" / "grid" / "index.html").read_text()
    assert page.count("'failed'") == 1 and page.count("'missing'") == 3


def test_the_full_log_is_kept_and_progress_is_a_few_lines(folder):
    folder, _, said = folder
    assert "rule pretrain" in (folder / "runs" / "grid" / "snakemake.log").read_text()
    assert "0/8 cells" in said and len(said.splitlines()) < 25


def test_a_repeated_run_does_only_what_is_missing_and_then_nothing(folder):
    folder, _, _ = folder
    (folder / "broken").unlink()
    before = attempts(folder)
    code, said = end(start(folder))
    assert code == 0, said
    new = sorted(set(attempts(folder)) - set(before))
    assert new == sorted(["s0-p100k 02", *(f"s0-p100k{rest} 01" for rest in RESTS[1:])])
    spent = json.loads((folder / "runs" / "grid" / "run.json").read_text())
    assert spent["cells_run"] == 8 and spent["runs"] == 2
    # and a third run finds nothing to do
    began, log = time.time(), (folder / "runs" / "grid" / "snakemake.log").stat().st_mtime_ns
    code, said = end(start(folder))
    assert code == 0 and time.time() - began < 5
    assert len(attempts(folder)) == 9
    assert (folder / "runs" / "grid" / "snakemake.log").stat().st_mtime_ns == log


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_stopped_run_leaves_no_process_and_a_repeat_goes_on(tmp_path, number):
    if number == signal.SIGKILL and sys.platform != "linux":
        pytest.skip("only Linux tells a process of its parent's end")
    (tmp_path / "slow").touch()
    cold = {"XLT_COLD": "1"} if number == signal.SIGINT else {}
    run = start(tmp_path, **cold)
    wait(lambda: list((tmp_path / "runs" / "grid").glob("pretrain/*/attempts/01/executed.ipynb")), 40)
    second = start(tmp_path)
    assert end(second)[0] == 75  # one run of a study at a time
    os.kill(run.pid, number)
    code, said = end(run)
    assert code == (130 if number == signal.SIGINT else -9), said
    wait(lambda: not beneath(tmp_path), 15)
    assert not list((tmp_path / "runs" / "grid").glob("*/*/record.json"))
    if number == signal.SIGKILL:
        (tmp_path / "slow").unlink()
        code, said = end(start(tmp_path))
        assert code == 0 and "8 of 8 cells done" in said, said
