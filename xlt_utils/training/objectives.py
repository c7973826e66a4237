"""What an encoder is trained for: masked pieces, the labels of a task, or several of these by turns. An objective is
called with a batch (text.py, encoding.py) and gives its loss; that of a task also gives logits. One head a task, of a
shape that its format says."""

from collections.abc import Iterable

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from xlt_utils.data.tasks import Task
from xlt_utils.training import packing
from xlt_utils.training.encoding import IGNORED

# How the common architectures of transformers turn hidden states into pieces: called on the masked places only,
# since the vocabulary is the widest product of a small encoder.
VOCABULARY_HEADS = {
    "modernbert": lambda model, hidden: model.decoder(model.head(hidden)),
    "xlm-roberta": lambda model, hidden: model.lm_head(hidden),
    "roberta": lambda model, hidden: model.lm_head(hidden),
    "bert": lambda model, hidden: model.cls(hidden),
}


class MaskedLM(nn.Module):
    """Masked language modelling with the checkpoint's own head."""

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model
        self.head = VOCABULARY_HEADS.get(model.config.model_type)

    def forward(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """Mean cross entropy at the hidden places of packed sequences, in nats a piece."""
        labels = batch["labels"].flatten()
        places = (labels != IGNORED).nonzero().squeeze(1)
        if self.head is None:  # an architecture that is not in the table gives the logits of all places
            logits = self.model(input_ids=batch["input_ids"]).logits.flatten(0, 1)[places]
        else:
            hidden = self.model.base_model(input_ids=batch["input_ids"]).last_hidden_state
            logits = self.head(self.model, hidden.flatten(0, 1)[places])
        return _mean(logits.float(), labels[places])


class TaskHead(nn.Module):
    """A task's head on an encoder: a score a label (classification), a score an option (choice), a score a label and
    piece (tagging), a score as the answer's first and as its last piece (span).

    Sentences are pooled as the checkpoint's `classifier_pooling` says: by the mean of their pieces or, where it
    says nothing, by the first piece as XLM-R's. The head's weights depend on the seed alone.
    """

    def __init__(self, model: nn.Module, task: Task, seed: int):
        super().__init__()
        width = model.config.hidden_size
        torch.manual_seed(seed)
        self.task, self.encoder = task, model.base_model
        self.pools = task.format in ("classification", "choice")
        self.pools_mean = getattr(model.config, "classifier_pooling", "cls") == "mean"
        outputs = {"choice": 1, "span": 2}.get(task.format, len(task.labels))
        first = [nn.Linear(width, width), nn.GELU()] if self.pools else []
        self.head = nn.Sequential(*first, nn.Linear(width, outputs))

    def logits(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """Logits: `(items, labels)` for sentences and options, `(rows, pieces, labels)` for words,
        `(rows, pieces, 2)` for spans, the padding's at minus infinity."""
        mask = batch["attention_mask"]
        hidden = packing.hidden_states(self.encoder, batch["input_ids"], mask)
        if self.pools:
            hidden = mean_of_tokens(hidden, mask) if self.pools_mean else hidden[:, 0]
        logits = self.head(hidden).float()
        if self.task.format == "choice":
            return logits.view(-1, len(self.task.labels))
        return logits.masked_fill(mask.unsqueeze(-1) == 0, -torch.inf) if self.task.format == "span" else logits

    def forward(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """Mean cross entropy over the batch's sentences, words, or answers' first and last pieces."""
        logits = self.logits(batch)
        if self.task.format == "span":  # a choice among the pieces
            logits = logits.transpose(1, 2)
        return _mean(logits.flatten(0, -2), batch["labels"].flatten())


class MultiTask(nn.Module):
    """Several objectives on one encoder, a head each: a batch says in `part` which of them it is for. The name `mlm`
    stands for the masked-LM objective, every other for that of a task."""

    def __init__(self, model: nn.Module, tasks: Iterable[Task], seed: int, *, mlm: bool = False):
        super().__init__()
        heads = {task.name: TaskHead(model, task, seed) for task in tasks}
        self.heads = nn.ModuleDict(heads | ({"mlm": MaskedLM(model)} if mlm else {}))

    def forward(self, batch: dict) -> torch.Tensor:
        """The loss of the batch's own objective."""
        return self.heads[batch["part"]](batch)


def mean_of_tokens(hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Mean over the unmasked pieces: `(batch, pieces, width)` and `(batch, pieces)` give `(batch, width)`."""
    weights = mask.unsqueeze(-1).to(hidden.dtype)
    return (hidden * weights).sum(1) / weights.sum(1)


def _mean(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Mean cross entropy at the labels that are not IGNORED; 0 where all are (a part of a batch may hold none)."""
    return cross_entropy(logits, labels, ignore_index=IGNORED, reduction="sum") / (labels != IGNORED).sum().clamp(min=1)
