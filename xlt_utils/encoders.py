"""Encoders and their vocabularies: made from scratch by transformers' own classes, saved and loaded as
transformers saves them, counted in parameters and FLOPs. A checkpoint is a folder that `AutoModel` and
`AutoTokenizer` read too; weights are safetensors only and no code of a checkpoint is ever run."""

import hashlib
import io
import json
import os
from collections.abc import Iterable
from pathlib import Path

import torch
from accelerate import Accelerator, DistributedDataParallelKwargs
from sentencepiece import SentencePieceProcessor, SentencePieceTrainer
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForMaskedLM,
    AutoTokenizer,
    ModernBertConfig,
    PreTrainedTokenizerFast,
    XLMRobertaConfig,
)
from transformers.models.modernbert import modeling_modernbert
from transformers.utils import logging

from xlt_utils import paths

SPECIAL = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")  # XLM-R's own names; ids 0 to 4
_IDS = {"bos_token_id": 0, "cls_token_id": 0, "pad_token_id": 1, "eos_token_id": 2, "sep_token_id": 2}


def train_vocabulary(lines: Iterable[str], size: int) -> Tokenizer:
    """Train a unigram vocabulary of at most `size` pieces (Kudo 2018) with SentencePiece, as XLM-R's.

    The same lines give the same pieces with the same scores (the trainer of `tokenizers` breaks ties by the
    order of a hash table). A small text may hold fewer pieces than `size`.
    """
    written, ids = io.BytesIO(), {"bos_id": 0, "pad_id": 1, "eos_id": 2, "unk_id": 3}
    limits = {"vocab_size": size - 1, "hard_vocab_limit": False, "character_coverage": 1.0, "num_threads": 1}
    SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_writer=written, model_type="unigram", minloglevel=2, **limits, **ids
    )
    model = SentencePieceProcessor(model_proto=written.getvalue())
    pieces = [(model.id_to_piece(i), model.get_score(i)) for i in range(len(SPECIAL) - 1, len(model))]
    tokenizer = Tokenizer(models.Unigram([*((token, 0.0) for token in SPECIAL), *pieces], unk_id=3))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(r"\s+"), " ")])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.add_special_tokens(list(SPECIAL))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return tokenizer


def wrap(tokenizer: Tokenizer) -> PreTrainedTokenizerFast:
    """The tokenizer in the form that transformers saves beside a checkpoint."""
    names = {"bos": "<s>", "cls": "<s>", "pad": "<pad>", "eos": "</s>", "sep": "</s>", "unk": "<unk>", "mask": "<mask>"}
    tokens = {f"{role}_token": token for role, token in names.items()}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **tokens)


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


def begin(
    start: str, architecture: str | None, seed: int, pooling: str | None = None, **shape: int | None
) -> torch.nn.Module:
    """What phase 1 starts from: random weights of this shape where `start` is `scratch`, else a checkpoint. `pooling`
    of sentences, `first` piece or `mean`, is kept in the checkpoint's `classifier_pooling`."""
    model = create(configuration(architecture, **shape), seed) if start == "scratch" else load(start, pretrains=True)[0]
    if pooling:
        model.config.classifier_pooling = {"first": "cls", "mean": "mean"}[pooling]
    return model


def create(config, seed: int) -> torch.nn.Module:
    """An encoder with random weights and its masked-LM head; the same seed gives the same weights."""
    modeling_modernbert.apply_rotary_pos_emb = rotate
    torch.manual_seed(seed)
    return AutoModelForMaskedLM.from_config(config, attn_implementation=attention())


