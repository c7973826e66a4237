"""Batches as a pure function of (seed, step): no iterator, no state, so that a resumed run is one integer.
Text and examples are encoded once, kept beside the runs and memory-mapped; what is drawn at a step is
computed from the seed and the step alone."""

import hashlib
import itertools
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from xlt_utils import data as data_
from xlt_utils import encoders, paths
from xlt_utils.tasks import Task

IGNORED = -100  # the label that torch's cross entropy leaves out
WIDTHS = 16  # batches are padded to a multiple of this
HELD_OUT = 32  # sequences a language that are never trained on: the validation loss is theirs
# Streams of random numbers that must not meet carry their own number beside the seed.
_DRAW, _SHUFFLE, _MASK = 1, 2, 3


@dataclass(frozen=True)
class Vocabulary:
    """A trained vocabulary: its folder, its tokenizer, and the sample of text that it was trained on."""

    folder: Path
    tokenizer: PreTrainedTokenizerFast
    sample: dict

    def facts(self) -> dict:
        """What a record says of it: pieces, sha256, and the sample's lines a language with their sha256."""
        return {"pieces": len(self.tokenizer), "sha256": encoders.fingerprint(self.tokenizer), "sample": self.sample}


def vocabulary(data: str, languages: Sequence[str], size: int, sample: int, exponent: float) -> Vocabulary:
    """The study's vocabulary, trained at the first call on the first lines of each language and read
    afterwards. `sample` lines in all, shared out in proportion to (lines of a language) ** exponent."""

    def build(folder: Path) -> None:
        lines, counts = _sample(data, languages, sample, exponent)
        encoders.wrap(encoders.train_vocabulary(lines, size)).save_pretrained(folder)
        digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
        (folder / "sample.json").write_text(json.dumps({"lines": counts, "sha256": digest}))

    key = {
        "data": data_.fingerprint(data),
        "languages": list(languages),
        "size": size,
        "sample": sample,
        "exp": exponent,
    }
    folder = _built("vocabulary", key, build)
    return Vocabulary(folder, AutoTokenizer.from_pretrained(folder), json.loads((folder / "sample.json").read_text()))


