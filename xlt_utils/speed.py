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

        from xlt_utils import batches, encoders, evaluate, objectives

        self.study, self.data = study, data
        phase = study.pretrain
        sizes = phase.encoder.model_dump(exclude={"start", "architecture"})
        self.tokenizer = batches.vocabulary(
            data, study.languages, sizes["vocabulary"], phase.vocabulary_sample, phase.language_exponent
        ).tokenizer
        encoders.prepare(study.threads)
        sizes["vocabulary"] = len(self.tokenizer)
        self.config = encoders.configuration(phase.encoder.architecture, **sizes, length=phase.length)
        model = encoders.create(self.config, 0)
        self.weights = sum(weight.numel() for weight in model.parameters())
        self.pretraining = _step_seconds(objectives.MaskedLM(model), self._masked) / (phase.batch * phase.length)
        trained = [TASKS[name] for name in study.target.tasks if TASKS[name].trains]
        trained += [TASKS[name] for arm in study.intermediate.arms for name in arm.tasks]
        self.tuning = self.testing = 0.0
        if trained:
            # Real examples, since what a batch costs is its padded size: seconds a real piece, padding paid for.
            task, most = trained[0], study.target.length
            encoded = batches.encode(task, "train", data, None, self.tokenizer, most, SAMPLE)
            tokens = study.target.batch * len(encoded.pieces) / len(encoded)
            learner = objectives.Labelling(model, task, 0)
            batch_at = batches.epochs(encoded, np.arange(len(encoded)), study.target.batch, 0)
            self.tuning = _step_seconds(learner, batch_at) / tokens
            evaluate.label(learner, encoded)
            began = time.perf_counter()
            evaluate.label(learner, encoded)
            self.testing = (time.perf_counter() - began) / len(encoded.pieces)

    def _masked(self, step: int) -> dict[str, Any]:
        import torch

        phase = self.study.pretrain
        ids = torch.randint(5, self.config.vocab_size, (phase.batch, phase.length))
        places = torch.randperm(ids.numel())[: round(ids.numel() * phase.mask_rate)]
        return {"input_ids": ids, "places": places, "labels": ids.ravel()[places]}

    @cache  # noqa: B019 one object a plan
    def length(self, task: str) -> float:
        """The mean length of a task's examples in pieces, from a sample of them."""
        from xlt_utils import data

        part = "train" if TASKS[task].trains else "test"
        language = None if part == "train" else self.study.target_languages(task)[-1]
        rows = data.examples(TASKS[task], part, self.data, language, SAMPLE)
        texts = [" ".join(row["tokens"]) if "tokens" in row else row["text"] for row in rows]
        pairs = [row.get("text2", "") for row in rows]
        most = min(self.study.intermediate.length, self.study.target.length)
        ids = self.tokenizer(texts, pairs)["input_ids"]
        return statistics.mean(min(len(pieces), most) for pieces in ids)


def _step_seconds(objective: Any, batch_at: Callable[[int], dict]) -> float:
    """The median time of a real training step, after the first two."""
    from xlt_utils import train

    stamps: list[float] = []

    class Enough(Exception):
        pass

    def timed(step: int) -> dict:
        stamps.append(time.perf_counter())
        if len(stamps) > 5 and stamps[-1] - stamps[0] > MEASURED:
            raise Enough
        return batch_at(step)

    with (
        tempfile.TemporaryDirectory(prefix="xlt-") as folder,
        contextlib.redirect_stdout(None),
        contextlib.suppress(Enough),
    ):
        train.train(objective, timed, train.rung(1e-3, 1, 40, 0.2), seed=0, state=Path(folder))
    return statistics.median(after - before for before, after in itertools.pairwise(stamps[2:]))
