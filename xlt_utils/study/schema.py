"""What a study is: the pydantic models that a study file must fit. In goes a file's content, out comes a `Study`. Each
section checks itself in full, so that one reading finds every fault; study_file.py reads the file and lists them."""

import difflib
import itertools
import re
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from xlt_utils.data import perturb
from xlt_utils.data.languages import LANGUAGES
from xlt_utils.data.tasks import TASKS, tasks_with_role, trained_alike
from xlt_utils.errors import did_you_mean

UNITS = {"k": 10**3, "M": 10**6, "G": 10**9}
LARGEST = 10**13  # tokens, examples or lines; more is a slip of the pen
SHORTEST_SPAN = 16  # tokens: a question and the windows' overlap take a third each, special tokens the rest
FieldFault = tuple[str, str]  # a field below the section that checks itself (`arms.0.tasks`), and what is wrong with it


def parse_size(value: Any) -> int:
    """A size as study files write it, `200k`, `3.2M`, `1G` or a plain number, as a whole number.

    Raises:
        ValueError: no such size, or no whole number (`0.0001k`).
    """
    number = Decimal("nan")
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        number = Decimal(value)
    elif isinstance(value, str) and (match := re.fullmatch(r"(\d+(?:\.\d+)?)([kMG])", value)):
        number = Decimal(match[1]) * UNITS[match[2]]
    if not number.is_finite() or number != int(number):
        raise ValueError("expected a size: a whole number such as 400, 200k, 3.2M or 1G (k, M and G spelt so)")
    if number > LARGEST:
        raise ValueError(f"expected a size of {LARGEST // UNITS['G']:,}G at most")
    return int(number)


def _tuple(value: Any) -> tuple:
    if not isinstance(value, (list, tuple)):
        raise ValueError("expected a list such as [mnli, squad]")
    return tuple(value)


def _distinct(values: list) -> list:
    repeated = sorted({value for value in values if values.count(value) > 1})
    if repeated:
        raise ValueError(f"{', '.join(map(str, repeated))} is listed more than once")
    return values


def _rising(values: list[int]) -> list[int]:
    _distinct(values)
    if values != sorted(values):
        raise ValueError(f"a ladder rises: write {sorted(values)}")
    return values


def _task(role: str) -> AfterValidator:
    def check(name: str) -> str:
        if name not in (tasks := tasks_with_role(role)):
            raise ValueError(f"no such {role} task; {did_you_mean(name, tasks)}")
        return name

    return AfterValidator(check)


def _any_task(name: str) -> str:
    if name not in TASKS:
        raise ValueError(f"no such task; {did_you_mean(name, TASKS)}")
    return name


def _language(code: str) -> str:
    if code in LANGUAGES:
        return code
    codes = {language.name.lower(): language.code for language in LANGUAGES.values()}
    near = difflib.get_close_matches(code.lower(), codes, n=1, cutoff=0.75)
    hint = f"did you mean `{codes[near[0]]}`?" if near else did_you_mean(code, LANGUAGES)
    raise ValueError(f"no such language; {hint}")


def _config_pattern(pattern: str) -> str:
    names = list(asdict(LANGUAGES["en"]))
    try:
        pattern.format(**dict.fromkeys(names, ""))
    except (KeyError, IndexError, ValueError):
        raise ValueError(f"expected a config such as `20231101.{{code}}`; there are {', '.join(names)}") from None
    return pattern


def _tuple_of_one_or_more(value: Any) -> tuple:
    return tuple(value) if isinstance(value, (list, tuple)) else (value,)


def _perturbation(kind: str) -> str:
    if kind not in perturb.KINDS:
        raise ValueError(f"no such perturbation; {did_you_mean(kind, perturb.KINDS)}")
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
Length = Annotated[int, Field(ge=8)]  # tokens of a row, special ones included
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Text = Annotated[str, Field(min_length=1)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_+-]*$")]
Rate = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, lt=1)]
IntermediateTask = Annotated[str, _task("intermediate")]
TargetTask = Annotated[str, _task("target")]
AnyTask = Annotated[str, AfterValidator(_any_task)]
LanguageCode = Annotated[str, AfterValidator(_language)]
LanguageCodes = Annotated[
    list[LanguageCode], Field(min_length=1), AfterValidator(_distinct), AfterValidator(_english_first)
]
TaskLanguages = Annotated[list[LanguageCode], Field(min_length=1), AfterValidator(_distinct)]


