"""Warm processes: the same results as cold ones, sooner; and when a client or the server dies, so do its forks. The
real server with all its imports."""

import json
import os
import pkgutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from processes import attempt, has_begun, processes_of, wait
from tiny_notebooks import RECORD, write_params

import xlt_utils
from xlt_utils.pipeline.cell import prefork, runner

# What could differ in a forked process: seeds, threads, the order of sets, where pictures go, flags, paths.
FACTS = """import os, random, sys
import matplotlib.pyplot as plt, numpy, torch
from xlt_utils import paths
from xlt_utils.training import encoders, hardware
torch.manual_seed(0)
layer = torch.nn.Linear(64, 64)
layer(torch.randn(32, 64)).sum().backward()
facts = {"weights": layer.weight.grad.double().sum().item(), "threads": torch.get_num_threads(),
         "set": list({"a", "b", "c", "d"}), "cwd": os.getcwd(), "backend": plt.get_backend(), "path": sys.path[-1],
         "numpy": numpy.random.default_rng(1).random(), "main": __name__, "warnings": str(sys.warnoptions)}
plt.figure(); plt.plot([1, 2]); plt.show()"""
IMPORTED = 'import sys\nimported = sorted(name for name in sys.modules if name.startswith("xlt_utils."))'
SLOW = "import time; print('begun', flush=True); time.sleep(600)"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A warm server, and the environment in which it is used."""
    log = tmp_path_factory.mktemp("server") / "warm.log"
    warm_server = prefork.Server(os.environ | runner.cell_environment(1), log)
    with warm_server as environment:
        yield warm_server, environment


def start(path, environment):
    command = prefork.build_command("xlt_utils.cli:main", "cell", str(path), server=environment.get("XLT_WARM"))
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)


def test_a_warm_cell_leaves_the_same_record_as_a_cold_one(server, tmp_path):
    results = {}
    for kind, environment in {"cold": dict(os.environ), "warm": server[1]}.items():
        folder = tmp_path / "same"
        path = write_params(folder, FACTS, RECORD.replace("coordinates", "facts=facts, coordinates"))
        process = start(path, environment)
        assert process.wait(180) == 0, process.stdout.read()
        record = json.loads((folder / "record.json").read_text(encoding="utf-8"))
        cells = json.loads((attempt(path) / "executed.ipynb").read_text(encoding="utf-8"))
        kinds = [key for output in cells["cells"][2]["outputs"] for key in output.get("data", {})]
        results[kind] = ({**record, "started": "", "seconds": {}, "sha256": ""}, kinds, cells["metadata"]["kernelspec"])
        folder.rename(tmp_path / kind)
    assert results["warm"] == results["cold"]
    assert "image/png" in results["warm"][1]


def test_the_server_has_imported_every_module_of_the_package(server, tmp_path):
    record = RECORD.replace("coordinates", 'facts={"imported": imported}, coordinates')
    path = write_params(tmp_path / "imports", IMPORTED, record)
    process = start(path, server[1])
    assert process.wait(180) == 0, process.stdout.read()
    imported = json.loads((path.parent / "record.json").read_text(encoding="utf-8"))["facts"]["imported"]
    modules = {module.name for module in pkgutil.walk_packages(xlt_utils.__path__, "xlt_utils.")}
    assert {"xlt_utils.pipeline.cell.runner", "xlt_utils.training.loop"} < modules
    assert modules <= set(imported)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_server_forks_before_any_pool_of_threads_is_started(server):
    tasks = Path(f"/proc/{server[0].process.pid}/task")
    names = sorted(
        (task / "comm").read_text(encoding="utf-8").strip()
        for task in tasks.iterdir()
        if task.name != tasks.parent.name
    )
    assert names in ([], ["jemalloc_bg_thd"])  # of Arrow's memory pool, which looks after itself in a fork


def test_a_warm_cell_costs_less_than_half_of_a_cold_one(server, tmp_path):
    took = []  # on an idle machine 0.8 seconds against 3.3, and 12 for a notebook that imports torch
    for number, environment in enumerate([dict(os.environ), server[1], server[1]]):
        began = time.time()
        process = start(write_params(tmp_path / f"{number}", RECORD), environment)
        assert process.wait(180) == 0
        took.append(time.time() - began)
    assert min(took[1:]) < took[0] / 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_stopped_client_leaves_no_kernel(server, tmp_path, number):
    path = write_params(tmp_path / "slow", SLOW, RECORD)
    process = start(path, server[1])
    wait(lambda: has_begun(path))
    assert len(psutil.Process(server[0].process.pid).children()) >= 3  # the runner, papermill, the kernel
    os.kill(process.pid, number)
    wait(lambda: not psutil.Process(server[0].process.pid).children(), 30)
    assert processes_of(path.parent) == []
    assert process.wait(30) == (143 if number == signal.SIGTERM else -9)


def test_without_a_server_a_client_runs_cold(tmp_path):
    cell = ("xlt_utils.cli:main", "cell", str(tmp_path / "none.json"))
    command = prefork.build_command(*cell, server=str(tmp_path / "socket"))
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 65 and "none.json" in done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process of its parent's end")
def test_the_forks_of_a_killed_server_end(server, tmp_path):
    path = write_params(tmp_path / "slow", SLOW, RECORD)
    process = start(path, server[1])
    wait(lambda: has_begun(path))
    forks = psutil.Process(server[0].process.pid).children()
    server[0].process.kill()
    assert process.wait(30) == 143
    wait(lambda: not any(fork.is_running() and fork.status() != psutil.STATUS_ZOMBIE for fork in forks), 30)


def test_a_server_whose_parent_is_killed_ends_even_while_it_imports(tmp_path):
    """A process that is killed for want of memory closes nothing itself."""
    code = (
        "import os, sys, time; from xlt_utils.pipeline.cell import prefork\n"
        "server = prefork.Server(dict(os.environ), sys.argv[1]); server.__enter__()\n"
        "print(server.process.pid, server.folder, flush=True); time.sleep(600)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "log")], stdout=subprocess.PIPE, text=True)
    pid, folder = parent.stdout.readline().split()
    parent.kill()
    parent.wait()
    wait(lambda: not psutil.pid_exists(int(pid)), 5)
    assert not Path(folder).exists()
