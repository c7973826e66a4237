"""Checks a study before any kernel starts. A study goes in; the faults come out that its data and checkpoints would
show only later: data sets, configs and columns that are missing, languages that a task lacks, rungs larger than the
data."""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from transformers.utils import cached_file

from xlt_utils.data import labelled, loading
from xlt_utils.data.labelled import SplitRef
from xlt_utils.data.tasks import TASKS
from xlt_utils.files import read_json
from xlt_utils.study.schema import ArmSettings, Study
from xlt_utils.training import encoders, mixture, tokenization, trial
from xlt_utils.training.corpus import Corpus

NAMES_WEIGHTS = {"model.safetensors.index.json": "weight_map", "config.json": "transformers_weights"}  # by field
WEIGHTS_FILE = re.compile(r"[^/\\]+\.safetensors")


def check_study(study: Study) -> list[str]:
    """Every fault that a study's data and checkpoints would show later, with the field of the study file.

    Loads the data and trains nothing but the vocabulary.
    """
    try:
        data = loading.locate(study.data, study.microworld_settings())
    except loading.DataError as error:
        return [str(error)]
    faults: list[str] = []
    for number, arm in enumerate(study.intermediate.arms):
        with _collect_errors(faults):
            faults += [f"intermediate.arms.{number}: {text}" for text in _check_arm(study, arm, data)]
    for name in (name for name in study.target.tasks if TASKS[name].trains):
        with _collect_errors(faults):
            faults += _check_examples(study, name, data)
        with _collect_errors(faults, "target.tasks: "):
            labelled.read_examples(SplitRef(TASKS[name], "development", data))
    for name in study.target.tasks:
        with _collect_errors(faults):
            faults += _check_languages(study, name, data)
    if not faults:
        faults += _check_checkpoints(study) or _check_text(study, data)
    return faults


@contextlib.contextmanager
def _collect_errors(faults: list[str], prefix: str = "") -> Iterator[None]:
    """A context in which a DataError becomes a fault."""
    try:
        yield
    except loading.DataError as error:
        faults.append(f"{prefix}{error}")


def _check_arm(study: Study, arm: ArmSettings, data: str) -> list[str]:
    """The tasks and languages that hold fewer examples than an arm's largest rung needs of them."""
    largest, batch = max(study.intermediate.rungs(arm), default=0), study.intermediate.batch
    parts = [(name, language) for name in arm.tasks for language in arm.languages]
    for name in arm.tasks:
        labelled.read_examples(SplitRef(TASKS[name], "development", data))
    splits = [
        SplitRef(TASKS[name], "train" if language == "en" else "translated", data, language) for name, language in parts
    ]
    sizes = [len(labelled.read_examples(split)) for split in splits]
    shares = mixture.sampling_shares(sizes, **arm.sampling.model_dump()) * (1 - arm.mlm_share)
    needs = mixture.examples_needed(np.array([*shares, arm.mlm_share]), largest, batch)
    return [
        f"{largest:,} examples need {needed:,} of {name} in {language!r}, which has {size:,}: take a smaller rung"
        + (", a `cap` or another sampling" if len(parts) > 1 else "")
        for (name, language), needed, size in zip(parts, needs[:-1], sizes, strict=True)
        if needed > size
    ]


def _check_examples(study: Study, name: str, data: str) -> list[str]:
    settings = study.target.settings.get(name)
    examples = (settings and settings.examples) or study.target.examples
    size = len(labelled.read_examples(SplitRef(TASKS[name], "train", data)))
    if examples <= size:
        return []
    return [f"target.examples: {examples:,} is more than the {size:,} training examples of {name}"]


def _check_languages(study: Study, name: str, data: str) -> list[str]:
    task = TASKS[name]
    tested = [code for code in study.target_languages(name) if code != "en" or task.trains]
    lacking = [code for code in tested if not labelled.is_scorable(SplitRef(task, "test", data, code))]
    if not lacking:
        return []
    scorable = ", ".join(labelled.languages_with(task, data)) or "no language"
    field = f"target.languages.{name}" if name in study.target.languages else "target.tasks"
    return [f"{field}: {name} has no test data to score in {code!r}; it has {scorable}" for code in lacking]


