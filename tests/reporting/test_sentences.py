import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import simulated
from report_studies import ARMS, LANGUAGES, all_figures, gather_all

from xlt_utils.analysis import transfer_scores
from xlt_utils.analysis.learning import TARGET_NOT_LEARNT, TASK_NOT_LEARNT
from xlt_utils.data.tasks import TASKS
from xlt_utils.formatting import number_text
from xlt_utils.reporting import tables
from xlt_utils.reporting.findings import gather_findings
from xlt_utils.reporting.headline import headline
from xlt_utils.reporting.learnt import OUT, targets_sentence
from xlt_utils.reporting.page import render_page
from xlt_utils.reporting.sentences import exchange_sentence, five_sentences


def test_sentences_carry_the_known_numbers(tmp_path):
    def truth(task, language, seed, tokens, examples):
        return 0.4 + (0.25 if tokens else 0) + 0.001 * seed + (0.1 * (examples / 4096) ** 0.5 if examples else 0)

    simulated.study(tmp_path / "s", truth=truth, languages=LANGUAGES, seeds=(0, 1, 2), notebooks=False)
    findings = gather_findings(tmp_path / "s")
    sentences = five_sentences(findings)
    assert len(sentences) == 5 and "From 0 to 1.6M pretraining tokens" in sentences["pretraining"]
    assert "+0.25" in sentences["pretraining"] and "rise (95 % CI above 0)" in sentences["pretraining"]
    assert "With 4096 mnli examples" in sentences["intermediate"] and "+0.10" in sentences["intermediate"]
    answer, reasons = headline(findings)
    assert answer == "No" and reasons.startswith("Less than proportional") and "0.50" in sentences["proportional"]


def test_a_missing_rung_is_not_named_as_an_end(tmp_path):
    skip = lambda seed, tokens, examples: (tokens, examples) == (0, 0)  # noqa: E731
    simulated.study(tmp_path / "s", skip=skip, languages=LANGUAGES, notebooks=False)
    sentences = five_sentences(gather_all(tmp_path / "s"))
    assert sentences["pretraining"].startswith("From 100k to 1.6M pretraining tokens")
    assert "and at 100k tokens by" in sentences["gap"]


@pytest.mark.parametrize(("tasks", "answer"), [(("sst", "udpos"), "No"), (("xnli",), "Not settled by this study")])
def test_pairs_that_share_training_data_settle_nothing(tmp_path, tasks, answer):
    """MNLI trains XNLI itself: a gain there may be more data of the target's own."""

    def truth(task, language, seed, tokens, examples):
        return 0.4 + 0.001 * seed + (0.1 * (examples / 4096) ** 0.5 if examples else 0)

    simulated.study(tmp_path / "s", truth=truth, tasks=tasks, languages=LANGUAGES, seeds=(0, 1, 2), notebooks=False)
    told, reasons = headline(gather_findings(tmp_path / "s"))
    assert told == answer and reasons.startswith("Less than proportional")
    assert ("shares training data" in reasons) == (tasks == ("xnli",))


