"""The gate before a grid: whether its targets and arms can be learnt in English at all, seen on the cells of one seed
at one rung of P. A study and its cells go in; out come the cells of the gate and, from their records, a `GateVerdict`.
What is learnt is decided as the report decides it (analysis/learning.py)."""

from dataclasses import dataclass
from typing import Any

from xlt_utils.analysis.arms import arms_from_parameters
from xlt_utils.data.tasks import TASKS
from xlt_utils.formatting import join_words, number_text, short_size
from xlt_utils.study.cells import Cell
from xlt_utils.study.schema import Gate, Study


@dataclass(frozen=True)
class GateVerdict:
    """Whether all that the gate asks is learnt, and the table that shows it, with what to change where it is not."""

    is_passed: bool
    text: str


def gate_cells(study: Study, grid: list[Cell]) -> list[Cell]:
    """The cells of a study's gate and those that they read, inputs first: at one seed and P the trained targets without
    intermediate training, and each arm's largest I. Controls are left out: nothing is asked of them.

    Args:
        study: the study; without a `gate`, its first seed and largest P are taken.
        grid: its cells.
    """
    gate = study.gate or Gate()
    seed = study.seeds[0] if gate.seed is None else gate.seed
    rungs = [cell for cell in grid if cell.phase == "pretrain" and cell.parameters["seed"] == seed]
    start = next((cell for cell in rungs if _tokens(cell) == gate.tokens), rungs[-1])
    readers = [cell for cell in grid if cell.parameters.get("checkpoint") == start.folder]
    tuned = [cell for cell in readers if cell.phase == "intermediate"]
    arms = arms_from_parameters(cell.parameters for cell in tuned)
    largest = {cell.parameters["arm"]: cell.folder for cell in tuned}  # the rungs of an arm rise
    wanted = {folder for name, folder in largest.items() if not arms[name].is_control}
    for cell in readers:
        is_replicate = cell.parameters.get("replicate")
        if cell.phase == "target" and not is_replicate and any(TASKS[name].trains for name in cell.parameters["tasks"]):
            wanted.add(cell.folder)
    for cell in reversed(grid):  # what reads comes after what is read
        if cell.folder in wanted:
            wanted |= {read.folder for read in cell.inputs}
    return [cell for cell in grid if cell.folder in wanted]


def judge_gate(study: Study, gate: list[Cell]) -> GateVerdict:
    """What the records of the gate's cells, `gate_cells`, say was learnt. An arm of several tasks is learnt where one
    of them is."""
    if not gate:
        return GateVerdict(True, "gate: the study trains no target, and no arm on a task, so there is nothing to ask")
    from xlt_utils.analysis.learning import LEARNT, judge_learning  # with pandas and scipy, a second
    from xlt_utils.records.record import results_table

    learning = judge_learning(results_table(cell.folder for cell in gate))
    rungs = [cell for cell in gate if cell.phase == "pretrain"]
    place = f"gate: seed {rungs[0].parameters['seed']}, P = {short_size(max(map(_tokens, rungs)))}"
    table = [[place, "English score", "zero point", "from the zero point 0 to 1", "learnt"]]
    own_tasks = learning.arms_at_largest.to_dict("records")
    table += [_table_row(f"target {row['task']}", row) for row in learning.targets.to_dict("records")]
    table += [_table_row(f"arm {row['arm']}, {row['task']}", row) for row in own_tasks]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in table]
    targets = learning.unlearnt_targets
    arms = [arm for (arm, _), is_learnt in learning.arm_rungs.items() if not is_learnt]
    if targets or arms:
        lines += [f"not learnt: {name} with target.{_target_settings(study, name)}" for name in targets]
        lines += [f"not learnt: {name} with intermediate.{_arm_settings(study, name)}" for name in arms]
        lines.append(f"Learnt is a 95 % CI above {number_text(LEARNT)} of the way from the zero point to the ceiling.")
        lines.append("Change these settings, or pretrain on more tokens; evaluation_examples only narrow the interval.")
    return GateVerdict(not (targets or arms), "\n".join(lines))


def _table_row(name: str, row: dict[str, Any]) -> list[str]:
    """A row of `Learning.targets` or `Learning.arms` as text."""
    (value,) = row["values"].values()  # of the gate's one seed
    low, mean, high = (number_text(end) for end in (row["english"].low, row["english"].mean, row["english"].high))
    score, interval = f"{row['source']} {row['metric']} {number_text(value)}", f"{mean} (95 % CI {low} to {high})"
    return [name, score, number_text(row["zero"]), interval, "yes" if row["learnt"] else "no"]


def _target_settings(study: Study, task: str) -> str:
    names = ("examples", "epochs", "learning_rate", "evaluation_examples")
    own = study.target.settings.get(task)
    return join_words(f"{name} {getattr(own, name, None) or getattr(study.target, name)}" for name in names)


def _arm_settings(study: Study, name: str) -> str:
    phase = study.intermediate
    arm = next(arm for arm in phase.arms if arm.name == name)
    sizes = f"examples {max(phase.rungs(arm))}, epochs {phase.epochs}"
    rate = f"learning_rate {arm.learning_rate or phase.learning_rate}"
    return f"{sizes}, {rate}, evaluation_examples {phase.evaluation_examples}"


def _tokens(cell: Cell) -> int:
    """P of a pretraining cell."""
    return cell.parameters["before"] + cell.parameters["tokens"]
