"""The package as `pip install` brings it: a wheel in an environment of its own, used in an empty folder. The packages
that it needs are lent by the environment of the tests, so that torch is not installed once more."""

import json
import os
import re
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from xlt_utils.code_hash import notebook_code_hash
from xlt_utils.paths import PHASES

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.slow
SMALLEST = {"tokens: [0, 30k]": "tokens: [0]", "examples: [64, 256]": "examples: [64]", "udpos, tatoeba": "udpos"}
# What Windows lacks, taken away from our modules; other packages have builds for Windows, and are imported before.
WINDOWS = """import builtins, importlib, os, pkgutil, signal, socket, sys, xlt_utils

def import_all():
    for module in pkgutil.walk_packages(xlt_utils.__path__, "xlt_utils."):
        importlib.import_module(module.name)

import_all()
for name in [name for name in sys.modules if name.startswith("xlt_utils.")]:
    del sys.modules[name]
for name in ("fork", "uname", "killpg", "setsid", "geteuid", "getuid", "sched_getaffinity", "waitstatus_to_exitcode"):
    delattr(os, name)
for name in ("SIGHUP", "SIGKILL", "SIGCHLD"):
    delattr(signal, name)
del socket.AF_UNIX
anything = builtins.__import__

def without(name, *rest, **options):
    module = sys._getframe(1).f_globals.get("__name__", "")
    if name in ("fcntl", "termios", "resource", "pwd", "grp") and module.startswith("xlt_utils"):
        raise ImportError(f"{module} imports {name}, which Windows lacks")
    return anything(name, *rest, **options)

builtins.__import__ = without
import_all()
from xlt_utils import cli
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The wheel, built from the clone."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", folder, ROOT]
    subprocess.run(build, check=True)
    (file,) = folder.glob("*.whl")
    return file


@pytest.fixture(scope="module")
def environment(wheel, tmp_path_factory) -> Path:
    """An environment with the wheel in it, whose Python has the tests' other packages."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    install = [sys.executable, "-m", "pip", "--python", folder / "bin" / "python", "install", "--quiet", "--no-deps"]
    subprocess.run([*install, wheel], check=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "lent.pth").write_text(sysconfig.get_path("purelib"))
    return folder


@pytest.fixture(scope="module")
def call(environment, tmp_path_factory):
    """Call a program of that environment in one folder, empty at first, and return what it did."""
    folder = tmp_path_factory.mktemp("empty")
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("XLT_", "PYTHON"))}
    variables["JUPYTER_PATH"] = str(Path(sys.prefix) / "share" / "jupyter")  # templates of a package that is lent

    def run(program: str, *words: str) -> subprocess.CompletedProcess:
        command = [environment / "bin" / program, *words]
        return subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True)

    run.folder = folder
    return run


@pytest.fixture(scope="module")
def study(call) -> Path:
    """The folder of a study that was begun with `xlt init` there, made very small, and run."""
    done = call("xlt", "init", "mystudy", "--example", "tiny")
    assert done.returncode == 0 and "next: xlt run mystudy/study.yaml" in done.stdout, done
    file = call.folder / "mystudy" / "study.yaml"
    text = file.read_text()
    for old, new in SMALLEST.items():
        assert old in text
        text = text.replace(old, new)
    file.write_text(text)
    done = call("xlt", "run", "mystudy/study.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    return call.folder


def files_below(folder: Path) -> dict[str, tuple[int, int]]:
    stats = {path: path.stat() for path in folder.rglob("*") if path.is_file()}
    return {str(path): (stat.st_size, stat.st_mtime_ns) for path, stat in stats.items()}


def test_the_wheel_has_what_runs_and_nothing_else(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    shipped = {name.removeprefix("xlt_utils/shipped/") for name in names if name.startswith("xlt_utils/shipped/")}
    kinds = ("notebooks/*.ipynb", "notebooks/labconfig/*.json", "params/*.yaml", "workflow/**/*")
    wanted = {path.relative_to(ROOT).as_posix() for kind in kinds for path in ROOT.glob(kind) if path.is_file()}
    assert shipped == wanted and len(wanted) > 15
    assert {name.split("/")[0] for name in names} - {"xlt_utils"} == {names[-1].split("/")[0]}
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "xlt_utils").rglob("*.py")}
    assert modules == {name for name in names if name.endswith(".py")}


