"""The plan: a ladder costs its largest rung and the cooldowns; time is measured with this study's encoder."""

import json
from dataclasses import replace

import pytest
from headless import save_headless
from machine_speed import MEASURED
from small_study import GOOD, load

from xlt_utils import paths
from xlt_utils.files import write_json
from xlt_utils.formatting import duration
from xlt_utils.pipeline.planning import plan, speed
from xlt_utils.records.record import write_record
from xlt_utils.study import cells
from xlt_utils.training import seen_vocabulary

SMALL = GOOD.replace("vocabulary: 1k}", "vocabulary: 1k}\n  vocabulary_sample: 2k").replace("1.6M", "200k")


@pytest.fixture(scope="module")
def planned(world, tmp_path_factory):
    """A small study, its cells on the tests' world, and its plan."""
    study = load(tmp_path_factory.mktemp("plan"), SMALL)
    grid = cells.expand_study(study, world, "1")
    return study, grid, plan.make_plan(study, grid, 2)


def test_a_ladder_costs_its_largest_rung_and_the_cooldowns(planned):
    _, grid, expected = planned
    assert expected.cells == {"pretrain": 6, "intermediate": 12, "target": 18}
    assert expected.tokens["pretrain"] == 2 * (200_000 + 0.2 * 100_000)
    assert expected.examples["intermediate"] == pytest.approx(6 * (4096 + 0.2 * 512), abs=1)
    assert expected.examples["target"] == 18 * 3 * 1024 * 2
    by_cell = sum(expected.by_cell[cell.folder] for cell in grid)
    assert sum(expected.seconds.values()) == pytest.approx(by_cell, rel=0.01)


def test_a_missing_head_is_planned_once_a_ladder(world, vocabulary, tmp_path):
    """And once at P = 0, as the file asks for it."""
    heads = 2 * 2  # of two seeds
    start = save_headless("bert", vocabulary.tokenizer, tmp_path / "start")
    scratch = "{layers: 2, width: 32, heads: 2, vocabulary: 1k}"
    warmup = f"{{start: {start}}}\n  head_warmup: {{tokens: 300k}}"
    study = load(tmp_path, SMALL.replace(scratch, warmup))
    grid = cells.expand_study(study, world, "1")
    expected, brought = (
        plan.make_plan(study, grid, 2, replace(MEASURED, brings_head=brings_head)) for brings_head in (False, True)
    )
    assert expected.tokens["pretrain"] - brought.tokens["pretrain"] == heads * 300_000
    flops = heads * MEASURED.flops(300_000, 64, training=False, predicted=2 * 0.15)
    assert expected.flops["pretrain"] - brought.flops["pretrain"] == pytest.approx(flops)
    trained = heads * 300_000 * MEASURED.masked_token
    assert 0.3 * trained < expected.seconds["pretrain"] - brought.seconds["pretrain"] < trained


def test_time_and_flops_are_above_nothing_and_grow_with_the_work(planned):
    _, grid, expected = planned
    seconds = {cell.slug: expected.by_cell[cell.folder] for cell in grid}
    assert seconds["s0-p0"] < seconds["s0-p100k"]
    assert seconds["s0-p0-mnli-i512"] < seconds["s0-p0-mnli-i4096"]
    assert all(flops > 0 for flops in expected.flops.values())
    assert expected.wall_seconds > sum(expected.seconds.values()) / 2


def test_tasks_are_measured_alone_where_their_words_differ(planned, world, monkeypatch):
    monkeypatch.setattr(seen_vocabulary, "WORTHWHILE", 0)  # even a small embedding is cut to the rows of a task's words
    monkeypatch.setattr(seen_vocabulary, "LARGEST_SHARE", 1.0)
    monkeypatch.setattr(speed, "MEASURED_SECONDS", 0.0)
    task = speed.measure_speed(planned[0], str(world)).task
    assert all(task(name, 48, 4).step > 0 for name in ("udpos", "xnli"))