class Text:
    """The pretraining text of a study, encoded and cut into sequences of `length` pieces.

    A sequence is `<s>` and the next pieces of its language's stream, in which `</s>` ends each line. The
    last HELD_OUT sequences of a language are for validation. Sequences of a language are drawn with
    probability in proportion to (its share of the sequences) ** exponent, each at most once.
    """

    def __init__(self, data: str, languages: Sequence[str], tokenizer: Path, length: int, exponent: float):
        self.languages, self.length = list(languages), length
        self.tokenizer = AutoTokenizer.from_pretrained(tokenizer)
        streams = [_stream(data, language, self.tokenizer) for language in languages]
        self.sequences = [
            stream[: len(stream) // (length - 1) * (length - 1)].reshape(-1, length - 1) for stream in streams
        ]
        self.available = np.array([len(rows) - HELD_OUT for rows in self.sequences])
        for language, rows in zip(languages, self.available, strict=True):
            if rows < 1:
                raise data_.DataError(f"the text of {language!r} fills no {HELD_OUT + 1} sequences of {length} pieces")
        weights = self.available**exponent
        self.shares = weights / weights.sum()

    def draw(self, seed: int, count: int) -> tuple[np.ndarray, np.ndarray]:
        """The first `count` sequences of the seed's order: `(count,)` language indices and ranks within the
        language. A longer draw begins with the shorter one. Raises DataError where a language has too little
        text to give each sequence only once."""
        numbers = np.random.default_rng([seed, _DRAW]).random(count)
        languages = np.searchsorted(self.shares.cumsum()[:-1], numbers, side="right")
        ranks = np.zeros(count, dtype=np.int64)
        for index, available in enumerate(self.available):
            mine = languages == index
            needed = int(mine.sum())
            if needed > available:
                raise data_.DataError(
                    f"{count * self.length:,} tokens need {needed * self.length:,} of {self.languages[index]!r}, "
                    f"whose text has {available * self.length:,}: take a smaller rung, more text or a larger exponent"
                )
            ranks[mine] = np.arange(needed)
        return languages, ranks

    def batches(self, seed: int, steps: int, batch: int, mask_rate: float):
        """The function from a step (below `steps`) to its masked batch."""
        languages, ranks = self.draw(seed, steps * batch)
        orders = [
            np.random.default_rng([seed, _SHUFFLE, index]).permutation(n) for index, n in enumerate(self.available)
        ]

        def at(step: int) -> dict[str, torch.Tensor]:
            places = range(step * batch, (step + 1) * batch)
            rows = [self.sequences[languages[p]][orders[languages[p]][ranks[p]]] for p in places]
            return self.mask(np.stack(rows), mask_rate, np.random.default_rng([seed, _MASK, step]))

        return at

    def validation(self, language: str, mask_rate: float) -> dict[str, torch.Tensor]:
        """The held-out sequences of a language under one fixed mask."""
        index = self.languages.index(language)
        return self.mask(self.sequences[index][-HELD_OUT:], mask_rate, np.random.default_rng([0, _MASK, index]))

    def mask(self, rows: np.ndarray, rate: float, random: np.random.Generator) -> dict[str, torch.Tensor]:
        """Hide pieces as BERT does (Devlin et al. 2019, §3.1): of those chosen 80 % become `<mask>`, 10 % another
        piece, 10 % stay. Takes `(batch, length - 1)` pieces; gives `input_ids (batch, length)`, `places`
        (flat indices of the chosen) and their `labels`."""
        ids = np.concatenate([np.full((len(rows), 1), self.tokenizer.bos_token_id), rows], axis=1).astype(np.int64)
        special = np.isin(ids, self.tokenizer.all_special_ids)
        places = np.flatnonzero((random.random(ids.shape) < rate) & ~special)
        labels = ids.ravel()[places]
        fate = random.random(len(places))
        others = random.integers(len(self.tokenizer.all_special_ids), len(self.tokenizer), len(places))
        hidden = np.where(fate < 0.8, self.tokenizer.mask_token_id, np.where(fate < 0.9, others, labels))
        ids.ravel()[places] = hidden
        return {
            "input_ids": torch.from_numpy(ids),
            "places": torch.from_numpy(places),
            "labels": torch.from_numpy(labels),
        }

    def tokens(self) -> dict[str, int]:
        """The tokens that each language has for training."""
        return dict(zip(self.languages, (self.available * self.length).tolist(), strict=True))

    def counts(self, seed: int, sequences: int) -> dict[str, int]:
        """The tokens of each language among the first `sequences` of the seed's order."""
        languages, _ = self.draw(seed, sequences)
        tokens = np.bincount(languages, minlength=len(self.languages)) * self.length
        return dict(zip(self.languages, tokens.tolist(), strict=True))


@dataclass(frozen=True)
class Encoded:
    """Examples as pieces, one after another: row r is `pieces[starts[r]:starts[r + 1]]`.

    `labels` is `(rows,)` for classification and one label a piece for tagging (IGNORED but on the first piece
    of a word). `sentences` is the example that each row belongs to: an over-long one has several rows.
    """

    pieces: np.ndarray
    starts: np.ndarray
    labels: np.ndarray
    sentences: np.ndarray
    ids: np.ndarray
    pad: int

    def __len__(self) -> int:
        return len(self.starts) - 1

    def batch(self, rows: Sequence[int]) -> dict[str, torch.Tensor]:
        """Rows as `input_ids` and `attention_mask (batch, longest)`, with `labels` of the task's shape."""
        spans = [slice(self.starts[row], self.starts[row + 1]) for row in rows]
        longest = max(span.stop - span.start for span in spans)
        # Few distinct widths: each new one makes the device compile its products anew.
        longest += -longest % WIDTHS
        ids = np.full((len(spans), longest), self.pad, dtype=np.int64)
        mask = np.zeros_like(ids)
        for line, span in enumerate(spans):
            ids[line, : span.stop - span.start] = self.pieces[span]
            mask[line, : span.stop - span.start] = 1
        batch = {"input_ids": torch.from_numpy(ids), "attention_mask": torch.from_numpy(mask)}
        if len(self.labels) == len(self.pieces):
            labels = np.full_like(ids, IGNORED)
            labels[mask.astype(bool)] = np.concatenate([self.labels[span] for span in spans])
        else:
            labels = self.labels[np.asarray(rows)] if len(self.labels) else np.zeros(0, dtype=np.int64)
        return batch | {"labels": torch.from_numpy(np.asarray(labels, dtype=np.int64))}


def encode(
    task: Task,
    part: str,
    data: str,
    language: str | None,
    tokenizer,
    length: int,
    limit: int | None = None,
    side: str = "",
) -> Encoded:
    """The examples of one part of a task in at most `length` pieces a row, encoded once and read afterwards.

    `side` is the column (`text` or `text2`) where a retrieval task's two sides are encoded apart.
    """

    def build(folder: Path) -> None:
        rows = data_.examples(task, part, data, language, limit)
        arrays = (
            _encode_words(rows, tokenizer, length)
            if task.format == "tagging"
            else _encode_text(rows, tokenizer, length, side)
        )
        np.savez(folder / "encoded.npz", **arrays)

    source = getattr(task, part)
    key = {"data": data_.fingerprint(data), "source": repr(source), "task": task.labels, "language": language}
    key |= {"tokenizer": encoders.fingerprint(tokenizer), "length": length, "limit": limit, "side": side}
    folder = _built("encoded", key, build)
    with np.load(folder / "encoded.npz") as arrays:
        return Encoded(**arrays, pad=tokenizer.pad_token_id)


def subset(encoded: Encoded, seed: int, examples: int) -> np.ndarray:
    """The rows of the first `examples` of the seed's order: nested, a larger subset begins with the smaller."""
    order = np.random.default_rng([seed, _DRAW]).permutation(int(encoded.sentences[-1]) + 1)[:examples]
    if len(order) < examples:
        raise data_.DataError(f"{examples:,} examples asked for, {len(order):,} there")
    first = np.searchsorted(encoded.sentences, order)
    last = np.searchsorted(encoded.sentences, order, side="right")
    return np.concatenate([np.arange(a, b) for a, b in zip(first, last, strict=True)])


def one_pass(encoded: Encoded, rows: np.ndarray, batch: int):
    """The function from a step to the next `batch` of `rows`, in their order: each row is seen once."""
    return lambda step: encoded.batch(rows[step * batch : (step + 1) * batch])


def epochs(encoded: Encoded, rows: np.ndarray, batch: int, seed: int):
    """The function from a step to a batch of `rows`, shuffled anew each epoch. Epochs follow each other without
    a short batch between them."""

    def at(step: int) -> dict[str, torch.Tensor]:
        places = np.arange(step * batch, (step + 1) * batch)
        orders = {
            e: np.random.default_rng([seed, _SHUFFLE, e]).permutation(rows) for e in set((places // len(rows)).tolist())
        }
        return encoded.batch([orders[place // len(rows)][place % len(rows)] for place in places.tolist()])

    return at


def _built(kind: str, key: dict, build) -> Path:
    """The folder of something that `key` determines: built once, under a lock, whole or not at all."""
    name = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:16]
    folder = paths.RUNS / "data" / f"{kind}-{name}"
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not folder.is_dir():
            half = folder.with_name(f"{folder.name}.half")
            half.mkdir(exist_ok=True)
            build(half)
            half.rename(folder)
    return folder


def _sample(data: str, languages: Sequence[str], lines: int, exponent: float) -> tuple[list[str], dict[str, int]]:
    held = {language: len(data_.load(data_.TEXT, data, language)) for language in languages}
    weights = np.array([held[language] for language in languages]) ** exponent
    counts = (weights / weights.sum() * lines).astype(int)
    counts = {language: min(int(n), held[language]) for language, n in zip(languages, counts, strict=True)}
    chosen = [list(itertools.islice(_lines(data, language), n)) for language, n in counts.items()]
    return [line for lines_ in chosen for line in lines_], counts


def _lines(data: str, language: str) -> Iterable[str]:
    return itertools.chain.from_iterable(data_.text(data, language))


def _stream(data: str, language: str, tokenizer) -> np.ndarray:
    """All pieces of a language's text on disk, `</s>` after each line, memory-mapped."""

    def build(half: Path) -> None:
        with open(half / "pieces.bin", "wb") as file:
            for lines in data_.text(data, language):
                for ids in tokenizer(lines, add_special_tokens=False)["input_ids"]:
                    np.array([*ids, tokenizer.eos_token_id], dtype=np.int32).tofile(file)

    key = {"data": data_.fingerprint(data), "language": language, "tokenizer": encoders.fingerprint(tokenizer)}
    return np.memmap(_built("text", key, build) / "pieces.bin", dtype=np.int32, mode="r")


def _encode_text(rows: list[dict], tokenizer, length: int, side: str) -> dict[str, np.ndarray]:
    """Sentences, or pairs, cut to `length` pieces; a retrieval side loses its line end."""
    texts = [[row[side].rstrip("\n") for row in rows]] if side else [[row["text"] for row in rows]]
    if not side and "text2" in rows[0]:
        texts.append([row["text2"] for row in rows])
    ids = tokenizer(*texts, truncation=True, max_length=length)["input_ids"]
    labels = [row["label"] for row in rows] if "label" in rows[0] else []
    return _flat(ids, np.array(labels, dtype=np.int64), np.arange(len(rows)), [row["id"] for row in rows])


def _encode_words(rows: list[dict], tokenizer, length: int) -> dict[str, np.ndarray]:
    """Tagged words: the label stands on a word's first piece, and a sentence over `length` pieces goes on in
    another row, so that every word is scored (XTREME's rule)."""
    known: dict[str, list[int]] = {}
    ids, labels, sentences, room = [], [], [], length - 2
    for number, row in enumerate(rows):
        if len(row["tokens"]) != len(row["label"]):
            raise data_.DataError(f"row {row['id']}: {len(row['label'])} tags for {len(row['tokens'])} words")
        pieces, tags = [], []

        def close(pieces, tags, number=number):
            ids.append([tokenizer.bos_token_id, *pieces, tokenizer.eos_token_id])
            labels.append([IGNORED, *tags, IGNORED])
            sentences.append(number)

        for word, tag in zip(row["tokens"], row["label"], strict=True):
            if word not in known:
                known[word] = tokenizer(word, add_special_tokens=False)["input_ids"][:room] or [tokenizer.unk_token_id]
            if len(pieces) + len(known[word]) > room:
                close(pieces, tags)
                pieces, tags = [], []
            pieces = pieces + known[word]
            tags = [*tags, tag, *[IGNORED] * (len(known[word]) - 1)]
        close(pieces, tags)
    flat = np.array(list(itertools.chain.from_iterable(labels)), dtype=np.int64)
    return _flat(ids, flat, np.array(sentences), [row["id"] for row in rows])


def _flat(ids: list[list[int]], labels: np.ndarray, sentences: np.ndarray, names: list[int]) -> dict[str, np.ndarray]:
    starts = np.concatenate([[0], np.cumsum([len(row) for row in ids])]).astype(np.int64)
    pieces = np.fromiter(itertools.chain.from_iterable(ids), dtype=np.int32, count=int(starts[-1]))
    return {"pieces": pieces, "starts": starts, "labels": labels, "sentences": sentences, "ids": np.array(names)}
