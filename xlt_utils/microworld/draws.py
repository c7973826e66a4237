"""Draws the meanings of labelled examples: opinions, messages and sentences for tagging (inference pairs:
relations.py). Labels come from the meaning, not from the words, so they are right by construction and the same in every
language. `FreshDraws` keeps examples of a task from being drawn twice."""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, TypeVar

from xlt_utils.microworld.meanings import Clause, Sentence, World
from xlt_utils.microworld.speech import Speaker

NEGATIVE, UNDECIDED, POSITIVE = 0, 1, 2
_NOISE = re.compile(r"[\W_]+")
Example = TypeVar("Example")


def comparison_key(text: str) -> str:
    """A text without case, space and punctuation: two sentences of one key count as the same."""
    return _NOISE.sub("", text.lower())


class Opinion(NamedTuple):
    """One or two sentences and their sentiment: 0 negative, 1 neutral, 2 positive."""

    sentences: tuple[Sentence, ...]
    label: int
    prefix: tuple[str, ...] = ()  # tokens that are the same in every language


# Opinions


def draw_review(world: World) -> Opinion:
    """Draw an opinion of a film, for SST-2: positive or negative."""
    polarity = world.pick((1, -1))
    sentence = world.opinion(polarity, "film")
    return Opinion((sentence,), 1 + polarity)


def draw_message(world: World) -> Opinion:
    """Draw a short message on hotels, firms and cities, as in tweets: an opinion, or a plain fact for the neutral
    class."""
    label = world.pick((NEGATIVE, UNDECIDED, POSITIVE))
    prefix = ("@user",) if world.chance(0.3) else ()
    fact = Sentence((("", world.event(plain=True) if world.chance(0.5) else world.fact()),))
    if label == UNDECIDED:
        return Opinion((fact,), label, prefix)
    sentences: tuple[Sentence, ...] = (world.opinion(label - 1, "service"),)
    if world.chance(0.3):
        sentences = (fact, *sentences) if world.chance(0.5) else (*sentences, world.opinion(label - 1, "service"))
    return Opinion(sentences, label, prefix)


def opinion_text(speaker: Speaker, opinion: Opinion) -> str:
    """Say an opinion in the speaker's language."""
    return " ".join([*opinion.prefix, *map(speaker.text, opinion.sentences)])


# Tagging and translation


def draw_for_tagging(world: World) -> Sentence:
    """Draw a sentence for part-of-speech tagging: a statement, and every fourth time an opinion."""
    if world.chance(0.25):
        return world.opinion(world.pick((1, -1)), world.pick(("film", "service")))
    return world.statement()


def draw_with_names(world: World) -> Sentence:
    """Draw a sentence with at least one name, for entity tagging."""
    while True:
        sentence = world.statement()
        if any(_has_name(clause) for _, clause in sentence.clauses):
            return sentence


def _has_name(clause: Clause) -> bool:
    phrases = [clause.subject, clause.object, *(phrase for _, phrase in clause.obliques)]
    return any(phrase and (phrase.tag or (phrase.of and phrase.of.tag)) for phrase in phrases)


def language_neutral_key(english: str) -> str:
    """A key that sentences share if some language might say them in the same words: English without articles."""
    words = english.lower().split()
    return comparison_key(" ".join(word for word in words if word not in ("a", "an", "the", "there")))


# Sets of examples


class FreshDraws:
    """Draws examples of one task that all differ in English."""

    def __init__(self, english: Speaker):
        self._english = english
        self._keys: set[tuple[str, ...]] = set()

    def draw(
        self,
        draw_one: Callable[[World], Example],
        world: World,
        count: int,
        identify: Callable[[Example], Iterable[str | Sentence]],
    ) -> Iterator[Example]:
        """Draw examples that this object has not drawn before.

        Args:
            draw_one: draws an example from the world.
            world: where from.
            count: how many.
            identify: gives the sentences or texts by which two examples count as the same.
        """
        while count:
            example = draw_one(world)
            texts = (part if isinstance(part, str) else self._english.text(part) for part in identify(example))
            key = tuple(map(comparison_key, texts))
            if key not in self._keys:
                self._keys.add(key)
                count -= 1
                yield example
