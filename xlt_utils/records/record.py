"""Records: the proof that a run is done, and what it measured. A notebook's last cell writes one `record.json` in its
run folder, atomically; everything after it (later notebooks, the report, the status) reads records and nothing else."""

import datetime
import functools
import hashlib
import json
import platform
import re
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from xlt_utils import paths
from xlt_utils.errors import Fault
from xlt_utils.files import json_plain, sha256_of_file, write_json
from xlt_utils.records import run_hash

if TYPE_CHECKING:
    import pandas

PROCESSOR_NUMBERS = {"family": "cpu family", "model": "model", "stepping": "stepping"}  # by their names in cpuinfo
# What a record calls things is used in paths and on the page, and records come from other people's archives too.
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_+-]*$")]
FolderName = Annotated[str, Field(pattern=r"^[^/\\\x00-\x1f.][^/\\\x00-\x1f]*$")]
LeftFile = Annotated[
    str, Field(pattern=r"^(predictions\.parquet|state/encoder(/\.?[^/\\\x00-\x1f.][^/\\\x00-\x1f]*)+)$")
]
LEFT_TO_OTHERS = ("state/encoder/**/*", "predictions.parquet")
RECORDED_PACKAGES = ("torch", "transformers", "tokenizers", "datasets", "numpy", "safetensors")


class RecordFault(Fault):
    """A record that is missing, cut off or of another shape; the message names the file."""


class DamagedRecord(Fault):
    """A record whose content is not what was written: it is never taken for one that is merely missing."""


