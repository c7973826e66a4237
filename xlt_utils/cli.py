"""`xlt`, the one command-line tool. It reads the arguments, calls the module that does the work, and turns what goes
wrong into a message and an exit code: 3 not learnt (the gate), 65 bad input, 70 a notebook failed, 75 already at work,
128 + n stopped by signal n. Each command imports what it needs, so that a mistyped study file is refused without
torch."""

import argparse
import contextlib
import json
import os
import re
import shutil
import sys
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from xlt_utils.errors import REFUSED, Fault, NotMirrored, did_you_mean
from xlt_utils.formatting import flops_text

if TYPE_CHECKING:
    from xlt_utils.study.cells import Cell
    from xlt_utils.study.schema import Study


FILES = ("STUDY", "A", "B", "OUT", "IN", "PARAMS", "PREDICTIONS", "LABELS", "FILE", "FOLDER")  # metavars of paths
UNREAD = "not read"  # the fingerprint of data that a command does not look at
FIRST_STEPS = """usage: xlt COMMAND ...; `xlt --help` lists the commands. To begin:

  xlt init mystudy                begin a study: a file to change, and a README beside it
  xlt plan mystudy/study.yaml     what it will run and cost
  xlt run mystudy/study.yaml      run it, on embedded data, then look at report/mystudy/index.html
  xlt status mystudy/study.yaml   what is done, running, failed and missing
  xlt list                        the studies of this folder"""


def main(words: list[str] | None = None) -> int:
    """Run one command, by default that of the command line, and return its exit code."""
    words = sys.argv[1:] if words is None else words
    if not words:
        print(FIRST_STEPS)
        return 2
    arguments = _parser(words[0]).parse_args(words)
    from xlt_utils import paths

    if not paths.IS_CLONE:
        os.environ["XLT_ROOT"] = str(paths.ROOT)  # for processes in other folders
    return exit_code(lambda: arguments.run(arguments))


def exit_code(command: Callable[[], int]) -> int:
    """Run a command and return its exit code; bad input, and a file system that refuses, end it with a message."""
    try:
        return command()
    except Fault as fault:
        print(fault, file=sys.stderr)
        return 65
    except OSError as error:
        if error.errno not in REFUSED:
            raise
        place = error.filename2 or error.filename or "a file could not be written"
        print(f"{place}: {error.strerror}; mend that and repeat the command: what is done stays", file=sys.stderr)
        return 65
    except KeyboardInterrupt:
        return 130


def _init(arguments: argparse.Namespace) -> int:
    from xlt_utils import paths
    from xlt_utils.pipeline.new_study import write_study

    file = paths.relative(write_study(arguments.folder, arguments.example))
    print(f"{file}: a study begun from the example {arguments.example}; README.md beside it says what to do with it")
    print(f"next: xlt run {file}")
    return 0


def _check(arguments: argparse.Namespace) -> int:
    if arguments.offline:
        from xlt_utils.study import cells, outside, study_file

        study = study_file.load_study(arguments.study)
        grid = cells.expand_study(study, study.data, UNREAD)
        print(f"{arguments.study}: no fault found in the file; {len(grid)} cells")
        for name in outside.not_checked(study):
            print(f"not looked for: {name}")
        return 0
    try:
        study, grid = _grid(arguments.study)
    except NotMirrored as absent:
        return _check_on_hub(arguments.study, absent)
    _check_data(arguments.study, study)
    from xlt_utils import paths
    from xlt_utils.training import hardware

    free = shutil.disk_usage(paths.RUNS if paths.RUNS.exists() else paths.ROOT).free
    print(f"{arguments.study}: no fault found; {len(grid)} cells, data: {grid[0].parameters['data']}")
    print(f"device {hardware.device()}, {hardware.precision()}; {free / 1e9:,.0f} GB free for runs")
    return 0


def _check_on_hub(path: str, absent: Fault) -> int:
    """Check a study whose data are not here yet against what the hub says of them."""
    from xlt_utils.pipeline.fetching import hub_check
    from xlt_utils.study import study_file

    study, grid = _grid(path, absent="go by the lock")
    if faults := hub_check.check_on_hub(study):
        raise study_file.data_fault(path, faults)
    print(f"{path}: no fault found in the file and in what the hub says of its data; {len(grid)} cells")
    print(f"{absent}; rows, sizes and weights are checked then")
    return 0


