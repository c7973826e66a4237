import numpy as np
import pandas as pd
import pytest
from simulated_grid import NOISE, SMALL, grid

from xlt_utils.analysis import bootstrap, proportionality, transfer_scores


def power(slope: float, gain: float):
    """A score that rises with P, and with I to the power `slope`, by `gain` at I = 16384."""
    return lambda p, i: 0.25 + 0.08 * np.log1p(p / 1000) + (gain * (i / 16384) ** slope if i else 0)


def sample_of(slope: float, gain: float, **settingss) -> bootstrap.GridSample:
    return bootstrap.build_grid_sample(grid(power(slope, gain), **settingss), "sst").of_arm("mnli")


def verdict_of(slope: float, gain: float, **settingss) -> str:
    return proportionality.judge_proportionality(sample_of(slope, gain, **settingss), "sst", "mnli").verdict


@pytest.mark.parametrize("slope", [0.3, 1.0, 1.5])
def test_without_noise_the_slope_is_the_true_one(slope):
    interval = proportionality.gain_slope(sample_of(slope, 0.2))
    assert (interval.mean, interval.low, interval.high) == pytest.approx((slope,) * 3, abs=0.011)


def test_a_rung_that_lost_by_chance_stays_in_the_fit():
    rows = grid(power(1, 0.2), noise=0.003)
    rows.loc[rows["examples"] == 256, "score"] -= 0.02
    interval = proportionality.gain_slope(bootstrap.build_grid_sample(rows, "sst").of_arm("mnli"))
    assert np.isfinite(interval.mean) and interval.low <= interval.mean <= interval.high


@pytest.mark.parametrize(
    ("slope", "gain", "verdict"),
    [
        (1.0, 0.2, "proportional"),
        (0.3, 0.2, "less than proportional"),
        (2.0, 0.2, "more than proportional"),
        (0.5, -0.2, "harmful"),
        (0.5, 0.0, "none"),
    ],
)
def test_verdicts_of_clear_cases(slope, gain, verdict):
    assert verdict_of(slope, gain, noise=0.002) == verdict
    assert verdict in proportionality.VERDICTS


def test_what_the_data_do_not_decide_is_undecided():
    assert verdict_of(0.5, 0.0, noise=0.1) == "undecided"
    assert verdict_of(1.0, 0.05, noise=0.02) == "undecided"
    assert verdict_of(1.0, 0.2, seeds=1) == "not testable"
    assert verdict_of(1.0, 0.2, examples=(0, 256), noise=0.002) == "undecided"
    bare = grid(power(1, 0.2), examples=(0,), noise=0.01)
    assert (
        proportionality.judge_proportionality(bootstrap.build_grid_sample(bare, "sst"), "sst", "mnli").verdict
        == "not testable"
    )
    assert proportionality.judge_all(bare) == []


def test_a_missing_cell_is_named_and_leaves_the_other_rungs_of_p():
    rows = grid(power(0.3, 0.2), noise=0.002)
    lost = rows[(rows["tokens"] != 1000) | (rows["examples"] != 256)]
    verdict = proportionality.judge_all(lost)[0]
    assert verdict.verdict == "less than proportional"
    assert "over the 3 of 4 rungs of P that are complete" in verdict.why and verdict.pairs == 15


def test_the_verdicts_of_a_study_have_the_means_first_and_the_same_bytes():
    rows = grid(power(0.3, 0.2), noise=0.002)
    both = pd.concat([rows, rows.assign(task="udpos")])
    verdicts = proportionality.judge_all(both)
    assert [verdict.target for verdict in verdicts] == [transfer_scores.TRAINED, "sst", "udpos"]
    assert verdicts == proportionality.judge_all(both)


@pytest.mark.slow
@pytest.mark.parametrize("settings", [{}, SMALL], ids=["3 seeds", "2 seeds"])
def test_the_true_slope_lies_in_the_interval_as_often_as_it_says(settings):
    truths = ((0.3, 0.15), (0.5, 0.2), (1.0, 0.2), (1.5, 0.2))
    slope_hits, gain_hits = 0, 0
    for state in range(200):
        slope, gain = truths[state % 4]
        sample = sample_of(slope, gain, state=state, **settings, **NOISE)
        slopes, gains = proportionality.gain_slope(sample), proportionality.largest_gain(sample)
        slope_hits += slopes.low <= slope <= slopes.high
        gain_hits += gains.low <= gain <= gains.high
    assert 0.90 <= slope_hits / 200 <= 0.99
    assert 0.90 <= gain_hits / 200 <= 0.99


@pytest.mark.slow
@pytest.mark.parametrize("settings", [{}, SMALL], ids=["3 seeds", "2 seeds"])
def test_a_null_effect_is_called_an_effect_in_at_most_seven_of_a_hundred(settings):
    verdicts = [verdict_of(1, 0, state=state, **settings, **NOISE) for state in range(200)]
    assert sum(verdict not in ("none", "undecided") for verdict in verdicts) <= 14
