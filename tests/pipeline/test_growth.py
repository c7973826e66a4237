"""A study that grows: what an archive holds is not run again, halves from two machines are the whole, and weights that
are gone are made again where a new cell needs them. A real study, the smallest that has every phase."""

import shutil

import pandas as pd
import pytest
from machine import Machine

from xlt_utils.pipeline.archives.archive import ARCHIVE
from xlt_utils.records.record import read_record

pytestmark = pytest.mark.slow


def cells_of(seed: int) -> set[str]:
    arm = f"s{seed}-p0-mnli-i64"
    trained = {f"pretrain s{seed}-p0", f"intermediate {arm}"}
    return trained | {f"target s{seed}-p0-2tasks", f"target {arm}-2tasks"}


@pytest.fixture(scope="module")
def first(tmp_path_factory) -> Machine:
    """Seed 0 ran and was published; the runs are gone."""
    machine = Machine(tmp_path_factory.mktemp("first"))
    machine.xlt("run", machine.study("[0]"))
    machine.xlt("publish", machine.study("[0]"))
    assert not [*machine.folder.glob("runs/tiny/*/*/state/encoder")]  # published, so what no cell needs went
    shutil.copy(machine.published / ARCHIVE, machine.folder / "seed0.zip")
    shutil.rmtree(machine.folder / "runs" / "tiny")
    return machine


@pytest.fixture(scope="module")
def grown(first) -> Machine:
    """The same machine, after seed 1 was added to the file."""
    study = first.study("[0, 1]")
    assert "4 cells done from the archive" in first.xlt("status", study)
    assert "4 cells done from the archive" in first.xlt("run", study)
    return first


@pytest.fixture(scope="module")
def second(first, tmp_path_factory) -> Machine:
    """Another machine, to which seed 0's archive was copied and which ran seed 1; then it published seed 1 alone."""
    machine = Machine(tmp_path_factory.mktemp("second"))
    machine.published.mkdir(parents=True)
    shutil.copy(first.folder / "seed0.zip", machine.published / ARCHIVE)
    machine.xlt("run", machine.study("[0, 1]"))
    machine.grown = machine.values()
    (machine.published / ARCHIVE).unlink()
    machine.xlt("publish", machine.study("[1]"))
    return machine


def test_a_seed_that_is_added_runs_alone_and_the_report_has_both(grown):
    assert grown.executed() == cells_of(1)
    assert set(grown.values()["seed"]) == {0, 1}
    assert "8 of 8 cells" in grown.xlt("run", grown.study("[0, 1]")) and grown.executed() == cells_of(1)


def test_the_archive_does_the_same_on_another_machine(grown, second):
    assert second.executed() == cells_of(1)
    pd.testing.assert_frame_equal(second.grown, grown.values())


def test_two_machines_merged_give_the_page_of_one(grown, second, tmp_path):
    third = Machine(tmp_path / "third")
    third.published.mkdir(parents=True)
    archives = [str(grown.folder / "seed0.zip"), str(second.published)]
    assert "8 cells of tiny, seeds 0, 1" in third.xlt("merge", str(third.published), *archives)
    assert "8 cells done from the archive" in third.xlt("run", third.study("[0, 1]"))
    assert third.executed() == set()
    pd.testing.assert_frame_equal(third.values(), grown.values())
    assert third.words() == grown.words()


def test_weights_that_a_new_target_needs_are_made_again_with_the_same_result(second, tmp_path):
    machine = Machine(tmp_path / "later")
    study = machine.study("[1]", ("tasks: [udpos, tatoeba]", "tasks: [udpos, tatoeba, sst]"))
    archive = ["--records", str(second.published)]
    for command in ("plan", "status", "run"):
        text = machine.xlt(command, study, *archive)
        assert "2 cells of these trained again, because their weights are needed and gone: pretrain s1-p0" in text
    again = {"pretrain s1-p0", "intermediate s1-p0-mnli-i64"}
    assert machine.executed() == again | {"target s1-p0-sst", "target s1-p0-mnli-i64-sst"}
    assert "differs from its earlier record" not in text
    for folder in machine.folder.glob("runs/tiny/[pi]*/*"):
        before = read_record(second.folder / "runs" / "tiny" / folder.parent.name / folder.name)
        now = read_record(folder)
        assert (now.hash, now.results, now.curves) == (before.hash, before.results, before.curves)


def test_an_archive_of_other_cells_is_no_part_of_the_study(second, tmp_path):
    """Another setting is another hash: nothing counts as done."""
    machine = Machine(tmp_path / "other")
    study = machine.study("[1]", ("examples: 64\n  evaluation", "examples: 32\n  evaluation"))
    text = machine.xlt("status", study)
    assert "archive" not in text
