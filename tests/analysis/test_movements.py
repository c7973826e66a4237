import numpy as np
import pandas as pd
import pytest
import simulated

from xlt_utils.analysis import movements, transfer_scores
from xlt_utils.analysis.intervals import t_interval
from xlt_utils.records.record import results_table


def scores_of(folder, truth) -> pd.DataFrame:
    runs = simulated.study(folder / "study", truth=truth, notebooks=False)
    return transfer_scores.normalised_scores(results_table(runs))


def test_near_languages_that_rise_more_do_so_in_the_movements(tmp_path):
    distances = {"de": 0.1, "fr": 0.2, "es": 0.6, "hi": 0.9}
    scores = scores_of(
        tmp_path, lambda task, language, seed, p, i: 0.2 + 0.3 * (p > 0) * (1 - distances.get(language, 0))
    )
    near, far = movements.near_and_far(scores["language"], distances)
    assert (near, far) == (["de"], ["hi"])
    assert np.allclose(movements.movement_by_seed(scores, near, ["udpos", "sst"]), 0.27)
    assert np.allclose(movements.movement_by_seed(scores, far, ["udpos"]), 0.03)
    assert movements.near_and_far(["en", "de"], distances) == ([], [])


def test_a_movement_is_the_last_rung_minus_the_first_of_the_same_seed(tmp_path):
    runs = transfer_scores.zero_shot(scores_of(tmp_path, lambda task, language, seed, p, i: 0.1 + 0.3 * seed + p / 1e7))
    movement = movements.target_movement(runs, "sst")
    assert movement.mean == pytest.approx(0.16) and movement.high - movement.low < 1e-9 and movement.n == 2
    assert movements.target_movement(runs[runs["tokens"] > 0], "sst").mean == pytest.approx(0.15)
    assert movements.target_movement(runs[runs["tokens"] == 0], "sst").n == 0


def test_a_movement_is_put_in_words_by_its_interval_and_then_by_the_seed_noise():
    few = t_interval([0.01, 0.03])
    assert "do not move" in movements.direction(few, noise=0.05)
    assert "more than twice" in movements.direction(few, noise=0.005)
    assert movements.direction(t_interval([0.2, 0.2001]), 0.05) == "rise (95 % CI above 0)"
    assert movements.direction(t_interval([-0.2, -0.2001]), 0.05) == "fall (95 % CI below 0)"


def test_seed_noise_is_the_pooled_deviation_within_cells(tmp_path):
    runs = transfer_scores.zero_shot(scores_of(tmp_path, lambda task, language, seed, p, i: 0.2 + 0.1 * seed + p / 1e7))
    assert movements.seed_noise(runs, "udpos") == pytest.approx(np.std([0, 0.1], ddof=1))
