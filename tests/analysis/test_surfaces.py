import numpy as np
import pytest
from simulated_grid import NOISE, additive, grid, log_linear, proportional, sample_around, transfer, true_rate

from xlt_utils.analysis import bootstrap, surfaces
from xlt_utils.analysis.surface_forms import FORMS


@pytest.mark.parametrize("truth", [additive, transfer, log_linear, proportional])
def test_without_noise_the_form_and_its_surface_are_the_true_ones(truth):
    sample = sample_around(truth)
    surface = surfaces.choose_surface(sample)
    form = {"log_linear": "log-linear", "proportional": "additive"}.get(truth.__name__, truth.__name__)
    assert surface.form == form
    assert np.allclose(surface.error(sample.cells["tokens"], sample.cells["examples"]), 1 - sample.mean, atol=2e-3)
    by_p, by_i = surface.slopes(4000, 1024)
    assert by_i / by_p == pytest.approx(true_rate(truth, 4000, 1024), rel=0.05)
    assert surface.floor >= 0 and (surface.error(1e12, 1e12) >= 0).all()


def test_the_power_law_s_parameters_are_recovered():
    surface = surfaces.fit_surface(sample_around(additive), "additive")
    assert surface.exponents == pytest.approx((0.5, 0.3), abs=0.02) and surface.floor == pytest.approx(0.3, abs=0.02)
    surface = surfaces.fit_surface(sample_around(proportional), "additive")
    assert surface.exponents == pytest.approx((0, -1), abs=0.02)
    assert any("no limit along" in note for note in surfaces.choose_surface(sample_around(proportional)).notes)


def test_one_crashed_cell_does_not_bend_the_surface():
    rows = grid(lambda p, i: 1 - additive(p, i))
    rows.loc[(rows["tokens"] == 4000) & (rows["examples"] == 1024), "score"] -= 0.3
    surface = surfaces.fit_surface(bootstrap.build_grid_sample(rows, "sst").of_arm("mnli"), "additive")
    assert surface.error(4000, 1024) == pytest.approx(additive(4000, 1024), abs=0.01)


def test_the_floor_is_never_negative():
    sample = sample_around(lambda p, i: 0.9 * (1 + p / 1000) ** -0.3 * (1 + i / 256) ** -0.1 - 0.1)
    for form in ("additive", "transfer"):
        assert 0 <= surfaces.fit_surface(sample, form).floor < 0.3


def test_the_held_out_errors_are_reported_and_choose_the_form():
    surface = surfaces.choose_surface(sample_around(additive, **NOISE))
    assert set(surface.held_out) == set(FORMS)
    assert surface.held_out[surface.form] == min(surface.held_out.values())


def test_too_few_rungs_for_a_form_are_noted():
    sample = sample_around(additive, tokens=(0, 1000), examples=(0, 1024))
    notes = " ".join(surfaces.choose_surface(sample).notes)
    assert "additive is not fitted: there are 2 rungs of P and 2 rungs of I" in notes
    with pytest.raises(ValueError, match="transfer is not fitted"):
        surfaces.fit_surface(sample, "transfer")
    single = surfaces.choose_surface(sample_around(additive, tokens=(1000,), examples=(0,)))
    assert single.form == "constant" and any("one cell" in note for note in single.notes)


def test_without_intermediate_training_the_surface_depends_on_p_alone():
    surface = surfaces.choose_surface(sample_around(additive, examples=(0,)))
    assert surface.form == "additive" and any("depends on P alone" in note for note in surface.notes)
    assert surface.error(4000, 0) == pytest.approx(additive(4000, 0), abs=2e-3)


def test_p_of_0_is_a_rung_like_others_and_noted():
    surface = surfaces.choose_surface(sample_around(additive))
    assert surface.error(0, 0) == pytest.approx(0.95, abs=2e-3) and surface.scale == (1000, 256)
    assert any("P = 0 is a rung" in note for note in surface.notes)
    without = surfaces.choose_surface(sample_around(additive, tokens=(1000, 2000, 4000)))
    assert not any("P = 0" in note for note in without.notes)


def test_missing_cells_and_runs_are_counted():
    rows = grid(lambda p, i: 1 - additive(p, i), noise=0.01)
    cell = (rows["tokens"] == 4000) & (rows["examples"] == 1024)
    without_cell, without_run = (
        surfaces.choose_surface(bootstrap.build_grid_sample(part, "sst").of_arm("mnli"))
        for part in (rows[~cell], rows[~cell | (rows["seed"] > 0)])
    )
    assert "1 of 20 cells have no run" in without_cell.notes
    assert "1 of 60 runs are missing: their cells have fewer seeds" in without_run.notes


def test_an_arm_that_falls_is_noted():
    rows = grid(lambda p, i: 1 - additive(p, i) - 0.15 * (i > 5000), noise=0.005)
    notes = surfaces.choose_surface(bootstrap.build_grid_sample(rows, "sst").of_arm("mnli")).notes
    assert any("not monotone: from I = 4,096 to 16,384" in note for note in notes)
    assert not any("monotone" in note for note in surfaces.choose_surface(sample_around(additive, noise=0.005)).notes)


def test_scores_at_chance_have_a_constant_surface():
    surface = surfaces.choose_surface(sample_around(lambda p, i: 1.0, noise=0.01, n=500))
    assert surface.form == "constant" and any("all scores are at the zero point" in note for note in surface.notes)


def test_one_seed_has_a_surface_and_a_note():
    surface = surfaces.choose_surface(sample_around(additive, seeds=1))
    assert surface.form == "additive" and any("one seed" in note for note in surface.notes)


def test_an_exponent_at_its_bound_lies_on_it():
    surface = surfaces.fit_surface(sample_around(lambda p, i: additive(p, 0) - 0.2 * (i / 16384) ** 4), "additive")
    assert surface.exponents[1] == -3.0


def test_the_same_scores_give_the_same_bytes():
    first, second = (surfaces.choose_surface(sample_around(additive, **NOISE)) for _ in range(2))
    assert first.coefficients.tobytes() == second.coefficients.tobytes() and first.exponents == second.exponents
