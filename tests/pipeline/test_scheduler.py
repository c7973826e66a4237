"""The engine: what is not learnt stops a study at its gate, a failing cell stops nothing but what reads it, a repeated
run does only what is missing, and a stopped one leaves no process behind. The real Snakemake over a grid of tiny
notebooks."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import tiny_grid
from processes import processes_of, wait
from small_study import load
from snakemake.common.configfile import load_configfile

from xlt_utils.errors import Fault
from xlt_utils.pipeline.engine import profiles, scheduler


def start(folder, command="first", **environment):
    return subprocess.Popen(
        [sys.executable, tiny_grid.__file__, str(folder), command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=tiny_grid.place(folder) | environment,
    )


def end(process, seconds=300):
    output = process.communicate(timeout=seconds)[0]
    return process.returncode, output


def attempts(folder):
    """The attempts that there were, by cell, the report's left out."""
    folders = sorted((folder / "runs" / "grid").glob("[pit]*/*/attempts/*"))
    return [f"{path.parents[1].name[:-9]} {path.name}" for path in folders]


def records(folder):
    return sorted(path.parent.name[:-9] for path in (folder / "runs" / "grid").glob("[pit]*/*/record.json"))


DOWNSTREAM = ["", "-2tasks", "-mnli-i512", "-mnli-i512-2tasks"]  # the cells of a pretraining rung, after its own name


@pytest.fixture(scope="module")
def gated(tmp_path_factory):
    """A study that was run while nothing was learnt in English: folder, exit code, output."""
    folder = tmp_path_factory.mktemp("grid")
    (folder / "hopeless").touch()
    return folder, *end(start(folder))


def test_what_is_not_learnt_stops_a_study_at_its_gate_with_a_table(gated):
    folder, code, output = gated
    assert code == 3 and records(folder) == [f"s0-p0{suffix}" for suffix in DOWNSTREAM[:3]], output
    table = [line.split("  ") for line in output.splitlines() if line.startswith(("gate:", "target ", "arm "))]
    assert [row[0] for row in table] == ["gate: seed 0, P = 0", "target sst", "target udpos", "arm mnli, mnli"]
    assert all(row[-1] == "no" for row in table[1:])
    assert "not learnt: sst with target.examples 1024, epochs 2, learning_rate 0.0005" in output
    assert "exit code 3" in output and "xlt run --no-gate" in output
    before = attempts(folder)
    code, again = end(start(folder, "only"))  # at once, from the records
    assert code == 3 and again.splitlines()[0] in output and "to run" not in again and attempts(folder) == before


@pytest.fixture(scope="module")
def folder(gated):
    """This study after it went on without the gate while its larger pretraining rung was broken: folder, exit code,
    output."""
    folder = gated[0]
    (folder / "broken").touch()
    return folder, *end(start(folder, "none"))


def test_a_failing_cell_stops_only_what_reads_it(folder):
    folder, code, output = folder
    assert code == 70, output
    assert "failed: pretrain s0-p100k" in output and "ValueError: no such luck" in output
    assert "4 of 8 cells done" in output
    assert records(folder) == [f"s0-p0{suffix}" for suffix in DOWNSTREAM]
    assert len(attempts(folder)) == 5  # what the gate had run counted as done


def test_status_names_the_failure_and_its_log(folder):
    output = end(start(folder[0], "status"))[1]
    assert "failed: pretrain s0-p100k" in output and "ValueError: no such luck" in output
    assert "3 of the missing wait for a failed cell" in output
    log = next(line.split("log: ")[1] for line in output.splitlines() if "log: " in line)
    assert "no such luck" in Path(log).read_text(encoding="utf-8")
    assert Path(log).with_name("executed.ipynb").exists()


def test_the_report_is_made_of_what_there_is(folder):
    page = (folder[0] / "report" / "grid" / "index.html").read_text(encoding="utf-8")
    assert page.count("'failed'") == 1 and page.count("'missing'") == 3


def test_the_full_log_is_kept_and_progress_is_a_few_lines(folder):
    folder, _, output = folder
    assert "rule pretrain" in (folder / "runs" / "grid" / "snakemake.log").read_text(encoding="utf-8")
    assert "3/8 cells" in output and len(output.splitlines()) < 25


def test_a_repeated_run_does_only_what_is_missing_and_then_nothing(folder):
    folder, _, _ = folder
    (folder / "broken").unlink()
    before = attempts(folder)
    code, output = end(start(folder, "none"))
    assert code == 0, output
    new = sorted(set(attempts(folder)) - set(before))
    assert new == sorted(["s0-p100k 02", *(f"s0-p100k{suffix} 01" for suffix in DOWNSTREAM[1:])])
    spent = json.loads((folder / "runs" / "grid" / "run.json").read_text(encoding="utf-8"))
    assert spent["cells_run"] == 8 and spent["runs"] == 3
    # and another run finds nothing to do, nor to stop at the gate: it starts neither Snakemake nor the warm server
    logs = {path: path.stat().st_mtime_ns for path in (folder / "runs" / "grid").glob("*.log")}
    code, output = end(start(folder))
    assert code == 0, output
    assert len(attempts(folder)) == 9
    assert {path.name for path in logs} == {"snakemake.log", "warm.log"}
    assert logs == {path: path.stat().st_mtime_ns for path in logs}


