"""What an intermediate arm trains on: one task or several, in English or in other languages, with masked-LM steps
beside them or instead of them. Each step belongs to one part of the mixture, and the parts take turns so that every
prefix of the steps holds their shares: a small rung is the beginning of a large one."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from xlt_utils.data import labelled
from xlt_utils.data.tasks import Task
from xlt_utils.training import batches, costs, encoding
from xlt_utils.training.batches import BatchAt
from xlt_utils.training.corpus import Corpus
from xlt_utils.training.encoding import Encoded

MLM = "mlm"


@dataclass(frozen=True)
class Part:
    """A task's examples in one language, under the head of the task."""

    task: Task
    language: str
    encoded: Encoded

    @property
    def name(self) -> str:
        return self.task.name if self.language == "en" else f"{self.task.name}.{self.language}"


@dataclass(frozen=True)
class Mixture:
    """The parts of an arm and the share of the steps that each has; `shares` of the task parts, then that of masked-LM
    steps."""

    parts: tuple[Part, ...]
    shares: np.ndarray
    text: Corpus | None
    mask_rate: float

    @property
    def tasks(self) -> list[Task]:
        """The tasks, each once."""
        return list({part.task.name: part.task for part in self.parts}.values())

    @property
    def names(self) -> list[str]:
        return [*(part.name for part in self.parts), MLM]

    def batches(self, seed: int, examples: int, batch: int, steps: int) -> BatchAt:
        """The function from a step (below `steps`) to its batch of one part. A part's examples are the first of the
        seed's order that `examples` in all ask of it, seen again in another order where there are more steps."""
        turns, needed = interleave(self.shares, steps), examples_needed(self.shares, examples, batch)
        before = [np.cumsum(turns == number) for number in range(len(self.shares))]
        ats: list[BatchAt | None] = []
        for number, part in enumerate(self.parts):
            rows = _one_each(part.encoded, batches.subset(part.encoded, seed, needed[number], stream=number))
            ats.append(batches.epoch_batches(part.encoded, rows, batch, seed))
        if self.text:
            ats.append(self.text.batches(seed, int(before[-1][-1]), batch, self.mask_rate, unique=needed[-1]))

        def at(step: int) -> dict:
            turn = int(turns[step])
            head = self.parts[turn].task.name if turn < len(self.parts) else MLM
            return ats[turn](int(before[turn][step]) - 1) | {"part": head}

        return at

    def facts(self, examples: int, batch: int, steps: int) -> dict[str, dict]:
        """What a record says of each part: the examples there, its share, those of this rung, those shown."""
        there = [*(part.encoded.examples for part in self.parts), int(self.text.available.sum()) if self.text else 0]
        shown = np.bincount(interleave(self.shares, steps), minlength=len(self.shares)) * batch
        read = [*(part.encoded.facts for part in self.parts), {}]
        rows = zip(
            self.names, there, self.shares, examples_needed(self.shares, examples, batch), shown, read, strict=True
        )
        return {
            name: {"there": held, "share": round(float(share), 4), "unique": needed, "seen": int(seen)} | facts
            for name, held, share, needed, seen, facts in rows
            if share
        }

    def spent(self, config, batch: int, steps: int, begun: int) -> dict[str, float]:
        """The cost of the steps from `begun` on."""
        own = np.bincount(interleave(self.shares, steps)[begun:], minlength=len(self.shares)).tolist()
        found = [
            costs.example_cost(config, part.encoded, np.arange(len(part.encoded)), number, batch)
            for part, number in zip(self.parts, own[:-1], strict=True)
        ]
        if self.text:
            found.append(costs.text_cost(config, self.text.length, own[-1], batch, self.mask_rate))
        return costs.total_cost(found)


def load_mixture(
    tasks: Sequence[str],
    languages: Sequence[str],
    data: str,
    tokenizer,
    *,
    seed: int,
    lengths: dict[str, int],
    labels: str,
    sampling: dict,
    mlm_share: float,
    text: Corpus | None,
    mask_rate: float,
) -> Mixture:
    """The mixture of an arm: each task in each of the languages, at most `lengths[task]` pieces an example. With
    `labels` `shuffled` every task's labels go to other examples, once for all rungs."""
    parts = []
    for name in tasks:
        task = labelled.complete_task(name, data)
        for language in languages:
            part = "train" if language == "en" else "translated"
            encoded = encoding.encode(task, part, data, language, tokenizer, lengths[name])
            parts.append(Part(task, language, encoded.shuffled(seed) if labels == "shuffled" else encoded))
    shares = sampling_shares([part.encoded.examples for part in parts], **sampling) * (1 - mlm_share)
    return Mixture(tuple(parts), np.array([*shares, mlm_share]), text, mask_rate)


def _one_each(encoded: Encoded, rows: np.ndarray) -> np.ndarray:
    """One row of each example, in the examples' order: of a context's windows the first that holds the answer, of a
    sentence in parts the first. I counts examples, and most windows of a long context would teach that there is no
    answer (Fisch et al. 2019, arXiv 1910.09753, drop those too)."""
    examples = encoded.sentences[rows]
    group = np.cumsum(np.r_[0, examples[1:] != examples[:-1]])
    empty = encoded.labels[rows, 1] == 0 if encoded.labels.ndim == 2 else np.zeros(len(rows), dtype=bool)
    best = np.lexsort((empty, group))
    return rows[best[np.unique(group[best], return_index=True)[1]]]


def sampling_shares(sizes: Sequence[int], kind: str, cap: int | None, temperature: float) -> np.ndarray:
    """The shares of data sets of these sizes: in proportion to them, none counted as more than `cap`
    (`proportional`), the same raised to 1 / temperature (`temperature`), or all alike (`uniform`). The kinds of Raffel
    et al. (2020, §3.5.2)."""
    held = np.minimum(np.array(sizes, dtype=float), cap or np.inf)
    weights = held ** {"proportional": 1.0, "temperature": 1 / temperature, "uniform": 0.0}[kind]
    return weights / weights.sum() if len(weights) else weights


def interleave(shares: np.ndarray, steps: int) -> np.ndarray:
    """The part of each step: of those that are behind their share the one whose turn must come first, so that every
    prefix is within one step of each share (Tijdeman 1980, *The chairman assignment problem*)."""
    turns, given = np.empty(steps, dtype=np.int64), np.zeros(len(shares))
    slack = 1 / max(1, 2 * np.count_nonzero(shares) - 2)
    rates = np.maximum(shares, 1e-12)
    for step in range(steps):
        behind = shares * (step + 1) - given
        ready = (behind > slack - 1e-9) & (shares > 0)
        turns[step] = np.argmin(np.where(ready, (1 - slack - behind) / rates, np.inf))
        given[turns[step]] += 1
    return turns


def examples_needed(shares: np.ndarray, examples: int, batch: int) -> list[int]:
    """The examples that each part gives to so many in all, masked-LM sequences counted as examples."""
    return (np.bincount(interleave(shares, examples // batch), minlength=len(shares)) * batch).tolist()
