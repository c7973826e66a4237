import re

import numpy as np
import pandas as pd
import pytest
import simulated
from figure_studies import DISTANCES

from xlt_utils.reporting.figures import by_language
from xlt_utils.reporting.findings import gather_findings
from xlt_utils.reporting.sentences import five_sentences


def test_languages_stand_by_their_distance(gappy_findings):
    figure = by_language.transfer_gap(gappy_findings.scores, DISTANCES)
    labels = [label.get_text().split()[-1].strip("()") for label in figure.drawing.axes[0].get_yticklabels()]
    assert labels == ["fr", "de", "es", "hi"]
    assert "not known" in by_language.transfer_gap(gappy_findings.scores).caption


def test_english_is_on_top_where_the_task_tests_it(gappy_findings):
    figure = by_language.language_score_map(gappy_findings.scores, DISTANCES)
    labels = {
        axes.get_title(): [label.get_text().split()[-1].strip("()") for label in axes.get_yticklabels()]
        for axes in figure.drawing.axes
    }
    assert labels["sst"] == ["en", "fr", "de", "es", "hi"] and labels["tatoeba"] == ["fr", "de", "es", "hi"]


def test_no_title_averages_trained_targets_with_retrieval(tmp_path):
    level = {"sst": 0.3, "udpos": 0.5, "tatoeba": 1.0}
    simulated.study(tmp_path / "s", notebooks=False, truth=lambda task, *_: level[task])
    figure = by_language.language_score_map(gather_findings(tmp_path / "s").scores)
    assert "over sst, udpos" in figure.alt and "hi 0.40" in figure.alt


def test_without_a_run_at_no_intermediate_examples_the_smallest_rung_is_shown_and_named(tmp_path):
    simulated.study(tmp_path / "s", notebooks=False, examples=(256, 4096))
    scores = gather_findings(tmp_path / "s").scores
    assert "after 256 mnli examples" in by_language.transfer_gap(scores).caption
    assert "after 256 mnli examples" in by_language.language_score_map(scores).caption


def test_one_run_is_shown_with_its_highest_and_its_lowest_language():
    scores = {"en": 0.5, "de": 0.25, "hi": 0.1}
    results = [simulated.result("xnli", language, score) for language, score in scores.items()]
    figure = by_language.scores_by_language(results)
    assert figure.title == "Zero-shot means: xnli 0.45"
    assert figure.alt == "xnli: English 0.67, highest de 0.50, lowest hi 0.40."
    assert np.allclose(figure.data["value"], [2 / 3, 0.5, 0.4])
    figure.image("png")


def test_languages_are_compared_by_the_targets_that_all_of_them_have(tmp_path):
    """German would lead by a target that Hindi lacks; by the one that both have it is behind. No title ranks them."""
    place = {"seed": 0, "tokens": 0, "arm": "", "examples": 0, "group": "trained", "n": 100, "cell": ""}
    rows = [("xnli", "en", 0.9), ("xnli", "de", 0.2), ("xnli", "hi", 0.3), ("sst", "en", 0.9), ("sst", "de", 0.9)]
    scores = pd.DataFrame([place | {"task": t, "language": code, "score": s, "value": s} for t, code, s in rows])
    figure = by_language.language_score_map(scores)
    assert figure.title == "Scores by language and P, without intermediate training"
    assert figure.alt == "Mean score at P = 0 over xnli, which all languages have: en 0.90, de 0.20, hi 0.30."
    alone = by_language.language_score_map(scores[(scores["task"] == "sst") | (scores["language"] == "hi")])
    assert alone.alt == "Mean score at P = 0 by language: no target that counts has all languages."


def test_the_gap_of_the_title_is_the_mean_over_targets_of_their_own_means(tmp_path):
    """As in the page's sentence: a target of many languages weighs no more than one of few."""
    place = {"seed": 0, "tokens": 0, "arm": "", "examples": 0, "group": "trained", "n": 100, "cell": ""}
    rows = [
        ("xnli", "en", 0.5),
        ("xnli", "de", 0.3),
        ("sst", "en", 0.5),
        *(("sst", code, 0.1) for code in ("de", "hi")),
    ]
    scores = pd.DataFrame([place | {"task": t, "language": code, "score": s, "value": s} for t, code, s in rows])
    assert by_language.transfer_gap(scores).title == "Transfer gap (mean of trained targets): 0.30 at P = 0"


def test_the_gap_of_the_title_is_that_of_the_sentence(rising_findings):
    title = by_language.transfer_gap(rising_findings.scores).title
    numbers = re.findall(r"0\.\d+", title)
    sentence = five_sentences(rising_findings)["gap"]
    assert len(numbers) == 2 and all(number in sentence for number in numbers)


def test_the_zero_point_of_a_raw_score_is_a_line():
    results = [simulated.result("xnli", code, 0.5) | {"zero": zero} for code, zero in (("en", 0.4), ("de", 0.36))]
    figure = by_language.scores_by_language(results)
    (lines,) = figure.drawing.axes[0].collections
    assert [segment[0][0] for segment in lines.get_segments()] == [0.4, 0.36]
    assert "zero point" in figure.caption


def test_the_gains_of_the_languages_average_to_the_gain_of_the_target(rising_findings):
    figure = by_language.gains_by_language(rising_findings.scores, ["mnli", "qqp"], ["odd"], DISTANCES)
    others = figure.data[figure.data["language"] != "en"]
    means = others.groupby(["target", "arm"])["gain"].mean()
    for verdict in rising_findings.verdicts:
        if (verdict.target, verdict.arm) in means:
            assert means[verdict.target, verdict.arm] == pytest.approx(verdict.gain.mean)
    tasks = others[others["arm"] != "odd"]
    n_above, n_below = (tasks["low"] > 0).sum(), (tasks["high"] < 0).sum()
    assert figure.title == f"{n_above} of {len(tasks)} gains in a language have a 95 % CI above 0, {n_below} below"
    labels = [label.get_text().split()[-1].strip("()") for label in figure.drawing.axes[0].get_yticklabels()]
    assert labels == ["en", "fr", "de", "es", "hi"]


def test_gains_by_language_show_six_arms_and_say_of_how_many(tmp_path):
    arms = {f"arm{number}": {"tasks": ["mnli"]} for number in range(8)}
    simulated.study(tmp_path / "s", notebooks=False, arms=arms, tasks=("sst",), examples=(0, 256))
    findings = gather_findings(tmp_path / "s")
    figure = by_language.gains_by_language(findings.scores, findings.arms, findings.controls)
    assert figure.data["arm"].nunique() == 6
    assert "Of 8 arms, those with the most scores shown." in figure.caption
