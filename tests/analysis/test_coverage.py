"""How often intervals hold the truth: 200 studies of 2, 3, 5 and 8 seeds for each way in which seeds, languages and
items can hang together. An interval that is refused claims nothing."""

import numpy as np
import pytest
from simulated_runs import GAIN, MOVEMENT, SCENARIOS, Scenario

from xlt_utils.analysis import bootstrap, power

STUDIES = 200
ERROR = np.sqrt(0.99 * 0.01 / STUDIES)  # of a share of 0.99 of the simulated studies


@pytest.mark.parametrize("n_seeds", [2, 3, 5, 8])
@pytest.mark.parametrize("name", SCENARIOS)
def test_where_nothing_happens_intervals_hold_0_as_often_as_they_say(name, n_seeds):
    samples = [SCENARIOS[name].sample(n_seeds, state) for state in range(STUDIES)]
    coverage = []
    for contrast in (GAIN, MOVEMENT):
        intervals = [bootstrap.contrast_interval(sample, contrast) for sample in samples]
        given = [interval for interval in intervals if not interval.why]
        assert all(np.isfinite([interval.low, interval.high]).all() for interval in given)
        if len(given) < STUDIES / 4:  # three of four studies refuse: too few are left to count
            assert name == "a quarter of runs fails"
            return
        coverage.append(np.mean([not interval.excludes(0) for interval in given]))
    assert coverage[0] >= 0.93  # a false effect in at most 7 of 100
    assert coverage[1] >= 0.90 and np.mean(coverage) <= 0.99 + ERROR


def test_a_gain_is_seen_as_often_as_the_smallest_visible_gain_says():
    scenario = Scenario(by_language=0.02)
    visible = [power.visible_effect(scenario.sample(5, state), GAIN) for state in range(STUDIES)]
    gain = float(np.median(visible))
    seen = [bootstrap.contrast_interval(scenario.sample(5, state, gain), GAIN).excludes(0) for state in range(STUDIES)]
    assert 0.70 <= np.mean(seen) <= 0.90


def test_the_seeds_that_an_effect_needs_make_it_visible():
    sample = SCENARIOS["items drawn anew"].sample(3, 1)
    needed = power.seeds_needed(sample, GAIN, 0.01)
    assert needed and needed > 3
    assert power.visible_effect(sample, GAIN, needed) <= 0.01 < power.visible_effect(sample, GAIN, needed - 1)
    shared = SCENARIOS["parallel items that change with I"].sample(8, 1)
    assert power.seeds_needed(shared, GAIN, 0.001) == np.inf  # items that are the same for all seeds set a limit


def test_a_failed_run_leaves_a_mean_and_no_interval():
    sample = next(
        sample
        for state in range(20)
        if (sample := SCENARIOS["a quarter of runs fails"].sample(3, state)).why_no_interval(GAIN != 0)
    )
    interval = bootstrap.contrast_interval(sample, GAIN)
    assert np.isnan(interval.low) and not interval.excludes(0)
    assert "failed to learn the target in English" in interval.text()
    drawn = {name: grids @ GAIN for name, grids in bootstrap.draw_grids(sample, 50).items()}
    assert np.isnan(bootstrap.bootstrap_interval(sample, drawn, 0.0).low)


def test_items_that_every_run_shares_do_not_average_out_over_seeds():
    shared, own = (
        np.median([
            np.ptp([interval.low, interval.high])
            for state in range(40)
            if (interval := bootstrap.contrast_interval(SCENARIOS[name].sample(8, state), GAIN))
        ])
        for name in ("parallel items that change with I", "items drawn anew")
    )  # fmt: skip
    assert shared > 1.5 * own
