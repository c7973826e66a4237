"""Tests of trained objectives and of bare encoders: every language has its scores, its predictions and its facts."""

import shutil
from types import SimpleNamespace

import pytest

from xlt_utils import paths
from xlt_utils.data import labelled, loading
from xlt_utils.data.tasks import TASKS
from xlt_utils.evaluation import evaluate, fine_tuning, predict
from xlt_utils.evaluation.submission import write_submission
from xlt_utils.training import batches, checkpoints, encoders, encoding, loop, objectives
from xlt_utils.training.schedules import linear_schedule

LANGUAGES = ["en", "xa", "xh"]
SETTINGS = {"epochs": 4, "length": 64, "batch": 16, "learning_rate": 2e-3, "warmup": 0.1}
SETTINGS |= {"evaluation_examples": 100, "perturbations": [], "micro_batch": None, "patience": None, "devices": 1}


def mains(found, perturbation=""):
    return {
        row["language"]: row["value"] for row in found.results if row["main"] and row["perturbation"] == perturbation
    }


def test_the_same_text_on_both_sides_is_always_found(world, checkpoint, monkeypatch):
    model, tokenizer = encoders.load_encoder(checkpoint)
    setting = evaluate.EvaluationConfig(world, tokenizer, 64, 50)
    encode = evaluate.EvaluationConfig.encode
    same = lambda self, task, part, language, side, perturbation=None: encode(self, task, part, language, "text")  # noqa: E731
    monkeypatch.setattr(evaluate.EvaluationConfig, "encode", same)
    found = evaluate.evaluate_retrieval(model, TASKS["tatoeba"], ["en", "xa"], setting)
    assert {row["language"] for row in found.results} == {"xa"}
    assert all(row["value"] >= 0.98 for row in found.results)
    assert [row["metric"] for row in found.results if row["main"]] == ["accuracy"]
    assert len(found.predictions) == 50


def test_mining_is_scored_at_every_layer_with_a_threshold_of_other_pairs(world, checkpoint):
    model, tokenizer = encoders.load_encoder(checkpoint)
    found = evaluate.evaluate_retrieval(
        model, TASKS["bucc2018"], ["xa"], evaluate.EvaluationConfig(world, tokenizer, 64, 100)
    )
    metrics = [row["metric"] for row in found.results]
    assert {"f1", "precision", "recall", "f1, layer 0", "f1, layer 1", "f1, layer 2"} <= set(metrics)
    foreign, _, gold = labelled.read_sides(TASKS["bucc2018"], "test", world, "xa", 100)
    assert "split test" in found.facts["xa"]["read"][0] and found.results[0]["n"] == len(gold)
    assert {row["id"] for row in found.predictions} <= {row["id"] for row in foreign}


def test_one_gold_set_is_cross_fitted_wherever_its_copy_was_encoded(world, checkpoint, tmp_path):
    found = []
    for place in (tmp_path / "one", tmp_path / "other"):
        model, tokenizer = encoders.load_encoder(checkpoint)
        (place / "bucc2018").mkdir(parents=True)
        for file in (paths.resolve(world) / "bucc2018").glob("xa-en.dev.*"):
            shutil.copy(file, place / "bucc2018")
        found.append(
            evaluate.evaluate_retrieval(
                model, TASKS["bucc2018"], ["xa"], evaluate.EvaluationConfig(str(place), tokenizer, 64)
            )
        )
    assert "f1, tuned on itself" in {row["metric"] for row in found[0].results}
    assert found[1].results == found[0].results and found[1].predictions == found[0].predictions


@pytest.mark.parametrize("name", ["xnli", "xquad"])
def test_the_examples_of_each_test_are_encoded_once(name, world, checkpoint, monkeypatch):
    model, tokenizer = encoders.load_encoder(checkpoint)
    encode, asked = evaluate.encode, []

    def counted(task, part, data, language, *rest, perturbation, **given):
        asked.append((part, language, perturbation))
        return encode(task, part, data, language, *rest, perturbation=perturbation, **given)

    monkeypatch.setattr(evaluate, "encode", counted)
    learner = objectives.TaskHead(model, TASKS[name], seed=0).eval()
    evaluate.evaluate_task(
        learner, "test", ["en", "xa"], evaluate.EvaluationConfig(world, tokenizer, 64, 10, [("typos", 0.2)])
    )
    assert asked == [("test", code, under) for code in ("en", "xa") for under in (None, ("typos", 0.2))]


def test_a_task_is_learnt_in_english_and_scored_everywhere(world, checkpoint, tmp_path):
    few, many = (
        fine_tuning.fine_tune(
            "udpos", checkpoint, world, LANGUAGES, seed=0, examples=n, state=tmp_path / str(n), **SETTINGS
        )
        for n in (16, 512)
    )
    score = {16: mains(few.found), 512: mains(many.found)}
    assert list(score[512]) == LANGUAGES
    assert score[512]["en"] > score[16]["en"] + 0.2
    assert score[512]["xa"] > score[512]["xh"]
    development = [row for row in many.found.results if row["metric"].startswith("development")]
    assert development and not any(row["main"] for row in development)
    assert len(many.found.predictions) == 300 and set(many.found.facts) == {*LANGUAGES, "train"}
    assert many.cost["examples"] == 4 * 512 and many.cost["flops"] > many.cost["tokens"] > 0


