"""The hash of the code that decides a result: it stands when code is explained, formatted or moved, and moves when
code computes something else."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_notebooks import write_notebook

from xlt_utils import code_hash

NOTEBOOKS = code_hash.PACKAGE.parent / "notebooks"
# A computing node may have another Python than the desk: those that pyenv has here and that the project supports.
OTHER_PYTHONS = [
    str(python)
    for python in Path.home().glob(".pyenv/versions/3.1[1-9].*/bin/python")
    if python.parents[1].name.split(".")[1] != str(sys.version_info.minor)
]
PHASES = {"pretrain": "01_pretrain", "intermediate": "02_intermediate", "target": "03_target", "report": "04_report"}


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A copy of the package, which is hashed in its place."""
    ignore = shutil.ignore_patterns("__pycache__")
    folder = shutil.copytree(code_hash.PACKAGE, tmp_path / "xlt_utils", ignore=ignore)
    monkeypatch.setattr(code_hash, "PACKAGE", folder)
    return folder


def hashes() -> dict[str, str]:
    return {phase: code_hash.notebook_code_hash(NOTEBOOKS / f"{name}.ipynb", phase) for phase, name in PHASES.items()}


def edit(path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_a_comment_a_docstring_and_formatting_change_no_hash(package):
    before = hashes()
    for path in package.rglob("*.py"):
        path.write_text("# a remark\n" + path.read_text() + '\n\n"""The end."""\n')
    edit(package / "training" / "loop.py", '"""The one training loop', '"""A training loop')
    edit(package / "data" / "decontaminate.py", "(text: str) -> str:", "(\n    text: str\n) -> str:")
    assert hashes() == before
    command = [sys.executable, "-m", "ruff", "format", "-q", "--line-length", "60", str(package)]
    assert subprocess.run(command).returncode == 0
    assert hashes() == before


def test_the_name_and_the_place_of_a_module_change_no_hash(package):
    before = hashes()
    (package / "training" / "resume.py").rename(package / "data" / "going_on.py")
    path = package / "training" / "loop.py"
    text = re.sub(r"^(from xlt_utils.training import .*), resume$", r"\1", path.read_text(), flags=re.M)
    path.write_text("from xlt_utils.data import going_on\n" + text.replace("resume.", "going_on."))
    assert hashes() == before
    path.write_text(path.read_text().replace("going_on.save_state", "going_on.load_weights"))
    assert hashes()["pretrain"] != before["pretrain"]


@pytest.mark.parametrize(
    ("file", "old", "new", "moved"),
    [
        ("training/loop.py", "position.step += 1", "position.step += 2", {"pretrain", "intermediate", "target"}),
        ("data/decontaminate.py", "text.casefold()", "text.lower()", {"pretrain", "intermediate", "target"}),
        ("evaluation/metrics.py", "2 * precision * recall", "3 * precision * recall", {"intermediate", "target"}),
        ("evaluation/submission.py", "100 * share", "10 * share", {"target"}),
        ("analysis/intervals.py", "LEVEL = 0.95", "LEVEL = 0.9", {"report"}),
        ("formatting.py", "0.0995", "0.095", {"report"}),
        ("reporting/templates/report.css", "color: var(--ink)", "color: red", {"report"}),
        ("reporting/findings.py", "ORIGIN_STEP = 10_000", "ORIGIN_STEP = 20_000", {"report"}),
        ("pipeline/archives/merge.py", "MOST_NAMED = 3", "MOST_NAMED = 4", set()),
        ("pipeline/cell/runner.py", "GRACE = 5.0", "GRACE = 6.0", set()),
        ("records/record.py", '"numpy"', '"scipy"', set()),
        ("study/cells.py", '"pretrain"', '"p"', set()),
        ("microworld/ccg.py", "import", "import", set()),
    ],
)
def test_an_operator_moves_the_hash_of_what_it_can_change_and_no_other(package, file, old, new, moved):
    before = hashes()
    edit(package / file, old, new)
    assert {phase for phase, value in hashes().items() if value != before[phase]} == moved


def test_two_functions_of_one_name_have_two_hashes(tmp_path, package):
    """A call of another module's function of the same name is another program."""
    (package / "data" / "first.py").write_text("def number():\n    return 1\n")
    (package / "data" / "second.py").write_text("def number():\n    return 2\n")
    for order in (("first", "second"), ("second", "first")):
        source = "from xlt_utils.data import first, second\n{}.number() - {}.number()".format(*order)
        write_notebook(tmp_path / f"{order[0]}.ipynb", source)
    first, second = (code_hash.notebook_code_hash(tmp_path / f"{name}.ipynb", "target") for name in ("first", "second"))
    assert first != second


def test_a_notebooks_code_counts_and_its_outputs_and_prose_do_not(tmp_path):
    file = tmp_path / "n.ipynb"
    before = code_hash.notebook_code_hash(write_notebook(file, "x = 1"), "target")
    text = file.read_text()
    output = '"outputs": [{"output_type": "stream", "name": "stdout", "text": "x"}]'
    file.write_text(text.replace('"outputs": []', output))
    assert code_hash.notebook_code_hash(file, "target") == before
    assert code_hash.notebook_code_hash(write_notebook(file, "x = 1  # one", ""), "target") == before
    assert code_hash.notebook_code_hash(write_notebook(file, "x = 2"), "target") != before


@pytest.mark.skipif(not OTHER_PYTHONS, reason="no other Python is installed by pyenv")
def test_the_hash_is_the_same_in_other_pythons():
    script = f"""
from pathlib import Path
from xlt_utils.code_hash import notebook_code_hash
from xlt_utils.records.run_hash import hash_run
for phase, name in {PHASES}.items():
    code = notebook_code_hash(Path({str(NOTEBOOKS)!r}, name + ".ipynb"), phase)
    print(hash_run(phase, {{"rate": 1e-4, "share": 0.1}}, code, "", []))
"""
    environment = {"PYTHONPATH": str(code_hash.PACKAGE.parent), "PYTHONDONTWRITEBYTECODE": "1"}
    runs = [
        subprocess.run([python, "-c", script], capture_output=True, text=True, check=True, env=environment)
        for python in (sys.executable, *OTHER_PYTHONS)
    ]
    assert len({run.stdout for run in runs}) == 1 and len(runs[0].stdout.split()) == len(PHASES)


def test_modules_are_reached_through_each_other_in_the_computing_rooms_alone(tmp_path):
    notebook = write_notebook(tmp_path / "n.ipynb", "%matplotlib inline\nfrom xlt_utils.evaluation import fine_tuning")
    reached = code_hash.reached_modules(notebook)
    assert {"evaluation.fine_tuning", "training.loop", "training.batches", "data.tasks"} <= reached
    assert {name.split(".")[0] for name in reached} == {"data", "training", "evaluation"}


def test_the_microworlds_code_is_hashed_without_its_comments(package):
    before = code_hash.room_code_hash("microworld")
    path = package / "microworld" / "ccg.py"
    path.write_text("# a remark\n" + path.read_text())
    assert code_hash.room_code_hash("microworld") == before
    path.write_text(path.read_text() + "\nMORE = 1\n")
    assert code_hash.room_code_hash("microworld") != before
