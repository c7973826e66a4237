"""Writes the microworld as data sets in the hub's layout: parquet files with the hub's types, a README.md with
the configs beside each set, and last of all manifest.json. A folder appears by one rename, complete or not at
all; the same arguments give the same bytes. The running text is written in chunks, so memory does not grow with
it, and never repeats a sentence of a test or training set."""

import gc
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from xlt_utils.microworld import examples, tasks
from xlt_utils.microworld.grammar import LANGUAGES
from xlt_utils.microworld.layout import Sets
from xlt_utils.microworld.meanings import Sentence, World
from xlt_utils.microworld.questions import passage
from xlt_utils.microworld.relations import paragraph
from xlt_utils.microworld.speech import Speaker

MANIFEST = "manifest.json"
ASKED = 0.08  # of the lines of text: a question with its answer


def write(
    folder: str | Path,
    seed: int = 0,
    sentences: int = 150_000,
    bilingual: float = 0.05,
    languages: list[str] | tuple[str, ...] | None = None,
    source: str = "",
) -> Path:
    """Write the world into `folder`, unless it is there already, and return the folder.

    Processes that ask for one folder at a time wait for each other.

    Args:
        folder: where to; relative to the working directory.
        seed: of all that is drawn.
        sentences: lines of running text over all languages.
        bilingual: the share of these lines that hold a sentence in two languages.
        languages: codes, English first; all that there are where none are given.
        source: a name of the generator's code, kept in the manifest; a folder of another name is written anew.

    Raises:
        ValueError: an argument is out of range.
        FileExistsError: `folder` holds something other than a microworld.
    """
    from filelock import FileLock

    folder, languages = Path(folder).absolute(), list(languages or LANGUAGES)
    settings = {
        "seed": seed,
        "sentences": sentences,
        "bilingual": bilingual,
        "languages": languages,
        "source": source,
    }
    _check(**settings)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_name(folder.name + ".lock")):
        if is_written(folder, settings):
            return folder
        if folder.exists() and any(folder.iterdir()) and not (folder / MANIFEST).is_file():
            raise FileExistsError(
                f"{folder}: holds files but no {MANIFEST}, so it is no microworld; give an empty or a new folder"
            )
        partial, old = (folder.with_name(f"{folder.name}.{state}") for state in ("partial", "old"))
        for leftover in (partial, old):
            shutil.rmtree(leftover, ignore_errors=True)
        _write_all(partial, seed, sentences, bilingual, languages)
        manifest = {
            "microworld": settings,
            "files": {name: _digest(partial / name) for name in sorted(_files(partial))},
        }
        (partial / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n")
        if folder.exists():
            os.rename(folder, old)
        os.rename(partial, folder)
        shutil.rmtree(old, ignore_errors=True)
    return folder


def is_written(folder: str | Path, settings: dict) -> bool:
    """Whether the folder holds the world of these settings, every file at its full size."""
    try:
        manifest = json.loads((Path(folder) / MANIFEST).read_text())
        sizes = {name: (Path(folder) / name).stat().st_size for name in manifest["files"]}
    except (OSError, ValueError, KeyError):
        return False
    return manifest.get("microworld") == settings and all(
        size == manifest["files"][name]["bytes"] for name, size in sizes.items()
    )


def _check(seed: int, sentences: int, bilingual: float, languages: list[str], source: str) -> None:
    faults = []
    if not isinstance(seed, int) or seed < 0:
        faults.append(f"seed: {seed!r} is no whole number of 0 or more")
    if not isinstance(sentences, int) or sentences < len(languages):
        faults.append(
            f"sentences: {sentences!r} is no whole number of at least {len(languages)}, a line for each language"
        )
    if not 0 <= bilingual <= 1:
        faults.append(f"bilingual: {bilingual!r} is no share from 0 to 1")
    faults += [f"languages: {code!r} is none of {', '.join(LANGUAGES)}" for code in languages if code not in LANGUAGES]
    if languages[0] != "en" or len(set(languages)) < len(languages):
        faults.append(f"languages: {languages} should begin with 'en' and name each language once")
    if faults:
        raise ValueError("microworld: " + "; ".join(faults))


def lines(seed: int, code: str, bilingual: float, languages: list[str], kept_out: set[str]) -> Iterator[str]:
    """Running text in one language, without end; no sentence of it is in `kept_out` (normalised texts)."""
    world, asking = World(f"{seed} text {code}"), World(f"{seed} questions {code}")
    speakers = {other: Speaker(other) for other in languages}
    others = [other for other in languages if other != code]
    while True:
        if asking.chance(ASKED):
            said = [speakers[code].text(sentence) for sentence in asked(asking)]
            if not any(tasks.normalised(text) in kept_out for text in said):
                yield " ".join(said)
        meanings, partner = paragraph(world), None
        if others and world.chance(bilingual):
            # A second language is most often English, as on the web
            partner = "en" if code != "en" and world.chance(0.7) else world.pick(others)
            meanings = meanings[:1]
        said = [speakers[code].text(sentence) for sentence in meanings]
        if partner:
            said.append(speakers[partner].text(meanings[0]))
        if any(tasks.normalised(text) in kept_out for text in said):
            continue
        if partner:
            said[1] = world.pick(("({})", "— {}", "/ {}", "{}")).format(said[1])
        line = " ".join(said)
        if tasks.normalised(line) not in kept_out:
            yield line


def asked(world: World) -> list[Sentence]:
    """A question and the sentence that answers it."""
    facts, (question,) = passage(world, facts=1, questions=1)
    return [question.sentence(), Sentence((("", facts[0].clause()),))]


def shares(languages: list[str], sentences: int) -> dict[str, int]:
    """Lines of text a language: English has most, the others ever less."""
    weights = {code: 2.4 if code == "en" else 1.4 * 0.93**i for i, code in enumerate(languages)}
    counts = {code: max(1, int(sentences * weight / sum(weights.values()))) for code, weight in weights.items()}
    counts["en"] += sentences - sum(counts.values())
    return counts


def _write_all(folder: Path, seed: int, sentences: int, bilingual: float, languages: list[str]) -> None:
    sets, collects = Sets(folder), gc.isenabled()
    gc.disable()  # meanings are trees: looking for cycles among a million of them takes a third of the time
    try:
        _write_sets(sets, seed, sentences, bilingual, languages)
    finally:
        if collects:
            gc.enable()


def _write_sets(sets: Sets, seed: int, sentences: int, bilingual: float, languages: list[str]) -> None:
    making = examples.Making(sets, seed, languages)
    for data_sets in examples.SETS:
        data_sets(making)
    for code, count in shares(languages, sentences).items():
        stream = islice(lines(seed, code, bilingual, languages, making.kept_out), count)
        sets.save("text", "text/multilingual", code, "train", ((line,) for line in stream))
    sets.describe()


def _files(folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]


def _digest(path: Path) -> dict:
    with open(path, "rb") as file:
        return {"bytes": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}
