"""Weights that are gone: which done cells are trained again for whom, what is said of it, and what becomes of the
record that each had. Records of a small study's cells; what runs of it do is in test_growth.py."""

import json

import pytest
import simulated
from small_study import GOOD, load

from xlt_utils import cli, paths
from xlt_utils.pipeline.archives import growth, publish
from xlt_utils.pipeline.archives.archive import ARCHIVE, pack_records
from xlt_utils.pipeline.engine.status import status_text
from xlt_utils.records.record import is_done, read_record, sealed, write_record
from xlt_utils.study import cells

TEXT = GOOD.replace("seeds: [0, 1]", "seeds: [0]").replace("[sst, xnli, udpos]", "[sst]")


@pytest.fixture
def study(tmp_path, monkeypatch):
    """A study and its cells, none of which is done; runs and reports lie below the test's folder."""
    monkeypatch.setattr(paths, "RUNS", tmp_path / "runs")
    monkeypatch.setattr(paths, "REPORTS", tmp_path / "report")
    study = load(tmp_path, TEXT)
    return study, cells.expand_study(study, "folder", "1")


def finish(cell, *weights, value=0.5, machine=None):
    """Write a cell's record, and the named folders of its weights."""
    cells.write_params(cell)
    score = {"task": "sst", "language": "en", "metric": "accuracy", "value": value, "n": 400}
    write_record(cell.folder, cell.phase, cell.parameters, results=[score] if cell.phase == "target" else [])
    path = paths.resolve(cell.folder) / "record.json"
    content = json.loads(path.read_text()) | ({"machine": machine} if machine else {})
    path.write_text(json.dumps(sealed(content | {"seconds": {"work": 100.0}})))
    for name in weights:
        (paths.resolve(cell.folder) / "state" / name).mkdir(parents=True)


def by_slug(grid):
    return {f"{cell.phase} {cell.slug}": cell for cell in grid}


def slugs(found):
    return [f"{cell.phase} {cell.slug}" for cell in found]


def test_only_what_a_missing_cell_goes_on_from_is_trained_again_and_what_that_goes_on_from(study):
    _, grid = study
    place = by_slug(grid)
    for cell in grid:
        finish(cell)
    assert growth.trained_again(grid) == []  # nothing is missing, so no weights are needed
    (paths.resolve(place["target s0-p0-sst"].folder) / "record.json").unlink()
    assert slugs(growth.trained_again(grid)) == ["pretrain s0-p0"]
    # a rung goes on from the trunk of the one below and from the encoder of its checkpoint
    (paths.resolve(place["target s0-p1.6M-mnli-i4096-sst"].folder) / "record.json").unlink()
    chain = ["pretrain s0-p0", "pretrain s0-p100k", "pretrain s0-p1.6M"]
    chain += ["intermediate s0-p1.6M-mnli-i512", "intermediate s0-p1.6M-mnli-i4096"]
    assert slugs(growth.trained_again(grid)) == chain
    (paths.resolve(place[chain[1]].folder) / "state" / "encoder").mkdir(parents=True)  # without a trunk
    assert slugs(growth.trained_again(grid)) == chain
    (paths.resolve(place[chain[2]].folder) / "state" / "encoder").mkdir(parents=True)
    assert slugs(growth.trained_again(grid)) == [chain[0], *chain[3:]]
    line = growth.again_line(growth.trained_again(grid))
    assert "3 cells of these trained again, because their weights are needed and gone: pretrain s0-p0, inter" in line
    assert line.endswith("the first time they took 5:00 min of work")


def test_a_record_that_was_laid_aside_comes_back_unless_its_cell_was_trained(study):
    _, grid = study
    cell = grid[0]
    finish(cell)
    before = read_record(cell.folder)
    growth.set_aside([cell])
    assert not is_done(cell.folder, cell.hash)
    (paths.resolve(cell.folder) / "state" / "encoder").mkdir(parents=True)  # half of one, of a run that was killed
    assert growth.settle(grid, is_over=False) == [] and not is_done(cell.folder, cell.hash)
    assert growth.settle(grid) == [] and read_record(cell.folder) == before
    assert not (paths.resolve(cell.folder) / "state" / "encoder").exists()


