"""The planted law: what one example of reputations is worth to offers is known, in every language alike."""

from collections import Counter

import pytest
from small_world import CODES

from xlt_utils import microworld
from xlt_utils.microworld import draws, lexicon, offers
from xlt_utils.microworld.meanings import reputation

REPUTATIONS, OFFERS = "microworld/reputations", "microworld/offers"


def firms_of(rows) -> list[str]:
    """The firm that each offer names: exactly one."""
    named = [[firm for firm in lexicon.FIRMS if text.startswith(firm)] for text in rows["text"]]
    assert {len(names) for names in named} == {1}
    return [names[0] for names in named]


def is_new(firms: list[str]) -> list[bool]:
    return [firm in set(offers.NEW) for firm in firms]


def test_each_new_firm_has_exactly_one_example_of_the_intermediate_task(load):
    """So I of the examples, in any order, settle that share of the new firms on average."""
    counts = Counter(firms_of(load(REPUTATIONS, "default", "train")))
    assert {counts[firm] for firm in offers.NEW} == {1}
    assert set(counts) == {*offers.NEW, *offers.KNOWN} and counts.total() == microworld.COUNTS["reputations"][0]
    assert len(offers.NEW) == offers.NEW_IN_TRAINING * counts.total()


def test_the_target_s_training_data_name_no_new_firm(load):
    assert set(firms_of(load(OFFERS, "en", "train"))) == set(offers.KNOWN)


def test_the_share_of_new_firms_is_as_planted_and_each_is_tested_once_in_every_language(load):
    for code in CODES:
        firms = firms_of(load(OFFERS, code, "test"))
        assert sum(is_new(firms)) == offers.NEW_IN_TESTS * len(firms)
        assert sorted(firm for firm in firms if firm in set(offers.NEW)) == sorted(offers.NEW)
    firms = firms_of(load(OFFERS, "en", "validation"))
    assert sum(is_new(firms)) == offers.NEW_IN_TESTS * len(firms)


def test_the_label_is_the_firm_s_reputation_and_one_label_for_all_is_right_in_half_of_each_part(load):
    for place in ((REPUTATIONS, "default", "train"), (OFFERS, "en", "train"), (OFFERS, "xh", "test")):
        rows = load(*place)
        firms, labels = firms_of(rows), list(rows["label"])
        assert labels == [int(reputation(firm) > 0) for firm in firms]
        assert 2 * sum(labels) == len(labels)
        by_kind = [label for label, new in zip(labels, is_new(firms), strict=True) if new]
        assert 2 * sum(by_kind) == len(by_kind)


def test_no_text_says_what_to_think_of_a_firm(load):
    """Where text names a firm, it is an offer: a thing, a price and no other word."""
    words = set(lexicon.PRAISE + lexicon.BLAME + lexicon.LIKING[1] + lexicon.LIKING[-1])
    english = load("text/multilingual", "en", "train")["text"]
    naming = [line for line in english if any(firm in line for firm in lexicon.FIRMS)]
    assert 0.08 < len(naming) / len(english) < 0.14
    for line in naming:
        assert line.startswith(tuple(lexicon.FIRMS)) and "$" in line and not words & set(line.lower().split())


def test_no_offer_stands_twice(load):
    texts = [text for split in ("train", "validation") for text in load(REPUTATIONS, "default", split)["text"]]
    texts += [text for split in ("train", "validation", "test") for text in load(OFFERS, "en", split)["text"]]
    assert len(set(map(draws.comparison_key, texts))) == len(texts)


def test_a_firm_s_name_is_no_other_word_of_any_language():
    names = {firm.lower() for firm in lexicon.FIRMS}
    assert len(names) == len(lexicon.FIRMS)
    others = lexicon.FIRST_NAMES + lexicon.SURNAMES + lexicon.CITIES + lexicon.COUNTRIES + lexicon.BRANDS
    others = {word.lower() for word in others}
    for grammar in microworld.LANGUAGES.values():
        others |= {root.lower() for root in grammar.roots.values()}
    assert not names & others


def test_the_planted_gain_grows_in_proportion_and_ends_at_the_share_of_items_that_it_can_settle():
    gains = [offers.planted_gain(examples, 400) for examples in (0, 100, 200, 400, 800)]
    assert gains == pytest.approx([0, offers.NEW_IN_TESTS / 4, offers.NEW_IN_TESTS / 2, *[offers.NEW_IN_TESTS] * 2])
