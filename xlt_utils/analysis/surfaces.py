"""The error as a function of both sizes, error(P, I) = 1 − normalised zero-shot score: fitted in four forms, chosen
by the largest rungs held out, and what follows from it: isoquants and the exchange rate between pretraining tokens
and intermediate examples. In goes a `bootstrap.Sample` of one target and arm."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import optimize

from xlt_utils.analysis import bootstrap
from xlt_utils.analysis.bootstrap import Sample
from xlt_utils.analysis.proportionality import over_tokens
from xlt_utils.formatting import number

FORMS = ("constant", "log-linear", "transfer", "additive")  # by their number of parameters: 1, 3, 5, 5
RUNGS = {"constant": 1, "log-linear": 2, "transfer": 3, "additive": 3}  # that an axis needs for the form
EXPONENTS = np.round(np.arange(-1, 2.001, 0.2), 1)
HELD_OUT = ("largest P", "largest I", "largest P and I")
TINY = 1e-9


@dataclass(frozen=True)
class Surface:
    """One form with its parameters. `scale` is (P0, I0), `axes` which of P and I vary; `exponents` (a, b) and
    `coefficients` are those of `_columns`; `floor` is the error that no size gets below; `left` the residuals'
    standard deviation; `held_out` each tried form's root mean square error on HELD_OUT; `notes` all that the reader of
    the fit has to know.
    """

    form: str
    scale: tuple[float, float]
    axes: tuple[bool, bool]
    exponents: tuple[float, float]
    coefficients: np.ndarray
    floor: float
    left: float
    held_out: dict[str, float]
    notes: tuple[str, ...] = ()

    def error(self, tokens, examples) -> np.ndarray:
        """The error at sizes that broadcast against each other, never below 0 nor the floor."""
        p, i = np.asarray(tokens) / self.scale[0], np.asarray(examples) / self.scale[1]
        columns = _columns(self.form, self.axes, p, i, *self.exponents)
        return np.maximum(columns @ self.coefficients, 0)

    def slopes(self, tokens: float, examples: float) -> tuple[float, float]:
        """Error that one more token, and one more example, take away at a place (the negative derivatives)."""
        found = _slopes(self.form, self.axes, self.scale, tokens, examples, np.array([self.exponents]))
        return tuple(float(-(row @ self.coefficients)) for row in found[0])


# The forms. Each is linear in its coefficients once the exponents are known, so that these are searched on a
# lattice, all at once and for thousands of resampled grids, and no start can miss the best valley.


def _bent(x, exponent) -> np.ndarray:
    """(1 − (1 + x)^−e) / e: 0 at x = 0 with slope 1, log(1 + x) at e = 0, x itself at e = −1."""
    x, exponent = np.broadcast_arrays(np.asarray(x, dtype=float), exponent)
    flat = np.abs(exponent) < TINY
    safe = np.where(flat, 1, exponent)
    return np.where(flat, np.log1p(x), -np.expm1(-safe * np.log1p(x)) / safe)


def _columns(form: str, axes: tuple[bool, bool], p, i, a, b) -> np.ndarray:
    """The terms (..., k) that a form adds up, at sizes in units of P0 and I0."""
    p, i, a, b = np.broadcast_arrays(p, i, a, b)
    terms = [np.ones(p.shape)]
    if form == "transfer":
        v = (1.0 + i) ** -b
        terms += [v, v * (1.0 + p) ** -a]
    elif form != "constant":
        terms += [_bent(size, e) for size, e, there in ((p, a, axes[0]), (i, b, axes[1])) if there]
    return np.stack(terms, axis=-1)


def _slopes(form: str, axes, scale, tokens, examples, exponents) -> np.ndarray:
    """Derivatives of the terms by tokens and by examples (lattice, 2, k)."""
    (p, i), (a, b) = (tokens / scale[0], examples / scale[1]), exponents.T
    zero = np.zeros(len(exponents))
    if form == "transfer":
        u, v = (1 + p) ** -a, (1 + i) ** -b
        by_p = [zero, zero, -a * u / (1 + p) * v]
        by_i = [zero, -b * v / (1 + i), -b * v / (1 + i) * u]
    else:
        steep = (1 + p) ** (-a - 1), (1 + i) ** (-b - 1)
        there = [k for k in (0, 1) if axes[k] and form != "constant"]
        by_p, by_i = ([zero, *[steep[k] if k == own else zero for k in there]] for own in (0, 1))
    return np.stack([np.stack(by_p, -1) / scale[0], np.stack(by_i, -1) / scale[1]], axis=1)


@dataclass(frozen=True)
class _Lattice:
    """A form at all exponents: `columns` (lattice, cells, k) and the floor as a product with the coefficients."""

    form: str
    exponents: np.ndarray
    columns: np.ndarray
    floor: np.ndarray
    bounded: np.ndarray
    onto: np.ndarray


def _lattice(form: str, axes, p, i, own: np.ndarray | None = None) -> _Lattice:
    bent = [EXPONENTS[EXPONENTS > 0] if form == "transfer" else EXPONENTS] * 2
    if form in ("constant", "log-linear"):
        bent = [np.zeros(1)] * 2
    bent = [values if there else np.zeros(1) for values, there in zip(bent, axes, strict=True)]
    pairs = np.stack(np.meshgrid(*bent, indexing="ij"), -1).reshape(-1, 2) if own is None else own
    columns = _columns(form, axes, p, i, pairs[:, :1], pairs[:, 1:])
    k = columns.shape[-1]
    floor = np.zeros((len(pairs), k))
    floor[:, 0] = 1
    used = pairs[:, list(axes)]
    bounded = np.full(len(pairs), form in ("transfer", "additive")) & (used > TINY).all(axis=1)
    if form == "additive":
        floor[:, 1:] = 1 / np.where(bounded[:, None], used, 1)
    # coefficients whose floor is 0: the first follows from the others
    onto = np.zeros((len(pairs), k, max(1, k - 1)))
    for column in range(1, k):
        onto[:, 0, column - 1] = -floor[:, column]
        onto[:, column, column - 1] = 1
    return _Lattice(form, pairs, columns, floor, bounded, onto)


def _solve(lattice: _Lattice, errors: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weighted least squares of grids (draws, cells) over the lattice with the floor at or above 0 where the form
    has one: the best point's number (draws,) and its coefficients (draws, k)."""
    root = np.sqrt(weights)
    x, y = lattice.columns * root[:, None], errors * root
    solvers = []
    for columns in (x, x @ lattice.onto if lattice.bounded.any() else x):
        gram = np.einsum("lck,lcm->lkm", columns, columns)
        gram += 1e-12 * np.trace(gram, axis1=1, axis2=2)[:, None, None] * np.eye(gram.shape[-1])
        lower = np.linalg.cholesky(gram)
        half = np.linalg.solve(lower, columns.transpose(0, 2, 1))
        solvers.append((half, np.linalg.solve(lower.transpose(0, 2, 1), half)))
    explained = [(np.einsum("lkc,dc->lkd", half, y, optimize=True) ** 2).sum(axis=1) for half, _ in solvers]
    whole = np.einsum("lk,lkc->lc", lattice.floor, solvers[0][1]) @ y.T
    under = (whole < 0) & lattice.bounded[:, None]
    best = np.argmax(np.where(under, explained[1], explained[0]), axis=0)
    free = np.einsum("dkc,dc->dk", solvers[0][1][best], y)
    at_zero = under[best, np.arange(len(y))]
    if at_zero.any():
        held = np.einsum("dmc,dc->dm", solvers[1][1][best[at_zero]], y[at_zero])
        free[at_zero] = np.einsum("dkm,dm->dk", lattice.onto[best[at_zero]], held)
    return best, free


