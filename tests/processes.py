"""What tests of running cells look at: attempts, processes, and conditions that come true after a while."""

import time

import psutil


def attempt(path, number=1):
    """The folder of an attempt at the cell of a params.json."""
    return path.parent / "attempts" / f"{number:02d}"


def has_begun(path):
    """Whether the notebook of a params.json has printed `begun` in its first attempt."""
    log = attempt(path) / "log.txt"
    return log.exists() and "begun" in log.read_text(encoding="utf-8")


def processes_of(folder, variable="XLT_FOLDER"):
    """The live processes of a folder, kernels included: those that have it in this variable of their environment."""
    live = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(variable) == str(folder) and process.status() != psutil.STATUS_ZOMBIE:
                live.append(process)
        except psutil.Error:
            continue
    return live


def wait(condition, seconds=180, pause=0.1):
    """Wait until a condition holds, which is looked at after each pause; the limit only ends a test that fails, however
    slow the machine."""
    deadline = time.time() + seconds
    while not condition() and time.time() < deadline:
        time.sleep(pause)
    assert condition(), f"not within {seconds} seconds"
