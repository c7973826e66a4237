"""Submissions: the scores are XTREME's, what is written is read back the same, and what is missing is a fault."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from xlt_utils import cli
from xlt_utils.data.tasks import TASKS
from xlt_utils.evaluation import metrics, submission

VECTORS = Path(__file__).parents[3] / "shared" / "vectors"
EXPECTED = json.loads((VECTORS / "expected.json").read_text()) if VECTORS.is_dir() else {}
here = pytest.mark.skipif(not EXPECTED, reason="the score vectors in ../shared/vectors are not here")

# Prediction rows as evaluate.py makes them: (task, language, id, gold, predicted)
ROWS = [
    ("xnli", "de", "0", "neutral", "neutral"),
    ("xnli", "de", "1", "entailment", "contradiction"),
    ("xnli", "fr", "0", "neutral", "neutral"),
    ("panx", "zh", "0", "B-PER I-PER O", "B-PER I-PER O"),
    ("panx", "zh", "1", "O", "B-LOC"),
    ("mlqa", "de", "a", "der Hund", "einen Hund"),
    ("mlqa", "de", "b", "die Katze", "Katze\n„Maus“\u2028"),
    ("xquad", "de", "a", "der Hund", "Hund"),
    ("tatoeba", "de", "0", "0", "1"),
    ("tatoeba", "de", "1", "1", "1"),
    ("bucc2018", "zh", "zh-1", "en-1", "en-1"),
    ("bucc2018", "zh", "zh-2", "en-2", "en-3"),
    ("bucc2018", "zh", "zh-2", "", "en-4"),
]


def rows() -> list[dict]:
    return [dict(zip(("task", "language", "id", "gold", "predicted"), row, strict=True)) for row in ROWS]


@pytest.fixture
def folders(tmp_path):
    """Predictions and labels of ROWS, each in its folder; the labels of spans as SQuAD 1.1 has them."""
    gold = [row | {"predicted": row["gold"]} for row in rows() if row["gold"]]
    for file in submission.write_submission(tmp_path / "labels", gold):
        if file.suffix == ".json":
            questions = [{"id": i, "answers": [{"text": text}]} for i, text in json.loads(file.read_text()).items()]
            file.write_text(json.dumps({"version": "1.1", "data": [{"paragraphs": [{"qas": questions}]}]}))
    submission.write_submission(tmp_path / "predictions", rows())
    return tmp_path / "predictions", tmp_path / "labels"


@here
@pytest.mark.parametrize("task", EXPECTED or ["none"])
def test_scores_are_the_leaderboards(task, tmp_path):
    for side in ("labels", "predictions"):
        shutil.copytree(VECTORS / side / task, tmp_path / side / task)
    warnings = []
    (scored,) = submission.score_submission(tmp_path / "predictions", tmp_path / "labels", warnings.append).items()
    assert scored[0] == task and scored[1].keys() == EXPECTED[task].keys()
    for language, expected in EXPECTED[task].items():
        assert scored[1][language] == pytest.approx(expected, abs=1e-6)
    # The vectors leave some questions of every span file out, which XTREME's scorer counts as wrong.
    assert len(warnings) == (len(EXPECTED[task]) if TASKS[task].format == "span" else 0)


@here
def test_the_command_scores_all_tasks_and_loads_no_torch():
    code = "import sys; from xlt_utils import cli; sys.exit(cli.main(sys.argv[1:]) + 100 * ('torch' in sys.modules))"
    command = [sys.executable, "-c", code, "score", str(VECTORS / "predictions"), str(VECTORS / "labels")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    scores = json.loads(done.stdout)
    assert list(scores) == sorted(EXPECTED) and all(list(scores[task]) == sorted(EXPECTED[task]) for task in EXPECTED)


def test_what_is_written_scores_as_the_rows_do(folders):
    scores = submission.score_submission(*folders)
    assert scores["xnli"] == {"de": {"accuracy": 50}, "fr": {"accuracy": 100}}
    tags = metrics.chunk_scores([["B-PER", "I-PER", "O"], ["O"]], [["B-PER", "I-PER", "O"], ["B-LOC"]])
    tags["token_accuracy"] = tags.pop("accuracy")
    assert scores["panx"]["zh"] == pytest.approx({name: 100 * value for name, value in tags.items()})
    assert scores["mlqa"]["de"] == pytest.approx({"exact_match": 50, "f1": 100 * (1 + 2 / 3) / 2})
    assert scores["xquad"]["de"] == pytest.approx({"exact_match": 0, "f1": 100 * 2 / 3})  # SQuAD keeps `der`
    assert scores["tatoeba"]["de"] == {"accuracy": 50}
    assert scores["bucc2018"]["zh"] == pytest.approx({"f1": 40, "precision": 100 / 3, "recall": 50})


def test_rows_with_a_perturbation_are_left_out(folders, tmp_path):
    perturbed = [row | {"perturbation": "typos 5 %", "predicted": "nonsense"} for row in rows()]
    plain = [row | {"perturbation": none} for row, none in zip(rows(), [None, "", float("nan")] * 5, strict=False)]
    files = submission.write_submission(tmp_path / "again", perturbed + plain)
    assert len(files) == 7
    for file in files:
        assert file.read_bytes() == (folders[0] / file.relative_to(tmp_path / "again")).read_bytes()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"task": "xnlli"}, "no such task 'xnlli'; did you mean `xnli`"),
        ({"predicted": None}, "prediction rows of xnli, de: id '0' predicts None"),
        ({"id": "1"}, "prediction rows of xnli, de: id '1' is there twice"),
    ],
)
def test_rows_that_cannot_be_written_are_named(tmp_path, change, message):
    with pytest.raises(submission.ScoreFault, match=message):
        submission.write_submission(tmp_path, [rows()[0] | change, *rows()[1:]])
    assert not list(tmp_path.iterdir())


SQUAD = '{{"data": [{{"paragraphs": [{{"qas": [{}]}}]}}]}}'
QA = '{"id": "a", "answers": [{"text": "Hund"}]}'
# A file, its new text (None: it is gone), and what the message says beside the file's name
FAULTS = [
    ("predictions/xnli/test-de.tsv", None, "1 of 7 prediction files are missing"),
    ("predictions/xnli/test-de.tsv", "", "is empty"),
    ("predictions/xnli/test-de.tsv", "\n\n", "is empty"),
    ("predictions/xnli/test-de.tsv", "neutral\n", "1 lines for the 2 lines of .* line 2, sentence 2: '' for 'entail"),
    ("predictions/xnli/test-de.tsv", "neutral\n" * 3, "3 lines for the 2 lines of .* line 3, .*: 'neutral' for ''"),
    ("predictions/xnli/test-de.tsv", "neutral\nneutrol\n", "line 2: 'neutrol' is no label of xnli; did you mean `neut"),
    ("predictions/xnli/test-de.tsv", "neutral\n\nneutral\n", "line 2: '' is no label of xnli"),
    ("predictions/xnli/test-de.tsv", b"neutral\n\xff\n", "cannot be read as text in UTF-8"),
    ("labels/xnli/test-de.tsv", "0\n1\n", "line 1: '0' is no label of xnli; there are entailment, neutral"),
    ("predictions/panx/test-zh.tsv", "O\nO\n\nO\n", "line 3, sentence 1: '' for 'O'"),
    ("predictions/panx/test-zh.tsv", "O\nO\nO\n\nO\nO\n", "line 6, sentence 2: 'O' for ''"),
    ("predictions/panx/test-zh.tsv", "O\nO\nO\n", "3 lines for the 5 lines of .* line 5, sentence 2: '' for 'O'"),
    ("predictions/panx/test-zh.tsv", "O\nO\nB-PRE\n\nO\n", "line 3: 'B-PRE' is no label of panx; did you mean `B-PER`"),
    ("predictions/tatoeba/test-de.tsv", "1\n-1\n", "line 2: '-1' is no index"),
    ("predictions/tatoeba/test-de.tsv", "1\nen-1\n", "line 2: 'en-1' is no index"),
    ("predictions/bucc2018/test-zh.tsv", "zh-1 en-1\n", "line 1: 'zh-1 en-1'; expected a foreign id, a tab"),
    ("predictions/bucc2018/test-zh.tsv", "zh-1\ten-1\n" * 2, "'zh-1.*en-1' is there twice"),
    ("predictions/bucc2018/test-zh.tsv", "", "is empty"),
    ("predictions/mlqa/test-de.json", '{"a": "Hund", "a": "Katze"}', "'a' is there twice"),
    ("predictions/mlqa/test-de.json", '{"a": "Hund", "b": "x", "c": "y"}', "1 ids are not in .*labels.*first 'c'"),
    ("predictions/mlqa/test-de.json", '{"a": "Hund", "b": null}', "expected one object with a text for each id"),
    ("predictions/mlqa/test-de.json", '["Hund"]', "expected one object with a text for each id"),
    ("predictions/mlqa/test-de.json", "{}", "expected one object with a text for each id"),
    ("predictions/mlqa/test-de.json", '{"a": ', "is no JSON"),
    ("labels/mlqa/test-de.json", '{"a": "Hund"}', "expected SQuAD 1.1"),
    ("labels/mlqa/test-de.json", '{"data": []}', "has no questions"),
    ("labels/mlqa/test-de.json", SQUAD.format(f"{QA}, {QA}"), "'a' is there twice"),
    ("labels/mlqa/test-de.json", SQUAD.format('{"id": "a", "answers": []}'), "'a' has no gold answer"),
    ("labels/mlqa/test-de.json", SQUAD.format('{"id": "a"}'), "expected SQuAD 1.1"),
    ("labels/xnlli/test-de.tsv", "neutral\n", "no such task 'xnlli'; did you mean `xnli`"),
    ("predictions/xnlli/test-de.tsv", "neutral\n", "no such task 'xnlli'; did you mean `xnli`"),
    ("labels/xnli/de.tsv", "neutral\n", "expected a file test-<language>.tsv"),
    ("labels/mlqa/test-en.tsv", "Hund\n", "expected a file test-<language>.json"),
]


@pytest.mark.parametrize(("name", "text", "message"), FAULTS)
def test_what_cannot_be_scored_is_named(folders, capsys, name, text, message):
    file = folders[0].parent / name
    file.parent.mkdir(exist_ok=True)
    if text is None:
        file.unlink()
    else:
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(submission.ScoreFault, match=f"(?s){message}") as fault:
        submission.score_submission(*folders)
    assert str(file) in str(fault.value) or str(file.parent) in str(fault.value)
    assert cli.main(["score", *map(str, folders)]) == 65
    output = capsys.readouterr()
    assert output.out == "" and output.err == f"{fault.value}\n"


def test_nothing_to_score_is_a_fault(folders, tmp_path):
    for pair in (
        (folders[0], tmp_path / "nowhere"),
        (tmp_path / "nowhere", folders[1]),
        (folders[0], folders[1] / "xnli"),
    ):
        with pytest.raises(submission.ScoreFault, match="has nothing to score; expected files <task>/test-"):
            submission.score_submission(*pair)


def test_predictions_without_labels_are_warned_of(folders, capsys):
    shutil.rmtree(folders[1] / "xnli")
    assert cli.main(["score", *map(str, folders)]) == 0
    output = capsys.readouterr()
    assert "xnli" not in json.loads(output.out)
    assert output.err.startswith("warning: not scored") and str(folders[0] / "xnli" / "test-fr.tsv") in output.err
    assert cli.main(["score", "--strict", *map(str, folders)]) == 65


def test_unanswered_questions_are_wrong_and_warned_of_or_refused(folders, capsys):
    (folders[0] / "mlqa" / "test-de.json").write_text('{"a": "Hund"}')
    assert cli.main(["score", *map(str, folders)]) == 0
    output = capsys.readouterr()
    assert json.loads(output.out)["mlqa"]["de"] == {"exact_match": 50, "f1": 50}
    assert "1 of the 2 questions" in output.err and "first 'b'" in output.err
    assert cli.main(["score", "--strict", *map(str, folders)]) == 65
    output = capsys.readouterr()
    assert output.out == "" and "1 of the 2 questions" in output.err
