"""Archives: the records of a study's cells, and the times of their attempts, in one zip file. Records go in and come
out to the byte; the same records give the same bytes. What comes from elsewhere is checked before a file is written:
what an archive may hold, how much of it, and every record against its sha256."""

import json
import os
import re
import shutil
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from xlt_utils import paths
from xlt_utils.errors import Fault
from xlt_utils.files import attempt_files
from xlt_utils.records.record import Record, parse_record, sealed
from xlt_utils.records.run_hash import PROVENANCE

ARCHIVE = "records.zip"
STUDY_FILES = ("plan.json", "run.json", PROVENANCE)
MEMBER = re.compile(r"((?:pretrain|intermediate|target)/[^/\\\0]+)/(?:record\.json|attempts/[0-9]+/attempt\.json)")
ENTRY_TIME = (1980, 1, 1, 0, 0, 0)  # one for all, so that the same records give the same bytes; the first zip allows
# What no study's records come near: files and bytes in an archive, and, from 64 MiB, bytes unpacked to a byte packed.
MOST_FILES, MOST_BYTES, MOST_RATIO, SMALL_BYTES = 200_000, 4 * 2**30, 200, 64 * 2**20


class ArchiveFault(Fault):
    """An archive that is missing, damaged, or holds what no archive of records holds."""


class Archive:
    """An archive that was opened and whose list of files was checked; `cells` are its cells, as `target/s0-p0-...`.

    Args:
        place: the file, or the folder of a published report that holds one.

    Raises:
        ArchiveFault: it is missing, is no zip file or half of one, or lists what it may not hold.
    """

    def __init__(self, place: str | Path):
        folder = Path(place).absolute()
        self.path = folder / ARCHIVE if folder.is_dir() else folder
        try:
            self._packed = zipfile.ZipFile(self.path)
        except FileNotFoundError:
            where = f"{folder}: no {ARCHIVE} in this folder" if folder.is_dir() else f"{folder}: no such file"
            raise ArchiveFault(f"{where}; `xlt publish STUDY` writes one") from None
        except (OSError, zipfile.BadZipFile) as error:
            raise ArchiveFault(f"{self.path}: {error}; no archive, or half of one: copy it anew") from None
        try:
            self._check_list()
        except ArchiveFault:
            self.close()
            raise
        self.files = self._packed.namelist()
        self.cells = sorted({match[1] for name in self.files if (match := MEMBER.fullmatch(name))})
        if not self.cells:
            self.close()
            raise ArchiveFault(f"{self.path}: no records in it; `xlt publish STUDY` writes it anew")

    def _check_list(self) -> None:
        entries = self._packed.infolist()
        unpacked, packed = sum(entry.file_size for entry in entries), self.path.stat().st_size
        if len(entries) > MOST_FILES or unpacked > max(SMALL_BYTES, min(MOST_BYTES, MOST_RATIO * packed)):
            raise ArchiveFault(
                f"{self.path}: {len(entries):,} files that unpack from {packed:,} to {unpacked:,} bytes; an archive "
                f"has at most {MOST_FILES:,} files and {MOST_BYTES:,} bytes, no more than {MOST_RATIO} to a byte packed"
            )
        names: set[str] = set()
        for entry in entries:
            cell = MEMBER.fullmatch(entry.filename)
            if (cell is None or ".." in entry.filename.split("/")) and entry.filename not in STUDY_FILES:
                raise ArchiveFault(
                    f"{self.path}: holds {entry.filename!r}; an archive holds PHASE/CELL/record.json, "
                    f"PHASE/CELL/attempts/NN/attempt.json, {', '.join(STUDY_FILES)} and nothing else"
                )
            if entry.filename in names or stat.S_ISLNK(entry.external_attr >> 16):
                kind = "twice" if entry.filename in names else "as a link"
                raise ArchiveFault(f"{self.path}: holds {entry.filename!r} {kind}; an archive holds files, each once")
            names.add(entry.filename)

    def __enter__(self) -> "Archive":
        return self

    def __exit__(self, *error: Any) -> None:
        self.close()

    def close(self) -> None:
        self._packed.close()

    def read(self, name: str) -> bytes:
        """The bytes of one of `files`.

        Raises:
            ArchiveFault: they are not those that were packed.
        """
        try:
            return self._packed.read(name)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError) as error:
            raise ArchiveFault(f"{self.path}: {name}: {error}; cut off or damaged: copy it anew") from None

    def record(self, cell: str) -> Record:
        """The record of one of `cells`.

        Raises:
            ArchiveFault: it has none, or it is another cell's.
            RecordFault: it is cut off, or of another shape.
            DamagedRecord: its content is not that of its sha256.
        """
        name = f"{cell}/record.json"
        if name not in self._packed.NameToInfo:
            raise ArchiveFault(f"{self.path}: {cell} has attempts and no record")
        record = parse_record(self.read(name), f"{self.path}, {name}")
        if (record.phase, record.hash) != (cell.split("/")[0], cell[-8:]):
            raise ArchiveFault(f"{self.path}: {name} is the record of a {record.phase} cell of hash {record.hash}")
        return record

    def records(self) -> Iterator[tuple[str, Record]]:
        """All cells with their records."""
        return ((cell, self.record(cell)) for cell in self.cells)

    def unpack(self, folders: Mapping[str, Path], runs: Path) -> None:
        """Write the files of some cells, all or none of them, into their run folders; attempts that are there stay.

        Args:
            folders: the run folders by cell.
            runs: the folder that they are in.

        Raises:
            Fault: a file is damaged; nothing was written.
        """
        runs.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=runs, prefix=".unpacking-") as temporary:
            moves: list[tuple[Path, Path]] = []
            for name in self.files:
                match = MEMBER.fullmatch(name)
                if match and match[1] in folders:
                    if name.endswith("/record.json"):
                        self.record(match[1])
                    unpacked = Path(temporary, f"{len(moves)}")
                    unpacked.write_bytes(self.read(name))
                    moves.append((unpacked, folders[match[1]] / name.removeprefix(f"{match[1]}/")))
            for unpacked, file in sorted(moves, key=lambda move: move[1].name == "record.json"):  # the proof comes last
                file.parent.mkdir(parents=True, exist_ok=True)
                if file.name == "record.json" or not file.exists():
                    os.replace(unpacked, file)


