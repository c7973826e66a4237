"""The pretraining text of a study. In go the text of some languages and a tokenizer; out come masked sequences of
tokens, as a pure function of (seed, step). Text is encoded once and memory-mapped: however much text there is, memory
holds the sequences of a step."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from transformers import PreTrainedTokenizerFast

from xlt_utils.data import build_cache, decontaminate, loading
from xlt_utils.training import sampling, tokenization
from xlt_utils.training.batches import BatchAt
from xlt_utils.training.encoding import IGNORED

HELD_OUT = 32  # sequences of each language that are never trained on: they measure the validation loss


class Corpus:
    """The text of some languages, encoded and cut into sequences of `length` tokens.

    A sequence is `<s>` and the next tokens of its language's stream, in which `</s>` ends each line. The last HELD_OUT
    sequences of a language are for validation. Training sequences of a language are drawn with probability in
    proportion to (its share of the sequences) ** `exponent`, each at most once. `contaminated` counts the lines (of
    documents: the sentences) of each language that were left out since a test holds them, `tests_compared` the tests.

    Raises:
        DataError: a language has no more text than validation takes.
    """

    def __init__(
        self, data: str, languages: Sequence[str], tokenizer: PreTrainedTokenizerFast, length: int, exponent: float
    ):
        self.languages, self.length, self.tokenizer = list(languages), length, tokenizer
        self.ordinary_tokens = np.setdiff1d(np.arange(len(tokenizer)), tokenizer.all_special_ids)
        self.contaminated: dict[str, int] = {}
        self.tests_compared = decontaminate.tests_compared(data) if languages else {}
        self.sequences: list[np.ndarray] = []  # of each language (sequences, length - 1): all but `<s>`
        for language in languages:
            stream, self.contaminated[language] = _token_stream(data, language, tokenizer)
            self.sequences.append(stream[: len(stream) // (length - 1) * (length - 1)].reshape(-1, length - 1))
        self.available = np.array([len(rows) - HELD_OUT for rows in self.sequences], dtype=np.int64)
        for language, available in zip(languages, self.available, strict=True):
            if available < 1:
                raise loading.DataError(
                    f"the text of {language!r} fills no {HELD_OUT + 1} sequences of {length} tokens"
                )
        weights = self.available**exponent
        self.shares = weights / weights.sum()

    def language_sampler(self, seed: int, count: int) -> sampling.LanguageSampler:
        """The languages of the first `count` sequences of the seed's order; a longer order begins with the shorter.
        Raises DataError if a language has too little text to give each sequence only once."""
        sampler = sampling.LanguageSampler(self.shares, seed, count)
        for language, needed, available in zip(self.languages, sampler.counts, self.available, strict=True):
            if needed > available:
                raise loading.DataError(
                    f"{count * self.length:,} tokens need {needed * self.length:,} of {language!r}, "
                    f"whose text has {available * self.length:,}: take a smaller rung, more text or a larger exponent"
                )
        return sampler

    def batches(self, seed: int, steps: int, batch: int, mask_rate: float, *, unique: int | None = None) -> BatchAt:
        """The function from a step (below `steps`) to its masked batch of `batch` sequences.

        Every sequence is seen once. If `unique` is given, the first `unique` sequences of the order are seen again and
        again, in another order and under another mask each time.
        """
        unique = steps * batch if unique is None else unique
        sampler = self.language_sampler(seed, unique)
        rows_of = self._reader(seed)

        def batch_at(step: int) -> dict[str, torch.Tensor]:
            positions = np.arange(step * batch, (step + 1) * batch)
            rounds, positions = positions // unique, positions % unique
            for number in np.unique(rounds[rounds > 0]):
                in_round = rounds == number
                order = sampling.Permutation(unique, [seed, sampling.REPEAT, number])
                positions[in_round] = order(positions[in_round])
            rows = rows_of(*sampler(positions))
            return self.mask_tokens(rows, mask_rate, np.random.default_rng([seed, sampling.MASK, step]))

        return batch_at

    def batches_from_the_end(self, seed: int, steps: int, batch: int, mask_rate: float) -> BatchAt:
        """As `batches`, but each language's sequences come from the end of the seed's order: a rung meets none of
        them before it has used up nearly all text. A language of which more is drawn than it has begins again."""
        sampler = sampling.LanguageSampler(self.shares, seed, steps * batch)
        rows_of = self._reader(seed)

        def batch_at(step: int) -> dict[str, torch.Tensor]:
            languages, ranks = sampler(np.arange(step * batch, (step + 1) * batch))
            rows = rows_of(languages, self.available[languages] - 1 - ranks % self.available[languages])
            return self.mask_tokens(rows, mask_rate, np.random.default_rng([seed, sampling.HEAD_MASK, step]))

        return batch_at

    def tokens_of_both_ends(self, seed: int, sequences: int, from_the_end: int) -> int:
        """The tokens that are among the first `sequences` of the seed's order and among those that
        `batches_from_the_end` draws, too."""
        first, last = (sampling.LanguageSampler(self.shares, seed, count).counts for count in (sequences, from_the_end))
        return int(np.maximum(0, np.minimum(last, self.available) + first - self.available).sum()) * self.length

    def _reader(self, seed: int) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
        """The function from languages and ranks in the seed's order of each to the sequences."""
        shuffles = [sampling.Permutation(n, [seed, sampling.SHUFFLE, index]) for index, n in enumerate(self.available)]

        def rows_of(languages: np.ndarray, ranks: np.ndarray) -> np.ndarray:
            return np.stack(
                [self.sequences[index][shuffles[index](ranks[[i]])[0]] for i, index in enumerate(languages)]
            )

        return rows_of

    def validation_batch(self, language: str, mask_rate: float) -> dict[str, torch.Tensor]:
        """The held-out sequences of a language under one fixed mask."""
        index = self.languages.index(language)
        random = np.random.default_rng([0, sampling.MASK, index])
        return self.mask_tokens(self.sequences[index][-HELD_OUT:], mask_rate, random)

    def mask_tokens(self, rows: np.ndarray, rate: float, random: np.random.Generator) -> dict[str, torch.Tensor]:
        """Hide tokens as BERT does (Devlin et al. 2019, §3.1): of those chosen 80 % become `<mask>`, 10 % another
        token, 10 % stay.

        Args:
            rows: token ids `(batch, length - 1)`, without `<s>`.
            rate: the share of the tokens that are chosen; special tokens never are.
            random: decides which.

        Returns:
            `input_ids` and `labels`, both `(batch, length)`; `labels` are IGNORED where nothing is hidden.
        """
        first = np.full((len(rows), 1), tokenization.first_token(self.tokenizer))
        ids = np.concatenate([first, rows], axis=1).astype(np.int64)
        special = np.isin(ids, self.tokenizer.all_special_ids)
        chosen = (random.random(ids.shape) < rate) & ~special
        labels = np.where(chosen, ids, IGNORED)
        fate = random.random(int(chosen.sum()))
        others = self.ordinary_tokens[random.integers(len(self.ordinary_tokens), size=len(fate))]
        ids[chosen] = np.where(fate < 0.8, self.tokenizer.mask_token_id, np.where(fate < 0.9, others, ids[chosen]))
        return {"input_ids": torch.from_numpy(ids), "labels": torch.from_numpy(labels)}

    def tokens_available(self) -> dict[str, int]:
        """The tokens that each language has for training."""
        return dict(zip(self.languages, (self.available * self.length).tolist(), strict=True))

    def tokens_drawn(self, seed: int, sequences: int) -> dict[str, int]:
        """The tokens of each language among the first `sequences` of the seed's order."""
        tokens = self.language_sampler(seed, sequences).counts * self.length
        return dict(zip(self.languages, tokens.tolist(), strict=True))


def _token_stream(data: str, language: str, tokenizer: PreTrainedTokenizerFast) -> tuple[np.ndarray, int]:
    """All tokens of a language's text, `</s>` after each line, memory-mapped; and the number of contaminated lines."""

    def build(folder: Path) -> None:
        dropped, end = 0, tokenization.last_token(tokenizer)
        with open(folder / "tokens.bin", "wb") as file:
            for lines, contaminated in decontaminate.clean_text(data, language):
                dropped += contaminated
                for ids in tokenizer(lines, add_special_tokens=False)["input_ids"] if lines else ():
                    np.array([*ids, end], dtype=np.int32).tofile(file)
        (folder / "dropped.json").write_text(json.dumps(dropped))

    key = {
        "data": loading.data_fingerprint(data, decontaminate.text_reads()),
        "language": language,
        "tokenizer": tokenization.tokenizer_fingerprint(tokenizer),
    }
    folder = build_cache.build_once("text", key, build, __name__)
    dropped = json.loads((folder / "dropped.json").read_text())
    return np.memmap(folder / "tokens.bin", dtype=np.int32, mode="r"), dropped
