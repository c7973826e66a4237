"""A cell of a study by Hugging Face's Trainer, as a plain notebook would do it: as much text, as many examples, steps
and tests, in a process of its own, with nothing kept between the cells but the checkpoints."""

from pathlib import Path

import numpy as np
import places
import torch
import trainer
from datasets import Dataset
from transformers import (
    AutoModel,
    AutoModelForMaskedLM,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    AutoTokenizer,
    DataCollatorForLanguageModeling,
    DataCollatorForTokenClassification,
    DataCollatorWithPadding,
    PreTrainedModel,
)

from xlt_utils.data import labelled, pretraining_text
from xlt_utils.data.labelled import SplitRef
from xlt_utils.data.tasks import Task
from xlt_utils.evaluation import metrics
from xlt_utils.training import encoders, tokenization
from xlt_utils.training.schedules import linear_schedule

CHECKPOINTS = places.FOLDER / "trainer-checkpoints"


def run(phase: str, parameters: dict) -> dict[str, float]:
    """Run a cell of these parameters (those of our notebook); gives its scores by test."""
    torch.set_num_threads(1)
    return {"pretrain": pretrain, "intermediate": intermediate, "target": target}[phase](parameters)


def tokenizer_of(settings: dict):
    """The study's vocabulary, trained before any time counts."""
    sampling = {"sample_lines": settings["vocabulary_sample"], "exponent": settings["language_exponent"]}
    return tokenization.study_vocabulary(
        settings["data"], settings["languages"], size=settings["vocabulary"], **sampling
    ).tokenizer


