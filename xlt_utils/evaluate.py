"""Zero-shot evaluation: what a trained objective, or a bare encoder, predicts in every language, and the
scores. Results are rows of (task, language, metric, value, n), predictions rows of one example each."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from xlt_utils import encoders, metrics
from xlt_utils.batches import IGNORED, Encoded, Text, encode
from xlt_utils.objectives import Labelling, MaskedLM, mean_of_pieces
from xlt_utils.tasks import Task

PIECES = 8_192  # padded pieces in a batch at the most: bounds the memory, changes no prediction by more than rounding


@torch.inference_mode()
def label(objective: Labelling, encoded: Encoded) -> list:
    """The predicted label of each example: an index, or for tagging a list of them, one a word."""
    rows: list = [None] * len(encoded)
    for places, batch in _by_length(encoded):
        with encoders.autocast():
            logits = objective({name: tensor.to(encoders.device()) for name, tensor in batch.items()})
        best = logits.float().argmax(-1).cpu().numpy()
        if objective.task.format == "tagging":
            words = batch["labels"].numpy() != IGNORED
            best = [line[mask].tolist() for line, mask in zip(best, words, strict=True)]
        for place, answer in zip(places, best, strict=True):
            rows[place] = answer if isinstance(answer, list) else int(answer)
    return _joined(rows, encoded.sentences) if objective.task.format == "tagging" else rows


def gold(task: Task, encoded: Encoded) -> list:
    """The gold labels in the form that `label` gives its predictions."""
    if task.format != "tagging":
        return encoded.labels.tolist()
    tags = [encoded.labels[a:b] for a, b in zip(encoded.starts[:-1], encoded.starts[1:], strict=True)]
    return _joined([line[line != IGNORED].tolist() for line in tags], encoded.sentences)


def test(
    objective: Labelling, part: str, data: str, languages: Sequence[str], tokenizer, length: int, limit: int | None
) -> tuple[list[dict], list[dict]]:
    """Score a trained objective in each language on a part (`test` or `development`) of its task.

    Gives the result rows and the prediction rows. The task's own metric is its main score; on development data
    the metric's name says so and nothing is a main score.
    """
    task, results, predictions = objective.task, [], []
    for language in languages:
        encoded = encode(task, part, data, language, tokenizer, length, limit)
        wanted, found = gold(task, encoded), label(objective, encoded)
        for metric, value in _scores(task, wanted, found).items():
            is_main = part == "test" and metric == task.metric
            name = metric if part == "test" else f"{part} {metric}"
            results.append(_row(task, language, name, value, len(wanted), is_main))
        if part == "test":
            names = np.unique(encoded.ids).tolist() if task.format == "tagging" else encoded.ids.tolist()
            for name, right, answer in zip(names, wanted, found, strict=True):
                example = {"task": task.name, "language": language, "id": str(name)}
                predictions.append(example | {"gold": _text(task, right), "predicted": _text(task, answer)})
    return results, predictions


def retrieve(
    model: torch.nn.Module, task: Task, data: str, languages: Sequence[str], tokenizer, length: int, limit: int | None
) -> tuple[list[dict], list[dict]]:
    """Score a bare encoder on finding each English sentence's translation among a language's sentences.

    English is the query, as in XTREME's script. Every layer is scored in one pass; the task's main score is that
    of encoders.default_layer.
    """
    results, predictions, chosen = [], [], encoders.default_layer(model.config.num_hidden_layers)
    for language in languages:
        if language == "en":
            continue
        sides = [encode(task, "test", data, language, tokenizer, length, limit, side) for side in ("text2", "text")]
        queries, candidates = (sentence_vectors(model, side) for side in sides)
        for layer in range(len(queries)):
            found = metrics.retrieve(queries[layer], candidates[layer])
            value = metrics.accuracy(list(range(len(found))), found.tolist())
            results.append(_row(task, language, f"accuracy, layer {layer}", value, len(found), False))
            if layer == chosen:
                results.append(_row(task, language, task.metric, value, len(found), True))
                for place, answer in enumerate(found.tolist()):
                    example = {"task": task.name, "language": language, "id": str(place)}
                    predictions.append(example | {"gold": str(place), "predicted": str(answer)})
    return results, predictions


@torch.inference_mode()
def sentence_vectors(model: torch.nn.Module, encoded: Encoded) -> np.ndarray:
    """The mean of each sentence's pieces at every layer, `(layers + 1, sentences, width)`; layer 0 is the embedding."""
    config = model.config
    vectors = np.zeros((config.num_hidden_layers + 1, len(encoded), config.hidden_size), dtype=np.float32)
    device = encoders.device()
    model.to(device).eval()
    for places, batch in _by_length(encoded):
        mask = batch["attention_mask"].to(device)
        with encoders.autocast():
            output = model.base_model(batch["input_ids"].to(device), attention_mask=mask, output_hidden_states=True)
        for layer, hidden in enumerate(output.hidden_states):
            vectors[layer, places] = mean_of_pieces(hidden.float(), mask).cpu().numpy()
    return vectors


@torch.inference_mode()
def held_out_loss(objective: MaskedLM, text: Text, mask_rate: float) -> dict[str, float]:
    """The masked-LM loss on each language's held-out text, in nats a piece."""
    losses = {}
    for language in text.languages:
        batch = {name: tensor.to(encoders.device()) for name, tensor in text.validation(language, mask_rate).items()}
        with encoders.autocast():
            losses[language] = objective.loss(batch).item()
    return losses


def _by_length(encoded: Encoded) -> Iterator[tuple[np.ndarray, dict[str, torch.Tensor]]]:
    """Rows of like length together, so that little is padded; at most PIECES padded pieces a batch."""
    lengths = np.diff(encoded.starts)
    order = np.argsort(lengths, kind="stable")
    start = 0
    while start < len(order):
        stop = start + 1
        while stop < len(order) and (stop + 1 - start) * lengths[order[stop]] <= PIECES:
            stop += 1
        yield order[start:stop], encoded.batch(order[start:stop].tolist())
        start = stop


def _joined(rows: list[list], sentences: np.ndarray) -> list[list]:
    joined: list[list] = [[] for _ in range(int(sentences[-1]) + 1)]
    for row, sentence in zip(rows, sentences.tolist(), strict=True):
        joined[sentence].extend(row)
    return joined


def _scores(task: Task, wanted: list, found: list) -> dict[str, float]:
    if task.format == "tagging":
        names = [[[task.labels[tag] for tag in tags] for tags in side] for side in (wanted, found)]
        scores = metrics.chunk_scores(*names)
        return {"f1": scores["f1"], "accuracy": scores["accuracy"]}
    return {"accuracy": metrics.accuracy(wanted, found)}


def _row(task: Task, language: str, metric: str, value: float, n: int, is_main: bool) -> dict:
    return {"task": task.name, "language": language, "metric": metric, "value": value, "n": n, "main": is_main}


def _text(task: Task, answer) -> str:
    return " ".join(task.labels[tag] for tag in answer) if isinstance(answer, list) else task.labels[answer]
