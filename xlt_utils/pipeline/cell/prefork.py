"""Warm processes: a server imports once what every cell needs (torch, transformers, papermill, this package: ten
seconds) and forks a ready process on request. In place of that process runs a light client, this same file, which
gives the fork its streams, folder and environment, passes signals on and ends with the fork's exit code; when either
ends, so does the other. Without a server the client becomes the process itself: slower, with the same result."""

import contextlib
import json
import os
import select
import signal
import socket
import sys
import threading
import time

PRELOADED_MODULES = (
    "torch",
    "transformers.models.modernbert.modeling_modernbert",
    "transformers.models.xlm_roberta.modeling_xlm_roberta",
    "datasets",
    "pandas",
    "seaborn",
    "scipy.stats",
    "transformers.convert_slow_tokenizer",
    "transformers.models.auto.tokenization_auto",
    "tokenizers.trainers",
    "matplotlib.backends.backend_agg",
    "PIL.PngImagePlugin",
    "pandas.io.formats.html",
    "papermill",
    "ipykernel.kernelapp",
    "ipykernel.debugger",
    "IPython.core.completerlib",
    "IPython.core.debugger",
    "IPython.extensions.storemagic",
)
# Windows has no SIGHUP, and no forks: there `xlt run` is refused, and what reads results imports this all the same.
STOP_SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
TERMINATED = 128 + signal.SIGTERM  # the exit code of a client whose server or parent is gone


def build_command(target: str, *arguments: str, server: str | None = None) -> list[str]:
    """The command line that runs `function(arguments)`, through a server or without one.

    Args:
        target: `module:function`; the function takes the list of arguments and returns an exit code.
        arguments: strings for the function.
        server: the server's socket; left out, the one that `XLT_WARM` names, if any.
    """
    if server := server or os.environ.get("XLT_WARM"):
        return [*_client_command(server), target, *arguments]
    return _cold_command(target, *arguments)


def _client_command(server: str) -> list[str]:
    return [sys.executable, "-I", "-S", __file__, server]  # without site-packages it starts in 30 milliseconds


def _cold_command(target: str, *arguments: str) -> list[str]:
    module, function = target.split(":")
    code = f"import sys; from {module} import {function}; sys.exit({function}(sys.argv[1:]))"
    return [sys.executable, "-c", code, *arguments]


# The client. It imports light modules of the standard library alone.


def run_client(server: str, target: str, arguments: list[str]) -> int:
    """Have the server run `target` and return its exit code; without a server, become the cold process."""
    parent = os.getppid()
    connection = socket.socket(socket.AF_UNIX)
    request = {"target": target, "arguments": arguments, "cwd": os.getcwd(), "environment": dict(os.environ)}
    has_server = os.path.exists(server)
    try:
        connection.connect(server)
        socket.send_fds(connection, [b"x"], [0, 1, 2])
        connection.sendall(json.dumps(request).encode() + b"\n")
        for number in STOP_SIGNALS:
            signal.signal(number, lambda number, frame: connection.send(bytes([number])))
        has_started = connection.recv(1) == b"+"
    except OSError:
        has_started = False
    if not has_started:
        if has_server and not os.path.exists(server):  # it ended with `xlt`, and nobody waits for this cell
            return TERMINATED
        for number in STOP_SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        command = _cold_command(target, *arguments)
        os.execv(command[0], command)
    # a killed parent sends no signal, so look for it
    while not select.select([connection], [], [], 0.3)[0]:
        if os.getppid() != parent:
            return TERMINATED
    exit_code = connection.recv(16)
    return int(exit_code) if exit_code else TERMINATED


# The server.


