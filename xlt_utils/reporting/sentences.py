"""The report: what a study's run folders hold, said in sentences, tables and pictures on one page that
stands alone. `gather` reads the folders, `render` writes the page, the tidy results and the executed
notebooks as HTML; every number comes from the records."""

from collections.abc import Iterable

import numpy as np

from xlt_utils.analysis import proportionality, transfer_scores
from xlt_utils.analysis.intervals import DIRECTIONS, LEVEL, Interval, direction, t_interval
from xlt_utils.analysis.proportionality import Verdict
from xlt_utils.analysis.transfer_scores import MEANS
from xlt_utils.formatting import lower_first, number, short_size
from xlt_utils.reporting import tables as tables_module
from xlt_utils.reporting.findings import Findings
from xlt_utils.reporting.tables import beyond_controls

SLOPED = ("less than proportional", "proportional", "more than proportional")
FEW = 8  # pairs of a target and an arm that a sentence names one by one
ONE = {"rise": "rises", "fall": "falls", "do": "does", "have": "has", "were": "was"}  # a verb for one target


# What the numbers say. Every sentence is computed; where an interval includes 0 it says so.


def headline(found: Findings) -> tuple[str, str]:
    """The answer to "proportional?": a word or two, and what it rests on, target by target."""
    each = [verdict for verdict in found.counted if verdict.target not in MEANS.values()]
    by_name: dict[str, list[str]] = {}
    for verdict in each:
        by_name.setdefault(verdict.verdict, []).append(verdict.target + (f" ({verdict.arm})" if _arms(each) else ""))
    kinds = set(by_name)
    told_apart = sum(len(targets) for name, targets in by_name.items() if name in SLOPED)
    if not kinds - {"not testable"}:
        word = "Not testable on this grid"
    elif "proportional" in kinds:
        # of many slopes that are less than 1, one in twenty is expected not to look so
        few = len(by_name["proportional"]) <= (1 - LEVEL) * told_apart
        word = "Yes" if len(kinds) == 1 else "No" if few else "Only in part"
    elif kinds & {"less than proportional", "more than proportional"}:
        word = "No"
    elif "undecided" in kinds:
        word = "Not settled by this study"
    else:
        word = "No: there is no gain that could be"
    told = "; ".join(f"{name}: {_pairs(targets, len(each))}" for name, targets in by_name.items())
    return word, told[:1].upper() + told[1:] or "No arm of intermediate tasks has a run without beside it"


def _pairs(targets: list[str], of: int) -> str:
    """Targets by name, or how many where naming them all would fill the screen."""
    if of <= FEW:
        return ", ".join(targets)
    named = f" ({', '.join(targets)})" if len(targets) < 4 else ""
    return f"{'all' if len(targets) == of else f'{len(targets)} of'} {of} pairs of a target and an arm{named}"


def _arms(verdicts: Iterable[Verdict]) -> bool:
    return len({verdict.arm for verdict in verdicts}) > 1


def sentences(found: Findings) -> dict[str, str]:
    """The study in five sentences, by what they are about."""
    said = {"pretraining": _pretraining, "distance": _distance, "intermediate": _intermediate}
    said |= {"proportional": _proportional, "gap": _gap}
    return {name: say(found) for name, say in said.items()}


def _ends(found: Findings) -> tuple[int, int]:
    rungs = sorted(found.zero_shot["tokens"].unique())
    return (int(rungs[0]), int(rungs[-1])) if rungs else (0, 0)


def _pretraining(found: Findings) -> str:
    first, last = _ends(found)
    if first == last:
        return f"There is one rung of pretraining ({short_size(first)} tokens), so nothing can be said of what growing it buys."
    moves = {target: transfer_scores.movement(found.zero_shot, target) for target in found.targets}
    whole = transfer_scores.movement(found.zero_shot, found.focus)
    if not any(interval.n for interval in [whole, *moves.values()]):
        ends = f"{short_size(first)} and {short_size(last)} pretraining tokens"
        return f"No seed has scores at both {ends} without intermediate training, so no movement is given."
    grouped = _by_direction(moves, found)
    return (
        f"From {short_size(first)} to {short_size(last)} pretraining tokens, without intermediate training, the zero-shot score "
        f"({found.focus}) moves by {whole}; {grouped}."
    )


