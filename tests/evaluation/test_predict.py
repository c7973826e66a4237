"""Predictions: what shares a batch with an example, and how its rows are split, changes nothing of it."""

import numpy as np
import pytest
import torch

from xlt_utils.data import labelled
from xlt_utils.data.labelled import SplitRef
from xlt_utils.data.tasks import TASKS
from xlt_utils.evaluation import predict
from xlt_utils.training import encoders, encoding, hardware, objectives


@pytest.mark.parametrize("name", ["udpos", "sst", "commonsense_qa", "xquad"])
def test_predictions_do_not_depend_on_what_shares_the_batch(name, world, checkpoint, monkeypatch):
    model, tokenizer = encoders.load_encoder(checkpoint)
    task = TASKS[name]
    learner = objectives.TaskHead(model, task, seed=0).eval()
    part, language = ("test", "xa") if task.test else ("development", "en")
    encoded = encoding.encode(SplitRef(task, part, world, language, limit=40), tokenizer, 64)
    monkeypatch.setattr(hardware, "precision", lambda: "fp32")
    find = predict.predict_answers if task.format == "span" else predict.predict_labels
    together = find(learner, encoded)
    monkeypatch.setitem(predict.MAX_BATCH_TOKENS, hardware.device().type, 1)  # each item alone
    alone = find(learner, encoded)
    if task.format == "span":
        assert [span[:2] for span in together] == [span[:2] for span in alone]
        assert [span[2] for span in together] == pytest.approx([span[2] for span in alone], abs=1e-4)
    else:
        assert together == alone


def test_gold_and_predictions_have_one_tag_a_word(world, checkpoint):
    model, tokenizer = encoders.load_encoder(checkpoint)
    learner = objectives.TaskHead(model, TASKS["panx"], seed=0).eval()
    encoded = encoding.encode(SplitRef(TASKS["panx"], "test", world, "xh", limit=30), tokenizer, 8)  # rows are split
    gold, predicted = predict.gold_labels(TASKS["panx"], encoded), predict.predict_labels(learner, encoded)
    assert len(gold) == 30
    assert [len(tags) for tags in gold] == [len(tags) for tags in predicted]


class KnowsAnswers(torch.nn.Module):
    """A span objective that knows the answers: logits high at each row's gold tokens, and at `decoys` higher."""

    task = TASKS["xquad"]

    def __init__(self, decoys=()):
        super().__init__()
        self.decoys = decoys

    def logits(self, batch):
        logits = torch.zeros(*batch["input_ids"].shape, 2)
        for row, pair in enumerate(batch["labels"].tolist()):
            for side, token in enumerate(pair):
                logits[row, token, side] = 5.0 if token else 3.0
        for token, side, value in self.decoys:
            logits[:, token, side] = value
        return logits.masked_fill(batch["attention_mask"].unsqueeze(-1) == 0, -torch.inf)


@pytest.mark.parametrize("length", [32, 128])
def test_an_answer_comes_back_from_its_tokens(world, vocabulary, length):
    encoded = encoding.encode(SplitRef(TASKS["xquad"], "test", world, "xh", limit=60), vocabulary.tokenizer, length)
    rows = labelled.read_examples(SplitRef(TASKS["xquad"], "test", world, "xh", 60))
    spans = predict.predict_answers(KnowsAnswers(), encoded)
    texts = [row["context"][a:b].strip() for row, (a, b, _) in zip(rows, spans, strict=True)]
    right = sum(row["answers"][0]["text"] in text for row, text in zip(rows, texts, strict=True))
    assert right == 60
    assert sum(text == row["answers"][0]["text"] for row, text in zip(rows, texts, strict=True)) > 50


def test_the_question_is_no_answer_and_an_end_before_its_beginning_none(world, vocabulary):
    encoded = encoding.encode(SplitRef(TASKS["xquad"], "test", world, "xa", limit=20), vocabulary.tokenizer, 128)
    plain = predict.predict_answers(KnowsAnswers(), encoded)
    in_question = predict.predict_answers(KnowsAnswers([(1, 0, 9.0), (1, 1, 9.0)]), encoded)
    assert [span[:2] for span in in_question] == [span[:2] for span in plain]
    assert all(a < b for a, b, _ in predict.predict_answers(KnowsAnswers([(40, 0, 9.0), (30, 1, 9.0)]), encoded))


def test_the_margin_is_no_answers_score_minus_the_best_spans(world, vocabulary):
    encoded = encoding.encode(SplitRef(TASKS["xquad"], "test", world, "xa", limit=20), vocabulary.tokenizer, 128)
    assert {round(margin, 3) for _, _, margin in predict.predict_answers(KnowsAnswers(), encoded)} == {-10.0}
    assert {round(m, 3) for _, _, m in predict.predict_answers(KnowsAnswers([(0, 0, 7.0), (0, 1, 7.0)]), encoded)} == {
        4.0
    }


def test_a_sentence_is_the_mean_of_its_own_tokens(world, checkpoint):
    model, tokenizer = encoders.load_encoder(checkpoint)
    encoded = encoding.encode(SplitRef(TASKS["tatoeba"], "test", world, "xa", 10, side="text"), tokenizer, 64)
    vectors = predict.sentence_vectors(model, encoded)
    assert vectors.shape == (3, 10, 32)
    row = encoded.tokens[encoded.starts[4] : encoded.starts[5]].astype(np.int64)
    with torch.inference_mode(), hardware.autocast():
        output = model.base_model(torch.from_numpy(row)[None], output_hidden_states=True)
    for layer, hidden in enumerate(output.hidden_states):
        assert vectors[layer, 4] == pytest.approx(hidden[0].float().mean(0).numpy(), abs=0.05)