def test_what_takes_long_is_said_and_measured_no_more_than_it_must(planned, world, monkeypatch, capsys):
    calls: list[int] = []
    speed._seconds(lambda: calls.append(1))
    assert len(calls) == 2  # the first warms up
    monkeypatch.setattr(speed, "SLOW_SECONDS", 0.0)
    speed._seconds(lambda: calls.append(1))
    assert len(calls) == 3
    assert speed.measure_speed(planned[0], str(world)).task("udpos", 48, 4).step > 0
    assert capsys.readouterr().err == "demo: measuring what udpos costs on this machine\n"


def test_the_plan_of_a_run_is_made_once(planned, tmp_path, monkeypatch):
    study, grid, expected = planned
    monkeypatch.setattr(paths, "RUNS", tmp_path)
    monkeypatch.setattr(plan, "make_plan", lambda *_: expected)
    assert plan.plan_for_run(study, grid, 2) == expected
    assert json.loads((tmp_path / "demo" / "plan.json").read_text(encoding="utf-8"))["cells"] == expected.cells
    monkeypatch.setattr(plan, "make_plan", lambda *_: pytest.fail("made again"))
    assert plan.plan_for_run(study, grid, 2) == expected


def test_it_is_shown_by_phase_with_sums(planned):
    lines = plan.plan_text("demo", planned[2], 3).splitlines()
    assert lines[0].split() == ["demo", "cells", "tokens", "examples", "FLOPs", "disk", "core", "time"]
    assert lines[1].split()[:3] == ["pretrain", "6", "440k"] and lines[4].split()[:2] == ["all", "36"]
    assert ", 2 at a time, the report included" in lines[5] and lines[6].startswith("3 of the cells")


@pytest.mark.parametrize(("seconds", "text"), [(5, "5 s"), (90, "1:30 min"), (3599.6, "1:00 h"), (7_320, "2:02 h")])
def test_clock(seconds, text):
    assert duration(seconds) == text


def test_what_earlier_cells_took_around_their_notebooks_counts(planned, tmp_path, monkeypatch):
    study, grid, _ = planned
    monkeypatch.setattr(paths, "RUNS", tmp_path)
    grid = cells.expand_study(study, grid[0].parameters["data"], "1")
    assert plan._overhead_seconds(grid) == plan.CELL_OVERHEAD_SECONDS["warm"] + plan.NOTEBOOK_OVERHEAD_SECONDS
    for cell, seconds in zip(grid, (3.0, 5.0, 9.0), strict=False):
        cells.write_params(cell)
        write_record(cell.folder, cell.phase, cell.parameters)
        folder = paths.resolve(cell.folder)
        write_json(folder / "attempts" / "01" / "attempt.json", {"seconds": seconds})
    assert plan._overhead_seconds(grid) == pytest.approx(5.0 + plan.NOTEBOOK_OVERHEAD_SECONDS, abs=0.5)


def test_a_plan_for_a_machine_that_is_not_here_reads_nothing(tmp_path, monkeypatch):
    """XLM-R Base: 12 layers of width 768 and 250,002 tokens; 278 million weights (arXiv 1911.02116, table 8: 270M)."""
    monkeypatch.setattr(plan, "measure_speed", lambda *_: pytest.fail("the data were read"))
    start = "encoder: {start: FacebookAI/xlm-roberta-base}"
    text = SMALL.replace("encoder: {layers: 2, width: 32, heads: 2, vocabulary: 1k}\n  vocabulary_sample: 2k", start)
    study = load(tmp_path, text)
    grid = cells.expand_study(study, "nowhere", "1")
    slow, fast = (plan.make_plan(study, grid, 1, speed.assume_speed(study, rate)) for rate in (1e12, 1e14))
    assert speed.assume_speed(study, 1e12).weights == pytest.approx(278e6, rel=0.02)
    assert slow.flops == fast.flops and slow.wall_seconds > 5 * fast.wall_seconds
    assert slow.tokens["target"] == 18 * 3 * 1024 * 2 * 128  # as long as the study allows
    assert slow.seconds["pretrain"] > slow.flops["pretrain"] / 1e12
    other = load(tmp_path, text.replace("FacebookAI/xlm-roberta-base", "who/knows"))
    with pytest.raises(speed.UnknownShape, match="who/knows: its shape is known only of FacebookAI/xlm-roberta-base"):
        speed.assume_speed(other, 1e12)
