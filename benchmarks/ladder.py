"""A ladder of pretraining rungs that share a trunk against the same rungs trained separately: the cost of both, and
the difference of their held-out losses."""

import statistics

import mlm
import numpy as np
import places
import sizes as sizes_
import turns
from scipy import stats
from sizes import MASK_RATE, Sizes
from turns import Side, Turn

from xlt_utils.training import encoders, loop, objectives
from xlt_utils.training.schedules import ladder_schedule, linear_schedule

COOLDOWN = 0.2


def ladder(turn: Turn, sizes: Sizes, seed: int) -> list[dict]:
    """Train the rungs from one trunk, each with its own cooldown; gives the seconds and the held-out loss of each."""
    warmup = _warmup(sizes)
    schedules = [ladder_schedule(sizes.learning_rate, warmup, steps, COOLDOWN) for steps in sizes.rungs]
    return _rungs(turn, sizes, seed, schedules, "ladder", shared=True)


def independent(turn: Turn, sizes: Sizes, seed: int) -> list[dict]:
    """Train the same rungs separately, each with the linear schedule of its length."""
    schedules = [linear_schedule(sizes.learning_rate, _warmup(sizes), steps) for steps in sizes.rungs]
    return _rungs(turn, sizes, seed, schedules, "independent", shared=False)


def measure(sizes: Sizes) -> dict:
    """Train both with every seed; gives the ratios of their costs and the differences of their losses."""
    pairs = []
    for seed in range(sizes.ladder_seeds):
        sides = {what.__name__: Side(sizes.rung_round, what, sizes, seed) for what in (ladder, independent)}
        turns.alternate(sides, f"ladder, seed {seed}")
        pairs.append({name: side.result for name, side in sides.items()})
    seconds = {name: np.array([[rung["seconds"] for rung in pair[name]] for pair in pairs]) for name in pairs[0]}
    losses = {name: np.array([[rung["loss"] for rung in pair[name]] for pair in pairs]) for name in pairs[0]}
    cost = {name: values.sum(axis=1) for name, values in seconds.items()}
    return {
        "ladder_cost_ratio": statistics.median(cost["ladder"] / seconds["independent"][:, -1]),
        "ladder_independent_cost_ratio": statistics.median(cost["ladder"] / cost["independent"]),
        "ladder_independent_difference": [
            {"steps": steps} | interval(losses["ladder"][:, place] - losses["independent"][:, place])
            for place, steps in enumerate(sizes.rungs)
        ],
        "ladder": {
            "sequences_a_step": sizes.rung_batch,
            "seconds": {name: values.tolist() for name, values in seconds.items()},
            "held_out_loss": {name: values.tolist() for name, values in losses.items()},
        },
    }


def interval(differences: np.ndarray) -> dict[str, float]:
    """The mean of paired differences and its 95 % interval by Student's t."""
    mean, count = differences.mean(), len(differences)
    half = stats.t.ppf(0.975, count - 1) * differences.std(ddof=1) / count**0.5
    return {"mean": float(mean), "low": float(mean - half), "high": float(mean + half)}


def _rungs(turn: Turn, sizes: Sizes, seed: int, schedules: list, name: str, *, shared: bool) -> list[dict]:
    text, folder, previous = sizes_.text(sizes), places.FOLDER / f"{name}-{seed}", None
    results: list[dict] = []
    config = sizes_.configuration(sizes, **sizes.rung_shape)
    total = 0
    for schedule in schedules:
        began = turn.clock()
        objective = objectives.MaskedLM(encoders.create_encoder(config, seed))
        batch_at = text.batches(seed, schedule.total, sizes.rung_batch, MASK_RATE)

        def at(step: int, batch_at=batch_at, passed=total) -> dict:
            turn.begins(passed + step)
            return batch_at(step)

        state = folder / str(schedule.total)
        loop.train(objective, at, schedule, seed=seed, state=state, previous=previous, ladder=shared)
        seconds = turn.clock() - began
        results.append({"seconds": seconds, "loss": mlm.held_out(objective, text)})
        previous, total = state / "trunk" if shared else None, total + schedule.total
    return results


def _warmup(sizes: Sizes) -> int:
    """The warm-up steps: the same for all rungs, and no more than the smallest has before it cools down."""
    return max(1, sizes.rungs[0] // 2)
