"""Predictions. In go a trained objective, or a bare encoder, and encoded examples; out come labels, answers, sentence
vectors, or the loss on held-out text. Rows of similar length go through the encoder together."""

import contextlib
from collections.abc import Iterator

import numpy as np
import torch
from torch import nn
from transformers import PreTrainedModel

from xlt_utils.data.tasks import Task
from xlt_utils.training import hardware
from xlt_utils.training.corpus import Corpus
from xlt_utils.training.encoding import IGNORED, Encoded
from xlt_utils.training.objectives import MaskedLM, TaskHead, mean_of_tokens

# Padded tokens in a batch: bounds the memory, changes no prediction by more than rounding. On a CPU fewer are faster.
MAX_BATCH_TOKENS = {"cpu": 2_048, "cuda": 8_192}
N_BEST = 20  # first and last tokens of an answer that are combined (SQuAD's n-best)
MAX_ANSWER_TOKENS = 30


class NotFinite(ValueError):
    """Weights that give no numbers: what they predict would be scored as if it were a guess."""


@torch.inference_mode()
def predict_labels(objective: TaskHead, encoded: Encoded) -> list:
    """The predicted label of each example: an index, or for tagging a list of them, one a word."""
    rows: list = [None] * len(encoded)
    for places, batch in _by_length(encoded):
        best = _logits(objective, batch).argmax(-1).cpu().numpy()
        if objective.task.format == "tagging":
            is_word = batch["labels"].numpy() != IGNORED
            labels = [line[mask].tolist() for line, mask in zip(best, is_word, strict=True)]
        else:
            labels = best.tolist()
        for place, label in zip(places, labels, strict=True):
            rows[place] = label
    return _join_rows(rows, encoded.sentences) if objective.task.format == "tagging" else rows


def gold_labels(task: Task, encoded: Encoded) -> list:
    """The gold labels in the form of `predict_labels`."""
    if task.format != "tagging":
        return encoded.labels.tolist()
    rows = [encoded.labels[a:b] for a, b in zip(encoded.starts[:-1], encoded.starts[1:], strict=True)]
    return _join_rows([row[row != IGNORED].tolist() for row in rows], encoded.sentences)


