"""A study on a Slurm cluster: the same records as on one machine, whatever happens to its jobs, its controller and its
terminal, and no job submitted twice; what dies before a cell's runner begins is said at once. The real Slurm and
Snakemake's plugin for it on one machine. What has to survive is real training, params/tiny.yaml with one size a phase;
the rest is tried beside it on the grid of tiny notebooks, for both mostly wait."""

import concurrent.futures
import contextlib
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest
import slurm_cluster
import slurm_study
import tiny_grid
from processes import wait

from xlt_utils.pipeline.cell import slurm

pytestmark = [
    pytest.mark.slurm,
    pytest.mark.skipif(
        importlib.util.find_spec("snakemake_executor_plugin_slurm") is None,
        reason="no snakemake-executor-plugin-slurm: pip install '.[slurm]'",
    ),
    pytest.mark.skipif(
        slurm_cluster.missing_daemon() is not None, reason=slurm_cluster.MISSING.format(slurm_cluster.missing_daemon())
    ),
]
PROFILE = Path(__file__).parents[2] / "workflow" / "profiles" / "slurm" / "config.yaml"
TIMES = {"started", "seconds", "sha256"}  # of a record: what differs between any two runs; the sha256 covers the others
QUICK = {"status-checks: 30": "status-checks: 4", "latency-wait: 60": "latency-wait: 5", "mem_mb: 16000": "mem_mb: 500"}
# Snakemake's plugin asks Slurm after 4 seconds, then 14, 24 and so on: here every two, for cells take 20.
OFTEN = """import sys
if "snakemake" in sys.orig_argv:
    from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor
    RemoteExecutor.next_seconds_between_status_checks = property(lambda self: 2, lambda self, seconds: None)
"""
LONGEST = 500  # seconds that only a failing test takes: more than `xlt run` waits for jobs that Slurm has forgotten


class Scene:
    """A study in a folder of its own, and the commands that are called on it; those that still run end with it.

    Args:
        cluster: where its jobs run.
        folder: an empty folder.
        study: a study file; None for the grid of tiny notebooks.
        changes: of the profile.
    """

    def __init__(self, cluster, folder, study=None, **changes):
        self.cluster, self.folder, self.study, self.started = cluster, folder, study, []
        text = PROFILE.read_text(encoding="utf-8")
        for old, new in [*QUICK.items(), *changes.items()]:
            assert old in text
            text = text.replace(old, new)
        (folder / "site").mkdir()
        (folder / "site" / "config.yaml").write_text(text)
        (folder / "site" / "sitecustomize.py").write_text(OFTEN)
        self.name = "tiny" if study else "grid"

    def command(self, *words, runs="runs", **environment):
        """A command line of the study, by default to run it on the cluster, and its environment."""
        place = (slurm_study if self.study else tiny_grid).place(self.folder) | self.cluster.environment
        place |= {"XLT_RUNS": str(self.folder / runs)} | environment
        if self.study:
            place["PYTHONPATH"] = str(self.folder / "site")
            verb, *options = words or ("run", "--profile", str(self.folder / "site"))
            return [slurm_study.XLT, verb, self.study, *options], place
        words = words or ("none", str(self.folder / "site"))
        return [sys.executable, tiny_grid.__file__, str(self.folder), *words], place

    def start(self, *words, **environment):
        command, place = self.command(*words, **environment)
        with tempfile.NamedTemporaryFile("wb", dir=self.folder, suffix=".txt", delete=False) as file:
            process = subprocess.Popen(command, stdout=file, stderr=file, env=place)
        process.output = Path(file.name)
        self.started.append(process)
        return process

    def __enter__(self):
        return self

    def __exit__(self, *error):
        for process in self.started:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            process.wait()

    def cell(self, start):
        """The run folder of the cell whose phase and name begin so; None before it is made."""
        return next(self.folder.glob(f"runs/{self.name}/{start}-????????"), None)

    def attempts(self, start):
        files = sorted(self.folder.glob(f"runs/{self.name}/{start}-????????/attempts/*/attempt.json"))
        return [json.loads(file.read_text(encoding="utf-8")) for file in files]

    def has_begun(self, start, number):
        """Whether the notebook of the attempt of this number is being executed."""
        return (
            len(self.attempts(start)) == number
            and (self.cell(start) / "attempts" / f"{number:02d}" / "executed.ipynb").exists()
        )

    @property
    def job_name(self):
        return slurm.job_name(self.folder / "runs" / self.name)

    def jobs(self):
        """The numbers of the study's live jobs, by the cell's name without its hash."""
        rows = self.cluster.slurm("squeue", "--noheader", "--format=%i|%j|%k").splitlines()
        rows = [row.split("|") for row in rows if row.count("|") == 2]
        return {row[2].split("_wildcards_")[-1][:-9]: row[0] for row in rows if row[1].startswith(self.job_name)}


