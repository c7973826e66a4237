"""The runner: a cell is done when its record is there and never otherwise; however it ends, notebook, log and the
reason stay, and no kernel lives on. The real papermill and real kernels, several at a time."""

import json
import os
import signal
import subprocess
import sys

import pytest
from processes import attempt, has_begun, processes_of, wait
from tiny_notebooks import RECORD, write_params

CASES = {
    "good": ["print('seen', seed, rate, limit, names)", RECORD],
    "raises": ["print('before')", "raise ValueError('no such luck')", RECORD],
    "exits": ["import sys; sys.exit(0)", RECORD],
    "killed": ["import os, signal; os.kill(os.getpid(), signal.SIGKILL)", RECORD],
    "another": [RECORD.replace("rate=rate", "rate=rate, more=1")],
    "slow": ["import time; print('begun', flush=True); time.sleep(600)", RECORD],
}
CODES = {"good": 0, "raises": 70, "exits": 71, "killed": 72, "another": 71, "slow": 124}


def start(path, *options, **environment):
    command = [sys.executable, "-m", "xlt_utils.cli", "cell", *options, str(path)]
    environment = os.environ | environment
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)


def state(path, number=1):
    return json.loads((attempt(path, number) / "attempt.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def ended(tmp_path_factory):
    """Every case, run to its end: the path of its params.json, the command's output and exit code."""
    folder = tmp_path_factory.mktemp("cells")
    paths = {name: write_params(folder / name, *sources) for name, sources in CASES.items()}
    started = {name: start(path, *(["--limit", "9"] if name == "slow" else [])) for name, path in paths.items()}
    outputs = {name: process.communicate(timeout=180)[0] for name, process in started.items()}
    return {name: (paths[name], outputs[name], started[name].returncode) for name in CASES}


@pytest.mark.parametrize("name", CASES)
def test_every_end_has_its_exit_code_and_leaves_notebook_log_and_reason(ended, name):
    path, output, code = ended[name]
    assert code == CODES[name], output
    assert (path.parent / "record.json").exists() == (name in ("good", "another"))
    assert (attempt(path) / "log.txt").exists()
    assert (attempt(path) / "executed.ipynb").exists() or name == "slow"  # which may end before its kernel is there
    assert state(path)["exit"] == code
    assert state(path)["status"] == {0: "done", 124: "timeout"}.get(code, "failed")
    assert processes_of(path.parent) == []


def test_an_engine_that_tries_again_runs_what_was_killed_and_not_what_raised(tmp_path):
    """A cluster's engine submits every failed job again: the notebook would raise again, and a lost node would not."""
    raises = write_params(tmp_path / "raises", *CASES["raises"])
    killed = write_params(tmp_path / "killed", *CASES["killed"])
    for engine in ("1", "1", "2"):
        for run in [start(path, XLT_RUN=engine, SLURM_JOB_ID="7") for path in (raises, killed)]:
            run.communicate(timeout=180)
            assert run.returncode in (70, 72)
    assert [state(raises, number)["run"] for number in (1, 2)] == ["1", "2"]
    assert [state(killed, number)["run"] for number in (1, 2, 3)] == ["1", "1", "2"]
    assert not attempt(raises, 3).exists() and state(raises)["job"] == "7"


def test_the_parameters_reach_the_notebook_with_their_types(ended):
    path, _, _ = ended["good"]
    assert "seen 1 0.0001 None ['b', 'c']" in (attempt(path) / "log.txt").read_text(encoding="utf-8")


def test_the_reason_of_a_failure_is_named_in_one_line(ended):
    assert state(ended["raises"][0])["error"] == "ValueError: no such luck"
    assert "no such luck" in ended["raises"][1] and "log.txt" in ended["raises"][1]
    without_record = state(ended["exits"][0])["error"]
    assert without_record.startswith("NoRecord") and "SystemExit" in without_record
    assert state(ended["killed"][0])["error"].startswith("KernelDied")
    assert state(ended["slow"][0])["error"] == "Timeout: not done after 9 seconds"


def test_a_record_of_another_cell_is_no_success(ended):
    path, _, code = ended["another"]
    assert code == 71 and json.loads((path.parent / "record.json").read_text(encoding="utf-8"))["hash"] != "12345678"


def test_a_done_cell_is_not_run_again(ended):
    path, _, _ = ended["good"]
    before = (path.parent / "record.json").read_bytes()
    again = start(path)
    assert "done before" in again.communicate(timeout=180)[0] and again.returncode == 0
    assert not attempt(path, 2).exists() and (path.parent / "record.json").read_bytes() == before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_stopped_runner_leaves_no_kernel(tmp_path, number):
    path = write_params(tmp_path / "slow", *CASES["slow"])
    runner = start(path)
    wait(lambda: has_begun(path))
    assert len(processes_of(path.parent)) >= 2  # papermill and the kernel
    os.kill(runner.pid, number)
    runner.communicate(timeout=180)
    wait(lambda: processes_of(path.parent) == [], 20)
    if number != signal.SIGKILL:
        assert runner.returncode == 128 + number
        assert state(path)["status"] == "stopped"
        assert state(path)["error"] == f"Stopped: by {number.name}"


def test_two_runners_of_a_cell_run_it_once(tmp_path):
    path = write_params(tmp_path / "good", *CASES["good"])
    both = [start(path), start(path)]
    outputs = [process.communicate(timeout=180)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sum("done before" in output for output in outputs) == 1 and not attempt(path, 2).exists()


def test_an_unknown_kernel_is_bad_input(tmp_path):
    path = write_params(tmp_path / "good", *CASES["good"])
    runner = start(path, "--kernel", "no-such-kernel")
    assert "no kernel is called `no-such-kernel`" in runner.communicate(timeout=180)[0] and runner.returncode == 65


def test_a_long_path_to_temporary_files_stops_no_kernel(tmp_path):
    """A socket's path may have 107 bytes: what a cluster names by job, user and node is soon longer."""
    folder = tmp_path / ("long" * 25)
    folder.mkdir()
    runner = start(write_params(tmp_path / "good", *CASES["good"]), TMPDIR=str(folder))
    output = runner.communicate(timeout=180)[0]
    assert runner.returncode == 0, output
