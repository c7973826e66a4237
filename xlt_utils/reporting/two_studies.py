"""Two studies side by side on what both have: the same phase, arm, target, language, P and I. Their findings go in;
counts of what is common, a tidy table of scores and gains, and both in words come out. Seeds are each study's own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import isfinite, nan
from typing import Any

import pandas as pd

from xlt_utils.analysis.arms import Arm
from xlt_utils.analysis.bootstrap import CELL, build_grid_sample, contrast_interval
from xlt_utils.analysis.gains import gain_table, paired_gains
from xlt_utils.analysis.intervals import Interval, difference_interval, t_interval
from xlt_utils.analysis.movements import bare_cell
from xlt_utils.analysis.transfer_scores import zero_shot
from xlt_utils.data.tasks import TASKS
from xlt_utils.errors import Fault
from xlt_utils.formatting import aligned, count_of, join_words, number_text, short_size
from xlt_utils.reporting.findings import RUN_PHASES, Findings

SIDES = ("a", "b")
TEST = ["task", "language"]
OTHERS = "others"  # the mean over the languages besides English, as if it were a language
SCORE, GAIN = "score at I = 0", "gain over I = 0"
SCRATCH = "scratch"
WHAT_A_CELL_IS = {"pretrain": "P", "intermediate": "arm, P, I", "target": "arm, P, I"}


class NothingCommon(Fault):
    """Two studies that share no test; the message says what each has."""


@dataclass(frozen=True, eq=False)
class TwoStudies:
    """Two studies, by the `names` that tell them apart, and their findings.

    Raises:
        NothingCommon: no test of one is a test of the other.
    """

    names: tuple[str, str]
    findings: tuple[Findings, Findings]

    def __post_init__(self) -> None:
        if not self.common_tests:
            has = "; ".join(
                f"{name} has {join_words(study.tasks)} in {join_words(study.languages)}"
                for name, study in zip(self.names, self.findings, strict=True)
            )
            raise NothingCommon(f"no target is tested in the same language, arm, P and I in both studies: {has}")

    @cached_property
    def other_arms(self) -> dict[str, str]:
        """The arms that have one name and were trained on different things, with the words for it: they are not the
        same arm. Another learning rate alone makes no other arm."""
        a, b = (study.arm_specs for study in self.findings)
        arms = {
            name: (replace(a[name], learning_rate=None), replace(b[name], learning_rate=None)) for name in a & b.keys()
        }
        return {
            name: f"{_spec_text(first, second)} and {_spec_text(second, first)}"
            for name, (first, second) in arms.items()
            if first != second
        }

    @cached_property
    def common_tests(self) -> set[tuple]:
        """The (task, language, arm, P, I) that both studies have a score of."""
        tests = [set(map(tuple, study.scores[[*TEST, *CELL]].to_numpy())) for study in self.findings]
        return {test for test in tests[0] & tests[1] if test[2] not in self.other_arms}

    @cached_property
    def counts(self) -> pd.DataFrame:
        """How many cells of each phase, and how many tests, are common or one study's alone: `what`, `common`, `a`,
        `b`."""
        rows = []
        for phase in RUN_PHASES:
            cells = [self._cells(study, phase) for study in self.findings]
            rows.append([f"{phase} cells ({WHAT_A_CELL_IS[phase]})", *self._counts(cells)])
        tests = [set(map(tuple, study.scores[[*TEST, *CELL]].to_numpy())) for study in self.findings]
        rows.append(["tests (target, language, arm, P, I)", *self._counts(tests, arm=2)])
        return pd.DataFrame(rows, columns=["what", "common", *SIDES])

    def _cells(self, study: Findings, phase: str) -> set[tuple]:
        places = [run.coordinates for run in study.records.values() if run.phase == phase and run.coordinates]
        return {(place.arm or "", place.tokens, place.examples) for place in places}

    def _counts(self, sets: Sequence[set[tuple]], arm: int = 0) -> list[int]:
        common = sum(cell[arm] not in self.other_arms for cell in sets[0] & sets[1])
        return [common, len(sets[0]) - common, len(sets[1]) - common]

    def only_in(self, side: int) -> dict[str, list[str]]:
        """What one study alone has, by kind: targets, languages, arms, P, I."""
        own, other = (_kinds(self.findings[number]) for number in (side, 1 - side))
        return {kind: [name for name in names if name not in other[kind]] for kind, names in own.items()}

    @cached_property
    def common_scores(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """The scores of each study's common tests that count in both: an arm or target that one study did not learn in
        English says nothing there."""
        counting = [self._of_common_tests(study.counting_scores) for study in self.findings]
        places = [set(map(tuple, scores[["task", *CELL]].to_numpy())) for scores in counting]
        both = places[0] & places[1]
        first, second = (
            scores[[place in both for place in scores[["task", *CELL]].itertuples(index=False, name=None)]]
            for scores in counting
        )
        return first, second

    def _of_common_tests(self, scores: pd.DataFrame) -> pd.DataFrame:
        tests = scores[[*TEST, *CELL]].itertuples(index=False, name=None)
        return scores[[test in self.common_tests for test in tests]]

    @cached_property
    def not_learnt(self) -> list[list[str]]:
        """The targets of common tests that were not learnt in English, of each study."""
        shared = {test[0] for test in self.common_tests}
        return [[task for task in study.learning.unlearnt_targets if task in shared] for study in self.findings]

    @cached_property
    def same_items(self) -> tuple[int, int]:
        """Of how many pairs of a target and a language, among those that can be told, both studies tested the same
        items."""
        tables = [self._items(scores) for scores in self.common_scores]
        pairs = tables[0].keys() & tables[1].keys()
        return sum(tables[0][pair] == tables[1][pair] for pair in pairs), len(pairs)

    def _items(self, scores: pd.DataFrame) -> dict[tuple[str, str], set[bytes]]:
        """The items of each (task, language): those of each seed, which may differ."""
        items: dict[tuple[str, str], set[bytes]] = {}
        for task, language, of_run in scores[[*TEST, "items"]].itertuples(index=False, name=None):
            if of_run is not None:
                items.setdefault((task, language), set()).add(of_run.names.tobytes())
        return items

    @cached_property
    def numbers(self) -> pd.DataFrame:
        """A row a target, language, arm, P and I: the value in both studies (`value a`, `low a`, `high a`, `n a`; the
        same of b) and how far b's lies above a's (`difference`, `low`, `high`). The value is what `measure` says: at
        I = 0 the SCORE above the zero point, else the GAIN over I = 0.

        The mean over the languages besides English, OTHERS, comes first, with the intervals of the page: over seeds,
        languages and items. Those of a single language are Student's, over seeds; differences have Welch's, over the
        seeds of both, on these languages and items.
        """
        by_seed = [_seed_values(scores) for scores in self.common_scores]
        means = [_mean_intervals(scores) for scores in self.common_scores]
        rows = []
        for place in sorted(by_seed[0].keys() & by_seed[1].keys(), key=_reading_order):
            values = [of_study[place] for of_study in by_seed]
            sides = [t_interval(of_seeds) for of_seeds in values]
            if place[1] == OTHERS:
                sides = [mean[(place[0], *place[2:])] for mean in means]
            difference = difference_interval(*values)
            if not all(isfinite(side.low) for side in sides):  # one seed, or runs that failed to learn
                difference = replace(difference, low=nan, high=nan)
            numbers = [number for side in sides for number in (side.mean, side.low, side.high, side.n)]
            measure = GAIN if place[4] else SCORE
            rows.append([measure, *place, *numbers, difference.mean, difference.low, difference.high])
        of_sides = [f"{name} {side}" for side in SIDES for name in ("value", "low", "high", "n")]
        columns = ["measure", "target", "language", *CELL, *of_sides, "difference", "low", "high"]
        return pd.DataFrame(rows, columns=columns)

    def means(self, measure: str) -> pd.DataFrame:
        """The rows of `numbers` of one measure that are means over the languages besides English."""
        return self.numbers[(self.numbers["language"] == OTHERS) & (self.numbers["measure"] == measure)]

    def text(self, places: Sequence[str] = ("", "")) -> str:
        """Both studies in words: what each is, what is common, the scores at I = 0, and the gains."""
        lines = [
            f"{letter}  {name}: {_describe(study)}" + (f" ({place})" if place else "")
            for letter, name, study, place in zip("AB", self.names, self.findings, places, strict=True)
        ]
        head = ["", "common", "only A", "only B"]
        counts = [[row[0], *map(str, row[1:])] for row in self.counts.itertuples(index=False)]
        lines += ["", *aligned([head, *counts])]
        for side, letter in enumerate("AB"):
            kinds = [f"{kind} {join_words(names)}" for kind, names in self.only_in(side).items() if names]
            lines += [f"only in {letter}: {'; '.join(kinds)}"] if kinds else []
        lines += [f"not the same arm: {name}, trained on {words}" for name, words in self.other_arms.items()]
        for letter, tasks in zip("AB", self.not_learnt, strict=True):
            lines += [f"not learnt in English in {letter}, so not compared: {join_words(tasks)}"] if tasks else []
        same, pairs = self.same_items
        if pairs:
            lines.append(f"the same test items in {same} of {count_of(pairs, 'pair')} of a target and a language")
        return "\n".join([*lines, *self._table_lines(SCORE), *self._table_lines(GAIN)])

    def _table_lines(self, measure: str) -> list[str]:
        rows = self.means(measure)
        if rows.empty:
            return ["", f"No {measure} is common to both studies in a target and an arm that both learnt."]
        head = ["target", "arm", "P", "I", "A", "B", "B − A"]
        table = [
            [row["target"], row["arm"] or "–", short_size(row["tokens"]), short_size(row["examples"])]
            + [_interval_text(row, side) for side in ("a", "b", "")]
            for row in rows.to_dict("records")
        ]
        title = f"Zero-shot {measure}, mean over the common languages besides English, with 95 % CI:"
        return ["", title, *aligned([head, *table]), difference_sentence(rows)]


def difference_sentence(rows: pd.DataFrame) -> str:
    """How many of the numbers differ between the studies."""
    tested = rows[rows["low"].notna()]
    if tested.empty:
        return "None has two seeds that learnt the target in both studies, so no difference is tested."
    differ = tested[(tested["low"] > 0) | (tested["high"] < 0)]
    more = int((differ["difference"] > 0).sum())
    signs = f" ({more} higher in B, {len(differ) - more} in A)" if len(differ) else ""
    noun = "gain" if (rows["measure"] == GAIN).all() else "score"
    return f"{len(differ)} of {count_of(len(tested), noun)} differ{signs}: the 95 % CI of B − A excludes 0."


def _interval_text(row: Mapping[str, Any], side: str) -> str:
    """The value of a side, or with "" the difference, with its CI; a single seed has none."""
    names = (f"value {side}", f"low {side}", f"high {side}") if side else ("difference", "low", "high")
    value, low, high = (row[name] for name in names)
    sign = "" if side and row["measure"] == SCORE else "+"
    return number_text(value, sign) + (
        f" ({number_text(low, sign)} to {number_text(high, sign)})" if isfinite(low) else ""
    )


def _seed_values(scores: pd.DataFrame) -> dict[tuple, list[float]]:
    """What each seed says of a (target, language, arm, P, I): its score at I = 0, else its gain over it."""
    run = ["seed", "tokens", *TEST]
    before = scores.loc[scores["examples"] == 0, [*run, "score"]]
    after = scores[scores["examples"] > 0].merge(before, on=run, suffixes=("", " before"))
    after = after.assign(score=after["score"] - after["score before"])
    values = pd.concat([scores[scores["examples"] == 0], after])[["task", "language", *CELL, "score"]]
    runs = zero_shot(scores)
    means = [
        runs.loc[runs["examples"] == 0, ["target", *CELL, "zero_shot"]].set_axis(["task", *CELL, "score"], axis=1),
        paired_gains(runs)[["target", *CELL, "gain"]].set_axis(["task", *CELL, "score"], axis=1),
    ]
    values = pd.concat([values, *(mean.assign(language=OTHERS) for mean in means)]).dropna(subset="score")
    values = values[values["task"].isin(list(TASKS))]  # no mean over several
    return {place: list(part) for place, part in values.groupby(["task", "language", *CELL])["score"]}


def _mean_intervals(scores: pd.DataFrame) -> dict[tuple, Interval]:
    """The means over the languages besides English of a (target, arm, P, I): the score at I = 0, else the gain."""
    intervals: dict[tuple, Interval] = {}
    for task in sorted(set(scores.loc[scores["language"] != "en", "task"])):
        sample = build_grid_sample(scores, task)
        for row in gain_table({task: sample}).itertuples():
            intervals[(task, row.arm, row.tokens, row.examples)] = Interval(row.gain, row.low, row.high, row.n)
        for tokens in sample.cells.loc[sample.cells["examples"] == 0, "tokens"]:
            intervals[(task, "", tokens, 0)] = contrast_interval(sample, bare_cell(sample, tokens))
    return intervals


def _reading_order(place: tuple) -> tuple:
    target, language, arm, tokens, examples = place
    return [*TASKS].index(target), arm, tokens, examples, language != OTHERS, language != "en", language


def _kinds(study: Findings) -> dict[str, list[str]]:
    scores = study.scores
    rungs = {name: sorted(set(scores[column])) for name, column in (("P", "tokens"), ("I", "examples"))}
    return {
        "targets": study.tasks,
        "languages": sorted(set(scores["language"])),
        "arms": sorted(set(scores["arm"]) - {""}),
        **{name: [short_size(rung) for rung in sizes] for name, sizes in rungs.items()},
    }


def _describe(study: Findings) -> str:
    first = next(run.parameters for run in study.records.values() if run.phase == "target")
    starts = {run.parameters.get("start") or SCRATCH for run in study.records.values() if run.phase == "pretrain"}
    named = join_words(sorted(starts - {SCRATCH}))
    encoder = f"encoders from {named}" if named else "encoders from scratch"
    return f"{count_of(len(study.seeds), 'seed')}, data {first.get('data', '–')}, {encoder}"


def _spec_text(arm: Arm, other: Arm) -> str:
    """What an arm was trained on, as far as it differs from another."""
    return arm.kind if arm.kind != other.kind else f"{arm.kind}, {arm.sampling or 'no sampling'}"
