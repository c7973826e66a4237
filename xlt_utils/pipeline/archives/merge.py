"""Archives of one study from several machines as one. Archives go in, one comes out: every cell once, as the first
archive has it. What is not the same study is refused by name, and what disagrees with both values."""

import functools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from xlt_utils.errors import Fault
from xlt_utils.formatting import count_of, join_words
from xlt_utils.pipeline.archives.archive import ARCHIVE, STUDY_FILES, Archive, record_text, write_archive
from xlt_utils.records.agreement import disagreement_text
from xlt_utils.records.record import Record
from xlt_utils.records.run_hash import PROVENANCE, UNHASHED_PARAMETERS

MOST_NAMED = 3
PLAN = "plan.json"
# What runs of one place of the grid may differ in: seed and replicate, where things are, and what stands in `inputs`.
OWN = ("seed", "replicate", *UNHASHED_PARAMETERS)


class MergeFault(Fault):
    """Archives that are not of one study, or that disagree on a cell; nothing is written."""


def merge_archives(out: str | Path, places: Sequence[str | Path], origins: bool = False) -> str:
    """Write the union of several archives into one, and say in a line what it holds.

    Args:
        out: the archive to write, `.zip`, or a folder that gets one.
        places: archives, or folders of published reports.
        origins: whether archives of other parameters, code or data are kept apart, as records of another origin, and
            not refused.

    Raises:
        MergeFault: they are not of one study, or disagree on a cell, or `out` is there and is none of them.
        ArchiveFault: one of them cannot be used.
    """
    file = Path(out).absolute()
    file = file if file.suffix == ".zip" else file / ARCHIVE
    archives = [Archive(place) for place in places]
    try:
        if file.exists() and file.resolve() not in [archive.path.resolve() for archive in archives]:
            raise MergeFault(f"{file}: is there already, and is none of the archives to merge; nothing was written")
        cells = [dict(archive.records()) for archive in archives]
        _refuse_other_studies(archives, cells)
        differences = _differences(archives, cells)
        if differences and not origins:
            more = f"\n  and {len(differences) - MOST_NAMED} more" if len(differences) > MOST_NAMED else ""
            shown = "\n  ".join(differences[:MOST_NAMED])
            raise MergeFault(
                "the archives differ in more than their seeds, so their runs are no repetitions of each other:\n  "
                f"{shown}{more}\n  `--origins` keeps them apart in one study, whose report tests what that does"
            )
        contents = _united(archives, cells, bool(differences))
    finally:
        for archive in archives:
            archive.close()
    write_archive(file, sorted(contents.items()))
    records = [record for of_archive in cells for record in of_archive.values()]
    seeds = sorted({record.coordinates.seed for record in records if record.coordinates})
    n = sum(name.endswith("/record.json") for name in contents)
    apart = ", kept apart by origin" if differences else ""
    return f"{file}: {count_of(n, 'cell')} of {records[0].study}, seeds {join_words(map(str, seeds))}{apart}"


def _refuse_other_studies(archives: Sequence[Archive], cells: Sequence[dict[str, Record]]) -> None:
    names = {
        record.study: archive.path for archive, own in zip(archives, cells, strict=True) for record in own.values()
    }
    if len(names) > 1:
        pairs = join_words(f"{name!r} in {path}" for name, path in names.items())
        raise MergeFault(f"archives of several studies: {pairs}")


def _differences(archives: Sequence[Archive], cells: Sequence[dict[str, Record]]) -> list[str]:
    """What runs of one place of the grid, and of one phase, differ in, with both values and files; each once."""
    stated: dict[tuple[Any, ...], tuple[Any, Path]] = {}
    differences: dict[str, None] = {}
    for archive, own in zip(archives, cells, strict=True):
        for record in own.values():
            for where, name, value in _conditions(record):
                before, path = stated.setdefault((where, name), (value, archive.path))
                if value is None and name in ("code", "data"):
                    differences[f"{where}, {name}: records in {archive.path} do not state it, so it may differ"] = None
                if before != value and path != archive.path:
                    differences[f"{where}, {name}: {before!r} in {path}, {value!r} in {archive.path}"] = None
    return list(differences)


