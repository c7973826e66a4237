"""What an intermediate arm trains on: one task or several, in English or in other languages, with masked-LM steps
beside them or instead of them. In go the arm's tasks, languages and shares; out comes a function from a step to its
batch. The parts take turns so that every prefix of the steps holds their shares: a small rung begins a large one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from transformers import PreTrainedTokenizerFast

from xlt_utils.data import labelled
from xlt_utils.data.labelled import SplitRef
from xlt_utils.data.tasks import Task
from xlt_utils.training import batches, costs, encoding
from xlt_utils.training.batches import BatchAt
from xlt_utils.training.corpus import Corpus
from xlt_utils.training.encoding import Encoded

MLM = "mlm"


@dataclass(frozen=True)
class TaskPart:
    """A task's examples in one language; the parts of one task share its head."""

    task: Task
    language: str
    encoded: Encoded

    @property
    def name(self) -> str:
        return self.task.name if self.language == "en" else f"{self.task.name}.{self.language}"


@dataclass(frozen=True)
class MaskedLMSteps:
    """The masked-LM steps of a mixture: their share of all steps, their text, and the share of its tokens to hide."""

    share: float
    text: Corpus
    mask_rate: float


@dataclass(frozen=True)
class Mixture:
    """The parts of an arm, the share of the steps that each task part has, and the masked-LM steps, if any."""

    parts: tuple[TaskPart, ...]
    task_shares: np.ndarray
    masked_lm: MaskedLMSteps | None

    @property
    def tasks(self) -> list[Task]:
        """The tasks, each once."""
        return list({part.task.name: part.task for part in self.parts}.values())

    @property
    def names(self) -> list[str]:
        """The parts' names, then that of masked-LM steps."""
        return [*(part.name for part in self.parts), MLM]

    @property
    def shares(self) -> np.ndarray:
        """The share of the steps that each part has, then that of masked-LM steps."""
        return np.array([*self.task_shares, self.masked_lm.share if self.masked_lm else 0.0])

    @property
    def tokens(self) -> np.ndarray | None:
        """The ids in the examples of any rung, sorted; None with masked-LM steps, whose head reads all."""
        return None if self.masked_lm else np.unique(np.concatenate([p.encoded.vocabulary() for p in self.parts]))

    def batches(self, seed: int, examples: int, batch: int, steps: int) -> BatchAt:
        """The function from a step to its batch, of one part.

        Args:
            seed: decides each part's order of examples.
            examples: of this rung, over all parts. A part gives the first of its order, and gives them again in
                another order if there are more steps.
            batch: examples a step.
            steps: the number of steps.
        """
        turns, needed = interleave(self.shares, steps), examples_needed(self.shares, examples, batch)
        turns_so_far = [np.cumsum(turns == number) for number in range(len(self.shares))]
        batch_ats: list[BatchAt] = []
        for number, part in enumerate(self.parts):
            items = batches.subset(part.encoded, seed, needed[number], stream=number)
            batch_ats.append(batches.epoch_batches(part.encoded, _one_row_each(part.encoded, items), batch, seed))
        if self.masked_lm:
            text, mask_rate = self.masked_lm.text, self.masked_lm.mask_rate
            batch_ats.append(text.batches(seed, int(turns_so_far[-1][-1]), batch, mask_rate, unique=needed[-1]))

        def batch_at(step: int) -> dict:
            turn = int(turns[step])
            head = self.parts[turn].task.name if turn < len(self.parts) else MLM
            return batch_ats[turn](int(turns_so_far[turn][step]) - 1) | {"part": head}

        return batch_at

    def facts(self, examples: int, batch: int, steps: int) -> dict[str, dict]:
        """What a record says of each part with a share: its examples (`there`), its share of the steps, its examples
        of this rung (`unique`), those shown (`seen`), and how they were read."""
        available = [part.encoded.examples for part in self.parts]
        available.append(int(self.masked_lm.text.available.sum()) if self.masked_lm else 0)
        needed = examples_needed(self.shares, examples, batch)
        shown = self._steps_by_part(steps) * batch
        reading = [*(part.encoded.facts for part in self.parts), {}]
        rows = zip(self.names, available, self.shares, needed, shown, reading, strict=True)
        return {
            name: {"there": size, "share": round(float(share), 4), "unique": unique, "seen": int(seen)} | facts
            for name, size, share, unique, seen, facts in rows
            if share
        }

    def cost(self, config: Any, batch: int, steps: int, first_step: int) -> dict[str, float]:
        """The cost of the steps from `first_step` on, for an encoder of this configuration."""
        *task_steps, masked_steps = self._steps_by_part(steps, first_step).tolist()
        part_costs = [
            costs.example_cost(config, part.encoded, np.arange(len(part.encoded)), number, batch)
            for part, number in zip(self.parts, task_steps, strict=True)
        ]
        if self.masked_lm:
            length, mask_rate = self.masked_lm.text.length, self.masked_lm.mask_rate
            part_costs.append(costs.text_cost(config, length, masked_steps, batch, mask_rate))
        return costs.total_cost(part_costs)

    def _steps_by_part(self, steps: int, first_step: int = 0) -> np.ndarray:
        return np.bincount(interleave(self.shares, steps)[first_step:], minlength=len(self.shares))