def save(model: torch.nn.Module, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Write encoder, masked-LM head and tokenizer as a transformers checkpoint folder."""
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


class CheckpointFault(ValueError):
    """A checkpoint that is not there or that this study cannot start from; the message says what is missing."""


def load(start: str | Path, pretrains: bool = False) -> tuple[torch.nn.Module, PreTrainedTokenizerFast]:
    """A checkpoint's encoder and its tokenizer, in fp32: with the masked-LM head where the checkpoint has one or,
    with a fresh one, where `pretrains` asks for it.

    `start` is a folder, or a hub id with a revision after `@` where one is pinned. Raises CheckpointFault where it is
    no checkpoint, has no safetensors (pickled weights run code when they are read), no fast tokenizer, or code of its
    own.
    """
    place, options = _place(start)
    tokenizer = tokenizer_of(start)
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


def tokenizer_of(start: str | Path) -> PreTrainedTokenizerFast:
    """The tokenizer of a checkpoint, without its weights. Raises CheckpointFault where there is none that is fast and
    has the tokens that the study sets."""
    place, options = _place(start)
    try:
        tokenizer = AutoTokenizer.from_pretrained(place, **options)
    except (OSError, ValueError, ImportError) as error:
        raise CheckpointFault(f"{start}: no tokenizer: {error}") from error
    for needed in ("cls_token_id", "sep_token_id", "pad_token_id"):
        if not tokenizer.is_fast or getattr(tokenizer, needed) is None:
            raise CheckpointFault(f"{start}: the study needs a fast tokenizer with {needed}")
    return tokenizer


def _place(start: str | Path) -> tuple[str, dict]:
    """What transformers loads, and how: a folder, or a hub id at its revision; never code of a checkpoint."""
    folder = paths.resolve(start)
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            raise CheckpointFault(
                f"{folder}: no checkpoint here (expected config.json, model.safetensors, tokenizer.json)"
            )
        return str(folder), {"local_files_only": True, "trust_remote_code": False}
    name, _, revision = str(start).partition("@")
    if name.count("/") != 1 or name.startswith((".", "/")):
        raise CheckpointFault(f"{start}: no such folder (looked at {folder}), and no hub id (owner/name@revision)")
    return name, {"revision": revision or None, "trust_remote_code": False}


def fingerprint(tokenizer: PreTrainedTokenizerFast) -> str:
    """The sha256 of a tokenizer's definition: what was encoded with it is named after it. How far it cut and padded
    when it was last called is no part of that."""
    definition = json.loads(tokenizer.backend_tokenizer.to_str()) | {"truncation": None, "padding": None}
    return hashlib.sha256(json.dumps(definition, sort_keys=True).encode()).hexdigest()


def default_layer(layers: int) -> int:
    """The layer that retrieval reads: XLM-R Large's 14th of 24 (Hu et al. 2020, §A), scaled to the depth."""
    return max(1, round(layers * 14 / 24))


def device() -> torch.device:
    """The first CUDA device where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def rotate(query: torch.Tensor, key: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor, unsqueeze_dim: int = 1):
    """Rotary positions (Su et al. 2021, arXiv 2104.09864, equation 34) in the products' own precision, in place of
    ModernBERT's own function, which turns to fp32 and back: on the CPU that is a tenth of a training step."""
    half = query.shape[-1] // 2
    cos, sin = (table.unsqueeze(unsqueeze_dim)[..., :half].to(query.dtype) for table in (cos, sin))

    def turned(states: torch.Tensor) -> torch.Tensor:
        one, other = states[..., :half], states[..., half:]
        return torch.cat([torch.addcmul(one * cos, other, sin, value=-1), torch.addcmul(other * cos, one, sin)], dim=-1)

    return turned(query), turned(key)


def attention() -> str:
    """PyTorch's fused attention on CUDA; plain products on the CPU, where the fused kernel's backward pass takes
    longer than all it saves at the lengths of a scratch encoder (a quarter of a training step at 64 pieces)."""
    return "sdpa" if torch.cuda.is_available() else "eager"


def precision() -> str:
    """`bf16` where the device multiplies bf16 in hardware, else `fp32`: weights stay fp32 either way."""
    if torch.cuda.is_available():
        return "bf16" if torch.cuda.is_bf16_supported() else "fp32"
    return "bf16" if torch.cpu._is_avx512_bf16_supported() else "fp32"


def accelerator() -> Accelerator:
    """What places a training on its devices and casts its products to `precision()`; the processes that
    train.py starts share each batch."""
    sparse = DistributedDataParallelKwargs(find_unused_parameters=True)  # a step trains one of several heads
    return Accelerator(
        cpu=not torch.cuda.is_available(),
        mixed_precision={"bf16": "bf16", "fp32": "no"}[precision()],
        kwargs_handlers=[sparse],
    )


def prepare(threads: int) -> None:
    """Fix what a result hangs on besides its seed: the CPU threads of this process and, on CUDA, deterministic
    kernels."""
    torch.set_num_threads(threads)
    if torch.cuda.is_available():
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True, warn_only=True)


def autocast() -> torch.autocast:
    """The context in which this device's matrix products run in `precision()`."""
    return torch.autocast(device().type, torch.bfloat16, enabled=precision() == "bf16")


def parameters(config) -> int:
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
    forward = 2 * parameters(config) + 4 * config.num_hidden_layers * width * length
    forward += predicted * 2 * width * (width + config.vocab_size)
    return (3.0 if training else 1.0) * forward * tokens
