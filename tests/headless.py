"""Tiny checkpoints without a masked-LM head, as encoders of sentences are published."""

from pathlib import Path

import torch
from encoder_sizes import SIZES
from transformers import BertConfig, BertModel, ModernBertConfig, ModernBertModel, RobertaConfig, RobertaModel

SPECIAL = {"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2}
HEADLESS = {
    "bert": (BertModel, BertConfig, {}),
    "untied": (BertModel, BertConfig, {"tie_word_embeddings": False}),
    "roberta": (RobertaModel, RobertaConfig, {"max_position_embeddings": 80}),
    "modernbert": (ModernBertModel, ModernBertConfig, {"cls_token_id": 0, "sep_token_id": 2}),
}


def save_headless(name: str, tokenizer, folder: Path) -> str:
    """Write such a checkpoint with random weights, and return its folder as `start` names it."""
    make, configure, options = HEADLESS[name]
    torch.manual_seed(0)
    config = configure(**SIZES | SPECIAL | options | {"vocab_size": len(tokenizer)})
    make(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)
