"""Zero-shot evaluation. In goes a trained objective, or a bare encoder, and the languages; out come scores, predictions
and facts: result rows of (task, language, metric, value, n, perturbation), and one prediction row an example."""

import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from transformers import PreTrainedModel, PreTrainedTokenizerFast

from xlt_utils.data import labelled
from xlt_utils.data.bucc import Pair
from xlt_utils.data.labelled import SplitRef
from xlt_utils.data.tasks import Task
from xlt_utils.evaluation import bitext_mining, metrics, predict
from xlt_utils.evaluation.bitext_mining import Candidates
from xlt_utils.training import encoders
from xlt_utils.training.encoding import Encoded, encode
from xlt_utils.training.objectives import TaskHead

PredictionRow = tuple[str, str, str]  # id, gold, predicted


@dataclass(frozen=True)
class EvaluationConfig:
    """What every test of an evaluation shares.

    Attributes:
        data: the place, as `loading.locate` gives it.
        length: tokens a row at most.
        limit: examples a language at most, drawn by `seed`; None: all.
        perturbations: kinds and shares of the words under which each test is repeated.
    """

    data: str
    tokenizer: PreTrainedTokenizerFast
    length: int
    limit: int | None = None
    seed: int = 0
    perturbations: Sequence[tuple[str, float]] = ()

    def split(self, task: Task, part: str, language: str, perturbation: tuple[str, float] | None = None) -> SplitRef:
        """The examples of one test."""
        return SplitRef(task, part, self.data, language, self.limit, seed=self.seed, perturbation=perturbation)

    def encode(self, split: SplitRef) -> Encoded:
        """These examples as tokens."""
        return encode(split, self.tokenizer, self.length)


@dataclass
class Evaluation:
    """What the tests gave: result rows, prediction rows, and by language what was read and what was dropped."""

    results: list[dict] = field(default_factory=list)
    predictions: list[dict] = field(default_factory=list)
    facts: dict[str, dict] = field(default_factory=dict)

    def add(
        self,
        split: SplitRef,
        scores: dict[str, float],
        zero: float,
        n: int,
        facts: dict,
        predictions: Iterable[PredictionRow],
    ) -> None:
        """Add one test. Its main score is marked, on unperturbed test data only; under a perturbation only the main
        metric is kept. Predictions are kept of test data.

        Args:
            split: the examples of the test.
            scores: by metric, 0..1.
            zero: the main score of whoever knows nothing: the better of chance and one label for all.
            n: the number of examples.
            facts: what was read and dropped and, of a perturbation, the share of the words that it can change.
            predictions: one row an example.
        """
        main_metric, is_test = split.task.metric, split.part == "test"
        for metric, value in (scores | {main_metric: metrics.main_score(main_metric, scores)}).items():
            if metric == main_metric or not split.perturbation:
                is_main = is_test and metric == main_metric and not split.perturbation
                name = metric if is_test else f"{split.part} {metric}"
                self.add_result(split, name, value, n, is_main, zero if metric == main_metric else None)
        if split.perturbation:
            self.facts[split.language].setdefault("reach", {})[split.perturbation[0]] = facts["reach"]
        else:
            self.facts[split.language] = dict(facts)
        if is_test:
            head = {"task": split.task.name, "language": split.language, "perturbation": split.perturbation_name}
            self.predictions += [
                head | {"id": name, "gold": gold, "predicted": predicted} for name, gold, predicted in predictions
            ]

    def add_result(
        self, split: SplitRef, metric: str, value: float, n: int, is_main: bool = False, zero: float | None = None
    ) -> None:
        """Add one result row."""
        row: dict[str, Any] = {"task": split.task.name, "language": split.language, "metric": metric, "value": value}
        row |= {"zero": zero, "n": n}
        self.results.append(row | {"main": is_main, "perturbation": split.perturbation_name})


