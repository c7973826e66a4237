"""The error as a function of both sizes, error(P, I) = 1 − normalised zero-shot score: fitted in five forms and chosen
by the error on held-out largest rungs. A `GridSample` of one target and arm goes in; a `Surface` comes out, or its
`Refits` to resampled grids."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from scipy import optimize

from xlt_utils.analysis import bootstrap
from xlt_utils.analysis.bootstrap import GridSample
from xlt_utils.analysis.intervals import Interval
from xlt_utils.analysis.proportionality import example_rungs
from xlt_utils.analysis.surface_forms import (
    BENT,
    EXPONENTS,
    FORMS,
    RATES,
    RUNGS,
    Axes,
    build_lattice,
    fit_form,
    form_terms,
    huber_weights,
    solve_lattice,
    term_slopes,
)
from xlt_utils.formatting import number_text

SMALLEST_TRANSFER_EXPONENT = 0.05


@dataclass(frozen=True)
class GridSizes:
    """The cells' sizes `p` and `i` (cells,) in units of `scale`, (P0, I0), the smallest positive rungs; how many
    `rungs` P and I have, and which `axes` have more than one."""

    p: np.ndarray
    i: np.ndarray
    scale: tuple[float, float]
    rungs: tuple[int, int]
    axes: Axes


def grid_sizes(sample: GridSample) -> GridSizes:
    tokens, examples = (sample.cells[name].to_numpy(dtype=float) for name in ("tokens", "examples"))
    p0, i0 = (float(axis[axis > 0].min()) if (axis > 0).any() else 1.0 for axis in (tokens, examples))
    rungs = len(np.unique(tokens)), len(np.unique(examples))
    return GridSizes(tokens / p0, examples / i0, (p0, i0), rungs, (rungs[0] > 1, rungs[1] > 1))


@dataclass(frozen=True)
class Surface:
    """One form with its parameters. `scale` is (P0, I0), `axes` which of P and I vary; `exponents` (a, b) and
    `coefficients` are those of `form_terms`; `floor` is the limit at infinite P and I; `residual` the residuals'
    standard deviation; `held_out` each tried form's root mean square error on held-out largest rungs; `notes` what the
    reader of the fit has to know.
    """

    form: str
    scale: tuple[float, float]
    axes: Axes
    exponents: tuple[float, float]
    coefficients: np.ndarray
    floor: float
    residual: float
    held_out: dict[str, float]
    notes: tuple[str, ...] = ()

    def error(self, tokens, examples) -> np.ndarray:
        """The error at sizes that broadcast against each other, never below 0 nor the floor."""
        p, i = np.asarray(tokens) / self.scale[0], np.asarray(examples) / self.scale[1]
        return np.maximum(form_terms(self.form, self.axes, p, i, *self.exponents) @ self.coefficients, 0)

    def slopes(self, tokens: float, examples: float) -> tuple[float, float]:
        """Error that one more token, and one more example, take away at a place (the negative derivatives)."""
        terms = term_slopes(self.form, self.axes, self.scale, tokens, examples, np.array([self.exponents]))[0]
        return float(-(terms[0] @ self.coefficients)), float(-(terms[1] @ self.coefficients))


class Refits:
    """A surface fitted again to resampled grids: the same form and Huber weights, all exponents searched anew."""

    def __init__(self, sample: GridSample, surface: Surface, draws: int = 150, seed: int = 0):
        """Draws `draws` grids at each of the bootstrap's levels, from a seed, and fits them."""
        self.sample, self.surface = sample, surface
        sizes = grid_sizes(sample)
        residuals = 1 - sample.mean - surface.error(sample.cells["tokens"], sample.cells["examples"])
        lattice = build_lattice(surface.form, sizes.axes, sizes.p, sizes.i)
        grids = np.vstack(list(bootstrap.draw_grids(sample, draws, seed).values()))
        best, self.coefficients = solve_lattice(lattice, 1 - grids, huber_weights(residuals)[0])
        self.exponents = lattice.exponents[best]

    def interval(self, values: np.ndarray, estimate: float) -> Interval:
        """The 95 % CI of a number from its values at all levels' draws, (levels · draws,)."""
        levels = dict(zip(bootstrap.LEVELS, np.split(values, len(bootstrap.LEVELS)), strict=True))
        return bootstrap.bootstrap_interval(self.sample, levels, estimate)

    def slopes(self, tokens: float, examples: float) -> np.ndarray:
        """Error that one more token and one more example take away at a place, (levels · draws, 2)."""
        surface = self.surface
        terms = term_slopes(surface.form, surface.axes, surface.scale, tokens, examples, self.exponents)
        return -np.einsum("dsk,dk->ds", terms, self.coefficients)