def _mirror(arguments: argparse.Namespace) -> int:
    from xlt_utils.pipeline.fetching import hub, mirror
    from xlt_utils.study import lock, study_file

    study = study_file.load_study(arguments.study)
    if not lock.reads_hub(study):
        print(f"{arguments.study}: reads nothing from the hub")
        return 0
    is_here = not lock.missing(study, lock.read_lock(lock.lock_file(arguments.study)))
    locked = mirror.mirror_study(study, arguments.study, arguments.folder, arguments.update)
    if is_here and not arguments.update:
        try:
            for line in mirror.moved(study, locked):
                print(line)
        except hub.HubFault as fault:
            print(f"whether a revision has moved is not known: {fault}", file=sys.stderr)
    pinned = lock.pin(study, arguments.study)
    place = f"; data: {pinned.data}" if pinned.data != study.data else ""
    file = lock.lock_file(arguments.study)
    print(f"{arguments.study}: what it reads of the hub is in {locked.folder}, pinned in {file}{place}")
    return 0


def _plan(arguments: argparse.Namespace) -> int:
    from xlt_utils.pipeline.archives import growth
    from xlt_utils.pipeline.engine import scheduler
    from xlt_utils.pipeline.planning import pilot, trade
    from xlt_utils.pipeline.planning.plan import make_plan, plan_text, seed_seconds
    from xlt_utils.pipeline.planning.speed import assume_speed, measure_speed
    from xlt_utils.records.record import is_done

    study, grid = _grid(arguments.study, "go by the lock" if arguments.gpu else "refuse")
    earlier = pilot.read_pilot(arguments.pilot) if arguments.pilot else None
    jobs = arguments.jobs or (1 if arguments.gpu else scheduler.default_jobs(study))
    lines: list[str] = []
    if arguments.gpu:
        speed, done, price_name = assume_speed(study, arguments.gpu), 0, "GPU time"
    else:
        archived = growth.find_archived(study, grid, arguments.records)
        lines = [*growth.growth_lines(grid, archived), *growth.outdated_lines(study, grid, arguments.records, archived)]
        _check_data(arguments.study, study)
        speed, price_name = measure_speed(study, grid[0].parameters["data"]), "core time"
        done = sum(cell.folder in archived or is_done(cell.folder, cell.hash) for cell in grid)
    print("\n".join([plan_text(study.name, make_plan(study, grid, jobs, speed), done, price_name), *lines]))
    if arguments.gpu:
        print(
            f"at {flops_text(arguments.gpu)} FLOPs a second, every example as long as the study allows: "
            "upper bounds, nothing read"
        )

    def price(changed: "Study") -> float:
        return seed_seconds(changed, grid[0].parameters["data"], speed)

    print(trade.prices_text(study, price, earlier))
    if earlier:
        print(pilot.pilot_text(study, earlier))
    if arguments.budget:
        print(trade.budget_text(study, price, arguments.budget * jobs, earlier))
    return 0


def _run(arguments: argparse.Namespace) -> int:
    if not hasattr(os, "fork"):
        raise Fault(
            "xlt run: needs Linux or macOS, for its cells are forks; on Windows it runs in WSL. What only reads works "
            "here: xlt list, check, status, report"
        )
    from xlt_utils.pipeline.engine import scheduler
    from xlt_utils.pipeline.engine.profiles import read_profile
    from xlt_utils.pipeline.planning.plan import Plan, plan_for_run

    study, grid = _grid(arguments.study, "go by the lock" if arguments.dry_run else "take")
    if arguments.dry_run:
        return _say_what_would_run(study, grid, arguments.records)
    profile = read_profile(arguments.profile)

    def prepare() -> Plan:
        _check_data(arguments.study, study)
        return plan_for_run(study, grid, arguments.jobs or profile.jobs or scheduler.default_jobs(study))

    options = (profile, arguments.kernel, arguments.limit, arguments.gate)
    return scheduler.run_study(study, grid, prepare, *options, arguments.records)


