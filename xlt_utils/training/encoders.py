"""Encoders: made from scratch by transformers' own classes, or loaded from a checkpoint. A checkpoint is a folder that
`AutoModel` and `AutoTokenizer` read too. Weights are safetensors only, and no code of a checkpoint is ever run."""

from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForMaskedLM,
    ModernBertConfig,
    PretrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    XLMRobertaConfig,
)
from transformers.models.modernbert import modeling_modernbert
from transformers.utils import logging

from xlt_utils.files import lfs_pointer
from xlt_utils.training.hardware import attention_kernel
from xlt_utils.training.tokenization import StartError, load_tokenizer, locate_checkpoint


def make_config(
    architecture: str | None, *, layers: int, width: int, heads: int, vocabulary: int, length: int
) -> PretrainedConfig:
    """The configuration of a scratch encoder.

    ModernBERT here attends globally in every layer (the sequences are short) and has gated feed-forward layers of
    twice the width, so that both architectures have about 12 · width² weights a layer. Sentences are pooled by the
    mean of their tokens: encoders this small do not learn to fill one summary token.

    Args:
        architecture: `modernbert` (also None) or `xlm-roberta`.
        layers, width, heads: the encoder's shape.
        vocabulary: tokens in the vocabulary.
        length: tokens in the longest sequence; at least 512 have positions.
    """
    shared: dict[str, Any] = {"hidden_size": width, "num_hidden_layers": layers, "num_attention_heads": heads}
    shared |= {"vocab_size": vocabulary, "classifier_pooling": "mean"}
    shared |= {"bos_token_id": 0, "cls_token_id": 0, "pad_token_id": 1, "eos_token_id": 2, "sep_token_id": 2}
    if architecture in (None, "modernbert"):
        return ModernBertConfig(
            **shared,
            intermediate_size=2 * width,
            max_position_embeddings=max(length, 512),
            global_attn_every_n_layers=1,  # type: ignore[call-arg]  # one of its **kwargs
        )
    if architecture == "xlm-roberta":
        return XLMRobertaConfig(
            **shared,
            intermediate_size=4 * width,
            max_position_embeddings=max(length, 512) + 2,
            type_vocab_size=1,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
        )
    raise ValueError(f"architecture: {architecture!r} is neither 'modernbert' nor 'xlm-roberta'")


def starting_encoder(
    start: str, architecture: str | None, seed: int, pooling: str | None = None, **shape: Any
) -> tuple[PreTrainedModel, bool]:
    """What phase 1 starts from: random weights, or a checkpoint. A checkpoint without a masked-LM head gets a random
    one, which predicts through its input embeddings.

    Args:
        start: `scratch`, or a checkpoint as `load_encoder` takes it.
        architecture, **shape: as `make_config` takes them; a checkpoint has its own.
        seed: decides random weights.
        pooling: of sentences, `first` token or `mean`; kept in the configuration's `classifier_pooling`.

    Returns:
        The encoder with its masked-LM head, and whether that head belongs to it: False for a random one on a trained
        encoder.
    """
    if start == "scratch":
        model, brings_head = create_encoder(make_config(architecture, **shape), seed), True
    else:
        model, brings_head = _load_weights(start, AutoModelForMaskedLM, seed)
        if not brings_head:
            model.config.tie_word_embeddings = True
            model.all_tied_weights_keys = model.get_expanded_tied_weights_keys(all_submodels=True)
            model.tie_weights()
    if pooling:
        model.config.classifier_pooling = {"first": "cls", "mean": "mean"}[pooling]
    return model, brings_head


def head_parameters(model: PreTrainedModel) -> dict[str, torch.nn.Parameter]:
    """The masked-LM head's own parameters by name: those that it does not share with the encoder, such as the tied
    embeddings."""
    encoder = {id(weights) for weights in model.base_model.parameters()}
    return {name: weights for name, weights in model.named_parameters() if id(weights) not in encoder}


def create_encoder(config: PretrainedConfig, seed: int) -> PreTrainedModel:
    """An encoder with random weights and its masked-LM head; the same seed gives the same weights."""
    modeling_modernbert.apply_rotary_pos_emb = apply_rotary_positions
    torch.manual_seed(seed)
    return AutoModelForMaskedLM.from_config(config, attn_implementation=attention_kernel())


