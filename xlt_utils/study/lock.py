"""The lock file of a study, beside its study file: at which commit each data set, text and checkpoint of the hub was
taken, with sizes, sha256 and licences. In goes a study and its lock; out comes the same study pinned, which names
folders alone, so that everything after it makes no request."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from xlt_utils import paths
from xlt_utils.data import loading, pinned_place
from xlt_utils.errors import Fault, NotMirrored
from xlt_utils.files import read_json, write_json
from xlt_utils.study.schema import Study, TextSource
from xlt_utils.study.wanted import Checkpoint, WantedSet, hub_checkpoint, wanted_checkpoints, wanted_sets, wanted_text


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid")


class LockedFile(_Row):
    """A file of a snapshot: its size in bytes, its sha256, and what the hub calls its content (`oid`)."""

    size: int
    sha256: str
    oid: str


class Snapshot(_Row):
    """A data set or a checkpoint at a commit: its licence as its card gives it, the files that were taken and what they
    are of: those of its `configs`, of a checkpoint its subfolders. `layout` is the sha256 of what a data set's card
    says of configs, columns and labels."""

    revision: str
    commit: str
    license: str | None = None
    layout: str | None = None
    configs: list[str] = []
    taken: list[str] = []
    files: dict[str, LockedFile] = {}

    def is_whole(self, folder: Path) -> bool:
        """Whether a snapshot is there with all its files, by their sizes."""
        files = {folder / name: row.size for name, row in self.files.items()}
        return bool(files) and all(file.is_file() and file.stat().st_size == size for file, size in files.items())


class LockedLanguage(_Row):
    """The text that was taken in one language: the file of its lines, their number, and the sha256 of the text."""

    config: str
    file: str
    lines: int
    sha256: str


def lines_as_bytes(lines: Sequence[str]) -> bytes:
    """Lines of text as the sha256 of a LockedLanguage counts them."""
    return "".join(f"{line}\n" for line in lines).encode()


class LockedText(_Row):
    """A source of text (`source`: its fields in the study file) at a commit; `lacks` are languages without a config."""

    source: dict[str, Any]
    commit: str
    license: str | None = None
    languages: dict[str, LockedLanguage] = {}
    lacks: list[str] = []


class Lock(_Row):
    """A lock file: the hub, the folder of its snapshots, and what was taken, checkpoints as `owner/name@revision`."""

    version: int = Field(default=1, ge=1, le=1)
    hub: str
    folder: str
    datasets: dict[str, Snapshot] = {}
    models: dict[str, Snapshot] = {}
    text: list[LockedText] = []

    def snapshot_folder(self, kind: str, name: str, commit: str) -> Path:
        """Where the hub's client keeps a snapshot; `kind` is `datasets` or `models`."""
        return paths.resolve(self.folder) / "--".join([kind, *name.split("/")]) / "snapshots" / commit

    def has_set(self, name: str, wanted: WantedSet, files: bool = True) -> bool:
        """Whether a data set was taken, with those of the wanted configs that it has, and its `files` are here."""
        row = self.datasets.get(name)
        if row is None or row.revision != wanted.revision or (wanted.configs & set(row.configs)) - set(row.taken):
            return False
        return not files or row.is_whole(self.snapshot_folder("datasets", name, row.commit))

    def has_checkpoint(self, checkpoint: Checkpoint, subfolders: set[str], files: bool = True) -> bool:
        """Whether a checkpoint was taken, in those of its subfolders that are wanted, and its `files` are here."""
        row = self.models.get(str(checkpoint))
        if row is None or subfolders - set(row.taken):
            return False
        return not files or row.is_whole(self.snapshot_folder("models", checkpoint.name, row.commit))

    def text_of(self, source: TextSource) -> LockedText | None:
        """What was taken of a source of text."""
        wanted = source.model_dump()
        return next((row for row in self.text if row.source == wanted), None)

    def has_text(self, source: TextSource, languages: list[str], files: bool = True) -> bool:
        """Whether a source's text was taken, in those of the languages that it has, and its `files` are here."""
        row = self.text_of(source)
        return row is not None and all(code in row.lacks or self.has_language(row, code, files) for code in languages)

    def has_language(self, row: LockedText, code: str, files: bool = True) -> bool:
        """Whether the text of one language was taken, and its file is here."""
        if code not in row.languages:
            return False
        return not files or (paths.resolve(self.folder) / row.languages[code].file).is_file()


