from types import SimpleNamespace

import numpy as np
import pytest
import torch

from xlt_utils import batches, encoders, evaluate, objectives, train, transfer
from xlt_utils.tasks import TASKS


@pytest.fixture(scope="module")
def checkpoint(pieces, tmp_path_factory):
    folder = tmp_path_factory.mktemp("encoder")
    shape = {"layers": 2, "width": 32, "heads": 2, "vocabulary": len(pieces.tokenizer), "length": 64}
    encoders.save(encoders.create(encoders.configuration("modernbert", **shape), seed=0), pieces.tokenizer, folder)
    return folder


@pytest.mark.parametrize("name", ["udpos", "sst"])
def test_predictions_do_not_depend_on_what_shares_the_batch(name, world, checkpoint, monkeypatch):
    model, tokenizer = encoders.load(checkpoint)
    learner = objectives.Labelling(model, TASKS[name], seed=0).eval()
    encoded = batches.encode(TASKS[name], "test", world, "xa", tokenizer, 64, 40)
    monkeypatch.setattr(encoders, "precision", lambda: "fp32")
    together = evaluate.label(learner, encoded)
    monkeypatch.setattr(evaluate, "PIECES", 1)  # each row alone
    assert together == evaluate.label(learner, encoded)


def test_gold_and_predictions_have_one_tag_a_word(world, checkpoint):
    model, tokenizer = encoders.load(checkpoint)
    learner = objectives.Labelling(model, TASKS["panx"], seed=0).eval()
    encoded = batches.encode(TASKS["panx"], "test", world, "xh", tokenizer, 8, 30)  # rows are split
    gold, found = evaluate.gold(TASKS["panx"], encoded), evaluate.label(learner, encoded)
    assert len(gold) == 30
    assert [len(tags) for tags in gold] == [len(tags) for tags in found]


def test_a_sentence_is_the_mean_of_its_own_pieces(world, checkpoint):
    model, tokenizer = encoders.load(checkpoint)
    encoded = batches.encode(TASKS["tatoeba"], "test", world, "xa", tokenizer, 64, 10, side="text")
    vectors = evaluate.sentence_vectors(model, encoded)
    assert vectors.shape == (3, 10, 32)
    row = encoded.pieces[encoded.starts[4] : encoded.starts[5]].astype(np.int64)
    with torch.inference_mode(), encoders.autocast():
        output = model.base_model(torch.from_numpy(row)[None], output_hidden_states=True)
    for layer, hidden in enumerate(output.hidden_states):
        assert vectors[layer, 4] == pytest.approx(hidden[0].float().mean(0).numpy(), abs=0.05)


def test_the_same_text_on_both_sides_is_always_found(world, checkpoint, monkeypatch):
    model, tokenizer = encoders.load(checkpoint)
    encode = batches.encode
    monkeypatch.setattr(evaluate, "encode", lambda *arguments: encode(*arguments[:-1], "text"))
    rows, predictions = evaluate.retrieve(model, TASKS["tatoeba"], world, ["en", "xa"], tokenizer, 64, 50)
    assert {row["language"] for row in rows} == {"xa"}
    assert all(row["value"] >= 0.98 for row in rows)
    assert [row["metric"] for row in rows if row["main"]] == ["accuracy"]
    assert len(predictions) == 50


def test_a_task_is_learnt_in_english_and_scored_everywhere(world, checkpoint, tmp_path):
    settings = {
        "epochs": 4,
        "length": 64,
        "batch": 16,
        "learning_rate": 2e-3,
        "warmup": 0.1,
        "evaluation_examples": 100,
    }
    languages = ["en", "xa", "xh"]
    few, many = (
        transfer.run(
            TASKS["udpos"], checkpoint, world, languages, seed=0, examples=n, state=tmp_path / str(n), **settings
        )
        for n in (16, 512)
    )
    score = {n: {r["language"]: r["value"] for r in o.results if r["main"]} for n, o in ((16, few), (512, many))}
    assert list(score[512]) == languages
    assert score[512]["en"] > score[16]["en"] + 0.2
    assert score[512]["xa"] > score[512]["xh"]
    development = [row for row in many.results if row["metric"].startswith("development")]
    assert development and not any(row["main"] for row in development)
    assert len(many.predictions) == 300
    assert many.cost["examples"] == 4 * 512 and many.cost["flops"] > many.cost["tokens"] > 0


def test_flags_name_the_tasks_whose_data_the_checkpoint_has_seen():
    after_mnli, pretrained = SimpleNamespace(parameters={"task": "mnli"}), SimpleNamespace(parameters={})
    found = transfer.flags(["xnli", "udpos"], after_mnli)
    assert found == ["xnli and the intermediate task mnli train on the same data"]
    assert transfer.flags(["xnli"], pretrained) == []


def test_training_modes_are_left_for_evaluation(world, checkpoint, tmp_path):
    model, tokenizer = encoders.load(checkpoint)
    learner = objectives.Labelling(model, TASKS["sst"], seed=0)
    encoded = batches.encode(TASKS["sst"], "train", world, None, tokenizer, 32)
    rows = batches.subset(encoded, 0, 32)
    train.train(learner, batches.epochs(encoded, rows, 16, 0), train.alone(1e-3, 0.1, 2), seed=0, state=tmp_path)
    assert not learner.training
