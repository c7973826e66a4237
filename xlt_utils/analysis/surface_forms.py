"""The forms that an error surface can take over pretraining tokens P and intermediate examples I. Each is linear in its
coefficients once its exponents are known, so the exponents are searched on a lattice, all at once and for thousands of
resampled grids, and no start can miss the best valley. Sizes and errors go in, exponents and coefficients come out."""

from dataclasses import dataclass

import numpy as np

FORMS = ("constant", "log-linear", "transfer", "additive", "saturating")  # by their number of parameters: 1, 3, 5, 5, 5
# that an axis needs for the form
RUNGS = {"constant": 1, "log-linear": 2, "transfer": 3, "additive": 3, "saturating": 3}
BENT = ("transfer", "additive", "saturating")  # the forms with exponents (or rates) and a floor
EXPONENTS = np.array([*np.arange(-3, -0.2, 0.25), -0.1, 0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 1.5, 2])
RATES = 2.0 ** np.arange(-8, 2)  # of saturation, in units of 1 / P0 and 1 / I0
TINY = 1e-9

Axes = tuple[bool, bool]  # whether P and I have more than one rung


def _bent(x, exponent) -> np.ndarray:
    """(1 − (1 + x)^−e) / e: 0 at x = 0 with slope 1, log(1 + x) at e = 0, x at e = −1, and a late onset below."""
    x, exponent = np.broadcast_arrays(np.asarray(x, dtype=float), exponent)
    is_log = np.abs(exponent) < TINY
    safe = np.where(is_log, 1, exponent)
    return np.where(is_log, np.log1p(x), -np.expm1(-safe * np.log1p(x)) / safe)


def _saturating(x, rate) -> np.ndarray:
    """(1 − exp(−rate · x)) / rate: 0 at x = 0 with slope 1, and nothing more is to be had beyond a few 1 / rate."""
    x, rate = np.broadcast_arrays(np.asarray(x, dtype=float), rate)
    safe = np.where(np.abs(rate) < TINY, 1, rate)
    return np.where(np.abs(rate) < TINY, x, -np.expm1(-safe * x) / safe)


def form_terms(form: str, axes: Axes, p, i, a, b) -> np.ndarray:
    """The terms (..., k) that a form adds up, each with its coefficient.

    Args:
        form: one of FORMS.
        axes: an axis without rungs has no term.
        p, i: sizes in units of P0 and I0; these and the exponents a, b broadcast against each other to (...).
        a, b: exponents of P and I; of the saturating form, rates.
    """
    p, i, a, b = np.broadcast_arrays(p, i, a, b)
    terms = [np.ones(p.shape)]
    if form == "transfer":
        v = (1.0 + i) ** -b
        terms += [v, v * (1.0 + p) ** -a]
    elif form != "constant":
        bend = _saturating if form == "saturating" else _bent
        terms += [bend(size, e) for size, e, varies in ((p, a, axes[0]), (i, b, axes[1])) if varies]
    return np.stack(terms, axis=-1)


def term_slopes(
    form: str, axes: Axes, scale: tuple[float, float], tokens: float, examples: float, exponents: np.ndarray
) -> np.ndarray:
    """Derivatives of `form_terms` by tokens and by examples at one place of the grid, (n, 2, k).

    Args:
        form: one of FORMS.
        axes: as in `form_terms`.
        scale: (P0, I0).
        tokens, examples: the place.
        exponents: pairs (n, 2).
    """
    (p, i), (a, b) = (tokens / scale[0], examples / scale[1]), exponents.T
    zero = np.zeros(len(exponents))
    if form == "transfer":
        u, v = (1 + p) ** -a, (1 + i) ** -b
        by_p = [zero, zero, -a * u / (1 + p) * v]
        by_i = [zero, -b * v / (1 + i), -b * v / (1 + i) * u]
    else:
        if form == "saturating":
            steepness = np.exp(-a * p), np.exp(-b * i)
        else:
            steepness = (1 + p) ** (-a - 1), (1 + i) ** (-b - 1)
        varying = [axis for axis in (0, 1) if axes[axis] and form != "constant"]
        by_p, by_i = ([zero, *[steepness[axis] if axis == by_axis else zero for axis in varying]] for by_axis in (0, 1))
    return np.stack([np.stack(by_p, -1) / scale[0], np.stack(by_i, -1) / scale[1]], axis=1)


@dataclass(frozen=True)
class Lattice:
    """A form on some cells at n pairs of `exponents` (n, 2), with its `terms` (n, cells, k).

    The form's floor, the limit at infinite P and I, is `floor` (n, k) @ coefficients; `is_bounded` (n,) says where it
    has one. `onto_zero` (n, k, k − 1) maps free coefficients to those whose floor is 0.
    """

    exponents: np.ndarray
    terms: np.ndarray
    floor: np.ndarray
    is_bounded: np.ndarray
    onto_zero: np.ndarray