class Row(BaseModel):
    """A part of a record: a field that it does not have is refused."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class Coordinates(Row):
    """Where a run stands on the grid; `arm` is None and `examples` 0 before the intermediate phase. Runs that differ in
    `replicate` alone repeat the fine-tuning on the targets."""

    seed: int
    tokens: int = Field(ge=0)
    arm: Name | None = None
    examples: int = Field(default=0, ge=0)
    replicate: int = Field(default=0, ge=0)


class Cost(Row):
    """What this run itself spent, its inputs not counted; `flops` as training/costs.py counts them."""

    tokens: int = 0
    examples: int = 0
    steps: int = 0
    flops: float = 0.0


class CurvePoint(Row):
    """One point of a learning curve; `loss` is None where it was not a finite number."""

    name: str
    step: int
    loss: float | None
    learning_rate: float | None = None


class Result(Row):
    """One score, 0..1, over `n` test examples; `zero` is the score of whoever knows nothing about these examples, the
    better of chance and their majority class (None: records of schema 2 do not hold it); `main` marks the metric that
    is the task's score, `perturbation` says what was done to the test's text (`typos 10%`), if anything. `items` is the
    score item by item (items.py), of main scores on clean text alone."""

    task: Name
    language: Name
    metric: str
    value: float = Field(ge=0, le=1)
    zero: float | None = None
    n: int = Field(ge=0)
    main: bool = True
    perturbation: str = ""
    items: str | None = None


class InputRun(Row):
    """A run that this one read."""

    folder: str
    hash: str


class Record(Row):
    """What one run did and measured. Fields with a default may be missing in older records; a field that changes its
    meaning raises `schema`.

    Attributes:
        code, data, checkpoint: The sha256 of what the hash covers besides the parameters: code, data, and the folder of
            a checkpoint to start from.
        commits: Of what the run read from the hub, by id.
        origin: The archive that the record comes from, where a merge kept several apart.
        machine: The processor.
        files: The sha256 of what the run leaves to others beside its record, by its path in the run folder: its
            encoder's files, its predictions.
        sha256: Of all other fields.
    """

    version: int = Field(default=run_hash.SCHEMA, alias="schema", ge=run_hash.OLDEST_SCHEMA, le=run_hash.SCHEMA)
    study: Name
    phase: Name
    cell: FolderName
    hash: Name
    parameters: dict[str, Any]
    inputs: list[InputRun] = []
    coordinates: Coordinates | None = None
    code: str | None = None
    data: str | None = None
    checkpoint: str | None = None
    commits: dict[str, str] | None = None
    origin: str | None = None
    versions: dict[str, str]
    machine: str | None = None
    device: str
    precision: str | None = None
    threads: int | None = None
    started: str
    seconds: dict[str, float]
    cost: Cost = Cost()
    curves: list[CurvePoint] = []
    results: list[Result] = []
    facts: dict[str, Any] = {}
    files: dict[LeftFile, str] = {}
    sha256: str | None = None


def write_record(
    out: str | Path,
    phase: str,
    parameters: dict[str, Any],
    inputs: Sequence[str | Path | None] = (),
    coordinates: Coordinates | dict[str, Any] | None = None,
    cost: dict[str, Any] | None = None,
    curves: Iterable[dict[str, Any]] = (),
    results: Iterable[dict[str, Any]] = (),
    facts: dict[str, Any] | None = None,
    started: float | None = None,
    device: str = "cpu",
    precision: str | None = None,
) -> Path:
    """Write a run's record, the last thing that a notebook does, and return its path.

    The arguments are the fields of `Record` that only the notebook knows; the others follow from them. The hash is
    that of params.json, where `xlt` wrote one for these parameters; by hand it is computed in the same way.

    Args:
        out: the run folder.
        phase: one of paths.PHASES.
        parameters: all of the notebook's.
        inputs: the run folders that were read; None is passed over.
        coordinates: where the run stands on the grid.
        cost: the fields of `Cost`.
        curves: rows of `CurvePoint`.
        results: rows of `Result`.
        facts: whatever else is worth a note, as JSON.
        started: `time.time()` at the notebook's beginning.
        device: the device's name; with `precision`, what `hardware.describe()` returns.
        precision: of the matrix products, `bf16` or `fp32`.

    Raises:
        ValidationError: a row has another shape than this module's models; nothing is written.
    """
    folder = paths.resolve(out)
    input_runs = [{"folder": paths.relative(name), "hash": read_record(name).hash} for name in inputs if name]
    now = time.time()
    started = now if started is None else started
    fields = {
        "study": str(parameters.get("study", "by-hand")),
        "phase": phase,
        "cell": folder.name,
        **run_hash.identity_for_record(folder, phase, parameters, [run["hash"] for run in input_runs]),
        "parameters": json.loads(json.dumps(parameters, default=json_plain)),
        "inputs": input_runs,
        "commits": run_hash.commits_read(phase, parameters) or None,
        "coordinates": coordinates,
        "versions": versions(),
        "machine": processor(),
        "device": device,
        "precision": precision,
        "threads": parameters.get("threads"),
        "started": datetime.datetime.fromtimestamp(started, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "seconds": {"work": round(now - started, 3)},
        "cost": cost or {},
        "curves": list(curves),
        "results": list(results),
        "facts": facts or {},
        "files": {
            file.relative_to(folder).as_posix(): sha256_of_file(file)
            for file in sorted(path for pattern in LEFT_TO_OTHERS for path in folder.glob(pattern) if path.is_file())
        },
    }
    # through pydantic's own JSON, which turns nan and inf into null
    text = Record.model_validate(fields).model_dump_json(by_alias=True, fallback=json_plain)
    return write_json(folder / "record.json", sealed(json.loads(text)))


def sealed(content: dict[str, Any]) -> dict[str, Any]:
    """A record's content as JSON holds it, with the sha256 of all its other fields, however they are laid out."""
    content = {name: value for name, value in content.items() if name != "sha256"}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return content | {"sha256": hashlib.sha256(text.encode()).hexdigest()}


def write_predictions(out: str | Path, rows: list[dict[str, Any]]) -> Path:
    """Write a run's `predictions.parquet` and return its path.

    Args:
        out: the run folder.
        rows: one an example: task, language, perturbation, id, gold and predicted.
    """
    import pandas

    path = paths.resolve(out) / "predictions.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    pandas.DataFrame(rows).to_parquet(path, index=False)
    return path


