import numpy as np
import pandas as pd
import pytest
from simulated_grid import NOISE, SMALL, grid

from xlt_utils.analysis import bootstrap, proportionality, transfer_scores


def power(slope: float, gain: float):
    """A score that rises with P, and with I to the power `slope`, by `gain` at I = 16384."""
    return lambda p, i: 0.25 + 0.08 * np.log1p(p / 1000) + (gain * (i / 16384) ** slope if i else 0)


def of(slope: float, gain: float, **setting):
    return bootstrap.make_sample(grid(power(slope, gain), **setting), "sst").arm("mnli")


def word(slope: float, gain: float, **setting) -> str:
    return proportionality.proportionality(of(slope, gain, **setting), "sst", "mnli").verdict


@pytest.mark.parametrize("slope", [0.3, 1.0, 1.5])
def test_without_noise_the_slope_is_the_true_one(slope):
    found = proportionality.slope(of(slope, 0.2))
    assert (found.mean, found.low, found.high) == pytest.approx((slope,) * 3, abs=0.011)


def test_a_rung_that_lost_by_chance_stays_in_the_fit():
    rows = grid(power(1, 0.2), noise=0.003)
    rows.loc[rows["examples"] == 256, "score"] -= 0.02
    found = proportionality.slope(bootstrap.make_sample(rows, "sst").arm("mnli"))
    assert np.isfinite(found.mean) and found.low <= found.mean <= found.high


@pytest.mark.parametrize(
    ("slope", "gain", "wanted"),
    [
        (1.0, 0.2, "proportional"),
        (0.3, 0.2, "less than proportional"),
        (2.0, 0.2, "more than proportional"),
        (0.5, -0.2, "harmful"),
        (0.5, 0.0, "none"),
    ],
)
def test_verdicts_of_clear_cases(slope, gain, wanted):
    assert word(slope, gain, noise=0.002) == wanted
    assert wanted in proportionality.VERDICTS


def test_what_the_data_do_not_decide_is_called_so():
    assert word(0.5, 0.0, noise=0.1) == "undecided"
    assert word(1.0, 0.05, noise=0.02) == "undecided"
    assert word(1.0, 0.2, seeds=1) == "not testable"
    assert word(1.0, 0.2, examples=(0, 256), noise=0.002) == "undecided"
    bare = grid(power(1, 0.2), examples=(0,), noise=0.01)
    assert proportionality.proportionality(bootstrap.make_sample(bare, "sst"), "sst", "mnli").verdict == "not testable"
    assert proportionality.verdicts_by_pair(bare) == []


def test_a_missing_cell_is_said_and_leaves_the_other_rungs_of_p():
    rows = grid(power(0.3, 0.2), noise=0.002)
    lost = rows[(rows["tokens"] != 1000) | (rows["examples"] != 256)]
    found = proportionality.verdicts_by_pair(lost)[0]
    assert found.verdict == "less than proportional" and "over the 3 of 4 rungs of P that are whole" in found.why
    assert found.pairs == 15


def test_the_verdicts_of_a_study_have_the_means_first_and_the_same_bytes():
    rows = grid(power(0.3, 0.2), noise=0.002)
    both = pd.concat([rows, rows.assign(task="udpos")])
    found = proportionality.verdicts_by_pair(both)
    assert [verdict.target for verdict in found] == [transfer_scores.TRAINED, "sst", "udpos"]
    assert found == proportionality.verdicts_by_pair(both)


@pytest.mark.slow
@pytest.mark.parametrize("setting", [{}, SMALL], ids=["3 seeds", "2 seeds"])
def test_the_true_slope_lies_in_the_interval_as_often_as_it_says(setting):
    truths, held, gained = ((0.3, 0.15), (0.5, 0.2), (1.0, 0.2), (1.5, 0.2)), 0, 0
    for state in range(200):
        slope, gain = truths[state % 4]
        sample = of(slope, gain, state=state, **setting, **NOISE)
        found, moved = proportionality.slope(sample), proportionality.gain(sample)
        held += found.low <= slope <= found.high
        gained += moved.low <= gain <= moved.high
    assert 0.90 <= held / 200 <= 0.99
    assert 0.90 <= gained / 200 <= 0.99


@pytest.mark.slow
@pytest.mark.parametrize("setting", [{}, SMALL], ids=["3 seeds", "2 seeds"])
def test_a_null_effect_is_called_an_effect_in_at_most_seven_of_a_hundred(setting):
    words = [word(1, 0, state=state, **setting, **NOISE) for state in range(200)]
    assert sum(word not in ("none", "undecided") for word in words) <= 14
