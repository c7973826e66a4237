"""How far a number of the analysis would move with other seeds, other languages and other test examples.
In goes the tidy table of `scaling.scores`, out comes a `Sample`: one target's zero-shot scores on the grid with
their deviations level by level, of which `draws` makes resampled grids and `interval` honest intervals for any
function of the grid."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from xlt_utils.analysis.intervals import Interval, t_factor
from xlt_utils.analysis.transfer_scores import MEANS
from xlt_utils.data.tasks import TASKS

CELL = ["arm", "tokens", "examples"]


@dataclass(frozen=True)
class Sample:
    """One target on the grid. `cells` has a row a cell (arm, tokens, examples, n: its seeds), `mean` its
    zero-shot score (cells,).

    `seeds`, `languages`, `crossed` (each unit's rows, cells) and `examples` (cells, cells) are deviations, scaled
    so that their rows under independent N(0, 1) multipliers have the covariance of `mean` at that level.
    `absent` counts the (seed, cell) pairs without a score.
    """

    cells: pd.DataFrame
    mean: np.ndarray
    seeds: np.ndarray
    languages: np.ndarray
    crossed: np.ndarray
    examples: np.ndarray
    n_seeds: int
    n_languages: int
    absent: int = 0

    def at(self, rows: np.ndarray) -> "Sample":
        """The same sample on some of its cells."""
        cut = {name: getattr(self, name)[:, rows] for name in LEVELS}
        return replace(self, cells=self.cells[rows].reset_index(drop=True), mean=self.mean[rows], **cut)

    def arm(self, name: str) -> "Sample":
        """The cells of one arm with those without intermediate training."""
        return self.at(((self.cells["arm"] == name) | (self.cells["examples"] == 0)).to_numpy())


LEVELS = ("seeds", "languages", "crossed", "examples")


def make_sample(scores: pd.DataFrame, target: str, column: str = "score", english: bool = False) -> Sample:
    """One target (a task, or the mean of a group as in `scaling.MEANS`) of the tidy scores, all arms at once: seeds
    and languages are the same for all arms, so whatever is drawn is drawn for all of them.

    The mean runs over languages, tasks and seeds; a run that lacks a language has no score. Where a seed lacks a
    cell, the cell's mean is that of the two-way layout seed + cell (so that a seed above the others does not lift
    the cells it has), and the noise of the seeds that are not there is added from the other cells. `english` takes
    the English score instead, which has no spread over languages.

    Raises ValueError where no run has a score for the target.
    """
    group = {name: key for key, name in MEANS.items()}.get(target)
    part = scores[(scores["group"] == group) if group else (scores["task"] == target)]
    part = part[(part["language"] == "en") == english]
    if part.empty:
        raise ValueError(f"no score of {target}{' in English' if english else ''}; there are {set(scores['task'])}")
    chance = part["task"].map({name: task.chance for name, task in TASKS.items()}).astype(float)
    drawn = part["value"] * (1 - part["value"]) / part["n"]  # of a share of n; near enough for an F1
    scale = 1 - chance if column == "score" else 1.0
    part = part.assign(variance=(drawn / scale**2).clip(lower=0).fillna(0))
    place = {"index": ["seed", *CELL], "columns": ["task", "language"]}
    wide = part.pivot(**place, values=column)
    seeds = sorted(set(part["seed"]))
    whole = [(seed, *cell) for seed in seeds for cell in _cells(part)]
    wide = wide.reindex(pd.MultiIndex.from_tuples(whole, names=["seed", *CELL]))
    noise = part.pivot(**place, values="variance").reindex(wide.index)
    shape = (len(seeds), -1, wide.shape[1])
    runs, noise = wide.to_numpy().reshape(shape), noise.to_numpy().reshape(shape)
    tasks = wide.columns.get_level_values("task")
    weights = 1 / (tasks.nunique() * tasks.map(tasks.value_counts()).to_numpy(dtype=float))
    cells = pd.DataFrame(_cells(part), columns=CELL)
    keep = np.isfinite(runs @ weights).any(axis=0)
    return _sample(runs[:, keep], noise[:, keep], weights, wide.columns, cells[keep].reset_index(drop=True))


def _cells(part: pd.DataFrame) -> list[tuple]:
    return list(part[CELL].drop_duplicates().sort_values(CELL).itertuples(index=False, name=None))


def _sample(runs, noise, weights, columns, cells) -> Sample:
    """`runs` and `noise` (seeds, cells, task-languages), NaN where there is no score."""
    n = len(runs)
    by_seed = runs @ weights
    there = np.isfinite(by_seed)
    count = there.sum(axis=0)
    mean, filled = _layout(by_seed)
    away = filled - mean
    away -= away.mean(axis=0)
    pooled = np.sqrt((away**2).sum() / max(1, there.sum() - n - len(mean) + 1)) if n > 1 else 0.0
    more = pooled * np.sqrt(np.clip(1 / count - count / n**2, 0, None))
    seeds = np.vstack([away / np.sqrt(n * max(1, n - 1)), np.diag(more)[count < n]])
    # a language's share of a run's mean, less the task's mean: what the mean loses with the language
    tasks, languages = (columns.get_level_values(name) for name in ("task", "language"))
    own = np.stack([runs[..., tasks == task].mean(axis=-1) for task in tasks], axis=-1)
    shares = (runs - own) * weights
    names = sorted(set(languages))
    shares = np.stack([np.nansum(shares[..., languages == name], axis=-1) for name in names])
    shares = np.where(there, shares, np.nan)
    each = np.nanmean(shares, axis=1)
    wide = np.sqrt(len(names) / max(1, len(names) - 1))
    rest = np.nan_to_num(shares - each[:, None]) / count * wide * np.sqrt(n / max(1, n - 1))
    binomial = np.sqrt(np.nansum(np.where(there, noise @ weights**2, 0), axis=0)) / count
    levels = {"seeds": seeds, "languages": each * wide, "crossed": rest.reshape(-1, len(mean))}
    cells = cells.assign(n=count)
    return Sample(cells, mean, **levels, examples=np.diag(binomial), n_seeds=n, n_languages=len(names),
                  absent=int((~there).sum()))  # fmt: skip


def _layout(table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Least-squares cell means of the layout seed + cell (seeds, cells), and the table with its holes filled by it."""
    there = np.isfinite(table)
    seed = np.zeros((len(table), 1))
    for _ in range(1 if there.all() else 200):
        cell = np.nanmean(table - seed, axis=0)
        seed = np.nanmean(table - cell, axis=1, keepdims=True)
        seed -= seed.mean()
    return cell, np.where(there, table, cell + seed)


