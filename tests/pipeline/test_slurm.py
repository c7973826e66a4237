"""A study on a Slurm cluster: the same records as on one machine, whatever happens to its jobs and to the terminal, and
no cell in two jobs at a time; what dies before a cell's runner begins is said at once. The real Slurm and Snakemake's
plugin for it on one machine, over the grid of tiny notebooks."""

import collections
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest
import slurm_cluster
import tiny_grid
from processes import wait

from xlt_utils.pipeline import slurm

pytest.importorskip(
    "snakemake_executor_plugin_slurm", reason="no snakemake-executor-plugin-slurm: pip install '.[slurm]'"
)
if missing := slurm_cluster.missing_daemon():
    pytest.skip(slurm_cluster.MISSING.format(missing), allow_module_level=True)
pytestmark = pytest.mark.systems
PROFILE = Path(__file__).parents[2] / "workflow" / "profiles" / "slurm" / "config.yaml"
TIMES = {"started", "seconds", "sha256"}  # of a record: what differs between any two runs; the sha256 covers the others
QUICK = {"status-checks: 30": "status-checks: 2", "latency-wait: 60": "latency-wait: 5", "mem_mb: 16000": "mem_mb: 500"}


@pytest.fixture(scope="module")
def cluster():
    with tempfile.TemporaryDirectory(prefix="slurm-") as folder, slurm_cluster.Cluster(Path(folder)) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder whose name no shell reads as one word."""
    folder = tmp_path_factory.mktemp("grid") / "it's a folder"
    folder.mkdir()
    return folder


def profile(folder, **changes):
    """The profile as a site would copy it, in a folder; quicker, for jobs here take seconds."""
    text = PROFILE.read_text(encoding="utf-8")
    for old, new in [*QUICK.items(), *changes.items()]:
        assert old in text
        text = text.replace(old, new)
    (folder / "site").mkdir(exist_ok=True)
    (folder / "site" / "config.yaml").write_text(text)
    return str(folder / "site")


def start(folder, cluster, *words, runs="runs", **environment):
    """Start the tiny grid, by default on the cluster."""
    environment = tiny_grid.place(folder) | cluster.environment | {"XLT_RUNS": str(folder / runs)} | environment
    command = [sys.executable, tiny_grid.__file__, str(folder), *(words or ("none", str(folder / "site")))]
    with tempfile.NamedTemporaryFile("wb", dir=folder, suffix=".txt", delete=False) as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, env=environment)
    process.output = Path(file.name)
    return process


def printed(process):
    """What a process has printed so far."""
    return process.output.read_text(encoding="utf-8")


def end(process, seconds=300):
    process.wait(seconds)
    return process.returncode, printed(process)


def attempts(folder, start):
    """The attempts at the pretraining cell whose name begins so."""
    files = sorted(folder.glob(f"runs/grid/pretrain/{start}-????????/attempts/*/attempt.json"))
    return [json.loads(file.read_text(encoding="utf-8")) for file in files]


def has_begun(folder, start, number):
    return len(attempts(folder, start)) == number and list(
        folder.glob(f"runs/grid/pretrain/{start}-????????/attempts/{number:02d}/executed.ipynb")
    )


def jobs(cluster, folder):
    """The live jobs of the grid in a folder, numbers by the cell's name without its hash."""
    rows = [line.split("|") for line in cluster.slurm("squeue", "--noheader", "--format=%i|%j|%k").splitlines()]
    numbers = collections.defaultdict(list)
    for number, name, comment in (row for row in rows if len(row) == 3):
        if name.startswith(slurm.job_name(folder / "runs" / "grid")):
            numbers[comment.split("_wildcards_")[-1][:-9]].append(number)
    return numbers


def records(runs):
    """The records of all cells but the report's, without times and where they lie."""
    read = {}
    for file in sorted(runs.glob("grid/[pit]*/*/record.json")):
        record = json.loads(file.read_text(encoding="utf-8").replace(str(runs), "RUNS"))
        assert set(record) >= TIMES
        read[file.parent.name] = {name: value for name, value in record.items() if name not in TIMES}
    return read


class Witness(threading.Thread):
    """Asks the queue all the time, and keeps the most jobs that a cell had at once."""

    def __init__(self, cluster, folder):
        super().__init__(daemon=True)
        self.cluster, self.folder = cluster, folder
        self.most, self.is_over = collections.Counter(), threading.Event()

    def run(self):
        while not self.is_over.wait(0.4):
            live = jobs(self.cluster, self.folder)
            self.most |= collections.Counter({cell: len(numbers) for cell, numbers in live.items()})


