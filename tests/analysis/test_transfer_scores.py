import numpy as np
import pandas as pd
import pytest
import simulated

from xlt_utils.analysis import transfer_scores
from xlt_utils.analysis.intervals import direction, t_interval
from xlt_utils.data.tasks import TASKS
from xlt_utils.records.record import results_table

RUNGS = (0, 256, 1024, 4096)


def zero_shot(folder, **settings) -> pd.DataFrame:
    done = simulated.study(folder / "study", notebooks=False, **settings)
    return transfer_scores.zero_shot(transfer_scores.normalised_scores(results_table(done)))


def power(slope: float, gain: float, noise: float = 0.0):
    """A truth whose gain at I = 4096 is `gain`, and grows with I to the power of `slope`."""

    def truth(task, language, seed, tokens, examples):
        spread = np.random.default_rng([seed, tokens, examples, len(task), ord(language[-1])]).normal(0, 1)
        return 0.3 + 0.01 * seed + (gain * (examples / 4096) ** slope if examples else 0) + noise * spread

    return truth


def test_scores_have_chance_at_zero_and_the_ceiling_at_one(tmp_path):
    truth = {"xnli": 0.0, "sst": 1.0, "udpos": 0.25}
    done = simulated.study(tmp_path / "s", tasks=tuple(truth), truth=lambda task, *_: truth[task], notebooks=False)
    scores = transfer_scores.normalised_scores(results_table(done))
    for task, wanted in truth.items():
        assert np.allclose(scores.loc[scores["task"] == task, "score"], wanted)
    assert np.allclose(scores.loc[scores["task"] == "xnli", "value"], TASKS["xnli"].chance)


def test_trained_targets_and_retrieval_are_averaged_apart(tmp_path):
    level = {"sst": 0.2, "udpos": 0.6, "tatoeba": 0.9}
    runs = zero_shot(tmp_path, truth=lambda task, *_: level[task])
    means = runs.groupby("target")["zero_shot"].mean()
    assert means[transfer_scores.TRAINED] == pytest.approx(0.4)
    assert transfer_scores.RETRIEVAL not in means  # one retrieval target is no mean of several
    assert means["tatoeba"] == pytest.approx(0.9)


def test_the_gap_is_english_minus_the_mean_of_the_others(tmp_path):
    runs = zero_shot(tmp_path, truth=lambda task, language, *_: 0.8 if language == "en" else 0.3)
    trained = runs[runs["target"] == "sst"]
    assert np.allclose(trained["gap"], 0.5) and np.allclose(trained["zero_shot"], 0.3)
    assert runs[runs["target"] == "tatoeba"]["gap"].isna().all()  # English is not retrieved from English


def test_a_run_without_a_language_has_no_mean_and_names_it(tmp_path):
    done = simulated.study(tmp_path / "s", notebooks=False)
    table = results_table(done)
    lost = (table["language"] == "hi") & (table["seed"] == 1) & (table["task"] == "sst") & (table["tokens"] == 0)
    runs = transfer_scores.zero_shot(transfer_scores.normalised_scores(table[~lost]))
    holes = transfer_scores.missing_means(runs)
    assert len(holes) == 3 and set(holes["target"]) == {"sst"} and set(holes["reason"]) == {"no score in: hi"}
    mean = runs[(runs["target"] == transfer_scores.TRAINED) & (runs["seed"] == 1) & (runs["tokens"] == 0)]
    assert mean["zero_shot"].isna().all()
    surface = transfer_scores.score_surface_table(runs, "sst", "mnli")
    assert (surface.loc[surface["tokens"] == 0, "n"] == 1).all() and (surface["wanted"] == 2).all()


def test_a_cell_that_never_ran_is_counted_and_named(tmp_path):
    runs = zero_shot(tmp_path, skip=lambda seed, tokens, examples: (seed, tokens, examples) == (1, 0, 256))
    assert len(transfer_scores.missing_means(runs)) == 3  # a row for each of the three targets
    # nobody ran a rung of 1M tokens: only the parameters of its cells know that it should be there
    more = [{"seed": 0, "tokens": 1_000_000, "arm": None, "examples": 0}]
    assert len(transfer_scores.missing_means(runs, more)) == 3 + 3 * 2 * 3  # targets x seeds x rungs of I


def test_two_runs_at_one_place_are_refused(tmp_path):
    done = simulated.study(tmp_path / "s", notebooks=False)
    table = results_table(done)
    with pytest.raises(ValueError, match="same place on the grid"):
        transfer_scores.normalised_scores(pd.concat([table, table[table["seed"] == 0]]))


def test_a_task_that_nobody_knows_is_refused_by_name(tmp_path):
    table = results_table(simulated.study(tmp_path / "s", notebooks=False)).replace({"task": {"sst": "stt"}})
    with pytest.raises(ValueError, match="stt"):
        transfer_scores.normalised_scores(table)


def test_the_t_interval_is_the_textbook_one():
    interval = t_interval([0.1, 0.3, np.nan])
    assert (interval.n, interval.mean) == (2, pytest.approx(0.2))
    assert interval.high - interval.mean == pytest.approx(12.7062 * 0.1, rel=1e-4)
    one = t_interval([0.1])
    assert one.mean == 0.1 and np.isnan(one.low) and not one.excludes(0) and "no interval" in str(one)


def test_the_t_interval_holds_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(0)
    hits = sum(not t_interval(rng.normal(0.3, 0.1, 3)).excludes(0.3) for _ in range(2000))
    assert 0.93 < hits / 2000 < 0.97


def test_gains_are_paired_by_seed(tmp_path):
    def truth(task, language, seed, tokens, examples):
        return 0.2 + 0.3 * seed + (0.05 if examples else 0)  # seeds differ by far more than the gain

    found = transfer_scores.gain_table(transfer_scores.gains(zero_shot(tmp_path, truth=truth)))
    assert np.allclose(found["gain"], 0.05) and np.allclose(found["high"] - found["low"], 0, atol=1e-9)
    assert (found["n"] == 2).all()


def test_near_languages_that_rise_more_are_found(tmp_path):
    distances = {"de": 0.1, "fr": 0.2, "es": 0.6, "hi": 0.9}

    def truth(task, language, seed, tokens, examples):
        return 0.2 + 0.3 * (tokens > 0) * (1 - distances.get(language, 0))

    done = simulated.study(tmp_path / "s", truth=truth, notebooks=False)
    scores = transfer_scores.normalised_scores(results_table(done))
    near, far = transfer_scores.near_and_far(scores["language"], distances)
    assert (near, far) == (["de"], ["hi"])
    assert np.allclose(transfer_scores.movement_of(scores, near, ["udpos", "sst"]), 0.27)
    assert np.allclose(transfer_scores.movement_of(scores, far, ["udpos"]), 0.03)
    assert transfer_scores.near_and_far(["en", "de"], distances) == ([], [])


def test_a_move_within_the_seed_noise_is_called_so():
    few = t_interval([0.01, 0.03])
    assert "do not move" in direction(few, noise=0.05)
    assert "more than twice" in direction(few, noise=0.005)
    assert direction(t_interval([0.2, 0.2001]), 0.05).startswith("rise (95 %")
    assert direction(t_interval([-0.2, -0.2001]), 0.05).startswith("fall (95 %")


def test_seed_noise_is_the_pooled_deviation_within_cells(tmp_path):
    runs = zero_shot(tmp_path, truth=lambda task, language, seed, tokens, examples: 0.2 + 0.1 * seed + tokens / 1e7)
    assert transfer_scores.seed_noise(runs, "udpos") == pytest.approx(np.std([0, 0.1], ddof=1))
