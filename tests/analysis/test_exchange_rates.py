import re

import numpy as np
import pandas as pd
import pytest
import simulated
from simulated_grid import grid

from xlt_utils.analysis import exchange_rates, gain_tests, transfer_scores
from xlt_utils.analysis.gain_tests import correct_gains, survivors_sentence
from xlt_utils.records.record import read_record
from xlt_utils.reporting import sentences
from xlt_utils.reporting.findings import gather_findings
from xlt_utils.reporting.page import render_page

LOG = lambda p, i: 0.2 + 0.1 * np.log1p(p / 1000) + 0.02 * np.log1p(i / 256)  # noqa: E731


@pytest.fixture(scope="module")
def found() -> list[exchange_rates.Law]:
    rows = grid(LOG, noise=1e-4, n=0)
    both = pd.concat([rows, rows.assign(task="udpos")])
    return exchange_rates.fit_laws(both, ["mnli"], (2.0, {"mnli": 100.0}))


def test_every_target_has_a_law_the_mean_first(found):
    assert [law.target for law in found] == [transfer_scores.TRAINED, "sst", "udpos"]
    assert all(law.surface.form == "log-linear" for law in found)


def test_the_table_of_rates_has_the_known_ones(found):
    table = exchange_rates.exchange_table(found)
    last = table[table["place"] == "largest rungs"]
    wanted = (0.02 / (256 + 16384)) / (0.1 / 17000)
    assert np.allclose(last["tokens"], wanted, rtol=0.05) and (last["low"] < wanted).all()
    assert np.allclose(last["flops"], last["tokens"] * 2 / 100) and (last["why"] == "").all()
    rows = exchange_rates.exchange_rows(found)
    assert rows["defined"] == len(rows["rows"]) == 6
    assert re.match(r"[\d.]+ \(95 % interval [\d.]+ to [\d.]+, n = 3 seeds\)$", rows["rows"][0]["tokens"])


def test_what_holds_of_all_fits_is_said_once(found):
    notes = exchange_rates.fit_notes(found)
    assert sum("P = 0 is a rung" in note for note in notes) == 1
    assert any(note.startswith("all 3 fits: P = 0") for note in notes)
    table = exchange_rates.fit_table(found)
    assert (table["held out: log-linear"] < table["held out: constant"]).all()


def test_a_rate_that_is_not_there_says_why():
    flat = grid(lambda p, i: 0.2 + 0.1 * np.log1p(p / 1000), noise=0.01)
    (law,) = exchange_rates.fit_laws(flat, ["mnli"], (np.nan, {}))
    assert law.said.startswith("not defined: ") and exchange_rates.exchange_rows([law])["defined"] == 0
    assert exchange_rates.fit_laws(grid(LOG, examples=(0,)), ["mnli"], (np.nan, {})) == []


def test_the_cost_of_an_example_is_that_of_all_its_epochs(tmp_path):
    arms = {"mnli": {"tasks": ["mnli"], "epochs": 3}}
    done = [read_record(folder) for folder in simulated.study(tmp_path / "s", arms=arms, notebooks=False)]
    token, example = exchange_rates.flops_by_arm(done)
    # a simulated run costs 1e9 FLOPs, 1,000 tokens, 10 examples seen
    assert token == 1e6 and example == {"mnli": 3e8}
    assert np.isnan(exchange_rates.flops_by_arm([])[0])


def test_holm_s_correction_is_the_textbook_one():
    # p values .01, .02, .03, .04 of one seed pair each give .04, .06, .06, .06
    p = pd.Series([0.03, 0.01, np.nan, 0.04, 0.02])
    assert gain_tests._holm(p).round(6).tolist()[:2] == [0.06, 0.04] and np.isnan(gain_tests._holm(p)[2])
    assert gain_tests._holm(p).round(6).tolist()[3:] == [0.06, 0.06]


def test_the_p_value_is_that_of_the_paired_test():
    rows = []
    for seed, gain in enumerate((0.05, 0.08, 0.11)):
        rows += [(seed, 0, "", 0, "sst", "trained", 0.3), (seed, 0, "mnli", 256, "sst", "trained", 0.3 + gain)]
    runs = pd.DataFrame(rows, columns=[*transfer_scores.PLACE, "target", "group", "zero_shot"])
    table = correct_gains(transfer_scores.gain_table(transfer_scores.gains(runs)))
    # t = 0.08 / (0.03 / sqrt 3) = 4.6188 at two degrees of freedom
    assert table["p"].iloc[0] == pytest.approx(0.04381, abs=1e-4) and table["holm"].iloc[0] == table["p"].iloc[0]
    assert "Of 1 gains" in survivors_sentence(table)
    single = correct_gains(transfer_scores.gain_table(transfer_scores.gains(runs[runs["seed"] == 0])))
    assert single["p"].isna().all() and "none is tested" in survivors_sentence(single)


def test_the_report_says_the_rate_of_the_arm_of_most_tasks(tmp_path):
    arms = {"all": {"tasks": ["mnli", "qqp"]}, "mnli": {"tasks": ["mnli"]}}
    truth = lambda task, language, seed, p, i: 0.2 + 0.05 * np.log1p(p / 1e5) + 0.02 * np.log1p(i / 256) + 0.001 * seed  # noqa: E731
    folder = tmp_path / "s"
    simulated.study(folder, seeds=(0, 1, 2), tokens=(0, 10**5, 10**6), arms=arms, truth=truth, notebooks=False)
    found = gather_findings(folder)
    assert (found.law.arm, found.law.target) == ("all", transfer_scores.TRAINED)
    said = sentences.exchange_sentence(found)
    assert (
        "one more intermediate example buys (all; " in said
        and "6 of 6 pairs of a target and an arm have a rate" in said
    ), said
    page = render_page(found, [], tmp_path / "page").read_text()
    assert said[1:].split(";")[0] in page
    rates = pd.read_csv(tmp_path / "page" / "exchange.csv")
    centre = rates[
        (rates["target"] == transfer_scores.TRAINED) & (rates["place"] == "centre") & (rates["arm"] == "all")
    ]
    p, i = centre["P"].iloc[0], centre["I"].iloc[0]
    wanted = (0.02 / (256 + i)) / (0.05 / (1e5 + p))
    assert centre["low"].iloc[0] <= wanted <= centre["high"].iloc[0]
