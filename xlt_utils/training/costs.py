"""What training costs: tokens, examples, steps and floating-point operations, as records carry them."""

from collections.abc import Iterable

import numpy as np

from xlt_utils.training import costs as costs_module
from xlt_utils.training.encoding import Encoded

NAMES = ("tokens", "examples", "steps", "flops")


def example_cost(config, encoded: Encoded, rows: np.ndarray, steps: int, batch: int) -> dict[str, float]:
    """The cost of `steps` on labelled examples: real pieces, padding left out, `rows` saying how long they are."""
    length = encoded.lengths()[rows].mean() if len(rows) else 0.0
    tokens = round(steps * batch * encoded.options * length)
    flops = costs_module.flops(config, tokens, length)
    return {"tokens": tokens, "examples": steps * batch, "steps": steps, "flops": flops}


def text_cost(config, length: int, steps: int, batch: int, mask_rate: float) -> dict[str, float]:
    """The cost of `steps` of masked-LM training on sequences of `length`."""
    tokens = steps * batch * length
    flops = costs_module.flops(config, tokens, length, predicted=mask_rate)
    return {"tokens": tokens, "examples": steps * batch, "steps": steps, "flops": flops}


def total_cost(costs: Iterable[dict[str, float]]) -> dict[str, float]:
    """Several costs together."""
    costs = list(costs)
    return {name: sum(cost.get(name, 0) for cost in costs) for name in NAMES}


def encoder_weights(config) -> int:
    """The weights of the encoder's layers, embeddings and heads left out: what FLOP counts are made of."""
    width, layers = config.hidden_size, config.num_hidden_layers
    gates = 3 if config.model_type == "modernbert" else 2
    return layers * (4 * width**2 + gates * width * config.intermediate_size)


def flops(config, tokens: int, length: float, *, training: bool = True, predicted: float = 0.0) -> float:
    """Floating-point operations for `tokens` pieces in sequences of `length`.

    2 a weight and piece forward, three times that with the backward pass (Kaplan et al. 2020, §2.1), the
    attention's 4 · layers · width · length a piece, and the vocabulary head at the `predicted` share
    of the pieces.
    """
    width = config.hidden_size
    forward = 2 * encoder_weights(config) + 4 * config.num_hidden_layers * width * length
    forward += predicted * 2 * width * (width + config.vocab_size)
    return (3.0 if training else 1.0) * forward * tokens
