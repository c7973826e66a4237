"""Wall seconds and peak memory of rendering a report from simulated records, by papermill as the runner does it. The
study is simulated with the tests' own generator; README.md says what is measured."""

import argparse
import json
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import places

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

TASKS = ("sst", "xnli", "pawsx", "udpos", "panx", "xquad", "tydiqa", "tatoeba")
LANGUAGES = ("en", "de", "fr", "es", "hi", "ru", "sw", "ur")
TOKENS, EXAMPLES = (0, 100_000, 400_000, 1_600_000), (0, 64, 256, 1024, 4096, 16384)
NAMES = ("mnli", "qqp", "squad", "hellaswag", "ccg", "anli")
ARMS = {name: {"tasks": [name]} for name in NAMES} | {"all": {"tasks": list(NAMES)}}
ARMS["shuffled"] = {"tasks": ["mnli"], "labels": "shuffled"}
SEEDS = 16  # 5,248 records, 2,624 of them with 64 scores each


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
    # of the largest process: the kernel
    results["peak_bytes"] = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    results |= {"page_bytes": page.stat().st_size, "notebook_pages": len(list((report / "notebooks").iterdir()))}
    arguments.json.write_text(json.dumps(results, indent=1))
    print(json.dumps(results, indent=1))


def simulate(folder: Path, seeds: int) -> int:
    """Write a study's run folders, with executed notebooks, and return the number of records."""
    import simulated

    random = np.random.default_rng(0)

    def truth(task: str, language: str, seed: int, tokens: int, examples: int) -> float:
        return simulated.score(task, language, seed % 3, tokens, examples) + random.normal(0, 0.01)

    sizes = {"seeds": tuple(range(seeds)), "tokens": TOKENS, "examples": EXAMPLES}
    done = simulated.study(folder, tasks=TASKS, languages=LANGUAGES, truth=truth, arms=ARMS, **sizes)
    return len(done)


if __name__ == "__main__":
    main()
