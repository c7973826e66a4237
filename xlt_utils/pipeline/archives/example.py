"""A study's page as an example: with the executed notebooks of one chain, from pretraining to a target, for readers who
run nothing. A finished study goes in, a folder comes out. It holds no archive: a clone that has the example still runs
the study."""

import tempfile
from pathlib import Path

from xlt_utils import paths
from xlt_utils.pipeline.archives.archive import ARCHIVE, pack_records, unpack_all
from xlt_utils.pipeline.archives.publish import NotPublished
from xlt_utils.pipeline.cell import rendering
from xlt_utils.records.record import is_done, read_record
from xlt_utils.reporting.findings import executed_notebook
from xlt_utils.study import cells
from xlt_utils.study.schema import Study


def write_example(study: Study, grid: list[cells.Cell], folder: Path, kernel: str = "python3") -> int:
    """Render the page of a finished study into a folder, with the executed notebooks of `example_chain`, and return the
    exit code.

    Raises:
        NotPublished: a cell is not done, or the folder holds a published study.
    """
    if missing := [cell for cell in grid if not is_done(cell.folder, cell.hash)]:
        raise NotPublished(f"{study.name}: {len(missing)} of {len(grid)} cells are not done; `xlt run` does them")
    if (folder / ARCHIVE).exists() or folder == paths.REPORTS / study.name:
        raise NotPublished(f"{folder}: the folder of a published study or of its report; an example has one of its own")
    cells.write_provenance(study)
    runs = paths.RUNS / "published" / folder.name
    with tempfile.TemporaryDirectory(prefix="xlt-example-") as temporary:
        archive = Path(temporary, ARCHIVE)
        pack_records(paths.RUNS / study.name, [paths.resolve(cell.folder) for cell in grid], archive)
        done = unpack_all(archive, runs)
    for cell in example_chain(study, grid):
        notebook = executed_notebook(paths.resolve(cell.folder))
        if notebook is None:
            raise NotPublished(f"{cell.folder}: no executed notebook: its record came from an archive")
        place = runs / notebook.relative_to(paths.RUNS / study.name)
        place.parent.mkdir(parents=True, exist_ok=True)
        # where the project lies is nobody's matter
        text = notebook.read_text(encoding="utf-8").replace(f"{paths.ROOT}/", "")
        place.write_text(text, encoding="utf-8")
    (folder / "index.html").unlink(missing_ok=True)  # the same records with other notebooks have the same hash
    cell = cells.render_cell(study.name, runs, folder, [paths.relative(run) for run in done], [])
    return rendering.render(cell, kernel)


def example_chain(study: Study, grid: list[cells.Cell]) -> list[cells.Cell]:
    """A target cell of the first seed, after the first arm at its largest I and the largest P, with all cells that it
    goes on from, the first first."""
    targets = {cell.folder: read_record(cell.folder).coordinates for cell in grid if cell.phase == "target"}
    arms = [arm.name for arm in study.intermediate.arms]

    def rank(cell: cells.Cell) -> tuple:
        place = targets[cell.folder]
        assert place is not None  # a target's record has one
        arm = arms.index(place.arm) if place.arm else len(arms)
        return -study.seeds.index(place.seed), -arm, place.tokens, place.examples, -place.replicate

    last = max((cell for cell in grid if cell.phase == "target"), key=rank)
    chain = {last.folder, *(cell.folder for cell in last.upstream())}
    return [cell for cell in grid if cell.folder in chain]
