"""The study in five sentences. The findings go in, the sentences come out. Every number is computed from what was
learnt in English (learnt.py), stands with its interval or its count of seeds, and a sentence says where a comparison
cannot be made."""

import numpy as np

from xlt_utils.analysis import bootstrap, movements, proportionality, transfer_scores
from xlt_utils.analysis.intervals import Interval
from xlt_utils.analysis.transfer_scores import MEANS
from xlt_utils.formatting import join_words, number_text, short_size
from xlt_utils.reporting.findings import Findings
from xlt_utils.reporting.headline import UNLEARNT, headline, names_arms, of_single_targets
from xlt_utils.reporting.learnt import MOST_NAMED, arms_sentence, failures_sentence, targets_sentence
from xlt_utils.reporting.tables import gains_over_controls

SINGULAR = {"rise": "rises", "fall": "falls", "do": "does", "have": "has", "were": "was"}


def five_sentences(findings: Findings) -> dict[str, str]:
    """The study in five sentences, by what they are about."""
    return {
        "pretraining": _pretraining(findings),
        "distance": _distance(findings),
        "intermediate": _intermediate(findings),
        "proportional": _proportional(findings),
        "gap": _gap(findings),
    }


def _pretraining(findings: Findings) -> str:
    learnt = targets_sentence(findings) if findings.learning.unlearnt_targets else ""
    return " ".join(filter(None, [learnt, failures_sentence(findings), _pretraining_changes(findings)]))


def _pretraining_changes(findings: Findings) -> str:
    rungs = sorted(findings.zero_shot["tokens"].unique())
    if len(rungs) < 2:
        only = short_size(int(rungs[0])) if rungs else "0"
        return f"There is only one rung of pretraining ({only} tokens), so this study cannot say what more of it buys."
    target = findings.headline_target
    ends = movements.movement_ends(findings.samples[target]) if target else None
    if not ends:
        return "No two rungs of P have scores that count without intermediate training, so the change is not known."
    changes = {name: movements.movement(findings.samples[name]) for name in findings.targets}
    # a target that is not learnt at one of these ends moves between others
    others = {name: movements.movement_ends(findings.samples[name]) for name in changes}
    named = {
        f"{name} ({_range_of_tokens(others[name])})" if others[name] not in (None, ends) else name: change
        for name, change in changes.items()
    }
    return (
        f"From {_range_of_tokens(ends)} pretraining tokens, without intermediate training, the zero-shot score "
        f"({target}) changes by {movements.movement(findings.samples[target])}; {_by_direction(named, findings)}."
    )


def _range_of_tokens(ends: tuple[int, int] | None) -> str:
    return " to ".join(short_size(size) for size in ends or ())


def _by_direction(changes: dict[str, Interval], findings: Findings) -> str:
    """Targets grouped by direction and certainty, each with its change, the clearest first."""
    groups: dict[str, list[str]] = {}
    for target, change in sorted(changes.items(), key=lambda item: -np.nan_to_num(item[1].mean)):
        text = f"{target} {number_text(change.mean, '+')}{_seeds_note(change.n, findings)}" if change.n else target
        groups.setdefault(movements.direction(change), []).append(text)
    clauses = []
    for name in (name for name in movements.DIRECTIONS if name in groups):
        verb, rest = name.split(" ", 1)
        verb = SINGULAR.get(verb, verb) if len(groups[name]) == 1 else verb
        clauses.append(f"{join_words(groups[name])} {verb} {rest}")
    return "; ".join(clauses)


def _seeds_note(n: int, findings: Findings) -> str:
    """How many seeds a number rests on, where that is not all of them."""
    expected = len(findings.expected_seeds)
    return f" ({n} of {expected} seeds)" if 0 < n < expected else ""


def _interval_text(interval: Interval, findings: Findings) -> str:
    """An interval in words; in a study of one seed, whose sentence says so once, the number alone."""
    return number_text(interval.mean, "+") if len(findings.expected_seeds) == 1 else str(interval)


def _distance(findings: Findings) -> str:
    near, far = movements.near_and_far(findings.languages, findings.distances)
    if not near:
        return "The languages' distances to English are not known, so near and far languages are not compared."
    names = f"the near languages ({join_words(near)})", f"the far ones ({join_words(far)})"
    scores = findings.counting_scores
    trained = sorted(set(scores.loc[scores["group"] == "trained", "task"]))
    if not trained:
        return "No trained target counts, so near and far languages are not compared."
    difference = _near_minus_far(findings, trained)
    if not difference.n:
        return _scores_near_and_far(findings, near, far, names)
    both = [_change_in(findings, trained, languages) for languages in (near, far)]
    sentence = (
        f"Over the rungs of P where they all count, the trained targets change by {both[0]} in {names[0]} and by "
        f"{both[1]} in {names[1]}: {_near_minus_far_text(difference)}"
    )
    changes = {target: movements.movement(findings.samples[target]).mean for target in trained}
    most = max(changes, key=lambda target: np.nan_to_num(changes[target]))
    of_most = _near_minus_far(findings, [most])
    if len(trained) < 2 or not of_most.n:
        return f"{sentence}."
    both = [_change_in(findings, [most], languages) for languages in (near, far)]
    return f"{sentence}; for {most}, which rises most, they are {' and '.join(both)}: {_near_minus_far_text(of_most)}."


