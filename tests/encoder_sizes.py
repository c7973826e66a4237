"""The shape of the two-layer encoders that tests make by transformers' own classes."""

SIZES = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "vocab_size": 200,
    "intermediate_size": 64,
}
