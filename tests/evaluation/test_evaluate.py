"""Tests of trained objectives and of bare encoders: every language has its scores, its predictions and its facts."""

import shutil
from dataclasses import replace
from types import SimpleNamespace

import pytest

from xlt_utils import paths
from xlt_utils.data import labelled, loading
from xlt_utils.data.labelled import SplitRef
from xlt_utils.data.tasks import TASKS
from xlt_utils.errors import Fault
from xlt_utils.evaluation import evaluate, fine_tuning, predict, scoring
from xlt_utils.evaluation.evaluate import EvaluationConfig
from xlt_utils.evaluation.fine_tuning import FineTuneConfig
from xlt_utils.evaluation.submission import write_submission
from xlt_utils.records import items
from xlt_utils.training import batches, checkpoints, encoders, encoding, loop, objectives
from xlt_utils.training.schedules import linear_schedule

LANGUAGES = ["en", "xa", "xh"]
CONFIG = FineTuneConfig(
    seed=0,
    examples=64,
    epochs=4,
    length=64,
    batch=16,
    micro_batch=None,
    learning_rate=2e-3,
    warmup=0.1,
    patience=None,
    devices=1,
    evaluation_examples=100,
    perturbations=[],
)


def main_scores(evaluation):
    return {row["language"]: row["value"] for row in evaluation.results if row["main"]}


def test_the_same_text_on_both_sides_is_always_found(world, checkpoint, monkeypatch):
    model, tokenizer = encoders.load_encoder(checkpoint)
    config = EvaluationConfig(world, tokenizer, 64, 50)
    encode = EvaluationConfig.encode
    monkeypatch.setattr(EvaluationConfig, "encode", lambda self, split: encode(self, replace(split, side="text")))
    evaluation = evaluate.evaluate_retrieval(model, TASKS["tatoeba"], ["en", "xa"], config)
    assert {row["language"] for row in evaluation.results} == {"xa"}
    assert all(row["value"] >= 0.98 for row in evaluation.results)
    assert [row["metric"] for row in evaluation.results if row["main"]] == ["accuracy"]
    assert len(evaluation.predictions) == 50


def test_mining_is_scored_at_every_layer_with_a_threshold_of_other_pairs(world, checkpoint):
    model, tokenizer = encoders.load_encoder(checkpoint)
    config = EvaluationConfig(world, tokenizer, 64, 100)
    evaluation = evaluate.evaluate_retrieval(model, TASKS["bucc2018"], ["xa"], config)
    metrics = [row["metric"] for row in evaluation.results]
    assert {"f1", "precision", "recall", "f1, layer 0", "f1, layer 1", "f1, layer 2"} <= set(metrics)
    foreign, _, gold = labelled.read_sides(SplitRef(TASKS["bucc2018"], "test", world, "xa", 100))
    assert "split test" in evaluation.facts["xa"]["read"][0] and evaluation.results[0]["n"] == len(gold)
    assert {row["id"] for row in evaluation.predictions} <= {row["id"] for row in foreign}


def test_one_gold_set_is_cross_fitted_wherever_its_copy_was_encoded(world, checkpoint, tmp_path):
    evaluations = []
    for folder in (tmp_path / "one", tmp_path / "other"):
        model, tokenizer = encoders.load_encoder(checkpoint)
        (folder / "bucc2018").mkdir(parents=True)
        for file in (paths.resolve(world) / "bucc2018").glob("xa-en.dev.*"):
            shutil.copy(file, folder / "bucc2018")
        config = EvaluationConfig(str(folder), tokenizer, 64)
        evaluations.append(evaluate.evaluate_retrieval(model, TASKS["bucc2018"], ["xa"], config))
    first, second = evaluations
    assert "f1, tuned on itself" in {row["metric"] for row in first.results}
    assert second.results == first.results and second.predictions == first.predictions


