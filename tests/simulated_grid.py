"""Tidy scores of simulated studies whose laws are known: the truths, and grids of scores drawn around them."""

import numpy as np
import pandas as pd

from xlt_utils.analysis.bootstrap import GridSample, build_grid_sample

NOISE = {"noise": 0.01, "shared": 0.02, "spread": 0.1, "n": 500}
SMALL = {"tokens": (0, 1000, 8000), "examples": (0, 256, 2048, 16384)}
LANGUAGES = ("en", "de", "fr", "es", "hi", "sw")


def grid(
    truth,
    seeds: int = 3,
    tokens=(0, 1000, 4000, 16000),
    examples=(0, 256, 1024, 4096, 16384),
    languages=LANGUAGES,
    task: str = "sst",
    arm: str = "mnli",
    noise: float = 0.0,
    shared: float = 0.0,
    spread: float = 0.0,
    n: int = 0,
    state: int = 0,
) -> pd.DataFrame:
    """Tidy scores as `normalised_scores` gives them. `truth(P, I)` is the population's score, chance 0; around it lie
    the deviations of languages (level, and by a factor their distance from chance), of seeds (`shared` by a
    pretrained checkpoint, `noise` a run's own) and of `n` test examples (0: none)."""
    rng = np.random.default_rng(state)
    p, i = (np.array(axis, dtype=float) for axis in (tokens, examples))
    mean = np.vectorize(truth)(p[:, None], i[None])
    shape = (seeds, len(p), len(i), len(languages))
    level, factor = rng.normal(0, spread, len(languages)), 1 + 2 * rng.normal(0, spread, len(languages))
    base = mean[0, 0]
    score = base + (mean - base)[None, :, :, None] * factor + level
    score = score + rng.normal(0, shared, (seeds, len(p), 1, 1)) + rng.normal(0, noise, (seeds, len(p), len(i), 1))
    score = score + rng.normal(0, noise, shape)
    value = 0.5 + score / 2  # sst: chance is one half
    if n:
        value = rng.binomial(n, np.clip(value, 0, 1)) / n
    places = np.indices(shape).reshape(4, -1)
    table = pd.DataFrame({"seed": places[0], "tokens": np.array(tokens)[places[1]]})
    table["examples"] = np.array(examples)[places[2]]
    table["arm"] = np.where(table["examples"] > 0, arm, "")
    table = table.assign(task=task, group="trained", language=np.array(languages)[places[3]], value=value.ravel())
    return table.assign(score=2 * table["value"] - 1, n=n or 10**9, cell="", counts=True)


def sample_around(error, **settings) -> GridSample:
    """The sample of a grid of scores around 1 − error(P, I)."""
    return build_grid_sample(grid(lambda p, i: 1 - error(p, i), **settings), "sst").of_arm("mnli")


# The errors at (P, I); P0 = 1000 and I0 = 256 are the smallest rungs.


def additive(p, i):
    return 0.3 + 0.45 * (1 + p / 1000) ** -0.5 + 0.2 * (1 + i / 256) ** -0.3


def transfer(p, i):
    return 0.2 + (0.25 + 0.4 * (1 + p / 1000) ** -0.4) * (1 + i / 256) ** -0.15


def log_linear(p, i):
    return 0.8 - 0.09 * np.log1p(p / 1000) - 0.025 * np.log1p(i / 256)


def proportional(p, i):
    return 0.8 - 0.1 * np.log1p(p / 1000) - 0.2 * i / 16384


def null(p, i):
    """Intermediate examples change nothing."""
    return 0.3 + 0.45 * (1 + p / 1000) ** -0.5


def saturating(p, i):
    return 0.3 + 0.4 * np.exp(-p / 3000) + 0.15 * np.exp(-i / 1500)


def late_onset(p, i):
    """Nothing happens up to thousands of examples, then much."""
    return 0.3 + 0.45 * (1 + p / 1000) ** -0.5 - 0.2 * (i / 16384) ** 2


def true_rate(error, p: float, i: float) -> float:
    """The true exchange rate at (P, I), by central differences."""
    by_i, by_p = error(p, i * 1.0001) - error(p, i / 1.0001), error(p * 1.0001, i) - error(p / 1.0001, i)
    return by_i / i / (by_p / p)
