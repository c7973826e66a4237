"""What a study has made and is no longer what was written: its sha256 tells, it is never read on, and the same command
makes it again. A real study, the smallest that has every phase."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import pytest
from machine import Machine
from processes import attempt
from small_study import GOOD, load
from tiny_notebooks import RECORD, write_params

from xlt_utils import paths
from xlt_utils.code_hash import notebook_code_hash
from xlt_utils.files import read_json, write_json
from xlt_utils.pipeline.archives import doctor, growth
from xlt_utils.pipeline.archives.archive import ARCHIVE, pack_records
from xlt_utils.pipeline.cell import rendering, runner
from xlt_utils.records.record import RecordFault, read_record, sealed, write_predictions, write_record
from xlt_utils.study import cells

RUNGS = ("examples: [64]", "examples: [64, 128]")


@pytest.fixture(scope="module")
def machine(tmp_path_factory) -> Machine:
    """A whole study with its page."""
    machine = Machine(tmp_path_factory.mktemp("damaged"))
    machine.xlt("run", machine.study("[0]", RUNGS))
    return machine


def cell(machine: Machine, name: str) -> Path:
    return next((machine.folder / "runs" / "tiny").glob(f"*/{name}-????????"))


def flip(file: Path) -> None:
    """Change one bit in the middle of a file."""
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def test_damaged_weights_are_made_again_by_the_command_that_needs_them(machine):
    study = str(machine.folder / "tiny.yaml")
    first, low, high = (cell(machine, name) for name in ("s0-p0", "s0-p0-mnli-i64", "s0-p0-mnli-i128"))
    targets = [cell(machine, name) for name in ("s0-p0-2tasks", "s0-p0-mnli-i128-2tasks")]
    before = {path: read_record(path).results for path in targets}
    flip(first / "state" / "encoder" / "model.safetensors")  # the target at I = 0 goes on from it
    (high / "state" / "encoder" / "config.json").unlink()
    flip(low / "state" / "trunk" / "tensors.safetensors")  # the larger rung goes on from it, and is trained again
    said = machine.xlt("doctor", study, code=65)
    assert "3 faults" in said and all(f"{path.name}/state/" in said for path in (first, low, high))
    for path in before:
        (path / "record.json").unlink()
    said = machine.xlt("run", study)
    assert "trained again, because their weights are needed and gone" in said and "6 of 6 cells done" in said
    assert not [*first.parents[1].glob("*/*/state/*.*")]  # nothing laid aside, or by halves, is left
    assert {path: read_record(path).results for path in before} == before
    assert "0 faults" in machine.xlt("doctor", study)


def test_the_doctor_finds_a_changed_record_and_cut_predictions(machine, tmp_path):
    study = str(machine.folder / "tiny.yaml")
    target = cell(machine, "s0-p0-2tasks")
    record, predictions = target / "record.json", target / "predictions.parquet"
    whole = record.read_text(), predictions.read_bytes()
    predictions.write_bytes(whole[1][:-9])
    said = machine.xlt("doctor", study, code=65)
    assert "predictions.parquet: missing, or not the bytes" in said and "record.json and repeat" in said
    predictions.write_bytes(whole[1])
    write_json(record, read_json(record) | {"threads": 64})
    assert "edited or damaged" in machine.xlt("doctor", study, code=65)
    record.write_text(whole[0])


def test_a_page_of_other_records_is_drawn_again(machine):
    study = str(machine.folder / "tiny.yaml")
    page = machine.published / "index.html"
    right = page.read_text(encoding="utf-8")
    machine.xlt("report", machine.study("[0]"))  # a study of one rung
    assert page.read_text(encoding="utf-8") != right
    machine.study("[0]", RUNGS)
    assert "shows other records" in machine.xlt("doctor", study, code=65)
    machine.xlt("report", study)
    assert 'name="shows"' in right and page.read_text(encoding="utf-8").split("<body>")[0] == right.split("<body>")[0]
    assert not [*page.parents[1].glob(".*")]  # nothing half written is left


def test_two_reports_at_once_leave_one_whole_page(machine):
    (machine.folder / "smaller").mkdir()
    smaller = shutil.move(machine.study("[0]"), machine.folder / "smaller")  # a study of one rung, of the same name
    with ThreadPoolExecutor() as pool:
        reports = [pool.submit(machine.xlt, "report", study) for study in (smaller, machine.study("[0]", RUNGS))]
    assert all("report: " in report.result() for report in reports)
    shown = rendering.shown_by(machine.published / "index.html")
    params = read_json(machine.folder / "runs" / "tiny" / "report" / f"tiny-{shown}" / "params.json")
    drawn = pd.read_parquet(machine.published / "results.parquet").folder.map(lambda folder: Path(folder).name)
    scored = {Path(path).name for path in params["parameters"]["cells"] if "/pretrain/" not in path}
    assert scored == set(drawn)
    assert not [*machine.published.parent.glob(".*")]  # nothing half written is left


@pytest.mark.parametrize("moment", ["before", "while"])
def test_code_that_changes_while_a_study_runs_makes_no_record(tmp_path, moment, capsys):
    edit = "import json; content = json.load(open(path)); content['cells'][1]['source'] += ' + 1'\n"
    edit += "with open(path, 'w') as file: json.dump(content, file)"
    notebook = tmp_path / "edited.ipynb"
    sources = [f"path = {str(notebook)!r}\n{edit}" if moment == "while" else "pass", RECORD]
    path = write_params(tmp_path / "edited", *sources)
    code = notebook_code_hash(notebook, "pretrain")
    write_json(path, read_json(path) | {"code": code if moment == "while" else "0" * 64})
    assert runner.run_cell(path) == runner.BAD_INPUT
    assert not (path.parent / "record.json").exists()
    assert "the code changed after `xlt run` began" in capsys.readouterr().err
    assert read_json(attempt(path) / "attempt.json")["status"] == "failed"


@pytest.fixture
def done(tmp_path, monkeypatch):
    """A study and its one target cell that is done: a record, predictions and what an attempt leaves."""
    monkeypatch.setattr(paths, "RUNS", tmp_path / "runs")
    monkeypatch.setattr(paths, "REPORTS", tmp_path / "report")
    study = load(tmp_path, GOOD)
    target = next(cell for cell in cells.expand_study(study, "folder", "1") if cell.phase == "target")
    cells.write_params(target)
    folder = paths.resolve(target.folder)
    write_predictions(folder, [{"task": "sst", "predicted": "negative"}])
    write_record(folder, "target", target.parameters)
    write_json(folder / "attempts" / "01" / "attempt.json", {"status": "done"})
    (folder / "attempts" / "01" / "executed.ipynb").touch()
    return study, target


def test_the_doctor_misses_predictions_where_the_cell_ran_and_not_where_an_archive_brought_its_record(done):
    study, target = done
    folder = paths.resolve(target.folder)
    (folder / "predictions.parquet").unlink()
    (complaint,) = doctor.examine(study, [target])
    assert f"{target.name}/predictions.parquet: missing" in complaint
    pack_records(paths.RUNS / study.name, [folder], paths.REPORTS / study.name / ARCHIVE)
    shutil.rmtree(folder)
    growth.take_archived(study, [target])
    assert (folder / "attempts" / "01" / "attempt.json").exists()
    assert doctor.examine(study, [target]) == []


@pytest.mark.parametrize("name", ["notes.txt", "../other/record.json", "/etc/hostname", "state/encoder/../../x"])
def test_a_record_promises_its_encoder_and_predictions_and_no_other_file(done, name):
    study, target = done
    path = paths.resolve(target.folder) / "record.json"
    write_json(path, sealed(read_json(path) | {"files": {name: "0" * 64}}))
    with pytest.raises(RecordFault, match="files"):
        read_record(path.parent)
    (complaint,) = doctor.examine(study, [target])
    assert complaint.startswith(f"{path}: no valid record: files")
