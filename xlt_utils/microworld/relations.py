"""What follows from what: small edits of one clause, each with the relation that it brings (natural logic;
MacCartney & Manning 2009). A detail dropped follows, a detail added is news, and under negation the two change
places. The same pairs serve as examples of inference and, with "indeed", "also" or "no" between them, as text."""

from typing import NamedTuple

from xlt_utils.microworld import lexicon
from xlt_utils.microworld.meanings import Clause, Sentence, World

ENTAILMENT, NEUTRAL, CONTRADICTION = 0, 1, 2


class Pair(NamedTuple):
    """An inference example."""

    premise: Sentence
    hypothesis: Sentence
    label: int


class Tale(NamedTuple):
    """An inference example whose premise has several sentences, one of which the label rests on."""

    premise: tuple[Sentence, ...]
    hypothesis: Sentence
    label: int


def inference(world: World) -> Pair:
    """A premise and a hypothesis. Under negation general and special change places, so no single word settles
    the label."""
    label = int(world.random() * 3)
    while True:
        clause = _plain_event(world)
        edits = {ENTAILMENT: _implied, NEUTRAL: _open, CONTRADICTION: _denied}[label](world, clause)
        if edits:
            premise, hypothesis = edits
            if premise != hypothesis:
                return Pair(Sentence((("", premise),)), Sentence((("", hypothesis),)), label)


def tale(world: World, others: int, rival: bool = False) -> Tale:
    """A pair of `inference` with so many other sentences about the premise, none of which bears on the hypothesis;
    the first of them, where it can be a `rival`, says of somebody else what the hypothesis says."""
    pair = inference(world)
    premise, hypothesis = pair.premise.clauses[0][1], pair.hypothesis.clauses[0][1]
    verbs = {verb for clause in (premise, hypothesis) for verb in (clause.verb, lexicon.ANTONYMS.get(clause.verb))}
    sentences = []
    while len(sentences) < others:
        if rival and not sentences and hypothesis.subject.kind == "name" and hypothesis.subject.tag == "PER":
            other = hypothesis._replace(subject=_another(world.person, hypothesis.subject), negated=world.chance(0.3))
        else:
            other = world.event(plain=True)._replace(modal="")
            if other.verb in verbs or other.subject.group not in ("name", "role"):
                continue
            if premise.subject.group in ("name", "role") and world.chance(0.5):
                other = other._replace(subject=premise.subject)
        sentences.append(Sentence((("", other),)))
    at = int(world.random() * (others + 1))
    return Tale((*sentences[:at], pair.premise, *sentences[at:]), pair.hypothesis, pair.label)


def _plain_event(world: World) -> Clause:
    clause = world.event(plain=True)._replace(modal="")
    if clause.time == "tomorrow":
        clause = clause._replace(time="")
    return clause._replace(negated=world.chance(0.3))


def _general(world: World, clause: Clause) -> Clause | None:
    """The clause made to say less (affirmed): a detail dropped, a kind for an example of it."""
    ways = []
    if clause.obliques and clause.verb not in ("go", "travel", "return"):
        ways.append(clause._replace(obliques=clause.obliques[:-1]))
    if clause.manner:
        ways.append(clause._replace(manner=""))
    if clause.time:
        ways.append(clause._replace(time=""))
    if clause.subject.companion:
        ways.append(clause._replace(subject=clause.subject._replace(companion=None)))
    for place in ("subject", "object"):
        phrase = getattr(clause, place)
        if phrase and phrase.kind == "noun" and phrase.determiner not in ("every", "that", "this"):
            if phrase.adjectives:
                ways.append(clause._replace(**{place: phrase._replace(adjectives=())}))
            wider = lexicon.HYPERNYMS.get(phrase.group)
            if wider and phrase.head != wider:
                ways.append(clause._replace(**{place: phrase._replace(head=wider)}))
    return world.pick(ways) if ways else None