class Section(BaseModel):
    """A mapping of the study file: an unknown key or a value of another type is a fault."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    def faults(self) -> list[FieldFault]:
        """What is wrong between the section's fields, each right in itself."""
        return []


class Microworld(Section):
    """The embedded data: `sentences` lines of text over all languages, a share of them bilingual."""

    seed: Seed = 0
    sentences: Positive = 150_000
    bilingual: Share = 0.05


class TextSource(Section):
    """A data set of pretraining text. `config` holds `{code}` or another name of a language (data/languages.py) where
    each language has a config of its own; without one, every row counts for every language. Rows may be whole
    documents: with `split_lines` each of their lines that is not blank is a line of text. `max_lines` are the first of
    each language. `revision` is a branch, a tag or a commit of the hub's data set, `main` by default."""

    dataset: Text
    config: Annotated[str, AfterValidator(_config_pattern)] = "{code}"
    split: Text = "train"
    column: Text = "text"
    split_lines: bool = False
    max_lines: Positive | None = None
    revision: Text | None = None


class Card(Section):
    """What a checkpoint was trained on before it came here, as its model card says: the `model`'s id, its
    `training_data` in words, and the `tasks` of this package that are among them, for which I = 0 is not zero
    examples. The report states it; no result depends on it."""

    model: Text
    training_data: Text
    tasks: Annotated[tuple[AnyTask, ...], BeforeValidator(_tuple), AfterValidator(_distinct)] = ()


class Encoder(Section):
    """What phase 1 starts from: random weights of a given shape, or a checkpoint (a hub id, `owner/name@revision`, or
    a folder), which has its own shape and vocabulary, and a `card` that says where it comes from."""

    start: Text = "scratch"
    subfolder: Text | None = Field(default=None, exclude=True)  # of the checkpoint; part of a run's `start`
    architecture: Literal["modernbert", "xlm-roberta"] | None = None  # from scratch: `modernbert` by default
    layers: Count | None = None
    width: Count | None = None
    heads: Count | None = None
    vocabulary: Annotated[Size, Field(ge=300)] | None = None
    # Of a sentence's vectors; by default the checkpoint's own, or `first`.
    pooling: Literal["first", "mean"] | None = None
    card: Card | None = Field(default=None, exclude=True)  # no parameter of a run: see Study.provenance

    @property
    def is_scratch(self) -> bool:
        """Whether it starts from random weights."""
        return self.start == "scratch"

    def faults(self) -> list[FieldFault]:
        shape = ("layers", "width", "heads", "vocabulary")
        if not self.is_scratch:
            extra = [name for name in (*shape, "architecture") if getattr(self, name) is not None]
            if fault := _subfolder_fault(self.subfolder):
                return [fault]
            return [(name, f"the checkpoint {self.start} has its own; leave it out") for name in extra]
        if self.subfolder:
            return [("subfolder", "an encoder from scratch lies in no folder; leave it out")]
        if self.card:
            return [("card", "an encoder from scratch was trained on nothing before; leave it out")]
        missing = [name for name in shape if getattr(self, name) is None]
        if missing:
            return [("", f"an encoder from scratch needs {', '.join(missing)}")]
        if self.width and self.heads and self.width % (2 * self.heads):
            return [("heads", f"width {self.width} must be a multiple of twice the heads")]
        return []


class ReadyCheckpoint(Section):
    """A published checkpoint as a rung of the pretraining ladder, with the tokens that it was trained on."""

    start: Text
    subfolder: Text | None = None
    tokens: Annotated[Size, Field(ge=0)]
    pooling: Literal["first", "mean"] | None = None
    card: Card | None = None


