"""The one training loop, for every phase. In go an objective, a function from the step to its batch and a learning-rate
schedule; the objective comes out trained. The batch depends on the step alone, so what a checkpoint holds besides
weights and optimiser is the run's position: an integer, the curve and the counters of early stopping."""

import contextlib
import functools
import hashlib
import math
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import debug_launcher, notebook_launcher
from accelerate.state import AcceleratorState
from torch import nn

from xlt_utils.training import checkpoints, hardware, resume
from xlt_utils.training.batches import BatchAt, micro_batches
from xlt_utils.training.dropout import cheap_dropout
from xlt_utils.training.schedules import Schedule
from xlt_utils.training.seen_vocabulary import SeenVocabulary

EXPLODED = 1e4  # the norm of a gradient that would be noise when clipped to 1


class Divergence(ArithmeticError):
    """The loss or the gradient is not finite, or has exploded: the run has no result."""


@dataclass(frozen=True)
class EarlyStopping:
    """A score on English development data, taken every `every` steps. The weights with the best score are the result;
    training ends after `patience` scores in a row that are no better."""

    score: Callable[[], float]
    every: int
    patience: int


def train(
    objective: nn.Module,
    batch_at: BatchAt,
    schedule: Schedule,
    *,
    seed: int,
    state: Path,
    previous: Path | None = None,
    ladder: bool = True,
    tokens: np.ndarray | None = None,
    micro_batch: int | None = None,
    devices: int = 1,
    early_stopping: EarlyStopping | None = None,
    is_settled: Callable[[list[dict]], bool] | None = None,
    clip: float = 1.0,
    weight_decay: float = 0.01,
    save_seconds: float = 60.0,
) -> list[dict]:
    """Train to the schedule's end. A run that was stopped goes on from `state/last` and ends in the same bits.

    Args:
        objective: takes a batch and gives its loss; it is trained in place, but for parameters without gradients.
        batch_at: from a step, counted from 0, to its batch.
        schedule: the learning rate, and the number of steps.
        seed: decides what is random in a step (dropout).
        state: the run's folder of checkpoints.
        previous: the trunk of the rung below, to go on from.
        ladder: whether to leave `state/trunk` for the rung above.
        tokens: the ids that the batches hold, sorted, the same on all rungs of a ladder; None: any, or a masked-LM
            head. Other rows of a large embedding then take no time and no memory to train (seen_vocabulary.py); the
            result is the same, to rounding.
        micro_batch: items of a batch that a device holds at once; None: all, on a CPU in parts (batches.MOST_SCORES).
        devices: processes that share each batch.
        early_stopping: None: train all steps, and the last weights are the result.
        is_settled: whether training may end early, from the curve so far; None: never.
        clip: the gradient's norm at most.
        weight_decay: AdamW's, for matrices only.
        save_seconds: the time between two checkpoints at least.

    Returns:
        The curve: step, loss (the mean since the point before) and learning rate.

    Raises:
        Divergence: with the step.
        CheckpointError: the trunk is damaged or another run's.
    """
    settings = asdict(schedule) | {"seed": seed, "clip": clip, "weight decay": weight_decay}
    settings["tokens"] = None if tokens is None else hashlib.sha256(tokens.tobytes()).hexdigest()[:16]
    run = resume.run_identity(objective, batch_at, settings)

    def decay(steps: int) -> float:
        return math.prod(1 - weight_decay * schedule.rate(step) for step in range(steps))

    if devices > (processes := int(os.environ.get("WORLD_SIZE", 1))):
        options: dict[str, Any] = {"seed": seed, "state": state, "previous": previous, "ladder": ladder}
        options |= {"tokens": tokens, "micro_batch": micro_batch, "devices": devices, "early_stopping": early_stopping}
        options |= {"is_settled": is_settled, "clip": clip, "weight_decay": weight_decay, "save_seconds": save_seconds}
        _run_in_processes(functools.partial(train, objective, batch_at, schedule, **options), devices)
        # The processes share no weights with this one: their last checkpoint is the result.
        vocabulary = SeenVocabulary(objective, tokens, decay)
        position = resume.resume_state(objective, None, run, state / "last", None)
        vocabulary.restore(_steps_of_result(position, early_stopping))
        objective.to(hardware.device()).eval()
        return position.curve

    vocabulary = SeenVocabulary(objective, tokens, decay)
    accelerator = hardware.accelerator()
    trained, optimizer = accelerator.prepare(objective.train(), _optimizer(objective, weight_decay))
    position = resume.resume_state(objective, optimizer, run, state / "last", previous)
    losses: list[torch.Tensor] = []
    # Every curve has about a hundred points whatever its length, and the last step is one of them.
    steps_a_point = max(1, schedule.total // 100)
    saved_at = printed_at = time.monotonic()
    pause = save_seconds

    def is_over() -> bool:
        if early_stopping and position.since >= early_stopping.patience:
            return True
        return position.step >= schedule.total or bool(is_settled and is_settled(position.curve))

    def save(name: str) -> None:
        if accelerator.is_main_process:
            resume.save_state(state / name, objective, optimizer, position, run)

    while not is_over():
        # The trunk is what the next rung goes on from: it is kept before the cooldown changes anything.
        if ladder and position.step == schedule.trunk:
            save("trunk")

        for group in optimizer.param_groups:
            group["lr"] = schedule.rate(position.step)

        # Whatever is random in a step (dropout) depends on (seed, step), never on the steps before.
        torch.manual_seed(seed * 1_000_003 + position.step * processes + accelerator.process_index)
        parts = list(micro_batches(batch_at(position.step), micro_batch, processes))
        own_parts = parts[accelerator.process_index :: processes]
        loss = torch.zeros((), device=accelerator.device)
        for number, (share, part) in enumerate(own_parts, 1):
            with contextlib.nullcontext() if number == len(own_parts) else accelerator.no_sync(trained):
                with cheap_dropout():
                    part_loss = trained(_to_device(part, accelerator.device)) * share
                accelerator.backward(part_loss * processes)  # the processes' gradients are averaged
            loss += part_loss.detach()

        norm = accelerator.clip_grad_norm_(trained.parameters(), clip)
        loss = accelerator.reduce(loss, "sum")
        if not torch.isfinite(loss) or not norm < EXPLODED:
            raise Divergence(f"step {position.step}: loss {loss.item()}, gradient norm {norm.item()}, no result")
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss)
        position.step += 1

        if early_stopping and position.step % early_stopping.every == 0:
            vocabulary.settle(position.step)
            score = _development_score(objective, early_stopping)
            position.best, position.since = (score, 0) if score > position.best else (position.best, position.since + 1)
            if position.since == 0:
                save("best")

        if position.step % steps_a_point == 0 or is_over():
            mean = torch.stack(losses).mean().item()
            rate = schedule.rate(position.step - 1)
            position.curve.append({"step": position.step, "loss": mean, "learning_rate": rate})
            losses = []
            # A checkpoint falls on a point of the curve, so that a resumed curve has the same points; a large one is
            # written more rarely, so that saving never takes more than a twentieth of the time.
            if (began := time.monotonic()) - saved_at > pause and not is_over():
                save("last")
                saved_at = time.monotonic()
                pause = max(save_seconds, 20 * (saved_at - began))
            if time.monotonic() - printed_at > 10 or is_over():
                accelerator.print(f"step {position.step:,} of {schedule.total:,}, loss {mean:.3f}", flush=True)
                printed_at = time.monotonic()

    if ladder and schedule.trunk == schedule.total > 0:  # without a cooldown the run is its own trunk
        save("trunk")
    accelerator.unwrap_model(trained, keep_fp32_wrapper=False).eval()
    if early_stopping and position.best > -math.inf and accelerator.is_main_process:
        resume.load_weights(objective, state / "best")
    if processes > 1:
        save("last")  # how the weights reach the process that started these
    vocabulary.restore(_steps_of_result(position, early_stopping))
    return position.curve


