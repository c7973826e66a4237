"""Zero-shot evaluation: what a trained objective, or a bare encoder, predicts in every language, and the
scores. Results are rows of (task, language, metric, value, n, perturbation), predictions rows of one example
each."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import torch

from xlt_utils.data import labelled, perturb
from xlt_utils.data.tasks import Task
from xlt_utils.evaluation import bitext_mining, metrics, predict
from xlt_utils.training import encoders
from xlt_utils.training.encoding import Encoded, encode, examples
from xlt_utils.training.objectives import TaskHead


@dataclass
class EvaluationConfig:
    """What a test is made with: the data, the tokenizer, the pieces a row at most, the examples a language at most
    and the perturbations (kind, share of the words) under which each test is repeated."""

    data: str
    tokenizer: object
    length: int
    limit: int | None = None
    perturbations: Sequence[tuple[str, float]] = ()

    def encode(self, task: Task, part: str, language: str, side: str = "", perturbation=None) -> Encoded:
        """The examples of a part of a task as this setting's pieces."""
        given = {"limit": self.limit, "side": side, "perturbation": perturbation}
        return encode(task, part, self.data, language, self.tokenizer, self.length, **given)

    def examples(self, task: Task, part: str, language: str, perturbation=None) -> labelled.Examples:
        """The same examples as they were read, before they become pieces."""
        return examples(task, part, self.data, language, limit=self.limit, perturbation=perturbation)


@dataclass
class Evaluation:
    """What tests gave: result rows, prediction rows, and by language what was read and what was dropped."""

    results: list[dict] = field(default_factory=list)
    predictions: list[dict] = field(default_factory=list)
    facts: dict[str, dict] = field(default_factory=dict)

    def add(self, task: Task, language: str, scores: dict[str, float], n: int, part="test", perturbation=None) -> None:
        """The scores of one test as result rows; the task's main score is marked, on unperturbed tests alone."""
        scores = scores | {task.metric: metrics.main_score(task.metric, scores)}
        under = perturb.label(*perturbation) if perturbation else ""
        for metric, value in scores.items():
            if under and metric != task.metric:
                continue
            is_main = part == "test" and metric == task.metric and not under
            name = metric if part == "test" else f"{part} {metric}"
            row = {"task": task.name, "language": language, "metric": name, "value": value, "n": n}
            self.results.append(row | {"main": is_main, "perturbation": under})

    def note(self, language: str, facts: dict, perturbation=None) -> None:
        """What was read and dropped for a language's test; of a perturbation, how many of the words it reaches."""
        if perturbation:
            self.facts[language].setdefault("reach", {})[perturbation[0]] = facts["reach"]
        else:
            self.facts[language] = dict(facts)

    def predict(self, task: Task, language: str, rows: Iterator[tuple[str, str, str]], perturbation=None) -> None:
        """The predictions of one test, given as (id, gold, predicted)."""
        under = perturb.label(*perturbation) if perturbation else ""
        head = {"task": task.name, "language": language, "perturbation": under}
        self.predictions += [head | {"id": name, "gold": gold, "predicted": answer} for name, gold, answer in rows]


def evaluate_task(objective: TaskHead, part: str, languages: Sequence[str], setting: EvaluationConfig) -> Evaluation:
    """Score a trained objective in each language on a part (`test` or `development`) of its task."""
    task, found = objective.task, Evaluation()
    threshold = None
    if task.unanswerable and part != "development":
        encoded, questions = setting.encode(task, "development", "en"), setting.examples(task, "development", "en")
        gold, answers = _answers(objective, encoded, questions)
        threshold = metrics.best_spans(gold, *zip(*answers, strict=True))["best_f1_thresh"]
    for language in languages:
        for perturbation in [None, *(setting.perturbations if part == "test" else ())]:
            encoded = setting.encode(task, part, language, perturbation=perturbation)
            if task.format == "span":
                questions = setting.examples(task, part, language, perturbation)
                scores, rows = _test_spans(objective, encoded, questions, language, threshold)
            else:
                gold, answers = predict.gold_labels(task, encoded), predict.predict_labels(objective, encoded)
                scores = _SCORES[task.format](task, gold, answers)
                names = [[_text(task, one) for one in side] for side in (gold, answers)]
                rows = zip(encoded.ids.tolist(), *names, strict=True)
            found.add(task, language, scores, len(encoded.ids), part, perturbation)
            found.note(language, encoded.facts, perturbation)
            if part == "test":
                found.predict(task, language, rows, perturbation)
    return found


def evaluate_retrieval(
    model: torch.nn.Module, task: Task, languages: Sequence[str], setting: EvaluationConfig
) -> Evaluation:
    """Score a bare encoder on a task that trains nothing, at every layer in one pass; the main score is that of
    encoders.default_layer.

    Retrieval finds each English sentence's translation among a language's sentences; mining finds the pairs of two
    sides that are translations (mining.py).
    """
    found, deepest = Evaluation(), model.config.num_hidden_layers
    chosen = encoders.default_layer(deepest)
    for language in languages:
        if language == "en":
            continue
        for perturbation in [None, *setting.perturbations]:
            layers = [chosen] if perturbation else range(deepest + 1)
            tested = _RETRIEVERS[task.format](model, task, language, setting, perturbation, layers)
            scores, rows = tested.layers[chosen]
            found.add(task, language, scores, tested.n, perturbation=perturbation)
            found.predict(task, language, rows, perturbation)
            found.note(language, tested.facts, perturbation)
            for layer, (scores, _) in tested.layers.items() if not perturbation else ():
                row = {"task": task.name, "language": language, "metric": f"{task.metric}, layer {layer}"}
                row |= {"value": scores[task.metric], "n": tested.n, "main": False, "perturbation": ""}
                found.results.append(row)
    return found