class HeadWarmup(Section):
    """What comes before P counts where a checkpoint brings no masked-LM head. It gets one that predicts through its
    input embeddings, and the head alone is trained, at a constant `learning_rate` and with the encoder frozen, until
    its loss settles: until the mean loss over ten points of the learning curve, a tenth of `tokens` at most, is less
    than 1 % below that over the ten before. `tokens` is the most that this may take, in whole steps; 0 leaves the
    head random. The text is that of `languages`, from the other end of the seed's order than the rungs', and counts
    as cost, not as P."""

    tokens: Annotated[Size, Field(ge=0)] = 500_000
    learning_rate: Rate = 3e-3


@dataclass(frozen=True)
class Rung:
    """A rung of the pretraining ladder: its encoder, the tokens on which that was trained `before` it came here, and
    the `tokens` of training here."""

    encoder: Encoder
    before: int
    tokens: int


class Pretrain(Section):
    """Phase 1, from an `encoder` on a ladder of `tokens` or, where they were trained elsewhere, `checkpoints` as they
    stand. `arm: fresh` grows the text with the rung; `arm: repeated` gives every rung the steps of the largest, over
    its own tokens again and again. On a `ladder` the rungs share a trunk; `independent` ones each warm up and decay
    linearly. `warmup` is in tokens and the same for all rungs, `cooldown` a share of each rung. A device holds at most
    `micro_batch` sequences at once. `head_warmup` is for checkpoints without a masked-LM head."""

    encoder: Encoder | None = None
    tokens: Annotated[list[Annotated[Size, Field(ge=0)]], Field(min_length=1), AfterValidator(_rising)] | None = None
    checkpoints: Annotated[list[ReadyCheckpoint], Field(min_length=1)] | None = None
    arm: Literal["fresh", "repeated"] = "fresh"
    schedule: Literal["ladder", "independent"] = "ladder"
    length: Length = 64
    batch: Count = 16
    micro_batch: Count | None = None
    learning_rate: Rate = 1.5e-3
    warmup: Annotated[Size, Field(ge=0)] = 20_000
    cooldown: Share = 0.2
    language_exponent: Annotated[float, Field(ge=0, le=1)] = 0.3
    mask_rate: Annotated[float, Field(gt=0, lt=1)] = 0.15
    head_warmup: HeadWarmup = HeadWarmup()
    vocabulary_sample: Positive = 20_000

    @property
    def rungs(self) -> list[Rung]:
        """The ladder, from the fewest tokens to the most."""
        if self.checkpoints:
            return [
                Rung(Encoder(start=c.start, subfolder=c.subfolder, pooling=c.pooling, card=c.card), c.tokens, 0)
                for c in self.checkpoints
            ]
        assert self.encoder and self.tokens  # faults() refuses a study without them
        return [Rung(self.encoder, 0, tokens) for tokens in self.tokens]

    @property
    def shares_trunk(self) -> bool:
        """Whether a rung goes on from the one below."""
        return self.schedule == "ladder" and self.arm == "fresh" and not self.checkpoints

    def faults(self) -> list[FieldFault]:
        if self.checkpoints:
            extra = [name for name in ("encoder", "tokens") if getattr(self, name) is not None]
            if extra:
                return [(name, "the checkpoints have their own; leave it out") for name in extra]
            tokens = [checkpoint.tokens for checkpoint in self.checkpoints]
            for number, checkpoint in enumerate(self.checkpoints):
                if fault := _subfolder_fault(checkpoint.subfolder):
                    return [(f"checkpoints.{number}.{fault[0]}", fault[1])]
            rises = all(below < above for below, above in itertools.pairwise(tokens))
            return [] if rises else [("checkpoints", f"a ladder rises: their tokens are {tokens}")]
        if self.encoder is None or self.tokens is None:
            missing = [name for name in ("encoder", "tokens") if getattr(self, name) is None]
            return [("", f"without {' and '.join(missing)} there is no ladder; or name ready `checkpoints`")]
        step = self.length * self.batch
        return [
            *_below("encoder", self.encoder),
            *_ladder_faults("tokens", self.tokens, step, self.warmup, self.cooldown),
        ]


