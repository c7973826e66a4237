"""A study that can be read without its runs: beside its page lie the records of all its cells in one file.
From it alone, without data, checkpoints or run folders, `xlt report FOLDER` renders the page again, the same
bytes."""

import json
import os
import shutil
import zipfile
from pathlib import Path

from xlt_utils import paths
from xlt_utils.errors import Fault
from xlt_utils.pipeline import runner
from xlt_utils.records.record import is_done, read_record
from xlt_utils.study import cells
from xlt_utils.study.schema import Study

ARCHIVE = "records.zip"
KEPT = ("record.json", "attempts/*/attempt.json")  # of a run folder: neither weights nor predictions nor outputs
BESIDE = ("plan.json", "run.json")
WHEN = (1980, 1, 1, 0, 0, 0)  # the zip's own first day: the same records are the same bytes


class NotPublished(Fault):
    """A study that is not done, or a folder that holds no published one."""


def publish_study(study: Study, grid: list[cells.Cell], kernel: str = "python3") -> int:
    """Pack a study's records into its report's folder and render the report from there; return the exit code.

    Raises NotPublished when a cell is not done: a page that is kept says nothing of runs that may yet come.
    """
    left = [cell for cell in grid if not is_done(cell.folder, cell.hash)]
    if left:
        raise NotPublished(
            f"{study.name}: {len(left)} of {len(grid)} cells are not done, the first {left[0].phase} {left[0].name}; "
            "`xlt run` does them, and only a whole study is published"
        )
    folder = paths.REPORTS / study.name
    folder.mkdir(parents=True, exist_ok=True)
    pack_records(paths.RUNS / study.name, [paths.resolve(cell.folder) for cell in grid], folder / ARCHIVE)
    return render_published(folder, kernel)


def pack_records(runs: Path, folders: list[Path], archive: Path) -> None:
    """Write the records and attempts of run folders, and the plan of their study, into one file."""
    files = [file for folder in folders for pattern in KEPT for file in folder.glob(pattern)]
    files += [runs / name for name in BESIDE if (runs / name).exists()]
    unfinished = archive.with_name(f".{archive.name}")
    with zipfile.ZipFile(unfinished, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as packed:
        for file in sorted(files):
            entry = zipfile.ZipInfo(file.relative_to(runs).as_posix(), WHEN)
            entry.compress_type = zipfile.ZIP_DEFLATED
            packed.writestr(entry, _portable(file.read_text(encoding="utf-8")))
    os.replace(unfinished, archive)


def render_published(folder: str | Path, kernel: str = "python3") -> int:
    """Render a published study's report into its folder, from the records that lie there; return the exit code.

    Raises NotPublished when the folder holds no records.zip or a damaged one.
    """
    folder = Path(folder).absolute()
    runs = paths.RUNS / "published" / folder.name
    shutil.rmtree(runs, ignore_errors=True)
    try:
        with zipfile.ZipFile(folder / ARCHIVE) as packed:
            packed.extractall(runs)
    except FileNotFoundError:
        raise NotPublished(f"{folder}: no {ARCHIVE} in this folder; `xlt publish STUDY` writes one") from None
    except zipfile.BadZipFile as fault:
        raise NotPublished(f"{folder / ARCHIVE}: {fault}; `xlt publish STUDY` writes it anew") from None
    done = sorted(path.parent for path in runs.glob("*/*/record.json"))
    if not done:
        raise NotPublished(f"{folder / ARCHIVE}: no records in it; `xlt publish STUDY` writes it anew")
    study = read_record(done[0]).study
    cell = cells.render_cell(study, runs, folder, [paths.relative(one) for one in done], [])
    code = runner.run_cell(cells.write_params(cell), kernel)
    if code == runner.DONE:
        print(f"report: {folder / 'index.html'}")
    return code


def _portable(text: str) -> str:
    """A record's text with the absolute paths among its parameters made relative to the project, wherever they stand:
    whoever reads it has another machine."""
    given = json.loads(text).get("parameters", {}).values()
    for path in sorted({one for one in given if isinstance(one, str) and os.path.isabs(one)}, key=len, reverse=True):
        text = text.replace(path, os.path.relpath(path, paths.ROOT))
    return text
