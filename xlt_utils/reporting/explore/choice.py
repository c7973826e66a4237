"""What a reader of the explorer has chosen, and which runs that is. The tidy frame goes in with a `Choice`; the rows
that a view draws come out."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from xlt_utils.data.tasks import TASKS
from xlt_utils.reporting.explore.frame import ABOVE, GAIN, NO_ARM, OTHERS, on_scale

ALL = "all"


@dataclass(frozen=True)
class Choice:
    """One target and one language; an arm, a seed and a study, or ALL of them; the rungs of P and of I (above 0) that
    views hold still while the other varies; and one of the scales."""

    target: str
    tokens: int
    examples: int
    arm: str = ALL
    language: str = OTHERS
    seed: str | int = ALL
    scale: str = ABOVE
    study: str = ALL


def first_choice(frame: pd.DataFrame) -> Choice:
    """What the explorer opens with: of the targets that were learnt, if any was, the one that either size raises most,
    after the largest rungs of all arms."""
    is_trained = frame["task"].map(lambda name: TASKS[name].trains)
    order = frame.assign(trained=is_trained, most=frame["task"].map(_largest_rise(frame)).fillna(-np.inf))
    order = order.sort_values(["counts", "trained", "most"], ascending=False, kind="stable")
    rows = order[order["task"] == order["task"].iloc[0]]
    after = rows[rows["examples"] > 0]
    largest = after if len(after) else rows
    largest = largest[largest["tokens"] == largest["tokens"].max()]  # of several studies, one that has both
    language = OTHERS if OTHERS in set(rows["language"]) else rows["language"].iloc[0]
    return Choice(rows["task"].iloc[0], int(largest["tokens"].max()), int(largest["examples"].max()), language=language)


def _largest_rise(frame: pd.DataFrame) -> pd.Series:
    """By target, the most by which an arm raises it, or more text without one, at any rung."""
    counting = frame[frame["counts"]]
    gains = counting[counting["examples"] > 0].groupby(["task", "condition", "tokens", "examples"])[GAIN].mean()
    by_tokens = counting[counting["examples"] == 0].groupby(["task", "study", "tokens"])[ABOVE].mean()
    rises = by_tokens - by_tokens.groupby(["task", "study"]).transform("first")  # sorted: the fewest tokens come first
    return pd.concat([part.groupby("task").max() for part in (gains, rises)]).groupby("task").max()


def options(frame: pd.DataFrame, target: str) -> dict[str, list]:
    """What can be chosen for a target: `arm`, `language`, `tokens`, `examples`, `seed` and `study`, each in order."""
    rows = frame[frame["task"] == target]
    languages = sorted(set(rows["language"]), key=lambda code: (code != OTHERS, code != "en", code))
    return {
        "arm": [ALL, *sorted(set(rows["arm"]) - {""})],
        "language": languages,
        "tokens": sorted(map(int, set(rows["tokens"]))),
        "examples": sorted(map(int, set(rows["examples"]) - {0})) or [0],
        "seed": [ALL, *sorted(map(int, set(rows["seed"])))],
        "study": [ALL, *sorted(set(rows["study"]))],
    }


def chosen_rows(frame: pd.DataFrame, choice: Choice) -> pd.DataFrame:
    """The rows of the chosen target, arm and seed, of every language and rung, those at I = 0 among them, with their
    value on the chosen scale."""
    is_chosen = frame["task"] == choice.target
    if choice.arm != ALL:
        is_chosen &= frame["arm"].isin([choice.arm, ""])
    if choice.study != ALL:
        is_chosen &= frame["study"] == choice.study
    if choice.seed != ALL:
        is_chosen &= frame["seed"] == choice.seed
    return on_scale(frame[is_chosen], choice.scale)


def over_examples(rows: pd.DataFrame, choice: Choice) -> pd.DataFrame:
    """The rows of the chosen language and P over I; those at I = 0 begin the line of every arm of their study."""
    here = rows[(rows["language"] == choice.language) & (rows["tokens"] == choice.tokens)]
    after, before = here[here["examples"] > 0], here[here["examples"] == 0]
    if after.empty:
        return before
    begins = before.drop(columns="condition").merge(after[["study", "condition"]].drop_duplicates(), on="study")
    return pd.concat([begins, after], ignore_index=True)


def over_tokens(rows: pd.DataFrame, choice: Choice) -> pd.DataFrame:
    """The rows of the chosen language over P: at the chosen I, and at I = 0."""
    return rows[(rows["language"] == choice.language) & rows["examples"].isin([0, choice.examples])]


def at_rungs(rows: pd.DataFrame, choice: Choice) -> pd.DataFrame:
    """The rows of every language at the chosen P and I."""
    return rows[(rows["tokens"] == choice.tokens) & (rows["examples"] == choice.examples)]


def english_and_others(rows: pd.DataFrame) -> pd.DataFrame:
    """A row a run: its `english` value and the mean over the `others`. Empty where the target has no English test."""
    run = ["study", "cell", "condition", "seed", "tokens", "examples", "n"]
    others = rows[rows["language"] == OTHERS][[*run, "value"]].rename(columns={"value": "others"})
    english = rows[rows["language"] == "en"][["study", "cell", "value"]].rename(columns={"value": "english"})
    return others.merge(english, on=["study", "cell"])


def condition_order(conditions: Sequence[str]) -> list[str]:
    """The conditions as the legend has them: without an arm first."""
    return sorted(set(conditions), key=lambda name: (not name.startswith(NO_ARM), name))


def chosen_runs(rows: pd.DataFrame, choice: Choice) -> list[tuple[str, str]]:
    """The study and cell of every run that the views over P and I show, the chosen rungs first."""
    is_shown = (rows["tokens"] == choice.tokens) | rows["examples"].isin([0, choice.examples])
    order = {"away": (rows["tokens"] != choice.tokens).astype(int) + (rows["examples"] != choice.examples)}
    shown = rows.assign(**order)[is_shown].sort_values(["away", "study", "condition", "seed", "tokens", "examples"])
    return list(dict.fromkeys(shown[["study", "cell"]].itertuples(index=False, name=None)))
