"""The hub's layout: every kind of data set with its columns and types, and a writer that turns rows into parquet files
which `datasets.load_dataset` reads as it reads the hub's. The types are written as that library writes them, but
without it, since importing it takes longer than writing a small world."""

import json
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow

ROWS_PER_CHUNK = 8192  # rows in memory at a time
POS = "ADJ ADP ADV AUX CCONJ DET INTJ NOUN NUM PART PRON PROPN PUNCT SCONJ SYM VERB X".split()
NER = "O B-PER I-PER B-ORG I-ORG B-LOC I-LOC".split()
NLI = ["entailment", "neutral", "contradiction"]
FEELINGS = ["negative", "neutral", "positive"]

# A type is a name (of datasets.Value), a set of one type (a list of it), a list of label names (in a set: a tuple of
# them), or a dict of columns.
TEXT, TEXTS = "string", {"string"}
_SPAN = {"context": TEXT, "question": TEXT, "answers": {"text": TEXTS, "answer_start": {"int32"}}}
_PAIR = {"premise": TEXT, "hypothesis": TEXT, "label": NLI}
COLUMNS: dict[str, dict[str, Any]] = {
    "text": {"text": TEXT},
    "nli": _PAIR,
    "anli": {"uid": TEXT, **_PAIR, "reason": TEXT},
    "xnli": {"language": TEXT, "sentence1": TEXT, "sentence2": TEXT, "gold_label": TEXT},
    "qqp": {"question1": TEXT, "question2": TEXT, "label": ["not_duplicate", "duplicate"], "idx": "int32"},
    "pawsx": {"sentence1": TEXT, "sentence2": TEXT, "label": TEXT},
    "squad": {"id": TEXT, "title": TEXT, **_SPAN},
    "xquad": {"id": TEXT, **_SPAN},
    "hellaswag": {"ind": "int32", "ctx": TEXT, "endings": TEXTS, "label": TEXT},
    "cosmos_qa": {
        "id": TEXT, "context": TEXT, "question": TEXT, **{f"answer{i}": TEXT for i in range(4)}, "label": "int32",
    },
    "commonsense_qa": {
        "id": TEXT, "question": TEXT, "question_concept": TEXT, "choices": {"label": TEXTS, "text": TEXTS},
        "answerKey": TEXT,
    },
    "udpos": {"tokens": TEXTS, "pos_tags": {tuple(POS)}},
    "panx": {"tokens": TEXTS, "ner_tags": {tuple(NER)}, "langs": TEXTS},
    "tatoeba": {"source_sentence": TEXT, "target_sentence": TEXT, "source_lang": TEXT, "target_lang": TEXT},
    "sst": {"sentence": TEXT, "label": ["negative", "positive"], "idx": "int32"},
    "messages": {"text": TEXT, "label": FEELINGS},
    "offers": {"text": TEXT, "label": ["negative", "positive"]},
}  # fmt: skip


def _typed(kind: Any) -> tuple[Any, dict[str, Any]]:
    """A type as (pyarrow's, that of `datasets`): the second goes into the file as JSON."""
    import pyarrow

    if isinstance(kind, str):
        return pyarrow.type_for_alias(kind), {"dtype": kind, "_type": "Value"}
    if isinstance(kind, set):
        stored, declared = _typed(next(iter(kind)))
        return pyarrow.list_(stored), {"feature": declared, "_type": "List"}
    if isinstance(kind, dict):
        inner = {name: _typed(column) for name, column in kind.items()}
        stored = pyarrow.struct([(name, column[0]) for name, column in inner.items()])
        return stored, {name: column[1] for name, column in inner.items()}
    return pyarrow.int64(), {"names": list(kind), "_type": "ClassLabel"}


def arrow_schema(kind: str) -> "pyarrow.Schema":
    """The pyarrow schema of a kind of data set (a key of COLUMNS), with the features that `datasets` reads."""
    import pyarrow

    stored, declared = _typed(COLUMNS[kind])
    return pyarrow.schema(stored, {"huggingface": json.dumps({"info": {"features": declared}})})


class DatasetWriter:
    """Writes data sets into a folder, one split at a time, and counts their rows for the READMEs."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.rows: dict[str, dict[tuple[str, str], int]] = {}

    def save(self, kind: str, dataset: str, config: str, split: str, rows: Iterable[tuple]) -> None:
        """Write the rows of a split as one parquet file, in chunks.

        Args:
            kind: the columns, a key of COLUMNS.
            dataset: the hub id.
            config, split: as `load_dataset` names them.
            rows: tuples in the columns' order.
        """
        import pyarrow
        from pyarrow import parquet

        schema = arrow_schema(kind)
        path = self.folder / dataset / config / f"{split}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        remaining, count = iter(rows), 0
        with parquet.ParquetWriter(path, schema, compression="zstd") as writer:
            while chunk := list(islice(remaining, ROWS_PER_CHUNK)):
                columns = zip(*chunk, strict=True)
                arrays = [pyarrow.array(column, type=field.type) for column, field in zip(columns, schema, strict=True)]
                writer.write_table(pyarrow.Table.from_arrays(arrays, schema=schema))
                count += len(chunk)
        self.rows.setdefault(dataset, {})[config, split] = count

    def save_lines(self, path: str, lines: Iterable[str]) -> None:
        """Write lines as a text file at a path in the folder; sets of text files (BUCC, CCGbank) have no README."""
        (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / path).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")

    def write_readmes(self) -> None:
        """Write a README.md beside each data set: the configs for `load_dataset`, and a table of rows."""
        for dataset, rows in self.rows.items():
            text = "---\nconfigs:\n"
            for config in sorted({config for config, _ in rows}):
                text += f"- config_name: {config}\n  data_files:\n"
                for split in sorted(split for name, split in rows if name == config):
                    text += f"  - split: {split}\n    path: {config}/{split}.parquet\n"
            text += (
                f"---\n# {dataset} of the microworld, in the hub's layout\n\n| config | split | rows |\n|---|---|---|\n"
            )
            text += "".join(f"| {config} | {split} | {count} |\n" for (config, split), count in sorted(rows.items()))
            (self.folder / dataset / "README.md").write_text(text)
