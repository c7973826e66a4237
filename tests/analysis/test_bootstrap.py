import numpy as np
import pandas as pd
import pytest
from simulated_grid import grid

from xlt_utils.analysis import bootstrap, transfer_scores
from xlt_utils.analysis.intervals import t_interval


def steps(examples: int) -> float:
    return 0.3 + 0.1 * (examples > 0)


def test_the_mean_of_a_sample_is_that_of_languages_then_seeds():
    rows = grid(lambda p, i: 0.2 + p / 1e5 + i / 1e5, spread=0.1, noise=0.02, n=300)
    sample = bootstrap.make_sample(rows, "sst")
    other = rows[rows["language"] != "en"].groupby(bootstrap.CELL)["score"].mean()
    assert np.allclose(sample.mean, other)
    assert list(map(tuple, sample.cells[bootstrap.CELL].to_numpy())) == list(other.index)
    assert (sample.n_seeds, sample.n_languages, sample.absent) == (3, 5, 0)
    runs = transfer_scores.zero_shot(rows)
    assert np.allclose(sample.mean, runs.groupby(bootstrap.CELL)["zero_shot"].mean())


def test_with_seeds_alone_the_interval_is_the_t_interval_over_seeds():
    rows = grid(lambda p, i: steps(i), languages=("en", "de"), noise=0.02, n=0)
    sample = bootstrap.make_sample(rows, "sst")
    gains = transfer_scores.gains(transfer_scores.zero_shot(rows))
    wanted = t_interval(gains[(gains["examples"] == 256) & (gains["tokens"] == 1000)]["gain"])
    cells = sample.cells[sample.cells["tokens"] == 1000]
    weights = np.zeros(len(sample.mean))
    weights[cells.index[cells["examples"] == 256]], weights[cells.index[cells["examples"] == 0]] = 1, -1
    found = bootstrap.contrast(sample, weights)
    assert (found.mean, found.low, found.high) == pytest.approx((wanted.mean, wanted.low, wanted.high), rel=1e-6)


def test_draws_have_the_closed_form_s_spread_and_give_the_same_bytes():
    sample = bootstrap.make_sample(grid(lambda p, i: steps(i), noise=0.02, spread=0.1, n=200), "sst")
    weights = np.zeros(len(sample.mean))
    weights[-1], weights[0] = 1, -1
    drawn = bootstrap.draws(sample, 4000)
    around = bootstrap.interval_around(
        sample, {name: grids @ weights for name, grids in drawn.items()}, weights @ sample.mean
    )
    exact = bootstrap.contrast(sample, weights)
    assert (around.low, around.high) == pytest.approx((exact.low, exact.high), abs=0.05 * (exact.high - exact.low))
    again = bootstrap.draws(sample, 4000)
    assert all(again[name].tobytes() == drawn[name].tobytes() for name in bootstrap.LEVELS)


def test_arms_are_drawn_together():
    first = grid(lambda p, i: steps(i), noise=0.02, spread=0.1)
    second = first[first["examples"] > 0].assign(arm="qqp")  # the same scores by another name
    sample = bootstrap.make_sample(pd.concat([first, second]), "sst")
    for name in ("seeds", "languages", "crossed"):
        grids = bootstrap.draws(sample, 50)[name]
        mnli, qqp = ((sample.cells["arm"] == arm).to_numpy() for arm in ("mnli", "qqp"))
        assert np.allclose(grids[:, mnli], grids[:, qqp])


def test_two_seeds_that_agree_get_no_interval_narrower_than_their_examples():
    rows = grid(lambda p, i: steps(i), seeds=2, n=0).assign(n=100)
    found = bootstrap.contrast(bootstrap.make_sample(rows, "sst"), np.eye(20)[0])
    # five languages, two seeds, shares of 100 on a scale of twice the share
    share = rows["value"].iloc[0]
    assert found.high - found.mean == pytest.approx(2 * np.sqrt(share * (1 - share) / 100 / 10), rel=1e-3)


