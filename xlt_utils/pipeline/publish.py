"""Published studies: the records of all cells, in one file beside the report. A finished study goes in, a folder comes
out, from which alone `xlt report FOLDER` renders the report again. The same records render the same values on every
machine, and the same bytes twice on one machine."""

import json
import os
import shutil
import zipfile
from pathlib import Path

from xlt_utils import paths
from xlt_utils.errors import Fault
from xlt_utils.pipeline import runner
from xlt_utils.records.record import is_done, read_record
from xlt_utils.records.run_hash import PROVENANCE
from xlt_utils.study import cells
from xlt_utils.study.schema import Study

ARCHIVE = "records.zip"
CELL_FILES = ("record.json", "attempts/*/attempt.json")  # neither weights nor predictions nor outputs
STUDY_FILES = ("plan.json", "run.json", PROVENANCE)
ENTRY_TIME = (1980, 1, 1, 0, 0, 0)  # one for all, so that the same records give the same bytes; the first zip allows


class NotPublished(Fault):
    """A study that is not done, or a folder that holds no published one."""


def publish_study(study: Study, grid: list[cells.Cell], kernel: str = "python3") -> int:
    """Pack a study's records into its report's folder, render the report from there, and return the exit code.

    Args:
        study: the study.
        grid: its cells.
        kernel: the name of a Jupyter kernel.

    Raises:
        NotPublished: a cell is not done.
    """
    missing = [cell for cell in grid if not is_done(cell.folder, cell.hash)]
    if missing:
        raise NotPublished(
            f"{study.name}: {len(missing)} of {len(grid)} cells are not done, the first {missing[0].phase} "
            f"{missing[0].name}; `xlt run` does them, and only a whole study is published"
        )
    folder = paths.REPORTS / study.name
    folder.mkdir(parents=True, exist_ok=True)
    cells.write_provenance(study)
    pack_records(paths.RUNS / study.name, [paths.resolve(cell.folder) for cell in grid], folder / ARCHIVE)
    return render_published(folder, kernel)


def pack_records(runs: Path, folders: list[Path], archive: Path) -> None:
    """Write the records of a study into one file; the same records give the same bytes.

    Args:
        runs: the folder of the study's runs, with its STUDY_FILES.
        folders: the run folders of its cells, below `runs`.
        archive: the file to write.
    """
    files = [file for folder in folders for pattern in CELL_FILES for file in folder.glob(pattern)]
    files += [runs / name for name in STUDY_FILES if (runs / name).exists()]
    unfinished = archive.with_name(f".{archive.name}")
    with zipfile.ZipFile(unfinished, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as packed:
        for file in sorted(files):
            entry = zipfile.ZipInfo(file.relative_to(runs).as_posix(), ENTRY_TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            packed.writestr(entry, _portable(file.read_text(encoding="utf-8")))
    os.replace(unfinished, archive)


def render_published(folder: str | Path, kernel: str = "python3") -> int:
    """Render a published study's report into its folder from the records there, and return the exit code.

    Args:
        folder: the folder of a published report.
        kernel: the name of a Jupyter kernel.

    Raises:
        NotPublished: the folder holds no records.zip, or a damaged one.
    """
    folder = Path(folder).absolute()
    runs = paths.RUNS / "published" / folder.name
    shutil.rmtree(runs, ignore_errors=True)
    done = unpack_records(folder, runs)
    study = read_record(done[0]).study
    cell = cells.render_cell(study, runs, folder, [paths.relative(run) for run in done], [])
    code = runner.run_cell(cells.write_params(cell), kernel)
    if code == runner.DONE:
        print(f"report: {folder / 'index.html'}")
    return code


def unpack_records(folder: Path, runs: Path) -> list[Path]:
    """Unpack a published study's records, and return the run folders.

    Args:
        folder: the folder of a published report.
        runs: the folder to unpack to.

    Raises:
        NotPublished: the folder holds no records.zip, or a damaged one.
    """
    try:
        with zipfile.ZipFile(folder / ARCHIVE) as packed:
            packed.extractall(runs)
    except FileNotFoundError:
        raise NotPublished(f"{folder}: no {ARCHIVE} in this folder; `xlt publish STUDY` writes one") from None
    except zipfile.BadZipFile as error:
        raise NotPublished(f"{folder / ARCHIVE}: {error}; `xlt publish STUDY` writes it anew") from None
    done = sorted(path.parent for path in runs.glob("*/*/record.json"))
    if not done:
        raise NotPublished(f"{folder / ARCHIVE}: no records in it; `xlt publish STUDY` writes it anew")
    return done


def _portable(text: str) -> str:
    """A record's text with the absolute paths among its parameters made relative to the project, wherever they stand in
    the text: another machine has the project elsewhere."""
    parameters = json.loads(text).get("parameters", {}).values()
    absolute = {value for value in parameters if isinstance(value, str) and os.path.isabs(value)}
    for path in sorted(absolute, key=len, reverse=True):
        text = text.replace(path, os.path.relpath(path, paths.ROOT))
    return text
