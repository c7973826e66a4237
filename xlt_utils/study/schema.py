"""What a study is: the models that a study file must fit. Each checks itself in full, so that one reading finds
every fault; reading a file and saying what is wrong with it is study_file.py's."""

import difflib
import itertools
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from xlt_utils.data import perturb
from xlt_utils.data.languages import LANGUAGES
from xlt_utils.data.tasks import TASKS, tasks_with_role
from xlt_utils.errors import did_you_mean

UNITS = {"k": 10**3, "M": 10**6, "G": 10**9}
SIZE = "a size: a whole number such as 400, 200k, 3.2M or 1G (k, M and G spelt so)"


def parse_size(value: Any) -> int:
    """A size as study files write it, `200k`, `3.2M`, `1G` or a plain number, as a whole number."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        number = Decimal(value)
    else:
        found = re.fullmatch(r"(\d+(?:\.\d+)?)([kMG])", value) if isinstance(value, str) else None
        number = Decimal(found[1]) * UNITS[found[2]] if found else Decimal("0.5")
    if not number.is_finite() or number != int(number):
        raise ValueError(f"expected {SIZE}")
    return int(number)


def _distinct(values: list) -> list:
    twice = sorted({value for value in values if values.count(value) > 1})
    if twice:
        raise ValueError(f"{', '.join(map(str, twice))} stands here more than once")
    return values


def _rising(values: list[int]) -> list[int]:
    _distinct(values)
    if values != sorted(values):
        raise ValueError(f"a ladder rises: write {sorted(values)}")
    return values


def _task(role: str) -> AfterValidator:
    def check(name: str) -> str:
        known = tasks_with_role(role)
        if name not in known:
            raise ValueError(f"no such {role} task; {did_you_mean(name, known)}")
        return name

    return AfterValidator(check)


def _language(code: str) -> str:
    known = LANGUAGES
    if code not in known:
        names = {language.name.lower(): language.code for language in known.values()}
        near = difflib.get_close_matches(code.lower(), names, n=1, cutoff=0.75)
        raise ValueError(
            "no such language; " + (f"did you mean `{names[near[0]]}`?" if near else did_you_mean(code, list(known)))
        )
    return code


def _perturbation(kind: str) -> str:
    if kind not in perturb.KINDS:
        raise ValueError(f"no such perturbation; {did_you_mean(kind, list(perturb.KINDS))}")
    return kind


def _english_first(codes: list[str]) -> list[str]:
    if codes[0] != "en":
        raise ValueError(f"English comes first: write [en, {', '.join(c for c in codes if c != 'en')}]")
    if len(codes) == 1:
        raise ValueError("a study of transfer needs a language beside English")
    return codes


Size = Annotated[int, BeforeValidator(parse_size)]
Positive = Annotated[Size, Field(gt=0)]
Count = Annotated[int, Field(gt=0)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_+-]*$")]
Rate = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, lt=1)]
LanguageCode = Annotated[str, AfterValidator(_language)]
LanguageCodes = Annotated[
    list[LanguageCode], Field(min_length=1), AfterValidator(_distinct), AfterValidator(_english_first)
]
TargetLanguages = Annotated[list[LanguageCode], Field(min_length=1), AfterValidator(_distinct)]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Microworld(Section):
    """The embedded data: `sentences` lines of text over all languages, a share of them bilingual."""

    seed: int = Field(default=0, ge=0)
    sentences: Positive = 150_000
    bilingual: Share = 0.05


class Encoder(Section):
    """What phase 1 starts from: random weights of a given shape, or a checkpoint (a hub id, `owner/name@revision`, or
    a folder), which has its own shape and vocabulary."""

    start: Annotated[str, Field(min_length=1)] = "scratch"
    architecture: Literal["modernbert", "xlm-roberta"] | None = None  # from scratch `modernbert` unless it is given
    layers: Count | None = None
    width: Count | None = None
    heads: Count | None = None
    vocabulary: Annotated[Size, Field(ge=300)] | None = None
    pooling: Literal["first", "mean"] | None = (
        None  # of sentences; where it is not given, the checkpoint's own or `first`
    )

    @property
    def is_scratch(self) -> bool:
        return self.start == "scratch"

    def faults(self) -> list[tuple[str, str]]:
        shape = ("layers", "width", "heads", "vocabulary")
        if not self.is_scratch:
            given = [name for name in (*shape, "architecture") if getattr(self, name) is not None]
            return [(name, f"the checkpoint {self.start} has its own; leave it out") for name in given]
        absent = [name for name in shape if getattr(self, name) is None]
        if absent:
            return [("", f"an encoder from scratch needs {', '.join(absent)}")]
        fits = self.width % (2 * self.heads) == 0
        return [] if fits else [("heads", f"width {self.width} must be a multiple of twice the heads")]


class ReadyCheckpoint(Section):
    """A published checkpoint as a rung of the pretraining ladder, with the tokens that it was trained on."""

    start: Annotated[str, Field(min_length=1)]
    tokens: Annotated[Size, Field(ge=0)]
    pooling: Literal["first", "mean"] | None = None


@dataclass(frozen=True)
class Rung:
    """A rung of the pretraining ladder: what it starts from, the tokens that this had seen `before`, and those that it
    is trained on here."""

    encoder: Encoder
    before: int
    tokens: int


class Pretrain(Section):
    """Phase 1, from an `encoder` on a ladder of `tokens` or, where they were trained elsewhere, `checkpoints` as they
    stand. `arm: fresh` grows the text with the rung; `arm: repeated` gives every rung the steps of the largest, over
    its own tokens again and again. On a `ladder` the rungs share a trunk; `independent` ones each warm up and decay
    linearly. `warmup` is in tokens and the same for all rungs, `cooldown` a share of each rung. A device holds at most
    `micro_batch` sequences at once."""

    encoder: Encoder | None = None
    tokens: Annotated[list[Annotated[Size, Field(ge=0)]], Field(min_length=1), AfterValidator(_rising)] | None = None
    checkpoints: Annotated[list[ReadyCheckpoint], Field(min_length=1)] | None = None
    arm: Literal["fresh", "repeated"] = "fresh"
    schedule: Literal["ladder", "independent"] = "ladder"
    length: Count = 64
    batch: Count = 16
    micro_batch: Count | None = None
    learning_rate: Rate = 1.5e-3
    warmup: Annotated[Size, Field(ge=0)] = 20_000
    cooldown: Share = 0.2
    language_exponent: Annotated[float, Field(ge=0, le=1)] = 0.3
    mask_rate: Annotated[float, Field(gt=0, lt=1)] = 0.15
    vocabulary_sample: Positive = 20_000

    @property
    def rungs(self) -> list[Rung]:
        """The ladder, from the fewest tokens to the most."""
        ready = [Rung(Encoder(start=one.start, pooling=one.pooling), one.tokens, 0) for one in self.checkpoints or ()]
        return ready or [Rung(self.encoder, 0, tokens) for tokens in self.tokens]

    @property
    def shares_trunk(self) -> bool:
        """Whether a rung goes on from the one below."""
        return self.schedule == "ladder" and self.arm == "fresh" and not self.checkpoints

    def faults(self) -> list[tuple[str, str]]:
        if self.checkpoints:
            given = [name for name in ("encoder", "tokens") if getattr(self, name) is not None]
            if given:
                return [(name, "the checkpoints have their own; leave it out") for name in given]
            tokens = [one.tokens for one in self.checkpoints]
            rises = all(one < other for one, other in itertools.pairwise(tokens))
            return [] if rises else [("checkpoints", f"a ladder rises: their tokens are {tokens}")]
        absent = [name for name in ("encoder", "tokens") if getattr(self, name) is None]
        if absent:
            return [("", f"without {' and '.join(absent)} there is no ladder; or name ready `checkpoints`")]
        below = [(f"encoder.{field}".rstrip("."), text) for field, text in self.encoder.faults()]
        return below + _ladder("tokens", self.tokens, self.length * self.batch, self.warmup, self.cooldown)


class Sampling(Section):
    """How the tasks of an arm share its steps: in proportion to their examples (of which `cap` count at most), that to
    the power of 1 / temperature, or all alike (Raffel et al. 2020, §3.5.2)."""

    kind: Literal["proportional", "temperature", "uniform"] = "proportional"
    cap: Positive | None = None
    temperature: Annotated[float, Field(ge=1, allow_inf_nan=False)] = 1.0

    def faults(self) -> list[tuple[str, str]]:
        odd = self.kind != "temperature" and self.temperature != 1
        return [("temperature", "only `kind: temperature` has one")] if odd else []


class ArmSettings(Section):
    """One experimental condition of phase 2: English examples of one or several `tasks`, a head each, in steps that
    `sampling` shares out. With `mlm_share` that share of the steps is masked-LM training on the text of
    `mlm_languages`: all of the study's beside a task, English alone without one. `languages` other than English mix
    translated examples in; `labels: shuffled` trains the same steps with nothing to learn. `targets` are the target
    tasks that follow, all unless some are named; `examples` some of the ladder's rungs, where its data hold no more."""

    name: Name
    tasks: Annotated[list[Annotated[str, _task("intermediate")]], AfterValidator(_distinct)]
    sampling: Sampling = Sampling()
    mlm_share: Annotated[float, Field(ge=0, le=1)] = 0.0
    mlm_languages: TargetLanguages | None = None
    languages: TargetLanguages = ["en"]
    labels: Literal["given", "shuffled"] = "given"
    learning_rate: Rate | None = None
    examples: Annotated[list[Positive], Field(min_length=1), AfterValidator(_rising)] | None = None
    targets: Annotated[list[Annotated[str, _task("target")]], AfterValidator(_distinct)] | None = None

    def text_languages(self, languages: list[str]) -> list[str]:
        """The languages of the masked-LM text, in a study of these languages; none where no text is read."""
        if not self.mlm_share:
            return []
        return self.mlm_languages or (languages if self.tasks else ["en"])

    def faults(self) -> list[tuple[str, str]]:
        found = [(f"sampling.{field}", text) for field, text in self.sampling.faults()]
        if not self.tasks and self.mlm_share != 1:
            found.append(("tasks", "an arm without a task is masked-LM training alone: `mlm_share: 1.0`"))
        if self.tasks and self.mlm_share == 1:
            found.append(("mlm_share", "leaves no step for the arm's tasks"))
        if self.mlm_languages and not self.mlm_share:
            found.append(("mlm_languages", "without an `mlm_share` no text is read"))
        for name in self.tasks if self.languages != ["en"] else ():
            if not TASKS[name].translated:
                known = [task.name for task in TASKS.values() if task.translated]
                found.append(
                    ("languages", f"no translations of {name} are known; there are those of {', '.join(known)}")
                )
        return found


