import json
import re

import numpy as np
import pandas as pd
import pytest
import simulated
from report_studies import ARMS, LANGUAGES, all_figures, gather_all

from xlt_utils.analysis import transfer_scores
from xlt_utils.data.tasks import TASKS
from xlt_utils.reporting import tables
from xlt_utils.reporting.findings import gather_findings
from xlt_utils.reporting.page import render_page
from xlt_utils.reporting.sentences import exchange_sentence, five_sentences, headline


def test_sentences_carry_the_known_numbers(tmp_path):
    def truth(task, language, seed, tokens, examples):
        return 0.2 + (0.25 if tokens else 0) + 0.001 * seed + (0.1 * (examples / 4096) ** 0.5 if examples else 0)

    simulated.study(tmp_path / "s", truth=truth, languages=LANGUAGES, seeds=(0, 1, 2), notebooks=False)
    findings = gather_findings(tmp_path / "s")
    sentences = five_sentences(findings)
    assert len(sentences) == 5 and "From 0 to 1.6M pretraining tokens" in sentences["pretraining"]
    assert "+0.25" in sentences["pretraining"] and "rise (95 % CI above 0)" in sentences["pretraining"]
    assert "With 4096 mnli examples" in sentences["intermediate"] and "+0.10" in sentences["intermediate"]
    answer, reasons = headline(findings)
    assert answer == "No" and reasons.startswith("Less than proportional") and "0.50" in sentences["proportional"]


def test_no_other_rung_stands_in_for_a_missing_one(tmp_path):
    skip = lambda seed, tokens, examples: (tokens, examples) == (0, 0)  # noqa: E731
    simulated.study(tmp_path / "s", skip=skip, languages=LANGUAGES, notebooks=False)
    sentences = five_sentences(gather_all(tmp_path / "s"))
    assert sentences["pretraining"].startswith("No seed has scores at both 0 and 1.6M")
    assert "Over the same range" not in sentences["distance"] and "changes by" not in sentences["gap"]


@pytest.mark.parametrize(("tasks", "answer"), [(("sst", "udpos"), "No"), (("xnli",), "Not settled by this study")])
def test_pairs_that_share_training_data_settle_nothing(tmp_path, tasks, answer):
    """MNLI trains XNLI itself: a gain there may be more data of the target's own."""

    def truth(task, language, seed, tokens, examples):
        return 0.2 + 0.001 * seed + (0.1 * (examples / 4096) ** 0.5 if examples else 0)

    simulated.study(tmp_path / "s", truth=truth, tasks=tasks, languages=LANGUAGES, seeds=(0, 1, 2), notebooks=False)
    told, reasons = headline(gather_findings(tmp_path / "s"))
    assert told == answer and reasons.startswith("Less than proportional")
    assert ("shares training data" in reasons) == (tasks == ("xnli",))


def test_a_null_study_is_answered_with_no_claim(tmp_path):
    def truth(task, language, seed, tokens, examples):
        return 0.3 + 0.01 * ((seed * 7 + examples // 256 + tokens // 1000 + len(task)) % 3)

    simulated.study(tmp_path / "s", truth=truth, languages=LANGUAGES, notebooks=False)
    answer, _ = headline(gather_findings(tmp_path / "s"))
    assert answer in ("No: no arm brings a gain", "Not settled by this study")


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


def test_what_an_arm_learnt_of_its_own_task_stands_beside_chance(tmp_path):
    names = {"mnli": {"tasks": ["mnli"]}, "squad": {"tasks": ["squad"]}}
    simulated.study(tmp_path / "s", arms=names, languages=LANGUAGES, notebooks=False)
    for path in (tmp_path / "s" / "intermediate").glob("*/record.json"):
        record = json.loads(path.read_text())
        place, task = record["coordinates"], record["parameters"]["tasks"][0]
        value = 1 / 3 + (place["seed"] - 0.5) * 0.01 if task == "mnli" else 0.2 + place["examples"] / 1e5
        row = simulated.result(task, "en", 0) | {"value": value, "main": False}
        record["results"] = [row | {"metric": f"development {TASKS[task].metric}"}, row | {"metric": "development f1"}]
        path.write_text(json.dumps(record))
    findings = gather_findings(tmp_path / "s")
    table = tables.learning_table(findings).set_index(["arm", "I"])
    assert table.index.tolist() == [("mnli", 256), ("mnli", 4096), ("squad", 256), ("squad", 4096)]
    assert table.loc[("squad", 4096), "P = 1.6M"] == pytest.approx(0.24096)
    assert not table.loc[("mnli", 4096), "over P"].excludes(1 / 3)
    sentence = five_sentences(findings)["intermediate"]
    assert "mnli reaches 0.33 (95 % CI" in sentence and "squad reaches 0.24 (95 %" in sentence
    text = render_page(findings, all_figures(findings), tmp_path / "page").read_text()
    assert "What was learnt in English" in text and '<th scope="col" class="n">P = 1.6M</th>' in text


def law_of_both_sizes(task, language, seed, tokens, examples):
    return 0.2 + 0.05 * np.log1p(tokens / 1e5) + 0.02 * np.log1p(examples / 256) + 0.001 * seed


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
