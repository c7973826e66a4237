import numpy as np
import pandas as pd
import pytest
from simulated_grid import grid

from xlt_utils.analysis import bootstrap, gains, transfer_scores
from xlt_utils.analysis.intervals import t_interval


def steps(examples: int) -> float:
    return 0.3 + 0.1 * (examples > 0)


def test_the_mean_of_a_sample_is_that_of_languages_then_seeds():
    rows = grid(lambda p, i: 0.2 + p / 1e5 + i / 1e5, spread=0.1, noise=0.02, n=300)
    sample = bootstrap.build_grid_sample(rows, "sst")
    other = rows[rows["language"] != "en"].groupby(bootstrap.CELL)["score"].mean()
    assert np.allclose(sample.mean, other)
    assert list(map(tuple, sample.cells[bootstrap.CELL].to_numpy())) == list(other.index)
    assert (sample.n_seeds, sample.n_languages, sample.missing_runs) == (3, 4, 0)  # French and Spanish are one
    runs = transfer_scores.zero_shot(rows)
    assert np.allclose(sample.mean, runs.groupby(bootstrap.CELL)["zero_shot"].mean())


def test_with_seeds_alone_the_interval_is_the_t_interval_over_seeds():
    rows = grid(lambda p, i: steps(i), languages=("en", "de"), noise=0.02, n=0)
    sample = bootstrap.build_grid_sample(rows, "sst")
    by_seed = gains.paired_gains(transfer_scores.zero_shot(rows))
    expected = t_interval(by_seed[(by_seed["examples"] == 256) & (by_seed["tokens"] == 1000)]["gain"])
    cells = sample.cells[sample.cells["tokens"] == 1000]
    weights = np.zeros(len(sample.mean))
    weights[cells.index[cells["examples"] == 256]], weights[cells.index[cells["examples"] == 0]] = 1, -1
    interval = bootstrap.contrast_interval(sample, weights)
    assert (interval.mean, interval.low, interval.high) == pytest.approx(
        (expected.mean, expected.low, expected.high), rel=1e-6
    )


def test_draws_have_the_closed_form_s_spread_and_give_the_same_bytes():
    sample = bootstrap.build_grid_sample(grid(lambda p, i: steps(i), noise=0.02, spread=0.1, n=200), "sst")
    weights = np.zeros(len(sample.mean))
    weights[-1], weights[0] = 1, -1
    drawn = bootstrap.draw_grids(sample, 4000)
    values = {name: grids @ weights for name, grids in drawn.items()}
    around = bootstrap.bootstrap_interval(sample, values, weights @ sample.mean)
    exact = bootstrap.contrast_interval(sample, weights)
    assert (around.low, around.high) == pytest.approx((exact.low, exact.high), abs=0.05 * (exact.high - exact.low))
    again = bootstrap.draw_grids(sample, 4000)
    assert all(again[name].tobytes() == drawn[name].tobytes() for name in bootstrap.LEVELS)


def test_arms_are_drawn_together():
    first = grid(lambda p, i: steps(i), noise=0.02, spread=0.1)
    second = first[first["examples"] > 0].assign(arm="qqp")  # the same scores by another name
    sample = bootstrap.build_grid_sample(pd.concat([first, second]), "sst")
    for name in ("seeds", "languages", "crossed"):
        grids = bootstrap.draw_grids(sample, 50)[name]
        mnli, qqp = ((sample.cells["arm"] == arm).to_numpy() for arm in ("mnli", "qqp"))
        assert np.allclose(grids[:, mnli], grids[:, qqp])


def test_two_seeds_that_agree_get_no_interval_narrower_than_their_examples():
    rows = grid(lambda p, i: steps(i), seeds=2, n=0).assign(n=100)
    interval = bootstrap.contrast_interval(bootstrap.build_grid_sample(rows, "sst"), np.eye(20)[0])
    # five languages, two seeds, shares of 100 on a scale of twice the share
    share = rows["value"].iloc[0]
    error = 2 * np.sqrt(share * (1 - share) / 100 / 10)
    assert interval.high - interval.mean == pytest.approx(np.sqrt(0.5) * error, rel=1e-3)