@pytest.mark.parametrize("name", ["xnli", "xquad"])
def test_the_examples_of_each_test_are_encoded_once(name, world, checkpoint, monkeypatch):
    model, tokenizer = encoders.load_encoder(checkpoint)
    encode, splits = evaluate.encode, []

    def recorded(split, *arguments):
        splits.append((split.part, split.language, split.perturbation))
        return encode(split, *arguments)

    monkeypatch.setattr(evaluate, "encode", recorded)
    learner = objectives.TaskHead(model, TASKS[name], seed=0).eval()
    evaluate.evaluate_task(
        learner, "test", ["en", "xa"], EvaluationConfig(world, tokenizer, 64, 10, perturbations=[("typos", 0.2)])
    )
    assert splits == [("test", code, under) for code in ("en", "xa") for under in (None, ("typos", 0.2))]


def test_a_task_is_learnt_in_english_and_scored_everywhere(world, checkpoint, tmp_path):
    few, many = (
        fine_tuning.fine_tune(
            "udpos", checkpoint, world, LANGUAGES, replace(CONFIG, examples=examples), tmp_path / str(examples)
        )
        for examples in (16, 512)
    )
    scores = {16: main_scores(few.evaluation), 512: main_scores(many.evaluation)}
    assert list(scores[512]) == LANGUAGES
    assert scores[512]["en"] > scores[16]["en"] + 0.2
    assert scores[512]["xa"] > scores[512]["xh"]
    development = [row for row in many.evaluation.results if row["metric"].startswith("development")]
    assert development and not any(row["main"] for row in development)
    assert len(many.evaluation.predictions) == 300 and set(many.evaluation.facts) == {*LANGUAGES, "train"}
    assert many.cost["examples"] == 4 * 512 and many.cost["flops"] > many.cost["tokens"] > 0


def test_replicates_differ_in_their_scores_and_share_examples_and_test_items(world, checkpoint, tmp_path):
    def fine_tuned(replicate):
        config = replace(CONFIG, epochs=1, replicate=replicate)
        outcome = fine_tuning.fine_tune("udpos", checkpoint, world, ["en", "xa"], config, tmp_path / str(replicate))
        tests = [row for row in outcome.evaluation.results if row["main"]]
        return outcome.cost, [row["value"] for row in tests], [items.unpack(row["items"]) for row in tests]

    (cost, scores, first), (other_cost, other_scores, second) = fine_tuned(0), fine_tuned(1)
    assert scores != other_scores and cost == other_cost  # the tokens of other examples would cost something else
    for test, other in zip(first, second, strict=True):
        assert (test.names == other.names).all()


@pytest.mark.parametrize("name", ["pawsx", "xquad", "panx"])
def test_each_format_is_tested_under_perturbations_and_submitted(name, world, checkpoint, tmp_path):
    config = replace(CONFIG, epochs=1, evaluation_examples=30, perturbations=[("typos", 0.2)])
    evaluation = fine_tuning.fine_tune(name, checkpoint, world, LANGUAGES, config, tmp_path).evaluation
    perturbed = [row for row in evaluation.results if row["perturbation"] == "typos 20%" and not row["main"]]
    assert {row["language"] for row in perturbed} == set(LANGUAGES) == set(main_scores(evaluation))
    assert len(evaluation.predictions) == 2 * 3 * 30
    files = write_submission(tmp_path / "submission", evaluation.predictions)
    assert len(files) == 3


