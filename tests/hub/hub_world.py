"""What the loopback hub holds: the small microworld's data sets under their real ids, in the forms that the hub has,
text as documents, and a tiny XLM-R of the real class with sharded safetensors. Run as a program, it executes commands
of `xlt` against that hub, each in a fork, so that their imports are paid once."""

import json
import os
import subprocess
import sys
import traceback
from pathlib import Path
from types import SimpleNamespace

import hub_server
import pyarrow
from pyarrow import parquet

from xlt_utils import paths
from xlt_utils.data import pretraining_text
from xlt_utils.data.tasks import TASKS

CONVERTED = "refs/convert/parquet"
ENCODER = "FacebookAI/xlm-roberta-base"
WIKIPEDIA = "wikimedia/wikipedia"
STUDY = """name: through-hub
data: hub
languages: [en, xa, xh]
seeds: [0]
text: {dataset: wikimedia/wikipedia, config: "20231101.{code}", split_lines: true, max_lines: 3k}
pretrain:
  encoder: {start: FacebookAI/xlm-roberta-base}
  tokens: [8192]
  warmup: 1024
intermediate:
  examples: [64]
  arms: [{name: mnli, tasks: [mnli]}]
  warmup: 0
target: {tasks: [udpos, tatoeba], examples: 64, epochs: 1, evaluation_examples: 40}
"""
NEVER_READ = {"pytorch_model.bin": b"weights that run code", "onnx/model.onnx": b"of another engine"}


def fill(hub: hub_server.Hub, world: str, encoder: Path) -> None:
    """Put the world's data sets, its text and an encoder on the hub."""
    folder = paths.resolve(world)
    rows = {s.dataset: s for task in TASKS.values() for s in (*task.train, *task.development, *task.test)}
    for name, source in rows.items():
        if source.is_on_hub and (folder / name).is_dir():
            put_set(hub, name, hub_server.folder_files(folder / name), source.revision)
    put_text(hub, world, ["en", "xa", "xh"])
    put_encoder(hub, encoder)


def put_set(hub: hub_server.Hub, name: str, files: dict[str, bytes], revision: str | None) -> None:
    """A data set as the hub has it: with a card or, where its row names the hub's conversion, as a script and that."""
    files = {path: content.replace(b"---\n", b"---\nlicense: cc-by-4.0\n", 1) if path == "README.md" else content
             for path, content in files.items()}  # fmt: skip
    repository = hub.repository("datasets", name)
    if revision is None:
        repository.commit(files)
        return
    repository.commit({f"{name.rpartition('/')[2]}.py": b"import datasets", "README.md": b"---\nlicense: mit\n---\n"})
    parts = {path.removesuffix(".parquet"): content for path, content in files.items() if path.endswith(".parquet")}
    repository.commit({f"{path}/0000.parquet": content for path, content in parts.items()}, CONVERTED)


def put_text(hub: hub_server.Hub, world: str, languages: list[str], planted: str = "", stem: str = "20231101") -> str:
    """Text as documents of ten lines, two files a language, with a sentence planted in the first; the commit."""
    files, card = {}, ["---", "license: [cc-by-sa-3.0, gfdl]", "configs:"]
    for code in languages:
        lines = [line for part in pretraining_text.read_text(world, code) for line in part][:3_000]
        documents = ["\n\n".join(lines[start : start + 10]) for start in range(0, len(lines), 10)]
        documents[0] += f"\nSomething before. {planted}" if planted else ""
        half = len(documents) // 2
        for number, part in enumerate((documents[:half], documents[half:])):
            table = pyarrow.table({"id": [str(n) for n in range(len(part))], "text": part})
            sink = pyarrow.BufferOutputStream()
            parquet.write_table(table, sink)
            files[f"{stem}.{code}/train-0000{number}-of-00002.parquet"] = sink.getvalue().to_pybytes()
        card += [f"- config_name: {stem}.{code}", "  data_files:", "  - split: train"]
        card += [f"    path: {stem}.{code}/train-*"]
    files["README.md"] = "\n".join([*card, "---", ""]).encode()
    return hub.repository("datasets", WIKIPEDIA).commit(files)


