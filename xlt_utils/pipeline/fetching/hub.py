"""The hub, asked with patience. In go ids and revisions; out come what the hub says of a data set or a checkpoint, its
snapshots, and documents streamed from its files. What passes by itself (429, 5xx, cut connections, half files, slow
answers) is tried again; what does not is one sentence that says what would help. The user's token is the client's own
affair and is never read here."""

import contextlib
import fnmatch
import itertools
import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar

import httpx2
from huggingface_hub import HfApi, constants, snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import disable_progress_bars
from huggingface_hub.utils import logging as hub_logging

from xlt_utils.data.loading import CONVERTED
from xlt_utils.errors import REFUSED, Fault

Kind = Literal["dataset", "model"]
Answer = TypeVar("Answer")
# Seconds before each further attempt; the hub counts requests in windows of five minutes.
WAITS = tuple(float(text) for text in os.environ.get("XLT_HUB_WAITS", "2,10,60,300").split(","))
PASSING = (408, 425, 429, 500, 502, 503, 504)  # statuses that pass
WORDS = {429: "too many requests", 500: "an error of its own", 502: "bad gateway", 503: "unavailable", 504: "timed out"}


class HubFault(Fault):
    """What the hub does not give; the message says what, why, and what would help."""


class HubFile(NamedTuple):
    """A file of a repository: its size in bytes, what the hub calls its content, and its sha256 if the hub knows it."""

    size: int
    oid: str
    sha256: str | None


class Repository(NamedTuple):
    """What the hub says of a data set or a checkpoint at a commit; `configs` are patterns of each config's files."""

    kind: Kind
    name: str
    commit: str
    license: str | None
    files: dict[str, HubFile]
    configs: dict[str, dict[str, list[str]]]
    card: dict[str, Any]


def describe(kind: Kind, name: str, revision: str) -> Repository:
    """Ask the hub what a data set or a checkpoint holds at a revision: one request."""
    ask = HfApi().dataset_info if kind == "dataset" else HfApi().model_info
    info: Any = patiently(name, revision, lambda: ask(name, revision=revision, files_metadata=True))
    files = {}
    for file in info.siblings or ():
        sha256 = file.lfs.sha256 if file.lfs else None
        files[file.rfilename] = HubFile(file.size or 0, sha256 or file.blob_id or "", sha256)
    card = info.card_data.to_dict() if info.card_data else {}
    configs = _configs(name, revision, card, files) if kind == "dataset" else {}
    licence = card.get("license")
    licence = ", ".join(map(str, licence)) if isinstance(licence, list) else licence
    return Repository(kind, name, info.sha, licence, files, configs, card)


def _configs(
    name: str, revision: str, card: dict[str, Any], files: dict[str, HubFile]
) -> dict[str, dict[str, list[str]]]:
    """The configs of a data set by name, each as the patterns of its splits' files: those of its card, else of the
    hub's conversion (`config/split/*.parquet`), else one, `default`, of all files."""
    configs: dict[str, dict[str, list[str]]] = {}
    # the hub gives a converted revision the card of `main`, whose configs are not its own
    for row in (card.get("configs") or ()) if "README.md" in files else ():
        folder = f"{row['data_dir'].strip('/')}/" if row.get("data_dir") else ""
        named = row.get("data_files") or ["**"]
        named = [named] if isinstance(named, (str, dict)) else named
        splits: dict[str, list[str]] = {}
        for part in named:
            split, path = (part["split"], part["path"]) if isinstance(part, dict) else ("", part)
            splits.setdefault(split, []).extend(folder + one for one in ([path] if isinstance(path, str) else path))
        configs[row["config_name"]] = splits
    if configs:
        return configs
    for file in files:
        parts = file.split("/")
        if len(parts) == 3 and re.fullmatch(r"\d{4}\.parquet", parts[2]):
            configs.setdefault(parts[0], {}).setdefault(parts[1], [f"{parts[0]}/{parts[1]}/*.parquet"])
    has_data = any(not file.endswith((".py", ".md", ".gitattributes", "dataset_infos.json")) for file in files)
    if not has_data and any(file.endswith(".py") for file in files):
        raise HubFault(
            f"{name}: at {revision} the hub has a loading script alone, and no code of a data set is ever run; its own "
            f"conversion has files: `revisions: {{{name}: {CONVERTED}}}` in the study file"
        )
    return configs or {"default": {"": ["**"]}}


def files_of(repository: Repository, configs: list[str]) -> list[str]:
    """The files of some configs, and those that say how to read them."""
    patterns = [pattern for config in configs for split in repository.configs[config].values() for pattern in split]
    return [name for name in repository.files if name in ("README.md", "dataset_infos.json") or matches(name, patterns)]


def matches(name: str, patterns: list[str]) -> bool:
    """Whether a file's path fits one of some patterns, in which `**/` stands for any folders or none."""
    return any(fnmatch.fnmatch(name, one) or fnmatch.fnmatch(name, one.replace("**/", "")) for one in patterns)


def take_snapshot(repository: Repository, names: list[str], folder: Path) -> Path:
    """Fetch some files of a repository into a folder in the layout of the hub's client, those that are not there yet,
    and return the folder of the commit."""
    place: dict[str, Any] = {"repo_type": repository.kind, "revision": repository.commit, "cache_dir": folder}

    patterns = [name.replace("[", "[[]") for name in names]  # names, which the client would read as patterns

    def fetch() -> str:
        return snapshot_download(repository.name, allow_patterns=patterns, max_workers=4, **place)

    return Path(patiently(repository.name, repository.commit, fetch))


