"""The figure of the first screen."""

import numpy as np
import pytest
import simulated
from report_studies import ARMS, LANGUAGES

from xlt_utils.reporting.figures import lead
from xlt_utils.reporting.findings import gather_findings


def draw(findings):
    return lead.gains_by_size(findings.verdicts, findings.pretraining_changes, findings.arms, findings.controls)


def test_it_holds_every_gain_and_change_once(rising_findings):
    data = draw(rising_findings).data
    single = [verdict for verdict in rising_findings.verdicts if not verdict.target.startswith("mean")]
    assert len(data) == len(single) + len(rising_findings.pretraining_changes)
    for verdict in single:
        (row,) = data[(data["arm"] == verdict.arm) & (data["target"] == verdict.target)].itertuples()
        assert (row.mean, row.low, row.high) == (verdict.gain.mean, verdict.gain.low, verdict.gain.high)
        assert row.visible == verdict.power.visible
    changes = data[data["size"] == lead.TOKENS]
    assert (changes["visible"] > 0).all() and (changes["low"] < changes["mean"]).all()


def test_one_size_of_text_has_one_panel_and_one_seed_no_bars(tmp_path):
    simulated.study(tmp_path / "s", seeds=(0,), tokens=(0,), languages=LANGUAGES, arms=ARMS, notebooks=False)
    figure = draw(gather_findings(tmp_path / "s"))
    assert len(figure.drawing.axes) == 1 and figure.data["low"].isna().all()
    assert "no gain can be shown" in figure.title and "Pale bar" not in figure.caption


def test_a_study_of_text_alone_has_the_panel_of_text_alone(tmp_path):
    simulated.study(tmp_path / "s", examples=(0,), languages=LANGUAGES, notebooks=False)
    figure = draw(gather_findings(tmp_path / "s"))
    (axes,) = figure.drawing.axes
    assert set(figure.data["size"]) == {lead.TOKENS} and axes.get_xlabel().startswith("change from P")
    assert "with more text" in figure.title and "largest I" not in figure.caption


def test_targets_that_were_not_learnt_are_named_and_not_drawn(tmp_path):
    low = lambda task, *place: 0.02 if task == "sst" else simulated.score(task, *place)  # noqa: E731
    simulated.study(tmp_path / "s", truth=low, languages=LANGUAGES, notebooks=False)
    figure = draw(gather_findings(tmp_path / "s"))
    assert "sst" not in set(figure.data["target"]) and "so not here: sst" in figure.caption


@pytest.mark.parametrize("count", [lead.MOST_SERIES, lead.MOST_SERIES + 1])
def test_more_arms_than_a_row_can_hold_are_not_drawn(tmp_path, count):
    arms = {f"arm{number}": {"tasks": ["mnli"]} for number in range(count)}
    simulated.study(tmp_path / "s", seeds=(0, 1), tokens=(0,), arms=arms, notebooks=False)
    figure = draw(gather_findings(tmp_path / "s"))
    assert (figure is None) == (count > lead.MOST_SERIES)
    if figure:
        assert np.isfinite(figure.data["mean"]).all()


def test_a_bar_wider_than_any_score_does_not_flatten_the_rest(tmp_path):
    """Two seeds that differ give intervals wider than the scale of scores."""
    apart = lambda task, language, seed, *place: 0.4 + 0.2 * seed * bool(place[1])  # noqa: E731
    simulated.study(tmp_path / "s", truth=apart, tokens=(0,), languages=LANGUAGES, notebooks=False)
    figure = draw(gather_findings(tmp_path / "s"))
    low, high = figure.drawing.axes[0].get_xlim()
    assert figure.data["visible"].max() > 1.3 and -1.2 < low < -0.9 and 0.9 < high < 1.2


def test_the_interval_of_a_control_does_not_squeeze_the_tasks(tmp_path):
    """What a control lost differs much between two seeds; the tasks' gains hardly do."""
    lost = lambda arm, task, seed, *place: -0.25 * seed if arm == "shuffled" else 0.01 * seed  # noqa: E731
    arms = {"mnli": {"tasks": ["mnli"]}, "shuffled": {"tasks": ["mnli"], "labels": "shuffled"}}
    simulated.study(tmp_path / "s", bonus=lost, arms=arms, tokens=(0,), languages=LANGUAGES, notebooks=False)
    figure = draw(gather_findings(tmp_path / "s"))
    (low, high), data = figure.drawing.axes[0].get_xlim(), figure.data
    tasks, controls = data[data["arm"] == "mnli"], data[data["arm"] == "shuffled"]
    assert low < data["mean"].min() and low < tasks["low"].min() and tasks["high"].max() < high < controls["high"].max()
    assert controls["low"].min() < low and "beyond the edge" in figure.caption
