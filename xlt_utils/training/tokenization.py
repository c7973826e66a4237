"""Tokenizers: a vocabulary that is trained on a study's text, or that of a checkpoint. In go text or the name of a
checkpoint, a folder or a hub id; out comes a transformers tokenizer. No code of a checkpoint is ever run."""

import functools
import hashlib
import io
import itertools
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sentencepiece import SentencePieceProcessor, SentencePieceTrainer
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import AutoConfig, AutoTokenizer, PreTrainedTokenizerFast

from xlt_utils import paths
from xlt_utils.data import build_cache, decontaminate, loading, pretraining_text

SPECIAL = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")  # XLM-R's own names; ids 0 to 4


def train_vocabulary(lines: Iterable[str], size: int) -> Tokenizer:
    """Train a unigram vocabulary (Kudo 2018) with SentencePiece, as XLM-R's.

    The same lines give the same tokens with the same scores (the trainer of `tokenizers` breaks ties by the order of a
    hash table).

    Args:
        lines: the text, cleaned of what tests hold.
        size: tokens at most, special ones included; a small text may hold fewer.

    Raises:
        DataError: the text has more different signs.
    """
    model_file = io.BytesIO()
    options: dict[str, Any] = {"model_type": "unigram", "minloglevel": 2, "num_threads": 1}
    options |= {"vocab_size": size - 1, "hard_vocab_limit": False, "character_coverage": 1.0}
    options |= {"bos_id": 0, "pad_id": 1, "eos_id": 2, "unk_id": 3}
    try:
        SentencePieceTrainer.train(sentence_iterator=iter(lines), model_writer=model_file, **options)
    except RuntimeError as error:
        raise loading.DataError(
            f"a vocabulary of {size:,} tokens (`vocabulary`) does not hold the signs of the text: {error}"
        ) from None
    model = SentencePieceProcessor(model_proto=model_file.getvalue())
    tokens = [(model.id_to_piece(i), model.get_score(i)) for i in range(len(SPECIAL) - 1, len(model))]
    tokenizer = Tokenizer(models.Unigram([*((token, 0.0) for token in SPECIAL), *tokens], unk_id=3))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(r"\s+"), " ")])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.add_special_tokens(list(SPECIAL))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return tokenizer


def wrap_tokenizer(tokenizer: Tokenizer) -> PreTrainedTokenizerFast:
    """The tokenizer in the form that transformers saves beside a checkpoint."""
    roles = {"bos": "<s>", "cls": "<s>", "pad": "<pad>", "eos": "</s>", "sep": "</s>", "unk": "<unk>", "mask": "<mask>"}
    tokens = {f"{role}_token": token for role, token in roles.items()}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **tokens)


class StartError(ValueError):
    """A checkpoint that does not exist or that this study cannot start from; the message says what is missing."""


def load_tokenizer(start: str | Path) -> PreTrainedTokenizerFast:
    """The tokenizer of a checkpoint, without its weights. Raises StartError if it is not fast, lacks a special token
    that the study sets, or is not that of the checkpoint's embeddings: where its files are missing, transformers makes
    one up of special tokens alone."""
    location, options = locate_checkpoint(start)
    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(_tokenizer_location(location), **options)
        embeddings = AutoConfig.from_pretrained(location, **options).get_text_config().vocab_size
    except Exception as error:  # transformers and tokenizers raise what their readers raise
        raise StartError(f"{start}: no tokenizer: {error}") from error
    roles = {"cls_token or bos_token": first_token, "sep_token or eos_token": last_token}
    for name, token_id in {**roles, "pad_token": lambda one: one.pad_token_id}.items():
        if not tokenizer.is_fast or token_id(tokenizer) is None:
            raise StartError(f"{start}: the study needs a fast tokenizer with {name}")
    if not embeddings / 2 <= len(tokenizer) <= embeddings:
        raise StartError(
            f"{start}: {len(tokenizer):,} tokens in the tokenizer, {embeddings:,} embeddings in the encoder: they do "
            "not belong together, or the tokenizer's files (tokenizer.json) are missing"
        )
    return tokenizer


def first_token(tokenizer: PreTrainedTokenizerFast) -> int:
    """The id of the token that begins a sequence: `cls`, or `bos` where a vocabulary has no `cls`."""
    return tokenizer.bos_token_id if tokenizer.cls_token_id is None else tokenizer.cls_token_id


def last_token(tokenizer: PreTrainedTokenizerFast) -> int:
    """The id of the token that ends a sequence: `sep`, or `eos` where a vocabulary has no `sep`."""
    return tokenizer.eos_token_id if tokenizer.sep_token_id is None else tokenizer.sep_token_id


