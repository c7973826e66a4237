"""Files of earlier runs that are cut off, of another shape or another's: a message names them, or they count for
nothing; never a traceback, never a value read out of them."""

import json
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from small_study import load
from tiny_notebooks import RECORD, write_params

from xlt_utils import cli, paths
from xlt_utils.data import build_cache
from xlt_utils.files import read_json, write_json
from xlt_utils.pipeline import runner, scheduler, status
from xlt_utils.pipeline.plan import Plan
from xlt_utils.records.record import RecordFault, parse_record, read_record, write_record
from xlt_utils.reporting.findings import gather_findings
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
    (path.parent / "attempts" / "01-old").mkdir(parents=True)
    write_json(path.parent / "attempts" / "01" / "attempt.json", ["a list"])
    cell = Cell("pretrain", "cell", "", {}, (), "12345678", str(path.parent))
    assert status.cell_state(cell).kind == "missing"
    assert runner.run_cell(path) == 0
    assert (path.parent / "attempts" / "02" / "attempt.json").exists()
    assert status.cell_state(cell).kind == "done"


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


def test_what_a_full_disk_cut_off_is_built_again(tmp_path):
    """A limit on the size of files stands for the disk's end: the same call fails in a write."""
    code = "\n".join(
        [
            "import sys; from pathlib import Path; from xlt_utils import paths; from xlt_utils.data import build_cache",
            f"paths.RUNS = Path({str(tmp_path)!r})",
            "def build(folder): (folder / 'large').write_bytes(bytes(200_000))",
            "print(build_cache.build_once('corpus', {}, build, build_cache.__name__))",
        ]
    )

    def run(limit: int) -> subprocess.CompletedProcess:
        def limited() -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))

        return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, preexec_fn=limited)

    assert "File too large" in run(100_000).stderr
    whole = run(resource.RLIM_INFINITY)
    assert (Path(whole.stdout.strip()) / "large").stat().st_size == 200_000, whole.stderr


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
