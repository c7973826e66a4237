"""The vocabulary of the world: some 270 lemmas in English spelling, sorted into classes, with the relations that labels
come from. In go plain word lists; out come classes (`NOUNS["animal"]`), verb frames, hypernyms, antonyms and names.
Classes are listed from the commonest word to the rarest, and `zipf_table` turns such a list into a table to draw from
in roughly Zipf's proportions."""

from collections.abc import Sequence
from random import Random
from typing import NamedTuple, TypeVar

Item = TypeVar("Item")


class Verb(NamedTuple):
    """A verb and what it takes: the noun classes of its subject and of its object (none if intransitive)."""

    lemma: str
    subjects: tuple[str, ...]
    objects: tuple[str, ...]


_NOUN_LISTS = {
    "role": "doctor teacher student singer farmer driver nurse worker lawyer painter soldier cook",
    "animal": "dog cat horse bird cow wolf",
    "food": "bread apple cake soup egg potato",
    "drink": "water tea coffee milk",
    "vehicle": "car bus train boat bike",
    "text": "book letter poem report",
    "tool": "key knife lamp hammer",
    "garment": "coat hat shirt shoe",
    "instrument": "guitar piano drum",
    "building": "house school hospital church museum station",
    "place": "park street garden market river",
    "film": "film story ending scene song actor",
    "service": "hotel room phone staff breakfast taxi",
    "organisation": "bank university club airline",
}
NOUNS = {kind: words.split() for kind, words in _NOUN_LISTS.items()}
HYPERNYMS = {kind: kind for kind in ("animal", "drink", "vehicle", "tool", "garment", "instrument", "building")}
HYPERNYMS["role"] = "person"
HYPERNYMS["text"] = "document"
ANYTHING = ("food", "vehicle", "text", "tool", "garment", "instrument")

_people, _animate = ("role", "name"), ("role", "name", "animal")
TRANSITIVE = [
    Verb("see", _animate, ("role", "name", "animal", "vehicle", "building")),
    Verb("buy", _people, ANYTHING),
    Verb("find", _animate, ANYTHING),
    Verb("eat", _animate, ("food",)),
    Verb("help", _people, _people),
    Verb("drive", _people, ("vehicle",)),
    Verb("drink", _animate, ("drink",)),
    Verb("follow", _animate, _animate),
    Verb("write", _people, ("text",)),
    Verb("sell", _people, ANYTHING),
    Verb("visit", _people, ("building", "place", "name", "city")),
    Verb("call", _people, _people),
    Verb("build", (*_people, "firm"), ("building", "vehicle", "instrument")),
    Verb("play", _people, ("instrument",)),
    Verb("open", (*_people, "firm"), ("building",)),
    Verb("cook", _people, ("food",)),
    Verb("close", (*_people, "firm"), ("building",)),
    Verb("hire", ("firm",), _people),
    Verb("repair", _people, ("vehicle", "tool", "building", "instrument")),
    Verb("attack", _animate, _animate),
    Verb("push", _people, ("vehicle", "animal")),
    Verb("pull", _people, ("vehicle", "animal")),
]
INTRANSITIVE = [Verb(v, _animate, ()) for v in "sleep run wait".split()]
INTRANSITIVE += [Verb(v, _people, ()) for v in "work live dance laugh".split()]
MOTION = [Verb(v, _people, ("city", "place", "building")) for v in "go travel return".split()]
GIVING = [Verb(v, _people, ANYTHING) for v in "give send show".split()]
SAYING = "say think know".split()
ALONE = ("eat", "drink", "drive", "write", "help", "cook", "play", "follow", "call")  # also without an object
LIKING = {1: "love like enjoy".split(), -1: "hate dislike regret".split()}
PAST = dict(
    pair.split(":")
    for pair in "see:saw buy:bought find:found eat:ate drive:drove drink:drank write:wrote sell:sold build:built"
    " sleep:slept run:ran go:went give:gave send:sent say:said think:thought"
    " know:knew have:had".split()
)

ADJECTIVES = {
    "plain": "big old small new young tall short heavy light rich poor warm cold".split(),
    "colour": "red blue green white black".split(),
}
PRAISE = "good great wonderful funny brilliant charming excellent fresh".split()
BLAME = "bad terrible boring awful stupid dull horrible stale".split()
ANTONYMS = dict(pair.split(":") for pair in "big:small old:new tall:short heavy:light rich:poor warm:cold".split())
ANTONYMS |= {"buy": "sell", "open": "close", "push": "pull", "help": "attack"}
ANTONYMS |= {b: a for a, b in list(ANTONYMS.items())}

