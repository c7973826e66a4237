"""The benchmarks run, and their results are complete: every number that they promise is present and finite."""

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "throughput.py"
NUMBERS = (
    "mlm_tokens_per_second_ratio",
    "mlm_tokens_per_second_ratio_bf16",
    "mlm_loss_ratio",
    "finetune_examples_per_second_ratio",
    "finetune_accuracy_difference",
    "matmul_utilisation",
    "ladder_cost_ratio",
    "ladder_independent_cost_ratio",
)


def faults(results: dict) -> list[str]:
    """The promised numbers that are missing or not finite, and the rungs without an interval."""
    wrong = [name for name in NUMBERS if not math.isfinite(results.get(name, math.nan))]
    rungs = results.get("ladder_independent_difference", [])
    wrong += [f"rung {rung['steps']}" for rung in rungs if not rung["low"] <= rung["mean"] <= rung["high"]]
    return wrong if rungs else [*wrong, "ladder_independent_difference"]


@pytest.mark.slow
def test_both_sides_give_every_number(tmp_path):
    file = tmp_path / "results.json"
    subprocess.run([sys.executable, SCRIPT, "--quick", "--json", file], check=True, capture_output=True, timeout=900)
    results = json.loads(file.read_text())
    assert faults(results) == []
    assert results["threads"] == 2
    for name in NUMBERS:
        assert faults(results | {name: math.nan}) == [name]
        assert faults({key: value for key, value in results.items() if key != name}) == [name]
    gap = [results["ladder_independent_difference"][0] | {"low": math.nan}]
    assert faults(results | {"ladder_independent_difference": gap}) == ["rung 2"]
    assert faults(results | {"ladder_independent_difference": []}) == ["ladder_independent_difference"]
