"""A submission as XTREME lays it out: a folder a task, in it a file a language. In go a study's prediction rows, out
comes such a folder; or in go such a folder and one with the labels, out come the leaderboard's scores."""

import json
import re
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple

from xlt_utils.data.tasks import TASKS, Task
from xlt_utils.errors import Fault, did_you_mean
from xlt_utils.evaluation import metrics


class ScoreFault(Fault):
    """Predictions or labels that cannot be scored; the message names file, place, value, and what would be right."""


class Files(NamedTuple):
    """The two files of one task and language, and who hears of what is amiss but can be scored."""

    task: Task
    language: str
    labels: Path
    predictions: Path
    warn: Callable[[str], None]


def score_submission(
    predictions: str | Path, labels: str | Path, warn: Callable[[str], None] = warnings.warn
) -> dict[str, dict[str, dict[str, float]]]:
    """`{task: {language: {score: percent}}}` for every file of the label folder, in the order of their names.

    Nothing is scored that is not there, with one exception, which XTREME's scorer makes: a question that a JSON file
    of answers leaves out counts as wrong. `warn` hears of it, and of predictions without labels; refuse makes both
    a fault. Raises ScoreFault on all else that is missing, too many or misnamed.
    """
    wanted, found = _files(Path(labels)), _files(Path(predictions))
    if missing := [str(Path(predictions, *place)) for place in wanted if place not in found]:
        raise ScoreFault(f"{len(missing)} of {len(wanted)} prediction files are missing: {', '.join(missing)}")
    if extra := [str(found[place]) for place in found if place not in wanted]:
        warn(f"not scored, as {labels} has no labels for them: {', '.join(extra)}")
    scores: dict[str, dict[str, dict[str, float]]] = {}
    for place, file in wanted.items():
        files = Files(TASKS[place[0]], file.stem.removeprefix("test-"), file, found[place], warn)
        values = FORMATS[files.task.format].score(files)
        scores.setdefault(files.task.name, {})[files.language] = {name: 100 * value for name, value in values.items()}
    return scores


def refuse_warning(message: str) -> None:
    """The strict `warn`: raises ScoreFault."""
    raise ScoreFault(message)


def write_submission(folder: str | Path, rows: Iterable[Mapping[str, Any]]) -> list[Path]:
    """Write prediction rows (task, language, id, predicted; all text) as a submission and return its files.

    `predicted` is a label's name, tags with spaces between them, an answer, an index, or for mining the English id of
    the pair that `id` is the foreign side of. Rows with a `perturbation` are left out. Raises ScoreFault on an unknown
    task, an id that comes twice, and a prediction that is not text.
    """
    texts: dict[tuple[str, str], dict] = {}
    for row in rows:
        perturbation = row.get("perturbation")
        if perturbation and perturbation == perturbation:  # in a table, none may be None, "" or not-a-number
            continue
        task, name, text = _task(row["task"], "prediction rows"), row["id"], row["predicted"]
        known = texts.setdefault((task.name, row["language"]), {})
        key = (name, text) if task.format == "mining" else name
        if not isinstance(text, str) or key in known:
            wrong = "is there twice; once is right" if key in known else f"predicts {text!r}; expected text"
            raise ScoreFault(f"prediction rows of {task.name}, {row['language']}: id {name!r} {wrong}")
        known[key] = text
    files = []
    for (task_name, language), known in texts.items():
        form = FORMATS[TASKS[task_name].format]
        files.append(Path(folder, task_name, f"test-{language}.{form.suffix}"))
        files[-1].parent.mkdir(parents=True, exist_ok=True)
        files[-1].write_text(form.text(known), encoding="utf-8", newline="\n")
    return files


def _labels(files: Files) -> dict[str, float]:
    return {"accuracy": metrics.accuracy(*_aligned(files))}


def _tags(files: Files) -> dict[str, float]:
    sentences = [[block.split() for block in "\n".join(lines).split("\n\n")] for lines in _aligned(files)]
    scores = metrics.chunk_scores(*sentences)
    return {"token_accuracy" if name == "accuracy" else name: value for name, value in scores.items()}


def _spans(files: Files) -> dict[str, float]:
    gold, found = _questions(files.labels), _json(files.predictions)
    if not isinstance(found, dict) or not found or not all(isinstance(text, str) for text in found.values()):
        raise ScoreFault(f"{files.predictions}: expected one object with a text for each id, {{id: answer}}")
    if extra := [name for name in found if name not in gold]:
        raise ScoreFault(f"{files.predictions}: {len(extra)} ids are not in {files.labels}, first {extra[0]!r}")
    if missing := [name for name in gold if name not in found]:
        counts = f"{len(missing)} of the {len(gold)} questions of {files.labels} have no answer, first {missing[0]!r}"
        files.warn(f"{files.predictions}: {counts}; XTREME's scorer counts them as wrong")
    language = files.language if files.task.rules == "mlqa" else None
    scores = metrics.spans([gold[name] for name in found], list(found.values()), language)
    return {name: value * len(found) / len(gold) for name, value in scores.items()}