def _conditions(record: Record) -> list[tuple[str, str, Any]]:
    """What decides a run besides its seed: where, name and value. A target cell decides the runs of each of its tasks,
    whichever they share it with."""
    place = record.coordinates
    where = record.phase
    if place is not None:
        arm = f", {place.arm} at I = {place.examples}" if place.arm else ""
        where = f"{record.phase} at P = {place.tokens}{arm}"
    parameters = {name: value for name, value in record.parameters.items() if name not in OWN}
    if record.checkpoint:
        parameters["start"] = record.checkpoint  # wherever it lies
    if record.phase == "target":
        by_task = {name: parameters.pop(name, {}) for name in ("settings", "task_languages")}
        languages = parameters.pop("languages", None)
        conditions = []
        for task in parameters.pop("tasks", []):
            own = {"languages": by_task["task_languages"].get(task, languages), **by_task["settings"].get(task, {})}
            conditions += [(f"{where} on {task}", name, value) for name, value in (parameters | own).items()]
    else:
        conditions = [(where, name, value) for name, value in parameters.items()]
    shared = [("schema", record.version), ("code", record.code)]
    return [*conditions, *((record.phase, *pair) for pair in shared), ("all cells", "data", record.data)]


def _united(archives: Sequence[Archive], cells: Sequence[dict[str, Record]], are_apart: bool) -> dict[str, Any]:
    """The files of the union by name. Raises MergeFault where two archives disagree on a cell."""
    contents: dict[str, Any] = {}
    first: dict[str, tuple[Record, Path]] = {}
    for number, (archive, own) in enumerate(zip(archives, cells, strict=True)):
        for cell, record in own.items():
            if cell in first:
                before, path = first[cell]
                if text := disagreement_text(before, record):
                    raise MergeFault(f"{cell} differs between {path} and {archive.path}: {text}; nothing was written")
                continue
            first[cell] = record, archive.path
            for name in archive.files:
                if name.startswith(f"{cell}/"):
                    contents[name] = archive.read(name)
            if are_apart:
                origin = record.origin or f"{number + 1}: {_label(archive.path)}"
                fields = record.model_copy(update={"origin": origin}).model_dump(mode="json", by_alias=True)
                contents[f"{cell}/record.json"] = record_text(fields)
    return contents | _study_files(archives, cells)


def _study_files(archives: Sequence[Archive], cells: Sequence[dict[str, Record]]) -> dict[str, str | bytes]:
    """What a union says of its study: the checkpoints' provenance as the first archive has it, and the plans of
    archives without a common cell, added up. The times of their runs are no time of one run."""
    if len(archives) == 1:
        return {name: archives[0].read(name) for name in STUDY_FILES if name in archives[0].files}
    files: dict[str, str | bytes] = {}
    if stated := [archive.read(PROVENANCE) for archive in archives if PROVENANCE in archive.files]:
        files[PROVENANCE] = stated[0]
    are_disjoint = sum(map(len, cells)) == len({cell for own in cells for cell in own})
    if are_disjoint and all(PLAN in archive.files for archive in archives):
        plans = [json.loads(archive.read(PLAN)) for archive in archives]
        files[PLAN] = json.dumps(functools.reduce(_added, plans), indent=1) + "\n"
    return files


def _added(plan: Any, other: Any) -> Any:
    """The sum of two plans: numbers add up, tables entry by entry; of texts the first stays."""
    if isinstance(plan, dict) and isinstance(other, dict):
        both = {name: _added(plan[name], other[name]) for name in plan if name in other}
        return plan | other | both
    return plan + other if isinstance(plan, (int, float)) and isinstance(other, (int, float)) else plan


def _label(path: Path) -> str:
    """What an archive is called in the report: its own name or, of `records.zip`, its folder's."""
    return path.parent.name if path.name == ARCHIVE else path.stem
