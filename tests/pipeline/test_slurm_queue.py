"""What is read from Slurm's queue and from the logs of its jobs, with a `squeue` that says what a test wants."""

import os
import time

import pytest

from xlt_utils.errors import Fault
from xlt_utils.pipeline.cell import slurm
from xlt_utils.pipeline.engine import engine_log
from xlt_utils.pipeline.engine.status import status_text
from xlt_utils.study.cells import write_params

CELL = "target/s0-p0-2tasks-c1e489d5"


@pytest.fixture
def folder(tmp_path):
    """The run folder of a study that ran under Slurm, with a cell in it."""
    (tmp_path / "mine" / CELL).mkdir(parents=True)
    slurm.options(tmp_path / "mine")
    return tmp_path / "mine"


@pytest.fixture
def squeue(tmp_path, monkeypatch):
    """Makes `squeue` print a text, or fail."""

    def say(text, code=0):
        (tmp_path / "bin").mkdir(exist_ok=True)
        program = tmp_path / "bin" / "squeue"
        program.write_text(
            f"#!/bin/sh\necho x >> {tmp_path / 'asked'}\ncat <<'.' {'>&2' if code else ''}\n{text}\n.\nexit {code}\n"
        )
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")

    return say


def row(folder, number, state, cell=CELL, reason="None"):
    phase, name = cell.split("/")
    return f"{number}|{state}|{reason}|{slurm.job_name(folder)}_3c4f-11|rule_{phase}_wildcards_{name}"


def log_of(folder, number, text):
    phase, name = CELL.split("/")
    log = folder / slurm.LOGS / f"rule_{phase}" / name / f"{number}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text(text)
    return log


def test_jobs_are_found_by_the_name_of_their_study(folder, squeue, tmp_path):
    rows = [row(folder, 7, "PENDING", reason="Priority"), row(folder, 8, "COMPLETING", "pretrain/a-1")]
    squeue("\n".join([*rows, row(tmp_path / "other", 9, "RUNNING", "pretrain/b-1"), "10|RUNNING|None|bash|"]))
    queue = slurm.Queue(folder)
    queue.require()
    assert queue.jobs == {CELL: slurm.Job("7", "queued", "Priority"), "pretrain/a-1": slurm.Job("8", "running", "None")}
    assert queue.reasons() == "1 Priority"


def test_a_study_that_never_ran_under_slurm_asks_nothing(tmp_path, squeue):
    squeue("", 1)
    slurm.Queue(tmp_path / "local").require()
    assert not (tmp_path / "asked").exists()


def test_nothing_is_submitted_while_slurm_does_not_answer(folder, squeue):
    squeue("slurm_load_jobs error: Unable to contact slurm controller", 1)
    with pytest.raises(Fault, match="Unable to contact slurm controller"):
        slurm.Queue(folder).require()


def test_a_job_is_dead_only_when_it_is_over_and_no_runner_began(folder, squeue):
    log = log_of(folder, 7, "SNAKEMAKE\nslurm_script: 4: Syntax error: word unexpected\nlast line\n")
    squeue(row(folder, 7, "RUNNING"))
    assert slurm.Queue(folder).death(CELL) is None
    squeue("slurm_load_jobs error: no controller", 1)
    assert slurm.Queue(folder).death(CELL) is None  # who knows
    squeue("")
    queue = slurm.Queue(folder)
    assert queue.death(CELL) == (log, "slurm_script: 4: Syntax error: word unexpected")
    assert queue.death(CELL, since=time.time() + 9) is None  # a later attempt was made without Slurm
    (folder / CELL / slurm.STARTED).write_text("7")
    assert queue.death(CELL) is None


def test_a_job_that_began_after_the_last_answer_is_not_taken_for_dead(folder, squeue):
    squeue("")
    queue = slurm.Queue(folder)
    queue.refresh()
    log_of(folder, 7, "")
    squeue(row(folder, 7, "RUNNING"))
    assert queue.death(CELL) is None


def test_an_engine_whose_jobs_slurm_has_forgotten_is_lost(folder, squeue, monkeypatch):
    log = folder / "snakemake.log"
    log.write_text("of an earlier run: sbatch failed. The error message was 'old'.\n")
    queue = slurm.Queue(folder)
    watch = engine_log.ClusterWatch(log, queue)
    watch.looked -= 60
    assert watch.look() == "" and not watch.is_lost()
    with open(log, "a") as file:
        file.write("  message: SLURM sbatch failed. The error message was 'sbatch: error: x\nsbatch: error: y'.\n")
    assert watch.look() == "sbatch: error: x sbatch: error: y"
    watch.active -= 1000
    queue.jobs = {CELL: slurm.Job("7", "running", "None")}
    assert not watch.is_lost()
    queue.jobs = {}
    watch.active -= 1000
    assert watch.is_lost()


def test_an_engine_that_asked_in_vain_is_lost_once_slurm_answers(folder, squeue):
    """The plugin drops its jobs where a question to Slurm fails, and says that it turned to sacct, if anything."""
    log = folder / "snakemake.log"
    log.touch()
    watch = engine_log.ClusterWatch(log, slurm.Queue(folder))
    squeue(row(folder, 7, "RUNNING"))
    assert not watch.is_lost()
    with open(log, "a") as file:
        file.write("Falling back to 'sacct' for status queries (MinJobAge=None; threshold=90s).\n")
    watch.looked -= 60
    squeue("slurm_load_jobs error: Unable to contact slurm controller", 1)
    assert watch.look() == "" and not watch.is_lost()
    watch.queue.asked -= 60
    squeue(row(folder, 7, "RUNNING"))
    assert watch.is_lost()


def test_status_counts_what_is_queued_and_says_why(tmp_path, squeue, monkeypatch):
    from small_study import grid

    from xlt_utils import paths

    monkeypatch.setattr(paths, "RUNS", tmp_path / "runs")
    everything = grid(tmp_path)
    folder = tmp_path / "runs" / "demo"
    for cell in everything:
        write_params(cell)
    slurm.options(folder)
    names = [f"{cell.phase}/{cell.name}" for cell in everything[:3]]
    squeue("\n".join(row(folder, 7 + place, "PENDING", name, "Resources") for place, name in enumerate(names)))
    text = status_text("demo", everything)
    assert text.splitlines()[0].split() == ["demo", "done", "queued", "missing", "cells"]
    assert "queued, as Slurm says: 3 Resources" in text