def _near_minus_far(findings: Findings, tasks: list[str]) -> Interval:
    """How much more the mean of some tasks moves with P in the near languages than in the far ones."""
    scores = findings.counting_scores
    groups = movements.near_and_far(findings.languages, findings.distances)
    return movements.movement(bootstrap.build_difference_sample(scores[scores["task"].isin(tasks)], *groups))


def _change_in(findings: Findings, tasks: list[str], languages: list[str]) -> str:
    """How far the mean of some tasks moves with P in some languages."""
    scores = findings.counting_scores
    part = scores[scores["task"].isin(tasks) & scores["language"].isin(languages)]
    change = movements.movement(bootstrap.build_grid_sample(part, transfer_scores.TRAINED))
    return number_text(change.mean, "+") + _seeds_note(change.n, findings)


def _scores_near_and_far(findings: Findings, near: list[str], far: list[str], names: tuple[str, str]) -> str:
    """Where there is one P: the scores themselves in near and far languages."""
    trained = findings.counting_scores[findings.counting_scores["group"] == "trained"]
    rows, condition = transfer_scores.without_intermediate(trained)
    table = rows.pivot_table(index=["seed", "tokens"], columns=["task", "language"], values="score").dropna()
    if table.empty:
        return "No seed has all trained targets in all languages, so near and far languages are not compared."
    language = table.columns.get_level_values(1)
    seeds = _seeds_note(table.index.get_level_values("seed").nunique(), findings)
    means = [number_text(table.loc[:, language.isin(group)].mean(axis=None)) + seeds for group in (near, far)]
    return f"Trained targets reach {means[0]} in {names[0]} and {means[1]} in {names[1]}, {condition}."


def _near_minus_far_text(difference: Interval) -> str:
    if not difference.excludes(0):
        return f"near minus far is {difference}, so neither group is shown to gain more"
    return f"near minus far is {difference}, so the {'near' if difference.mean > 0 else 'far'} ones gain more"


def _intermediate(findings: Findings) -> str:
    arms = sorted({verdict.arm for verdict in findings.task_verdicts if verdict.verdict not in UNLEARNT})
    if not arms and findings.task_verdicts:
        sentences = ["No target and arm that were learnt stand beside each other, so no gain is given."]
    elif not arms:
        sentences = ["No run after intermediate tasks has one without them beside it, so their gain is not known."]
    elif len(arms) < 3:
        sentences = [_gain_of_arm(findings, arm) for arm in arms]
    else:
        sentences = [_gains_of_arms(findings, arms)]
    return " ".join(filter(None, [*sentences, arms_sentence(findings), *_over_controls(findings, arms)]))


def _gain_of_arm(findings: Findings, arm: str) -> str:
    """An arm's gain at its largest rung, target by target."""
    verdicts = {verdict.target: verdict for verdict in findings.task_verdicts if verdict.arm == arm}
    judged = [verdict for verdict in of_single_targets(verdicts.values()) if verdict.verdict not in UNLEARNT]
    single = {verdict.target: verdict for verdict in judged}
    gains = {target: verdict.gain for target, verdict in single.items()}
    if not any(gain.n for gain in gains.values()):
        return f"No rung of P has all seeds at all rungs of {arm} examples, so no mean gain is given."
    rung = short_size(int(findings.gains.loc[findings.gains["arm"] == arm, "examples"].max()))
    target = findings.gain_target
    if target not in verdicts:
        change = "s change"
    elif verdicts[target].gain.n:
        change = f" ({target}) changes by {verdicts[target].gain}, a mean over P"
    else:
        change = f" ({target}) has no rung of P with all seeds"
    positive, pairs = (sum(getattr(verdict, name) for verdict in single.values()) for name in ("positive", "pairs"))
    return (
        f"With {rung} {arm} examples the zero-shot score{change}; {_by_direction(gains, findings)}; at {positive} of "
        f"{pairs} places of the targets' grids the mean score is higher than without them."
    )


