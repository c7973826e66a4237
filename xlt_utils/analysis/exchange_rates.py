"""The exchange rate between the two sizes: how many pretraining tokens buy what one more intermediate example buys, in
tokens and in FLOPs. A target's `GridSample` and fitted `Surface`, and the cost of a token and an example, go in; the
rate with its 95 % CI at two places of the grid comes out, or why there is none."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from xlt_utils.analysis.bootstrap import GridSample
from xlt_utils.analysis.intervals import NO_INTERVAL, Interval
from xlt_utils.analysis.surface_forms import BENT, FORMS
from xlt_utils.analysis.surfaces import Refits, Surface, fit_surface, grid_sizes, why_not_fitted
from xlt_utils.formatting import count_of, number_text, three_digits
from xlt_utils.records.record import Record

MOST_APART = 10  # times, that the rates of two forms may differ before neither is given
WORSE_FIT = 1.5  # times, that the chosen form may leave unexplained what another form leaves


@dataclass(frozen=True)
class ExchangeRate:
    """How many pretraining tokens buy what one more intermediate example buys, at a place of the grid: `tokens` an
    example, `flops` of pretraining for a FLOP of intermediate training. Both are NaN where `why` says so.
    """

    place: str
    at_tokens: float
    at_examples: float
    tokens: Interval
    flops: Interval
    why: str


def exchange_at_places(
    sample: GridSample, surface: Surface, flops_per_token: float = np.nan, flops_per_example: float = np.nan
) -> list[ExchangeRate]:
    """The exchange rate, the ratio of the surface's derivatives, at the grid's centre and at its largest rungs.

    The interval is the bootstrap's on the scale of logs for the chosen form, and spans those of the `rival_surfaces`:
    which form is true is not known, and at a grid's edge it matters. Not defined where the form is constant, where the
    fit leaves as much unexplained as P or I gain, or WORSE_FIT times what another form leaves, where a slope of one of
    these forms has an interval that includes 0, or where their rates differ by more than MOST_APART times.

    Args:
        sample: one target's cells of one arm.
        surface: the one fitted to them.
        flops_per_token: of pretraining; NaN where not known.
        flops_per_example: of intermediate training; NaN where not known.
    """
    corner = float(sample.cells["tokens"].max()), float(sample.cells["examples"].max())
    places = {"centre": grid_centre(sample), "largest rungs": corner}
    why = ""
    if surface.form == "constant":
        why = "the surface is constant"
    elif not all(surface.axes) or sample.n_seeds < 2:
        why = "it needs two seeds and two rungs of P and I"
    elif failed := sample.why_no_interval():
        why = failed
    else:
        rivals = rival_surfaces(sample, surface)
        why = _fit_too_coarse(sample, surface) or _fit_ruled_out(sample, surface, rivals)
    if why:
        return [ExchangeRate(name, *place, NO_INTERVAL, NO_INTERVAL, why) for name, place in places.items()]
    forms = [Refits(sample, form) for form in (surface, *rivals)]
    flops_ratio = flops_per_token / flops_per_example
    rates = []
    for name, place in places.items():
        tokens, why = _rate_at(place, forms)
        mean, low, high = (end * flops_ratio for end in (tokens.mean, tokens.low, tokens.high))
        rates.append(ExchangeRate(name, *place, tokens, Interval(mean, low, high, tokens.n), why))
    return rates


def _fit_too_coarse(sample: GridSample, surface: Surface) -> str:
    """Why a surface is too coarse for a ratio of its slopes: the residuals are no smaller than what P, or I, gains from
    its smallest to its largest rung, at the mean over the other's rungs; "" where they are."""
    tokens, examples = (np.unique(sample.cells[name]) for name in ("tokens", "examples"))
    error = surface.error(tokens[:, None], examples[None])
    for name, gain in (("P", np.mean(error[0] - error[-1])), ("I", np.mean(error[:, 0] - error[:, -1]))):
        if surface.residual >= abs(gain):
            residual, fitted = number_text(surface.residual), number_text(float(gain), "+")
            return f"the fit's residual, {residual}, is no smaller than the gain along {name}, {fitted}"
    return ""


