import json

import pytest
import simulated
from report_studies import ARMS, LANGUAGES, SEEDS, gather_all, noisy_score, small_figures

from xlt_utils.analysis import transfer_scores
from xlt_utils.records.record import read_record
from xlt_utils.reporting import claims
from xlt_utils.reporting.figures import grid
from xlt_utils.reporting.findings import gather_findings
from xlt_utils.reporting.page import render_page
from xlt_utils.reporting.sentences import five_sentences


def test_missing_cells_keep_their_place_on_the_grid(study_folder):
    findings = gather_all(study_folder)
    (cell,) = findings.missing_coordinates
    assert cell | {"targets": []} == {"seed": 1, "tokens": 0, "arm": "mnli", "examples": 256, "targets": []}
    assert set(cell["targets"]) == set(findings.tasks)
    assert "1 of 36 cells are missing" in five_sentences(findings)["gap"]


def test_a_folder_without_a_record_is_refused_and_the_nearest_named(tmp_path):
    simulated.study(tmp_path / "demo", seeds=(0,), tokens=(0,), examples=(0,), notebooks=False)
    with pytest.raises(FileNotFoundError, match="demo"):
        gather_findings(tmp_path / "demmo")


def test_a_target_without_any_score_is_named(tmp_path):
    folders = simulated.study(tmp_path / "s", languages=LANGUAGES, tokens=(0,), examples=(0,), notebooks=False)
    parameters = read_record(folders[0]).parameters | {"tasks": ["panx", "sst"], "checkpoint": str(folders[0])}
    simulated.failed(tmp_path / "s/target/lost-dddddddd", "target", parameters)
    findings = gather_all(tmp_path / "s")
    assert findings.unscored_tasks == ["panx"]
    assert "No score at all for panx" in render_page(findings, small_figures(findings), tmp_path / "page").read_text()


def test_half_a_study_has_all_seeds_nowhere(half_study):
    places = half_study.zero_shot.groupby(["tokens", "arm", "examples"])["seed"].nunique()
    assert places.max() < len(SEEDS) == len(half_study.expected_seeds) and places.max() > 1


def test_half_a_study_widens_its_intervals_or_gives_none(half_study, tmp_path):
    simulated.study(tmp_path / "s", seeds=SEEDS, languages=LANGUAGES, arms=ARMS, truth=noisy_score, notebooks=False)
    full = {(verdict.target, verdict.arm): verdict.gain for verdict in gather_findings(tmp_path / "s").verdicts}
    for verdict in half_study.verdicts:
        assert verdict.gain.n < full[verdict.target, verdict.arm].n == 4
    for row in claims.claim_rows(half_study)[:6]:
        assert row["verdict"] in (claims.UNTESTABLE, claims.UNDECIDED) or "of 4 seeds lack" in row["figure"]


def test_no_mean_skips_a_language_that_a_run_lacks(tmp_path):
    """One run in Hindi less: its mean is missing, not that of the other languages, and every place says so."""
    simulated.study(tmp_path / "s", seeds=(0, 1), notebooks=False)
    (file,) = (tmp_path / "s" / "target").glob("s1-p1600000-mnli-i4096*/record.json")
    record = json.loads(file.read_text())
    record["results"] = [row for row in record["results"] if (row["task"], row["language"]) != ("sst", "hi")]
    file.write_text(json.dumps(record))
    findings = gather_all(tmp_path / "s")
    here = findings.zero_shot.query("seed == 1 and tokens == 1600000 and examples == 4096").set_index("target")
    assert here["zero_shot"].isna().to_dict() == {
        "sst": True,
        "tatoeba": False,
        "udpos": False,
        transfer_scores.TRAINED: True,
    }
    law = next(law for law in findings.laws if law.target == "sst")
    assert law.sample.missing_runs == 1 and any("1 of 18 runs are missing" in note for note in law.surface.notes)
    why = {verdict.target: verdict.why for verdict in findings.verdicts}
    assert "1 of 18 runs are missing" in why["sst"] and "missing" not in why["udpos"]
    surface = grid.score_surface(findings.zero_shot, "mnli", findings.missing_coordinates)
    marks = {axes.get_title(): [text.get_text() for text in axes.texts] for axes in surface.drawing.axes}
    assert sum("1 of 2" in mark for mark in marks["sst"]) == 1 and not any("1 of 2" in mark for mark in marks["udpos"])
    complete = grid.completeness(findings.zero_shot, findings.missing_coordinates)
    assert complete.title == "1 of 18 places are incomplete"
    text = render_page(findings, [surface, complete], tmp_path / "page").read_text()
    assert "no score in: hi" in text and "1 of 2" in text
