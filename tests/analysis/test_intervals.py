import numpy as np
import pytest

from xlt_utils.analysis.intervals import t_interval


def test_the_t_interval_is_the_textbook_one():
    interval = t_interval([0.1, 0.3, np.nan])
    assert (interval.n, interval.mean) == (2, pytest.approx(0.2))
    assert interval.high - interval.mean == pytest.approx(12.7062 * 0.1, rel=1e-4)


def test_one_seed_has_a_mean_and_no_interval():
    interval = t_interval([0.1])
    assert (
        interval.mean == 0.1 and np.isnan(interval.low) and not interval.excludes(0) and "no interval" in str(interval)
    )
    assert str(t_interval([])) == "not measured"


def test_the_t_interval_holds_the_truth_in_95_of_100_studies():
    rng = np.random.default_rng(0)
    hits = sum(not t_interval(rng.normal(0.3, 0.1, 3)).excludes(0.3) for _ in range(2000))
    assert 0.93 < hits / 2000 < 0.97
