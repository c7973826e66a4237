"""Batches: subsets are nested, an epoch shows each example once, and a batch in parts is the same batch."""

import numpy as np
import pytest
import torch

from xlt_utils.data import loading
from xlt_utils.data.labelled import SplitRef
from xlt_utils.data.tasks import TASKS
from xlt_utils.training import batches, encoders, encoding, objectives
from xlt_utils.training.corpus import Corpus
from xlt_utils.training.encoding import IGNORED


def test_subsets_are_nested_and_whole_sentences(world, vocabulary):
    encoded = encoding.encode(SplitRef(TASKS["udpos"], "train", world), vocabulary.tokenizer, 8)
    small, large = batches.subset(encoded, 5, 20), batches.subset(encoded, 5, 80)
    assert np.array_equal(small, large[: len(small)])
    assert len(set(encoded.sentences[small])) == 20
    assert not np.array_equal(small, batches.subset(encoded, 5, 20, stream=1)[: len(small)])
    with pytest.raises(loading.DataError, match="examples asked for"):
        batches.subset(encoded, 5, 10**7)


def test_an_example_of_several_windows_is_drawn_whole(world, vocabulary):
    encoded = encoding.encode(SplitRef(TASKS["squad"], "train", world), vocabulary.tokenizer, 32)
    items = batches.subset(encoded, 0, 10)
    assert len(items) > 10
    for example in set(encoded.sentences[items].tolist()):
        assert set(np.flatnonzero(encoded.sentences == example)) <= set(items.tolist())


def test_an_epoch_shows_each_example_once_and_the_next_in_another_order(world, vocabulary, monkeypatch):
    encoded = encoding.encode(SplitRef(TASKS["sst"], "train", world), vocabulary.tokenizer, 32)
    rows = batches.subset(encoded, 0, 60)  # no whole number of batches: epochs end inside one
    monkeypatch.setattr(encoding.Encoded, "batch", lambda self, chosen: [int(row) for row in chosen])
    batch_at = batches.epoch_batches(encoded, rows, 16, 0)
    seen = [row for step in range(15) for row in batch_at(step)]
    epochs = [seen[start : start + 60] for start in range(0, 240, 60)]
    assert epochs[0] == rows.tolist()
    assert all(sorted(epoch) == sorted(epochs[0]) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 4


@pytest.mark.parametrize(
    ("items", "largest", "fewest"), [(i, m, a) for i in (1, 7, 16) for m in (None, 1, 3, 16) for a in range(1, 8)]
)
def test_parts_cover_every_item_once(items, largest, fewest):
    labels = torch.arange(items) % 3
    batch = {"input_ids": torch.arange(2 * items).unsqueeze(1), "labels": labels, "part": "sst"}  # two rows an item
    if fewest > items:  # a process without a part would wait for the others for ever
        with pytest.raises(ValueError, match=f"a batch of {items} cannot be shared by {fewest}"):
            list(batches.micro_batches(batch, largest, fewest))
        return
    shares, parts = zip(*batches.micro_batches(batch, largest, fewest), strict=True)
    assert len(parts) >= fewest and all(1 <= len(part["labels"]) <= (largest or items) for part in parts)
    for name in ("input_ids", "labels"):
        assert torch.equal(torch.cat([part[name] for part in parts]), batch[name])
    assert {part["part"] for part in parts} == {"sst"}
    assert sum(shares) == pytest.approx(1)


def masked_text(world, vocabulary):
    text = Corpus(world, ["en", "xa"], vocabulary.tokenizer, 32, 0.3)
    return objectives.MaskedLM, text.batches(0, 1, 12, 0.5)(0)


def labelled_batch(name, length):
    def make(world, vocabulary):
        encoded = encoding.encode(SplitRef(TASKS[name], "train", world), vocabulary.tokenizer, length)
        return lambda model: objectives.TaskHead(model, TASKS[name], seed=0), encoded.batch(range(12))

    return make


BATCHES = {
    "masked text": masked_text,
    "classification": labelled_batch("pawsx", 64),
    "tagging": labelled_batch("udpos", 32),
    "span": labelled_batch("squad", 64),
    "choice": labelled_batch("commonsense_qa", 32),
}


@pytest.mark.parametrize("name", BATCHES)
def test_a_batch_in_parts_gives_the_loss_and_gradients_of_the_whole(name, world, vocabulary, checkpoint):
    head, batch = BATCHES[name](world, vocabulary)
    objective = head(encoders.load_encoder(checkpoint)[0])
    if name in ("tagging", "masked text"):  # one part has few labels, one has none
        batch["labels"][0, 9:], batch["labels"][6:9] = IGNORED, IGNORED
    results = []
    for most in (None, 1, 3, 5):
        objective.zero_grad()
        losses = []
        for share, part in batches.micro_batches(batch, most):
            losses.append(objective(part) * share)
            losses[-1].backward()
        assert all(torch.isfinite(loss) for loss in losses)
        gradients = {key: p.grad.clone() for key, p in objective.named_parameters() if p.grad is not None}
        results.append((sum(losses).item(), gradients, [share for share, _ in batches.micro_batches(batch, most)]))
    whole, gradients, _ = results[0]
    assert max(gradient.abs().max() for gradient in gradients.values()) > 1e-3
    for loss, others, shares in results[1:]:
        assert loss == pytest.approx(whole, rel=1e-5)
        assert sum(shares) == pytest.approx(1)
        assert all(torch.allclose(others[key], gradients[key], atol=1e-6) for key in gradients)
    if name in ("tagging", "masked text"):
        shares = results[1][2]
        assert shares[6:9] == [0, 0, 0] and 0 < shares[0] < shares[1]
