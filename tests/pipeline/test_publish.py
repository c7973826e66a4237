"""Published studies: the records beside a page are all that the page needs, on any machine."""

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pandas as pd
import pytest
import simulated
from numpy._core import _multiarray_umath as umath

from xlt_utils import cli, paths
from xlt_utils.pipeline.archives import archive, publish
from xlt_utils.study import cells, study_file

ROOT = Path(__file__).parents[2]
# Pilots keep their archives alone, without a page.
KEPT = [
    path.parent
    for path in sorted((ROOT / "report").glob(f"*/{archive.ARCHIVE}"))
    if not path.parent.name.startswith("pilot-")
]


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
    for name in ("plan.json", "provenance.json"):
        (folder / name).write_text("{}")
    return folder, done


def test_the_archive_holds_records_and_attempts_alone_with_relative_paths(runs, tmp_path):
    folder, done = runs
    file = tmp_path / archive.ARCHIVE
    archive.pack_records(folder, done, file)
    with zipfile.ZipFile(file) as packed:
        text = {name: packed.read(name).decode() for name in packed.namelist()}
    own = {file for one in done for file in (one / "record.json", *one.glob("attempts/*/attempt.json"))}
    assert set(text) == {file.relative_to(folder).as_posix() for file in own} | {"plan.json", "provenance.json"}
    assert not any(str(paths.ROOT.parent) in one for one in text.values() if "mirror" in one)
    record = json.loads(text[f"{done[0].relative_to(folder).as_posix()}/record.json"])
    assert record["parameters"]["data"] == "../elsewhere/mirror"
    assert record["facts"]["read"] == ["xnli, in ../elsewhere/mirror"]


def test_the_same_records_are_the_same_bytes(runs, tmp_path):
    folder, done = runs
    archives = [tmp_path / "one.zip", tmp_path / "other.zip"]
    archive.pack_records(folder, done, archives[0])
    os.utime(done[0] / "record.json", (1, 1))
    archive.pack_records(folder, done[::-1], archives[1])
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
    (tmp_path / archive.ARCHIVE).write_bytes(b"PK half of one")
    assert cli.main(["report", str(tmp_path)]) == 65
    assert f"{tmp_path / archive.ARCHIVE}: " in capsys.readouterr().err


def render(kept: Path, folder: Path, **environment: str) -> Path:
    """A published study rendered from its records alone, in a process of this environment."""
    folder.mkdir(parents=True)
    shutil.copy(kept / archive.ARCHIVE, folder)
    command = [sys.executable, "-m", "xlt_utils.cli", "report", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | environment)
    assert done.returncode == 0, done.stderr
    return folder


def files_in(folder: Path) -> set[str]:
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    return names - {"results.csv"}  # results.parquet holds the same


def differences(rendered: Path, kept: Path) -> list[str]:
    """What two renderings of one study tell their reader differently: files, numbers of tables, words of the page."""
    if files_in(rendered) != files_in(kept):
        return sorted(files_in(rendered) ^ files_in(kept))
    different = []
    for name in sorted(files_in(kept)):
        if name.endswith(".csv"):
            tables = [pd.read_csv(folder / name) for folder in (rendered, kept)]
            try:
                pd.testing.assert_frame_equal(*tables, rtol=1e-5, atol=1e-6)
            except AssertionError as error:
                different.append(f"{name}: {error}")
    different += [
        name for name in ("results.parquet", archive.ARCHIVE) if bytes_of(rendered, name) != bytes_of(kept, name)
    ]
    # Pictures are compared by their data, which lie beside them as CSV; what code drew the page may differ.
    pages = [
        re.sub(r'"data:image[^"]*"|<meta name="shows"[^>]*>', "", (folder / "index.html").read_text())
        for folder in (rendered, kept)
    ]
    lines = zip(*(page.splitlines() for page in pages), strict=False)
    return different + [f"index.html: {one!r} for {other!r}" for one, other in lines if one != other][:3]


def bytes_of(folder: Path, name: str) -> bytes:
    return (folder / name).read_bytes()


def oldest_processor() -> dict[str, str]:
    """The environment in which numpy and OpenBLAS compute as on the oldest processor that they know."""
    known = [name for name in umath.__cpu_dispatch__ if umath.__cpu_features__.get(name)]
    return {"OPENBLAS_CORETYPE": "Prescott", "NPY_DISABLE_CPU_FEATURES": " ".join(known)}


OLDEST = oldest_processor()
*LARGER, SMALL = sorted(KEPT, key=lambda path: -(path / archive.ARCHIVE).stat().st_size)


@pytest.mark.parametrize("kept", LARGER, ids=lambda path: path.name)
def test_the_committed_records_render_the_committed_values_on_another_processor(tmp_path, kept):
    rendered = render(kept, tmp_path / kept.name, OPENBLAS_CORETYPE="Haswell")
    assert {"index.html", "results.parquet", "fits.csv"} < files_in(rendered) and len(files_in(rendered)) > 30
    assert not differences(rendered, kept)


def test_the_oldest_processor_renders_the_committed_values_and_the_same_bytes_twice(tmp_path):
    once, again = (render(SMALL, tmp_path / name / SMALL.name, **OLDEST) for name in ("once", "again"))
    assert not differences(once, SMALL)
    assert files_in(once) == files_in(again)
    assert not [name for name in files_in(once) if bytes_of(once, name) != bytes_of(again, name)]


def test_a_number_that_differs_is_seen(tmp_path):
    kept = KEPT[0]
    changed = shutil.copytree(kept, tmp_path / kept.name)
    fits = pd.read_csv(changed / "fits.csv")
    fits.loc[0, "residual"] += 2e-6  # the tables are the same to a millionth
    fits.to_csv(changed / "fits.csv", index=False)
    page = (changed / "index.html").read_text()
    (changed / "index.html").write_text(page.replace("<h1", "<h1 class='other'", 1))
    assert [text.split(":")[0] for text in differences(changed, kept)] == ["fits.csv", "index.html"]
