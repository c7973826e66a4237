"""Encoders: a checkpoint is one that transformers reads, and any encoder is a start."""

import pytest
import torch
from transformers import (
    AutoModel,
    AutoTokenizer,
    BertConfig,
    BertModel,
    ModernBertConfig,
    ModernBertForMaskedLM,
)

from xlt_utils.training import costs, encoders, objectives, tokenization, trial

SHAPE = {"layers": 2, "width": 32, "heads": 2, "vocabulary": 500, "length": 32}


@pytest.mark.parametrize("architecture", ["modernbert", "xlm-roberta"])
def test_a_checkpoint_is_one_that_transformers_reads(architecture, vocabulary, tmp_path):
    shape = SHAPE | {"vocabulary": len(vocabulary.tokenizer)}
    model = encoders.create_encoder(encoders.make_config(architecture, **shape), seed=1)
    encoders.save_encoder(model, vocabulary.tokenizer, tmp_path)
    again, tokenizer = encoders.load_encoder(tmp_path)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), again.parameters(), strict=True))
    assert tokenization.tokenizer_fingerprint(tokenizer) == tokenization.tokenizer_fingerprint(vocabulary.tokenizer)
    AutoModel.from_pretrained(tmp_path), AutoTokenizer.from_pretrained(tmp_path)
    assert not list(tmp_path.glob("*.bin"))


def test_what_is_saved_does_not_depend_on_how_the_tokenizer_was_last_called(vocabulary, tmp_path):
    model = BertModel(
        BertConfig(vocab_size=len(vocabulary.tokenizer), hidden_size=8, num_attention_heads=2, num_hidden_layers=1)
    )
    for name, call in {
        "one": {"truncation": True, "max_length": 9},
        "other": {"padding": "max_length", "max_length": 5},
    }.items():
        vocabulary.tokenizer(["a text"], **call)
        encoders.save_encoder(model, vocabulary.tokenizer, tmp_path / name)
    assert len({(tmp_path / name / "tokenizer.json").read_bytes() for name in ("one", "other")}) == 1


def test_the_seed_decides_the_weights():
    config = encoders.make_config("modernbert", **SHAPE)
    model, same, other = (encoders.create_encoder(config, seed) for seed in (0, 0, 1))
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), same.parameters(), strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(model.parameters(), other.parameters(), strict=True))


def test_a_folder_without_a_checkpoint_is_named(tmp_path):
    with pytest.raises(tokenization.StartError, match=r"no checkpoint here \(expected config.json"):
        encoders.load_encoder(tmp_path)


@pytest.mark.parametrize(
    ("start", "expected"),
    [("no/such/place/at/all", "no such folder"), ("nowhere", "no hub id"), ("../nowhere", "no such folder")],
)
def test_a_start_that_is_neither_folder_nor_hub_id_is_named(start, expected):
    with pytest.raises(tokenization.StartError, match=f"^{start}.*{expected}"):
        encoders.load_encoder(start)


def save_bert(folder, tokenizer, **options):
    shape = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    model = BertModel(BertConfig(**shape, vocab_size=len(tokenizer), pad_token_id=1), add_pooling_layer=False)
    model.half().save_pretrained(folder, **options)
    tokenizer.save_pretrained(folder)
    return model


def test_any_encoder_with_safetensors_and_a_fast_tokenizer_is_a_start(vocabulary, tmp_path):
    saved = save_bert(tmp_path, vocabulary.tokenizer)
    model, tokenizer = encoders.load_encoder(tmp_path)
    assert model.dtype == torch.float32 and len(tokenizer) == len(vocabulary.tokenizer)
    weights = saved.embeddings.word_embeddings.weight.float()
    assert torch.equal(model.base_model.embeddings.word_embeddings.weight, weights)
    # With a masked-LM head, it can be pretrained further.
    learner = objectives.MaskedLM(encoders.starting_encoder(str(tmp_path), None, seed=0)[0])
    ids = torch.randint(5, 500, (2, 8))
    assert torch.isfinite(learner({"input_ids": ids, "labels": ids}))


def test_a_checkpoint_with_windows_of_attention_is_a_start(vocabulary, tmp_path):
    """ModernBERT's and mmBERT's form: two layers of three see a window, here of 4 tokens to each side, and rows are
    longer than that and than the positions that the configuration names."""
    shape = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    ids = {f"{name}_token_id": number for number, name in enumerate(("bos", "pad", "eos"))}
    config = ModernBertConfig(
        **shape, **ids, vocab_size=len(vocabulary.tokenizer), local_attention=8, max_position_embeddings=32
    )
    config.layer_types = ["sliding_attention", "sliding_attention"]
    torch.manual_seed(0)
    encoders.save_encoder(ModernBertForMaskedLM(config), vocabulary.tokenizer, tmp_path)
    model, brings_head = encoders.starting_encoder(str(tmp_path), None, seed=0)
    trial.try_encoder("a checkpoint", model, vocabulary.tokenizer, 64, masks=True)
    rows = torch.randint(5, 500, (2, 64), generator=torch.Generator().manual_seed(0))
    rows[1] = rows[0]
    rows[1, 40] += 1
    with torch.no_grad():
        states = model.base_model(rows).last_hidden_state
    changed = (states[0] != states[1]).any(-1).nonzero().flatten().tolist()
    assert brings_head and changed == list(range(40 - 2 * 4, 40 + 2 * 4 + 1))  # two layers reach twice as far


@pytest.mark.parametrize("architecture", ["modernbert", "xlm-roberta"])
def test_parameters_are_those_of_the_layers(architecture):
    config = encoders.make_config(architecture, **SHAPE)
    model = encoders.create_encoder(config, seed=0)
    layers = model.base_model.layers if architecture == "modernbert" else model.base_model.encoder.layer
    matrices = sum(p.numel() for p in layers.parameters() if p.ndim == 2)
    assert costs.encoder_weights(config) == matrices


def test_flops_agree_with_torchs_own_count(vocabulary):
    from torch.utils.flop_counter import FlopCounterMode

    config = encoders.make_config("modernbert", **SHAPE)
    model = encoders.create_encoder(config, seed=0).base_model
    model.set_attn_implementation("eager")  # torch counts no FLOPs of fused attention
    ids = torch.randint(5, 500, (4, 32))
    with FlopCounterMode(display=False) as counter:
        model(input_ids=ids)
    assert costs.count_flops(config, ids.numel(), 32, training=False) == pytest.approx(
        counter.get_total_flops(), rel=0.02
    )


def test_a_text_has_its_tokens_and_nothing_is_unknown_in_its_own_sample(vocabulary):
    tokenizer = vocabulary.tokenizer
    assert tokenizer.convert_tokens_to_ids(["<s>", "<pad>", "</s>", "<unk>", "<mask>"]) == [0, 1, 2, 3, 4]
    ids = tokenizer("the the", "the")["input_ids"]
    assert ids[0] == 0 and ids.count(2) == 3 and tokenizer.unk_token_id not in ids


@pytest.mark.parametrize(("layers", "layer"), [(24, 14), (12, 7), (4, 2), (1, 1)])
def test_retrieval_reads_the_layer_of_xlm_r_scaled_to_the_depth(layers, layer):
    assert encoders.default_layer(layers) == layer
