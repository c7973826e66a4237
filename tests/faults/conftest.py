"""What tests of faults share: a whole checkpoint, to break."""

from pathlib import Path

import pytest
import torch
from transformers import BertConfig, BertModel

SMALL = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}


@pytest.fixture
def start(vocabulary, tmp_path) -> Path:
    """A whole checkpoint, of which each test breaks something."""
    torch.manual_seed(0)
    config = BertConfig(**SMALL, vocab_size=len(vocabulary.tokenizer), pad_token_id=1)
    BertModel(config).save_pretrained(tmp_path / "start")
    vocabulary.tokenizer.save_pretrained(tmp_path / "start")
    return tmp_path / "start"
