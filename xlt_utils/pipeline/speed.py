"""How fast a machine trains and tests a study's encoder: what the plan's times are made of. A study goes in; seconds a
token come out, measured here from a few real training steps or assumed for a machine that is not here."""

import contextlib
import functools
import itertools
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xlt_utils.data.tasks import TASKS
from xlt_utils.errors import Fault
from xlt_utils.study.schema import Study

SAMPLE = 200  # examples whose mean length stands for the task's
MEASURED_SECONDS = 2.0  # of training steps a measurement

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
class Speed:
    """What training and testing an encoder costs on one machine.

    Attributes:
        config: the encoder's configuration, from which FLOPs follow.
        weights: the number of its weights, its masked-LM head included.
        masked_token: seconds a token of masked-LM training.
        labelled_token: seconds a token of training on labelled examples.
        step: seconds a step of such training whatever it holds (wide vocabularies).
        tested_token: seconds a tested token.
        mean_lengths: from a task's name to the mean tokens of its examples, all of their rows together, and of their
            items, of which phase 2 trains on one for each example.
        brings_head: whether the encoder's masked-LM head is its own; else one is trained before P counts.
    """

    config: Any
    weights: int
    masked_token: float
    labelled_token: float
    step: float
    tested_token: float
    mean_lengths: Callable[[str], tuple[float, float]]
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
    masked_token = 0.0
    if any(rung.tokens for rung in phase.rungs) or any(arm.mlm_share for arm in study.intermediate.arms):
        batch = functools.partial(_random_masked_batch, study, model.config.vocab_size)
        masked_token = _step_seconds(objectives.MaskedLM(model), batch) / (phase.batch * phase.length)
    trained = [name for name in study.target.tasks if TASKS[name].trains]
    trained += [name for arm in study.intermediate.arms for name in arm.tasks]
    labelled_token = step = tested_token = 0.0
    if trained:
        labelled_token, step, tested_token = _labelled_seconds(study, data, model, tokenizer, trained[0])
    return Speed(
        config=model.config,
        weights=sum(weight.numel() for weight in model.parameters()),
        masked_token=masked_token,
        labelled_token=labelled_token,
        step=step,
        tested_token=tested_token,
        mean_lengths=functools.cache(functools.partial(_mean_lengths, study, data, tokenizer)),
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
    labelled_length = study.target.length
    return Speed(
        config=config,
        weights=sum(weight.numel() for weight in model.parameters()),
        masked_token=costs.count_flops(config, 1, length, predicted=study.pretrain.mask_rate) / rate,
        labelled_token=costs.count_flops(config, 1, labelled_length) / rate,
        step=0.0,
        tested_token=costs.count_flops(config, 1, labelled_length, training=False) / rate,
        mean_lengths=lambda name: (_longest(study, name) * ROWS_PER_EXAMPLE.get(name, 1),) * 2,
    )


def _labelled_seconds(study: Study, data: str, model: Any, tokenizer: Any, name: str) -> tuple[float, float, float]:
    """Seconds a trained token, a step and a tested token of a task's real examples.

    A batch costs its padded size, so these are seconds a real token, padding paid for. A whole batch and a quarter of
    one show what a step costs whatever it holds.
    """
    import numpy as np

    from xlt_utils.data import labelled
    from xlt_utils.evaluation import predict
    from xlt_utils.training import batches, encoding, objectives

    task = labelled.complete_task(name, data)
    encoded = encoding.encode(labelled.SplitRef(task, "train", data, limit=SAMPLE), tokenizer, study.target.length)
    objective = objectives.TaskHead(model, task, 0)
    (quarter_seconds, quarter_tokens), (seconds, tokens) = (
        (
            _step_seconds(objective, batches.epoch_batches(encoded, np.arange(len(encoded)), size, 0)),
            size * len(encoded.tokens) / len(encoded),
        )
        for size in (max(1, study.target.batch // 4), study.target.batch)
    )
    token = seconds / tokens
    if tokens > quarter_tokens:
        token = max(0.0, seconds - quarter_seconds) / (tokens - quarter_tokens)
    step = max(0.0, quarter_seconds - token * quarter_tokens)
    objective.eval()
    test = predict.predict_answers if task.format == "span" else predict.predict_labels
    for _ in range(2):  # the first is the device's warm-up
        began = time.perf_counter()
        test(objective, encoded)
        test_seconds = time.perf_counter() - began
    return token, step, test_seconds / len(encoded.tokens)


def _random_masked_batch(study: Study, vocabulary: int, step: int) -> dict[str, Any]:
    import torch

    from xlt_utils.training.encoding import IGNORED

    phase = study.pretrain
    ids = torch.randint(5, vocabulary, (phase.batch, phase.length))
    return {"input_ids": ids, "labels": ids.where(torch.rand(ids.shape) < phase.mask_rate, IGNORED)}


def _mean_lengths(study: Study, data: str, tokenizer: Any, name: str) -> tuple[float, float]:
    """The mean tokens of a task's examples and of their items, from a sample of them."""
    from xlt_utils.data import labelled
    from xlt_utils.training import encoding

    task = labelled.complete_task(name, data)
    part, language, side = "train", "en", ""
    if not task.trains:
        part, language = "test", study.target_languages(name)[-1]
        side = {"retrieval": "text", "mining": "foreign"}[task.format]
    longest = _longest(study, name)
    split = labelled.SplitRef(task, part, data, language, limit=SAMPLE, side=side)
    encoded = encoding.encode(split, tokenizer, longest)
    return len(encoded.tokens) / len(encoded.ids), len(encoded.tokens) / len(encoded)


def _longest(study: Study, name: str) -> int:
    """The most tokens that a row of a task may have."""
    settings = study.target.settings.get(name) or study.intermediate.settings.get(name)
    return (settings and settings.length) or max(study.intermediate.length, study.target.length)


def _step_seconds(objective: Any, batch_at: Callable[[int], dict]) -> float:
    """The median seconds of a real training step, after the first two."""
    from xlt_utils.training import loop
    from xlt_utils.training.schedules import ladder_schedule

    starts: list[float] = []

    class Enough(Exception):
        pass

    def timed(step: int) -> dict:
        starts.append(time.perf_counter())
        if len(starts) > 4 and starts[-1] - starts[0] > MEASURED_SECONDS:
            raise Enough
        return batch_at(step)

    with (
        tempfile.TemporaryDirectory(prefix="xlt-") as folder,
        contextlib.redirect_stdout(None),
        contextlib.suppress(Enough),
    ):
        loop.train(objective, timed, ladder_schedule(1e-3, 1, 40, 0.2), seed=0, state=Path(folder))
    return statistics.median(after - before for before, after in itertools.pairwise(starts[2:]))
