"""The scaling laws of a whole study: a fitted surface and an exchange rate for each target and arm. Normalised scores
and the cost of a token and an example go in; `Law`s come out, and tables and notes of them for the page."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from xlt_utils.analysis.bootstrap import GridSample
from xlt_utils.analysis.exchange_rates import ExchangeRate, exchange_at_places, rate_text
from xlt_utils.analysis.surface_forms import BENT, FORMS
from xlt_utils.analysis.surfaces import Surface, choose_surface
from xlt_utils.formatting import short_size


@dataclass(frozen=True)
class Law:
    """One target after one arm: the cells, the surface that the held-out rungs chose, the exchange rate at the grid's
    centre and at its largest rungs."""

    target: str
    arm: str
    sample: GridSample
    surface: Surface
    exchange: tuple[ExchangeRate, ...]

    @property
    def rate_sentence(self) -> str:
        """The exchange rate in words at the first place that has one; else why there is none."""
        for rate in self.exchange:
            if not rate.why:
                place = f"P = {short_size(rate.at_tokens, digits=2)}, I = {short_size(rate.at_examples, digits=2)}"
                flops = f"; one FLOP of intermediate training is worth {rate_text(rate.flops)} of pretraining"
                tokens = f"{rate_text(rate.tokens, show_n=True)} at the {rate.place} ({place})"
                return tokens + (flops if np.isfinite(rate.flops.mean) else "")
        return f"not defined: {self.exchange[0].why}"


def fit_laws(
    samples: Mapping[str, GridSample], arms: Iterable[str], flops: tuple[float, dict[str, float]]
) -> list[Law]:
    """A law for each arm and target, means over a group's targets first.

    Args:
        samples: by target.
        arms: the arms to fit; one without intermediate examples for a target has no law.
        flops: of a pretraining token and, by arm, of an intermediate example, as `flops_by_arm` gives them.
    """
    laws = []
    for arm in arms:
        for target, all_arms in samples.items():
            sample = all_arms.of_arm(arm)
            if not (sample.cells["examples"] > 0).any():
                continue
            surface = choose_surface(sample)
            rates = exchange_at_places(sample, surface, flops[0], flops[1].get(arm, np.nan))
            laws.append(Law(target, arm, sample, surface, tuple(rates)))
    return laws


def exchange_table(laws: Iterable[Law]) -> pd.DataFrame:
    """A row a law and place: the rate in tokens and in FLOPs with its interval, or why it is not defined."""
    rows = []
    for law in laws:
        for rate in law.exchange:
            place = [law.arm, law.target, rate.place, rate.at_tokens, rate.at_examples]
            ends = [
                end for interval in (rate.tokens, rate.flops) for end in (interval.mean, interval.low, interval.high)
            ]
            rows.append([*place, *ends, law.sample.n_seeds if not rate.why else 0, rate.why])
    sides = ["tokens", "low", "high", "flops", "flops_low", "flops_high"]
    return pd.DataFrame(rows, columns=["arm", "target", "place", "P", "I", *sides, "n", "why"])


def exchange_rows(laws: Iterable[Law]) -> dict:
    """The exchange table in words (`rows`), and how many of its rows have a rate (`defined`)."""
    rows = [
        {
            "arm": law.arm,
            "target": law.target,
            "P": short_size(rate.at_tokens, digits=2),
            "I": short_size(rate.at_examples, digits=2),
            "place": rate.place,
            "tokens": rate_text(rate.tokens, show_n=True),
            "flops": rate_text(rate.flops) if np.isfinite(rate.flops.mean) else "FLOPs not known",
            "why": rate.why,
        }
        for law in laws
        for rate in law.exchange
    ]
    return {"rows": rows, "defined": sum(not row["why"] for row in rows)}


def fit_notes(laws: Iterable[Law]) -> list[str]:
    """What a reader of the surfaces has to know, each note once with the fits that it is about."""
    laws = list(laws)
    fits_by_note: dict[str, list[str]] = {}
    for law in laws:
        for note in law.surface.notes:
            fits_by_note.setdefault(note, []).append(f"{law.target} after {law.arm}")
    lines = []
    for note, fits in fits_by_note.items():
        about = ", ".join(fits) if len(fits) < 5 else f"{len(fits)} fits"
        lines.append(f"{f'all {len(laws)} fits' if len(fits) == len(laws) > 1 else about}: {note}")
    return lines


def fit_table(laws: Iterable[Law]) -> pd.DataFrame:
    """A row a law: the form, its exponents and floor, the held-out error of each form, what a reader has to know."""
    rows = []
    for law in laws:
        surface = law.surface
        exponents = [
            exponent if varies and surface.form in BENT else np.nan
            for exponent, varies in zip(surface.exponents, surface.axes, strict=True)
        ]
        held_out = [surface.held_out.get(form, np.nan) for form in FORMS]
        notes = "; ".join(surface.notes)
        rows.append([law.arm, law.target, surface.form, *exponents, surface.floor, surface.residual, *held_out, notes])
    columns = ["arm", "target", "form", "exponent P", "exponent I", "floor", "residual"]
    return pd.DataFrame(rows, columns=[*columns, *(f"held out: {form}" for form in FORMS), "notes"])
