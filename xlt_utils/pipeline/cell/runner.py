"""The runner of one cell: a params.json goes in, papermill executes its notebook, an exit code comes out. It keeps the
notebook and log of every attempt and ends every process that it started. Only the record proves success: papermill
calls a notebook completed even after its kernel was killed, or after `sys.exit(0)` in a cell."""

import datetime
import os
import platform
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from xlt_utils import imports, paths
from xlt_utils.code_hash import PACKAGE, notebook_code_hash
from xlt_utils.files import HALF_JSON, attempt_files, read_json, write_json
from xlt_utils.pipeline.cell import locks, prefork, slurm
from xlt_utils.pipeline.cell.inputs import DAMAGED, lay_damaged_aside
from xlt_utils.records import parameters
from xlt_utils.records.record import is_done

# Exit codes: those of sysexits.h where it has one, 124 as timeout(1), 128 + n for signal n
DONE, BAD_INPUT, RAISED, NO_RECORD, KERNEL_DIED, TIMEOUT = 0, 65, 70, 71, 72, 124
STATUS_BY_CODE = {DONE: "done", TIMEOUT: "timeout", 129: "stopped", 130: "stopped", 143: "stopped"}  # others: failed
ERROR_BY_CODE = {
    NO_RECORD: "NoRecord: the notebook ended without writing its record",
    KERNEL_DIED: "KernelDied: the kernel crashed or was killed (out of memory?)",
}
# What an attempt says of the engine that made it: that start of the engine, and the job of the cluster
ENGINE_VARIABLES = {"run": "XLT_RUN", "job": "SLURM_JOB_ID"}
GRACE = 5.0  # seconds that papermill has to save the notebook when it is asked to stop


class Stopped(BaseException):
    """A signal asked the runner to stop; `code` is 128 + its number."""

    def __init__(self, code: int):
        self.code = code


def run_cell(path: str | Path, kernel: str = "python3", limit: float | None = None) -> int:
    """Run a cell unless its record is there, and return the exit code.

    Args:
        path: the cell's params.json.
        kernel: the name of a Jupyter kernel.
        limit: wall-clock seconds; None for no limit.

    Raises:
        BadParameters: the notebook cannot run with these parameters; no kernel was started.
    """
    if "XLT_ENGINE" in os.environ:  # not by hand, where a cell may outlive its shell
        prefork.end_with_parent(signal.SIGTERM)
    path = Path(path).absolute()
    params, folder = parameters.read_params(path), path.parent
    slurm.note_start(folder)
    with open(folder / ".lock", "ab") as lock:
        locks.lock(lock)  # a second runner waits here, and then finds the record
        remove_halves(folder)
        if is_done(folder, params["hash"]):
            print(f"{paths.relative(folder)}: done before")
            return DONE
        if code := _raised_in_this_run(folder):
            print(f"{paths.relative(folder)}: failed before in this run", file=sys.stderr)
            return code
        (folder / "record.json").unlink(missing_ok=True)  # of other code or data, or cut off
        return _attempt(folder, params, kernel, limit)


def _raised_in_this_run(folder: Path) -> int:
    """The exit code of the last attempt, where this very start of the engine made it and it would end so again: a
    profile's `retries` are for jobs that were killed. Else 0."""
    try:
        last = read_json(attempt_files(folder, "attempt.json")[-1])
        is_same = "run" in last and last["run"] == os.environ.get("XLT_RUN")
        return last["exit"] if is_same and last["exit"] in (BAD_INPUT, RAISED, NO_RECORD, TIMEOUT) else 0
    except (OSError, ValueError, TypeError, KeyError, IndexError):
        return 0


def remove_halves(folder: Path) -> None:
    """Remove the JSON files below a run folder that a killed process wrote by halves. Only under the folder's lock, or
    where nobody runs."""
    for place in (folder, *folder.glob("attempts/*")):
        for half in place.glob(HALF_JSON):
            half.unlink(missing_ok=True)


def is_running(folder: str | Path) -> bool:
    """Whether a runner is at work in a run folder."""
    return locks.is_held(paths.resolve(folder) / ".lock")


