"""A few rows of made-up tokens through an encoder, before a study runs: what its architecture, its positions or its
vocabulary would refuse hours later is refused now. In go an encoder and lengths; out comes nothing, or StartError."""

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from xlt_utils.data.tasks import TASKS
from xlt_utils.training import costs, objectives
from xlt_utils.training.encoding import IGNORED
from xlt_utils.training.tokenization import StartError

SHORT = 12  # tokens of a row that every encoder holds


class TooLong(StartError):
    """Rows of more tokens than the encoder has positions."""


def try_encoder(
    start: str, model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast | None, length: int, *, masks: bool
) -> None:
    """Train a step on sentences and on words, read all hidden states and, with `masks`, train a step of masked LM.

    Args:
        start: what the encoder started from, which an error names.
        model: the encoder, with its masked-LM head where it is to mask; its gradients are left behind.
        tokenizer: the encoder's; None: the study trains one.
        length: tokens of the longest row that the study may read.
        masks: whether the study trains it as a masked LM.

    Raises:
        TooLong: it fails at that length alone.
        StartError: it fails at any length, or cannot mask.
    """
    if masks and tokenizer is not None and tokenizer.mask_token_id is None:
        raise StartError(f"{start}: masked LM needs a tokenizer with a mask token, and this one has none")
    try:
        _step(model, SHORT, masks)
    except Exception as error:  # whatever an unknown architecture does
        reason = f"{type(error).__name__}: {error}"
        raise StartError(
            f"{start}: an encoder of the architecture {model.config.model_type!r} does not run here: {reason}"
        ) from error
    try:
        _step(model, length, masks)
    except Exception as error:
        most = getattr(model.config, "max_position_embeddings", "an unknown number of")
        raise TooLong(
            f"rows of {length} tokens are too long for {start}, which has {most} positions, special ones included"
        ) from error


def _step(model: PreTrainedModel, length: int, masks: bool) -> None:
    # two rows of full length and two that are packed or padded
    ids = torch.randint(5, model.config.vocab_size, (4, length), generator=torch.Generator().manual_seed(0))
    mask = torch.ones_like(ids)
    mask[2:, length // 3 :] = 0
    ids[mask == 0] = model.config.pad_token_id or 0
    batch = {"input_ids": ids, "attention_mask": mask}
    for name, labels in (("xnli", torch.zeros(4, dtype=torch.long)), ("udpos", torch.where(mask > 0, 1, IGNORED))):
        objectives.TaskHead(model, TASKS[name], 0)(batch | {"labels": labels}).backward()
    hidden = model.base_model(ids, attention_mask=mask, output_hidden_states=True).hidden_states
    if len(hidden) != model.config.num_hidden_layers + 1 or hidden[0].shape != (4, length, model.config.hidden_size):
        raise ValueError(f"{len(hidden)} hidden states of shape {tuple(hidden[0].shape)}, not one a layer and token")
    if masks:
        objectives.MaskedLM(model)({"input_ids": ids, "labels": ids}).backward()
    costs.count_flops(model.config, 1, length, predicted=0.15)
