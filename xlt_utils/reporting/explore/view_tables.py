"""The rows that each view of the explorer draws, and the words in its title. The tidy frame and a choice go in; a table
a view comes out, by the names that views.py gives them."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from xlt_utils.analysis.effective_robustness import EDGE
from xlt_utils.formatting import short_size
from xlt_utils.reporting.explore import choice as choices
from xlt_utils.reporting.explore import curves
from xlt_utils.reporting.explore.choice import Choice
from xlt_utils.reporting.explore.frame import ABOVE, GAIN, OTHERS, RAW, OpenStudy, language_name

CURVE_POINTS = 30  # of the curve through the runs at I = 0


def view_tables(frame: pd.DataFrame, choice: Choice, studies: Iterable[OpenStudy]) -> dict[str, pd.DataFrame]:
    """The rows of each view, with what its axes and tooltips name: `rung`, `square`, `name`, `P` and `I`."""
    studies = list(studies)
    rows = choices.chosen_rows(frame, choice)
    both = choices.english_and_others(rows)
    tables = {
        "surface": rows[rows["language"] == choice.language],
        "examples": choices.over_examples(rows, choice),
        "tokens": choices.over_tokens(rows, choice),
        "languages": choices.at_rungs(rows, choice),
        "English": both,
        "baseline": baseline_curve(both, choice.scale),
        "curves": curves.learning_curves(studies, rows, choice),
        "costs": curves.hours_by_phase(studies),
    }
    return {name: _named(table, "I" if name == "examples" else "P") for name, table in tables.items()}


def words(choice: Choice) -> dict[str, str]:
    """What titles and axes say of a choice."""
    is_gain = choice.scale == GAIN
    return {
        "target": choice.target,
        "language": language_name(choice.language),
        "P": short_size(choice.tokens),
        "I": short_size(choice.examples),
        "scale": choice.scale,
    } | words_of_scale(is_gain)


def words_of_scale(is_gain: bool) -> dict[str, str]:
    """What titles say of scores, or of gains."""
    return {
        "what": "Gains" if is_gain else "Scores",
        "beside": "" if is_gain else ", and at I = 0",
        "dashed": "" if is_gain else "; dashed: predicted from I = 0",
    }


def axis_orders(frame: pd.DataFrame) -> dict[str, list[str]]:
    """The order of what stands along an axis: sizes, squares of the surface (the largest I of each arm above, I = 0
    below all), and languages, their mean and English first."""
    sizes = sorted(set(frame["tokens"]) | set(frame["examples"]))
    places = frame[["condition", "examples", "arm"]].drop_duplicates()
    places = places.assign(before=places["arm"] == "", less=-places["examples"])
    places = places.sort_values(["before", "condition", "less"])
    squares = [square(*place) for place in zip(places["condition"], places["examples"], strict=True)]
    codes = sorted(set(frame["language"]), key=lambda code: (code != OTHERS, code != "en", language_name(code)))
    return {
        "rung": [short_size(int(size)) for size in sizes],
        "square": squares,
        "name": [language_name(code) for code in codes],
    }


def square(condition: str, examples: int) -> str:
    """What a row of the surface is called."""
    return f"{condition}, {short_size(int(examples))}" if examples else condition


def baseline_curve(both: pd.DataFrame, scale: str) -> pd.DataFrame:
    """Points of the curve that the runs at I = 0 give in each study: a line in logits through the means over seeds of
    the rungs of P, as in Taori et al. 2020 (arXiv 2007.00644). None with fewer than three rungs, where English does
    not differ there, or on a scale that has no share of right answers."""
    curves = [pd.DataFrame(columns=["study", "english", "others"])]
    for study, part in both[both["examples"] == 0].groupby("study") if scale in (RAW, ABOVE) else ():
        means = part.groupby("tokens")[["english", "others"]].mean().clip(EDGE, 1 - EDGE)
        if len(means) < 3 or np.ptp(means["english"]) < EDGE:
            continue
        logits = np.log(means / (1 - means))
        slope, start = np.polyfit(logits["english"], logits["others"], 1)
        of_study = both.loc[both["study"] == study, "english"].clip(EDGE, 1 - EDGE)
        english = np.linspace(of_study.min(), of_study.max(), CURVE_POINTS)
        others = 1 / (1 + np.exp(-(start + slope * np.log(english / (1 - english)))))
        curves.append(pd.DataFrame({"study": study, "english": english, "others": others}))
    return pd.concat([part for part in curves if len(part)] or curves, ignore_index=True)


def _named(table: pd.DataFrame, axis: str) -> pd.DataFrame:
    """A table with its sizes, languages and squares in words; `axis` is the size that `rung` names."""
    table = table.copy()
    for letter, size in (("P", "tokens"), ("I", "examples")):
        if size in table:
            table[letter] = [short_size(int(value)) for value in table[size]]
    if axis in table:
        table["rung"] = table[axis]
    if "language" in table:
        table["name"] = table["language"].map(language_name)
        pairs = table[["condition", "examples"]].itertuples(index=False)
        table["square"] = [square(condition, examples) for condition, examples in pairs]
    return table
