"""Runs a study: the missing cells of its grid through Snakemake, those of its gate first, then its report. A study and
its cells go in, an exit code comes out. A run starts the warm server, keeps Snakemake's log in a file and shows a line
of progress; a repeated run does only what is missing. Jobs of a cluster outlive a closed terminal, and a repeated run
waits for those that it finds."""

import os
import platform
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

from xlt_utils import paths
from xlt_utils.files import read_json, write_json
from xlt_utils.formatting import count_of, duration
from xlt_utils.pipeline.archives import growth, spare_weights
from xlt_utils.pipeline.cell import prefork, rendering, runner, slurm
from xlt_utils.pipeline.engine import engine_log, progress, status
from xlt_utils.pipeline.engine.learning_gate import gate_cells, judge_gate
from xlt_utils.pipeline.engine.profiles import Profile, read_profile
from xlt_utils.pipeline.planning.plan import Plan
from xlt_utils.records.record import is_done
from xlt_utils.study import cells
from xlt_utils.study.schema import Study

BUSY = 75  # EX_TEMPFAIL: another run of the study is at work
NOT_LEARNT = 3  # the gate is closed: a target or an arm is not learnt
POLL_SECONDS = 0.5  # between two looks at the run folders
MOST_STARTS = 5  # of Snakemake without a new record: it loses its jobs where Slurm does not answer
FULL_BYTES = 2**20  # with less free, no cell runs
SWEEP_SECONDS = 20.0  # between two looks for weights that no cell needs any more


def run_study(
    study: Study,
    grid: list[cells.Cell],
    prepare: Callable[[], Plan],
    profile: Profile | None = None,
    kernel: str = "python3",
    limit: float | None = None,
    gate: Literal["first", "only", "none"] = "first",
    records: Sequence[str] = (),
) -> int:
    """Run what is missing of a study, then its report, and return the exit code.

    What lies in the archive of the study's report is done. Where a cell that is missing goes on from weights that are
    gone, the cells that made them are trained again.

    Args:
        study: the study.
        grid: its cells, inputs before the cells that read them.
        prepare: checks the data, raising a Fault, and returns the plan; called before any kernel starts, and only if
            a cell is missing.
        profile: the Snakemake profile; None for this machine's.
        kernel: the name of a Jupyter kernel.
        limit: seconds a cell may take; None for no limit.
        gate: whether the cells of the study's gate, if it has one, run `first` and what they say decides whether the
            others follow; `only` ends with the gate, `none` passes it over.
        records: more archives whose cells are done.

    Returns:
        0 when every cell is done, BUSY while another run of the study is at work, NOT_LEARNT where the gate stops the
        run, else the code of what went wrong.
    """
    folder = paths.RUNS / study.name
    with runner.stop_on_signals():
        try:
            profile = profile or read_profile("local")
            with growth.alone(study.name), _Engine(study, grid, prepare, profile, kernel, limit) as engine:
                engine.queue.require()
                live = {
                    cell.folder for cell in grid if _key(cell) in engine.queue.jobs or runner.is_running(cell.folder)
                }
                for place in (folder, *(paths.resolve(cell.folder) for cell in grid if cell.folder not in live)):
                    runner.remove_halves(place)
                settled = growth.settle([cell for cell in grid if cell.folder not in live])
                taken = growth.take_archived(study, grid, records)
                for line in (*settled, *taken, *growth.outdated_lines(study, grid, records)):
                    print(f"{study.name}: {line}", flush=True)
                if gate == "only" or (gate == "first" and study.gate and _missing(grid)):
                    code = _pass_gate(study, grid, engine)
                    if code != runner.DONE or gate == "only":
                        return code
                engine.run(grid)
                return _finish(study, grid, kernel, engine)
        except BlockingIOError:
            print(f"{folder}: another `xlt run` is at work; see `xlt status`", file=sys.stderr)
            return BUSY
        except runner.Stopped as stop:
            if jobs := len(engine.queue.jobs):
                print(
                    f"{count_of(jobs, 'job')} left on the cluster; the same command finds them again", file=sys.stderr
                )
            print(f"stopped; the same command goes on from here ({folder}/snakemake.log)", file=sys.stderr)
            return stop.code


