"""Warm processes: one server imports what every cell needs (torch, transformers, papermill: ten seconds) once
and forks a ready process whenever one is asked for. A light client, this same file, stands where the
process would have stood: it hands over its streams, folder and environment, passes signals on, ends
with the same exit code, and whatever happens to it happens to the fork. Without a server the client
becomes the process itself, cold: slower, with the same result."""

import contextlib
import json
import os
import select
import signal
import socket
import sys
import time

PACKAGES = (
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
RELAYED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def command(target: str, *arguments: str, server: str | None = None) -> list[str]:
    """The command that runs `module:function(arguments)`: through the server (that `XLT_WARM` names), or cold."""
    if server := server or os.environ.get("XLT_WARM"):
        return [sys.executable, "-I", "-S", __file__, server, target, *arguments]
    return _cold(target, *arguments)


def _cold(target: str, *arguments: str) -> list[str]:
    module, function = target.split(":")
    code = f"import sys; from {module} import {function}; sys.exit({function}(sys.argv[1:]))"
    return [sys.executable, "-c", code, *arguments]


# The client: the standard library's light half only, it starts in 30 milliseconds.


def client(server: str, target: str, arguments: list[str]) -> int:
    """Have the server run `target`, and live and end as it does. Becomes the cold process where there is no server."""
    parent = os.getppid()
    connection = socket.socket(socket.AF_UNIX)
    order = {"target": target, "arguments": arguments, "cwd": os.getcwd(), "environment": dict(os.environ)}
    try:
        connection.connect(server)
        socket.send_fds(connection, [b"x"], [0, 1, 2])
        connection.sendall(json.dumps(order).encode() + b"\n")
        for number in RELAYED:
            signal.signal(number, lambda number, frame: connection.send(bytes([number])))
        started = connection.recv(1) == b"+"
    except OSError:
        started = False
    if not started:
        for number in RELAYED:
            signal.signal(number, signal.SIG_DFL)
        cold = _cold(target, *arguments)
        os.execv(cold[0], cold)
    # a parent that is killed tells nobody, so look
    while not select.select([connection], [], [], 0.3)[0]:
        if os.getppid() != parent:
            return 143
    ended = connection.recv(16)
    return int(ended) if ended else 143


# The server.


def serve(folder: str) -> None:
    """Listen in `folder`/socket, import, and fork on request until the standard input ends."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(f"{folder}/socket")
    listener.listen(64)  # clients that come during the imports wait here
    import gc
    import importlib
    import pkgutil

    # looking for a GPU during the imports must not bind this process to it: its forks could not use it then
    os.environ.setdefault("PYTORCH_NVML_BASED_CUDA_CHECK", "1")
    # as a kernel sets them
    os.environ.setdefault("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    import xlt_utils

    own = [module.name for module in pkgutil.walk_packages(xlt_utils.__path__, "xlt_utils.")]
    for name in (*PACKAGES, *own):
        try:
            importlib.import_module(name)
        except ImportError as error:  # not here, or not yet: whoever needs it says so better
            print(f"not imported: {name}: {error}", flush=True)

    gc.collect()
    gc.freeze()  # keeps the collector from touching, and so copying, the shared pages
    _loop(listener)


def _loop(listener: socket.socket) -> None:
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    os.set_blocking(woken, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    forks: dict[int, socket.socket] = {}
    while True:
        ready = select.select([0, woken, listener, *forks.values()], [], [])[0]
        if 0 in ready and not os.read(0, 1):
            for pid in forks:
                _kill(pid, signal.SIGKILL)
            return
        if woken in ready:
            os.read(woken, 4096)
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
    """Pass on the signals that a client got; a client that is gone takes its fork along."""
    try:
        numbers = connection.recv(16)
    except OSError:
        numbers = b""
    for number in numbers or bytes([signal.SIGKILL]):
        _kill(pid, number)


def _kill(pid: int, number: int) -> None:
    for kill in (os.killpg, os.kill):  # a fork that is just born leads no group yet
        try:
            return kill(pid, number)
        except ProcessLookupError:
            continue


def _accept(listener: socket.socket, forks: dict[int, socket.socket]) -> None:
    connection = listener.accept()[0]
    try:
        connection.settimeout(5)
        _, streams, _, _ = socket.recv_fds(connection, 1, 3)
        text = b""
        while b"\n" not in text:
            piece = connection.recv(65536)
            if not piece:
                raise OSError("the client left")
            text += piece
        connection.settimeout(None)
        text, signals = text.split(b"\n", 1)
        order = json.loads(text)
    except (OSError, ValueError):
        connection.close()
        return
    pid = os.fork()
    if pid == 0:
        _become(order, streams, [listener, connection, *forks.values()])
    for stream in streams:
        os.close(stream)
    forks[pid] = connection
    connection.send(b"+")
    for number in signals:  # that came while the client waited
        _kill(pid, number)


def _become(order: dict, streams: list[int], inherited: list[socket.socket]) -> None:
    """In the fork: take over the client's streams, folder and environment, run its target, and end."""
    code = 70
    try:
        os.setsid()
        end_with_parent(signal.SIGKILL)
        signal.set_wakeup_fd(-1)
        for number in (*RELAYED, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for one in inherited:
            one.close()
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        os.chdir(order["cwd"])
        os.environ.clear()
        os.environ.update(order["environment"])
        sys.stdout = open(1, "w", 1, encoding="utf-8", closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", 1, encoding="utf-8", closefd=False)  # noqa: SIM115
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
        sys.__stdout__, sys.__stderr__, sys.__stdin__ = sys.stdout, sys.stderr, sys.stdin
        code = _call(order["target"], order["arguments"])
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
    """Where the system can (Linux): get a signal when the parent ends, which after SIGKILL could tell nobody."""
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
        return getattr(importlib.import_module(module), function)(arguments) or 0
    except SystemExit as stop:
        if isinstance(stop.code, str):
            print(stop.code, file=sys.stderr)
        return stop.code if isinstance(stop.code, int) else int(stop.code is not None)


def kernel(arguments: list[str]) -> int:
    """A Jupyter kernel, as `python -m ipykernel_launcher` starts it."""
    from ipykernel.kernelapp import IPKernelApp

    # Jupyter says in the environment whose end a kernel must not survive; here it is the server's
    options = [f"--IPKernelApp.parent_handle={os.getppid()}", "--HistoryManager.enabled=False"]
    IPKernelApp.launch_instance(argv=[*arguments, *options])
    return 0


class Server:
    """The server as `xlt run` holds it: started on entry, gone with all its forks on exit.

    While it is there `environment` makes the runner and Jupyter's `python3` kernel use it.
    """

    def __init__(self, environment: dict[str, str], log: "str | os.PathLike[str]"):
        self.environment, self.log = environment, log

    def __enter__(self) -> dict[str, str]:
        import subprocess
        import tempfile

        self.folder = tempfile.mkdtemp(prefix="xlt-")  # a socket's path must be short
        spec = f"{self.folder}/kernels/python3"
        os.makedirs(spec)
        path = f"{self.folder}/socket"
        argv = [
            sys.executable,
            "-I",
            "-S",
            __file__,
            path,
            "xlt_utils.pipeline.prefork:kernel",
            "-f",
            "{connection_file}",
        ]
        with open(f"{spec}/kernel.json", "w") as file:
            json.dump({"argv": argv, "display_name": "Python 3", "language": "python"}, file)
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", f"from xlt_utils.pipeline import prefork; prefork.serve({self.folder!r})"],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=self.environment,
                start_new_session=True,
            )
        while not os.path.exists(path) and self.process.poll() is None:
            time.sleep(0.01)
        places = [self.folder, *filter(None, [self.environment.get("JUPYTER_PATH")])]
        return {**self.environment, "XLT_WARM": path, "JUPYTER_PATH": os.pathsep.join(places)}

    def __exit__(self, *exception: object) -> None:
        import shutil
        import subprocess

        self.process.stdin.close()
        try:
            self.process.wait(2)
        except subprocess.TimeoutExpired:  # it is still importing
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(client(sys.argv[1], sys.argv[2], sys.argv[3:]))
