"""Labelled examples from meanings: opinions, tagged sentences, messages (inference: relations.py). Labels come from
the meaning, not from the words, so they are right by construction and the same in every language; test sets are
the same meanings said in each language. Every sentence that a test uses is remembered, and the running text
leaves it out."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from xlt_utils.microworld.meanings import Clause, Sentence, World
from xlt_utils.microworld.speech import Speaker, joined

NEGATIVE, UNDECIDED, POSITIVE = 0, 1, 2
_NOISE = re.compile(r"[\W_]+")


def normalised(text: str) -> str:
    """A text without case, space and punctuation: what counts as the same sentence."""
    return _NOISE.sub("", text.lower())


class Verdict(NamedTuple):
    """One or two sentences and what they think of something: 0 negative, 1 neither, 2 positive."""

    sentences: tuple[Sentence, ...]
    label: int
    prefix: tuple[str, ...] = ()  # tokens that are the same in every language


# Opinions


def review(world: World) -> Verdict:
    """An opinion of a film, for SST-2: positive or negative."""
    polarity = world.pick((1, -1))
    sentence = world.opinion(polarity, "film")
    return Verdict((sentence,), 1 + polarity)


def message(world: World, binary: bool = False) -> Verdict:
    """A short message on hotels, firms and cities, as in tweets: an opinion, or a plain fact for the neutral class."""
    label = world.pick((NEGATIVE, POSITIVE) if binary else (NEGATIVE, UNDECIDED, POSITIVE))
    prefix = ("@user",) if world.chance(0.3) else ()
    fact = Sentence((("", world.event(plain=True) if world.chance(0.5) else world.fact()),))
    if label == UNDECIDED:
        return Verdict((fact,), label, prefix)
    sentences = (world.opinion(label - 1, "service"),)
    if world.chance(0.3):
        sentences = (fact, *sentences) if world.chance(0.5) else (*sentences, world.opinion(label - 1, "service"))
    return Verdict(sentences, label, prefix)


# Tagging and translation


def tagged(world: World) -> Sentence:
    """A sentence for word-class tagging: statements, and every fourth time an opinion."""
    return (
        world.opinion(world.pick((1, -1)), world.pick(("film", "service"))) if world.chance(0.25) else world.statement()
    )


def named(world: World) -> Sentence:
    """A sentence with at least one name, for entity tagging."""
    while True:
        sentence = world.statement()
        if any(_has_name(clause) for _, clause in sentence.clauses):
            return sentence


def _has_name(clause: Clause) -> bool:
    phrases = [clause.subject, clause.object, *(phrase for _, phrase in clause.obliques)]
    return any(phrase and (phrase.tag or (phrase.of and phrase.of.tag)) for phrase in phrases)


def alike(english: str) -> str:
    """What sentences share that some language might say in the same words: English without articles."""
    return normalised(" ".join(word for word in english.lower().split() if word not in ("a", "an", "the", "there")))


# Sets of examples


class Drawn:
    """Examples already drawn for one task, by what they say in English; later draws are new."""

    def __init__(self, speaker: Speaker):
        self.speaker, self.keys = speaker, set()

    def fresh(self, draw, world: World, count: int, say) -> Iterator:
        """`count` new examples from `draw(world)`; `say` gives the sentences (or texts) that make an example what it
        is."""
        while count:
            example = draw(world)
            texts = (part if isinstance(part, str) else self.speaker.text(part) for part in say(example))
            key = tuple(map(normalised, texts))
            if key not in self.keys:
                self.keys.add(key)
                count -= 1
                yield example


def spoken(speaker: Speaker, verdict: Verdict) -> str:
    """A verdict as text."""
    words = [joined(speaker.say(sentence)) for sentence in verdict.sentences]
    return " ".join([*verdict.prefix, *words])
