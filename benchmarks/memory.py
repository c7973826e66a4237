"""Peak memory of encoding text and of pretraining on it, for a small corpus, one ten times as large, and one larger
than the machine's memory; or that of a target cell of a pretrained encoder. A fresh process measures each number.
README.md says what is measured."""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import places

LANGUAGES = ("en", "xa")
SOURCE_LINES = 20_000  # of the microworld whose lines are repeated
BYTES = 30_000_000  # of text in the smaller corpus
LINES = 10_000  # written at a time
LENGTH, BATCH, STEPS = 64, 64, 30
EXPONENT, MASK_RATE = 0.3, 0.15
MEMORY = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
BEYOND = 1.2  # of the machine's memory: the corpus that does not fit


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, required=True, help="where the results go")
    parser.add_argument("--quick", action="store_true", help="a twentieth of the text, to see that everything works")
    parser.add_argument("--encoder", metavar="FOLDER", help="a target cell of this encoder instead of all else")
    parser.add_argument("--data", metavar="FOLDER", default="../shared/mirror", help="a mirror of the hub, for that")
    parser.add_argument("--stage", nargs="+", help=argparse.SUPPRESS)  # how this script calls itself
    arguments = parser.parse_args()
    if arguments.stage:
        name, *values = arguments.stage
        arguments.json.write_text(json.dumps(_measured(STAGES[name], values)))
        return
    if arguments.encoder:
        usage = _stage("target_cell", *(str(Path(place).resolve()) for place in (arguments.encoder, arguments.data)))
        arguments.json.write_text(json.dumps(usage, indent=1))
        print(f"a target cell: peak of {usage['peak_bytes'] / 1e9:.2f} GB, {usage['seconds']:.0f} seconds")
        return
    size = BYTES // 20 if arguments.quick else BYTES
    began = time.perf_counter()
    world = _stage("write_world")["gives"]
    results = {"memory_bytes": MEMORY, "pretraining_tokens": STEPS * BATCH * LENGTH, "corpora": {}}
    for name, times in (("1x", 1), ("10x", 10)):
        folder = str(places.FOLDER / f"corpus-{name}")
        row = {"text_bytes": _stage("write_corpus", world, folder, size * times)["gives"]}
        for stage in ("train_vocabulary", "encode", "pretrain"):
            row[stage] = _stage(stage, folder)
        results["corpora"][name] = row
    small, large = results["corpora"].values()
    beyond = {"pieces_bytes": _stage("grow", str(places.FOLDER / "corpus-1x"))["gives"]}
    beyond["pretrain"] = _stage("pretrain", str(places.FOLDER / "corpus-1x"))
    results["corpora"]["beyond memory"] = beyond
    for stage in ("train_vocabulary", "encode", "pretrain"):
        for kind in ("peak", "anonymous"):
            results[f"{stage}_{kind}_ratio"] = large[stage][f"{kind}_bytes"] / small[stage][f"{kind}_bytes"]
    for kind in ("peak", "anonymous"):
        before, after = (corpus["pretrain"][f"{kind}_bytes"] for corpus in (small, beyond))
        results[f"beyond_memory_{kind}_ratio"] = after / before
    results["seconds"] = time.perf_counter() - began
    arguments.json.write_text(json.dumps(results, indent=1))
    show(results)


def show(results: dict) -> None:
    """Print the results as a table."""
    print(f"{'corpus':<14} {'stage':<17} {'peak, MB':>9} {'of it not mapped from files, MB':>32} {'seconds':>8}")
    for name, row in results["corpora"].items():
        for stage, usage in row.items():
            if isinstance(usage, dict):
                peak, anonymous = usage["peak_bytes"] / 1e6, usage["anonymous_bytes"] / 1e6
                print(f"{name:<14} {stage:<17} {peak:>9,.0f} {anonymous:>32,.0f} {usage['seconds']:>8.1f}")


def write_world() -> str:
    """A small microworld; gives its folder."""
    from xlt_utils.data import loading

    settings = {"seed": 0, "sentences": SOURCE_LINES, "bilingual": 0.1, "languages": list(LANGUAGES)}
    return str(Path(loading.locate("microworld", settings)).resolve())


def write_corpus(world: str, folder: str, size: str) -> int:
    """A copy of a microworld whose text is repeated, each time with other words changed, until it holds `size` bytes;
    gives the bytes that it holds. Written in chunks."""
    import pyarrow
    from pyarrow import parquet

    shutil.copytree(world, folder)
    written = 0
    for language in LANGUAGES:
        file = Path("text/multilingual") / language / "train.parquet"
        lines = parquet.read_table(Path(world) / file)["text"].to_pylist()
        words = sorted({word for line in lines for word in line.split()})
        share, number, chunk = int(size) // len(LANGUAGES), 0, []
        schema = parquet.read_schema(Path(world) / file)
        with parquet.ParquetWriter(Path(folder) / file, schema) as writer:
            while share > 0 or chunk:
                if share <= 0 or len(chunk) == LINES:
                    writer.write_table(pyarrow.table({"text": chunk}, schema=schema))
                    chunk = []
                    continue
                again, place = divmod(number, len(lines))
                line = lines[place].split()
                line[again % len(line)] = words[(number * 31 + again) % len(words)]
                chunk.append(" ".join(line))
                number += 1
                written += len(chunk[-1].encode())
                share -= len(chunk[-1].encode())
    return written


