"""What training costs: tokens, examples, steps and floating-point operations, as records carry them."""

from collections.abc import Iterable

import numpy as np

from xlt_utils import encoders
from xlt_utils.encoding import Encoded

NAMES = ("tokens", "examples", "steps", "flops")


def of_examples(config, encoded: Encoded, rows: np.ndarray, steps: int, batch: int) -> dict[str, float]:
    """The cost of `steps` on labelled examples: real pieces, padding left out, `rows` saying how long they are."""
    length = encoded.lengths()[rows].mean() if len(rows) else 0.0
    tokens = round(steps * batch * encoded.options * length)
    flops = encoders.flops(config, tokens, length)
    return {"tokens": tokens, "examples": steps * batch, "steps": steps, "flops": flops}


def of_text(config, length: int, steps: int, batch: int, mask_rate: float) -> dict[str, float]:
    """The cost of `steps` of masked-LM training on sequences of `length`."""
    tokens = steps * batch * length
    flops = encoders.flops(config, tokens, length, predicted=mask_rate)
    return {"tokens": tokens, "examples": steps * batch, "steps": steps, "flops": flops}


def total(costs: Iterable[dict[str, float]]) -> dict[str, float]:
    """Several costs together."""
    costs = list(costs)
    return {name: sum(cost.get(name, 0) for cost in costs) for name in NAMES}
