import re

import numpy as np
import pandas as pd
import pytest
import simulated

from xlt_utils.analysis import transfer_scores
from xlt_utils.records.record import results_table
from xlt_utils.reporting.figures import by_language, canvas, grid
from xlt_utils.reporting.figures.runs import cost, learning_curve


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("figures") / "study"
    done = simulated.study(folder, notebooks=False, skip=lambda seed, tokens, examples: (tokens, examples) == (0, 256))
    scores = transfer_scores.normalised_scores(results_table(done))
    return scores, transfer_scores.zero_shot(scores)


def draw(study) -> list[grid.Figure]:
    scores, runs = study
    return [
        grid.score_surface(runs, "mnli"),
        grid.scaling_curves(runs, "tokens", "mnli"),
        grid.scaling_curves(runs, "examples", "mnli"),
        grid.gain_curves(transfer_scores.gains(runs), "mnli"),
        by_language.transfer_gap(scores, {"de": 0.2, "fr": 0.1, "es": 0.3, "hi": 0.9}),
        by_language.language_scores(scores),
        cost(pd.DataFrame({"phase": ["pretrain"], "planned": [5.0], "work": [8.0], "attempts": [10.0]})),
    ]


def test_the_same_rows_give_the_same_bytes(study, tmp_path):
    for first, second in zip(draw(study), draw(study), strict=True):
        paths = first.save(tmp_path / "a"), second.save(tmp_path / "b")
        for one, other in zip(*paths, strict=True):
            assert one.read_bytes() == other.read_bytes(), one.name
        assert (first.title, first.caption, first.alt) == (second.title, second.caption, second.alt)


def test_every_figure_has_its_data_its_n_and_a_text_in_its_place(study):
    for figure in draw(study):
        assert len(figure.data) and figure.title and re.search(r"\d", figure.alt)
        assert "seed" in figure.caption or "n =" in figure.caption or figure.name == "cost"
        assert f'alt="{figure.alt[:10]}' in figure._repr_html_()


def test_pictures_drawn_side_by_side_have_the_same_bytes(study):
    apart, together = draw(study), draw(study)
    canvas.draw_figures(together)
    for one, other in zip(apart, together, strict=True):
        assert set(other.images) == {"svg", "png"}
        assert all(one.image(kind) == other.images[kind] for kind in ("png", "svg")), one.name


def test_missing_cells_are_hatched_and_counted(study):
    figure = grid.score_surface(study[1], "mnli")
    axes = next(axes for axes in figure.drawing.axes if axes.get_title() == "udpos")
    hatched = [patch for patch in axes.patches if patch.get_hatch()]
    assert [(patch.get_x(), patch.get_y()) for patch in hatched] == [(0, 1)]  # first rung of P, middle one of I
    assert "4 of 36 cells lack seeds" in figure.caption  # one for each target, the mean of the trained ones too


def test_a_mean_over_some_of_the_seeds_says_so(tmp_path):
    done = simulated.study(tmp_path / "s", notebooks=False, skip=lambda seed, p, i: (seed, p, i) == (1, 0, 0))
    figure = grid.score_surface(
        transfer_scores.zero_shot(transfer_scores.normalised_scores(results_table(done))), "mnli"
    )
    assert any("1 of 2" in text.get_text() for axes in figure.drawing.axes for text in axes.texts)


def test_rungs_are_categories_and_every_seed_is_a_dot(study):
    axes = grid.scaling_curves(study[1], "tokens", "mnli").drawing.axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["0", "100k", "1.6M"]
    dots = [line for line in axes.lines if line.get_linestyle() == "None"]
    assert sum(len(line.get_xdata()) for line in dots) == 2 * 3 * 3 - 2  # seeds, P, I, less the missing cell's


def test_titles_follow_the_data(tmp_path):
    def falling(task, language, seed, tokens, examples):
        return 0.5 - 0.2 * (tokens > 0)

    done = simulated.study(tmp_path / "s", notebooks=False, truth=falling)
    figure = grid.scaling_curves(
        transfer_scores.zero_shot(transfer_scores.normalised_scores(results_table(done))), "tokens", "mnli"
    )
    assert "0 of 3 targets rise" in figure.title and "−0.20" in figure.title


def test_languages_stand_by_their_distance(study):
    gap = by_language.transfer_gap(study[0], {"de": 0.2, "fr": 0.1, "es": 0.3, "hi": 0.9})
    labels = [label.get_text() for label in gap.drawing.axes[0].get_yticklabels()]
    assert labels == ["fr", "de", "es", "hi"]
    assert "not known" in by_language.transfer_gap(study[0]).caption


def test_no_title_averages_trained_targets_with_retrieval(tmp_path):
    level = {"sst": 0.2, "udpos": 0.4, "tatoeba": 1.0}
    done = simulated.study(tmp_path / "s", notebooks=False, truth=lambda task, *_: level[task])
    figure = by_language.language_scores(transfer_scores.normalised_scores(results_table(done)))
    assert "trained targets" in figure.title and "(0.30)" in figure.title and "hi 0.30" in figure.alt


def test_without_a_run_at_no_intermediate_examples_the_smallest_rung_is_shown_and_named(tmp_path):
    done = simulated.study(tmp_path / "s", notebooks=False, examples=(256, 4096))
    scores = transfer_scores.normalised_scores(results_table(done))
    assert "after 256 mnli examples" in by_language.transfer_gap(scores).caption
    assert (
        grid.gain_curves(transfer_scores.gains(transfer_scores.zero_shot(scores)), "mnli").title == "No run to compare"
    )


def test_the_pictures_of_single_runs():
    curve = [{"name": "mlm", "step": step, "loss": 5 - step / 100} for step in range(0, 200, 10)]
    curve[3]["loss"] = None  # a loss that was no finite number
    picture = learning_curve(curve, unit="tokens", per_step=1000)
    assert "falls from" in picture.title and picture.data["tokens"].max() == 190_000
    nameless = [{"step": point["step"], "loss": point["loss"]} for point in curve]
    assert len(learning_curve(nameless).drawing.axes) == 1
    assert learning_curve([]).title == "Nothing was trained"

    results = [simulated.result("xnli", language, 0.5) for language in ("en", "de", "hi")]
    picture = by_language.scores_by_language(results)
    assert "worst" in picture.alt and np.isclose(picture.data["value"], 2 / 3).all()
    picture.image("png")


def test_overhead_is_what_is_not_work():
    costs = {"phase": ["pretrain", "target"], "planned": [5.0, np.nan], "work": [8.0, 1.0], "attempts": [10.0, np.nan]}
    assert cost(pd.DataFrame(costs)).title.startswith("20% of the runs' time was overhead")
