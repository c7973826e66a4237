"""Writing the microworld: the same bytes for a seed, a complete folder or none, and running text without test
sentences."""

import hashlib
import json
import re
from itertools import islice
from pathlib import Path

import pytest
from pyarrow import parquet
from small_world import CODES, TWEETS, leaves, read_derivation

from xlt_utils import microworld
from xlt_utils.microworld import data_sets, draws, writing


def contents(folder: Path) -> dict[str, str]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture
def small(monkeypatch):
    """Smaller sets of examples, for tests of the writing alone."""
    few = {kind: tuple(min(count, 40) for count in counts) for kind, counts in microworld.COUNTS.items()}
    monkeypatch.setattr(data_sets, "COUNTS", few)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(small, tmp_path):
    seeds = {"first": 3, "again": 3, "other": 4}
    first, again, other = (
        contents(microworld.write(tmp_path / name, seed=seed, sentences=900)) for name, seed in seeds.items()
    )
    assert first == again
    assert all(other[name] != digest for name, digest in first.items() if name.endswith((".parquet", ".auto", ".gold")))


def test_three_languages_have_the_same_examples_as_nine(small, tmp_path):
    """A language's examples do not depend on which other languages the world has; only the text and Tatoeba, whose
    sentences differ in every language of the world, may."""
    nine = microworld.write(tmp_path / "nine", sentences=300)
    three = microworld.write(tmp_path / "three", sentences=300, languages=["en", "xa", "xh"])
    mixed = {"google/xtreme/XNLI/validation.parquet", "google/xtreme/XNLI/test.parquet"}
    mixed.add("google/xtreme/tydiqa/validation.parquet")
    digests, compared = contents(nine), 0
    for name, digest in contents(three).items():
        if name in mixed:
            rows = parquet.read_table(nine / name).to_pylist()
            fewer = parquet.read_table(three / name).to_pylist()
            assert fewer == [row for row in rows if row in fewer] and len(rows) == 3 * len(fewer)
        elif not name.startswith("text/") and "tatoeba" not in name and not name.endswith(("README.md", ".json")):
            assert digests[name] == digest, name
            compared += 1
    assert compared > 50


def test_writing_again_does_nothing_and_a_damaged_world_is_written_anew(small, tmp_path):
    folder = microworld.write(tmp_path / "w", sentences=300, languages=["en", "xa"])
    before, times = contents(folder), {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    microworld.write(folder, sentences=300, languages=["en", "xa"])
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == times
    cut = folder / "google/xtreme/XNLI/test.parquet"
    cut.write_bytes(cut.read_bytes()[:1000])
    microworld.write(folder, sentences=300, languages=["en", "xa"])
    assert contents(folder) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["w", "w.lock"]


def test_the_manifest_names_every_file_with_its_digest(mirror):
    manifest = json.loads((mirror / "manifest.json").read_text())
    digests = {name: digest for name, digest in contents(mirror).items() if name != "manifest.json"}
    assert {name: entry["sha256"] for name, entry in manifest["files"].items()} == digests


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(FileExistsError, match=r"no manifest\.json"):
        microworld.write(tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "mine"


def test_arguments_out_of_range_are_all_named_at_once(tmp_path):
    with pytest.raises(ValueError, match=r"seed: -1.*bilingual: 5.*'xq' is none of en, xa"):
        microworld.write(tmp_path / "w", seed=-1, bilingual=5, languages=["en", "xq"])
    assert not (tmp_path / "w").exists()


def test_more_text_begins_with_the_same_lines_and_each_language_has_its_part(small, tmp_path):
    def texts(sentences: int) -> list[list[str]]:
        folder = microworld.write(tmp_path / str(sentences), seed=3, sentences=sentences) / "text/multilingual"
        return [parquet.read_table(folder / code / "train.parquet")["text"].to_pylist() for code in CODES]

    short, long = texts(900), texts(1500)
    for short_lines, long_lines in zip(short, long, strict=True):
        assert long_lines[: len(short_lines)] == short_lines and len(long_lines) > len(short_lines)
    sizes = [len(lines) for lines in short]
    assert sum(sizes) == 900 and sizes == sorted(sizes, reverse=True) and sizes[0] > sizes[1] > sizes[-1]


def test_the_running_text_holds_no_test_sentence(mirror, load):
    tested = set()
    for code, grammar in microworld.LANGUAGES.items():
        tested |= {draws.comparison_key(text) for text in load(TWEETS, grammar.umsab_name, "test")["text"]}
        tested |= {
            draws.comparison_key(" ".join(words)) for words in load("google/xtreme", f"PAN-X.{code}", "test")["tokens"]
        }
    sentences = [text for row in load("google/xtreme", "XNLI", "test") for text in (row["sentence1"], row["sentence2"])]
    for file in [*mirror.glob("bucc2018/*.??"), *mirror.glob("bucc2018/*.en")]:
        sentences += [line.split("\t")[1] for line in file.read_text(encoding="utf-8").splitlines()]
    columns = "context question sentence1 sentence2 premise question1 question2 answer0".split()
    for path in mirror.rglob("*.parquet"):
        if path.stem.startswith("train"):
            continue
        for row in parquet.read_table(path).to_pylist():
            for name in columns:
                sentences += [row[name], *re.split(r"(?<=\.) ", row[name])] if name in row else []
    for section in ("00", "23"):
        for line in (
            (mirror / f"ccgbank/data/AUTO/{section}/wsj_{section}00.auto")
            .read_text(encoding="utf-8")
            .splitlines()[1::2]
        ):
            sentences.append(" ".join(leaf[4] for leaf in leaves(read_derivation(line))))
    assert len(sentences) > 30_000
    tested |= {"".join(filter(str.isalnum, sentence.lower())) for sentence in sentences}
    for code in CODES:
        for line in load("text/multilingual", code, "train")["text"]:
            parts = [line, *re.split(r"(?<=[.!?])[ )]| [—/(]", line)]
            assert not tested & {draws.comparison_key(part) for part in parts}


def test_the_stated_share_of_lines_is_bilingual():
    running = writing.running_text(0, "xh", 0.2, ["en", "xh"], set())
    both = [line for line in islice(running, 1000) if re.search(r"[ა-ჰ]", line) and re.search(r"[a-z]+ [a-z]+ ", line)]
    assert 0.12 < len(both) / 1000 < 0.24
