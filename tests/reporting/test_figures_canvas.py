import numpy as np
import pandas as pd
import pytest

from xlt_utils.reporting.figures import canvas


def texts_of(axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


def test_a_heat_map_writes_its_numbers_and_hatches_its_holes():
    table = pd.DataFrame([[0.1, np.nan], [0.9, 0.5]])
    _, (axes,) = canvas.subplots(2)
    canvas.heat_map(axes, table, table.map(str), (0, 1))
    assert texts_of(axes) == ["0.1", "0.9", "0.5"]
    assert [patch.get_xy() for patch in axes.patches if patch.get_hatch()] == [(1, 0)]
    assert [text.get_color() for text in axes.texts] == ["white", "black", "black"]  # on dark, on light


def test_a_score_over_some_of_the_seeds_says_so():
    assert canvas.score_text(0.256, 2, 2) == "0.26"
    assert canvas.score_text(-0.256, 1, 2) == "−0.26\n1 of 2"


@pytest.mark.parametrize(("scores", "limits"), [([0.3, 0.6], (0, 0.6)), ([-0.1, np.nan], (-0.1, 0.01)), ([], (0, 1))])
def test_the_colours_of_scores_include_chance(scores, limits):
    assert canvas.score_limits(pd.Series(scores, dtype=float)) == limits


@pytest.mark.parametrize(("gains", "end"), [([0.1, -0.3, np.nan], 0.3), ([0.004, -0.01], 0.05), ([], 0.05)])
def test_the_colours_of_gains_are_symmetric_around_0_and_small_ones_stay_pale(gains, end):
    assert canvas.gain_limits(pd.Series(gains, dtype=float)) == (-end, end)


def test_cells_that_do_not_count_are_pale():
    table = pd.DataFrame([[0.1, 0.9]])
    _, (axes,) = canvas.subplots(2)
    canvas.heat_map(axes, table, table.map(str), (0, 1), counts=pd.DataFrame([[True, False]]))
    assert [patch.get_xy() for patch in axes.patches] == [(1, 0)] and axes.patches[0].get_alpha() == canvas.PALENESS
    assert canvas.pale((0.0, 0.0, 1.0)) == pytest.approx((0.7, 0.7, 1.0))


def test_a_panel_says_that_its_target_was_not_learnt_only_where_no_row_counts():
    rows = pd.DataFrame({"target": ["sst", "sst", "xnli"], "counts": [True, False, False]})
    panels = {name: canvas.subplots(2)[1][0] for name in ("sst", "xnli")}
    canvas.title_panels(panels, rows)
    assert [axes.get_title() for axes in panels.values()] == ["sst", "xnli (not learnt)"]
    assert "Pale" in canvas.unlearnt_text(rows) and canvas.unlearnt_text(rows[:1]) == ""
    assert canvas.unlearnt_text(rows[["target"]]) == ""  # nothing says so, so all count


def test_every_rung_has_a_colour_and_a_marker_however_many_there_are():
    styles = canvas.rung_styles(range(20))
    assert [rung for rung, _, _ in styles] == list(range(20)) and len({colour for _, colour, _ in styles}) == 20
    assert {marker for _, _, marker in styles} == set(canvas.MARKERS)


def test_means_over_some_of_the_seeds_are_hollow_and_counted():
    _, (axes,) = canvas.subplots(2)
    counts = pd.Series([0, 1, 3])
    canvas.hollow_marks(axes, [0, 1, 2], [0.5, 0.6, 0.7], counts, 3, "o", "black")
    assert list(axes.lines[0].get_xdata()) == [1]
    assert canvas.hollow_text(counts, 3) == " Hollow: 1 mean over fewer than the 3 seeds."
    assert canvas.hollow_text(counts, 1) == ""


def test_intervals_reach_from_low_to_high_and_one_seed_has_none():
    rows = pd.DataFrame({"gain": [1.0], "low": [0.5], "high": [2.5]})
    _, (axes,) = canvas.subplots(2)
    canvas.interval_marks(axes, rows, "gain", [0], "o", "black")
    canvas.interval_marks(axes, rows.assign(low=np.nan, high=np.nan), "gain", [0], "o", "black")
    (bar,) = axes.collections
    assert [x for x, _ in bar.get_segments()[0]] == [0.5, 2.5]


def test_targets_follow_the_task_table_with_the_means_last():
    names = pd.Series(["mean of trained targets", "sst", "xnli"])
    assert canvas.target_order(names) == ["xnli", "sst", "mean of trained targets"]
