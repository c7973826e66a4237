"""The demo's grid by `xlt run` against the same grid by Hugging Face's Trainer in plain papermill runs, one process a
cell, both with two cells at a time. Prints a table and writes it as JSON; README.md says what is measured."""

import argparse
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import places
import study_cell

from xlt_utils import paths
from xlt_utils.study import cells, study_file, yaml12

AT_ONCE = 2  # cells, of one thread each
QUICK = {"tokens": [0, 200_000], "examples": [96]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, required=True, help="where the results go")
    parser.add_argument("--seeds", type=int, default=5, metavar="N", help="the demo's first N; default all 5")
    parser.add_argument("--quick", action="store_true", help="a slice: one seed, little text, one rung of one arm")
    arguments = parser.parse_args()
    os.environ |= {"OMP_NUM_THREADS": "1", "XLT_REPORT": str(places.FOLDER / "report")}
    file = write_study(1 if arguments.quick else arguments.seeds, arguments.quick)
    study = study_file.load_study(file)
    grid = cells.expand_study(study)  # writes the microworld
    study_cell.tokenizer_of(next(cell.parameters for cell in grid))
    print(f"{len(grid)} cells; the data and the vocabulary are there", flush=True)
    ours, with_report = run_ours(file, grid)
    print(f"xlt run: {ours:.0f} seconds, {with_report:.0f} with its report", flush=True)
    theirs = run_theirs(grid)
    print(f"Trainer: {theirs:.0f} seconds\nratio {theirs / ours:.2f}, at least 4")
    seconds = {"ours": ours, "ours with the report": with_report, "Trainer": theirs}
    results = {"study_time_ratio": theirs / ours, "cells": len(grid), "seconds": seconds}
    arguments.json.write_text(json.dumps(results | {"quick": arguments.quick}, indent=1))


def write_study(seeds: int, quick: bool) -> Path:
    """The demo's first seeds, or a slice of one, under another name."""
    content = yaml12.parse_yaml(paths.ROOT / "params" / "demo.yaml").content
    content |= {"name": "benchmark", "seeds": list(range(seeds))}
    if quick:
        content["pretrain"]["tokens"] = QUICK["tokens"]
        content["intermediate"] |= {"examples": QUICK["examples"], "arms": content["intermediate"]["arms"][:1]}
    file = places.FOLDER / "benchmark.yaml"
    file.write_text(json.dumps(content) + "\n")
    return file


def run_ours(file: Path, grid: list[cells.Cell]) -> tuple[float, float]:
    """Seconds until the last cell's record is there, and until the report is."""
    began = time.time()
    command = [sys.executable, "-m", "xlt_utils.cli", "run", str(file), "--jobs", str(AT_ONCE)]
    subprocess.run(command, cwd=paths.ROOT, check=True, stdout=subprocess.DEVNULL)
    last = max((paths.resolve(cell.folder) / "record.json").stat().st_mtime for cell in grid)
    return last - began, time.time() - began


def run_theirs(grid: list[cells.Cell]) -> float:
    """Seconds of the cells as notebooks of Trainer, each as soon as one it reads is done and a place is free."""
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [
        nbformat.v4.new_code_cell("phase, parameters = '', {}", metadata={"tags": ["parameters"]}),
        nbformat.v4.new_code_cell("import study_cell\n\nstudy_cell.run(phase, parameters)"),
    ]
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    template = places.FOLDER / "cell.ipynb"
    nbformat.write(notebook, template)

    def run(cell: cells.Cell) -> None:
        given = json.dumps({"phase": cell.phase, "parameters": cell.parameters})
        command = [sys.executable, "-m", "papermill", template, places.FOLDER / f"{cell.name}.ipynb", "-y", given]
        subprocess.run(command, cwd=Path(__file__).parent, check=True, capture_output=True)

    began = time.time()
    for phase in ("pretrain", "intermediate", "target"):  # each reads those before it
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(run, [cell for cell in grid if cell.phase == phase]))
    return time.time() - began


if __name__ == "__main__":
    main()
