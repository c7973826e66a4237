import numpy as np
import pytest

from xlt_utils.analysis import surface_forms
from xlt_utils.analysis.surface_forms import FORMS

SIZES = np.array([(p, i) for p in (0.0, 1.0, 4.0, 16.0) for i in (0.0, 1.0, 4.0, 16.0, 64.0)]).T
BOTH = (True, True)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("exponents", [(0.5, 0.3), (0.2, 1.4)])
def test_the_slopes_are_the_derivatives_of_the_terms(form, exponents):
    scale, place, step = (1000.0, 256.0), np.array([4000.0, 1024.0]), 1e-3
    slopes = surface_forms.term_slopes(form, BOTH, scale, *place, np.array([exponents]))[0]
    for axis in (0, 1):
        ends = [(place + sign * step * np.eye(2)[axis]) / scale for sign in (1, -1)]
        up, down = (surface_forms.form_terms(form, BOTH, *end, *exponents) for end in ends)
        assert np.allclose(slopes[axis], (up - down) / (2 * step), rtol=1e-4, atol=1e-12)


@pytest.mark.parametrize("form", FORMS)
def test_a_grid_of_a_form_at_a_lattice_point_is_fitted_exactly(form):
    lattice = surface_forms.build_lattice(form, BOTH, *SIZES)
    exponents = lattice.exponents[len(lattice.exponents) * 3 // 4]
    terms = surface_forms.form_terms(form, BOTH, *SIZES, *exponents)
    errors = terms @ np.array([0.9, -0.02, -0.01])[: terms.shape[1]]
    fitted_exponents, coefficients = surface_forms.fit_form(form, BOTH, *SIZES, errors)
    fitted = surface_forms.form_terms(form, BOTH, *SIZES, *fitted_exponents) @ coefficients
    assert np.allclose(fitted, errors, atol=1e-4)


def test_a_solution_whose_floor_would_be_negative_has_the_floor_0():
    lattice = surface_forms.build_lattice("additive", BOTH, *SIZES, exponents=np.array([[0.4, 0.2]]))
    errors = 0.9 - 0.5 * surface_forms.form_terms("additive", BOTH, *SIZES, 0.4, 0.2)[:, 1]
    best, coefficients = surface_forms.solve_lattice(lattice, errors[None], np.ones(len(errors)))
    assert lattice.floor[best[0]] @ coefficients[0] == pytest.approx(0, abs=1e-9)