def test_a_cell_whose_weights_are_needed_and_gone_is_run_again_and_no_done_cell_between(folder):
    """The targets that are missing go on from both upstream phases, of which the later one still has its weights."""
    folder, _, _ = folder
    runs, before = folder / "runs" / "grid", attempts(folder)
    (encoder,) = runs.glob("pretrain/s0-p0-*/state/encoder")
    encoder.rmdir()
    for record in runs.glob("target/s0-p0-*/record.json"):
        record.unlink()
    code, output = end(start(folder, "none"))
    assert code == 0, output
    assert "1 cell of these trained again, because their weights are needed and gone: pretrain s0-p0" in output
    new = {name.rsplit(" ", 1)[0] for name in set(attempts(folder)) - set(before)}
    assert new == {"s0-p0", "s0-p0-2tasks", "s0-p0-mnli-i512-2tasks"}
    assert len(records(folder)) == 8 and encoder.exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_stopped_run_leaves_no_process_and_a_repeat_goes_on(tmp_path, number):
    if number == signal.SIGKILL and sys.platform != "linux":
        pytest.skip("only Linux tells a process of its parent's end")
    (tmp_path / "slow").touch()
    cold = {"XLT_COLD": "1"} if number == signal.SIGINT else {}
    run = start(tmp_path, **cold)
    wait(lambda: list((tmp_path / "runs" / "grid").glob("pretrain/*/attempts/01/executed.ipynb")))
    second = start(tmp_path)
    assert end(second)[0] == 75  # one run of a study at a time
    os.kill(run.pid, number)
    code, output = end(run)
    assert code == (130 if number == signal.SIGINT else -9), output
    wait(lambda: not processes_of(tmp_path / "runs", "XLT_RUNS"), 60)
    assert not list((tmp_path / "runs" / "grid").glob("*/*/record.json"))
    if number == signal.SIGKILL:
        (tmp_path / "slow").unlink()
        code, output = end(start(tmp_path))
        assert code == 0 and "8 of 8 cells done" in output, output
        passed = output.index("arm mnli, mnli")  # the table of the gate: its three cells ran first
        assert output.index("3/3 cells") < passed < output.index("3/8 cells")


def test_a_project_may_lie_in_any_folder(tmp_path):
    """Snakemake strips quotes from the ends of words on its command line, and the shells of a cluster split them."""
    cell_command = ["/a folder/python", "-I", '/über "alles"/prefork.py', "it's"]
    command = scheduler._snakemake_command(tmp_path, load(tmp_path), 1, profiles.read_profile("local"), cell_command)
    assert load_configfile(command[command.index("--configfile") + 1])["cell"] == cell_command


def test_a_profile_says_how_many_jobs_a_cluster_gets(tmp_path):
    assert profiles.read_profile("local").jobs is None  # the cores of this machine decide
    (tmp_path / "config.yaml").write_text("executor: cluster-generic\njobs: 7\n")
    profile = profiles.read_profile(str(tmp_path))
    assert (profile.jobs, profile.is_local, profile.is_slurm) == (7, False, False)
    command = scheduler._snakemake_command(tmp_path, load(tmp_path), 7, profile, ["x"])
    assert command[command.index("--jobs") + 1] == "7" and "--cores" not in command
    (tmp_path / "config.yaml").write_text("executor: cluster-generic\n")
    with pytest.raises(Fault, match="`jobs:` has to say"):
        profiles.read_profile(str(tmp_path))
    with pytest.raises(Fault, match=r"no such profile.*slurm"):
        profiles.read_profile("slrum")


@pytest.mark.parametrize("bad", ['"', "$", "`", "\\", "%", "\n"])
def test_a_path_that_slurms_plugin_breaks_is_refused_before_anything_is_submitted(tmp_path, monkeypatch, bad):
    pytest.importorskip(profiles.SLURM_PLUGIN)
    monkeypatch.setattr(profiles.paths, "RUNS", tmp_path / "it's a {folder}, é")
    assert profiles.read_profile("slurm").is_slurm
    monkeypatch.setattr(profiles.paths, "RUNS", tmp_path / f"a{bad}b")
    with pytest.raises(Fault) as fault:
        profiles.read_profile("slurm")
    assert "the path of XLT_RUNS" in str(fault.value) and f"has a {bad!r}" in str(fault.value)
    assert profiles.read_profile("local").is_local  # goes through no shell
    monkeypatch.setattr(profiles.paths, "RUNS", tmp_path)
    monkeypatch.setattr(sys, "executable", "/a folder/python")
    with pytest.raises(Fault, match=r"the path of Python, /a folder/python, has a ' '"):
        profiles.read_profile("slurm")
