"""Training runs that tests stop, damage and resume: a case of each phase, and what it ends in."""

import copy
import hashlib
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch

from xlt_utils.training import batches, checkpoints, loop, objectives
from xlt_utils.training.schedules import ladder_schedule

LENGTH, BATCH, RATE = 32, 8, 0.15


class Stop(Exception):
    pass


@dataclass(frozen=True)
class Ending:
    """What an attempt ends in; equal if weights, curve and predictions are, whichever steps the attempt asked for."""

    weights: str
    curve: list[dict]
    predictions: list
    requested_steps: list[int] = field(compare=False)


@dataclass(frozen=True)
class Case:
    """A training run of some phase, from its untouched objective and the batches of so many steps to what the trained
    one predicts."""

    start: torch.nn.Module
    batches: Callable[[int], batches.BatchAt]
    predict: Callable[[torch.nn.Module], list]
    steps: int = 30
    options: dict = field(default_factory=dict)
    score: Callable[[torch.nn.Module, torch.nn.Module], float] | None = None  # of the objective, and its start

    def run(
        self, folder: Path, seconds: float = 0.0, requested_steps: list[int] | None = None, **options: object
    ) -> Ending:
        """One attempt, or what an earlier one left of it. `requested_steps` gets the steps of a stopped attempt too."""
        objective, batch_at = copy.deepcopy(self.start), self.batches(self.steps)
        requested_steps = [] if requested_steps is None else requested_steps
        options = {"seed": 1, "state": folder, "save_seconds": seconds} | self.options | options
        options = {"schedule": ladder_schedule(2e-3, 5, self.steps, 0.2)} | options
        if self.score:
            options["early_stopping"] = loop.EarlyStopping(lambda: self.score(objective, self.start), 2, patience=4)

        def watched(step: int) -> dict:
            requested_steps.append(step)
            return batch_at(step)

        torch.default_generator.manual_seed(0)  # as a new process
        curve = loop.train(objective, watched, **options)
        return Ending(weights_sha256(objective), curve, self.predict(objective), requested_steps)


def weights_sha256(objective: torch.nn.Module) -> str:
    return hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in objective.parameters())).hexdigest()


# What a run calls again and again, and may be stopped in.
PLACES = {
    "step": (loop, "micro_batches"),
    "part": (objectives.TaskHead, "forward"),
    "score": (loop, "_development_score"),
    "rename": (checkpoints.Path, "rename"),
}


def stop(case: Case, folder: Path, where: str, **options: object) -> None:
    """An attempt that ends at, say, `before step 3` or `after rename 20`, both counted from 1 in this attempt."""
    side, place, number = where.split()
    owner, name = PLACES[place]
    function, calls = getattr(owner, name), itertools.count(1)

    def stopping(*args, **kwargs):
        is_last = next(calls) == int(number)
        if is_last and side == "before":
            raise Stop
        result = function(*args, **kwargs)
        if is_last:
            raise Stop
        return result

    with pytest.MonkeyPatch.context() as patch, pytest.raises(Stop):
        patch.setattr(owner, name, stopping)
        case.run(folder, **options)


def damage(folder: Path) -> None:
    """Cut off the tensors of a checkpoint."""
    file = folder / "tensors.safetensors"
    file.write_bytes(file.read_bytes()[:100])
