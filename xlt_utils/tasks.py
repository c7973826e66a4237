"""The tasks, one row each: where the examples lie, what their columns and labels are called, how a
prediction is scored. Everything that the study knows of a task stands in its row; adding a task is
adding a row."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Source:
    """One split of one data set, under its hub id.

    `config` may hold `{code}`, `{iso3}`, `{ud_name}` or `{umsab_name}` (languages.py) where a config
    holds one language. `columns` maps the study's names (text, text2, tokens, label) to the data
    set's; `labels` are the label names in the data set's order, `dropped` those that the study
    leaves out; `language_column` is set where one config mixes the languages.
    """

    dataset: str
    config: str
    split: str
    columns: dict[str, str]
    labels: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    language_column: str | None = None


@dataclass(frozen=True)
class Task:
    """A task of the study: its format decides the head, its metric the score, `chance` (0..1) the
    score of guessing. A task without `train` is scored as the encoder stands."""

    name: str
    roles: tuple[str, ...]
    format: str  # classification | tagging | retrieval
    metric: str  # accuracy | f1
    chance: float
    labels: tuple[str, ...] = ()
    train: Source | None = None
    development: Source | None = None
    test: Source | None = None

    @property
    def trains(self) -> bool:
        return self.train is not None

    def shares_data_with(self, other: "Task") -> bool:
        """Whether both train on the same split, so that one's gain from the other may be seen examples."""
        return self.trains and other.trains and self.train == other.train


_NLI = ("entailment", "neutral", "contradiction")
_NLI_COLUMNS = {"text": "premise", "text2": "hypothesis", "label": "label"}
_MNLI = {
    "train": Source("nyu-mll/multi_nli", "default", "train", _NLI_COLUMNS, _NLI),
    "development": Source("nyu-mll/multi_nli", "default", "validation_matched", _NLI_COLUMNS, _NLI),
}
_XNLI_COLUMNS = {"text": "sentence1", "text2": "sentence2", "label": "gold_label"}
_SST_COLUMNS = {"text": "sentence", "label": "label"}
_POS_COLUMNS = {"tokens": "tokens", "label": "pos_tags"}
_POS = ("ADJ", "ADP", "ADV", "AUX", "CCONJ", "DET", "INTJ", "NOUN", "NUM", "PART", "PRON", "PROPN", "PUNCT", "SCONJ")
_POS += ("SYM", "VERB", "X")
_NER_COLUMNS = {"tokens": "tokens", "label": "ner_tags"}
_NER = ("O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC")
_SENTIMENT = ("negative", "positive")

_ROWS = [
    Task("mnli", ("intermediate",), "classification", "accuracy", 1 / 3, _NLI, **_MNLI),
    Task(
        "xnli",
        ("target",),
        "classification",
        "accuracy",
        1 / 3,
        _NLI,
        **_MNLI,
        test=Source("google/xtreme", "XNLI", "test", _XNLI_COLUMNS, _NLI, language_column="language"),
    ),
    Task(
        "sst",
        ("target",),
        "classification",
        "accuracy",
        1 / 2,
        _SENTIMENT,
        train=Source("nyu-mll/glue", "sst2", "train", _SST_COLUMNS, _SENTIMENT),
        development=Source("nyu-mll/glue", "sst2", "validation", _SST_COLUMNS, _SENTIMENT),
        test=Source(
            "cardiffnlp/tweet_sentiment_multilingual",
            "{umsab_name}",
            "test",
            {"text": "text", "label": "label"},
            ("negative", "neutral", "positive"),
            dropped=("neutral",),
        ),
    ),
    Task(
        "udpos",
        ("target",),
        "tagging",
        "f1",
        0.0,
        _POS,
        train=Source("google/xtreme", "udpos.English", "train", _POS_COLUMNS, _POS),
        development=Source("google/xtreme", "udpos.English", "validation", _POS_COLUMNS, _POS),
        test=Source("google/xtreme", "udpos.{ud_name}", "test", _POS_COLUMNS, _POS),
    ),
    Task(
        "panx",
        ("target",),
        "tagging",
        "f1",
        0.0,
        _NER,
        train=Source("google/xtreme", "PAN-X.en", "train", _NER_COLUMNS, _NER),
        development=Source("google/xtreme", "PAN-X.en", "validation", _NER_COLUMNS, _NER),
        test=Source("google/xtreme", "PAN-X.{code}", "test", _NER_COLUMNS, _NER),
    ),
    Task(
        "tatoeba",
        ("target",),
        "retrieval",
        "accuracy",
        0.0,
        test=Source(
            "google/xtreme",
            "tatoeba.{iso3}",
            "validation",
            {"text": "source_sentence", "text2": "target_sentence"},
        ),
    ),
]

TASKS: dict[str, Task] = {task.name: task for task in _ROWS}


def named(role: str) -> list[str]:
    """The names of the tasks that can play a role, `intermediate` or `target`."""
    return [task.name for task in _ROWS if role in task.roles]