@pytest.mark.parametrize("name", ["pawsx", "xquad", "panx"])
def test_each_format_is_tested_under_perturbations_and_submitted(name, world, checkpoint, tmp_path):
    own = SETTINGS | {"epochs": 1, "evaluation_examples": 30, "perturbations": [["typos", 0.2]]}
    found = fine_tuning.fine_tune(name, checkpoint, world, LANGUAGES, seed=0, examples=64, state=tmp_path, **own).found
    perturbed = {row["language"] for row in found.results if row["perturbation"] == "typos 20%" and not row["main"]}
    assert perturbed == set(LANGUAGES) == set(mains(found))
    assert len(found.predictions) == 2 * 3 * 30
    files = write_submission(tmp_path / "submission", found.predictions)
    assert len(files) == 3


def test_patience_ends_the_training_and_the_best_epoch_is_tested(world, checkpoint, tmp_path):
    own = SETTINGS | {"epochs": 12, "learning_rate": 1e-2, "patience": 2, "evaluation_examples": 60}
    outcome = fine_tuning.fine_tune("sst", checkpoint, world, ["en", "xa"], seed=0, examples=64, state=tmp_path, **own)
    epochs = len(outcome.curve) // 4  # of four steps
    best = checkpoints.load_checkpoint(tmp_path / "best")[1]
    assert epochs < 12 and outcome.cost["examples"] == epochs * 64
    assert best["step"] == (epochs - 2) * 4
    found = {row["metric"]: row["value"] for row in outcome.found.results if row["language"] == "en"}
    assert found["development accuracy"] == best["best"]


def test_withheld_development_data_are_said_not_scored(world, checkpoint, tmp_path, monkeypatch):
    test = evaluate.evaluate_task

    def withheld(objective, part, *rest):
        if part == "development":
            raise labelled.Withheld("nothing left to score: 9 without an answer")
        return test(objective, part, *rest)

    monkeypatch.setattr(evaluate, "evaluate_task", withheld)
    own = SETTINGS | {"epochs": 1, "evaluation_examples": 10}
    found = fine_tuning.fine_tune(
        "sst", checkpoint, world, ["en", "xa"], seed=0, examples=16, state=tmp_path, **own
    ).found
    assert found.facts["development"] == {"withheld": "nothing left to score: 9 without an answer"}
    assert not any("development" in row["metric"] for row in found.results)


def test_unanswerable_questions_are_scored_at_the_best_threshold_of_development_data(world, checkpoint):
    model, tokenizer = encoders.load_encoder(checkpoint)
    learner = objectives.TaskHead(model, TASKS["squad_v2"], seed=0).eval()
    setting = evaluate.EvaluationConfig(world, tokenizer, 64, 60)
    found = evaluate.evaluate_task(learner, "development", ["en"], setting)
    values = {row["metric"]: row["value"] for row in found.results}
    rows = labelled.read_examples(TASKS["squad_v2"], "development", world, limit=60)
    unanswerable = sum(not row["answers"] for row in rows) / 60
    assert values["development exact_match"] >= unanswerable > 0.3  # to answer nothing is one of the thresholds
    assert "development exact_match+f1" in values


def test_flags_name_the_tasks_whose_data_the_checkpoint_has_seen():
    def after(*names):
        return SimpleNamespace(parameters={"tasks": names})

    assert fine_tuning.shared_data_flags(["xnli", "udpos"], after("mnli")) == [
        "xnli and the intermediate task mnli train on the same data"
    ]
    assert fine_tuning.shared_data_flags(["xnli"], after()) == []
    assert (
        len(fine_tuning.shared_data_flags(["xnli", "xquad", "mlqa"], after("squad_v2"))) == 2
    )  # SQuAD 2.0 repeats SQuAD's questions
    assert len(fine_tuning.shared_data_flags(["xnli", "xquad"], after("anli"))) == 1
    assert len(fine_tuning.shared_data_flags(["xnli", "xquad"], after("qqp", "mnli", "squad"))) == 2


def test_training_modes_are_left_for_evaluation(world, checkpoint, tmp_path):
    model, tokenizer = encoders.load_encoder(checkpoint)
    learner = objectives.TaskHead(model, TASKS["sst"], seed=0)
    encoded = encoding.encode(TASKS["sst"], "train", world, "en", tokenizer, 32)
    rows = batches.subset(encoded, 0, 32)
    loop.train(
        learner, batches.epoch_batches(encoded, rows, 16, 0), linear_schedule(1e-3, 1, 2), seed=0, state=tmp_path
    )
    assert not learner.training
    assert (
        len(predict.predict_labels(learner, encoding.encode(TASKS["sst"], "test", world, "xa", tokenizer, 32, limit=5)))
        == 5
    )


SHARED = paths.ROOT.parent / "shared"
E5 = SHARED / "encoders" / "multilingual-e5-small-pruned"


@pytest.mark.slow
@pytest.mark.skipif(not E5.is_dir(), reason="the real encoder in ../shared/encoders is not here")
def test_a_real_encoder_finds_translations_as_well_as_was_measured_elsewhere():
    model, tokenizer = encoders.load_encoder(E5)
    setting = evaluate.EvaluationConfig(loading.locate(str(SHARED / "mirror")), tokenizer, 128)
    found = evaluate.evaluate_retrieval(model, TASKS["tatoeba"], ["sw"], setting)
    value = {row["metric"]: row["value"] for row in found.results}
    assert value["accuracy, layer 12"] == pytest.approx(0.813, abs=0.01)
    assert value["accuracy, layer 0"] == pytest.approx(0.105, abs=0.01)