def serve(folder: str) -> None:
    """Listen at `folder`/socket, import everything, and fork on request until the standard input ends."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(f"{folder}/socket")
    listener.listen(64)  # clients that come during the imports wait here
    import gc
    import importlib
    import pkgutil

    # a killed `xlt` sends no signal, and its input's end is read only after the imports, which take ten seconds
    are_imported = threading.Event()
    watch = threading.Thread(target=_end_with_input, args=(folder, are_imported), daemon=True)
    watch.start()

    # looking for a GPU during the imports must not bind this process to it: its forks could not use it then
    os.environ.setdefault("PYTORCH_NVML_BASED_CUDA_CHECK", "1")
    # as a kernel sets them
    os.environ.setdefault("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    import xlt_utils
    from xlt_utils import imports

    modules = [module.name for module in pkgutil.walk_packages(xlt_utils.__path__, "xlt_utils.")]
    for name in (*PRELOADED_MODULES, *modules):
        try:
            with imports.without():
                importlib.import_module(name)
        except ImportError as error:  # a cell that needs it reports it better
            print(f"not imported: {name}: {error}", flush=True)

    are_imported.set()
    watch.join()  # a fork of a process with threads may hang
    gc.collect()
    gc.freeze()  # keeps the collector from touching, and so copying, the shared pages
    _answer_requests(listener)
    _end(folder)


def _end_with_input(folder: str, are_imported: threading.Event) -> None:
    """End this process when its standard input ends, until `are_imported` is set."""
    while not are_imported.is_set():
        if select.select([0], [], [], 0.2)[0]:
            _end(folder)


def _end(folder: str) -> None:
    """Remove the folder of the socket and end at once: the imported modules' threads and exit hooks might wait."""
    import shutil

    shutil.rmtree(folder, ignore_errors=True)
    os._exit(0)


