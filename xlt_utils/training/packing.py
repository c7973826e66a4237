"""Sequences of uneven length through an encoder without their padding: several share a row, and each attends to itself
only. In goes a padded batch and out come its padded hidden states, as the encoder alone would give them."""

import torch
from transformers import PretrainedConfig, PreTrainedModel

# Tokens of a row, at least and at most, unless a sequence is longer: attention grows with the width
ROW_WIDTHS = 64, 160
WIDTH_STEP = 16  # widths are multiples of this: for each new shape the device compiles its products anew


def hidden_states(
    encoder: PreTrainedModel, ids: torch.Tensor, mask: torch.Tensor, segments: torch.Tensor | None = None
) -> torch.Tensor:
    """The last hidden states of a padded batch, packed if that saves a fifth of the tokens and the encoder's
    architecture lets us set positions.

    Args:
        encoder: without a head.
        ids: token ids `(sequences, time)`.
        mask: 1 for tokens, 0 for padding, of the same shape.
        segments: 0 and 1 for the first and second text of pairs, of the same shape; an encoder that has no such
            embeddings does not read them.

    Returns:
        `(sequences, time, width)`; the states of padding are undefined.
    """
    if segments is not None and getattr(encoder.config, "type_vocab_size", 0) < 2:
        segments = None
    first = first_position(encoder.config)
    lengths = mask.sum(1).tolist()
    rows, width = pack_rows(lengths)
    if first is None or len(rows) * width > 0.8 * ids.numel():
        pairs = {} if segments is None else {"token_type_ids": segments}
        return encoder(input_ids=ids, attention_mask=mask, **pairs).last_hidden_state
    # At each position of the packed rows: the number of its sequence (from 1; 0: none), and its position in there.
    owner = torch.zeros(len(rows), width, dtype=torch.long)
    offset = torch.zeros(len(rows), width, dtype=torch.long)
    starts = torch.zeros(len(lengths), dtype=torch.long)
    for row, sequences in enumerate(rows):
        begin = 0
        for sequence in sequences:
            end = begin + lengths[sequence]
            owner[row, begin:end], offset[row, begin:end] = sequence + 1, torch.arange(end - begin)
            starts[sequence], begin = row * width + begin, end
    owner, offset, starts = (tensor.to(ids.device) for tensor in (owner, offset, starts))
    source = (owner - 1).clamp(min=0), offset
    packed = torch.where(owner > 0, ids[source], encoder.config.pad_token_id or 0)
    pairs = {} if segments is None else {"token_type_ids": torch.where(owner > 0, segments[source], 0)}
    attends = owner[:, None, :, None] == owner[:, None, None, :]
    if encoder.config._attn_implementation == "eager":  # it adds its mask to the scores
        device = ids.device.type
        dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else torch.float32
        scores = torch.zeros(attends.shape, dtype=dtype, device=ids.device)
        attends = scores.masked_fill(~attends, torch.finfo(dtype).min)
    states = encoder(input_ids=packed, attention_mask=attends, position_ids=offset + first, **pairs).last_hidden_state
    positions = starts.unsqueeze(1) + torch.arange(ids.shape[1], device=ids.device)
    return states.flatten(0, 1)[torch.where(mask > 0, positions, starts.unsqueeze(1))]


def first_position(config: PretrainedConfig) -> int | None:
    """The position of a sequence's first token; None for an encoder whose sequences cannot be packed: its architecture
    is unknown, or some layers attend to a window only."""
    if config.model_type == "modernbert":
        return 0 if set(config.layer_types) == {"full_attention"} else None
    if config.model_type in ("roberta", "xlm-roberta"):  # positions begin after the number of the padding token
        return config.pad_token_id + 1
    return {"bert": 0}.get(config.model_type)


def pack_rows(lengths: list[int]) -> tuple[list[list[int]], int]:
    """Pack sequences of these lengths into rows of the width that takes the fewest tokens, padding included. Gives the
    sequences of each row, and the rows' width in tokens."""
    narrowest = max(max(lengths), min(ROW_WIDTHS[0], sum(lengths)))
    narrowest += -narrowest % WIDTH_STEP
    widths = range(narrowest, max(narrowest, ROW_WIDTHS[1]) + 1, WIDTH_STEP)
    return min(((_rows_of_width(lengths, width), width) for width in widths), key=lambda way: len(way[0]) * way[1])


def _rows_of_width(lengths: list[int], width: int) -> list[list[int]]:
    """Each sequence, longest first, into the first row that has room."""
    rows: list[list[int]] = []
    room: list[int] = []
    for sequence in sorted(range(len(lengths)), key=lambda number: -lengths[number]):
        row = next((number for number, free in enumerate(room) if free >= lengths[sequence]), None)
        if row is None:
            row = len(rows)
            rows.append([])
            room.append(width)
        rows[row].append(sequence)
        room[row] -= lengths[sequence]
    return rows