def report_study(study: Study, grid: list[cells.Cell], kernel: str = "python3") -> int:
    """Render the report from the records of the done cells, unless it is there for just these.

    Args:
        study: the study.
        grid: its cells; those that are not done are listed in the report.
        kernel: the name of a Jupyter kernel.

    Returns:
        0, NO_RECORD when no target is done, else the exit code of the report's cell.
    """
    queue = slurm.Queue(paths.RUNS / study.name)
    queue.refresh()
    states = {cell.folder: status.cell_state(cell, (), queue).kind for cell in grid}
    if not any(cell.phase == "target" and states[cell.folder] == "done" for cell in grid):
        print(f"{study.name}: no target is done, so there is nothing to report", file=sys.stderr)
        return runner.NO_RECORD
    cells.write_provenance(study)
    cell = cells.report_cell(study, grid, {folder for folder, kind in states.items() if kind == "failed"})
    return rendering.render(cell, kernel)


def default_jobs(study: Study) -> int:
    """As many cells at a time as this process has cores for."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores // study.threads)


class _Engine:
    """Snakemake and the warm server of one run, which start when a first cell is to run; the arguments are those of
    `run_study`. `environment` is that of the cells, `queue` the study's jobs on a cluster."""

    def __init__(
        self,
        study: Study,
        grid: list[cells.Cell],
        prepare: Callable[[], Plan],
        profile: Profile,
        kernel: str,
        limit: float | None,
    ):
        self.study, self.grid, self.prepare, self.profile = study, grid, prepare, profile
        self.options = ["--kernel", kernel, *(["--limit", f"{limit:g}"] if limit else [])]
        self.folder = paths.RUNS / study.name
        self.queue = slurm.Queue(self.folder)
        self.environment, self.open = dict(os.environ), ExitStack()
        self.plan: Plan | None = None

    def __enter__(self) -> "_Engine":
        return self

    def __exit__(self, *error: Any) -> None:
        self.open.__exit__(*error)

    def run(self, wanted: list[cells.Cell], note: str = "") -> None:
        """Run those cells of `wanted` that are not done, as far as they can be, after a `note` on them."""
        if _missing(wanted):
            self._run_missing(wanted, note)
        # A cell that found what it goes on from damaged laid it aside; the cell that made it may find the same. Each is
        # trained again once: what is still gone then is not mended by repeating.
        repeated: set[str] = set()
        while not {cell.folder for cell in growth.trained_again(wanted)} <= repeated:
            repeated |= {cell.folder for cell in growth.trained_again(wanted)}
            self._run_missing(wanted)

    def _run_missing(self, wanted: list[cells.Cell], note: str = "") -> None:
        self._wait_for_jobs(wanted)
        if not _missing(wanted) and not growth.trained_again(wanted):
            return
        if again := growth.trained_again(wanted):
            print(f"{self.study.name}: {growth.again_line(again)}", flush=True)
        growth.set_aside(again)
        missing = _missing(wanted)
        plan = self.plan = self.plan or self._start()
        if note:
            print(note, flush=True)
        server = self.environment.get("XLT_WARM")
        cell_command = prefork.build_command("xlt_utils.cli:main", "cell", *self.options, server=server)
        if not self.profile.is_local:  # where a cell is tried again; what its notebook raised is raised once a start
            self.environment["XLT_RUN"] = f"{platform.node()} {os.getpid()} {time.time():.3f}"
        command = _snakemake_command(self.folder, self.study, plan.jobs, self.profile, cell_command)
        starts = 1
        while not _run_grid(self, wanted, missing, plan, command) and starts < MOST_STARTS:
            self._wait_for_jobs(wanted)
            before, missing = len(missing), _missing(wanted)
            if not missing:
                break
            starts = starts + 1 if len(missing) == before else 1
        for line in growth.settle(again, is_over=False):
            print(f"{self.study.name}: {line}", file=sys.stderr)

    def _wait_for_jobs(self, wanted: list[cells.Cell]) -> None:
        """Wait until no job of an earlier run is at work on these cells: none is submitted twice."""
        self.queue.require()
        if not (waiting := [cell for cell in wanted if _key(cell) in self.queue.jobs]):
            return
        print(f"{self.study.name}: waiting for {count_of(len(waiting), 'job')} of an earlier run", flush=True)
        line = progress.ProgressLine(sys.stdout, self.study.name, len(self.grid), _missing(self.grid), {}, self.queue)
        try:
            while any(_key(cell) in self.queue.jobs for cell in waiting):
                line.update(len(waiting))
                time.sleep(POLL_SECONDS)
        except runner.Stopped as stop:
            _cancel_if_interrupted(stop, self.queue, waiting)
            raise
        finally:
            line.end()
        self.queue.require()

    def _start(self) -> Plan:
        name, folder = self.study.name, paths.relative(self.folder)
        self.environment |= runner.cell_environment(self.study.threads) | {"XLT_ENGINE": "snakemake"}
        self.environment = self.open.enter_context(_warm_server(self.profile, self.environment, self.folder))
        print(f"{name}: {len(_missing(self.grid))} of {len(self.grid)} cells to run; checking the data", flush=True)
        plan = self.prepare()
        pace = f"about {duration(plan.wall_seconds)} for all, {plan.jobs} at a time"
        print(f"{name}: {pace}; log in {folder}/snakemake.log", flush=True)
        (self.folder / "snakemake.log").unlink(missing_ok=True)
        return plan


