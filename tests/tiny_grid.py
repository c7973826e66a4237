"""A study of eight cells whose notebooks only write their records: Snakemake, runner and kernels are real, training
is not. Run as a program, it runs the study in a folder, `tiny_grid.py FOLDER GATE [PROFILE]`, where GATE is `first`,
`only` or `none`, or says how far it is, `tiny_grid.py FOLDER status`."""

import os
import sys
from pathlib import Path

from tiny_notebooks import write_notebook

STUDY = """name: grid
data: somewhere
languages: [en, de]
seeds: [0]
pretrain:
  encoder: {layers: 1, width: 8, heads: 1, vocabulary: 300}
  tokens: [0, 100k]
intermediate:
  examples: [512]
  arms: [{name: mnli, tasks: [mnli]}]
target:
  tasks: [sst, udpos]
gate: {tokens: 0}
"""
# One cell fails, or waits, as long as a file lies in the folder.
HINDERED = """import time
from pathlib import Path
if tokens == 100_000 and Path({folder!r}, "broken").exists():
    raise ValueError("no such luck")
while Path({folder!r}, "slow").exists():
    time.sleep(0.1)"""
# Where a cell stands on the grid, and its English scores: chance as long as a file lies in the folder.
PLACE = {
    "pretrain": "{'seed': seed, 'tokens': tokens}",
    "intermediate": "{**vars(record.read_record(checkpoint).coordinates), 'arm': arm, 'examples': examples}",
    "target": "record.read_record(checkpoint).coordinates",
    "report": "None",
}
SCORES = """from pathlib import Path
metrics = {{"sst": "accuracy", "udpos": "f1", "mnli": "accuracy"}}
score = {{"language": "en", "value": 0.5 if Path({folder!r}, "hopeless").exists() else 0.9}}
score |= {{"zero": 0.5, "n": 400, "main": False}}
results = [score | {{"task": name, "metric": f"development {{metrics[name]}}"}} for name in tasks]"""
WEIGHTS = """
Path(out, "state", "encoder").mkdir(parents=True)"""
PAGE = """from pathlib import Path
Path(report).mkdir(parents=True, exist_ok=True)
page = f'<meta name="shows" content="{{Path(out).name[-8:]}}">{{missing}}'
Path(report, "index.html").write_text(page)"""


def write(folder: Path):
    """Write the study and its notebooks; return the study and its cells."""
    from xlt_utils import paths
    from xlt_utils.study import cells, study_file

    (folder / "grid.yaml").write_text(STUDY)
    study = study_file.load_study(folder / "grid.yaml")
    for phase in paths.PHASES:
        write_notebook(Path(paths.notebook(phase)), "pass")
    by_phase = {cell.phase: cell.parameters for cell in cells.expand_study(study, "somewhere", "1")}
    by_phase["report"] = dict.fromkeys(("study", "runs", "cells", "missing", "out", "report"))
    for phase, parameters in by_phase.items():
        names = ", ".join(f"{name}={name}" for name in parameters)
        last = f"from xlt_utils.records import record\nplace = {PLACE[phase]}\n"
        last += f"record.write_record(out, {phase!r}, dict({names}), coordinates=place, results=results)"
        first = {"pretrain": f"{HINDERED}\nresults = []", "report": f"{PAGE}\nresults = []"}.get(phase, SCORES)
        first += WEIGHTS if phase in ("pretrain", "intermediate") else ""
        first = first.format(folder=str(folder))
        declared = "\n".join(f"{name} = None" for name in parameters)
        write_notebook(Path(paths.notebook(phase)), first, last, parameters=declared)
    return study, cells.expand_study(study, "somewhere", "1")


def place(folder: Path) -> dict[str, str]:
    """The environment in which runs, report and notebooks of the study lie in the folder."""
    names = {"XLT_RUNS": "runs", "XLT_REPORT": "report", "XLT_NOTEBOOKS": "notebooks"}
    return os.environ | {name: str(folder / below) for name, below in names.items()}


def main(folder: Path, command: str, profile: str = "local") -> int:
    from xlt_utils.pipeline.engine import profiles, scheduler, status
    from xlt_utils.pipeline.planning import plan

    assert "XLT_NOTEBOOKS" in os.environ, "it would overwrite the project's own notebooks"
    study, grid = write(folder)
    if command == "status":
        print(status.status_text(study.name, grid))
        return 0
    seconds = {cell.folder: 1.0 for cell in grid}
    where = profiles.read_profile(profile)
    expected = plan.Plan(plan.grid_signature(grid), where.jobs or 2, {}, {}, {}, {}, {}, {}, 9.0, seconds)
    return scheduler.run_study(study, grid, lambda: expected, where, gate=command)


if __name__ == "__main__":
    from xlt_utils import cli

    sys.exit(cli.exit_code(lambda: main(Path(sys.argv[1]), *sys.argv[2:])))
