"""Small data sets in the hub's own layout, written by the tests: what the real loaders run on."""

from pathlib import Path

import datasets
from datasets import ClassLabel, Features, List, Value

NLI = ["entailment", "neutral", "contradiction"]
TEXT = Value("string")


def write(folder: Path, name: str, config: str, split: str, columns: dict, features: Features | None = None) -> None:
    """One split of one data set, as a mirror folder holds it."""
    place = folder / name
    (place / config).mkdir(parents=True, exist_ok=True)
    datasets.Dataset.from_dict(columns, features=features).to_parquet(place / config / f"{split}.parquet")
    splits = sorted((file.parent.name, file.stem) for file in place.glob("*/*.parquet"))
    lines = ["---", "configs:"]
    for one in sorted({config for config, _ in splits}):
        lines += [f"- config_name: {one}", "  data_files:"]
        for held, part in splits:
            lines += [f"  - split: {part}", f"    path: {held}/{part}.parquet"] if held == one else []
    (place / "README.md").write_text("\n".join([*lines, "---", ""]))


def nli(labels: list[int], names: list[str] = NLI) -> tuple[dict, Features]:
    """Numbered premises and hypotheses with these labels."""
    columns = {"premise": [f"p{i}" for i in range(len(labels))], "hypothesis": [f"h{i}" for i in range(len(labels))]}
    return columns | {"label": labels}, Features(
        {"premise": TEXT, "hypothesis": TEXT, "label": ClassLabel(names=names)}
    )


def spans(rows: list[tuple]) -> tuple[dict, Features]:
    """Questions as (id, question, context, [(answer, start), ...])."""
    columns = {
        "id": [row[0] for row in rows],
        "question": [row[1] for row in rows],
        "context": [row[2] for row in rows],
    }
    columns["answers"] = [{"text": [a for a, _ in row[3]], "answer_start": [s for _, s in row[3]]} for row in rows]
    answers = {"text": List(TEXT), "answer_start": List(Value("int32"))}
    return columns, Features({"id": TEXT, "question": TEXT, "context": TEXT, "answers": answers})


def tagged(rows: list[tuple[list[str], list[int]]], names: list[str], column: str) -> tuple[dict, Features]:
    """Sentences as (words, tags)."""
    columns = {"tokens": [words for words, _ in rows], column: [tags for _, tags in rows]}
    return columns, Features({"tokens": List(TEXT), column: List(ClassLabel(names=names))})