def _missing(wanted: list[cells.Cell]) -> list[cells.Cell]:
    return [cell for cell in wanted if not is_done(cell.folder, cell.hash)]


def _pass_gate(study: Study, grid: list[cells.Cell], engine: _Engine) -> int:
    """Run the cells of the gate and show what was learnt; DONE where the rest of the grid may follow."""
    gate = gate_cells(study, grid)
    engine.run(gate, f"{study.name}: first the gate, {len(_missing(gate))} cells")
    if missing := _missing(gate):
        _report_failures(missing, engine.queue)
        print(f"{study.name}: the gate cannot be judged; the rest of the grid was not started", file=sys.stderr)
        return runner.RAISED
    verdict = judge_gate(study, gate)
    print(verdict.text, flush=True)
    if verdict.is_passed:
        return runner.DONE
    rest = f"{len(_missing(grid))} of {len(grid)} cells were not run"
    print(
        f"{study.name}: stopped by the gate (exit code {NOT_LEARNT}), {rest}; what is done counts, and "
        "`xlt run --no-gate` goes on as it is",
        file=sys.stderr,
    )
    return NOT_LEARNT


def _report_failures(missing: list[cells.Cell], queue: slurm.Queue) -> None:
    """Name those of the missing cells that failed or were stopped; and a full disk, on which they could not say why."""
    for cell, state in ((cell, status.cell_state(cell, (), queue)) for cell in missing):
        if state.kind in ("failed", "stopped"):
            print(f"{state.kind}: {cell.phase} {cell.name}: {state.error}\n  log: {state.log}", file=sys.stderr)
    if missing and (free := shutil.disk_usage(paths.RUNS).free) < FULL_BYTES:
        print(
            f"{paths.RUNS}: {free:,} bytes are free on this disk; make room and repeat the command: what is done stays",
            file=sys.stderr,
        )


def _finish(study: Study, grid: list[cells.Cell], kernel: str, engine: _Engine) -> int:
    """Report the failures and render the report; return the exit code of the run."""
    # the report's notebook starts warm as well, but no engine is its runner's parent
    os.environ.update(
        {name: value for name, value in engine.environment.items() if name not in ("XLT_ENGINE", "XLT_RUN")}
    )
    missing = _missing(grid)
    print(f"{study.name}: {len(grid) - len(missing)} of {len(grid)} cells done")
    _report_failures(missing, engine.queue)
    code = report_study(study, grid, kernel)
    return runner.RAISED if missing else code


def _run_grid(
    engine: _Engine, grid: list[cells.Cell], missing: list[cells.Cell], plan: Plan, command: list[str]
) -> bool:
    """Write the files that Snakemake reads, run its `command`, and show progress until it ends. Weights that no cell
    needs any more go meanwhile, where the study says so. False where it had lost its jobs, and is to start anew."""
    folder, queue = engine.folder, engine.queue
    spare = engine.grid if spare_weights.keeps_needed_only(engine.study) else []
    for cell in grid:
        cells.write_params(cell)
    for cell in missing:
        (paths.resolve(cell.folder) / "record.json").unlink(missing_ok=True)  # cut off, or of another hash
    # A done cell is not asked for: Snakemake would run it again where one before it is trained again.
    names = [f"{cell.phase}/{cell.name}" for cell in missing]
    (folder / "cells.txt").write_text("\n".join(names) + "\n", encoding="utf-8")
    began = time.time()
    line = progress.ProgressLine(sys.stdout, folder.name, len(grid), missing, plan.by_cell, queue)
    path = folder / "snakemake.log"
    watch = engine_log.ClusterWatch(path, queue) if engine.profile.is_slurm else None
    is_lost = False
    with open(path, "a", encoding="utf-8") as log:  # after that of the gate
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=engine.environment,
            start_new_session=True,
            preexec_fn=lambda: prefork.end_with_parent(signal.SIGKILL),
        )
    try:
        swept = began
        while process.poll() is None:
            line.update(plan.jobs)
            if watch and (refusal := watch.look()):
                line.tell(f"Slurm took no job: {refusal}\n  log: {paths.relative(path)}")
            if is_lost := bool(watch and watch.is_lost()):
                line.tell("Snakemake lost its jobs while Slurm did not answer: it starts anew")
                _end_engine(process)
            with suppress(subprocess.TimeoutExpired):
                process.wait(POLL_SECONDS)
            if time.time() - swept > SWEEP_SECONDS:
                spare_weights.remove_spare_weights(spare)
                swept = time.time()
        line.update(plan.jobs)
        spare_weights.remove_spare_weights(spare)
    except BaseException as end:  # a signal, or a terminal that is gone
        if engine.profile.is_slurm:  # its jobs go on: Snakemake would cancel them if it could
            _end_engine(process)
            queue.refresh(0)
            _cancel_if_interrupted(end, queue, missing)
        else:
            _stop(process, missing)
        raise
    finally:
        line.end()
        _write_run_totals(folder, plan, began, sum(is_done(cell.folder, cell.hash) for cell in missing))
    if process.returncode and not line.failed and not is_lost:
        error = engine_log.why_ended(path.read_text(encoding="utf-8", errors="replace").splitlines())
        print(f"the engine ended before a cell could say why: {error}\n  log: {paths.relative(path)}", file=sys.stderr)
    return not is_lost


