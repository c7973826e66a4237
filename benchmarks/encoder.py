"""Fine-tuning a pretrained encoder, the size that real studies use, on MultiNLI pairs: the same examples by this engine
and by Trainer in fp32 and in bf16, in turns, on one CPU thread."""

import numpy as np
import places
import torch
import trainer
import turns
from finetune import Rows
from transformers import AutoModelForSequenceClassification, DataCollatorWithPadding
from turns import Side, Turn

from xlt_utils.data.labelled import SplitRef
from xlt_utils.data.tasks import TASKS
from xlt_utils.training import batches, encoders, encoding, loop, objectives, tokenization
from xlt_utils.training.encoding import Encoded
from xlt_utils.training.schedules import linear_schedule

TASK = TASKS["mnli"]
# The settings of params/real-pretrained.yaml: examples a step, tokens a row at most, examples of the run
BATCH, LENGTH, EXAMPLES, RATE = 16, 96, 500, 5e-5
ROUND_STEPS = 5
SCHEDULE = linear_schedule(RATE, 3, EXAMPLES // BATCH)


def measure(encoder: str, data: str) -> dict:
    """Gives the ratios of the examples a second.

    Args:
        encoder: a checkpoint folder.
        data: a folder laid out as the hub, with nyu-mll/multi_nli.
    """
    lengths = turns.alone(lambda: encoded(encoder, data).lengths())
    sides = {
        "ours": Side(ROUND_STEPS, ours, encoder, data),
        "Trainer": Side(ROUND_STEPS, theirs, encoder, data, False),
        "Trainer, bf16": Side(ROUND_STEPS, theirs, encoder, data, True),
    }
    step = {name: side.step_seconds() for name, side in turns.alternate(sides, "a pretrained encoder").items()}
    return {
        "encoder_examples_per_second_ratio": step["Trainer"] / step["ours"],
        "encoder_examples_per_second_ratio_bf16": step["Trainer, bf16"] / step["ours"],
        "encoder": {
            "tokens": dict(zip(("min", "median", "max"), np.percentile(lengths, (0, 50, 100)).tolist(), strict=True)),
            "examples_per_second": {name: BATCH / seconds for name, seconds in step.items()},
            "threads": 1,
        },
    }


def encoded(encoder: str, data: str) -> Encoded:
    """The English training pairs as tokens, encoded at the first call."""
    return encoding.encode(SplitRef(TASK, "train", data), tokenization.load_tokenizer(encoder), LENGTH)


def ours(turn: Turn, encoder: str, data: str) -> None:
    """Fine-tune with this engine, as `fine_tuning.fine_tune` does."""
    torch.set_num_threads(1)
    examples = encoded(encoder, data)
    items = batches.subset(examples, 0, EXAMPLES)
    objective = objectives.TaskHead(encoders.load_encoder(encoder)[0], TASK, 0)
    at = turn.watched(batches.epoch_batches(examples, items, BATCH, 0))
    tokens = examples.vocabulary(items)
    loop.train(objective, at, SCHEDULE, seed=0, state=places.FOLDER / "encoder", ladder=False, tokens=tokens)


def theirs(turn: Turn, encoder: str, data: str, bf16: bool) -> None:
    """Fine-tune with Trainer on the same examples."""
    torch.set_num_threads(1)
    examples = encoded(encoder, data)
    items = batches.subset(examples, 0, EXAMPLES)
    model = AutoModelForSequenceClassification.from_pretrained(
        encoder, num_labels=len(TASK.labels), dtype=torch.float32
    )
    collator = DataCollatorWithPadding(tokenization.load_tokenizer(encoder))
    trainer.train(turn, model, Rows(examples, items), collator, SCHEDULE, BATCH, bf16=bf16)
