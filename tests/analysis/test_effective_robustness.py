import numpy as np
import pandas as pd
import pytest
from simulated_grid import grid

from xlt_utils.analysis.effective_robustness import effective_robustness_table

P = {0: -0.5, 1000: 0.0, 4000: 0.5, 16000: 1.0}


def study(lift: float, **settings) -> pd.DataFrame:
    """English logits rise by the table P, the others' lie at 0.8 of them less 0.4, and with intermediate training
    (English up by 0.3) `lift` above that in share of right answers."""

    def share(logit):
        return 1 / (1 + np.exp(-logit))

    rows = grid(lambda p, i: 0, examples=(0, 1024), **settings)
    logits = rows["tokens"].map(P) + 0.3 * (rows["examples"] > 0)
    other = share(0.8 * logits - 0.4) + lift * (rows["examples"] > 0)
    noise = rows["value"] - 0.5
    value = np.where(rows["language"] == "en", share(logits), other) + noise
    return rows.assign(value=value, score=2 * value - 1)


@pytest.mark.parametrize("lift", [0.0, 0.1])
def test_the_number_is_the_distance_above_the_curve(lift):
    row = effective_robustness_table(study(lift, noise=1e-4)).iloc[0]
    assert row["effective"] == pytest.approx(2 * lift, abs=2e-3)  # in normalised score: chance is one half
    assert row["low"] <= row["effective"] <= row["high"] and row["n"] == 3
    assert (row["target"], row["arm"], row["examples"]) == ("sst", "mnli", 1024)


def test_the_truth_lies_in_the_interval_and_the_bytes_repeat():
    drawn = [effective_robustness_table(study(0.05, noise=0.02, state=state)).iloc[0] for state in range(20)]
    assert sum(row["low"] <= 0.1 <= row["high"] for row in drawn) >= 17
    rows = study(0.05, noise=0.02)
    assert effective_robustness_table(rows).to_csv() == effective_robustness_table(rows).to_csv()


def test_where_there_is_no_curve_the_note_has_the_reason():
    rows = study(0.1)
    assert "no English" in effective_robustness_table(rows[rows["language"] != "en"])["note"].iloc[0]
    assert "2 rungs" in effective_robustness_table(rows[rows["tokens"] < 4000])["note"].iloc[0]
    flat = rows.assign(value=rows["value"].where(rows["language"] != "en", 0.7))
    row = effective_robustness_table(flat).iloc[0]
    assert "do not differ" in row["note"] and np.isnan(row["effective"])
    assert effective_robustness_table(rows[rows["examples"] == 0]).empty
