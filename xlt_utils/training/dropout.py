"""Dropout whose masks are cheap to draw. On a CPU PyTorch draws a float for each element, which is a sixth of a
training step of a 12-layer encoder; here each takes 16 random bits."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch.nn import functional

LEVELS = 2**16
_torch_dropout = functional.dropout


@contextmanager
def cheap_dropout() -> Iterator[None]:
    """A context in which every dropout on the CPU, of any module, draws its mask as `dropout` does."""
    functional.dropout = dropout
    try:
        yield
    finally:
        functional.dropout = _torch_dropout


def dropout(input: torch.Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> torch.Tensor:
    """As torch.nn.functional.dropout, from other random numbers of the same generator; `p` is rounded to a multiple of
    1/65,536, and what is kept is scaled by the rounded `p`, so that the expectation is exact."""
    level = round(p * LEVELS)
    if not training or not 0 < level < LEVELS or input.device.type != "cpu":
        return _torch_dropout(input, p, training, inplace)
    count, threshold = input.numel(), level - LEVELS // 2
    words = torch.empty(-(-count // 4), dtype=torch.int64).random_(-(2**63), None)  # all 64 bits
    # 1 where the 16 bits, read as -32,768 to 32,767, reach the threshold, else 0: a comparison takes thrice the time
    is_kept = words.view(torch.int16)[:count].clamp_(threshold - 1, threshold).sub_(threshold - 1)
    mask = is_kept.view(input.shape).to(input.dtype).mul_(LEVELS / (LEVELS - level))
    return input.mul_(mask) if inplace else input * mask