def fit_surface(sample: GridSample, form: str, is_refined: bool = True) -> Surface:
    """Fit one of FORMS to one arm's cells with Huber's loss.

    P and I count in units of their smallest positive rung, P0 and I0, and enter as 1 + P / P0: the start
    (P = 0) and no intermediate training (I = 0) are cells like others, and no offset has to be fitted.
    h(x; e) = (1 − (1 + x)^−e) / e: a power law with a limit where its exponent is above 0, log at 0, proportional
    at −1, and a late onset below.

    - additive: E0 − A·h(P/P0; a) − B·h(I/I0; b)
    - transfer: E + (G + A·(1 + P/P0)^−a)·(1 + I/I0)^−b, pretraining sets what examples have left to take away
      (Hernandez et al. 2021, arXiv 2102.01293; the form of Barnett 2024, arXiv 2408.16947)
    - saturating: E0 − A·s(P/P0; a) − B·s(I/I0; b), s(x; r) = (1 − exp(−r·x)) / r, as a set of examples that is learnt
      out; a power law, whose returns fall but never end, cannot stand in for it
    - log-linear: E0 − A·log(1 + P/P0) − B·log(1 + I/I0)
    - constant: E0

    The limit at infinite P and I is at least 0. A and B may be negative: harm is fitted as harm.

    Args:
        sample: one target's cells of one arm.
        form: one of FORMS.
        is_refined: whether the exponents go on from the lattice's best point to the minimum.

    Raises:
        ValueError: an axis has too few rungs for the form.
    """
    sizes = grid_sizes(sample)
    if reason := why_not_fitted(form, sizes):
        raise ValueError(reason)
    error = 1 - sample.mean
    exponents, coefficients = fit_form(form, sizes.axes, sizes.p, sizes.i, error)
    if form in BENT and is_refined:
        exponents, coefficients = _polish(form, sizes, error, exponents, coefficients)
    lattice = build_lattice(form, sizes.axes, sizes.p, sizes.i, exponents[None])
    floor = float(lattice.floor[0] @ coefficients) if lattice.is_bounded[0] else 0.0
    residual = float(np.sqrt(np.mean((error - lattice.terms[0] @ coefficients) ** 2)))
    a, b = map(float, exponents)
    return Surface(form, sizes.scale, sizes.axes, (a, b), coefficients, max(0.0, floor), residual, {})


