"""How fast this machine trains and tests this study's encoder, from a few real steps: what the plan's times are
made of."""

import contextlib
import itertools
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from xlt_utils.data.tasks import TASKS
from xlt_utils.errors import Fault
from xlt_utils.study.schema import Study

SAMPLE = 200  # examples whose mean length stands for the task's
MEASURED = 2.0  # seconds of steps a measurement


class Machine:
    """What this machine does with this study's encoder: seconds a token, measured; and the encoder's sizes."""

    def __init__(self, study: Study, data: str):
        import numpy as np

        from xlt_utils.data import labelled
        from xlt_utils.evaluation import predict
        from xlt_utils.training import batches, encoders, encoding, hardware, objectives, tokenization

        self.study, self.data = study, data
        phase, given = study.pretrain, study.pretrain.rungs[-1].encoder.model_dump()
        self.tokenizer = tokenization.study_vocabulary(
            data,
            study.languages,
            given.pop("vocabulary"),
            phase.vocabulary_sample,
            phase.language_exponent,
            given["start"],
        ).tokenizer
        hardware.prepare(study.threads)
        model = encoders.starting_encoder(**given, seed=0, vocabulary=len(self.tokenizer), length=phase.length)
        self.config = model.config
        self.weights = sum(weight.numel() for weight in model.parameters())
        self.pretraining = 0.0
        masked = any(rung.tokens for rung in phase.rungs) or any(arm.mlm_share for arm in study.intermediate.arms)
        if masked:
            self.pretraining = _step_seconds(objectives.MaskedLM(model), self._masked) / (phase.batch * phase.length)
        trained = [name for name in study.target.tasks if TASKS[name].trains]
        trained += [name for arm in study.intermediate.arms for name in arm.tasks]
        self.step = self.tuning = self.testing = 0.0  # seconds a step, a trained piece, a tested piece
        if trained:
            # Real examples, since what a batch costs is its padded size: seconds a real piece, padding paid for. A
            # batch and a quarter of one tell what a step costs whatever it holds: wide vocabularies.
            task, most = labelled.complete_task(trained[0], data), study.target.length
            encoded = encoding.encode(task, "train", data, "en", self.tokenizer, most, limit=SAMPLE)
            learner, whole = objectives.TaskHead(model, task, 0), study.target.batch
            (less, few), (more, many) = (
                (
                    _step_seconds(learner, batches.epoch_batches(encoded, np.arange(len(encoded)), size, 0)),
                    size * len(encoded.pieces) / len(encoded),
                )
                for size in (max(1, whole // 4), whole)
            )
            self.tuning = max(0.0, more - less) / (many - few) if many > few else more / many
            self.step = max(0.0, less - self.tuning * few)
            learner.eval()
            for _ in range(2):  # the first is the device's warm-up
                began = time.perf_counter()
                predict.predict_labels(learner, encoded) if task.format != "span" else predict.predict_answers(
                    learner, encoded
                )
            self.testing = (time.perf_counter() - began) / len(encoded.pieces)

    def _masked(self, step: int) -> dict[str, Any]:
        import torch

        from xlt_utils.training.encoding import IGNORED

        phase = self.study.pretrain
        ids = torch.randint(5, self.config.vocab_size, (phase.batch, phase.length))
        return {"input_ids": ids, "labels": ids.where(torch.rand(ids.shape) < phase.mask_rate, IGNORED)}

    @cache  # noqa: B019 one object a plan
    def length(self, name: str, whole: bool = True) -> float:
        """The mean length of a task's examples in pieces, from a sample of them: all of their rows together, or of
        each the one item that phase 2 trains on."""
        from xlt_utils.data import labelled
        from xlt_utils.training import encoding

        task, phase = labelled.complete_task(name, self.data), self.study.target
        own = phase.settings.get(name) or self.study.intermediate.settings.get(name)
        part, language, side = "train", "en", ""
        if not task.trains:
            part, language = "test", self.study.target_languages(name)[-1]
            side = {"retrieval": "text", "mining": "foreign"}[task.format]
        most = (own and own.length) or max(self.study.intermediate.length, phase.length)
        encoded = encoding.encode(task, part, self.data, language, self.tokenizer, most, limit=SAMPLE, side=side)
        return len(encoded.pieces) / (len(encoded.ids) if whole else len(encoded))


# Layers, width, heads and pieces of checkpoints that a plan is made for where the hub is out of reach (Conneau et al.
# 2020, arXiv 1911.02116, table 8).
SHAPES = {
    "FacebookAI/xlm-roberta-base": (12, 768, 12, 250_002),
    "FacebookAI/xlm-roberta-large": (24, 1024, 16, 250_002),
}


class Assumed:
    """A machine that is not here, `rate` useful FLOPs a second in training, and the study file alone: examples are
    counted as long as the study lets them be, so that tokens and times are upper bounds."""

    def __init__(self, study: Study, rate: float):
        import torch
        from transformers import AutoModelForMaskedLM

        from xlt_utils.training import costs, encoders

        self.study = study
        encoder, most = study.pretrain.rungs[-1].encoder, study.pretrain.length
        names = ("layers", "width", "heads", "vocabulary")
        shape = {name: getattr(encoder, name) for name in names}
        if not encoder.is_scratch:
            start = encoder.start.split("@")[0]
            if start not in SHAPES:
                raise Unknown(f"pretrain.encoder.start = {start}: its shape is known only of {', '.join(SHAPES)}")
            shape = dict(zip(names, SHAPES[start], strict=True))
        architecture = encoder.architecture if encoder.is_scratch else "xlm-roberta"
        self.config = encoders.configuration(architecture, **shape, length=most)
        with torch.device("meta"):
            model = AutoModelForMaskedLM.from_config(self.config)
        self.weights = sum(weight.numel() for weight in model.parameters())
        masked = costs.flops(self.config, 1, most, predicted=study.pretrain.mask_rate)
        self.pretraining, self.step = masked / rate, 0.0
        self.tuning = costs.flops(self.config, 1, study.target.length) / rate
        self.testing = costs.flops(self.config, 1, study.target.length, training=False) / rate

    def length(self, name: str, whole: bool = True) -> float:
        """The longest that a task's examples may be, all options of a choice together."""
        own = self.study.target.settings.get(name) or self.study.intermediate.settings.get(name)
        most = (own and own.length) or max(self.study.intermediate.length, self.study.target.length)
        return most * OPTIONS.get(name, 1)


OPTIONS = {"hellaswag": 4, "cosmos_qa": 4, "commonsense_qa": 5}  # rows of an example


class Unknown(Fault):
    """A plan cannot be made without what is not here."""


def _step_seconds(objective: Any, batch_at: Callable[[int], dict]) -> float:
    """The median time of a real training step, after the first two."""
    from xlt_utils.training import loop
    from xlt_utils.training.schedules import ladder_schedule

    stamps: list[float] = []

    class Enough(Exception):
        pass

    def timed(step: int) -> dict:
        stamps.append(time.perf_counter())
        if len(stamps) > 4 and stamps[-1] - stamps[0] > MEASURED:
            raise Enough
        return batch_at(step)

    with (
        tempfile.TemporaryDirectory(prefix="xlt-") as folder,
        contextlib.redirect_stdout(None),
        contextlib.suppress(Enough),
    ):
        loop.train(objective, timed, ladder_schedule(1e-3, 1, 40, 0.2), seed=0, state=Path(folder))
    return statistics.median(after - before for before, after in itertools.pairwise(stamps[2:]))
