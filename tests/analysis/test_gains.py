import numpy as np
import pandas as pd
import pytest
import simulated

from xlt_utils.analysis import bootstrap, gains, transfer_scores
from xlt_utils.analysis.intervals import false_discovery_rate
from xlt_utils.records.record import results_table


def test_gains_are_paired_by_seed(tmp_path):
    def truth(task, language, seed, tokens, examples):
        return 0.2 + 0.3 * seed + (0.05 if examples else 0)  # seeds differ by far more than the gain

    folders = simulated.study(tmp_path / "s", truth=truth, notebooks=False)
    scores = transfer_scores.normalised_scores(results_table(folders))
    assert np.allclose(gains.paired_gains(transfer_scores.zero_shot(scores))["gain"], 0.05)
    table = gains.gain_table(bootstrap.build_grid_samples(scores))
    assert np.allclose(table["gain"], 0.05) and (table["n"] == 2).all()
    assert len(table) == 4 * 3 * 2  # three targets and the mean of two of them, rungs of P, rungs of I above 0


def test_the_correction_is_the_textbook_one():
    # Benjamini and Hochberg: p times their number over their rank
    corrected = false_discovery_rate([0.03, 0.01, np.nan, 0.04, 0.02])
    assert corrected[[0, 1, 3, 4]] == pytest.approx([0.04] * 4) and np.isnan(corrected[2])
    assert false_discovery_rate([0.001, 0.5]) == pytest.approx([0.002, 0.5])
    assert np.isnan(false_discovery_rate([np.nan])).all()


def test_the_p_value_is_that_of_the_paired_test():
    rows = []
    for seed, gain in enumerate((0.05, 0.08, 0.11)):
        rows += [(seed, 0, "", 0, 0.3), (seed, 0, "mnli", 256, 0.3 + gain)]
    scores = pd.DataFrame(rows, columns=[*transfer_scores.PLACE, "score"])
    scores = scores.assign(task="sst", group="trained", language="de", value=0.5 + scores["score"] / 2, n=10**9)
    table = gains.gain_table(bootstrap.build_grid_samples(scores))
    # t = 0.08 / (0.03 / sqrt 3) = 4.6188 at two degrees of freedom
    assert table["p"].iloc[0] == pytest.approx(0.04381, abs=1e-4) and table["corrected"].iloc[0] == table["p"].iloc[0]
    assert gains.survivors_sentence(table).startswith("Of 1 gains at single places of the grid, 1 differ from 0")
    single = gains.gain_table(bootstrap.build_grid_samples(scores[scores["seed"] == 0]))
    assert single["p"].isna().all() and "none is tested" in gains.survivors_sentence(single)
