"""Whether what a study has made, and what it took from the hub, is still what was written. A grid or a lock file goes
in; a line comes out for every record, weight, table of predictions, archive or snapshot that is not, with what to
do."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from xlt_utils import paths
from xlt_utils.errors import Fault
from xlt_utils.files import damaged_files, sha256_of_file
from xlt_utils.pipeline.archives.archive import ARCHIVE, Archive
from xlt_utils.pipeline.cell.inputs import damaged_in_trunk
from xlt_utils.pipeline.cell.rendering import shown_by
from xlt_utils.records.record import RecordFault, read_record
from xlt_utils.study.cells import Cell, report_cell
from xlt_utils.study.lock import Lock, lines_as_bytes, read_lock
from xlt_utils.study.schema import Study

AGAIN = "`xlt run` trains its cell again as soon as another goes on from it"


def examine(study: Study, grid: list[Cell]) -> list[str]:
    """Read every record of a study's done cells, the weights and predictions beside it, and the archive and page of its
    report, compare them with the sha256 that they state, and return what is wrong and what mends it."""
    complaints = [line for cell in grid for line in _of_cell(cell)]
    return [*complaints, *_of_report(study, grid, is_whole=not complaints)]


def examine_snapshots(file: Path) -> list[str]:
    """Compare the snapshots and texts of a lock file that are here with the sha256 that it states, and return what is
    wrong and what mends it. What is gone may be: cells that are done need it no more."""
    lock = read_lock(file)
    if lock is None:
        return []
    damaged = [path for path, digest in _taken(lock) if path.is_file() and sha256_of_file(path) != digest]
    damaged += [path for path, digest in _texts(lock) if path.is_file() and _sha256_of_lines(path) != digest]
    return [
        # the bytes lie where the link of a snapshot leads to; without them the hub's client fetches them again
        f"{paths.relative(path)}: not the bytes of the sha256 in {file}\n"
        f"  delete {paths.relative(path.resolve())} and repeat `xlt mirror`"
        for path in damaged
    ]


def _taken(lock: Lock) -> Iterator[tuple[Path, str]]:
    """The files of a lock's snapshots, and their sha256."""
    for kind, rows in (("datasets", lock.datasets), ("models", lock.models)):
        for key, row in rows.items():
            folder = lock.snapshot_folder(kind, key.partition("@")[0], row.commit)
            yield from ((folder / name, held.sha256) for name, held in row.files.items())


def _texts(lock: Lock) -> Iterator[tuple[Path, str]]:
    """The files of a lock's texts, and the sha256 of their lines."""
    for row in lock.text:
        yield from ((paths.resolve(lock.folder) / part.file, part.sha256) for part in row.languages.values())


def _sha256_of_lines(file: Path) -> str:
    """The sha256 of a text's lines, as `xlt mirror` counts it; "" where the file cannot be read."""
    from pyarrow import parquet

    digest = hashlib.sha256()
    try:
        for batch in parquet.ParquetFile(file).iter_batches(10_000):
            digest.update(lines_as_bytes(batch.column(0).to_pylist()))
    except (OSError, ValueError):
        return ""
    return digest.hexdigest()


def _of_cell(cell: Cell) -> Iterator[str]:
    folder = paths.resolve(cell.folder)
    try:
        record = read_record(folder)
    except RecordFault as fault:
        if (folder / "record.json").exists():
            yield f"{fault}\n  `xlt run` runs the cell again"
        return
    except Fault as fault:
        yield str(fault)
        return
    # What is gone may be: weights that no cell needs are removed, and an archive brings records alone.
    encoder = (folder / "state" / "encoder").is_dir()
    predictions = (folder / "predictions.parquet").exists() or any(folder.glob("attempts/*/executed.ipynb"))
    is_here = {"state": encoder, "predictions.parquet": predictions}
    there = {name: digest for name, digest in record.files.items() if is_here[name.split("/")[0]]}
    for file in damaged_files(folder, there):
        mend = AGAIN if file.parent != folder else f"delete {paths.relative(folder)}/record.json and repeat `xlt run`"
        yield f"{paths.relative(file)}: missing, or not the bytes of the sha256 in its record\n  {mend}"
    for trunk in folder.glob("state/**/trunk"):
        for file in damaged_in_trunk(trunk):
            yield f"{paths.relative(file)}: missing, or not the bytes of the sha256 in its manifest\n  {AGAIN}"


def _of_report(study: Study, grid: list[Cell], is_whole: bool) -> Iterator[str]:
    archive, page = (paths.REPORTS / study.name / name for name in (ARCHIVE, "index.html"))
    if archive.exists():
        try:
            with Archive(archive) as opened:
                for name in opened.cells:
                    opened.record(name)
        except Fault as fault:
            yield f"{fault}\n  fetch it anew, or `xlt publish` writes it from the runs"
    if page.exists() and is_whole and shown_by(page) != report_cell(study, grid, set()).hash:
        yield f"{page}: shows other records, or was drawn by other code\n  `xlt report` renders it anew"