@torch.inference_mode()
def predict_answers(objective: TaskHead, encoded: Encoded) -> list[tuple[int, int, float]]:
    """The best span of each example over all windows of its context: its first and last character (exclusive), and
    its margin, the score of no answer minus its own. Where no window has a span both are 0 and the margin is inf.

    The best combination of N_BEST first and N_BEST last tokens, at most MAX_ANSWER_TOKENS long; the score of no answer
    is that of the first token in the window where it is lowest (Rajpurkar et al. 2018; Devlin et al. 2019, §4.3).
    """
    best = [(-np.inf, 0, 0)] * encoded.examples
    no_answer = [np.inf] * encoded.examples
    for places, batch in _by_length(encoded):
        logits = _logits(objective, batch)
        no_answer_scores = logits[:, 0].sum(-1)
        offsets = np.full((*logits.shape[:2], 2), -1, dtype=np.int64)
        for line, row in enumerate(encoded.rows(places)):
            offsets[line, : row.stop - row.start] = encoded.offsets[row]
        outside = torch.from_numpy(offsets[..., 0] < 0).to(logits.device)
        inside = logits.masked_fill(outside.unsqueeze(-1), -torch.inf)
        (firsts, first), (lasts, last) = (inside[..., side].topk(min(N_BEST, inside.shape[1])) for side in (0, 1))
        length = last.unsqueeze(1) - first.unsqueeze(2) + 1
        is_span = (length >= 1) & (length <= MAX_ANSWER_TOKENS)
        scores = (firsts.unsqueeze(2) + lasts.unsqueeze(1)).masked_fill(~is_span, -torch.inf)
        top, place = scores.flatten(1).max(1)
        best_first = first.gather(1, (place // lasts.shape[1]).unsqueeze(1)).squeeze(1).cpu().numpy()
        best_last = last.gather(1, (place % lasts.shape[1]).unsqueeze(1)).squeeze(1).cpu().numpy()
        for line, item in enumerate(places.tolist()):
            example = int(encoded.sentences[item])
            no_answer[example] = min(no_answer[example], no_answer_scores[line].item())
            if top[line] > best[example][0]:
                span = int(offsets[line, best_first[line], 0]), int(offsets[line, best_last[line], 1])
                best[example] = (top[line].item(), *span)
    return [(a, b, float(none - score)) for (score, a, b), none in zip(best, no_answer, strict=True)]


@torch.inference_mode()
def sentence_vectors(model: PreTrainedModel, encoded: Encoded) -> np.ndarray:
    """The mean of each sentence's tokens at every layer, `(layers + 1, sentences, width)`; layer 0 is the embedding."""
    config = model.config
    means = np.zeros((config.num_hidden_layers + 1, len(encoded), config.hidden_size), dtype=np.float32)
    device = hardware.device()
    model.to(device).eval()  # type: ignore[arg-type]  # transformers wraps `to`
    for places, batch in _by_length(encoded):
        mask = batch["attention_mask"].to(device)
        with hardware.autocast(), _fused_attention(model):
            output = model.base_model(batch["input_ids"].to(device), attention_mask=mask, output_hidden_states=True)
        for layer, hidden in enumerate(output.hidden_states):
            means[layer, places] = mean_of_tokens(hidden.float(), mask).cpu().numpy()
    if not np.isfinite(means).all():
        raise NotFinite("sentence vectors are not finite: the encoder's weights, or its precision, are broken")
    return means


@torch.inference_mode()
def held_out_loss(objective: MaskedLM, text: Corpus, mask_rate: float) -> dict[str, float]:
    """The masked-LM loss on each language's held-out text, in nats a token."""
    losses = {}
    for language in text.languages:
        held_out = text.validation_batch(language, mask_rate)
        batch = {name: tensor.to(hardware.device()) for name, tensor in held_out.items()}
        with hardware.autocast():
            losses[language] = objective(batch).item()
    return losses


def _logits(objective: TaskHead, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    with hardware.autocast(), _fused_attention(objective):
        logits = objective.logits({name: tensor.to(hardware.device()) for name, tensor in batch.items()}).float()
    if logits.isnan().any():
        raise NotFinite(f"{objective.task.name}: predictions are not finite: the weights, or the precision, are broken")
    return logits


@contextlib.contextmanager
def _fused_attention(objective: nn.Module) -> Iterator[None]:
    """PyTorch's fused attention, whose backward pass is what is slow on a CPU (hardware.attention_kernel): predictions
    take two thirds of the time, of long texts a third."""
    encoders = [part for part in objective.modules() if isinstance(part, PreTrainedModel) and part._supports_sdpa]
    kernels = [encoder.config._attn_implementation for encoder in encoders]
    for encoder in encoders:
        encoder.set_attn_implementation("sdpa")
    try:
        yield
    finally:
        for encoder, kernel in zip(encoders, kernels, strict=True):
            encoder.set_attn_implementation(kernel)


def _by_length(encoded: Encoded) -> Iterator[tuple[np.ndarray, dict[str, torch.Tensor]]]:
    """Items of similar length together, so that little is padded; at most MAX_BATCH_TOKENS padded tokens a batch."""
    lengths, most = encoded.lengths() * encoded.options, MAX_BATCH_TOKENS[hardware.device().type]
    order = np.argsort(lengths, kind="stable")
    start = 0
    while start < len(order):
        stop = start + 1
        while stop < len(order) and (stop + 1 - start) * lengths[order[stop]] <= most:
            stop += 1
        yield order[start:stop], encoded.batch(order[start:stop].tolist())
        start = stop


def _join_rows(rows: list[list], sentences: np.ndarray) -> list[list]:
    """The rows of each sentence as one."""
    joined: list[list] = [[] for _ in range(int(sentences[-1]) + 1)]
    for row, sentence in zip(rows, sentences.tolist(), strict=True):
        joined[sentence].extend(row)
    return joined