class TaskSettings(Section):
    """What an intermediate task has otherwise than the rest: QA needs longer rows."""

    length: Count | None = None


class TargetSettings(Section):
    """What a target task has otherwise than the rest."""

    examples: Positive | None = None
    epochs: Count | None = None
    length: Count | None = None
    batch: Count | None = None
    learning_rate: Rate | None = None
    evaluation_examples: Positive | None = None


class Intermediate(Section):
    """Phase 2. `examples` are the rungs above 0 (0 is always there), `warmup` is in examples. Every example is seen
    `epochs` times. Where the `schedule` is a ladder and every example is seen once, the rungs share a trunk;
    `independent` rungs each warm up and decay linearly. `settings` names what a task has otherwise:
    `settings: {squad: {length: 384}}`."""

    examples: Annotated[list[Positive], AfterValidator(_rising)]
    arms: list[ArmSettings]
    settings: dict[Annotated[str, _task("intermediate")], TaskSettings] = {}
    epochs: Count = 1
    schedule: Literal["ladder", "independent"] = "ladder"
    length: Count = 128
    batch: Count = 32
    micro_batch: Count | None = None
    learning_rate: Rate = 5e-4
    warmup: Annotated[Size, Field(ge=0)] = 256
    cooldown: Share = 0.2
    evaluation_examples: Positive | None = 400

    def faults(self) -> list[tuple[str, str]]:
        names = [arm.name for arm in self.arms]
        twice = [("arms", f"two arms are called `{name}`") for name in sorted(set(names)) if names.count(name) > 1]
        own = [(f"arms.{n}.{field}", text) for n, arm in enumerate(self.arms) for field, text in arm.faults()]
        for number, arm in enumerate(self.arms):
            odd = [rung for rung in arm.examples or () if rung not in self.examples]
            own += [(f"arms.{number}.examples", f"{rung} is no rung of {self.examples}") for rung in odd]
        return twice + own + _ladder("examples", self.examples, self.batch, self.warmup, self.cooldown)

    def rungs(self, arm: ArmSettings) -> list[int]:
        """An arm's rungs above 0."""
        return arm.examples or self.examples

    @property
    def shares_trunk(self) -> bool:
        """Whether a rung goes on from the one below."""
        return self.schedule == "ladder" and self.epochs == 1


