"""Meanings before any language says them: phrases, clauses and sentences as trees of lemmas, drawn at random from the
lexicon. A `World` draws them from one seeded stream of numbers, so the same seed gives the same meanings, and whatever
is later said in nine languages, or labelled, starts from the same tree. Brands, cities and surnames have a reputation,
the same in every language, with which opinions and star ratings correlate: shared names and symbols carry some of the
meaning and never all of it."""

from collections.abc import Sequence
from random import Random
from typing import Any, NamedTuple

from xlt_utils.microworld import lexicon
from xlt_utils.microworld.lexicon import Item, zipf_table


class Phrase(NamedTuple):
    """A participant. `kind` is noun, name or pronoun; `head` a lemma (of a name: the first part); names have
    `parts` and a `tag`."""

    kind: str
    head: str
    group: str = ""  # the lexicon's class, for relations such as hypernymy
    plural: bool = False
    determiner: str = ""
    number: str = ""  # a numeral, in words or digits
    adjectives: tuple[str, ...] = ()
    parts: tuple[tuple[str, str], ...] = ()  # of a name: (text, kind); kind: person, place, brand, day, noun or of
    tag: str = ""  # of a name: PER, ORG or LOC
    of: "Phrase | None" = None
    companion: "Phrase | None" = None  # joined by "and"


class Clause(NamedTuple):
    """One thing that happens or holds. `verb` is "be" where the subject is `quality` (an adjective), is at a place, or
    is another phrase."""

    subject: Phrase
    verb: str
    object: Phrase | None = None
    quality: str = ""
    degree: str = ""
    obliques: tuple[tuple[str, Phrase], ...] = ()
    manner: str = ""
    time: str = ""
    tense: str = "past"  # past or present
    modal: str = ""
    negated: bool = False
    existential: bool = False  # there is, there are
    asked_part: str = ""  # of a question: the part asked for, `subject`, `object`, `oblique 0` ... or `time`


class Sentence(NamedTuple):
    """Clauses, each after its connective (the first one's is "" or a subordinator), with an interjection before and
    symbols after."""

    clauses: tuple[tuple[str, Clause], ...]
    opener: str = ""
    mark: str = "."
    symbols: tuple[str, ...] = ()


def reputation(name: str) -> int:
    """What people think of a name, +1 or -1: the same in every language and for every seed."""
    return 1 if name in _LIKED else -1


_LIKED = frozenset(lexicon.SURNAMES[::2] + lexicon.CITIES[1::2] + lexicon.BRANDS[::2] + lexicon.FIRMS[::2])

_ZIPF = {kind: zipf_table(words) for kind, words in lexicon.NOUNS.items()}
_FIRST, _SURNAMES, _CITIES, _COUNTRIES, _BRANDS = (
    zipf_table(names)
    for names in (lexicon.FIRST_NAMES, lexicon.SURNAMES, lexicon.CITIES, lexicon.COUNTRIES, lexicon.BRANDS)
)
_TRANSITIVE, _INTRANSITIVE, _MOTION, _GIVING = (
    zipf_table(verbs) for verbs in (lexicon.TRANSITIVE, lexicon.INTRANSITIVE, lexicon.MOTION, lexicon.GIVING)
)
_ADJECTIVES = zipf_table(lexicon.ADJECTIVES["plain"] + lexicon.ADJECTIVES["colour"])
_OPINION = {1: zipf_table(lexicon.PRAISE), -1: zipf_table(lexicon.BLAME)}
_FACES = {1: (":)", "★ ★ ★ ★ ★", "★ ★ ★ ★", "9/10", "♥"), -1: (":(", "★", "★ ★", "2/10", "✗")}
PLACE_GROUPS = ("building", "place")