def _answer_requests(listener: socket.socket) -> None:
    """Fork for every client, relay its signals and report exit codes, until the standard input ends."""
    child_ended, wake = os.pipe()
    os.set_blocking(wake, False)
    os.set_blocking(child_ended, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    forks: dict[int, socket.socket] = {}  # the connections to clients, by the process id of their fork
    while True:
        watched: list[int | socket.socket] = [0, child_ended, listener, *forks.values()]
        ready = select.select(watched, [], [])[0]
        if 0 in ready and not os.read(0, 1):
            for pid in forks:
                _kill(pid, signal.SIGKILL)
            return
        if child_ended in ready:
            os.read(child_ended, 4096)
            _reap(forks)
        for pid, connection in list(forks.items()):
            if connection in ready:
                _relay(pid, connection)
        if listener in ready:
            _accept(listener, forks)


def _reap(forks: dict[int, socket.socket]) -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return
        code = os.waitstatus_to_exitcode(status)
        connection = forks.pop(pid)
        with connection, contextlib.suppress(OSError):  # the client may be gone
            connection.send(str(code if code >= 0 else 128 - code).encode())


def _relay(pid: int, connection: socket.socket) -> None:
    """Pass on the signals that a client got; when the client is gone, kill its fork."""
    try:
        numbers = connection.recv(16)
    except OSError:
        numbers = b""
    for number in numbers or bytes([signal.SIGKILL]):
        _kill(pid, number)


def _kill(pid: int, number: int) -> None:
    for kill in (os.killpg, os.kill):  # a new fork leads no process group yet
        try:
            return kill(pid, number)
        except ProcessLookupError:
            continue


def _accept(listener: socket.socket, forks: dict[int, socket.socket]) -> None:
    connection = listener.accept()[0]
    try:
        connection.settimeout(5)
        _, streams, _, _ = socket.recv_fds(connection, 1, 3)
        received = b""
        while b"\n" not in received:
            chunk = connection.recv(65536)
            if not chunk:
                raise OSError("the client left")
            received += chunk
        connection.settimeout(None)
        line, signals = received.split(b"\n", 1)
        request = json.loads(line)
    except (OSError, ValueError):
        connection.close()
        return
    pid = os.fork()
    if pid == 0:
        _run_in_fork(request, streams, [listener, connection, *forks.values()])
    for stream in streams:
        os.close(stream)
    forks[pid] = connection
    connection.send(b"+")
    for number in signals:  # that came while the client waited
        _kill(pid, number)


def _run_in_fork(request: dict, streams: list[int], inherited: list[socket.socket]) -> None:
    """Take over the client's streams, folder and environment, run its target, and end the process."""
    code = 70
    try:
        os.setsid()
        end_with_parent(signal.SIGKILL)
        signal.set_wakeup_fd(-1)
        for number in (*STOP_SIGNALS, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for connection in inherited:
            connection.close()
        for descriptor, stream in enumerate(streams):
            os.dup2(stream, descriptor)
            os.close(stream)
        os.chdir(request["cwd"])
        os.environ.clear()
        os.environ.update(request["environment"])
        sys.stdout = open(1, "w", 1, encoding="utf-8", closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", 1, encoding="utf-8", closefd=False)  # noqa: SIM115
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
        sys.__stdout__, sys.__stderr__, sys.__stdin__ = sys.stdout, sys.stderr, sys.stdin  # type: ignore[misc]
        code = _call(request["target"], request["arguments"])
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(code)


def end_with_parent(number: int) -> None:
    """Get the signal `number` when the parent ends, even by SIGKILL; on Linux alone, elsewhere nothing happens."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(1, number)  # PR_SET_PDEATHSIG


def _call(target: str, arguments: list[str]) -> int:
    import importlib

    import numpy

    numpy.random.seed(None)  # unlike torch's, its global generator would be the same in every fork
    module, function = target.split(":")
    sys.argv = [function, *arguments]
    try:
        return getattr(importlib.import_module(module), function)(arguments)
    except SystemExit as stop:
        if isinstance(stop.code, str):
            print(stop.code, file=sys.stderr)
        return stop.code if isinstance(stop.code, int) else int(stop.code is not None)


def run_kernel(arguments: list[str]) -> int:
    """Run a Jupyter kernel, as `python -m ipykernel_launcher` does."""
    from ipykernel.kernelapp import IPKernelApp

    # a kernel must end with its parent, and a fork's parent is the server
    options = [f"--IPKernelApp.parent_handle={os.getppid()}", "--HistoryManager.enabled=False"]
    IPKernelApp.launch_instance(argv=[*arguments, *options])
    return 0


def make_socket_folder() -> str:
    """Make a temporary folder with a short path: a socket's path may have 107 bytes (103 on macOS). It lies in that of
    the warm server, where there is one, and goes with it however its maker ends."""
    import tempfile

    server = os.environ.get("XLT_WARM")
    parent = os.path.dirname(server) if server else tempfile.gettempdir()
    return tempfile.mkdtemp(prefix="xlt-", dir=parent if len(os.fsencode(parent)) < 64 else "/tmp")


class Server:
    """The server as `xlt run` uses it: it starts on entry and ends with all its forks on exit.

    Entry returns the environment in which the runner and Jupyter's `python3` kernel use it.

    Args:
        environment: what the server and its forks start in.
        log: the file of the server's own output.
    """

    def __init__(self, environment: dict[str, str], log: "str | os.PathLike[str]"):
        self.environment, self.log = environment, log

    def __enter__(self) -> dict[str, str]:
        import subprocess

        self.folder = make_socket_folder()
        spec = f"{self.folder}/kernels/python3"
        os.makedirs(spec)
        path = f"{self.folder}/socket"
        argv = [*_client_command(path), "xlt_utils.pipeline.cell.prefork:run_kernel", "-f", "{connection_file}"]
        with open(f"{spec}/kernel.json", "w") as file:
            json.dump({"argv": argv, "display_name": "Python 3", "language": "python"}, file)
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", f"from xlt_utils.pipeline.cell import prefork; prefork.serve({self.folder!r})"],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=self.environment,
                start_new_session=True,
            )
        while not os.path.exists(path) and self.process.poll() is None:
            time.sleep(0.01)
        folders = [self.folder, *filter(None, [self.environment.get("JUPYTER_PATH")])]
        return {**self.environment, "XLT_WARM": path, "JUPYTER_PATH": os.pathsep.join(folders)}

    def __exit__(self, *exception: object) -> None:
        import shutil
        import subprocess

        if self.process.stdin:
            self.process.stdin.close()
        try:
            self.process.wait(2)
        except subprocess.TimeoutExpired:  # it is still importing
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(run_client(sys.argv[1], sys.argv[2], sys.argv[3:]))
