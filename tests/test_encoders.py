import pytest
import torch
from transformers import AutoModel, AutoTokenizer

from xlt_utils import encoders

SHAPE = {"layers": 2, "width": 32, "heads": 2, "vocabulary": 500, "length": 32}


@pytest.mark.parametrize("architecture", ["modernbert", "xlm-roberta"])
def test_a_checkpoint_is_one_that_transformers_reads(architecture, pieces, tmp_path):
    model = encoders.create(encoders.configuration(architecture, **SHAPE), seed=1)
    encoders.save(model, pieces.tokenizer, tmp_path)
    again, tokenizer = encoders.load(tmp_path)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), again.parameters(), strict=True))
    assert encoders.fingerprint(tokenizer) == encoders.fingerprint(pieces.tokenizer)
    AutoModel.from_pretrained(tmp_path), AutoTokenizer.from_pretrained(tmp_path)
    assert not list(tmp_path.glob("*.bin"))


def test_the_seed_decides_the_weights():
    config = encoders.configuration("modernbert", **SHAPE)
    one, same, other = (encoders.create(config, seed) for seed in (0, 0, 1))
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), same.parameters(), strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def test_a_folder_without_a_checkpoint_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no checkpoint here \(expected config.json"):
        encoders.load(tmp_path)


@pytest.mark.parametrize("architecture", ["modernbert", "xlm-roberta"])
def test_parameters_are_those_of_the_layers(architecture):
    config = encoders.configuration(architecture, **SHAPE)
    model = encoders.create(config, seed=0)
    layers = model.base_model.layers if architecture == "modernbert" else model.base_model.encoder.layer
    matrices = sum(p.numel() for p in layers.parameters() if p.ndim == 2)
    assert encoders.parameters(config) == matrices


def test_flops_agree_with_torchs_own_count(pieces):
    from torch.utils.flop_counter import FlopCounterMode

    config = encoders.configuration("modernbert", **SHAPE)
    model = encoders.create(config, seed=0).base_model
    model.set_attn_implementation("eager")  # torch counts no FLOPs of fused attention
    ids = torch.randint(5, 500, (4, 32))
    with FlopCounterMode(display=False) as counter:
        model(input_ids=ids)
    assert encoders.flops(config, ids.numel(), 32, training=False) == pytest.approx(counter.get_total_flops(), rel=0.02)


def test_a_text_has_its_pieces_and_nothing_is_unknown_in_its_own_sample(pieces):
    tokenizer = pieces.tokenizer
    assert tokenizer.convert_tokens_to_ids(["<s>", "<pad>", "</s>", "<unk>", "<mask>"]) == [0, 1, 2, 3, 4]
    ids = tokenizer("the the", "the")["input_ids"]
    assert ids[0] == 0 and ids.count(2) == 3 and tokenizer.unk_token_id not in ids


@pytest.mark.parametrize(("layers", "layer"), [(24, 14), (12, 7), (4, 2), (1, 1)])
def test_retrieval_reads_the_layer_of_xlm_r_scaled_to_the_depth(layers, layer):
    assert encoders.default_layer(layers) == layer
