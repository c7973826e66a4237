"""What tests of running cells look at: attempts, processes, and conditions that come true after a while."""

import time

import psutil


def attempt(path, number=1):
    return path.parent / "attempts" / f"{number:02d}"


def of(folder):
    """The processes that belong to a run folder, kernels included."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("XLT_FOLDER") == str(folder) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


def wait(condition, seconds=20):
    until = time.time() + seconds
    while not condition() and time.time() < until:
        time.sleep(0.1)
    assert condition(), f"not within {seconds} seconds"
