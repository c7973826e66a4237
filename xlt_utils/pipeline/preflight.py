"""What a study's data and checkpoint would show only later, found before any kernel starts: data sets, configs and
columns that are not there, languages that a task lacks, rungs larger than the data."""

import numpy as np

from xlt_utils.data import labelled, loading
from xlt_utils.data.tasks import TASKS
from xlt_utils.study.schema import ArmSettings, Study
from xlt_utils.training import encoders, mixture, tokenization
from xlt_utils.training.corpus import Corpus


def check_study(study: Study) -> list[str]:
    """Every fault that a study's data would show later: data sets, configs and columns that are not
    there, languages that a task lacks, rungs larger than the data. Loads the data, trains nothing but the
    vocabulary."""
    faults = []
    try:
        data = loading.locate(study.data, study.microworld_settings())
    except loading.DataError as error:
        return [str(error)]
    for number, arm in enumerate(study.intermediate.arms):
        try:
            faults += [f"intermediate.arms.{number}: {text}" for text in _check_arm(study, arm, data)]
        except loading.DataError as error:
            faults.append(str(error))
    for name in (name for name in study.target.tasks if TASKS[name].trains):
        own = study.target.settings.get(name)
        number = (own and own.examples) or study.target.examples
        try:
            there = len(labelled.read_examples(TASKS[name], "train", data))
            if number > there:
                faults.append(f"target.examples: {number:,} is more than the {there:,} training examples of {name}")
        except loading.DataError as error:
            faults.append(str(error))
    for name in study.target.tasks:
        try:
            codes = [code for code in study.target_languages(name) if code != "en" or TASKS[name].trains]
            lacking = [code for code in codes if not labelled.is_scorable(TASKS[name], data, code)]
            if lacking:
                held = ", ".join(labelled.languages_with(TASKS[name], data)) or "no language"
                field = f"target.languages.{name}" if name in study.target.languages else "target.tasks"
                faults += [f"{field}: {name} has no test data to score in {code!r}; it has {held}" for code in lacking]
        except loading.DataError as error:
            faults.append(str(error))
    if not faults:
        faults += _check_start(study) or _check_text(study, data)
    return faults


def not_checked(study: Study) -> list[str]:
    """What a check of the file alone passes over: the data sets and the checkpoints that the study names."""
    tasks = [TASKS[name] for name in study.target.tasks]
    tasks += [TASKS[name] for arm in study.intermediate.arms for name in arm.tasks]
    parts = (
        source.dataset for task in tasks for part in ("train", "development", "test") for source in getattr(task, part)
    )
    starts = [rung.encoder.start for rung in study.pretrain.rungs if not rung.encoder.is_scratch]
    found = [f"data sets in {study.data}: {', '.join(dict.fromkeys(parts))}"]
    return found + [f"checkpoint {start}" for start in dict.fromkeys(starts)]


def _check_arm(study: Study, arm: ArmSettings, data: str) -> list[str]:
    """What an arm's largest rung asks of its tasks and they do not have."""
    largest, batch = max(study.intermediate.rungs(arm), default=0), study.intermediate.batch
    parts = [(name, language) for name in arm.tasks for language in arm.languages]
    sizes = [len(labelled.read_examples(TASKS[name], _part(language), data, language)) for name, language in parts]
    shares = mixture.sampling_shares(sizes, **arm.sampling.model_dump()) * (1 - arm.mlm_share)
    needs = mixture.examples_needed(np.array([*shares, arm.mlm_share]), largest, batch)
    return [
        f"{largest:,} examples need {needed:,} of {name} in {language!r}, which has {there:,}: take a smaller rung"
        + (", a `cap` or another sampling" if len(parts) > 1 else "")
        for (name, language), needed, there in zip(parts, needs, sizes, strict=False)
        if needed > there
    ]


def _part(language: str) -> str:
    return "train" if language == "en" else "translated"


def _check_start(study: Study) -> list[str]:
    faults = []
    for number, rung in enumerate(study.pretrain.rungs):
        field = f"pretrain.checkpoints.{number}.start" if study.pretrain.checkpoints else "pretrain.encoder.start"
        try:
            if not rung.encoder.is_scratch and (number == 0 or study.pretrain.checkpoints):
                encoders.load_encoder(rung.encoder.start)
        except tokenization.CheckpointFault as error:
            faults.append(f"{field}: {error}")
    return faults


def _check_text(study: Study, data: str) -> list[str]:
    """What pretraining, and masked-LM steps beside a task, ask of the text and it does not have."""
    settings, faults = study.pretrain, []
    asked = [("pretrain.tokens", study.languages, max(rung.tokens for rung in settings.rungs) // settings.length)]
    for number, arm in enumerate(study.intermediate.arms):
        sequences = round(arm.mlm_share * max(study.intermediate.rungs(arm), default=0))
        asked.append((f"intermediate.arms.{number}.mlm_share", arm.text_languages(study.languages), sequences))
    sizes = (settings.vocabulary_sample, settings.language_exponent)
    for field, languages, sequences in asked:
        if not sequences and not settings.rungs[0].encoder.is_scratch:
            continue  # a checkpoint as it stands reads no text
        try:
            for encoder in {rung.encoder for rung in settings.rungs} if languages else ():
                given = (data, study.languages, encoder.vocabulary, *sizes, encoder.start)
                tokenizer = tokenization.study_vocabulary(*given).tokenizer
                read = Corpus(data, languages, tokenizer, settings.length, settings.language_exponent)
                for seed in study.seeds:
                    read.draw(seed, sequences)
        except loading.DataError as error:
            faults.append(f"{field}: {error}")
    return faults