def _gains_of_arms(findings: Findings, arms: list[str]) -> str:
    """The gains of many arms in the headline target, the largest first."""
    target = findings.headline_target
    gains = {verdict.arm: verdict.gain for verdict in findings.task_verdicts if verdict.target == target}
    measured = sorted((arm for arm in arms if arm in gains and gains[arm].n), key=lambda arm: -gains[arm].mean)
    if not measured:
        return f"No rung of P has all seeds at all rungs of any of the {len(arms)} arms, so no gain is given."
    one_seed = " (one seed, so no intervals)" if len(findings.expected_seeds) == 1 else ""
    texts = "; ".join(f"{arm} {_interval_text(gains[arm], findings)}" for arm in measured)
    others = [arm for arm in arms if arm not in measured]
    unknown = f"; no gain is given for {join_words(others)}" if others else ""
    return f"Gains over I = 0 ({target}) at the largest I, means over P{one_seed}: {texts}{unknown}."


def _over_controls(findings: Findings, arms: list[str]) -> list[str]:
    """The gain over the controls that take the same steps, where the study has any."""
    if not findings.controls:
        unknown = "No control took the same steps, so the gain of the tasks is not separated from that of more steps."
        return [unknown] if arms else []
    table = gains_over_controls(findings)
    table = table[table["target"] == findings.gain_target]
    gains = [
        f"{row.arm} over {row.control} {_interval_text(row.gain, findings)}" for row in table.itertuples() if row.gain.n
    ]
    if not gains:
        return ["No arm that counts stands beside a control at one P, so no gain over the controls is given."]
    rest = f"; {len(gains) - MOST_NAMED} more are in the table of controls" if len(gains) > MOST_NAMED else ""
    return [f"Over the controls with the same steps ({findings.gain_target}): {'; '.join(gains[:MOST_NAMED])}{rest}."]


def _proportional(findings: Findings) -> str:
    answer, reasons = headline(findings)
    with_arm = names_arms(findings.task_verdicts)
    slopes = [
        f"{verdict.target}{f' ({verdict.arm})' if with_arm else ''} {proportionality.slope_text(verdict.slope)}"
        for verdict in of_single_targets(findings.task_verdicts)
        if verdict.slope
    ]
    if len(slopes) > MOST_NAMED:
        slopes_text = "the slopes are in the table of verdicts"
    elif slopes:
        slopes_text = f"slopes where the 95 % CI of the gain is above 0: {'; '.join(slopes)}"
    else:
        slopes_text = "no slope could be fitted"
    return (
        "Does the gain grow in proportion to I, a slope d log(gain) / d log(I) of 1? "
        f"{answer}. {reasons}; {slopes_text}. {exchange_sentence(findings)}"
    )


def exchange_sentence(findings: Findings) -> str:
    """What one more intermediate example is worth in pretraining tokens by the headline law, or why that is not known;
    and how many pairs of a target and an arm have a rate."""
    law = findings.headline_law
    if law is None:
        lacks = "No target was learnt after an arm" if any(findings.arms) else "No arm of intermediate tasks was tested"
        return f"{lacks}, so there is no exchange rate."
    laws = [single for single in findings.laws if single.target not in MEANS.values()]
    defined = sum(any(not rate.why for rate in single.exchange) for single in laws)
    return (
        f"Pretraining tokens that buy what one more intermediate example buys ({law.arm}; {law.target}): "
        f"{law.rate_sentence}; {defined} of {len(laws)} pairs of a target and an arm have a rate."
    )


def _gap(findings: Findings) -> str:
    target = findings.headline_target
    gaps, condition = transfer_scores.transfer_gaps(findings.counting_runs, target)
    if gaps.empty:
        sentence = "The transfer gap is not known: no target that counts has scores in English and all other languages"
        return f"{sentence}; {_completeness(findings)}."
    first, last = int(gaps.columns.min()), int(gaps.columns.max())
    means = [number_text(gaps[rung].mean()) + _seeds_note(gaps[rung].count(), findings) for rung in (first, last)]
    sentence = (
        f"At {short_size(last)} pretraining tokens English leads the other languages by {means[1]} ({target}, "
        f"{condition})"
    )
    scores = findings.counting_scores
    is_in_target = (scores["group"] == "trained") if target == transfer_scores.TRAINED else (scores["task"] == target)
    others = sorted(set(findings.languages) - {"en"})
    sample = bootstrap.build_difference_sample(scores[is_in_target], ["en"], others)
    if sample and movements.movement_ends(sample) == (first, last):
        sentence += (
            f", and at {short_size(first)} tokens by {means[0]}: the gap changes by {movements.movement(sample)}"
        )
    return f"{sentence}; {_completeness(findings)}."


def _completeness(findings: Findings) -> str:
    done, missing = len(findings.records), len(findings.missing_cells)
    cells = f"{missing} of {done + missing} cells are missing" if missing else f"all {done} cells are done"
    lacking = len(transfer_scores.missing_means(findings.zero_shot, findings.missing_coordinates))
    return cells + (f", and {lacking} of the targets' places on the grid lack a mean" if lacking else "")
