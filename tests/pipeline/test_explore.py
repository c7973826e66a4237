"""Studies opened for the explorer, and what `xlt explore` starts: everything but JupyterLab itself."""

import json
import os
import shutil
import zipfile
from pathlib import Path

import pytest
import simulated

from xlt_utils import cli, paths
from xlt_utils.errors import Fault
from xlt_utils.pipeline.archives.archive import ARCHIVE
from xlt_utils.pipeline.results import explore
from xlt_utils.pipeline.results.explore import NothingToExplore, find_results, lab_command, open_studies, write_notebook


@pytest.fixture
def runs(tmp_path) -> Path:
    simulated.study(tmp_path / "runs" / "s", languages=("en", "de"), tasks=("sst",), notebooks=False)
    return tmp_path / "runs" / "s"


@pytest.fixture
def published(runs, tmp_path) -> Path:
    """The records of the study as an archive, in a folder as a published report's."""
    (tmp_path / "report").mkdir()
    with zipfile.ZipFile(tmp_path / "report" / ARCHIVE, "w") as packed:
        for path in sorted(runs.rglob("record.json")):
            packed.write(path, path.relative_to(runs).as_posix())
    return tmp_path / "report"


def test_runs_a_published_folder_and_an_archive_show_the_same(runs, published):
    copy = shutil.copy(published / ARCHIVE, runs.parent / "elsewhere.zip")
    studies = open_studies([runs, published, copy])
    assert len({study.name for study in studies}) == 3
    first, *others = (study.frame.drop(columns="study") for study in studies)
    for frame in others:
        assert frame.equals(first)


@pytest.mark.parametrize("missing", ["runs/no-such-study", "no-such.zip"])
def test_what_is_not_there_is_named(missing):
    with pytest.raises(NothingToExplore, match=Path(missing).name):
        open_studies([missing])


def test_a_folder_without_records_is_named(tmp_path):
    with pytest.raises(NothingToExplore, match=tmp_path.name):
        open_studies([tmp_path])
    with pytest.raises(NothingToExplore, match="no study was named"):
        open_studies([])


def test_a_damaged_archive_is_refused(published):
    file = published / ARCHIVE
    file.write_bytes(file.read_bytes()[:200])
    with pytest.raises(Fault, match=ARCHIVE):
        open_studies([published])


def test_a_study_file_leads_to_its_runs_else_to_what_was_published(monkeypatch, tmp_path):
    monkeypatch.setattr(paths, "RUNS", tmp_path / "runs")
    monkeypatch.setattr(paths, "REPORTS", tmp_path / "report")
    file = str(paths.ROOT / "params" / "tiny.yaml")
    with pytest.raises(NothingToExplore, match="xlt run"):
        find_results(file)
    (tmp_path / "report" / "tiny").mkdir(parents=True)
    (tmp_path / "report" / "tiny" / ARCHIVE).touch()
    assert find_results(file) == str(tmp_path / "report" / "tiny")
    simulated.study(tmp_path / "runs" / "tiny", seeds=(0,), tokens=(0,), notebooks=False)
    assert find_results(file) == str(tmp_path / "runs" / "tiny")


def test_a_copy_of_the_notebook_names_the_studies_and_differs_in_nothing_else(tmp_path):
    before = explore.NOTEBOOK.read_bytes()
    copy = write_notebook(["runs/a", "report/b"], tmp_path / "runs" / "explore")
    assert explore.NOTEBOOK.read_bytes() == before
    cells, own = (json.loads(text)["cells"] for text in (copy.read_text(), before))
    changed = [cell for cell, original in zip(cells, own, strict=True) if cell != original]
    assert [cell["source"] for cell in changed] == ['studies = ["runs/a", "report/b"]']


def test_jupyterlab_is_for_this_machine_and_asks_nobody_elsewhere(tmp_path):
    inside = lab_command(paths.ROOT / "runs" / "explore" / "s" / "explore.ipynb", browser=False)
    assert inside[inside.index("--ip") + 1] == "127.0.0.1" and "--no-browser" in inside
    assert f"--ServerApp.root_dir={paths.ROOT}" in inside
    assert "--LabApp.default_url=/lab/tree/runs/explore/s/explore.ipynb" in inside
    assert not [word for word in inside if "token" in word or "password" in word]  # Jupyter draws a token
    outside = lab_command(tmp_path / "a b" / "explore.ipynb")
    assert f"--ServerApp.root_dir={tmp_path / 'a b'}" in outside and "--no-browser" not in outside


def test_the_command_becomes_jupyterlab(monkeypatch, runs):
    started = []
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", "elsewhere")
    monkeypatch.setattr(os, "execv", lambda program, words: started.append((program, words)))
    assert cli.main(["explore", str(runs), "--no-browser"]) == 0
    ((program, words),) = started
    assert words[:3] == [program, "-m", "jupyterlab"] and "--no-browser" in words
    assert os.environ["JUPYTER_CONFIG_PATH"] == f"{explore.NOTEBOOK.parent}{os.pathsep}elsewhere"
    assert json.dumps([str(runs)]) in (paths.RUNS / "explore" / "s" / "explore.ipynb").read_text().replace("\\", "")


def test_what_cannot_be_opened_starts_nothing(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(os, "execv", lambda *words: pytest.fail("JupyterLab was started"))
    assert cli.main(["explore", str(tmp_path)]) == 65
    assert str(tmp_path) in capsys.readouterr().err
