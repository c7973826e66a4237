"""What training costs, as records hold it: tokens, examples, steps and floating-point operations (FLOPs). The counts
follow from an encoder's configuration and the number and length of its sequences."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from xlt_utils.training.encoding import Encoded

COST_FIELDS = ("tokens", "examples", "steps", "flops")


def example_cost(config: Any, encoded: Encoded, rows: np.ndarray, steps: int, batch: int) -> dict[str, float]:
    """The cost of `steps` on labelled examples. Padding is not counted: tokens are the mean length of `rows` times
    the rows that `steps` batches hold."""
    length = float(encoded.lengths()[rows].mean()) if len(rows) else 0.0
    tokens = round(steps * batch * encoded.options * length)
    flops = count_flops(config, tokens, length)
    return {"tokens": tokens, "examples": steps * batch, "steps": steps, "flops": flops}


def text_cost(config: Any, length: int, steps: int, batch: int, mask_rate: float) -> dict[str, float]:
    """The cost of `steps` of masked-LM training on batches of `batch` sequences of `length` tokens."""
    tokens = steps * batch * length
    flops = count_flops(config, tokens, length, predicted=mask_rate)
    return {"tokens": tokens, "examples": steps * batch, "steps": steps, "flops": flops}


def head_cost(config: Any, length: int, steps: int, batch: int, mask_rate: float) -> dict[str, float]:
    """The cost of `steps` that train a masked-LM head alone. The backward pass goes once through each of the head's
    matrices, through the embeddings to reach the head's own weights, and not into the frozen encoder."""
    tokens = steps * batch * length
    flops = count_flops(config, tokens, length, training=False, predicted=2 * mask_rate)
    return {"tokens": tokens, "examples": steps * batch, "steps": steps, "flops": flops}


def total_cost(costs: Iterable[dict[str, float]]) -> dict[str, float]:
    """The sum of several costs, field by field."""
    costs = list(costs)
    return {name: sum(cost.get(name, 0) for cost in costs) for name in COST_FIELDS}


def encoder_weights(config: Any) -> int:
    """The weights of the encoder's layers, without embeddings and heads: what FLOP counts are made of."""
    width, layers = config.hidden_size, config.num_hidden_layers
    feed_forward_matrices = 3 if config.model_type == "modernbert" else 2  # with a gate, or without
    return layers * (4 * width**2 + feed_forward_matrices * width * config.intermediate_size)


def count_flops(config: Any, tokens: float, length: float, *, training: bool = True, predicted: float = 0.0) -> float:
    """Floating-point operations for tokens in sequences of some length.

    Forward, a token costs 2 a weight (Kaplan et al. 2020, §2.1), 4 · layers · width · length for attention, and the
    vocabulary head where it is predicted. Forward and backward together cost three times that.

    Args:
        config: the encoder's configuration.
        tokens: all tokens.
        length: tokens in a sequence.
        training: whether there is a backward pass.
        predicted: the share of the tokens that go through the vocabulary head.
    """
    width = config.hidden_size
    forward = 2 * encoder_weights(config) + 4 * config.num_hidden_layers * width * length
    forward += predicted * 2 * width * (width + config.vocab_size)
    return (3.0 if training else 1.0) * forward * tokens
