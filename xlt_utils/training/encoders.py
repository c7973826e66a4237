"""Encoders and their vocabularies: made from scratch by transformers' own classes, saved and loaded as
transformers saves them, counted in parameters and FLOPs. A checkpoint is a folder that `AutoModel` and
`AutoTokenizer` read too; weights are safetensors only and no code of a checkpoint is ever run."""

from pathlib import Path

import torch
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForMaskedLM,
    ModernBertConfig,
    PreTrainedTokenizerFast,
    XLMRobertaConfig,
)
from transformers.models.modernbert import modeling_modernbert
from transformers.utils import logging

from xlt_utils.training.hardware import attention
from xlt_utils.training.tokenization import CheckpointFault, load_tokenizer, locate_checkpoint

_IDS = {"bos_token_id": 0, "cls_token_id": 0, "pad_token_id": 1, "eos_token_id": 2, "sep_token_id": 2}


def configuration(architecture: str | None, *, layers: int, width: int, heads: int, vocabulary: int, length: int):
    """The configuration of a scratch encoder, `modernbert` (also where none is named) or `xlm-roberta`.

    ModernBERT here attends globally in every layer (the sequences are short) and has gated units of
    twice the width, so that both forms have about 12 · width² weights a layer. Sentences are pooled by the
    mean of their pieces: encoders this small do not learn to fill one summary piece.
    """
    shape = {"hidden_size": width, "num_hidden_layers": layers, "num_attention_heads": heads, "vocab_size": vocabulary}
    if architecture in (None, "modernbert"):
        return ModernBertConfig(
            **shape,
            **_IDS,
            intermediate_size=2 * width,
            max_position_embeddings=max(length, 512),
            global_attn_every_n_layers=1,
            classifier_pooling="mean",
        )
    if architecture == "xlm-roberta":
        return XLMRobertaConfig(
            **shape,
            **_IDS,
            intermediate_size=4 * width,
            max_position_embeddings=max(length, 512) + 2,
            type_vocab_size=1,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
            classifier_pooling="mean",
        )
    raise ValueError(f"architecture: {architecture!r} is neither 'modernbert' nor 'xlm-roberta'")


def starting_encoder(
    start: str, architecture: str | None, seed: int, pooling: str | None = None, **shape: int | None
) -> torch.nn.Module:
    """What phase 1 starts from: random weights of this shape where `start` is `scratch`, else a checkpoint. `pooling`
    of sentences, `first` piece or `mean`, is kept in the checkpoint's `classifier_pooling`."""
    model = (
        create_encoder(configuration(architecture, **shape), seed)
        if start == "scratch"
        else load_encoder(start, pretrains=True)[0]
    )
    if pooling:
        model.config.classifier_pooling = {"first": "cls", "mean": "mean"}[pooling]
    return model


def create_encoder(config, seed: int) -> torch.nn.Module:
    """An encoder with random weights and its masked-LM head; the same seed gives the same weights."""
    modeling_modernbert.apply_rotary_pos_emb = rotate
    torch.manual_seed(seed)
    return AutoModelForMaskedLM.from_config(config, attn_implementation=attention())


def save_encoder(model: torch.nn.Module, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Write encoder, masked-LM head and tokenizer as a transformers checkpoint folder."""
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def load_encoder(start: str | Path, pretrains: bool = False) -> tuple[torch.nn.Module, PreTrainedTokenizerFast]:
    """A checkpoint's encoder and its tokenizer, in fp32: with the masked-LM head where the checkpoint has one or,
    with a fresh one, where `pretrains` asks for it.

    `start` is a folder, or a hub id with a revision after `@` where one is pinned. Raises CheckpointFault where it is
    no checkpoint, has no safetensors (pickled weights run code when they are read), no fast tokenizer, or code of its
    own.
    """
    place, options = locate_checkpoint(start)
    tokenizer = load_tokenizer(start)
    modeling_modernbert.apply_rotary_pos_emb = rotate
    logging.set_verbosity_error()  # reports of a fresh head and bars of a tiny load say nothing here
    logging.disable_progress_bar()
    try:
        config = AutoConfig.from_pretrained(place, **options)
        has_head = any(name.endswith("ForMaskedLM") for name in config.architectures or ())
        kind = AutoModelForMaskedLM if has_head or pretrains else AutoModel
        weights = {"use_safetensors": True, "dtype": torch.float32, "attn_implementation": attention()}
        torch.manual_seed(0)  # of a fresh masked-LM head
        model = kind.from_pretrained(place, config=config, **weights, **options)
    except (OSError, ValueError, ImportError) as error:
        raise CheckpointFault(f"{start}: no encoder to start from: {error}") from error
    return model, tokenizer


def default_layer(layers: int) -> int:
    """The layer that retrieval reads: XLM-R Large's 14th of 24 (Hu et al. 2020, §A), scaled to the depth."""
    return max(1, round(layers * 14 / 24))


def rotate(query: torch.Tensor, key: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor, unsqueeze_dim: int = 1):
    """Rotary positions (Su et al. 2021, arXiv 2104.09864, equation 34) in the products' own precision, in place of
    ModernBERT's own function, which turns to fp32 and back: on the CPU that is a tenth of a training step."""
    half = query.shape[-1] // 2
    cos, sin = (table.unsqueeze(unsqueeze_dim)[..., :half].to(query.dtype) for table in (cos, sin))

    def turned(states: torch.Tensor) -> torch.Tensor:
        one, other = states[..., :half], states[..., half:]
        return torch.cat([torch.addcmul(one * cos, other, sin, value=-1), torch.addcmul(other * cos, one, sin)], dim=-1)

    return turned(query), turned(key)
