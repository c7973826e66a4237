"""Examples as tokens: in goes a split, out comes an `Encoded`, rows of bounded length for every format. Each split is
encoded once, cached beside the runs, and read by every run that needs it. A batch is rows of an `Encoded`, padded."""

import itertools
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedTokenizerFast

from xlt_utils.data import build_cache, labelled, loading, perturb
from xlt_utils.data.labelled import Examples, SplitRef
from xlt_utils.training import sampling, tokenization

IGNORED = -100  # the label that torch's cross entropy leaves out
WIDTHS = 16  # batches are padded to a multiple of this


@dataclass(frozen=True)
class Encoded:
    """Examples as tokens, in one array: row r is `tokens[starts[r]:starts[r + 1]]`.

    An item is what one prediction is made for: a row or, where examples have options, so many rows.

    Attributes:
        tokens: `(tokens,)` ids of all rows.
        starts: `(rows + 1,)` where each row begins.
        labels: one an item; for tagging one a token (IGNORED except on the first token of a word); for spans
            `(rows, 2)`, the answer's first and last token in the row (0, 0 where it is not in the row).
        sentences: the example that each item belongs to; a long one has several items.
        ids: the id of each example.
        pad: the id of the padding token.
        offsets: `(tokens, 2)` of spans: a context's characters under each token, -1 elsewhere.
        segments: `(tokens,)` 0 and 1 where the tokenizer tells a pair's first text from its second; empty otherwise.
        options: rows of an item.
        facts: what was dropped, where the examples were read and, of a perturbation, the share of the words that it
            can change at all.
    """

    tokens: np.ndarray
    starts: np.ndarray
    labels: np.ndarray
    sentences: np.ndarray
    ids: np.ndarray
    pad: int
    offsets: np.ndarray
    segments: np.ndarray
    options: int = 1
    facts: dict = field(default_factory=dict)

    def __len__(self) -> int:
        return (len(self.starts) - 1) // self.options

    @property
    def examples(self) -> int:
        return int(self.sentences[-1]) + 1

    def lengths(self) -> np.ndarray:
        """The tokens of each item; of several rows, the longest."""
        return np.diff(self.starts).reshape(len(self), self.options).max(axis=1)

    def rows(self, items: Iterable[int]) -> list[slice]:
        """The places in `tokens` of the rows of some items."""
        rows = [item * self.options + option for item in items for option in range(self.options)]
        return [slice(self.starts[row], self.starts[row + 1]) for row in rows]

    def vocabulary(self, items: Iterable[int] | None = None) -> np.ndarray:
        """The ids that batches of some items (all by default) hold, sorted, each once."""
        tokens = self.tokens if items is None else np.concatenate([self.tokens[row] for row in self.rows(items)])
        return np.union1d(tokens, self.pad)

    def shuffled(self, seed: int) -> "Encoded":
        """The same examples with permuted labels: each label as often as before, and no task is left to learn. A tag
        goes to another word, an answer to another place of its context, with the same length."""
        rng, labels = np.random.default_rng([seed, sampling.LABELS]), self.labels.copy()
        if labels.ndim == 2:
            for row, (first, last) in enumerate(labels):
                inside = np.flatnonzero(self.offsets[self.starts[row] : self.starts[row + 1], 0] >= 0)
                if last:  # (0, 0): no answer in this row
                    begin = rng.integers(inside[0], inside[-1] - (last - first) + 1)
                    labels[row] = begin, begin + last - first
        else:
            is_label = labels != IGNORED
            labels[is_label] = rng.permutation(labels[is_label])
        return replace(self, labels=labels)

    def batch(self, items: Sequence[int]) -> dict[str, torch.Tensor]:
        """Items as `input_ids`, `attention_mask` and, of pairs that tell, `token_type_ids`, all `(rows, time)`, with
        `labels` of the task's shape."""
        spans = self.rows(items)
        longest = max(span.stop - span.start for span in spans)
        # Few distinct widths: for each new one the device compiles its products again.
        longest += -longest % WIDTHS
        ids = np.full((len(spans), longest), self.pad, dtype=np.int64)
        mask = np.zeros_like(ids)
        for line, span in enumerate(spans):
            ids[line, : span.stop - span.start] = self.tokens[span]
            mask[line, : span.stop - span.start] = 1
        batch = {"input_ids": torch.from_numpy(ids), "attention_mask": torch.from_numpy(mask)}
        if len(self.segments):
            segments = np.zeros_like(ids)
            segments[mask.astype(bool)] = np.concatenate([self.segments[span] for span in spans])
            batch["token_type_ids"] = torch.from_numpy(segments)
        if self.labels.ndim == 1 and len(self.labels) == len(self.tokens):
            labels = np.full_like(ids, IGNORED)
            labels[mask.astype(bool)] = np.concatenate([self.labels[span] for span in spans])
        else:
            labels = self.labels[np.asarray(items)] if len(self.labels) else np.zeros(0, dtype=np.int64)
        return batch | {"labels": torch.from_numpy(np.asarray(labels, dtype=np.int64))}


