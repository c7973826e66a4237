"""Which single gains differ from 0 once their number is corrected for (Holm 1979)."""

import numpy as np
import pandas as pd
from scipy import stats

from xlt_utils.analysis import transfer_scores
from xlt_utils.analysis.intervals import ALPHA, t_factor
from xlt_utils.formatting import number


def correct_gains(gains: pd.DataFrame) -> pd.DataFrame:
    """`scaling.gain_table` with `p`, of the paired two-sided t test that its interval inverts, and `holm`, corrected
    for all gains of single targets in the table (Holm 1979), a group's mean for all those of means. One seed has
    neither (NaN)."""
    half, n = ((gains["high"] - gains["low"]) / 2).astype(float), gains["n"].astype(int)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = gains["gain"].abs().astype(float) / half * n.map(t_factor).astype(float)
    p = pd.Series(2 * stats.t.sf(t, n - 1), gains.index)
    p = p.mask(half.eq(0), gains["gain"].eq(0).astype(float)).where(half.notna())
    means = gains["target"].isin(transfer_scores.MEANS.values())
    return gains.assign(p=p, holm=p.groupby(means).transform(_holm))


def _holm(p: pd.Series) -> pd.Series:
    known = p.dropna().sort_values(kind="stable")
    raised = known * np.arange(len(known), 0, -1)
    return raised.cummax().clip(upper=1).reindex(p.index)


def survivors_sentence(gains: pd.DataFrame) -> str:
    """How many gains of single targets are told from 0, before and after the correction, in a sentence."""
    own = gains[~gains["target"].isin(transfer_scores.MEANS.values()) & gains["p"].notna()]
    if own.empty:
        return "No gain has two seeds, so none is tested."
    before, after = (own[own[name] < ALPHA] for name in ("p", "holm"))
    up = int((after["gain"] > 0).sum())
    signs = f" ({up} up, {len(after) - up} down)" if len(after) else ""
    return (
        f"Of {len(own)} gains at single places of the grid {len(before)} differ from 0 one by one, "
        f"{len(after)}{signs} after Holm's correction for all of them (family-wise {number(ALPHA)})."
    )