def _snakemake_command(folder: Path, study: Study, jobs: int, profile: Profile, cell_command: list[str]) -> list[str]:
    """The command line of Snakemake, after writing the file that it takes `cell_command` from, which it completes with
    the params.json of each cell. A file, for on a cluster a command line goes through shells that split its words."""
    config = write_json(folder / "engine.json", {"threads": study.threads, "cell": cell_command})
    return [
        *(sys.executable, "-m", "snakemake", "--snakefile", str(paths.SHIPPED / "workflow" / "Snakefile")),
        *("--directory", str(folder), "--workflow-profile", "none"),
        *("--profile", str(profile.folder)),
        *(("--cores", str(jobs * study.threads)) if profile.is_local else ("--jobs", str(jobs))),
        *("--configfile", str(config)),
        *(slurm.options(folder) if profile.is_slurm else ()),
    ]


@contextmanager
def _warm_server(profile: Profile, environment: dict[str, str], folder: Path) -> Iterator[dict[str, str]]:
    """The environment that cells start in, with a warm server if they run on this machine."""
    if not profile.is_local or os.environ.get("XLT_COLD"):
        yield environment
    else:
        with prefork.Server(environment, folder / "warm.log") as environment:
            yield environment


def _key(cell: cells.Cell) -> str:
    """A cell as Slurm's queue names it."""
    return f"{cell.phase}/{cell.name}"


def _cancel_if_interrupted(end: BaseException, queue: slurm.Queue, missing: list[cells.Cell]) -> None:
    """Cancel the jobs of a cluster after Ctrl-C, which means the study; all else that ends `xlt run` leaves them."""
    if isinstance(end, runner.Stopped) and end.code == 128 + signal.SIGINT:
        if jobs := queue.cancel(_key(cell) for cell in missing):
            print(f"{count_of(jobs, 'job')} of the cluster cancelled", file=sys.stderr)
        queue.jobs = {}


def _end_engine(process: subprocess.Popen) -> None:
    """End Snakemake, which gets no chance to say anything to its jobs on a cluster."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _stop(process: subprocess.Popen, missing: list[cells.Cell]) -> None:
    """End Snakemake and the runners below it, and wait until they have ended their kernels."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(3 * runner.GRACE)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue
    deadline = time.time() + 3 * runner.GRACE
    while time.time() < deadline and any(runner.is_running(cell.folder) for cell in missing):
        time.sleep(0.1)


def _write_run_totals(folder: Path, plan: Plan, began: float, done: int) -> None:
    """Add this run's time and its `done` cells to run.json; runs of the same grid add up."""
    path = folder / "run.json"
    totals: dict[str, Any] = {"grid": plan.grid, "started": runner.utc_time(began)}
    totals |= {"seconds": 0.0, "cells_run": 0, "runs": 0}
    try:
        earlier = read_json(path)
        totals = totals | earlier if earlier["grid"] == plan.grid else totals
    except (OSError, ValueError, KeyError, TypeError):  # cut off, or no mapping
        pass
    totals |= {"ended": runner.utc_time(time.time()), "seconds": round(totals["seconds"] + time.time() - began, 1)}
    totals |= {"jobs": plan.jobs, "cells_run": totals["cells_run"] + done, "runs": totals["runs"] + 1}
    with suppress(OSError):  # a full disk: why the cells failed is still to be said
        write_json(path, totals)