def encode(split: SplitRef, tokenizer: PreTrainedTokenizerFast, length: int) -> Encoded:
    """The examples of a split in rows of at most `length` tokens, encoded by the first caller and cached.

    Raises what `labelled.read_examples` raises.
    """

    def build(folder: Path) -> None:
        rows = labelled.read_examples(split)
        arrays: dict[str, np.ndarray] = {"labels": np.zeros(0, np.int64), "offsets": np.zeros((0, 2), np.int32)}
        arrays["segments"] = np.zeros(0, np.int8)
        arrays |= _ENCODERS[split.task.format](rows, tokenizer, length, split.side)
        arrays["ids"] = np.array([row["id"] for row in rows])
        np.savez(folder / "encoded.npz", allow_pickle=False, **arrays)
        facts: dict[str, Any] = {"dropped": dict(rows.dropped), "read": rows.places}
        if split.perturbation:
            clean = labelled.read_examples(replace(split, perturbation=None))
            facts["reach"] = round(perturb.reachable_share(clean, split.perturbation[0]), 4)
        (folder / "facts.json").write_text(json.dumps(facts))

    key = {
        "data": loading.data_fingerprint(split.data, frozenset(source.dataset for source in split.all_sources)),
        "source": repr(split.sources),
        "task": split.task.labels,
        "language": split.language,
        "tokenizer": tokenization.tokenizer_fingerprint(tokenizer),
        "length": length,
        "limit": [split.limit, split.seed] if split.limit else None,
        "side": split.side,
        "perturbation": split.perturbation,
    }
    folder = build_cache.build_once("encoded", key, build, __name__)
    options = len(split.task.labels) if split.task.format == "choice" else 1
    facts = json.loads((folder / "facts.json").read_text())
    with np.load(folder / "encoded.npz") as arrays:
        return Encoded(**arrays, pad=tokenizer.pad_token_id, options=options, facts=facts)


def _texts(rows: Examples, tokenizer, length: int, side: str) -> dict[str, np.ndarray]:
    """Sentences, or pairs, cut to `length` tokens."""
    columns = [side] if side in ("text", "text2") else [name for name in ("text", "text2") if name in rows[0]]
    encoded = tokenizer(*([row[name] for row in rows] for name in columns), truncation=True, max_length=length)
    labels = np.array([row["label"] for row in rows if "label" in row], dtype=np.int64)
    return _flat(encoded, np.arange(len(rows))) | {"labels": labels}


def _choices(rows: Examples, tokenizer, length: int, side: str) -> dict[str, np.ndarray]:
    """Each option as a pair with the text before it (context and question); the longer of the two is cut."""
    texts = [" ".join(filter(None, (row["text"], row.get("text2")))) for row in rows for _ in row["options"]]
    options = [option for row in rows for option in row["options"]]
    encoded = tokenizer(texts, options, truncation=True, max_length=length)
    return _flat(encoded, np.arange(len(rows))) | {"labels": np.array([row["label"] for row in rows], dtype=np.int64)}