def _huber(left: np.ndarray) -> tuple[np.ndarray, float]:
    """Huber's weights of residuals, and his threshold: 1.345 robust standard deviations."""
    delta = max(1.345 * 1.4826 * float(np.median(np.abs(left))), 1e-6)
    return np.minimum(1, delta / np.maximum(np.abs(left), TINY)), delta


def _fit(form: str, axes, p, i, error) -> tuple[np.ndarray, np.ndarray]:
    """Exponents (2,) and coefficients (k,) of one form at the lattice's best point."""
    lattice = _lattice(form, axes, p, i)
    weights = np.ones(len(error))
    for _ in range(3):
        best, found = _solve(lattice, error[None], weights)
        weights, _ = _huber(error - lattice.columns[best[0]] @ found[0])
    return lattice.exponents[best[0]], found[0]


def fit_surface(sample: Sample, form: str) -> Surface:
    """Fit one of FORMS to one arm's cells with Huber's loss.

    P and I count in units of their smallest positive rung, P0 and I0, and enter as 1 + P / P0: the start
    (P = 0) and no intermediate training (I = 0) are cells like others, and no offset has to be fitted.
    h is `_bent`: a power law with a limit where its exponent is above 0, log at 0, proportional at −1.

    - additive: E0 − A·h(P/P0; a) − B·h(I/I0; b)
    - transfer: E + (G + A·(1 + P/P0)^−a)·(1 + I/I0)^−b, pretraining sets what examples have left to take away
      (Hernandez et al. 2021, arXiv 2102.01293; the form of Barnett 2024, arXiv 2408.16947)
    - log-linear: E0 − A·log(1 + P/P0) − B·log(1 + I/I0)
    - constant: E0

    The limit at infinite P and I is at least 0. A and B may be negative: harm is fitted as harm.
    Raises ValueError where an axis has too few rungs for the form.
    """
    p, i, scale, axes, rungs = _sizes(sample)
    fault = _too_few(form, rungs, axes)
    if fault:
        raise ValueError(fault)
    error = 1 - sample.mean
    exponents, found = _fit(form, axes, p, i, error)
    if form in ("additive", "transfer"):
        exponents, found = _polish(form, axes, p, i, error, exponents, found)
    lattice = _lattice(form, axes, p, i, exponents[None])
    floor = float(lattice.floor[0] @ found) if lattice.bounded[0] else 0.0
    left = float(np.sqrt(np.mean((error - lattice.columns[0] @ found) ** 2)))
    return Surface(form, scale, axes, tuple(map(float, exponents)), found, max(0.0, floor), left, {})


