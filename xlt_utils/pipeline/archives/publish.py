"""Published studies: the records of all cells, in one file beside the report. A finished study goes in, a folder comes
out, from which alone `xlt report FOLDER` renders the report again. The same records render the same values on every
machine, and the same bytes twice on one machine."""

from pathlib import Path

from xlt_utils import paths
from xlt_utils.errors import Fault
from xlt_utils.pipeline.archives import growth, spare_weights
from xlt_utils.pipeline.archives.archive import ARCHIVE, pack_records, unpack_all
from xlt_utils.pipeline.cell import rendering, runner
from xlt_utils.records.record import is_done, read_record
from xlt_utils.study import cells
from xlt_utils.study.schema import Study


class NotPublished(Fault):
    """A study that is not done, or whose records would replace others."""


def publish_study(study: Study, grid: list[cells.Cell], kernel: str = "python3", drop: bool = False) -> int:
    """Pack a study's records, those made here and those published before, into its report's folder, render the report
    from there, and return the exit code. Unless the study keeps all, its weights go: every cell is done.

    Args:
        study: the study.
        grid: its cells.
        kernel: the name of a Jupyter kernel.
        drop: whether records that were published before are left out where the study no longer has their cells.

    Raises:
        NotPublished: a cell is not done, or a published record would be left out.
    """
    folder = paths.REPORTS / study.name
    archived = growth.find_archived(study, grid)
    missing = [cell for cell in grid if cell.folder not in archived and not is_done(cell.folder, cell.hash)]
    if missing:
        raise NotPublished(
            f"{study.name}: {len(missing)} of {len(grid)} cells are not done, the first {missing[0].phase} "
            f"{missing[0].name}; `xlt run` does them, and only a whole study is published"
        )
    file, others = growth.left_out(study, grid)
    if others and not drop:
        raise NotPublished(
            f"{file}: {len(others)} records there are of cells that the study no longer has, the first {others[0]}; "
            "`xlt publish --drop` leaves them out, a study of another name is published beside them"
        )
    try:
        with growth.alone(study.name):
            for line in growth.take_archived(study, grid):
                print(f"{study.name}: {line}")
    except BlockingIOError:
        raise NotPublished(f"{study.name}: `xlt run` is at work; a study is published after it") from None
    folder.mkdir(parents=True, exist_ok=True)
    cells.write_provenance(study)
    pack_records(paths.RUNS / study.name, [paths.resolve(cell.folder) for cell in grid], folder / ARCHIVE)
    if others:
        print(f"{study.name}: {len(others)} records of cells that the study no longer has were left out")
    code = render_published(folder, kernel)
    if code == runner.DONE and spare_weights.keeps_needed_only(study):
        spare_weights.remove_spare_weights(grid)
    return code


def render_published(folder: str | Path, kernel: str = "python3") -> int:
    """Render a published study's report into its folder from the records there, and return the exit code.

    Args:
        folder: the folder of a published report.
        kernel: the name of a Jupyter kernel.

    Raises:
        Fault: the folder holds no records.zip, or a damaged one.
    """
    folder = Path(folder).absolute()
    runs = paths.RUNS / "published" / folder.name
    done = unpack_all(folder, runs)
    study = read_record(done[0]).study
    cell = cells.render_cell(study, runs, folder, [paths.relative(run) for run in done], [])
    return rendering.render(cell, kernel)