@pytest.mark.parametrize(
    ("machine", "value", "is_warned"),
    [(None, 0.5, False), (None, 0.501, True), ("another", 0.501, False), ("another", 0.6, True)],
)
def test_a_cell_that_is_trained_again_with_another_result_is_warned_of_with_both_values(
    study, machine, value, is_warned
):
    _, grid = study
    cell = next(cell for cell in grid if cell.phase == "target")
    finish(cell)
    growth.set_aside([cell])
    finish(cell, value=value, machine=machine)
    lines = growth.settle(grid)
    assert len(lines) == is_warned and all(f"0.5 and {value}" in line and cell.name in line for line in lines)
    assert read_record(cell.folder).results[0].value == value
    assert not list(paths.resolve(cell.folder).glob("*before*"))


@pytest.fixture
def published(study):
    """The study after all its cells were published and its runs were lost: study, cells, archive."""
    study, grid = study
    for cell in grid:
        finish(cell)
        simulated.attempt(paths.resolve(cell.folder), "done", notebooks=False)
    file = paths.REPORTS / study.name / ARCHIVE
    pack_records(paths.RUNS / study.name, [paths.resolve(cell.folder) for cell in grid], file)
    (paths.RUNS / study.name).rename(paths.RUNS / "lost")
    return study, grid, file


def test_what_is_archived_counts_as_done_before_anything_is_unpacked(published):
    study, grid, file = published
    archived = growth.find_archived(study, grid)
    assert set(archived) == {cell.folder for cell in grid}
    text = status_text(study.name, grid, archived)
    assert "missing" in text.splitlines()[0] and f"{len(grid)} cells done from the archive {file}" in text
    assert not (paths.RUNS / study.name).exists()
    grown = load(file.parent, TEXT.replace("tasks: [sst]", "tasks: [sst, udpos]"))
    wider = cells.expand_study(grown, "folder", "1")
    text = status_text(study.name, wider, growth.find_archived(grown, wider))
    trained = sum(cell.phase != "target" for cell in grid)
    assert f"{trained} cells of these trained again" in text and "the first time they took" in text


def test_records_and_attempts_come_back_to_the_byte_and_fill_gaps_alone(published):
    study, grid, _ = published
    with growth.alone(study.name):
        finish(grid[0], value=0.9)
        kept = (paths.resolve(grid[0].folder) / "record.json").read_bytes()
        (line,) = growth.take_archived(study, grid)
        assert line.startswith(f"{len(grid) - 1} cells done") and growth.take_archived(study, grid) == []
    assert (paths.resolve(grid[0].folder) / "record.json").read_bytes() == kept
    assert all(is_done(cell.folder, cell.hash) for cell in grid)
    assert len(list(paths.RUNS.glob(f"{study.name}/*/*/attempts/01/attempt.json"))) == len(grid) - 1


def test_published_records_of_cells_that_are_gone_are_dropped_only_on_request(published):
    study, grid, file = published
    before = file.read_bytes()
    fewer = [cell for cell in grid if "p1.6M" not in cell.slug]
    with pytest.raises(publish.NotPublished, match=rf"{len(grid) - len(fewer)} records there are of cells.*--drop"):
        publish.publish_study(study, fewer)
    assert file.read_bytes() == before


def test_a_doctored_archive_ends_the_commands_that_need_it_with_65(published, tmp_path, capsys):
    study, grid, file = published
    with growth.alone(study.name):
        growth.take_archived(study, grid)
    record = paths.resolve(grid[0].folder) / "record.json"
    record.write_text(record.read_text().replace('"work": 100.0', '"work": 1.0'))
    pack_records(paths.RUNS / study.name, [paths.resolve(cell.folder) for cell in grid], file)
    (paths.RUNS / study.name).rename(tmp_path / "runs" / "doctored")
    with pytest.raises(ValueError, match=f"{file}, {grid[0].phase}/{grid[0].name}/record.json: .* edited or damaged"):
        growth.find_archived(study, grid)
    with growth.alone(study.name), pytest.raises(ValueError, match="edited or damaged"):
        growth.take_archived(study, grid)
    assert not list((paths.RUNS / study.name).glob("*/*"))
    assert cli.main(["merge", str(tmp_path / "out.zip"), str(file)]) == 65
    assert "edited or damaged" in capsys.readouterr().err


def test_what_an_archive_holds_of_other_data_is_said_and_runs_again(study, tmp_path):
    study, grid = study
    for cell in grid:
        finish(cell)
    folder = paths.REPORTS / study.name
    pack_records(paths.RUNS / study.name, [paths.resolve(cell.folder) for cell in grid], folder / ARCHIVE)
    assert growth.outdated_lines(study, grid) == []
    now = cells.expand_study(study, "folder", "2")
    assert growth.find_archived(study, now) == {}
    (line,) = growth.outdated_lines(study, now)
    assert line.startswith(f"{len(now)} missing cells in the archive") and "with other data" in line