def _by_direction(moves: dict[str, Interval], found: Findings) -> str:
    """Targets grouped by how surely they moved, each with its movement, the surest first."""
    groups: dict[str, list[str]] = {}
    for target, interval in sorted(moves.items(), key=lambda pair: -np.nan_to_num(pair[1].mean)):
        noise = transfer_scores.seed_noise(found.zero_shot, target)
        moved = f"{target} {number(interval.mean, '+')}{_fewer(interval.n, found)}" if interval.n else target
        groups.setdefault(direction(interval, noise), []).append(moved)
    said = []
    for name in (name for name in DIRECTIONS if name in groups):
        verb, rest = name.split(" ", 1)
        verb = ONE.get(verb, verb) if len(groups[name]) == 1 else verb
        said.append(f"{', '.join(groups[name])} {verb} {rest}")
    return "; ".join(said) or "no target was measured at both ends"


def _brief(interval: Interval, found: Findings) -> str:
    """An interval in words; of a study of one seed, which says so once, the number alone."""
    return number(interval.mean, "+") if len(found.wanted) == 1 else str(interval)


def _fewer(n: int, found: Findings) -> str:
    """What stands behind a number that not all seeds are in."""
    return f" ({n} of {len(found.wanted)} seeds)" if 0 < n < len(found.wanted) else ""


def _distance(found: Findings) -> str:
    near, far = transfer_scores.near_and_far(found.languages, found.distances)
    if not near:
        return "The languages' distances to English are not known here, so near and far ones are not compared."
    names = f"the near languages ({', '.join(near)})", f"the far ones ({', '.join(far)})"
    trained = sorted(set(found.scores.loc[found.scores["group"] == "trained", "task"]))
    close, away = (transfer_scores.movement_of(found.scores, languages, trained) for languages in (near, far))
    if not len(close):
        table, when = transfer_scores.without_intermediate(found.scores[found.scores["group"] == "trained"])
        if table.empty:
            return "No trained target was tested, so near and far languages are not compared."
        whole = table.pivot_table(index=["seed", "tokens"], columns=["task", "language"], values="score").dropna()
        if whole.empty:
            return "No seed has all trained targets in all languages, so near and far ones are not compared."
        means = [whole.loc[:, whole.columns.get_level_values(1).isin(some)].mean(axis=None) for some in (near, far)]
        fewer = _fewer(whole.index.get_level_values("seed").nunique(), found)
        reached = f"{number(means[0])}{fewer} in {names[0]} and {number(means[1])}{fewer} in {names[1]}"
        return f"Trained targets reach {reached}, {when}."
    close, away = _both(close, away)
    if not len(close):
        return "No seed has all trained targets at both ends of P, so near and far languages are not compared."
    said = (
        f"Over the same range the trained targets move by {_mean(close, found)} in {names[0]} and by "
        f"{_mean(away, found)} in {names[1]}: {_near_minus_far(close, away)}"
    )
    moves = {target: transfer_scores.movement(found.zero_shot, target) for target in trained}
    moves = {target: interval for target, interval in moves.items() if interval.n}
    if len(moves) < 2:
        return f"{said}."
    most = max(moves, key=lambda target: moves[target].mean)
    close, away = _both(*(transfer_scores.movement_of(found.scores, languages, [most]) for languages in (near, far)))
    if not len(close):
        return f"{said}."
    each = f"{_mean(close, found)} and {_mean(away, found)}"
    return f"{said}; for {most}, which rises most, it is {each}: {_near_minus_far(close, away)}."