def _polish(form, axes, p, i, error, exponents, found) -> tuple[np.ndarray, np.ndarray]:
    """From the lattice's best point to the minimum of Huber's loss; the floor is held by a steep penalty."""
    _, delta = _huber(error - _columns(form, axes, p, i, *exponents) @ found)
    free = np.array(axes)

    def split(values):
        own = np.zeros(2)
        own[free] = values[: free.sum()]
        return own, values[free.sum() :]

    def residuals(values):
        own, coefficients = split(values)
        lattice = _lattice(form, axes, p, i, own[None])
        floor = lattice.floor[0] @ coefficients if lattice.bounded[0] else 0
        return np.append(lattice.columns[0] @ coefficients - error, 100 * min(0, floor))

    low = 0.05 if form == "transfer" else EXPONENTS[0]
    start = np.concatenate([exponents[free], found])
    bounds = np.full((2, len(start)), [[-np.inf], [np.inf]])
    bounds[:, : free.sum()] = [[low], [EXPONENTS[-1]]]
    result = optimize.least_squares(residuals, start, loss="huber", f_scale=delta, bounds=bounds, x_scale="jac")
    own, coefficients = split(result.x)
    columns = _columns(form, axes, p, i, *own)
    return (own, coefficients) if np.isfinite(columns).all() else (exponents, found)


def _sizes(sample: Sample):
    tokens, examples = (sample.cells[name].to_numpy(dtype=float) for name in ("tokens", "examples"))
    rungs = len(np.unique(tokens)), len(np.unique(examples))
    scale = tuple(float(axis[axis > 0].min()) if (axis > 0).any() else 1.0 for axis in (tokens, examples))
    return tokens / scale[0], examples / scale[1], scale, (rungs[0] > 1, rungs[1] > 1), rungs


def _too_few(form: str, rungs: Sequence[int], axes, spare: int = 0) -> str:
    """Why a form cannot be fitted to so many rungs, `spare` of each axis held out; empty where it can."""
    if form == "transfer" and not all(axes):
        return "transfer is not fitted: it needs more than one rung of P and of I"
    if form not in ("constant",) and not any(axes):
        return f"{form} is not fitted: neither P nor I has a second rung"
    short = [f"{n} rungs of {name}" for name, n, there in zip("PI", rungs, axes, strict=True)
             if there and n - spare < RUNGS[form]]  # fmt: skip
    kept = ", one of them held out" if spare else ""
    return f"{form} is not fitted: there are {' and '.join(short)}{kept}, it takes {RUNGS[form]}" if short else ""


