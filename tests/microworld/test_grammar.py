"""The languages: their typology and their distance from English."""

import re
from itertools import islice

from scipy.stats import spearmanr
from small_world import CODES

from xlt_utils import microworld
from xlt_utils.microworld import writing


def test_distance_orders_languages_as_measured_words_in_common_do():
    """Counted over running words, with no bilingual lines, and without names and numbers, which all share."""
    words = {}
    for code in CODES:
        text = " ".join(islice(writing.running_text(0, code, 0.0, [code], set()), 800))
        words[code] = [word for word in re.findall(r"[^\W\d_]+", text) if not word.istitle()]
    english = set(words.pop("en"))
    overlap = {code: sum(word in english for word in text) / len(text) for code, text in words.items()}
    distances = [microworld.LANGUAGES[code].distance for code in overlap]
    assert spearmanr(distances, list(overlap.values())).statistic < -0.7
    assert overlap["xa"] == max(overlap.values()) > 0.4 and overlap["xh"] < 0.02


def test_typology_lists_at_least_eight_languages_from_near_to_far():
    table = microworld.typology()
    assert list(table.columns[:3]) == ["code", "name", "order"] and len(table) >= 9
    assert table["distance"].is_monotonic_increasing and table["code"][0] == "en" and table["distance"][0] == 0
    assert {"SVO", "SOV", "VSO", "OVS"} == set(table["order"]) and len(set(table["script"])) >= 3
    assert {"fused", "chained", "separate"} == set(table["morphology"])
    for name in ("iso3", "ud_name", "umsab_name"):
        assert len({getattr(g, name) for g in microworld.LANGUAGES.values()}) == len(table)
