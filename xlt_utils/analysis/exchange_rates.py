"""The scaling laws of a whole study: a surface and an exchange rate for each target and arm, and the gains that stand
up to the number of comparisons. In go the tidy scores of `scaling.scores` and what a token and an example cost; out
come `Law`s, and tables of them for the page."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from xlt_utils.analysis import bootstrap, surfaces, transfer_scores
from xlt_utils.analysis.bootstrap import Sample
from xlt_utils.analysis.intervals import Interval
from xlt_utils.analysis.surfaces import (
    FORMS,
    Surface,
    _columns,
    _huber,
    _lattice,
    _sizes,
    _slopes,
    _solve,
    _too_few,
    fit_surface,
)
from xlt_utils.formatting import about_size, count_seeds, three_digits
from xlt_utils.records.record import Record


@dataclass(frozen=True)
class Exchange:
    """How many pretraining tokens buy what one more intermediate example buys, at a place of the grid: `tokens` an
    example, `flops` of pretraining for a FLOP of intermediate training. Both are NaN where `why` says so.
    """

    place: str
    tokens_there: float
    examples_there: float
    tokens: Interval
    flops: Interval
    why: str


class Refits:
    """A surface fitted again to resampled grids: the same form and Huber weights, all exponents searched anew."""

    def __init__(self, sample: Sample, surface: Surface, draws: int = 150, seed: int = 0):
        self.sample, self.surface = sample, surface
        p, i, _, axes, _ = _sizes(sample)
        weights, _ = _huber(1 - sample.mean - surface.error(sample.cells["tokens"], sample.cells["examples"]))
        lattice = _lattice(surface.form, axes, p, i)
        drawn = bootstrap.draws(sample, draws, seed)
        best, self.coefficients = _solve(lattice, 1 - np.vstack(list(drawn.values())), weights)
        self.exponents = lattice.exponents[best]

    def interval(self, values: np.ndarray, estimate: float) -> Interval:
        """The interval of a number whose values at all levels' draws are given."""
        levels = dict(zip(bootstrap.LEVELS, np.split(values, len(bootstrap.LEVELS)), strict=True))
        return bootstrap.interval_around(self.sample, levels, estimate)

    def slopes(self, tokens: float, examples: float) -> np.ndarray:
        """Error that one more token and one more example take away, (all levels' draws, 2)."""
        surface = self.surface
        rows = _slopes(surface.form, surface.axes, surface.scale, tokens, examples, self.exponents)
        return -np.einsum("dsk,dk->ds", rows, self.coefficients)

    def error(self, tokens: float, examples: np.ndarray) -> np.ndarray:
        """The error at one P and some I, (all levels' draws, I)."""
        surface = self.surface
        p, i = tokens / surface.scale[0], np.asarray(examples) / surface.scale[1]
        columns = _columns(surface.form, surface.axes, p, i, self.exponents[:, :1], self.exponents[:, 1:])
        return np.einsum("dik,dk->di", columns, self.coefficients)


def rivals(sample: Sample, surface: Surface, times: float = 3.0) -> list[Surface]:
    """The other forms with a slope that the data do not rule out: held-out error at most `times` that of the chosen
    one, or enough rungs to be fitted but not to be held out."""
    _, _, _, axes, rungs = _sizes(sample)
    best = surface.held_out.get(surface.form, np.inf)
    others = [form for form in FORMS[1:] if form != surface.form and not _too_few(form, rungs, axes)]
    return [fit_surface(sample, form) for form in others if surface.held_out.get(form, 0) <= times * best]


def grid_centre(sample: Sample) -> tuple[float, float]:
    """The grid's centre: half way to the largest rungs on the scales log(1 + P / P0) and log(1 + I / I0)."""
    p, i, scale, _, _ = _sizes(sample)
    return tuple(float(unit * np.expm1(np.log1p(axis.max()) / 2)) for axis, unit in ((p, scale[0]), (i, scale[1])))


