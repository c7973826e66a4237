"""The pretraining text of a study: its vocabulary, its pieces on disk, and masked sequences of them as a pure function
of (seed, step). Text is encoded once, kept beside the runs and memory-mapped: however much there is, memory holds the
sequences of a step."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from xlt_utils.data import build_cache, decontaminate, loading
from xlt_utils.training import sampling, tokenization
from xlt_utils.training.encoding import IGNORED

HELD_OUT = 32  # sequences a language that are never trained on: the validation loss is theirs


class Corpus:
    """The text of some languages, encoded and cut into sequences of `length` pieces.

    A sequence is `<s>` and the next pieces of its language's stream, in which `</s>` ends each line. The
    last HELD_OUT sequences of a language are for validation. Sequences of a language are drawn with probability in
    proportion to (its share of the sequences) ** exponent, each at most once. `contaminated` counts the lines of each
    language that were left out because a test holds them.
    """

    def __init__(self, data: str, languages: Sequence[str], tokenizer, length: int, exponent: float):
        self.languages, self.length, self.tokenizer = list(languages), length, tokenizer
        self.ordinary = np.setdiff1d(np.arange(len(tokenizer)), tokenizer.all_special_ids)
        streams = [_stream(data, language, self.tokenizer) for language in languages]
        self.contaminated = {language: dropped for language, (_, dropped) in zip(languages, streams, strict=True)}
        self.sequences = [
            pieces[: len(pieces) // (length - 1) * (length - 1)].reshape(-1, length - 1) for pieces, _ in streams
        ]
        self.available = np.array([len(rows) - HELD_OUT for rows in self.sequences], dtype=np.int64)
        for language, rows in zip(languages, self.available, strict=True):
            if rows < 1:
                raise loading.DataError(
                    f"the text of {language!r} fills no {HELD_OUT + 1} sequences of {length} pieces"
                )
        weights = self.available**exponent
        self.shares = weights / weights.sum()

    def draw(self, seed: int, count: int) -> sampling.LanguageSampler:
        """The languages of the first `count` sequences of the seed's order. A longer draw begins with the shorter one.
        Raises DataError where a language has too little text to give each sequence only once."""
        drawn = sampling.LanguageSampler(self.shares, seed, count)
        for language, needed, available in zip(self.languages, drawn.counts, self.available, strict=True):
            if needed > available:
                raise loading.DataError(
                    f"{count * self.length:,} tokens need {needed * self.length:,} of {language!r}, "
                    f"whose text has {available * self.length:,}: take a smaller rung, more text or a larger exponent"
                )
        return drawn

    def batches(self, seed: int, steps: int, batch: int, mask_rate: float, *, unique: int | None = None):
        """The function from a step (below `steps`) to its masked batch. Every sequence is seen once or, where only
        the first `unique` of the order are given, again and again, in another order and under another mask each
        time."""
        unique = steps * batch if unique is None else unique
        drawn = self.draw(seed, unique)
        shuffled = [sampling.Permutation(n, [seed, sampling.SHUFFLE, kind]) for kind, n in enumerate(self.available)]

        def at(step: int) -> dict[str, torch.Tensor]:
            places = np.arange(step * batch, (step + 1) * batch)
            rounds, places = places // unique, places % unique
            for again in np.unique(rounds[rounds > 0]):
                mine = rounds == again
                places[mine] = sampling.Permutation(unique, [seed, sampling.AGAIN, again])(places[mine])
            kinds, ranks = drawn(places)
            rows = [self.sequences[kind][shuffled[kind](ranks[[i]])[0]] for i, kind in enumerate(kinds)]
            return self.mask(np.stack(rows), mask_rate, np.random.default_rng([seed, sampling.MASK, step]))

        return at

    def validation(self, language: str, mask_rate: float) -> dict[str, torch.Tensor]:
        """The held-out sequences of a language under one fixed mask."""
        index = self.languages.index(language)
        return self.mask(self.sequences[index][-HELD_OUT:], mask_rate, np.random.default_rng([0, sampling.MASK, index]))

    def mask(self, rows: np.ndarray, rate: float, random: np.random.Generator) -> dict[str, torch.Tensor]:
        """Hide pieces as BERT does (Devlin et al. 2019, §3.1): of those chosen 80 % become `<mask>`, 10 % another
        piece, 10 % stay. Takes `(batch, length - 1)` pieces; gives `input_ids` and, IGNORED where nothing is
        hidden, `labels`, both `(batch, length)`."""
        ids = np.concatenate([np.full((len(rows), 1), self.tokenizer.cls_token_id), rows], axis=1).astype(np.int64)
        special = np.isin(ids, self.tokenizer.all_special_ids)
        chosen = (random.random(ids.shape) < rate) & ~special
        labels = np.where(chosen, ids, IGNORED)
        fate = random.random(int(chosen.sum()))
        others = self.ordinary[random.integers(len(self.ordinary), size=len(fate))]
        ids[chosen] = np.where(fate < 0.8, self.tokenizer.mask_token_id, np.where(fate < 0.9, others, ids[chosen]))
        return {"input_ids": torch.from_numpy(ids), "labels": torch.from_numpy(labels)}

    def tokens(self) -> dict[str, int]:
        """The tokens that each language has for training."""
        return dict(zip(self.languages, (self.available * self.length).tolist(), strict=True))

    def counts(self, seed: int, sequences: int) -> dict[str, int]:
        """The tokens of each language among the first `sequences` of the seed's order."""
        tokens = self.draw(seed, sequences).counts * self.length
        return dict(zip(self.languages, tokens.tolist(), strict=True))


def _stream(data: str, language: str, tokenizer) -> tuple[np.ndarray, int]:
    """All pieces of a language's text on disk, `</s>` after each line, memory-mapped; and the number of lines left
    out since a test holds them."""

    def build(half: Path) -> None:
        dropped = 0
        with open(half / "pieces.bin", "wb") as file:
            for lines, contaminated in decontaminate.clean_text(data, language):
                dropped += contaminated
                for ids in tokenizer(lines, add_special_tokens=False)["input_ids"] if lines else ():
                    np.array([*ids, tokenizer.sep_token_id], dtype=np.int32).tofile(file)
        (half / "dropped.json").write_text(json.dumps(dropped))

    key = {
        "data": loading.data_fingerprint(data),
        "language": language,
        "tokenizer": tokenization.tokenizer_fingerprint(tokenizer),
    }
    folder = build_cache.build_once("text", key, build, __name__)
    dropped = json.loads((folder / "dropped.json").read_text())
    return np.memmap(folder / "pieces.bin", dtype=np.int32, mode="r"), dropped