def test_tasks_that_train_alike_are_trained_once_and_score_as_each_alone(world, checkpoint, tmp_path, monkeypatch):
    trained, train = [], loop.train
    monkeypatch.setattr(
        loop, "train", lambda *args, **options: trained.append(options["state"].name) or train(*args, **options)
    )
    config = replace(CONFIG, epochs=1, evaluation_examples=30)
    configs = {"xquad": config, "sst": config, "mlqa": replace(config, evaluation_examples=20)}
    languages = {"xquad": ["en", "xa"], "sst": ["en"], "mlqa": ["en", "xh"]}
    together = fine_tuning.fine_tune_all(configs, checkpoint, world, languages, tmp_path)
    assert list(together) == list(configs) and trained == ["xquad", "sst"]
    alone = fine_tuning.fine_tune("mlqa", checkpoint, world, languages["mlqa"], configs["mlqa"], tmp_path / "alone")
    assert together["mlqa"].evaluation == alone.evaluation and together["mlqa"].curve == alone.curve
    assert {row["task"] for row in alone.evaluation.results} == {"mlqa"}
    assert together["xquad"].cost == alone.cost and together["mlqa"].cost == {}
    trained.clear()
    for change in ({"learning_rate": 1e-3}, {"patience": 1}):
        configs["mlqa"] = replace(config, **change)
        fine_tuning.fine_tune_all(
            configs | {"xquad": replace(config, patience=change.get("patience"))},
            checkpoint,
            world,
            languages,
            tmp_path / next(iter(change)),
        )
    assert trained == ["xquad", "sst", "mlqa"] * 2


def test_patience_ends_the_training_and_the_best_epoch_is_tested(world, checkpoint, tmp_path):
    config = replace(CONFIG, epochs=12, learning_rate=1e-2, patience=2, evaluation_examples=60)
    outcome = fine_tuning.fine_tune("sst", checkpoint, world, ["en", "xa"], config, tmp_path)
    epochs = len(outcome.curve) // 4  # of four steps
    best = checkpoints.load_checkpoint(tmp_path / "best")[1]
    assert epochs < 12 and outcome.cost["examples"] == epochs * 64
    assert best["step"] == (epochs - 2) * 4
    values = {row["metric"]: row["value"] for row in outcome.evaluation.results if row["language"] == "en"}
    assert values["development accuracy"] == best["best"]


def test_withheld_development_data_are_recorded_not_scored(world, checkpoint, tmp_path, monkeypatch):
    test = evaluate.evaluate_task

    def withheld(objective, part, *rest):
        if part == "development":
            raise labelled.Withheld("nothing left to score: 9 without an answer")
        return test(objective, part, *rest)

    monkeypatch.setattr(evaluate, "evaluate_task", withheld)
    config = replace(CONFIG, epochs=1, examples=16, evaluation_examples=10)
    evaluation = fine_tuning.fine_tune("sst", checkpoint, world, ["en", "xa"], config, tmp_path).evaluation
    assert evaluation.facts["development"] == {"withheld": "nothing left to score: 9 without an answer"}
    assert not any("development" in row["metric"] for row in evaluation.results)


def test_a_task_s_settings_replace_a_notebook_s_parameters_and_unknown_ones_are_refused():
    parameters = vars(CONFIG) | {"study": "by-hand", "perturbations": [["typos", 0.1]]}
    config = FineTuneConfig.from_parameters(parameters, {"length": 384, "examples": 8})
    assert config == replace(CONFIG, length=384, examples=8, perturbations=[("typos", 0.1)])
    with pytest.raises(Fault, match="no such setting 'lenght'; did you mean `length`"):
        FineTuneConfig.from_parameters(parameters, {"lenght": 384})


def test_unanswerable_questions_are_scored_at_the_best_threshold_of_development_data(world, checkpoint):
    model, tokenizer = encoders.load_encoder(checkpoint)
    learner = objectives.TaskHead(model, TASKS["squad_v2"], seed=0).eval()
    evaluation = evaluate.evaluate_task(learner, "development", ["en"], EvaluationConfig(world, tokenizer, 64, 60))
    values = {row["metric"]: row["value"] for row in evaluation.results}
    rows = labelled.read_examples(SplitRef(TASKS["squad_v2"], "development", world, limit=60))
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
    encoded = encoding.encode(SplitRef(TASKS["sst"], "train", world), tokenizer, 32)
    rows = batches.subset(encoded, 0, 32)
    loop.train(
        learner, batches.epoch_batches(encoded, rows, 16, 0), linear_schedule(1e-3, 1, 2), seed=0, state=tmp_path
    )
    assert not learner.training
    test = encoding.encode(SplitRef(TASKS["sst"], "test", world, "xa", limit=5), tokenizer, 32)
    assert len(predict.predict_labels(learner, test)) == 5


