"""What an encoder is trained for: masked pieces, sentence labels, word labels. An objective takes a batch of
batches.py and gives a loss; the task objectives also give logits. One head a format."""

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from xlt_utils.batches import IGNORED
from xlt_utils.tasks import Task

# How each architecture of transformers turns hidden states into pieces: called on the masked places only,
# since the vocabulary is the widest product of a small encoder.
VOCABULARY_HEADS = {
    "modernbert": lambda model, hidden: model.decoder(model.head(hidden)),
    "xlm-roberta": lambda model, hidden: model.lm_head(hidden),
}


class MaskedLM(nn.Module):
    """Masked language modelling with the checkpoint's own head."""

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model
        self.head = VOCABULARY_HEADS[model.config.model_type]

    def loss(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """Mean cross entropy at the masked places of packed sequences, in nats a piece."""
        hidden = self.model.base_model(input_ids=batch["input_ids"]).last_hidden_state
        logits = self.head(self.model, hidden.flatten(0, 1)[batch["places"]])
        return cross_entropy(logits.float(), batch["labels"])


class Labelling(nn.Module):
    """A task's head on an encoder: one label a sentence (`classification`) or one a word (`tagging`).

    Sentences are pooled as the checkpoint's `classifier_pooling` says: by the mean of their pieces or, where it
    says nothing, by the first piece as XLM-R's. The head's weights depend on the seed alone.
    """

    def __init__(self, model: nn.Module, task: Task, seed: int):
        super().__init__()
        width = model.config.hidden_size
        torch.manual_seed(seed)
        self.task, self.encoder = task, model.base_model
        self.pools_mean = getattr(model.config, "classifier_pooling", "cls") == "mean"
        first = [nn.Linear(width, width), nn.GELU()] if task.format == "classification" else []
        self.head = nn.Sequential(*first, nn.Linear(width, len(task.labels)))

    def forward(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """Logits, `(batch, labels)` for sentences and `(batch, pieces, labels)` for words."""
        mask = batch["attention_mask"]
        hidden = self.encoder(input_ids=batch["input_ids"], attention_mask=mask).last_hidden_state
        if self.task.format == "classification":
            hidden = mean_of_pieces(hidden, mask) if self.pools_mean else hidden[:, 0]
        return self.head(hidden)

    def loss(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """Mean cross entropy over the sentences, or over the words, of the batch."""
        logits = self(batch).float()
        return cross_entropy(logits.flatten(0, -2), batch["labels"].flatten(), ignore_index=IGNORED)


def mean_of_pieces(hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Mean over the unmasked pieces: `(batch, pieces, width)` and `(batch, pieces)` give `(batch, width)`."""
    weights = mask.unsqueeze(-1).to(hidden.dtype)
    return (hidden * weights).sum(1) / weights.sum(1)