def _say_what_would_run(study: "Study", grid: "list[Cell]", records: list[str]) -> int:
    """Print the cells that `xlt run` would execute, in the order of the phases, and run none."""
    from xlt_utils.pipeline.archives import growth
    from xlt_utils.pipeline.engine.status import cell_state

    archived = growth.find_archived(study, grid, records)
    missing = [cell for cell in grid if cell_state(cell, archived).kind != "done"]
    for cell in missing:
        print(f"{cell.phase} {cell.name}")
    for line in growth.outdated_lines(study, grid, records, archived):
        print(line)
    print(
        f"{study.name}: {len(missing)} of {len(grid)} cells would run, then the report; `xlt plan` says what they cost"
    )
    return 0


def _status(arguments: argparse.Namespace) -> int:
    from xlt_utils.pipeline.archives import growth
    from xlt_utils.pipeline.engine.status import look, status_rows, status_text

    while True:
        study, grid = _grid(arguments.study, "go by the lock", writes_data=False)
        archived = growth.find_archived(study, grid, arguments.records)
        seen = look(study.name, grid, archived)
        if arguments.json:
            print(json.dumps({"study": study.name, "cells": status_rows(grid, seen)}, indent=1), flush=True)
        else:
            if arguments.watch and sys.stdout.isatty():
                print("\x1b[H\x1b[2J", end="")  # the cursor to the top of an empty screen
            outdated = growth.outdated_lines(study, grid, arguments.records, archived)
            print("\n".join([status_text(study.name, grid, archived, seen), *outdated]), flush=True)
        if not arguments.watch or all(state.kind == "done" for state in seen.states.values()):
            return 0
        time.sleep(arguments.watch)


def _list(arguments: argparse.Namespace) -> int:
    from xlt_utils import paths
    from xlt_utils.study import study_file

    folders = {arguments.folder: "*.yaml"} if arguments.folder else {"params": "*.yaml", ".": "*/study.yaml"}
    files = [file for folder, pattern in folders.items() for file in sorted(Path(folder).glob(pattern))]
    if not files:
        print(f"no study file in {arguments.folder or 'this folder'}; `xlt init mystudy` begins a study")
        return 0
    print(f"{'study':<18}{'seeds':>6}{'records':>9}  file")
    for file in files:
        try:
            study = study_file.load_study(str(file))
        except Fault:
            print(f"{'?':<33}  {file}: not a study file that can be read; `xlt check {file}` says why")
            continue
        records = sum(1 for phase in paths.PHASES[:3] for _ in (paths.RUNS / study.name / phase).glob("*/record.json"))
        report = paths.REPORTS / study.name / "index.html"
        page = f"  page: {paths.relative(report)}" if report.exists() else ""
        print(f"{study.name:<18}{len(study.seeds):>6}{records:>9}  {file}{page}")
    return 0


def _report(arguments: argparse.Namespace) -> int:
    from xlt_utils.pipeline.archives import growth
    from xlt_utils.pipeline.archives.publish import render_published
    from xlt_utils.pipeline.engine import scheduler

    if os.path.isdir(arguments.study):
        return render_published(arguments.study, arguments.kernel)
    study, grid = _grid(arguments.study, "go by the lock")
    with contextlib.suppress(BlockingIOError), growth.alone(study.name):  # else `xlt run` has taken them
        growth.take_archived(study, grid)
    return scheduler.report_study(study, grid, arguments.kernel)


def _explore(arguments: argparse.Namespace) -> int:
    from xlt_utils.pipeline.results.explore import explore

    explore([arguments.study, *arguments.others], arguments.browser)
    return 0  # not reached: JupyterLab takes this process over


def _compare(arguments: argparse.Namespace) -> int:
    from xlt_utils import paths
    from xlt_utils.pipeline.results.compare import compare

    text, files = compare(arguments.a, arguments.b, arguments.out)
    print(text)
    for file in files:
        print(f"written: {paths.relative(file)}")
    return 0


