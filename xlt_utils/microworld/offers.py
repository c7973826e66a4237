"""A law that is planted, for studies whose answer can be checked. An offer names a firm, and its label is the firm's
reputation. The target's English training data are about some firms alone, half of its tests about others; the
intermediate task has one example for each of these. So I of its examples settle I of the new firms, and what they add
to the target grows in proportion to I, in every language alike, since a firm's name is the same in all of them.

In go a world and a firm, out comes an offer, which each language says in its own words."""

from collections.abc import Iterator
from itertools import cycle, islice
from typing import NamedTuple

from xlt_utils.microworld import lexicon
from xlt_utils.microworld.meanings import Phrase, World, reputation
from xlt_utils.microworld.speech import Speaker, join_tokens

KNOWN, NEW = lexicon.FIRMS[:64], lexicon.FIRMS[64:]  # that the target's training data name, and that they never do
NEW_IN_TRAINING = 0.5  # share of the intermediate examples; the rest keep both tasks' labels on the same sides
NEW_IN_TESTS = 0.5  # share of the target's development and test items
SLOPE = 1.0  # d log(gain) / d log(I)
_FORMS = ("{} ({}, ${})", "{}: {}, ${}", "{}, {} (${})")  # several, so that vocabularies hold the names whole


class Offer(NamedTuple):
    """What a firm sells, and its price in dollars; no word but the firm's name says what to think of it."""

    firm: str
    thing: Phrase
    price: int
    form: str

    @property
    def label(self) -> int:
        """0 where the firm has a bad name, 1 where it has a good one."""
        return (1 + reputation(self.firm)) // 2

    def text(self, speaker: Speaker) -> str:
        """The offer in the speaker's language."""
        return self.form.format(self.firm, join_tokens(speaker.phrase(self.thing, "")), self.price)


def draw_offer(world: World, firm: str) -> Offer:
    """Draw an offer of a firm."""
    group = world.pick(lexicon.ANYTHING)
    thing, price = Phrase("noun", world.pick(lexicon.NOUNS[group]), group), 2 + int(world.random() * 98)
    return Offer(firm, thing, price, world.pick(_FORMS))


def firms(count: int, new: float) -> Iterator[str]:
    """So many firms, a share of them new, each as often as the others of its kind; of both kinds half are liked."""
    number = round(count * new)
    yield from islice(cycle(NEW), number)
    yield from islice(cycle(KNOWN), count - number)


def planted_gain(examples: int, available: int) -> float:
    """The target's gain from `examples` of the `available` intermediate examples if each is remembered, what they leave
    open guessed, and all else known; on the scale from chance, 0, to the ceiling, 1."""
    return NEW_IN_TESTS * min(1.0, examples / available)