def test_a_seed_that_lacks_a_cell_does_not_shift_it_and_widens_it():
    rows = grid(lambda p, i: steps(i), noise=0.01).assign(score=lambda rows: rows["score"] + 0.2 * rows["seed"])
    hole = (rows["seed"] == 2) & (rows["examples"] == 256) & (rows["tokens"] == 0)
    whole, partial = bootstrap.make_sample(rows, "sst"), bootstrap.make_sample(rows[~hole], "sst")
    assert partial.absent == 1
    at = int(np.flatnonzero((whole.cells["tokens"] == 0) & (whole.cells["examples"] == 256))[0])
    assert partial.mean[at] == pytest.approx(whole.mean[at], abs=0.02)  # a plain mean would lose 0.1
    assert partial.cells["n"][at] == 2
    pair = np.eye(20)[at] - np.eye(20)[0]
    wide = [float(np.mean(bootstrap.linear(one, pair[None])[1])) for one in (whole, partial)]
    assert wide[1] > 0


def test_a_run_that_lacks_a_language_has_no_score_and_one_seed_no_interval():
    rows = grid(lambda p, i: steps(i), noise=0.01)
    lost = (rows["seed"] == 0) & (rows["tokens"] == 0) & (rows["examples"] == 0) & (rows["language"] == "hi")
    assert bootstrap.make_sample(rows[~lost], "sst").absent == 1
    single = bootstrap.make_sample(rows[rows["seed"] == 0], "sst")
    assert np.isnan(bootstrap.contrast(single, np.eye(20)[0]).low)
    with pytest.raises(ValueError, match="no score of xnli"):
        bootstrap.make_sample(rows, "xnli")


def test_the_mean_over_tasks_counts_each_task_once():
    rows = pd.concat([grid(lambda p, i: 0.2), grid(lambda p, i: 0.6, task="udpos", languages=("en", "de"))])
    assert np.allclose(bootstrap.make_sample(rows, transfer_scores.TRAINED).mean, 0.4)


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [2, 3])
def test_intervals_of_a_gain_hold_the_truth_as_often_as_they_say(seeds):
    held = 0
    for state in range(200):
        setting = {"noise": 0.01, "shared": 0.02, "spread": 0.1, "n": 500, "state": state}
        rows = grid(lambda p, i: steps(i), seeds, (0,), (0, 256), **setting)
        sample = bootstrap.make_sample(rows, "sst")
        after = (sample.cells["examples"] > 0).to_numpy()
        found = bootstrap.contrast(sample, np.where(after, 1.0, -1.0))
        held += found.low <= 0.1 <= found.high
    assert 0.90 <= held / 200 <= 0.99


@pytest.mark.slow
def test_intervals_of_a_partial_study_hold_the_truth_as_often_as_they_say_and_are_wider():
    held, widths = 0, []
    for state in range(200):
        setting = {"noise": 0.01, "shared": 0.02, "spread": 0.1, "n": 500, "state": state}
        rows = grid(lambda p, i: steps(i), 3, (0, 1000), (0, 256, 1024), **setting)
        lost = np.random.default_rng(state).choice(18, 6, replace=False)
        number = rows.groupby(["seed", *bootstrap.CELL]).ngroup()
        both = [bootstrap.make_sample(part, "sst") for part in (rows, rows[~number.isin(lost)])]
        weights = [np.where(one.cells["examples"] > 0, 1.0, 0.0) for one in both]
        weights = [
            after / after.sum() - (1 - after) / (1 - after).sum() if (1 - after).any() and after.any() else None
            for after in weights
        ]
        if weights[1] is None:  # no run without intermediate training is left: nothing to compare with
            continue
        whole, partial = (bootstrap.contrast(one, weight) for one, weight in zip(both, weights, strict=True))
        held += partial.low <= 0.1 <= partial.high
        widths.append((partial.high - partial.low) / (whole.high - whole.low))
        assert partial.n < whole.n == 3
    assert len(widths) > 190 and held / len(widths) >= 0.90
    assert 1 < np.median(widths) < 3  # wider, and of use still