SHARED = paths.ROOT.parent / "shared"
E5 = SHARED / "encoders" / "multilingual-e5-small-pruned"


@pytest.mark.slow
@pytest.mark.skipif(not E5.is_dir(), reason="the real encoder in ../shared/encoders is not here")
def test_a_real_encoder_finds_translations_as_well_as_was_measured_elsewhere():
    model, tokenizer = encoders.load_encoder(E5)
    config = EvaluationConfig(loading.locate(str(SHARED / "mirror")), tokenizer, 128)
    evaluation = evaluate.evaluate_retrieval(model, TASKS["tatoeba"], ["sw"], config)
    value = {row["metric"]: row["value"] for row in evaluation.results}
    assert value["accuracy, layer 12"] == pytest.approx(0.813, abs=0.01)
    assert value["accuracy, layer 0"] == pytest.approx(0.105, abs=0.01)


@pytest.mark.parametrize(
    ("name", "gold", "zero"),
    [
        ("sst", [1] * 53 + [0] * 27, 53 / 80),  # the majority class
        ("xnli", [0, 1, 2], 1 / 3),  # chance
        ("qqp", [1, 1, 1, 0], (3 / 4 + 6 / 7) / 2),  # the mean of accuracy and F1 of "duplicate" for all
        ("qqp", [0, 0, 0, 0, 1], 1 / 2),  # "not duplicate" for all has an F1 of 0: (4/5 + 0) / 2, below chance
        ("udpos", [[7, 7, 1], [7, 1]], 0.0),  # one tag throughout is one chunk a sentence, and none is right
    ],
)
def test_the_zero_point_is_the_better_of_chance_and_one_label_for_all(name, gold, zero):
    assert scoring.zero_score(TASKS[name], gold) == pytest.approx(zero)


def test_every_main_score_comes_with_the_zero_point_of_its_own_examples(world, checkpoint):
    model, tokenizer = encoders.load_encoder(checkpoint)
    learner = objectives.TaskHead(model, TASKS["sst"], 0)
    config = EvaluationConfig(world, tokenizer, 64, 31, seed=4)
    for part in ("test", "development"):
        for row in evaluate.evaluate_task(learner, part, ["en"], config).results:
            gold = [example["label"] for example in labelled.read_examples(config.split(TASKS["sst"], part, "en"))]
            assert len(gold) == 31 and row["zero"] == max(gold.count(label) for label in (0, 1)) / 31


@pytest.mark.parametrize("name", ["xnli", "udpos", "xquad", "mlqa", "ccg"])
def test_the_items_of_a_test_add_up_to_its_main_score(name, world, checkpoint):
    model, tokenizer = encoders.load_encoder(checkpoint)
    task = labelled.complete_task(name, world)
    part = "test" if task.test else "development"
    learner = objectives.TaskHead(model, task, 0).eval()
    languages = ["en", "xa"] if part == "test" else ["en"]
    evaluation = evaluate.evaluate_task(learner, part, languages, EvaluationConfig(world, tokenizer, 64, 31))
    rows = [row for row in evaluation.results if row["items"]]
    assert [row["language"] for row in rows] == languages
    for row in rows:
        assert row["metric"].endswith(task.metric)
        assert items.unpack(row["items"]).score == pytest.approx(row["value"], abs=1e-4)


@pytest.mark.parametrize("name", ["tatoeba", "bucc2018"])
def test_the_items_of_a_retrieval_add_up_to_its_main_score(name, world, checkpoint):
    model, tokenizer = encoders.load_encoder(checkpoint)
    (row,) = (
        row
        for row in evaluate.evaluate_retrieval(
            model, TASKS[name], ["xa"], EvaluationConfig(world, tokenizer, 64, 50)
        ).results
        if row["main"]
    )
    assert items.unpack(row["items"]).score == pytest.approx(row["value"])
