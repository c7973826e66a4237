"""Phase 3 for one task: fine-tune a checkpoint on English examples of the task and test it, untouched, in
every other language. A task without training data is tested as the checkpoint stands."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from xlt_utils.data import labelled
from xlt_utils.data.tasks import TASKS
from xlt_utils.evaluation import evaluate
from xlt_utils.evaluation.evaluate import Evaluation
from xlt_utils.records.record import Record
from xlt_utils.training import batches, costs, encoders, encoding, loop
from xlt_utils.training.objectives import TaskHead
from xlt_utils.training.schedules import linear_schedule


@dataclass(frozen=True)
class FineTuneResult:
    """What one task gave: its tests, the learning curve (empty where nothing was trained) and the cost in tokens,
    examples, steps and FLOPs."""

    found: Evaluation
    curve: list[dict] = field(default_factory=list)
    cost: dict[str, float] = field(default_factory=dict)


def fine_tune(
    name: str,
    checkpoint: Path,
    data: str,
    languages: Sequence[str],
    *,
    seed: int,
    examples: int,
    epochs: int,
    length: int,
    batch: int,
    micro_batch: int | None,
    learning_rate: float,
    warmup: float,
    patience: int | None,
    devices: int,
    evaluation_examples: int | None,
    perturbations: Sequence[tuple[str, float]],
    state: Path,
) -> FineTuneResult:
    """Fine-tune on the first `examples` of the seed's order for `epochs`, warm-up a share of the steps, then
    test in `languages`. English development data are scored beside the tests; they choose nothing but, with `patience`,
    the epoch. Where their labels are withheld, the facts say so."""
    task = labelled.complete_task(name, data)
    model, tokenizer = encoders.load_encoder(checkpoint)
    setting = evaluate.EvaluationConfig(data, tokenizer, length, evaluation_examples, perturbations)
    if not task.trains:
        return FineTuneResult(evaluate.evaluate_retrieval(model, task, languages, setting))
    encoded = encoding.encode(task, "train", data, "en", tokenizer, length)
    rows = batches.subset(encoded, seed, examples)
    steps = epochs * len(rows) // batch
    learner = TaskHead(model, task, seed)

    def score() -> float:
        found = evaluate.evaluate_task(learner, "development", ["en"], setting).results
        return next(row["value"] for row in found if row["metric"] == f"development {task.metric}")

    judge = loop.EarlyStopping(score, every=max(1, len(rows) // batch), patience=patience) if patience else None
    at, rates = (
        batches.epoch_batches(encoded, rows, batch, seed),
        linear_schedule(learning_rate, round(steps * warmup), steps),
    )
    shared = {"micro_batch": micro_batch, "devices": devices, "judge": judge}
    curve = loop.train(learner, at, rates, seed=seed, state=state, ladder=False, **shared)
    found = evaluate.evaluate_task(learner, "test", languages, setting)
    found.facts["train"] = encoded.facts
    try:
        found.results += evaluate.evaluate_task(learner, "development", ["en"], setting).results
    except labelled.Withheld as error:
        found.facts["development"] = {"withheld": str(error)}
    done = curve[-1]["step"] if curve else 0  # fewer where the judge ended it
    return FineTuneResult(found, curve, costs.example_cost(model.config, encoded, rows, done, batch))


def shared_data_flags(tasks: Sequence[str], checkpoint: Record) -> list[str]:
    """Warnings that a reader of the scores needs: target tasks whose training data the checkpoint's
    intermediate tasks had too."""
    before = checkpoint.parameters.get("tasks", ())
    shared = [(name, other) for name in tasks for other in before if TASKS[name].shares_data_with(TASKS[other])]
    return [f"{name} and the intermediate task {other} train on the same data" for name, other in shared]