def test_a_seed_that_lacks_a_cell_does_not_shift_it_and_widens_it():
    rows = grid(lambda p, i: steps(i), noise=0.01).assign(score=lambda rows: rows["score"] + 0.2 * rows["seed"])
    hole = (rows["seed"] == 2) & (rows["examples"] == 256) & (rows["tokens"] == 0)
    whole, partial = bootstrap.build_grid_sample(rows, "sst"), bootstrap.build_grid_sample(rows[~hole], "sst")
    assert partial.missing_runs == 1
    at = int(np.flatnonzero((whole.cells["tokens"] == 0) & (whole.cells["examples"] == 256))[0])
    assert partial.mean[at] == pytest.approx(whole.mean[at], abs=0.02)  # a plain mean would lose 0.1
    assert partial.cells["n"][at] == 2
    pair = np.eye(20)[at] - np.eye(20)[0]
    margins = [float(bootstrap.linear_contrasts(sample, pair[None])[1][0]) for sample in (whole, partial)]
    assert margins[1] > margins[0] > 0


def test_a_run_that_lacks_a_language_has_no_score_and_one_seed_no_interval():
    rows = grid(lambda p, i: steps(i), noise=0.01)
    lost = (rows["seed"] == 0) & (rows["tokens"] == 0) & (rows["examples"] == 0) & (rows["language"] == "hi")
    assert bootstrap.build_grid_sample(rows[~lost], "sst").missing_runs == 1
    single = bootstrap.build_grid_sample(rows[rows["seed"] == 0], "sst")
    assert np.isnan(bootstrap.contrast_interval(single, np.eye(20)[0]).low)
    with pytest.raises(ValueError, match="no score of xnli"):
        bootstrap.build_grid_sample(rows, "xnli")


def test_the_mean_over_tasks_counts_each_task_once():
    rows = pd.concat([grid(lambda p, i: 0.2), grid(lambda p, i: 0.6, task="udpos", languages=("en", "de"))])
    assert np.allclose(bootstrap.build_grid_sample(rows, transfer_scores.TRAINED).mean, 0.4)


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [2, 3])
def test_intervals_of_a_gain_hold_the_truth_as_often_as_they_say(seeds):
    hits = 0
    for state in range(200):
        settings = {"noise": 0.01, "shared": 0.02, "spread": 0.1, "n": 500, "state": state}
        rows = grid(lambda p, i: steps(i), seeds, (0,), (0, 256), **settings)
        sample = bootstrap.build_grid_sample(rows, "sst")
        after = (sample.cells["examples"] > 0).to_numpy()
        interval = bootstrap.contrast_interval(sample, np.where(after, 1.0, -1.0))
        hits += interval.low <= 0.1 <= interval.high
    assert 0.90 <= hits / 200 <= 0.99


@pytest.mark.slow
def test_intervals_of_a_partial_study_hold_the_truth_as_often_as_they_say_and_are_wider():
    hits, widths = 0, []
    for state in range(200):
        settings = {"noise": 0.01, "shared": 0.02, "spread": 0.1, "n": 500, "state": state}
        rows = grid(lambda p, i: steps(i), 3, (0, 1000), (0, 256, 1024), **settings)
        lost = np.random.default_rng(state).choice(18, 6, replace=False)
        number = rows.groupby(["seed", *bootstrap.CELL]).ngroup()
        both = [bootstrap.build_grid_sample(part, "sst") for part in (rows, rows[~number.isin(lost)])]
        weights = [np.where(sample.cells["examples"] > 0, 1.0, 0.0) for sample in both]
        weights = [
            after / after.sum() - (1 - after) / (1 - after).sum() if (1 - after).any() and after.any() else None
            for after in weights
        ]
        if weights[1] is None:  # no run without intermediate training is left: nothing to compare with
            continue
        whole, partial = (
            bootstrap.contrast_interval(sample, weight) for sample, weight in zip(both, weights, strict=True)
        )
        hits += partial.low <= 0.1 <= partial.high
        widths.append((partial.high - partial.low) / (whole.high - whole.low))
        assert partial.n < whole.n == 3
    assert len(widths) > 190 and hits / len(widths) >= 0.90
    assert 1 < np.median(widths) < 3  # wider, and of use still