class Target(Section):
    """Phase 3. Every target task is tested in all of the study's languages, unless `languages` names
    others for it: `languages: {sst: [en, de]}`. `warmup` is a share of the steps. With `patience` the English
    development data are scored after each epoch: the best epoch's weights are tested, and training ends after so many
    epochs without a better one. `settings` names what a task has
    otherwise: `settings: {xquad: {length: 384, batch: 8}}`. Each test is repeated under each of the `perturbations` of
    its text at each of the `perturbation_rates` (shares of the words). With `write_submission` the predictions are
    also written in XTREME's submission layout."""

    tasks: Annotated[list[Annotated[str, _task("target")]], Field(min_length=1), AfterValidator(_distinct)]
    languages: dict[str, TargetLanguages] = {}
    settings: dict[str, TargetSettings] = {}
    examples: Positive = 1024
    epochs: Count = 2
    length: Count = 128
    batch: Count = 32
    micro_batch: Count | None = None
    learning_rate: Rate = 5e-4
    warmup: Share = 0.1
    patience: Count | None = None
    evaluation_examples: Positive | None = 400
    perturbations: Annotated[list[Annotated[str, AfterValidator(_perturbation)]], AfterValidator(_distinct)] = []
    perturbation_rates: Annotated[list[Annotated[float, Field(gt=0, le=1)]], AfterValidator(_distinct)] = list(
        perturb.RATES
    )
    write_submission: bool = False
    tasks_per_cell: Count = 5

    def faults(self) -> list[tuple[str, str]]:
        odd = [(field, name) for field in ("languages", "settings") for name in getattr(self, field)]
        odd = [(field, name) for field, name in odd if name not in self.tasks]
        return [
            (f"{field}.{name}", "no task of target.tasks; " + did_you_mean(name, self.tasks)) for field, name in odd
        ]