def exchange_at_places(
    sample: Sample, surface: Surface, flops_a_token: float = np.nan, flops_an_example: float = np.nan, draws: int = 150
) -> list[Exchange]:
    """The exchange rate, the ratio of the surface's derivatives, at the grid's centre and at its largest corner.

    The interval is the bootstrap's for the chosen form, on the scale of logs, moved out to either side by as much
    as the rates of the `rivals` lie away: which form is true is not known, and at a grid's edge it matters.
    Not defined where the form is constant or one of the two slopes has an interval that includes 0.
    """
    corner = tuple(float(sample.cells[name].max()) for name in ("tokens", "examples"))
    places = {"centre": grid_centre(sample), "largest rungs": corner}
    none = Interval(np.nan, np.nan, np.nan, 0)
    if surface.form == "constant" or not all(surface.axes) or sample.n_seeds < 2:
        why = "the surface is constant" if surface.form == "constant" else "it takes two seeds and two rungs of P and I"
        return [Exchange(name, *place, none, none, why) for name, place in places.items()]
    refits, others, found = Refits(sample, surface, draws), rivals(sample, surface), []
    for name, place in places.items():
        drawn, own = refits.slopes(*place), surface.slopes(*place)
        known = [refits.interval(drawn[:, axis], own[axis]) for axis in (0, 1)]
        flat = [size for size, one in zip(("P", "I"), known, strict=True) if not one.low > 0]
        with np.errstate(divide="ignore", invalid="ignore"):
            logs = refits.interval(np.log(drawn[:, 1] / drawn[:, 0]), np.log(own[1] / own[0]))
            rates = [np.log(np.divide(*reversed(other.slopes(*place)))) for other in others]
        away = [rate - logs.mean for rate in rates if np.isfinite(rate)] + [0.0]
        if flat or not np.isfinite(logs.low):
            reason = f"the slope along {' and '.join(flat)} is not above 0 (95 % interval)" if flat else "too uncertain"
            found.append(Exchange(name, *place, none, none, reason))
            continue
        ends = np.exp([logs.mean, logs.low + min(away), logs.high + max(away)])
        ratio = flops_a_token / flops_an_example
        both = (Interval(*map(float, ends * unit), bootstrap.fewest(sample)) for unit in (1.0, ratio))
        found.append(Exchange(name, *place, *both, ""))
    return found


def isoquant(sample: Sample, surface: Surface, score: float, draws: int = 150) -> list[tuple[float, Interval]]:
    """For each rung of P the I that reaches a normalised score, as pairs (P, I with its interval).

    I is looked for up to the largest rung, in log(1 + I / I0); NaN where the surface does not reach the score, or
    is above it without any. An end of the interval beyond the grid is 0 or infinite.
    """
    rungs = np.unique(sample.cells["tokens"])
    last, unit = sample.cells["examples"].max(), surface.scale[1]
    if surface.form == "constant" or not surface.axes[1]:
        return [(float(tokens), Interval(np.nan, np.nan, np.nan, 0)) for tokens in rungs]
    logs = np.linspace(0, np.log1p(last / unit), 201)
    sizes, refits = unit * np.expm1(logs), Refits(sample, surface, draws)
    found = []
    for tokens in rungs:
        own = _reached(surface.error(tokens, sizes)[None], logs, 1 - score)
        drawn = _reached(refits.error(tokens, sizes), logs, 1 - score)
        one = refits.interval(np.nan_to_num(drawn, posinf=2 * logs[-1], neginf=-logs[-1]), float(own[0]))
        if not np.isfinite(one.mean):
            found.append((float(tokens), Interval(np.nan, np.nan, np.nan, 0)))
            continue
        low, high = max(one.low, 0), one.high if one.high <= logs[-1] else np.inf
        ends = (float(unit * np.expm1(value)) for value in (one.mean, low, high))
        found.append((float(tokens), Interval(*ends, sample.n_seeds)))
    return found


def _reached(errors: np.ndarray, logs: np.ndarray, wanted: float) -> np.ndarray:
    """Where curves (k, sizes) first come down to the error: inf where they do not, -inf where they start below it."""
    under = errors <= wanted
    at = np.argmax(under, axis=1)
    rows = np.arange(len(errors))
    before = errors[rows, np.maximum(at - 1, 0)]
    after = errors[rows, at]
    share = (before - wanted) / np.where(before > after, before - after, 1)
    place = logs[np.maximum(at - 1, 0)] + share * (logs[1] - logs[0])
    return np.where(~under.any(axis=1), np.inf, np.where(under[:, 0], -np.inf, place))


@dataclass(frozen=True)
class Law:
    """One target after one arm: the cells, the surface that the held-out rungs chose, the exchange rate at the grid's
    centre and at its largest rungs."""

    target: str
    arm: str
    sample: bootstrap.Sample
    surface: Surface
    exchange: tuple[Exchange, ...]

    @cached_property
    def said(self) -> str:
        """The exchange rate in a sentence, the first place that has one; else why there is none."""
        for one in self.exchange:
            if not one.why:
                place = f"P = {about_size(one.tokens_there)}, I = {about_size(one.examples_there)}"
                flops = f"; a FLOP of it is worth {rate_text(one.flops)} of pretraining" if one.flops.n else ""
                return f"{rate_text(one.tokens, n=True)} at the {one.place} ({place}){flops}"
        return f"not defined: {self.exchange[0].why}"