class Sampling(Section):
    """How the tasks of an arm share its steps: in proportion to their examples (of which `cap` count at most), that to
    the power of 1 / temperature, or all alike (Raffel et al. 2020, §3.5.2)."""

    kind: Literal["proportional", "temperature", "uniform"] = "proportional"
    cap: Positive | None = None
    temperature: Annotated[float, Field(ge=1, allow_inf_nan=False)] = 1.0

    def faults(self) -> list[FieldFault]:
        if self.kind != "temperature" and self.temperature != 1:
            return [("temperature", "only `kind: temperature` has one")]
        return []


class ArmSettings(Section):
    """One experimental condition of phase 2: English examples of one or several `tasks`, a head each, in steps that
    `sampling` shares out. With `mlm_share` that share of the steps is masked-LM training on the text of
    `mlm_languages`: all of the study's beside a task, English alone without one. `languages` other than English mix
    translated examples in; `labels: shuffled` trains the same steps with nothing to learn. `targets` are the target
    tasks that follow, all unless some are named; `examples` some of the ladder's rungs, where its data hold no more."""

    name: Name
    tasks: Annotated[list[IntermediateTask], AfterValidator(_distinct)]
    sampling: Sampling = Sampling()
    mlm_share: Annotated[float, Field(ge=0, le=1)] = 0.0
    mlm_languages: TaskLanguages | None = None
    languages: TaskLanguages = ["en"]
    labels: Literal["given", "shuffled"] = "given"
    learning_rate: Rate | None = None
    examples: Annotated[list[Positive], Field(min_length=1), AfterValidator(_rising)] | None = None
    targets: Annotated[list[TargetTask], AfterValidator(_distinct)] | None = None

    def text_languages(self, languages: list[str]) -> list[str]:
        """The languages of the masked-LM text in a study of `languages`; none where no text is read."""
        if not self.mlm_share:
            return []
        return self.mlm_languages or (languages if self.tasks else ["en"])

    def faults(self) -> list[FieldFault]:
        faults = _below("sampling", self.sampling)
        if not self.tasks and self.mlm_share != 1:
            faults.append(("tasks", "an arm without a task is masked-LM training alone: `mlm_share: 1.0`"))
        if self.tasks and self.mlm_share == 1:
            faults.append(("mlm_share", "leaves no step for the arm's tasks"))
        if self.mlm_languages and not self.mlm_share:
            faults.append(("mlm_languages", "without an `mlm_share` no text is read"))
        if self.languages != ["en"]:
            translated = ", ".join(task.name for task in TASKS.values() if task.translated)
            faults += [
                ("languages", f"no translations of {name} are known; there are those of {translated}")
                for name in self.tasks
                if not TASKS[name].translated
            ]
        return faults


class TaskSettings(Section):
    """The settings of one intermediate task that differ from the phase's: QA needs longer examples."""

    length: Length | None = None


class TargetSettings(Section):
    """The settings of one target task that differ from the phase's."""

    examples: Positive | None = None
    epochs: Count | None = None
    length: Length | None = None
    batch: Count | None = None
    learning_rate: Rate | None = None
    evaluation_examples: Positive | None = None


