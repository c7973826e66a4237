"""The masked-LM head of a checkpoint that brings none. A random head would send noise into a trained encoder, and P
would measure that damage. So the head is trained first, through the input embeddings and with the encoder frozen, until
its loss settles; only then does P count. In go the objective and its text, out come the trained head and its cost."""

import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from xlt_utils.training import costs, loop, schedules
from xlt_utils.training.corpus import Corpus
from xlt_utils.training.encoders import head_parameters
from xlt_utils.training.objectives import MaskedLM

WINDOW = 10  # points of the curve, which has a hundred or more: a tenth of the tokens at most
LEAST_GAIN = 0.01  # of a window's mean loss over the next


@dataclass(frozen=True)
class HeadWarmup:
    """What a head's training took: its curve and cost in this run, which are empty where the rung below trained it, and
    what a record says of it (no fact where there was nothing to train)."""

    curve: list[dict]
    cost: dict[str, float]
    facts: dict[str, Any]


def warm_up(
    objective: MaskedLM,
    text: Corpus,
    settings: dict[str, Any] | None,
    *,
    state: Path,
    below: Path | None,
    seed: int,
    sequences: int,
    batch: int,
    mask_rate: float,
    micro_batch: int | None = None,
    devices: int = 1,
) -> HeadWarmup:
    """Train an objective's masked-LM head until its loss settles; the encoder and its embeddings keep every bit.

    The text is the corpus's own, from the other end of the seed's order than the rung's.

    Args:
        objective: its head is trained in place.
        text: what the rung reads.
        settings: `tokens` at most, in whole steps, and the `learning_rate`; None: there is nothing to train.
        state: the run's folder of checkpoints.
        below: that of the rung below, which has trained the head already.
        seed: decides the order of the text.
        sequences: those of the rung, to count what it reads again.
        batch: sequences a step.
        mask_rate: the share of the tokens to predict.
        micro_batch: sequences that a device holds at once; None: all.
        devices: processes that share each batch.
    """
    if settings is None:
        return HeadWarmup([], {}, {})
    steps = -(-settings["tokens"] // (batch * text.length))
    constant = schedules.ladder_schedule(settings["learning_rate"], steps // 100, steps, cooldown=0.0)
    batch_at = text.batches_from_the_end(seed, steps, batch, mask_rate)
    trained_below = below / "head" / "trunk" if below else None
    options: dict[str, Any] = {"micro_batch": micro_batch, "devices": devices, "is_settled": is_settled}
    options |= {"state": state / "head", "previous": trained_below}
    curve = loop.train(_HeadOnly(objective), batch_at, constant, seed=seed, **options)
    objective.requires_grad_(True)

    steps = curve[-1]["step"]
    new_steps = steps - loop.first_step(trained_below)
    facts = {
        "tokens": steps * batch * text.length,
        "steps": steps,
        "first loss": curve[0]["loss"],
        "last loss": statistics.mean(_losses(curve)[-WINDOW:]),
        "settled": is_settled(curve),
        "tokens also in P": text.tokens_of_both_ends(seed, sequences, steps * batch),
    }
    cost = costs.head_cost(objective.model.config, text.length, new_steps, batch, mask_rate)
    return HeadWarmup(curve if new_steps else [], cost, facts)


def is_settled(curve: list[dict]) -> bool:
    """Whether the mean loss of the last ten points is less than 1 % below that of the ten before. It is asked once in
    ten points, so that chance has fewer tries."""
    losses = _losses(curve)
    if len(losses) < 2 * WINDOW or len(losses) % WINDOW:
        return False
    before, last = statistics.mean(losses[-2 * WINDOW : -WINDOW]), statistics.mean(losses[-WINDOW:])
    return last > before * (1 - LEAST_GAIN)


def _losses(curve: list[dict]) -> list[float]:
    return [point["loss"] for point in curve]


class _HeadOnly(nn.Module):
    """The objective with all frozen but the head's own weights, and the encoder as it predicts: without dropout."""

    def __init__(self, objective: MaskedLM):
        super().__init__()
        self.objective = objective
        objective.requires_grad_(False)
        for weights in head_parameters(objective.model).values():
            weights.requires_grad_(True)

    def train(self, mode: bool = True) -> "_HeadOnly":
        super().train(mode)
        self.objective.model.base_model.eval()
        return self

    def forward(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        return self.objective(batch)