def _polish(
    form: str, sizes: GridSizes, error: np.ndarray, exponents: np.ndarray, coefficients: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """From the lattice's best point to the minimum of Huber's loss; the floor is held by a steep penalty."""
    axes, p, i = sizes.axes, sizes.p, sizes.i
    _, threshold = huber_weights(error - form_terms(form, axes, p, i, *exponents) @ coefficients)
    is_free = np.array(axes)

    def split(parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        free_exponents = np.zeros(2)
        free_exponents[is_free] = parameters[: is_free.sum()]
        return free_exponents, parameters[is_free.sum() :]

    def residuals(parameters: np.ndarray) -> np.ndarray:
        trial_exponents, trial = split(parameters)
        lattice = build_lattice(form, axes, p, i, trial_exponents[None])
        floor = lattice.floor[0] @ trial if lattice.is_bounded[0] else 0
        return np.append(lattice.terms[0] @ trial - error, 100 * min(0, floor))

    low, high = {
        "transfer": (SMALLEST_TRANSFER_EXPONENT, EXPONENTS[-1]),
        "saturating": (RATES[0], RATES[-1]),
    }.get(form, (EXPONENTS[0], EXPONENTS[-1]))
    start = np.concatenate([exponents[is_free], coefficients])
    bounds = np.full((2, len(start)), [[-np.inf], [np.inf]])
    bounds[:, : is_free.sum()] = [[low], [high]]
    # To the last digits, which no reader is shown: what is shown is then the same on every processor.
    result = optimize.least_squares(
        residuals,
        start,
        jac="3-point",
        bounds=bounds,
        ftol=1e-15,
        xtol=1e-15,
        gtol=1e-15,
        x_scale="jac",
        loss="huber",
        f_scale=threshold,
        max_nfev=1000,
    )
    fitted_exponents, fitted = split(result.x)
    # an exponent that came to a bound as near as the optimiser gets lies on it
    for bound in (high, low):
        fitted_exponents[is_free & np.isclose(fitted_exponents, bound)] = bound
    terms = form_terms(form, axes, p, i, *fitted_exponents)
    return (fitted_exponents, fitted) if np.isfinite(terms).all() else (exponents, coefficients)


def why_not_fitted(form: str, sizes: GridSizes, n_held_out: int = 0) -> str:
    """Why a form cannot be fitted to a grid; empty where it can.

    Args:
        form: one of FORMS.
        sizes: the grid's cells and rungs.
        n_held_out: rungs of each axis that the fit does not see.
    """
    if form == "transfer" and not all(sizes.axes):
        return "transfer is not fitted: it needs more than one rung of P and of I"
    if form != "constant" and not any(sizes.axes):
        return f"{form} is not fitted: neither P nor I has a second rung"
    short = [
        f"{rungs} rungs of {name}"
        for name, rungs, varies in zip("PI", sizes.rungs, sizes.axes, strict=True)
        if varies and rungs - n_held_out < RUNGS[form]
    ]
    held_out = ", one of them held out" if n_held_out else ""
    counts = " and ".join(short) + held_out
    return f"{form} is not fitted: there are {counts}, and it needs {RUNGS[form]}" if short else ""


def choose_surface(sample: GridSample) -> Surface:
    """The form whose fits without the largest rung of P, of I, and of both come closest to what was held out.

    `held_out` on the result is every tried form's mean of the three errors; the notes say which forms were not
    tried and why, and what about the data (no I, missing cells, falling arms, scores at the zero point) a reader must
    know.
    """
    sizes = grid_sizes(sample)
    error, notes = 1 - sample.mean, list(_data_notes(sample))
    if any("all scores are at the zero point" in note for note in notes):
        return replace(fit_surface(sample, "constant"), notes=(*notes, "the surface is constant"))
    held_out = {}
    for form in FORMS:
        if reason := why_not_fitted(form, sizes, n_held_out=1):
            notes.append(reason)
            continue
        errors = [_held_out_error(form, sizes, error, kept, out) for kept, out in _splits(sizes)]
        held_out[form] = float(np.mean(errors or [np.nan]))
    if not np.isfinite(list(held_out.values())).any():
        notes.append("there is one cell, so no form can be compared with another")
        return replace(fit_surface(sample, "constant"), held_out=held_out, notes=tuple(notes))
    surface = fit_surface(sample, min(held_out, key=lambda form: held_out[form]))
    notes += _limit_notes(surface)
    return replace(surface, held_out=held_out, notes=tuple(notes))


def _splits(sizes: GridSizes) -> list[tuple[np.ndarray, np.ndarray]]:
    """(kept, held out) cells: without the largest P, without the largest I, and without both."""
    last_p, last_i = sizes.p == sizes.p.max(), sizes.i == sizes.i.max()
    splits = [(~last_p, last_p)] if sizes.axes[0] else []
    splits += [(~last_i, last_i)] if sizes.axes[1] else []
    splits += [(~last_p & ~last_i, last_p & last_i)] if all(sizes.axes) else []
    return [(kept, out) for kept, out in splits if kept.any() and out.any()]


def _held_out_error(form: str, sizes: GridSizes, error: np.ndarray, kept: np.ndarray, out: np.ndarray) -> float:
    p, i = sizes.p, sizes.i
    exponents, coefficients = fit_form(form, sizes.axes, p[kept], i[kept], error[kept])
    predicted = np.maximum(form_terms(form, sizes.axes, p[out], i[out], *exponents) @ coefficients, 0)
    return float(np.sqrt(np.mean((predicted - error[out]) ** 2)))


def _limit_notes(surface: Surface) -> list[str]:
    if surface.form not in BENT:
        return []
    ends = [
        name
        for name, exponent, varies in zip("PI", surface.exponents, surface.axes, strict=True)
        if varies and exponent <= 0
    ]
    return [f"no limit along {' and '.join(ends)}: do not extrapolate beyond the grid"] if ends else []


def _data_notes(sample: GridSample) -> Iterator[str]:
    """What a reader of any surface has to know about the data."""
    cells = sample.cells
    if sample.n_seeds < 2:
        yield "one seed: there are no intervals"
    if sample.missing_runs:
        yield f"{sample.missing_runs} of {sample.n_seeds * len(cells)} runs are missing: their cells have fewer seeds"
    n_places = cells["tokens"].nunique() * cells["examples"].nunique()
    if len(cells) < n_places:
        yield f"{n_places - len(cells)} of {n_places} cells have no run"
    if (cells["examples"] == 0).all():
        yield "no intermediate training: the surface depends on P alone"
    if (cells["tokens"] == 0).any():
        yield "P = 0 is a rung: sizes enter as 1 + P / (smallest rung above 0)"
    noise = np.sqrt((sample.seeds**2).sum(axis=0).mean() + (sample.examples**2).sum(axis=0))
    is_at_chance = sample.mean <= 3 * noise
    if is_at_chance.all():
        yield "all scores are at the zero point (within three standard errors)"
    elif is_at_chance.any():
        yield f"{is_at_chance.sum()} of {len(cells)} cells are at the zero point (within three standard errors)"
    if sample.n_seeds > 1:
        rungs = example_rungs(sample)
        if rungs.complete:
            yield from _fall_notes(sample, "I", rungs.sizes, rungs.means)
        bare = sample.of_cells((cells["examples"] == 0).to_numpy())
        yield from _fall_notes(bare, "P", bare.cells["tokens"].to_numpy(), np.eye(len(bare.mean)))


def _fall_notes(sample: GridSample, axis: str, rungs: np.ndarray, means: np.ndarray) -> Iterator[str]:
    """A note for each step between two rungs at which the score falls; `means` are contrasts (rungs, cells)."""
    if len(rungs) < 2:
        return
    change, margin = bootstrap.linear_contrasts(sample, np.diff(means, axis=0))
    unit = " tokens" if axis == "P" else ""
    for step in np.flatnonzero(change + margin < 0):
        yield (
            f"not monotone: from {axis} = {rungs[step]:,} to {rungs[step + 1]:,}{unit} the score changes by "
            f"{number_text(change[step], '+')} (95 % CI below 0)"
        )
