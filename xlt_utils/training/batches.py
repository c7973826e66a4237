"""The batches of a training run. A batch of labelled examples is a pure function of (seed, step): there is no iterator
and no state, so one integer resumes a run. Any batch can be cut into the parts that a device holds at once."""

import functools
import itertools
from collections.abc import Callable, Iterator

import numpy as np
import torch

from xlt_utils.data import loading
from xlt_utils.training import sampling
from xlt_utils.training.encoding import IGNORED, Encoded

# Attention scores, a head and layer, that a CPU holds at once: tokens times the width of a row. More take more memory
# and no less time.
MOST_SCORES = 2**17
BatchAt = Callable[[int], dict]  # from a step, counted from 0, to its batch


def subset(encoded: Encoded, seed: int, examples: int, stream: int = 0) -> np.ndarray:
    """Choose the first examples of the seed's order. Subsets are nested: a larger one begins with the smaller one.

    Args:
        encoded: the examples to choose from.
        seed: decides the order.
        examples: how many to choose.
        stream: another number gives another order of the same seed.

    Returns:
        The items of the chosen examples, all items of an example together.

    Raises:
        DataError: `encoded` holds fewer examples.
    """
    order = np.random.default_rng([seed, sampling.DRAW, stream]).permutation(encoded.examples)[:examples]
    if len(order) < examples:
        raise loading.DataError(f"{examples:,} examples asked for, {len(order):,} available")
    first = np.searchsorted(encoded.sentences, order)
    end = np.searchsorted(encoded.sentences, order, side="right")
    return np.concatenate([np.arange(0), *(np.arange(a, b) for a, b in zip(first, end, strict=True))])


def epoch_batches(encoded: Encoded, rows: np.ndarray, batch: int, seed: int) -> BatchAt:
    """The function from a step to a batch of `batch` of the `rows`: in their own order in the first epoch, shuffled
    anew in each later one. Epochs follow each other without a short batch between them."""

    @functools.lru_cache(maxsize=2)
    def order(epoch: int) -> np.ndarray:
        return np.random.default_rng([seed, sampling.SHUFFLE, epoch]).permutation(rows) if epoch else rows

    def batch_at(step: int) -> dict[str, torch.Tensor]:
        positions = range(step * batch, (step + 1) * batch)
        return encoded.batch([order(position // len(rows))[position % len(rows)] for position in positions])

    return batch_at


def micro_batches(batch: dict, max_items: int | None, min_parts: int = 1) -> Iterator[tuple[float, dict]]:
    """Cut a batch into parts that fit on a device.

    Args:
        batch: tensors with one or more rows an item (a sequence, an example), `labels` with one; other values belong
            to all items.
        max_items: the items of a part at most; None: all, and on a CPU as many as have MOST_SCORES.
        min_parts: the number of parts at least.

    Yields:
        A part's share of the batch's labels, and the part. The parts' losses, each times its share, add up to the
        loss of the whole batch.

    Raises:
        ValueError: the batch has fewer items than `min_parts`.
    """
    labels = batch["labels"]
    items = len(labels)
    if max_items is None and not torch.cuda.is_available():
        width = batch["input_ids"].shape[1]
        tokens = batch["attention_mask"].sum() if "attention_mask" in batch else batch["input_ids"].numel()
        max_items = max(1, MOST_SCORES * items // int(tokens * width))
    parts = max(min_parts, -(-items // (max_items or items)))
    if parts > items:
        raise ValueError(f"a batch of {items} cannot be shared by {parts}")
    if parts == 1:
        yield 1.0, batch
        return
    all_labels = int((labels != IGNORED).sum())
    bounds = [items * part // parts for part in range(parts + 1)]
    for start, stop in itertools.pairwise(bounds):
        part = {name: _rows_of_items(value, start, stop, items) for name, value in batch.items()}
        yield int((part["labels"] != IGNORED).sum()) / max(1, all_labels), part


def _rows_of_items(value, start: int, stop: int, items: int):
    if not isinstance(value, torch.Tensor):
        return value
    rows_an_item = len(value) // items
    return value[start * rows_an_item : stop * rows_an_item]
