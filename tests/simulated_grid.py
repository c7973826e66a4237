"""Tidy scores of a simulated study whose law is known."""

import numpy as np
import pandas as pd

NOISE = {"noise": 0.01, "shared": 0.02, "spread": 0.1, "n": 500}
SMALL = {"seeds": 2, "tokens": (0, 1000, 8000), "examples": (0, 256, 2048, 16384)}
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
    """Tidy scores as `scaling.scores` gives them. `truth(P, I)` is the population's score, chance 0; around it lie
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
    return table.assign(score=2 * table["value"] - 1, n=n or 10**9, cell="")
