import numpy as np
import pandas as pd
import pytest
import simulated

from xlt_utils.analysis import bootstrap, movements, transfer_scores
from xlt_utils.analysis.intervals import NO_INTERVAL, Interval
from xlt_utils.records.record import results_table


def scores_of(folder, truth) -> pd.DataFrame:
    runs = simulated.study(folder / "study", truth=truth, notebooks=False)
    return transfer_scores.normalised_scores(results_table(runs))


def test_near_languages_that_rise_more_do_so_in_the_difference(tmp_path):
    distances = {"de": 0.1, "fr": 0.2, "es": 0.6, "hi": 0.9}
    scores = scores_of(
        tmp_path, lambda task, language, seed, p, i: 0.2 + 0.3 * (p > 0) * (1 - distances.get(language, 0))
    )
    near, far = movements.near_and_far(scores["language"], distances)
    assert (near, far) == (["de"], ["hi"])
    difference = movements.movement(bootstrap.build_difference_sample(scores, near, far))
    assert difference.mean == pytest.approx(0.27 - 0.03) and difference.low <= 0.24 <= difference.high
    assert movements.movement(bootstrap.build_difference_sample(scores, near, ["xx"])) == NO_INTERVAL
    assert movements.near_and_far(["en", "de"], distances) == ([], [])


def test_the_gap_is_english_minus_the_mean_of_the_others(tmp_path):
    scores = scores_of(tmp_path, simulated.score)
    runs = transfer_scores.zero_shot(scores)
    others = sorted(set(scores["language"]) - {"en"})
    sample = bootstrap.build_difference_sample(scores[scores["group"] == "trained"], ["en"], others)
    expected = runs[runs["target"] == transfer_scores.TRAINED].groupby(bootstrap.CELL)["gap"].mean()
    assert np.allclose(sample.mean, expected)


def test_a_movement_is_the_last_rung_minus_the_first_of_the_same_seed(tmp_path):
    scores = scores_of(tmp_path, lambda task, language, seed, p, i: 0.1 + 0.3 * seed + p / 1e7)
    sample = bootstrap.build_grid_sample(scores, "sst")
    change = movements.movement(sample)
    assert movements.movement_ends(sample) == (0, 1_600_000)
    assert change.mean == pytest.approx(0.16) and change.n == 2
    assert movements.movement(sample.of_cells((sample.cells["tokens"] > 0).to_numpy())).mean == pytest.approx(0.15)
    assert movements.movement(sample.of_cells((sample.cells["tokens"] == 0).to_numpy())).n == 0


def test_a_movement_is_put_in_words_by_its_interval():
    assert movements.direction(Interval(0.02, -0.01, 0.05, 2)) == "do not differ from 0 (95 % CI)"
    assert movements.direction(Interval(0.2, 0.1, 0.3, 2)) == "rise (95 % CI above 0)"
    assert movements.direction(Interval(-0.2, -0.3, -0.1, 2)) == "fall (95 % CI below 0)"
    assert movements.direction(Interval(0.2, np.nan, np.nan, 1)) == "have no interval"
    assert movements.direction(NO_INTERVAL) == "were not measured"
