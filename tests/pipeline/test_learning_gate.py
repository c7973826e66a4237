"""The gate: it holds the few cells that show whether a study learns in English, and no other. Runs that stop at it and
pass it are in test_scheduler.py."""

from types import SimpleNamespace

import pytest
from small_study import GOOD, grid, load

from xlt_utils import paths
from xlt_utils.pipeline.cell import runner, slurm
from xlt_utils.pipeline.engine import scheduler
from xlt_utils.pipeline.engine.learning_gate import gate_cells, judge_gate


def test_a_gate_whose_cells_fail_is_not_judged(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(paths, "RUNS", tmp_path)
    engine = SimpleNamespace(run=lambda *_: None, queue=slurm.Queue(tmp_path))  # every cell failed
    assert scheduler._pass_gate(load(tmp_path), grid(tmp_path), engine) == runner.RAISED
    assert "cannot be judged" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("gate", "start", "seed"), [("{}", "p1.6M", 0), ("{seed: 1, tokens: 100k}", "p100k", 1), ("", "p1.6M", 0)]
)
def test_the_gate_holds_the_trained_targets_and_each_arm_s_largest_rung(tmp_path, gate, start, seed):
    arms = "[{name: mnli, tasks: [mnli]}, {name: few, tasks: [qqp], examples: [512]}, \
{name: none, tasks: [mnli], labels: shuffled}]"
    text = GOOD.replace("[{name: mnli, tasks: [mnli]}]", arms).replace("udpos]", "tatoeba]")
    text += "  tasks_per_cell: 2\n  baseline_replicates: 2\n" + (f"gate: {gate}\n" if gate else "")
    cells = gate_cells(load(tmp_path, text), grid(tmp_path, text))
    rung = f"s{seed}-{start}"
    below = [f"s{seed}-p100k"] if start != "p100k" else []  # whose trunk the rung goes on from
    tuned = [f"{rung}-mnli-i512", f"{rung}-mnli-i4096", f"{rung}-few-i512"]
    assert [cell.slug for cell in cells] == [*below, rung, f"{rung}-2tasks", *tuned]


def test_a_study_without_training_has_nothing_to_ask(tmp_path):
    text = GOOD.replace("[sst, xnli, udpos]", "[tatoeba]").replace("[{name: mnli, tasks: [mnli]}]", "[]")
    study = load(tmp_path, text)
    cells = gate_cells(study, grid(tmp_path, text))
    assert cells == [] and judge_gate(study, cells).is_passed
