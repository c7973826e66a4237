"""The study's models: sizes are read exactly, and target tasks are grouped into cells of a given size."""

import pytest
from small_study import GOOD, load

from xlt_utils.study.schema import parse_size


@pytest.mark.parametrize(
    ("written", "meant"), [("1G", 10**9), ("3.2M", 3_200_000), ("0.5k", 500), (7, 7), (1e4, 10_000)]
)
def test_size(written, meant):
    assert parse_size(written) == meant


@pytest.mark.parametrize(
    "written", ["200K", "1.5", "12", "-1k", "0.0001k", "", "k", True, None, 1.5, float("nan"), [1]]
)
def test_no_size(written):
    with pytest.raises(ValueError, match="expected a size"):
        parse_size(written)


def test_target_tasks_fill_cells_whatever_their_languages(tmp_path):
    study = load(tmp_path, GOOD + "  languages: {xnli: [en, xa]}\n  tasks_per_cell: 2\n")
    assert study.target_batches() == [["sst", "xnli"], ["udpos"]]
    assert study.target_batches(["udpos", "sst"]) == [["udpos", "sst"]] and study.target_batches([]) == []


def test_tasks_that_train_alike_share_a_cell_and_count_as_one(tmp_path):
    text = GOOD.replace("udpos]", "udpos, xquad, mlqa]") + "  tasks_per_cell: 1\n"
    assert load(tmp_path, text).target_batches() == [["sst"], ["xnli"], ["udpos"], ["xquad", "mlqa"]]
    tests_apart = text + "  settings: {mlqa: {evaluation_examples: 100}}\n"
    assert load(tmp_path, tests_apart).target_batches()[-1] == ["xquad", "mlqa"]
    for other in ("settings: {mlqa: {epochs: 1}}", "patience: 2"):
        assert load(tmp_path, f"{text}  {other}\n").target_batches()[-2:] == [["xquad"], ["mlqa"]]
