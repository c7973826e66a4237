"""The one training loop, for every phase. It takes an objective, a function from the step to its batch and a
learning-rate schedule, and leaves the objective trained; the batch depends on the step alone, so what a
checkpoint holds besides weights and optimiser is where the run stands: an integer, the curve and a judge's counters."""

import contextlib
import functools
import inspect
import math
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from accelerate import debug_launcher, notebook_launcher
from accelerate.state import AcceleratorState
from torch import nn

from xlt_utils.training import checkpoints, hardware, resume
from xlt_utils.training.batches import BatchAt, micro_batches
from xlt_utils.training.schedules import Schedule

EXPLODED = 1e4  # a gradient's norm: clipped to 1 it would be noise


class Divergence(ArithmeticError):
    """The loss or the gradient is no longer a number to go on with: the run has no result."""


@dataclass(frozen=True)
class EarlyStopping:
    """A score on English development data, asked for every so many steps: the weights of the best are the result, and
    training ends after `patience` scores in a row that were no better."""

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
    micro_batch: int | None = None,
    devices: int = 1,
    judge: EarlyStopping | None = None,
    clip: float = 1.0,
    weight_decay: float = 0.01,
    save_seconds: float = 60.0,
) -> list[dict]:
    """Train to the schedule's end and return the curve: step, loss (mean since the entry before), learning rate.

    Goes on from `state/last` where an earlier attempt left it, else from `previous` (the trunk of the rung
    below), else from the objective as it is. On a ladder it leaves `state/trunk` for the rung above. A batch goes
    through a device in parts of at most `micro_batch` items; `devices` processes share it. Raises Divergence with the
    step, and CheckpointError for a trunk that is not whole or another run's.
    """
    settings = asdict(schedule) | {"seed": seed, "clip": clip, "weight decay": weight_decay}
    run = resume.run_identity(objective, batch_at, settings)
    if devices > (processes := int(os.environ.get("WORLD_SIZE", 1))):
        return _shared(locals())
    accelerator = hardware.accelerator()
    trained, optimizer = accelerator.prepare(objective.train(), _optimizer(objective, weight_decay))
    at = resume.resume_state(objective, optimizer, run, state / "last", previous)
    losses: list[torch.Tensor] = []
    # Every curve has about a hundred points whatever its length, and the last step is one of them.
    every = max(1, schedule.total // 100)
    saved = shown = time.monotonic()
    pause = save_seconds

    def is_over() -> bool:
        return at.step >= schedule.total or bool(judge and at.since >= judge.patience)

    def save(name: str) -> None:
        if accelerator.is_main_process:
            resume.save_state(state / name, objective, optimizer, at, run)

    while not is_over():
        # The trunk is what the next rung goes on from: it is kept before the cooldown changes anything.
        if ladder and at.step == schedule.trunk:
            save("trunk")

        for group in optimizer.param_groups:
            group["lr"] = schedule.rate(at.step)

        # Whatever is random in a step (dropout) hangs on (seed, step), never on the steps before.
        torch.manual_seed(seed * 1_000_003 + at.step * processes + accelerator.process_index)
        mine = list(micro_batches(batch_at(at.step), micro_batch, processes))[accelerator.process_index :: processes]
        loss = torch.zeros((), device=accelerator.device)
        for number, (share, part) in enumerate(mine, 1):
            with contextlib.nullcontext() if number == len(mine) else accelerator.no_sync(trained):
                value = trained(_placed(part, accelerator.device)) * share
                accelerator.backward(value * processes)  # the processes' gradients are averaged
            loss += value.detach()

        norm = accelerator.clip_grad_norm_(trained.parameters(), clip)
        loss = accelerator.reduce(loss, "sum")
        if not torch.isfinite(loss) or not norm < EXPLODED:
            raise Divergence(f"step {at.step}: loss {loss.item()}, gradient norm {norm.item()}, no result")
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss)
        at.step += 1

        if judge and at.step % judge.every == 0:
            score = _development_score(objective, judge)
            at.best, at.since = (score, 0) if score > at.best else (at.best, at.since + 1)
            if at.since == 0:
                save("best")

        if at.step % every == 0 or is_over():
            mean = torch.stack(losses).mean().item()
            at.curve.append({"step": at.step, "loss": mean, "learning_rate": schedule.rate(at.step - 1)})
            losses = []
            # A checkpoint falls on a point of the curve, so that a resumed curve has the same points; a large one is
            # written more rarely, so that saving never takes more than a twentieth of the time.
            if (began := time.monotonic()) - saved > pause and not is_over():
                save("last")
                saved = time.monotonic()
                pause = max(save_seconds, 20 * (saved - began))
            if time.monotonic() - shown > 10 or is_over():
                accelerator.print(f"step {at.step:,} of {schedule.total:,}, loss {mean:.3f}", flush=True)
                shown = time.monotonic()

    if ladder and schedule.trunk == schedule.total > 0:  # without a cooldown the rung is its own trunk
        save("trunk")
    accelerator.unwrap_model(trained, keep_fp32_wrapper=False).eval()
    if judge and at.best > -math.inf and accelerator.is_main_process:
        resume.load_weights(objective, state / "best")
    if processes > 1:
        save("last")  # how the weights reach the process that asked for them
    return at.curve


def begun(trunk: Path | None) -> int:
    """The step at which a run that goes on from a trunk begins; 0 for a run of its own."""
    return checkpoints.load_checkpoint(trunk)[1]["step"] if trunk else 0


def _shared(given: dict) -> list[dict]:
    """Train in `devices` processes, forked here: one a GPU or, without any, as many on the CPU. They share no weights
    with this process, so their last checkpoint is the result."""
    objective, run, state = given["objective"], given["run"], given["state"]
    names = inspect.signature(train).parameters
    AcceleratorState._reset_state(reset_partial_state=True)  # a training before this one was not shared
    call = functools.partial(train, **{name: given[name] for name in names})
    if torch.cuda.is_available():
        notebook_launcher(call, num_processes=given["devices"])
    else:
        debug_launcher(call, num_processes=given["devices"])
    at = resume.resume_state(objective, None, run, state / "last", None)
    objective.to(hardware.device()).eval()
    return at.curve


def _development_score(objective: nn.Module, judge: EarlyStopping) -> float:
    objective.eval()
    score = judge.score()
    objective.train()
    return score


def _placed(batch: dict, device: torch.device) -> dict:
    return {name: value.to(device) if isinstance(value, torch.Tensor) else value for name, value in batch.items()}


def _optimizer(objective: nn.Module, weight_decay: float) -> torch.optim.AdamW:
    """AdamW, fused; biases and normalisation weights do not decay."""
    groups = [
        {"params": [p for p in objective.parameters() if p.ndim >= 2], "weight_decay": weight_decay},
        {"params": [p for p in objective.parameters() if p.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=0.0, betas=(0.9, 0.98), eps=1e-8, fused=True)
