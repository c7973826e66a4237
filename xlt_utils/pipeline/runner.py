"""The runner: one cell, one notebook, executed through papermill in a process group of its own. It keeps
notebook and log of every attempt, ends everything that it started, and believes nothing but the
record: papermill calls a notebook completed after its kernel was killed, and after `sys.exit(0)` in a cell."""

import datetime
import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from xlt_utils import paths
from xlt_utils.files import read_json, write_json
from xlt_utils.pipeline import prefork
from xlt_utils.records import parameters
from xlt_utils.records.record import is_done

# Exit codes: of sysexits.h where it has one, 124 as timeout(1), 128 + n for a signal
DONE, BAD_INPUT, RAISED, NO_RECORD, KERNEL_DIED, TIMEOUT = 0, 65, 70, 71, 72, 124
STATUS = {DONE: "done", TIMEOUT: "timeout", 129: "stopped", 130: "stopped", 143: "stopped"}  # any other: failed
MEANING = {
    NO_RECORD: "NoRecord: the notebook ended without writing its record",
    KERNEL_DIED: "KernelDied: the kernel crashed or was killed (out of memory?)",
}
GRACE = 5.0  # seconds that papermill has to save the notebook when it is asked to stop


class Stopped(BaseException):
    """A signal asked the runner to stop; `code` is 128 + its number."""

    def __init__(self, code: int):
        self.code = code


def run_cell(path: str | Path, kernel: str = "python3", limit: float | None = None) -> int:
    """Run the cell that a params.json describes, unless its record is there, and return the exit code.

    `limit` is wall-clock time in seconds. Raises parameters.BadParameters before any kernel starts.
    """
    if "XLT_ENGINE" in os.environ:  # not by hand, where a cell may outlive its shell
        prefork.end_with_parent(signal.SIGTERM)
    path = Path(path).absolute()
    given, folder = parameters.read_params(path), path.parent
    with open(folder / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # a second runner waits here, and then finds the record
        if is_done(folder, given["hash"]):
            print(f"{paths.relative(folder)}: done before")
            return DONE
        (folder / "record.json").unlink(missing_ok=True)  # of other code or data, or cut off
        return _attempt(folder, given, kernel, limit)


def is_running(folder: str | Path) -> bool:
    """Whether a runner is at work in a run folder."""
    try:
        with open(paths.resolve(folder) / ".lock") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        pass
    return False


def _attempt(folder: Path, given: dict[str, Any], kernel: str, limit: float | None) -> int:
    """One attempt: attempt.json says how it went, whatever its end, and nothing that it started lives on."""
    number = 1 + max((int(path.name) for path in (folder / "attempts").glob("[0-9]*")), default=0)
    attempt = folder / "attempts" / f"{number:02d}"
    attempt.mkdir(parents=True)
    began = time.time()
    state = {"started": stamp(began), "ended": None, "seconds": None, "status": "running", "exit": None}
    state |= {"error": None, "pid": os.getpid(), "host": os.uname().nodename}
    write_json(attempt / "attempt.json", state)
    with signals():
        code = _watch(folder, attempt, given, kernel, limit)
        if is_done(folder, given["hash"]):
            code = DONE
        error = None if code == DONE else _error(attempt, code, limit)
        seconds = round(time.time() - began, 2)
        if code == DONE:
            _forget(folder)
        state |= {"ended": stamp(time.time()), "seconds": seconds, "error": error}
        write_json(attempt / "attempt.json", state | {"status": STATUS.get(code, "failed"), "exit": code})
    if code != DONE:
        print(f"{given['cell']}: {error}\n  see {paths.relative(attempt)}/log.txt", file=sys.stderr)
    return code


def _forget(folder: Path) -> None:
    """Remove what only an unfinished run needs: the states that it would have gone on from."""
    for name in ("last", "best"):
        for state in folder.glob(f"state/**/{name}*"):
            shutil.rmtree(state, ignore_errors=True)


def _watch(folder: Path, attempt: Path, given: dict[str, Any], kernel: str, limit: float | None) -> int:
    """Start papermill in a session of its own and wait; after a signal or the time limit, end it."""
    environment = os.environ | surroundings(given["parameters"].get("threads", 1))
    environment |= {"XLT_FOLDER": str(folder), "XLT_RUNNER": str(os.getpid())}
    sockets = tempfile.mkdtemp(prefix="xlt-")  # short: the system allows a socket's path 107 bytes
    command = prefork.command(
        "xlt_utils.pipeline.runner:execute", str(folder / "params.json"), str(attempt), kernel, sockets
    )
    process, code = None, None
    try:
        with open(attempt / "log.txt", "wb") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=paths.ROOT,
                env=environment,
                start_new_session=True,
            )
        code = process.wait(limit)
    except subprocess.TimeoutExpired:
        _end(process)
        return TIMEOUT
    except Stopped as stop:
        _end(process)
        return stop.code
    finally:
        if code not in (DONE, RAISED):
            _sweep(folder)
        shutil.rmtree(sockets, ignore_errors=True)
    if code == DONE:
        return NO_RECORD  # unless there is one: the caller looks
    return KERNEL_DIED if code < 0 or code > 128 else code


