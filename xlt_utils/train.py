"""The one training loop, for every phase. It takes an objective, a function from the step to its batch and a
learning-rate schedule, and leaves the objective trained; the batch depends on the step alone, so what a
checkpoint holds besides weights and optimiser is one integer and the curve so far."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from xlt_utils import checkpoints, encoders


class Divergence(ArithmeticError):
    """The loss or the gradient is no longer a finite number: the run has no result."""


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


def alone(peak: float, warmup: float, total: int) -> Schedule:
    """The schedule of a run on no ladder: a `warmup` share of its steps up, the rest linearly down."""
    return Schedule(peak, round(total * warmup), round(total * warmup), total, power=1.0)


def train(
    objective: nn.Module,
    batch_at: Callable[[int], dict[str, torch.Tensor]],
    schedule: Schedule,
    *,
    seed: int,
    state: Path,
    previous: Path | None = None,
    ladder: bool = True,
    clip: float = 1.0,
    weight_decay: float = 0.01,
    save_seconds: float = 60.0,
) -> list[dict]:
    """Train to the schedule's end and return the curve: step, loss (mean since the entry before), learning rate.

    Goes on from `state/last` where an earlier attempt left it, else from `previous` (the trunk of the rung
    below), else from the objective as it is. On a ladder it leaves `state/trunk` for the rung above. Raises
    Divergence with the step, and CheckpointError for a trunk that is not whole.
    """
    device = encoders.device()
    objective.to(device).train()
    optimizer = _optimizer(objective, weight_decay)
    step, curve = _resume(objective, optimizer, state, previous)
    losses: list[torch.Tensor] = []
    # Every curve has about a hundred points whatever its length, and the last step is one of them.
    every = max(1, schedule.total // 100)
    saved = shown = time.monotonic()

    while step < schedule.total:
        # The trunk is what the next rung goes on from: it is kept before the cooldown changes anything.
        if ladder and step == schedule.trunk:
            _save(state / "trunk", objective, optimizer, step, curve)

        for group in optimizer.param_groups:
            group["lr"] = schedule.rate(step)

        # Whatever is random in a step (dropout) hangs on (seed, step), never on the steps before.
        torch.manual_seed(seed * 1_000_003 + step)
        batch = {name: tensor.to(device) for name, tensor in batch_at(step).items()}
        with encoders.autocast():
            loss = objective.loss(batch)
        loss.backward()

        norm = nn.utils.clip_grad_norm_(objective.parameters(), clip)
        if not torch.isfinite(norm) or not torch.isfinite(loss):
            raise Divergence(f"step {step}: loss {loss.item()}, gradient norm {norm.item()}, no result")
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.detach())
        step += 1

        if step % every == 0 or step == schedule.total:
            mean = torch.stack(losses).mean().item()
            curve.append({"step": step, "loss": mean, "learning_rate": schedule.rate(step - 1)})
            losses = []
            # A checkpoint falls on a point of the curve, so that a resumed curve has the same points.
            if time.monotonic() - saved > save_seconds and step < schedule.total:
                _save(state / "last", objective, optimizer, step, curve)
                saved = time.monotonic()
            if time.monotonic() - shown > 10 or step == schedule.total:
                print(f"step {step:,} of {schedule.total:,}, loss {mean:.3f}", flush=True)
                shown = time.monotonic()

    if ladder and schedule.trunk == schedule.total:  # a rung of no steps is its own trunk
        _save(state / "trunk", objective, optimizer, step, curve)
    objective.eval()
    return curve


def begun(trunk: Path | None) -> int:
    """The step at which a run that goes on from a trunk begins; 0 for a run of its own."""
    return checkpoints.load(trunk)[1]["step"] if trunk else 0


def _optimizer(objective: nn.Module, weight_decay: float) -> torch.optim.AdamW:
    """AdamW, fused; biases and normalisation weights do not decay."""
    groups = [
        {"params": [p for p in objective.parameters() if p.ndim >= 2], "weight_decay": weight_decay},
        {"params": [p for p in objective.parameters() if p.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=0.0, betas=(0.9, 0.98), eps=1e-8, fused=True)


def _save(folder: Path, objective: nn.Module, optimizer: torch.optim.Optimizer, step: int, curve: list[dict]) -> None:
    tensors = {f"weights.{name}": tensor for name, tensor in objective.named_parameters()}
    for place, moments in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{place}.{name}": tensor for name, tensor in moments.items()}
    checkpoints.save(folder, tensors, {"step": step, "curve": curve})


def _resume(
    objective: nn.Module, optimizer: torch.optim.Optimizer, state: Path, previous: Path | None
) -> tuple[int, list[dict]]:
    """Put weights and optimiser back as the newest checkpoint has them; step 0 where there is none."""
    last = state / "last"
    folder = last if checkpoints.exists(last) else previous
    if folder is None:
        return 0, []
    try:
        tensors, facts = checkpoints.load(folder)
    except checkpoints.CheckpointError as error:
        if folder is not last:
            raise
        print(f"warning: {error}; this rung begins again", flush=True)
        if previous is None:
            return 0, []
        tensors, facts = checkpoints.load(previous)
    with torch.no_grad():
        for name, weights in objective.named_parameters():
            weights.copy_(tensors[f"weights.{name}"])
    moments: dict[int, dict[str, torch.Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith("optimizer."):
            _, place, moment = name.split(".")
            moments.setdefault(int(place), {})[moment] = tensor
    optimizer.load_state_dict({"state": moments, "param_groups": optimizer.state_dict()["param_groups"]})
    return facts["step"], facts["curve"]
