"""What a study reads from the hub. A study goes in; out come the data sets and their configs, the sources of text and
the checkpoints that `xlt mirror` takes, each at the revision that the study or the task's row names."""

import re
from dataclasses import dataclass, field

from xlt_utils import paths
from xlt_utils.data import decontaminate, labelled
from xlt_utils.data.languages import LANGUAGES
from xlt_utils.data.loading import fill_in
from xlt_utils.data.tasks import Source
from xlt_utils.study.schema import Study, TextSource

MAIN = "main"
HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


@dataclass
class WantedSet:
    """A data set of the hub at a revision, and those of its configs that are read, where it has them."""

    revision: str
    configs: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint of the hub at a revision."""

    name: str
    revision: str

    def __str__(self) -> str:
        return f"{self.name}@{self.revision}"


def hub_checkpoint(start: str) -> Checkpoint | None:
    """The checkpoint of the hub that a study file's `start` names; None for a folder, or random weights."""
    name, _, revision = start.partition("@")
    if start == "scratch" or paths.resolve(start).is_dir() or not HUB_ID.fullmatch(name) or name.startswith("."):
        return None
    return Checkpoint(name, revision or MAIN)


def wanted_checkpoints(study: Study) -> dict[Checkpoint, set[str]]:
    """The checkpoints of the hub that a study starts from, and the subfolders that it reads of each ("": none)."""
    wanted: dict[Checkpoint, set[str]] = {}
    for encoder in (rung.encoder for rung in study.pretrain.rungs):
        if checkpoint := hub_checkpoint(encoder.start):
            wanted.setdefault(checkpoint, set()).add((encoder.subfolder or "").strip("/"))
    return wanted


def wanted_text(study: Study) -> tuple[TextSource, ...]:
    """The sources of text that are read from the hub."""
    return study.text if study.data == "hub" and reads_text(study) else ()


def wanted_sets(study: Study) -> dict[str, WantedSet]:
    """The data sets of the hub that a study reads, by id: those of its tasks and, where it reads text, those that the
    text is compared with."""
    if study.data != "hub":
        return {}
    wanted: dict[str, WantedSet] = {}

    def add(sources: list[Source], languages: list[str]) -> None:
        for source in (source for source in sources if source.is_on_hub and languages):
            revision = study.revisions.get(source.dataset, source.revision or MAIN)
            entry = wanted.setdefault(source.dataset, WantedSet(revision))
            entry.configs |= {fill_in(source.config, language) for language in languages}

    for arm in study.intermediate.arms:
        add(labelled.task_sources(arm.tasks, ("train", "development")), ["en"])
        add(labelled.task_sources(arm.tasks, ("translated",)), [code for code in arm.languages if code != "en"])
    for name in study.target.tasks:
        add(labelled.task_sources([name], ("train", "development")), ["en"])
        add(labelled.task_sources([name], ("test",)), study.target_languages(name))
    if reads_text(study):
        add(decontaminate.evaluation_sources(), list(LANGUAGES))
    return wanted


def reads_text(study: Study) -> bool:
    """Whether some run of a study reads pretraining text."""
    trains = any(rung.tokens or rung.encoder.is_scratch for rung in study.pretrain.rungs)
    return trains or any(arm.mlm_share for arm in study.intermediate.arms)
