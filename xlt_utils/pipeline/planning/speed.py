"""How fast a machine trains and tests a study's encoder: what the plan's times are made of. A study goes in; seconds a
token come out, measured here from a few real training steps or assumed for a machine that is not here."""

import contextlib
import copy
import functools
import itertools
import math
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from xlt_utils.data.tasks import TASKS
from xlt_utils.errors import Fault
from xlt_utils.study.schema import Study

SAMPLE = 200  # examples whose mean length stands for the task's
TESTED_SAMPLE = 48  # examples whose test is timed
MEASURED_SECONDS = 0.5  # of training steps a measurement
SLOW_SECONDS = 5.0  # after so long, one step and one test have to do; and so often a line says what is measured
WHOLE_TEST_SET = 2_000  # examples of a test set that is not read, about
WHOLE_MINING_SET = 10_000  # sentences of a side in bitext mining that is not read, about

# Layers, width, heads and vocabulary of checkpoints that a plan can assume where the hub is out of reach (Conneau et
# al. 2020, arXiv 1911.02116, table 8).
SHAPES = {
    "FacebookAI/xlm-roberta-base": (12, 768, 12, 250_002),
    "FacebookAI/xlm-roberta-large": (24, 1024, 16, 250_002),
}
ROWS_PER_EXAMPLE = {"hellaswag": 4, "cosmos_qa": 4, "commonsense_qa": 5}  # a row for each option


class UnknownShape(Fault):
    """A checkpoint whose shape a plan cannot assume."""


@dataclass(frozen=True)
class TaskSpeed:
    """What one task costs at its own length and batch.

    Attributes:
        tokens: of an example on average, all of its rows together.
        item_tokens: of its items, of which phase 2 trains on one for each example.
        step: seconds a step of training; 0 of a task that trains nothing.
        tested: seconds a tested example, of retrieval and mining both sides.
        examples: of its whole test set in a language.
    """

    tokens: float
    item_tokens: float
    step: float
    tested: float
    examples: int


@dataclass(frozen=True)
class Speed:
    """What training and testing an encoder costs on one machine.

    Attributes:
        config: the encoder's configuration, from which FLOPs follow.
        weights: the number of its weights, its masked-LM head included.
        masked_token: seconds a token of masked-LM training; a tested one counts as a third.
        task: the speed of a task, by its name, its length in tokens and its batch.
        brings_head: whether the encoder's masked-LM head is its own; else one is trained before P counts.
    """

    config: Any
    weights: int
    masked_token: float
    task: Callable[[str, int, int], TaskSpeed]
    brings_head: bool = True

    def flops(self, tokens: float, length: float, *, training: bool = True, predicted: float = 0.0) -> float:
        """Floating-point operations for `tokens` in sequences of `length`, as records count them."""
        from xlt_utils.training import costs

        return costs.count_flops(self.config, tokens, length, training=training, predicted=predicted)


def measure_speed(study: Study, data: str) -> Speed:
    """Measure this machine with a few seconds of real training steps of the study's encoder on its data."""
    from xlt_utils.training import encoders, hardware, objectives, tokenization

    phase = study.pretrain
    encoder = phase.rungs[-1].encoder.model_dump()
    tokenizer = tokenization.study_vocabulary(
        data,
        study.languages,
        size=encoder.pop("vocabulary"),
        sample_lines=phase.vocabulary_sample,
        exponent=phase.language_exponent,
        start=encoder["start"],
    ).tokenizer
    hardware.prepare(study.threads)
    model: Any
    model, brings_head = encoders.starting_encoder(**encoder, seed=0, vocabulary=len(tokenizer), length=phase.length)
    masked_batch = functools.partial(_random_masked_batch, study, model.config.vocab_size)
    said = time.monotonic()

    @functools.cache
    def task(name: str, length: int, batch: int) -> TaskSpeed:
        nonlocal said
        if time.monotonic() - said > SLOW_SECONDS:
            print(f"{study.name}: measuring what {name} costs on this machine", file=sys.stderr, flush=True)
            said = time.monotonic()
        return _measure_task(study, data, model, tokenizer, name, length, batch)

    return Speed(
        config=model.config,
        weights=sum(weight.numel() for weight in model.parameters()),
        masked_token=_step_seconds(objectives.MaskedLM(model), masked_batch) / (phase.batch * phase.length),
        task=task,
        brings_head=brings_head,
    )