def load_mixture(
    tasks: Sequence[str],
    languages: Sequence[str],
    data: str,
    tokenizer: PreTrainedTokenizerFast,
    *,
    seed: int,
    lengths: dict[str, int],
    labels: str,
    sampling: dict[str, Any],
    masked_lm: MaskedLMSteps | None = None,
) -> Mixture:
    """The mixture of an arm: each task in each of the languages, with masked-LM steps beside them.

    Args:
        tasks: names of tasks.
        languages: of the examples; those in another language than English are translations.
        data: the folder of the data sets.
        tokenizer: encodes the examples.
        seed: decides which labels are shuffled where.
        lengths: tokens of an example at most, by task.
        labels: `given`, or `shuffled`: every task's labels go to other examples, the same on all rungs.
        sampling: how task parts share the steps, as `sampling_shares` takes it.
        masked_lm: None: no masked-LM steps.
    """
    parts = []
    for name in tasks:
        task = labelled.complete_task(name, data)
        for language in languages:
            data_part = "train" if language == "en" else "translated"
            encoded = encoding.encode(SplitRef(task, data_part, data, language), tokenizer, lengths[name])
            parts.append(TaskPart(task, language, encoded.shuffled(seed) if labels == "shuffled" else encoded))
    shares = sampling_shares([part.encoded.examples for part in parts], **sampling)
    return Mixture(tuple(parts), shares * (1 - masked_lm.share) if masked_lm else shares, masked_lm)


def _one_row_each(encoded: Encoded, rows: np.ndarray) -> np.ndarray:
    """One row of each example, in the examples' order: of a context's windows the first that holds the answer, of a
    sentence in parts the first. I counts examples, and most windows of a long context would teach that there is no
    answer (Fisch et al. 2019, arXiv 1910.09753, drop those too)."""
    examples = encoded.sentences[rows]
    group = np.cumsum(np.r_[0, examples[1:] != examples[:-1]])
    unanswered = encoded.labels[rows, 1] == 0 if encoded.labels.ndim == 2 else np.zeros(len(rows), dtype=bool)
    best_first = np.lexsort((unanswered, group))
    return rows[best_first[np.unique(group[best_first], return_index=True)[1]]]


def sampling_shares(sizes: Sequence[int], kind: str, cap: int | None, temperature: float) -> np.ndarray:
    """The shares of data sets of these sizes, by one of the kinds of Raffel et al. (2020, §3.5.2).

    Args:
        sizes: examples of each data set.
        kind: `proportional` to the sizes, by `temperature` (sizes raised to 1 / temperature), or `uniform`.
        cap: no size counts as more than this; None: no cap.
        temperature: for that kind only.
    """
    capped = np.minimum(np.array(sizes, dtype=float), cap or np.inf)
    weights = capped ** {"proportional": 1.0, "temperature": 1 / temperature, "uniform": 0.0}[kind]
    return weights / weights.sum() if len(weights) else weights


def interleave(shares: np.ndarray, steps: int) -> np.ndarray:
    """The part of each step: of those that are behind their share the one whose turn must come first, so that every
    prefix is within one step of each share (Tijdeman 1980, *The chairman assignment problem*)."""
    turns, turns_taken = np.empty(steps, dtype=np.int64), np.zeros(len(shares))
    slack = 1 / max(1, 2 * int(np.count_nonzero(shares)) - 2)
    divisors = np.maximum(shares, 1e-12)
    for step in range(steps):
        behind = shares * (step + 1) - turns_taken
        ready = (behind > slack - 1e-9) & (shares > 0)
        turns[step] = np.argmin(np.where(ready, (1 - slack - behind) / divisors, np.inf))
        turns_taken[turns[step]] += 1
    return turns


def examples_needed(shares: np.ndarray, examples: int, batch: int) -> list[int]:
    """The examples that each part gives to `examples` in all; a masked-LM sequence counts as an example."""
    return (np.bincount(interleave(shares, examples // batch), minlength=len(shares)) * batch).tolist()