def _track(arguments: argparse.Namespace) -> int:
    from xlt_utils.pipeline.results.explore import find_results, open_studies
    from xlt_utils.pipeline.results.tracking import track

    (study,) = open_studies([find_results(arguments.study)])
    sent, known, server = track(study.findings, arguments.to)
    print(f"{study.name}: {sent} runs sent to {server}, {known} were there")
    return 0


def _publish(arguments: argparse.Namespace) -> int:
    from xlt_utils.pipeline.archives.publish import publish_study

    study, grid = _grid(arguments.study, "go by the lock")
    if arguments.example:
        from xlt_utils.pipeline.archives.example import write_example

        return write_example(study, grid, Path(arguments.example).absolute(), arguments.kernel)
    if arguments.checkpoints:
        return _publish_checkpoints(arguments.study, grid, Path(arguments.checkpoints).absolute())
    return publish_study(study, grid, arguments.kernel, arguments.drop)


def _publish_checkpoints(path: str, grid: "list[Cell]", folder: Path) -> int:
    """Write the ladder of a study file for the hub, and print the lines with which another study reads it."""
    from xlt_utils.pipeline.archives.publish_checkpoints import publish_checkpoints
    from xlt_utils.study import lock, study_file

    study = study_file.load_study(path)  # with the names of the hub, which a pinned one has no more
    locked = lock.read_lock(lock.lock_file(path)) if lock.reads_hub(study) else None
    lines = publish_checkpoints(study, grid, locked, folder)
    print(f"{study.name}: `hf upload OWNER/NAME {folder}` gives it away; under `pretrain:` a study reads it with")
    print("\n".join(lines))
    return 0


def _merge(arguments: argparse.Namespace) -> int:
    from xlt_utils.pipeline.archives.merge import merge_archives

    print(merge_archives(arguments.out, arguments.archives, arguments.origins))
    return 0


def _doctor(arguments: argparse.Namespace) -> int:
    from xlt_utils.formatting import count_of
    from xlt_utils.pipeline.archives.doctor import examine, examine_snapshots
    from xlt_utils.study import lock

    study, grid = _grid(arguments.study, "go by the lock")
    complaints = [*examine(study, grid), *examine_snapshots(lock.lock_file(arguments.study))]
    print("\n".join([*complaints, f"{study.name}: {count_of(len(complaints), 'fault')} found in what it has made"]))
    return 65 if complaints else 0


def _cell(arguments: argparse.Namespace) -> int:
    from xlt_utils.pipeline.cell import runner

    return runner.run_cell(arguments.params, arguments.kernel, arguments.limit)


def _microworld(arguments: argparse.Namespace) -> int:
    from pydantic import ValidationError

    from xlt_utils import microworld
    from xlt_utils.study.schema import Microworld

    try:
        settings = Microworld(seed=arguments.seed, sentences=arguments.sentences, bilingual=arguments.bilingual)
    except ValidationError as error:
        first = error.errors()[0]
        raise Fault(f"--{first['loc'][0]} {first['input']}: {first['msg'].lower()}") from None
    folder = microworld.write(arguments.folder, languages=list(microworld.LANGUAGES), **settings.model_dump())
    print(f"microworld: {folder} (a study reads it with `data: {folder}`)")
    return 0


def _score(arguments: argparse.Namespace) -> int:
    from functools import partial

    from xlt_utils.evaluation import submission

    warn = submission.refuse_warning if arguments.strict else partial(print, "warning:", file=sys.stderr)
    print(json.dumps(submission.score_submission(arguments.predictions, arguments.labels, warn), indent=1))
    return 0


def _completion(arguments: argparse.Namespace) -> int:
    import shtab

    parser = _parser("")
    (commands,) = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    for command in commands.choices.values():
        for action in command._actions:
            if action.metavar in FILES:
                action.complete = shtab.DIRECTORY if action.metavar == "FOLDER" else shtab.FILE  # type: ignore[attr-defined]
    print(shtab.complete(parser, arguments.shell))
    return 0


