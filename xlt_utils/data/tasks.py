"""The tasks, one row each: where the examples lie, what their columns and labels are called, how a
prediction is scored. Everything that the study knows of a task stands in its row; adding a task is
adding a row."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Source:
    """One split of one data set, under its hub id.

    `config` may hold `{code}`, `{iso3}`, `{ud_name}` or `{lower_name}` (languages.py) where a config holds one
    language; where one config mixes them, the rows of a language are those whose `language_column` is, or begins
    with, `language_value`. `columns` maps the study's names (labelled.py) to the data set's, `a.b` being the field b
    of a struct and a tuple of columns one list. `labels` are the label names in the data set's order, `dropped`
    those that the study leaves out. `contains` names data sets whose examples this one repeats. Data sets that no
    hub holds have a `reader` of their own. `instead` is what is read where this split is not there or its
    labels are withheld.
    """

    dataset: str
    config: str
    split: str
    columns: dict[str, str | tuple[str, ...]]
    labels: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    language_column: str | None = None
    language_value: str = "{code}"
    contains: tuple[str, ...] = ()
    reader: str = "hub"  # hub | bucc | ccgbank
    instead: "Source | None" = None

    @property
    def place(self) -> str:
        """The data set, config and split in words."""
        return f"{self.dataset}, config {self.config}, split {self.split}"


@dataclass(frozen=True)
class Task:
    """A task of the study: its format decides encoding, head and prediction, its metric the score, `chance` (0..1)
    is the score of guessing. `a+b` as a metric is the mean of both. A task without `train` is scored as the
    encoder stands; several sources are one data set under one head. A tagging task without `labels` takes those of
    its training data."""

    name: str
    roles: tuple[str, ...]
    format: str  # classification | choice | tagging | span | retrieval | mining
    metric: str
    chance: float
    labels: tuple[str, ...] = ()
    train: tuple[Source, ...] = ()
    translated: tuple[Source, ...] = ()  # the training data in other languages
    development: tuple[Source, ...] = ()
    test: tuple[Source, ...] = ()
    unanswerable: bool = False  # whether a question may have no answer in its context
    rules: str = "squad"  # how answers are normalised before they are compared: squad | mlqa

    @property
    def trains(self) -> bool:
        return bool(self.train)

    def shares_data_with(self, other: "Task") -> bool:
        """Whether training examples of one are training examples of the other too, so that one's gain from the other
        may be seen examples."""

        def origins(task: Task) -> set[str]:
            own = {source.place for source in task.train}
            return own | {name for source in task.train for name in source.contains}

        return not origins(self).isdisjoint(origins(other))


_NLI = ("entailment", "neutral", "contradiction")
_NLI_COLUMNS = {"text": "premise", "text2": "hypothesis", "label": "label"}
_XNLI_COLUMNS = {"text": "sentence1", "text2": "sentence2", "label": "gold_label"}
_PAWS_COLUMNS = {"text": "sentence1", "text2": "sentence2", "label": "label"}
_QQP_COLUMNS = {"text": "question1", "text2": "question2", "label": "label"}
_SST_COLUMNS = {"text": "sentence", "label": "label"}
_POS_COLUMNS = {"tokens": "tokens", "label": "pos_tags"}
_NER_COLUMNS = {"tokens": "tokens", "label": "ner_tags"}
_CCG_COLUMNS = {"tokens": "tokens", "label": "tags"}
_SPAN_COLUMNS = {"id": "id", "text": "question", "context": "context", "answers": "answers"}
_CTX_COLUMNS = {"text": "ctx", "options": "endings", "label": "label"}
_COSMOS_COLUMNS = {
    "text": "context",
    "text2": "question",
    "options": ("answer0", "answer1", "answer2", "answer3"),
    "label": "label",
}
_CSQA_COLUMNS = {"text": "question", "options": "choices.text", "names": "choices.label", "label": "answerKey"}
_PAIR_COLUMNS = {"text": "source_sentence", "text2": "target_sentence"}
_POS = ("ADJ", "ADP", "ADV", "AUX", "CCONJ", "DET", "INTJ", "NOUN", "NUM", "PART", "PRON", "PROPN", "PUNCT", "SCONJ")
_POS += ("SYM", "VERB", "X")
_NER = ("O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC")
_SENTIMENT = ("negative", "positive")
_XTREME = "google/xtreme"
_FOUR = ("0", "1", "2", "3")


def _mnli(split: str) -> Source:
    return Source("nyu-mll/multi_nli", "default", split, _NLI_COLUMNS, _NLI)


def _snli(split: str) -> Source:
    return Source("stanfordnlp/snli", "plain_text", split, _NLI_COLUMNS, _NLI)


def _anli(part: str) -> tuple[Source, ...]:
    """The three rounds of ANLI."""
    splits = [f"{part}_r{number}" for number in (1, 2, 3)]
    return tuple(Source("facebook/anli", "plain_text", split, _NLI_COLUMNS, _NLI) for split in splits)


def _squad(split: str) -> Source:
    return Source("rajpurkar/squad", "plain_text", split, _SPAN_COLUMNS)


def _wiki(split: str, instead: Source | None = None) -> Source:
    """Questions on newer Wikipedia articles; a test on the hub, and in copies of it sometimes a training split."""
    return Source("squadshifts", "new_wiki", split, _SPAN_COLUMNS, instead=instead)


def _tydiqa(split: str, instead: Source | None = None) -> Source:
    language = {"language_column": "id", "language_value": "{lower_name}-"}
    columns = dict(_SPAN_COLUMNS)
    if split == "train":  # where it stands in for a test its rows are numbered: releases have ids there twice
        del columns["id"]
    return Source(_XTREME, "tydiqa", split, columns, **language, instead=instead)


_SQUAD_V1 = _squad("train").place  # SQuAD 2.0 repeats its questions and adds unanswerable ones

_ROWS = [
    # The nine intermediate tasks of Phang et al. (2020), table 1, and one beside them
    Task(
        name="anli",  # ANLI+: SNLI, MNLI and ANLI's rounds under one head
        roles=("intermediate",),
        format="classification",
        metric="accuracy",
        chance=1 / 3,
        labels=_NLI,
        train=(_snli("train"), _mnli("train"), *_anli("train")),
        development=(_snli("validation"), _mnli("validation_matched"), *_anli("dev")),
    ),
    Task(
        name="mnli",
        roles=("intermediate",),
        format="classification",
        metric="accuracy",
        chance=1 / 3,
        labels=_NLI,
        train=(_mnli("train"),),
        translated=(Source("facebook/xnli", "{code}", "train", _NLI_COLUMNS, _NLI),),
        development=(_mnli("validation_matched"),),
    ),
    Task(
        name="qqp",
        roles=("intermediate",),
        format="classification",
        metric="accuracy+f1",
        chance=1 / 2,
        labels=("not_duplicate", "duplicate"),
        train=(Source("nyu-mll/glue", "qqp", "train", _QQP_COLUMNS, ("not_duplicate", "duplicate")),),
        development=(Source("nyu-mll/glue", "qqp", "validation", _QQP_COLUMNS, ("not_duplicate", "duplicate")),),
    ),
    Task(
        name="squad_v2",
        roles=("intermediate",),
        format="span",
        metric="exact_match+f1",
        chance=0.0,
        train=(Source("rajpurkar/squad_v2", "squad_v2", "train", _SPAN_COLUMNS, contains=(_SQUAD_V1,)),),
        development=(Source("rajpurkar/squad_v2", "squad_v2", "validation", _SPAN_COLUMNS),),
        unanswerable=True,
    ),
    Task(
        name="squad",
        roles=("intermediate",),
        format="span",
        metric="exact_match+f1",
        chance=0.0,
        train=(_squad("train"),),
        development=(_squad("validation"),),
    ),
    Task(
        name="squad_wiki",  # none of the parent's: for copies of SQuAD too small for a ladder (arXiv 2004.14444)
        roles=("intermediate",),
        format="span",
        metric="exact_match+f1",
        chance=0.0,
        train=(_squad("train"), _wiki("test", instead=_wiki("train"))),
        development=(_squad("validation"),),
    ),
    Task(
        name="hellaswag",
        roles=("intermediate",),
        format="choice",
        metric="accuracy",
        chance=1 / 4,
        labels=_FOUR,
        train=(Source("Rowan/hellaswag", "default", "train", _CTX_COLUMNS, _FOUR),),
        development=(Source("Rowan/hellaswag", "default", "validation", _CTX_COLUMNS, _FOUR),),
    ),
    Task(
        name="ccg",  # CCGbank (LDC2005T13), its usual sections
        roles=("intermediate",),
        format="tagging",
        metric="accuracy",
        chance=0.0,
        train=(Source("ccgbank", "AUTO", "02-21", _CCG_COLUMNS, reader="ccgbank"),),
        development=(Source("ccgbank", "AUTO", "00-00", _CCG_COLUMNS, reader="ccgbank"),),
    ),
    Task(
        name="cosmos_qa",
        roles=("intermediate",),
        format="choice",
        metric="accuracy",
        chance=1 / 4,
        labels=_FOUR,
        train=(Source("allenai/cosmos_qa", "default", "train", _COSMOS_COLUMNS, _FOUR),),
        development=(Source("allenai/cosmos_qa", "default", "validation", _COSMOS_COLUMNS, _FOUR),),
    ),
    Task(
        name="commonsense_qa",
        roles=("intermediate",),
        format="choice",
        metric="accuracy",
        chance=1 / 5,
        labels=tuple("ABCDE"),
        train=(Source("tau/commonsense_qa", "default", "train", _CSQA_COLUMNS, tuple("ABCDE")),),
        development=(Source("tau/commonsense_qa", "default", "validation", _CSQA_COLUMNS, tuple("ABCDE")),),
    ),
    # The nine target tasks of XTREME (Hu et al. 2020, table 1), and sentiment
    Task(
        name="xnli",
        roles=("target",),
        format="classification",
        metric="accuracy",
        chance=1 / 3,
        labels=_NLI,
        train=(_mnli("train"),),
        development=(_mnli("validation_matched"),),
        test=(Source(_XTREME, "XNLI", "test", _XNLI_COLUMNS, _NLI, language_column="language"),),
    ),
    Task(
        name="pawsx",
        roles=("target",),
        format="classification",
        metric="accuracy",
        chance=1 / 2,
        labels=("0", "1"),
        train=(Source(_XTREME, "PAWS-X.en", "train", _PAWS_COLUMNS, ("0", "1")),),
        development=(Source(_XTREME, "PAWS-X.en", "validation", _PAWS_COLUMNS, ("0", "1")),),
        test=(Source(_XTREME, "PAWS-X.{code}", "test", _PAWS_COLUMNS, ("0", "1")),),
    ),
    Task(
        name="udpos",
        roles=("target",),
        format="tagging",
        metric="f1",
        chance=0.0,
        labels=_POS,
        train=(Source(_XTREME, "udpos.English", "train", _POS_COLUMNS, _POS),),
        development=(Source(_XTREME, "udpos.English", "validation", _POS_COLUMNS, _POS),),
        test=(Source(_XTREME, "udpos.{ud_name}", "test", _POS_COLUMNS, _POS),),
    ),
    Task(
        name="panx",
        roles=("target",),
        format="tagging",
        metric="f1",
        chance=0.0,
        labels=_NER,
        train=(Source(_XTREME, "PAN-X.en", "train", _NER_COLUMNS, _NER),),
        development=(Source(_XTREME, "PAN-X.en", "validation", _NER_COLUMNS, _NER),),
        test=(Source(_XTREME, "PAN-X.{code}", "test", _NER_COLUMNS, _NER),),
    ),
    Task(
        name="xquad",
        roles=("target",),
        format="span",
        metric="exact_match+f1",
        chance=0.0,
        train=(_squad("train"),),
        development=(_squad("validation"),),
        test=(Source(_XTREME, "XQuAD.{code}", "validation", _SPAN_COLUMNS),),
    ),
    Task(
        name="mlqa",
        roles=("target",),
        format="span",
        metric="exact_match+f1",
        chance=0.0,
        train=(_squad("train"),),
        development=(_squad("validation"),),
        test=(
            Source(
                _XTREME,
                "MLQA.{code}.{code}",
                "test",
                _SPAN_COLUMNS,
                instead=Source(_XTREME, "MLQA.{code}.{code}", "validation", _SPAN_COLUMNS),
            ),
        ),
        rules="mlqa",
    ),
    Task(
        name="tydiqa",
        roles=("target",),
        format="span",
        metric="exact_match+f1",
        chance=0.0,
        train=(_tydiqa("train"),),
        development=(_tydiqa("validation"),),
        # XTREME's own release withholds these answers; its training split holds languages beside English
        test=(_tydiqa("validation", instead=_tydiqa("train")),),
    ),
    Task(
        name="bucc2018",
        roles=("target",),
        format="mining",
        metric="f1",
        chance=0.0,
        development=(Source("bucc2018", "{code}-en", "dev", {"text": "text"}, reader="bucc"),),
        test=(
            Source(
                "bucc2018",
                "{code}-en",
                "test",
                {"text": "text"},
                reader="bucc",
                instead=Source("bucc2018", "{code}-en", "dev", {"text": "text"}, reader="bucc"),
            ),
        ),
    ),
    Task(
        name="tatoeba",
        roles=("target",),
        format="retrieval",
        metric="accuracy",
        chance=0.0,
        test=(Source(_XTREME, "tatoeba.{iso3}", "validation", _PAIR_COLUMNS),),
    ),
    Task(
        name="sst",
        roles=("target",),
        format="classification",
        metric="accuracy",
        chance=1 / 2,
        labels=_SENTIMENT,
        train=(Source("nyu-mll/glue", "sst2", "train", _SST_COLUMNS, _SENTIMENT),),
        development=(Source("nyu-mll/glue", "sst2", "validation", _SST_COLUMNS, _SENTIMENT),),
        test=(
            Source(
                "cardiffnlp/tweet_sentiment_multilingual",
                "{lower_name}",
                "test",
                {"text": "text", "label": "label"},
                ("negative", "neutral", "positive"),
                dropped=("neutral",),
            ),
        ),
    ),
]

TASKS: dict[str, Task] = {task.name: task for task in _ROWS}


def tasks_with_role(role: str) -> list[str]:
    """The names of the tasks that can play a role, `intermediate` or `target`."""
    return [task.name for task in _ROWS if role in task.roles]
