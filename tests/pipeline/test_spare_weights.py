"""Weights go once no planned cell goes on from them, and not before."""

import pytest
from machine_speed import MEASURED
from small_study import GOOD, load

from xlt_utils import paths
from xlt_utils.pipeline.archives import spare_weights
from xlt_utils.pipeline.archives.archive import ARCHIVE
from xlt_utils.pipeline.planning import plan
from xlt_utils.records.record import write_record
from xlt_utils.study import cells


@pytest.fixture
def grid(tmp_path, monkeypatch):
    """The cells of one seed; each that is trained left an encoder and a trunk."""
    monkeypatch.setattr(paths, "RUNS", tmp_path / "runs")
    monkeypatch.setattr(paths, "REPORTS", tmp_path / "report")
    grid = cells.expand_study(load(tmp_path, GOOD.replace("[0, 1]", "[0]")), "folder", "1")
    for cell in (cell for cell in grid if cell.phase != "target"):
        for weights in ("encoder", "trunk", "head/trunk"):
            (paths.resolve(cell.folder) / "state" / weights).mkdir(parents=True)
    return grid


def do(cell):
    cells.write_params(cell)
    write_record(cell.folder, cell.phase, cell.parameters)


def left(grid) -> set[str]:
    return {cell.slug for cell in grid if list((paths.resolve(cell.folder) / "state").glob("encoder"))}


def test_weights_stay_until_every_cell_that_goes_on_from_them_is_done(grid):
    trained = {cell.slug for cell in grid if cell.phase != "target"}
    for cell in grid:
        spare_weights.remove_spare_weights(grid)
        readers = {source.slug for other in grid if other != cell and not is_done(other) for source in other.inputs}
        assert readers <= left(grid) and {source.slug for source in cell.inputs} <= left(grid)
        do(cell)
    assert left(grid) < trained  # the first went on the way
    spare_weights.remove_spare_weights(grid)
    assert not left(grid) and not [*paths.RUNS.glob("**/trunk")]
    assert all(is_done(cell) for cell in grid)


def is_done(cell) -> bool:
    return (paths.resolve(cell.folder) / "record.json").exists()


def test_a_study_keeps_all_until_it_is_published_unless_its_file_decides(grid, tmp_path):
    silent, all_, needed = (load(tmp_path, text) for text in (GOOD, GOOD + "keep: all\n", GOOD + "keep: needed\n"))
    keeps = spare_weights.keeps_needed_only
    assert [keeps(silent), keeps(all_), keeps(needed)] == [False, False, True]
    (paths.REPORTS / silent.name).mkdir(parents=True)
    (paths.REPORTS / silent.name / ARCHIVE).touch()
    assert [keeps(silent), keeps(all_), keeps(needed)] == [True, False, True]


def test_what_is_kept_is_in_no_hash_and_in_the_plan(grid, tmp_path):
    silent, needed = (load(tmp_path, text) for text in (GOOD, GOOD + "keep: needed\n"))
    plans = []
    for study in (silent, needed):
        cells_of = cells.expand_study(study, "folder", "1")
        plans.append(plan.make_plan(study, cells_of, 2, MEASURED))
    assert plans[0].grid == plans[1].grid and sum(plans[0].bytes.values()) > sum(plans[1].bytes.values())
