"""Examples as pieces: every format's examples become rows of at most so many pieces, encoded once, kept beside the
runs and read by every run that asks for the same. A batch is rows of an `Encoded`, padded."""

import itertools
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch

from xlt_utils.data import build_cache, labelled, loading, perturb
from xlt_utils.data.tasks import Task
from xlt_utils.training import sampling, tokenization

IGNORED = -100  # the label that torch's cross entropy leaves out
WIDTHS = 16  # batches are padded to a multiple of this


@dataclass(frozen=True)
class Encoded:
    """Examples as pieces, one after another: row r is `pieces[starts[r]:starts[r + 1]]`.

    An item is what one prediction is made of: a row or, where examples offer `options`, that many rows. `labels` is
    one an item, for tagging one a piece (IGNORED but on the first piece of a word), for spans `(rows, 2)` with the
    answer's first and last piece in the row (0, 0 where it is not there). `sentences` is the example that each item
    belongs to: an over-long one has several. `offsets (pieces, 2)` are a context's characters under each piece,
    -1 elsewhere. `facts` says what was dropped, where the examples were read and, of a perturbation, the share of the
    words that it can change at all.
    """

    pieces: np.ndarray
    starts: np.ndarray
    labels: np.ndarray
    sentences: np.ndarray
    ids: np.ndarray
    pad: int
    offsets: np.ndarray
    options: int = 1
    facts: dict = field(default_factory=dict)

    def __len__(self) -> int:
        return (len(self.starts) - 1) // self.options

    @property
    def examples(self) -> int:
        return int(self.sentences[-1]) + 1

    def lengths(self) -> np.ndarray:
        """The pieces of each item; of several rows, the longest."""
        return np.diff(self.starts).reshape(len(self), self.options).max(axis=1)

    def rows(self, items: Iterable[int]) -> list[slice]:
        """The places in `pieces` of the rows of some items."""
        rows = [item * self.options + option for item in items for option in range(self.options)]
        return [slice(self.starts[row], self.starts[row + 1]) for row in rows]

    def shuffled(self, seed: int) -> "Encoded":
        """The same examples, their labels given to others: as often as before, and no task is left to learn. A tag goes
        to another word, an answer to another place of its context, as long as it was."""
        random, labels = np.random.default_rng([seed, sampling.LABELS]), self.labels.copy()
        if labels.ndim == 2:
            for row, (first, last) in enumerate(labels):
                inside = np.flatnonzero(self.offsets[self.starts[row] : self.starts[row + 1], 0] >= 0)
                if last:  # 0, 0 stands for no answer here
                    begin = random.integers(inside[0], inside[-1] - (last - first) + 1)
                    labels[row] = begin, begin + last - first
        else:
            given = labels != IGNORED
            labels[given] = random.permutation(labels[given])
        return replace(self, labels=labels)

    def batch(self, items: Sequence[int]) -> dict[str, torch.Tensor]:
        """Items as `input_ids` and `attention_mask (rows, longest)`, with `labels` of the task's shape."""
        spans = self.rows(items)
        longest = max(span.stop - span.start for span in spans)
        # Few distinct widths: each new one makes the device compile its products anew.
        longest += -longest % WIDTHS
        ids = np.full((len(spans), longest), self.pad, dtype=np.int64)
        mask = np.zeros_like(ids)
        for line, span in enumerate(spans):
            ids[line, : span.stop - span.start] = self.pieces[span]
            mask[line, : span.stop - span.start] = 1
        batch = {"input_ids": torch.from_numpy(ids), "attention_mask": torch.from_numpy(mask)}
        if self.labels.ndim == 1 and len(self.labels) == len(self.pieces):
            labels = np.full_like(ids, IGNORED)
            labels[mask.astype(bool)] = np.concatenate([self.labels[span] for span in spans])
        else:
            labels = self.labels[np.asarray(items)] if len(self.labels) else np.zeros(0, dtype=np.int64)
        return batch | {"labels": torch.from_numpy(np.asarray(labels, dtype=np.int64))}


def encode(
    task: Task,
    part: str,
    data: str,
    language: str,
    tokenizer,
    length: int,
    *,
    limit: int | None = None,
    side: str = "",
    perturbation: tuple[str, float] | None = None,
) -> Encoded:
    """The examples of one part of a task in at most `length` pieces a row, encoded once and read afterwards.

    `side` names which of a retrieval task's columns (`text`, `text2`), or of a mining task's sides (`foreign`,
    `english`), is meant; `perturbation` is a kind and a share of the words (perturb.py).
    """

    def build(folder: Path) -> None:
        rows = examples(task, part, data, language, limit=limit, side=side, perturbation=perturbation)
        arrays = _ENCODERS[task.format](rows, tokenizer, length, side)
        arrays = {"labels": np.zeros(0, dtype=np.int64), "offsets": np.zeros((0, 2), dtype=np.int32)} | arrays
        np.savez(folder / "encoded.npz", **arrays, ids=np.array([row["id"] for row in rows]))
        facts = {"dropped": dict(rows.dropped), "read": rows.places}
        if perturbation:
            clean = examples(task, part, data, language, limit=limit, side=side)
            facts["reach"] = round(perturb.reach(clean, perturbation[0]), 4)
        (folder / "facts.json").write_text(json.dumps(facts))

    key = {"data": loading.data_fingerprint(data), "source": repr(getattr(task, part)), "task": task.labels}
    key |= {
        "language": language,
        "tokenizer": tokenization.tokenizer_fingerprint(tokenizer),
        "length": length,
        "limit": limit,
    }
    key |= {"side": side, "perturbation": perturbation}
    folder = build_cache.build_once("encoded", key, build, __name__)
    options = len(task.labels) if task.format == "choice" else 1
    facts = json.loads((folder / "facts.json").read_text())
    with np.load(folder / "encoded.npz") as arrays:
        return Encoded(**arrays, pad=tokenizer.pad_token_id, options=options, facts=facts)


