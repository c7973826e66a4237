"""Studies simulated item by item, for the laws of intervals: which seeds, languages and items a run's score comes from,
and what they share. A scenario and a number of seeds go in; the grid's sample comes out, and the truth is known."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from xlt_utils.analysis import bootstrap
from xlt_utils.analysis.bootstrap import GridSample, RunItems

CELLS = pd.DataFrame(
    [("", 0, 0), ("mnli", 0, 256), ("mnli", 0, 4096), ("", 1000, 0), ("mnli", 1000, 256), ("mnli", 1000, 4096)],
    columns=bootstrap.CELL,
)
AFTER = (CELLS["examples"] == 4096).to_numpy()
BEFORE = (CELLS["examples"] == 0).to_numpy()
GAIN = AFTER / 2 - BEFORE / 2  # the largest rung minus I = 0, at the mean over P
MOVEMENT = np.where(BEFORE, np.sign(CELLS["tokens"] - 1), 0.0)  # the largest P minus the smallest, without examples
LANGUAGES = ("de", "es", "hi", "tr", "sw", "zh")  # of six branches
PAIRS = ("de", "nl", "es", "fr", "hi", "ur", "sw", "zh")  # of five


@dataclass(frozen=True)
class Scenario:
    """What the scores of a study share. Standard deviations are on the scale of scores.

    Attributes:
        languages: of each task.
        items: of each test.
        is_parallel: the items of all languages and seeds are the same ones, in translation; else each seed and language
            draws its own.
        interaction: the share of the items' variance that changes with I.
        noise: between runs.
        correlation: of the noise of one run in two languages, and of two languages of one branch.
        by_language: how the gain differs between languages.
        movement_by_language: how the movement with P does.
        failing: the share of runs at I = 0 that do not learn at all.
        degrees: of freedom of the runs' noise (Student's t); None: normal.
        level: the mean score; near 1 it is a ceiling.
        missing: the share of runs that are missing.
    """

    languages: tuple[tuple[str, ...], ...] = (LANGUAGES,)
    items: int = 60
    is_parallel: bool = False
    interaction: float = 0.0
    noise: float = 0.02
    correlation: float = 0.0
    by_language: float = 0.0
    movement_by_language: float = 0.0
    failing: float = 0.0
    degrees: float | None = None
    level: float = 0.6
    missing: float = 0.0

    def sample(self, n_seeds: int, state: int, gain: float = 0.0) -> GridSample:
        """A study of so many seeds, drawn by `state`; `gain` is added at the largest I."""
        random = np.random.default_rng([state, n_seeds])
        pairs = [(f"task{number}", name) for number, names in enumerate(self.languages) for name in names]
        branches = [bootstrap.BRANCHES.get(name, name) for _, name in pairs]
        runs, run_items = [], []
        shape = (n_seeds, len(CELLS))
        shared_noise = self._noise(random, shape)
        failed = BEFORE & (random.random(shape) < self.failing)
        own_part, shared_part = np.sqrt(1 - self.correlation), np.sqrt(self.correlation)
        branch_effects = {name: random.normal(size=2) for name in sorted(set(branches))}
        item_effects: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        for (task, _), branch in zip(pairs, branches, strict=True):
            effect = own_part * random.normal(size=2) + shared_part * branch_effects[branch]
            mean = self.level + gain * AFTER + self.by_language * effect[0] * (AFTER - 0.5)
            mean = mean + self.movement_by_language * effect[1] * (CELLS["tokens"].to_numpy() > 0)
            mean = mean + own_part * self._noise(random, shape) + shared_part * shared_noise
            if not self.is_parallel or task not in item_effects:
                size = (1 if self.is_parallel else n_seeds, self.items)
                item_effects[task] = random.normal(size=size), random.normal(size=(2, *size))
            difficulty, changes = item_effects[task]
            spread = np.sqrt(self.level * (1 - self.level))
            item = np.sqrt(0.5) * difficulty[:, None] + np.sqrt(self.interaction) * np.where(
                AFTER[:, None], changes[0][:, None], changes[1][:, None]
            )
            residual = np.sqrt(0.5 - self.interaction) * random.normal(size=(*shape, self.items))
            contributions = mean[..., None] + spread * (item + residual)
            contributions = np.where(failed[..., None], 0.0, np.minimum(contributions, 1.0 + spread * 3))
            runs.append(contributions.mean(axis=-1))
            names = np.arange(n_seeds * self.items).reshape(n_seeds, -1)  # of one seed's items, and no other's
            run_items.append(RunItems(names % self.items if self.is_parallel else names, contributions))
        table = np.stack(runs, axis=-1)
        lost = random.random(shape) < self.missing
        lost[0] = False  # each cell has a run
        table[lost] = np.nan
        cells = CELLS.assign(failed=failed.sum(axis=0))
        sample = bootstrap.decompose_runs(table, pairs, cells, run_items=run_items)
        return sample

    def _noise(self, random: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
        if self.degrees is None:
            return random.normal(0, self.noise, shape)
        return random.standard_t(self.degrees, shape) * self.noise * np.sqrt(1 - 2 / self.degrees)


SCENARIOS = {
    "items drawn anew": Scenario(),
    "parallel items that change with I": Scenario(is_parallel=True, interaction=0.05),
    "a quarter of runs fails": Scenario(failing=0.25),
    "correlated noise": Scenario(correlation=0.8),
    "languages of a branch gain together": Scenario(languages=(PAIRS,), correlation=0.8, by_language=0.03),
    "four targets, unequal languages": Scenario(
        languages=(LANGUAGES[:3], LANGUAGES[2:], PAIRS[1:], PAIRS), by_language=0.04, items=30
    ),
    "languages differ": Scenario(by_language=0.04, movement_by_language=0.04),
    "heavy tails": Scenario(degrees=2.5),
    "missing runs": Scenario(missing=0.1),
    "three languages": Scenario(languages=(("de", "hi", "sw"),), by_language=0.03),
    "a ceiling": Scenario(level=0.98),
}