class Intermediate(Section):
    """Phase 2. `examples` are the rungs above 0 (0 is always there), `warmup` is in examples. Every example is seen
    `epochs` times. Where the `schedule` is a ladder and every example is seen once, the rungs share a trunk;
    `independent` rungs each warm up and decay linearly. `settings` are those of single tasks:
    `settings: {squad: {length: 384}}`."""

    examples: Annotated[list[Positive], AfterValidator(_rising)]
    arms: list[ArmSettings]
    settings: dict[IntermediateTask, TaskSettings] = {}
    epochs: Count = 1
    schedule: Literal["ladder", "independent"] = "ladder"
    length: Length = 128
    batch: Count = 32
    micro_batch: Count | None = None
    learning_rate: Rate = 5e-4
    warmup: Annotated[Size, Field(ge=0)] = 256
    cooldown: Share = 0.2
    evaluation_examples: Positive | None = 400

    def faults(self) -> list[FieldFault]:
        names = [arm.name for arm in self.arms]
        faults = [("arms", f"two arms are called `{name}`") for name in sorted(set(names)) if names.count(name) > 1]
        for number, arm in enumerate(self.arms):
            faults += _below(f"arms.{number}", arm)
            unknown = [rung for rung in arm.examples or () if rung not in self.examples]
            faults += [(f"arms.{number}.examples", f"{rung} is no rung of {self.examples}") for rung in unknown]
        tasks = [name for arm in self.arms for name in arm.tasks]
        faults += _short_spans(tasks, self.settings, self.length)
        return faults + _ladder_faults("examples", self.examples, self.batch, self.warmup, self.cooldown)

    def rungs(self, arm: ArmSettings) -> list[int]:
        """An arm's rungs above 0."""
        return arm.examples or self.examples

    @property
    def shares_trunk(self) -> bool:
        """Whether a rung goes on from the one below."""
        return self.schedule == "ladder" and self.epochs == 1


class Target(Section):
    """Phase 3. Every target task is tested in all of the study's languages, unless `languages` names others for it:
    `languages: {sst: [en, de]}`. `warmup` is a share of the steps. With `patience` the English development data are
    scored after each epoch: the best epoch's weights are tested, and training ends after that many epochs without a
    better one. `baseline_replicates` is how often each seed fine-tunes and tests the encoders without intermediate
    training (I = 0): about the square root of the number of arms, since chance in these runs moves the gains of all
    arms together. A replicate has another head, order of examples and dropout, but the same examples and the same
    tests. The arms share head and order with the first run, and what they share cancels out of a gain already: more
    runs narrow it only where the scores of an arm and of the baseline correlate below 1/2 over such draws. `settings`
    are those of single tasks: `settings: {xquad: {length: 384, batch: 8}}`. Each test is repeated under each of the
    `perturbations` of its text at each of the `perturbation_rates` (shares of the words). With `write_submission` the
    predictions are also written in XTREME's submission layout. A cell runs up to `tasks_per_cell` tasks one after
    another; tasks that train alike, as XQuAD and MLQA do, are trained once there and count as one."""

    tasks: Annotated[list[TargetTask], Field(min_length=1), AfterValidator(_distinct)]
    languages: dict[str, TaskLanguages] = {}
    settings: dict[str, TargetSettings] = {}
    examples: Positive = 1024
    epochs: Count = 2
    length: Length = 128
    batch: Count = 32
    micro_batch: Count | None = None
    learning_rate: Rate = 5e-4
    warmup: Share = 0.1
    patience: Count | None = None
    baseline_replicates: Count = 1
    evaluation_examples: Positive | None = 400
    perturbations: Annotated[list[Annotated[str, AfterValidator(_perturbation)]], AfterValidator(_distinct)] = []
    perturbation_rates: Annotated[list[Annotated[float, Field(gt=0, le=1)]], AfterValidator(_distinct)] = list(
        perturb.RATES
    )
    write_submission: bool = False
    tasks_per_cell: Count = 5

    def faults(self) -> list[FieldFault]:
        faults = [
            (f"{field}.{name}", f"no task of target.tasks; {did_you_mean(name, self.tasks)}")
            for field in ("languages", "settings")
            for name in getattr(self, field)
            if name not in self.tasks
        ]
        return faults + _short_spans(self.tasks, self.settings, self.length)

    def trainings(self, names: list[str]) -> list[list[str]]:
        """Target tasks in groups of one training; with `patience` each has its own, which its own scores end."""
        own = {name: self.settings.get(name, TargetSettings()) for name in names}
        settings = {name: each.model_dump(exclude={"evaluation_examples"}) for name, each in own.items()}
        return trained_alike(names, {name: name for name in names} if self.patience else settings)


