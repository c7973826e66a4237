"""Files of earlier runs that are cut off, of another shape or another's: a message names them, or they count for
nothing; never a traceback, never a value read out of them."""

import json
from pathlib import Path

import pytest
import simulated
from small_study import load
from tiny_notebooks import RECORD, write_params

from xlt_utils import cli, paths
from xlt_utils.data import build_cache
from xlt_utils.files import attempt_files, read_json, write_json
from xlt_utils.pipeline.archives.archive import Archive, pack_records
from xlt_utils.pipeline.cell import runner
from xlt_utils.pipeline.engine import scheduler, status
from xlt_utils.pipeline.planning.plan import Plan
from xlt_utils.records.record import RecordFault, parse_record, read_record, write_record
from xlt_utils.reporting.findings import gather_findings, read_attempts
from xlt_utils.reporting.notebook_pages import write_notebook_pages
from xlt_utils.reporting.tables import cell_index, cost_table
from xlt_utils.study.cells import Cell

CUT = {
    "cut inside a letter": '{"study": "naïve'.encode()[:-3],
    "Latin-1": '{"study": "naïve"}'.encode("latin-1"),
    "a list": b"[]",
    "nested": b"[" * 100_000,
    "a number": b"1",
    "empty": b"",
}


@pytest.mark.parametrize("name", CUT)
def test_a_record_that_is_none_is_named(tmp_path, name):
    (tmp_path / "record.json").write_bytes(CUT[name])
    with pytest.raises(RecordFault, match=r"record.json: no valid record: the file"):
        read_record(tmp_path)


def test_a_folder_in_place_of_a_record_is_no_record(tmp_path):
    (tmp_path / "record.json").mkdir()
    with pytest.raises(RecordFault, match="no record"):
        read_record(tmp_path)


@pytest.mark.parametrize(
    ("field", "value"),
    [("study", "../../outside"), ("study", "/tmp/outside"), ("cell", "../x"), ("cell", ".x"), ("hash", "a/b")],
)
def test_names_in_a_record_are_names(tmp_path, field, value):
    content = read_json(write_record(tmp_path / "run", "pretrain", {"study": "s"}))
    content.pop("sha256")
    with pytest.raises(RecordFault, match=f"elsewhere.json: no valid record: {field}"):
        parse_record(json.dumps(content | {field: value}), "elsewhere.json")


@pytest.mark.parametrize(("field", "value"), [("task", "<b>"), ("language", "../en"), ("arm", "a/b")])
def test_names_of_places_and_scores_are_names(tmp_path, field, value):
    result = {"task": "sst", "language": "en", "metric": "accuracy", "value": 0.5, "n": 2}
    place = {"seed": 0, "tokens": 0, "arm": "mnli"}
    with pytest.raises(ValueError, match=field):
        write_record(
            tmp_path,
            "target",
            {},
            coordinates=place | ({"arm": value} if field == "arm" else {}),
            results=[result | ({} if field == "arm" else {field: value})],
        )


def test_attempts_of_another_shape_stop_no_cell_and_no_status(tmp_path):
    path = write_params(tmp_path / "cell", RECORD)
    attempts = path.parent / "attempts"
    (attempts / "01-old").mkdir(parents=True)
    write_json(attempts / "01" / "attempt.json", ["a list"])
    write_json(attempts / "02" / "executed.ipynb", ["a list"])
    (attempts / "02" / "attempt.json").write_bytes(CUT["nested"])
    cell = Cell("pretrain", "cell", "", {}, (), "12345678", str(path.parent))
    assert (
        status.cell_state(cell).kind == "missing" and runner._notebook_error(attempts / "02" / "executed.ipynb") == ""
    )
    assert runner.run_cell(path) == 0
    assert (attempts / "03" / "attempt.json").exists()
    assert status.cell_state(cell).kind == "done"


def test_attempts_are_those_that_a_runner_numbered(tmp_path):
    for number in ("01", "02-old", "100", "99"):
        write_json(tmp_path / "attempts" / number / "attempt.json", {"status": "failed", "error": number})
    assert [path.parent.name for path in attempt_files(tmp_path, "attempt.json")] == ["01", "99", "100"]
    cell = Cell("pretrain", "cell", "", {}, (), "12345678", str(tmp_path))
    assert status.cell_state(cell).error == "100" and read_attempts(tmp_path)[-1]["error"] == "100"


