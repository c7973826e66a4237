"""The plan of a study before anything runs. A study and its cells go in; counts of cells, tokens, examples, FLOPs and
bytes by phase come out, and the time expected from a few real training steps of the study's encoder on this machine."""

import contextlib
import hashlib
import os
import statistics
from dataclasses import asdict, dataclass, field
from typing import Any

from xlt_utils import paths
from xlt_utils.data.tasks import TASKS
from xlt_utils.files import attempt_files, read_json, write_json
from xlt_utils.formatting import bytes_text, duration, flops_text, short_count
from xlt_utils.pipeline.planning.speed import Speed, measure_speed
from xlt_utils.records.record import read_record
from xlt_utils.study import cells
from xlt_utils.study.schema import Study

# Seconds that a cell takes around its notebook (papermill, kernel, imports), measured on two cores. What earlier
# attempts of the same study took replaces them.
CELL_OVERHEAD_SECONDS = {"warm": 1.2, "cold": 9.0}
NOTEBOOK_OVERHEAD_SECONDS = 1.2  # of a notebook besides its steps: loading, tables, figures, checkpoints
RUN_OVERHEAD_SECONDS = 15.0  # of a whole run: imports of the warm server, Snakemake, the report
RECORD_BYTES = 2e5  # of a cell's record, notebooks and logs


@dataclass
class Work:
    """What one cell does itself: trained tokens and examples, tested tokens, FLOPs, bytes on disk, seconds expected."""

    tokens: float = 0
    examples: float = 0
    tested_tokens: float = 0
    flops: float = 0
    bytes: float = RECORD_BYTES
    seconds: float = 0


@dataclass
class Plan:
    """The expected cost of a study by phase, as plan.json holds it.

    `seconds` add up over all cells; `wall_seconds` is the whole run with `jobs` cells at a time; `by_cell` maps run
    folders to seconds; `grid` is the signature of the cells.
    """

    grid: str
    jobs: int
    cells: dict[str, int]
    tokens: dict[str, int]
    examples: dict[str, int]
    flops: dict[str, float]
    bytes: dict[str, int]
    seconds: dict[str, float]
    wall_seconds: float
    by_cell: dict[str, float] = field(default_factory=dict)


def plan_for_run(study: Study, grid: list[cells.Cell], jobs: int) -> Plan:
    """The plan of a run with `jobs` cells at a time: read from plan.json if it is of these cells, else made and
    written there."""
    path = paths.RUNS / study.name / "plan.json"
    try:
        earlier = Plan(**read_json(path))
        if earlier.grid == grid_signature(grid) and earlier.jobs == jobs:
            return earlier
    except (OSError, ValueError, TypeError):
        pass
    plan = make_plan(study, grid, jobs)
    write_json(path, asdict(plan))
    from xlt_utils.training import hardware  # slow to import, as in speed.py

    hardware.free_memory()  # of the encoders that were measured: this process waits for all cells
    return plan


def grid_signature(grid: list[cells.Cell]) -> str:
    """A short hash that identifies a set of cells."""
    return hashlib.sha256("".join(cell.hash for cell in grid).encode()).hexdigest()[:8]


def make_plan(study: Study, grid: list[cells.Cell], jobs: int, speed: Speed | None = None) -> Plan:
    """Count the work of a study and estimate its time.

    Args:
        study: the study.
        grid: its cells, inputs before the cells that read them.
        jobs: cells at a time.
        speed: of another machine; left out, a sample of the data and a few seconds of training measure this one.
    """
    speed = speed or measure_speed(study, grid[0].parameters["data"])
    overhead = _overhead_seconds(grid)
    works = {cell.folder: _work(cell, study, speed, overhead) for cell in grid}
    phases = [phase for phase in paths.PHASES if any(cell.phase == phase for cell in grid)]

    def total(name: str, digits: int | None = None) -> dict[str, Any]:
        return {
            phase: round(sum(getattr(works[cell.folder], name) for cell in grid if cell.phase == phase), digits)
            for phase in phases
        }

    seconds = {folder: round(work.seconds, 2) for folder, work in works.items()}
    wall_seconds = RUN_OVERHEAD_SECONDS + max(sum(seconds.values()) / jobs, longest_chain(grid, seconds))
    return Plan(
        grid=grid_signature(grid),
        jobs=jobs,
        cells={phase: sum(cell.phase == phase for cell in grid) for phase in phases},
        tokens=total("tokens"),
        examples=total("examples"),
        flops=total("flops"),
        bytes=total("bytes"),
        seconds=total("seconds", 1),
        wall_seconds=round(wall_seconds, 1),
        by_cell=seconds,
    )


