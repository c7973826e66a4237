import re

import numpy as np
import pandas as pd
import pytest
from simulated_grid import grid

from xlt_utils.analysis import bootstrap, laws, transfer_scores


def score(p, i):
    return 0.2 + 0.1 * np.log1p(p / 1000) + 0.02 * np.log1p(i / 256)


@pytest.fixture(scope="module")
def fitted() -> list[laws.Law]:
    rows = grid(score, noise=1e-4, n=0)
    both = pd.concat([rows, rows.assign(task="udpos")])
    return laws.fit_laws(bootstrap.build_grid_samples(both), ["mnli"], (2.0, {"mnli": 100.0}))


def test_every_target_has_a_law_the_mean_first(fitted):
    assert [law.target for law in fitted] == [transfer_scores.TRAINED, "sst", "udpos"]
    assert all(law.surface.form == "log-linear" for law in fitted)


def test_the_table_of_rates_has_the_known_ones(fitted):
    table = laws.exchange_table(fitted)
    corner = table[table["place"] == "largest rungs"]
    rate = (0.02 / (256 + 16384)) / (0.1 / 17000)
    assert np.allclose(corner["tokens"], rate, rtol=0.05) and (corner["low"] < rate).all()
    assert np.allclose(corner["flops"], corner["tokens"] * 2 / 100) and (corner["why"] == "").all()
    rows = laws.exchange_rows(fitted)
    assert rows["defined"] == len(rows["rows"]) == 6
    assert re.match(r"[\d.]+ \(95 % CI [\d.]+ to [\d.]+, n = 3 seeds\)$", rows["rows"][0]["tokens"])


def test_a_note_that_holds_of_all_fits_stands_once(fitted):
    notes = laws.fit_notes(fitted)
    assert [note.split(":")[0] for note in notes if "P = 0 is a rung" in note] == ["all 3 fits"]
    table = laws.fit_table(fitted)
    assert (table["held out: log-linear"] < table["held out: constant"]).all()


def test_a_rate_that_is_not_defined_says_why():
    flat = grid(lambda p, i: 0.2 + 0.1 * np.log1p(p / 1000), noise=0.01)
    (law,) = laws.fit_laws(bootstrap.build_grid_samples(flat), ["mnli"], (np.nan, {}))
    assert law.rate_sentence.startswith("not defined: ") and laws.exchange_rows([law])["defined"] == 0
    assert laws.fit_laws(bootstrap.build_grid_samples(grid(score, examples=(0,))), ["mnli"], (np.nan, {})) == []
