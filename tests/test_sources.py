"""What a notebook is made of: declared parameters, and all modules that can change its result."""

import shutil

import pytest
from tiny_notebooks import write_notebook

from xlt_utils import paths, sources


def test_parameters_are_read_with_defaults_and_types(tmp_path):
    text = 'a = 1  # a number\nb: str | None = None\nc = [1.5, "x"]\nd = -2e-3  # type: float|None'
    declared = sources.declared(write_notebook(tmp_path / "n.ipynb", parameters=text))
    assert {name: (one.default, one.annotation) for name, one in declared.items()} == {
        "a": (1, None),
        "b": (None, "str | None"),
        "c": ([1.5, "x"], None),
        "d": (-0.002, "float|None"),
    }


def test_only_plain_literals_are_parameters(tmp_path):
    with pytest.raises(ValueError, match=r"n.ipynb: `a = len\('x'\)`"):
        sources.declared(write_notebook(tmp_path / "n.ipynb", parameters="a = len('x')"))


def test_modules_are_found_through_each_other_and_machinery_is_left_out(tmp_path):
    notebook = write_notebook(
        tmp_path / "n.ipynb", "%matplotlib inline\nfrom xlt_utils import transfer, records, figures"
    )
    found = sources.modules(notebook)
    assert {"transfer", "train", "batches", "encoders", "data", "tasks"} <= set(found)
    assert not {"records", "cells", "runner", "figures", "study"} & set(found)
    assert any(name.startswith("microworld.") for name in found)


def test_the_code_changes_with_cells_and_modules_and_not_with_outputs(tmp_path):
    file = tmp_path / "n.ipynb"
    before = sources.code(write_notebook(file, "from xlt_utils import metrics"), "target")
    text = file.read_text()
    file.write_text(
        text.replace('"outputs": []', '"outputs": [{"output_type": "stream", "name": "stdout", "text": "x"}]')
    )
    assert sources.code(file, "target") == before
    assert sources.code(write_notebook(file, "from xlt_utils import metrics #"), "target") != before
    assert sources.code(write_notebook(file, "from xlt_utils import tasks"), "target") != before


def test_the_report_depends_on_what_draws_it(tmp_path):
    notebook = write_notebook(tmp_path / "n.ipynb", "from xlt_utils import figures")
    assert sources.code(notebook, "report") != sources.code(notebook, "target")


@pytest.mark.parametrize("notebook", sorted((paths.ROOT / "notebooks").glob("0*.ipynb")), ids=lambda path: path.stem)
def test_the_notebooks_declare_their_parameters(notebook):
    assert {"study", "out"} <= set(sources.declared(notebook))


def test_a_template_decides_the_report_and_nothing_else(tmp_path, monkeypatch):
    notebook = sources.PACKAGE.parent / "notebooks" / "04_report.ipynb"
    before = {phase: sources.code(notebook, phase) for phase in ("target", "report")}
    monkeypatch.setattr(sources, "PACKAGE", shutil.copytree(sources.PACKAGE, tmp_path / "xlt_utils"))
    assert before == {phase: sources.code(notebook, phase) for phase in before}
    (tmp_path / "xlt_utils" / "report.html.jinja").write_text("another page")
    assert sources.code(notebook, "target") == before["target"]
    assert sources.code(notebook, "report") != before["report"]