def seed_seconds(study: Study, data: str, speed: Speed) -> float:
    """The core seconds of one seed of a study, however many it has.

    Args:
        study: the study.
        data: the place of its data, as `loading.locate` gives it.
        speed: of the machine.
    """
    one = study.model_copy(update={"seeds": study.seeds[:1]})
    overhead = _overhead_seconds([])
    grid = cells.expand_study(one, data, "")  # hashes do not matter
    return sum(_work(cell, one, speed, overhead).seconds for cell in grid)


def longest_chain(grid: list[cells.Cell], seconds: dict[str, float]) -> float:
    """The seconds of the longest chain of cells that must run one after another, however many run at a time."""
    ends: dict[str, float] = {}
    for cell in grid:  # inputs come before the cells that read them
        start = max((ends.get(read.folder, 0.0) for read in cell.inputs), default=0.0)
        ends[cell.folder] = start + seconds[cell.folder]
    return max(ends.values(), default=0.0)


def plan_text(name: str, plan: Plan, done: int, time: str = "core time") -> str:
    """A plan as `xlt plan` prints it; `done` cells need no run, `time` heads the last column."""
    columns = ("cells", "tokens", "examples", "FLOPs", "disk", time)
    lines = [f"{name:<14}" + "".join(f"{column:>11}" for column in columns)]

    def row(label: str, values: list[float]) -> str:
        number, tokens, examples, flops, size, seconds = values
        sizes = (short_count(tokens), short_count(examples), flops_text(flops), bytes_text(size))
        texts = (f"{number}", *sizes, duration(seconds))
        return f"  {label:<12}" + "".join(f"{text:>11}" for text in texts)

    tables: list[dict[str, Any]] = [plan.cells, plan.tokens, plan.examples, plan.flops, plan.bytes, plan.seconds]
    lines += [row(phase, [table[phase] for table in tables]) for phase in plan.cells]
    lines.append(row("all", [sum(table.values()) for table in tables]))
    lines.append(f"expected: {duration(plan.wall_seconds)}, {plan.jobs} at a time, the report included")
    if done:
        lines.append(f"{done} of the cells are done already")
    return "\n".join(lines)


def _work(cell: cells.Cell, study: Study, speed: Speed, overhead: float) -> Work:
    """The work of one cell, `overhead` seconds around its steps included."""
    if cell.phase == "pretrain":
        work = _pretraining_work(cell, speed)
    elif cell.phase == "intermediate":
        work = _intermediate_work(cell, speed)
    else:
        work = _target_work(cell, study, speed)
    length = work.tokens / work.examples if work.examples else study.pretrain.length
    work.flops += speed.flops(work.tested_tokens, length, training=False)
    work.seconds += overhead
    if study.keep == "needed":  # when the study is done
        work.bytes = RECORD_BYTES
    return work


def _pretraining_work(cell: cells.Cell, speed: Speed) -> Work:
    parameters = cell.parameters
    length, mask_rate = parameters["length"], parameters["mask_rate"]
    tokens = parameters["seen"] or _above_trunk(cell, "tokens")
    flops = speed.flops(tokens, length, predicted=mask_rate)
    seconds = tokens * speed.masked_token
    if parameters["head_warmup"] and not speed.brings_head and not cell.inputs:  # else the rung below has trained it
        most = parameters["head_warmup"]["tokens"]
        # the frozen encoder has no backward pass; the head's is as long as its forward pass (costs.head_cost)
        head_flops = speed.flops(most, length, training=False, predicted=2 * mask_rate)
        seconds += head_flops / speed.flops(1, length, predicted=mask_rate) * speed.masked_token
        tokens, flops = tokens + most, flops + head_flops
    tested_tokens = 32 * length * len(parameters["languages"])
    return Work(
        tokens=tokens,
        examples=tokens / length,
        tested_tokens=tested_tokens,
        flops=flops,
        bytes=RECORD_BYTES + _checkpoint_bytes(speed, cell),
        seconds=seconds + tested_tokens * speed.masked_token / 3,
    )