def _both(close: np.ndarray, away: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Only the seeds that have both: else two means would stand on different seeds."""
    there = np.isfinite(close) & np.isfinite(away)
    return close[there], away[there]


def _mean(moved: np.ndarray, found: Findings) -> str:
    return number(moved.mean(), "+") + _fewer(len(moved), found)


def _near_minus_far(close: np.ndarray, away: np.ndarray) -> str:
    difference = t_interval(close - away)
    if not difference.excludes(0):
        return f"near minus far is {difference}, which does not tell them apart"
    return f"near minus far is {difference}, so the {'near' if difference.mean > 0 else 'far'} ones gain more"


def _intermediate(found: Findings) -> str:
    arms = sorted({verdict.arm for verdict in found.counted})
    each = [_gained(found, arm) for arm in arms] if len(arms) < 3 else [_gained_in_short(found, arms)]
    if not arms:
        each = ["No arm of intermediate tasks has a run without beside it, so its gain is not known."]
    return " ".join([*each, *_learnt(found), *_beyond(found, arms)])


def _learnt(found: Findings) -> list[str]:
    """Which intermediate tasks were learnt at all, in English: one that was not has nothing to pass on."""
    table = tables_module.learnt(found)
    table = table[~table["is_control"].astype(bool)]
    last = table[table["I"] == table.groupby(["arm", "task"])["I"].transform("max")]
    pairs = [(f"{row['task']} ({row['arm']})", row["over P"], row["chance"]) for row in last.to_dict("records")]
    pairs = [(name.replace(f" ({name.split()[0]})", ""), score, chance) for name, score, chance in pairs if score.n]
    if not pairs:
        return []
    above = [one for one in pairs if one[1].low > one[2]]
    said = "In English (development data, largest I, on average over P) "
    if len(pairs) > FEW:
        return [f"{said}{len(above)} of {len(pairs)} pairs of a task and an arm are surely above chance."]
    told = [f"{name} reaches {score.said('')}, chance {number(chance)}" for name, score, chance in pairs]
    return [f"{said}{'; '.join(told)}."]


def _gained(found: Findings, arm: str) -> str:
    """An arm's gain at its largest rung, target by target."""
    own = {verdict.target: verdict for verdict in found.counted if verdict.arm == arm}
    rung = short_size(int(found.gains.loc[found.gains["arm"] == arm, "examples"].max()))
    moves = {target: one.gain for target, one in own.items() if target not in MEANS.values()}
    if not any(interval.n for interval in moves.values()):
        return f"No rung of P is whole over all seeds and rungs of {arm} examples, so no mean gain is given."
    mean = own[found.focus].gain if found.focus in own else None
    whole = "s move" if mean is None else f" ({found.focus}) moves by {mean} on average over P"
    whole = whole if mean is None or mean.n else f" ({found.focus}) has no rung of P that is whole"
    counts, pairs = (sum(getattr(own[target], name) for target in moves) for name in ("positive", "pairs"))
    return (
        f"With {rung} {arm} examples the zero-shot score{whole}; {_by_direction(moves, found)}; at {counts} of {pairs} "
        "places of the targets' grids the mean is higher than without."
    )


def _gained_in_short(found: Findings, arms: list[str]) -> str:
    """The gains of many arms, the largest first, in the target that speaks for the study."""
    own = {one.arm: one.gain for one in found.counted if one.target == found.focus}
    there = sorted((arm for arm in arms if arm in own and own[arm].n), key=lambda arm: -own[arm].mean)
    if not there:
        return f"No rung of P is whole over all seeds and rungs of any of the {len(arms)} arms, so no gain is given."
    told = [f"{arm} {_brief(own[arm], found)}" for arm in there]
    lost = [arm for arm in arms if arm not in there]
    said = f"The zero-shot score ({found.focus}) moves over I = 0, at the largest I and on average over P, by: "
    said = said if len(found.wanted) > 1 else f"{said[:-2]} (one seed, so no intervals): "
    return said + "; ".join(told) + (f"; no gain is given of {', '.join(lost)}" if lost else "") + "."


def _beyond(found: Findings, arms: list[str]) -> list[str]:
    """The gain over the controls that take the same steps, where the study has any."""
    if not found.controls:
        return ["No control took the same steps, so what the tasks give is not told from what more steps give."] * bool(
            arms
        )
    table = beyond_controls(found)
    table = table[table["target"] == found.focus]
    told = [f"{row.arm} over {row.control} {_brief(row.beyond, found)}" for row in table.itertuples() if row.beyond.n]
    if not told:
        return ["No arm and control are whole over the same seeds, so no gain over the controls is given."]
    most = told if len(told) <= FEW else told[:FEW]
    more = f"; {len(told) - FEW} more stand in the table of controls" if len(told) > FEW else ""
    return [f"Over the controls with the same steps ({found.focus}): {'; '.join(most)}{more}."]


def _proportional(found: Findings) -> str:
    word, told = headline(found)
    slopes = [
        f"{verdict.target}{f' ({verdict.arm})' if _arms(found.counted) else ''} {proportionality.slope_text(verdict.slope)}"
        for verdict in found.counted
        if verdict.slope and verdict.target not in MEANS.values()
    ]
    slopes = slopes if len(slopes) <= FEW else []
    fitted = f"slopes where the gain is surely above 0: {'; '.join(slopes)}" if slopes else "no slope could be fitted"
    fitted = "the slopes stand in the table of verdicts" if _many_slopes(found) else fitted
    return (
        f"Whether the gain grows in proportion to I, a slope d log(gain) / d log(I) of 1: {lower_first(word)}; "
        f"{lower_first(told)}; {fitted}. {exchange_sentence(found)}"
    )


def exchange_sentence(found: Findings) -> str:
    """What one more intermediate example is worth in pretraining tokens, in the target and arm that speak for the
    study, or why that is not known; and how many other pairs of a target and an arm have a rate."""
    law = found.law
    if law is None:
        return "No arm of intermediate tasks was tested, so there is no exchange rate."
    own = [one for one in found.laws if one.target not in MEANS.values()]
    defined = sum(any(not rate.why for rate in one.exchange) for one in own)
    pairs = f"{defined} of {len(own)} pairs of a target and an arm have a rate"
    what = f"Pretraining tokens that buy what one more intermediate example buys ({law.arm}; {law.target}): "
    return f"{what}{law.said}; {pairs}."


def _many_slopes(found: Findings) -> bool:
    return sum(one.slope is not None and one.target not in MEANS.values() for one in found.counted) > FEW


def _gap(found: Findings) -> str:
    first, last = _ends(found)
    rows, when = transfer_scores.without_intermediate(found.zero_shot[found.zero_shot["target"] == found.focus])
    gaps = rows.pivot_table(index="seed", columns="tokens", values="gap")  # seeds without a gap are left out
    if last not in gaps:
        said = "The transfer gap is not known: no target has scores in English and in all other languages"
    else:
        ends = {rung: gaps[rung].dropna() for rung in (first, last) if rung in gaps}
        told = {rung: number(part.mean()) + _fewer(len(part), found) for rung, part in ends.items()}
        said = f"At {short_size(last)} tokens English is ahead of the other languages by {told[last]} ({found.focus}, {when})"
        if first != last and first in ends:
            change = t_interval(gaps[last] - gaps[first])
            said += f", at {short_size(first)} by {told[first]}: the gap changes by {change}"
    holes = len(transfer_scores.missing_means(found.zero_shot, found.holes))
    done = f"all {len(found.records)} cells are in"
    if found.absent:
        done = f"{len(found.absent)} of {len(found.records) + len(found.absent)} cells are not in"
    return f"{said}; {done}" + (f", and {holes} of the targets' places on the grid lack a mean." if holes else ".")