def _attempt(folder: Path, params: dict[str, Any], kernel: str, limit: float | None) -> int:
    """Make one attempt and write its attempt.json, however it ends."""
    numbers = [int(path.name) for path in (folder / "attempts").glob("*") if path.name.isdecimal()]
    number = 1 + max(numbers, default=0)
    attempt = folder / "attempts" / f"{number:02d}"
    attempt.mkdir(parents=True)
    began = time.time()
    state: dict[str, Any] = {"started": utc_time(began), "ended": None, "seconds": None, "status": "running"}
    state |= {"exit": None, "error": None, "pid": os.getpid(), "host": platform.node()}
    state |= {key: os.environ[name] for key, name in ENGINE_VARIABLES.items() if name in os.environ}
    write_json(attempt / "attempt.json", state)
    with stop_on_signals():
        error = _unusable_input(params) or _changed_code(params)
        code = BAD_INPUT if error else _run_papermill(folder, attempt, params, kernel, limit)
        if is_done(folder, params["hash"]):
            code, error = DONE, _changed_code(params)
        if code == DONE and error:
            code = BAD_INPUT
            (folder / "record.json").unlink()
        if code != DONE:
            error = error or _describe_failure(attempt, code, limit)
        seconds = round(time.time() - began, 2)
        if code == DONE:
            _remove_training_states(folder)
        state |= {"ended": utc_time(time.time()), "seconds": seconds, "error": error}
        write_json(attempt / "attempt.json", state | {"status": STATUS_BY_CODE.get(code, "failed"), "exit": code})
    if code != DONE:
        print(f"{params['cell']}: {error}\n  see {paths.relative(attempt)}/log.txt", file=sys.stderr)
    return code


def _unusable_input(params: dict[str, Any]) -> str:
    """What is wrong with the weights that a cell goes on from, if anything; damaged ones were laid aside."""
    if params["phase"] == "report":
        return ""
    return next(filter(None, (lay_damaged_aside(folder, params["parameters"]) for folder in params["inputs"])), "")


def _changed_code(params: dict[str, Any]) -> str:
    """Whether the code on the disk is another than the cell's hash covers: then what is computed is not what the record
    would say."""
    notebook = paths.notebook_file(params["notebook"])
    try:
        if "code" not in params or notebook_code_hash(notebook, params["phase"]) == params["code"]:
            return ""
    except SyntaxError:  # half an edit
        pass
    newest = max([notebook, *PACKAGE.rglob("*.py")], key=lambda path: path.stat().st_mtime)
    return (
        "ChangedCode: the code changed after `xlt run` began, so that this cell has no record; the newest file is "
        f"{paths.relative(newest)}; the same command goes on with the code as it is"
    )


def _remove_training_states(folder: Path) -> None:
    """Remove the states from which an unfinished run goes on, what it saved by halves, and weights laid aside."""
    for pattern in ("last*", "best*", "*.half", "*.before", f"*{DAMAGED}"):
        for state in folder.glob(f"state/**/{pattern}"):
            # between the two renames of a save, the one before is the only whole one
            if state.suffix != ".before" or state.with_suffix("").exists():
                shutil.rmtree(state, ignore_errors=True)


def _run_papermill(folder: Path, attempt: Path, params: dict[str, Any], kernel: str, limit: float | None) -> int:
    """Run papermill in a session of its own; end it after a signal or the time limit. Returns the exit code."""
    environment = os.environ | cell_environment(params["parameters"].get("threads", 1))
    environment |= {"XLT_FOLDER": str(folder), "XLT_RUNNER": str(os.getpid())}
    sockets = prefork.make_socket_folder()
    arguments = [str(folder / "params.json"), str(attempt), kernel, sockets]
    command = prefork.build_command("xlt_utils.pipeline.cell.runner:execute_notebook", *arguments)
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
        _end_group(process)
        return TIMEOUT
    except Stopped as stop:
        _end_group(process)
        return stop.code
    finally:
        if code not in (DONE, RAISED):
            _kill_processes_of(folder)
        shutil.rmtree(sockets, ignore_errors=True)
    if code == DONE:
        return NO_RECORD  # unless there is one: the caller looks
    return KERNEL_DIED if code < 0 or code > 128 else code


def cell_environment(threads: int) -> dict[str, str]:
    """The environment that makes a cell's processes use `threads` threads and order sets alike in every run, and have a
    home to write into."""
    pools = ("OMP_NUM", "MKL_NUM", "OPENBLAS_NUM", "NUMEXPR_NUM", "RAYON_NUM", "VECLIB_MAXIMUM")
    return {f"{pool}_THREADS": str(threads) for pool in pools} | {
        "PYTHONHASHSEED": "0",
        "TOKENIZERS_PARALLELISM": "true" if threads > 1 else "false",
        "HF_HUB_OFFLINE": "1",  # what a cell reads is pinned and here
        **_home(),
    }


def _home() -> dict[str, str]:
    """A home below the runs where the user's cannot be written: Jupyter, Snakemake and the hub's client keep files
    there."""
    try:
        with tempfile.TemporaryFile(dir=Path.home()):
            return {}
    except (OSError, RuntimeError):  # RuntimeError: the user has none
        home = paths.RUNS.absolute() / ".home"
        home.mkdir(parents=True, exist_ok=True)
        return {"HOME": str(home), "XDG_CACHE_HOME": str(home / ".cache")}