class World:
    """Draws meanings from one stream of random numbers."""

    def __init__(self, seed: str):
        self.random = Random(seed).random

    def pick(self, items: Sequence[Item]) -> Item:
        """Draw one item, all equally likely."""
        return items[int(self.random() * len(items))]

    def chance(self, probability: float) -> bool:
        return self.random() < probability

    # Participants

    def person(self) -> Phrase:
        first = self.pick(_FIRST) if self.chance(0.7) else ""
        last = self.pick(_SURNAMES) if not first or self.chance(0.5) else ""
        parts = tuple((part, "person") for part in (first, last) if part)
        return Phrase("name", parts[0][0], "name", parts=parts, tag="PER")

    def city(self) -> Phrase:
        table = _CITIES if self.chance(0.75) else _COUNTRIES
        name = self.pick(table)
        return Phrase("name", name, "city", parts=((name, "place"),), tag="LOC")

    def firm(self) -> Phrase:
        brand, noun = (self.pick(_BRANDS), "brand"), (self.pick(_ZIPF["organisation"]), "noun")
        draw = self.random()
        parts: tuple[tuple[str, str], ...]
        if draw < 0.35:
            parts = (brand,)
        elif draw < 0.6:
            parts = (brand, noun)
        elif draw < 0.8:
            parts = ((self.pick(_CITIES), "place"), noun)
        else:
            parts = (noun, ("of", "of"), (self.pick(_COUNTRIES), "place"))
        return Phrase("name", parts[0][0], "firm", parts=parts, tag="ORG")

    def thing(self, group: str, plain: bool = False) -> Phrase:
        """A noun phrase: the dog, three red cars, a teacher of the king ..."""
        head, draw = self.pick(_ZIPF[group]), self.random()
        plural, number, determiner = False, "", "the" if draw < 0.35 else "a"
        if draw > 0.8 and group != "drink":
            plural = True
            determiner = self.pick(("the", "", "some"))
            if draw > 0.87:
                determiner, number = "", self.number()
        elif draw > 0.74:
            determiner = self.pick(("this", "every", "my", "that"))
        if group == "drink" and determiner == "a":
            determiner = "some"
        adjectives = (self.pick(_ADJECTIVES),) if not plain and self.chance(0.25) else ()
        owner = None
        if not plain and self.chance(0.05):
            owner = self.city() if group in ("role", *PLACE_GROUPS) else self.person()
        return Phrase("noun", head, group, plural, determiner, number, adjectives, of=owner)

    def number(self) -> str:
        return self.pick(lexicon.NUMERALS) if self.chance(0.5) else str(2 + int(self.random() ** 3 * 98))

    def someone(self, groups: tuple[str, ...], plain: bool = False, pronouns: bool = False) -> Phrase:
        if pronouns and self.chance(0.14):
            pronoun = self.pick(lexicon.PRONOUNS[:6])
            return Phrase("pronoun", pronoun, "name", plural=pronoun in ("they", "we", "you"))
        group = self.pick(groups)
        if group == "name":
            person = self.person()
            return person._replace(companion=self.person()) if not plain and self.chance(0.08) else person
        if group == "city":
            return self.city()
        return self.firm() if group == "firm" else self.thing(group, plain)

    # Circumstances

    def where(self) -> tuple[str, Phrase]:
        if self.chance(0.5):
            return "in", self.city()
        return self.pick(("in", "near", "behind")), self.thing(self.pick(PLACE_GROUPS), plain=True)

    def when(self) -> dict[str, Any]:
        """Draw an adverb of time, a day or a year, as the fields of a clause."""
        draw = self.random()
        if draw < 0.45:
            time = self.pick(lexicon.ADVERBS["time"])
            return {"time": time, "tense": "past", "modal": "will" if time == "tomorrow" else ""}
        if draw < 0.75:
            day = self.pick(lexicon.DAYS)
            return {"obliques": (("on", Phrase("name", day, "day", parts=((day, "day"),))),)}
        year = str(1950 + int(self.random() * 76))
        return {"obliques": (("in", Phrase("noun", year, "year", number=year)),)}

    # Events and facts

    def event(self, plain: bool = False) -> Clause:
        """Somebody does something; `plain`: without modals, pronouns and phrases within phrases."""
        draw = self.random()
        if draw < 0.6:
            verb = self.pick(_TRANSITIVE)
            clause = Clause(
                self.someone(verb.subjects, plain, not plain), verb.lemma, self.someone(verb.objects, plain)
            )
        elif draw < 0.75:
            verb = self.pick(_INTRANSITIVE)
            clause = Clause(self.someone(verb.subjects, plain, not plain), verb.lemma, obliques=(self.where(),))
        elif draw < 0.87:
            verb = self.pick(_MOTION)
            clause = Clause(
                self.someone(verb.subjects, plain, not plain),
                verb.lemma,
                obliques=(("to", self.someone(verb.objects, plain)),),
            )
        else:
            verb = self.pick(_GIVING)
            clause = Clause(
                self.someone(verb.subjects, plain, not plain),
                verb.lemma,
                self.someone(verb.objects, plain),
                obliques=(("to", self.someone(("name", "role"), plain)),),
            )
        changes: dict[str, Any] = {}
        if self.chance(0.3):
            changes |= self.when()
            changes["obliques"] = clause.obliques + changes.get("obliques", ())
        elif self.chance(0.25) and not clause.obliques:
            changes["obliques"] = (self.where(),)
        if self.chance(0.15):
            changes["manner"] = self.pick(lexicon.ADVERBS["manner"])
        if not changes.get("time"):
            changes["tense"] = "past" if self.chance(0.7) else "present"
            if not plain and self.chance(0.1):
                changes["modal"] = self.pick(lexicon.MODALS)
        changes["negated"] = self.chance(0.12)
        return clause._replace(**changes)

    def fact(self) -> Clause:
        """Somebody is something, something is somewhere, or there are so many of something."""
        draw = self.random()
        if draw < 0.35:
            subject = self.person()
            role = Phrase("noun", self.pick(_ZIPF["role"]), "role", determiner="a")
            if self.chance(0.3):
                role = role._replace(determiner="the", of=self.city() if self.chance(0.6) else self.firm())
            return Clause(subject, "be", role, tense=self.pick(("past", "present")))
        if draw < 0.6:
            group = self.pick(("role", "animal", "vehicle", "garment", *PLACE_GROUPS))
            subject = self.thing(group)._replace(adjectives=())
            quality = self.pick(_ADJECTIVES)
            degree = self.pick(lexicon.ADVERBS["degree"]) if self.chance(0.2) else ""
            tense, negated = self.pick(("past", "present")), self.chance(0.15)
            return Clause(subject, "be", quality=quality, degree=degree, tense=tense, negated=negated)
        if draw < 0.8:
            things = self.thing(self.pick(("role", "animal", "vehicle", *PLACE_GROUPS)), plain=True)
            things = things._replace(plural=True, determiner="", number=self.number())
            where, tense = self.where(), self.pick(("past", "present"))
            return Clause(things, "be", obliques=(where,), tense=tense, existential=True)
        if draw < 0.9:
            amount = str(int(self.random() ** 2 * 90 + 2) * self.pick((1, 1, 10, 100)))
            people = Phrase("noun", "worker" if self.chance(0.5) else "student", "role", True, number=amount)
            return Clause(self.firm(), "have", people, tense=self.pick(("past", "present")))
        return Clause(
            self.someone(("firm", "name")), "be", obliques=(self.where(),), tense=self.pick(("past", "present"))
        )

    def statement(self) -> Sentence:
        """A sentence that is no opinion: one clause, or two joined."""
        first = self.event() if self.chance(0.68) else self.fact()
        draw = self.random()
        opener = self.pick(lexicon.INTERJECTIONS) if self.chance(0.06) else ""
        if draw < 0.74:
            return Sentence(
                (("", first),), opener, "!" if self.chance(0.05) else ".", self.price() if self.chance(0.05) else ()
            )
        second = self.event()
        if draw < 0.84:
            return Sentence((("", first), (self.pick(lexicon.CONJUNCTIONS), second)), opener)
        if draw < 0.92:
            return Sentence((("", first), (self.pick(("because", "when", "if")), second)), opener)
        saying = Clause(
            self.someone(("name", "role"), pronouns=True),
            self.pick(lexicon.SAYING),
            tense=self.pick(("past", "present")),
        )
        return Sentence((("", saying), ("that", first)), opener)

    def price(self) -> tuple[str, ...]:
        amount = str(int(self.random() * 98 + 2))
        return self.pick((("(", "$", amount, ")"), ("(", amount, "%", ")"), ("#", amount)))

    # Opinions

    def opinion(self, polarity: int, topic: str, rated: float = 0.4) -> Sentence:
        """A judgement that words alone do not settle: "not bad" is praise, "although the music is bad, the story is
        great" is praise, and names and ratings agree with the polarity most of the time only.

        Args:
            polarity: +1 or -1.
            topic: "film" or "service".
            rated: the share of opinions with a rating.
        """
        clause = self._judgement(polarity, topic)
        clauses: tuple[tuple[str, Clause], ...] = (("", clause),)
        draw = self.random()
        if draw < 0.25:
            concession = self._judgement(-polarity, topic, negatable=False)
            if self.chance(0.6):
                clauses = (("although", concession), ("", clause))
            else:
                clauses = (("", concession), ("but", clause))
        elif draw < 0.65:
            clauses = (("", clause), ("and", self._judgement(polarity, topic)))
        symbols: tuple[str, ...] = ()
        if self.chance(rated):
            lean = polarity if self.chance(0.9) else -polarity
            symbols = tuple(self.pick(_FACES[lean]).split())
        opener = self.pick(lexicon.INTERJECTIONS) if self.chance(0.1) else ""
        return Sentence(clauses, opener, "!" if self.chance(0.2) else ".", symbols)

    def _judgement(self, polarity: int, topic: str, negatable: bool = True) -> Clause:
        negated = negatable and self.chance(0.22)
        wording = -polarity if negated else polarity
        subject = Phrase("noun", self.pick(_ZIPF[topic]), topic, determiner=self.pick(("the", "the", "this")))
        if self.chance(0.45):
            lean = polarity if self.chance(0.8) else -polarity
            subject = subject._replace(of=self._name_of_repute(lean, topic))
        tense = "present" if self.chance(0.5) else "past"
        if self.chance(0.25):
            people = self.someone(("name", "role"), plain=True, pronouns=True)
            return Clause(people, self.pick(lexicon.LIKING[wording]), subject, tense=tense, negated=negated)
        degree = self.pick(lexicon.ADVERBS["degree"]) if self.chance(0.3) else ""
        return Clause(subject, "be", quality=self.pick(_OPINION[wording]), degree=degree, tense=tense, negated=negated)

    def _name_of_repute(self, lean: int, topic: str) -> Phrase:
        """A name with the reputation `lean`: a person for films, a firm or a city for services."""
        while True:
            if topic == "film":
                name, kind, tag, group = self.pick(_SURNAMES), "person", "PER", "name"
            elif self.chance(0.5):
                name, kind, tag, group = self.pick(_BRANDS), "brand", "ORG", "firm"
            else:
                name, kind, tag, group = self.pick(_CITIES), "place", "LOC", "city"
            if reputation(name) == lean:
                return Phrase("name", name, group, parts=((name, kind),), tag=tag)
