"""Writes the microworld as data sets in the hub's layout: parquet files with the hub's types, a README.md with the
configs beside each set, and manifest.json last. A folder appears by one rename, complete or not at all, and the same
arguments give the same bytes. The running text is written in chunks, so memory does not grow with it, and it holds no
sentence of a test set."""

import gc
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from xlt_utils.microworld import lexicon, offers
from xlt_utils.microworld.data_sets import WRITERS, WorldBuild
from xlt_utils.microworld.draws import comparison_key
from xlt_utils.microworld.grammar import LANGUAGES
from xlt_utils.microworld.layout import DatasetWriter
from xlt_utils.microworld.meanings import Sentence, World
from xlt_utils.microworld.questions import draw_passage
from xlt_utils.microworld.relations import draw_paragraph
from xlt_utils.microworld.speech import Speaker

WORLD_MANIFEST = "manifest.json"
QUESTION_SHARE = 0.08  # of the lines of text: a question with its answer
OFFER_SHARE = 0.12  # likewise: an offer, which names a firm and does not say what to think of it


def write(
    folder: str | Path,
    seed: int = 0,
    sentences: int = 150_000,
    bilingual: float = 0.05,
    languages: list[str] | tuple[str, ...] | None = None,
    source: str = "",
) -> Path:
    """Write the world into `folder`, unless it is already written, and return the folder.

    Processes that write the same folder at the same time wait for each other.

    Args:
        folder: relative to the working directory.
        seed: decides everything that is drawn.
        sentences: lines of running text over all languages.
        bilingual: the share of these lines that hold a sentence in two languages.
        languages: codes, English first; by default all languages.
        source: a name of the generator's code, kept in the manifest; a folder with another source is written anew.

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
    _check(seed, sentences, bilingual, languages)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_name(folder.name + ".lock")):
        if is_written(folder, settings):
            return folder
        if folder.exists() and any(folder.iterdir()) and not (folder / WORLD_MANIFEST).is_file():
            raise FileExistsError(
                f"{folder}: holds files but no {WORLD_MANIFEST}, so it is no microworld; give an empty or a new folder"
            )
        partial, old = (folder.with_name(f"{folder.name}.{state}") for state in ("partial", "old"))
        for leftover in (partial, old):
            shutil.rmtree(leftover, ignore_errors=True)
        _write_all(partial, seed, sentences, bilingual, languages)
        manifest = {
            "microworld": settings,
            "files": {name: _digest(partial / name) for name in sorted(_files(partial))},
        }
        (partial / WORLD_MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n")
        if folder.exists():
            os.rename(folder, old)
        os.rename(partial, folder)
        shutil.rmtree(old, ignore_errors=True)
    return folder


def is_written(folder: str | Path, settings: dict) -> bool:
    """Whether a folder holds the world of these settings (those in the manifest), with every file at its full size."""
    try:
        manifest = json.loads((Path(folder) / WORLD_MANIFEST).read_text())
        sizes = {name: (Path(folder) / name).stat().st_size for name in manifest["files"]}
    except (OSError, ValueError, KeyError):
        return False
    return manifest.get("microworld") == settings and all(
        size == manifest["files"][name]["bytes"] for name, size in sizes.items()
    )


def _check(seed: int, sentences: int, bilingual: float, languages: list[str]) -> None:
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


def running_text(seed: int, code: str, bilingual: float, languages: list[str], held_out: set[str]) -> Iterator[str]:
    """Lines of running text in one language, without end.

    Args:
        seed: decides everything that is drawn.
        code: the language.
        bilingual: the share of lines that hold a sentence in two languages.
        languages: the codes from which the second language of such a line is drawn.
        held_out: the keys (`draws.comparison_key`) of sentences that the text leaves out.
    """
    world, question_world = World(f"{seed} text {code}"), World(f"{seed} questions {code}")
    offer_world = World(f"{seed} offers {code}")
    speakers = {language: Speaker(language) for language in languages}
    other_languages = [language for language in languages if language != code]
    while True:
        if question_world.chance(QUESTION_SHARE):
            texts = [speakers[code].text(sentence) for sentence in _question_and_answer(question_world)]
            if not any(comparison_key(text) in held_out for text in texts):
                yield " ".join(texts)
        if offer_world.chance(OFFER_SHARE):
            text = offers.draw_offer(offer_world, offer_world.pick(lexicon.FIRMS)).text(speakers[code])
            if comparison_key(text) not in held_out:
                yield text
        meanings, partner = draw_paragraph(world), None
        if other_languages and world.chance(bilingual):
            # A second language is most often English, as on the web
            partner = "en" if code != "en" and world.chance(0.7) else world.pick(other_languages)
            meanings = meanings[:1]
        texts = [speakers[code].text(sentence) for sentence in meanings]
        if partner:
            texts.append(speakers[partner].text(meanings[0]))
        if any(comparison_key(text) in held_out for text in texts):
            continue
        if partner:
            texts[1] = world.pick(("({})", "— {}", "/ {}", "{}")).format(texts[1])
        line = " ".join(texts)
        if comparison_key(line) not in held_out:
            yield line


def _question_and_answer(world: World) -> list[Sentence]:
    facts, (question,) = draw_passage(world, facts=1, questions=1)
    return [question.sentence(), Sentence((("", facts[0].clause()),))]


def _lines_by_language(languages: list[str], sentences: int) -> dict[str, int]:
    """How many lines of text each language has: English most, the others fewer and fewer."""
    weights = {code: 2.4 if code == "en" else 1.4 * 0.93**i for i, code in enumerate(languages)}
    counts = {code: max(1, int(sentences * weight / sum(weights.values()))) for code, weight in weights.items()}
    counts["en"] += sentences - sum(counts.values())
    return counts


def _write_all(folder: Path, seed: int, sentences: int, bilingual: float, languages: list[str]) -> None:
    was_collecting = gc.isenabled()
    gc.disable()  # meanings are trees: looking for cycles among a million of them takes a third of the time
    try:
        _write_sets(DatasetWriter(folder), seed, sentences, bilingual, languages)
    finally:
        if was_collecting:
            gc.enable()


def _write_sets(writer: DatasetWriter, seed: int, sentences: int, bilingual: float, languages: list[str]) -> None:
    build = WorldBuild(writer, seed, languages)
    for write_sets in WRITERS:
        write_sets(build)
    for code, count in _lines_by_language(languages, sentences).items():
        stream = islice(running_text(seed, code, bilingual, languages, build.held_out), count)
        writer.save("text", "text/multilingual", code, "train", ((line,) for line in stream))
    writer.write_readmes()


def _files(folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]


def _digest(path: Path) -> dict:
    with open(path, "rb") as file:
        return {"bytes": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}