def train_vocabulary(folder: str) -> int:
    """The vocabulary of a corpus, from a sample of its lines; gives its number of tokens."""
    return len(_tokenizer(folder))


def encode(folder: str) -> int:
    """The text of a corpus as tokens on disk; gives their number."""
    return sum(_text(folder).tokens_available().values())


def pretrain(folder: str) -> float:
    """A fixed number of steps on an encoded corpus; gives the last loss."""
    from xlt_utils.training import encoders, loop, objectives
    from xlt_utils.training.schedules import ladder_schedule

    text = _text(folder)
    shape = {"layers": 2, "width": 128, "heads": 2, "vocabulary": len(text.tokenizer), "length": LENGTH}
    objective = objectives.MaskedLM(encoders.create_encoder(encoders.make_config("modernbert", **shape), seed=0))
    state = places.FOLDER / f"state-{time.time_ns()}"
    batches = text.batches(0, STEPS, BATCH, MASK_RATE)
    return loop.train(objective, batches, ladder_schedule(1e-3, 5, STEPS, 0.2), seed=0, state=state)[-1]["loss"]


def grow(folder: str) -> int:
    """Make the encoded text of a corpus larger than the machine's memory, in place; gives its bytes.

    The files are sparse: only the sequences that `pretrain` draws from them are written, with real tokens, so that it
    reads what a file full of text would give it, from places all over the file."""
    import numpy as np

    text, total = _text(folder), 0
    for rows in text.sequences:
        size = int(MEMORY * BEYOND / len(LANGUAGES))
        os.truncate(rows.filename, size - size % 4)
        total += size
    real_rows = [np.array(rows[:1000]) for rows in text.sequences]
    text = _text(folder)
    drawn = [_Recorded(rows) for rows in text.sequences]
    text.sequences = drawn
    at = text.batches(0, STEPS, BATCH, MASK_RATE)
    for step in range(STEPS):
        at(step)
    for record, contents in zip(drawn, real_rows, strict=True):
        file = np.memmap(record.rows.filename, dtype=np.int32, mode="r+")
        writable = file[: len(file) // (LENGTH - 1) * (LENGTH - 1)].reshape(-1, LENGTH - 1)
        for number, row in enumerate(sorted(record.drawn)):
            writable[row] = contents[number % len(contents)]
    return total


def target_cell(encoder: str, data: str) -> list[str]:
    """A target cell of params/real-pretrained.yaml, its tasks one after another; gives their names."""
    import torch

    from xlt_utils import paths
    from xlt_utils.evaluation import fine_tuning
    from xlt_utils.reporting.figures import by_language, runs  # noqa: F401  # which the notebook holds too
    from xlt_utils.study import cells, study_file

    torch.set_num_threads(1)
    study = study_file.load_study(paths.ROOT / "params" / "real-pretrained.yaml")
    grid = cells.expand_study(study, data, "")
    settings = next(cell.parameters for cell in grid if cell.phase == "target")
    tasks, given = settings["tasks"], settings["settings"]
    configs = {name: fine_tuning.FineTuneConfig.from_parameters(settings, given.get(name)) for name in tasks}
    languages = {name: settings["task_languages"].get(name, settings["languages"]) for name in tasks}
    fine_tuning.fine_tune_all(configs, Path(encoder), data, languages, places.FOLDER / "target")
    return tasks


STAGES = {
    stage.__name__: stage
    for stage in (write_world, write_corpus, train_vocabulary, encode, pretrain, grow, target_cell)
}


class _Recorded:
    """Sequences that remember which of them were read."""

    def __init__(self, rows):
        self.rows, self.drawn = rows, set()

    def __getitem__(self, row: int):
        self.drawn.add(int(row))
        return self.rows[row]


def _tokenizer(folder: str):
    from xlt_utils.training import tokenization

    return tokenization.study_vocabulary(folder, LANGUAGES, size=4096, sample_lines=10_000, exponent=EXPONENT).tokenizer


def _text(folder: str):
    from xlt_utils.training.corpus import Corpus

    return Corpus(folder, LANGUAGES, _tokenizer(folder), LENGTH, EXPONENT)


def _stage(name: str, *values) -> dict:
    """Run a stage in a fresh process; gives its result, memory and seconds. This process stays small, since a process
    begins with its parent's peak."""
    print(f"{name} {' '.join(Path(str(value)).name for value in values)}", flush=True)
    answer = places.FOLDER / "answer.json"
    command = [sys.executable, __file__, "--json", str(answer), "--stage", name, *map(str, values)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return json.loads(answer.read_text())


def _measured(stage, values: list[str]) -> dict:
    anonymous, done = [0], threading.Event()

    def watch() -> None:
        while not done.wait(0.01):
            anonymous[0] = max(anonymous[0], _status("RssAnon"))

    watcher = threading.Thread(target=watch)
    watcher.start()
    began = time.perf_counter()
    try:
        gives = stage(*values)
    finally:
        done.set()
        watcher.join()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    seconds = time.perf_counter() - began
    return {"gives": gives, "peak_bytes": peak, "anonymous_bytes": anonymous[0], "seconds": seconds}


def _status(name: str) -> int:
    """A line of this process's own status, in bytes (Linux)."""
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith(name))


if __name__ == "__main__":
    main()
