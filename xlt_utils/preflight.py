"""What a study's data would show only later, found before any kernel starts: data sets, configs and columns that are
not there, languages that a task lacks, rungs larger than the data."""

from xlt_utils import batches
from xlt_utils import data as data_
from xlt_utils.study import Study
from xlt_utils.tasks import TASKS


def check(study: Study) -> list[str]:
    """Every fault that a study's data would show later: data sets, configs and columns that are not
    there, languages that a task lacks, rungs larger than the data. Loads the data, trains nothing but the
    vocabulary."""
    faults = []
    try:
        data = data_.locate(study.data, study.microworld.model_dump() if study.microworld else None)
    except data_.DataError as error:
        return [str(error)]
    wanted = [
        ("intermediate.examples", name, max(study.intermediate.examples, default=0)) for name in _arm_tasks(study)
    ]
    wanted += [("target.examples", name, study.target.examples) for name in study.target.tasks if TASKS[name].trains]
    for field, name, number in wanted:
        try:
            there = len(data_.examples(TASKS[name], "train", data))
            if number > there:
                faults.append(f"{field}: {number:,} is more than the {there:,} training examples of {name}")
        except data_.DataError as error:
            faults.append(str(error))
    for name in study.target.tasks:
        try:
            held = data_.languages_with(TASKS[name], data)
        except data_.DataError as error:
            faults.append(str(error))
            continue
        for code in study.target_languages(name):
            if code not in held and not (code == "en" and TASKS[name].format == "retrieval"):
                faults.append(f"target.tasks: {name} has no test data in {code!r}; it has {', '.join(held)}")
    if not faults:
        faults += _check_text(study, data)
    return faults


def _check_text(study: Study, data: str) -> list[str]:
    settings = study.pretrain
    try:
        tokenizer = batches.vocabulary(
            data,
            study.languages,
            settings.encoder.vocabulary,
            settings.vocabulary_sample,
            settings.language_exponent,
        )
        text_ = batches.Text(data, study.languages, tokenizer.folder, settings.length, settings.language_exponent)
        steps = max(settings.tokens) // (settings.length * settings.batch)
        for seed in study.seeds:
            text_.draw(seed, steps * settings.batch)
    except data_.DataError as error:
        return [f"pretrain.tokens: {error}"]
    return []


def _arm_tasks(study: Study) -> list[str]:
    return sorted({name for arm in study.intermediate.arms for name in arm.tasks})