def jobs_that_die(cluster, folder):
    """A study none of whose jobs gets as far as the runner, while Snakemake does not look: what `xlt run` and then
    `xlt status` say, and how many seconds after the death."""
    profile(folder, **{"status-checks: 2": "status-checks: 200"})
    (folder / "bin").mkdir()
    broken = folder / "bin" / "srun"
    broken.write_text("#!/bin/sh\necho 'srun: error: no such luck' >&2\nexit 1\n")
    broken.chmod(0o755)
    run = start(folder, cluster, PATH=f"{folder / 'bin'}:{cluster.environment['PATH']}")
    wait(lambda: "JobDied" in printed(run))
    logs = (folder / "runs" / "grid" / "slurm_logs").rglob("*.log")
    seconds = time.time() - max(log.stat().st_mtime for log in logs)
    run.send_signal(signal.SIGINT)
    return end(run)[1], end(start(folder, cluster, "status"))[1], seconds


@pytest.fixture(scope="module")
def survived(cluster, place, tmp_path_factory):
    """A study whose terminal was closed, and whose jobs were killed, cancelled and out of time: its folder, the output
    of the second `xlt run`, and the witness; and what `jobs_that_die` saw, while Slurm took its time."""
    profile(place)
    (place / "slow").touch()
    witness = Witness(cluster, place)
    witness.start()
    closed = start(place, cluster)
    wait(lambda: has_begun(place, "s0-p0", 1) and has_begun(place, "s0-p100k", 1))
    closed.kill()
    end(closed)
    left = jobs(cluster, place)
    assert sorted(left) == ["s0-p0", "s0-p100k"], "a closed terminal took its jobs with it"
    repeated = start(place, cluster)
    wait(lambda: "2 jobs of an earlier run" in printed(repeated))
    status = end(start(place, cluster, "status"))[1]
    assert "running: pretrain s0-p0" in status, status
    os.kill(attempts(place, "s0-p0")[0]["pid"], signal.SIGKILL)
    now = time.strftime("%Y-%m-%dT%H:%M:%S")
    cluster.slurm("scontrol", "update", f"JobId={left['s0-p100k'][0]}", f"EndTime={now}")
    here = start(place, cluster, "none", "local", runs="runs-here")  # it waits for the same file
    deaths = jobs_that_die(cluster, tmp_path_factory.mktemp("deaths"))
    wait(lambda: has_begun(place, "s0-p0", 2) and has_begun(place, "s0-p100k", 2))
    cluster.slurm("scancel", *jobs(cluster, place)["s0-p0"])
    wait(lambda: attempts(place, "s0-p0")[1]["status"] == "stopped")
    (place / "slow").unlink()
    code, output = end(repeated)
    witness.is_over.set()
    witness.join()
    assert code == 0, output
    assert end(here)[0] == 0, printed(here)
    return place, output, witness, deaths


@pytest.mark.slow
def test_a_study_outlives_its_terminal_and_the_death_of_its_jobs(survived):
    folder, output, *_ = survived
    assert "8 of 8 cells done" in output
    killed, cancelled, last = attempts(folder, "s0-p0")
    assert (killed["status"], cancelled["status"], last["status"]) == ("running", "stopped", "done")
    assert [attempt["status"] for attempt in attempts(folder, "s0-p100k")] == ["stopped", "done"]  # time limit
    assert "Stopped: by SIGTERM" in attempts(folder, "s0-p100k")[0]["error"]


@pytest.mark.slow
def test_no_cell_is_in_two_jobs_at_a_time(survived):
    most = survived[2].most
    assert len(most) == 8 and set(most.values()) == {1}, most


@pytest.mark.slow
def test_the_records_are_those_of_one_machine_bit_for_bit(survived):
    folder = survived[0]
    there, here = records(folder / "runs"), records(folder / "runs-here")
    assert len(here) == 8 and there == here


@pytest.mark.slow
def test_a_job_that_dies_before_its_runner_is_said_within_a_minute_with_its_log(survived):
    output, status, seconds = survived[3]
    assert seconds < 60
    assert "JobDied: before the runner began: srun: error: no such luck" in output, output
    log = next(line.split("log: ")[1] for line in output.splitlines() if "slurm_logs" in line)
    assert "no such luck" in Path(log).read_text(encoding="utf-8")
    assert "failed: pretrain s0-p0" in status and "no such luck" in status and log in status, status


@pytest.mark.slow
def test_ctrl_c_cancels_the_jobs(cluster, tmp_path):
    profile(tmp_path)
    (tmp_path / "slow").touch()
    run = start(tmp_path, cluster)
    wait(lambda: len(jobs(cluster, tmp_path)) == 2)
    run.send_signal(signal.SIGINT)
    code, output = end(run)
    assert code == 130 and "2 jobs of the cluster cancelled" in output, output
    wait(lambda: not jobs(cluster, tmp_path))


@pytest.mark.slow
def test_what_slurm_refuses_is_said(cluster, tmp_path):
    profile(tmp_path, **{"retries: 2": "retries: 0", "# slurm_partition: gpu": "slurm_partition: nowhere"})
    code, output = end(start(tmp_path, cluster))
    assert code == 70 and "Slurm took no job" in output and "invalid partition" in output, output
