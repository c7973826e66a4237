"""Reading comprehension: passages of several events that combine the same people, deeds and things in different ways,
and questions on them. A question is answered by one part of one sentence, which only a reader finds who compares
everything that the question says; or by nothing in the passage, although the passage has all its words. The same facts
give pairs of questions that ask for the same or not (paraphrases.py)."""

from collections.abc import Callable
from functools import cached_property
from typing import Any, NamedTuple

from xlt_utils.microworld import lexicon
from xlt_utils.microworld.meanings import Clause, Phrase, Sentence, World
from xlt_utils.microworld.speech import Speaker

PEOPLE = ("name", "role", "animal")
TRIES = 12  # for a question, before a passage is given up
SLOTS = ("subject", "verb", "object", "goal", "place", "time")


class Fact(NamedTuple):
    """An event by its slots; None where it says nothing of a slot."""

    subject: Phrase
    verb: str
    object: Phrase | None = None
    goal: Phrase | None = None  # to whom, where to
    place: Phrase | None = None
    time: Phrase | None = None
    negated: bool = False

    def obliques(self) -> list[tuple[str, str, Phrase]]:
        """The slots that have a preposition: (slot, preposition, phrase)."""
        before_time = "in" if self.time and self.time.group == "year" else "on"
        slots = (("goal", "to", self.goal), ("place", "in", self.place), ("time", before_time, self.time))
        return [
            (slot, preposition, phrase)
            for slot, preposition, phrase in slots
            if phrase is not None and phrase.group != "adverb"
        ]

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
        """The name of the clause's part that a slot becomes."""
        names = [name for name, _, _ in self.obliques()]
        if slot in names:
            return f"oblique {names.index(slot)}"
        return {"number": "object"}.get(slot, slot)


class Question(NamedTuple):
    """What a question says and the slot that it asks for, which may be `number`, that of the object. In `content` the
    asked slot holds the answer, or what one might take for it."""

    content: Fact
    slot: str
    fact: int | None = None  # the number of the passage's fact that answers; None where none does

    def clause(self) -> Clause:
        """The question as a clause, with a question word in the asked slot."""
        return as_question(self.content.clause(), self.content.part(self.slot), self.slot == "number")

    def sentence(self) -> Sentence:
        """The question as a sentence with its question mark."""
        return Sentence((("", self.clause()),), mark="?")

    def fits(self, fact: Fact) -> bool:
        """Whether a fact answers: it says everything that the question says, and something in the asked slot."""
        if fact.negated != self.content.negated:
            return False
        for slot in SLOTS:
            expected, actual = getattr(self.content, slot), getattr(fact, slot)
            if slot == self.slot:
                if actual is None:
                    return False
            elif slot == "object" and self.slot == "number":
                if actual is None or not actual.number or actual.head != expected.head:
                    return False
            elif expected is not None and expected != actual:
                return False
        return True


class Passage(NamedTuple):
    """Facts in the order of their sentences, and questions on them."""

    facts: tuple[Fact, ...]
    questions: tuple[Question, ...]

    def sentences(self) -> list[Sentence]:
        """A sentence for each fact."""
        return [Sentence((("", fact.clause()),)) for fact in self.facts]


def as_question(clause: Clause, part: str, number: bool = False) -> Clause:
    """Turn a clause into a question for one of its parts, or with `number` for how many objects there are."""
    clause = clause._replace(asked_part=part)
    if number:
        assert clause.object is not None
        return clause._replace(object=clause.object._replace(number="how many"))
    if part == "time":
        return clause._replace(time="when")
    if part in ("subject", "object"):
        pronoun: dict[str, Any] = {part: _question_pronoun(getattr(clause, part))}
        return clause._replace(**pronoun)
    at = int(part.removeprefix("oblique "))
    preposition, phrase = clause.obliques[at]
    if phrase.group in PEOPLE:
        word = preposition, _question_pronoun(phrase)
    else:
        word = "", Phrase("adverb", "when" if phrase.group in ("day", "year") else "where")
    return clause._replace(obliques=(*clause.obliques[:at], word, *clause.obliques[at + 1 :]))


def _question_pronoun(phrase: Phrase) -> Phrase:
    return Phrase("pronoun", "who" if phrase.group in PEOPLE else "what")


# Drawing


def _verbs_by_object() -> dict[str, list[str]]:
    verbs: dict[str, list[str]] = {}
    for verb in lexicon.TRANSITIVE:
        for group in verb.objects:
            if "name" in verb.subjects and group not in ("city", "drink"):
                verbs.setdefault(group, []).append(verb.lemma)
    return verbs


