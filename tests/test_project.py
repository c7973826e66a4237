"""The project's own files agree with each other, and the notebooks have the shape that readers rely on."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import slurm_cluster
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
LONGEST = 12  # lines of code in a cell, imports left out; the parameters cell is a list and may be longer


def pins(text: str) -> dict[str, str]:
    return {name.lower(): version for name, version in re.findall(r"([A-Za-z0-9_.-]+)==([0-9][\w.]*)", text)}


def test_environment_and_constraints_have_the_versions_of_pyproject():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = pins(" ".join([*project["dependencies"], *project["optional-dependencies"]["test"]]))
    assert len(wanted) == len(project["dependencies"]) + len(project["optional-dependencies"]["test"])
    environment, constraints = (
        pins((ROOT / "environment.yml").read_text()),
        pins((ROOT / "constraints.txt").read_text()),
    )
    assert environment and environment.items() <= wanted.items()
    assert {name: constraints[name] for name in wanted if name in constraints} == {
        name: version for name, version in wanted.items() if name in constraints
    }
    for extra in ("slurm", "track"):
        assert pins(" ".join(project["optional-dependencies"][extra])).items() <= wanted.items()
    assert set(wanted) - set(constraints) == {"torch"}  # which build of it is the machine's matter


def test_continuous_integration_installs_the_packages_of_a_cluster():
    """Those that the cluster's test names where it skips; a machine that installs none still runs the other tests."""
    script = (ROOT / ".ci" / "run").read_text()
    packages = slurm_cluster.MISSING.split("apt-get install ")[1].rstrip(")")
    assert f'packages="{packages}"' in script and subprocess.run(["bash", "-n", ROOT / ".ci" / "run"]).returncode == 0
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(project["slurm"]) <= set(project["test"])


def test_pip_resolves_what_environment_names(tmp_path):
    """As conda has pip do it: from a file of requirements beside environment.yml and constraints.txt. What is installed
    here was resolved for pyproject.toml, so that pip needs no index, or says what contradicts what."""
    content = YAML(typ="safe").load(ROOT / "environment.yml")
    *packages, by_pip = content["dependencies"]
    assert content["channels"] == ["conda-forge"] and packages == ["python=3.11", "pip"]
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("\n".join(by_pip["pip"]))
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--no-index", "--no-build-isolation"]
    shutil.copy(ROOT / "constraints.txt", tmp_path)
    done = subprocess.run([*command, "-r", requirements], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^Would install xlt-utils-[\d.]+$", done.stdout, re.M), done.stdout


def test_environment_has_the_packages_that_the_study_is_built_on():
    environment = pins((ROOT / "environment.yml").read_text())
    for name in ("jupyterlab", "papermill", "torch", "transformers", "datasets", "seaborn", "pandas", "nbval"):
        assert name in environment


def test_the_four_notebooks_are_there():
    assert [path.stem for path in NOTEBOOKS][:4] == ["01_pretrain", "02_intermediate", "03_target", "04_report"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_have_the_house_shape(path):
    cells = json.loads(path.read_text())["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    tags = [tag for cell in code for tag in cell["metadata"].get("tags", [])]
    is_phase = path.stem[:2].isdigit()  # the others measure nothing, so they have nothing to record
    assert sorted(tags) == (["parameters", "record"] if is_phase else ["parameters"])
    assert cells[0]["cell_type"] == "markdown" and "".join(cells[0]["source"]).startswith("# ")
    assert "**Question.**" in "".join(cells[0]["source"])
    assert cells[1]["metadata"]["tags"] == ["parameters"]
    assert not is_phase or cells[-1]["metadata"]["tags"] == ["record"]
    for cell in code:
        assert not cell["outputs"] and cell["execution_count"] is None, "notebooks are stored without outputs"
        lines = [line for line in "".join(cell["source"]).splitlines() if line.strip()]
        lines = [line for line in lines if not line.startswith(("import ", "from "))]
        assert "parameters" in cell["metadata"].get("tags", []) or len(lines) <= LONGEST, lines
        assert not re.search(r"^\s*(def|class) ", "".join(cell["source"]), re.M), "functions live in the package"
    assert not re.search(r"[\"'](/home|/root|/tmp|/Users|C:\\)", path.read_text())


def test_libraries_draw_no_progress_bars_into_notebooks():
    code = "from xlt_utils import paths; import datasets, transformers.utils.logging as logging; "
    code += "print(datasets.are_progress_bars_disabled(), logging.is_progress_bar_enabled())"
    environment = {name: value for name, value in os.environ.items() if "PROGRESS_BARS" not in name}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.stdout.strip() == "True False", done.stderr


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_no_heading_of_a_notebook_is_empty(path):
    """Prose or code's output stands below each; the record's code shows nothing."""
    for cell in json.loads(path.read_text())["cells"]:
        lines = "".join(cell["source"]).strip().splitlines()
        assert cell["cell_type"] != "markdown" or lines[-1] != "## Record"


def test_every_study_file_is_valid_the_readmes_too(tmp_path):
    from xlt_utils.study import study_file

    readme = re.findall(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    assert len(readme) == 1
    (tmp_path / "readme.yaml").write_text(readme[0])
    for file in [tmp_path / "readme.yaml", *sorted((ROOT / "params").glob("*.yaml"))]:
        assert study_file.load_study(file).target.tasks


def test_the_readmes_commands_are_there():
    from xlt_utils import cli

    named = set(re.findall(r"`xlt (\w+)", (ROOT / "README.md").read_text(), re.M))
    (commands,) = [action for action in cli._parser("")._actions if action.choices]
    assert named == set(commands.choices)
    targets = set(re.findall(r"(?:^|`)make (\w+)", (ROOT / "README.md").read_text(), re.M))
    assert targets <= set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.M))


def lint_arrows(folder: Path) -> subprocess.CompletedProcess:
    """What import-linter says of the package in a folder."""
    command = [
        sys.executable,
        "-c",
        "from importlinter.cli import lint_imports_command as c; c()",
        "--no-logo",
        "--no-cache",
    ]
    environment = os.environ | {"PYTHONPATH": str(folder)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("file", "planted", "contract"),
    [
        ("reporting/tables.py", "from xlt_utils.pipeline.engine import status", "between rooms go one way BROKEN"),
        ("pipeline/cell/locks.py", "from xlt_utils.pipeline.archives import merge", "the pipeline, too BROKEN"),
        ("training/loop.py", "from xlt_utils.records import record", "Training knows neither"),
        ("study/schema.py", "import torch", "needs no torch BROKEN"),
    ],
)
def test_an_upward_import_breaks_the_contract(tmp_path, file, planted, contract):
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    package = shutil.copytree(ROOT / "xlt_utils", tmp_path / "xlt_utils", ignore=shutil.ignore_patterns("__pycache__"))
    (package / file).write_text((package / file).read_text() + f"\n\n{planted}\n")
    said = lint_arrows(tmp_path)
    assert said.returncode == 1 and contract in said.stdout


def test_no_test_file_is_too_long_to_read():
    lengths = {path.name: len(path.read_text().splitlines()) for path in (ROOT / "tests").rglob("*.py")}
    assert not {name: length for name, length in lengths.items() if length > 400}
