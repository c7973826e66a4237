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

from xlt_utils import checkpoints, encoders, states
from xlt_utils.batches import BatchAt, parts

EXPLODED = 1e4  # a gradient's norm: clipped to 1 it would be noise


class Divergence(ArithmeticError):
    """The loss or the gradient is no longer a number to go on with: the run has no result."""


@dataclass(frozen=True)
class Schedule:
    """Learning rate over steps: linear warm-up, a constant trunk, and from step `trunk` on a decay that ends
    at 0 after `total` steps, as 1 - share ** power. Runs that differ in `trunk` and `total` only are rungs
    of one ladder: they share every step before the first branches off."""

    peak: float
    warmup: int
    trunk: int
    total: int
    power: float

    def rate(self, step: int) -> float:
        """The learning rate of a step, counted from 0."""
        warm = self.peak * min(1.0, (step + 1) / max(1, self.warmup))
        if step < self.trunk:
            return warm
        return warm * (1 - ((step - self.trunk + 1) / (self.total - self.trunk + 1)) ** self.power)


def rung(peak: float, warmup: int, total: int, cooldown: float) -> Schedule:
    """The schedule of a rung of `total` steps that cools down as 1 - sqrt over its last `cooldown` share
    (Hägele et al. 2024, arXiv 2405.18392)."""
    return Schedule(peak, warmup, round(total * (1 - cooldown)), total, power=0.5)


def alone(peak: float, warmup: int, total: int) -> Schedule:
    """The schedule of a run on no ladder: so many steps up, the rest linearly down."""
    return Schedule(peak, warmup, warmup, total, power=1.0)


def scheduled(kind: str, peak: float, warmup: int, total: int, cooldown: float) -> Schedule:
    """The schedule of a rung on a `ladder`, or of an `independent` one."""
    return rung(peak, warmup, total, cooldown) if kind == "ladder" else alone(peak, warmup, total)


@dataclass(frozen=True)
class Judge:
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
    judge: Judge | None = None,
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
    run = states.identity(objective, batch_at, settings)
    if devices > (processes := int(os.environ.get("WORLD_SIZE", 1))):
        return _shared(locals())
    accelerator = encoders.accelerator()
    trained, optimizer = accelerator.prepare(objective.train(), _optimizer(objective, weight_decay))
    at = states.resume(objective, optimizer, run, state / "last", previous)
    losses: list[torch.Tensor] = []
    # Every curve has about a hundred points whatever its length, and the last step is one of them.
    every = max(1, schedule.total // 100)
    saved = shown = time.monotonic()
    pause = save_seconds

    def is_over() -> bool:
        return at.step >= schedule.total or bool(judge and at.since >= judge.patience)

    def save(name: str) -> None:
        if accelerator.is_main_process:
            states.save(state / name, objective, optimizer, at, run)

    while not is_over():
        # The trunk is what the next rung goes on from: it is kept before the cooldown changes anything.
        if ladder and at.step == schedule.trunk:
            save("trunk")

        for group in optimizer.param_groups:
            group["lr"] = schedule.rate(at.step)

        # Whatever is random in a step (dropout) hangs on (seed, step), never on the steps before.
        torch.manual_seed(seed * 1_000_003 + at.step * processes + accelerator.process_index)
        mine = list(parts(batch_at(at.step), micro_batch, processes))[accelerator.process_index :: processes]
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
            score = _judged(objective, judge)
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
        states.put(objective, state / "best")
    if processes > 1:
        save("last")  # how the weights reach the process that asked for them
    return at.curve


def begun(trunk: Path | None) -> int:
    """The step at which a run that goes on from a trunk begins; 0 for a run of its own."""
    return checkpoints.load(trunk)[1]["step"] if trunk else 0


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
    at = states.resume(objective, None, run, state / "last", None)
    objective.to(encoders.device()).eval()
    return at.curve


def _judged(objective: nn.Module, judge: Judge) -> float:
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
