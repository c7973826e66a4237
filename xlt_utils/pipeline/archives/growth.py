"""A study that grows: which of its cells lie in an archive and so need no run, and which done cells are trained again
because their weights are needed and gone. A study's cells and archives go in; run folders with the archived records,
and what there is to say about them, come out."""

import os
import shutil
from collections.abc import Container, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from xlt_utils import paths
from xlt_utils.formatting import count_of, duration, join_words
from xlt_utils.pipeline.archives.archive import ARCHIVE, Archive, ArchiveFault
from xlt_utils.pipeline.cell import locks
from xlt_utils.pipeline.cell.inputs import weights_read
from xlt_utils.records.agreement import disagreement_text
from xlt_utils.records.record import is_done, read_record
from xlt_utils.study.cells import Cell, write_params
from xlt_utils.study.schema import Study

ASIDE = "record.before.json"  # the record of a cell that is trained again, until the new one is there
MOST_NAMED = 3


@dataclass(frozen=True)
class Archived:
    """A cell that lies in an archive, and the seconds that it took there."""

    file: Path
    seconds: float


@contextmanager
def alone(study: str) -> Iterator[None]:
    """A context in which no other command changes the study's runs. Raises BlockingIOError while one does."""
    folder = paths.RUNS / study
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / ".lock", "ab") as lock:
        locks.lock(lock, waits=False)
        yield


def find_archived(study: Study, grid: Iterable[Cell], places: Sequence[str | Path] = ()) -> dict[str, Archived]:
    """The cells that are not done below the runs and lie in an archive, by run folder.

    Args:
        study: the study; the archive in its report's folder is always searched.
        grid: its cells.
        places: more archives, or folders of published reports.

    Raises:
        Fault: an archive cannot be used, or a record that is wanted is damaged.
    """
    archived = {}
    for archive, cells in _search(study, grid, places):
        for name, cell in cells.items():
            archived[cell.folder] = Archived(archive.path, archive.record(name).seconds.get("work", 0.0))
    return archived


def take_archived(study: Study, grid: Iterable[Cell], places: Sequence[str | Path] = ()) -> list[str]:
    """Unpack the cells of `find_archived` into their run folders, and say so, a line an archive. Only `alone`."""
    lines = []
    for archive, cells in _search(study, grid, places):
        archive.unpack({name: paths.resolve(cell.folder) for name, cell in cells.items()}, paths.RUNS / study.name)
        for cell in cells.values():
            write_params(cell)
        lines.append(_done_line(len(cells), archive.path))
    return lines


def _search(
    study: Study, grid: Iterable[Cell], places: Sequence[str | Path]
) -> Iterator[tuple[Archive, dict[str, Cell]]]:
    """Each archive that holds cells which no archive before it does and which are not done, with these by their names
    in it."""
    missing = {(cell.phase, cell.hash): cell for cell in grid if not is_done(cell.folder, cell.hash)}
    for place in _archives(study, places):
        with Archive(place) as archive:
            cells = {}
            for name in archive.cells:
                cell = missing.get((name.split("/")[0], name[-8:]))
                if cell is None or (record := archive.record(name)).origin:  # that differ in more than a seed
                    continue
                if record.study != study.name:
                    raise ArchiveFault(f"{archive.path}: records of the study {record.study!r}, not of {study.name!r}")
                cells[name] = cell
                del missing[cell.phase, cell.hash]
            if cells:
                yield archive, cells


def _archives(study: Study, places: Sequence[str | Path]) -> list[str | Path]:
    own = paths.REPORTS / study.name / ARCHIVE
    return [*dict.fromkeys([*([own] if own.exists() else []), *places])]


def left_out(study: Study, grid: Iterable[Cell]) -> tuple[Path, list[str]]:
    """The archive in the report's folder, and the cells in it that are none of the study's."""
    file = paths.REPORTS / study.name / ARCHIVE
    if not file.exists():
        return file, []
    wanted = {(cell.phase, cell.hash) for cell in grid}
    with Archive(file) as archive:
        return file, [name for name in archive.cells if (name.split("/")[0], name[-8:]) not in wanted]


