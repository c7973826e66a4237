"""What a study's data and checkpoint would show only later, found before any kernel starts: data sets, configs and
columns that are not there, languages that a task lacks, rungs larger than the data."""

from xlt_utils import batches, encoders, labelled
from xlt_utils import data as data_
from xlt_utils.study import Study
from xlt_utils.tasks import TASKS


def check(study: Study) -> list[str]:
    """Every fault that a study's data would show later: data sets, configs and columns that are not
    there, languages that a task lacks, rungs larger than the data. Loads the data, trains nothing but the
    vocabulary."""
    faults = []
    try:
        data = data_.locate(study.data, study.microworld_settings())
    except data_.DataError as error:
        return [str(error)]
    wanted = [
        ("intermediate.examples", name, max(study.intermediate.examples, default=0)) for name in _arm_tasks(study)
    ]
    for name in (name for name in study.target.tasks if TASKS[name].trains):
        own = study.target.settings.get(name)
        wanted.append(("target.examples", name, (own and own.examples) or study.target.examples))
    for field, name, number in wanted:
        try:
            there = len(labelled.read(TASKS[name], "train", data))
            if number > there:
                faults.append(f"{field}: {number:,} is more than the {there:,} training examples of {name}")
        except data_.DataError as error:
            faults.append(str(error))
    for name in study.target.tasks:
        try:
            codes = [code for code in study.target_languages(name) if code != "en" or TASKS[name].trains]
            lacking = [code for code in codes if not labelled.is_scorable(TASKS[name], data, code)]
            if lacking:
                held = ", ".join(labelled.languages_with(TASKS[name], data)) or "no language"
                field = f"target.languages.{name}" if name in study.target.languages else "target.tasks"
                faults += [f"{field}: {name} has no test data to score in {code!r}; it has {held}" for code in lacking]
        except data_.DataError as error:
            faults.append(str(error))
    if not faults:
        faults += _check_start(study) or _check_text(study, data)
    return faults


def _check_start(study: Study) -> list[str]:
    if study.pretrain.encoder.is_scratch:
        return []
    try:
        encoders.load(study.pretrain.encoder.start)
    except encoders.CheckpointFault as error:
        return [f"pretrain.encoder.start: {error}"]
    return []


def _check_text(study: Study, data: str) -> list[str]:
    settings = study.pretrain
    if not settings.encoder.is_scratch and not any(settings.tokens):
        return []  # a checkpoint as it stands reads no text
    try:
        sizes = (settings.encoder.vocabulary, settings.vocabulary_sample, settings.language_exponent)
        tokenizer = batches.vocabulary(data, study.languages, *sizes, settings.encoder.start).tokenizer
        text_ = batches.Text(data, study.languages, tokenizer, settings.length, settings.language_exponent)
        steps = max(settings.tokens) // (settings.length * settings.batch)
        for seed in study.seeds:
            text_.draw(seed, steps * settings.batch)
    except data_.DataError as error:
        return [f"pretrain.tokens: {error}"]
    return []


def _arm_tasks(study: Study) -> list[str]:
    return sorted({name for arm in study.intermediate.arms for name in arm.tasks})
