"""The plan of a study: cells, tokens, examples, FLOPs, bytes and time, before anything runs. Counts follow
from the cells; the time from a few real training steps of this study's encoder on this machine."""

import contextlib
import hashlib
import os
import statistics
from dataclasses import asdict, dataclass, field
from typing import Any

from xlt_utils import paths
from xlt_utils.data.tasks import TASKS
from xlt_utils.files import read_json, write_json
from xlt_utils.formatting import duration, short_count
from xlt_utils.pipeline import speed
from xlt_utils.records.record import read_record
from xlt_utils.study import cells
from xlt_utils.study.schema import Study

# Seconds that a cell takes around its notebook (papermill, kernel, imports), measured on two cores; what earlier
# attempts of the same study took is used instead where there are any.
AROUND = {"warm": 1.2, "cold": 9.0}
NOTEBOOK = 1.2  # seconds of a notebook beside its steps: loading, tables, pictures, checkpoints
START = 15.0  # seconds of a run's own: imports of the warm server, Snakemake, the report


@dataclass
class Work:
    """What one cell does itself: trained tokens and examples, tested tokens, FLOPs, bytes left, seconds expected."""

    tokens: float = 0
    examples: float = 0
    tested: float = 0
    flops: float = 0
    bytes: float = 0
    seconds: float = 0


@dataclass
class Plan:
    """The expected cost of a study by phase; `seconds` are of one core group, `wall_seconds` of the whole run."""

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
    """The plan of a run: the one in plan.json when it is of these very cells, else made and written there."""
    path = paths.RUNS / study.name / "plan.json"
    try:
        before = Plan(**read_json(path))
        if before.grid == grid_signature(grid) and before.jobs == jobs:
            return before
    except (OSError, ValueError, TypeError):
        pass
    made = make_plan(study, grid, jobs)
    write_json(path, asdict(made))
    return made


def grid_signature(grid: list[cells.Cell]) -> str:
    """A short hash that names a set of cells."""
    return hashlib.sha256("".join(cell.hash for cell in grid).encode()).hexdigest()[:8]


def make_plan(study: Study, grid: list[cells.Cell], jobs: int, machine: speed.Assumed | None = None) -> Plan:
    """Count, measure and estimate. Reads a sample of the data and takes a few seconds of training steps, unless a
    `machine` is given that stands for another one."""
    machine = machine or speed.Machine(study, grid[0].parameters["data"])
    fixed = _fixed(grid)
    works = {cell.folder: _work(cell, machine, fixed) for cell in grid}
    phases = [phase for phase in paths.PHASES if any(cell.phase == phase for cell in grid)]

    def total(name: str, digits: int | None = None) -> dict[str, Any]:
        return {
            phase: round(sum(getattr(works[cell.folder], name) for cell in grid if cell.phase == phase), digits)
            for phase in phases
        }

    seconds = {folder: round(work.seconds, 2) for folder, work in works.items()}
    return Plan(
        grid=grid_signature(grid),
        jobs=jobs,
        cells={phase: sum(cell.phase == phase for cell in grid) for phase in phases},
        tokens=total("tokens"),
        examples=total("examples"),
        flops=total("flops"),
        bytes=total("bytes"),
        seconds=total("seconds", 1),
        wall_seconds=round(START + max(sum(seconds.values()) / jobs, longest_chain(grid, seconds)), 1),
        by_cell=seconds,
    )


def longest_chain(grid: list[cells.Cell], seconds: dict[str, float]) -> float:
    """The longest chain of cells that must run one after another, in seconds: no number of jobs is faster."""
    until: dict[str, float] = {}
    for cell in grid:  # inputs stand before those who read them
        until[cell.folder] = seconds[cell.folder] + max(
            (until.get(one.folder, 0.0) for one in cell.inputs), default=0.0
        )
    return max(until.values(), default=0.0)


