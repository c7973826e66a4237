"""Submissions in XTREME's layout: a folder a task, in it a file a language. In go a study's prediction rows, out comes
such a folder; or in go such a folder and one with the labels, out come the leaderboard's scores."""

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


class FilePair(NamedTuple):
    """The two files of one task and language, and `warn`, which is called with what is wrong but can be scored."""

    task: Task
    language: str
    labels: Path
    predictions: Path
    warn: Callable[[str], None]


def score_submission(
    predictions: str | Path, labels: str | Path, warn: Callable[[str], None] = warnings.warn
) -> dict[str, dict[str, dict[str, float]]]:
    """Score every file of the label folder, in the order of their names.

    Missing predictions are an error, with one exception, which XTREME's scorer makes: a question that a JSON file of
    answers leaves out counts as wrong.

    Args:
        predictions: the folder of a submission.
        labels: a folder of the same layout.
        warn: is called with each such question file, and with predictions that have no labels; `refuse_warning` makes
            both an error.

    Returns:
        `{task: {language: {score: percent}}}`.

    Raises:
        ScoreFault: anything else is missing, superfluous or misnamed.
    """
    label_files, prediction_files = _files(Path(labels)), _files(Path(predictions))
    if missing := [str(Path(predictions, *place)) for place in label_files if place not in prediction_files]:
        raise ScoreFault(f"{len(missing)} of {len(label_files)} prediction files are missing: {', '.join(missing)}")
    if extra := [str(file) for place, file in prediction_files.items() if place not in label_files]:
        warn(f"not scored, as {labels} has no labels for them: {', '.join(extra)}")
    scores: dict[str, dict[str, dict[str, float]]] = {}
    for place, file in label_files.items():
        files = FilePair(TASKS[place[0]], file.stem.removeprefix("test-"), file, prediction_files[place], warn)
        shares = FILE_FORMATS[files.task.format].score(files)
        scores.setdefault(files.task.name, {})[files.language] = {name: 100 * share for name, share in shares.items()}
    return scores


def refuse_warning(message: str) -> None:
    """The strict `warn`: raises ScoreFault."""
    raise ScoreFault(message)


def write_submission(folder: str | Path, rows: Iterable[Mapping[str, Any]]) -> list[Path]:
    """Write prediction rows as a submission. Rows with a `perturbation` are left out.

    Args:
        folder: where to write.
        rows: task, language, id and predicted, all text. `predicted` is a label's name, tags with spaces between them,
            an answer, an index, or for mining the English id of the pair that `id` is the foreign side of.

    Returns:
        The files.

    Raises:
        ScoreFault: an unknown task, an id that comes twice, or a prediction that is not text.
    """
    texts: dict[tuple[str, str], dict] = {}
    for row in rows:
        if isinstance(row.get("perturbation"), str) and row["perturbation"]:  # a table may have NaN for none
            continue
        task, name, text = _task(row["task"], "prediction rows"), row["id"], row["predicted"]
        predictions = texts.setdefault((task.name, row["language"]), {})
        key = (name, text) if task.format == "mining" else name
        if not isinstance(text, str) or key in predictions:
            wrong = "is there twice; once is right" if key in predictions else f"predicts {text!r}; expected text"
            raise ScoreFault(f"prediction rows of {task.name}, {row['language']}: id {name!r} {wrong}")
        predictions[key] = text
    files = []
    for (task_name, language), predictions in texts.items():
        file_format = FILE_FORMATS[TASKS[task_name].format]
        files.append(Path(folder, task_name, f"test-{language}.{file_format.suffix}"))
        files[-1].parent.mkdir(parents=True, exist_ok=True)
        files[-1].write_text(file_format.text(predictions), encoding="utf-8", newline="\n")
    return files


def _score_labels(files: FilePair) -> dict[str, float]:
    return {"accuracy": metrics.accuracy(*_aligned(files))}


def _score_tags(files: FilePair) -> dict[str, float]:
    sentences = [[block.split() for block in "\n".join(lines).split("\n\n")] for lines in _aligned(files)]
    scores = metrics.chunk_scores(*sentences)
    return {"token_accuracy" if name == "accuracy" else name: value for name, value in scores.items()}


def _score_answers(files: FilePair) -> dict[str, float]:
    gold, answers = _questions(files.labels), _json(files.predictions)
    if not isinstance(answers, dict) or not answers or not all(isinstance(text, str) for text in answers.values()):
        raise ScoreFault(f"{files.predictions}: expected one object with a text for each id, {{id: answer}}")
    if extra := [name for name in answers if name not in gold]:
        raise ScoreFault(f"{files.predictions}: {len(extra)} ids are not in {files.labels}, first {extra[0]!r}")
    if missing := [name for name in gold if name not in answers]:
        counts = f"{len(missing)} of the {len(gold)} questions of {files.labels} have no answer, first {missing[0]!r}"
        files.warn(f"{files.predictions}: {counts}; XTREME's scorer counts them as wrong")
    language = files.language if files.task.rules == "mlqa" else None
    scores = metrics.answer_scores([gold[name] for name in answers], list(answers.values()), language)
    return {name: value * len(answers) / len(gold) for name, value in scores.items()}


