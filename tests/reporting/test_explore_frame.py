"""The explorer's frame and its choices, on simulated studies."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import simulated

from xlt_utils.records import items
from xlt_utils.reporting.explore import choice as choices
from xlt_utils.reporting.explore import curves
from xlt_utils.reporting.explore.choice import ALL
from xlt_utils.reporting.explore.frame import ABOVE, GAIN, NO_ARM, OTHERS, RAW, OpenStudy, join_studies, on_scale
from xlt_utils.reporting.findings import gather_findings

N = 40  # items of each test


def with_items(record: dict) -> dict:
    """The record with items whose share of right ones is the score, the first items first."""
    for result in record["results"]:
        right = (np.arange(N) < round(result["value"] * N)).astype(float)
        result |= {"n": N, "value": float(right.mean()), "zero": None, "items": items.pack(map(str, range(N)), right)}
    return record


def opened(folder: Path, **settings) -> OpenStudy:
    simulated.study(folder, notebooks=False, **settings)
    return OpenStudy(folder.name, folder, gather_findings(folder))


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> OpenStudy:
    return opened(tmp_path_factory.mktemp("frame") / "s", arms={"mnli": {"tasks": ["mnli"]}, "qqp": {"tasks": ["qqp"]}})


def test_a_gain_is_over_the_run_of_the_same_seed_p_and_language(study):
    frame = study.frame
    place = (frame["seed"] == 1) & (frame["tokens"] == 100_000) & (frame["task"] == "sst") & (frame["language"] == "de")
    before = frame[place & (frame["examples"] == 0)].iloc[0]
    after = frame[place & (frame["examples"] == 4096) & (frame["arm"] == "qqp")].iloc[0]
    assert after[GAIN] == pytest.approx(after[ABOVE] - before[ABOVE])
    assert np.isnan(before[GAIN]) and after[RAW] == pytest.approx(0.5 + after[ABOVE] / 2)


def test_the_mean_over_the_others_leaves_english_out_and_is_never_of_some(tmp_path):
    def complete(record):
        if record["cell"].startswith("s0-p0-mnli-i256"):
            record["results"] = [row for row in record["results"] if row["language"] != "sw"]
        return record

    frame = opened(tmp_path / "s", languages=("en", "de", "sw"), tasks=("sst",), complete=complete).frame
    run = frame[(frame["seed"] == 0) & (frame["tokens"] == 0)].set_index(["examples", "language"])
    assert run.loc[(0, OTHERS), ABOVE] == pytest.approx(run.loc[[(0, "de"), (0, "sw")], ABOVE].mean())
    assert (256, OTHERS) not in run.index and (4096, OTHERS) in run.index


def test_an_interval_by_pairs_is_narrower_than_by_items_apart(tmp_path):
    frame = opened(tmp_path / "s", tasks=("sst",), complete=with_items).frame
    rows = frame[(frame["examples"] == 4096) & (frame["language"] == "de")]
    paired, apart = rows[f"{GAIN} high"] - rows[GAIN], rows[f"{ABOVE} high"] - rows[ABOVE]
    assert (paired < apart).all() and (paired > 0).all()


def test_on_a_scale_are_the_rows_that_have_a_value_there(study):
    frame = join_studies([study])
    assert set(on_scale(frame, GAIN)["examples"]) == {256, 4096}
    rows = on_scale(frame, RAW)
    assert len(rows) == len(frame) and rows["value"].equals(frame[RAW])
    assert set(rows.loc[rows["language"] == OTHERS, "interval"]) == {"–"}


def test_several_studies_are_told_apart_and_one_is_not_named(study, tmp_path):
    other = OpenStudy("other", tmp_path, study.findings)
    assert set(join_studies([study])["condition"]) == {NO_ARM, "mnli", "qqp"}
    assert {"mnli, s", "mnli, other"} < set(join_studies([study, other])["condition"])


def test_the_first_choice_was_learnt_and_has_the_largest_rungs(study):
    frame = join_studies([study])
    choice = choices.first_choice(frame.assign(counts=frame["task"] == "udpos"))
    assert (choice.target, choice.tokens, choice.examples) == ("udpos", 1_600_000, 4096)
    assert (choice.arm, choice.language, choice.seed) == (ALL, OTHERS, ALL)


def test_the_first_choice_is_the_target_that_an_arm_raises_most(study):
    frame = join_studies([study]).assign(counts=True)
    for target in ("sst", "udpos"):
        raised = (frame["task"] == target) & (frame["examples"] > 0)
        assert choices.first_choice(frame.assign(**{GAIN: frame[GAIN] + raised})).target == target


def test_the_first_choice_is_the_target_that_text_raises_most_where_that_is_more_than_an_arm_does(study):
    frame = join_studies([study]).assign(counts=True)
    for target in ("sst", "udpos"):
        raised = (frame["task"] == target) & (frame["tokens"] > 0)
        assert choices.first_choice(frame.assign(**{ABOVE: frame[ABOVE] + raised})).target == target


def test_of_two_studies_the_first_choice_has_runs(study):
    larger = study.frame.assign(study="t", tokens=study.frame["tokens"] * 4)
    longer = study.frame.assign(examples=study.frame["examples"] * 4)
    frame = pd.concat([longer, larger], ignore_index=True).assign(condition="mnli")
    choice = choices.first_choice(frame)
    assert len(choices.at_rungs(choices.chosen_rows(frame, choice), choice))


def test_a_choice_holds_what_it_names_and_i_of_zero_begins_each_arms_line(study):
    frame = join_studies([study])
    choice = replace(choices.first_choice(frame), arm="mnli", seed=1, language="de")
    rows = choices.chosen_rows(frame, choice)
    assert set(rows["arm"]) == {"", "mnli"} and set(rows["seed"]) == {1} and set(rows["task"]) == {choice.target}
    over = choices.over_examples(choices.chosen_rows(frame, replace(choice, arm=ALL)), choice)
    assert set(over["language"]) == {"de"} and set(over["tokens"]) == {choice.tokens}
    assert {name: sorted(part["examples"]) for name, part in over.groupby("condition")} == {
        "mnli": [0, 256, 4096],
        "qqp": [0, 256, 4096],
    }
    assert set(choices.over_tokens(rows, choice)["examples"]) == {0, 4096}


def test_english_stands_beside_the_others_of_the_same_run(study):
    frame = join_studies([study])
    both = choices.english_and_others(choices.chosen_rows(frame, choices.first_choice(frame)))
    row = both.iloc[5]
    run = frame[(frame["cell"] == row["cell"]) & (frame["task"] == choices.first_choice(frame).target)]
    values = run.set_index("language")[ABOVE]
    assert (row["english"], row["others"]) == pytest.approx((values["en"], values[OTHERS]))
    retrieval = replace(choices.first_choice(frame), target="tatoeba")
    assert choices.english_and_others(choices.chosen_rows(frame, retrieval)).empty


def test_the_runs_that_can_be_chosen_begin_with_those_at_the_chosen_rungs(study):
    frame = join_studies([study])
    choice = choices.first_choice(frame)
    runs = choices.chosen_runs(choices.chosen_rows(frame, choice), choice)
    assert len(runs) == len(set(runs)) and runs[0][1].startswith("s0-p1600000-mnli-i4096")


def test_curves_and_hours_are_those_of_the_records(tmp_path):
    def complete(record):
        if record["phase"] == "target":
            points = [{"name": name, "step": step, "loss": 1 / step} for name in ("sst", "udpos") for step in (1, 2)]
            record["curves"] = [*points, {"name": "sst", "step": 3, "loss": None}]
        return record

    study = opened(tmp_path / "s", complete=complete)
    frame = join_studies([study])
    choice = replace(choices.first_choice(frame), target="sst")
    losses = curves.learning_curves([study], choices.chosen_rows(frame, choice), choice)
    assert len(losses) == 2 * 2 * 2 and set(losses["loss"]) == {1, 0.5}  # seeds, I = 0 and the largest, steps
    hours = curves.hours_by_phase([study]).set_index("phase")
    assert hours["runs"].to_dict() == {"pretrain": 6, "intermediate": 12, "target": 18}
    assert hours.loc["target", "hours"] == pytest.approx(18 * 8 / 3600)
