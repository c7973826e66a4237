import numpy as np
import pandas as pd

from xlt_utils.reporting.figures.runs import cost_by_phase, learning_curve


def test_the_loss_over_training_has_a_panel_per_curve_and_its_ends_in_the_title():
    curve = [{"name": "mlm", "step": step, "loss": 5 - step / 100} for step in range(0, 200, 10)]
    curve[3]["loss"] = None  # a loss that was no finite number
    figure = learning_curve(curve, unit="tokens", per_step=1000)
    assert "falls from" in figure.title and figure.data["tokens"].max() == 190_000
    nameless = [{"step": point["step"], "loss": point["loss"]} for point in curve]
    assert len(learning_curve(nameless).drawing.axes) == 1


def test_a_run_without_training_says_so():
    figure = learning_curve([])
    assert figure.title == "Nothing was trained" and figure.alt == "Training loss. Nothing was trained."


def test_overhead_is_what_is_not_work():
    costs = {"phase": ["pretrain", "target"], "planned": [5.0, np.nan], "work": [8.0, 1.0], "attempts": [10.0, np.nan]}
    figure = cost_by_phase(pd.DataFrame(costs))
    assert figure.title == "20% of the runs' time was overhead; planned 5 s, spent 11 s"
    assert "target: planned not known, work 1 s, overhead not known" in figure.alt