def _end_group(process: subprocess.Popen | None) -> None:
    """Ask papermill's process group to stop, and kill it when it does not."""
    if process and not hasattr(os, "killpg"):  # on Windows, whose processes are in no group
        return process.kill()
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            if process:
                os.killpg(process.pid, number)
                process.wait(GRACE)
            return
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue


def _kill_processes_of(folder: Path) -> None:
    """Kill what an attempt left behind: a kernel has a session of its own and outlives a killed papermill."""
    import psutil

    for process in psutil.process_iter():
        try:
            if process.environ().get("XLT_FOLDER") == str(folder) and process.pid != os.getpid():
                process.kill()
        except psutil.Error:
            continue


@contextmanager
def stop_on_signals() -> Iterator[None]:
    """A context in which the first SIGINT, SIGTERM or SIGHUP raises Stopped and later ones are ignored."""

    def stop(number: int, frame: Any) -> None:
        for caught in handlers:
            signal.signal(caught, signal.SIG_IGN)
        if signal.Signals(number).name == "SIGHUP":  # which Windows does not have
            _leave_terminal()
        raise Stopped(128 + number)

    handlers = {number: signal.getsignal(number) for number in prefork.STOP_SIGNALS}
    for number in handlers:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _leave_terminal() -> None:
    """Let what is still said go nowhere where the terminal is gone: a write to it would end the clearing up."""
    for descriptor in (1, 2):
        with suppress(OSError):  # closed
            if stat.S_ISCHR(os.fstat(descriptor).st_mode) and not os.isatty(descriptor):
                with open(os.devnull, "wb") as nowhere:
                    os.dup2(nowhere.fileno(), descriptor)


def utc_time(seconds: float) -> str:
    """A time in seconds since 1970 as records write it, in UTC."""
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _describe_failure(attempt: Path, code: int, limit: float | None) -> str:
    """What went wrong, in a line: what the exit code means, the error in the notebook, else the log's last line."""
    if STATUS_BY_CODE.get(code) == "stopped":
        return f"Stopped: by {signal.Signals(code - 128).name}"
    if code == TIMEOUT:
        return f"Timeout: not done after {limit:g} seconds"
    raised = _notebook_error(attempt / "executed.ipynb")
    if code in ERROR_BY_CODE:
        return ERROR_BY_CODE[code] + (f" ({raised})" if raised else "")
    log = (attempt / "log.txt").read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return raised or (log[-1][:500] if log else f"ended with exit code {code} and an empty log")


def _notebook_error(notebook: Path) -> str:
    """The error that an executed notebook shows, `Name: message`, or nothing."""
    try:
        cells = read_json(notebook)["cells"]
        outputs = [output for cell in cells for output in cell.get("outputs", []) if output["output_type"] == "error"]
        text = f"{outputs[0]['ename']}: {outputs[0]['evalue']}" if outputs else ""
    except (OSError, ValueError, KeyError, TypeError, AttributeError):  # none, cut off, or of another shape
        return ""
    return " ".join(re.sub(r"\x1b\[[0-9;]*m", "", text).split())[:500]


def _literal(path: Path) -> str:
    """A path as papermill takes it, which fills in what stands in braces."""
    return str(path).replace("{", "{{").replace("}", "}}")


def execute_notebook(arguments: list[str]) -> int:
    """Execute the notebook of a cell, in papermill's process, and return the exit code.

    Args:
        arguments: the cell's params.json, the attempt's folder, the kernel's name, a folder for sockets.
    """
    path, attempt, kernel, sockets = Path(arguments[0]), Path(arguments[1]), arguments[2], arguments[3]
    _end_with_runner()
    with imports.without():
        import papermill
    from jupyter_client.kernelspec import NoSuchKernel
    from nbclient.exceptions import DeadKernelError
    from traitlets.config import Config

    params = read_json(path)
    # sockets in a folder of our own, where the system has them: no ports open to others, none taken between two starts
    transport = "ipc" if hasattr(socket, "AF_UNIX") else "tcp"
    local = Config(KernelManager={"transport": transport, "connection_file": f"{sockets}/kernel.json"})
    try:
        papermill.execute_notebook(
            _literal(paths.notebook_file(params["notebook"])),
            _literal(attempt / "executed.ipynb"),
            params["parameters"],
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
    """End this process and its children when the runner ends, even by SIGKILL.

    A warm process is no child of the runner; there the server takes care of it (prefork.py).
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
