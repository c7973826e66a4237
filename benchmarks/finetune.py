"""Fine-tuning on sentence pairs of uneven length: the same examples from the same encoder, by this engine and by
Trainer with dynamic padding, in turns; and the accuracy of both on the same development set."""

import statistics

import mlm
import numpy as np
import places
import sizes as sizes_
import torch
import trainer
import turns
from sizes import Sizes
from transformers import AutoModelForSequenceClassification, DataCollatorWithPadding
from turns import Side, Turn

from xlt_utils.data.labelled import SplitRef
from xlt_utils.data.tasks import TASKS
from xlt_utils.evaluation import metrics, predict
from xlt_utils.training import batches, encoders, encoding, loop, objectives
from xlt_utils.training.encoding import Encoded
from xlt_utils.training.schedules import Schedule, linear_schedule


class Classifier(torch.nn.Module):
    """A classifier of transformers in the form that `predict.predict_labels` takes."""

    def __init__(self, model: torch.nn.Module, task):
        super().__init__()
        self.model, self.task = model, task

    def logits(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """The model's own logits."""
        return self.model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits


class Rows(torch.utils.data.Dataset):
    """Chosen items of encoded examples, in the form that Trainer takes."""

    def __init__(self, encoded: Encoded, items: np.ndarray):
        spans = encoded.rows(items.tolist())
        self.ids = [encoded.tokens[span].tolist() for span in spans]
        self.labels = encoded.labels[items].tolist()

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, number: int) -> dict:
        return {"input_ids": self.ids[number], "label": self.labels[number]}


def encoded(sizes: Sizes, part: str, limit: int | None = None) -> Encoded:
    """The task's English examples as tokens, encoded at the first call."""
    split = SplitRef(TASKS[sizes.task], part, sizes_.pairs(sizes), limit=limit)
    return encoding.encode(split, sizes_.tokenizer(sizes), sizes.task_length)


def schedule(sizes: Sizes) -> Schedule:
    """The schedule of both sides."""
    return linear_schedule(sizes.task_learning_rate, max(1, sizes.task_steps // 10), sizes.task_steps)


def ours(turn: Turn, sizes: Sizes, seed: int) -> float:
    """Fine-tune with this engine; gives the accuracy on the development set."""
    examples, task = encoded(sizes, "train"), TASKS[sizes.task]
    items = batches.subset(examples, seed, sizes.task_steps * sizes.task_batch)
    objective = objectives.TaskHead(encoders.load_encoder(mlm.ENCODER)[0], task, seed)
    at = turn.watched(batches.epoch_batches(examples, items, sizes.task_batch, seed))
    state = places.FOLDER / f"finetune-{seed}"
    loop.train(objective, at, schedule(sizes), seed=seed, state=state, ladder=False)
    return accuracy(objective, sizes)


def theirs(turn: Turn, sizes: Sizes, seed: int) -> float:
    """Fine-tune with Trainer on the same examples; gives the accuracy on the development set."""
    examples, task = encoded(sizes, "train"), TASKS[sizes.task]
    items = batches.subset(examples, seed, sizes.task_steps * sizes.task_batch)
    torch.manual_seed(seed)  # of the head
    model = AutoModelForSequenceClassification.from_pretrained(mlm.ENCODER, num_labels=len(task.labels))
    collator = DataCollatorWithPadding(sizes_.tokenizer(sizes))
    trainer.train(turn, model, Rows(examples, items), collator, schedule(sizes), sizes.task_batch, seed=seed)
    return accuracy(Classifier(model, task), sizes)


def accuracy(objective, sizes: Sizes) -> float:
    """The accuracy on the English development set."""
    development = encoded(sizes, "development")
    predicted = predict.predict_labels(objective, development)
    return metrics.accuracy(predict.gold_labels(objective.task, development), predicted)


def measure(sizes: Sizes) -> dict:
    """Fine-tune both sides with every seed; gives the ratio of their speeds and the difference of their accuracies."""
    mlm.pretrain(sizes)
    lengths = turns.alone(lambda: encoded(sizes, "train").lengths())
    sides: list[dict[str, Side]] = []
    for seed in range(sizes.seeds):
        pair = {
            "ours": Side(sizes.task_round, ours, sizes, seed),
            "Trainer": Side(sizes.task_round, theirs, sizes, seed),
        }
        sides.append(turns.alternate(pair, f"fine-tuning, seed {seed}"))
    step = {name: statistics.median(pair[name].step_seconds() for pair in sides) for name in ("ours", "Trainer")}
    scores = {name: [pair[name].result for pair in sides] for name in step}
    differences = [ours - theirs for ours, theirs in zip(scores["ours"], scores["Trainer"], strict=True)]
    return {
        "finetune_examples_per_second_ratio": step["Trainer"] / step["ours"],
        "finetune_accuracy_difference": statistics.mean(differences),
        "finetune": {
            "task": sizes.task,
            "tokens": dict(zip(("min", "median", "max"), np.percentile(lengths, (0, 50, 100)).tolist(), strict=True)),
            "examples_per_second": {name: sizes.task_batch / seconds for name, seconds in step.items()},
            "examples": sizes.task_steps * sizes.task_batch,
            "accuracy": scores,
            "accuracy_spread": {name: statistics.pstdev(values) for name, values in scores.items()},
            "accuracy_differences": differences,
        },
    }
