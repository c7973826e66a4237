"""Two studies side by side, on simulated studies whose gains are known."""

import numpy as np
import pytest
import simulated

from xlt_utils.reporting.figures import canvas
from xlt_utils.reporting.figures.two_studies import side_by_side
from xlt_utils.reporting.findings import gather_findings
from xlt_utils.reporting.two_studies import GAIN, OTHERS, SCORE, NothingCommon, TwoStudies

SMALL = {
    "seeds": (0, 1, 2),
    "tokens": (0, 100_000),
    "examples": (0, 4096),
    "tasks": ("sst", "udpos"),
    "notebooks": False,
}


def with_gain(gain: float):
    """The true score: a gain of so much at I > 0, with noise of half a hundredth."""

    def truth(task, language, seed, tokens, examples):
        noise = np.random.default_rng([seed, tokens, examples, len(task), ord(language[0])]).normal(0, 0.005)
        return 0.4 + gain * (examples > 0) + noise

    return truth


def study(folder, gain=0.1, **changes):
    simulated.study(folder, truth=with_gain(gain), **(SMALL | changes))
    return gather_findings(folder)


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    return study(tmp_path_factory.mktemp("first") / "first")


@pytest.fixture(scope="module")
def both(first, tmp_path_factory):
    """The second study gains 0.2 more, in other languages, tasks, arms, P and seeds too."""
    folder = tmp_path_factory.mktemp("second") / "second"
    changes = {
        "seeds": (7, 8),
        "tokens": (0, 400_000),
        "tasks": ("sst", "tatoeba"),
        "languages": ("en", "de", "hi", "ru"),
    }
    second = study(folder, 0.3, arms={"mnli": {"tasks": ["mnli"]}, "qqp": {"tasks": ["qqp"]}}, **changes)
    return TwoStudies(("first", "second"), (first, second))


def test_what_both_have_is_counted_and_what_one_has_is_named(both):
    counts = both.counts.set_index(both.counts["what"].str.split().str[0])[["common", "a", "b"]]
    assert counts.loc["pretrain"].tolist() == [1, 1, 1]  # P = 0, 100k, 400k
    assert counts.loc["intermediate"].tolist() == [1, 1, 3]
    assert counts.loc["target"].tolist() == [2, 2, 4]
    assert counts.loc["tests"].tolist() == [6, 34, 36]  # sst at P = 0 in en, de, hi, without and after mnli
    assert {kind: names for kind, names in both.only_in(1).items() if names} == {
        "targets": ["tatoeba"], "languages": ["ru"], "arms": ["qqp"], "P": ["400k"]
    }  # fmt: skip


def test_gains_are_those_that_were_simulated_on_the_common_languages_alone(both):
    (row,) = both.means(GAIN).to_dict("records")
    assert (row["target"], row["arm"], row["tokens"], row["examples"]) == ("sst", "mnli", 0, 4096)
    assert (row["value a"], row["value b"]) == pytest.approx((0.1, 0.3), abs=0.02)
    assert (row["n a"], row["n b"]) == (3, 2)
    assert row["low a"] < row["value a"] < row["high a"] < row["value b"]
    assert row["low"] < row["difference"] < row["high"] and row["low"] > 0
    languages = both.numbers[(both.numbers["measure"] == GAIN) & (both.numbers["language"] != OTHERS)]
    assert list(languages["language"]) == ["en", "de", "hi"]
    others = languages[languages["language"] != "en"]
    assert row["value a"] == pytest.approx(others["value a"].mean())
    assert row["difference"] == pytest.approx(row["value b"] - row["value a"])
    (score,) = both.means(SCORE).to_dict("records")
    assert (score["value a"], score["value b"]) == pytest.approx((0.4, 0.4), abs=0.02)
    assert score["low"] < 0 < score["high"]


def test_the_words_say_what_differs(both):
    text = both.text(("here", "there"))
    assert "1 of 1 gain differ (1 higher in B, 0 in A)" in text and "0 of 1 score differ" in text
    assert "only in A: targets udpos; languages es, fr; P 100k" in text
    assert "B  second: 2 seeds, data microworld, encoders from scratch (there)" in text


def test_a_study_beside_itself_has_everything_in_common_and_no_difference(first):
    same = TwoStudies(("a", "b"), (first, first))
    assert not same.counts[["a", "b"]].to_numpy().any()
    assert len(same.means(GAIN)) == 4 and not same.numbers["difference"].any()
    table = first.gain_table.set_index(["target", "arm", "tokens", "examples"])
    for row in same.means(GAIN).to_dict("records"):
        on_page = table.loc[(row["target"], row["arm"], row["tokens"], row["examples"])]
        assert (row["value a"], row["low a"], row["high a"]) == pytest.approx(on_page[["gain", "low", "high"]].tolist())


def test_arms_of_one_name_that_were_trained_on_different_things_are_not_compared(first, tmp_path):
    second = study(tmp_path / "s", arms={"mnli": {"tasks": ["mnli"], "mlm_share": 0.2}})
    studies = TwoStudies(("first", "s"), (first, second))
    assert studies.means(GAIN).empty and len(studies.means(SCORE)) == 4
    assert "not the same arm: mnli, trained on mnli and mnli, masked LM in 20% of the steps" in studies.text()
    assert "score at I = 0" in side_by_side(studies).drawing.axes[0].get_xlabel()


def test_what_one_study_did_not_learn_is_named_and_not_compared(first, tmp_path):
    low = lambda task, *place: 0.02 if task == "sst" else with_gain(0.1)(task, *place)  # noqa: E731
    simulated.study(tmp_path / "s", truth=low, **SMALL)
    studies = TwoStudies(("first", "s"), (first, gather_findings(tmp_path / "s")))
    assert set(studies.numbers["target"]) == {"udpos"}
    assert "not learnt in English in B, so not compared: sst" in studies.text()


def test_one_seed_has_no_interval_and_no_difference_is_tested(first, tmp_path):
    studies = TwoStudies(("first", "s"), (first, study(tmp_path / "s", seeds=(0,))))
    rows = studies.means(GAIN)
    assert rows["low"].isna().all() and rows["low b"].isna().all() and rows["low a"].notna().all()
    assert "no difference is tested" in studies.text()
    assert side_by_side(studies).image("svg")


def test_two_studies_without_a_common_test_are_refused(first, tmp_path):
    with pytest.raises(NothingCommon, match=r"first has sst, udpos in .*; s has tatoeba in"):
        TwoStudies(("first", "s"), (first, study(tmp_path / "s", tasks=("tatoeba",))))


def test_the_figure_holds_a_row_a_place_and_its_data_every_language(both, first, tmp_path):
    figure = side_by_side(both)
    (axes,) = figure.drawing.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["sst, mnli\nP = 0, I = 4096"]
    assert [text.get_text() for text in figure.drawing.legends[0].get_texts()] == ["first", "second"]
    assert len(figure.data) == len(both.numbers) > 2 and figure.title.startswith("1 of 1 gain differ")
    many = TwoStudies(("a", "b"), (first, first))
    few, canvas.MAX_ROWS = canvas.MAX_ROWS, 2
    try:
        drawn = side_by_side(many)
    finally:
        canvas.MAX_ROWS = few
    assert len(drawn.drawing.axes[0].get_yticks()) == 2 and "at the largest common P and I" in drawn.caption
