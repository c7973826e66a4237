"""What a study file says of its checkpoints: it is checked, it changes no run, and it reaches the report."""

import json
import os

import pytest
from small_study import GOOD, grid, load

from xlt_utils import paths
from xlt_utils.records import run_hash
from xlt_utils.study import cells, study_file

SCRATCH = "encoder: {layers: 2, width: 32, heads: 2, vocabulary: 1k}"
CARD = "{model: a/b, training_data: pairs of texts, tasks: [mnli, squad]}"
STATED = GOOD.replace(SCRATCH, f"encoder: {{start: a/b, card: {CARD}}}")
READY = f"checkpoints: [{{start: a/one, tokens: 1G, card: {CARD}}}, {{start: a/two, tokens: 2G}}]"
LADDER = f"{SCRATCH}\n  tokens: [0, 100k, 1.6M]"


@pytest.mark.parametrize(
    ("card", "expected"),
    [
        ("{model: a/b, training_data: x, tasks: [squat]}", "pretrain.encoder.card.tasks[0] = squat: no such task; did"),
        ("{model: a/b, training_data: x, tasks: mnli}", "pretrain.encoder.card.tasks = mnli: expected a list such as"),
        ("{model: a/b, training_data: x, tasks: [mnli, mnli]}", "[mnli, mnli]: mnli is listed more than once"),
        ("{model: a/b, data: x}", "pretrain.encoder.card.data = x: unknown key; there are model"),
        ("{model: '', training_data: x}", "pretrain.encoder.card.model = '': string should have at least 1"),
    ],
)
def test_a_wrong_card_is_refused_with_its_field_and_value(tmp_path, card, expected):
    with pytest.raises(study_file.StudyFault) as fault:
        load(tmp_path, STATED.replace(CARD, card))
    assert "right.yaml: " in str(fault.value) and "line 7: " in str(fault.value) and expected in str(fault.value)


def test_a_card_belongs_to_a_checkpoint(tmp_path):
    with pytest.raises(study_file.StudyFault, match=r"pretrain.encoder.card = .*: an encoder from scratch was trained"):
        load(tmp_path, GOOD.replace(SCRATCH, f"{SCRATCH[:-1]}, card: {CARD}}}"))


def test_an_unknown_key_of_a_ready_checkpoint_is_named(tmp_path):
    with pytest.raises(study_file.StudyFault, match=r"pretrain.checkpoints\[1\].tokes = 2G: unknown key; did you mean"):
        load(tmp_path, GOOD.replace(LADDER, READY.replace("tokens: 2G", "tokes: 2G")))


def test_a_card_changes_no_run(tmp_path):
    without = STATED.replace(f", card: {CARD}", "")
    assert [cell.hash for cell in grid(tmp_path, STATED)] == [cell.hash for cell in grid(tmp_path, without)]


def test_every_checkpoint_is_stated_once_with_its_card(tmp_path):
    card = {"model": "a/b", "training_data": "pairs of texts", "tasks": ["mnli", "squad"]}
    assert load(tmp_path, STATED).provenance() == [{"start": "a/b", "card": card}]
    ready = load(tmp_path, GOOD.replace(LADDER, READY)).provenance()
    assert ready == [{"start": "a/one", "card": card}, {"start": "a/two", "card": None}]
    assert load(tmp_path).provenance() == []


def test_a_corrected_card_is_a_new_report_and_no_path_of_a_machine_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "RUNS", tmp_path / "runs")
    start = f"{tmp_path}/encoder"

    def report_hash(text):
        study = load(tmp_path, text.replace("start: a/b", f"start: {start}"))
        cells.write_provenance(study)
        return cells.report_cell(study, [], set()).hash

    assert report_hash(STATED) == report_hash(STATED) != report_hash(STATED.replace("mnli, squad", "mnli"))
    written = json.loads((tmp_path / "runs" / "demo" / run_hash.PROVENANCE).read_text())
    assert written["checkpoints"][0]["start"] == os.path.relpath(start, paths.ROOT)


def test_a_head_is_trained_where_masked_lm_follows(tmp_path):
    def warmups(text):
        rungs = [cell for cell in grid(tmp_path, text) if cell.phase == "pretrain"]
        return [rung.parameters["head_warmup"] and rung.parameters["head_warmup"]["tokens"] for rung in rungs[:3]]

    assert warmups(GOOD) == [None, None, None]  # an encoder from scratch has its own head
    assert warmups(STATED) == [None, 500_000, 500_000]
    masked = STATED.replace("tasks: [mnli]}]", "tasks: [mnli], mlm_share: 0.2}]")
    assert warmups(masked) == [500_000] * 3  # the arm's text also trains the checkpoint as it stands
    set_by_hand = "  head_warmup: {tokens: 300k}\nintermediate:"
    assert warmups(STATED.replace("intermediate:", set_by_hand)) == [300_000] * 3  # so that such an arm can be added
    assert warmups(STATED.replace("intermediate:", set_by_hand.replace("300k", "0"))) == [None, None, None]
