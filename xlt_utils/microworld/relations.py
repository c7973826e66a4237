"""Inference pairs: small edits of one clause, each with the relation that it brings about (natural logic; MacCartney &
Manning 2009). A clause with a detail dropped is entailed, one with a detail added is neutral, and negation exchanges
the two. The same pairs serve as labelled examples and, with "indeed", "also" or "no" between them, as running text."""

from collections.abc import Callable
from typing import NamedTuple

from xlt_utils.microworld import lexicon
from xlt_utils.microworld.lexicon import Item
from xlt_utils.microworld.meanings import Clause, Sentence, World

ENTAILMENT, NEUTRAL, CONTRADICTION = 0, 1, 2


class InferencePair(NamedTuple):
    """An inference example; the label is ENTAILMENT, NEUTRAL or CONTRADICTION."""

    premise: Sentence
    hypothesis: Sentence
    label: int


class LongInferencePair(NamedTuple):
    """An inference example whose premise has several sentences, one of which decides the label."""

    premise: tuple[Sentence, ...]
    hypothesis: Sentence
    label: int


def draw_inference(world: World) -> InferencePair:
    """Draw a premise and a hypothesis. Negation exchanges general and special, so no single word settles the label."""
    label = int(world.random() * 3)
    while True:
        clause = _plain_event(world)
        edits = {ENTAILMENT: _entailed, NEUTRAL: _neutral, CONTRADICTION: _contradicted}[label](world, clause)
        if edits:
            premise, hypothesis = edits
            if premise != hypothesis:
                return InferencePair(Sentence((("", premise),)), Sentence((("", hypothesis),)), label)


def draw_long_inference(world: World, extra: int, distractor: bool = False) -> LongInferencePair:
    """Draw an inference pair whose premise stands among other sentences, none of which decides the label.

    Args:
        extra: the number of other sentences.
        distractor: whether the first of them, where possible, says of somebody else what the hypothesis says.
    """
    pair = draw_inference(world)
    premise, hypothesis = pair.premise.clauses[0][1], pair.hypothesis.clauses[0][1]
    verbs = {verb for clause in (premise, hypothesis) for verb in (clause.verb, lexicon.ANTONYMS.get(clause.verb))}
    sentences: list[Sentence] = []
    while len(sentences) < extra:
        if distractor and not sentences and hypothesis.subject.kind == "name" and hypothesis.subject.tag == "PER":
            other = hypothesis._replace(
                subject=_draw_other(world.person, hypothesis.subject), negated=world.chance(0.3)
            )
        else:
            other = world.event(plain=True)._replace(modal="")
            if other.verb in verbs or other.subject.group not in ("name", "role"):
                continue
            if premise.subject.group in ("name", "role") and world.chance(0.5):
                other = other._replace(subject=premise.subject)
        sentences.append(Sentence((("", other),)))
    at = int(world.random() * (extra + 1))
    return LongInferencePair((*sentences[:at], pair.premise, *sentences[at:]), pair.hypothesis, pair.label)


def _plain_event(world: World) -> Clause:
    clause = world.event(plain=True)._replace(modal="")
    if clause.time == "tomorrow":
        clause = clause._replace(time="")
    return clause._replace(negated=world.chance(0.3))


def _general(world: World, clause: Clause) -> Clause | None:
    """A clause that says less: a detail dropped, or a hypernym for a noun."""
    ways = []
    if clause.obliques and clause.verb not in ("go", "travel", "return"):
        ways.append(clause._replace(obliques=clause.obliques[:-1]))
    if clause.manner:
        ways.append(clause._replace(manner=""))
    if clause.time:
        ways.append(clause._replace(time=""))
    if clause.subject.companion:
        ways.append(clause._replace(subject=clause.subject._replace(companion=None)))
    for slot in ("subject", "object"):
        phrase = getattr(clause, slot)
        if phrase and phrase.kind == "noun" and phrase.determiner not in ("every", "that", "this"):
            if phrase.adjectives:
                ways.append(clause._replace(**{slot: phrase._replace(adjectives=())}))
            hypernym = lexicon.HYPERNYMS.get(phrase.group)
            if hypernym and phrase.head != hypernym:
                ways.append(clause._replace(**{slot: phrase._replace(head=hypernym)}))
    return world.pick(ways) if ways else None