def evaluate_task(objective: TaskHead, part: str, languages: Sequence[str], config: EvaluationConfig) -> Evaluation:
    """Score a trained objective in each language on a part (`test` or `development`) of its task. Test data are scored
    again under each perturbation."""
    task, evaluation = objective.task, Evaluation()
    threshold = None
    if task.unanswerable and part != "development":
        split = config.split(task, "development", "en")
        gold, answers, margins = _answers(objective, config.encode(split), split)
        threshold = metrics.best_answer_scores(gold, answers, margins)["best_f1_thresh"]
    perturbations = [None, *(config.perturbations if part == "test" else ())]
    for language, perturbation in itertools.product(languages, perturbations):
        split = config.split(task, part, language, perturbation)
        encoded = config.encode(split)
        if task.format == "span":
            scores, rows, zero = _score_answers(objective, encoded, split, threshold)
        else:
            gold, predicted = predict.gold_labels(task, encoded), predict.predict_labels(objective, encoded)
            scores, zero = _LABEL_SCORES[task.format](task, gold, predicted), zero_score(task, gold)
            texts = ([_label_text(task, label) for label in labels] for labels in (gold, predicted))
            rows = list(zip(encoded.ids.tolist(), *texts, strict=True))
        evaluation.add(split, scores, zero, len(encoded.ids), encoded.facts, rows)
    return evaluation


def evaluate_retrieval(
    model: PreTrainedModel, task: Task, languages: Sequence[str], config: EvaluationConfig
) -> Evaluation:
    """Score a bare encoder on a task that trains nothing, at every layer in one pass; the main score is that of
    encoders.default_layer.

    Retrieval finds each English sentence's translation among a language's sentences; mining finds the pairs of two
    sides that are translations (bitext_mining.py).
    """
    evaluation, layers = Evaluation(), range(model.config.num_hidden_layers + 1)
    main_layer = encoders.default_layer(model.config.num_hidden_layers)
    for language, perturbation in itertools.product(languages, [None, *config.perturbations]):
        if language == "en":
            continue
        split = config.split(task, "test", language, perturbation)
        retrieval = _RETRIEVERS[task.format](model, config, split, [main_layer] if perturbation else layers)
        scores, rows = retrieval.layers[main_layer]
        evaluation.add(split, scores, task.chance, retrieval.n, retrieval.facts, rows)
        for layer, (scores, _) in retrieval.layers.items() if not perturbation else ():
            evaluation.add_result(split, f"{task.metric}, layer {layer}", scores[task.metric], retrieval.n)
    return evaluation


@dataclass(frozen=True)
class _Retrieval:
    """Scores and predictions by layer, over `n` examples."""

    layers: dict[int, tuple[dict[str, float], list[PredictionRow]]]
    n: int
    facts: dict


def _retrieve_translations(
    model: PreTrainedModel, config: EvaluationConfig, split: SplitRef, layers: Iterable[int]
) -> _Retrieval:
    queries = config.encode(replace(split, side="text2", perturbation=None))
    candidates = config.encode(replace(split, side="text"))
    query_vectors, candidate_vectors = (predict.sentence_vectors(model, side) for side in (queries, candidates))
    by_layer = {}
    for layer in layers:
        nearest = metrics.nearest_candidates(query_vectors[layer], candidate_vectors[layer]).tolist()
        numbered = enumerate(zip(queries.ids.tolist(), nearest, strict=True))
        rows = [(name, str(place), str(answer)) for place, (name, answer) in numbered]
        by_layer[layer] = {"accuracy": metrics.accuracy(list(range(len(nearest))), nearest)}, rows
    return _Retrieval(by_layer, len(queries.ids), candidates.facts)


def _mine_translations(
    model: PreTrainedModel, config: EvaluationConfig, split: SplitRef, layers: Iterable[int]
) -> _Retrieval:
    def mine(split: SplitRef) -> tuple[dict[int, Candidates], list[Pair], dict]:
        foreign, english, gold = labelled.read_sides(split)
        foreign_encoded = config.encode(replace(split, side="foreign"))
        english_encoded = config.encode(replace(split, side="english", perturbation=None))
        left, right = (predict.sentence_vectors(model, side) for side in (foreign_encoded, english_encoded))
        candidates = {
            layer: bitext_mining.mine_candidates(foreign, english, (left[layer], right[layer])) for layer in layers
        }
        return candidates, gold, foreign_encoded.facts

    candidates, gold, facts = mine(split)
    development_split = replace(split, part="development", perturbation=None)
    tuning: dict[int, tuple[Candidates, list[Pair]]] = {}  # empty: the one gold set is cross-fitted
    if labelled.gold_split(split).place != labelled.gold_split(development_split).place:
        development, development_gold, _ = mine(development_split)
        tuning = {layer: (development[layer], development_gold) for layer in layers}
    by_layer, translations = {}, dict(gold)
    for layer in layers:
        pairs, scores = bitext_mining.score_mining(candidates[layer], gold, tuning.get(layer))
        by_layer[layer] = scores, [(foreign, translations.get(foreign, ""), english) for foreign, english in pairs]
    return _Retrieval(by_layer, len(gold), facts)


