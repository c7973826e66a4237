"""The tasks, one row each: where the examples are, what their columns and labels are called, how predictions are
scored. Everything that the study knows about a task is in its row; to add a task, add a row."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True)
class Source:
    """One split of one data set, under its hub id.

    Attributes:
        config: may hold `{code}`, `{iso3}`, `{ud_name}` or `{lower_name}` (languages.py) where each language has a
            config of its own.
        columns: maps the study's names (labelled.py) to the data set's; `a.b` is the field b of a struct, a tuple of
            columns is one list.
        labels: the label names in the data set's order.
        dropped: the labels whose examples the study leaves out.
        language_column: where one config mixes languages, the column that names a row's language; the rows of a
            language are those where it equals `language_value` (or begins with it, if that ends in `-`).
        contains: the data sets whose examples this one repeats.
        reader: `hub`, or the module that reads a data set that is not on the hub: `bucc`, `ccgbank`.
        instead: what is read where this split is missing or its labels are withheld.
        revision: of the hub's data set, where its main one will not do, such as that without a loading script.
    """

    dataset: str
    config: str
    split: str
    columns: Mapping[str, str | tuple[str, ...]]
    labels: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    language_column: str | None = None
    language_value: str = "{code}"
    contains: tuple[str, ...] = ()
    reader: str = "hub"
    instead: "Source | None" = None
    revision: str | None = None

    @property
    def place(self) -> str:
        """The data set, config and split in words."""
        return f"{self.dataset}, config {self.config}, split {self.split}"

    def at(self, split: str, config: str | None = None) -> "Source":
        """Another split of the same data set."""
        return replace(self, split=split, config=config or self.config)

    def or_else(self, stand_in: "Source") -> "Source":
        """This split, and what is read where it is missing or its labels are withheld."""
        return replace(self, instead=stand_in)

    @property
    def is_on_hub(self) -> bool:
        """Whether the hub has the data set: two have readers of their own, and the microworld is written."""
        return self.reader == "hub" and not self.dataset.startswith("microworld/")


@dataclass(frozen=True)
class Task:
    """A task of the study. Several sources of a part are one data set under one head.

    Attributes:
        roles: `intermediate`, `target`.
        format: classification, choice, tagging, span, retrieval or mining; decides encoding, head and prediction.
        metric: the main score; `a+b` is the mean of both.
        chance: the score of guessing, 0..1.
        labels: a tagging task without labels takes those of its training data.
        train: English training data; a task without any is scored with the encoder as it stands.
        translated: the training data in other languages.
        unanswerable: whether a question may have no answer in its context.
        rules: how answers are normalised before they are compared: `squad` or `mlqa`.
    """

    name: str
    roles: tuple[str, ...]
    format: str
    metric: str
    chance: float
    labels: tuple[str, ...] = ()
    train: tuple[Source, ...] = ()
    translated: tuple[Source, ...] = ()
    development: tuple[Source, ...] = ()
    test: tuple[Source, ...] = ()
    unanswerable: bool = False
    rules: str = "squad"

    @property
    def trains(self) -> bool:
        return bool(self.train)

    def shares_data_with(self, other: "Task") -> bool:
        """Whether some training examples belong to both tasks: a gain of one from the other may be seen examples."""

        def origins(task: Task) -> set[str]:
            repeated = {name for source in task.train for name in source.contains}
            return repeated | {source.place for source in task.train}

        return not origins(self).isdisjoint(origins(other))

    def trains_as(self, other: "Task") -> bool:
        """Whether one training serves both: the same examples under the same head, as of XQuAD and MLQA."""
        return self.trains and (self.train, self.format, self.labels) == (other.train, other.format, other.labels)


# What several rows, or several parts of one row, share: labels, columns, and data sets as their training split.
_NLI = ("entailment", "neutral", "contradiction")
_DUPLICATE = ("not_duplicate", "duplicate")
_PARAPHRASE = ("0", "1")
_SENTIMENT = ("negative", "positive")
_FOUR = ("0", "1", "2", "3")
_FIVE = tuple("ABCDE")
_NER = ("O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC")
_POS = tuple("ADJ ADP ADV AUX CCONJ DET INTJ NOUN NUM PART PRON PROPN PUNCT SCONJ SYM VERB X".split())

_NLI_COLUMNS = {"text": "premise", "text2": "hypothesis", "label": "label"}
_SPAN_COLUMNS = {"id": "id", "text": "question", "context": "context", "answers": "answers"}
_HELLASWAG_COLUMNS = {"text": "ctx", "options": "endings", "label": "label"}
_XNLI_COLUMNS = {"text": "sentence1", "text2": "sentence2", "label": "gold_label"}
_PAWSX_COLUMNS = {"text": "sentence1", "text2": "sentence2", "label": "label"}
_TATOEBA_COLUMNS = {"text": "source_sentence", "text2": "target_sentence"}
_COSMOS_OPTIONS = ("answer0", "answer1", "answer2", "answer3")
_COSMOS_COLUMNS: dict[str, str | tuple[str, ...]] = {
    "text": "context",
    "text2": "question",
    "options": _COSMOS_OPTIONS,
    "label": "label",
}
_CSQA_COLUMNS = {"text": "question", "options": "choices.text", "names": "choices.label", "label": "answerKey"}

_CONVERTED = "refs/convert/parquet"  # the hub's own conversion of data sets whose main revision may be a loading script
_XTREME = "google/xtreme"
_SNLI = Source("stanfordnlp/snli", "plain_text", "train", _NLI_COLUMNS, _NLI)
_MNLI = Source("nyu-mll/multi_nli", "default", "train", _NLI_COLUMNS, _NLI)
_MNLI_DEVELOPMENT = _MNLI.at("validation_matched")
_ANLI = Source("facebook/anli", "plain_text", "train", _NLI_COLUMNS, _NLI)
_QQP = Source("nyu-mll/glue", "qqp", "train", {"text": "question1", "text2": "question2", "label": "label"}, _DUPLICATE)
_SQUAD = Source("rajpurkar/squad", "plain_text", "train", _SPAN_COLUMNS)
_SQUAD_DEVELOPMENT = _SQUAD.at("validation")
# Questions on newer Wikipedia articles: a test split on the hub, in some copies of it a training split
_SQUAD_WIKI = Source("ludwigschmidt/squadshifts", "new_wiki", "test", _SPAN_COLUMNS, revision=_CONVERTED)
# SQuAD 2.0 repeats SQuAD's questions and adds unanswerable ones
_SQUAD_V2 = Source("rajpurkar/squad_v2", "squad_v2", "train", _SPAN_COLUMNS, contains=(_SQUAD.place,))
_HELLASWAG = Source("Rowan/hellaswag", "default", "train", _HELLASWAG_COLUMNS, _FOUR, revision=_CONVERTED)
_CCGBANK = Source("ccgbank", "AUTO", "02-21", {"tokens": "tokens", "label": "tags"}, reader="ccgbank")
_COSMOS_QA = Source("allenai/cosmos_qa", "default", "train", _COSMOS_COLUMNS, _FOUR, revision=_CONVERTED)
_COMMONSENSE_QA = Source("tau/commonsense_qa", "default", "train", _CSQA_COLUMNS, _FIVE)
_PAWSX = Source(_XTREME, "PAWS-X.en", "train", _PAWSX_COLUMNS, _PARAPHRASE)
_UDPOS = Source(_XTREME, "udpos.English", "train", {"tokens": "tokens", "label": "pos_tags"}, _POS)
_PANX = Source(_XTREME, "PAN-X.en", "train", {"tokens": "tokens", "label": "ner_tags"}, _NER)
_MLQA = Source(_XTREME, "MLQA.{code}.{code}", "test", _SPAN_COLUMNS)
# The training split is read without its ids: there are releases that have some of them twice
_TYDIQA_COLUMNS = {name: column for name, column in _SPAN_COLUMNS.items() if name != "id"}
_TYDIQA = Source(_XTREME, "tydiqa", "train", _TYDIQA_COLUMNS, language_column="id", language_value="{lower_name}-")
_TYDIQA_DEVELOPMENT = replace(_TYDIQA, split="validation", columns=_SPAN_COLUMNS)
_BUCC = Source("bucc2018", "{code}-en", "test", {"text": "text"}, reader="bucc")
_SST = Source("nyu-mll/glue", "sst2", "train", {"text": "sentence", "label": "label"}, _SENTIMENT)
_TWEETS = Source(
    "cardiffnlp/tweet_sentiment_multilingual",
    "{lower_name}",
    "test",
    {"text": "text", "label": "label"},
    ("negative", "neutral", "positive"),
    dropped=("neutral",),
    revision=_CONVERTED,
)

_OFFER_COLUMNS = {"text": "text", "label": "label"}
_REPUTATIONS = Source("microworld/reputations", "default", "train", _OFFER_COLUMNS, _SENTIMENT)
_OFFERS = Source("microworld/offers", "en", "train", _OFFER_COLUMNS, _SENTIMENT)

_ROWS = [
    # The nine intermediate tasks of Phang et al. (2020), table 1, and one beside them
    Task(
        name="anli",  # ANLI+: SNLI, MNLI and ANLI's three rounds under one head
        roles=("intermediate",),
        format="classification",
        metric="accuracy",
        chance=1 / 3,
        labels=_NLI,
        train=(_SNLI, _MNLI, *(_ANLI.at(f"train_r{number}") for number in (1, 2, 3))),
        development=(_SNLI.at("validation"), _MNLI_DEVELOPMENT, *(_ANLI.at(f"dev_r{number}") for number in (1, 2, 3))),
    ),
    Task(
        name="mnli",
        roles=("intermediate",),
        format="classification",
        metric="accuracy",
        chance=1 / 3,
        labels=_NLI,
        train=(_MNLI,),
        translated=(Source("facebook/xnli", "{code}", "train", _NLI_COLUMNS, _NLI),),
        development=(_MNLI_DEVELOPMENT,),
    ),
    Task(
        name="qqp",
        roles=("intermediate",),
        format="classification",
        metric="accuracy+f1",
        chance=1 / 2,
        labels=_DUPLICATE,
        train=(_QQP,),
        development=(_QQP.at("validation"),),
    ),
    Task(
        name="squad_v2",
        roles=("intermediate",),
        format="span",
        metric="exact_match+f1",
        chance=0.0,
        train=(_SQUAD_V2,),
        development=(_SQUAD_V2.at("validation"),),
        unanswerable=True,
    ),
    Task(
        name="squad",
        roles=("intermediate",),
        format="span",
        metric="exact_match+f1",
        chance=0.0,
        train=(_SQUAD,),
        development=(_SQUAD_DEVELOPMENT,),
    ),
    Task(
        name="squad_wiki",  # none of the parent's: for copies of SQuAD too small for a ladder (arXiv 2004.14444)
        roles=("intermediate",),
        format="span",
        metric="exact_match+f1",
        chance=0.0,
        train=(_SQUAD, _SQUAD_WIKI.or_else(_SQUAD_WIKI.at("train"))),
        development=(_SQUAD_DEVELOPMENT,),
    ),
    Task(
        name="hellaswag",
        roles=("intermediate",),
        format="choice",
        metric="accuracy",
        chance=1 / 4,
        labels=_FOUR,
        train=(_HELLASWAG,),
        development=(_HELLASWAG.at("validation"),),
    ),
    Task(
        name="ccg",  # CCGbank (LDC2005T13), its usual sections
        roles=("intermediate",),
        format="tagging",
        metric="accuracy",
        chance=0.0,
        train=(_CCGBANK,),
        development=(_CCGBANK.at("00-00"),),
    ),
    Task(
        name="cosmos_qa",
        roles=("intermediate",),
        format="choice",
        metric="accuracy",
        chance=1 / 4,
        labels=_FOUR,
        train=(_COSMOS_QA,),
        development=(_COSMOS_QA.at("validation"),),
    ),
    Task(
        name="commonsense_qa",
        roles=("intermediate",),
        format="choice",
        metric="accuracy",
        chance=1 / 5,
        labels=_FIVE,
        train=(_COMMONSENSE_QA,),
        development=(_COMMONSENSE_QA.at("validation"),),
    ),
    # The nine target tasks of XTREME (Hu et al. 2020, table 1), and sentiment
    Task(
        name="xnli",
        roles=("target",),
        format="classification",
        metric="accuracy",
        chance=1 / 3,
        labels=_NLI,
        train=(_MNLI,),
        development=(_MNLI_DEVELOPMENT,),
        test=(Source(_XTREME, "XNLI", "test", _XNLI_COLUMNS, _NLI, language_column="language"),),
    ),
    Task(
        name="pawsx",
        roles=("target",),
        format="classification",
        metric="accuracy",
        chance=1 / 2,
        labels=_PARAPHRASE,
        train=(_PAWSX,),
        development=(_PAWSX.at("validation"),),
        test=(_PAWSX.at("test", "PAWS-X.{code}"),),
    ),
    Task(
        name="udpos",
        roles=("target",),
        format="tagging",
        metric="f1",
        chance=0.0,
        labels=_POS,
        train=(_UDPOS,),
        development=(_UDPOS.at("validation"),),
        test=(_UDPOS.at("test", "udpos.{ud_name}"),),
    ),
    Task(
        name="panx",
        roles=("target",),
        format="tagging",
        metric="f1",
        chance=0.0,
        labels=_NER,
        train=(_PANX,),
        development=(_PANX.at("validation"),),
        test=(_PANX.at("test", "PAN-X.{code}"),),
    ),
    Task(
        name="xquad",
        roles=("target",),
        format="span",
        metric="exact_match+f1",
        chance=0.0,
        train=(_SQUAD,),
        development=(_SQUAD_DEVELOPMENT,),
        test=(Source(_XTREME, "XQuAD.{code}", "validation", _SPAN_COLUMNS),),
    ),
    Task(
        name="mlqa",
        roles=("target",),
        format="span",
        metric="exact_match+f1",
        chance=0.0,
        train=(_SQUAD,),
        development=(_SQUAD_DEVELOPMENT,),
        test=(_MLQA.or_else(_MLQA.at("validation")),),
        rules="mlqa",
    ),
    Task(
        name="tydiqa",
        roles=("target",),
        format="span",
        metric="exact_match+f1",
        chance=0.0,
        train=(_TYDIQA,),
        development=(_TYDIQA_DEVELOPMENT,),
        # XTREME's own release withholds these answers; its training split holds languages beside English
        test=(_TYDIQA_DEVELOPMENT.or_else(_TYDIQA),),
    ),
    Task(
        name="bucc2018",
        roles=("target",),
        format="mining",
        metric="f1",
        chance=0.0,
        development=(_BUCC.at("dev"),),
        test=(_BUCC.or_else(_BUCC.at("dev")),),
    ),
    Task(
        name="tatoeba",
        roles=("target",),
        format="retrieval",
        metric="accuracy",
        chance=0.0,
        test=(Source(_XTREME, "tatoeba.{iso3}", "validation", _TATOEBA_COLUMNS),),
    ),
    Task(
        name="sst",
        roles=("target",),
        format="classification",
        metric="accuracy",
        chance=1 / 2,
        labels=_SENTIMENT,
        train=(_SST,),
        development=(_SST.at("validation"),),
        test=(_TWEETS,),
    ),
    # Of the microworld alone: what the first is worth to the second is known (microworld/offers.py)
    Task(
        name="reputations",
        roles=("intermediate",),
        format="classification",
        metric="accuracy",
        chance=1 / 2,
        labels=_SENTIMENT,
        train=(_REPUTATIONS,),
        development=(_REPUTATIONS.at("validation"),),
    ),
    Task(
        name="offers",
        roles=("target",),
        format="classification",
        metric="accuracy",
        chance=1 / 2,
        labels=_SENTIMENT,
        train=(_OFFERS,),
        development=(_OFFERS.at("validation"),),
        test=(_OFFERS.at("test", "{code}"),),
    ),
]

TASKS: dict[str, Task] = {task.name: task for task in _ROWS}


def tasks_with_role(role: str) -> list[str]:
    """The names of the tasks that can play a role, `intermediate` or `target`."""
    return [task.name for task in _ROWS if role in task.roles]


def trained_alike(names: Iterable[str], settings: Mapping[str, Any]) -> list[list[str]]:
    """Tasks in groups of one training: those that train on the same examples under the same head, with equal `settings`
    (of each task, by its name)."""
    groups: list[list[str]] = []
    for name in names:
        for group in groups:
            if TASKS[group[0]].trains_as(TASKS[name]) and settings[group[0]] == settings[name]:
                group.append(name)
                break
        else:
            groups.append([name])
    return groups