def fit_laws(scores: pd.DataFrame, arms: Iterable[str], flops: tuple[float, dict[str, float]]) -> list[Law]:
    """A law for each arm and target, means over a group's targets first. `flops` are those of a pretraining token and,
    by arm, of an intermediate example; NaN where they are not known."""
    found = []
    targets = _targets(scores)
    samples = {target: bootstrap.make_sample(scores, target) for target in targets}
    for arm in arms:
        for target, whole in samples.items():
            sample = whole.arm(arm)
            if not (sample.cells["examples"] > 0).any():
                continue
            surface = surfaces.choose_surface(sample)
            rates = exchange_at_places(sample, surface, flops[0], flops[1].get(arm, np.nan))
            found.append(Law(target, arm, sample, surface, tuple(rates)))
    return found


def _targets(scores: pd.DataFrame) -> list[str]:
    means = [
        name for key, name in transfer_scores.MEANS.items() if scores.loc[scores["group"] == key, "task"].nunique() > 1
    ]
    return [*means, *sorted(set(scores["task"]))]


def flops_by_arm(records: Iterable[Record]) -> tuple[float, dict[str, float]]:
    """FLOPs of a pretraining token and, by arm, of an intermediate example, seen as often as the arm's epochs say: the
    sums over the records' own work."""
    tokens = flops = 0.0
    arms: dict[str, list[float]] = {}
    for record in records:
        if record.phase == "pretrain":
            tokens, flops = tokens + record.cost.tokens, flops + record.cost.flops
        elif record.phase == "intermediate" and record.coordinates and record.cost.examples:
            own = arms.setdefault(record.coordinates.arm or "", [0.0, 0.0])
            own[0] += record.cost.examples / record.parameters.get("epochs", 1)
            own[1] += record.cost.flops
    each = {arm: spent / n for arm, (n, spent) in arms.items() if n and spent}
    return (flops / tokens if tokens and flops else np.nan), each


def rate_text(interval: Interval, n: bool = False) -> str:
    """An exchange rate in words, three digits."""
    ends = f"95 % interval {three_digits(interval.low)} to {three_digits(interval.high)}"
    return f"{three_digits(interval.mean)} ({ends}{f', n = {count_seeds(interval.n)}' if n else ''})"


def exchange_table(found: Iterable[Law]) -> pd.DataFrame:
    """A row a law and place: the rate in tokens and in FLOPs with its interval, or why it is not defined."""
    rows = []
    for law in found:
        for one in law.exchange:
            ends = [*_ends(one.tokens), *_ends(one.flops)]
            place = [law.arm, law.target, one.place, one.tokens_there, one.examples_there]
            rows.append([*place, *ends, law.sample.n_seeds if not one.why else 0, one.why])
    sides = ["tokens", "low", "high", "flops", "flops_low", "flops_high"]
    return pd.DataFrame(rows, columns=["arm", "target", "place", "P", "I", *sides, "n", "why"])


def _ends(interval: Interval) -> tuple[float, float, float]:
    return interval.mean, interval.low, interval.high


def exchange_rows(found: Iterable[Law]) -> dict:
    """The exchange table in words, and how many of its rows have a rate."""
    rows = []
    for law in found:
        for one in law.exchange:
            place = {"P": about_size(one.tokens_there), "I": about_size(one.examples_there), "place": one.place}
            flops = rate_text(one.flops) if np.isfinite(one.flops.mean) else "FLOPs not known"
            said = {"tokens": rate_text(one.tokens, n=True), "flops": flops, "why": one.why}
            rows.append({"arm": law.arm, "target": law.target, **place, **said})
    return {"rows": rows, "defined": sum(not row["why"] for row in rows)}


def fit_notes(found: Iterable[Law]) -> list[str]:
    """What a reader of the surfaces has to know, each note once with the fits that it is about."""
    about: dict[str, list[str]] = {}
    laws = list(found)
    for law in laws:
        for note in law.surface.notes:
            about.setdefault(note, []).append(f"{law.target} after {law.arm}")
    every = {note: f"all {len(laws)} fits" for note, some in about.items() if len(some) == len(laws) > 1}
    few = {note: ", ".join(some) if len(some) < 5 else f"{len(some)} fits" for note, some in about.items()}
    return [f"{(few | every)[note]}: {note}" for note in about]


def fit_table(found: Iterable[Law]) -> pd.DataFrame:
    """A row a law: the form, its exponents and floor, the held-out error of each form, what a reader has to know."""
    rows = []
    for law in found:
        surface = law.surface
        bends = [e if there and surface.form in ("additive", "transfer") else np.nan
                 for e, there in zip(surface.exponents, surface.axes, strict=True)]  # fmt: skip
        held = [surface.held_out.get(form, np.nan) for form in surfaces.FORMS]
        rows.append([law.arm, law.target, surface.form, *bends, surface.floor, surface.left, *held])
        rows[-1].append("; ".join(surface.notes))
    forms = [f"held out: {form}" for form in surfaces.FORMS]
    return pd.DataFrame(
        rows, columns=["arm", "target", "form", "exponent P", "exponent I", "floor", "residual", *forms, "notes"]
    )