def assume_speed(study: Study, rate: float) -> Speed:
    """The speed of a machine that is not here, from the study file alone.

    Examples count as long as the study lets them be, so that tokens and times are upper bounds.

    Args:
        study: the study; its data are not read.
        rate: useful FLOPs a second in training.

    Raises:
        UnknownShape: the study starts from a checkpoint that SHAPES does not hold.
    """
    import torch
    from transformers import AutoModelForMaskedLM

    from xlt_utils.training import costs, encoders

    encoder, length = study.pretrain.rungs[-1].encoder, study.pretrain.length
    names = ("layers", "width", "heads", "vocabulary")
    if encoder.is_scratch:
        shape, architecture = {name: getattr(encoder, name) for name in names}, encoder.architecture
    else:
        start = encoder.start.split("@")[0]
        if start not in SHAPES:
            raise UnknownShape(f"pretrain.encoder.start = {start}: its shape is known only of {', '.join(SHAPES)}")
        shape, architecture = dict(zip(names, SHAPES[start], strict=True)), "xlm-roberta"
    config = encoders.make_config(architecture, **shape, length=length)
    with torch.device("meta"):
        model = AutoModelForMaskedLM.from_config(config)

    def task(name: str, length: int, batch: int) -> TaskSpeed:
        tokens = length * ROWS_PER_EXAMPLE.get(name, 1)
        sides = 1 if TASKS[name].trains else 2
        step = batch * length * costs.count_flops(config, 1, length) / rate
        tested = sides * tokens * costs.count_flops(config, 1, length, training=False) / rate
        whole = WHOLE_MINING_SET if TASKS[name].format == "mining" else WHOLE_TEST_SET
        return TaskSpeed(tokens, tokens, step, tested, whole)

    return Speed(
        config=config,
        weights=sum(weight.numel() for weight in model.parameters()),
        masked_token=costs.count_flops(config, 1, length, predicted=study.pretrain.mask_rate) / rate,
        task=task,
    )


def _measure_task(study: Study, data: str, model: Any, tokenizer: Any, name: str, length: int, batch: int) -> TaskSpeed:
    """Train and test a task for a few seconds on its own examples, at its own length; a test in one language stands for
    all, and a step costs its padded size."""
    import numpy as np

    from xlt_utils.data import labelled
    from xlt_utils.evaluation import evaluate
    from xlt_utils.training import batches, encoding, objectives

    task = labelled.complete_task(name, data)
    is_target = name in study.target.tasks
    part, language = ("test", study.target_languages(name)[-1]) if is_target else ("development", "en")
    side = {"retrieval": "text", "mining": "foreign"}.get(task.format, "")
    test = labelled.SplitRef(task, part, data, language, side=side)
    config = evaluate.EvaluationConfig(data, tokenizer, length, TESTED_SAMPLE)
    split = labelled.SplitRef(task, "train", data) if task.trains else test
    encoded = encoding.encode(replace(split, limit=SAMPLE), tokenizer, length)
    step = 0.0
    if task.trains:
        # A copy: training is stopped in the middle, and leaves the encoder with the rows that this task's examples use.
        objective = objectives.TaskHead(copy.deepcopy(model), task, 0)
        batch_at = batches.epoch_batches(encoded, np.arange(len(encoded)), batch, 0)
        step = _step_seconds(objective, batch_at, encoded.vocabulary())
        objective.eval()
        seconds = _seconds(lambda: evaluate.evaluate_task(objective, part, [language], config))
    else:
        seconds = _seconds(lambda: evaluate.evaluate_retrieval(model, task, [language], config))
    whole = len(labelled.read_examples(test))
    lengths = len(encoded.tokens) / len(encoded.ids), len(encoded.tokens) / len(encoded)
    return TaskSpeed(*lengths, step, seconds / min(TESTED_SAMPLE, whole), whole)


def _seconds(call: Callable[[], Any]) -> float:
    """How long a call takes the second time: the first encodes what it reads, and warms the device up, which of a slow
    one is a small part."""
    for _ in range(2):
        began = time.perf_counter()
        call()
        if (taken := time.perf_counter() - began) > SLOW_SECONDS:
            break
    return taken


def _random_masked_batch(study: Study, vocabulary: int, step: int) -> dict[str, Any]:
    import torch

    from xlt_utils.training.encoding import IGNORED

    phase = study.pretrain
    ids = torch.randint(5, vocabulary, (phase.batch, phase.length))
    return {"input_ids": ids, "labels": ids.where(torch.rand(ids.shape) < phase.mask_rate, IGNORED)}


def _step_seconds(objective: Any, batch_at: Callable[[int], dict], tokens: Any = None) -> float:
    """The median seconds of a real training step, after the first two, of batches that hold these `tokens`."""
    from xlt_utils.training import loop
    from xlt_utils.training.schedules import ladder_schedule

    starts: list[float] = []

    class Enough(Exception):
        pass

    def timed(step: int) -> dict:
        starts.append(time.perf_counter())
        enough = MEASURED_SECONDS if len(starts) > 4 else SLOW_SECONDS if len(starts) == 4 else math.inf
        if starts[-1] - starts[0] > enough:
            raise Enough
        return batch_at(step)

    with (
        tempfile.TemporaryDirectory(prefix="xlt-") as folder,
        contextlib.redirect_stdout(None),
        contextlib.suppress(Enough),
    ):
        loop.train(objective, timed, ladder_schedule(1e-3, 1, 40, 0.2), seed=0, state=Path(folder), tokens=tokens)
    return statistics.median(after - before for before, after in itertools.pairwise(starts[2:]))
