"""The project's own files agree with each other, and the notebooks have the shape that readers rely on."""

import json
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
LONGEST = 12  # lines of code in a cell; the parameters cell is a list and may be longer


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
    assert set(wanted) - set(constraints) == {"torch"}  # which build of it is the machine's matter


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
    assert sorted(tags) == ["parameters", "record"]
    assert cells[0]["cell_type"] == "markdown" and "".join(cells[0]["source"]).startswith("# ")
    assert "**Question.**" in "".join(cells[0]["source"])
    assert cells[1]["metadata"]["tags"] == ["parameters"]
    assert cells[-1]["metadata"]["tags"] == ["record"]
    for cell in code:
        assert not cell["outputs"] and cell["execution_count"] is None, "notebooks are stored without outputs"
        lines = [line for line in "".join(cell["source"]).splitlines() if line.strip()]
        assert "parameters" in cell["metadata"].get("tags", []) or len(lines) <= LONGEST, lines[0]
        assert not re.search(r"^\s*(def|class) ", "".join(cell["source"]), re.M), "functions live in the package"
    assert not re.search(r"[\"'](/home|/work|/root|/tmp|C:\\)", path.read_text())