class Gate(Section):
    """What `xlt run` tries before the rest of the grid: of one `seed` (by default the first) at one rung of P
    (`tokens`, by default the largest) the targets without intermediate training and each arm's largest I. The run
    stops where one of these is not learnt in English (analysis/learning.py)."""

    seed: Seed | None = None
    tokens: Annotated[Size, Field(ge=0)] | None = None


class Study(Section):
    """A whole study. `threads` are the CPU threads of each process, `devices` the processes that share a training, one
    a GPU; both are part of a result. With `keep: needed` the weights of a cell go as soon as every cell that goes on
    from them is done, with `keep: all` they stay; by default they stay until the study is published. `text` names the
    sources of pretraining text, of the hub or of the `data` folder; `revisions` those of the hub's data sets, by id."""

    name: Name
    data: Annotated[str, Field(min_length=1)]
    languages: LanguageCodes
    seeds: Annotated[list[Seed], Field(min_length=1), AfterValidator(_distinct)]
    threads: Count = 1
    devices: Count = 1
    microworld: Microworld | None = None
    text: Annotated[tuple[TextSource, ...], BeforeValidator(_tuple_of_one_or_more), AfterValidator(_distinct)] = ()
    revisions: dict[str, Text] = {}
    pretrain: Pretrain
    intermediate: Intermediate
    target: Target
    gate: Gate | None = None
    keep: Literal["all", "needed"] | None = None

    def target_languages(self, task: str) -> list[str]:
        """The languages that a target task is tested in."""
        return self.target.languages.get(task, self.languages)

    def provenance(self) -> list[dict[str, Any]]:
        """The checkpoints that the study starts from, and the card of each (None where the file gives none)."""
        encoders = dict.fromkeys(rung.encoder for rung in self.pretrain.rungs if not rung.encoder.is_scratch)
        return [{"start": e.start, "card": e.card and e.card.model_dump(mode="json")} for e in encoders]

    def microworld_settings(self) -> dict[str, Any]:
        """What this study's embedded data depend on."""
        return (self.microworld.model_dump() if self.microworld else {}) | {"languages": self.languages}

    def target_batches(self, tasks: list[str] | None = None) -> list[list[str]]:
        """The target tasks (all, or some) as cells run them: at most `tasks_per_cell` trainings together."""
        groups = self.target.trainings(self.target.tasks if tasks is None else tasks)
        size = self.target.tasks_per_cell
        return [[*itertools.chain(*groups[start : start + size])] for start in range(0, len(groups), size)]


def _subfolder_fault(subfolder: str | None) -> FieldFault | None:
    """What is wrong with the subfolder of a checkpoint: it lies in the checkpoint's folder."""
    if subfolder and (subfolder.startswith("/") or ".." in subfolder.split("/")):
        return "subfolder", "expected a folder in the checkpoint's own, such as `step-1000`"
    return None


def _below(field: str, section: Section) -> list[FieldFault]:
    """The faults of a section that is the field of another."""
    return [(f"{field}.{name}".rstrip("."), text) for name, text in section.faults()]


def _short_spans(tasks: list[str], settings: dict[str, Any], length: int) -> list[FieldFault]:
    """Faults of tasks that find answers, and whose rows are too short to hold a question and a part of the text."""
    faults = []
    for name in dict.fromkeys(name for name in tasks if TASKS[name].format == "span"):
        own = name in settings and settings[name].length
        if (own or length) < SHORTEST_SPAN:
            field = f"settings.{name}.length" if own else "length"
            faults.append((field, f"{name} takes rows of {SHORTEST_SPAN} tokens or more"))
    return faults


def _ladder_faults(field: str, rungs: list[int], step: int, warmup: int, cooldown: float) -> list[FieldFault]:
    """Faults of a ladder whose smallest rung holds less than a step, or less than its warm-up and cooldown."""
    smallest = min((rung for rung in rungs if rung), default=None)
    if smallest is None:
        return []
    if smallest < step:
        return [(field, f"the smallest rung, {smallest}, is less than one step, {step}")]
    most = int(smallest * (1 - cooldown))
    if warmup > most:
        return [("warmup", f"must end before the smallest rung, {smallest}, cools down: {most} at the most")]
    return []
