"""What intermediate training adds to the zero-shot score at each place of the grid, and which of these gains differ
from 0 after correction for multiple tests. The table of `transfer_scores.zero_shot` goes in; gains paired by seed,
their means with 95 % CI and p values, and a sentence about them come out."""

import numpy as np
import pandas as pd
from scipy import stats

from xlt_utils.analysis.intervals import ALPHA, t_factor, t_interval
from xlt_utils.analysis.transfer_scores import MEANS, PLACE
from xlt_utils.formatting import number_text


def paired_gains(runs: pd.DataFrame) -> pd.DataFrame:
    """What intermediate training added, by seed: score(P, I) − score(P, 0) of the same seed and P."""
    before = runs.loc[runs["examples"] == 0, ["seed", "tokens", "target", "zero_shot"]]
    after = runs.loc[runs["examples"] > 0, [*PLACE, "target", "group", "zero_shot"]]
    both = after.merge(before, how="left", on=["seed", "tokens", "target"], suffixes=("", "_before"))
    both["gain"] = both["zero_shot"] - both["zero_shot_before"]
    return both[[*PLACE, "target", "group", "gain"]]


def gain_table(gains: pd.DataFrame) -> pd.DataFrame:
    """The paired gains at each (target, arm, P, I): mean, 95 % t interval, n, and `p` of the two-sided paired t test
    that the interval inverts, also corrected (`holm`) for all gains of single targets in the table, a group's mean for
    all those of means (Holm 1979, Scandinavian Journal of Statistics 6). One seed has neither p (NaN)."""
    rows = []
    for key, part in gains.groupby(["target", "arm", "tokens", "examples"]):
        interval = t_interval(part["gain"])
        rows.append([*key, interval.mean, interval.low, interval.high, interval.n])
    table = pd.DataFrame(rows, columns=["target", "arm", "tokens", "examples", "gain", "low", "high", "n"])
    margin, n = ((table["high"] - table["low"]) / 2).astype(float), table["n"].astype(int)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = table["gain"].abs().astype(float) / margin * n.map(t_factor).astype(float)
    p = pd.Series(2 * stats.t.sf(t, n - 1), table.index)
    p = p.mask(margin.eq(0), table["gain"].eq(0).astype(float)).where(margin.notna())
    return table.assign(p=p, holm=p.groupby(table["target"].isin(MEANS.values())).transform(_holm))


def _holm(p: pd.Series) -> pd.Series:
    ascending = p.dropna().sort_values(kind="stable")
    raised = ascending * np.arange(len(ascending), 0, -1)
    return raised.cummax().clip(upper=1).reindex(p.index)


def survivors_sentence(table: pd.DataFrame) -> str:
    """How many gains of single targets in `gain_table` differ from 0, before and after the correction."""
    tested = table[~table["target"].isin(MEANS.values()) & table["p"].notna()]
    if tested.empty:
        return "No gain has two seeds, so none is tested."
    before, after = (tested[tested[name] < ALPHA] for name in ("p", "holm"))
    up = int((after["gain"] > 0).sum())
    signs = f" ({up} up, {len(after) - up} down)" if len(after) else ""
    return (
        f"Of {len(tested)} gains at single places of the grid, {len(before)} differ from 0 before correction for "
        f"multiple tests and {len(after)}{signs} after Holm's correction (family-wise error rate {number_text(ALPHA)})."
    )