def outdated_lines(
    study: Study, grid: Sequence[Cell], places: Sequence[str | Path] = (), archived: Container[str] = ()
) -> list[str]:
    """How many missing cells lie in an archive under another hash, so that they run again, and what made it another: a
    line an archive. `archived` are the folders that `find_archived` found; the rest as there."""
    missing = [cell for cell in grid if cell.folder not in archived and not is_done(cell.folder, cell.hash)]
    wanted = {f"{cell.phase}/{cell.slug}": cell for cell in missing}
    lines = []
    for file in _archives(study, places):
        with Archive(file) as archive:
            outdated = {name: wanted[name[:-9]] for name in archive.cells if name[:-9] in wanted}
            # one cell a phase says it for all
            records = {cell.phase: (archive.record(name), cell) for name, cell in outdated.items()}
            others = {
                what
                for record, cell in records.values()
                for what, old in (("code", record.code), ("data", record.data), ("checkpoint", record.checkpoint))
                if cell.covers[what] != old
            }
        if outdated:
            reason = join_words(sorted(others)) or "parameters"
            number = count_of(len(outdated), "missing cell")
            lines.append(f"{number} in the archive {paths.relative(file)} with other {reason}: not counted as done")
    return lines


def trained_again(grid: Sequence[Cell], archived: Iterable[str] = ()) -> list[Cell]:
    """The done cells that a cell which is not done, or another of these, goes on from, and whose weights are gone.

    Args:
        grid: cells, with all that they read, inputs before the cells that read them.
        archived: the folders of those that count as done because an archive holds them.
    """
    archived = set(archived)
    done = {cell.folder for cell in grid if cell.folder in archived or is_done(cell.folder, cell.hash)}
    again: dict[str, Cell] = {}
    for cell in reversed(grid):
        if cell.folder not in done or cell.folder in again:
            needed = [
                source
                for source in cell.inputs
                if source.folder in done and not weights_read(source.folder, cell.parameters).is_dir()
            ]
            again |= {source.folder: source for source in needed}
    return [cell for cell in grid if cell.folder in again]


def growth_lines(grid: Sequence[Cell], archived: dict[str, Archived]) -> list[str]:
    """What `xlt plan` and `xlt status` say of the cells of `find_archived` and `trained_again`."""
    files = [entry.file for entry in archived.values()]
    lines = [_done_line(files.count(file), file) for file in dict.fromkeys(files)]
    again = trained_again(grid, archived)
    return [*lines, *([again_line(again, archived)] if again else [])]


def _done_line(cells: int, file: Path) -> str:
    return f"{count_of(cells, 'cell')} done from the archive {paths.relative(file)}"


def again_line(again: Sequence[Cell], archived: dict[str, Archived] | None = None) -> str:
    """Which cells are trained again, and what that cost the first time."""
    archived = archived or {}
    seconds = [
        archived[cell.folder].seconds if cell.folder in archived else read_record(cell.folder).seconds.get("work", 0.0)
        for cell in again
    ]
    names = join_words(f"{cell.phase} {cell.slug}" for cell in again[:MOST_NAMED])
    more = f" and {len(again) - MOST_NAMED} more" if len(again) > MOST_NAMED else ""
    return (
        f"{count_of(len(again), 'cell')} of these trained again, because their weights are needed and gone: "
        f"{names}{more}; the first time they took {duration(sum(seconds))} of work"
    )


def set_aside(again: Iterable[Cell]) -> None:
    """Lay the records of cells that are trained again aside. Only `alone`."""
    for cell in again:
        folder = paths.resolve(cell.folder)
        os.replace(folder / "record.json", folder / ASIDE)


def settle(grid: Iterable[Cell], is_over: bool = True) -> list[str]:
    """Compare the records of cells that were trained again with those laid aside, and say where they disagree, a line
    a cell. Only `alone`.

    Args:
        grid: the cells.
        is_over: whether no run goes on: then a record whose cell was not trained to the end is put back.
    """
    lines = []
    for cell in grid:
        folder = paths.resolve(cell.folder)
        if not (folder / ASIDE).exists():
            continue
        if is_done(cell.folder, cell.hash):
            before = read_record(folder, ASIDE)
            if text := disagreement_text(before, read_record(folder)):
                lines.append(
                    f"warning: {cell.phase} {cell.name} was trained again and differs from its earlier record, on "
                    f"which done cells may rest (before and now): {text}"
                )
            (folder / ASIDE).unlink()
        elif is_over:
            shutil.rmtree(folder / "state" / "encoder", ignore_errors=True)  # perhaps half of one
            os.replace(folder / ASIDE, folder / "record.json")
    return lines