def _tokenizer_location(location: str) -> str:
    """Where a checkpoint's tokenizer is: beside its weights or, in subfolders, up to two folders above them."""
    folder = Path(location)
    if not folder.is_dir() or any(folder.glob("*token*")):
        return location
    return str(next((above for above in folder.parents[:2] if (above / "tokenizer.json").is_file()), location))


def locate_checkpoint(start: str | Path) -> tuple[str, dict]:
    """What transformers loads, and with which options: a folder, or a hub id at its revision; never code of a
    checkpoint. Raises StartError if `start` is neither."""
    folder = paths.resolve(start)
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            raise StartError(f"{folder}: no checkpoint here (expected config.json, model.safetensors, tokenizer.json)")
        return str(folder), {"local_files_only": True, "trust_remote_code": False}
    name, _, revision = str(start).partition("@")
    if name.count("/") != 1 or name.startswith((".", "/")):
        raise StartError(f"{start}: no such folder (looked at {folder}), and no hub id (owner/name@revision)")
    return name, {"revision": revision or None, "trust_remote_code": False}


@functools.lru_cache(maxsize=1)  # a large vocabulary takes half a second, and each language of a test asks again
def tokenizer_fingerprint(tokenizer: PreTrainedTokenizerFast) -> str:
    """The sha256 of a tokenizer's definition, which decides how text is encoded. How far it truncated and padded when
    it was last called is no part of that."""
    definition = json.loads(tokenizer.backend_tokenizer.to_str()) | {"truncation": None, "padding": None}
    return hashlib.sha256(json.dumps(definition, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Vocabulary:
    """A tokenizer, and the sample of text that it was trained on: `lines` by language and their `sha256` (no lines for
    the vocabulary of a checkpoint)."""

    tokenizer: PreTrainedTokenizerFast
    sample: dict

    def facts(self) -> dict:
        """What a record says of it: the number of tokens, their sha256, and the sample."""
        return {
            "tokens": len(self.tokenizer),
            "sha256": tokenizer_fingerprint(self.tokenizer),
            "sample": self.sample,
        }


def study_vocabulary(
    data: str,
    languages: Sequence[str],
    *,
    size: int | None,
    sample_lines: int,
    exponent: float,
    start: str = "scratch",
) -> Vocabulary:
    """The study's vocabulary: trained at the first call and read afterwards or, for a study that starts from a
    checkpoint, that checkpoint's.

    Args:
        data: the folder of the text.
        languages: the text's languages.
        size: tokens at most; None for a checkpoint.
        sample_lines: the lines to train on, the first of each language; each language's number is in proportion to
            (its lines) ** `exponent`.
        exponent: 1 favours no language, 0 makes all alike.
        start: `scratch` or a checkpoint.

    Raises:
        StartError: the checkpoint has no tokenizer that the study can use.
    """
    if start != "scratch":
        return Vocabulary(load_tokenizer(start), {"lines": {}})
    if size is None:
        raise ValueError("size: a vocabulary from scratch needs a number of tokens")

    def build(folder: Path) -> None:
        lines, lines_by_language = _sample_lines(data, languages, sample_lines, exponent)
        wrap_tokenizer(train_vocabulary(lines, size)).save_pretrained(folder)
        digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
        (folder / "sample.json").write_text(json.dumps({"lines": lines_by_language, "sha256": digest}))

    key = {
        "data": loading.data_fingerprint(data, decontaminate.text_reads()),
        "languages": list(languages),
        "size": size,
        "sample": sample_lines,
        "exp": exponent,
    }
    folder = build_cache.build_once("vocabulary", key, build, __name__)
    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    return Vocabulary(tokenizer, json.loads((folder / "sample.json").read_text()))


def _sample_lines(
    data: str, languages: Sequence[str], sample_lines: int, exponent: float
) -> tuple[list[str], dict[str, int]]:
    """The lines to train a vocabulary on, and their number by language."""
    available = {language: pretraining_text.count_lines(data, language) for language in languages}
    weights = np.array([available[language] for language in languages]) ** exponent
    counts = (weights / weights.sum() * sample_lines).astype(int).tolist()
    by_language = {language: min(n, available[language]) for language, n in zip(languages, counts, strict=True)}
    sample = [line for language, n in by_language.items() for line in itertools.islice(_clean_lines(data, language), n)]
    return sample, by_language


def _clean_lines(data: str, language: str) -> Iterable[str]:
    return itertools.chain.from_iterable(lines for lines, _ in decontaminate.clean_text(data, language))
