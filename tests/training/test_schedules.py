"""Schedules: warm-up, trunk and cooldown, and rungs that share the trunk."""

import pytest

from xlt_utils.training.schedules import ladder_schedule, linear_schedule


def test_rate_warms_up_stays_and_cools_down_to_nothing():
    rates = [ladder_schedule(1.0, 4, 20, 0.5).rate(step) for step in range(20)]
    assert rates[:4] == [0.25, 0.5, 0.75, 1.0]
    assert set(rates[3:10]) == {1.0}
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert 0 < rates[-1] < 0.06
    assert rates[14] == pytest.approx(1 - (5 / 11) ** 0.5)
    linear = linear_schedule(1.0, 1, 10)
    assert [linear.rate(step) for step in (0, 1, 9)] == pytest.approx([1.0, 0.9, 0.1])


def test_rungs_of_one_ladder_share_every_step_of_the_trunk():
    short, long = ladder_schedule(1.0, 4, 20, 0.2), ladder_schedule(1.0, 4, 80, 0.2)
    assert [short.rate(step) for step in range(16)] == [long.rate(step) for step in range(16)]
