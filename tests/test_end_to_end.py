"""The whole study in its smallest form, as a user runs it: `xlt run`, a repeated run, and each notebook by the two
other ways, plain papermill and *Run all*, with the same result to the bit."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook
from ruamel.yaml import YAML

from xlt_utils import paths
from xlt_utils.records.record import read_record
from xlt_utils.study import cells, lock, study_file

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def tiny() -> Path:
    """The run folder of params/tiny.yaml after `xlt run`."""
    done = subprocess.run([BIN / "xlt", "run", ROOT / "params" / "tiny.yaml"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return paths.RUNS / "tiny"


def cell(tiny: Path, phase: str, start: str) -> dict:
    """The params.json of the cell whose name begins with `start`."""
    (folder,) = (tiny / phase).glob(f"{start}-????????")
    return json.loads((folder / "params.json").read_text(encoding="utf-8"))


def test_every_cell_has_its_record_and_the_report_stands(tiny):
    phases = {
        phase: len(list((tiny / phase).glob("*/record.json"))) for phase in ("pretrain", "intermediate", "target")
    }
    assert phases == {"pretrain": 2, "intermediate": 4, "target": 6}
    page = (paths.REPORTS / "tiny" / "index.html").read_text(encoding="utf-8")
    assert "udpos" in page and "tatoeba" in page


def test_a_repeated_run_does_nothing_and_is_quick(tiny):
    before = {path: path.stat().st_mtime_ns for path in tiny.rglob("record.json")}
    began = time.monotonic()
    done = subprocess.run([BIN / "xlt", "run", ROOT / "params" / "tiny.yaml"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert time.monotonic() - began < 15
    assert before == {path: path.stat().st_mtime_ns for path in tiny.rglob("record.json")}


def test_the_records_are_the_same_however_many_cells_run_at_a_time(tiny, tmp_path):
    """`tiny` ran as many at a time as there are cores; here four do."""

    def records(runs: Path) -> dict[str, dict]:
        fields = ("hash", "results", "curves", "cost", "facts", "threads")
        read = {
            path.parent.name: json.loads(path.read_text(encoding="utf-8")) for path in runs.glob("tiny/*/*/record.json")
        }
        return {
            name: {field: record[field] for field in fields}
            for name, record in read.items()
            if record["phase"] != "report"
        }

    expected = records(paths.RUNS)
    assert len(expected) == 12
    runs = tmp_path / "runs"
    runs.mkdir()
    os.symlink(paths.RUNS / "data", runs / "data")  # tokenized texts and examples: built once, read by all
    moved = os.environ | {"XLT_RUNS": str(runs), "XLT_REPORT": str(tmp_path / "report")}
    command = [BIN / "xlt", "run", ROOT / "params" / "tiny.yaml", "--jobs", "4"]
    done = subprocess.run(command, capture_output=True, text=True, env=moved)
    assert done.returncode == 0, done.stdout + done.stderr
    assert records(runs) == expected


def by_papermill(params: dict, folder: Path) -> None:
    parameters = folder / "parameters.json"  # JSON is YAML
    parameters.write_text(json.dumps(params["parameters"] | {"out": str(folder)}), encoding="utf-8")
    command = [
        BIN / "papermill",
        "--no-progress-bar",
        ROOT / params["notebook"],
        folder / "out.ipynb",
        "-f",
        parameters,
    ]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder)
    assert done.returncode == 0, done.stderr[-2000:]


def by_run_all(params: dict, folder: Path) -> None:
    notebook = load_notebook_node(str(ROOT / params["notebook"]))
    notebook = parameterize_notebook(notebook, params["parameters"] | {"out": str(folder)})
    NotebookClient(notebook, resources={"metadata": {"path": str(ROOT / "notebooks")}}).execute()
    nbformat.write(notebook, folder / "out.ipynb")


def xlt(*words) -> subprocess.CompletedProcess:
    return subprocess.run([BIN / "xlt", *words], capture_output=True, text=True)


def test_a_published_ladder_is_read_by_another_study_and_scores_the_same(tiny, tmp_path):
    """`xlt publish --checkpoints`, then the `checkpoints:` that its card prints, in a study of the same targets."""
    ladder, study = tmp_path / "ladder", tmp_path / "second.yaml"
    done = xlt("publish", ROOT / "params" / "tiny.yaml", "--checkpoints", ladder)
    assert done.returncode == 0, done.stderr
    card = (ladder / "README.md").read_text(encoding="utf-8")
    rows = json.loads((ladder / "ladder.json").read_text(encoding="utf-8"))["checkpoints"]
    assert [row["subfolder"] for row in rows] == ["seed-0/tokens-0", "seed-0/tokens-30k"]
    assert all(row["sha256"] in card for row in rows) and str(tmp_path) not in card

    (block,) = re.findall(r"```yaml\n(.*?)```", card, re.S)
    content = YAML(typ="safe").load(ROOT / "params" / "tiny.yaml")
    content |= {"name": "second", "intermediate": {"examples": [64], "arms": [], "warmup": 0}}
    content["pretrain"] = YAML(typ="safe").load(block.replace("OWNER/NAME", str(ladder)))
    YAML().dump(content, study)
    checked = xlt("check", study)
    assert checked.returncode == 0, checked.stderr
    grid = cells.expand_study(lock.pin(study_file.load_study(study), study))
    assert [cell.slug for cell in grid if cell.phase == "pretrain"] == ["s0-p0", "s0-p30k"]
    for run in (one for one in grid if "p30k" in one.slug):
        assert xlt("cell", cells.write_params(run)).returncode == 0
    record, expected = read_record(run.folder), read_record(cell(tiny, "target", "s0-p30k-2tasks")["parameters"]["out"])
    assert record.results == expected.results and {row.task for row in record.results} == {"udpos", "tatoeba"}


@pytest.mark.parametrize("way", [by_papermill, by_run_all])
@pytest.mark.parametrize(
    ("phase", "start"),
    [("pretrain", "s0-p30k"), ("target", "s0-p30k-mnli-i256-2tasks")],
)
def test_a_notebook_gives_the_same_result_however_it_is_run(tiny, tmp_path, way, phase, start):
    params = cell(tiny, phase, start)
    way(params, tmp_path)
    expected, record = read_record(params["parameters"]["out"]), read_record(tmp_path)
    for field in ("results", "curves", "coordinates", "cost", "facts", "hash"):
        assert getattr(record, field) == getattr(expected, field), field
    weights = Path("state/encoder/model.safetensors")
    if phase != "target":
        assert (tmp_path / weights).read_bytes() == (paths.resolve(expected.parameters["out"]) / weights).read_bytes()


def test_a_wrong_study_ends_before_any_kernel_with_all_its_faults(tmp_path):
    text = (ROOT / "params" / "tiny.yaml").read_text(encoding="utf-8")
    text = text.replace("name: tiny", "name: wrong").replace("tasks: [udpos, tatoeba]", "tasks: [udpoz, tatoeba]")
    text = text.replace("evaluation_examples: 50", "evaluation_exampels: 50")
    file = tmp_path / "wrong.yaml"
    file.write_text(text, encoding="utf-8")
    done = subprocess.run([BIN / "xlt", "run", file], capture_output=True, text=True)
    assert done.returncode == 65
    for word in ("wrong.yaml", "udpoz", "`udpos`", "evaluation_exampels", "`evaluation_examples`"):
        assert word in done.stderr, done.stderr
    assert not (paths.RUNS / "wrong" / "target").exists()


def test_a_rung_larger_than_the_data_ends_before_any_kernel(tmp_path):
    text = (ROOT / "params" / "tiny.yaml").read_text(encoding="utf-8").replace("name: tiny", "name: large")
    file = tmp_path / "large.yaml"
    file.write_text(
        text.replace("tokens: [0, 30k]", "tokens: [0, 30M]").replace("examples: [64, 256]", "examples: [900k]")
    )
    done = subprocess.run([BIN / "xlt", "run", file], capture_output=True, text=True)
    assert done.returncode == 65
    assert "900,000 examples need 900,000 of mnli in 'en', which has 20,000" in done.stderr, done.stderr
    assert not os.path.exists(paths.RUNS / "large" / "pretrain")