def build_lattice(form: str, axes: Axes, p: np.ndarray, i: np.ndarray, exponents: np.ndarray | None = None) -> Lattice:
    """The lattice of a form.

    Args:
        form: one of FORMS.
        axes: an axis without rungs has the exponent 0 alone.
        p, i: the cells' sizes (cells,), in units of P0 and I0.
        exponents: pairs (n, 2); by default all pairs of EXPONENTS that the form can have.
    """
    if exponents is None:
        candidates = {"transfer": EXPONENTS[EXPONENTS > 0], "saturating": RATES}.get(form, EXPONENTS)
        by_axis = [candidates if varies and form in BENT else np.zeros(1) for varies in axes]
        exponents = np.stack(np.meshgrid(*by_axis, indexing="ij"), -1).reshape(-1, 2)
    terms = form_terms(form, axes, p, i, exponents[:, :1], exponents[:, 1:])
    k = terms.shape[-1]
    floor = np.zeros((len(exponents), k))
    floor[:, 0] = 1
    used = exponents[:, list(axes)]
    is_bounded = np.full(len(exponents), form in BENT) & (used > TINY).all(axis=1)
    if form in ("additive", "saturating"):
        floor[:, 1:] = 1 / np.where(is_bounded[:, None], used, 1)
    onto_zero = np.zeros((len(exponents), k, max(1, k - 1)))
    for column in range(1, k):
        onto_zero[:, 0, column - 1] = -floor[:, column]
        onto_zero[:, column, column - 1] = 1
    return Lattice(exponents, terms, floor, is_bounded, onto_zero)


def solve_lattice(lattice: Lattice, errors: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weighted least squares over the lattice, with the floor at or above 0 where the form has one.

    Args:
        lattice: of n points.
        errors: of the grids (grids, cells).
        weights: of the cells (cells,).

    Returns:
        For each grid the number of the best lattice point (grids,) and its coefficients (grids, k).
    """
    root = np.sqrt(weights)
    x, y = lattice.terms * root[:, None], errors * root
    solvers = []
    for terms in (x, x @ lattice.onto_zero if lattice.is_bounded.any() else x):
        gram = np.einsum("lck,lcm->lkm", terms, terms)
        gram += 1e-12 * np.trace(gram, axis1=1, axis2=2)[:, None, None] * np.eye(gram.shape[-1])
        lower = np.linalg.cholesky(gram)
        half = np.linalg.solve(lower, terms.transpose(0, 2, 1))
        solvers.append((half, np.linalg.solve(lower.transpose(0, 2, 1), half)))
    (free_half, free_solver), (zero_half, zero_solver) = solvers
    explained, explained_at_zero = (
        (np.einsum("lkc,dc->lkd", half, y, optimize=True) ** 2).sum(axis=1) for half in (free_half, zero_half)
    )
    floors = np.einsum("lk,lkc->lc", lattice.floor, free_solver) @ y.T
    is_below = (floors < 0) & lattice.is_bounded[:, None]
    best = np.argmax(np.where(is_below, explained_at_zero, explained), axis=0)
    coefficients = np.einsum("dkc,dc->dk", free_solver[best], y)
    at_zero = is_below[best, np.arange(len(y))]
    if at_zero.any():
        free = np.einsum("dmc,dc->dm", zero_solver[best[at_zero]], y[at_zero])
        coefficients[at_zero] = np.einsum("dkm,dm->dk", lattice.onto_zero[best[at_zero]], free)
    return best, coefficients


def huber_weights(residuals: np.ndarray) -> tuple[np.ndarray, float]:
    """Weights of residuals under Huber's loss, and its threshold: 1.345 robust standard deviations (Huber 1964)."""
    threshold = max(1.345 * 1.4826 * float(np.median(np.abs(residuals))), 1e-6)
    return np.minimum(1, threshold / np.maximum(np.abs(residuals), TINY)), threshold


def fit_form(form: str, axes: Axes, p: np.ndarray, i: np.ndarray, error: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Exponents (2,) and coefficients (k,) of one form at the lattice's best point, by Huber's loss.

    Args:
        form: one of FORMS.
        axes: which of P and I vary.
        p, i: the cells' sizes (cells,), in units of P0 and I0.
        error: 1 − score of the cells (cells,).
    """
    lattice = build_lattice(form, axes, p, i)
    weights = np.ones(len(error))
    for _ in range(3):
        best, coefficients = solve_lattice(lattice, error[None], weights)
        weights, _ = huber_weights(error - lattice.terms[best[0]] @ coefficients[0])
    return lattice.exponents[best[0]], coefficients[0]
