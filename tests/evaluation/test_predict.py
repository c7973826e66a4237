"""Predictions: what shares a batch with an example, and how its rows are split, changes nothing of it."""

import numpy as np
import pytest
import torch

from xlt_utils.data import labelled
from xlt_utils.data.tasks import TASKS
from xlt_utils.evaluation import predict
from xlt_utils.training import encoders, encoding, hardware, objectives


@pytest.mark.parametrize("name", ["udpos", "sst", "commonsense_qa", "xquad"])
def test_predictions_do_not_depend_on_what_shares_the_batch(name, world, checkpoint, monkeypatch):
    model, tokenizer = encoders.load_encoder(checkpoint)
    task = TASKS[name]
    learner = objectives.TaskHead(model, task, seed=0).eval()
    part, language = ("test", "xa") if task.test else ("development", "en")
    encoded = encoding.encode(task, part, world, language, tokenizer, 64, limit=40)
    monkeypatch.setattr(hardware, "precision", lambda: "fp32")
    find = predict.predict_answers if task.format == "span" else predict.predict_labels
    together = find(learner, encoded)
    monkeypatch.setattr(predict, "PIECES", 1)  # each item alone
    alone = find(learner, encoded)
    if task.format == "span":
        assert [one[:2] for one in together] == [one[:2] for one in alone]
        assert [one[2] for one in together] == pytest.approx([one[2] for one in alone], abs=1e-4)
    else:
        assert together == alone


def test_gold_and_predictions_have_one_tag_a_word(world, checkpoint):
    model, tokenizer = encoders.load_encoder(checkpoint)
    learner = objectives.TaskHead(model, TASKS["panx"], seed=0).eval()
    encoded = encoding.encode(TASKS["panx"], "test", world, "xh", tokenizer, 8, limit=30)  # rows are split
    gold, found = predict.gold_labels(TASKS["panx"], encoded), predict.predict_labels(learner, encoded)
    assert len(gold) == 30
    assert [len(tags) for tags in gold] == [len(tags) for tags in found]


class Told(torch.nn.Module):
    """A span objective that knows the answers: logits high at each row's gold pieces, and at `decoys` higher."""

    task = TASKS["xquad"]

    def __init__(self, decoys=()):
        super().__init__()
        self.decoys = decoys

    def logits(self, batch):
        logits = torch.zeros(*batch["input_ids"].shape, 2)
        for row, pair in enumerate(batch["labels"].tolist()):
            for side, piece in enumerate(pair):
                logits[row, piece, side] = 5.0 if piece else 3.0
        for piece, side, value in self.decoys:
            logits[:, piece, side] = value
        return logits.masked_fill(batch["attention_mask"].unsqueeze(-1) == 0, -torch.inf)


@pytest.mark.parametrize("length", [32, 128])
def test_an_answer_comes_back_from_its_pieces(world, pieces, length):
    encoded = encoding.encode(TASKS["xquad"], "test", world, "xh", pieces.tokenizer, length, limit=60)
    rows = labelled.read_examples(TASKS["xquad"], "test", world, "xh", 60)
    found = predict.predict_answers(Told(), encoded)
    texts = [row["context"][a:b].strip() for row, (a, b, _) in zip(rows, found, strict=True)]
    right = sum(row["answers"][0]["text"] in text for row, text in zip(rows, texts, strict=True))
    assert right == 60
    assert sum(text == row["answers"][0]["text"] for row, text in zip(rows, texts, strict=True)) > 50


def test_the_question_is_no_answer_and_an_end_before_its_beginning_none(world, pieces):
    encoded = encoding.encode(TASKS["xquad"], "test", world, "xa", pieces.tokenizer, 128, limit=20)
    plain = predict.predict_answers(Told(), encoded)
    assert [one[:2] for one in predict.predict_answers(Told([(1, 0, 9.0), (1, 1, 9.0)]), encoded)] == [
        one[:2] for one in plain
    ]
    assert all(a < b for a, b, _ in predict.predict_answers(Told([(40, 0, 9.0), (30, 1, 9.0)]), encoded))


def test_the_margin_is_no_answers_score_less_the_best_spans(world, pieces):
    encoded = encoding.encode(TASKS["xquad"], "test", world, "xa", pieces.tokenizer, 128, limit=20)
    assert {round(margin, 3) for _, _, margin in predict.predict_answers(Told(), encoded)} == {-10.0}
    assert {round(m, 3) for _, _, m in predict.predict_answers(Told([(0, 0, 7.0), (0, 1, 7.0)]), encoded)} == {4.0}


def test_a_sentence_is_the_mean_of_its_own_pieces(world, checkpoint):
    model, tokenizer = encoders.load_encoder(checkpoint)
    encoded = encoding.encode(TASKS["tatoeba"], "test", world, "xa", tokenizer, 64, limit=10, side="text")
    vectors = predict.sentence_vectors(model, encoded)
    assert vectors.shape == (3, 10, 32)
    row = encoded.pieces[encoded.starts[4] : encoded.starts[5]].astype(np.int64)
    with torch.inference_mode(), hardware.autocast():
        output = model.base_model(torch.from_numpy(row)[None], output_hidden_states=True)
    for layer, hidden in enumerate(output.hidden_states):
        assert vectors[layer, 4] == pytest.approx(hidden[0].float().mean(0).numpy(), abs=0.05)
