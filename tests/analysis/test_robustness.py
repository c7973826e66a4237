import numpy as np
import pandas as pd
import pytest

from xlt_utils.analysis import robustness
from xlt_utils.data.perturb import perturbation_name

SCORES = {"en": 0.9, "de": 0.8, "es": 0.7, "ru": 0.6, "hi": 0.4, "th": 0.5}
RUN = {
    "folder": "runs/a",
    "study": "s",
    "phase": "target",
    "cell": "a",
    "seed": 0,
    "tokens": 0,
    "arm": None,
    "examples": 0,
}


def rows(scores=SCORES, task="xnli", perturbation="", metric="accuracy", main=True, **place) -> pd.DataFrame:
    """The rows that `results_table` gives for one run and task."""
    score = {"task": task, "metric": metric, "n": 100, "main": main and not perturbation, "perturbation": perturbation}
    return pd.DataFrame([{**RUN, **place, **score, "language": name, "value": v} for name, v in scores.items()])


def less(by: float, scores=SCORES) -> dict:
    return {language: value - by for language, value in scores.items()}


def single_row(*parts) -> pd.Series:
    table = robustness.five_numbers(pd.concat(parts))
    assert len(table) == 1
    return table.iloc[0]


def test_the_five_numbers_of_a_worked_example():
    row = single_row(
        rows(),
        rows(less(0.1), perturbation=perturbation_name("typos", 0.05)),
        rows(less(0.3), perturbation=perturbation_name("typos", 0.2)),
    )
    assert row["mean"] == pytest.approx(0.6) and row["languages"] == 5
    assert row["worst"] == pytest.approx(0.5) and row["worst_languages"] == "hi th ru"
    assert row["deviation"] == pytest.approx(np.sqrt((0.2**2 + 0.1**2 + 0 + 0.2**2 + 0.1**2) / 4))
    assert row["gap"] == pytest.approx(0.3) and row["english"] == 0.9
    assert row["loss, typos 5%"] == pytest.approx(0.1) and row["loss, typos 20%"] == pytest.approx(0.3)
    assert row["note"] == ""


def test_english_is_in_no_mean_and_other_metrics_in_no_loss():
    better = {**less(0.1), "en": 0.0}
    other = rows(less(0.4), perturbation="typos 5%", metric="f1")
    row = single_row(
        rows(), rows(less(0.2), metric="f1", main=False), rows(better, perturbation="typos 5%").assign(main=True), other
    )
    assert row["mean"] == pytest.approx(0.6) and row["loss, typos 5%"] == pytest.approx(0.1)


def test_a_language_missing_under_a_perturbation_leaves_no_loss_and_is_named():
    part = less(0.1)
    del part["hi"]
    row = single_row(rows(), rows(part, perturbation="typos 5%"), rows(less(0.1), perturbation="diacritics 5%"))
    assert np.isnan(row["loss, typos 5%"]) and row["note"] == "typos 5%: no score in hi"
    assert row["loss, diacritics 5%"] == pytest.approx(0.1) and row["mean"] == pytest.approx(0.6)


def test_a_run_without_a_language_that_others_have_has_no_numbers():
    part = {language: value for language, value in SCORES.items() if language != "th"}
    table = robustness.five_numbers(pd.concat([rows(), rows(part, folder="runs/b", seed=1)])).set_index("folder")
    assert table.loc["runs/a", "note"] == "" and table.loc["runs/b", "note"] == "no score in th"
    assert table.loc["runs/b", robustness.NUMBERS].isna().all() and table.loc["runs/b", "languages"] == 4


def test_a_perturbation_that_one_run_lacks_is_noted():
    perturbed = rows(less(0.1), perturbation="typos 5%")
    table = robustness.five_numbers(pd.concat([rows(), perturbed, rows(folder="runs/b")])).set_index("folder")
    assert table.loc["runs/b", "note"] == "typos 5%: no score in any language"
    assert np.isnan(table.loc["runs/b", "loss, typos 5%"])


def test_no_english_test_is_no_gap():
    row = single_row(rows({"de": 0.5, "es": 0.6, "ru": 0.7}, task="tatoeba"))
    assert np.isnan(row["gap"]) and row["mean"] == pytest.approx(0.6) and row["note"] == "no English test, no gap"


@pytest.mark.parametrize(
    "scores, note",
    [
        ({"en": 0.9, "de": 0.5, "es": 0.7}, "2 non-English languages, no worst 3"),
        ({"en": 0.9, "de": 0.6}, "one non-English language, no worst 3, no deviation"),
        ({"en": 0.9}, "no language but English"),
    ],
)
def test_few_languages_are_noted_and_never_padded(scores, note):
    row = single_row(rows(scores), rows(scores, perturbation="typos 5%"))
    assert row["note"] == note and np.isnan(row["worst"]) and row["worst_languages"] == ""
    assert np.isnan(row["deviation"]) == (len(scores) < 3)
    assert np.isnan(row["mean"]) == np.isnan(row["loss, typos 5%"]) == (len(scores) < 2)


def test_a_row_a_run_and_task_with_or_without_run_columns():
    both = pd.concat([rows(), rows(task="udpos", metric="f1"), rows(folder="runs/b", seed=1), rows(phase="pretrain")])
    table = robustness.five_numbers(both)
    assert table[["folder", "task"]].values.tolist() == [["runs/a", "xnli"], ["runs/a", "udpos"], ["runs/b", "xnli"]]
    bare = rows().drop(columns=[*RUN, "perturbation"])
    assert robustness.five_numbers(bare)["mean"].tolist() == pytest.approx([0.6])
    assert robustness.five_numbers(both[:0]).empty


def test_two_scores_for_one_place_and_perturbed_ones_alone_are_refused():
    with pytest.raises(ValueError, match="two scores for one language"):
        robustness.five_numbers(pd.concat([rows(), rows()]))
    with pytest.raises(ValueError, match="no clean main score, only perturbed ones: xnli"):
        robustness.five_numbers(rows(perturbation="typos 5%"))


def test_replicates_of_a_run_are_one_run_with_their_mean_scores():
    first, second = (rows(replicate=number, folder=f"runs/{number}", cell=str(number)) for number in (0, 1))
    second["value"] = second["value"].where(second["language"] != "hi", 0.8)  # .4 in the other: .6 in the mean
    arm = rows(replicate=0, arm="mnli", examples=8, folder="runs/2", cell="2")
    table = robustness.five_numbers(pd.concat([second, first, arm]))
    assert table["folder"].tolist() == ["runs/0", "runs/2"]
    assert table["mean"].tolist() == pytest.approx([0.64, 0.6]) and table["worst"].tolist()[0] == pytest.approx(1.7 / 3)
    with pytest.raises(ValueError, match="two runs at one place"):
        robustness.five_numbers(pd.concat([first, second, second.assign(folder="runs/3")]))