def _special(world: World, clause: Clause) -> Clause | None:
    """The clause made to say more: a detail added, an example for its kind."""
    ways = []
    if not clause.manner:
        ways.append(clause._replace(manner=world.pick(lexicon.ADVERBS["manner"])))
    if not clause.time and clause.tense == "past":
        ways.append(clause._replace(time=world.pick(("yesterday", "today"))))
    if len(clause.obliques) < 2:
        ways.append(clause._replace(obliques=(*clause.obliques, ("in", world.city()))))
    if not clause.subject.companion and clause.subject.kind == "name" and clause.subject.tag == "PER":
        ways.append(clause._replace(subject=clause.subject._replace(companion=world.person())))
    for place in ("subject", "object"):
        phrase = getattr(clause, place)
        if (
            phrase
            and phrase.kind == "noun"
            and not phrase.adjectives
            and phrase.determiner not in ("every", "that", "this")
        ):
            ways.append(
                clause._replace(**{place: phrase._replace(adjectives=(world.pick(lexicon.ADJECTIVES["plain"]),))})
            )
    return world.pick(ways) if ways else None


def _implied(world: World, clause: Clause) -> tuple[Clause, Clause] | None:
    said = (_special if clause.negated else _general)(world, clause)
    if (
        said and clause.negated and said.subject != clause.subject
    ):  # "Anna did not go" says nothing of Anna and Bob together
        return None
    return said and (clause, said)


def _open(world: World, clause: Clause) -> tuple[Clause, Clause] | None:
    draw = world.random()
    if draw < 0.6:
        said = (_general if clause.negated else _special)(world, clause)
        return said and (clause, said)
    if draw < 0.8 and clause.object and clause.object.group in ("name", "role", "animal"):
        subject = clause.subject
        if subject.group in ("name", "role", "animal") and subject != clause.object and not clause.negated:
            return clause, clause._replace(subject=clause.object, object=subject)
        return None
    other = world.event(plain=True)
    if other.verb == clause.verb or other.subject.group not in ("name", "role"):
        return None
    return clause, other._replace(subject=clause.subject, modal="", time="", tense=clause.tense, negated=clause.negated)


def _denied(world: World, clause: Clause) -> tuple[Clause, Clause] | None:
    draw = world.random()
    if draw < 0.55:
        less = clause if world.chance(0.5) else _general(world, clause)
        if not less:
            return None
        # What is general is denied, what is special affirmed: these two cannot both hold.
        general, special = less._replace(negated=True), clause._replace(negated=False)
        return (general, special) if world.chance(0.4) else (special, general)
    clause = clause._replace(negated=False)
    if draw < 0.75:
        for place in ("subject", "object"):
            phrase = getattr(clause, place)
            if phrase and phrase.number:
                return clause, clause._replace(**{place: phrase._replace(number=_another(world.number, phrase.number))})
    if draw < 0.9 and clause.obliques and clause.obliques[-1][0] in ("in", "on", "to"):
        preposition, phrase = clause.obliques[-1]
        if phrase.group == "city":
            other = _another(world.city, phrase)
        elif phrase.group == "day":
            day = _another(lambda: world.pick(lexicon.DAYS), phrase.head)
            other = phrase._replace(head=day, parts=((day, "day"),))
        elif phrase.group == "year":
            year = _another(lambda: str(1950 + int(world.random() * 76)), phrase.head)
            other = phrase._replace(head=year, number=year)
        else:
            return None
        return clause, clause._replace(obliques=(*clause.obliques[:-1], (preposition, other)))
    if clause.verb in lexicon.ANTONYMS:
        return clause, clause._replace(verb=lexicon.ANTONYMS[clause.verb])
    return None


def _another(draw, than):
    while (found := draw()) == than:
        pass
    return found


# Running text


def paragraph(world: World) -> list[Sentence]:
    """What one line of running text says: an opinion, a statement, or two that belong together."""
    draw = world.random()
    if draw < 0.3:
        polarity, topic = world.pick((1, -1)), world.pick(("film", "service"))
        return [world.opinion(polarity, topic, rated=0.7) for _ in range(2 if world.chance(0.4) else 1)]
    if draw < 0.6:
        premise, hypothesis, label = inference(world)
        return [premise, hypothesis._replace(opener=lexicon.MARKERS[label])]
    return [world.statement()]