def put_card(hub: hub_server.Hub, name: str, configs: list[str], splits: list[str], revision: str) -> None:
    """A data set of which there is a card alone, with these configs, each of these splits."""
    rows = [
        {"config_name": one, "data_files": [{"split": s, "path": f"{one}/{s}-*"} for s in splits]} for one in configs
    ]
    card = f"---\n{json.dumps({'license': 'other', 'configs': rows})}\n---\n"
    hub.repositories[("datasets", name)] = hub_server.Repository()
    hub.repository("datasets", name).commit({"README.md": card.encode()}, revision)


def put_encoder(hub: hub_server.Hub, folder: Path, name: str = ENCODER, **changes: bytes) -> str:
    """An encoder, beside files that are never read; the commit."""
    readme = {"README.md": b"---\nlicense: mit\n---\n# A tiny encoder\n"}
    return hub.repository("models", name).commit(hub_server.folder_files(folder) | readme | NEVER_READ | changes)


def environment(hub_url: str, folder: Path, **changes: str) -> dict[str, str]:
    """The environment of a command whose hub is on loopback, with folders of its own and a token."""
    names = {"XLT_RUNS": "runs", "XLT_REPORT": "report", "XLT_HUB": "hub", "XLT_LOCAL": "local", "HF_HOME": "home"}
    own = {name: str(folder / below) for name, below in names.items()}
    own |= {"HF_ENDPOINT": hub_url, "HF_HUB_OFFLINE": "0", "HF_TOKEN": hub_server.TOKEN, "XLT_HUB_WAITS": "0.1,0.1"}
    own |= {"HF_HUB_ETAG_TIMEOUT": "1", "HF_HUB_DOWNLOAD_TIMEOUT": "1"}
    return os.environ | own | changes


class Commands:
    """`xlt` in a folder, against a hub: its imports are paid once, and each command is a process of its own."""

    def __init__(self, hub_url: str, folder: Path, **changes: str):
        self.folder = folder
        options = {"env": environment(hub_url, folder, **changes), "text": True, "cwd": folder}
        command = [sys.executable, __file__]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **options)

    def run(self, *words: str, token: bool = True) -> SimpleNamespace:
        """The exit `code` of a command, and what it `said` on both streams."""
        said = self.folder / "said.txt"
        print(json.dumps([[*words], token, str(said)]), file=self.process.stdin, flush=True)
        code = int(self.process.stdout.readline())
        return SimpleNamespace(code=code, said=said.read_text())

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


def serve_commands() -> None:
    """Execute the commands that come in on standard input, a line of JSON each, and answer with their exit codes."""
    import datasets  # noqa: F401
    import huggingface_hub

    from xlt_utils import cli
    from xlt_utils.pipeline.fetching import hub_check, mirror  # noqa: F401

    assert huggingface_hub.snapshot_download  # what is imported when it is first named
    for line in sys.stdin:
        words, token, said = json.loads(line)
        if (pid := os.fork()) == 0:
            with open(said, "w") as file:
                for stream in (1, 2):
                    os.dup2(file.fileno(), stream)
                if not token:
                    del os.environ["HF_TOKEN"]
                code = 1
                try:
                    code = cli.main(words)
                except BaseException:
                    traceback.print_exc()
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


def commits(study_file: Path) -> dict[str, str]:
    """The commits in a study's lock file, by id."""
    lock = json.loads(study_file.with_suffix(".lock.json").read_text())
    text = {row["source"]["dataset"]: row["commit"] for row in lock["text"]}
    return {name: row["commit"] for kind in ("datasets", "models") for name, row in lock[kind].items()} | text


if __name__ == "__main__":
    serve_commands()
