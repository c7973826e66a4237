"""Takes what a study reads from the hub: every id is resolved to a commit once, snapshots of data sets and checkpoints
and the lines of text are fetched, compared with their sha256, and written down in the lock file beside the study. A
study goes in; afterwards nothing that belongs to it needs the hub. What is here is not asked for again, so the command
is safe to stop and to repeat."""

import hashlib
import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import Path

from huggingface_hub import constants

from xlt_utils import paths
from xlt_utils.data.loading import fill_in
from xlt_utils.data.pretraining_text import lines_of
from xlt_utils.errors import Fault, did_you_mean
from xlt_utils.files import sha256_of_file
from xlt_utils.formatting import count_of
from xlt_utils.pipeline.fetching import hub
from xlt_utils.study.lock import (
    Lock,
    LockedFile,
    LockedLanguage,
    LockedText,
    Snapshot,
    lines_as_bytes,
    lock_file,
    read_lock,
    write_lock,
)
from xlt_utils.study.schema import Study, TextSource
from xlt_utils.study.wanted import MAIN, Checkpoint, WantedSet, wanted_checkpoints, wanted_sets, wanted_text

READ_OF_CHECKPOINTS = (".json", ".safetensors", ".model", ".txt")  # configuration, weights, vocabularies
Say = Callable[[str], None]


def mirror_study(
    study: Study, file: str | Path, folder: str | None = None, update: bool = False, say: Say = print
) -> Lock:
    """Take all that a study reads from the hub and is not here yet, and return its lock.

    Args:
        study: as its file has it.
        file: of the study; the lock lies beside it.
        folder: where the snapshots lie; None: where the lock says or, at first, paths.HUB.
        update: take the revisions that have moved, too; else a lock's commits stay.
        say: is told each step, a line each.

    Raises:
        HubFault: the hub does not give something; what was taken until then stays.
        OSError: the disk refuses.
    """
    taker = _Taker(lock_file(file), folder, update, say)
    for name, wanted in wanted_sets(study).items():
        taker.take_set(name, wanted)
    for checkpoint, subfolders in wanted_checkpoints(study).items():
        taker.take_checkpoint(checkpoint, subfolders)
    for source in wanted_text(study):
        taker.take_text(source, study.languages)
    return taker.lock


def moved(study: Study, lock: Lock) -> Iterator[str]:
    """A line for each id whose revision is at another commit by now than the lock's: a request each."""
    named = [("dataset", name, row.revision, row.commit) for name, row in lock.datasets.items()]
    named += [("model", key.rpartition("@")[0], row.revision, row.commit) for key, row in lock.models.items()]
    named += [("dataset", row.source["dataset"], row.source["revision"] or MAIN, row.commit) for row in lock.text]
    wanted = {
        *wanted_sets(study),
        *(one.name for one in wanted_checkpoints(study)),
        *(t.dataset for t in wanted_text(study)),
    }
    for kind, name, revision, commit in dict.fromkeys(named):
        if name in wanted and (newest := hub.describe(kind, name, revision).commit) != commit:  # type: ignore[arg-type]
            yield f"{name}: {revision} has moved from {commit[:12]} to {newest[:12]}; `--update` takes it"


