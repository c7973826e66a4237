"""Saying a meaning: each language has its word order, and says different things differently."""

from small_world import say

from xlt_utils import microworld
from xlt_utils.microworld.meanings import Clause, Phrase, World
from xlt_utils.microworld.speech import Speaker


def test_each_language_puts_subject_verb_and_object_in_its_order():
    anna, ben = (Phrase("name", n, "name", parts=((n, "brand"),), tag="PER") for n in ("Anna", "Ben"))
    clause = Clause(anna, "help", ben, tense="present")
    for code, grammar in microworld.LANGUAGES.items():
        letters = {"PROPN": iter(sorted("SO", key=grammar.order.index)), "VERB": iter("V")}
        tokens = Speaker(code).clause(clause)
        order = "".join({"Anna": "S", "Ben": "O"}.get(token.text, "V") for token in tokens if token.pos in letters)
        assert order == grammar.order


def test_a_language_says_different_things_differently():
    world, english_sentences = World("different"), {}
    speaker = Speaker("xa")
    roots = microworld.LANGUAGES["xa"].roots
    assert len(set(roots.values())) == len(roots)
    for _ in range(300):
        sentence = world.statement()
        english_sentences.setdefault(speaker.text(sentence), set()).add(say("en", sentence))
    assert max(map(len, english_sentences.values())) <= 2
