"""What intermediate training adds to the zero-shot score at each place of the grid, and which of these gains differ
from 0 after correction for multiple tests. The table of `transfer_scores.zero_shot` goes in and gains paired by seed
come out; `GridSample`s go in, and gains with 95 % CI and p values and a sentence about them come out."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from xlt_utils.analysis import bootstrap
from xlt_utils.analysis.bootstrap import CELL, GridSample
from xlt_utils.analysis.intervals import ALPHA, false_discovery_rate, p_value
from xlt_utils.analysis.transfer_scores import MEANS, PLACE
from xlt_utils.formatting import number_text


def paired_gains(runs: pd.DataFrame) -> pd.DataFrame:
    """What intermediate training added, by seed: score(P, I) − score(P, 0) of the same seed and P."""
    before = runs.loc[runs["examples"] == 0, ["seed", "tokens", "target", "zero_shot"]]
    after = runs.loc[runs["examples"] > 0, [*PLACE, "target", "group", "zero_shot"]]
    both = after.merge(before, how="left", on=["seed", "tokens", "target"], suffixes=("", "_before"))
    both["gain"] = both["zero_shot"] - both["zero_shot_before"]
    return both[[*PLACE, "target", "group", "gain"]]


def gain_table(samples: Mapping[str, GridSample]) -> pd.DataFrame:
    """The gain over I = 0 at each (target, arm, P, I): mean, 95 % CI, n, the two-sided `p` value of no gain, also
    corrected (`corrected`) for all gains of single targets in the table, a group's mean for all those of means, at a
    false discovery rate. Where there is no interval (one seed, runs that failed to learn) there is no p value (NaN)."""
    rows = []
    for target, sample in samples.items():
        cells = sample.cells
        for place, (arm, tokens, examples) in enumerate(cells[CELL].itertuples(index=False, name=None)):
            before = np.flatnonzero((cells["tokens"] == tokens) & (cells["examples"] == 0))
            if examples == 0 or not len(before):
                continue
            weights = np.zeros(len(cells))
            weights[place], weights[before[0]] = 1, -1
            gain = bootstrap.contrast_interval(sample, weights)
            p = p_value(gain.mean, (gain.high - gain.low) / 2, sample.n_seeds)
            rows.append([target, arm, tokens, examples, gain.mean, gain.low, gain.high, gain.n, p])
    columns = ["target", "arm", "tokens", "examples", "gain", "low", "high", "n", "p"]
    table = pd.DataFrame(rows, columns=columns).sort_values(columns[:4], ignore_index=True)
    family = table["target"].isin(MEANS.values())
    return table.assign(corrected=table.groupby(family)["p"].transform(false_discovery_rate))


def survivors_sentence(table: pd.DataFrame) -> str:
    """How many gains of single targets in `gain_table` differ from 0, before and after the correction."""
    tested = table[~table["target"].isin(MEANS.values()) & table["p"].notna()]
    if tested.empty:
        return "No gain has two seeds that learnt the target, so none is tested."
    before, after = (tested[tested[name] < ALPHA] for name in ("p", "corrected"))
    up = int((after["gain"] > 0).sum())
    signs = f" ({up} up, {len(after) - up} down)" if len(after) else ""
    return (
        f"Of {len(tested)} gains at single places of the grid, {len(before)} differ from 0 before correction for "
        f"multiple tests and {len(after)}{signs} after it (false discovery rate {number_text(ALPHA)})."
    )
