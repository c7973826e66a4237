from pathlib import Path

import pandas as pd
import pytest
import simulated
from report_studies import SCORES, TYPOS, gather_all, without, write_target_run

from xlt_utils.reporting import tables
from xlt_utils.reporting.findings import gather_findings


def test_cost_compares_the_plan_with_what_was_spent(study_folder):
    findings = gather_all(study_folder)
    costs = tables.cost_table(findings).set_index("phase")
    assert costs.loc["target", "cells"] == 17 and costs.loc["target", "planned cells"] == 18
    assert costs.loc["pretrain", "work"] == 6 * 8 and costs.loc["pretrain", "attempts"] == 6 * 9
    assert costs.loc["target", "attempts"] == 19 * 9  # both attempts of the failed cell were spent too
    work, attempts = (6 + 12 + 17) * 8, (6 + 12 + 19) * 9
    assert tables.overhead_share(costs) == pytest.approx(1 - work / attempts)


def test_every_replicate_is_listed_with_its_own_score(tmp_path):
    for replicate, score in enumerate((0.3, 0.5)):
        place = {"seed": 0, "tokens": 0, "arm": None, "examples": 0, "replicate": replicate}
        results = [simulated.result("panx", language, score) for language in ("en", "de", "fr")]
        folder = tmp_path / "s" / "target" / f"s0-p0-panx-r{replicate}-cccccccc"
        simulated.run(folder, "target", {"study": "s", "seed": 0}, place, results)
    findings = gather_findings(tmp_path / "s")
    assert tables.cell_index(findings).set_index("replicate")["result"].to_dict() == {0: "panx 0.30", 1: "panx 0.50"}
    assert findings.zero_shot["zero_shot"].tolist() == pytest.approx([0.4])  # all else takes their mean


def robustness(folder: Path) -> pd.DataFrame:
    return tables.robustness_table(gather_findings(folder))


def test_the_five_numbers_are_means_over_all_seeds(tmp_path):
    for seed, less in enumerate((0.0, 0.1)):
        for tokens in (1000, 2000):
            write_target_run(tmp_path / "s", seed, tokens, "panx", perturbed=SCORES, less=less)
    table = robustness(tmp_path / "s")
    assert list(table["tokens"]) == [2000, 1000] and list(table["seeds"]) == ["2", "2"]
    for _, row in table.iterrows():
        numbers = [row[name] for name in ("english", "mean", "worst", "gap", f"loss, {TYPOS}")]
        assert numbers == pytest.approx([0.85, 0.55, 0.45, 0.3, 0.1])
        assert row["worst_languages"] == "hi, th, ru" and row["note"] == ""


def test_the_worst_languages_of_each_seed_are_named(tmp_path):
    write_target_run(tmp_path / "s", 0, task="panx")
    write_target_run(tmp_path / "s", 1, task="panx", scores=SCORES | {"de": 0.1})
    assert robustness(tmp_path / "s")["worst_languages"][0] == "hi, th, ru (1 of 2), de (1 of 2)"


def test_a_missing_seed_leaves_no_number_and_is_named(tmp_path):
    for seed, tokens in ((0, 1000), (1, 1000), (0, 2000)):
        write_target_run(tmp_path / "s", seed, tokens, perturbed=SCORES)
    table = robustness(tmp_path / "s").set_index("tokens")
    assert table.loc[2000, ["english", "mean", "worst", "deviation", "gap", f"loss, {TYPOS}"]].isna().all()
    assert table.loc[2000, "seeds"] == "1 of 2" and table.loc[2000, "note"] == "no run of seed 1"
    assert table.loc[2000, "worst_languages"] == "" and table.loc[1000].drop("seeds").notna().all()


def test_a_seed_without_any_record_is_missing_too(tmp_path):
    folder, parameters = tmp_path / "s", {"study": "s", "seed": 1, "tokens": 1000}
    write_target_run(folder, 0, 1000)
    simulated.failed(folder / "pretrain/s1-aaaaaaaa", "pretrain", parameters)
    simulated.failed(
        folder / "target/s1-cccccccc", "target", parameters | {"checkpoint": str(folder / "pretrain/s1-aaaaaaaa")}
    )
    row = tables.robustness_table(gather_all(folder)).loc[0]
    assert row["seeds"] == "1 of 2" and row["note"] == "no run of seed 1" and row.isna()["mean"]


def test_a_number_that_one_seed_lacks_is_empty_and_the_seed_named(tmp_path):
    write_target_run(tmp_path / "s", 0, perturbed=SCORES)
    write_target_run(tmp_path / "s", 1, scores=without("en"), perturbed=without("en", "th"))
    row = robustness(tmp_path / "s").loc[0]
    assert row[["english", "gap", f"loss, {TYPOS}"]].isna().all()
    assert row[["mean", "worst", "deviation"]].notna().all()
    assert row["note"] == f"no English test, no gap (seed 1); {TYPOS}: no score in th (seed 1)"


def test_a_note_is_said_once_and_its_rows_point_to_it(tmp_path):
    for tokens in (4000, 3000, 2000, 1000):
        perturbed = without("en") if tokens == 3000 else ("de",) if tokens > 1000 else ("de", "es")
        write_target_run(tmp_path / "s", 0, tokens, scores=without("en"), perturbed=perturbed)
    (block,) = tables.robustness_blocks(robustness(tmp_path / "s"))
    assert block["shared"] == ["no English test, no gap"]
    assert block["remarks"] == [f"{TYPOS}: no score in es hi ru th", f"{TYPOS}: no score in hi ru th"]
    assert [row["remark"] for row in block["rows"]] == [1, 0, 1, 2]
