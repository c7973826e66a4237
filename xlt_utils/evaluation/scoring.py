"""The scores of one test, whole and item by item. In go gold and predicted labels, answers or pairs; out comes a
`TestScore`, and the score of whoever knows nothing about these very examples."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from xlt_utils.data.bucc import Pair
from xlt_utils.data.tasks import Task
from xlt_utils.evaluation import metrics


@dataclass(frozen=True)
class TestScore:
    """`scores` by metric, 0..1, and what each item has `right` of the main one, `of` how much (None: of 1); `right` is
    None where the main score is no sum over items."""

    __test__ = False  # no test of pytest's

    scores: dict[str, float]
    right: Sequence[float] | None = None
    of: Sequence[float] | None = None


def score_labels(task: Task, gold: list, predicted: list) -> TestScore:
    """The scores of labels, an index an example or, of tags, a list of them, one a word."""
    if task.format != "tagging":
        scores = {"accuracy": metrics.accuracy(gold, predicted)}
        if "f1" in task.metric:  # the mean of accuracy and a class's F1 is no sum over items
            return TestScore(scores | {"f1": metrics.binary_f1(gold, predicted)})
        return TestScore(scores, [float(label == guess) for label, guess in zip(gold, predicted, strict=True)])
    if task.metric == "accuracy":  # CCG categories are not spans
        accuracy = metrics.accuracy(*([tag for tags in side for tag in tags] for side in (gold, predicted)))
        right = [sum(map(int.__eq__, *tags)) for tags in zip(gold, predicted, strict=True)]
        return TestScore({"accuracy": accuracy}, right, [len(tags) for tags in gold])
    named = [[[task.labels[tag] for tag in tags] for tags in side] for side in (gold, predicted)]
    correct, predictions, golds = metrics.chunk_counts(*named).T
    return TestScore(metrics.chunk_scores(*named), 2 * correct, predictions + golds)


def score_answers(task: Task, gold: list[list[str]], answers: list[str], language: str) -> TestScore:
    """The scores of the answers to questions with these gold answers, by the rules of the task."""
    exact, f1 = metrics.answer_scores_by_question(gold, answers, language if task.rules == "mlqa" else None)
    by_question = {"exact_match": exact, "f1": f1}
    scores = {metric: float(values.mean()) for metric, values in by_question.items()}
    return TestScore(scores, np.mean([by_question[metric] for metric in task.metric.split("+")], axis=0).tolist())


def mining_items(gold: Iterable[Pair], predicted: Iterable[Pair]) -> tuple[list[str], list[int], list[int]]:
    """Of each foreign sentence that is in a pair: its id, twice its right pairs, and all its pairs."""
    gold, predicted = set(gold), set(predicted)
    right = Counter(foreign for foreign, _ in gold & predicted)
    of = Counter(foreign for foreign, _ in gold) + Counter(foreign for foreign, _ in predicted)
    names = sorted(of)
    return names, [2 * right[name] for name in names], [of[name] for name in names]


def zero_score(task: Task, gold: list[Any]) -> float:
    """The main score of whoever knows nothing about some labels: the better of chance and the best label given to all
    (of tags: the most frequent one)."""
    if task.format == "tagging":
        most_frequent = Counter(tag for tags in gold for tag in tags).most_common(1)[0][0]
        guesses: list[list] = [[[most_frequent] * len(tags) for tags in gold]]
    else:
        guesses = [[label] * len(gold) for label in sorted(set(gold))]
    scores = (metrics.main_score(task.metric, score_labels(task, gold, guess).scores) for guess in guesses)
    return max(task.chance, *scores)