def test_a_null_study_is_answered_with_no_claim(tmp_path):
    def truth(task, language, seed, tokens, examples):
        return 0.3 + 0.01 * ((seed * 7 + examples // 256 + tokens // 1000 + len(task)) % 3)

    simulated.study(tmp_path / "s", truth=truth, languages=LANGUAGES, notebooks=False)
    answer, _ = headline(gather_findings(tmp_path / "s"))
    assert answer in ("No: no arm brings a gain above 0.02", "Not settled by this study")


def test_every_mean_over_fewer_seeds_says_so(half_study):
    for name, sentence in five_sentences(half_study).items():
        plain = re.sub(r"95 % CI [+−\d. to]+|\d\.\d+M|slope d log\S* / d log\S* of 1", "", sentence)
        for match in re.finditer(r"\d\.\d+", plain):
            after = plain[match.end() :]
            assert re.match(r" \((, n = \d seeds?|one seed|\d of 4 seeds)", after), (name, match[0], after[:60])
    missing, done = len(half_study.missing_cells), len(half_study.records)
    assert f"{missing} of {missing + done} cells are missing" in sentence


def test_what_controls_gain_stands_beside_the_gain_of_tasks(tmp_path):
    gain = {"mnli": 0.1, "odd": 0.04, "text": 0.01}
    names = ARMS | {"text": {"tasks": [], "mlm_share": 1.0}}
    bonus = lambda arm, *_: gain.get(arm, 0.0)  # noqa: E731
    level = lambda task, language, seed, p, i: 0.3 + 0.01 * seed  # noqa: E731
    simulated.study(tmp_path / "s", arms=names, bonus=bonus, truth=level, languages=LANGUAGES, notebooks=False)
    findings = gather_findings(tmp_path / "s")
    table = tables.gains_over_controls(findings).set_index(["arm", "control", "target"])["gain"]
    assert table["mnli", "odd", "udpos"].mean == pytest.approx(0.06) and table["mnli", "text", "udpos"].n == 2
    assert table["qqp", "text", "sst"].mean == pytest.approx(-0.01) and ("qqp", "odd", "sst") not in table.index
    sentence = five_sentences(findings)["intermediate"]
    assert "mnli over odd +0.060" in sentence and "odd +0.04" not in sentence
    assert {"odd", "text"}.isdisjoint(verdict.arm for verdict in findings.task_verdicts)
    text = render_page(findings, all_figures(findings), tmp_path / "page").read_text()
    assert "control: labels shuffled, mnli" in text and "control: masked LM alone" in text


def write_development_scores(folder: Path, values: dict[str, float]) -> None:
    """Add English development scores to the records: those of an arm's own task at I = 4096, half of them before."""
    for path in (folder / "intermediate").glob("*/record.json"):
        record = json.loads(path.read_text())
        place, task = record["coordinates"], record["parameters"]["tasks"][0]
        value = values[task] * (1 if place["examples"] == 4096 else 0.5) + (place["seed"] - 0.5) * 0.01
        row = simulated.result(task, "en", 0) | {"value": value, "main": False}
        record["results"] = [row | {"metric": f"development {TASKS[task].metric}"}, row | {"metric": "development f1"}]
        path.write_text(json.dumps(record))


def test_an_arm_that_learnt_nothing_of_its_own_task_is_in_no_gain(tmp_path):
    names = {"mnli": {"tasks": ["mnli"]}, "squad": {"tasks": ["squad"]}}
    simulated.study(tmp_path / "s", arms=names, languages=LANGUAGES, notebooks=False)
    write_development_scores(tmp_path / "s", {"mnli": 1 / 3, "squad": 0.5})
    findings = gather_findings(tmp_path / "s")
    assert set(findings.gains["arm"]) == set(findings.effective_robustness["arm"]) == {"squad"}
    assert {law.arm for law in findings.laws} == {"squad"}
    verdicts = {verdict.target: verdict for verdict in findings.verdicts if verdict.arm == "mnli"}
    assert {verdict.verdict for verdict in verdicts.values()} == {TASK_NOT_LEARNT} and len(verdicts) == 3
    assert "(95 % CI" in verdicts["sst"].why and "its own task, mnli" in verdicts["sst"].why
    assert headline(findings)[1].endswith("task not learnt: mnli")
    sentence = five_sentences(findings)["intermediate"]
    assert "mnli reaches" in sentence and "squad reaches 0.50 (95 %" in sentence
    assert f"Not learnt at any P, so {OUT}: mnli." in sentence
    text = render_page(findings, all_figures(findings), tmp_path / "page").read_text()
    assert "What was learnt in English" in text and "<small>task not learnt</small>" in text
    for seed in (0, 1):  # every score by seed
        assert f'<td class="n">{number_text(0.5 + (seed - 0.5) * 0.01)}</td>' in text


def unlearnt_sst(task, language, seed, tokens, examples):
    return (0.05 if task == "sst" else 0.5) + 0.001 * seed + (0.2 * (examples / 4096) ** 0.5 if examples else 0)


def test_a_target_that_was_not_learnt_is_in_no_sentence_but_its_own(tmp_path):
    """SST gains as much as the others, from chance: that is no transfer."""
    tasks = ("sst", "udpos", "panx")
    simulated.study(
        tmp_path / "s", truth=unlearnt_sst, tasks=tasks, languages=LANGUAGES, seeds=(0, 1, 2), notebooks=False
    )
    findings = gather_findings(tmp_path / "s")
    assert findings.targets == ["panx", "udpos"] and findings.learning.unlearnt_targets == ["sst"]
    (verdict,) = (verdict for verdict in findings.verdicts if verdict.target == "sst")
    assert verdict.verdict == TARGET_NOT_LEARNT and "0.051 (95 % CI" in verdict.why
    assert "sst" not in {*findings.gain_table["target"], *findings.effective_robustness["target"]}
    assert "sst" not in {law.target for law in findings.laws}
    assert headline(findings) == ("No", "Less than proportional: panx, udpos; target not learnt: sst")
    sentences = five_sentences(findings)
    learnt = targets_sentence(findings)
    assert learnt.startswith("Trained targets that count: 2 of 3 (panx, udpos). Not learnt in English")
    assert sentences["pretraining"].startswith(learnt)
    others = " ".join(sentences.values()).replace(learnt, "").replace("target not learnt: sst", "")
    assert "sst" not in others and "+0.20 (95 % CI" in sentences["intermediate"]


def test_a_study_that_learnt_nothing_says_so(tmp_path):
    truth = lambda task, language, seed, *_: 0.01 * seed  # noqa: E731
    simulated.study(tmp_path / "s", truth=truth, tasks=("sst", "udpos"), languages=LANGUAGES, notebooks=False)
    findings = gather_findings(tmp_path / "s")
    answer, reasons = headline(findings)
    assert answer.startswith("Not testable: no target was learnt") and reasons == "Target not learnt: sst, udpos"
    assert findings.headline_target == "" and findings.gains.empty and not findings.laws
    assert "Trained targets that count: none of 2." in five_sentences(findings)["pretraining"]
    text = render_page(findings, [], tmp_path / "page").read_text()
    assert answer in text and text.count("<td>target not learnt</td>") == 2


def test_single_runs_that_failed_to_learn_are_counted(tmp_path):
    def truth(task, language, seed, tokens, examples):
        return 0.02 if (task, seed, tokens, examples) == ("udpos", 1, 0, 256) else 0.6 + 0.001 * seed

    simulated.study(tmp_path / "s", truth=truth, languages=LANGUAGES, notebooks=False)
    findings = gather_findings(tmp_path / "s")
    assert "a score of 0.20 or less): udpos in 1 of 18 runs." in five_sentences(findings)["pretraining"]


def law_of_both_sizes(task, language, seed, tokens, examples):
    return 0.4 + 0.05 * np.log1p(tokens / 1e5) + 0.02 * np.log1p(examples / 256) + 0.001 * seed


def test_the_report_gives_the_rate_of_the_arm_of_most_tasks(tmp_path):
    arms = {"all": {"tasks": ["mnli", "qqp"]}, "mnli": {"tasks": ["mnli"]}}
    folder = tmp_path / "s"
    simulated.study(
        folder, seeds=(0, 1, 2), tokens=(0, 10**5, 10**6), arms=arms, truth=law_of_both_sizes, notebooks=False
    )
    findings = gather_findings(folder)
    assert (findings.headline_law.arm, findings.headline_law.target) == ("all", transfer_scores.TRAINED)
    sentence = exchange_sentence(findings)
    assert "one more intermediate example buys (all; " in sentence
    assert "6 of 6 pairs of a target and an arm have a rate" in sentence
    page = render_page(findings, [], tmp_path / "page").read_text()
    assert sentence[1:].split(";")[0] in page
    rates = pd.read_csv(tmp_path / "page" / "exchange.csv").set_index(["target", "place", "arm"])
    centre = rates.loc[(transfer_scores.TRAINED, "centre", "all")]
    rate = (0.02 / (256 + centre["I"])) / (0.05 / (1e5 + centre["P"]))
    assert centre["low"] <= rate <= centre["high"]