def save_encoder(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Write encoder, masked-LM head and tokenizer as a transformers checkpoint folder."""
    model.save_pretrained(folder)
    # how far it truncated and padded when it was last called is no part of what is saved: an interrupted run ends alike
    tokenizer.backend_tokenizer.no_truncation()
    tokenizer.backend_tokenizer.no_padding()
    tokenizer.save_pretrained(folder)


def load_encoder(start: str | Path) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """Load a checkpoint's encoder, in fp32 and with its masked-LM head if it has one, and its tokenizer.

    Args:
        start: a folder, or a hub id, with a revision after `@` if one is pinned.

    Raises:
        StartError: it is no checkpoint, has no safetensors (pickled weights run code when they are read), no fast
            tokenizer, code of its own, lacks weights of the encoder, or holds some that are not finite.
    """
    tokenizer = load_tokenizer(start)
    return _load_weights(start)[0], tokenizer


def _load_weights(start: str | Path, auto_class: Any = None, seed: int = 0) -> tuple[PreTrainedModel, bool]:
    """A checkpoint as `auto_class` (left out, as the class that its configuration names), with random weights of this
    seed for what the checkpoint lacks; and whether it brings a masked-LM head."""
    location, options = locate_checkpoint(start)
    modeling_modernbert.apply_rotary_pos_emb = apply_rotary_positions
    logging.set_verbosity_error()  # transformers reports a fresh head, which is expected here
    logging.disable_progress_bar()
    try:
        config = AutoConfig.from_pretrained(location, **options)
        names_head = any(name.endswith("ForMaskedLM") for name in config.architectures or ())
        auto_class = auto_class or (AutoModelForMaskedLM if names_head else AutoModel)
        weights = {"use_safetensors": True, "dtype": torch.float32, "attn_implementation": attention_kernel()}
        torch.manual_seed(seed)
        model, report = auto_class.from_pretrained(
            location, config=config, output_loading_info=True, **weights, **options
        )
    except Exception as error:  # transformers and safetensors raise what their readers raise
        pointer = lfs_pointer(Path(location)) if Path(location).is_dir() else None
        reason = f"{pointer} is a pointer of Git LFS: the file itself was not fetched" if pointer else error
        raise StartError(f"{start}: no encoder to start from: {reason}") from error
    head, missing = set(head_parameters(model)), set(report["missing_keys"])
    _refuse_broken_weights(start, model, missing)
    return model, not head or not head <= missing


def _refuse_broken_weights(start: str | Path, model: PreTrainedModel, missing: set[str]) -> None:
    """Raise StartError where weights of the encoder are `missing`, whose place transformers fills with random ones, or
    any are not finite. A pooler is none of them: the study has its own."""
    prefix = "" if model.base_model is model else f"{model.base_model_prefix}."
    lacking = [
        name for name, _ in model.base_model.named_parameters() if prefix + name in missing and "pooler" not in name
    ]
    broken = [name for name, weights in model.named_parameters() if not torch.isfinite(weights).all()]
    for fault, names in (("lacks weights of the encoder", lacking), ("holds weights that are not finite", broken)):
        if names:
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            raise StartError(f"{start}: {fault}: {', '.join(names[:3])}{more}")


def default_layer(layers: int) -> int:
    """The layer that retrieval reads: XLM-R Large's 14th of 24 (Hu et al. 2020, §A), scaled to the depth."""
    return max(1, round(layers * 14 / 24))


def apply_rotary_positions(
    query: torch.Tensor, key: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor, unsqueeze_dim: int = 1
) -> tuple[torch.Tensor, torch.Tensor]:
    """Rotary position embeddings (Su et al. 2021, arXiv 2104.09864, equation 34) in the precision of the products.

    It replaces ModernBERT's own function, which converts to fp32 and back: on the CPU that is a tenth of a training
    step. Takes and gives query and key `(batch, heads, time, width of a head)`; `cos` and `sin` are
    `(batch, time, width of a head)`.
    """
    half = query.shape[-1] // 2
    cos, sin = (table.unsqueeze(unsqueeze_dim)[..., :half].to(query.dtype) for table in (cos, sin))

    def rotate(states: torch.Tensor) -> torch.Tensor:
        x, y = states[..., :half], states[..., half:]
        return torch.cat([torch.addcmul(x * cos, y, sin, value=-1), torch.addcmul(y * cos, x, sin)], dim=-1)

    return rotate(query), rotate(key)
