"""Whether what a study has made is still what was written. A grid goes in; out comes a line for every record, weight,
table of predictions and archive that is not, with what to do."""

from collections.abc import Iterator

from xlt_utils import paths
from xlt_utils.errors import Fault
from xlt_utils.files import damaged_files
from xlt_utils.pipeline.archive import ARCHIVE, Archive
from xlt_utils.pipeline.inputs import damaged_in_trunk
from xlt_utils.pipeline.rendering import shown_by
from xlt_utils.records.record import RecordFault, read_record
from xlt_utils.study.cells import Cell, report_cell
from xlt_utils.study.schema import Study

AGAIN = "`xlt run` trains its cell again as soon as another goes on from it"


def examine(study: Study, grid: list[Cell]) -> list[str]:
    """Read every record of a study's done cells, the weights and predictions beside it, and the archive and page of its
    report, compare them with the sha256 that they state, and return what is wrong and what mends it."""
    complaints = [line for cell in grid for line in _of_cell(cell)]
    return [*complaints, *_of_report(study, grid, is_whole=not complaints)]


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
