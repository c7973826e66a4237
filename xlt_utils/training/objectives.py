"""What an encoder is trained for: masked tokens, the labels of a task, or several of these by turns. An objective is a
module that takes a batch (corpus.py, encoding.py) and gives its loss; that of a task also gives logits. Each task has a
head of its own, of a shape that the task's format decides."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn
from torch.nn.functional import cross_entropy
from transformers import PreTrainedModel

from xlt_utils.data.tasks import Task
from xlt_utils.training import packing
from xlt_utils.training.encoding import IGNORED

# How the common architectures of transformers turn hidden states into scores of tokens. They are called at the masked
# positions only, since the vocabulary is the widest product of a small encoder.
VOCABULARY_HEADS = {
    "modernbert": lambda model, hidden: model.decoder(model.head(hidden)),
    "xlm-roberta": lambda model, hidden: model.lm_head(hidden),
    "roberta": lambda model, hidden: model.lm_head(hidden),
    "bert": lambda model, hidden: model.cls(hidden),
}


class MaskedLM(nn.Module):
    """Masked language modelling with the checkpoint's own head."""

    def __init__(self, model: PreTrainedModel):
        super().__init__()
        self.model: Any = model
        self.vocabulary_head = VOCABULARY_HEADS.get(model.config.model_type)

    def forward(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """Mean cross entropy at the hidden positions of `input_ids` and `labels`, both `(batch, time)`, in nats a
        token."""
        labels = batch["labels"].flatten()
        hidden_positions = (labels != IGNORED).nonzero().squeeze(1)
        if self.vocabulary_head is None:  # an architecture that is not in the table gives logits at all positions
            logits = self.model(input_ids=batch["input_ids"]).logits.flatten(0, 1)[hidden_positions]
        else:
            states = self.model.base_model(input_ids=batch["input_ids"]).last_hidden_state
            logits = self.vocabulary_head(self.model, states.flatten(0, 1)[hidden_positions])
        return _mean_cross_entropy(logits.float(), labels[hidden_positions])


class TaskHead(nn.Module):
    """A task's head on an encoder: a score of each label (classification), of each option (choice), of each label at
    each token (tagging), or of each token as the answer's first and as its last (span).

    Sentences are pooled as the checkpoint's `classifier_pooling` says: by the mean of their tokens or, by default, by
    the first token as in XLM-R. The head's weights depend on the seed alone.
    """

    def __init__(self, model: PreTrainedModel, task: Task, seed: int):
        super().__init__()
        width = model.config.hidden_size
        torch.manual_seed(seed)
        self.task = task
        self.encoder: Any = model.base_model
        self.pools = task.format in ("classification", "choice")
        self.pools_mean = getattr(model.config, "classifier_pooling", "cls") == "mean"
        outputs = {"choice": 1, "span": 2}.get(task.format, len(task.labels))
        pooler = [nn.Linear(width, width), nn.GELU()] if self.pools else []
        self.head = nn.Sequential(*pooler, nn.Linear(width, outputs))

    def logits(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """Logits of `input_ids` under their `attention_mask`, both `(rows, time)`, of pairs with `token_type_ids`:
        `(items, labels)` for sentences and options, `(rows, time, labels)` for words, `(rows, time, 2)` for spans, with
        padding at minus infinity."""
        mask = batch["attention_mask"]
        states = packing.hidden_states(self.encoder, batch["input_ids"], mask, batch.get("token_type_ids"))
        if self.pools:
            states = mean_of_tokens(states, mask) if self.pools_mean else states[:, 0]
        logits = self.head(states).float()
        if self.task.format == "choice":
            return logits.view(-1, len(self.task.labels))
        return logits.masked_fill(mask.unsqueeze(-1) == 0, -torch.inf) if self.task.format == "span" else logits

    def forward(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """Mean cross entropy over the batch's sentences, words, or answers' first and last tokens."""
        logits = self.logits(batch)
        if self.task.format == "span":  # a choice among the tokens
            logits = logits.transpose(1, 2)
        return _mean_cross_entropy(logits.flatten(0, -2), batch["labels"].flatten())


class MultiTask(nn.Module):
    """Several objectives on one encoder, with a head each. A batch says in `part` which of them it trains: the name of
    a task, or `mlm` for the masked-LM objective."""

    def __init__(self, model: PreTrainedModel, tasks: Iterable[Task], seed: int, *, mlm: bool = False):
        super().__init__()
        self.heads = nn.ModuleDict({task.name: TaskHead(model, task, seed) for task in tasks})
        if mlm:
            self.heads["mlm"] = MaskedLM(model)

    def forward(self, batch: dict) -> torch.Tensor:
        """The loss of the batch's own objective."""
        return self.heads[batch["part"]](batch)


def mean_of_tokens(states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """The mean over the tokens that are no padding: `(batch, time, width)` and `(batch, time)` give
    `(batch, width)`."""
    weights = mask.unsqueeze(-1).to(states.dtype)
    return (states * weights).sum(1) / weights.sum(1)


def _mean_cross_entropy(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Over the labels that are not IGNORED; 0 if all are, as in some parts of a batch."""
    return cross_entropy(logits, labels, ignore_index=IGNORED, reduction="sum") / (labels != IGNORED).sum().clamp(min=1)
