"""The learning rate as a function of the step: of rungs on a ladder, which share a trunk, and of runs on their own."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Schedule:
    """Learning rate over steps: linear warm-up to `peak`, constant up to step `trunk`, then a decay as
    1 - share ** `power` that ends at 0 after `total` steps.

    Runs that differ in `trunk` and `total` only are rungs of one ladder: they share every step up to the smaller trunk.
    """

    peak: float
    warmup: int
    trunk: int
    total: int
    power: float

    def rate(self, step: int) -> float:
        """The learning rate of a step, counted from 0."""
        warm = self.peak * min(1.0, (step + 1) / max(1, self.warmup))
        if step < self.trunk:
            return warm
        return warm * (1 - ((step - self.trunk + 1) / (self.total - self.trunk + 1)) ** self.power)


def ladder_schedule(peak: float, warmup: int, total: int, cooldown: float) -> Schedule:
    """The schedule of a rung of `total` steps that cools down as 1 - sqrt over its last `cooldown` share
    (Hägele et al. 2024, arXiv 2405.18392)."""
    return Schedule(peak, warmup, round(total * (1 - cooldown)), total, power=0.5)


def linear_schedule(peak: float, warmup: int, total: int) -> Schedule:
    """The schedule of a run on no ladder: `warmup` steps up, linearly down over the rest."""
    return Schedule(peak, warmup, warmup, total, power=1.0)


def make_schedule(kind: str, peak: float, warmup: int, total: int, cooldown: float) -> Schedule:
    """The schedule of a run of this kind, `ladder` or `independent`; `cooldown` is for a ladder only."""
    return ladder_schedule(peak, warmup, total, cooldown) if kind == "ladder" else linear_schedule(peak, warmup, total)
