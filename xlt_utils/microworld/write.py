"""Writes the microworld as data sets in the hub's layout: parquet files with the hub's types, a README.md with
the configs beside each set, and last of all manifest.json. A folder appears by one rename, complete or not at
all; the same arguments give the same bytes. The running text is written in chunks, so memory does not grow with
it, and never repeats a sentence of a test or training set."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from functools import cache
from itertools import islice
from pathlib import Path

from xlt_utils.microworld import tasks
from xlt_utils.microworld.grammar import LANGUAGES
from xlt_utils.microworld.meanings import World
from xlt_utils.microworld.relations import inference, paragraph
from xlt_utils.microworld.speech import Speaker, joined

MANIFEST = "manifest.json"
POS = "ADJ ADP ADV AUX CCONJ DET INTJ NOUN NUM PART PRON PROPN PUNCT SCONJ SYM VERB X".split()
NER = "O B-PER I-PER B-ORG I-ORG B-LOC I-LOC".split()
NLI = ["entailment", "neutral", "contradiction"]
FEELINGS = ["negative", "neutral", "positive"]
CHUNK = 8192  # lines of text in memory at a time
# examples a language (tests) or in English alone (train)
COUNTS = {
    "udpos": (6000, 400, 500),
    "panx": (6000, 400, 500),
    "nli": (20_000, 500, 500),
    "sst": (8000, 500),
    "messages": (300, 150, 600),
}
TRANSLATIONS = 400


@cache
def source() -> bytes:
    """A digest of the generator's own code: another generator is another world."""
    files = sorted(Path(__file__).parent.glob("*.py"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).digest()


def write(
    folder: str | Path,
    seed: int = 0,
    sentences: int = 150_000,
    bilingual: float = 0.05,
    languages: list[str] | tuple[str, ...] | None = None,
) -> Path:
    """Write the world into `folder`, unless it is there already, and return the folder.

    `sentences` counts lines of running text over all languages, of which the share `bilingual` holds a sentence
    in two languages. Processes that ask for one folder at a time wait for each other. Raises ValueError for
    arguments out of range and FileExistsError when `folder` holds something other than a microworld.
    """
    from filelock import FileLock

    folder, languages = Path(folder).absolute(), list(languages or LANGUAGES)
    settings = {
        "seed": seed,
        "sentences": sentences,
        "bilingual": bilingual,
        "languages": languages,
        "source": source().hex(),
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
    world = World(f"{seed} text {code}")
    speakers = {other: Speaker(other) for other in languages}
    others = [other for other in languages if other != code]
    while True:
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


def shares(languages: list[str], sentences: int) -> dict[str, int]:
    """Lines of text a language: English has most, the others ever less."""
    weights = {code: 2.4 if code == "en" else 1.4 * 0.93**i for i, code in enumerate(languages)}
    counts = {code: max(1, int(sentences * weight / sum(weights.values()))) for code, weight in weights.items()}
    counts["en"] += sentences - sum(counts.values())
    return counts


def _write_all(folder: Path, seed: int, sentences: int, bilingual: float, languages: list[str]) -> None:
    from datasets import ClassLabel, Features, List, Value

    text = Value("string")
    features = {
        "text": Features({"text": text}),
        "mnli": Features({"premise": text, "hypothesis": text, "label": ClassLabel(names=NLI)}),
        "xnli": Features({"language": text, "sentence1": text, "sentence2": text, "gold_label": text}),
        "udpos": Features({"tokens": List(text), "pos_tags": List(ClassLabel(names=POS))}),
        "panx": Features({"tokens": List(text), "ner_tags": List(ClassLabel(names=NER)), "langs": List(text)}),
        "tatoeba": Features(
            {"source_sentence": text, "target_sentence": text, "source_lang": text, "target_lang": text}
        ),
        "sst": Features({"sentence": text, "label": ClassLabel(names=["negative", "positive"]), "idx": Value("int32")}),
        "messages": Features({"text": text, "label": ClassLabel(names=FEELINGS)}),
    }
    out = _Sets(folder, features)
    speakers = {code: Speaker(code) for code in languages}
    kept_out: set[str] = set()
    english = speakers["en"]

    def saved(kind: str, place: tuple[str, str, str], rows: list) -> None:
        out.save(kind, *place, rows)

    # Inference: MultiNLI in English, XNLI with all languages in one file
    draw = _drawer(seed, english)
    train, validation, test = (draw("nli", split, inference, n, lambda p: p[:2]) for split, n in _splits("nli"))
    matched = draw("nli", "matched", inference, COUNTS["nli"][1], lambda p: p[:2])
    for split, pairs in (("train", train), ("validation_matched", matched)):
        saved(
            "mnli",
            ("nyu-mll/multi_nli", "default", split),
            [(english.text(p[0]), english.text(p[1]), p[2]) for p in pairs],
        )
    for split, pairs in (("validation", validation[: len(validation) // 2]), ("test", test)):
        rows = [
            (code, s.text(p.premise), s.text(p.hypothesis), NLI[p.label]) for code, s in speakers.items() for p in pairs
        ]
        saved("xnli", ("google/xtreme", "XNLI", split), rows)
        kept_out.update(tasks.normalised(sentence) for row in rows for sentence in row[1:3])

    # Tagging
    for kind, drawn, prefix in (("udpos", tasks.tagged, "udpos."), ("panx", tasks.named, "PAN-X.")):
        train, validation, test = (
            draw(kind, split, drawn, n, lambda sentence: (sentence,)) for split, n in _splits(kind)
        )
        for code, speaker in speakers.items():
            config = prefix + (speaker.grammar.ud_name if kind == "udpos" else code)
            splits = {"test": test}
            if code == "en":
                splits |= {"train": train}
            if code == "en" or kind == "panx":
                splits |= {"validation": validation}
            for split, meanings in splits.items():
                said = [speaker.say(sentence) for sentence in meanings]
                saved(kind, ("google/xtreme", config, split), [_tagged_row(kind, tokens, code) for tokens in said])
                kept_out.update(tasks.normalised(joined(tokens)) for tokens in said)

    # Translation: sentences that differ from each other in every language
    world, seen, pairs = World(f"{seed} tatoeba"), set(), []
    while len(pairs) < TRANSLATIONS:
        sentence = tasks.tagged(world)
        said = {code: speaker.text(sentence) for code, speaker in speakers.items()}
        keys = {f"{code} {tasks.normalised(text)}" for code, text in said.items()}
        if not keys & seen:
            seen |= keys
            pairs.append(said)
            kept_out.update(tasks.normalised(text) for text in said.values())
    for code in languages[1:]:
        iso3 = LANGUAGES[code].iso3
        rows = [(said[code] + "\n", said["en"] + "\n", iso3, "eng") for said in pairs]
        saved("tatoeba", ("google/xtreme", f"tatoeba.{iso3}", "validation"), rows)

    # Opinions: SST-2 of films in English, in GLUE's spelling; messages on other things in every language
    for split, n in zip(("train", "validation"), COUNTS["sst"], strict=True):
        reviews = draw("sst", split, tasks.review, n, lambda verdict: verdict.sentences)
        rows = []
        for i, verdict in enumerate(reviews):
            words = " ".join(token.text for sentence in verdict.sentences for token in english.say(sentence)).lower()
            rows.append((words + " ", verdict.label // 2, i))
            kept_out.add(tasks.normalised(words))
        saved("sst", ("nyu-mll/glue", "sst2", split), rows)
    for split, n in _splits("messages"):
        messages = draw("messages", split, tasks.message, n, lambda verdict: verdict.sentences)
        for code, speaker in speakers.items():
            rows = [(tasks.spoken(speaker, verdict), verdict.label) for verdict in messages]
            saved("messages", ("cardiffnlp/tweet_sentiment_multilingual", LANGUAGES[code].umsab_name, split), rows)
            if split != "train":
                kept_out.update(tasks.normalised(speaker.text(sentence)) for v in messages for sentence in v.sentences)
                kept_out.update(tasks.normalised(row[0]) for row in rows)

    for code, count in shares(languages, sentences).items():
        stream = islice(lines(seed, code, bilingual, languages, kept_out), count)
        out.save("text", "text/multilingual", code, "train", ((line,) for line in stream))
    out.describe()


def _splits(kind: str) -> list[tuple[str, int]]:
    """The splits' sizes, as (split, examples)."""
    return list(zip(("train", "validation", "test"), COUNTS[kind], strict=True))


def _drawer(seed: int, english: Speaker) -> Callable:
    """A function that draws examples of a task no split of which has been drawn before."""
    drawn: dict[str, tasks.Drawn] = {}

    def draw(kind: str, split: str, example: Callable, count: int, say: Callable) -> list:
        return list(
            drawn.setdefault(kind, tasks.Drawn(english)).fresh(example, World(f"{seed} {kind} {split}"), count, say)
        )

    return draw


def _tagged_row(kind: str, tokens: list, code: str) -> tuple:
    words = [token.text for token in tokens]
    if kind == "udpos":
        return words, [POS.index(token.pos) for token in tokens]
    return words, [NER.index(token.ner) for token in tokens], [code] * len(words)


class _Sets:
    """The data sets in a folder: saves a split at a time and keeps count for the READMEs."""

    def __init__(self, folder: Path, features: dict):
        self.folder, self.features = folder, features
        self.rows: dict[str, dict[tuple[str, str], int]] = {}

    def save(self, kind: str, dataset: str, config: str, split: str, rows) -> None:
        """Write rows (tuples in the features' order; an iterator is written in chunks) as one parquet file."""
        import pyarrow
        from pyarrow import parquet

        schema = self.features[kind].arrow_schema
        path = self.folder / dataset / config / f"{split}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        rows, count = iter(rows), 0
        with parquet.ParquetWriter(path, schema, compression="zstd") as writer:
            while chunk := list(islice(rows, CHUNK)):
                columns = [
                    pyarrow.array(column, type=field.type)
                    for column, field in zip(zip(*chunk, strict=True), schema, strict=True)
                ]
                writer.write_table(pyarrow.Table.from_arrays(columns, schema=schema))
                count += len(chunk)
        self.rows.setdefault(dataset, {})[config, split] = count

    def describe(self) -> None:
        """A README.md beside each data set: the configs for `load_dataset`, and a table of rows."""
        for dataset, rows in self.rows.items():
            text = "---\nconfigs:\n"
            for config in sorted({config for config, _ in rows}):
                text += f"- config_name: {config}\n  data_files:\n"
                for split in sorted(split for other, split in rows if other == config):
                    text += f"  - split: {split}\n    path: {config}/{split}.parquet\n"
            text += (
                f"---\n# {dataset} of the microworld, in the hub's layout\n\n| config | split | rows |\n|---|---|---|\n"
            )
            text += "".join(f"| {config} | {split} | {count} |\n" for (config, split), count in sorted(rows.items()))
            (self.folder / dataset / "README.md").write_text(text)


def _files(folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]


def _digest(path: Path) -> dict:
    with open(path, "rb") as file:
        return {"bytes": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}
