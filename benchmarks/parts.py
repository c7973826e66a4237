"""The effect of each speed-up of the engine: the engine as it is, in turns with the engine without that speed-up."""

import contextlib
import time
from collections.abc import Callable, Iterator
from unittest import mock

import finetune
import places
import sizes as sizes_
import torch
import turns
from sizes import MASK_RATE, Sizes
from turns import Side, Turn

from xlt_utils.data.tasks import TASKS
from xlt_utils.training import batches, encoders, hardware, loop, objectives, packing
from xlt_utils.training.schedules import linear_schedule

ENGINE = "as it is"
ROUNDS = 5


@contextlib.contextmanager
def _dense(objective) -> Iterator[None]:
    objective.vocabulary_head = None  # as for an architecture without a row in the table of heads
    yield


@contextlib.contextmanager
def _fp32(objective) -> Iterator[None]:
    with mock.patch.object(hardware, "precision", lambda: "fp32"):
        yield


@contextlib.contextmanager
def _sdpa(objective) -> Iterator[None]:
    getattr(objective, "model", getattr(objective, "encoder", None)).set_attn_implementation("sdpa")
    yield


@contextlib.contextmanager
def _unfused(objective) -> Iterator[None]:
    fused = loop._optimizer

    def unfused(*arguments) -> torch.optim.AdamW:
        optimizer = fused(*arguments)
        settings = {name: optimizer.defaults[name] for name in ("lr", "betas", "eps")}
        return torch.optim.AdamW(optimizer.param_groups, **settings, fused=False)

    with mock.patch.object(loop, "_optimizer", unfused):
        yield


@contextlib.contextmanager
def _compiled(objective) -> Iterator[None]:
    objective.compile()
    yield


@contextlib.contextmanager
def _padded(objective) -> Iterator[None]:
    with mock.patch.object(packing, "first_position", lambda config: None):
        yield


# The speed-ups by name, each with the context that takes it away, for both phases.
PRETRAINING: dict[str, Callable] = {
    "masked places only, not a dense head": _dense,
    "bf16, not fp32": _fp32,
    "plain attention, not SDPA": _sdpa,
    "fused AdamW, not the loop": _unfused,
    "no torch.compile (left out)": _compiled,
}
FINE_TUNING: dict[str, Callable] = {
    "packing, not padding": _padded,
    "bf16, not fp32": _fp32,
    "plain attention, not SDPA": _sdpa,
}


def pretraining(turn: Turn, sizes: Sizes, without: Callable) -> float:
    """Some rounds of masked language modelling without a part; gives the seconds until the second step began."""
    text = sizes_.text(sizes)
    steps = ROUNDS * sizes.round_steps + 1
    objective = objectives.MaskedLM(encoders.create_encoder(sizes_.configuration(sizes), seed=0))
    return _train(turn, objective, text.batches(0, steps, sizes.batch, MASK_RATE), steps, without)


def fine_tuning(turn: Turn, sizes: Sizes, without: Callable) -> float:
    """Some rounds of fine-tuning without a part."""
    examples = finetune.encoded(sizes, "train")
    steps = ROUNDS * sizes.task_round + 1
    items = batches.subset(examples, 0, steps * sizes.task_batch)
    objective = objectives.TaskHead(encoders.create_encoder(sizes_.configuration(sizes), seed=0), TASKS[sizes.task], 0)
    return _train(turn, objective, batches.epoch_batches(examples, items, sizes.task_batch, 0), steps, without)


def measure(sizes: Sizes) -> dict:
    """The engine as it is and without each part, in both phases."""
    turns.alone(lambda: finetune.encoded(sizes, "train") and None)
    rows = []
    phases = (("pretraining", pretraining, PRETRAINING, sizes.round_steps, sizes.batch * sizes.shape["length"]),)
    phases += (("fine-tuning", fine_tuning, FINE_TUNING, sizes.task_round, sizes.task_batch),)
    for phase, work, variants, steps, size in phases:
        names = {ENGINE: contextlib.nullcontext} | variants
        sides = {name: Side(steps, work, sizes, without) for name, without in names.items()}
        turns.alternate(sides, phase)
        whole = sides[ENGINE].step_seconds()
        for name, side in sides.items():
            seconds = side.step_seconds()
            unit = "tokens" if phase == "pretraining" else "examples"
            row = {"phase": phase, "what": name, "speed_up": seconds / whole, f"{unit}_per_second": size / seconds}
            rows.append(row | {"first_steps_seconds": side.result})
    return {"parts": rows}


def _train(turn: Turn, objective, batch_at: Callable, steps: int, without: Callable) -> float:
    marks = []

    def marked(step: int) -> dict:
        marks.append(turn.clock())
        return batch_at(step)

    with without(objective):
        schedule = linear_schedule(1e-3, max(1, steps // 10), steps)
        state = places.FOLDER / f"parts-{time.time_ns()}"
        loop.train(objective, turn.watched(marked), schedule, seed=0, state=state, ladder=False)
    return marks[2] - marks[1]  # the first call asks what the run is
