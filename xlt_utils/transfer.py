"""Phase 3 for one task: fine-tune a checkpoint on English examples of the task and test it, untouched, in
every other language. A task without training data is tested as the checkpoint stands."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from xlt_utils import batches, encoders, evaluate, train
from xlt_utils.objectives import Labelling
from xlt_utils.records import Record
from xlt_utils.tasks import TASKS, Task


@dataclass(frozen=True)
class Outcome:
    """What one task gave: result rows, prediction rows, the learning curve (empty where nothing was
    trained) and the cost in tokens, examples, steps and FLOPs."""

    results: list[dict]
    predictions: list[dict]
    curve: list[dict]
    cost: dict[str, float]


def run(
    task: Task,
    checkpoint: Path,
    data: str,
    languages: Sequence[str],
    *,
    seed: int,
    examples: int,
    epochs: int,
    length: int,
    batch: int,
    learning_rate: float,
    warmup: float,
    evaluation_examples: int | None,
    state: Path,
) -> Outcome:
    """Fine-tune on the first `examples` of the seed's order for `epochs`, warm-up a share of the steps, then
    test in `languages`. English development data are scored beside the tests and choose nothing."""
    model, tokenizer = encoders.load(checkpoint)
    if not task.trains:
        results, predictions = evaluate.retrieve(model, task, data, languages, tokenizer, length, evaluation_examples)
        return Outcome(results, predictions, [], {})
    encoded = batches.encode(task, "train", data, None, tokenizer, length)
    rows = batches.subset(encoded, seed, examples)
    steps = epochs * len(rows) // batch
    learner = Labelling(model, task, seed)
    schedule = train.alone(learning_rate, warmup, steps)
    curve = train.train(
        learner, batches.epochs(encoded, rows, batch, seed), schedule, seed=seed, state=state, ladder=False
    )
    results, predictions = evaluate.test(learner, "test", data, languages, tokenizer, length, evaluation_examples)
    results += evaluate.test(learner, "development", data, ["en"], tokenizer, length, evaluation_examples)[0]
    return Outcome(results, predictions, curve, spent(model.config, encoded, rows, steps, batch))


def spent(config, encoded: batches.Encoded, rows: np.ndarray, steps: int, batch: int) -> dict[str, float]:
    """The cost of `steps` of fine-tuning on `rows`: real pieces, padding left out."""
    length = np.diff(encoded.starts)[rows].mean() if len(rows) else 0.0
    tokens = round(steps * batch * length)
    return {
        "tokens": tokens,
        "examples": steps * batch,
        "steps": steps,
        "flops": encoders.flops(config, tokens, length),
    }


def total(outcomes: Iterable[Outcome]) -> dict[str, float]:
    """The cost of several tasks together."""
    costs = [outcome.cost for outcome in outcomes]
    return {name: sum(cost.get(name, 0) for cost in costs) for name in ("tokens", "examples", "steps", "flops")}


def flags(tasks: Sequence[str], checkpoint: Record) -> list[str]:
    """Warnings that a reader of the scores needs: target tasks whose training data the checkpoint's
    intermediate task had too."""
    intermediate = checkpoint.parameters.get("task")
    shared = [name for name in tasks if intermediate and TASKS[name].shares_data_with(TASKS[intermediate])]
    return [f"{name} and the intermediate task {intermediate} train on the same data" for name in shared]
