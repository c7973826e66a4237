"""Effective robustness (Taori et al. 2020, arXiv 2007.00644): how far a zero-shot score lies above what its English
score predicts, the curve being that of the runs without intermediate training. In goes the tidy table of
`scaling.scores`, out comes one number with its interval for each target task, arm and I."""

import numpy as np
import pandas as pd

from xlt_utils.analysis import bootstrap
from xlt_utils.analysis.intervals import Interval
from xlt_utils.data.tasks import TASKS

EDGE = 0.01  # a share is kept this far from 0 and 1 before its logit is taken


def effective_robustness_table(scores: pd.DataFrame, draws: int = 300, seed: int = 0) -> pd.DataFrame:
    """Columns target, arm, examples, effective, low, high, n and note; `effective` is in normalised score, at the
    mean over the rungs of P.

    The baseline is a line in logits, logit(zero-shot) on logit(English), through the means over seeds of the
    rungs of P at I = 0: of the shares of right answers themselves, as there, since a normalised score at chance
    has no logit. Every resampled grid fits its own baseline. A task without English scores (retrieval), or with
    fewer than three rungs at I = 0 or English scores that do not differ there, has a note and no number.
    """
    rows = []
    for task in sorted(set(scores["task"])):
        part = scores[scores["task"] == task]
        arms = part.loc[part["examples"] > 0, ["arm", "examples"]].drop_duplicates().sort_values(["arm", "examples"])
        found, note = _pair(part, task)
        if not note:
            english, other = found
            cells = other.cells
            base = (cells["examples"] == 0).to_numpy()
            if base.sum() < 3:
                note = f"{base.sum()} rungs of P without intermediate training: a curve takes three"
            elif np.ptp(english.mean[base]) < EDGE:
                note = "the English scores without intermediate training do not differ: no curve"
        if note:
            rows += [[task, *place, np.nan, np.nan, np.nan, 0, note] for place in arms.itertuples(index=False)]
            continue
        # the two were drawn with the same seeds: one multiplier moves a seed's English and other scores alike
        drawn = [bootstrap.draws(one, draws, seed) for one in found]
        drawn[0]["examples"] = bootstrap.draws(english, draws, seed + 1)["examples"]  # but the examples are others
        for arm, examples in arms.itertuples(index=False):
            here = ((cells["arm"] == arm) & (cells["examples"] == examples)).to_numpy()
            if not here.any():
                continue
            scale = 1 / (1 - TASKS[task].chance)
            values = {name: _above(drawn[0][name], drawn[1][name], base, here) * scale for name in bootstrap.LEVELS}
            estimate = float(_above(english.mean[None], other.mean[None], base, here)[0] * scale)
            one = bootstrap.interval_around(other, values, estimate)
            rows.append([task, arm, examples, one.mean, one.low, one.high, one.n, ""])
    return pd.DataFrame(rows, columns=["target", "arm", "examples", "effective", "low", "high", "n", "note"])


def effective_at_largest(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of each arm's largest I in words: a number with its interval, or why there is none."""
    last = table[table["examples"] == table.groupby("arm")["examples"].transform("max")]
    words = [
        row.note or Interval(row.effective, row.low, row.high, row.n).said() for row in last.itertuples(index=False)
    ]
    return last[["target", "arm", "examples"]].assign(**{"above the curve": words})


def _pair(part: pd.DataFrame, task: str):
    """The English and the other scores on the cells and seeds that have both, or why there are none."""
    languages = set(part["language"])
    if "en" not in languages or languages == {"en"}:
        return None, f"no {'English' if 'en' not in languages else 'other'} scores"
    english = part[part["language"] == "en"]
    both = part.merge(english[["seed", *bootstrap.CELL]], on=["seed", *bootstrap.CELL])
    wanted = both.groupby(["seed", *bootstrap.CELL])["language"].transform("nunique") == len(languages)
    if not wanted.any():
        return None, "no run has all languages"
    return [bootstrap.make_sample(both[wanted], task, "value", english) for english in (True, False)], ""


def _above(english: np.ndarray, other: np.ndarray, base: np.ndarray, here: np.ndarray) -> np.ndarray:
    """Mean distance above the baseline's curve over the cells `here` of grids (k, cells), in shares."""
    x, y = (_logit(grid) for grid in (english, other))
    x0, y0 = (grid[:, base] - grid[:, base].mean(axis=1, keepdims=True) for grid in (x, y))
    steep = (x0 * y0).sum(axis=1) / np.maximum((x0**2).sum(axis=1), 1e-12)
    start = y[:, base].mean(axis=1) - steep * x[:, base].mean(axis=1)
    expected = 1 / (1 + np.exp(-(start[:, None] + steep[:, None] * x[:, here])))
    return (other[:, here] - expected).mean(axis=1)


def _logit(shares: np.ndarray) -> np.ndarray:
    inside = np.clip(shares, EDGE, 1 - EDGE)
    return np.log(inside / (1 - inside))