def printed(process):
    """What a process has printed so far."""
    return process.output.read_text(encoding="utf-8")


def end(process):
    process.wait(LONGEST)
    return process.returncode, printed(process)


def wait_for(condition):
    wait(condition, LONGEST, pause=0.5)  # many ask Slurm


def records(runs):
    """The records of all cells but the report's, without times and where they lie."""
    read = {}
    for file in sorted(runs.glob("tiny/[pit]*/*/record.json")):
        record = json.loads(file.read_text(encoding="utf-8").replace(str(runs), "RUNS"))
        assert set(record) >= TIMES
        read[file.parent.name] = {name: value for name, value in record.items() if name not in TIMES}
    return read


PRETRAIN, MIDDLE, TARGET = "pretrain/s0-p30k", "intermediate/s0-p30k-mnli-i64", "target/s0-p30k-2tasks"


def survive(cluster, folder, world, others):
    """Real training whose terminal is closed, whose jobs are killed, cancelled and out of time, and whose controller is
    killed. The `others` begin while it waits for the job and its time limit, which Slurm looks at twice a minute."""
    folder = folder / "it's a {folder}"  # a name that no shell reads as one word
    with Scene(cluster, folder, slurm_study.write(folder, world)) as scene:
        hold = folder / "hold"
        hold.mkdir()
        for phase in ("pretrain", "intermediate", "target"):
            (hold / phase).touch()
        terminal = slurm_study.Terminal(*scene.command(**{slurm_study.HOLD: str(hold)}))
        steps = lambda: (scene.cell(PRETRAIN) / "steps.txt").read_text().splitlines()  # noqa: E731
        wait_for(lambda: scene.has_begun(PRETRAIN, 1) and (scene.cell(PRETRAIN) / "steps.txt").exists())
        wait_for(lambda: len(steps()) == slurm_study.HELD_AT + 1)  # the first batch twice
        left = scene.jobs()
        code = terminal.close()
        seen = {"code after closing": code, "jobs before": left, "jobs after": scene.jobs()}
        seen["status"] = end(scene.start("status"))[1]
        others.set()
        (folder / "runs-here" / "tiny").mkdir(parents=True)
        shutil.copy(folder / "runs" / "tiny" / "plan.json", folder / "runs-here" / "tiny")  # measured once
        here = scene.start("run", "--jobs", "100", runs="runs-here")
        again = scene.start(**{slurm_study.HOLD: str(hold)})
        wait_for(lambda: "waiting for 1 job of an earlier run" in printed(again))
        now = time.strftime("%Y-%m-%dT%H:%M:%S")
        cluster.slurm("scontrol", "update", f"JobId={left['s0-p30k']}", f"EndTime={now}")
        wait_for(lambda: scene.attempts(PRETRAIN)[0]["status"] == "stopped")
        seen["checkpoint"] = json.loads((scene.cell(PRETRAIN) / "state" / "last" / "facts.json").read_text())["step"]
        (hold / "pretrain").unlink()
        wait_for(lambda: scene.has_begun(MIDDLE, 1) and scene.has_begun(TARGET, 1))
        os.kill(scene.attempts(TARGET)[0]["pid"], signal.SIGKILL)
        cluster.slurm("scancel", scene.jobs()["s0-p30k-mnli-i64"])
        wait_for(lambda: scene.has_begun(MIDDLE, 2) and scene.has_begun(TARGET, 2))
        with cluster.without_controller():  # jobs end meanwhile, and cannot say so
            (hold / "intermediate").unlink()
            (hold / "target").unlink()
            wait_for(lambda: any(scene.attempts(start)[-1]["status"] == "done" for start in (MIDDLE, TARGET)))
            seen["back"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        seen["code"], seen["output"] = end(again)
        seen["steps"] = steps()
        assert end(here)[0] == 0, printed(here)
        return scene, seen


def die_early(cluster, folder, world, others):
    """A study whose first job does not get as far as the runner, while Snakemake does not look, and whose second is
    then cancelled by Ctrl-C: what `xlt run` and then `xlt status` say, and how many seconds after the death."""
    others.wait()
    with Scene(cluster, folder, **{"status-checks: 4": "status-checks: 200"}) as scene:
        (folder / "bin").mkdir()
        broken = folder / "bin" / "srun"
        second = f"mkdir {folder}/first 2>/dev/null || exec sleep {LONGEST}"
        broken.write_text(f"#!/bin/sh\n{second}\necho 'srun: error: no such luck' >&2\nexit 1\n")
        broken.chmod(0o755)
        run = scene.start(PATH=f"{folder / 'bin'}:{cluster.environment['PATH']}")
        wait_for(lambda: "JobDied" in printed(run))
        said = time.time()
        logs = (folder / "runs" / "grid" / "slurm_logs").rglob("*.log")
        died = next(log.stat().st_mtime for log in logs if "no such luck" in log.read_text(encoding="utf-8"))
        live = scene.jobs()
        run.send_signal(signal.SIGINT)
        seen = *end(run), end(scene.start("status"))[1], said - died, live
        wait_for(lambda: not scene.jobs())
        return seen


def interrupt(cluster, folder, world, others):
    """Jobs that wait in the queue: their `xlt run` is killed; the next one waits for them, and is interrupted. Which
    jobs there were after the one and the other, and how the latter ended."""
    others.wait()
    changes = {"# slurm_extra: \"'--mail-type=NONE'\"": "slurm_extra: \"'--begin=now+1hour'\""}
    with Scene(cluster, folder, **changes) as scene:
        killed = scene.start()
        wait_for(lambda: len(scene.jobs()) == 2)
        before = scene.jobs()
        killed.kill()
        killed.wait()
        waiting = scene.start()
        wait_for(lambda: "waiting for 2 jobs of an earlier run" in printed(waiting))
        left = scene.jobs()
        waiting.send_signal(signal.SIGINT)
        seen = before, left, *end(waiting)
        wait_for(lambda: not scene.jobs())
        return seen


def be_refused(cluster, folder, world, others):
    """A study on a partition that there is not: exit code and output."""
    others.wait()
    changes = {"retries: 2": "retries: 0", "# slurm_partition: gpu": "slurm_partition: nowhere"}
    with Scene(cluster, folder, **changes) as scene:
        return end(scene.start())


@pytest.fixture(scope="module")
def results(world, tmp_path_factory):
    """What came of each scene, by its name: all at once on one cluster."""
    others = threading.Event()
    with (
        tempfile.TemporaryDirectory(prefix="slurm-") as folder,
        slurm_cluster.Cluster(Path(folder)) as cluster,
        concurrent.futures.ThreadPoolExecutor() as pool,
    ):
        scenes = [survive, die_early, interrupt, be_refused]
        futures = [
            pool.submit(scene, cluster, tmp_path_factory.mktemp(scene.__name__), world, others) for scene in scenes
        ]
        futures[0].add_done_callback(lambda _: others.set())  # if it fails, the others still begin
        concurrent.futures.wait(futures)
        ended = cluster.ended("xlt-")
    return dict(zip((scene.__name__ for scene in scenes), futures, strict=True)) | {"ended": ended}


@pytest.fixture(scope="module")
def survived(results):
    scene, seen = results["survive"].result()
    assert seen["code"] == 0 and "4 of 4 cells done" in seen["output"], seen["output"]
    return scene, seen


def test_a_closed_terminal_leaves_its_job_and_a_repeat_finds_it(survived):
    _, seen = survived
    assert seen["code after closing"] == 128 + signal.SIGHUP
    assert list(seen["jobs before"]) == ["s0-p30k"] and seen["jobs after"] == seen["jobs before"]
    assert "running: pretrain s0-p30k" in seen["status"], seen["status"]


def test_jobs_that_are_killed_cancelled_or_out_of_time_are_made_up_for(survived):
    scene, _ = survived
    states = {start: [attempt["status"] for attempt in scene.attempts(start)] for start in (PRETRAIN, MIDDLE, TARGET)}
    assert states == {PRETRAIN: ["stopped", "done"], MIDDLE: ["stopped", "done"], TARGET: ["running", "done"]}
    assert "Stopped: by SIGTERM" in scene.attempts(PRETRAIN)[0]["error"]  # its time was over


def test_a_job_that_is_out_of_time_goes_on_from_its_checkpoint(survived):
    scene, seen = survived
    (first, last) = (attempt["job"] for attempt in scene.attempts(PRETRAIN))
    by_job = {job: [int(line.split()[1]) for line in seen["steps"] if line.split()[0] == job] for job in (first, last)}
    assert 0 < seen["checkpoint"] <= slurm_study.HELD_AT
    assert by_job[first] == [0, *range(slurm_study.HELD_AT)]  # the first batch is asked for to know the run by
    assert by_job[last] == [0, *range(seen["checkpoint"], 30_000 // (32 * 16))]


def test_a_killed_controller_stops_nothing(survived):
    """A cell at least ended while it was dead. Whether Snakemake asked meanwhile, and so lost their jobs, is chance."""
    scene, seen = survived
    ended = [scene.attempts(start)[1]["ended"] for start in (MIDDLE, TARGET)]
    assert min(ended) <= seen["back"] and len(scene.attempts("target/s0-p30k-mnli-i64-2tasks")) == 1


def test_no_job_is_submitted_twice(survived, results):
    """Every job of the study made one attempt, and every attempt was a job's: seven for four cells, of which three were
    lost. Slurm's own list says it, which a killed controller goes on with."""
    scene, _ = survived
    made = sorted(
        attempt["job"] for phase in ("pretrain", "intermediate", "target") for attempt in scene.attempts(f"{phase}/*")
    )
    ended = [row for row in results["ended"] if row["Name"].startswith(scene.job_name)]
    assert len(made) == 7 and sorted(row["JobId"] for row in ended) == made, ended
    assert sorted(row["JobState"] for row in ended) == ["CANCELLED", *4 * ["COMPLETED"], "FAILED", "TIMEOUT"]


def test_the_records_are_those_of_one_machine_bit_for_bit(survived):
    scene, _ = survived
    there, here = records(scene.folder / "runs"), records(scene.folder / "runs-here")
    assert len(here) == 4 and there == here


def test_a_job_that_dies_before_its_runner_is_said_within_a_minute_with_its_log(results):
    _, output, status, seconds, _ = results["die_early"].result()
    assert seconds < 60
    assert "JobDied: before the runner began: srun: error: no such luck" in output, output
    log = next(line.split("log: ")[1] for line in output.splitlines() if "slurm_logs" in line)
    assert "no such luck" in Path(log).read_text(encoding="utf-8")
    assert "failed: pretrain s0-p" in status and "no such luck" in status and log in status, status


def test_ctrl_c_cancels_the_jobs(results):
    code, output, _, _, live = results["die_early"].result()
    assert len(live) == 1 and code == 130 and "1 job of the cluster cancelled" in output, output


def test_a_killed_run_leaves_its_jobs_and_ctrl_c_while_a_repeat_waits_cancels_them(results):
    before, left, code, output = results["interrupt"].result()
    assert sorted(left) == ["s0-p0", "s0-p100k"] and left == before
    assert code == 130 and "2 jobs of the cluster cancelled" in output, output


def test_what_slurm_refuses_is_said(results):
    code, output = results["be_refused"].result()
    assert code == 70 and "Slurm took no job" in output and "invalid partition" in output, output
