"""Zero-shot evaluation. In goes a trained objective, or a bare encoder, and the languages; out come scores, predictions
and facts: result rows, as records hold them, and one prediction row an example."""

import itertools
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from transformers import PreTrainedModel, PreTrainedTokenizerFast

from xlt_utils.data import labelled
from xlt_utils.data.bucc import Pair
from xlt_utils.data.labelled import SplitRef
from xlt_utils.data.tasks import Task
from xlt_utils.evaluation import bitext_mining, metrics, predict, scoring
from xlt_utils.evaluation.bitext_mining import Candidates
from xlt_utils.evaluation.scoring import TestScore
from xlt_utils.records import items
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
        packed_items: str | None = None,
    ) -> None:
        """Add one test. Its main score is marked, on unperturbed test data only; under a perturbation only the main
        metric is kept, and no items. Predictions are kept of test data.

        Args:
            split: the examples of the test.
            scores: by metric, 0..1.
            zero: the main score of whoever knows nothing: the better of chance and one label for all.
            n: the number of examples.
            facts: what was read and dropped and, of a perturbation, the share of the words that it can change.
            predictions: one row an example.
            packed_items: the main score item by item, as `items.pack` gives it.
        """
        main_metric, is_test = split.task.metric, split.part == "test"
        for metric, value in (scores | {main_metric: metrics.main_score(main_metric, scores)}).items():
            if metric == main_metric or not split.perturbation:
                is_main = is_test and metric == main_metric and not split.perturbation
                name = metric if is_test else f"{split.part} {metric}"
                of_main = (zero, None if split.perturbation else packed_items) if metric == main_metric else ()
                self.add_result(split, name, value, n, is_main, *of_main)
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
        self,
        split: SplitRef,
        metric: str,
        value: float,
        n: int,
        is_main: bool = False,
        zero: float | None = None,
        packed_items: str | None = None,
    ) -> None:
        """Add one result row."""
        row: dict[str, Any] = {"task": split.task.name, "language": split.language, "metric": metric, "value": value}
        row |= {"zero": zero, "n": n, "main": is_main, "perturbation": split.perturbation_name}
        self.results.append(row | {"items": packed_items})


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
        ids = encoded.ids.tolist()
        if task.format == "span":
            test, rows, zero = _score_answers(objective, encoded, split, threshold)
        else:
            gold, predicted = predict.gold_labels(task, encoded), predict.predict_labels(objective, encoded)
            test, zero = scoring.score_labels(task, gold, predicted), scoring.zero_score(task, gold)
            texts = ([_label_text(task, label) for label in labels] for labels in (gold, predicted))
            rows = list(zip(ids, *texts, strict=True))
        packed = None if test.right is None else items.pack(ids, test.right, test.of)
        evaluation.add(split, test.scores, zero, len(ids), encoded.facts, rows, packed)
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
        evaluation.add(split, scores, task.chance, retrieval.n, retrieval.facts, rows, retrieval.items[main_layer])
        for layer, (scores, _) in retrieval.layers.items() if not perturbation else ():
            evaluation.add_result(split, f"{task.metric}, layer {layer}", scores[task.metric], retrieval.n)
    return evaluation


@dataclass(frozen=True)
class _Retrieval:
    """Scores and predictions by layer, over `n` examples, and the packed `items` of each layer."""

    layers: dict[int, tuple[dict[str, float], list[PredictionRow]]]
    items: dict[int, str]
    n: int
    facts: dict


def _retrieve_translations(
    model: PreTrainedModel, config: EvaluationConfig, split: SplitRef, layers: Iterable[int]
) -> _Retrieval:
    queries = config.encode(replace(split, side="text2", perturbation=None))
    candidates = config.encode(replace(split, side="text"))
    query_vectors, candidate_vectors = (predict.sentence_vectors(model, side) for side in (queries, candidates))
    by_layer, packed = {}, {}
    ids = queries.ids.tolist()
    for layer in layers:
        nearest = metrics.nearest_candidates(query_vectors[layer], candidate_vectors[layer]).tolist()
        rows = [(name, str(place), str(answer)) for place, (name, answer) in enumerate(zip(ids, nearest, strict=True))]
        by_layer[layer] = {"accuracy": metrics.accuracy(list(range(len(nearest))), nearest)}, rows
        packed[layer] = items.pack(ids, [float(place == answer) for place, answer in enumerate(nearest)])
    return _Retrieval(by_layer, packed, len(ids), candidates.facts)


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
    by_layer, packed, translations = {}, {}, dict(gold)
    for layer in layers:
        pairs, scores = bitext_mining.score_mining(candidates[layer], gold, tuning.get(layer))
        by_layer[layer] = scores, [(foreign, translations.get(foreign, ""), english) for foreign, english in pairs]
        packed[layer] = items.pack(*scoring.mining_items(gold, pairs))
    return _Retrieval(by_layer, packed, len(gold), facts)


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
) -> tuple[TestScore, list[PredictionRow], float]:
    """The scores of the answers, their prediction rows, and the score of leaving all unanswered. Questions of a task
    with unanswerable ones are left unanswered above the `threshold`; on development data, where it is tuned, the scores
    are SQuAD 2.0's best ones."""
    task = objective.task
    gold, texts, margins = _answers(objective, encoded, split)
    if task.unanswerable and threshold is None:
        best = metrics.best_answer_scores(gold, texts, margins)
        test = TestScore({"exact_match": best["best_exact"], "f1": best["best_f1"]})
    else:
        texts = texts if threshold is None else metrics.abstain(texts, margins, threshold)
        test = scoring.score_answers(task, gold, texts, split.language)
    gold_texts = [json.dumps(answers, ensure_ascii=False) for answers in gold]
    unanswerable = sum(not answers for answers in gold) / len(gold)
    rows = list(zip(encoded.ids.tolist(), gold_texts, texts, strict=True))
    return test, rows, max(task.chance, unanswerable)


def _label_text(task: Task, label: Any) -> str:
    return " ".join(task.labels[tag] for tag in label) if isinstance(label, list) else task.labels[label]
