"""What was learnt in English, in sentences: which targets and arms count, which do not, and which single runs failed to
learn. The findings go in, text comes out; the numbers are those of the table on the page."""

from collections.abc import Iterable

from xlt_utils.analysis.learning import LEARNT
from xlt_utils.analysis.transfer_scores import PLACE
from xlt_utils.formatting import join_words, number_text, short_size
from xlt_utils.reporting.findings import Findings

OUT = "in no mean, test, headline or claim"
MOST_NAMED = 8  # pairs of an arm and a task that a sentence names one by one


def learning_sentences(findings: Findings) -> list[str]:
    """All that is to be said of what was learnt."""
    return [text for text in (targets_sentence(findings), arms_sentence(findings), failures_sentence(findings)) if text]


def targets_sentence(findings: Findings) -> str:
    """Which trained targets count; "" where none was tested."""
    learning, scores = findings.learning, findings.scores
    trained = sorted(set(scores.loc[scores["group"] == "trained", "task"]))
    if not trained:
        return ""
    rungs = learning.unlearnt_rungs
    names = [
        f"{task} (not at P = {_rungs(rungs[task])})" if task in rungs else task
        for task in trained
        if task not in learning.unlearnt_targets
    ]
    which = f"{len(names)} of {len(trained)} ({join_words(names)})" if names else f"none of {len(trained)}"
    sentences = [f"Trained targets that count: {which}."]
    if learning.unlearnt_targets:
        last = learning.targets.sort_values("tokens").groupby("task").last()["english"]
        unlearnt = [f"{task} {last[task].text('')}" for task in learning.unlearnt_targets]
        place = f"from the zero point 0 to 1, at P = {short_size(int(scores['tokens'].max()))}, {learning.condition}"
        sentences.append(f"Not learnt in English, so {OUT}: {'; '.join(unlearnt)} (scores {place}).")
    if learning.ungated:
        ungated = join_words(learning.ungated)
        sentences.append(f"Counted without an English score that says whether they were learnt: {ungated}.")
    tested = sorted(set(learning.targets.loc[learning.targets["source"] == "test", "task"]))
    if tested:
        sentences.append(
            f"Without development scores (labels withheld), the English test is taken: {join_words(tested)}."
        )
    return " ".join(sentences)


def arms_sentence(findings: Findings) -> str:
    """What the arms learnt of their own tasks, and which of them count; "" where nothing says so."""
    learning = findings.learning
    rows = learning.arms_at_largest
    rows = rows[rows["tokens"] == rows.groupby("arm")["tokens"].transform("max")]
    if rows.empty:
        return ""
    place = "On English development data of their own tasks, at the largest P and I (0 the zero point, 1 the ceiling),"
    if len(rows) > MOST_NAMED:
        text = f"{place} {int(rows['learnt'].sum())} of {len(rows)} pairs of an arm and a task are learnt."
    else:
        scores = [
            f"{task if arm == task else f'{task} ({arm})'} reaches {english.text('')}"
            for arm, task, english in rows[["arm", "task", "english"]].itertuples(index=False)
        ]
        text = f"{place} {'; '.join(scores)}."
    by_arm = learning.arm_rungs.groupby("arm")
    nowhere = list(by_arm.any().loc[lambda learnt: ~learnt].index)
    if nowhere:
        text += f" Not learnt at any P, so {OUT}: {join_words(nowhere)}."
    partly = by_arm.any() & ~by_arm.all()
    for arm in partly.index[partly]:
        learnt = learning.arm_rungs[arm]
        text += f" {arm} counts at P = {_rungs(learnt.index[learnt])} alone."
    return text


def failures_sentence(findings: Findings) -> str:
    """How many single runs failed to learn a target that counts; "" where none did."""
    failed = findings.learning.failed_runs.drop_duplicates([*PLACE, "task"])
    runs = findings.counting_scores.drop_duplicates([*PLACE, "task"])["task"].value_counts()
    if failed.empty:
        return ""
    counts = [
        f"{task} in {count} of {runs[task]} runs" for task, count in failed["task"].value_counts().sort_index().items()
    ]
    return (
        f"Single runs that failed to learn their target in English (a score of {number_text(LEARNT)} or less): "
        f"{join_words(counts)}. A mean over such runs and the others describes neither."
    )


def _rungs(tokens: Iterable[int]) -> str:
    return join_words(short_size(int(size)) for size in tokens)
