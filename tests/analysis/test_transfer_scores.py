import numpy as np
import pandas as pd
import pytest
import simulated

from xlt_utils.analysis import transfer_scores
from xlt_utils.data.tasks import TASKS
from xlt_utils.records.record import results_table


def zero_shot(folder, **settings) -> pd.DataFrame:
    folders = simulated.study(folder / "study", notebooks=False, **settings)
    return transfer_scores.zero_shot(transfer_scores.normalised_scores(results_table(folders)))


def test_scores_have_chance_at_zero_and_the_ceiling_at_one(tmp_path):
    truth = {"xnli": 0.0, "sst": 1.0, "udpos": 0.25}
    folders = simulated.study(tmp_path / "s", tasks=tuple(truth), truth=lambda task, *_: truth[task], notebooks=False)
    scores = transfer_scores.normalised_scores(results_table(folders))
    for task, score in truth.items():
        assert np.allclose(scores.loc[scores["task"] == task, "score"], score)
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
    folders = simulated.study(tmp_path / "s", notebooks=False)
    table = results_table(folders)
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
    missing_cells = [{"seed": 0, "tokens": 1_000_000, "arm": None, "examples": 0, "targets": ["sst", "udpos"]}]
    assert len(transfer_scores.missing_means(runs, missing_cells)) == 3 + 3 * 2 * 3  # targets x seeds x rungs of I


def test_two_runs_at_one_place_are_refused(tmp_path):
    folders = simulated.study(tmp_path / "s", notebooks=False)
    table = results_table(folders)
    with pytest.raises(ValueError, match="same place on the grid"):
        transfer_scores.normalised_scores(pd.concat([table, table[table["seed"] == 0]]))


def test_replicates_of_a_run_are_averaged(tmp_path):
    table = results_table(simulated.study(tmp_path / "s", tasks=("sst",), notebooks=False))
    again = table.assign(replicate=1, value=table["value"] + 0.1)
    once, both = (transfer_scores.normalised_scores(rows) for rows in (table, pd.concat([table, again])))
    assert len(both) == len(once) and both.columns.tolist() == once.columns.tolist()
    assert (both["value"] - once["value"]).to_numpy() == pytest.approx(0.05)
    with pytest.raises(ValueError, match="same place on the grid"):
        transfer_scores.normalised_scores(pd.concat([table, again, again]))


def test_a_task_that_nobody_knows_is_refused_by_name(tmp_path):
    table = results_table(simulated.study(tmp_path / "s", notebooks=False)).replace({"task": {"sst": "stt"}})
    with pytest.raises(ValueError, match="stt"):
        transfer_scores.normalised_scores(table)


def test_a_score_is_counted_from_the_zero_point_of_its_own_test():
    row = {
        "phase": "target",
        "main": True,
        "seed": 0,
        "replicate": 0,
        "tokens": 0,
        "arm": "",
        "examples": 0,
        "folder": "a",
        "cell": "a",
    }
    row |= {"task": "sst", "language": "de", "n": 80}
    table = pd.DataFrame([row | {"value": 0.71, "zero": 53 / 80}, row | {"seed": 1, "value": 0.71, "zero": None}])
    scores = transfer_scores.normalised_scores(table)["score"]
    assert scores.tolist() == pytest.approx([(0.71 - 53 / 80) / (27 / 80), 0.42])


def test_a_target_that_does_not_follow_an_arm_is_no_hole_unless_a_missing_cell_has_it(tmp_path):
    runs = zero_shot(tmp_path)
    runs = runs[(runs["examples"] == 0) | (runs["target"] == "sst")]
    assert transfer_scores.missing_means(runs).empty
    missing_cell = {"seed": 0, "tokens": 0, "arm": "mnli", "examples": 256}
    assert transfer_scores.missing_means(runs, [missing_cell | {"targets": ["sst"]}]).empty  # its run is there
    missing_cells = [missing_cell | {"targets": ["udpos", "sst"]}]
    assert set(transfer_scores.missing_means(runs, missing_cells)["target"]) == {"udpos"}


def test_a_mean_is_asked_for_after_an_arm_that_all_its_targets_follow(tmp_path):
    runs = zero_shot(tmp_path)
    assert transfer_scores.asked_targets(runs, "mnli") == {"sst", "udpos", "tatoeba", transfer_scores.TRAINED}
    runs = runs[(runs["examples"] == 0) | runs["target"].isin(["sst", "tatoeba"])]
    assert transfer_scores.asked_targets(runs, "mnli") == {"sst", "tatoeba"}