def plan_text(name: str, made: Plan, done: int, time: str = "core time") -> str:
    """A plan as `xlt plan` prints it; `time` says whose."""
    columns = ("cells", "tokens", "examples", "FLOPs", "disk", time)
    lines = [f"{name:<14}" + "".join(f"{column:>11}" for column in columns)]

    def row(label: str, values: list[float]) -> str:
        number, tokens, examples, flops, size, seconds = values
        disk = f"{size / 1e6:,.0f} MB" if size < 1e10 else f"{size / 1e9:,.0f} GB"
        shown = (f"{number}", short_count(tokens), short_count(examples), f"{flops:.1e}", disk, duration(seconds))
        return f"  {label:<12}" + "".join(f"{value:>11}" for value in shown)

    tables = (made.cells, made.tokens, made.examples, made.flops, made.bytes, made.seconds)
    lines += [row(phase, [table[phase] for table in tables]) for phase in made.cells]
    lines.append(row("all", [sum(table.values()) for table in tables]))
    lines.append(f"expected: {duration(made.wall_seconds)}, {made.jobs} at a time, the report included")
    if done:
        lines.append(f"{done} of the cells are done already")
    return "\n".join(lines)


def _work(cell: cells.Cell, machine: speed.Machine | speed.Assumed, fixed: float) -> Work:
    """The work of one cell: of a rung only what lies above the trunk that it goes on from."""
    from xlt_utils.training import costs

    given, study = cell.parameters, machine.study
    work = Work(bytes=2e5)
    below = next((one for one in cell.inputs if one.phase == cell.phase), None)
    keeps = {"pretrain": study.pretrain.shares_trunk, "intermediate": study.intermediate.shares_trunk}
    stored = 4 * machine.weights * (4 if keeps.get(cell.phase) else 1)  # the encoder; a trunk has two moments a weight
    if cell.phase == "pretrain":
        work.tokens = given["seen"] or _rung(given["tokens"], below and below.parameters["tokens"], given)
        work.examples = work.tokens / given["length"]
        work.flops = costs.flops(machine.config, work.tokens, given["length"], predicted=given["mask_rate"])
        work.tested = 32 * given["length"] * len(given["languages"])
        work.bytes += stored
        spent = work.tokens * machine.pretraining
    elif cell.phase == "intermediate":
        work.examples = given["epochs"] * _rung(given["examples"], below and below.parameters["examples"], given)
        masked = work.examples * given["mlm_share"] * given["mlm_length"]
        spent = masked * machine.pretraining
        work.tokens, work.bytes = masked, work.bytes + stored
        work.flops = costs.flops(machine.config, masked, given["mlm_length"], predicted=given["mask_rate"])
        for name in given["tasks"]:  # as if they shared the steps alike
            length, share = machine.length(name, whole=False), (1 - given["mlm_share"]) / len(given["tasks"])
            tokens = work.examples * share * length
            work.tokens += tokens
            work.tested += (given["evaluation_examples"] or 2000) * machine.length(name)
            work.flops += costs.flops(machine.config, tokens, length)
            spent += tokens * machine.tuning + work.examples * share / given["batch"] * machine.step
    else:
        spent = 0.0
        for name in given["tasks"]:
            length = machine.length(name)
            sides = (1 if TASKS[name].trains else 2) + len(given["perturbations"])
            whole = 10_000 if TASKS[name].format == "mining" else 2000
            own = given | given["settings"].get(name, {})
            parts = len(given["languages"]) + TASKS[name].trains  # and English development data
            work.tested += sides * length * (own["evaluation_examples"] or whole) * parts
            if TASKS[name].trains:
                work.examples += own["examples"] * own["epochs"]
                work.tokens += own["examples"] * own["epochs"] * length
                work.flops += costs.flops(machine.config, own["examples"] * own["epochs"] * length, length)
                spent += own["examples"] * own["epochs"] / own["batch"] * machine.step
        spent += work.tokens * machine.tuning
    mean = work.tokens / work.examples if work.examples else study.pretrain.length
    work.flops += costs.flops(machine.config, work.tested, mean, training=False)
    work.seconds = fixed + spent + work.tested * machine.testing
    return work


def _rung(size: int, below: int | None, given: dict[str, Any]) -> float:
    """What a rung trains itself: its trunk above the trunk below, and its cooldown."""
    return size - (below or 0) * (1 - given["cooldown"])


def _fixed(grid: list[cells.Cell]) -> float:
    """Seconds that a cell takes beside its steps: the median over the last attempts of the study's done cells."""
    around = []
    for folder in (paths.resolve(cell.folder) for cell in grid):
        with contextlib.suppress(IndexError, OSError, ValueError, TypeError):
            attempt = read_json(sorted(folder.glob("attempts/*/attempt.json"))[-1])
            around.append(attempt["seconds"] - read_record(folder).seconds["work"])
    usual = AROUND["cold" if os.environ.get("XLT_COLD") else "warm"]
    return NOTEBOOK + (statistics.median(around) if around else usual)
