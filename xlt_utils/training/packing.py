"""Sequences of uneven length through an encoder without their padding: several go into one row, each sees only itself.
Between the padded batch that comes in and the padded states that go out nothing else changes."""

import torch
from torch import nn

WIDTH = 128  # pieces of a row, where no sequence is longer
STEP = 16  # rows are widened to a multiple of this: each new shape makes the device compile its products anew


def hidden_states(encoder: nn.Module, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """The last hidden states `(sequences, pieces, width)` of padded `ids` under their `mask`, both
    `(sequences, pieces)`; what stands in the padding is undefined. Sequences are packed where the encoder's
    architecture lets us say where each begins, and where that saves a fifth of the pieces."""
    first = first_position(encoder.config)
    lengths = mask.sum(1).tolist()
    rows, width = rows_of(lengths)
    if first is None or len(rows) * width > 0.8 * ids.numel():
        return encoder(input_ids=ids, attention_mask=mask).last_hidden_state
    # The sequence that each place of the packed rows holds (0: none), and which of its pieces.
    owner, piece = torch.zeros(len(rows), width, dtype=torch.long), torch.zeros(len(rows), width, dtype=torch.long)
    starts = torch.zeros(len(lengths), dtype=torch.long)
    for row, sequences in enumerate(rows):
        begin = 0
        for sequence in sequences:
            end = begin + lengths[sequence]
            owner[row, begin:end], piece[row, begin:end] = sequence + 1, torch.arange(end - begin)
            starts[sequence], begin = row * width + begin, end
    owner, piece, starts = (tensor.to(ids.device) for tensor in (owner, piece, starts))
    packed = torch.where(owner > 0, ids[(owner - 1).clamp(min=0), piece], encoder.config.pad_token_id or 0)
    own = owner[:, None, :, None] == owner[:, None, None, :]
    if encoder.config._attn_implementation == "eager":
        kind = (
            torch.get_autocast_dtype(ids.device.type) if torch.is_autocast_enabled(ids.device.type) else torch.float32
        )
        own = torch.zeros(own.shape, dtype=kind, device=ids.device).masked_fill(~own, torch.finfo(kind).min)
    hidden = encoder(input_ids=packed, attention_mask=own, position_ids=piece + first).last_hidden_state
    places = starts.unsqueeze(1) + torch.arange(ids.shape[1], device=ids.device)
    return hidden.flatten(0, 1)[torch.where(mask > 0, places, starts.unsqueeze(1))]


def first_position(config) -> int | None:
    """The position of a sequence's first piece, or None for an encoder whose sequences cannot be packed: unknown, or
    with layers that attend to a window only."""
    if config.model_type == "modernbert":
        return 0 if set(config.layer_types) == {"full_attention"} else None
    if config.model_type in ("roberta", "xlm-roberta"):  # its positions begin after the padding's number (fairseq)
        return config.pad_token_id + 1
    return {"bert": 0}.get(config.model_type)


def rows_of(lengths: list[int]) -> tuple[list[list[int]], int]:
    """Sequences, given by their lengths, packed into rows, and the rows' width: each, longest first, into the first
    row that has room."""
    width = max(max(lengths), min(WIDTH, sum(lengths)))
    width += -width % STEP
    rows, room = [], []
    for sequence in sorted(range(len(lengths)), key=lambda number: -lengths[number]):
        row = next((number for number, free in enumerate(room) if free >= lengths[sequence]), None)
        if row is None:
            row = len(rows)
            rows.append([])
            room.append(width)
        rows[row].append(sequence)
        room[row] -= lengths[sequence]
    return rows, width