@dataclass
class _Tested:
    """Scores and predictions by layer, over `n` examples."""

    layers: dict[int, tuple[dict[str, float], list[tuple[str, str, str]]]]
    n: int
    facts: dict


def _translations(model, task: Task, language: str, setting: EvaluationConfig, perturbation, layers) -> _Tested:
    queries = setting.encode(task, "test", language, side="text2")
    candidates = setting.encode(task, "test", language, side="text", perturbation=perturbation)
    left, right, tested = predict.sentence_vectors(model, queries), predict.sentence_vectors(model, candidates), {}
    for layer in layers:
        answers = metrics.nearest_candidates(left[layer], right[layer]).tolist()
        scores = {"accuracy": metrics.accuracy(list(range(len(answers))), answers)}
        numbered = enumerate(zip(queries.ids.tolist(), answers, strict=True))
        tested[layer] = scores, [(name, str(place), str(answer)) for place, (name, answer) in numbered]
    return _Tested(tested, len(queries.ids), candidates.facts)


def _mined_pairs(model, task: Task, language: str, setting: EvaluationConfig, perturbation, layers) -> _Tested:
    def mined(part: str, under) -> tuple[dict[int, bitext_mining.Mined], list, dict]:
        foreign, english, gold = labelled.read_sides(task, part, setting.data, language, setting.limit)
        sides = [
            setting.encode(task, part, language, "foreign", under),
            setting.encode(task, part, language, "english"),
        ]
        left, right = (predict.sentence_vectors(model, side) for side in sides)
        found = {layer: bitext_mining.candidates(foreign, english, (left[layer], right[layer])) for layer in layers}
        return found, gold, sides[0].facts

    found, gold, facts = mined("test", perturbation)
    splits = {labelled.gold_split(task, part, setting.data, language).place for part in ("test", "development")}
    tuned_on = {}  # one gold set is cross-fitted
    if len(splits) > 1:
        development, wanted, _ = mined("development", None)
        tuned_on = {layer: (development[layer], wanted) for layer in layers}
    tested, translation = {}, dict(gold)
    for layer in layers:
        pairs, scores = bitext_mining.score_mining(found[layer], gold, tuned_on.get(layer))
        tested[layer] = scores, [(name, translation.get(name, ""), answer) for name, answer in pairs]
    return _Tested(tested, len(gold), facts)


_RETRIEVERS: dict[str, Callable[..., _Tested]] = {"retrieval": _translations, "mining": _mined_pairs}


def _answers(objective: TaskHead, encoded: Encoded, questions: labelled.Examples):
    """Gold answers (a list of texts each) and predictions (text, margin) of encoded questions."""
    gold = [[one["text"] for one in row["answers"]] for row in questions]
    spans = zip(questions, predict.predict_answers(objective, encoded), strict=True)
    return gold, [(row["context"][a:b].strip(), margin) for row, (a, b, margin) in spans]


def _test_spans(objective: TaskHead, encoded: Encoded, questions: labelled.Examples, language: str, threshold):
    """The scores of the answers to encoded questions and their prediction rows. Unanswerable questions are left
    unanswered above the `threshold`; on development data, where it is tuned, the scores are SQuAD 2.0's best ones."""
    gold, answers = _answers(objective, encoded, questions)
    texts, margins = zip(*answers, strict=True)
    if objective.task.unanswerable and threshold is None:
        best = metrics.best_spans(gold, texts, margins)
        scores = {"exact_match": best["best_exact"], "f1": best["best_f1"]}
    else:
        texts = texts if threshold is None else metrics.abstain(texts, margins, threshold)
        scores = metrics.spans(gold, texts, language if objective.task.rules == "mlqa" else None)
    wanted = [json.dumps(one, ensure_ascii=False) for one in gold]
    return scores, zip(encoded.ids.tolist(), wanted, texts, strict=True)


def _label_scores(task: Task, gold: list[int], answers: list[int]) -> dict[str, float]:
    scores = {"accuracy": metrics.accuracy(gold, answers)}
    return scores | ({"f1": metrics.binary_f1(gold, answers)} if "f1" in task.metric else {})


def _tag_scores(task: Task, gold: list[list[int]], answers: list[list[int]]) -> dict[str, float]:
    if task.metric == "accuracy":  # categories are no spans
        return {"accuracy": metrics.accuracy(*([tag for tags in side for tag in tags] for side in (gold, answers)))}
    return metrics.chunk_scores(*([[task.labels[tag] for tag in tags] for tags in side] for side in (gold, answers)))


_SCORES = {"classification": _label_scores, "choice": _label_scores, "tagging": _tag_scores}


def _text(task: Task, answer) -> str:
    return " ".join(task.labels[tag] for tag in answer) if isinstance(answer, list) else task.labels[answer]
