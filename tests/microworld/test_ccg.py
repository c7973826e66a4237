"""Supertags: the grammar joins every derivation, and a word's category depends on its sentence."""

from collections import Counter

import pytest
from small_world import leaves, read_derivation

from xlt_utils.microworld import ccg
from xlt_utils.microworld.meanings import World


def check(tree) -> str:
    """The category of a tree; fails where the grammar does not join its children to it."""
    (kind, category, *rest), children = tree
    if kind == "L":
        assert rest[0] == rest[1] and rest[3] == category
        return category
    categories = [check(child) for child in children]
    assert int(rest[1]) == len(categories) and int(rest[0]) < len(categories)
    if len(categories) == 1:
        assert (categories[0], category) in {("N", "NP"), ("NP", r"S/(S\NP)")}
    else:
        assert ccg.combine(*categories)[0] == category
    return category


def test_derivations_parse_and_their_leaves_are_the_words(mirror):
    world, tagged = World("derivations"), {}
    for section, count in (("02", 4000), ("00", 300), ("23", 400)):
        lines = (mirror / f"ccgbank/data/AUTO/{section}/wsj_{section}00.auto").read_text(encoding="utf-8").splitlines()
        assert lines[::2] == [f"ID=wsj_{section}00.{i} PARSER=GOLD NUMPARSE=1" for i in range(1, count + 1)]
        for line in lines[1::2]:
            tree = read_derivation(line)
            words = leaves(tree)
            assert check(tree) == "S[dcl]" and words[-1][4] == "." and len(words) > 2
            for _, category, *_, word, _ in words:
                tagged.setdefault(word, Counter())[category] += 1
    tree = ccg.draw_derivation(world)
    assert [leaf[4] for leaf in leaves(read_derivation(ccg.to_ccgbank(tree)))] == ccg.leaf_words(tree)
    assert len(tagged["that"]) == 4 and len(tagged["in"]) == 3 and len(tagged["ate"]) == 2
    counts = [sum(tags.values()) for tags in tagged.values()]
    commonest = [max(tags.values()) for tags in tagged.values()]
    assert 0.8 < sum(commonest) / sum(counts) < 0.93


def test_what_no_rule_joins_is_an_error():
    with pytest.raises(ValueError, match=r"no rule joins NP\[nb\]/N \(\['the'\]\) and NP/N \(\['a'\]\)"):
        ccg.join(ccg.leaf("NP[nb]/N", "DT", "the"), ccg.leaf("NP/N", "DT", "a"))