def choose_surface(sample: Sample) -> Surface:
    """The form whose fits without the largest rung of P, of I, and of both come closest to what was held out.

    `held_out` on the result is every tried form's mean of the three errors; the notes say which forms were not
    tried and why, and what about the data (no I, missing cells, falling arms, scores at chance) a reader must know.
    """
    p, i, _, axes, rungs = _sizes(sample)
    error, notes = 1 - sample.mean, list(_said(sample))
    if any("all scores are at chance" in note for note in notes):
        surface = fit_surface(sample, "constant")
        return _with(surface, {}, [*notes, "the surface is constant"])
    held = {}
    for form in FORMS:
        fault = _too_few(form, rungs, axes, spare=1)
        if fault:
            notes.append(fault)
            continue
        held[form] = float(np.mean([_missed(form, axes, p, i, error, out) for out in _splits(p, i, axes)] or [np.nan]))
    if not any(np.isfinite(list(held.values()))):
        notes.append("there is one cell, so no form can be held against another")
        return _with(fit_surface(sample, "constant"), held, notes)
    return _with(fit_surface(sample, min(held, key=held.get)), held, notes)


def _with(surface: Surface, held: dict, notes: list[str]) -> Surface:
    if surface.form in ("additive", "transfer"):
        ends = [name for name, e, there in zip("PI", surface.exponents, surface.axes, strict=True) if there and e <= 0]
        if ends:
            notes = [*notes, f"no limit along {' and '.join(ends)} in sight: beyond the grid the surface is no guide"]
    return replace(surface, held_out=held, notes=tuple(notes))


def _splits(p, i, axes) -> list[tuple[np.ndarray, np.ndarray]]:
    """(kept, held out) cells for each of HELD_OUT that the axes allow."""
    last_p, last_i = p == p.max(), i == i.max()
    found = [(~last_p, last_p)] if axes[0] else []
    found += [(~last_i, last_i)] if axes[1] else []
    found += [(~last_p & ~last_i, last_p & last_i)] if all(axes) else []
    return [(kept, out) for kept, out in found if kept.any() and out.any()]


def _missed(form, axes, p, i, error, split) -> float:
    kept, out = split
    exponents, found = _fit(form, axes, p[kept], i[kept], error[kept])
    guess = np.maximum(_columns(form, axes, p[out], i[out], *exponents) @ found, 0)
    return float(np.sqrt(np.mean((guess - error[out]) ** 2)))


def _said(sample: Sample):
    """What about the data has to be said beside any surface."""
    cells = sample.cells
    if sample.n_seeds < 2:
        yield "one seed: there are no intervals"
    if sample.absent:
        yield f"{sample.absent} of {sample.n_seeds * len(cells)} runs are missing: their cells rest on fewer seeds"
    whole = cells["tokens"].nunique() * cells["examples"].nunique()
    if len(cells) < whole:
        yield f"{whole - len(cells)} of {whole} cells have no run"
    if (cells["examples"] == 0).all():
        yield "no intermediate training: the surface runs over P alone"
    if (cells["tokens"] == 0).any():
        yield "P = 0 is a rung: sizes enter as 1 + P / (smallest rung above 0)"
    noise = np.sqrt((sample.seeds**2).sum(axis=0).mean() + (sample.examples**2).sum(axis=0))
    chance = sample.mean <= 3 * noise
    if chance.all():
        yield "all scores are at chance (within three standard errors)"
    elif chance.any():
        yield f"{chance.sum()} of {len(cells)} cells are at chance (within three standard errors)"
    yield from _falls(sample)


def _falls(sample: Sample):
    rungs, means, whole, _ = over_tokens(sample)
    if whole and len(rungs) > 1 and sample.n_seeds > 1:
        change, wide = bootstrap.linear(sample, np.diff(means, axis=0))
        for at in np.flatnonzero(change + wide < 0):
            yield (
                f"not monotone: from I = {rungs[at]:,} to {rungs[at + 1]:,} the score changes by "
                f"{number(change[at], '+')} (95 % interval below 0)"
            )
    bare = sample.at((sample.cells["examples"] == 0).to_numpy())
    if len(bare.mean) > 1 and sample.n_seeds > 1:
        tokens = bare.cells["tokens"].to_numpy()
        change, wide = bootstrap.linear(bare, np.diff(np.eye(len(tokens)), axis=0))
        for at in np.flatnonzero(change + wide < 0):
            yield (
                f"not monotone: from P = {tokens[at]:,} to {tokens[at + 1]:,} tokens the score changes by "
                f"{number(change[at], '+')} (95 % interval below 0)"
            )