def first_step(trunk: Path | None) -> int:
    """The step at which a run begins that goes on from this trunk; 0 without one."""
    return checkpoints.load_checkpoint(trunk)[1]["step"] if trunk else 0


def _run_in_processes(call: Callable[[], object], processes: int) -> None:
    """Fork: one process a GPU or, without any, as many on the CPU."""
    AcceleratorState._reset_state(reset_partial_state=True)  # a training before this one was not shared
    if torch.cuda.is_available():
        notebook_launcher(call, num_processes=processes)
    else:
        debug_launcher(call, num_processes=processes)


def _development_score(objective: nn.Module, early_stopping: EarlyStopping) -> float:
    objective.eval()
    score = early_stopping.score()
    objective.train()
    return score


def _steps_of_result(position: resume.Position, early_stopping: EarlyStopping | None) -> int:
    """The steps behind the weights that are the result: all or, with early stopping, those up to the best score."""
    if early_stopping is None or position.best == -math.inf:
        return position.step
    return (position.step // early_stopping.every - position.since) * early_stopping.every


def _to_device(batch: dict, device: torch.device) -> dict:
    return {name: value.to(device) if isinstance(value, torch.Tensor) else value for name, value in batch.items()}


def _optimizer(objective: nn.Module, weight_decay: float) -> torch.optim.AdamW:
    """AdamW, fused; biases and normalisation weights do not decay."""
    trained = [p for p in objective.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trained if p.ndim >= 2], "weight_decay": weight_decay},
        {"params": [p for p in trained if p.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=0.0, betas=(0.9, 0.98), eps=1e-8, fused=True)