def _score_pairs(files: FilePair) -> dict[str, float]:
    sides = []
    for file in (files.labels, files.predictions):
        sides.append(lines := _lines(file))
        for number, line in enumerate(lines, 1):
            if not re.fullmatch(r"\S+\t\S+", line):
                raise ScoreFault(f"{file}, line {number}: {line!r}; expected a foreign id, a tab, an English id")
        _refuse_repeats(file, lines)
    return metrics.mining_scores(*sides)


class FileFormat(NamedTuple):
    """A kind of file: its suffix, the scores of a pair of them, and its text from {id: prediction}."""

    suffix: str
    score: Callable[[FilePair], dict[str, float]]
    text: Callable[[dict], str]


def _text_of_tags(predictions: dict[str, str]) -> str:
    return "\n\n".join("\n".join(tags.split()) for tags in predictions.values()) + "\n"


def _text_of_pairs(predictions: dict[tuple[str, str], str]) -> str:
    return "".join(f"{foreign}\t{english}\n" for foreign, english in predictions)


_LINES = FileFormat("tsv", _score_labels, lambda predictions: "".join(f"{text}\n" for text in predictions.values()))
_JSON = FileFormat(
    "json", _score_answers, lambda predictions: json.dumps(predictions, ensure_ascii=False, indent=1) + "\n"
)
FILE_FORMATS = {
    "classification": _LINES,
    "choice": _LINES,
    "retrieval": _LINES,
    "tagging": FileFormat("tsv", _score_tags, _text_of_tags),
    "span": _JSON,
    "mining": FileFormat("tsv", _score_pairs, _text_of_pairs),
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
        if not re.fullmatch(rf"test-[\w-]+\.{FILE_FORMATS[task.format].suffix}", file.name):
            raise ScoreFault(f"{file}: expected a file test-<language>.{FILE_FORMATS[task.format].suffix}")
        files[task.name, file.name] = file
    if not files:
        raise ScoreFault(f"{folder}: has nothing to score; expected files <task>/test-<language>.tsv or .json")
    return files


def _aligned(files: FilePair) -> list[list[str]]:
    """The lines of both files, all labels of the task, with tagging's blank lines at the same places."""
    sides = []
    for file in (files.labels, files.predictions):
        sides.append(lines := _lines(file))
        for number, line in enumerate(lines, 1):
            if fault := _line_fault(line, files.task):
                raise ScoreFault(f"{file}, line {number}: {line!r} {fault}")
    for number, (gold, text) in enumerate(zip_longest(*sides, fillvalue=""), 1):
        if bool(gold) != bool(text):
            counts = f"{len(sides[1])} lines for the {len(sides[0])} lines of {files.labels}"
            sentence = sides[0][: number - 1].count("") + 1 if files.task.format == "tagging" else number
            place = f"line {number}, sentence {sentence}"
            raise ScoreFault(f"{files.predictions}: {counts}; first apart at {place}: {text!r} for {gold!r}")
    return sides


def _line_fault(line: str, task: Task) -> str | None:
    if task.format == "retrieval":
        return None if re.fullmatch("0|[1-9][0-9]*", line) else "is no index; expected a whole number from 0"
    if not task.labels or line in task.labels or (task.format == "tagging" and not line):
        return None
    return f"is no label of {task.name}; {did_you_mean(line, task.labels)}"


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
        _refuse_repeats(file, [name for name, _ in pairs])
        return dict(pairs)

    try:
        return json.loads(_text(file), object_pairs_hook=unique)
    except (json.JSONDecodeError, RecursionError) as error:
        raise ScoreFault(f"{file}: is no JSON: {error}") from None


def _questions(file: Path) -> dict[str, list[str]]:
    """The gold answers of each question of a SQuAD 1.1 file."""
    try:
        paragraphs = [paragraph for article in _json(file)["data"] for paragraph in article["paragraphs"]]
        gold = [(qa["id"], [answer["text"] for answer in qa["answers"]]) for p in paragraphs for qa in p["qas"]]
    except (KeyError, TypeError) as error:
        raise ScoreFault(f"{file}: expected SQuAD 1.1: data, paragraphs, qas, answers, text ({error!r})") from None
    _refuse_repeats(file, [name for name, _ in gold])
    if bad := [name for name, answers in gold if not answers or not all(isinstance(text, str) for text in answers)]:
        raise ScoreFault(f"{file}: question {bad[0]!r} has no gold answer; expected one text or more")
    if not gold:
        raise ScoreFault(f"{file}: has no questions; there is nothing to score")
    return dict(gold)


def _refuse_repeats(file: Path, names: list[str]) -> None:
    if repeated := [name for name, times in Counter(names).items() if times > 1]:
        raise ScoreFault(f"{file}: {repeated[0]!r} is there twice; once is right")