def pretrain(settings: dict) -> dict[str, float]:
    """Masked LM from random weights."""
    tokenizer = tokenizer_of(settings)
    shape = {name: settings[name] for name in ("layers", "width", "heads", "length")}
    config = encoders.make_config(settings["architecture"], vocabulary=len(tokenizer), **shape)
    model = AutoModelForMaskedLM.from_config(config)
    _masked_lm(model, tokenizer, settings, settings["languages"], settings["tokens"] // settings["length"])
    _save(model, tokenizer, settings)
    return {}


def intermediate(settings: dict) -> dict[str, float]:
    """A task's English examples and its English development score, or masked LM alone."""
    folder, examples = _checkpoint(settings), settings["examples"]
    tokenizer = AutoTokenizer.from_pretrained(folder)
    if not settings["tasks"]:
        model, scores = AutoModelForMaskedLM.from_pretrained(folder), {}
        _masked_lm(model, tokenizer, settings, settings["mlm_languages"], examples)
    else:
        task = labelled.complete_task(settings["tasks"][0], settings["data"])
        model, scores = _fine_tuned(task, folder, tokenizer, settings, "development", ["en"])
    _save(model, tokenizer, settings)
    return scores


def target(settings: dict) -> dict[str, float]:
    """Each target task fine-tuned in English and tested in all languages."""
    scores = {}
    folder = _checkpoint(settings)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    for name in settings["tasks"]:
        task = labelled.complete_task(name, settings["data"])
        if task.trains:
            scores |= _fine_tuned(task, folder, tokenizer, settings, "test", settings["languages"])[1]
        else:
            scores |= _retrieved(task, folder, tokenizer, settings)
    return scores


def _masked_lm(model: PreTrainedModel, tokenizer, settings: dict, languages: list[str], sequences: int) -> None:
    length = settings.get("mlm_length", settings["length"])
    rows: list[list[int]] = []
    for number, language in enumerate(languages, 1):
        tokens: list[int] = []
        for lines in pretraining_text.read_text(settings["data"], language, chunk=1_000):
            if len(rows) + len(tokens) // length >= sequences * number // len(languages):
                break
            for ids in tokenizer(lines)["input_ids"]:
                tokens += ids
        rows += [tokens[start : start + length] for start in range(0, len(tokens) - length, length)]
    steps = settings.get("epochs", 1) * sequences // settings["batch"]
    if steps:
        collator = DataCollatorForLanguageModeling(tokenizer, mlm_probability=settings["mask_rate"])
        _train(model, Dataset.from_dict({"input_ids": rows[:sequences]}), collator, settings, steps)


def _fine_tuned(
    task: Task, folder: Path, tokenizer, settings: dict, part: str, languages: list[str]
) -> tuple[PreTrainedModel, dict[str, float]]:
    classes = {"tagging": (AutoModelForTokenClassification, DataCollatorForTokenClassification)}
    model_class, collator_class = classes.get(
        task.format, (AutoModelForSequenceClassification, DataCollatorWithPadding)
    )
    model, collator = model_class.from_pretrained(folder, num_labels=len(task.labels)), collator_class(tokenizer)

    def rows(part: str, language: str, limit: int) -> Dataset:
        split = SplitRef(task, part, settings["data"], language, limit, seed=settings["seed"])
        return _tokenized(task, labelled.read_examples(split), tokenizer, settings["length"])

    steps = settings["epochs"] * settings["examples"] // settings["batch"]
    trained = _train(model, rows("train", "en", settings["examples"]), collator, settings, steps)
    scores = {}
    tests = [(part, language) for language in languages]
    for tested, language in [*tests, *([("development", "en")] if part == "test" else [])]:
        output = trained.predict(rows(tested, language, settings["evaluation_examples"]))
        is_label = output.label_ids >= 0
        right = output.predictions.argmax(-1)[is_label] == output.label_ids[is_label]
        scores[f"{task.name} {tested} {language}"] = float(right.mean())
    return model, scores


def _tokenized(task: Task, examples: list[dict], tokenizer, length: int) -> Dataset:
    if task.format != "tagging":
        columns = [name for name in ("text", "text2") if name in examples[0]]
        encoded = tokenizer(*([row[name] for row in examples] for name in columns), truncation=True, max_length=length)
        return Dataset.from_dict({"input_ids": encoded["input_ids"], "label": [row["label"] for row in examples]})
    words = [row["tokens"] for row in examples]
    encoded, labels = tokenizer(words, is_split_into_words=True, truncation=True, max_length=length), []
    for number, row in enumerate(examples):
        places_ = encoded.word_ids(number)
        first = [place is not None and (at == 0 or places_[at - 1] != place) for at, place in enumerate(places_)]
        labels.append(
            [row["label"][place] if is_first else -100 for place, is_first in zip(places_, first, strict=True)]
        )
    return Dataset.from_dict({"input_ids": encoded["input_ids"], "labels": labels})


@torch.inference_mode()
def _retrieved(task: Task, folder: Path, tokenizer, settings: dict) -> dict[str, float]:
    model, scores = AutoModel.from_pretrained(folder).eval(), {}
    for language in settings["languages"][1:]:
        split = SplitRef(task, "test", settings["data"], language, settings["evaluation_examples"], settings["seed"])
        examples, sides = labelled.read_examples(split), []
        for column in ("text2", "text"):
            vectors = []
            for start in range(0, len(examples), 32):
                texts = [row[column] for row in examples[start : start + 32]]
                batch = tokenizer(
                    texts, padding=True, truncation=True, max_length=settings["length"], return_tensors="pt"
                )
                mask = batch["attention_mask"].unsqueeze(-1)
                vectors.append((model(**batch).last_hidden_state * mask).sum(1) / mask.sum(1))
            sides.append(torch.cat(vectors).numpy())
        nearest = metrics.nearest_candidates(*sides)
        scores[f"{task.name} {language}"] = float((nearest == np.arange(len(nearest))).mean())
    return scores


def _train(model: PreTrainedModel, rows: Dataset, collator, settings: dict, steps: int):
    schedule = linear_schedule(settings["learning_rate"], max(1, steps // 10), steps)
    return trainer.train(None, model, rows, collator, schedule, settings["batch"], seed=settings["seed"])


def _checkpoint(settings: dict) -> Path:
    return CHECKPOINTS / Path(settings["checkpoint"]).name


def _save(model: PreTrainedModel, tokenizer, settings: dict) -> None:
    folder = CHECKPOINTS / Path(settings["out"]).name
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
