"""The scores of a study as one tidy frame that every view of the explorer reads. A study's findings go in; a row a run,
target and language comes out, on three scales, each with the interval that the run's own test items give it."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from xlt_utils.analysis.intervals import t_factor
from xlt_utils.analysis.transfer_scores import PLACE
from xlt_utils.formatting import number_text
from xlt_utils.records.items import Contributions
from xlt_utils.records.record import Record
from xlt_utils.reporting import house_style
from xlt_utils.reporting.findings import Findings

OTHERS = "others"  # the mean over the languages besides English, as if it were a language
NO_ARM = "none (I = 0)"
RAW, ABOVE, GAIN = "raw score", "above chance", "gain over I = 0"
SCALES = (RAW, ABOVE, GAIN)
TEST = [*PLACE, "task", "language"]


@dataclass(frozen=True, eq=False)
class OpenStudy:
    """A study that was opened: the `name` that tells it from others, the `place` it was read from, and its findings."""

    name: str
    place: Path
    findings: Findings

    @cached_property
    def frame(self) -> pd.DataFrame:
        """A row a run, target and language, as `scores_frame` gives it."""
        return scores_frame(self.findings).assign(study=self.name)

    @cached_property
    def runs(self) -> dict[str, tuple[Path, Record]]:
        """The folder and the record of each target run, by the name of its cell."""
        return {
            record.cell: (folder, record)
            for folder, record in self.findings.records.items()
            if record.phase == "target"
        }


def scores_frame(findings: Findings) -> pd.DataFrame:
    """A row a target run, task and language, and one for the mean over the OTHERS where the run has them all.

    Columns: PLACE, task, language, cell, n, counts, and for each of SCALES its value, `SCALE low` and `SCALE high`. The
    interval is 95 % over the test's items, of the run alone: another seed would move it further. A gain is that over
    the run of the same seed and P at I = 0, its interval by pairs where both runs have the same items. The mean over
    languages has no such interval, as translations of one item stand in all of them.
    """
    scores = findings.scores.copy()
    if scores.empty:
        return pd.DataFrame(columns=[*TEST, "cell", "n", "counts", *_columns()])
    scores["variance"] = [_variance(*row) for row in scores[["value", "n", "items"]].itertuples(index=False)]
    before = scores[scores["examples"] == 0].set_index(["seed", "tokens", "task", "language"])
    joined = scores.join(before[["value", "variance", "items"]].add_suffix(" before"), on=before.index.names)
    scale = 1 - joined["zero"]
    joined[RAW], joined[ABOVE] = joined["value"], joined["score"]
    joined[GAIN] = ((joined["value"] - joined["value before"]) / scale).where(joined["examples"] > 0)
    pairs = joined[["items", "items before", "variance", "variance before"]]
    of_gain = [_paired_variance(*row) for row in pairs.itertuples(index=False)]
    margins = {RAW: np.sqrt(joined["variance"]), ABOVE: np.sqrt(joined["variance"]) / scale}
    margins[GAIN] = np.sqrt(pd.Series(of_gain, index=joined.index)) / scale
    for name, error in margins.items():
        joined[f"{name} low"] = joined[name] - t_factor(np.inf) * error
        joined[f"{name} high"] = joined[name] + t_factor(np.inf) * error
    table = joined[[*TEST, "cell", "n", "counts", *_columns()]]
    return pd.concat([table, _means_over_others(table)], ignore_index=True)


def on_scale(frame: pd.DataFrame, scale: str) -> pd.DataFrame:
    """The rows that have a value on one of SCALES, with it as `value`, and `interval`, `P` and `I` in words."""
    rows = frame[frame[scale].notna()].copy()
    sign = "+" if scale == GAIN else ""
    rows["value"], rows["low"], rows["high"] = (rows[name] for name in (scale, f"{scale} low", f"{scale} high"))
    ends = rows[["low", "high"]].itertuples(index=False, name=None)
    rows["interval"] = [
        f"{number_text(low, sign)} to {number_text(high, sign)}" if np.isfinite(low) else "–" for low, high in ends
    ]
    return rows.drop(columns=_columns())


def join_studies(studies: Iterable[OpenStudy]) -> pd.DataFrame:
    """The frames of several studies below each other, with `condition`, the arm and, of several, the study."""
    studies = list(studies)
    frame = pd.concat([study.frame for study in studies], ignore_index=True)
    arms = frame["arm"].where(frame["arm"] != "", NO_ARM)
    frame["condition"] = arms if len(studies) == 1 else arms + ", " + frame["study"]
    return frame


def language_name(code: str) -> str:
    """A language as people call it, or the mean over the OTHERS."""
    return "mean of the others" if code == OTHERS else house_style.language_name(code)


def _columns() -> list[str]:
    return [f"{scale}{end}" for scale in SCALES for end in ("", " low", " high")]


def _variance(value: float, n: float, items: Contributions | None) -> float:
    """The variance of a score by its items; without them that of a share of right answers."""
    if items is not None and len(items.values) > 1:
        return float(items.values.var(ddof=1) / len(items.values))
    return value * (1 - value) / max(n, 1)


def _paired_variance(
    items: Contributions | None, before: Contributions | float | None, variance: float, variance_before: float
) -> float:
    """The variance of a difference of scores: by pairs where both are of the same items, else as of different ones."""
    if not isinstance(items, Contributions) or not isinstance(before, Contributions):
        return variance + variance_before  # NaN where there is no run before
    if len(items.values) > 1 and np.array_equal(items.names, before.names):
        return float((items.values - before.values).var(ddof=1) / len(items.values))
    return variance + variance_before


def _means_over_others(table: pd.DataFrame) -> pd.DataFrame:
    """The mean over the languages besides English of the runs that have all of the task's languages."""
    others = table[table["language"] != "en"]
    wanted = others.groupby("task")["language"].nunique()
    run = [*PLACE, "task", "cell"]
    sums = {"n": "sum", "counts": "all", "language": "nunique"} | dict.fromkeys(SCALES, "mean")
    means = others.groupby(run, as_index=False).agg(sums)
    is_whole = (means["language"] == means["task"].map(wanted)).to_numpy()
    return means[is_whole].assign(language=OTHERS)