def draws(sample: Sample, count: int = 300, seed: int = 0) -> dict[str, np.ndarray]:
    """Resampled grids (count, cells) at each level, seeded: the same sample gives the same bytes.

    A hierarchical bootstrap by multipliers (van der Vaart and Wellner 1996, §2.9): instead of drawing units with
    replacement, of which two or three seeds leave a handful of grids, each unit's deviation from the mean gets a
    normal weight. Drawing with replacement has that covariance times (n − 1) / n. A unit moves all its cells, those
    of all arms, together; examples move each cell by the binomial noise that `value` and `n` imply.
    """
    out = {}
    for number, name in enumerate(LEVELS):
        rows = getattr(sample, name)
        multipliers = np.random.default_rng([seed, number]).standard_normal((count, len(rows)))
        out[name] = sample.mean + multipliers @ rows
    return out


def half_width(variances: dict[str, np.ndarray], n_seeds: int, n_languages: int) -> np.ndarray:
    """Half the width of the 95 % interval from the variances that the levels give a number; NaN for one seed.

    Each level gets the t factor of its own few units, and the squares add (conservative where both matter:
    Mickey and Brown 1966). Seeds and languages are crossed, so both hold the variance of their combination; it is
    taken off the languages' (Cameron, Gelbach and Miller 2011). Runs on drawn examples already differ by them from
    seed to seed, so examples add nothing to the seeds' spread, but hold it up from below: two seeds that happen
    to agree do not make the half width smaller than one standard error of the examples. (At 1.96 of them two seeds'
    intervals would hold the truth in more than 99 % of studies.)
    """
    seeds = np.maximum(t_factor(n_seeds) ** 2 * variances["seeds"], variances["examples"])
    beyond = np.clip(variances["languages"] - variances["crossed"], 0, None)
    return np.sqrt(seeds + (t_factor(n_languages) ** 2 * beyond if n_languages > 1 else 0))


def linear(sample: Sample, contrasts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Estimates and half widths of linear contrasts (k, cells) of the grid: there the bootstrap's variance has a
    closed form, and no draw is needed."""
    variances = {name: ((contrasts @ getattr(sample, name).T) ** 2).sum(axis=-1) for name in LEVELS}
    return contrasts @ sample.mean, half_width(variances, sample.n_seeds, sample.n_languages)


def contrast(sample: Sample, weights: np.ndarray) -> Interval:
    """One linear contrast (cells,) as an interval; its n is the fewest seeds that one of its cells has."""
    estimate, wide = linear(sample, weights[None])
    n = fewest(sample, weights != 0)
    return Interval(float(estimate[0]), float(estimate[0] - wide[0]), float(estimate[0] + wide[0]), n)


def fewest(sample: Sample, rows: np.ndarray | slice = slice(None)) -> int:
    """The fewest seeds that one of the cells has."""
    return int(sample.cells["n"][rows].min()) if len(sample.cells) else 0


def interval_around(sample: Sample, values: dict[str, np.ndarray], estimate: float) -> Interval:
    """The 95 % interval of any number of the grid from its `values` at each level's draws, symmetric about the
    estimate on the scale that it is given in.

    A level's spread is half the distance of the 16th and 84th percentile: a few draws at which a curve cannot be
    told from a line do not decide it. Where more than a twentieth of a level's draws have no value there is no
    interval.
    """
    variances = {}
    for name, found in values.items():
        known = found[np.isfinite(found)]
        low, high = np.percentile(known, [15.87, 84.13]) if len(known) >= 0.95 * len(found) else (np.nan, np.nan)
        variances[name] = ((high - low) / 2) ** 2
    wide = float(half_width(variances, sample.n_seeds, sample.n_languages))
    return Interval(float(estimate), float(estimate - wide), float(estimate + wide), fewest(sample))
