"""Reading and asking: passages of several events with the same people, deeds and things in ever other combinations,
and questions on them. Out come questions whose answer is one part of one sentence, found only where everything that
the question says fits that sentence, and questions that nothing in the passage answers although all their words are
there. The same facts give pairs of questions that ask for the same or not (for QQP)."""

from functools import cached_property
from typing import NamedTuple

from xlt_utils.microworld import lexicon
from xlt_utils.microworld.meanings import Clause, Phrase, Sentence, World
from xlt_utils.microworld.speech import Speaker

PEOPLE = ("name", "role", "animal")
TRIES = 12  # for a question, before a passage is given up
SLOTS = ("subject", "verb", "object", "goal", "place", "time")


class Fact(NamedTuple):
    """An event by its slots; None where nothing is said (of a question: known)."""

    subject: Phrase | None = None
    verb: str | None = None
    object: Phrase | None = None
    goal: Phrase | None = None  # to whom, where to
    place: Phrase | None = None
    time: Phrase | None = None
    negated: bool = False

    def obliques(self) -> list[tuple[str, str, Phrase]]:
        """What has a preposition: (slot, preposition, phrase)."""
        time = self.time and ("in" if self.time.group == "year" else "on")
        found = (("goal", "to", self.goal), ("place", "in", self.place), ("time", time, self.time))
        return [row for row in found if row[2] and row[2].group != "adverb"]

    def clause(self) -> Clause:
        """The fact as a clause."""
        return Clause(
            self.subject,
            self.verb,
            self.object,
            obliques=tuple((preposition, phrase) for _, preposition, phrase in self.obliques()),
            time=self.time.head if self.time and self.time.group == "adverb" else "",
            negated=self.negated,
        )

    def part(self, slot: str) -> str:
        """The name that the clause's part for a slot has."""
        names = [name for name, _, _ in self.obliques()]
        if slot in names:
            return f"oblique {names.index(slot)}"
        return {"number": "object"}.get(slot, slot)


class Question(NamedTuple):
    """What is known and which slot is asked for, `number` being that of the object. `fact` is the number of the
    passage's fact that answers it, None where none does; in `known` the asked slot holds the answer, or what one
    might take for it."""

    known: Fact
    asked: str
    fact: int | None = None

    def clause(self) -> Clause:
        """The question as a clause, the asked slot a question word."""
        return asking(self.known.clause(), self.known.part(self.asked), self.asked == "number")

    def sentence(self) -> Sentence:
        return Sentence((("", self.clause()),), mark="?")

    def fits(self, fact: Fact) -> bool:
        """Whether a fact answers: it says all that is known, and something for the slot asked for."""
        if fact.negated != self.known.negated:
            return False
        for slot in SLOTS:
            known, said = getattr(self.known, slot), getattr(fact, slot)
            if slot == self.asked:
                if said is None:
                    return False
            elif slot == "object" and self.asked == "number":
                if said is None or not said.number or said.head != known.head:
                    return False
            elif known is not None and known != said:
                return False
        return True


class Passage(NamedTuple):
    """Facts in the order in which they are told, and questions on them."""

    facts: tuple[Fact, ...]
    questions: tuple[Question, ...]

    def sentences(self) -> list[Sentence]:
        return [Sentence((("", fact.clause()),)) for fact in self.facts]


def asking(clause: Clause, part: str, number: bool = False) -> Clause:
    """A clause as a question for one of its parts, or for the number of it."""
    clause = clause._replace(asked=part)
    if number:
        return clause._replace(object=clause.object._replace(number="how many"))
    if part == "time":
        return clause._replace(time="when")
    if part in ("subject", "object"):
        return clause._replace(**{part: _pronoun(getattr(clause, part))})
    at = int(part.removeprefix("oblique "))
    preposition, phrase = clause.obliques[at]
    if phrase.group in PEOPLE:
        word = preposition, _pronoun(phrase)
    else:
        word = "", Phrase("adverb", "when" if phrase.group in ("day", "year") else "where")
    return clause._replace(obliques=(*clause.obliques[:at], word, *clause.obliques[at + 1 :]))


