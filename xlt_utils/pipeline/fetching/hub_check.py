"""Checks a study against what the hub says of its data sets and checkpoints, before anything is fetched: one request an
id. A study goes in; out come the faults that are known from cards and lists of files, with the field of the study file:
ids, revisions, configs, splits and columns that are not there, and what a login would open."""

from collections.abc import Iterator

from xlt_utils.data import labelled
from xlt_utils.data.loading import fill_in
from xlt_utils.data.tasks import TASKS, Source
from xlt_utils.errors import did_you_mean
from xlt_utils.pipeline.fetching import hub
from xlt_utils.study.schema import Study
from xlt_utils.study.wanted import MAIN, hub_checkpoint, wanted_sets, wanted_text


def check_on_hub(study: Study) -> list[str]:
    """Every fault of a study that the hub's own words show."""
    faults: list[str] = []
    repositories: dict[str, hub.Repository] = {}
    for name, wanted in wanted_sets(study).items():
        try:
            repositories[name] = hub.describe("dataset", name, wanted.revision)
        except hub.HubFault as fault:
            faults.append(f"data: {fault}")
    faults += _check_tasks(study, repositories)
    faults += _check_text(study)
    faults += _check_checkpoints(study)
    return faults


def _check_tasks(study: Study, repositories: dict[str, hub.Repository]) -> Iterator[str]:
    parts = [("intermediate.arms", name, part, ["en"]) for arm in study.intermediate.arms for name in arm.tasks
             for part in ("train", "development")]  # fmt: skip
    for arm in study.intermediate.arms:
        translated = [code for code in arm.languages if code != "en"]
        parts += [("intermediate.arms", name, "translated", translated) for name in arm.tasks if translated]
    for name in study.target.tasks:
        parts += [("target.tasks", name, part, ["en"]) for part in ("train", "development")]
        field = f"target.languages.{name}" if name in study.target.languages else "target.tasks"
        tested = [code for code in study.target_languages(name) if code != "en" or TASKS[name].trains]
        parts.append((field, name, "test", tested))
    for field, name, part, languages in dict.fromkeys((f, n, p, tuple(codes)) for f, n, p, codes in parts):
        for first in getattr(TASKS[name], part):
            sources = [source for source in labelled.with_stand_ins(first) if source.is_on_hub]
            known = [source for source in sources if source.dataset in repositories]
            for language in languages if known else ():
                reasons = [_fault_of_source(source, repositories[source.dataset], language) for source in known]
                if all(reasons):
                    yield f"{field}: {name}, {part}: {'; '.join(filter(None, reasons))}"


def _fault_of_source(source: Source, repository: hub.Repository, language: str) -> str | None:
    """Why a split cannot be read, as far as card and files say; None where nothing is wrong."""
    config = fill_in(source.config, language)
    where = f"{source.dataset}, config {config}"
    if config not in repository.configs:
        return f"{where}: no such config; {did_you_mean(config, repository.configs)}"
    splits = repository.configs[config]
    if source.split not in splits and "" not in splits:
        return f"{where}: no split {source.split}; there are {', '.join(splits)}"
    columns = _columns(repository, config)
    for named in source.columns.values() if columns else ():
        for column in (named,) if isinstance(named, str) else named:
            if column.partition(".")[0] not in columns:
                return f"{where}: no column {column!r}; {did_you_mean(column, columns)}"
    return None


def _columns(repository: hub.Repository, config: str) -> list[str]:
    """The columns of a config as the card has them; none where it does not say."""
    rows = repository.card.get("dataset_info") or []
    for row in [rows] if isinstance(rows, dict) else rows:
        if row.get("config_name", "default") == config:
            return [feature["name"] for feature in row.get("features") or () if "name" in feature]
    return []


def _check_text(study: Study) -> Iterator[str]:
    lacking = set(study.languages)
    for number, source in enumerate(wanted_text(study)):
        try:
            repository = hub.describe("dataset", source.dataset, source.revision or MAIN)
        except hub.HubFault as fault:
            yield f"text.{number}: {fault}" if len(study.text) > 1 else f"text: {fault}"
            return
        lacking -= {code for code in study.languages if fill_in(source.config, code) in repository.configs}
    if wanted_text(study) and lacking:
        codes = ", ".join(code for code in study.languages if code in lacking)
        yield f"text: no source has a config for {codes}"


def _check_checkpoints(study: Study) -> Iterator[str]:
    seen: dict[str, list[str] | None] = {}
    for number, rung in enumerate(study.pretrain.rungs):
        checkpoint = hub_checkpoint(rung.encoder.start)
        field = f"pretrain.checkpoints.{number}" if study.pretrain.checkpoints else "pretrain.encoder"
        if checkpoint is None or (number and not study.pretrain.checkpoints):
            continue
        if str(checkpoint) not in seen:
            try:
                seen[str(checkpoint)] = list(hub.describe("model", checkpoint.name, checkpoint.revision).files)
            except hub.HubFault as fault:
                seen[str(checkpoint)] = None
                yield f"{field}.start: {fault}"
        files, folder = seen[str(checkpoint)], f"{rung.encoder.subfolder}/" if rung.encoder.subfolder else ""
        if files is None:
            continue
        if f"{folder}config.json" not in files:
            yield f"{field}.start: {checkpoint}: no {folder}config.json there; is it an encoder of transformers?"
        elif not any(
            hub.matches(file, [f"{folder}*.safetensors"]) and "/" not in file[len(folder) :] for file in files
        ):
            yield f"{field}.start: {checkpoint}: no {folder or ''}*.safetensors there, and other weights are never read"
