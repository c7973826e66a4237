"""The state of a training run on the disk: weights, optimiser and position, under the name of the run that they belong
to. What a stop may leave half done is never read; what another run wrote is refused by name."""

import hashlib
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from torch import nn

from xlt_utils.training import checkpoints
from xlt_utils.training.batches import BatchAt

OWN = ("trunk", "total")  # what the rungs of a ladder differ in, and nothing else


@dataclass
class Position:
    """Where a run stands: all that the next step depends on besides weights, optimiser, seed and step."""

    step: int = 0
    curve: list[dict] = field(default_factory=list)
    best: float = -math.inf
    since: int = 0  # scores since the best


def run_identity(objective: nn.Module, batch_at: BatchAt, settings: dict) -> dict:
    """What makes a run this run and no other: its settings, its first batch, the weights that it starts from. A run of
    no steps has no batch."""
    weights, batch = hashlib.sha256(), hashlib.sha256()
    for name, tensor in objective.named_parameters():
        weights.update(f"{name} {tuple(tensor.shape)}".encode() + tensor.detach().cpu().numpy().tobytes())
    for name, value in sorted(batch_at(0).items()) if settings["total"] else ():
        batch.update(
            name.encode() + (value.numpy().tobytes() if isinstance(value, torch.Tensor) else str(value).encode())
        )
    run = {"starting weights": weights.hexdigest()[:16], "first batch": batch.hexdigest()[:16]}
    return run | settings


def save_state(
    folder: Path, objective: nn.Module, optimizer: torch.optim.Optimizer | None, position: Position, run: dict
) -> None:
    """Write a state; without an optimiser it is one to test, not one to go on from."""
    tensors = {f"weights.{name}": tensor for name, tensor in objective.named_parameters()}
    for place, moments in optimizer.state_dict()["state"].items() if optimizer else ():
        tensors |= {f"optimizer.{place}.{name}": tensor for name, tensor in moments.items()}
    checkpoints.save_checkpoint(folder, tensors, asdict(position) | {"run": run})


def resume_state(
    objective: nn.Module, optimizer: torch.optim.Optimizer | None, run: dict, last: Path, trunk: Path | None
) -> Position:
    """Put weights and optimiser back as the newest state has them, and say where that is: the `last` of this run or,
    where that is damaged or another run's, the one before it, then the `trunk` of the rung below, then the beginning.
    Raises CheckpointError for a trunk that cannot be used: the cell that wrote it has to run again."""
    for folder in checkpoints.kept_checkpoints(last):
        try:
            return _restored(folder, objective, optimizer, run)
        except checkpoints.CheckpointError as error:
            print(f"warning: {error}; what was saved before it is used", flush=True)
    if trunk is None:
        return Position()
    shared = {name: value for name, value in run.items() if name not in OWN}
    return _restored(trunk, objective, optimizer, shared)


def load_weights(objective: nn.Module, folder: Path) -> dict[str, torch.Tensor]:
    """Put a state's weights into an objective; gives all of the state's tensors."""
    tensors, _ = checkpoints.load_checkpoint(folder)
    with torch.no_grad():
        for name, weights in objective.named_parameters():
            weights.copy_(tensors[f"weights.{name}"])
    return tensors


def _restored(folder: Path, objective: nn.Module, optimizer: torch.optim.Optimizer | None, run: dict) -> Position:
    _, facts = checkpoints.load_checkpoint(folder)
    wrote = facts.pop("run")
    if other := [name for name, value in run.items() if wrote.get(name) != value]:
        told = ", ".join(f"{name} {wrote.get(name)} where this one has {run[name]}" for name in other)
        raise checkpoints.CheckpointError(f"{folder}: another run's state: {told}")
    tensors = load_weights(objective, folder)
    if optimizer:
        moments: dict[int, dict[str, torch.Tensor]] = {}
        for place, name, tensor in _moments(tensors):
            moments.setdefault(place, {})[name] = tensor
        optimizer.load_state_dict({"state": moments, "param_groups": optimizer.state_dict()["param_groups"]})
    return Position(**facts)


def _moments(tensors: dict[str, torch.Tensor]) -> Iterator[tuple[int, str, torch.Tensor]]:
    for key, tensor in tensors.items():
        if key.startswith("optimizer."):
            _, place, name = key.split(".")
            yield int(place), name, tensor
