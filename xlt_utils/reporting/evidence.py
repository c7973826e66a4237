"""What the parent study's claims are tested on: gains over I = 0 on the raw scale at the largest P, each arm at its own
largest I, and contrasts of them. The findings go in; intervals and the words for them come out. Only targets and arms
that were learnt in English count, and pairs of a target and an arm that share training data are kept apart."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from xlt_utils.analysis import bootstrap, transfer_scores
from xlt_utils.analysis.arms import Arm
from xlt_utils.analysis.intervals import NO_INTERVAL, Interval
from xlt_utils.data.tasks import TASKS
from xlt_utils.formatting import join_words, short_size
from xlt_utils.reporting.findings import Findings

Pair = tuple[str, str]  # a target and an arm
Weights = np.ndarray  # of the gains of all pairs in a contrast: (pairs,), or (seeds, pairs) where seeds differ
# The weights without (False) or with (True) pairs that share training data; None where no pair is left
Contrast = Callable[[bool], Weights | None]

XTREME = ("xnli", "pawsx", "udpos", "panx", "xquad", "mlqa", "tydiqa", "bucc2018", "tatoeba")
# The gains that the parent study reports over XTREME's nine targets, in points
PARENT_POINTS = {"squad": 8.2, "mnli": 7.5, "hellaswag": 7.0, "all nine": 8.7, "the best": 5.4}


class Evidence:
    """The gains that count, and contrasts of them.

    Attributes:
        records: Of the study, for the facts of its design.
        pairs: All pairs of a target and an arm.
        gains: Of the pairs (seeds, pairs): the zero-shot score after the arm minus that without intermediate training,
            on the raw scale (a share); NaN where a run is missing.
        largest: Each arm's largest I at the largest P.
        trained, retrieval: The targets that have scores, learnt or not.
        xtreme: Those of XTREME's nine targets that have scores and were learnt.
        english: The arms of English tasks with their own labels, without masked LM.
        single: The task of each English arm that has one.
    """

    def __init__(self, findings: Findings):
        self._findings = findings
        self.records = list(findings.records.values())
        self.arms: dict[str, Arm] = findings.arm_specs
        self.seeds = findings.seeds
        self.english = [name for name, arm in self.arms.items() if arm.is_english]
        self.single = {name: self.arms[name].tasks[0] for name in self.english if len(self.arms[name].tasks) == 1}
        scores = findings.scores
        self.tokens = int(scores.loc[scores["examples"] > 0, "tokens"].max()) if (scores["examples"] > 0).any() else 0
        place = ["tokens", "arm", "examples"]
        places = pd.concat([scores[place], pd.DataFrame(findings.missing_coordinates, columns=place)])
        self.largest: dict[str, int] = (
            places[places["tokens"] == self.tokens].groupby("arm")["examples"].max().to_dict()
        )
        targets = sorted(set(scores["task"]))
        self.trained = [target for target in targets if TASKS[target].trains]
        self.retrieval = [target for target in targets if not TASKS[target].trains]
        self.pairs: list[Pair] = [(target, arm) for target in targets for arm in self.arms]
        self.gains = self._gains(scores)
        rows = scores[(scores["tokens"] == self.tokens) & scores["counts"] & (scores["language"] != "en")]
        self._runs = None if rows.empty else bootstrap.gather_runs(rows, "value")
        # (target, arm, I) at the largest P that were not learnt in English, the target itself under the arm ""
        lost = scores[~scores["counts"].astype(bool) & (scores["tokens"] == self.tokens)]
        self._not_learnt = set(zip(lost["task"], lost["arm"], lost["examples"], strict=True))
        self.xtreme = [target for target in XTREME if target in targets and self.is_learnt(target)]

    def _gains(self, scores: pd.DataFrame) -> np.ndarray:
        runs = transfer_scores.zero_shot(scores.assign(score=scores["value"]))
        runs = runs[runs["tokens"] == self.tokens]
        table = runs.pivot(index="seed", columns=["target", "arm", "examples"], values="zero_shot")
        table = table.reindex(self.seeds)
        run = {place: table[place].to_numpy(dtype=float) for place in table}
        none = np.full(len(self.seeds), np.nan)
        gains = [
            run.get((target, arm, self.largest.get(arm)), none) - run.get((target, "", 0), none)
            for target, arm in self.pairs
        ]
        return np.array(gains).reshape(len(self.pairs), len(self.seeds)).T

    def is_learnt(self, target: str) -> bool:
        """Whether a target was learnt without intermediate training."""
        return (target, "", 0) not in self._not_learnt

    def unlearnt(self, targets: Iterable[str], arms: Iterable[str]) -> list[str]:
        """Which of some targets and arms were not learnt, in words. An arm was not where it counts for no target."""
        lost_targets = [target for target in targets if not self.is_learnt(target)]
        is_any_learnt = any(self.is_learnt(target) for target, _ in self.pairs)
        lost_arms = [arm for arm in arms if is_any_learnt and not self._counts(arm)]
        names = {"target": lost_targets, "task": lost_arms}
        return [f"{what} not learnt: {join_words(lost)}" for what, lost in names.items() if lost]

    def counting(self, targets: Iterable[str], arms: Iterable[str], with_shared: bool) -> list[Pair]:
        """The pairs of some targets and arms that were learnt; those that share training data only if asked for."""
        arms = list(arms)
        return [
            (target, arm)
            for target in targets
            for arm in arms
            if (target, arm) in self.pairs
            and self.is_learnt(target)
            and (target, arm, self.largest.get(arm)) not in self._not_learnt
            and (with_shared or not self._findings.shares_data(target, arm))
        ]

    def _counts(self, arm: str) -> bool:
        return bool(self.counting([*self.trained, *self.retrieval], [arm], with_shared=True))

    def mean(self, pairs: Sequence[Pair]) -> Weights:
        """The weights of the mean gain over some pairs."""
        return np.array([pairs.count(pair) / len(pairs) for pair in self.pairs])

    def best_by_other_seeds(self, candidates: Sequence[Weights]) -> Weights:
        """In each seed the weights of the candidate that is best in the mean of the other seeds (seeds, pairs): what
        chooses is not what is reported. NaN for a seed that lacks a run of a candidate, or has no other seed."""
        values = np.stack([self._by_seed(candidate) for candidate in candidates], axis=1)
        is_whole = np.isfinite(values).all(axis=1)
        chosen = np.full((len(values), len(self.pairs)), np.nan)
        for seed in np.flatnonzero(is_whole) if is_whole.sum() > 1 else ():
            others = is_whole & (np.arange(len(values)) != seed)
            chosen[seed] = candidates[values[others].mean(axis=0).argmax()]
        return chosen

    def _by_seed(self, weights: Weights) -> np.ndarray:
        """A contrast's value in each seed (seeds,); NaN where one of its runs is missing in the seed."""
        weights = np.broadcast_to(weights, self.gains.shape)
        is_used = (weights != 0).any(axis=0)
        return (self.gains[:, is_used] * weights[:, is_used]).sum(axis=1)

    def interval(self, weights: Weights | None) -> Interval:
        """The 95 % CI of a contrast of pairs on the raw scale: every interval of the claims is made here.

        Args:
            weights: Of the pairs' gains; None where no pair is left.
        """
        if weights is None or self._runs is None:
            return NO_INTERVAL
        weights = np.broadcast_to(weights, self.gains.shape)[[self.seeds.index(seed) for seed in self._runs.seeds]]
        cells = [tuple(cell) for cell in self._runs.cells[["arm", "examples"]].itertuples(index=False)]
        by_task: dict[str, np.ndarray] = {}
        for number in np.flatnonzero((weights != 0).any(axis=0)):
            target, arm = self.pairs[number]
            places = (arm, self.largest.get(arm)), ("", 0)
            if not set(places) <= set(cells):
                return NO_INTERVAL
            of_cells = by_task.setdefault(target, np.zeros((len(weights), len(cells))))
            for place, sign in zip(places, (1, -1), strict=True):
                of_cells[:, cells.index(place)] += sign * weights[:, number]
        return self._runs.contrast(by_task)

    def compare(self, contrast: Contrast) -> tuple[Interval, str]:
        """The interval of the pairs that share no training data, which decides; and the figure of both."""
        apart, included = contrast(False), contrast(True)
        interval = self.interval(apart)
        figures = [self.text(interval)] if interval.n else []
        if included is not None and (apart is None or not np.array_equal(apart, included, equal_nan=True)):
            figures.append(f"with pairs that share training data: {self.text(self.interval(included))}")
        return interval, "; ".join(figures) or "–"

    def why_none(self, contrast: Contrast, lacking: str = "") -> str:
        """Why the deciding interval of a contrast is not there; `lacking` is what the grid lacks, a whole seed."""
        if contrast(False) is not None:
            return f"the grid lacks {lacking or 'a seed with all of these runs'} {self.place}"
        return "" if contrast(True) is None else "too few pairs of a target and an arm share no training data"

    def xtreme_gain(self, arms: Sequence[str]) -> Weights | None:
        """The weights of the mean gain after some arms over XTREME's targets, as the parent study averages them:
        trained and retrieval targets alike, and with pairs that share training data."""
        pairs = self.counting(self.xtreme, arms, with_shared=True)
        return self.mean(pairs) if pairs else None

    def beside_parent(self, gains: dict[str, Weights | None]) -> str:
        """Such gains in words, each beside the parent's points where it has some.

        Args:
            gains: The weights by what they are the gains of.
        """
        texts = []
        for name, weights in gains.items():
            parent = f", the parent's {PARENT_POINTS[name]}" if name in PARENT_POINTS else ""
            texts.append(f"{name} {points_text(self.interval(weights))}{parent}")
        over = f"over XTREME's targets, as the parent's points are ({len(self.xtreme)} of nine here, retrieval too)"
        return f"{over}: {'; '.join(texts)}"

    @property
    def place(self) -> str:
        return f"at P = {short_size(self.tokens)} and the largest I"

    def text(self, interval: Interval) -> str:
        """An interval in points, with how many of the study's seeds are not in it."""
        missing = len(self.seeds) - interval.n
        note = f"; {missing} of {len(self.seeds)} seeds lack one of its runs" if missing and interval.n else ""
        return points_text(interval) + note

    def rungs(self, arms: Iterable[str]) -> list[str]:
        """Where some arms that count end at different I, in words."""
        arms_by_rung: dict[int, list[str]] = {}
        for arm in dict.fromkeys(arms):
            if arm in self.largest and self._counts(arm):
                arms_by_rung.setdefault(int(self.largest[arm]), []).append(arm)
        rungs = sorted(arms_by_rung, reverse=True)
        texts = [f"I = {short_size(rung)} for {join_words(arms_by_rung[rung])}" for rung in rungs]
        return [f"the largest I differ: {'; '.join(texts)}"] if len(texts) > 1 else []


def mean_of(parts: Iterable[Weights]) -> Weights | None:
    """The weights of the mean of several contrasts; None of none."""
    parts = list(parts)
    return np.mean(np.broadcast_arrays(*parts), axis=0) if parts else None


def points_text(interval: Interval) -> str:
    """An interval of shares in points, hundredths of the raw scale: +8.20 points (95 % CI …)."""
    low, mean, high = (100 * end for end in (interval.low, interval.mean, interval.high))
    return str(replace(interval, low=low, mean=mean, high=high)).replace(" (", " points (", 1)
