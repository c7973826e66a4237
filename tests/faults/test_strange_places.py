"""A study runs wherever it lies, and where the engine itself cannot, it says why."""

import os
import resource
import subprocess
import sys
import time

import pytest
import tiny_grid

from xlt_utils.pipeline.engine import engine_log


def run(folder, command="first", memory=resource.RLIM_INFINITY, **environment):
    """Run the study with so many bytes of address space for each of its processes."""
    return subprocess.run(
        [sys.executable, tiny_grid.__file__, str(folder), command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=tiny_grid.place(folder) | environment,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (memory, memory)),
        timeout=300,
        check=False,
    )


def test_names_links_a_long_temporary_folder_and_a_lost_home_stop_nothing(tmp_path):
    """Accents, quotes, spaces and braces in the path; runs that lie behind a symbolic link; a path of 82 characters for
    temporary files, too long for a socket; a home that cannot be written."""
    folder = tmp_path / "josé, user's a{b}c"
    (tmp_path / "scratch disk").mkdir()
    folder.mkdir()
    (folder / "runs").symlink_to(tmp_path / "scratch disk")
    temporary = tmp_path / ("t" * max(1, 81 - len(str(tmp_path))))
    temporary.mkdir()
    result = run(folder, TMPDIR=str(temporary), HOME="/proc/nowhere")
    assert result.returncode == 0 and "8 of 8 cells done" in result.stdout, result.stdout
    assert (folder / "report" / "grid" / "index.html").exists()


def test_an_engine_that_cannot_start_says_why(tmp_path):
    """No cell runs, so no cell can say it."""
    (tmp_path / "runs" / "grid").mkdir(parents=True)
    (tmp_path / "runs" / "grid" / ".snakemake").write_text("a file where Snakemake keeps a folder")
    result = run(tmp_path)
    assert result.returncode != 0
    assert "the engine ended before a cell could say why: " in result.stdout, result.stdout
    assert ".snakemake" in result.stdout and "runs/grid/snakemake.log" in result.stdout


def test_the_first_error_of_a_log_is_found_with_what_follows_it():
    log = [
        "Building DAG of jobs...",
        "a/params.json: 1 fault; no kernel was started",
        "  out = 'b': must be",
        "RuleException:",
    ]
    assert engine_log.why_ended(log) == "a/params.json: 1 fault; no kernel was started out = 'b': must be"
    trace = ["Traceback (most recent call last):", "  File x", "FileNotFoundError: [Errno 2] No such file: '/home'"]
    assert engine_log.why_ended(trace) == "FileNotFoundError: [Errno 2] No such file: '/home'"
    assert engine_log.why_ended(["one", "two", "three", "four"]) == "two three four"


def test_a_clock_that_was_set_back_stops_nothing(tmp_path):
    """Files whose times lie ahead: half of a study was run before the clock was set right."""
    assert "3/3 cells" in run(tmp_path, "only").stdout
    ahead = time.time() + 86_400
    for path in (tmp_path / "runs").rglob("*"):
        os.utime(path, (ahead, ahead), follow_symlinks=False)
    result = run(tmp_path)
    assert result.returncode == 0 and "8 of 8 cells done" in result.stdout, result.stdout


@pytest.mark.parametrize("kilobytes", [1_000_000, 1_500_000], ids="{:,} kB".format)
def test_too_little_memory_ends_in_words(tmp_path, kilobytes):
    """As `ulimit -v` gives it. Which process it is that finds none is the machine's choice: all is done, or a cell or
    the engine says why not. Nothing waits for what has died."""
    result = run(tmp_path, "none", memory=1024 * kilobytes)
    if result.returncode == 0:
        assert "8 of 8 cells done" in result.stdout, result.stdout
    else:
        assert "failed: pretrain s0-p" in result.stdout or "the engine ended" in result.stdout, result.stdout
        assert "attempts/01/log.txt" in result.stdout or "snakemake.log" in result.stdout, result.stdout