def stream_documents(repository: Repository, config: str, split: str, column: str) -> Iterator[str]:
    """The texts of one config of a data set, row by row in the order of its files, read by range requests: no more is
    fetched than is taken. A connection that breaks is taken up again after the rows that were given."""
    import datasets

    splits = repository.configs[config]
    patterns = splits.get(split) or splits.get("") or []
    files = sorted(name for name in repository.files if matches(name, patterns))
    if not files:
        raise HubFault(f"{repository.name}, config {config}: no files of a split {split!r}; there are {list(splits)}")
    reader = _reader_of(repository.name, files[0])
    addresses = [f"hf://datasets/{repository.name}@{repository.commit}/{name}" for name in files]
    where, given, rows = f"{repository.name}, config {config}", 0, None

    def take() -> list[dict[str, Any]]:
        """The next rows, at most a thousand. The iterator of a connection that broke is spent: another begins after the
        rows that were given."""
        nonlocal rows
        held, rows = rows, None
        if held is None:
            opened = datasets.load_dataset(reader, data_files={split: addresses}, split=split, streaming=True)
            held = iter(opened.skip(given) if given else opened)
        taken = list(itertools.islice(held, 1_000))
        rows = held
        return taken

    while taken := patiently(where, repository.commit, take):
        for row in taken:
            if not isinstance(row.get(column), str):
                holds = f"holds {row[column]!r}" if column in row else f"is not there; there are {', '.join(row)}"
                raise HubFault(f"{where}: row {given}: the column {column!r} {holds}; expected text")
            given += 1
        yield from (row[column] for row in taken)


def _reader_of(name: str, file: str) -> str:
    suffixes = {".parquet": "parquet", ".json": "json", ".jsonl": "json", ".csv": "csv", ".txt": "text"}
    stem = file.removesuffix(".gz").removesuffix(".zst")
    for suffix, reader in suffixes.items():
        if stem.endswith(suffix):
            return reader
    raise HubFault(f"{name}: {file}: text is read from files of {', '.join(suffixes)}")


def patiently(what: str, revision: str, call: Callable[[], Answer]) -> Answer:
    """The result of a call of the hub's client, tried again while what went wrong may pass.

    Raises:
        HubFault: it did not pass, or cannot: one sentence.
        OSError: the disk refuses.
    """
    _quieten()
    began = time.monotonic()
    for wait in itertools.chain(WAITS, [None]):
        try:
            with _silence():
                return call()
        except Fault:
            raise
        except Exception as error:  # the client raises what its own layers raise, wrapped in several ways
            reason, passes = _explain(what, revision, error)
            if wait is None or not passes:
                tried = f" (tried {len(WAITS) + 1} times in {time.monotonic() - began:,.0f} s)" if passes else ""
                again = "; the same command goes on from here" if passes else ""
                raise HubFault(f"{reason}{tried}{again}") from None  # the cause holds headers and addresses
            time.sleep(max(wait, min(_retry_after(error), 600.0)))
    raise AssertionError("the last attempt returns or raises")


def _quieten() -> None:
    """No bars and no warnings of the client between our lines."""
    disable_progress_bars()
    hub_logging.set_verbosity_error()


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    import datasets

    level = datasets.logging.get_verbosity()
    datasets.logging.set_verbosity_error()
    try:
        yield
    finally:
        datasets.logging.set_verbosity(level)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error and what it came from."""
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or seen.__context__


def _retry_after(error: BaseException) -> float:
    for cause in _chain(error):
        if isinstance(cause, HfHubHTTPError) and cause.response is not None:
            with contextlib.suppress(ValueError):
                return float(cause.response.headers.get("Retry-After", 0))
    return 0.0


def _explain(what: str, revision: str, error: Exception) -> tuple[str, bool]:
    """What went wrong, in a sentence without addresses and headers, and whether it may pass."""
    hub, causes = constants.ENDPOINT, list(_chain(error))
    refused = next((one for one in causes if isinstance(one, OSError) and one.errno in REFUSED), None)
    if refused is not None:
        raise OSError(refused.errno, refused.strerror, refused.filename2 or refused.filename)
    http = next((one for one in causes if isinstance(one, HfHubHTTPError)), None)
    if any(isinstance(one, OfflineModeIsEnabled) for one in causes):
        return f"{what}: there is no snapshot here, and HF_HUB_OFFLINE forbids to ask {hub}", False
    if isinstance(http, GatedRepoError):
        return f"{what}: gated: accept its terms at {hub}, then `hf auth login` or HF_TOKEN says who you are", False
    if isinstance(http, RevisionNotFoundError):
        return f"{what}: {hub} has no revision {revision!r} of it", False
    if http is not None and http.response is not None:
        status = http.response.status_code
        if status in (401, 403):
            return f"{what}: {hub} answers {status}: no such id, or it needs a login (`hf auth login`, HF_TOKEN)", False
        if isinstance(http, RepositoryNotFoundError) or status == 404:
            return f"{what}: {hub} has no such {'file or ' if status == 404 else ''}repository (404)", False
        return f"{what}: {hub} answers {status}, {WORDS.get(status, 'refused')}", status in PASSING
    if any(isinstance(one, (TimeoutError, httpx2.TimeoutException)) for one in causes):
        return f"{what}: {hub} is too slow: no answer in time (HF_HUB_DOWNLOAD_TIMEOUT, seconds)", True
    if any(isinstance(one, httpx2.ConnectError) for one in causes):
        return f"{what}: {hub} cannot be reached", True
    if any(isinstance(one, httpx2.TransportError) for one in causes):
        return f"{what}: the connection to {hub} was cut", True
    if any("Consistency check failed" in str(one) for one in causes):
        return f"{what}: {hub} gave half a file", True
    if any(isinstance(one, (ConnectionError, OSError)) for one in causes):
        return f"{what}: reading from {hub} failed: {_first_line(error)}", True
    return f"{what}: cannot be read: {type(error).__name__}: {_first_line(error)}", False


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
