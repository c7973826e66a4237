import numpy as np
import pytest
from simulated_grid import NOISE, SMALL, grid

from xlt_utils.analysis import bootstrap, exchange_rates, surfaces
from xlt_utils.analysis.surfaces import FORMS

# The truths: error at (P, I), P0 = 1000 and I0 = 256 being the smallest rungs, and minus its two derivatives.


def additive(p, i):
    return 0.3 + 0.45 * (1 + p / 1000) ** -0.5 + 0.2 * (1 + i / 256) ** -0.3


def transfer(p, i):
    return 0.2 + (0.25 + 0.4 * (1 + p / 1000) ** -0.4) * (1 + i / 256) ** -0.15


def log_linear(p, i):
    return 0.8 - 0.09 * np.log1p(p / 1000) - 0.025 * np.log1p(i / 256)


def proportional(p, i):
    return 0.8 - 0.1 * np.log1p(p / 1000) - 0.2 * i / 16384


def null(p, i):
    return 0.3 + 0.45 * (1 + p / 1000) ** -0.5


def rate(truth, p: float, i: float) -> float:
    """The true exchange rate, by central differences."""
    by_i, by_p = truth(p, i * 1.0001) - truth(p, i / 1.0001), truth(p * 1.0001, i) - truth(p / 1.0001, i)
    return by_i / i / (by_p / p)


def of(truth, **setting):
    return bootstrap.make_sample(grid(lambda p, i: 1 - truth(p, i), **setting), "sst").arm("mnli")


@pytest.mark.parametrize("truth", [additive, transfer, log_linear, proportional])
def test_without_noise_the_form_and_its_surface_are_the_true_ones(truth):
    sample = of(truth)
    surface = surfaces.choose_surface(sample)
    wanted = {"log_linear": "log-linear", "proportional": "additive"}.get(truth.__name__, truth.__name__)
    assert surface.form == wanted
    assert np.allclose(surface.error(sample.cells["tokens"], sample.cells["examples"]), 1 - sample.mean, atol=2e-3)
    by_p, by_i = surface.slopes(4000, 1024)
    assert by_i / by_p == pytest.approx(rate(truth, 4000, 1024), rel=0.05)
    assert surface.floor >= 0 and (surface.error(1e12, 1e12) >= 0).all()


def test_the_power_law_s_parameters_are_recovered():
    surface = surfaces.fit_surface(of(additive), "additive")
    assert surface.exponents == pytest.approx((0.5, 0.3), abs=0.02) and surface.floor == pytest.approx(0.3, abs=0.02)
    surface = surfaces.fit_surface(of(proportional), "additive")
    assert surface.exponents == pytest.approx((0, -1), abs=0.02)
    assert any("no limit along" in note for note in surfaces.choose_surface(of(proportional)).notes)


def test_one_crashed_cell_does_not_bend_the_surface():
    rows = grid(lambda p, i: 1 - additive(p, i))
    rows.loc[(rows["tokens"] == 4000) & (rows["examples"] == 1024), "score"] -= 0.3
    surface = surfaces.fit_surface(bootstrap.make_sample(rows, "sst").arm("mnli"), "additive")
    assert surface.error(4000, 1024) == pytest.approx(additive(4000, 1024), abs=0.01)


def test_the_floor_is_never_negative():
    sample = of(lambda p, i: 0.9 * (1 + p / 1000) ** -0.3 * (1 + i / 256) ** -0.1 - 0.1)
    for form in ("additive", "transfer"):
        assert 0 <= surfaces.fit_surface(sample, form).floor < 0.3


def test_the_held_out_errors_are_reported_and_choose_the_form():
    surface = surfaces.choose_surface(of(additive, **NOISE))
    assert set(surface.held_out) == set(FORMS)
    assert surface.held_out[surface.form] == min(surface.held_out.values())


def test_too_few_rungs_for_a_form_are_said():
    sample = of(additive, tokens=(0, 1000), examples=(0, 1024))
    notes = " ".join(surfaces.choose_surface(sample).notes)
    assert "additive is not fitted: there are 2 rungs of P and 2 rungs of I" in notes
    with pytest.raises(ValueError, match="transfer is not fitted"):
        surfaces.fit_surface(sample, "transfer")
    single = surfaces.choose_surface(of(additive, tokens=(1000,), examples=(0,)))
    assert single.form == "constant" and any("one cell" in note for note in single.notes)


def test_without_intermediate_training_the_surface_runs_over_p_alone():
    surface = surfaces.choose_surface(of(additive, examples=(0,)))
    assert surface.form == "additive" and any("runs over P alone" in note for note in surface.notes)
    assert surface.error(4000, 0) == pytest.approx(additive(4000, 0), abs=2e-3)
    assert "rungs of P and I" in exchange_rates.exchange_at_places(of(additive, examples=(0,)), surface)[0].why


def test_p_of_0_is_a_rung_like_others_and_said():
    surface = surfaces.choose_surface(of(additive))
    assert surface.error(0, 0) == pytest.approx(0.95, abs=2e-3) and surface.scale == (1000, 256)
    assert any("P = 0 is a rung" in note for note in surface.notes)
    assert not any("P = 0" in note for note in surfaces.choose_surface(of(additive, tokens=(1000, 2000, 4000))).notes)


