"""`xlt`, the one command-line tool: it reads the arguments, calls the module that does the work, and turns what
goes wrong into a message and an exit code: 65 bad input, 70 a notebook failed, 75 already at work,
128 + n stopped by signal n."""

import argparse
import os
import shutil
import sys

from xlt_utils.errors import Fault


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code."""
    given = _parser().parse_args(sys.argv[1:] if arguments is None else arguments)
    os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")  # a run has a line of progress of its own
    try:
        return given.run(given)
    except Fault as fault:
        print(fault, file=sys.stderr)
        return 65
    except KeyboardInterrupt:
        return 130


def check(given: argparse.Namespace) -> int:
    study, grid = _grid(given.study)
    if given.offline:
        from xlt_utils.pipeline import preflight

        print(f"{given.study}: no fault found in the file; {len(grid)} cells")
        print("\n".join(f"not looked for: {one}" for one in preflight.not_checked(study)))
        return 0
    _check_data(given.study, study)
    from xlt_utils import paths
    from xlt_utils.training import hardware

    free = shutil.disk_usage(paths.RUNS if paths.RUNS.exists() else paths.ROOT).free
    print(f"{given.study}: no fault found; {len(grid)} cells, data: {grid[0].parameters['data']}")
    print(f"device {hardware.device()}, {hardware.precision()}; {free / 1e9:,.0f} GB free for runs")
    return 0


def plan(given: argparse.Namespace) -> int:
    from xlt_utils.pipeline import scheduler, speed
    from xlt_utils.pipeline.plan import make_plan, plan_text
    from xlt_utils.records.record import is_done

    study, grid = _grid(given.study)
    if given.gpu:
        made = make_plan(study, grid, given.jobs or 1, speed.Assumed(study, given.gpu))
        print(plan_text(study.name, made, 0, "GPU time"))
        print(
            f"at {given.gpu:.1e} FLOPs a second, every example as long as the study allows: upper bounds, nothing read"
        )
        return 0
    _check_data(given.study, study)
    made = make_plan(study, grid, given.jobs or scheduler.default_jobs(study))
    print(plan_text(study.name, made, sum(is_done(cell.folder, cell.hash) for cell in grid)))
    return 0


def run(given: argparse.Namespace) -> int:
    from xlt_utils.pipeline import scheduler
    from xlt_utils.pipeline.plan import Plan, plan_for_run

    study, grid = _grid(given.study)

    def prepare() -> Plan:
        _check_data(given.study, study)
        return plan_for_run(study, grid, given.jobs or scheduler.default_jobs(study))

    return scheduler.run_study(study, grid, prepare, given.profile, given.kernel, given.limit)


def status(given: argparse.Namespace) -> int:
    from xlt_utils.pipeline.status import status_text

    study, grid = _grid(given.study)
    print(status_text(study.name, grid))
    return 0


def report(given: argparse.Namespace) -> int:
    from xlt_utils.pipeline import scheduler
    from xlt_utils.pipeline.publish import render_published

    if os.path.isdir(given.study):
        return render_published(given.study, given.kernel)
    study, grid = _grid(given.study)
    return scheduler.report_study(study, grid, given.kernel)


def publish(given: argparse.Namespace) -> int:
    from xlt_utils.pipeline.publish import publish_study

    return publish_study(*_grid(given.study), given.kernel)


def cell(given: argparse.Namespace) -> int:
    from xlt_utils.pipeline import runner

    return runner.run_cell(given.params, given.kernel, given.limit)


def microworld(given: argparse.Namespace) -> int:
    from xlt_utils import microworld
    from xlt_utils.study.schema import Microworld

    settings = Microworld(seed=given.seed, sentences=given.sentences, bilingual=given.bilingual)
    folder = microworld.write(given.folder, languages=list(microworld.LANGUAGES), **settings.model_dump())
    print(f"microworld: {folder} (a study reads it with `data: {folder}`)")
    return 0


def score(given: argparse.Namespace) -> int:
    import json
    from functools import partial

    from xlt_utils.evaluation import submission

    warn = submission.refuse_warning if given.strict else partial(print, "warning:", file=sys.stderr)
    print(json.dumps(submission.score_submission(given.predictions, given.labels, warn), indent=1))
    return 0


def _grid(path: str) -> tuple:
    """The study and its cells. Raises StudyFault where the file, or the place that it names as data, is not right."""
    from xlt_utils.study import cells, study_file

    read = study_file.load_study(path)
    try:
        return read, cells.expand_study(read)
    except (OSError, ValueError) as fault:
        raise study_file.StudyFault(f"{path}: {fault}") from None


def _check_data(path: str, study: object) -> None:
    """Raise StudyFault with every fault that the data would show later."""
    from xlt_utils.pipeline import preflight
    from xlt_utils.study.study_file import data_fault

    if faults := preflight.check_study(study):
        raise data_fault(path, faults)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("xlt", description="Runs a study of zero-shot cross-lingual transfer.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(function, argument: str, explained: str, text: str) -> argparse.ArgumentParser:
        one = commands.add_parser(function.__name__, help=text, description=text)
        one.add_argument(argument.lower(), metavar=argument, help=explained)
        one.set_defaults(run=function)
        return one

    def add_kernel(one: argparse.ArgumentParser, limited: bool = True) -> None:
        one.add_argument("--kernel", default="python3", help="Jupyter kernel (default: %(default)s)")
        if limited:
            one.add_argument("--limit", type=float, metavar="SECONDS", help="end a cell after so long (default: never)")

    study = ("STUDY", "a study file, such as params/demo.yaml")
    offline = "the study file alone: neither data sets nor a checkpoint is looked for, and that is said"
    checks = command(check, *study, "look for everything in a study that could fail later")
    checks.add_argument("--offline", action="store_true", help=offline)
    jobs = {"type": _positive, "metavar": "N", "help": "cells at a time (default: all cores)"}
    plans = command(plan, *study, "say what a study will run and cost")
    plans.add_argument("--jobs", **jobs)
    gpu = "plan from the file alone for GPUs of so many useful FLOPs a second (an A100 about 1e14)"
    plans.add_argument("--gpu", type=_rate, metavar="FLOPS", help=gpu)
    runs = command(run, *study, "run what is missing of a study, then its report; safe to repeat")
    runs.add_argument("--jobs", **jobs)
    runs.add_argument("--profile", default="local", help="where: a folder of workflow/profiles (default: %(default)s)")
    add_kernel(runs)
    command(status, *study, "say what is done, running, failed and missing")
    kept = ("STUDY", "a study file, or the folder of a published report")
    add_kernel(command(report, *kept, "render the report from the records that are there"), limited=False)
    text = "keep a whole study's records beside its page, which they render again to the same bytes"
    add_kernel(command(publish, *study, text), limited=False)
    add_kernel(command(cell, "PARAMS", "a cell's params.json", "run one notebook: one cell"))
    world = command(microworld, "FOLDER", "where to", "write the embedded data, laid out as on the hub")
    world.add_argument("--seed", type=int, default=0)
    world.add_argument("--sentences", type=_size, default=150_000, help="lines of text, such as 150k (default: 150k)")
    world.add_argument("--bilingual", type=float, default=0.05, help="share of bilingual lines (default: %(default)s)")
    found = ("PREDICTIONS", "a folder of <task>/test-<language>.tsv or .json")
    scored = command(score, *found, "score a submission in XTREME's layout, as JSON")
    scored.add_argument("labels", metavar="LABELS", help="a folder of the same layout with the gold labels")
    scored.add_argument("--strict", action="store_true", help="refuse what is only warned of: unanswered questions")
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


def _size(text: str) -> int:
    from xlt_utils.study.schema import parse_size

    try:
        return parse_size(int(text) if text.isdigit() else text)
    except ValueError as fault:
        raise argparse.ArgumentTypeError(str(fault)) from None


if __name__ == "__main__":
    sys.exit(main())
