"""The part of a vocabulary that a run sees. Most weights of a multilingual encoder are its embedding (seven of ten
in a small one of 12 layers), and English examples use a few of its rows: those alone get a gradient. In goes an
objective and the tokens of its batches; while it is trained, its embedding is those rows. AdamW moves a row without
a gradient by its decay alone, which is one factor for all such rows and is applied at the end. So the result is
that of training the whole embedding, to rounding, without its gradient, moments and checkpoints."""

from collections.abc import Callable

import numpy as np
import torch
from torch import nn
from transformers import PreTrainedModel

WORTHWHILE = 4_000_000  # weights of an embedding below which the optimiser's share of a step is small
LARGEST_SHARE = 0.5  # of the rows: an encoder that sees more of them is trained whole


class SeenRows(nn.Embedding):
    """The rows of an embedding that a run sees, by the ids of the whole. The others, in tests while it is trained, are
    the `whole` embedding's times `scale`."""

    def __init__(self, whole: nn.Embedding, rows: torch.Tensor):
        padding = None if whole.padding_idx is None else int(torch.searchsorted(rows, whole.padding_idx))
        super().__init__(len(rows), whole.embedding_dim, padding_idx=padding, _weight=whole.weight.detach()[rows])
        self.whole, self.scale = whole.requires_grad_(False), 1.0
        self.register_buffer("rows", rows, persistent=False)
        self.rows: torch.Tensor

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """The embeddings of ids of the whole vocabulary. Raises ValueError in training on an id that is not among the
        rows."""
        places = torch.searchsorted(self.rows, ids).clamp(max=len(self.rows) - 1)
        is_seen = self.rows[places] == ids
        if not self.training:
            return torch.where(is_seen.unsqueeze(-1), super().forward(places), self.whole(ids) * self.scale)
        if not is_seen.all():
            raise ValueError(
                f"token {ids[~is_seen][0].item()} is in a batch, but not among the {len(self.rows)} announced"
            )
        return super().forward(places)


class SeenVocabulary:
    """An objective's embedding cut to the rows of some tokens, until `restore`. Nothing is cut where that would save
    little: of a small embedding, or one of which half is seen.

    Args:
        objective: with an encoder of transformers, and no masked-LM head: that head reads the whole vocabulary.
        tokens: the ids in its batches; None: any.
        decay: what weight decay leaves of a weight without a gradient after so many steps.
    """

    def __init__(self, objective: nn.Module, tokens: np.ndarray | None, decay: Callable[[int], float]):
        self._rows: SeenRows | None = None
        self._decay = decay
        encoders = (part for part in objective.modules() if isinstance(part, PreTrainedModel))
        if tokens is None or (encoder := next(encoders, None)) is None:
            return
        self._encoder, whole = encoder, encoder.get_input_embeddings()
        if type(whole) is not nn.Embedding or not whole.weight.requires_grad:
            return
        # also what packed rows are filled up with, and the row that never has a gradient
        ids = np.union1d(tokens, [encoder.config.pad_token_id or 0, whole.padding_idx or 0])
        if whole.weight.numel() >= WORTHWHILE and len(ids) <= LARGEST_SHARE * len(whole.weight):
            self._rows = SeenRows(whole, torch.from_numpy(ids).long().to(whole.weight.device))
            encoder.set_input_embeddings(self._rows)

    def settle(self, step: int) -> None:
        """Let tests of the objective see the rows that no batch holds as they are after so many steps."""
        if self._rows:
            self._rows.scale = self._decay(step)

    @torch.no_grad()
    def restore(self, step: int) -> None:
        """Give the objective its whole embedding again, as it is after so many steps."""
        if self._rows:
            whole = self._rows.whole.requires_grad_(True)
            whole.weight.mul_(self._decay(step))
            whole.weight[self._rows.rows] = self._rows.weight.detach()
            self._encoder.set_input_embeddings(whole)
