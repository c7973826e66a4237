"""The exchange rate between the two sizes: how many pretraining tokens buy what one more intermediate example buys, in
tokens and in FLOPs. A target's `GridSample` and fitted `Surface`, and the cost of a token and an example, go in; the
rate with its 95 % CI at two places of the grid comes out, or why there is none."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from xlt_utils.analysis.bootstrap import GridSample
from xlt_utils.analysis.intervals import NO_INTERVAL, Interval
from xlt_utils.analysis.surface_forms import FORMS
from xlt_utils.analysis.surfaces import Refits, Surface, fit_surface, grid_sizes, why_not_fitted
from xlt_utils.formatting import count_of, three_digits
from xlt_utils.records.record import Record


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

    The interval is the bootstrap's for the chosen form, on the scale of logs, extended to either side as far as the
    rates of the `rival_surfaces` lie: which form is true is not known, and at a grid's edge it matters.
    Not defined where the form is constant or one of the two slopes has an interval that includes 0.

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
    if why:
        return [ExchangeRate(name, *place, NO_INTERVAL, NO_INTERVAL, why) for name, place in places.items()]
    refits, rivals = Refits(sample, surface), rival_surfaces(sample, surface)
    flops_ratio = flops_per_token / flops_per_example
    rates = []
    for name, place in places.items():
        tokens, why = _rate_at(place, refits, rivals)
        mean, low, high = (end * flops_ratio for end in (tokens.mean, tokens.low, tokens.high))
        rates.append(ExchangeRate(name, *place, tokens, Interval(mean, low, high, tokens.n), why))
    return rates


def _rate_at(place: tuple[float, float], refits: Refits, rivals: list[Surface]) -> tuple[Interval, str]:
    """The rate in tokens an example at one place (P, I), or why there is none."""
    drawn, slopes = refits.slopes(*place), refits.surface.slopes(*place)
    flat = [name for axis, name in enumerate("PI") if not refits.interval(drawn[:, axis], slopes[axis]).low > 0]
    if flat:
        return NO_INTERVAL, f"the slope along {' and '.join(flat)} is not above 0 (95 % CI)"
    with np.errstate(divide="ignore", invalid="ignore"):
        log_rate = refits.interval(np.log(drawn[:, 1] / drawn[:, 0]), np.log(slopes[1] / slopes[0]))
        rival_logs = [np.log(np.divide(by_i, by_p)) for by_p, by_i in (rival.slopes(*place) for rival in rivals)]
    if not np.isfinite(log_rate.low):
        return NO_INTERVAL, "too uncertain"
    offsets = [rival - log_rate.mean for rival in rival_logs if np.isfinite(rival)] + [0.0]
    mean, low, high = np.exp([log_rate.mean, log_rate.low + min(offsets), log_rate.high + max(offsets)])
    return Interval(float(mean), float(low), float(high), log_rate.n), ""


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
    return [fit_surface(sample, form) for form in others if surface.held_out.get(form, 0) <= limit]


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
