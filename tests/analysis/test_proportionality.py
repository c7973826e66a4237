import numpy as np
import pandas as pd
import pytest
from simulated_grid import NOISE, SMALL, grid

from xlt_utils.analysis import bootstrap, proportionality, transfer_scores
from xlt_utils.analysis.intervals import Interval


def power(slope: float, gain: float):
    """A score that rises with P, and with I to the power `slope`, by `gain` at I = 16384."""
    return lambda p, i: 0.25 + 0.08 * np.log1p(p / 1000) + (gain * (i / 16384) ** slope if i else 0)


def sample_of(slope: float, gain: float, **settingss) -> bootstrap.GridSample:
    return bootstrap.build_grid_sample(grid(power(slope, gain), **settingss), "sst").of_arm("mnli")


def verdict_of(slope: float, gain: float, **settingss) -> str:
    return proportionality.judge_proportionality(sample_of(slope, gain, **settingss), "sst", "mnli").verdict


def judge(rows: pd.DataFrame) -> list[proportionality.ProportionalityVerdict]:
    return proportionality.judge_all(bootstrap.build_grid_samples(rows), sorted(set(rows["arm"]) - {""}))


@pytest.mark.parametrize("slope", [0.3, 1.0, 1.5])
def test_without_noise_the_slope_is_the_true_one(slope):
    interval = proportionality.gain_slope(sample_of(slope, 0.2)).interval
    assert (interval.mean, interval.low, interval.high) == pytest.approx((slope,) * 3, abs=0.011)


def test_a_rung_that_lost_by_chance_stays_in_the_fit():
    rows = grid(power(1, 0.2), noise=0.003)
    rows.loc[rows["examples"] == 256, "score"] -= 0.02
    interval = proportionality.gain_slope(bootstrap.build_grid_sample(rows, "sst").of_arm("mnli")).interval
    assert np.isfinite(interval.mean) and interval.low <= interval.mean <= interval.high


@pytest.mark.parametrize(
    ("slope", "gain", "verdict"),
    [
        (1.0, 0.2, "proportional"),
        (0.3, 0.2, "less than proportional"),
        (2.0, 0.2, "more than proportional"),
        (0.5, -0.2, "harmful"),
        (0.5, 0.0, "no gain"),
    ],
)
def test_verdicts_of_clear_cases(slope, gain, verdict):
    assert verdict_of(slope, gain, noise=0.002) == verdict
    assert verdict in proportionality.VERDICTS


def test_a_gain_that_is_excluded_is_none_whether_or_not_a_loss_is():
    """A bound from above is all that "no gain" says; a small gain that is certain is a gain."""
    rows = grid(lambda p, i: 0.5, noise=0.002)
    after = rows["examples"] == rows["examples"].max()
    sways = rows["seed"].map({seed: -0.035 if seed % 2 else -0.01 for seed in set(rows["seed"])})
    loses = rows.assign(score=rows["score"] + np.where(after, sways, 0.0))
    verdict = judge(loses)[0]
    assert verdict.verdict == "no gain" and verdict.gain.low < -proportionality.SMALL_GAIN and verdict.survives
    assert "the CI ends below 0.020" in verdict.why
    assert verdict_of(1.0, 0.015, noise=0.0005) == "proportional"


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
    assert judge(bare) == []


def test_a_missing_cell_is_named_and_leaves_the_other_rungs_of_p():
    rows = grid(power(0.3, 0.2), noise=0.002)
    lost = rows[(rows["tokens"] != 1000) | (rows["examples"] != 256)]
    verdict = judge(lost)[0]
    assert verdict.verdict == "less than proportional"
    assert "over the 3 of 4 rungs of P that are complete" in verdict.why and verdict.pairs == 15


def test_the_verdicts_of_a_study_have_the_means_first_and_the_same_bytes():
    rows = grid(power(0.3, 0.2), noise=0.002)
    both = pd.concat([rows, rows.assign(task="udpos")])
    verdicts = judge(both)
    assert [verdict.target for verdict in verdicts] == [transfer_scores.TRAINED, "sst", "udpos"]
    assert str(verdicts) == str(judge(both))


def pair(target: str, verdict: str, p_gain: float, p_slope: float = np.nan) -> proportionality.ProportionalityVerdict:
    gain = Interval(0.1, 0.05, 0.15, 3)
    return proportionality.ProportionalityVerdict(target, "mnli", verdict, "", gain, None, 1, 1, p_gain, p_slope)


def test_verdicts_survive_correction_in_two_steps():
    verdicts = [
        pair("a", "less than proportional", 0.001, 0.004),
        pair("b", "less than proportional", 0.002, 0.04),  # selected, but its slope passes 5 % times half alone
        pair("c", "proportional", 0.003, 0.6),
        pair("d", "harmful", 0.04),  # 0.04 times 6 / 4 is 0.06
        pair("e", "no gain", 0.9),
        pair("f", "undecided", 0.5),
        pair(transfer_scores.TRAINED, "harmful", 0.04),  # a mean is corrected among means alone
    ]
    survivors = [verdict.target for verdict in proportionality.correct_for_many(verdicts) if verdict.survives]
    assert survivors == ["a", "c", "d", "e", transfer_scores.TRAINED]
    loss = next(verdict for verdict in proportionality.correct_for_many(verdicts) if verdict.target == "d")
    assert loss.verdict == "no gain" and "the loss does not survive" in loss.why


def test_the_seeds_that_tell_slopes_apart_do_so():
    def seen(seeds: int) -> float:
        fits = [proportionality.gain_slope(sample_of(0.5, 0.1, seeds=seeds, noise=0.02, state=s)) for s in range(60)]
        return np.mean([fit.interval.excludes(1) for fit in fits])

    power = proportionality.pair_power(sample_of(0.5, 0.1, noise=0.02, seeds=4), "sst", "mnli")
    assert power.seeds_for_slope > 4
    assert seen(power.seeds_for_slope) >= 0.6 and seen(2) < 0.5


@pytest.mark.slow
@pytest.mark.parametrize("settings", [{}, SMALL], ids=["3 seeds", "2 seeds"])
def test_the_true_slope_lies_in_the_interval_as_often_as_it_says(settings):
    truths = ((0.3, 0.15), (0.5, 0.2), (1.0, 0.2), (1.5, 0.2))
    slope_hits, gain_hits = 0, 0
    for state in range(200):
        slope, gain = truths[state % 4]
        sample = sample_of(slope, gain, state=state, **settings, **NOISE)
        slopes, gains = proportionality.gain_slope(sample).interval, proportionality.largest_gain(sample)
        slope_hits += slopes.low <= slope <= slopes.high
        gain_hits += gains.low <= gain <= gains.high
    assert 0.90 <= slope_hits / 200 <= 0.99
    assert 0.90 <= gain_hits / 200 <= 0.99


@pytest.mark.slow
@pytest.mark.parametrize("settings", [{}, SMALL], ids=["3 seeds", "2 seeds"])
def test_a_null_effect_is_called_an_effect_in_at_most_seven_of_a_hundred(settings):
    verdicts = [verdict_of(1, 0, state=state, **settings, **NOISE) for state in range(200)]
    assert sum(verdict not in ("no gain", "undecided") for verdict in verdicts) <= 14
