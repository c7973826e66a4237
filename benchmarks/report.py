"""Wall, CPU seconds and peak memory of rendering a report from simulated records, by papermill as the runner does it.
The study is simulated with the tests' own generator, item by item here; README.md says what is measured."""

import argparse
import json
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import places  # before xlt_utils
from scipy.special import ndtr

from xlt_utils.data.tasks import TASKS
from xlt_utils.records import items

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

# (items of a test, drawn anew for each seed; those that there are; whether they are translations of each other)
SIZES = {
    "sst": (500, 870, False),
    "xnli": (1_000, 5_010, True),
    "pawsx": (1_000, 2_000, True),
    "udpos": (500, 900, False),
    "panx": (1_000, 5_000, False),
    "xquad": (500, 1_190, True),
    "tydiqa": (500, 600, False),
    "tatoeba": (1_000, 1_000, False),
}
DEVELOPMENT = 500  # English items of each trained target and of each task of an arm
CURVE = 100  # points of a record's learning curve
LANGUAGES = ("en", "de", "fr", "es", "hi", "ru", "sw", "ur")
TOKENS, EXAMPLES = (0, 100_000, 400_000, 1_600_000), (0, 64, 256, 1024, 4096, 16384)
NAMES = ("mnli", "qqp", "squad", "hellaswag", "ccg", "anli")
ARMS = {name: {"tasks": [name]} for name in NAMES} | {"all": {"tasks": list(NAMES)}}
ARMS["shuffled"] = {"tasks": ["mnli"], "labels": "shuffled"}
SEEDS = 16  # 5,248 records, 2,624 of them with 63 tests each


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, required=True, help="where the results go")
    parser.add_argument("--quick", action="store_true", help="one seed, to see that everything works")
    arguments = parser.parse_args()
    folder = places.FOLDER / "report"
    shutil.rmtree(folder, ignore_errors=True)
    records = simulate(folder / "runs", 1 if arguments.quick else SEEDS)
    report, out = folder / "page", folder / "out"
    out.mkdir()
    parameters = {"study": "simulated", "runs": folder / "runs", "report": report, "out": out}
    command = [sys.executable, "-m", "papermill", ROOT / "notebooks" / "04_report.ipynb", out / "executed.ipynb"]
    command += [
        "--no-progress-bar",
        "--cwd",
        ROOT,
        *(part for key in parameters for part in ("-p", key, parameters[key])),
    ]
    began = time.perf_counter()
    subprocess.run(list(map(str, command)), check=True)
    page = report / "index.html"
    results = {"records": records, "wall_seconds": time.perf_counter() - began}
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    results["cpu_seconds"] = used.ru_utime + used.ru_stime
    results["peak_bytes"] = used.ru_maxrss * 1024  # of the largest process: the kernel
    results |= {"page_bytes": page.stat().st_size, "notebook_pages": len(list((report / "notebooks").iterdir()))}
    arguments.json.write_text(json.dumps(results, indent=1))
    print(json.dumps(results, indent=1))


def simulate(folder: Path, seeds: int) -> int:
    """Write a study's run folders, with executed notebooks, and return the number of records."""
    import simulated

    random = np.random.default_rng(0)

    def truth(task: str, language: str, seed: int, tokens: int, examples: int) -> float:
        return simulated.score(task, language, seed % 3, tokens, examples) + random.normal(0, 0.01)

    sizes = {"seeds": tuple(range(seeds)), "tokens": TOKENS, "examples": EXAMPLES, "languages": LANGUAGES}
    done = simulated.study(folder, tasks=tuple(SIZES), truth=truth, arms=ARMS, complete=Tests().complete, **sizes)
    return len(done)


class Tests:
    """Gives simulated records what real ones hold: tests item by item, development results, a learning curve. An item
    is as hard in every run, a translation also as hard in every language."""

    def __init__(self) -> None:
        self.random = np.random.default_rng(1)
        self.hardness: dict[tuple[str, str], np.ndarray] = {}

    def complete(self, record: dict) -> dict:
        """The record with its scores drawn item by item, and the development results of its own tasks."""
        seed, own_tasks = record["parameters"]["seed"], record["parameters"].get("tasks", [])
        results = [row | self._draw(row, *SIZES[row["task"]], seed) for row in record["results"]]
        for task in (TASKS[name] for name in own_tasks):
            if task.trains:
                row = {"task": task.name, "language": "en", "metric": f"development {task.metric}", "value": 0.7}
                results.append(row | {"main": False} | self._draw(row, DEVELOPMENT, DEVELOPMENT, False, seed))
        curve = [{"name": "loss", "step": step, "loss": float(self.random.random())} for step in range(CURVE)]
        return record | {"results": results, "curves": curve}

    def _draw(self, row: dict, size: int, available: int, is_parallel: bool, seed: int) -> dict:
        """The value, zero point and items of a score around the value that the row has."""
        task, random = TASKS[row["task"]], self.random
        place = (f"{task.name} {row['metric']}", "" if is_parallel else row["language"])
        hardness = self.hardness.setdefault(place, random.normal(size=available))
        names = np.sort(np.random.default_rng(seed).permutation(available)[:size])  # the same in all languages
        difficulty = ndtr(0.8 * hardness[names] + 0.6 * random.normal(size=size))  # uniform over items
        right, of = (difficulty < row["value"]).astype(float), None
        if task.format == "span":  # some answers overlap with the gold ones
            right += (right == 0) * (random.random(size) < 0.2) * random.integers(1, 10, size) / 10
        if task.format == "tagging":
            of = 2 * random.integers(1, 8, size)
            right = 2 * random.binomial(of // 2, np.clip(row["value"] + 0.3 * (0.5 - difficulty), 0, 1))
        value = float(right.sum() / (size if of is None else of.sum()))
        packed = items.pack([str(name) for name in names], right, of)
        return {"value": value, "zero": task.chance, "n": size, "items": packed}


if __name__ == "__main__":
    main()