def _special(world: World, clause: Clause) -> Clause | None:
    """A clause that says more: a detail added."""
    ways = []
    if not clause.manner:
        ways.append(clause._replace(manner=world.pick(lexicon.ADVERBS["manner"])))
    if not clause.time and clause.tense == "past":
        ways.append(clause._replace(time=world.pick(("yesterday", "today"))))
    if len(clause.obliques) < 2:
        ways.append(clause._replace(obliques=(*clause.obliques, ("in", world.city()))))
    if not clause.subject.companion and clause.subject.kind == "name" and clause.subject.tag == "PER":
        ways.append(clause._replace(subject=clause.subject._replace(companion=world.person())))
    for slot in ("subject", "object"):
        phrase = getattr(clause, slot)
        is_plain_noun = phrase and phrase.kind == "noun" and not phrase.adjectives
        if is_plain_noun and phrase.determiner not in ("every", "that", "this"):
            adjective = world.pick(lexicon.ADJECTIVES["plain"])
            ways.append(clause._replace(**{slot: phrase._replace(adjectives=(adjective,))}))
    return world.pick(ways) if ways else None


def _entailed(world: World, clause: Clause) -> tuple[Clause, Clause] | None:
    edited = (_special if clause.negated else _general)(world, clause)
    # "Anna did not go" does not entail that Anna and Bob did not go together.
    if not edited or (clause.negated and edited.subject != clause.subject):
        return None
    return clause, edited


def _neutral(world: World, clause: Clause) -> tuple[Clause, Clause] | None:
    draw = world.random()
    if draw < 0.6:
        edited = (_general if clause.negated else _special)(world, clause)
        return (clause, edited) if edited else None
    if draw < 0.8 and clause.object and clause.object.group in ("name", "role", "animal"):
        subject = clause.subject
        if subject.group in ("name", "role", "animal") and subject != clause.object and not clause.negated:
            return clause, clause._replace(subject=clause.object, object=subject)
        return None
    other = world.event(plain=True)
    if other.verb == clause.verb or other.subject.group not in ("name", "role"):
        return None
    return clause, other._replace(subject=clause.subject, modal="", time="", tense=clause.tense, negated=clause.negated)


def _contradicted(world: World, clause: Clause) -> tuple[Clause, Clause] | None:
    draw = world.random()
    if draw < 0.55:
        general = clause if world.chance(0.5) else _general(world, clause)
        if not general:
            return None
        # The general clause is denied and the special one affirmed: these two cannot both hold.
        general, special = general._replace(negated=True), clause._replace(negated=False)
        return (general, special) if world.chance(0.4) else (special, general)
    clause = clause._replace(negated=False)
    if draw < 0.75:
        for slot in ("subject", "object"):
            phrase = getattr(clause, slot)
            if phrase and phrase.number:
                return clause, clause._replace(
                    **{slot: phrase._replace(number=_draw_other(world.number, phrase.number))}
                )
    if draw < 0.9 and clause.obliques and clause.obliques[-1][0] in ("in", "on", "to"):
        preposition, phrase = clause.obliques[-1]
        if phrase.group == "city":
            other = _draw_other(world.city, phrase)
        elif phrase.group == "day":
            day = _draw_other(lambda: world.pick(lexicon.DAYS), phrase.head)
            other = phrase._replace(head=day, parts=((day, "day"),))
        elif phrase.group == "year":
            year = _draw_other(lambda: str(1950 + int(world.random() * 76)), phrase.head)
            other = phrase._replace(head=year, number=year)
        else:
            return None
        return clause, clause._replace(obliques=(*clause.obliques[:-1], (preposition, other)))
    if clause.verb in lexicon.ANTONYMS:
        return clause, clause._replace(verb=lexicon.ANTONYMS[clause.verb])
    return None


def _draw_other(draw: Callable[[], Item], unwanted: Item) -> Item:
    while (drawn := draw()) == unwanted:
        pass
    return drawn


# Running text


def draw_paragraph(world: World) -> list[Sentence]:
    """Draw what one line of running text says: one or two opinions, a statement, or an inference pair."""
    draw = world.random()
    if draw < 0.3:
        polarity, topic = world.pick((1, -1)), world.pick(("film", "service"))
        return [world.opinion(polarity, topic, rated=0.7) for _ in range(2 if world.chance(0.4) else 1)]
    if draw < 0.6:
        premise, hypothesis, label = draw_inference(world)
        return [premise, hypothesis._replace(opener=lexicon.DISCOURSE_MARKERS[label])]
    return [world.statement()]
