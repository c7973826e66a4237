"""Inference pairs: the label follows from the edit, and words alone do not settle it."""

from small_world import say, words_only

from xlt_utils.microworld import relations
from xlt_utils.microworld.meanings import Clause, Phrase, Sentence, World


def test_inference_follows_the_edits():
    """Under negation, general and special change places."""
    dog = Phrase("noun", "dog", "animal", determiner="a")
    anna = Phrase("name", "Anna", "name", parts=(("Anna", "person"),), tag="PER")
    bought = Clause(anna, "buy", dog, time="today")
    general, special = relations._general(World("a"), bought), relations._special(World("a"), bought._replace(time=""))
    assert say("en", Sentence((("", general),))) in ("Anna bought a dog.", "Anna bought an animal today.")
    assert len(say("en", Sentence((("", special),))).split()) > 4


def test_words_alone_help_with_inference_and_do_not_settle_it(load):
    def sides(premises, hypotheses):
        pairs = zip(premises, hypotheses, strict=True)
        return [" ".join([f"p:{w}" for w in p.split()] + [f"h:{w}" for w in h.split()]) for p, h in pairs]

    train, test = (load("nyu-mll/multi_nli", "default", split) for split in ("train", "validation_matched"))
    score = words_only(
        sides(train["premise"], train["hypothesis"]), list(train["label"]),
        sides(test["premise"], test["hypothesis"]), list(test["label"]),
    )  # fmt: skip
    assert 0.4 < score < 0.7