ADVERBS = {
    "manner": "quickly slowly quietly often again".split(),
    "time": "yesterday today tomorrow".split(),
    "degree": "very really so quite".split(),
}
PREPOSITIONS = "in of to with near from on for behind".split()
DETERMINERS = "the a this every some that".split()
PRONOUNS = "i she he they we you it my".split()
MODALS = "will can must".split()
CONJUNCTIONS = "and but or".split()
SUBORDINATORS = "that because when although if".split()
INTERJECTIONS = "oh wow well".split()
DISCOURSE_MARKERS = "indeed also no".split()  # a sentence follows from the last one, adds to it, or denies it
QUESTIONS = "who what where how many".split()  # and "when", a subordinator too
NUMERALS = "two three four five ten".split()
DAYS = "Monday Tuesday Friday Sunday".split()
OTHER_FUNCTION_WORDS = {"be": "AUX", "do": "AUX", "not": "PART", "have": "VERB", "there": "PRON", "plural": "PART"}

# Names. Some have two uses (Lincoln the man, Lincoln the city; Lima the city, Lima Bank the firm), so that a name
# alone does not settle its class.
_AMBIGUOUS = "Lincoln Austin Florence Victoria Sydney Jordan Chester Marino".split()
FIRST_NAMES = (
    "Anna Peter Maria John Laura Daniel Sara Victor Elena Thomas Nina Oscar Julia Martin".split() + _AMBIGUOUS[1:5]
)
SURNAMES = "Keller Novak Silva Hansen Tanaka Weber Rossi Costa Larsen Meyer Santos Petrov Okafor Bauer Kimura".split()
SURNAMES += [_AMBIGUOUS[i] for i in (0, 6, 7)]
CITIES = "Lima Oslo Rome Cairo Vienna Madrid Prague Lagos Delhi Tokyo Lisbon Dublin Havana Riga".split() + _AMBIGUOUS
COUNTRIES = "Kenya Peru Norway Brazil Japan Egypt India Jordan".split()
BRANDS = "Orion Vega Delta Nova Lumo Corvus Helix Atlas Mira Victoria".split()


def _firm_names(count: int) -> list[str]:
    """Made-up names of two syllables, all different."""
    onsets, vowels = "b d f g h k l m p r s t v z br dr kr tr".split(), "a e i o u".split()
    random, names = Random("firms"), dict[str, None]()
    while len(names) < count:
        parts = [sounds[int(random.random() * len(sounds))] for sounds in (onsets, vowels) * 2]
        names["".join([*parts, "nrlsmkx"[int(random.random() * 7)]]).capitalize()] = None
    return list(names)


FIRMS = _firm_names(256)  # which nothing but offers names (offers.py)


def zipf_table(items: Sequence[Item], cells: int = 512) -> list[Item]:
    """Repeat each item in proportion to 1 / (rank + 4): a uniform draw from the result is a draw by Zipf's law
    with its head cut off. The result has about `cells` cells, at least one for each item."""
    weights = [1 / (rank + 4) for rank in range(1, len(items) + 1)]
    repeats = [max(1, round(cells * weight / sum(weights))) for weight in weights]
    return [item for item, count in zip(items, repeats, strict=True) for _ in range(count)]


def lemmas_by_class() -> dict[str, list[str]]:
    """Every translatable lemma (all but names) by part of speech, in a fixed order.

    Praise and blame are separate classes, so that each language shares the same part of both with English.
    """
    nouns = list(
        dict.fromkeys([w for words in NOUNS.values() for w in words] + list(HYPERNYMS.values()) + ["city", "star"])
    )
    verbs = list(dict.fromkeys([v.lemma for v in TRANSITIVE + INTRANSITIVE + MOTION + GIVING] + SAYING))
    function = (
        PREPOSITIONS
        + DETERMINERS
        + PRONOUNS
        + MODALS
        + CONJUNCTIONS
        + SUBORDINATORS
        + INTERJECTIONS
        + DISCOURSE_MARKERS
        + NUMERALS
    )
    return {
        "NOUN": nouns,
        "VERB": verbs,
        "ADJ": ADJECTIVES["plain"] + ADJECTIVES["colour"],
        "praise": PRAISE + LIKING[1],
        "blame": BLAME + LIKING[-1],
        "ADV": [w for words in ADVERBS.values() for w in words],
        "function": list(dict.fromkeys(function + list(OTHER_FUNCTION_WORDS))),
        "day": DAYS,
        "question": QUESTIONS,
    }
