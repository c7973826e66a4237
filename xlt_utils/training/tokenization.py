"""Tokenizers: a vocabulary trained on a study's text, or that of a checkpoint, and where a checkpoint lies. No code of
a checkpoint is ever run."""

import hashlib
import io
import itertools
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sentencepiece import SentencePieceProcessor, SentencePieceTrainer
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import (
    AutoTokenizer,
    PreTrainedTokenizerFast,
)

from xlt_utils import paths
from xlt_utils.data import build_cache, decontaminate, loading

SPECIAL = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")  # XLM-R's own names; ids 0 to 4


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


def wrap_tokenizer(tokenizer: Tokenizer) -> PreTrainedTokenizerFast:
    """The tokenizer in the form that transformers saves beside a checkpoint."""
    names = {"bos": "<s>", "cls": "<s>", "pad": "<pad>", "eos": "</s>", "sep": "</s>", "unk": "<unk>", "mask": "<mask>"}
    tokens = {f"{role}_token": token for role, token in names.items()}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **tokens)


class CheckpointFault(ValueError):
    """A checkpoint that is not there or that this study cannot start from; the message says what is missing."""


def load_tokenizer(start: str | Path) -> PreTrainedTokenizerFast:
    """The tokenizer of a checkpoint, without its weights. Raises CheckpointFault where there is none that is fast and
    has the tokens that the study sets."""
    place, options = locate_checkpoint(start)
    try:
        tokenizer = AutoTokenizer.from_pretrained(place, **options)
    except (OSError, ValueError, ImportError) as error:
        raise CheckpointFault(f"{start}: no tokenizer: {error}") from error
    for needed in ("cls_token_id", "sep_token_id", "pad_token_id"):
        if not tokenizer.is_fast or getattr(tokenizer, needed) is None:
            raise CheckpointFault(f"{start}: the study needs a fast tokenizer with {needed}")
    return tokenizer


def locate_checkpoint(start: str | Path) -> tuple[str, dict]:
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


def tokenizer_fingerprint(tokenizer: PreTrainedTokenizerFast) -> str:
    """The sha256 of a tokenizer's definition: what was encoded with it is named after it. How far it cut and padded
    when it was last called is no part of that."""
    definition = json.loads(tokenizer.backend_tokenizer.to_str()) | {"truncation": None, "padding": None}
    return hashlib.sha256(json.dumps(definition, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Vocabulary:
    """A vocabulary: its tokenizer, and the sample of text that it was trained on, empty for a checkpoint's own."""

    tokenizer: PreTrainedTokenizerFast
    sample: dict

    def facts(self) -> dict:
        """What a record says of it: pieces, sha256, and the sample's lines a language with their sha256."""
        return {
            "pieces": len(self.tokenizer),
            "sha256": tokenizer_fingerprint(self.tokenizer),
            "sample": self.sample,
        }


def study_vocabulary(
    data: str, languages: Sequence[str], size: int | None, sample: int, exponent: float, start: str = "scratch"
) -> Vocabulary:
    """The study's vocabulary, trained at the first call on the first lines of each language and read
    afterwards; of a study that starts from a checkpoint, that checkpoint's. `sample` lines in all, shared out in
    proportion to (lines of a language) ** exponent."""
    if start != "scratch":
        return Vocabulary(load_tokenizer(start), {"lines": {}})

    def build(folder: Path) -> None:
        lines, counts = _sample_lines(data, languages, sample, exponent)
        wrap_tokenizer(train_vocabulary(lines, size)).save_pretrained(folder)
        digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
        (folder / "sample.json").write_text(json.dumps({"lines": counts, "sha256": digest}))

    key = {
        "data": loading.data_fingerprint(data),
        "languages": list(languages),
        "size": size,
        "sample": sample,
        "exp": exponent,
    }
    folder = build_cache.build_once("vocabulary", key, build, __name__)
    return Vocabulary(AutoTokenizer.from_pretrained(folder), json.loads((folder / "sample.json").read_text()))


def _sample_lines(data: str, languages: Sequence[str], lines: int, exponent: float) -> tuple[list[str], dict[str, int]]:
    held = {language: loading.count_lines(data, language) for language in languages}
    weights = np.array([held[language] for language in languages]) ** exponent
    counts = (weights / weights.sum() * lines).astype(int)
    counts = {language: min(int(n), held[language]) for language, n in zip(languages, counts, strict=True)}
    chosen = [list(itertools.islice(_clean_lines(data, language), n)) for language, n in counts.items()]
    return [line for lines_ in chosen for line in lines_], counts


def _clean_lines(data: str, language: str) -> Iterable[str]:
    return itertools.chain.from_iterable(lines for lines, _ in decontaminate.clean_text(data, language))
