"""Dropout whose masks are cheap to draw has the law of PyTorch's: its share, its scale and its gradient."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from xlt_utils.training.dropout import cheap_dropout, dropout


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_each_element_is_dropped_with_the_probability_and_the_others_are_scaled(p, dtype):
    torch.manual_seed(0)
    kept = dropout(torch.ones(1_000, 1_001, dtype=dtype), p)
    share = (kept == 0).float().mean().item()
    assert abs(share - p) < 4 * (p * (1 - p) / 1_001_000) ** 0.5
    assert kept.dtype == dtype and kept.unique().numel() == 2
    assert kept.max().item() == pytest.approx(1 / (1 - p), rel=1e-3 if dtype == torch.float32 else 1e-2)


def test_elements_are_dropped_independently():
    torch.manual_seed(0)
    is_kept = (dropout(torch.ones(1_000_000), 0.5) > 0).float()
    for lag in (1, 2, 3, 4, 8, 64):  # four share one random number of 64 bits
        assert abs((is_kept[lag:] * is_kept[:-lag]).mean() - 0.25) < 0.002


def test_the_seed_decides_and_the_gradient_passes_where_the_value_did():
    values = torch.randn(33, 7, requires_grad=True)
    torch.manual_seed(1)
    dropped = dropout(values, 0.3)
    torch.manual_seed(1)
    assert torch.equal(dropout(values, 0.3), dropped)
    dropped.sum().backward()
    assert torch.allclose(values.grad * values, dropped)


@pytest.mark.parametrize(("p", "training"), [(0.0, True), (1.0, True), (0.5, False)])
def test_what_takes_no_random_numbers_is_as_in_pytorch(p, training):
    values = torch.randn(5)
    assert torch.equal(dropout(values, p, training), functional.dropout(values, p, training))


def test_modules_use_it_inside_the_context_alone():
    values, module = torch.randn(1000), nn.Dropout(0.5)

    def drawn(how) -> torch.Tensor:
        torch.manual_seed(0)
        return how(values)

    before = drawn(module)
    with pytest.raises(RuntimeError), cheap_dropout():
        assert torch.equal(drawn(module), drawn(lambda values: dropout(values, 0.5)))
        assert not torch.equal(drawn(module), before)
        raise RuntimeError
    assert torch.equal(drawn(module), before)