def test_a_folder_beside_the_attempts_is_not_published(tmp_path):
    run = tmp_path / "runs" / "pretrain" / "one-12345678"
    write_record(run, "pretrain", {"study": "s"})
    for name in ("01", "01-old"):
        write_json(run / "attempts" / name / "attempt.json", {})
    pack_records(tmp_path / "runs", [run], tmp_path / "records.zip")
    with Archive(tmp_path / "records.zip") as archive:  # which refuses files that it does not know
        assert len(archive.files) == 2


def test_a_folder_in_place_of_a_record_ends_a_cell_with_a_message(tmp_path, capsys):
    path = write_params(tmp_path / "cell", RECORD)
    (path.parent / "record.json").mkdir()
    assert cli.main(["cell", str(path)]) == 65
    assert f"{path.parent}/record.json: Is a directory; mend that" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["list", "nested", "Latin-1", "number"])
def test_what_a_page_reads_beside_records_may_be_of_another_shape(tmp_path, name):
    content = {"list": b"[1]", "number": b"1"}.get(name) or CUT[name]
    runs = simulated.study(tmp_path / "s", seeds=(0,), tokens=(0,), examples=(0, 256))
    attempt = runs[0] / "attempts" / "01"
    for file in (tmp_path / "s" / "plan.json", tmp_path / "s" / "run.json", attempt / "attempt.json"):
        file.write_bytes(content)
    (attempt / "executed.ipynb").write_bytes(content)
    findings = gather_findings(tmp_path / "s")
    assert findings.plan == {} and cost_table(findings)["attempts"].isna().any()
    (tmp_path / "pages").mkdir()
    write_notebook_pages(cell_index(findings), tmp_path / "pages")
    page = tmp_path / "pages" / f"{runs[0].name}.html"
    assert "The notebook cannot be read: " in page.read_text(encoding="utf-8")


@pytest.mark.parametrize("content", [["a list"], {"grid": "1"}, "half"])
def test_totals_of_another_shape_are_begun_anew(tmp_path, content):
    write_json(tmp_path / "run.json", content)
    plan = Plan("1", 2, *({} for _ in range(6)), wall_seconds=1.0)
    scheduler._write_run_totals(tmp_path, plan, began=0.0, done=3)
    assert read_json(tmp_path / "run.json")["cells_run"] == 3


def test_a_vocabulary_that_was_cut_is_built_again(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "RUNS", tmp_path)
    built = []

    def build(folder: Path) -> None:
        built.append(folder)
        (folder / "tokenizer.json").write_text("{'whole': 'vocabulary'}")

    def vocabulary() -> Path:
        return build_cache.build_once("vocabulary", {}, build, build_cache.__name__)

    folder = vocabulary()
    assert vocabulary() == folder and len(built) == 1
    (folder / "tokenizer.json").write_text("{'whole'")
    assert (vocabulary() / "tokenizer.json").read_text() == "{'whole': 'vocabulary'}" and len(built) == 2


def test_without_a_target_there_is_no_report_yet(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(paths, "RUNS", tmp_path / "runs")
    write_record(tmp_path / "runs" / "s" / "pretrain" / "one", "pretrain", {"study": "s"})
    with pytest.raises(FileNotFoundError, match="1 records, none of a target run"):
        gather_findings(tmp_path / "runs" / "s")
    assert scheduler.report_study(load(tmp_path), []) == runner.NO_RECORD
    assert "no target is done, so there is nothing to report" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--sentences", "0"], "--sentences 0: input should be greater than 0"),
        (["--bilingual", "1.5"], "--bilingual 1.5: input should be less than 1"),
        (["--seed", "-1"], "--seed -1: input should be greater than or equal to 0"),
    ],
)
def test_numbers_of_the_microworld_are_checked(tmp_path, options, said, capsys):
    assert cli.main(["microworld", str(tmp_path / "world"), *options]) == 65
    assert said in capsys.readouterr().err and not (tmp_path / "world").exists()


def test_a_submission_of_nested_brackets_is_no_json(tmp_path, capsys):
    for folder in ("predictions", "labels"):
        (tmp_path / folder / "xquad").mkdir(parents=True)
        (tmp_path / folder / "xquad" / "test-en.json").write_text("[" * 100_000)
    assert cli.main(["score", str(tmp_path / "predictions"), str(tmp_path / "labels")]) == 65
    assert "test-en.json: is no JSON" in capsys.readouterr().err
