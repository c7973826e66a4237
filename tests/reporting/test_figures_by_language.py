import numpy as np
import pandas as pd
import simulated
from figure_studies import DISTANCES

from xlt_utils.reporting.figures import by_language
from xlt_utils.reporting.findings import gather_findings


def test_languages_stand_by_their_distance(gappy_findings):
    figure = by_language.transfer_gap(gappy_findings.scores, DISTANCES)
    labels = [label.get_text() for label in figure.drawing.axes[0].get_yticklabels()]
    assert labels == ["fr", "de", "es", "hi"]
    assert "not known" in by_language.transfer_gap(gappy_findings.scores).caption


def test_english_is_on_top_where_the_task_tests_it(gappy_findings):
    figure = by_language.language_score_map(gappy_findings.scores, DISTANCES)
    labels = {axes.get_title(): [label.get_text() for label in axes.get_yticklabels()] for axes in figure.drawing.axes}
    assert labels["sst"] == ["en", "fr", "de", "es", "hi"] and labels["tatoeba"] == ["fr", "de", "es", "hi"]


def test_no_title_averages_trained_targets_with_retrieval(tmp_path):
    level = {"sst": 0.2, "udpos": 0.4, "tatoeba": 1.0}
    simulated.study(tmp_path / "s", notebooks=False, truth=lambda task, *_: level[task])
    figure = by_language.language_score_map(gather_findings(tmp_path / "s").scores)
    assert "trained targets" in figure.title and "(0.30)" in figure.title and "hi 0.30" in figure.alt


def test_without_a_run_at_no_intermediate_examples_the_smallest_rung_is_shown_and_named(tmp_path):
    simulated.study(tmp_path / "s", notebooks=False, examples=(256, 4096))
    scores = gather_findings(tmp_path / "s").scores
    assert "after 256 mnli examples" in by_language.transfer_gap(scores).caption
    assert "after 256 mnli examples" in by_language.language_score_map(scores).caption


def test_one_run_is_shown_with_its_best_and_its_worst_language():
    scores = {"en": 0.5, "de": 0.25, "hi": 0.1}
    results = [simulated.result("xnli", language, score) for language, score in scores.items()]
    figure = by_language.scores_by_language(results)
    assert figure.title == "Zero-shot means: xnli 0.45"
    assert figure.alt == "xnli: English 0.67, best de 0.50, worst hi 0.40."
    assert np.allclose(figure.data["value"], [2 / 3, 0.5, 0.4])
    figure.image("png")


def test_languages_are_compared_by_the_targets_that_all_of_them_have(tmp_path):
    """German would lead by a target that Hindi lacks; by the one that both have it is behind."""
    place = {"seed": 0, "tokens": 0, "arm": "", "examples": 0, "group": "trained", "n": 100, "cell": ""}
    rows = [("xnli", "en", 0.9), ("xnli", "de", 0.2), ("xnli", "hi", 0.3), ("sst", "en", 0.9), ("sst", "de", 0.9)]
    scores = pd.DataFrame([place | {"task": t, "language": code, "score": s, "value": s} for t, code, s in rows])
    figure = by_language.language_score_map(scores)
    assert figure.title == "At P = 0 xnli transfers best to hi (0.30), worst to de (0.20)"
    assert "Mean score over xnli, which all languages have." in figure.alt
    alone = by_language.language_score_map(scores[(scores["task"] == "sst") | (scores["language"] == "hi")])
    assert alone.title == "At P = 0 no target is tested in all languages, so they are not compared"


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
    assert by_language.transfer_gap(scores).title == "The transfer gap is 0.30 at P = 0"
