"""Two runs on the same items: the counts and the disagreements, on records and predictions that are written here."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import simulated

from xlt_utils.data import labelled
from xlt_utils.data.labelled import SplitRef
from xlt_utils.data.tasks import TASKS
from xlt_utils.records import items
from xlt_utils.records.record import read_record, write_predictions
from xlt_utils.reporting.explore.comparison import NO_ITEMS, Comparison, Place
from xlt_utils.reporting.explore.explorer import Explorer
from xlt_utils.reporting.explore.frame import OpenStudy
from xlt_utils.reporting.explore.same_items import NOT_KEPT, OUTCOMES, Run, count_outcomes, disagreements
from xlt_utils.reporting.findings import gather_findings

A, B = [1, 1, 1, 0, 0, 0, 0], [1, 0, 0, 1, 1, 1, 0]  # which of seven items are right
COUNTS = [1, 2, 3, 1]


def run(folder: Path, right: list[int] | None, data: str = "nowhere", kind: str = "sst") -> Run:
    """A run with one test in German whose record keeps these items, or none."""
    result = simulated.result(kind, "de", 0.5) | {"n": len(A)}
    result |= {"items": items.pack([str(number) for number in range(len(right))], right)} if right else {}
    place = {"seed": 0, "tokens": 0, "arm": None, "examples": 0}
    simulated.run(folder, "target", {"study": "s", "data": data}, place, [result], notebooks=False)
    return Run(folder, read_record(folder))


def predict(run: Run, predicted: list[str], gold: str = "negative") -> Run:
    rows = [
        {"task": "sst", "language": "de", "perturbation": perturbation, "id": str(number), "gold": gold}
        | {"predicted": label if not perturbation else "other"}
        for perturbation in ("", "typos 10%")
        for number, label in enumerate(predicted)
    ]
    write_predictions(run.folder, rows)
    return Run(run.folder, run.record)


@pytest.fixture
def pair(tmp_path) -> tuple[Run, Run]:
    return run(tmp_path / "a-cccccccc", A), run(tmp_path / "b-cccccccc", B)


def test_every_item_has_one_outcome(pair):
    counts = count_outcomes(*pair, "sst")
    assert counts[["language", "n", *OUTCOMES]].to_numpy().tolist() == [["de", 7, *COUNTS]]
    assert count_outcomes(*reversed(pair), "sst")[list(OUTCOMES)].to_numpy().tolist() == [[1, 3, 2, 1]]


def test_only_items_that_both_have_are_compared(pair, tmp_path):
    fewer = run(tmp_path / "c-cccccccc", B[:4])
    assert count_outcomes(pair[0], fewer, "sst")[["n", *OUTCOMES]].to_numpy().tolist() == [[4, 1, 2, 1, 0]]


def test_predictions_say_what_a_record_without_items_does_not(tmp_path):
    words = {1: "negative", 0: "positive"}
    a, b = (
        predict(run(tmp_path / f"{name}-cccccccc", None), [words[value] for value in right])
        for name, right in (("a", A), ("b", B))
    )
    assert count_outcomes(a, b, "sst")[list(OUTCOMES)].to_numpy().tolist() == [COUNTS]
    neither = run(tmp_path / "c-cccccccc", None)
    assert count_outcomes(a, neither, "sst").empty


def test_the_items_answered_differently_have_their_labels_and_those_one_has_right_come_first(pair):
    a = predict(pair[0], ["x", "negative", "negative", "x"])
    b = predict(pair[1], ["y", "negative", "x", "negative"])
    table = disagreements(a, b, "sst", "de")
    assert table[["id", "gold", "A", "B"]].to_numpy().tolist() == [
        ["2", "negative", "negative", "x"],
        ["3", "negative", "x", "negative"],
        ["0", "negative", "x", "y"],
    ]
    assert set(table["text"]) == {""}  # the data are nowhere


def test_without_predictions_the_record_says_who_was_right(pair):
    table = disagreements(*pair, "sst", "de")
    assert table["id"].tolist() == ["1", "2", "3", "4", "5"] and set(table["gold"]) == {NOT_KEPT}
    assert table["A"].tolist() == ["right"] * 2 + ["wrong"] * 3


@pytest.mark.parametrize(("task", "language"), [("udpos", "xa"), ("xnli", "xa"), ("tatoeba", "xh")])
def test_where_the_data_are_the_text_and_the_gold_label_are_those_of_the_item(world, tmp_path, task, language):
    example = labelled.read_examples(SplitRef(TASKS[task], "test", world, language))[3]
    pair = []
    for name, right in (("a", 1), ("b", 0)):
        result = simulated.result(task, language, 0.5) | {"n": 1, "items": items.pack([example["id"]], [right])}
        place = {"seed": 0, "tokens": 0, "arm": None, "examples": 0}
        folder = tmp_path / f"{name}-cccccccc"
        simulated.run(folder, "target", {"study": "s", "data": world}, place, [result], notebooks=False)
        pair.append(Run(folder, read_record(folder)))
    (row,) = disagreements(*pair, task, language).to_dict("records")
    text = " ".join(example["tokens"]) if "tokens" in example else example["text"]
    assert row["text"].startswith(text[:200])
    if task == "tatoeba":
        assert row["gold"] == NOT_KEPT
    else:
        labels = labelled.complete_task(task, world).labels
        gold = example["label"]
        assert row["gold"] == (labels[gold] if isinstance(gold, int) else " ".join(labels[tag] for tag in gold))


@pytest.fixture
def study(tmp_path) -> OpenStudy:
    def complete(record):
        for result in record["results"]:
            right = np.random.default_rng(len(record["cell"])).random(50) < result["value"]
            result |= {"n": 50, "items": items.pack(map(str, range(50)), right.astype(float))}
        return record

    simulated.study(tmp_path / "s", languages=("en", "de"), complete=complete, notebooks=False)
    return OpenStudy("s", tmp_path / "s", gather_findings(tmp_path / "s"))


def test_a_comparison_opens_with_the_largest_arm_and_its_run_at_i_of_zero(study):
    comparison = Comparison([study])
    assert comparison.a == Place("s", "mnli", 4096, 1_600_000) and comparison.b == Place("s", "", 0, 1_600_000)
    assert "both right" in comparison.html() and "answered differently" in comparison.html()


def test_a_run_is_never_compared_with_itself_unasked(study):
    comparison = Comparison([study])
    comparison.choose("a", comparison.b)
    comparison.choose("target", "udpos")
    assert comparison.a == Place("s", "mnli", 4096, 1_600_000) != comparison.b
    comparison.frame = comparison.frame[comparison.frame["arm"] == ""]
    comparison.choose("target", "sst")
    assert comparison.a.tokens == 1_600_000 and comparison.b.tokens == 100_000


def test_a_run_that_is_picked_in_the_explorer_is_compared_with_its_run_at_i_of_zero(study):
    explorer = Explorer([study])
    comparison = Comparison([study], explorer)
    explorer.followers.append(comparison.follow)
    explorer.choose("target", "udpos")
    explorer.choose("language", "de")
    run = explorer.runs()[-1]
    explorer.pick(run)
    _, record = study.runs[run[1]]
    place = record.coordinates
    assert comparison.a == Place("s", place.arm or "", place.examples, place.tokens) and comparison.seed == place.seed
    assert (comparison.target, comparison.language) == ("udpos", "de") and run[1] in comparison.html()
    assert comparison.b != comparison.a and comparison.b.tokens == comparison.a.tokens


def test_what_the_items_lack_is_said(study):
    html = Comparison([study]).html()
    assert "predicted labels are in the runs" in html and "The data set (" in html and "is not on this machine" in html


def test_two_studies_open_at_the_same_place(study, tmp_path):
    other = OpenStudy("t", tmp_path, study.findings)
    comparison = Comparison([study, other])
    assert {comparison.a.study, comparison.b.study} == {"s", "t"} and comparison.a[1:] == comparison.b[1:]
    assert "0 items" in comparison.html()  # the same runs answer nothing differently


def test_a_target_without_english_lists_items_of_another_language(study):
    comparison = Comparison([study])
    comparison.choose("target", "sst")
    assert comparison.language == "en"
    comparison.choose("target", "tatoeba")
    assert comparison.language == "de"


def test_without_items_the_comparison_says_why(tmp_path):
    simulated.study(tmp_path / "s", notebooks=False)
    html = Comparison([OpenStudy("s", tmp_path / "s", gather_findings(tmp_path / "s"))]).html()
    assert NO_ITEMS in html


def test_predictions_under_a_perturbation_are_left_out(pair):
    rows = predict(pair[0], ["x"]).predictions
    assert isinstance(rows, pd.DataFrame) and rows["predicted"].tolist() == ["x"]