def _pronoun(phrase: Phrase) -> Phrase:
    return Phrase("pronoun", "who" if phrase.group in PEOPLE else "what")


# Drawing


def _takers() -> dict[str, list[str]]:
    """Verbs by the class of thing that they take."""
    found: dict[str, list[str]] = {}
    for verb in lexicon.TRANSITIVE:
        for group in verb.objects:
            if "name" in verb.subjects and group not in ("city", "drink"):
                found.setdefault(group, []).append(verb.lemma)
    return found


TAKERS = _takers()
_GROUPS = sorted(group for group, verbs in TAKERS.items() if len(verbs) > 1)
_VERBS = {
    "giving": [verb.lemma for verb in lexicon.GIVING],
    "going": [verb.lemma for verb in lexicon.MOTION],
    "resting": [verb.lemma for verb in lexicon.INTRANSITIVE],
    "trading": ["buy", "sell"],
}


def _heads(phrase: Phrase) -> set[str]:
    return {text for text, _ in phrase.parts} or {phrase.head}


def _time(world: World) -> Phrase:
    draw = world.random()
    if draw < 0.25:
        return Phrase("adverb", world.pick(("yesterday", "today")), "adverb")
    if draw < 0.6:
        day = world.pick(lexicon.DAYS)
        return Phrase("name", day, "day", parts=((day, "day"),))
    year = str(1950 + int(world.random() * 76))
    return Phrase("noun", year, "year", number=year)


class Scene:
    """The people, deeds, things, places and times that a passage puts together, drawn when they are needed. `kind` is
    taking, giving, going, resting or trading."""

    def __init__(self, world: World, kind: str = ""):
        self.world, self._seen = world, set()
        self.kind = kind or world.pick(("taking", "taking", "taking", "giving", "going", "resting"))
        self.group = world.pick(_GROUPS if self.kind == "taking" else lexicon.ANYTHING)
        verbs = TAKERS[self.group] if self.kind == "taking" else _VERBS[self.kind]
        self.verbs = self._different(lambda: world.pick(verbs), 2)
        self.people = self._different(self._person, 3)

    @cached_property
    def places(self) -> list[Phrase]:
        return self._different(self.world.city, 3)

    @cached_property
    def times(self) -> list[Phrase]:
        return self._different(lambda: _time(self.world), 3)

    @cached_property
    def things(self) -> list[Phrase | None]:
        return [None] if self.kind in ("going", "resting") else self._different(self._thing, 3)

    @cached_property
    def goals(self) -> list[Phrase | None]:
        if self.kind == "giving":
            return [*self._different(self._person, 1), *self.people]
        return self._different(self._goal, 3) if self.kind == "going" else [None]

    def _different(self, draw, count: int) -> list:
        """Draws none of whose words the scene holds already."""
        found = []
        while len(found) < count:
            item = draw()
            words = {item} if isinstance(item, str) else _heads(item)
            if not self._seen & words:
                self._seen |= words
                found.append(item)
        return found

    def _person(self) -> Phrase:
        return _single(self.world.thing("role", plain=True)) if self.world.chance(0.2) else self.world.person()

    def _goal(self) -> Phrase:
        return _single(self.world.someone(("city", "place", "building"), plain=True))

    def _thing(self) -> Phrase:
        world = self.world
        phrase = world.someone((self.group,), plain=True)
        if phrase.kind == "name" or self.group in ("name", "role", "building", "place"):
            return _single(phrase)
        if world.chance(0.4):
            return phrase._replace(plural=True, determiner="", number=world.number())
        return phrase._replace(plural=False, number="", determiner=world.pick(("the", "a", "the")))

    def fact(self) -> Fact:
        """Any of the people does any of the deeds."""
        world = self.world
        draw = world.random()
        subject, verb, thing, goal = (world.pick(items) for items in (self.people, self.verbs, self.things, self.goals))
        while goal == subject or thing == subject:
            goal, thing = world.pick(self.goals), world.pick(self.things)
        return Fact(
            subject,
            verb,
            thing,
            goal,
            world.pick(self.places) if self.kind != "going" and (draw < 0.45 or self.kind == "resting") else None,
            world.pick(self.times) if 0.35 < draw < 0.9 else None,
            world.chance(0.08),
        )


