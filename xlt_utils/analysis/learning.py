"""What was learnt in English, the language of training: a target that was not learnt there has nothing to transfer, and
an arm that learnt nothing of its own tasks has nothing to add. The tidy table of `results_table` goes in; a `Learning`
comes out: the English scores of targets and arms by seed, whether they show that something was learnt, and which
target scores count."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from xlt_utils.analysis.intervals import Interval, t_factor, t_interval
from xlt_utils.analysis.transfer_scores import PLACE, without_intermediate, zero_points
from xlt_utils.data.tasks import TASKS
from xlt_utils.formatting import number_text, short_size

LEARNT = 0.2  # a fifth of the way from the zero point to the ceiling: the low end of the English score's 95 % CI
TARGET_NOT_LEARNT, TASK_NOT_LEARNT = "target not learnt", "task not learnt"


@dataclass(frozen=True)
class Learning:
    """What English development data say was learnt. Where a target has no development score, as its labels are
    withheld, its English test is taken.

    Attributes:
        targets: A row a trained target and P, without intermediate training: `source` (development or test), `metric`,
            `zero` and `values` (seed: score) on the metric's own scale, `english`, the interval of the mean over seeds
            on the scale from the zero point 0 to the ceiling 1, and whether the target is `learnt`.
        arms: The same for each arm, one of its own tasks, P and I, and whether the arm `is_control`.
        failed_runs: PLACE, task and score of the single runs that failed to learn a target that counts where they are.
        ungated: Trained targets without any English score: nothing says whether they were learnt, and they count.
        condition: The words for "without intermediate training"; other ones where every run had some.
    """

    targets: pd.DataFrame
    arms: pd.DataFrame
    failed_runs: pd.DataFrame
    ungated: list[str]
    condition: str

    @property
    def unlearnt_targets(self) -> list[str]:
        """The targets that count nowhere: not learnt at the largest P."""
        last = self.targets[self.targets["tokens"] == self.targets["tokens"].max()]
        return sorted(last.loc[~last["learnt"].astype(bool), "task"])

    @property
    def unlearnt_rungs(self) -> dict[str, list[int]]:
        """The rungs of P at which a target does not count, of targets that count at others."""
        rows = self.targets[~self.targets["learnt"].astype(bool) & ~self.targets["task"].isin(self.unlearnt_targets)]
        return {str(task): sorted(part["tokens"].astype(int)) for task, part in rows.groupby("task")}

    @property
    def arms_at_largest(self) -> pd.DataFrame:
        """The rows of `arms` that decide: no controls, at each P the largest I."""
        rows = self.arms[~self.arms["is_control"].astype(bool)]
        return rows[rows["examples"] == rows.groupby(["arm", "tokens"])["examples"].transform("max")]

    @property
    def arm_rungs(self) -> pd.Series:
        """Whether an arm counts, by (arm, P): at least one of its tasks is learnt at the largest I there."""
        return self.arms_at_largest.groupby(["arm", "tokens"])["learnt"].any()

    def mark(self, scores: pd.DataFrame) -> pd.DataFrame:
        """The scores of `normalised_scores` with `counts`, whether a score enters means, tests and laws, and `failed`,
        whether its run failed to learn the target.

        A target that is not learnt at the largest P counts nowhere, else it counts at the rungs of P where it is
        learnt; after an arm, where the arm counts too. Retrieval, controls and arms without scores on tasks of their
        own always count.
        """
        targets = self.targets.set_index(["task", "tokens"])["learnt"].to_dict()
        arms = self.arm_rungs.to_dict()
        unlearnt = set(self.unlearnt_targets)
        counts = [
            task not in unlearnt and targets.get((task, tokens), True) and arms.get((arm, tokens), True)
            for task, tokens, arm in scores[["task", "tokens", "arm"]].itertuples(index=False)
        ]
        failed = set(self.failed_runs[[*PLACE, "task"]].itertuples(index=False, name=None))
        is_failed = [run in failed for run in scores[[*PLACE, "task"]].itertuples(index=False, name=None)]
        return scores.assign(counts=np.array(counts, dtype=bool), failed=np.array(is_failed, dtype=bool))

    def unlearnt_note(self, target: str, arm: str) -> str:
        """The rungs of P at which a target and arm that count at others do not count, in words; "" without any."""
        learnt = self.arm_rungs
        of_arm = learnt[learnt.index.get_level_values("arm") == arm]
        rungs = {*self.unlearnt_rungs.get(target, []), *of_arm.index.get_level_values("tokens")[~of_arm.astype(bool)]}
        names = ", ".join(short_size(int(size)) for size in sorted(rungs))
        return f"not learnt at P = {names}" if names else ""

    def why_target(self, task: str) -> str:
        """The English score of a target at its largest P, in words."""
        row = self.targets[self.targets["task"] == task].sort_values("tokens").iloc[-1]
        return (
            f"in English ({row['source']} data, {self.condition}, P = {short_size(int(row['tokens']))}) the score is "
            f"{row['english'].text('')}, and learnt is a CI above {number_text(LEARNT)}"
        )

    def why_arm(self, arm: str) -> str:
        """The English score of an arm on the best of its own tasks, at its largest P and I, in words."""
        rows = self.arms_at_largest[self.arms_at_largest["arm"] == arm]
        rows = rows[rows["tokens"] == rows["tokens"].max()]
        best = rows.iloc[np.argmax([interval.mean for interval in rows["english"]])]
        own = "its own task" if len(rows) == 1 else f"the best of its {len(rows)} tasks"
        place = f"P = {short_size(int(best['tokens']))}, I = {short_size(int(best['examples']))}"
        return (
            f"on English development data of {own}, {best['task']} ({place}), the arm scores "
            f"{best['english'].text('')}, and learnt is a CI above {number_text(LEARNT)}"
        )


def judge_learning(results: pd.DataFrame, controls: Iterable[str] = ()) -> Learning:
    """What was learnt in English.

    Args:
        results: as `results_table` gives them.
        controls: arms that are no intermediate task; nothing is asked of them.
    """
    known = results[results["task"].isin(list(TASKS))]
    trained = known[(known["phase"] == "target") & known["task"].map(lambda name: TASKS[name].trains).astype(bool)]
    runs = _english_scores(trained)
    base, condition = without_intermediate(runs)
    targets = _judge(base, ["task", "tokens"])
    own_tasks = _english_scores(known[known["phase"] == "intermediate"], tests=False)
    arms = _judge(own_tasks, ["arm", "task", "tokens", "examples"])
    arms = arms.assign(is_control=arms["arm"].isin(list(controls)))
    ungated = sorted(set(trained["task"]) - set(runs["task"]))
    learning = Learning(targets, arms, runs[:0], ungated, condition)
    is_failed = learning.mark(runs)["counts"] & (runs["score"] <= LEARNT)
    return replace(learning, failed_runs=runs.loc[is_failed, [*PLACE, "task", "score"]].reset_index(drop=True))


def _english_scores(rows: pd.DataFrame, tests: bool = True) -> pd.DataFrame:
    """The main English scores on development data, a row a run and task; with `tests`, those of the English test of
    tasks that have none. `variance` is that of the normalised score by its items."""
    english = rows[(rows["language"] == "en") & (rows["perturbation"] == "")]
    metric = "development " + english["task"].map({name: task.metric for name, task in TASKS.items()})
    chosen = english[english["metric"] == metric].assign(source="development")
    if tests:
        others = english[english["main"].astype(bool) & ~english["task"].isin(set(chosen["task"]))]
        chosen = pd.concat([chosen, others.assign(source="test")])
    scale = 1 - zero_points(chosen)
    value = chosen["value"].astype(float)
    chosen = chosen.assign(zero=zero_points(chosen), score=(value - zero_points(chosen)) / scale)
    chosen["variance"] = value * (1 - value) / chosen["n"].clip(lower=1) / scale**2
    chosen["arm"] = chosen["arm"].where(chosen["arm"].notna(), "")
    whole = dict.fromkeys(["seed", "tokens", "examples"], int)
    columns = [*PLACE, "task", "source", "metric", "value", "zero", "score", "variance"]
    return chosen[columns].astype(whole).reset_index(drop=True)


def _judge(scores: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """A row for each value of the keys: what `Learning` says of its tables."""
    rows = []
    for key, part in scores.groupby(keys):
        # replicates of one seed are no seeds of their own
        by_seed = part.groupby("seed")[["value", "zero", "score", "variance"]].mean()
        english = _interval(by_seed["score"], by_seed["variance"])
        first = part.iloc[0]
        words = [first["source"], first["metric"].removeprefix("development ")]
        zero, values = by_seed["zero"].mean(), by_seed["value"].to_dict()
        rows.append([*key, *words, zero, values, english, english.low > LEARNT])
    return pd.DataFrame(rows, columns=[*keys, "source", "metric", "zero", "values", "english", "learnt"])


def _interval(scores: pd.Series, variances: pd.Series) -> Interval:
    """Student's t over seeds, held up by the noise of the items, which is all there is of one seed: seeds that happen
    to agree on a hundred items do not make a score more certain than the items do."""
    over_seeds = t_interval(scores)
    noise = t_factor(np.inf) * np.sqrt(variances.sum()) / len(scores)
    margin = float(np.fmax(over_seeds.high - over_seeds.mean, noise))
    return Interval(over_seeds.mean, over_seeds.mean - margin, over_seeds.mean + margin, over_seeds.n)
