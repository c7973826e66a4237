import re

import numpy as np
import pandas as pd
import pytest
import simulated

from xlt_utils.analysis import exchange_rates, transfer_scores
from xlt_utils.reporting import tables
from xlt_utils.reporting.figures import comparisons, fits, grid
from xlt_utils.reporting.findings import Findings, gather_findings

TOKENS, EXAMPLES = (0, 100_000, 400_000, 1_600_000), (0, 256, 1024, 4096)
ARMS = {"mnli": {"tasks": ["mnli"]}, "qqp": {"tasks": ["qqp"]}, "odd": {"tasks": ["mnli"], "labels": "shuffled"}}


def truth(task, language, seed, p, i):
    """Rises with P; with I too, but for udpos; languages keep their order, runs differ by a seeded hundredth."""
    noise = np.random.default_rng([len(task), simulated.LANGUAGES.index(language), seed, p, i]).normal(0, 0.005)
    gain = 0.03 * np.log1p(i / 256) * (task != "udpos")
    return 0.1 + 0.05 * np.log1p(p / 1e5) + gain - 0.03 * simulated.LANGUAGES.index(language) + noise


def bonus(arm, task, seed, p, i):
    return np.random.default_rng([len(arm), ord(arm[0]), len(task), seed, p, i]).normal(0, 0.003)


def study(folder, **setting) -> Findings:
    sizes = {"seeds": (0, 1, 2), "tokens": TOKENS, "examples": EXAMPLES, "arms": ARMS}
    simulated.study(folder, truth=truth, bonus=bonus, notebooks=False, **(sizes | setting))
    return gather_findings(folder)


@pytest.fixture(scope="module")
def found(tmp_path_factory) -> Findings:
    return study(tmp_path_factory.mktemp("laws") / "s")


def draw(found: Findings) -> dict[str, fits.Figure]:
    drawn = [
        fits.isoquants(found.laws, "mnli"),
        fits.exchange_rates(exchange_rates.exchange_table(found.laws)),
        grid.gain_map(found.gain_table, "mnli"),
        comparisons.arms_by_targets(found.verdicts, found.arms, found.controls),
        comparisons.rank_stability(found.gains, found.scores),
        fits.fit_diagnostics(found.laws),
        comparisons.effective_robustness(found.effective),
        grid.completeness(found.zero_shot, found.holes),
    ]
    return {figure.name: figure for figure in drawn}


@pytest.fixture(scope="module")
def figures(found) -> dict[str, fits.Figure]:
    return draw(found)


def test_every_figure_has_its_data_its_n_and_a_text_in_its_place(figures):
    assert len(figures) == 8
    for figure in figures.values():
        assert len(figure.data) and figure.title and re.search(r"\d", figure.alt) and "n = " in figure.caption
        assert "nan" not in figure.title + figure.caption + figure.alt


def test_the_same_records_give_the_same_bytes(found, figures):
    for name, figure in draw(found).items():
        assert figure.image() == figures[name].image(), name
        assert figure.data.equals(figures[name].data), name


def test_a_target_that_does_not_gain_has_no_rate_and_is_listed(figures):
    figure = figures["exchange"]
    assert figure.title.startswith("6 of 8 pairs of a target and an arm have an exchange rate")
    texts = [text.get_text() for text in figure.drawing.axes[0].texts]
    assert texts == ["not defined: the slope along I is not above 0"] * 2  # udpos after mnli and after qqp
    assert "2 of 3" not in figures["isoquants-mnli"].title and "3 of 4" in figures["isoquants-mnli"].title


def test_the_gain_map_stars_what_stays_after_the_correction(found, figures):
    figure = figures["gain-map-mnli"]
    stars = [text.get_text() for axes in figure.drawing.axes for text in axes.texts if "*" in text.get_text()]
    table = found.gain_table[found.gain_table["arm"] == "mnli"]
    assert len(stars) == (table["holm"] < 0.05).sum() > 0
    own = table[~table["target"].isin(transfer_scores.MEANS.values())]
    assert f"{(own['gain'] > 0).sum()} of {len(own)} gains are above 0" in figure.title


def test_what_includes_0_stands_in_brackets_and_controls_are_last(figures):
    figure = figures["arms-by-targets"]
    axes = figure.drawing.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["mnli", "qqp", "odd (control)"]
    # the simulated control gains as much as the tasks do, yet no title counts it
    assert figure.title == "4 of 6 gains of tasks are surely above 0, 0 below"
    brackets = [text.get_text() for text in axes.texts if text.get_text().startswith("(")]
    assert len(brackets) == 3


def test_the_order_of_languages_is_stable_and_that_of_like_arms_is_not(tmp_path, figures):
    assert "order of arms" in figures["rank-stability"].title and "not surely" in figures["rank-stability"].title
    single = study(tmp_path / "s", arms={"mnli": ARMS["mnli"]})
    figure = comparisons.rank_stability(single.gains, single.scores)
    assert "order of languages at smaller P agrees" in figure.title
    assert figure.data["tau"].mean() > 0.9 and set(figure.data["tokens"]) == set(TOKENS[:-1])


def test_half_a_study_is_hatched_and_counted(tmp_path):
    found = study(tmp_path / "s", skip=lambda seed, p, i: i == 4096 and p == 0)
    drawn = draw(found)
    for name, holes in (("completeness", 3), ("gain-map-mnli", None)):
        figure = drawn[name]
        hatched = [patch for axes in figure.drawing.axes for patch in axes.patches if patch.get_hatch()]
        assert holes is None or len(hatched) == holes, name
    assert drawn["completeness"].title == "9 of 120 cells are not whole"
    assert any("0 of 3" in text.get_text() for text in drawn["completeness"].drawing.axes[0].texts)


def test_one_seed_says_that_it_settles_nothing(tmp_path):
    drawn = draw(study(tmp_path / "s", seeds=(0,)))
    assert drawn["exchange"].title.startswith("0 of 8 pairs")
    assert "no gain is told from 0" in drawn["arms-by-targets"].title
    assert "none on two seeds" in drawn["gain-map-mnli"].title
    assert "not surely" in drawn["rank-stability"].title


def test_a_study_without_intermediate_training_is_drawn_too(tmp_path):
    drawn = draw(study(tmp_path / "s", examples=(0,)))
    assert drawn["fits"].title == "No surface was fitted"
    assert drawn["exchange"].title.startswith("0 of 0 pairs")


def test_the_loss_of_perturbed_text_is_drawn_where_there_is_one(found):
    five = tables.five_numbers_table(found)
    assert comparisons.perturbation_losses(five) is None
    losses = five.assign(**{"loss, typos 10%": 0.02 + 0.1 * (five["tokens"] > 0), "loss, diacritics 10%": 0.01})
    figure = comparisons.perturbation_losses(losses)
    assert figure.title.startswith("typos 10% cost most, on average +0.020 to +0.12 from P = 0 to 1.6M")
    assert len(figure.data) == 3 * 2 * 2 and "n = 12 losses" in figure.caption
    assert isinstance(figure.data, pd.DataFrame) and set(figure.data["tokens"]) == {0, 1_600_000}