def _single(phrase: Phrase) -> Phrase:
    return phrase if phrase.kind == "name" else phrase._replace(plural=False, number="", determiner="the")


def passage(world: World, facts: int, questions: int, unanswerable: float = 0.0, vague: float = 0.3) -> Passage:
    """A passage of so many facts with so many questions, of which the share `unanswerable` has no answer; each
    detail that a question can do without is left out with the probability `vague`."""
    while True:
        scene, told, asked = Scene(world), [], []
        while len(told) < facts:
            fact = scene.fact()
            if fact not in told:
                told.append(fact)
        for _ in range(questions):
            draw = _unanswered if world.chance(unanswerable) else _answered
            for _ in range(TRIES):
                question = draw(world, told, vague)
                if question and all(question[:2] != other[:2] for other in asked):
                    asked.append(question)
                    break
        if len(asked) == questions:
            return Passage(tuple(told), tuple(asked))


def _answered(world: World, told: list[Fact], vague: float) -> Question | None:
    """A question that one fact answers and no other."""
    at = int(world.random() * len(told))
    fact = told[at]
    slots = [slot for slot in SLOTS if getattr(fact, slot) is not None and slot != "verb"]
    if fact.object and fact.object.number:
        slots.append("number")
    asked = world.pick(slots)
    question = Question(fact, asked, at)
    if sum(question.fits(other) for other in told) > 1:
        return None
    for slot in ("place", "time", "goal"):
        if slot in slots and slot != asked and world.chance(vague):
            shorter = question._replace(known=question.known._replace(**{slot: None}))
            if sum(shorter.fits(other) for other in told) == 1:
                question = shorter
    return question


def _unanswered(world: World, told: list[Fact], vague: float) -> Question | None:
    """A question made of the passage's words that no fact answers: one thing in it is another than was said, or it
    asks for what was left unsaid."""
    if world.chance(0.3):
        fact = world.pick(told)
        slot = world.pick(("place", "time"))
        others = [getattr(other, slot) for other in told if getattr(other, slot)]
        if getattr(fact, slot) or not others or (fact.goal and slot == "place"):
            return None
        question = Question(fact._replace(**{slot: world.pick(others)}), slot)
    else:
        question = _answered(world, told, vague)
        if not question:
            return None
        slot = world.pick([slot for slot in SLOTS if getattr(question.known, slot) and slot != question.asked])
        others = {getattr(fact, slot) for fact in told} - {None, getattr(question.known, slot)}
        if (question.asked == "number" and slot == "object") or not others:
            return None
        other = world.pick(sorted(others, key=str))
        changed = question.known._replace(**{slot: other})
        if changed.subject in (changed.object, changed.goal):
            return None
        question = Question(changed, question.asked)
    return None if any(question.fits(fact) for fact in told) else question


# Saying


class Asked(NamedTuple):
    """A question on a passage in a language; `start` counts characters of the context, `answer` is "" and `start`
    -1 where there is no answer."""

    sentences: tuple[str, ...]
    question: str
    answer: str
    start: int

    @property
    def context(self) -> str:
        return " ".join(self.sentences)


def told(speaker: Speaker, passage: Passage) -> list[Asked]:
    """A passage's questions as text."""
    clauses = [fact.clause() for fact in passage.facts]
    sentences = tuple(speaker.text(sentence) for sentence in passage.sentences())
    found = []
    for question in passage.questions:
        said = speaker.text(question.sentence())
        if question.fact is None:
            found.append(Asked(sentences, said, "", -1))
            continue
        part = passage.facts[question.fact].part(question.asked)
        first, last = speaker.spot(clauses[question.fact], part, question.asked == "number")
        before = sum(len(sentence) + 1 for sentence in sentences[: question.fact])
        found.append(Asked(sentences, said, sentences[question.fact][first:last], before + first))
    return found
