"""What a training step is given: labelled examples as a pure function of (seed, step), and any batch as the parts that
a device holds at once. There is no iterator and no state, so that a resumed run is one integer."""

import functools
import itertools
from collections.abc import Callable, Iterator

import numpy as np
import torch

from xlt_utils.data import loading
from xlt_utils.training import sampling
from xlt_utils.training.encoding import IGNORED, Encoded

BatchAt = Callable[[int], dict]  # from a step, counted from 0, to its batch


def subset(encoded: Encoded, seed: int, examples: int, stream: int = 0) -> np.ndarray:
    """The items of the first `examples` of the seed's order: nested, a larger subset begins with the smaller. Of
    another `stream` the order is another."""
    order = np.random.default_rng([seed, sampling.DRAW, stream]).permutation(encoded.examples)[:examples]
    if len(order) < examples:
        raise loading.DataError(f"{examples:,} examples asked for, {len(order):,} there")
    first = np.searchsorted(encoded.sentences, order)
    last = np.searchsorted(encoded.sentences, order, side="right")
    return np.concatenate([np.arange(0), *(np.arange(a, b) for a, b in zip(first, last, strict=True))])


def epoch_batches(encoded: Encoded, rows: np.ndarray, batch: int, seed: int) -> BatchAt:
    """The function from a step to a batch of `rows`: in their own order first, shuffled anew in each epoch after.
    Epochs follow each other without a short batch between them."""

    @functools.lru_cache(maxsize=2)
    def order(epoch: int) -> np.ndarray:
        return np.random.default_rng([seed, sampling.SHUFFLE, epoch]).permutation(rows) if epoch else rows

    def at(step: int) -> dict[str, torch.Tensor]:
        places = np.arange(step * batch, (step + 1) * batch)
        shuffled = {epoch: order(epoch) for epoch in np.unique(places // len(rows)).tolist()}
        return encoded.batch([shuffled[place // len(rows)][place % len(rows)] for place in places.tolist()])

    return at


def micro_batches(batch: dict, most: int | None, at_least: int = 1) -> Iterator[tuple[float, dict]]:
    """A batch cut into parts of at most `most` items (sequences, examples), at least so many parts. Each comes with its
    share of the labels: the losses' sum weighted with these is the whole batch's loss. Raises ValueError where there
    are fewer items than parts."""
    labels = batch["labels"]
    count = len(labels)
    number = max(at_least, -(-count // (most or count)))
    if number > count:
        raise ValueError(f"a batch of {count} cannot be shared by {number}")
    if number == 1:
        yield 1.0, batch
        return
    whole = int((labels != IGNORED).sum())
    bounds = [count * part // number for part in range(number + 1)]
    for start, stop in itertools.pairwise(bounds):
        cut = {name: _rows(value, start, stop, count) for name, value in batch.items()}
        yield int((cut["labels"] != IGNORED).sum()) / max(1, whole), cut


def _rows(value, start: int, stop: int, items: int):
    """The rows of some items in a tensor that has one or more rows an item; what is no tensor belongs to all."""
    if not isinstance(value, torch.Tensor):
        return value
    options = len(value) // items
    return value[start * options : stop * options]
