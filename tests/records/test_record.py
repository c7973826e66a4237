"""Records: whole or missing, tidy to read, and the same whoever ran the notebook."""

import json
import re
import zipfile

import numpy as np
import pytest
from pydantic import ValidationError

from xlt_utils import paths
from xlt_utils.records import run_hash
from xlt_utils.records.by_hand import ensure_run
from xlt_utils.records.record import (
    DamagedRecord,
    RecordFault,
    is_done,
    read_record,
    results_table,
    sealed,
    write_record,
)

ROW = {"task": "udpos", "language": "en", "metric": "f1", "value": 0.5, "n": 10}
GIVEN = {"study": "s", "seed": 0, "threads": 1}


def write(folder, **changes):
    given = {"coordinates": {"seed": 0, "tokens": 100}, "results": [ROW], **changes}
    return write_record(folder, "target", GIVEN, **given)


def test_what_is_written_is_read(tmp_path):
    curve = [{"name": "mlm", "step": 1, "loss": float("nan"), "learning_rate": np.float32(0.5)}]
    write(tmp_path, curves=curve, facts={"counts": np.arange(2)}, cost={"tokens": 5}, started=0.0)
    record = read_record(tmp_path)
    assert record.results[0].value == 0.5 and record.results[0].main
    assert record.curves[0].loss is None and record.curves[0].learning_rate == 0.5
    assert record.facts == {"counts": [0, 1]} and record.cost.tokens == 5
    assert record.coordinates.arm is None and record.coordinates.examples == 0
    assert record.started == "1970-01-01T00:00:00Z" and record.threads == 1
    assert json.loads((tmp_path / "record.json").read_text())["schema"] == run_hash.SCHEMA


@pytest.mark.parametrize("row", [{"value": 50.0}, {"value": float("nan")}, {"taks": "x"}, {"n": "many"}])
def test_a_row_of_another_shape_is_refused_and_leaves_nothing(tmp_path, row):
    with pytest.raises(ValidationError):
        write(tmp_path, results=[ROW | row])
    assert list(tmp_path.iterdir()) == []


def test_a_missing_or_cut_record_is_no_record(tmp_path):
    with pytest.raises(RecordFault, match=r"record\.json: no record"):
        read_record(tmp_path)
    path = write(tmp_path)
    hash = read_record(tmp_path).hash
    assert is_done(tmp_path, hash) and not is_done(tmp_path, "00000000")
    whole = path.read_bytes()
    for end in range(0, len(whole) - 2, 97):
        path.write_bytes(whole[:end])
        assert not is_done(tmp_path, hash)
    with pytest.raises(RecordFault, match="no valid record"):
        read_record(tmp_path)


def test_a_record_that_was_edited_is_named_with_both_digests_and_never_taken_for_missing(tmp_path):
    path = write(tmp_path)
    content = json.loads(path.read_text())
    path.write_text(json.dumps(dict(reversed(content.items()))))  # laid out otherwise, it holds the same
    assert read_record(tmp_path).sha256 == content["sha256"]
    path.write_text(path.read_text().replace("0.5", "0.6"))
    actual = sealed(json.loads(path.read_text()))["sha256"]
    for read in (read_record, lambda folder: is_done(folder, content["hash"])):
        with pytest.raises(DamagedRecord, match="edited or damaged; delete it and run the cell again") as fault:
            read(tmp_path)
        assert content["sha256"] in str(fault.value) and actual in str(fault.value) and str(path) in str(fault.value)


def test_a_record_says_which_processor_code_and_data_it_comes_from(tmp_path):
    content = {"phase": "target", "hash": "abcdef01", "parameters": GIVEN, "code": "c", "data": "d", "checkpoint": None}
    (tmp_path / "params.json").write_text(json.dumps(content))
    write(tmp_path)
    record = read_record(tmp_path)
    assert (record.code, record.data, record.checkpoint) == ("c", "d", None)
    assert record.machine and record.machine == read_record(write(tmp_path / "other").parent).machine


def test_the_hash_is_that_of_params_json_only_for_its_very_parameters(tmp_path):
    content = {"phase": "target", "hash": "abcdef01", "parameters": GIVEN}
    (tmp_path / "params.json").write_text(json.dumps(content))
    write(tmp_path)
    assert read_record(tmp_path).hash == "abcdef01"
    write_record(tmp_path, "target", GIVEN | {"seed": 1})
    assert read_record(tmp_path).hash != "abcdef01"


def test_inputs_are_named_with_their_hashes(tmp_path):
    write(tmp_path / "before")
    write(tmp_path / "after", inputs=[str(tmp_path / "before"), None])
    before, (source,) = read_record(tmp_path / "before"), read_record(tmp_path / "after").inputs
    assert source.model_dump() == {"folder": str(tmp_path / "before"), "hash": before.hash}


@pytest.mark.parametrize("study", ["real-scratch", "real-pretrained"])
def test_the_published_records_of_earlier_versions_are_read(tmp_path, study):
    with zipfile.ZipFile(paths.ROOT / "report" / study / "records.zip") as archive:
        for phase in paths.PHASES[:3]:
            name = next(name for name in archive.namelist() if re.match(rf"{phase}/.*/record\.json", name))
            record = read_record((tmp_path / archive.extract(name, tmp_path)).parent)
            assert (record.study, record.phase) == (study, phase) and record.seconds["work"] > 0


def test_the_table_is_tidy(tmp_path):
    write(tmp_path / "a", results=[ROW, ROW | {"language": "xa", "value": 0.25}])
    write(tmp_path / "b", coordinates={"seed": 1, "tokens": 5, "arm": "mnli", "examples": 7})
    table = results_table([tmp_path / "a", tmp_path / "b"])
    assert len(table) == 3 and table.columns.is_unique
    assert table.groupby("cell")["value"].sum().to_dict() == {"a": 0.75, "b": 0.5}
    assert list(table["examples"]) == [0, 0, 7]
    assert results_table([]).columns.tolist() == table.columns.tolist()


def test_a_missing_input_says_what_to_run(tmp_path):
    with pytest.raises(RecordFault, match="Run it first: xlt cell"):
        ensure_run(tmp_path / "none", "notebooks/01_pretrain.ipynb")


def test_paths_inside_the_project_are_stored_relative(tmp_path):
    assert paths.relative(paths.ROOT / "runs" / "x") == "runs/x" == paths.relative("runs/../runs/x")
    assert paths.relative(tmp_path) == str(tmp_path)
