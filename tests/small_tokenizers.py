"""Small tokenizers of the kinds that published encoders have."""

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from xlt_utils.training import tokenization

KINDS = ("WordPiece", "byte-level", "byte-level, space first", "Metaspace")


def trained(kind: str) -> PreTrainedTokenizerFast:
    """A small tokenizer of each kind that published encoders have."""
    text = ["the river flows by the old town", "a boat on the river", "who lives in the town ?"] * 20
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    if kind == "WordPiece":
        tokenizer, trainer = Tokenizer(models.WordPiece(unk_token="<unk>")), trainers.WordPieceTrainer
        tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.BertPreTokenizer(), decoders.WordPiece()
    else:
        tokenizer, trainer = Tokenizer(models.BPE(unk_token="<unk>")), trainers.BpeTrainer
        tokenizer.pre_tokenizer = {
            "byte-level": pre_tokenizers.ByteLevel(add_prefix_space=False),
            "byte-level, space first": pre_tokenizers.ByteLevel(add_prefix_space=True),
            "Metaspace": pre_tokenizers.Metaspace(),
        }[kind]
    tokenizer.train_from_iterator(text, trainer(vocab_size=120, special_tokens=special))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> $B:1 </s>:1", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return tokenization.wrap_tokenizer(tokenizer)