_RETRIEVERS: dict[str, Callable[..., _Retrieval]] = {
    "retrieval": _retrieve_translations,
    "mining": _mine_translations,
}


def _answers(objective: TaskHead, encoded: Encoded, split: SplitRef) -> tuple[list[list[str]], list[str], list[float]]:
    """Of each question of an encoded split: the gold answers, the predicted one, and its margin."""
    questions = labelled.read_examples(split)
    gold = [[answer["text"] for answer in row["answers"]] for row in questions]
    spans = predict.predict_answers(objective, encoded)
    texts = [row["context"][start:stop].strip() for row, (start, stop, _) in zip(questions, spans, strict=True)]
    return gold, texts, [margin for _, _, margin in spans]


def _score_answers(
    objective: TaskHead, encoded: Encoded, split: SplitRef, threshold: float | None
) -> tuple[dict[str, float], list[PredictionRow], float]:
    """The scores of the answers, their prediction rows, and the score of leaving all unanswered. Questions of a task
    with unanswerable ones are left unanswered above the `threshold`; on development data, where it is tuned, the scores
    are SQuAD 2.0's best ones."""
    gold, texts, margins = _answers(objective, encoded, split)
    if objective.task.unanswerable and threshold is None:
        best = metrics.best_answer_scores(gold, texts, margins)
        scores = {"exact_match": best["best_exact"], "f1": best["best_f1"]}
    else:
        texts = texts if threshold is None else metrics.abstain(texts, margins, threshold)
        scores = metrics.answer_scores(gold, texts, split.language if split.task.rules == "mlqa" else None)
    gold_texts = [json.dumps(answers, ensure_ascii=False) for answers in gold]
    unanswerable = sum(not answers for answers in gold) / len(gold)
    rows = list(zip(encoded.ids.tolist(), gold_texts, texts, strict=True))
    return scores, rows, max(objective.task.chance, unanswerable)


def zero_score(task: Task, gold: list) -> float:
    """The main score of whoever knows nothing about some labels: the better of chance and the best label given to all
    (of tags: the most frequent one)."""
    if task.format == "tagging":
        most_frequent = Counter(tag for tags in gold for tag in tags).most_common(1)[0][0]
        guesses: list[list] = [[[most_frequent] * len(tags) for tags in gold]]
    else:
        guesses = [[label] * len(gold) for label in sorted(set(gold))]
    score = _LABEL_SCORES[task.format]
    return max(task.chance, *(metrics.main_score(task.metric, score(task, gold, guess)) for guess in guesses))


def _class_scores(task: Task, gold: list[int], predicted: list[int]) -> dict[str, float]:
    scores = {"accuracy": metrics.accuracy(gold, predicted)}
    return scores | ({"f1": metrics.binary_f1(gold, predicted)} if "f1" in task.metric else {})


def _tag_scores(task: Task, gold: list[list[int]], predicted: list[list[int]]) -> dict[str, float]:
    if task.metric == "accuracy":  # CCG categories are not spans
        return {"accuracy": metrics.accuracy(*([tag for tags in side for tag in tags] for side in (gold, predicted)))}
    return metrics.chunk_scores(*([[task.labels[tag] for tag in tags] for tags in side] for side in (gold, predicted)))


_LABEL_SCORES: dict[str, Callable[[Task, list, list], dict[str, float]]] = {
    "classification": _class_scores,
    "choice": _class_scores,
    "tagging": _tag_scores,
}


def _label_text(task: Task, label: Any) -> str:
    return " ".join(task.labels[tag] for tag in label) if isinstance(label, list) else task.labels[label]