class _Taker:
    """Takes one thing after another into a lock, which is written after each."""

    def __init__(self, file: Path, folder: str | None, update: bool, say: Say):
        self.file, self.update, self.say = file, update, say
        self.lock = read_lock(file) or Lock(hub=constants.ENDPOINT, folder=paths.relative(folder or paths.HUB))
        if folder:
            self.lock.folder = paths.relative(folder)
        self.folder = paths.resolve(self.lock.folder)

    def take_set(self, name: str, wanted: WantedSet) -> None:
        """Take the configs of a data set that are wanted and that it has."""
        if self.lock.has_set(name, wanted) and not self.update:
            return
        row = self.lock.datasets.get(name)
        if row and row.revision != wanted.revision:
            row = None
        found = hub.describe("dataset", name, row.commit if row and not self.update else wanted.revision)
        taken = sorted({*wanted.configs, *(row.taken if row else ())} & set(found.configs))
        if not taken:
            names = did_you_mean(next(iter(wanted.configs)), found.configs)
            raise hub.HubFault(f"{name}: at {wanted.revision} it has none of the configs that are read; {names}")
        said = {key: found.card.get(key) for key in ("configs", "dataset_info")}
        layout = hashlib.sha256(json.dumps(said, sort_keys=True, default=str).encode()).hexdigest()
        files = hub.files_of(found, taken)
        if row and row.commit != found.commit and self._is_kept(name, row, layout, found, files):
            found = hub.describe("dataset", name, row.commit)
        new = Snapshot(revision=wanted.revision, commit=found.commit, license=found.license, layout=layout)
        new.configs, new.taken = sorted(found.configs), taken
        self.lock.datasets[name] = self._take(new, row, found, files)
        write_lock(self.file, self.lock)

    def take_checkpoint(self, checkpoint: Checkpoint, subfolders: set[str]) -> None:
        """Take a checkpoint's configuration, weights and vocabulary, in the folders that are wanted."""
        if self.lock.has_checkpoint(checkpoint, subfolders) and not self.update:
            return
        (name, revision), key = (checkpoint.name, checkpoint.revision), str(checkpoint)
        row = self.lock.models.get(key)
        found = hub.describe("model", name, row.commit if row and not self.update else revision)
        taken = {*subfolders, *(row.taken if row else ())}
        folders = {file.rpartition("/")[0] for file in found.files}
        for subfolder in sorted(taken):
            if subfolder not in folders:
                raise hub.HubFault(f"{key}: no folder {subfolder!r}; {did_you_mean(subfolder, sorted(folders - {''}))}")
            if not any(file.endswith(".safetensors") and file.rpartition("/")[0] == subfolder for file in found.files):
                raise hub.HubFault(
                    f"{key}: no .safetensors there{f' in {subfolder}' if subfolder else ''}; others may run code "
                    "when they are read, so they are not; a revision such as refs/pr/1 may hold the hub's conversion"
                )
        files = [file for file in found.files if self._is_of_checkpoint(file, taken)]
        if row and row.commit != found.commit and self._is_kept(key, row, None, found, files):
            found = hub.describe("model", name, row.commit)
        new = Snapshot(revision=revision, commit=found.commit, license=found.license, taken=sorted(taken))
        self.lock.models[key] = self._take(new, row, found, files)
        write_lock(self.file, self.lock)

    @staticmethod
    def _is_of_checkpoint(file: str, subfolders: set[str]) -> bool:
        folder, _, name = file.rpartition("/")
        is_weights = name.endswith((".safetensors", ".safetensors.index.json"))
        return name.endswith(READ_OF_CHECKPOINTS) and (folder in subfolders or (folder == "" and not is_weights))

    def _is_kept(self, name: str, row: Snapshot, layout: str | None, found: hub.Repository, files: list[str]) -> bool:
        """Whether a revision that moved holds the same files, of those that are read: then the lock's commit stays."""
        is_same = row.layout == layout and {file: found.files[file].oid for file in files if file != "README.md"} == {
            file: held.oid for file, held in row.files.items() if file != "README.md"
        }
        step = f"{row.revision} has moved from {row.commit[:12]} to {found.commit[:12]}"
        ends = "but no file that is read has changed: kept" if is_same else "taken; what reads it runs again"
        self.say(f"{name}: {step}, {ends}")
        return is_same

    def _take(
        self,
        new: Snapshot,
        row: Snapshot | None,
        found: hub.Repository,
        files: list[str],
    ) -> Snapshot:
        """Fetch files and compare them with what the hub says of them; those that were compared before are not read
        again."""
        place = self.lock.snapshot_folder(f"{found.kind}s", found.name, found.commit)
        held = row.files if row and row.commit == found.commit else {}
        if any(name not in held or not (place / name).is_file() for name in files):
            size = sum(found.files[name].size for name in files)
            self.say(f"{found.name}: {count_of(len(files), 'file')}, {size / 1e6:,.1f} MB, commit {found.commit[:12]}")
            hub.take_snapshot(found, files, self.folder)
        damaged: list[Path] = []
        for name in files:
            stated, file = found.files[name], place / name
            if name in held and file.stat().st_size == held[name].size:
                continue
            if _is_as_stated(file, stated):
                held[name] = LockedFile(size=file.stat().st_size, sha256=sha256_of_file(file), oid=stated.oid)
            else:
                damaged.append(file)
        for file in damaged:
            file.resolve().unlink(missing_ok=True)  # what the link of a snapshot leads to
            file.unlink(missing_ok=True)
        if damaged:
            raise hub.HubFault(
                f"{found.name}: {count_of(len(damaged), 'file')}, such as {damaged[0].name}, did not come as the hub "
                "states them: removed; the same command fetches them again"
            )
        return new.model_copy(update={"files": {name: held[name] for name in sorted(files)}})

    def take_text(self, source: TextSource, languages: list[str]) -> None:
        """Take the first lines of each language that a source has."""
        if self.lock.has_text(source, languages) and not self.update:
            return
        row, revision = self.lock.text_of(source), source.revision or MAIN
        found = hub.describe("dataset", source.dataset, row.commit if row and not self.update else revision)
        if row is None or row.commit != found.commit:
            if row:
                self.say(f"{source.dataset}: text: moved from {row.commit[:12]} to {found.commit[:12]}, taken")
                self.lock.text.remove(row)
            row = LockedText(source=source.model_dump(), commit=found.commit, license=found.license)
            self.lock.text.append(row)
        configs = {code: fill_in(source.config, code) for code in languages}
        row.lacks = sorted({*row.lacks, *(code for code, config in configs.items() if config not in found.configs)})
        if all(code in row.lacks for code in languages):
            names = did_you_mean(configs[languages[0]], found.configs)
            raise Fault(f"text: {source.dataset} has none of the configs {source.config} of these languages; {names}")
        for code, config in configs.items():
            if code not in row.lacks and not self.lock.has_language(row, code):
                row.languages[code] = self._take_lines(found, source, config)
                write_lock(self.file, self.lock)
        write_lock(self.file, self.lock)

    def _take_lines(self, found: hub.Repository, source: TextSource, config: str) -> LockedLanguage:
        """Stream one config's lines into a parquet file."""
        import pyarrow
        from pyarrow import parquet

        how = json.dumps([source.split, source.column, source.split_lines, source.max_lines])
        name = f"{config.replace('/', '--')}-{hashlib.sha256(how.encode()).hexdigest()[:8]}.parquet"
        file = self.folder / "text" / found.name.replace("/", "--") / found.commit / name
        file.parent.mkdir(parents=True, exist_ok=True)
        half = file.with_suffix(".half")
        documents = hub.stream_documents(found, config, source.split, source.column)
        digest, count, schema = hashlib.sha256(), 0, pyarrow.schema({"text": pyarrow.string()})
        with parquet.ParquetWriter(half, schema, compression="zstd") as writer:
            rest = lines_of(documents, source.split_lines, source.max_lines)
            while lines := list(itertools.islice(rest, 10_000)):
                writer.write_table(pyarrow.table({"text": lines}, schema=schema))
                digest.update(lines_as_bytes(lines))
                count += len(lines)
        half.replace(file)
        self.say(f"{found.name}, config {config}: {count:,} lines, commit {found.commit[:12]}")
        place = file.relative_to(self.folder).as_posix()
        return LockedLanguage(config=config, file=place, lines=count, sha256=digest.hexdigest())


def _is_as_stated(file: Path, stated: hub.HubFile) -> bool:
    """Whether a file that was fetched has the content that the hub states: its sha256 or, where it is kept in git
    itself, git's own name for it."""
    if stated.sha256:
        return sha256_of_file(file) == stated.sha256
    content = file.read_bytes()
    return stated.oid in ("", hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest())
