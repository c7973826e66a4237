"""Packed sequences: the states are those of the padded batch, and none sees what it shares its row with."""

import numpy as np
import pytest
import torch
from encoder_sizes import SIZES
from transformers import AutoModel, BertConfig, DistilBertConfig, ModernBertConfig, RobertaConfig

from xlt_utils.training import encoders, packing

SHAPE = {"layers": 2, "width": 32, "heads": 2, "vocabulary": 200, "length": 128}
CONFIGS = {
    "modernbert": encoders.make_config("modernbert", **SHAPE),
    "xlm-roberta": encoders.make_config("xlm-roberta", **SHAPE),
    "bert": BertConfig(**SIZES, pad_token_id=0),
    "roberta": RobertaConfig(**SIZES, max_position_embeddings=140),
    "roberta, padded with another token": RobertaConfig(**SIZES, max_position_embeddings=140, pad_token_id=3),
}
LENGTHS = [90, 7, 33, 12, 64, 5, 21, 48, 3, 16]


def encoder(config, attention="eager"):
    torch.manual_seed(0)
    return AutoModel.from_config(config, attn_implementation=attention).eval()


def padded(config, lengths=LENGTHS):
    ids = torch.randint(5, 200, (len(lengths), max(lengths)), generator=torch.Generator().manual_seed(1))
    mask = (torch.arange(max(lengths)) < torch.tensor(lengths).unsqueeze(1)).long()
    return ids.masked_fill(mask == 0, config.pad_token_id), mask


def shapes(model):
    """The shapes of the ids that an encoder is given from now on."""
    seen = []
    model.register_forward_pre_hook(
        lambda _, args, kwargs: seen.append(tuple(kwargs["input_ids"].shape)), with_kwargs=True
    )
    return seen


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("name", CONFIGS)
def test_states_and_gradients_are_those_of_the_padded_batch(name, attention):
    model = encoder(CONFIGS[name], attention)
    seen = shapes(model)
    ids, mask = padded(model.config)
    results = {}
    for way in ("packed", "padded"):
        model.zero_grad()
        if way == "packed":
            states = packing.hidden_states(model, ids, mask)
        else:
            states = model(input_ids=ids, attention_mask=mask).last_hidden_state
        states = states[mask > 0]
        (states * torch.linspace(-1, 1, states.numel()).view_as(states)).sum().backward()
        gradients = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
        results[way] = states.detach(), gradients
    assert seen == [(2, 160), (10, 90)]
    assert torch.allclose(results["packed"][0], results["padded"][0], atol=1e-5)
    assert results["packed"][1].keys() == results["padded"][1].keys()
    for name, gradient in results["packed"][1].items():
        assert torch.allclose(gradient, results["padded"][1][name], atol=1e-4), name


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("name", CONFIGS)
def test_a_sequence_never_sees_its_neighbours(name, attention):
    model = encoder(CONFIGS[name], attention)
    ids, mask = padded(model.config)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        before = packing.hidden_states(model, ids, mask)
        ids[3, :12] = torch.arange(100, 112)
        after = packing.hidden_states(model, ids, mask)
    assert [n for n, row in enumerate(mask) if not torch.equal(before[n][row > 0], after[n][row > 0])] == [3]


@pytest.mark.parametrize(
    "config",
    [
        ModernBertConfig(**SIZES, global_attn_every_n_layers=3, local_attention=8),
        DistilBertConfig(dim=32, n_layers=2, n_heads=2, hidden_dim=64, vocab_size=200),
    ],
    ids=["a window of neighbours", "an unknown architecture"],
)
def test_what_cannot_be_packed_goes_through_as_it_comes(config):
    config.pad_token_id = 0
    model = encoder(config)
    seen = shapes(model)
    ids, mask = padded(config)
    with torch.no_grad():
        assert packing.first_position(config) is None
        states = packing.hidden_states(model, ids, mask)
        assert torch.equal(states, model(input_ids=ids, attention_mask=mask).last_hidden_state)
    assert seen == [(10, 90), (10, 90)]


def test_a_batch_with_little_padding_is_not_packed():
    model = encoder(CONFIGS["modernbert"])
    seen = shapes(model)
    packing.hidden_states(model, *padded(model.config, [60, 64, 62, 63]))
    assert seen == [(4, 64)]


def test_every_sequence_has_its_row_and_little_is_wasted():
    random = np.random.default_rng(0)
    for _ in range(300):
        longest = int(random.integers(1, 200))
        lengths = random.integers(1, longest + 1, size=random.integers(1, 65)).tolist()
        rows, width = packing.pack_rows(lengths)
        filled = [sum(lengths[sequence] for sequence in row) for row in rows]
        assert sorted(sequence for row in rows for sequence in row) == list(range(len(lengths)))
        widest = max(packing.ROW_WIDTHS[1], max(lengths))
        assert max(filled) <= width < widest + packing.WIDTH_STEP and width % packing.WIDTH_STEP == 0
        for earlier, row in enumerate(rows):  # no row has room for a sequence of a later one
            assert all(filled[earlier] + lengths[n] > width for later in rows[earlier + 1 :] for n in later), row
        if len(lengths) == 64 and longest <= 64:
            assert sum(lengths) > 0.8 * len(rows) * width - width


def test_rows_are_as_wide_as_takes_the_fewest_tokens():
    assert packing.pack_rows([50] * 9) == ([[0, 1, 2], [3, 4, 5], [6, 7, 8]], 160)
    assert packing.pack_rows([70] * 4) == ([[0, 1], [2, 3]], 144)
    assert packing.pack_rows([60] * 8)[1] == 64  # 128 takes as many tokens, and attention grows with the width
    assert packing.pack_rows([200, 1]) == ([[0, 1]], 208)