def _grid(
    path: str, absent: Literal["take", "refuse", "go by the lock"] = "refuse", writes_data: bool = True
) -> "tuple[Study, list[Cell]]":
    """The study, pinned, and its cells.

    Args:
        path: of the study file.
        absent: what becomes of what is read from the hub and is not here: `take` fetches it, `refuse` raises
            NotMirrored, `go by the lock` takes the lock file's word for the hashes. Without a lock none of the cells
            can be done, and the grid stands for that.
        writes_data: whether embedded data that are not there yet are written first; else none of its cells can be
            done, as above.

    Raises:
        StudyFault: the file, or the place that it names as data, is not right.
        NotMirrored: data or checkpoints of the hub are not here, and not to be taken.
    """
    from xlt_utils import paths
    from xlt_utils.study import study_file

    study = study_file.load_study(path)  # a fault of the file is said before the data's readers are imported
    from xlt_utils.study import cells, lock

    is_unwritten = study.data == "microworld" and not any((paths.RUNS / "data").glob("microworld-*"))
    try:
        try:
            study = lock.pin(study, path)
        except NotMirrored:
            if absent == "refuse":
                raise
            if known := _locked_grid(study, path, wholly_done=absent == "take"):
                return known
            if absent == "go by the lock":
                return study, cells.expand_study(study, study.data, UNREAD)
            study = _mirrored(study, path)
        if is_unwritten and not writes_data:
            return study, cells.expand_study(study, study.data, UNREAD)
        if is_unwritten:
            print("writing the microworld, the embedded data, once: less than a minute", file=sys.stderr)
        return study, cells.expand_study(study)
    except Fault:
        raise
    except (OSError, ValueError) as fault:
        if getattr(fault, "errno", None) in REFUSED:
            raise
        raise study_file.StudyFault(f"{path}: {fault}") from None


def _locked_grid(study: "Study", path: str, wholly_done: bool) -> "tuple[Study, list[Cell]] | None":
    """The study, pinned, and its cells as its lock file alone has them, whose snapshots are not here; None where the
    lock does not have all, or is to be `wholly_done` and is not."""
    from xlt_utils.records.record import is_done
    from xlt_utils.study import cells, lock

    try:
        pinned = lock.pin(study, path, files=False)
    except NotMirrored:
        return None
    grid = cells.expand_study(pinned)
    return (pinned, grid) if not wholly_done or all(is_done(cell.folder, cell.hash) for cell in grid) else None


def _mirrored(study: "Study", path: str) -> "Study":
    """The study, pinned, after all that it reads from the hub was taken."""
    from xlt_utils.pipeline.fetching import mirror
    from xlt_utils.study import lock

    mirror.mirror_study(study, path, say=lambda line: print(f"{study.name}: {line}", flush=True))
    return lock.pin(study, path)


def _check_data(path: str, study: "Study") -> None:
    """Raise StudyFault with every fault that the data would show later."""
    from xlt_utils.pipeline import preflight
    from xlt_utils.study import study_file

    if faults := preflight.check_study(study):
        raise study_file.data_fault(path, faults)


