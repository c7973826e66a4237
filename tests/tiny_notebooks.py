"""Notebooks that take a second: what the tests of the runner and of the engine run in place of a study."""

import json
from pathlib import Path

PARAMETERS = """study = "tiny"
seed = 0
rate = 0.5
names = ["a"]
limit = 3  # type: int|None
out = "runs/by-hand/tiny"
"""
RECORD = """from xlt_utils.records import record
parameters = dict(study=study, seed=seed, rate=rate, names=names, limit=limit, out=out)
record.write_record(out, "pretrain", parameters, coordinates={"seed": seed, "tokens": 0})"""


def write_notebook(path: Path, *sources: str, parameters: str = PARAMETERS) -> Path:
    """A notebook of a `parameters` cell and these code cells."""
    cells = [(parameters, ["parameters"]), *((source, []) for source in sources)]
    content = {
        "cells": [
            {
                "cell_type": "code",
                "id": f"c{number}",
                "metadata": {"tags": tags},
                "source": source,
                "outputs": [],
                "execution_count": None,
            }
            for number, (source, tags) in enumerate(cells)
        ],
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def write_params(folder: Path, *sources: str, **changes) -> Path:
    """A cell's params.json, with a notebook of these code cells; `changes` replace parameters."""
    parameters = {"study": "tiny", "seed": 1, "rate": 1e-4, "names": ["b", "c"], "limit": None, "out": str(folder)}
    content = {
        "phase": "pretrain",
        "cell": folder.name,
        "hash": "12345678",
        "notebook": str(write_notebook(folder.parent / f"{folder.name}.ipynb", *sources)),
        "inputs": [],
        "parameters": parameters | changes,
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "params.json").write_text(json.dumps(content))
    return folder / "params.json"
