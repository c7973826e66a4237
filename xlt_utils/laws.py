"""The scaling laws of a whole study: a surface and an exchange rate for each target and arm, and the gains that stand
up to the number of comparisons. In go the tidy scores of `scaling.scores` and what a token and an example cost; out
come `Law`s, and tables of them for the page."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from scipy import stats

from xlt_utils import bootstrap, scaling, surfaces
from xlt_utils.cells import short
from xlt_utils.records import Record
from xlt_utils.scaling import Interval, number
from xlt_utils.surfaces import Exchange, Surface

ALPHA = 1 - scaling.LEVEL


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
                place = f"P = {_about(one.tokens_there)}, I = {_about(one.examples_there)}"
                flops = f"; a FLOP of it is worth {rate(one.flops)} of pretraining" if one.flops.n else ""
                return f"{rate(one.tokens, n=True)} at the {one.place} ({place}){flops}"
        return f"not defined: {self.exchange[0].why}"


def laws(scores: pd.DataFrame, arms: Iterable[str], flops: tuple[float, dict[str, float]]) -> list[Law]:
    """A law for each arm and target, means over a group's targets first. `flops` are those of a pretraining token and,
    by arm, of an intermediate example; NaN where they are not known."""
    found = []
    targets = _targets(scores)
    samples = {target: bootstrap.sample(scores, target) for target in targets}
    for arm in arms:
        for target, whole in samples.items():
            sample = whole.arm(arm)
            if not (sample.cells["examples"] > 0).any():
                continue
            surface = surfaces.choose(sample)
            rates = surfaces.exchange(sample, surface, flops[0], flops[1].get(arm, np.nan))
            found.append(Law(target, arm, sample, surface, tuple(rates)))
    return found


def _targets(scores: pd.DataFrame) -> list[str]:
    means = [name for key, name in scaling.MEANS.items() if scores.loc[scores["group"] == key, "task"].nunique() > 1]
    return [*means, *sorted(set(scores["task"]))]


def costs(records: Iterable[Record]) -> tuple[float, dict[str, float]]:
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


def rate(interval: Interval, n: bool = False) -> str:
    """An exchange rate in words, three digits."""
    ends = f"95 % interval {_digits(interval.low)} to {_digits(interval.high)}"
    return f"{_digits(interval.mean)} ({ends}{f', n = {scaling.seeds(interval.n)}' if n else ''})"


def _about(size: float) -> str:
    """A place between the rungs, two digits."""
    return short(int(float(f"{size:.2g}")))


def _digits(value: float) -> str:
    return f"{float(f'{value:.3g}'):,g}" if 0.001 <= abs(value) < 1e9 else f"{value:.3g}"


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


def rates(found: Iterable[Law]) -> dict:
    """The exchange table in words, and how many of its rows have a rate."""
    rows = []
    for law in found:
        for one in law.exchange:
            place = {"P": _about(one.tokens_there), "I": _about(one.examples_there), "place": one.place}
            flops = rate(one.flops) if np.isfinite(one.flops.mean) else "FLOPs not known"
            said = {"tokens": rate(one.tokens, n=True), "flops": flops, "why": one.why}
            rows.append({"arm": law.arm, "target": law.target, **place, **said})
    return {"rows": rows, "defined": sum(not row["why"] for row in rows)}


def noted(found: Iterable[Law]) -> list[str]:
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


def corrected(gains: pd.DataFrame) -> pd.DataFrame:
    """`scaling.gain_table` with `p`, of the paired two-sided t test that its interval inverts, and `holm`, corrected
    for all gains of single targets in the table (Holm 1979), a group's mean for all those of means. One seed has
    neither (NaN)."""
    half, n = ((gains["high"] - gains["low"]) / 2).astype(float), gains["n"].astype(int)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = gains["gain"].abs().astype(float) / half * n.map(scaling.t_factor).astype(float)
    p = pd.Series(2 * stats.t.sf(t, n - 1), gains.index)
    p = p.mask(half.eq(0), gains["gain"].eq(0).astype(float)).where(half.notna())
    means = gains["target"].isin(scaling.MEANS.values())
    return gains.assign(p=p, holm=p.groupby(means).transform(_holm))


def _holm(p: pd.Series) -> pd.Series:
    known = p.dropna().sort_values(kind="stable")
    raised = known * np.arange(len(known), 0, -1)
    return raised.cummax().clip(upper=1).reindex(p.index)


def survivors(gains: pd.DataFrame) -> str:
    """How many gains of single targets are told from 0, before and after the correction, in a sentence."""
    own = gains[~gains["target"].isin(scaling.MEANS.values()) & gains["p"].notna()]
    if own.empty:
        return "No gain has two seeds, so none is tested."
    before, after = (own[own[name] < ALPHA] for name in ("p", "holm"))
    up = int((after["gain"] > 0).sum())
    signs = f" ({up} up, {len(after) - up} down)" if len(after) else ""
    return (
        f"Of {len(own)} gains at single places of the grid {len(before)} differ from 0 one by one, "
        f"{len(after)}{signs} after Holm's correction for all of them (family-wise {number(ALPHA)})."
    )