def read_record(folder: str | Path, name: str = "record.json") -> Record:
    """The record of a run folder, in a file of this name.

    Raises:
        RecordFault: there is none, or half of one, or one of another shape; the message names the file.
        DamagedRecord: its content is not that of its sha256.
    """
    path = paths.resolve(folder) / name
    try:
        text = path.read_bytes()
    except OSError:
        raise RecordFault(f"{path}: no record; the run is not done (see its attempts/ for a log)") from None
    return parse_record(text, path)


def parse_record(text: str | bytes, path: str | Path) -> Record:
    """The record that a text holds, which was read from `path`.

    Raises:
        RecordFault: it is cut off, or of another shape.
        DamagedRecord: its content is not that of its sha256; records of earlier versions have none.
    """
    try:
        content = json.loads(text)
        stated = content.get("sha256")
    except (AttributeError, ValueError, RecursionError) as error:  # ValueError: no JSON, or no text
        raise RecordFault(f"{path}: no valid record: the file: {error}") from None
    if stated and stated != (actual := sealed(content)["sha256"]):
        raise DamagedRecord(
            f"{path}: this record states the sha256 {stated}, and its content has {actual}: edited or damaged; "
            "delete it and run the cell again"
        )
    try:
        return Record.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise RecordFault(f"{path}: no valid record: {place}: {first['msg']}") from None


def is_done(folder: str | Path, hash: str) -> bool:
    """Whether the folder holds a whole record of the cell with this hash.

    Raises:
        DamagedRecord: a record is there that was edited: it is for its reader to decide what becomes of it.
    """
    try:
        return read_record(folder).hash == hash
    except RecordFault:
        return False


def results_table(folders: Iterable[str | Path]) -> "pandas.DataFrame":
    """All results of some runs, tidy: one row a score, with the run's place on the grid; without their items."""
    return tidy_results({Path(folder): read_record(folder) for folder in folders})


def tidy_results(records: Mapping[Path, Record]) -> "pandas.DataFrame":
    """`results_table` of records that were read, by run folder."""
    return _tidy(records, [name for name in Result.model_fields if name != "items"])


def packed_items(records: Iterable[Record]) -> dict[tuple[Any, ...], list[str]]:
    """The packed items (items.py) of the target runs' main scores, by seed, tokens, arm ("" without one), examples,
    task and language: a line for each replicate. Of records that hold none there are none."""
    lines: dict[tuple[Any, ...], list[str]] = {}
    for record in records:
        if record.phase == "target" and (place := record.coordinates):
            run = (place.seed, place.tokens, place.arm or "", place.examples)
            for result in record.results:
                if result.main and result.items:
                    lines.setdefault((*run, result.task, result.language), []).append(result.items)
    return lines


def _tidy(records: Mapping[Path, Record], names: list[str]) -> "pandas.DataFrame":
    import pandas

    columns = ["folder", "study", "phase", "cell", *Coordinates.model_fields, *names]
    rows = []
    for folder, record in records.items():
        place = record.coordinates.model_dump() if record.coordinates else {}
        run = {"folder": paths.relative(folder), "study": record.study, "phase": record.phase, "cell": record.cell}
        rows += [{**run, **place, **{name: getattr(result, name) for name in names}} for result in record.results]
    return pandas.DataFrame(rows, columns=columns)


def versions() -> dict[str, str]:
    """The versions of Python and of the packages that decide a result, of those that are installed."""
    installed = {"python": ".".join(map(str, sys.version_info[:3]))}
    for package in RECORDED_PACKAGES:
        try:
            installed[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return installed


@functools.cache
def processor() -> str:
    """The processor's name and, on Linux, its family, model and stepping: on virtual machines many share one name."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        text = ""
    facts = dict(reversed(re.findall(r"^([^\t\n]+?)\s*: (.+)$", text, flags=re.MULTILINE)))  # of the first core
    names = [f"{label} {facts[name]}" for label, name in PROCESSOR_NUMBERS.items() if name in facts]
    name = facts.get("model name") or platform.processor() or platform.machine()
    return f"{name} ({', '.join(names)})" if names else name