def unpack_all(place: str | Path, runs: Path) -> list[Path]:
    """Unpack a whole archive into a folder that it then has for itself, and return the run folders.

    Args:
        place: the file, or the folder of a published report.
        runs: the folder; what was there is removed.

    Raises:
        Fault: the archive cannot be used; nothing was written.
    """
    with Archive(place) as archive:
        contents = {name: archive.read(name) for name in archive.files if name in STUDY_FILES}
        shutil.rmtree(runs, ignore_errors=True)
        archive.unpack({cell: runs / cell for cell in archive.cells}, runs)
    for name, content in contents.items():
        (runs / name).write_bytes(content)
    return [runs / cell for cell in archive.cells]


def pack_records(runs: Path, folders: list[Path], file: Path) -> None:
    """Write the records of a study into one archive.

    Args:
        runs: the folder of the study's runs, with its STUDY_FILES.
        folders: the run folders of its cells, below `runs`.
        file: the archive.
    """
    # neither weights nor predictions nor outputs
    files = [file for folder in folders for file in (folder / "record.json", *attempt_files(folder, "attempt.json"))]
    files += [runs / name for name in STUDY_FILES if (runs / name).exists()]
    texts = {path.relative_to(runs).as_posix(): path for path in files}
    write_archive(file, ((name, _portable(texts[name].read_text(encoding="utf-8"))) for name in sorted(texts)))


def write_archive(file: Path, contents: Iterable[tuple[str, str | bytes]]) -> None:
    """Write an archive whole or not at all.

    Args:
        file: the archive.
        contents: names of files and what they hold, sorted by name.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_name(f".{file.name}")
    try:
        with zipfile.ZipFile(unfinished, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as packed:
            for name, content in contents:
                entry = zipfile.ZipInfo(name, ENTRY_TIME)
                entry.compress_type = zipfile.ZIP_DEFLATED
                packed.writestr(entry, content)
        os.replace(unfinished, file)
    finally:
        unfinished.unlink(missing_ok=True)


def record_text(content: dict[str, Any]) -> str:
    """A record as its file holds it, sealed."""
    return json.dumps(sealed(content), ensure_ascii=False, indent=1) + "\n"


def _portable(text: str) -> str:
    """A record's text with the absolute paths among its parameters made relative to the project, wherever they stand in
    the text: another machine has the project elsewhere."""
    content = json.loads(text)
    parameters = content.get("parameters", {}).values()
    absolute = {value for value in parameters if isinstance(value, str) and os.path.isabs(value)}
    for path in sorted(absolute, key=len, reverse=True):
        text = text.replace(path, os.path.relpath(path, paths.ROOT))
    return record_text(json.loads(text)) if absolute and "sha256" in content else text
