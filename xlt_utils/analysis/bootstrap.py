"""How far a number of the analysis would move with other seeds, other languages and other test examples. The tidy
table of `normalised_scores` goes in; a `GridSample` comes out: one target's zero-shot scores on the grid with their
deviations level by level, from which `draw_grids` makes resampled grids and `bootstrap_interval` the 95 % CI of any
function of the grid."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from xlt_utils.analysis.intervals import Interval, t_factor
from xlt_utils.analysis.transfer_scores import MEANS, targets_of, zero_points

CELL = ["arm", "tokens", "examples"]
LEVELS = ("seeds", "languages", "crossed", "examples")


@dataclass(frozen=True)
class GridSample:
    """One target on the grid. `cells` has a row a cell (arm, tokens, examples, n: its seeds), `mean` its
    zero-shot score (cells,).

    `seeds`, `languages`, `crossed` (each unit's rows, cells) and `examples` (cells, cells) are deviations, scaled
    so that their rows under independent N(0, 1) multipliers have the covariance of `mean` at that level.
    `missing_runs` counts the (seed, cell) pairs without a score.
    """

    cells: pd.DataFrame
    mean: np.ndarray
    seeds: np.ndarray
    languages: np.ndarray
    crossed: np.ndarray
    examples: np.ndarray
    n_seeds: int
    n_languages: int
    missing_runs: int = 0

    def of_cells(self, rows: np.ndarray) -> "GridSample":
        """The same sample on some of its cells, which a boolean array (cells,) marks."""
        levels = {name: getattr(self, name)[:, rows] for name in LEVELS}
        return replace(self, cells=self.cells[rows].reset_index(drop=True), mean=self.mean[rows], **levels)

    def of_arm(self, name: str) -> "GridSample":
        """The cells of one arm with those without intermediate training."""
        return self.of_cells(((self.cells["arm"] == name) | (self.cells["examples"] == 0)).to_numpy())

    def fewest_seeds(self, rows: np.ndarray | slice = slice(None)) -> int:
        """The fewest seeds that one of the cells has."""
        return int(self.cells["n"][rows].min()) if len(self.cells) else 0


def build_grid_samples(scores: pd.DataFrame) -> dict[str, GridSample]:
    """The sample of each target of the tidy scores, the means over a group's targets first."""
    return {target: build_grid_sample(scores, target) for target in targets_of(scores)}


def build_grid_sample(
    scores: pd.DataFrame, target: str, column: str = "score", use_english: bool = False
) -> GridSample:
    """One target on the grid, all arms at once: they share seeds and languages, so what is drawn is drawn for all.

    The mean runs over languages, tasks and seeds; a run that lacks a language has no score. Where a seed lacks a
    cell, the cell's mean is that of the two-way layout seed + cell (so that a seed above the others does not lift
    the cells it has), and the noise of the missing seeds is added from the other cells.

    Args:
        scores: `normalised_scores`.
        target: a task, or the mean of a group as in MEANS.
        column: `score`, the zero point at 0 and the ceiling at 1, or `value`, the raw share.
        use_english: take the English score, which has no spread over languages.

    Raises:
        ValueError: no run has a score for the target.
    """
    group = {name: key for key, name in MEANS.items()}.get(target)
    part = scores[(scores["group"] == group) if group else (scores["task"] == target)]
    part = part[(part["language"] == "en") == use_english]
    if part.empty:
        english = " in English" if use_english else ""
        raise ValueError(f"no score of {target}{english}; there are {set(scores['task'])}")
    binomial = part["value"] * (1 - part["value"]) / part["n"]  # of a share of n; near enough for an F1
    scale = 1 - zero_points(part) if column == "score" else 1.0
    part = part.assign(variance=(binomial / scale**2).clip(lower=0).fillna(0))
    index, columns = ["seed", *CELL], ["task", "language"]
    seeds = sorted(set(part["seed"]))
    cells = list(part[CELL].drop_duplicates().sort_values(CELL).itertuples(index=False, name=None))
    full_index = pd.MultiIndex.from_tuples([(seed, *cell) for seed in seeds for cell in cells], names=index)
    score_table = part.pivot(index=index, columns=columns, values=column).reindex(full_index)
    variance_table = part.pivot(index=index, columns=columns, values="variance").reindex(full_index)
    shape = (len(seeds), -1, score_table.shape[1])
    runs, variances = score_table.to_numpy().reshape(shape), variance_table.to_numpy().reshape(shape)
    tasks = score_table.columns.get_level_values("task")
    weights = 1 / (tasks.nunique() * tasks.map(tasks.value_counts()).to_numpy(dtype=float))
    has_score = np.isfinite(runs @ weights).any(axis=0)
    cell_table = pd.DataFrame(cells, columns=CELL)[has_score].reset_index(drop=True)
    return _decompose(runs[:, has_score], variances[:, has_score], weights, score_table.columns, cell_table)


def _decompose(
    runs: np.ndarray, variances: np.ndarray, weights: np.ndarray, columns: pd.MultiIndex, cells: pd.DataFrame
) -> GridSample:
    """The deviations level by level of `runs`, with the examples' `variances`, both (seeds, cells, task-languages)
    and NaN where there is no score."""
    n = len(runs)
    by_seed = runs @ weights
    has_run = np.isfinite(by_seed)
    count = has_run.sum(axis=0)
    mean, filled = _fill_layout(by_seed)
    residuals = filled - mean
    residuals -= residuals.mean(axis=0)
    pooled = np.sqrt((residuals**2).sum() / max(1, has_run.sum() - n - len(mean) + 1)) if n > 1 else 0.0
    missing_noise = pooled * np.sqrt(np.clip(1 / count - count / n**2, 0, None))
    seeds = np.vstack([residuals / np.sqrt(n * max(1, n - 1)), np.diag(missing_noise)[count < n]])
    # a language's share of a run's mean, less the task's mean: what the mean loses with the language
    tasks, languages = (columns.get_level_values(name) for name in ("task", "language"))
    task_means = np.stack([runs[..., tasks == task].mean(axis=-1) for task in tasks], axis=-1)
    shares = (runs - task_means) * weights
    names = sorted(set(languages))
    shares = np.stack([np.nansum(shares[..., languages == name], axis=-1) for name in names])
    shares = np.where(has_run, shares, np.nan)
    over_seeds = np.nanmean(shares, axis=1)
    inflation = np.sqrt(len(names) / max(1, len(names) - 1))
    crossed = np.nan_to_num(shares - over_seeds[:, None]) / count * inflation * np.sqrt(n / max(1, n - 1))
    binomial = np.sqrt(np.nansum(np.where(has_run, variances @ weights**2, 0), axis=0)) / count
    return GridSample(
        cells.assign(n=count),
        mean,
        seeds=seeds,
        languages=over_seeds * inflation,
        crossed=crossed.reshape(-1, len(mean)),
        examples=np.diag(binomial),
        n_seeds=n,
        n_languages=len(names),
        missing_runs=int((~has_run).sum()),
    )


def _fill_layout(table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Least-squares cell means of the layout seed + cell (seeds, cells), and the table with its holes filled by it."""
    has_run = np.isfinite(table)
    seed = np.zeros((len(table), 1))
    for _ in range(1 if has_run.all() else 200):
        cell = np.nanmean(table - seed, axis=0)
        seed = np.nanmean(table - cell, axis=1, keepdims=True)
        seed -= seed.mean()
    return cell, np.where(has_run, table, cell + seed)


def draw_grids(sample: GridSample, count: int = 300, seed: int = 0) -> dict[str, np.ndarray]:
    """Resampled grids (count, cells) at each level, seeded: the same sample gives the same bytes.

    A hierarchical bootstrap by multipliers (van der Vaart and Wellner 1996, §2.9): instead of drawing units with
    replacement, of which two or three seeds leave a handful of grids, each unit's deviation from the mean gets a
    normal weight. Drawing with replacement has that covariance times (n − 1) / n. A unit moves all its cells, those
    of all arms, together; examples move each cell by the binomial noise that `value` and `n` imply.

    Args:
        sample: the grid.
        count: draws a level.
        seed: of the draws.
    """
    grids = {}
    for number, name in enumerate(LEVELS):
        deviations = getattr(sample, name)
        multipliers = np.random.default_rng([seed, number]).standard_normal((count, len(deviations)))
        grids[name] = sample.mean + multipliers @ deviations
    return grids


def margin_of_error(variances: Mapping[str, np.ndarray], n_seeds: int, n_languages: int) -> np.ndarray:
    """Half the width of a number's 95 % CI; NaN for one seed.

    Each level gets the t factor of its own few units, and the squares add (conservative where both matter:
    Mickey and Brown 1966). Seeds and languages are crossed, so both hold the variance of their combination; it is
    taken off the languages' (Cameron, Gelbach and Miller 2011). Runs on drawn examples already differ by them from
    seed to seed, so examples add nothing to the seeds' spread, but hold it up from below: two seeds that happen
    to agree do not make the margin smaller than one standard error of the examples. (At 1.96 of them two seeds'
    intervals would hold the truth in more than 99 % of studies.)

    Args:
        variances: the number's variance at each of LEVELS.
        n_seeds, n_languages: units of the two levels.
    """
    seeds = np.maximum(t_factor(n_seeds) ** 2 * variances["seeds"], variances["examples"])
    beyond_crossed = np.clip(variances["languages"] - variances["crossed"], 0, None)
    return np.sqrt(seeds + (t_factor(n_languages) ** 2 * beyond_crossed if n_languages > 1 else 0))


def linear_contrasts(sample: GridSample, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Linear contrasts of the grid, whose bootstrap variance has a closed form, so that no draw is needed.

    Args:
        sample: the grid.
        weights: of the cells in each contrast (k, cells).

    Returns:
        The contrasts' estimates and margins of error, both (k,).
    """
    variances = {name: ((weights @ getattr(sample, name).T) ** 2).sum(axis=-1) for name in LEVELS}
    return weights @ sample.mean, margin_of_error(variances, sample.n_seeds, sample.n_languages)


def contrast_interval(sample: GridSample, weights: np.ndarray) -> Interval:
    """One linear contrast of the grid with its 95 % CI.

    Args:
        sample: the grid.
        weights: of the cells (cells,); the interval's n is the fewest seeds that a cell with a weight has.
    """
    estimate, margin = linear_contrasts(sample, weights[None])
    low, high = estimate[0] - margin[0], estimate[0] + margin[0]
    return Interval(float(estimate[0]), float(low), float(high), sample.fewest_seeds(weights != 0))


def bootstrap_interval(sample: GridSample, values: Mapping[str, np.ndarray], estimate: float) -> Interval:
    """The 95 % CI of any number of the grid, symmetric about the estimate on the scale that it is given in.

    A level's spread is half the distance of the 16th and 84th percentile, so that a few draws at which a curve cannot
    be distinguished from a line do not decide it. Where more than a twentieth of a level's draws have no value there
    is no interval.

    Args:
        sample: the grid.
        values: the number at each level's draws of `draw_grids`; NaN or infinite where a draw has none.
        estimate: the number on the grid itself.
    """
    variances = {}
    for name, drawn in values.items():
        finite = drawn[np.isfinite(drawn)]
        low, high = np.percentile(finite, [15.87, 84.13]) if len(finite) >= 0.95 * len(drawn) else (np.nan, np.nan)
        variances[name] = np.asarray(((high - low) / 2) ** 2)
    margin = float(margin_of_error(variances, sample.n_seeds, sample.n_languages))
    return Interval(float(estimate), float(estimate - margin), float(estimate + margin), sample.fewest_seeds())
