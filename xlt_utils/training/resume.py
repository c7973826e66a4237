"""The state of a training run on the disk: weights, optimiser and position, with the identity of the run that wrote
them. A state that a stop left half written is never read; another run's is refused by name."""

import hashlib
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from torch import nn

from xlt_utils.training import checkpoints
from xlt_utils.training.batches import BatchAt

RUNG_FIELDS = ("trunk", "total")  # what the rungs of a ladder differ in, and nothing else


@dataclass
class Position:
    """Where a run is: all that the next step depends on besides weights, optimiser, seed and step."""

    step: int = 0
    curve: list[dict] = field(default_factory=list)
    best: float = -math.inf  # the best development score
    since: int = 0  # scores since the best


def run_identity(objective: nn.Module, batch_at: BatchAt, settings: dict) -> dict:
    """What makes a run this run and no other: its settings, its first batch (if it has steps), its starting weights."""
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
    folder: Path, objective: nn.Module, optimizer: torch.optim.Optimizer, position: Position, run: dict
) -> None:
    """Write the state of the run whose identity is `run`."""
    tensors: dict[str, torch.Tensor] = {f"weights.{name}": weight for name, weight in _trained(objective)}
    for index, moments in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{name}": tensor for name, tensor in moments.items()}
    checkpoints.save_checkpoint(folder, tensors, asdict(position) | {"run": run})


def resume_state(
    objective: nn.Module, optimizer: torch.optim.Optimizer | None, run: dict, last: Path, trunk: Path | None
) -> Position:
    """Restore weights and optimiser from the newest state that can be used: this run's last, the one before it, the
    trunk of the rung below, or else the beginning.

    Args:
        objective: gets the weights.
        optimizer: gets the moments; None: only the weights are wanted.
        run: the identity that a state must have.
        last: the folder of this run's last state. If it is damaged or another run's, a warning says so.
        trunk: the folder of the trunk of the rung below.

    Returns:
        The position of the restored state.

    Raises:
        CheckpointError: the trunk cannot be used, so the cell that wrote it has to run again.
    """
    for folder in checkpoints.kept_checkpoints(last):
        try:
            return _restore(folder, objective, optimizer, run)
        except checkpoints.CheckpointError as error:
            print(f"warning: {error}; what was saved before it is used", flush=True)
    if trunk is None:
        return Position()
    shared_with_rung_below = {name: value for name, value in run.items() if name not in RUNG_FIELDS}
    return _restore(trunk, objective, optimizer, shared_with_rung_below)


def load_weights(objective: nn.Module, folder: Path) -> dict[str, torch.Tensor]:
    """Put a state's weights into an objective; gives all of the state's tensors."""
    tensors, _ = checkpoints.load_checkpoint(folder)
    with torch.no_grad():
        for name, weights in _trained(objective):
            weights.copy_(tensors[f"weights.{name}"])
    return tensors


def _restore(folder: Path, objective: nn.Module, optimizer: torch.optim.Optimizer | None, run: dict) -> Position:
    _, facts = checkpoints.load_checkpoint(folder)
    saved_run = facts.pop("run")
    if differing := [name for name, value in run.items() if saved_run.get(name) != value]:
        differences = ", ".join(f"{name} {saved_run.get(name)} where this one has {run[name]}" for name in differing)
        raise checkpoints.CheckpointError(f"{folder}: another run's state: {differences}")
    tensors = load_weights(objective, folder)
    if optimizer:
        state: dict[int, dict[str, torch.Tensor]] = {}
        for index, name, moment in _moments(tensors):
            state.setdefault(index, {})[name] = moment
        optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    return Position(**facts)


def _trained(objective: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    """The parameters that training changes: all but the frozen ones, which a state does not hold."""
    return ((name, weights) for name, weights in objective.named_parameters() if weights.requires_grad)


def _moments(tensors: dict[str, torch.Tensor]) -> Iterator[tuple[int, str, torch.Tensor]]:
    for key, tensor in tensors.items():
        if key.startswith("optimizer."):
            _, index, name = key.split(".")
            yield int(index), name, tensor