def _intermediate_work(cell: cells.Cell, speed: Speed) -> Work:
    """Masked-LM steps beside the tasks, then each task as if all had an equal share of the other steps."""
    parameters = cell.parameters
    examples = parameters["epochs"] * _above_trunk(cell, "examples")
    masked_tokens = examples * parameters["mlm_share"] * parameters["mlm_length"]
    work = Work(
        tokens=masked_tokens,
        examples=examples,
        flops=speed.flops(masked_tokens, parameters["mlm_length"], predicted=parameters["mask_rate"]),
        bytes=RECORD_BYTES + _checkpoint_bytes(speed, cell),
        seconds=masked_tokens * speed.masked_token,
    )
    for name in parameters["tasks"]:
        length = parameters["settings"].get(name, {}).get("length", parameters["length"])
        task = speed.task(name, length, parameters["batch"])
        task_examples = examples * (1 - parameters["mlm_share"]) / len(parameters["tasks"])
        tokens = task_examples * task.item_tokens
        tested = min(parameters["evaluation_examples"] or task.examples, task.examples)
        work.tokens += tokens
        work.tested_tokens += tested * task.tokens
        work.flops += speed.flops(tokens, task.item_tokens)
        work.seconds += task_examples / parameters["batch"] * task.step + tested * task.tested
    return work


def _target_work(cell: cells.Cell, study: Study, speed: Speed) -> Work:
    """Fine-tuning, once for tasks that train alike, and the test of each in all languages under each perturbation."""
    work, trained = Work(), [names[0] for names in study.target.trainings(cell.parameters["tasks"])]
    for name in cell.parameters["tasks"]:
        parameters = cell.parameters | cell.parameters["settings"].get(name, {})
        task, trains = speed.task(name, parameters["length"], parameters["batch"]), TASKS[name].trains
        languages = parameters["task_languages"].get(name, parameters["languages"])
        test_sets = len(languages) * (1 + len(parameters["perturbations"])) + trains  # and English development data
        tested = test_sets * min(parameters["evaluation_examples"] or task.examples, task.examples)
        work.tested_tokens += tested * task.tokens * (1 if trains else 2)
        work.seconds += tested * task.tested
        if trains and name in trained:
            examples = parameters["examples"] * parameters["epochs"]
            work.examples += examples
            work.tokens += examples * task.tokens
            work.flops += speed.flops(examples * task.tokens, task.item_tokens)
            items = examples * task.tokens / task.item_tokens
            work.seconds += items / parameters["batch"] * task.step
    return work


def _above_trunk(cell: cells.Cell, size: str) -> float:
    """What a rung trains itself, in `size` (tokens or examples): all above the trunk that it goes on from, and its
    cooldown."""
    below = next((read.parameters[size] for read in cell.inputs if read.phase == cell.phase), 0)
    return cell.parameters[size] - below * (1 - cell.parameters["cooldown"])


def _checkpoint_bytes(speed: Speed, cell: cells.Cell) -> int:
    # 4 bytes a weight: those of the encoder, and of a trunk also the state to go on from, with two moments each
    return 4 * speed.weights * (4 if cell.parameters["rung_above"] else 1)


def _overhead_seconds(grid: list[cells.Cell]) -> float:
    """Seconds that a cell takes besides its steps: the median over the last attempts of the study's done cells."""
    measured = []
    for folder in (paths.resolve(cell.folder) for cell in grid):
        with contextlib.suppress(IndexError, KeyError, OSError, ValueError, TypeError):
            attempt = read_json(attempt_files(folder, "attempt.json")[-1])
            measured.append(attempt["seconds"] - read_record(folder).seconds["work"])
    assumed = CELL_OVERHEAD_SECONDS["cold" if os.environ.get("XLT_COLD") else "warm"]
    return NOTEBOOK_OVERHEAD_SECONDS + (statistics.median(measured) if measured else assumed)