def examples(
    task: Task,
    part: str,
    data: str,
    language: str,
    *,
    limit: int | None = None,
    side: str = "",
    perturbation: tuple[str, float] | None = None,
) -> labelled.Examples:
    """The examples that `encode` encodes: of a mining task one side, perturbed where that is asked for."""
    if task.format == "mining":
        foreign, english, _ = labelled.read_sides(task, part, data, language, limit)
        rows = {"foreign": foreign, "english": english}[side]
    else:
        rows = labelled.read_examples(task, part, data, language, limit)
    if perturbation:
        changed = [perturb.perturb(row, *perturbation, seed=0) for row in rows]
        rows = labelled.Examples(changed, rows.dropped, rows.places)
    return rows


def _texts(rows: list[dict], tokenizer, length: int, side: str) -> dict[str, np.ndarray]:
    """Sentences, or pairs, cut to `length` pieces."""
    columns = [side] if side in ("text", "text2") else [name for name in ("text", "text2") if name in rows[0]]
    ids = tokenizer(*([row[name] for row in rows] for name in columns), truncation=True, max_length=length)["input_ids"]
    labels = np.array([row["label"] for row in rows if "label" in row], dtype=np.int64)
    return _flat(ids, np.arange(len(rows))) | {"labels": labels}


def _choices(rows: list[dict], tokenizer, length: int, side: str) -> dict[str, np.ndarray]:
    """Each option as a pair with the text before it (context and question); the longer of the two is cut."""
    before = [" ".join(filter(None, (row["text"], row.get("text2")))) for row in rows for _ in row["options"]]
    options = [option for row in rows for option in row["options"]]
    ids = tokenizer(before, options, truncation=True, max_length=length)["input_ids"]
    return _flat(ids, np.arange(len(rows))) | {"labels": np.array([row["label"] for row in rows], dtype=np.int64)}


def _words(rows: list[dict], tokenizer, length: int, side: str) -> dict[str, np.ndarray]:
    """Tagged words: the label stands on a word's first piece, and a sentence over `length` pieces goes on in
    another row, so that every word is scored (XTREME's rule)."""
    known: dict[str, list[int]] = {}
    ids, labels, sentences, room = [], [], [], length - 2
    for number, row in enumerate(rows):
        pieces, tags = [], []

        def close(pieces, tags, number=number):
            ids.append([tokenizer.cls_token_id, *pieces, tokenizer.sep_token_id])
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
    return _flat(ids, np.array(sentences)) | {"labels": flat}


def _spans(rows: list[dict], tokenizer, length: int, side: str) -> dict[str, np.ndarray]:
    """Question and context in windows that overlap by a third of the length (128 of 384 pieces); questions are cut
    to a third."""
    questions = [_beginning(row["text"], tokenizer, length // 3) for row in rows]
    found = tokenizer(
        questions,
        [row["context"] for row in rows],
        truncation="only_second",
        max_length=length,
        stride=length // 3,
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
    )
    labels, offsets = [], []
    for window, number in enumerate(found["overflow_to_sample_mapping"]):
        places = [
            pair if sequence == 1 else (-1, -1)
            for pair, sequence in zip(found["offset_mapping"][window], found.sequence_ids(window), strict=True)
        ]
        offsets += places
        labels.append(_answer_pieces(np.array(places), rows[number]["answers"]))
    sentences = np.array(found["overflow_to_sample_mapping"])
    flat = _flat(found["input_ids"], sentences) | {"labels": np.array(labels, dtype=np.int64)}
    return flat | {"offsets": np.array(offsets, dtype=np.int32)}


def _answer_pieces(places: np.ndarray, answers: list[dict]) -> tuple[int, int]:
    """The first and last piece of the first answer in a window of `places` (pieces, 2), or (0, 0) where the window
    does not hold all of it."""
    if not answers:
        return 0, 0
    first, last = answers[0]["start"], answers[0]["start"] + len(answers[0]["text"])
    inside = np.flatnonzero((places[:, 0] >= 0) & (places[:, 1] > first) & (places[:, 0] < last))
    held = places[places[:, 0] >= 0]
    whole = len(inside) and held[0, 0] <= first and held[-1, 1] >= last
    return (int(inside[0]), int(inside[-1])) if whole else (0, 0)


def _beginning(text: str, tokenizer, pieces: int) -> str:
    """A text cut after so many pieces."""
    ends = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
    return text if len(ends) <= pieces else text[: ends[pieces - 1][1]]


def _flat(ids: list[list[int]], sentences: np.ndarray) -> dict[str, np.ndarray]:
    starts = np.concatenate([[0], np.cumsum([len(row) for row in ids])]).astype(np.int64)
    pieces = np.fromiter(itertools.chain.from_iterable(ids), dtype=np.int32, count=int(starts[-1]))
    return {"pieces": pieces, "starts": starts, "sentences": sentences}


_ENCODERS: dict[str, Callable[..., dict[str, np.ndarray]]] = {
    "classification": _texts,
    "choice": _choices,
    "tagging": _words,
    "span": _spans,
    "retrieval": _texts,
    "mining": _texts,
}
