import re

from figure_studies import TOKENS, rising_study
from report_studies import ARMS

from xlt_utils.reporting import tables
from xlt_utils.reporting.figures import comparisons


def arms_by_targets(findings):
    return comparisons.arms_by_targets(findings.verdicts, findings.arms, findings.controls)


def test_what_includes_0_stands_in_brackets_and_controls_are_last(rising_findings):
    figure = arms_by_targets(rising_findings)
    axes = figure.drawing.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["mnli", "qqp", "odd (control)"]
    # the simulated control gains as much as the tasks do, yet no title counts it
    assert figure.title == "4 of 6 gains of tasks have a 95 % CI above 0, 0 below"
    brackets = [text.get_text() for text in axes.texts if text.get_text().startswith("(")]
    assert len(brackets) == 3


def test_the_order_of_languages_is_stable_and_that_of_like_arms_is_not(tmp_path, rising_findings):
    title = comparisons.rank_stability(rising_findings.gains, rising_findings.scores).title
    assert re.fullmatch(r"Order of arms at smaller P and at the largest: tau .* \(95 % CI −.* to \+.*\)", title)
    single = rising_study(tmp_path / "s", arms={"mnli": ARMS["mnli"]})
    figure = comparisons.rank_stability(single.gains, single.scores)
    assert figure.title.startswith("Order of languages at smaller P and at the largest: tau +1.00 (95 % CI +")
    assert figure.data["tau"].mean() > 0.9 and set(figure.data["tokens"]) == set(TOKENS[:-1])


def test_arms_are_ranked_each_at_its_own_largest_rung(rising_findings):
    gains = rising_findings.gains
    shorter = gains[(gains["arm"] != "qqp") | (gains["examples"] < gains["examples"].max())]
    figure = comparisons.rank_stability(shorter, rising_findings.scores)
    assert figure.title.startswith("Order of arms") and set(figure.data["items"]) == {3}


def test_one_seed_says_that_it_settles_nothing(tmp_path):
    findings = rising_study(tmp_path / "s", seeds=(0,))
    assert arms_by_targets(findings).title == "With one seed there is no CI, so no gain can be shown to differ from 0"
    assert "(one seed, so no interval)" in comparisons.rank_stability(findings.gains, findings.scores).title


def test_effective_robustness_counts_the_pairs_whose_interval_lies_to_one_side(rising_findings):
    figure = comparisons.effective_robustness_by_pair(rising_findings.effective_robustness)
    defined = figure.data[figure.data["note"] == ""]
    n_above, n_below = (defined["low"] > 0).sum(), (defined["high"] < 0).sum()
    title = f"{n_above} of {len(defined)} pairs have a 95 % CI above the line, {n_below} below"
    assert figure.title == title and len(defined) < len(figure.data)
    assert f"No line: {len(figure.data) - len(defined)} pairs" in figure.caption


def test_a_study_without_intermediate_training_is_drawn_too(tmp_path):
    findings = rising_study(tmp_path / "s", examples=(0,))
    assert arms_by_targets(findings).data.empty
    assert "Order of languages" in comparisons.rank_stability(findings.gains, findings.scores).title
    figure = comparisons.effective_robustness_by_pair(findings.effective_robustness)
    assert figure.title == "No target has a line to compare with"


def test_the_loss_of_perturbed_text_is_drawn_where_there_is_one(rising_findings):
    robustness = tables.robustness_table(rising_findings)
    assert comparisons.perturbation_losses(robustness) is None
    typos = 0.02 + 0.1 * (robustness["tokens"] > 0)
    figure = comparisons.perturbation_losses(
        robustness.assign(**{"loss, typos 10%": typos, "loss, diacritics 10%": 0.01})
    )
    assert figure.title == "Mean loss at P = 1.6M: typos 10% +0.12, diacritics 10% +0.010"
    assert len(figure.data) == 3 * 2 * 2 and "n = 12 losses" in figure.caption
    assert set(figure.data["tokens"]) == {0, 1_600_000}
