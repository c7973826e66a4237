"""Provenance: what a checkpoint was trained on, for which tasks I = 0 is not zero, and how it came by its head."""

import json

import pytest
import simulated

from xlt_utils.records.run_hash import PROVENANCE
from xlt_utils.reporting import page
from xlt_utils.reporting.findings import gather_findings
from xlt_utils.reporting.provenance import checkpoint_rows, head_sentences, machine_rows, shared_versions

CARD = {"model": "owner/name", "training_data": "pairs of texts, then SQuAD.", "tasks": ["squad", "qqp"]}
WARMUP = {"tokens": 280_000, "steps": 273, "first loss": 11.31, "last loss": 7.38, "settled": True}


@pytest.fixture
def study(tmp_path):
    """From what the study file and the facts of each seed's pretraining say to the findings of such a study."""

    def make(checkpoints=None, facts=({}, {}), start="../encoders/name"):
        folder = tmp_path / "study"
        simulated.study(folder, tasks=("xquad", "sst"), tokens=(0, 100_000), arm="mnli", notebooks=False)
        for file in folder.glob("pretrain/*/record.json"):
            record = json.loads(file.read_text())
            tokens = record["coordinates"]["tokens"]
            record["parameters"] |= {"start": start, "tokens": tokens}
            record["facts"] = facts[record["coordinates"]["seed"]] if tokens else {}
            file.write_text(json.dumps(record))
        if checkpoints is not None:
            simulated.write_json(folder / PROVENANCE, {"checkpoints": checkpoints})
        return gather_findings(folder)

    return make


def test_the_tasks_of_the_study_that_were_seen_before_are_named_with_those_that_share_their_data(study):
    (row,) = checkpoint_rows(study([{"start": "../encoders/name", "card": CARD}]))
    assert (row["model"], row["training_data"]) == ("owner/name", "pairs of texts, then SQuAD")
    assert row["tasks"].endswith("I = 0 is not zero examples: xquad.")  # neither sst nor qqp, which is not studied
    (row,) = checkpoint_rows(study([{"start": "x", "card": CARD | {"tasks": ["mnli"]}}]))
    assert row["tasks"].endswith(": mnli.")  # the arm's own task
    (row,) = checkpoint_rows(study([{"start": "x", "card": CARD | {"tasks": []}}]))
    assert row["tasks"] == "The study file names no task of this study among them."


@pytest.mark.parametrize("stated", [None, [{"start": "../encoders/name", "card": None}]])
def test_a_checkpoint_without_a_card_is_one_of_which_nothing_is_known(study, stated):
    (row,) = checkpoint_rows(study(stated))
    assert row["model"] == "../encoders/name" and "does not say what it was trained on" in row["training_data"]


def test_an_encoder_from_scratch_has_no_provenance(study):
    findings = study(start="scratch")
    assert checkpoint_rows(findings) == head_sentences(findings) == []


def headless(**changes):
    return {"brings head": False, "head warm-up": WARMUP | changes}


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ([{"brings head": True, "head warm-up": {}}] * 2, []),
        ([headless(), headless(tokens=310_000)], ["on 280k to 310k tokens, and its loss fell from 11.3 to 7.4."]),
        ([headless(), headless(settled=False)], ["on 280k tokens", "In 1 of 2 runs it was still falling at the most"]),
        ([headless(), {"brings head": False, "head warm-up": {}}], ["on 280k", "In 1 of 2 runs P began with a random"]),
        ([{}, {}], ["2 of 2 runs do not say whether the checkpoint brings a masked-LM head"]),
    ],
)
def test_how_a_missing_head_was_made_is_said(study, facts, expected):
    sentences = head_sentences(study(facts=facts))
    assert len(sentences) == len(expected)
    assert all(part in sentence for part, sentence in zip(expected, sentences, strict=True))


def test_it_stands_on_the_page(study, tmp_path):
    findings = study([{"start": "../encoders/name", "card": CARD}], [headless(), headless()])
    html = page.render_page(findings, [], tmp_path / "page").read_text()
    assert "What the encoder was trained on before" in html and "owner/name" in html
    assert checkpoint_rows(findings)[0]["tasks"] in html and head_sentences(findings)[0] in html


def test_the_runs_are_counted_by_machine_with_what_differs_between_them(tmp_path):
    def complete(record):
        is_old = record["coordinates"]["seed"] == 0
        versions = {"python": "3.11.7", "torch": "2.12" if is_old else "2.13"}
        code = {"pretrain": "aaaaaaaa1", "intermediate": "bbbbbbbb1", "target": "cccccccc1"}[record["phase"]]
        new = {"machine": "a processor", "code": code, "precision": "bf16", "started": "2026-02-03T00:00:00Z"}
        return record | {"versions": versions} | ({} if is_old else new)

    simulated.study(tmp_path / "s", seeds=(0, 1, 2), tasks=("sst",), notebooks=False, complete=complete)
    findings = gather_findings(tmp_path / "s")
    assert shared_versions(findings) == {"python": "3.11.7"}
    new, old = machine_rows(findings)
    assert (old["machine"], old["device"]) == ("not recorded", "cpu, not recorded")
    assert (old["versions"], old["code"]) == ("torch 2.12", "")
    assert (new["machine"], new["device"], new["versions"]) == ("a processor", "cpu, bf16", "torch 2.13")
    assert (old["seeds"], new["seeds"], new["cells"]) == ("0", "1, 2", 2 * old["cells"])
    assert new["code"] == "aaaaaaaa, bbbbbbbb, cccccccc" and (new["first"], new["last"]) == ("2026-02-03",) * 2
    html = page.render_page(findings, [], tmp_path / "page").read_text()
    assert "Which machine computed what, and when" in html and "<td>aaaaaaaa, bbbbbbbb, cccccccc</td>" in html