def surroundings(threads: int) -> dict[str, str]:
    """The environment of a cell's processes: as many threads as the study says, sets in the same order always."""
    pools = ("OMP_NUM", "MKL_NUM", "OPENBLAS_NUM", "NUMEXPR_NUM", "RAYON_NUM", "VECLIB_MAXIMUM")
    return {f"{pool}_THREADS": str(threads) for pool in pools} | {
        "PYTHONHASHSEED": "0",
        "TOKENIZERS_PARALLELISM": "true" if threads > 1 else "false",
    }


def _end(process: subprocess.Popen | None) -> None:
    """Ask papermill's process group to stop, and kill it when it does not."""
    for number, patience in ((signal.SIGTERM, GRACE), (signal.SIGKILL, GRACE)):
        try:
            if process:
                os.killpg(process.pid, number)
                process.wait(patience)
            return
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue


def _sweep(folder: Path) -> None:
    """Kill what an attempt left behind: a kernel has a session of its own and outlives a killed papermill."""
    import psutil

    for process in psutil.process_iter():
        try:
            if process.environ().get("XLT_FOLDER") == str(folder) and process.pid != os.getpid():
                process.kill()
        except psutil.Error:
            continue


@contextmanager
def signals() -> Iterator[None]:
    """Within, the first SIGINT, SIGTERM or SIGHUP raises Stopped; what comes after it is passed over."""

    def stop(number: int, frame: Any) -> None:
        for one in before:
            signal.signal(one, signal.SIG_IGN)
        raise Stopped(128 + number)

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    for number in before:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number, action in before.items():
            signal.signal(number, action)


def stamp(seconds: float) -> str:
    """A time as records write it, in UTC."""
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _error(attempt: Path, code: int, limit: float | None) -> str:
    """What went wrong, in a line: what the exit code means, the error in the notebook, else the log's last line."""
    if STATUS.get(code) == "stopped":
        return f"Stopped: by {signal.Signals(code - 128).name}"
    if code == TIMEOUT:
        return f"Timeout: not done after {limit:g} seconds"
    raised = _raised(attempt / "executed.ipynb")
    if code in MEANING:
        return MEANING[code] + (f" ({raised})" if raised else "")
    said = (attempt / "log.txt").read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return raised or (said[-1][:500] if said else f"ended with exit code {code} and said nothing")


def _raised(notebook: Path) -> str:
    """The error that an executed notebook shows, `Name: message`, or nothing."""
    try:
        cells = read_json(notebook)["cells"]
    except (OSError, ValueError, KeyError):
        return ""
    outputs = [output for cell in cells for output in cell.get("outputs", []) if output["output_type"] == "error"]
    text = f"{outputs[0]['ename']}: {outputs[0]['evalue']}" if outputs else ""
    return " ".join(re.sub(r"\x1b\[[0-9;]*m", "", text).split())[:500]


def execute(arguments: list[str]) -> int:
    """The other side, in papermill's process: run the notebook of a params.json into an attempt's folder."""
    path, attempt, kernel, sockets = Path(arguments[0]), Path(arguments[1]), arguments[2], arguments[3]
    _end_with_runner()
    import papermill
    from jupyter_client.kernelspec import NoSuchKernel
    from nbclient.exceptions import DeadKernelError
    from traitlets.config import Config

    given = read_json(path)
    # sockets in a folder of our own: no ports open to others, none taken between two kernels' starts
    local = Config(KernelManager={"transport": "ipc", "connection_file": f"{sockets}/kernel.json"})
    try:
        papermill.execute_notebook(
            str(paths.resolve(given["notebook"])),
            str(attempt / "executed.ipynb"),
            given["parameters"],
            kernel_name=kernel,
            cwd=str(paths.ROOT),
            progress_bar=False,
            stdout_file=sys.stdout,
            stderr_file=sys.stdout,
            config=local,
        )
    except papermill.PapermillExecutionError as error:
        print(re.sub(r"\x1b\[[0-9;]*m", "", str(error)))
        return RAISED
    except DeadKernelError as error:
        print(f"DeadKernelError: {error}")
        return KERNEL_DIED
    except NoSuchKernel as error:
        print(f"NoSuchKernel: no kernel is called `{error.name}`; `jupyter kernelspec list` shows those there are")
        return BAD_INPUT
    return DONE


def _end_with_runner() -> None:
    """End this process and its children when the runner is gone, even by SIGKILL, which tells nobody.

    A warm process is no child of the runner; there the server sees to it (warm.py).
    """
    runner = int(os.environ["XLT_RUNNER"])
    if "XLT_WARM" in os.environ and os.getppid() != runner:
        return

    def watch() -> None:
        import psutil

        while os.getppid() == runner:
            time.sleep(0.3)
        for child in psutil.Process().children(recursive=True):
            child.kill()
        os._exit(143)

    threading.Thread(target=watch, daemon=True).start()
