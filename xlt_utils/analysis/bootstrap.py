"""How far a number of the analysis would move with other seeds, other languages and other test items. The tidy
table of `normalised_scores` goes in; a `GridSample` comes out: one target's zero-shot scores on the grid with their
deviations level by level, from which `draw_grids` makes resampled grids and `bootstrap_interval` the 95 % CI of any
function of the grid."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from xlt_utils.analysis.intervals import NO_INTERVAL, Interval, t_factor
from xlt_utils.analysis.transfer_scores import MEANS, targets_of, zero_points
from xlt_utils.data.languages import BRANCHES
from xlt_utils.formatting import count_of
from xlt_utils.records.items import Contributions

CELL = ["arm", "tokens", "examples"]
LEVELS = ("seeds", "languages", "crossed", "examples", "items")
COVARIANCES = ("examples", "items")  # the levels kept as covariances of the cells, the others as units' deviations


@dataclass(frozen=True)
class GridSample:
    """One target on the grid. `cells` has a row a cell (arm, tokens, examples, n: its seeds, failed: its runs that did
    not learn the target in English), `mean` its zero-shot score (cells,).

    `seeds`, `languages` and `crossed` (each unit's rows, cells) are deviations, scaled so that their rows under
    independent N(0, 1) multipliers have the covariance of `mean` at that level. `examples` and `items` are
    covariances (cells, cells): that of the items within each run, and that of the items which all runs and languages
    share, translations of each other, whose part in a mean no further seed or language averages out.
    `n_languages` is how many independent languages the languages are worth. `missing_runs` counts the (seed, cell)
    pairs without a score.
    """

    cells: pd.DataFrame
    mean: np.ndarray
    seeds: np.ndarray
    languages: np.ndarray
    crossed: np.ndarray
    examples: np.ndarray
    items: np.ndarray
    n_seeds: int
    n_languages: float
    has_items: bool = False
    missing_runs: int = 0

    def of_cells(self, rows: np.ndarray) -> "GridSample":
        """The same sample on some of its cells, which a boolean array (cells,) marks."""
        levels = {name: getattr(self, name)[:, rows] for name in LEVELS}
        levels |= {name: levels[name][rows] for name in COVARIANCES}
        return replace(self, cells=self.cells[rows].reset_index(drop=True), mean=self.mean[rows], **levels)

    def of_arm(self, name: str) -> "GridSample":
        """The cells of one arm with those without intermediate training."""
        return self.of_cells(((self.cells["arm"] == name) | (self.cells["examples"] == 0)).to_numpy())

    def fewest_seeds(self, rows: np.ndarray | slice = slice(None)) -> int:
        """The fewest seeds that one of the cells has."""
        return int(self.cells["n"][rows].min()) if len(self.cells) else 0

    def why_no_interval(self, rows: np.ndarray | slice = slice(None)) -> str:
        """Why numbers of some cells get no interval: runs that failed to learn are no noise around a mean; else ""."""
        return _failures(*(int(self.cells[name][rows].sum()) for name in ("failed", "n")))


@dataclass(frozen=True)
class RunItems:
    """The items of one task and language in all runs: their `names` (seeds, items), each seed's own, and what each
    contributes to the score of each run (seeds, cells, items), NaN where a run did not meet it; a run's score is its
    mean."""

    names: np.ndarray
    contributions: np.ndarray


def build_grid_samples(scores: pd.DataFrame) -> dict[str, GridSample]:
    """The sample of each target of the tidy scores, the means over a group's targets first."""
    return {target: build_grid_sample(scores, target) for target in targets_of(scores)}


def build_grid_sample(
    scores: pd.DataFrame, target: str, column: str = "score", use_english: bool = False
) -> GridSample:
    """One target on the grid, all arms at once: they share seeds, languages and items, so what is drawn is drawn for
    all.

    The mean runs over languages, tasks and seeds; a run that lacks a language has no score. Where a seed lacks a
    cell, the cell's mean is that of the two-way layout seed + cell (so that a seed above the others does not lift
    the cells it has), and the noise of the missing seeds is added from the other cells.

    Args:
        scores: `normalised_scores`, with a column `items` where the records hold them (`with_items`) and `failed`
            where runs failed to learn.
        target: a task, or the mean of a group as in MEANS.
        column: `score`, the zero point at 0 and the ceiling at 1, or `value`, the raw share.
        use_english: take the English score, which has no spread over languages.

    Raises:
        ValueError: no run has a score for the target.
    """
    group = {name: key for key, name in MEANS.items()}.get(target)
    part = scores[(scores["group"] == group) if group else (scores["task"] == target)]
    failed = part[part["failed"]].drop_duplicates(["seed", *CELL, "task"]) if "failed" in part else part[:0]
    part = part[(part["language"] == "en") == use_english]
    if part.empty:
        english = " in English" if use_english else ""
        raise ValueError(f"no score of {target}{english}; there are {set(scores['task'])}")
    return _sample_of(part, failed, column)


def build_difference_sample(scores: pd.DataFrame, first: Iterable[str], second: Iterable[str]) -> GridSample | None:
    """The difference of the mean scores over two sets of languages, the first minus the second, as a grid: languages
    vary in each set by themselves. The mean runs over the tasks that have languages of both sets; None where there are
    none.

    Args:
        scores: as in `build_grid_sample`; of all its tasks the mean is taken.
        first, second: codes; English may be one of them.
    """
    parts = [scores[scores["language"].isin(list(languages))] for languages in (first, second)]
    tasks = set(parts[0]["task"]) & set(parts[1]["task"])
    if not tasks:
        return None
    sides = [part[part["task"].isin(tasks)] for part in parts]
    failed = pd.concat(sides) if "failed" in scores else sides[0][:0]
    failed = failed[failed["failed"]].drop_duplicates(["seed", *CELL, "task"]) if len(failed) else failed
    names = ("first", "second")
    part = pd.concat([side.assign(task=side["task"] + f" {name}") for side, name in zip(sides, names, strict=True)])
    factors = {f"{task} {name}": factor for task in tasks for name, factor in zip(names, (2.0, -2.0), strict=True)}
    return _sample_of(part, failed, "score", factors)


@dataclass(frozen=True)
class RunScores:
    """The scores of single runs: `runs` (seeds, cells, pairs), NaN where there is none, of the `cells` (arm, tokens,
    examples, failed: the runs that did not learn the target in English) and the `pairs` of a task and a language, with
    their `variances` by binomial items and, where the records hold them, the `items` behind each pair. `failed` has a
    row a run that did not learn the target."""

    seeds: list[int]
    cells: pd.DataFrame
    failed: pd.DataFrame
    pairs: list[tuple[str, str]]
    runs: np.ndarray
    variances: np.ndarray
    items: list[RunItems] | None

    def of_cells(self, rows: np.ndarray) -> "RunScores":
        """The same runs on some of the cells, which a boolean array (cells,) marks."""
        if rows.all():  # no copy of the items
            return self
        items = self.items and [replace(one, contributions=one.contributions[:, rows]) for one in self.items]
        cells = self.cells[rows].reset_index(drop=True)
        return replace(self, cells=cells, runs=self.runs[:, rows], variances=self.variances[:, rows], items=items)

    def contrast(self, weights: Mapping[str, np.ndarray]) -> Interval:
        """A contrast over cells and tasks with its 95 % CI, by the same levels as any number of a grid: the sum over
        tasks of the weighted means over each task's languages. Seeds that lack one of its runs are left out.

        Args:
            weights: by task, of the cells in each seed (seeds, cells); NaN leaves a seed out.
        """
        tasks = [task for task in weights if np.nan_to_num(weights[task]).any()]
        columns = [number for number, (task, _) in enumerate(self.pairs) if task in tasks]
        if not columns:
            return NO_INTERVAL
        by_column = np.stack([weights[self.pairs[number][0]] for number in columns], axis=-1)
        sums = _weighted_sum(by_column, self.runs[..., columns])
        whole = np.isfinite(sums).all(axis=(1, 2))
        if not whole.any():
            return NO_INTERVAL
        by_column = by_column[whole]
        items = self.items and [
            RunItems(
                self.items[number].names[whole],
                _weighted_sum(by_column[..., place, None], self.items[number].contributions[whole]),
            )
            for place, number in enumerate(columns)
        ]
        sample = decompose_runs(
            sums[whole],
            [self.pairs[number] for number in columns],
            pd.DataFrame({"arm": [""], "tokens": [0], "examples": [0]}),
            _weighted_sum(by_column**2, self.variances[whole][..., columns]),
            items,
            dict.fromkeys(tasks, float(len(tasks))),  # a sum over tasks, not their mean
        )
        interval = contrast_interval(sample, np.ones(1))
        why = self._failures_among({task: (weights[task] != 0) & whole[:, None] for task in tasks})
        return replace(interval, low=np.nan, high=np.nan, why=why) if why else interval

    def _failures_among(self, used: Mapping[str, np.ndarray]) -> str:
        """How many of the runs that are used, by task (seeds, cells), did not learn it; "" where none."""
        columns = {place: number for number, place in enumerate(self.cells[CELL].itertuples(index=False, name=None))}
        failed = [
            used[task][self.seeds.index(seed), columns[arm, tokens, examples]]
            for seed, arm, tokens, examples, task in self.failed[["seed", *CELL, "task"]].itertuples(index=False)
            if task in used and (arm, tokens, examples) in columns
        ]
        return _failures(sum(failed), sum(int(runs.sum()) for runs in used.values()))


def _failures(failed: int, runs: int) -> str:
    return f"{failed} of {count_of(runs, 'run')} failed to learn the target in English" if failed else ""


def _weighted_sum(weights: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The sum over the cells (seeds, 1, n) of values (seeds, cells, n); what has no weight may be NaN."""
    return np.where(weights != 0, weights * values, 0).sum(axis=1, keepdims=True)


def gather_runs(part: pd.DataFrame, column: str, failed: pd.DataFrame | None = None) -> RunScores:
    """The scores of single runs from tidy rows, as in `build_grid_sample`.

    Args:
        part: the rows, all their languages and tasks.
        column: `score` or `value`.
        failed: a row a run that did not learn the target; None: those that `part` marks.
    """
    if failed is None:
        failed = part[part["failed"]].drop_duplicates(["seed", *CELL, "task"]) if "failed" in part else part[:0]
    binomial = part["value"] * (1 - part["value"]) / part["n"]  # of a share of n; near enough for an F1
    scale = 1 / (1 - zero_points(part)) if column == "score" else pd.Series(1.0, part.index)
    part = part.assign(variance=(binomial * scale**2).clip(lower=0).fillna(0), scale=scale)
    index, columns = ["seed", *CELL], ["task", "language"]
    seeds = sorted(set(part["seed"]))
    cells = list(part[CELL].drop_duplicates().sort_values(CELL).itertuples(index=False, name=None))
    full_index = pd.MultiIndex.from_tuples([(seed, *cell) for seed in seeds for cell in cells], names=index)
    score_table = part.pivot(index=index, columns=columns, values=column).reindex(full_index)
    variance_table = part.pivot(index=index, columns=columns, values="variance").reindex(full_index)
    shape = (len(seeds), -1, score_table.shape[1])
    runs, variances = score_table.to_numpy().reshape(shape), variance_table.to_numpy().reshape(shape)
    pairs = [(str(task), str(language)) for task, language in score_table.columns]
    failures = failed.groupby(CELL).size().rename("failed").reset_index()
    cell_table = pd.DataFrame(cells, columns=CELL).merge(failures, how="left", on=CELL)
    cell_table = cell_table.fillna({"failed": 0}).astype({"failed": int})
    run_items = None
    if "items" in part and part["items"].notna().all():
        row_of = {place: number for number, place in enumerate(full_index)}
        part = part.assign(row=[row_of[place] for place in part[index].itertuples(index=False, name=None)])
        groups = dict(list(part.groupby(columns)))
        run_items = [_gather_items(groups[pair], runs.shape[:2]) for pair in pairs]
    return RunScores(seeds, cell_table, failed, pairs, runs, variances, run_items)


def _sample_of(
    part: pd.DataFrame, failed: pd.DataFrame, column: str, factors: Mapping[str, float] | None = None
) -> GridSample:
    """The sample of the mean over the languages and tasks of `part`, a task times its factor; `failed` has a row a run
    that did not learn the target."""
    scores = gather_runs(part, column, failed)
    scores = scores.of_cells(np.isfinite(scores.runs @ task_weights(scores.pairs)).any(axis=0))
    return decompose_runs(scores.runs, scores.pairs, scores.cells, scores.variances, scores.items, factors)


def _gather_items(part: pd.DataFrame, shape: tuple[int, int]) -> RunItems:
    """The items of one task and language from the `Contributions` of its runs (seeds, cells)."""
    runs: list[list[tuple[int, Contributions, float]]] = [[] for _ in range(shape[0])]
    for row, one, scale in zip(part["row"], part["items"], part["scale"], strict=True):
        runs[row // shape[1]].append((row % shape[1], one, scale))
    # the runs of a seed share their items, so few arrays of names differ
    distinct = [{id(one.names): one.names for _, one, _ in of_seed} for of_seed in runs]
    none = np.array([], dtype=np.int64)  # of a seed without runs
    names = [np.unique(np.concatenate([none, *arrays.values()])) for arrays in distinct]
    size = max(map(len, names))
    table = np.full((*shape, size), np.nan, dtype=np.float32)
    for number, of_seed in enumerate(runs):
        places = {key: np.searchsorted(names[number], own) for key, own in distinct[number].items()}
        for cell, one, scale in of_seed:
            table[number, cell, places[id(one.names)]] = one.values * scale
    padded = np.stack([np.pad(own, (0, size - len(own)), constant_values=-1) for own in names])
    return RunItems(padded, table)


def task_weights(pairs: Sequence[tuple[str, str]]) -> np.ndarray:
    """The weight of each (task, language) in the mean over languages, then tasks (pairs,)."""
    tasks = [task for task, _ in pairs]
    return np.array([1 / (len(set(tasks)) * tasks.count(task)) for task in tasks])


def decompose_runs(
    runs: np.ndarray,
    pairs: Sequence[tuple[str, str]],
    cells: pd.DataFrame,
    variances: np.ndarray | None = None,
    run_items: Sequence[RunItems] | None = None,
    factors: Mapping[str, float] | None = None,
) -> GridSample:
    """The deviations of a grid level by level.

    Args:
        runs: scores (seeds, cells, pairs), NaN where there is none.
        pairs: the (task, language) of each column.
        cells: a row a cell: CELL, and perhaps `failed`.
        variances: of the scores by their items, as `runs`, for records without items; their covariance is then
            diagonal, as if each run had items of its own.
        run_items: the items behind each column.
        factors: by task, what its part of the mean is multiplied with; None: 1.
    """
    n, weights = len(runs), task_weights(pairs)
    weights = weights * [(factors or {}).get(task, 1.0) for task, _ in pairs]
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
    tasks = np.array([task for task, _ in pairs])
    task_means = np.stack([runs[..., tasks == task].mean(axis=-1) for task in tasks], axis=-1)
    units, inflation, n_languages = language_units(pairs)
    shares = (runs - task_means) * weights * inflation
    shares = np.stack([np.nansum(shares[..., units == unit], axis=-1) for unit in sorted(set(units))])
    shares = np.where(has_run, shares, np.nan)
    over_seeds = np.nanmean(shares, axis=1)
    crossed = np.nan_to_num(shares - over_seeds[:, None]) / count * np.sqrt(n / max(1, n - 1))
    if run_items:
        examples, common = _item_covariances(run_items, pairs, weights, has_run, count)
    else:
        own = np.zeros_like(runs) if variances is None else variances
        examples = np.diag(np.nansum(np.where(has_run, own @ weights**2, 0), axis=0) / count**2)
        common = np.zeros_like(examples)
    return GridSample(
        cells.assign(n=count) if "failed" in cells else cells.assign(n=count, failed=0),
        mean,
        seeds=seeds,
        languages=over_seeds,
        crossed=crossed.reshape(-1, len(mean)),
        examples=examples,
        items=common,
        n_seeds=n,
        n_languages=n_languages,
        has_items=bool(run_items),
        missing_runs=int((~has_run).sum()),
    )


def language_units(pairs: Sequence[tuple[str, str]]) -> tuple[np.ndarray, np.ndarray, float]:
    """The units that stand for languages: their branches (languages of one branch gain together), or the languages
    where a task has one branch alone.

    Args:
        pairs: the (task, language) of each column.

    Returns:
        The unit of each column; the factor on its deviation that makes up for the mean taken off; and how many
        independent units all are worth. Where tasks differ in their languages, a unit counts by its weight: in one
        way for units whose effects differ from task to task (Satterthwaite 1946), in another for those whose effect
        is one; the smaller number is taken. A task of one unit, such as English in a transfer gap, has no spread.
    """
    tasks, languages = (np.array(names) for names in zip(*pairs, strict=True))
    branches = np.array([BRANCHES.get(language, language) for language in languages])
    has_one = any(len(set(branches[tasks == task])) == 1 < len(set(languages[tasks == task])) for task in tasks)
    units = languages if has_one else branches
    names = sorted(set(tasks))
    counts = {task: len(set(units[tasks == task])) for task in names}
    inflation = np.array([np.sqrt(counts[task] / max(1, counts[task] - 1)) for task in tasks])
    varying = np.array([1 / counts[task] for task in names if counts[task] > 1])
    if not len(varying):
        return units, inflation, 1.0
    apart = varying.sum() ** 2 / sum(1 / (count**2 * (count - 1)) for count in counts.values() if count > 1)
    units_of_tasks = sorted({(task, unit) for task, unit in zip(tasks, units, strict=True) if counts[task] > 1})
    varying_units = sorted({unit for _, unit in units_of_tasks})
    weights = np.array([sum(1 / counts[t] for t, u in units_of_tasks if u == unit) for unit in varying_units])
    together = (weights**2).sum() ** 2 / (weights**4).sum() - 1
    return units, inflation, 1 + float(min(apart, max(together, 1)))


def _item_covariances(
    run_items: Sequence[RunItems],
    pairs: Sequence[tuple[str, str]],
    weights: np.ndarray,
    has_run: np.ndarray,
    count: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """The covariances (cells, cells) of the means by the items within runs, and by what the items of one name have in
    common beyond one run and one language: products of different seeds and different languages alone, so that the
    noise of single runs drops out (and where names of two languages mean different items, so do they)."""
    n_seeds, n_cells = has_run.shape
    within, common = np.zeros((2, n_cells, n_cells))
    for task in sorted({task for task, _ in pairs}):
        columns = [number for number, pair in enumerate(pairs) if pair[0] == task]
        names = np.unique(np.concatenate([run_items[number].names.ravel() for number in columns]))
        by_seed = np.zeros((n_seeds, n_cells, len(names)), dtype=np.float32)
        by_language = np.zeros((len(columns), n_cells, len(names)), dtype=np.float32)
        by_run = np.zeros((n_cells, n_cells))
        for of_language, number in zip(by_language, columns, strict=True):
            one = run_items[number].contributions
            met = np.isfinite(one)
            n_items = np.maximum(met.sum(axis=-1, keepdims=True), 1)
            values = np.where(met & has_run[..., None], one, np.float32(0))
            values -= np.where(met, values.sum(axis=-1, keepdims=True) / n_items, 0)
            values *= weights[number] / n_items / count[:, None]
            by_run += _outer(values)
            places = np.searchsorted(names, run_items[number].names)
            for of_seed, at, own in zip(by_seed, places, values, strict=True):
                of_seed[:, at] += own
                of_language[:, at] += own
        over_all = _outer(by_seed.sum(axis=0)) - _outer(by_seed)
        within += by_run
        common += over_all - (_outer(by_language) - by_run if len(columns) > 1 else 0)
    return within, common


def _outer(deviations: np.ndarray) -> np.ndarray:
    """The sum of products of all pairs of cells (cells, cells) of deviations (..., cells, items)."""
    blocks = deviations.reshape(-1, *deviations.shape[-2:])
    return sum((block @ block.T).astype(float) for block in blocks)


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

    A crossed bootstrap by multipliers (van der Vaart and Wellner 1996, §2.9; Owen 2007, Annals of Applied Statistics 1,
    for crossed levels): instead of drawing units with replacement, of which two or three seeds leave a handful of
    grids, each unit's deviation from the mean gets a normal weight. Drawing with replacement has that covariance times
    (n − 1) / n. A unit moves all its cells, those of all arms, together.

    Args:
        sample: the grid.
        count: draws a level.
        seed: of the draws.
    """
    grids = {}
    for number, name in enumerate(LEVELS):
        deviations = getattr(sample, name)
        if name in COVARIANCES:
            deviations = _square_root(deviations)
        multipliers = np.random.default_rng([seed, number]).standard_normal((count, len(deviations)))
        grids[name] = sample.mean + multipliers @ deviations
    return grids


def _square_root(covariance: np.ndarray) -> np.ndarray:
    """The symmetric square root (cells, cells); an estimate's negative directions are 0."""
    values, vectors = np.linalg.eigh(covariance)
    return vectors * np.sqrt(np.clip(values, 0, None)) @ vectors.T


def margin_of_error(variances: Mapping[str, np.ndarray], n_seeds: int, n_languages: float) -> np.ndarray:
    """Half the width of a number's 95 % CI; NaN for one seed.

    Each level gets the t factor of its own few units, and the squares add (conservative where several matter:
    Mickey and Brown 1966). Seeds and languages are crossed, so both hold the variance of their combination; of the
    languages' it is taken off (Cameron, Gelbach and Miller 2011) as far as the seeds' part covers it, and at least
    half: an estimate from few languages, less one from few seeds, would too often be nothing. Runs on drawn items
    already differ by them from seed to seed, so a run's own items add nothing to the seeds' spread, but hold it up from
    below: two seeds that happen to agree do not make the margin smaller than 0.7 standard errors of their items. What
    items common to all runs add is a level of its own, of hundreds of units. `tests/analysis/test_coverage.py`
    simulates it.

    Args:
        variances: the number's variance at each of LEVELS.
        n_seeds, n_languages: units of the two levels.
    """
    of_seeds, of_languages, of_items = (t_factor(units) ** 2 for units in (n_seeds, n_languages, np.inf))
    margin = np.maximum(of_seeds * variances["seeds"], variances["examples"] / 2)
    if n_languages > 1:
        covered = max(of_languages / 2, min(of_languages, of_seeds)) * variances["crossed"]
        margin = margin + np.clip(of_languages * variances["languages"] - covered, 0, None)
    return np.sqrt(margin + of_items * np.clip(variances["items"], 0, None))


def linear_contrasts(sample: GridSample, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Linear contrasts of the grid, whose bootstrap variance has a closed form, so that no draw is needed.

    Args:
        sample: the grid.
        weights: of the cells in each contrast (k, cells).

    Returns:
        The contrasts' estimates and margins of error, both (k,).
    """
    variances = contrast_variances(sample, weights)
    return weights @ sample.mean, margin_of_error(variances, sample.n_seeds, sample.n_languages)


def contrast_variances(sample: GridSample, weights: np.ndarray) -> dict[str, np.ndarray]:
    """The variances of linear contrasts at each of LEVELS, each (k,), for weights (k, cells)."""
    return {
        name: ((weights @ getattr(sample, name)) * weights).sum(axis=-1)
        if name in COVARIANCES
        else ((weights @ getattr(sample, name).T) ** 2).sum(axis=-1)
        for name in LEVELS
    }


def contrast_interval(sample: GridSample, weights: np.ndarray) -> Interval:
    """One linear contrast of the grid with its 95 % CI, or with the reason why it has none.

    Args:
        sample: the grid.
        weights: of the cells (cells,); the interval's n is the fewest seeds that a cell with a weight has.
    """
    estimate, margin = linear_contrasts(sample, weights[None])
    rows = weights != 0
    n, why = sample.fewest_seeds(rows), sample.why_no_interval(rows)
    if why:
        return Interval(float(estimate[0]), np.nan, np.nan, n, why)
    return Interval(float(estimate[0]), float(estimate[0] - margin[0]), float(estimate[0] + margin[0]), n)


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
    if why := sample.why_no_interval():
        return Interval(float(estimate), np.nan, np.nan, sample.fewest_seeds(), why)
    margin = float(margin_of_error(variances, sample.n_seeds, sample.n_languages))
    return Interval(float(estimate), float(estimate - margin), float(estimate + margin), sample.fewest_seeds())