VERBS_BY_OBJECT = _verbs_by_object()
_GROUPS = sorted(group for group, verbs in VERBS_BY_OBJECT.items() if len(verbs) > 1)
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
    """The people, verbs, things, places and times that a passage combines, drawn when they are needed. `kind` is
    taking, giving, going, resting or trading; drawn if it is empty."""

    def __init__(self, world: World, kind: str = ""):
        self.world = world
        self._drawn_words: set[str] = set()
        self.kind = kind or world.pick(("taking", "taking", "taking", "giving", "going", "resting"))
        self.group = world.pick(_GROUPS if self.kind == "taking" else lexicon.ANYTHING)
        verbs = VERBS_BY_OBJECT[self.group] if self.kind == "taking" else _VERBS[self.kind]
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

    def _different(self, draw: Callable[[], Any], count: int) -> list[Any]:
        """Draw items whose words are new to the scene."""
        items: list[Any] = []
        while len(items) < count:
            item = draw()
            words = {item} if isinstance(item, str) else _heads(item)
            if not self._drawn_words & words:
                self._drawn_words |= words
                items.append(item)
        return items

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
        """Draw an event: any of the people, any of the verbs, and so on."""
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


def draw_passage(world: World, facts: int, questions: int, unanswerable: float = 0.0, vague: float = 0.3) -> Passage:
    """Draw a passage with questions on it.

    Args:
        facts: the number of sentences.
        questions: the number of questions.
        unanswerable: the share of questions without an answer.
        vague: the probability that a question leaves out a detail that it can do without.
    """
    while True:
        scene = Scene(world)
        drawn_facts: list[Fact] = []
        drawn_questions: list[Question] = []
        while len(drawn_facts) < facts:
            fact = scene.fact()
            if fact not in drawn_facts:
                drawn_facts.append(fact)
        for _ in range(questions):
            draw = _draw_unanswered if world.chance(unanswerable) else _draw_answered
            for _ in range(TRIES):
                question = draw(world, drawn_facts, vague)
                if question and all(question[:2] != other[:2] for other in drawn_questions):
                    drawn_questions.append(question)
                    break
        if len(drawn_questions) == questions:
            return Passage(tuple(drawn_facts), tuple(drawn_questions))


def _draw_answered(world: World, facts: list[Fact], vague: float) -> Question | None:
    """A question that one fact answers and no other."""
    at = int(world.random() * len(facts))
    fact = facts[at]
    slots = [slot for slot in SLOTS if getattr(fact, slot) is not None and slot != "verb"]
    if fact.object and fact.object.number:
        slots.append("number")
    question = Question(fact, world.pick(slots), at)
    if sum(question.fits(other) for other in facts) > 1:
        return None
    for slot in ("place", "time", "goal"):
        if slot in slots and slot != question.slot and world.chance(vague):
            dropped: dict[str, Any] = {slot: None}
            shorter = question._replace(content=question.content._replace(**dropped))
            if sum(shorter.fits(other) for other in facts) == 1:
                question = shorter
    return question


def _draw_unanswered(world: World, facts: list[Fact], vague: float) -> Question | None:
    """A question in the passage's words that no fact answers: it differs from a fact in one slot, or asks for a slot
    of which the fact says nothing."""
    if world.chance(0.3):
        fact = world.pick(facts)
        slot = world.pick(("place", "time"))
        phrases = [getattr(other, slot) for other in facts if getattr(other, slot)]
        if getattr(fact, slot) or not phrases or (fact.goal and slot == "place"):
            return None
        question = Question(fact._replace(**{slot: world.pick(phrases)}), slot)
    else:
        answered = _draw_answered(world, facts, vague)
        if not answered:
            return None
        content, asked_slot, _ = answered
        slot = world.pick([slot for slot in SLOTS if getattr(content, slot) and slot != asked_slot])
        alternatives = {getattr(fact, slot) for fact in facts} - {None, getattr(content, slot)}
        if (asked_slot == "number" and slot == "object") or not alternatives:
            return None
        changed = content._replace(**{slot: world.pick(sorted(alternatives, key=str))})
        if changed.subject in (changed.object, changed.goal):
            return None
        question = Question(changed, asked_slot)
    return None if any(question.fits(fact) for fact in facts) else question


# Saying


class QuestionText(NamedTuple):
    """A question on a passage in a language; `start` counts characters of the context. Where there is no answer,
    `answer` is "" and `start` -1."""

    sentences: tuple[str, ...]
    question: str
    answer: str
    start: int

    @property
    def context(self) -> str:
        """The passage as running text."""
        return " ".join(self.sentences)


def question_texts(speaker: Speaker, passage: Passage) -> list[QuestionText]:
    """Say the questions of a passage, and the passage, in the speaker's language."""
    clauses = [fact.clause() for fact in passage.facts]
    sentences = tuple(speaker.text(sentence) for sentence in passage.sentences())
    texts = []
    for question in passage.questions:
        text = speaker.text(question.sentence())
        if question.fact is None:
            texts.append(QuestionText(sentences, text, "", -1))
            continue
        part = passage.facts[question.fact].part(question.slot)
        start, stop = speaker.locate_part(clauses[question.fact], part, question.slot == "number")
        before = sum(len(sentence) + 1 for sentence in sentences[: question.fact])
        texts.append(QuestionText(sentences, text, sentences[question.fact][start:stop], before + start))
    return texts
