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

from xlt_utils.study import Study
from xlt_utils.tasks import TASKS

SAMPLE = 200  # examples whose mean length stands for the task's
MEASURED = 2.0  # seconds of steps a measurement


class Machine:
    """What this machine does with this study's encoder: seconds a token, measured; and the encoder's sizes."""

    def __init__(self, study: Study, data: str):
        import numpy as np

        from xlt_utils import batches, encoders, encoding, labelled, objectives, predict, text

        self.study, self.data = study, data
        phase, given = study.pretrain, study.pretrain.rungs[-1].encoder.model_dump()
        self.tokenizer = text.vocabulary(
            data,
            study.languages,
            given.pop("vocabulary"),
            phase.vocabulary_sample,
            phase.language_exponent,
            given["start"],
        ).tokenizer
        encoders.prepare(study.threads)
        model = encoders.begin(**given, seed=0, vocabulary=len(self.tokenizer), length=phase.length)
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
            task, most = labelled.complete(trained[0], data), study.target.length
            encoded = encoding.encode(task, "train", data, "en", self.tokenizer, most, limit=SAMPLE)
            learner, whole = objectives.TaskHead(model, task, 0), study.target.batch
            (less, few), (more, many) = (
                (
                    _step_seconds(learner, batches.epochs(encoded, np.arange(len(encoded)), size, 0)),
                    size * len(encoded.pieces) / len(encoded),
                )
                for size in (max(1, whole // 4), whole)
            )
            self.tuning = max(0.0, more - less) / (many - few) if many > few else more / many
            self.step = max(0.0, less - self.tuning * few)
            learner.eval()
            for _ in range(2):  # the first is the device's warm-up
                began = time.perf_counter()
                predict.labels(learner, encoded) if task.format != "span" else predict.answers(learner, encoded)
            self.testing = (time.perf_counter() - began) / len(encoded.pieces)

    def _masked(self, step: int) -> dict[str, Any]:
        import torch

        from xlt_utils.encoding import IGNORED

        phase = self.study.pretrain
        ids = torch.randint(5, self.config.vocab_size, (phase.batch, phase.length))
        return {"input_ids": ids, "labels": ids.where(torch.rand(ids.shape) < phase.mask_rate, IGNORED)}

    @cache  # noqa: B019 one object a plan
    def length(self, name: str) -> float:
        """The mean length of a task's examples in pieces, all of their rows together, from a sample of them."""
        from xlt_utils import encoding, labelled

        task, phase = labelled.complete(name, self.data), self.study.target
        own = phase.settings.get(name) or self.study.intermediate.settings.get(name)
        part, language, side = "train", "en", ""
        if not task.trains:
            part, language = "test", self.study.target_languages(name)[-1]
            side = {"retrieval": "text", "mining": "foreign"}[task.format]
        most = (own and own.length) or max(self.study.intermediate.length, phase.length)
        encoded = encoding.encode(task, part, self.data, language, self.tokenizer, most, limit=SAMPLE, side=side)
        return len(encoded.pieces) / len(encoded.ids)


def _step_seconds(objective: Any, batch_at: Callable[[int], dict]) -> float:
    """The median time of a real training step, after the first two."""
    from xlt_utils import train

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
        train.train(objective, timed, train.rung(1e-3, 1, 40, 0.2), seed=0, state=Path(folder))
    return statistics.median(after - before for before, after in itertools.pairwise(stamps[2:]))
