"""`xlt compare` on studies from run folders, a published folder and an archive."""

import shutil
import zipfile

import pandas as pd
import simulated

from xlt_utils import cli, paths
from xlt_utils.pipeline.archives.archive import ARCHIVE


def write_study(folder, **changes):
    simulated.study(folder, languages=("en", "de"), tasks=("sst",), tokens=(0,), notebooks=False, **changes)
    return folder


def test_runs_and_an_archive_are_compared_and_the_figure_is_written(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(paths, "REPORTS", tmp_path / "report")
    first, second = write_study(tmp_path / "one"), write_study(tmp_path / "two", seeds=(4, 5, 6))
    archive = tmp_path / ARCHIVE
    with zipfile.ZipFile(archive, "w") as packed:
        for path in sorted(second.rglob("record.json")):
            packed.write(path, path.relative_to(second).as_posix())
    assert cli.main(["compare", str(first), str(archive)]) == 0
    output = capsys.readouterr().out
    assert f"A  one: 2 seeds, data microworld, encoders from scratch ({first})" in output
    assert f"B  two: 3 seeds, data microworld, encoders from scratch ({archive})" in output
    folder = tmp_path / "report" / "compare" / "one+two"
    files = sorted(folder.iterdir())
    assert [file.suffix for file in files] == [".csv", ".png", ".svg"]
    assert all(f"written: {file}" in output for file in files)
    table = pd.read_csv(files[0])
    assert set(table["language"]) == {"others", "en", "de"} and set(table["examples"]) == {0, 256, 4096}
    shutil.rmtree(folder)
    assert cli.main(["compare", str(first), str(second), "--out", str(tmp_path / "elsewhere")]) == 0
    assert len(list((tmp_path / "elsewhere").iterdir())) == 3 and not folder.exists()


def test_what_cannot_be_compared_is_bad_input(tmp_path, capsys):
    first = write_study(tmp_path / "one")
    assert cli.main(["compare", str(first), str(tmp_path / "nowhere")]) == 65
    assert "nowhere" in capsys.readouterr().err
    other = write_study(tmp_path / "two", arms={"qqp": {"tasks": ["qqp"]}}, examples=(4096,))
    assert cli.main(["compare", str(first), str(other)]) == 65
    assert "no target is tested in the same language, arm, P and I in both studies" in capsys.readouterr().err
