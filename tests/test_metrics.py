import json
from pathlib import Path

import numpy as np
import pytest

from xlt_utils import metrics

VECTORS = Path(__file__).parents[2] / "shared" / "vectors"


def test_accuracy_refuses_nothing_to_score():
    with pytest.raises(ValueError, match="empty"):
        metrics.accuracy([], [])
    with pytest.raises(ValueError, match="2 predictions for 1 labels"):
        metrics.accuracy([1], [1, 0])


def test_chunks_follow_the_roles_of_the_first_letter():
    assert metrics.chunks(["B-PER", "I-PER", "O", "I-LOC"]) == {("PER", 0, 1), ("LOC", 3, 3)}
    assert metrics.chunks(["B-PER", "B-PER"]) == {("PER", 0, 0), ("PER", 1, 1)}
    # Runs of equal part-of-speech tags are one span, but tags that begin with S stand alone.
    assert metrics.chunks(["NOUN", "NOUN", "SCONJ", "SCONJ"]) == {("NOUN", 0, 1), ("SCONJ", 2, 2), ("SCONJ", 3, 3)}


def test_chunk_scores_are_exact_on_a_worked_example():
    gold = [["B-PER", "I-PER", "O", "B-LOC"], ["O", "B-ORG"]]
    found = [["B-PER", "I-PER", "O", "O"], ["B-ORG", "B-ORG"]]
    scores = metrics.chunk_scores(gold, found)
    assert scores == pytest.approx({"precision": 2 / 3, "recall": 2 / 3, "f1": 2 / 3, "accuracy": 4 / 6})
    with pytest.raises(ValueError, match="sentence 1: 1 predicted tags for 2 words"):
        metrics.chunk_scores(gold, [found[0], ["O"]])


def test_retrieval_finds_the_nearest_by_angle_not_by_length():
    queries = np.array([[1.0, 0.0], [0.0, 2.0]])
    candidates = np.array([[0.1, 5.0], [3.0, 0.1]])
    assert metrics.retrieve(queries, candidates).tolist() == [1, 0]


@pytest.mark.skipif(not VECTORS.is_dir(), reason="the score vectors in ../shared/vectors are not here")
@pytest.mark.parametrize("task", ["udpos", "panx"])
def test_tag_scores_are_the_leaderboards(task):
    def sentences(file: Path) -> list[list[str]]:
        blocks = file.read_text(encoding="utf-8").strip("\n").split("\n\n")
        return [[line.split("\t")[-1] for line in block.splitlines()] for block in blocks]

    for language, expected in json.loads((VECTORS / "expected.json").read_text())[task].items():
        sides = [sentences(VECTORS / side / task / f"test-{language}.tsv") for side in ("labels", "predictions")]
        scores = metrics.chunk_scores(*sides)
        scores["token_accuracy"] = scores.pop("accuracy")
        assert {name: 100 * value for name, value in scores.items()} == pytest.approx(expected, abs=1e-6)