def _words(rows: Examples, tokenizer, length: int, side: str) -> dict[str, np.ndarray]:
    """Tagged words: the label is on a word's first token, and a sentence over `length` tokens continues in another
    row, so that every word is scored (XTREME's rule). Byte-level tokens hold the space before a word, so there each
    word but the first has one."""
    space = " " if "ByteLevel" in str(tokenizer.backend_tokenizer.pre_tokenizer) else ""
    tokens_of: dict[str, list[int]] = {}
    ids: list[list[int]] = []
    labels: list[list[int]] = []
    sentences, room = [], length - 2
    first, last = tokenization.first_token(tokenizer), tokenization.last_token(tokenizer)
    for number, row in enumerate(rows):
        # The sentence's rows, each its tokens and their labels
        parts: list[tuple[list[int], list[int]]] = [([], [])]
        for place, (word, tag) in enumerate(zip(row["tokens"], row["label"], strict=True)):
            word = space + word if place else word
            if word not in tokens_of:
                tokens = tokenizer(word, add_special_tokens=False)["input_ids"][:room]
                tokens_of[word] = tokens or [tokenizer.unk_token_id]
            if len(parts[-1][0]) + len(tokens_of[word]) > room:
                parts.append(([], []))
            parts[-1][0].extend(tokens_of[word])
            parts[-1][1].extend([tag, *[IGNORED] * (len(tokens_of[word]) - 1)])
        for tokens, tags in parts:
            ids.append([first, *tokens, last])
            labels.append([IGNORED, *tags, IGNORED])
            sentences.append(number)
    flat = np.array(list(itertools.chain.from_iterable(labels)), dtype=np.int64)
    return _flat({"input_ids": ids}, np.array(sentences)) | {"labels": flat}


def _spans(rows: Examples, tokenizer, length: int, side: str) -> dict[str, np.ndarray]:
    """Question and context in windows that overlap by a third of the length (128 of 384 tokens); questions are cut
    to a third."""
    questions = [_beginning(row["text"], tokenizer, length // 3) for row in rows]
    windows = tokenizer(
        questions,
        [row["context"] for row in rows],
        truncation="only_second",
        max_length=length,
        stride=length // 3,
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
    )
    sentences = windows["overflow_to_sample_mapping"]
    labels, offsets = [], []
    for window, number in enumerate(sentences):
        in_context = [
            pair if sequence == 1 else (-1, -1)
            for pair, sequence in zip(windows["offset_mapping"][window], windows.sequence_ids(window), strict=True)
        ]
        offsets += in_context
        labels.append(_answer_tokens(np.array(in_context), rows[number]["answers"]))
    flat = _flat(windows, np.array(sentences)) | {"labels": np.array(labels, dtype=np.int64)}
    return flat | {"offsets": np.array(offsets, dtype=np.int32)}


def _answer_tokens(offsets: np.ndarray, answers: list[dict]) -> tuple[int, int]:
    """The first and last token of the first answer in a window with these `offsets (tokens, 2)`, or (0, 0) where the
    window does not have all of it. White space at its ends does not count: no token of some tokenizers covers it."""
    if not answers:
        return 0, 0
    text = answers[0]["text"]
    start = answers[0]["start"] + len(text) - len(text.lstrip())
    stop = start + len(text.strip())
    is_context = offsets[:, 0] >= 0
    inside = np.flatnonzero(is_context & (offsets[:, 1] > start) & (offsets[:, 0] < stop))
    context = offsets[is_context]
    is_whole = len(inside) and context[0, 0] <= start and context[-1, 1] >= stop
    return (int(inside[0]), int(inside[-1])) if is_whole else (0, 0)


def _beginning(text: str, tokenizer, tokens: int) -> str:
    """A text cut after so many tokens."""
    offsets = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
    return text if len(offsets) <= tokens else text[: offsets[tokens - 1][1]]


def _flat(encoded: Mapping[str, Any], sentences: np.ndarray) -> dict[str, np.ndarray]:
    """The rows of a tokenizer's answer in one array, and their segments where they tell one text from another."""
    ids = encoded["input_ids"]
    starts = np.concatenate([[0], np.cumsum([len(row) for row in ids])]).astype(np.int64)

    def joined(rows: list[list[int]], dtype: type) -> np.ndarray:
        return np.fromiter(itertools.chain.from_iterable(rows), dtype=dtype, count=int(starts[-1]))

    flat = {"tokens": joined(ids, np.int32), "starts": starts, "sentences": sentences}
    segments = joined(encoded["token_type_ids"], np.int8) if "token_type_ids" in encoded else np.zeros(0, np.int8)
    return flat | ({"segments": segments} if segments.any() else {})


_ENCODERS: dict[str, Callable[..., dict[str, np.ndarray]]] = {
    "classification": _texts,
    "choice": _choices,
    "tagging": _words,
    "span": _spans,
    "retrieval": _texts,
    "mining": _texts,
}