def _pairs(files: Files) -> dict[str, float]:
    sides = []
    for file in (files.labels, files.predictions):
        sides.append(lines := _lines(file))
        for number, line in enumerate(lines, 1):
            if not re.fullmatch(r"\S+\t\S+", line):
                raise ScoreFault(f"{file}, line {number}: {line!r}; expected a foreign id, a tab, an English id")
        _refuse_twice(file, lines)
    return metrics.mining_scores(*sides)


class Format(NamedTuple):
    """A format's kind of file: its suffix, the scores of a pair of them, the text of one from {id: prediction}."""

    suffix: str
    score: Callable[[Files], dict[str, float]]
    text: Callable[[dict], str]


_LINES = Format("tsv", _labels, lambda known: "".join(f"{text}\n" for text in known.values()))
FORMATS = {
    "classification": _LINES,
    "choice": _LINES,
    "retrieval": _LINES,
    "tagging": Format("tsv", _tags, lambda known: "\n\n".join("\n".join(t.split()) for t in known.values()) + "\n"),
    "span": Format("json", _spans, lambda known: json.dumps(known, ensure_ascii=False, indent=1) + "\n"),
    "mining": Format("tsv", _pairs, lambda known: "".join(f"{foreign}\t{english}\n" for foreign, english in known)),
}


def _task(name: str, where: str | Path) -> Task:
    if name not in TASKS:
        raise ScoreFault(f"{where}: no such task {name!r}; {did_you_mean(name, TASKS)}")
    return TASKS[name]


def _files(folder: Path) -> dict[tuple[str, str], Path]:
    """The files of a submission by (task, file name), sorted."""
    files = {}
    for file in sorted(folder.glob("[!.]*/[!.]*")):
        task = _task(file.parent.name, file.parent)
        if not re.fullmatch(rf"test-[\w-]+\.{FORMATS[task.format].suffix}", file.name):
            raise ScoreFault(f"{file}: expected a file test-<language>.{FORMATS[task.format].suffix}")
        files[task.name, file.name] = file
    if not files:
        raise ScoreFault(f"{folder}: nothing to score is there; expected files <task>/test-<language>.tsv or .json")
    return files


def _aligned(files: Files) -> list[list[str]]:
    """The lines of both files, all labels of the task, with tagging's blank lines at the same places."""
    sides = []
    for file in (files.labels, files.predictions):
        sides.append(lines := _lines(file))
        for number, line in enumerate(lines, 1):
            if wrong := _wrong(line, files.task):
                raise ScoreFault(f"{file}, line {number}: {line!r} {wrong}")
    for number, (gold, text) in enumerate(zip_longest(*sides, fillvalue=""), 1):
        if bool(gold) != bool(text):
            counts = f"{len(sides[1])} lines for the {len(sides[0])} lines of {files.labels}"
            sentence = sides[0][: number - 1].count("") + 1 if files.task.format == "tagging" else number
            place = f"line {number}, sentence {sentence}"
            raise ScoreFault(f"{files.predictions}: {counts}; first apart at {place}: {text!r} for {gold!r}")
    return sides


def _wrong(line: str, task: Task) -> str | None:
    if task.format == "retrieval":
        return None if re.fullmatch("0|[1-9][0-9]*", line) else "is no index; expected a whole number from 0"
    known = (*task.labels, "") if task.format == "tagging" else task.labels
    return (
        f"is no label of {task.name}; {did_you_mean(line, task.labels)}" if task.labels and line not in known else None
    )


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ScoreFault(f"{file}: cannot be read as text in UTF-8: {error}") from None


def _lines(file: Path) -> list[str]:
    if not (text := _text(file).rstrip()):
        raise ScoreFault(f"{file}: is empty; there is nothing to score")
    return [line.strip() for line in text.split("\n")]


def _json(file: Path) -> Any:
    def unique(pairs: list[tuple[str, Any]]) -> dict:
        _refuse_twice(file, [name for name, _ in pairs])
        return dict(pairs)

    try:
        return json.loads(_text(file), object_pairs_hook=unique)
    except json.JSONDecodeError as error:
        raise ScoreFault(f"{file}: is no JSON: {error}") from None


def _questions(file: Path) -> dict[str, list[str]]:
    """The gold answers of each question of a SQuAD 1.1 file."""
    try:
        paragraphs = [paragraph for article in _json(file)["data"] for paragraph in article["paragraphs"]]
        asked = [(qa["id"], [answer["text"] for answer in qa["answers"]]) for p in paragraphs for qa in p["qas"]]
    except (KeyError, TypeError) as error:
        raise ScoreFault(f"{file}: expected SQuAD 1.1: data, paragraphs, qas, answers, text ({error!r})") from None
    _refuse_twice(file, [name for name, _ in asked])
    if bad := [name for name, answers in asked if not answers or not all(isinstance(text, str) for text in answers)]:
        raise ScoreFault(f"{file}: question {bad[0]!r} has no gold answer; expected one text or more")
    if not asked:
        raise ScoreFault(f"{file}: has no questions; there is nothing to score")
    return dict(asked)


def _refuse_twice(file: Path, names: list[str]) -> None:
    if twice := [name for name, times in Counter(names).items() if times > 1]:
        raise ScoreFault(f"{file}: {twice[0]!r} is there twice; once is right")
