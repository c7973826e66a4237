import numpy as np
import pandas as pd
import pytest
import simulated

from xlt_utils.analysis import gains, transfer_scores
from xlt_utils.records.record import results_table


def test_gains_are_paired_by_seed(tmp_path):
    def truth(task, language, seed, tokens, examples):
        return 0.2 + 0.3 * seed + (0.05 if examples else 0)  # seeds differ by far more than the gain

    folders = simulated.study(tmp_path / "s", truth=truth, notebooks=False)
    runs = transfer_scores.zero_shot(transfer_scores.normalised_scores(results_table(folders)))
    table = gains.gain_table(gains.paired_gains(runs))
    assert np.allclose(table["gain"], 0.05) and np.allclose(table["high"] - table["low"], 0, atol=1e-9)
    assert (table["n"] == 2).all()


def test_holm_s_correction_is_the_textbook_one():
    # p values .01, .02, .03, .04 of one seed pair each give .04, .06, .06, .06
    corrected = gains._holm(pd.Series([0.03, 0.01, np.nan, 0.04, 0.02])).round(6)
    assert corrected.dropna().tolist() == [0.06, 0.04, 0.06, 0.06] and np.isnan(corrected[2])


def test_the_p_value_is_that_of_the_paired_test():
    rows = []
    for seed, gain in enumerate((0.05, 0.08, 0.11)):
        rows += [(seed, 0, "", 0, "sst", "trained", 0.3), (seed, 0, "mnli", 256, "sst", "trained", 0.3 + gain)]
    runs = pd.DataFrame(rows, columns=[*transfer_scores.PLACE, "target", "group", "zero_shot"])
    table = gains.gain_table(gains.paired_gains(runs))
    # t = 0.08 / (0.03 / sqrt 3) = 4.6188 at two degrees of freedom
    assert table["p"].iloc[0] == pytest.approx(0.04381, abs=1e-4) and table["holm"].iloc[0] == table["p"].iloc[0]
    assert gains.survivors_sentence(table).startswith("Of 1 gains at single places of the grid, 1 differ from 0")
    single = gains.gain_table(gains.paired_gains(runs[runs["seed"] == 0]))
    assert single["p"].isna().all() and "none is tested" in gains.survivors_sentence(single)
