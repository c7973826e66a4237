import pytest
from figure_studies import rising_study

from xlt_utils.analysis import laws
from xlt_utils.reporting.figures import fits


def exchange_rates(findings):
    return fits.exchange_rates_by_pair(laws.exchange_table(findings.laws))


def test_a_target_that_does_not_gain_has_no_rate_and_is_listed(rising_findings):
    figure = exchange_rates(rising_findings)
    assert figure.title.startswith("6 of 8 pairs of a target and an arm have an exchange rate")
    texts = [text.get_text() for text in figure.drawing.axes[0].texts]
    assert len(texts) == 2 and all(text.startswith("not defined: ") for text in texts)  # udpos after mnli and qqp


def test_the_title_counts_the_surfaces_with_an_exchange_rate(rising_findings):
    figure = fits.isoquants(rising_findings.laws, "mnli")
    assert figure.title == "After mnli, 3 of 4 surfaces give an exchange rate"
    assert "Exchange rates exist for tatoeba, sst, mean of trained targets." in figure.alt


def test_the_fits_are_compared_with_every_cell(rising_findings):
    figure = fits.fit_diagnostics(rising_findings.laws)
    assert figure.title.startswith("Log-linear is chosen for 8 of 8 surfaces")
    assert len(figure.data) == 8 * 4 * 4 and "n = 128 cells, 8 fits" in figure.caption
    assert (figure.data["score"] - figure.data["fitted"]).abs().max() == pytest.approx(0, abs=0.02)


def test_one_seed_has_no_exchange_rate(tmp_path):
    findings = rising_study(tmp_path / "s", seeds=(0,))
    assert exchange_rates(findings).title.startswith("0 of 8 pairs")
    assert fits.isoquants(findings.laws, "mnli").title.startswith("After mnli, 0 of 4 surfaces")


def test_a_study_without_intermediate_training_is_drawn_too(tmp_path):
    findings = rising_study(tmp_path / "s", examples=(0,))
    assert fits.fit_diagnostics(findings.laws).title == "No surface was fitted"
    assert exchange_rates(findings).title.startswith("0 of 0 pairs")