def test_its_metadata_are_those_of_the_citation(wheel):
    with zipfile.ZipFile(wheel) as packed:
        (file,) = [name for name in packed.namelist() if name.endswith("METADATA")]
        text = packed.read(file).decode()
    citation = (ROOT / "CITATION.cff").read_text()
    for field, pattern in (("Version", r"^version: (.+)$"), ("License-Expression", r"^license: (.+)$")):
        assert re.search(rf"^{field}: (.+)$", text, re.M)[1] == re.search(pattern, citation, re.M)[1]
    assert f"Author: {re.search(r'^  - name: (.+)$', citation, re.M)[1]}" in text
    assert "arxiv.org/abs/2005.13013" in text and "Programming Language :: Python :: 3.13" in text


def test_its_code_has_the_hashes_of_the_clone(call):
    """What was run in a clone is done for an installed package, and the other way round."""
    code = "from xlt_utils import paths, code_hash\nfor phase in paths.PHASES:\n"
    code += "    print(code_hash.notebook_code_hash(paths.notebook_file(paths.notebook(phase)), phase), paths.SHIPPED)"
    done = call("python", "-c", code)
    assert "site-packages" in done.stdout, done.stderr
    notebooks = [ROOT / "notebooks" / f"0{number}_{phase}.ipynb" for number, phase in enumerate(PHASES, 1)]
    expected = [notebook_code_hash(notebook, phase) for notebook, phase in zip(notebooks, PHASES, strict=True)]
    assert done.stdout.split()[::2] == expected


def test_a_study_runs_in_an_empty_folder_and_writes_nothing_elsewhere(environment, call, request):
    before = files_below(environment)
    folder = request.getfixturevalue("study")
    assert (folder / "report" / "mystudy" / "index.html").stat().st_size > 10_000
    assert {path.name for path in folder.iterdir()} == {"mystudy", "runs", "report"}
    assert files_below(environment) == before
    records = list((folder / "runs" / "mystudy").glob("*/*/record.json"))
    assert len(records) == 5  # one of pretraining, one intermediate, two of targets, the report's
    for record in records:
        assert str(folder) not in record.read_text() and "site-packages" not in record.read_text()


def test_its_readme_names_commands_that_work(study, call):
    readme = (study / "mystudy" / "README.md").read_text()
    commands = re.findall(r"^xlt (\w+) (\S+)", readme, re.M)
    assert [name for name, _ in commands] == ["check", "plan", "run", "status", "explore", "publish"]
    assert {file for _, file in commands} == {"mystudy/study.yaml"}
    done = call("xlt", "status", "--json", "mystudy/study.yaml")
    assert {cell["state"] for cell in json.loads(done.stdout)["cells"]} == {"done"}
    assert "mystudy" in call("xlt", "list").stdout.splitlines()[1]


def test_no_study_is_begun_over_another(study, call):
    for words, said in (
        (("init", "mystudy"), "there already"),
        (("init", "elsewhere/mystudy"), "runs/mystudy: there already"),
        (("init", "My Study"), "'My Study' is no name for a study"),
        (("init", "new", "--example", "demmo"), "did you mean `demo`?"),
    ):
        done = call("xlt", *words)
        assert done.returncode == 65 and said in done.stderr, done
    assert {path.name for path in study.iterdir()} == {"mystudy", "runs", "report"}


def test_what_only_reads_works_without_what_windows_lacks(study, call):
    page = study / "report" / "mystudy" / "index.html"
    shown = page.read_text()
    page.unlink()
    commands = [[name, "mystudy/study.yaml"] for name in ("status", "check", "report", "run")]
    done = call("python", "-c", f"{WINDOWS}print([cli.main(words) for words in [['list'], *{commands}]])")
    assert done.stdout.splitlines()[-1:] == ["[0, 0, 0, 0, 65]"], done.stdout + done.stderr
    assert "on Windows it runs in WSL" in done.stderr
    assert page.read_text() == shown