def lock_file(study_file: str | Path) -> Path:
    """Where the lock of a study file is."""
    return Path(study_file).with_suffix(".lock.json")


def read_lock(file: Path) -> Lock | None:
    """The lock in a file; None where there is none.

    Raises:
        Fault: the file is no lock; the message says what mends it.
    """
    try:
        lock = Lock.model_validate(read_json(file))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error
        raise Fault(f"{file}: no lock file: {reason}; delete it, and `xlt mirror` writes it anew") from None
    if not paths.resolve(lock.folder).is_dir() and paths.HUB.is_dir():
        lock.folder = paths.relative(paths.HUB)  # the file came from another machine
    return lock


def write_lock(file: Path, lock: Lock) -> None:
    """Write a lock file, whole or not at all."""
    write_json(file, lock.model_dump())


def missing(study: Study, lock: Lock | None, files: bool = True) -> list[str]:
    """What a study reads from the hub and a lock does not have, or whose `files`, if they count, are not here."""
    sets, texts, checkpoints = wanted_sets(study), wanted_text(study), wanted_checkpoints(study)
    names = [name for name, wanted in sets.items() if lock is None or not lock.has_set(name, wanted, files)]
    names += [one.dataset for one in texts if lock is None or not lock.has_text(one, study.languages, files)]
    starts = checkpoints.items()
    names += [str(one) for one, folders in starts if lock is None or not lock.has_checkpoint(one, folders, files)]
    return list(dict.fromkeys(names))


def reads_hub(study: Study) -> bool:
    """Whether a study names anything of the hub."""
    return study.data == "hub" or bool(wanted_checkpoints(study))


def pin(study: Study, file: str | Path, files: bool = True) -> Study:
    """A study whose data and checkpoints are folders.

    Args:
        study: as its file has it.
        file: of the study.
        files: whether the snapshots are to be here; the lock alone says what was computed from them.

    Raises:
        NotMirrored: something is not here yet.
        Fault: the lock file cannot be read.
    """
    lock = read_lock(lock_file(file)) if reads_hub(study) else None
    if lacking := missing(study, lock, files):
        raise NotMirrored(
            f"not here yet: {', '.join(lacking)}; `xlt mirror {file}` takes it from the hub, `xlt run` too"
        )
    changes: dict[str, Any] = {}
    if study.data != "hub" and study.text:
        loading.locate(study.data)  # is there
    if study.data == "hub" or study.text:
        changes["data"] = pinned_place.write_place(_place(study, lock))
    pretrain: dict[str, Any] = {}
    if study.pretrain.encoder and not study.pretrain.encoder.is_scratch:
        pretrain["encoder"] = _pinned_start(study.pretrain.encoder, lock)
    if study.pretrain.checkpoints:
        pretrain["checkpoints"] = [_pinned_start(row, lock) for row in study.pretrain.checkpoints]
    if pretrain:
        changes["pretrain"] = study.pretrain.model_copy(update=pretrain)
    return study.model_copy(update=changes)


def _place(study: Study, lock: Lock | None) -> dict[str, Any]:
    """What the place of a study's data is (data/pinned_place.py)."""
    if study.data != "hub":
        text = [source.model_dump(exclude={"revision"}) for source in study.text]
        return {"folder": paths.relative(study.data), "datasets": {}, "text": text}
    assert lock  # missing() refused a study of the hub without one
    pins = {
        name: {
            "commit": row.commit,
            "snapshot": paths.relative(lock.snapshot_folder("datasets", name, row.commit)),
        }
        for name, row in sorted(lock.datasets.items())
        if name in wanted_sets(study)
    }
    text = []
    for source in wanted_text(study):
        row = lock.text_of(source)
        assert row
        languages = {
            code: {"file": paths.relative(paths.resolve(lock.folder) / part.file), "sha256": part.sha256}
            for code, part in row.languages.items()
            if code in study.languages
        }
        text.append(source.model_dump(exclude={"revision"}) | {"commit": row.commit, "languages": languages})
    return {"folder": None, "datasets": pins, "text": text}


def _pinned_start(section: Any, lock: Lock | None) -> Any:
    """The section of an encoder or a ready checkpoint that starts from a folder."""
    start, checkpoint = section.start, hub_checkpoint(section.start)
    if checkpoint and lock:
        commit = lock.models[str(checkpoint)].commit
        start = paths.relative(lock.snapshot_folder("models", checkpoint.name, commit))
    if section.subfolder:
        start = f"{start}/{section.subfolder}"
    return section.model_copy(update={"start": start, "subfolder": None})
