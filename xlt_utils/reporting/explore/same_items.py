"""Two runs on the same test items: what both have right, only one of them, or neither, and the items that they answer
differently. Runs go in; counts by language, and rows with gold and predicted labels, come out. Which items were right
is in the records; what was predicted is in `predictions.parquet`, which only the runs themselves keep."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from xlt_utils import paths
from xlt_utils.data import labelled
from xlt_utils.data.labelled import SplitRef
from xlt_utils.data.loading import DataError
from xlt_utils.data.tasks import TASKS
from xlt_utils.records import items
from xlt_utils.records.record import Record

OUTCOMES = ("both right", "only A", "only B", "both wrong")
NOT_KEPT = "not kept"
MOST_TEXT = 300  # characters of an item's text in a table


@dataclass(frozen=True, eq=False)
class Run:
    """One target run: its folder, which may be gone where only its record was kept, and its record."""

    folder: Path
    record: Record

    def right(self, task: str, language: str) -> pd.Series:
        """Whether each item of a test is right as a whole, by the item's number; empty where nothing says so."""
        for result in self.record.results:
            if result.main and result.items and (result.task, result.language) == (task, language):
                unpacked = items.unpack(result.items)
                return pd.Series(unpacked.right >= unpacked.of, index=unpacked.names)
        rows = self.predictions
        rows = rows[(rows["task"] == task) & (rows["language"] == language)]
        return pd.Series((rows["gold"] == rows["predicted"]).to_numpy(), index=rows["id"].map(items.name_of_id))

    @functools.cached_property
    def predictions(self) -> pd.DataFrame:
        """The predictions on clean text; no rows where they were not kept."""
        file = self.folder / "predictions.parquet"
        if not file.is_file():
            return pd.DataFrame(columns=["task", "language", "id", "gold", "predicted"])
        rows = pd.read_parquet(file)
        return rows[rows["perturbation"] == ""].astype({"id": str})

    def languages(self, task: str) -> list[str]:
        """The languages that a task was tested in, English first."""
        tested = {result.language for result in self.record.results if result.main and result.task == task}
        return sorted(tested, key=lambda code: (code != "en", code))


def count_outcomes(a: Run, b: Run, task: str) -> pd.DataFrame:
    """A row a language: `n` items that both runs were tested on, and how many of each of OUTCOMES. A language in which
    nothing says which items were right is left out."""
    rows = []
    for language in a.languages(task):
        both = pd.concat([a.right(task, language), b.right(task, language)], axis=1, join="inner").to_numpy(dtype=bool)
        if len(both):
            a_right, b_right = both.T
            counts = [a_right & b_right, a_right & ~b_right, ~a_right & b_right, ~a_right & ~b_right]
            rows.append([language, len(both), *(int(part.sum()) for part in counts)])
    return pd.DataFrame(rows, columns=["language", "n", *OUTCOMES])


def disagreements(a: Run, b: Run, task: str, language: str) -> pd.DataFrame:
    """The items that two runs answer differently, those that one of them has right first: `language`, `id`, `gold`,
    `A`, `B` and `text`, "" where the data are not here. Of runs whose predictions were not kept A and B say whether the
    answer was right."""
    keys = ["language", "id", "gold"]
    sides = [run.predictions for run in (a, b)]
    sides = [rows[(rows["task"] == task) & (rows["language"] == language)] for rows in sides]
    if all(len(rows) for rows in sides):
        left, right = (rows[[*keys, "predicted"]] for rows in sides)
        both = left.merge(right, on=keys).rename(columns={"predicted_x": "A", "predicted_y": "B"})
        table = both[both["A"] != both["B"]]
        is_open = (table["A"] != table["gold"]) & (table["B"] != table["gold"])
        table = table.assign(is_open=is_open).sort_values("is_open", kind="stable").drop(columns="is_open")
    else:
        words = {True: "right", False: "wrong"}
        both = pd.concat(
            [run.right(task, language).rename(name) for name, run in zip("AB", (a, b), strict=True)], axis=1
        )
        both = both.dropna()
        different = both[both["A"] != both["B"]]
        table = pd.DataFrame({"language": language, "id": different.index.astype(str), "gold": NOT_KEPT})
        table["A"], table["B"] = (different[name].map(words).to_numpy() for name in "AB")
    known = test_items(a.record, task, language)
    table["text"] = [known.get(name, ("", ""))[0] for name in table["id"]]
    if (table["gold"] == NOT_KEPT).any():
        table["gold"] = [known.get(name, ("", ""))[1] or NOT_KEPT for name in table["id"]]
    return table.reset_index(drop=True)


def test_items(record: Record, task: str, language: str) -> dict[str, tuple[str, str]]:
    """The text and the gold label of each test item by its id; empty where the data set is not on this machine. Data of
    the hub are not fetched: an explorer sends no request anywhere."""
    data = str(record.parameters.get("data", ""))
    if data in ("", "hub") or not paths.resolve(data).is_dir():
        return {}
    try:
        return _read_items(data, task, language)
    except (DataError, OSError):
        return {}


@functools.lru_cache(maxsize=64)
def _read_items(data: str, task: str, language: str) -> dict[str, tuple[str, str]]:
    import datasets

    datasets.disable_progress_bars()  # else red bars stand between the tables
    labels = labelled.complete_task(task, data).labels
    rows = {row["id"]: (_text(row), _gold(row, labels)) for row in labelled.read_examples(_test(data, task, language))}
    return rows | {str(items.name_of_id(name)): row for name, row in rows.items()}


def _test(data: str, task: str, language: str) -> SplitRef:
    return SplitRef(TASKS[task], "test", data, language)


def _text(row: dict) -> str:
    parts = [" ".join(row["tokens"])] if "tokens" in row else [row.get("text", ""), row.get("text2", "")]
    text = " | ".join(part for part in [*parts, *row.get("options", [])] if part)
    return text if len(text) <= MOST_TEXT else f"{text[:MOST_TEXT]}…"


def _gold(row: dict, labels: Sequence[str]) -> str:
    """The gold label in words, of a sentence its tags, of a question its first answer."""
    if "answers" in row:
        return row["answers"][0]["text"] if row["answers"] else "no answer"
    label = row.get("label")
    if label is None or not labels:
        return ""
    return labels[label] if isinstance(label, int) else " ".join(labels[tag] for tag in label)