def test_missing_cells_and_runs_are_counted():
    rows = grid(lambda p, i: 1 - additive(p, i), noise=0.01)
    cell = (rows["tokens"] == 4000) & (rows["examples"] == 1024)
    notes = surfaces.choose_surface(bootstrap.make_sample(rows[~cell], "sst").arm("mnli")).notes
    assert "1 of 20 cells have no run" in notes
    notes = surfaces.choose_surface(bootstrap.make_sample(rows[~cell | (rows["seed"] > 0)], "sst").arm("mnli")).notes
    assert "1 of 60 runs are missing: their cells rest on fewer seeds" in notes


def test_an_arm_that_falls_is_said():
    rows = grid(lambda p, i: 1 - additive(p, i) - 0.15 * (i > 5000), noise=0.005)
    notes = surfaces.choose_surface(bootstrap.make_sample(rows, "sst").arm("mnli")).notes
    assert any("not monotone: from I = 4,096 to 16,384" in note for note in notes)
    assert not any("monotone" in note for note in surfaces.choose_surface(of(additive, noise=0.005)).notes)


def test_scores_at_chance_have_a_constant_surface_and_no_exchange():
    sample = of(lambda p, i: 1.0, noise=0.01, n=500)
    surface = surfaces.choose_surface(sample)
    assert surface.form == "constant" and any("all scores are at chance" in note for note in surface.notes)
    assert all(
        "constant" in one.why and np.isnan(one.tokens.mean)
        for one in exchange_rates.exchange_at_places(sample, surface)
    )
    assert np.isnan(exchange_rates.isoquant(sample, surface, 0.5)[0][1].mean)


def test_one_seed_has_a_surface_and_no_interval():
    sample = of(additive, seeds=1)
    surface = surfaces.choose_surface(sample)
    assert any("one seed" in note for note in surface.notes)
    assert "two seeds" in exchange_rates.exchange_at_places(sample, surface)[0].why


def test_a_flat_axis_has_no_exchange_rate():
    sample = of(null, **NOISE)
    found = exchange_rates.exchange_at_places(sample, surfaces.choose_surface(sample))
    assert all(one.why and np.isnan(one.tokens.mean) for one in found)


def test_the_exchange_rate_by_hand():
    # 0.02 an e-fold of I against 0.1 of P: at P = P0 and I = I0, (0.02 / 512) / (0.1 / 2000) tokens an example
    sample = of(lambda p, i: 0.8 - 0.1 * np.log1p(p / 1000) - 0.02 * np.log1p(i / 256), noise=1e-4)
    surface = surfaces.fit_surface(sample, "log-linear")
    by_p, by_i = surface.slopes(1000, 256)
    assert by_i / by_p == pytest.approx(0.78125, rel=1e-2)
    centre, corner = exchange_rates.exchange_at_places(sample, surface, flops_a_token=2.0, flops_an_example=100.0)
    assert centre.place == "centre" and corner.tokens_there == 16000 and corner.examples_there == 16384
    wanted = (0.02 / (256 + 16384)) / (0.1 / 17000)
    assert corner.tokens.mean == pytest.approx(wanted, rel=0.02) and corner.tokens.low < wanted < corner.tokens.high
    assert corner.flops.mean == pytest.approx(corner.tokens.mean * 2 / 100)


def test_isoquants_by_hand():
    sample = of(lambda p, i: 0.8 - 0.1 * np.log1p(p / 1000) - 0.05 * np.log1p(i / 256), noise=1e-4)
    found = dict(exchange_rates.isoquant(sample, surfaces.fit_surface(sample, "log-linear"), score=0.45))
    assert np.isnan(found[0.0].mean)  # beyond the largest rung
    wanted = 256 * np.expm1((0.35 - 0.1 * np.log(5)) / 0.05 - 0)
    assert np.isnan(found[4000.0].mean) == (wanted > 16384)
    reached = 256 * np.expm1((0.25 - 0.1 * np.log(17)) / 0.05)
    assert np.isnan(found[16000.0].mean) == (reached < 0)
    one = dict(exchange_rates.isoquant(sample, surfaces.fit_surface(sample, "log-linear"), score=0.35))[1000.0]
    wanted = 256 * np.expm1((0.15 - 0.1 * np.log(2)) / 0.05)
    assert one.low < wanted < one.high and one.mean == pytest.approx(wanted, rel=0.03)


def test_the_same_records_give_the_same_numbers():
    first, second = (of(additive, **NOISE) for _ in range(2))
    found = [exchange_rates.exchange_at_places(one, surfaces.choose_surface(one)) for one in (first, second)]
    assert found[0] == found[1] or str(found[0]) == str(found[1])
    assert (
        surfaces.choose_surface(first).coefficients.tobytes() == surfaces.choose_surface(second).coefficients.tobytes()
    )


@pytest.mark.slow
@pytest.mark.parametrize("setting", [{}, SMALL], ids=["3 seeds", "2 seeds"])
def test_the_true_exchange_rate_lies_in_the_interval_as_often_as_it_says(setting):
    truths, held, defined = (additive, transfer, log_linear, proportional), 0, 0
    for state in range(200):
        truth = truths[state % 4]
        sample = of(truth, state=state, **setting, **NOISE)
        for one in exchange_rates.exchange_at_places(sample, surfaces.choose_surface(sample)):
            if not one.why:
                defined += 1
                held += one.tokens.low <= rate(truth, one.tokens_there, one.examples_there) <= one.tokens.high
    assert defined >= 150
    assert 0.90 <= held / defined <= 0.99


@pytest.mark.slow
def test_a_null_effect_has_no_exchange_rate():
    claims = 0
    for state in range(60):
        sample = of(null, state=state, **SMALL, **NOISE)
        claims += any(not one.why for one in exchange_rates.exchange_at_places(sample, surfaces.choose_surface(sample)))
    assert claims <= 4
