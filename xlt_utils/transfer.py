"""Phase 3 for one task: fine-tune a checkpoint on English examples of the task and test it, untouched, in
every other language. A task without training data is tested as the checkpoint stands."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from xlt_utils import batches, encoders, encoding, evaluate, labelled, train
from xlt_utils.evaluate import Found
from xlt_utils.objectives import TaskHead
from xlt_utils.records import Record
from xlt_utils.tasks import TASKS


@dataclass(frozen=True)
class Outcome:
    """What one task gave: its tests, the learning curve (empty where nothing was trained) and the cost in tokens,
    examples, steps and FLOPs."""

    found: Found
    curve: list[dict] = field(default_factory=list)
    cost: dict[str, float] = field(default_factory=dict)


def run(
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
    learning_rate: float,
    warmup: float,
    evaluation_examples: int | None,
    perturbations: Sequence[tuple[str, float]],
    state: Path,
) -> Outcome:
    """Fine-tune on the first `examples` of the seed's order for `epochs`, warm-up a share of the steps, then
    test in `languages`. English development data are scored beside the tests and choose nothing; where their labels
    are withheld, the facts say so."""
    task = labelled.complete(name, data)
    model, tokenizer = encoders.load(checkpoint)
    setting = evaluate.Setting(data, tokenizer, length, evaluation_examples, perturbations)
    if not task.trains:
        return Outcome(evaluate.retrieve(model, task, languages, setting))
    encoded = encoding.encode(task, "train", data, "en", tokenizer, length)
    rows = batches.subset(encoded, seed, examples)
    steps = epochs * len(rows) // batch
    learner = TaskHead(model, task, seed)
    schedule = train.alone(learning_rate, warmup, steps)
    curve = train.train(
        learner, batches.epochs(encoded, rows, batch, seed), schedule, seed=seed, state=state, ladder=False
    )
    found = evaluate.test(learner, "test", languages, setting)
    found.facts["train"] = encoded.facts
    try:
        found.results += evaluate.test(learner, "development", ["en"], setting).results
    except labelled.Withheld as error:
        found.facts["development"] = {"withheld": str(error)}
    return Outcome(found, curve, spent(model.config, encoded, rows, steps, batch))


def spent(config, encoded: encoding.Encoded, rows: np.ndarray, steps: int, batch: int) -> dict[str, float]:
    """The cost of `steps` of fine-tuning on `rows`: real pieces, padding left out."""
    length = encoded.lengths()[rows].mean() if len(rows) else 0.0
    tokens = round(steps * batch * encoded.options * length)
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