def _parser(first: str) -> argparse.ArgumentParser:
    """The parser of a command line; one that begins with a `first` word that is no command ends with a hint."""
    parser = argparse.ArgumentParser("xlt", description="Runs a study of zero-shot cross-lingual transfer.")
    parser.add_argument("--version", action="version", version=f"xlt {metadata.version('xlt-utils')}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, run: Callable[..., int], argument: tuple[str, str], text: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument(argument[0].lower(), metavar=argument[0], help=argument[1])
        command.set_defaults(run=run)
        return command

    def add_kernel(command: argparse.ArgumentParser) -> None:
        command.add_argument("--kernel", default="python3", help="Jupyter kernel (default: %(default)s)")

    def add_limit(command: argparse.ArgumentParser) -> None:
        command.add_argument(
            "--limit", type=float, metavar="SECONDS", help="end a cell after this time (default: never)"
        )

    def add_records(command: argparse.ArgumentParser) -> None:
        text = (
            "an archive whose cells are done, such as another machine's records.zip; repeatable. That in the folder of "
            "the study's report always counts"
        )
        command.add_argument("--records", action="append", default=[], metavar="FILE", help=text)

    study = ("STUDY", "a study file, such as params/demo.yaml")
    jobs: dict[str, Any] = {"type": _positive, "metavar": "N", "help": "cells at a time (default: all cores)"}

    text = "begin a study: a study file to change, and a README beside it"
    command = add("init", _init, ("FOLDER", "where to; its name becomes the study's"), text)
    text = "the example study that it begins from (default: %(default)s); a wrong name lists all"
    command.add_argument("--example", default="demo", metavar="NAME", help=text)
    command = add("check", _check, study, "look for everything in a study that could fail later")
    text = "the study file alone; lists the data sets and checkpoints that are not looked for"
    command.add_argument("--offline", action="store_true", help=text)
    command = add("mirror", _mirror, study, "take what a study reads from the hub, and pin it in a lock file")
    text = "where the snapshots lie (default: where the lock file says, else hub/)"
    command.add_argument("folder", metavar="FOLDER", nargs="?", help=text)
    command.add_argument("--update", action="store_true", help="take the revisions that have moved")
    command = add("plan", _plan, study, "say what a study will run and cost")
    command.add_argument("--jobs", **jobs)
    text = "plan from the file alone for GPUs of this many useful FLOPs a second (an A100 about 1e14)"
    command.add_argument("--gpu", type=_rate, metavar="FLOPS", help=text)
    text = (
        "say too what the study will be able to show, from the records of an earlier one: the folder of its runs, "
        "or of its published report"
    )
    command.add_argument("--pilot", metavar="FOLDER", help=text)
    text = "say how many seeds fit into so much time, such as 2h or 90min, and what to leave out for more"
    command.add_argument("--budget", type=_seconds, metavar="TIME", help=text)
    add_records(command)
    command = add("run", _run, study, "run what is missing of a study, then its report; safe to repeat")
    text = "cells at a time (default: all cores; on a cluster, `jobs:` of its profile)"
    command.add_argument("--jobs", **jobs | {"help": text})
    text = "where to run: local, slurm, or the folder of another Snakemake profile (default: %(default)s)"
    command.add_argument("--profile", default="local", help=text)
    gate = command.add_mutually_exclusive_group()
    text = (
        "run the cells of the gate alone: those that `gate:` names, else the first seed at the largest P; like every "
        "run with a gate it ends with exit code 3 where a target or an arm is not learnt in English"
    )
    gate.add_argument("--gate-only", action="store_const", dest="gate", const="only", default="first", help=text)
    text = "run the whole grid, whatever is not learnt"
    gate.add_argument("--no-gate", action="store_const", dest="gate", const="none", help=text)
    add_kernel(command)
    add_limit(command)
    add_records(command)
    text = "print the cells that would run, and run none"
    command.add_argument("--dry-run", action="store_true", help=text)
    command = add("status", _status, study, "say what is done, running, failed and missing")
    add_records(command)
    command.add_argument("--json", action="store_true", help="every cell as JSON, for other programs")
    text = "say it again every so many seconds (default: 5) until all is done"
    command.add_argument("--watch", type=float, nargs="?", const=5.0, metavar="SECONDS", help=text)
    text = "list the studies of a folder: their seeds, the records of their runs, their pages"
    command = commands.add_parser("list", help=text, description=text)
    command.add_argument(
        "folder", nargs="?", metavar="FOLDER", help="of study files (default: params/, and study.yaml of each folder)"
    )
    command.set_defaults(run=_list)
    argument = ("STUDY", "a study file, or the folder of a published report")
    add_kernel(add("report", _report, argument, "render the report from the records that exist"))
    argument = ("STUDY", "a study file, a folder of runs, the folder of a published report, or an archive")
    command = add("explore", _explore, argument, "open a study's results in JupyterLab")
    command.add_argument("others", metavar="STUDY", nargs="*", help="studies to see beside it")
    text = "print the address, and open no browser"
    command.add_argument("--no-browser", dest="browser", action="store_false", help=text)
    argument = ("A", "a study file, a folder of runs, the folder of a published report, or an archive")
    command = add("compare", _compare, argument, "show two studies side by side on the cells that both have")
    command.add_argument("b", metavar="B", help="the other study, as A")
    text = "the folder of the figure (default: one of the two studies' names in report/compare/)"
    command.add_argument("--out", metavar="FOLDER", help=text)
    argument = ("STUDY", "a study file, a folder of runs, the folder of a published report, or an archive")
    text = "send the curves and scores of done cells to MLflow; what is there already is not sent again"
    command = add("track", _track, argument, text)
    text = "an MLflow server, such as http://host:5000 (default: MLFLOW_TRACKING_URI, else runs/mlflow.db)"
    command.add_argument("--to", metavar="SERVER", help=text)
    text = (
        "keep a whole study's records beside its page; rendered from them again, the page has the same values on "
        "every machine and the same bytes on one machine"
    )
    command = add("publish", _publish, study, text)
    add_kernel(command)
    text = "leave out the records that were published of cells which the study no longer has"
    command.add_argument("--drop", action="store_true", help=text)
    text = "write the page alone into this folder, with the executed notebooks of one chain, and keep no records there"
    command.add_argument("--example", metavar="FOLDER", help=text)
    text = "write the pretraining ladder alone into this folder, ready for the hub, and keep no records there"
    command.add_argument("--checkpoints", metavar="FOLDER", help=text)
    argument = ("OUT", "the archive to write (.zip), or the folder of a report that gets one")
    command = add("merge", _merge, argument, "put archives of one study from several machines together")
    text = "an archive, or the folder of a published report"
    command.add_argument("archives", metavar="IN", nargs="+", help=text)
    text = "keep archives apart that differ in more than their seeds, in place of refusing them"
    command.add_argument("--origins", action="store_true", help=text)
    text = "compare all that a study has made with the sha256 that it states, and say what mends it"
    add("doctor", _doctor, study, text)
    command = add("cell", _cell, ("PARAMS", "a cell's params.json"), "run one notebook: one cell")
    add_kernel(command)
    add_limit(command)
    argument = ("FOLDER", "where to write it")
    command = add("microworld", _microworld, argument, "write the embedded data, laid out as on the hub")
    command.add_argument("--seed", type=int, default=0)
    command.add_argument("--sentences", type=_size, default=150_000, help="lines of text, such as 150k (default: 150k)")
    command.add_argument(
        "--bilingual", type=float, default=0.05, help="share of bilingual lines (default: %(default)s)"
    )
    argument = ("PREDICTIONS", "a folder of <task>/test-<language>.tsv or .json")
    command = add("score", _score, argument, "score a submission in XTREME's layout, as JSON")
    command.add_argument("labels", metavar="LABELS", help="a folder of the same layout with the gold labels")
    command.add_argument("--strict", action="store_true", help="fail where there is a warning: unanswered questions")
    text = "print what makes a shell complete commands, options and files: `source <(xlt completion bash)`"
    command = commands.add_parser("completion", help=text, description=text)
    command.add_argument("shell", choices=["bash", "zsh"], help="the shell")
    command.set_defaults(run=_completion)
    if first and first[0] != "-" and first not in commands.choices:
        parser.error(f"no such command: {first}; {did_you_mean(first, commands.choices)}")
    return parser


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number above 0, not {text!r}")
    return int(text)


def _rate(text: str) -> float:
    try:
        if 0 < (rate := float(text)) < float("inf"):
            return rate
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"expected FLOPs a second such as 1e14, not {text!r}")


def _seconds(text: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(min|h|d)", text)
    if match is None or not float(match[1]):
        raise argparse.ArgumentTypeError(f"expected a time such as 90min, 2h or 3d, not {text!r}")
    return float(match[1]) * {"min": 60, "h": 3600, "d": 86400}[match[2]]


def _size(text: str) -> int:
    from xlt_utils.study.schema import parse_size

    try:
        return parse_size(int(text) if text.isdigit() else text)
    except ValueError as fault:
        raise argparse.ArgumentTypeError(str(fault)) from None


if __name__ == "__main__":
    sys.exit(main())