def _fit_ruled_out(sample: GridSample, surface: Surface, rivals: list[Surface]) -> str:
    """Why the data rule the chosen form out: with as many degrees of freedom, another leaves far less unexplained, as
    where a grid has too few rungs for holding out a form that is bent enough; "" where none does."""

    def unexplained(form: Surface) -> float:
        free = len(sample.mean) - len(form.coefficients) - sum(form.axes) * (form.form in BENT)
        return form.residual * np.sqrt(len(sample.mean) / free) if free > 0 else np.inf

    best = min(rivals, key=unexplained, default=surface)
    if unexplained(surface) <= WORSE_FIT * unexplained(best):
        return ""
    leaves, would_leave = number_text(surface.residual), number_text(best.residual)
    return f"the {surface.form} form leaves a residual of {leaves} where the {best.form} form leaves {would_leave}"


def _rate_at(place: tuple[float, float], forms: list[Refits]) -> tuple[Interval, str]:
    """The rate in tokens an example at one place (P, I), or why there is none; the chosen form is the first."""
    intervals, rates = [], {}
    for refits in forms:
        form = refits.surface.form
        whose = "" if refits is forms[0] else f" of the {form} form, which the data do not rule out,"
        drawn, slopes = refits.slopes(*place), refits.surface.slopes(*place)
        flat = [name for axis, name in enumerate("PI") if not refits.interval(drawn[:, axis], slopes[axis]).low > 0]
        if flat:
            return NO_INTERVAL, f"the slope{whose} along {' and '.join(flat)} is not above 0 (95 % CI)"
        rates[form] = slopes[1] / slopes[0]
        with np.errstate(divide="ignore", invalid="ignore"):
            intervals.append(refits.interval(np.log(drawn[:, 1] / drawn[:, 0]), np.log(rates[form])))
    low_form, high_form = (choose(rates, key=lambda form: rates[form]) for choose in (min, max))
    if rates[high_form] > MOST_APART * rates[low_form]:
        ends = f"{three_digits(rates[low_form])} ({low_form}) to {three_digits(rates[high_form])} ({high_form})"
        return NO_INTERVAL, f"the forms that the data do not rule out give rates from {ends}"
    low, high = min(interval.low for interval in intervals), max(interval.high for interval in intervals)
    if not np.isfinite([interval.low for interval in intervals]).all():
        return NO_INTERVAL, "too uncertain"
    return Interval(float(np.exp(intervals[0].mean)), float(np.exp(low)), float(np.exp(high)), intervals[0].n), ""


def rival_surfaces(sample: GridSample, surface: Surface, times: float = 3.0) -> list[Surface]:
    """The other forms with a slope that the data do not rule out, fitted.

    Args:
        sample: one target's cells of one arm.
        surface: the chosen one.
        times: a rival's held-out error is at most this many times that of the chosen form; a form with enough rungs to
            be fitted, but not to be held out, is a rival too.
    """
    sizes = grid_sizes(sample)
    limit = times * surface.held_out.get(surface.form, np.inf)
    others = [form for form in FORMS[1:] if form != surface.form and not why_not_fitted(form, sizes)]
    return [fit_surface(sample, form, is_refined=False) for form in others if surface.held_out.get(form, 0) <= limit]


def grid_centre(sample: GridSample) -> tuple[float, float]:
    """The grid's centre (P, I): half way to the largest rungs on the scales log(1 + P / P0) and log(1 + I / I0)."""
    sizes = grid_sizes(sample)
    p, i = (np.expm1(np.log1p(axis.max()) / 2) for axis in (sizes.p, sizes.i))
    return float(sizes.scale[0] * p), float(sizes.scale[1] * i)


def flops_by_arm(records: Iterable[Record]) -> tuple[float, dict[str, float]]:
    """FLOPs of a pretraining token and, by arm, of an intermediate example, which is seen as often as the arm has
    epochs: sums over the records' own work. NaN, or no arm, where the records have no FLOPs."""
    tokens = flops = 0.0
    arms: dict[str, list[float]] = {}
    for record in records:
        if record.phase == "pretrain":
            tokens, flops = tokens + record.cost.tokens, flops + record.cost.flops
        elif record.phase == "intermediate" and record.coordinates and record.cost.examples:
            sums = arms.setdefault(record.coordinates.arm or "", [0.0, 0.0])
            sums[0] += record.cost.examples / record.parameters.get("epochs", 1)
            sums[1] += record.cost.flops
    per_example = {arm: spent / examples for arm, (examples, spent) in arms.items() if examples and spent}
    return (flops / tokens if tokens and flops else np.nan), per_example


def rate_text(interval: Interval, show_n: bool = False) -> str:
    """An exchange rate in words, three digits."""
    ends = f"95 % CI {three_digits(interval.low)} to {three_digits(interval.high)}"
    n = f", n = {count_of(interval.n, 'seed')}" if show_n else ""
    return f"{three_digits(interval.mean)} ({ends}{n})"