class Study(Section):
    """A whole study. `threads` are the CPU threads of each process, `devices` the processes that share a training, one
    a GPU; both are part of a result."""

    name: Name
    data: Annotated[str, Field(min_length=1)]
    languages: LanguageCodes
    seeds: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1), AfterValidator(_distinct)]
    threads: Count = 1
    devices: Count = 1
    microworld: Microworld | None = None
    pretrain: Pretrain
    intermediate: Intermediate
    target: Target

    def target_languages(self, task: str) -> list[str]:
        """The languages that a target task is tested in."""
        return self.target.languages.get(task, self.languages)

    def microworld_settings(self) -> dict[str, Any]:
        """What the embedded data of this study hang on."""
        return (self.microworld.model_dump() if self.microworld else {}) | {"languages": self.languages}

    def target_batches(self, tasks: list[str] | None = None) -> list[tuple[list[str], list[str]]]:
        """The target tasks (all, or some) as cells run them, each with its languages: at most `tasks_per_cell`
        together."""
        batches: list[tuple[list[str], list[str]]] = []
        for task in self.target.tasks if tasks is None else tasks:
            languages, most = self.target_languages(task), self.target.tasks_per_cell
            open_ = next((tasks for tasks, same in batches if same == languages and len(tasks) < most), None)
            if open_ is None:
                batches.append(([task], languages))
            else:
                open_.append(task)
        return batches


def _ladder(field: str, rungs: list[int], step: int, warmup: int, cooldown: float) -> list[tuple[str, str]]:
    """Faults of a ladder whose smallest rung holds less than a step or than its warm-up and cooldown."""
    smallest = min((rung for rung in rungs if rung), default=None)
    if smallest is None:
        return []
    if smallest < step:
        return [(field, f"the smallest rung, {smallest}, is less than one step, {step}")]
    most = int(smallest * (1 - cooldown))
    if warmup > most:
        return [("warmup", f"must end before the smallest rung, {smallest}, cools down: {most} at the most")]
    return []
