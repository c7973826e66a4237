"""Published studies: the records beside a page are all that the page needs, on any machine."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import simulated

from xlt_utils import cli, paths
from xlt_utils.pipeline import publish
from xlt_utils.study import cells, study_file

ROOT = Path(__file__).parents[2]
KEPT = sorted(path.parent for path in (ROOT / "report").glob(f"*/{publish.ARCHIVE}"))


@pytest.fixture
def runs(tmp_path):
    """The folder of a study's runs and its finished run folders; one names its data by a full path."""
    folder = tmp_path / "runs"
    done = simulated.study(folder, seeds=(0,), tokens=(0,), examples=(0, 256))
    record = json.loads((done[0] / "record.json").read_text())
    place = f"{paths.ROOT.parent}/elsewhere/mirror"
    record["parameters"]["data"] = place
    record["facts"] = {"read": [f"xnli, in {place}"]}
    (done[0] / "record.json").write_text(json.dumps(record))
    (done[0] / "model.safetensors").write_bytes(b"weights")
    (folder / "plan.json").write_text("{}")
    return folder, done


def test_the_archive_holds_records_and_attempts_alone_with_relative_paths(runs, tmp_path):
    folder, done = runs
    archive = tmp_path / publish.ARCHIVE
    publish.pack_records(folder, done, archive)
    with zipfile.ZipFile(archive) as packed:
        text = {name: packed.read(name).decode() for name in packed.namelist()}
    own = {file for one in done for file in (one / "record.json", *one.glob("attempts/*/attempt.json"))}
    assert set(text) == {file.relative_to(folder).as_posix() for file in own} | {"plan.json"}
    assert not any(str(paths.ROOT.parent) in one for one in text.values() if "mirror" in one)
    record = json.loads(text[f"{done[0].relative_to(folder).as_posix()}/record.json"])
    assert record["parameters"]["data"] == "../elsewhere/mirror"
    assert record["facts"]["read"] == ["xnli, in ../elsewhere/mirror"]


def test_the_same_records_are_the_same_bytes(runs, tmp_path):
    folder, done = runs
    archives = [tmp_path / "one.zip", tmp_path / "other.zip"]
    publish.pack_records(folder, done, archives[0])
    os.utime(done[0] / "record.json", (1, 1))
    publish.pack_records(folder, done[::-1], archives[1])
    assert archives[0].read_bytes() == archives[1].read_bytes()


def test_only_a_whole_study_is_published():
    study = study_file.load_study(ROOT / "params" / "demo.yaml")
    grid = cells.expand_study(study, "microworld", "0")
    with pytest.raises(publish.NotPublished, match=f"demo: {len(grid)} of {len(grid)} cells are not done, the first"):
        publish.publish_study(study, grid)
    assert not (paths.REPORTS / "demo").exists()


def test_a_folder_without_whole_records_is_named(tmp_path, capsys):
    assert cli.main(["report", str(tmp_path)]) == 65
    assert f"{tmp_path}: no records.zip in this folder; `xlt publish STUDY` writes one" in capsys.readouterr().err
    (tmp_path / publish.ARCHIVE).write_bytes(b"PK half of one")
    assert cli.main(["report", str(tmp_path)]) == 65
    assert f"{tmp_path / publish.ARCHIVE}: " in capsys.readouterr().err


@pytest.mark.parametrize("kept", KEPT, ids=lambda path: path.name)
def test_the_committed_records_render_the_committed_report_to_the_byte(kept, tmp_path):
    folder = tmp_path / kept.name
    folder.mkdir()
    shutil.copy(kept / publish.ARCHIVE, folder)
    command = [sys.executable, "-m", "xlt_utils.cli", "report", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    drawn = {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}
    assert {Path("index.html"), Path("results.parquet")} < drawn and len(drawn) > 30
    ignored = {Path("results.csv")}  # results.parquet holds the same
    other = [str(name) for name in drawn - ignored if (folder / name).read_bytes() != (kept / name).read_bytes()]
    assert not other