def _check_checkpoints(study: Study) -> list[str]:
    """The encoders that cannot be loaded, or do not run with the study's lengths."""
    faults = []
    field_of_length, length = max(_lengths(study), key=lambda one: one[1])
    masks = any(rung.tokens for rung in study.pretrain.rungs) or any(arm.mlm_share for arm in study.intermediate.arms)
    for number, rung in enumerate(study.pretrain.rungs):
        if number and not study.pretrain.checkpoints:
            continue  # the same encoder, trained on
        encoder, tokenizer, field = rung.encoder, None, "pretrain.encoder.start"
        if study.pretrain.checkpoints:
            field = f"pretrain.checkpoints.{number}.start"
        try:
            if encoder.is_scratch:
                # positions are all that a study of a known architecture can exceed: a small encoder has as many
                shape = {"layers": 1, "width": 32, "heads": 2, "vocabulary": 300}
                config = encoders.make_config(encoder.architecture, **shape, length=study.pretrain.length)
                model = encoders.create_encoder(config, 0)
            else:
                tokenizer = tokenization.load_tokenizer(encoder.start)
                _refuse_other_weights(encoder.start)
                model, _ = encoders.starting_encoder(encoder.start, None, seed=0)
            trial.try_encoder(encoder.start, model, tokenizer, length, masks=masks)
        except trial.TooLong as error:
            faults.append(f"{field_of_length}: {error}")
        except tokenization.StartError as error:
            faults.append(f"{field}: {error}")
    return faults


def _refuse_other_weights(start: str) -> None:
    """Raise StartError where a checkpoint names weights outside its own safetensors files: pickled ones may run code as
    they are read, and no hash covers what lies elsewhere."""
    location, options = tokenization.locate_checkpoint(start)
    options |= {"_raise_exceptions_for_missing_entries": False, "_raise_exceptions_for_connection_errors": False}
    for name, field in NAMES_WEIGHTS.items():
        file = cached_file(location, name, **options)
        try:
            named = read_json(Path(file)).get(field) if file else None
        except (ValueError, AttributeError) as error:
            raise tokenization.StartError(f"{start}: {name}: no JSON mapping: {error}") from error
        for weights in named.values() if isinstance(named, dict) else [named] if named else []:
            if not WEIGHTS_FILE.fullmatch(str(weights)):
                raise tokenization.StartError(
                    f"{start}: {name}, {field}: weights in {weights!r}; expected a .safetensors file beside it"
                )


def _lengths(study: Study) -> list[tuple[str, int]]:
    """The tokens a row that the study asks for, by the field that does."""
    lengths = [("pretrain.length", study.pretrain.length), ("target.length", study.target.length)]
    lengths += [("intermediate.length", study.intermediate.length)] if study.intermediate.arms else []
    for phase in ("intermediate", "target"):
        for name, settings in getattr(study, phase).settings.items():
            lengths += [(f"{phase}.settings.{name}.length", settings.length)] if settings.length else []
    return lengths


def _check_text(study: Study, data: str) -> list[str]:
    """Where pretraining, or masked-LM steps beside a task, need more text than there is."""
    settings = study.pretrain
    largest = max(rung.tokens for rung in settings.rungs)
    needs = [("pretrain.tokens", study.languages, largest // settings.length)]  # field, languages, sequences
    for number, arm in enumerate(study.intermediate.arms):
        sequences = round(arm.mlm_share * max(study.intermediate.rungs(arm), default=0))
        needs.append((f"intermediate.arms.{number}.mlm_share", arm.text_languages(study.languages), sequences))
    faults: list[str] = []
    has_masked_arms = any(arm.mlm_share for arm in study.intermediate.arms)  # then a fresh head reads all languages
    for field, languages, sequences in needs:
        if not sequences and not settings.rungs[0].encoder.is_scratch and not has_masked_arms:
            continue  # a checkpoint that is not trained on reads no text
        with _collect_errors(faults, f"{field}: "):
            for encoder in {rung.encoder for rung in settings.rungs} if languages else ():
                tokenizer = tokenization.study_vocabulary(
                    data,
                    study.languages,
                    size=encoder.vocabulary,
                    sample_lines=settings.vocabulary_sample,
                    exponent=settings.language_exponent,
                    start=encoder.start,
                ).tokenizer
                corpus = Corpus(data, languages, tokenizer, settings.length, settings.language_exponent)
                for seed in study.seeds:
                    corpus.language_sampler(seed, sequences)
    return faults
