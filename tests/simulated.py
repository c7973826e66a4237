"""Simulated studies with a known truth, written as the records of real runs. Sizes, arms and the true scores go in; run
folders on which the analysis and the report are tested come out."""

import json
from collections.abc import Callable
from pathlib import Path

import nbformat
import numpy as np

from xlt_utils.data.tasks import TASKS
from xlt_utils.records import run_hash

LANGUAGES = ["en", "de", "fr", "es", "hi"]


def score(task: str, language: str, seed: int, tokens: int, examples: int) -> float:
    """A score between chance (0) and 1 that rises with P, and with I as its square root."""
    place = LANGUAGES.index(language) if language in LANGUAGES else len(language)
    base = 0.3 + 0.05 * np.log10(1 + tokens / 1000) - 0.04 * place + 0.01 * seed
    return float(base + 0.002 * np.sqrt(examples))


def scattered(task, language, seed, tokens, examples):
    """Gains that differ from seed to seed."""
    gain = 0.1 * (examples / 4096) ** 0.5 * (1 + 0.5 * ((seed * 7 + tokens // 1000) % 5 - 2))
    return 0.5 + gain + 0.01 * (len(language + task) + seed % 3)


def study(
    folder: Path,
    seeds: tuple = (0, 1),
    tokens: tuple = (0, 100_000, 1_600_000),
    examples: tuple = (0, 256, 4096),
    tasks: tuple = ("sst", "udpos", "tatoeba"),
    languages: tuple = tuple(LANGUAGES),
    truth: Callable[[str, str, int, int, int], float] = score,
    skip: Callable[[int, int, int], bool] = lambda seed, tokens, examples: False,
    arm: str = "mnli",
    notebooks: bool = True,
    arms: dict[str, dict] | None = None,
    bonus: Callable[[str, str, int, int, int], float] = lambda arm, task, seed, tokens, examples: 0.0,
    n: int = 400,
    complete: Callable[[dict], dict] = lambda record: record,
) -> list[Path]:
    """Write a study's run folders and return those of finished runs.

    Args:
        folder: of the study; its name is the study's.
        truth: the score of a task, language, seed, P and I, with chance at 0 and the ceiling at 1.
        skip: whether the target cell of a seed, P and I has a failed attempt and no record.
        arm: the only intermediate arm, unless there are `arms`.
        notebooks: whether attempts leave an executed notebook.
        arms: the arms by name, with their parameters.
        bonus: what an arm adds to the truth in a task, seed, P and I > 0.
        n: items of each test.
        complete: what a record becomes before it is written.
    """
    arms, done = arms or {arm: {"tasks": [arm]}}, []
    options = {"notebooks": notebooks, "complete": complete}
    for seed in seeds:
        for p in tokens:
            place = {"seed": seed, "tokens": p, "arm": None, "examples": 0}
            common = {"study": folder.name, "seed": seed, "data": "microworld", "languages": list(languages)}
            pretrained = folder / "pretrain" / f"s{seed}-p{p}-aaaaaaaa"
            done.append(run(pretrained, "pretrain", {**common, "tokens": p}, place, **options))
            for i, arm in ((rung, name) for rung in examples for name in (arms if rung else [None])):
                place = {"seed": seed, "tokens": p, "arm": arm, "examples": i}
                checkpoint = pretrained
                if i:
                    checkpoint = folder / "intermediate" / f"s{seed}-p{p}-{arm}-i{i}-bbbbbbbb"
                    training = {"languages": ["en"], "labels": "given", "mlm_share": 0.0, **arms[arm]}
                    parameters = {**common, "arm": arm, **training, "examples": i, "checkpoint": str(pretrained)}
                    done.append(run(checkpoint, "intermediate", parameters, place, **options))
                bonuses = {task: bonus(arm, task, seed, p, i) if i else 0.0 for task in tasks}
                results = [
                    result(task, language, truth(task, language, seed, p, i) + bonuses[task], n)
                    for task in tasks
                    for language in languages
                    if TASKS[task].trains or language != "en"
                ]
                target = folder / "target" / f"{checkpoint.name[:-9]}-{len(tasks)}tasks-cccccccc"
                parameters = {**common, "tasks": list(tasks), "checkpoint": str(checkpoint), "examples": 1024}
                if skip(seed, p, i):
                    failed(target, "target", parameters)
                else:
                    done.append(run(target, "target", parameters, place, results, **options))
    return done


def result(task: str, language: str, scaled: float, n: int = 400, perturbation: str = "") -> dict:
    """One row of a record's results; `scaled` has chance at 0 and the ceiling at 1."""
    chance = TASKS[task].chance
    value = float(np.clip(chance + scaled * (1 - chance), 0, 1))
    row = {"task": task, "language": language, "metric": TASKS[task].metric, "value": value, "n": n}
    return row | {"main": not perturbation, "perturbation": perturbation}


def run(
    folder: Path,
    phase: str,
    parameters: dict,
    place: dict,
    results: list = (),
    notebooks: bool = True,
    facts: dict | None = None,
    complete: Callable[[dict], dict] = lambda record: record,
) -> Path:
    """One finished run folder: params.json, an attempt with its notebook, the record as `complete` returns it."""
    record = {
        "schema": run_hash.SCHEMA, "study": parameters["study"], "phase": phase, "cell": folder.name,
        "hash": folder.name[-8:], "parameters": parameters, "inputs": [], "coordinates": place,
        "versions": {"python": "3.11.7"}, "device": "cpu", "threads": 1,
        "started": "2026-01-01T00:00:00Z", "seconds": {"work": 8.0},
        "cost": {"tokens": 1000, "examples": 10, "steps": 5, "flops": 1e9}, "curves": [],
        "results": list(results), "facts": facts or {},
    }  # fmt: skip
    write_json(folder / "params.json", {"phase": phase, "cell": folder.name, "parameters": parameters})
    attempt(folder, "done", notebooks=notebooks)
    write_json(folder / "record.json", complete(record))
    return folder


def failed(folder: Path, phase: str, parameters: dict, error: str = "ValueError: the labels ran out") -> Path:
    """A run folder whose only attempt failed: no record."""
    write_json(folder / "params.json", {"phase": phase, "cell": folder.name, "parameters": parameters})
    attempt(folder, "failed", error)
    return folder


def attempt(folder: Path, status: str, error: str | None = None, notebooks: bool = True) -> None:
    """One more attempt of a run folder: what it left beside the record."""
    exit_code = 0 if status == "done" else 70
    place = folder / "attempts" / f"{1 + len(list(folder.glob('attempts/*'))):02d}"
    facts = {"started": "2026-01-01T00:00:00Z", "ended": "2026-01-01T00:00:09Z", "seconds": 9.0, "status": status}
    write_json(place / "attempt.json", {**facts, "exit": exit_code, "error": error, "pid": 1, "host": "here"})
    if notebooks:
        cells = [nbformat.v4.new_markdown_cell(f"# {folder.name}"), nbformat.v4.new_code_cell("print(1)")]
        cells[1].outputs = [nbformat.v4.new_output("stream", text="1\n")]
        for number, cell in enumerate(cells):
            cell["id"] = f"cell-{number}"
        nbformat.write(nbformat.v4.new_notebook(cells=cells), place / "executed.ipynb")


def write_json(path: Path, content: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")
