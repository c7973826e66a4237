"""Effective robustness (Taori et al. 2020, arXiv 2007.00644): how far a zero-shot score lies above what its English
score predicts, the curve being that of the runs without intermediate training. Normalised scores go in; one number
with its interval comes out for each target task, arm and I."""

import numpy as np
import pandas as pd

from xlt_utils.analysis import bootstrap
from xlt_utils.analysis.bootstrap import GridSample
from xlt_utils.analysis.intervals import Interval
from xlt_utils.analysis.transfer_scores import zero_points
from xlt_utils.formatting import count_of

EDGE = 0.01  # a share is kept this far from 0 and 1 before its logit is taken


def effective_robustness_table(scores: pd.DataFrame, draws: int = 300, seed: int = 0) -> pd.DataFrame:
    """Columns target, arm, examples, effective, low, high, n and note; `effective` is in normalised score, at the
    mean over the rungs of P.

    The baseline is a line in logits, logit(zero-shot) on logit(English), through the means over seeds of the
    rungs of P at I = 0: of the shares of right answers themselves, as in the paper, since a normalised score at chance
    has no logit. Every resampled grid fits its own baseline. A task without English scores (retrieval), or with
    fewer than three rungs at I = 0 or English scores that do not differ there, has a note and no number.

    Args:
        scores: `normalised_scores`.
        draws: resampled grids a level.
        seed: of the draws; the same seed gives the same table.
    """
    rows = []
    for task in sorted(set(scores["task"])):
        part = scores[scores["task"] == task]
        arms = part.loc[part["examples"] > 0, ["arm", "examples"]].drop_duplicates().sort_values(["arm", "examples"])
        pair = _paired_samples(part, task)
        if isinstance(pair, str):
            rows += [[task, *place, np.nan, np.nan, np.nan, 0, pair] for place in arms.itertuples(index=False)]
            continue
        english, other = pair
        cells = other.cells
        is_base = (cells["examples"] == 0).to_numpy()
        # the two were drawn with the same seeds: one multiplier moves a seed's English and other scores alike
        english_grids, other_grids = (bootstrap.draw_grids(sample, draws, seed) for sample in (english, other))
        # but their test examples differ
        english_grids["examples"] = bootstrap.draw_grids(english, draws, seed + 1)["examples"]
        for arm, examples in arms.itertuples(index=False):
            is_here = ((cells["arm"] == arm) & (cells["examples"] == examples)).to_numpy()
            if not is_here.any():
                continue
            scale = 1 / (1 - float(zero_points(scores[scores["task"] == task]).mean()))
            values = {
                level: _above_curve(english_grids[level], other_grids[level], is_base, is_here) * scale
                for level in bootstrap.LEVELS
            }
            estimate = float(_above_curve(english.mean[None], other.mean[None], is_base, is_here)[0] * scale)
            interval = bootstrap.bootstrap_interval(other, values, estimate)
            rows.append([task, arm, examples, interval.mean, interval.low, interval.high, interval.n, ""])
    return pd.DataFrame(rows, columns=["target", "arm", "examples", "effective", "low", "high", "n", "note"])


def effective_at_largest(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of each arm's largest I in words: a number with its interval, or why there is none."""
    last = table[table["examples"] == table.groupby("arm")["examples"].transform("max")]
    words = [row.note or str(Interval(row.effective, row.low, row.high, row.n)) for row in last.itertuples(index=False)]
    return last[["target", "arm", "examples"]].assign(**{"above the curve": words})


def _paired_samples(part: pd.DataFrame, task: str) -> tuple[GridSample, GridSample] | str:
    """The English and the other scores on the cells and seeds that have both, or why there is no curve."""
    languages = set(part["language"])
    if "en" not in languages or languages == {"en"}:
        return f"no {'English' if 'en' not in languages else 'other'} scores"
    run = ["seed", *bootstrap.CELL]
    both = part.merge(part.loc[part["language"] == "en", run], on=run)
    both = both[both.groupby(run)["language"].transform("nunique") == len(languages)]
    if both.empty:
        return "no run has all languages"
    english, other = (bootstrap.build_grid_sample(both, task, "value", use_english) for use_english in (True, False))
    is_base = (other.cells["examples"] == 0).to_numpy()
    if is_base.sum() < 3:
        return f"{count_of(int(is_base.sum()), 'rung')} of P without intermediate training: a curve needs three"
    if np.ptp(english.mean[is_base]) < EDGE:
        return "the English scores without intermediate training do not differ: no curve"
    return english, other


def _above_curve(english: np.ndarray, other: np.ndarray, is_base: np.ndarray, is_here: np.ndarray) -> np.ndarray:
    """Mean distance (k,) above the baseline's curve over some cells of grids (k, cells), in shares."""
    x, y = (_logit(grid) for grid in (english, other))
    x_base, y_base = (grid[:, is_base] - grid[:, is_base].mean(axis=1, keepdims=True) for grid in (x, y))
    slope = (x_base * y_base).sum(axis=1) / np.maximum((x_base**2).sum(axis=1), 1e-12)
    intercept = y[:, is_base].mean(axis=1) - slope * x[:, is_base].mean(axis=1)
    expected = 1 / (1 + np.exp(-(intercept[:, None] + slope[:, None] * x[:, is_here])))
    return (other[:, is_here] - expected).mean(axis=1)


def _logit(shares: np.ndarray) -> np.ndarray:
    inside = np.clip(shares, EDGE, 1 - EDGE)
    return np.log(inside / (1 - inside))
