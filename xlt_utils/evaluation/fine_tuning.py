"""Phase 3. In goes a checkpoint, out come its scores: it is fine-tuned on English examples of a task and tested,
unchanged, in every other language. A task without training data is tested with the checkpoint as it stands."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from xlt_utils.data import labelled
from xlt_utils.data.labelled import SplitRef
from xlt_utils.data.tasks import TASKS, trained_alike
from xlt_utils.errors import Fault, did_you_mean
from xlt_utils.evaluation import evaluate
from xlt_utils.evaluation.evaluate import Evaluation, EvaluationConfig
from xlt_utils.records.record import Record
from xlt_utils.training import batches, costs, encoders, encoding, hardware, loop, sampling
from xlt_utils.training.objectives import TaskHead
from xlt_utils.training.schedules import linear_schedule


@dataclass(frozen=True)
class FineTuneConfig:
    """How one task is fine-tuned and tested.

    Attributes:
        examples: the first of the seed's order, so many.
        length: tokens a row at most.
        batch: examples a step.
        micro_batch: examples that a device holds at once; None: all of them.
        warmup: share of the steps.
        patience: epochs without a better English development score that end the training; None: all epochs.
        devices: processes that share each batch.
        evaluation_examples: a language at most, drawn by the seed; None: all.
        perturbations: kinds and shares of the words under which each test is repeated.
        replicate: above 0, the same examples and tests as 0 with another head, order of the examples and dropout.
    """

    seed: int
    examples: int
    epochs: int
    length: int
    batch: int
    micro_batch: int | None
    learning_rate: float
    warmup: float
    patience: int | None
    devices: int
    evaluation_examples: int | None
    perturbations: Sequence[tuple[str, float]]
    replicate: int = 0

    @property
    def training_seed(self) -> int:
        """What decides the head, the order of the examples and dropout: the seed, or a number that follows from the
        seed and the replicate and is no other seed of a study."""
        if not self.replicate:
            return self.seed
        return int(np.random.SeedSequence([self.seed, self.replicate]).generate_state(1)[0])

    @classmethod
    def from_parameters(
        cls, parameters: Mapping[str, Any], task_settings: Mapping[str, Any] | None = None
    ) -> "FineTuneConfig":
        """A notebook's parameters, which may include others, with what one task has otherwise. Raises Fault on a
        setting of the task that does not exist."""
        task_settings = task_settings or {}
        names = [parameter.name for parameter in fields(cls)]
        for name in task_settings:
            if name not in names:
                raise Fault(f"settings: no such setting {name!r}; {did_you_mean(name, names)}")
        values = {name: task_settings.get(name, parameters[name]) for name in names}
        return cls(**values | {"perturbations": [(kind, rate) for kind, rate in values["perturbations"]]})


@dataclass(frozen=True)
class FineTuneResult:
    """What one task gave: its tests, the learning curve (empty where nothing was trained) and the cost in tokens,
    examples, steps and FLOPs."""

    evaluation: Evaluation
    curve: list[dict] = field(default_factory=list)
    cost: dict[str, float] = field(default_factory=dict)


def fine_tune_all(
    configs: Mapping[str, FineTuneConfig],
    checkpoint: Path,
    data: str,
    languages: Mapping[str, Sequence[str]],
    state: Path,
) -> dict[str, FineTuneResult]:
    """Fine-tune a checkpoint on English examples of each of several tasks, then test it in the task's languages.

    Tasks that train alike, as XQuAD and MLQA on SQuAD, are trained once, as XTREME does it: their scores are those that
    each would have alone, and the first of them has the cost.

    Args:
        configs: how each task is fine-tuned and tested.
        checkpoint: the folder of an encoder.
        data: the place, as `loading.locate` gives it.
        languages: those that each task is tested in.
        state: the folder of the trainings' own checkpoints.
    """
    settings: dict[str, Any] = {}
    for name, config in configs.items():
        of_training = replace(config, evaluation_examples=None, perturbations=())
        settings[name] = (of_training, name if config.patience else None)  # its own scores end a training with patience
    results: dict[str, FineTuneResult] = {}
    for names in trained_alike(configs, settings):
        group = {name: configs[name] for name in names}
        results |= _fine_tune_once(group, checkpoint, data, languages, state / names[0])
    return {name: results[name] for name in configs}


def fine_tune(
    name: str, checkpoint: Path, data: str, languages: Sequence[str], config: FineTuneConfig, state: Path
) -> FineTuneResult:
    """Fine-tune a checkpoint on English examples of one task, then test it in `languages`, as `fine_tune_all` does."""
    return _fine_tune_once({name: config}, checkpoint, data, {name: languages}, state)[name]


def _fine_tune_once(
    configs: Mapping[str, FineTuneConfig],
    checkpoint: Path,
    data: str,
    languages: Mapping[str, Sequence[str]],
    state: Path,
) -> dict[str, FineTuneResult]:
    """Train the first task, and test every task with what it learnt. English development data are scored beside the
    tests. They choose only, with `patience`, the epoch. Where their labels are withheld, the facts say so."""
    hardware.free_memory()  # of the task before
    name, config = next(iter(configs.items()))
    task = labelled.complete_task(name, data)
    model, tokenizer = encoders.load_encoder(checkpoint)

    def tests(config: FineTuneConfig) -> EvaluationConfig:
        limits = config.evaluation_examples, config.seed, config.perturbations
        return EvaluationConfig(data, tokenizer, config.length, *limits)

    if not task.trains:
        return {name: FineTuneResult(evaluate.evaluate_retrieval(model, task, languages[name], tests(config)))}
    encoded = encoding.encode(SplitRef(task, "train", data), tokenizer, config.length)
    # also of a replicate: they are those of every arm of this seed, and what they bring cancels out of its gain
    rows, seed = batches.subset(encoded, config.seed, config.examples), config.training_seed
    if config.replicate:
        rows = np.random.default_rng([seed, sampling.SHUFFLE, 0]).permutation(rows)
    steps = config.epochs * len(rows) // config.batch
    learner = TaskHead(model, task, seed)

    def development_score() -> float:
        results = evaluate.evaluate_task(learner, "development", ["en"], tests(config)).results
        return next(row["value"] for row in results if row["metric"] == f"development {task.metric}")

    early_stopping = None
    if config.patience:
        early_stopping = loop.EarlyStopping(development_score, max(1, len(rows) // config.batch), config.patience)
    curve = loop.train(
        learner,
        batches.epoch_batches(encoded, rows, config.batch, seed),
        linear_schedule(config.learning_rate, round(steps * config.warmup), steps),
        seed=seed,
        state=state,
        ladder=False,
        tokens=encoded.vocabulary(rows),
        micro_batch=config.micro_batch,
        devices=config.devices,
        early_stopping=early_stopping,
    )
    trained_steps = curve[-1]["step"] if curve else 0  # fewer than `steps` after early stopping
    cost = costs.example_cost(model.config, encoded, rows, trained_steps, config.batch)
    results: dict[str, FineTuneResult] = {}
    for name, config in configs.items():
        learner.task = labelled.complete_task(name, data)  # whose tests it takes, and under whose rules
        evaluation = evaluate.evaluate_task(learner, "test", languages[name], tests(config))
        evaluation.facts["train"] = encoded.facts
        try:
            evaluation.results += evaluate.evaluate_task(learner, "development", ["en"], tests(config)).results
        except labelled.Withheld as error:
            evaluation.facts["development"] = {"withheld": str(error)}
        results[name] = FineTuneResult(evaluation, curve, {} if results else cost)
    return results


def shared_data_flags(tasks: Sequence[str], checkpoint: Record) -> list[str]:
    """Warnings for readers of the scores: target tasks that share training data with the checkpoint's intermediate
    tasks."""
    intermediate = checkpoint.parameters.get("tasks", ())
    shared = [(name, other) for name in tasks for other in intermediate if TASKS[name].shares_data_with(TASKS[other])]
    return [f"{name} and the intermediate task {other} train on the same data" for name, other in shared]
