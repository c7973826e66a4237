"""Pairs that mean the same, or not, in the same words. For PAWS-X: sentences in another order, beside sentences in
which two participants have changed places. For QQP: questions in other words, beside questions that ask for something
else. Order and wording change in both classes alike, so that neither gives the label away."""

from typing import NamedTuple

from xlt_utils.microworld.meanings import Clause, Phrase, Sentence, World
from xlt_utils.microworld.questions import VERBS_BY_OBJECT, Scene, as_question
from xlt_utils.microworld.speech import Speaker, join_tokens


class ParaphrasePair(NamedTuple):
    """Two sentences; label 1 where they mean the same."""

    first: Sentence
    second: Sentence
    label: int


# Sentences


def draw_paraphrase(world: World) -> ParaphrasePair:
    """Draw two sentences: the same meaning in another order (1), or the same words with another meaning (0); every
    fourth of the latter has another word instead."""
    label = int(world.random() * 2)
    while True:
        build = world.pick((_together, _joined, _joined, _because, _traded))
        scene = Scene(world, "trading" if build is _traded else "")
        first = build(world, scene)
        change = _replaced if world.chance(0.25) else _swapped
        second = first if label else change(world, scene, first)
        if second and (label or world.chance(0.85)):
            second = _reordered(world, second)
        if second and second != first:
            return ParaphrasePair(first, second, label)


def _clause(scene: Scene) -> Clause:
    return scene.fact()._replace(negated=False).clause()


def _together(world: World, scene: Scene) -> Sentence:
    """Two people do something: Anna and Peter helped the nurse in Oslo."""
    first, second, helped = scene.people
    group = "name" if helped.kind == "name" else "role"
    verb = world.pick(VERBS_BY_OBJECT[group])
    oblique = (("in", world.pick(scene.places)),) if world.chance(0.5) else ()
    return Sentence((("", Clause(first._replace(companion=second), verb, helped, obliques=oblique)),))


def _joined(world: World, scene: Scene) -> Sentence:
    return Sentence((("", _clause(scene)), ("and", _clause(scene))))


def _because(world: World, scene: Scene) -> Sentence:
    return Sentence((("", _clause(scene)), (world.pick(("because", "when")), _clause(scene))))


def _traded(world: World, scene: Scene) -> Sentence:
    """Somebody sells something to somebody, or buys it from them."""
    verb, preposition = world.pick(sorted(_TRADE_PREPOSITIONS.items()))
    subject, partner, _ = scene.people
    obliques: tuple[tuple[str, Phrase], ...] = ((preposition, partner),)
    if world.chance(0.5):
        obliques = (*obliques, ("in", world.pick(scene.places)))
    return Sentence((("", Clause(subject, verb, world.pick(scene.things), obliques=obliques)),))


_CONVERSE = {"buy": ("sell", "to"), "sell": ("buy", "from")}
_TRADE_PREPOSITIONS = {"buy": "from", "sell": "to"}


def converse_trade(clause: Clause) -> Clause:
    """Turn a trade into the converse one: "Anna sold Ben a car" into "Ben bought a car from Anna"."""
    (_, other), *rest = clause.obliques
    verb, preposition = _CONVERSE[clause.verb]
    return clause._replace(subject=other, verb=verb, obliques=((preposition, clause.subject), *rest))


def _reordered(world: World, sentence: Sentence) -> Sentence:
    """The same meaning in another order."""
    (_, first), *rest = sentence.clauses
    if rest:
        link, second = rest[0]
        if link == "and":
            return sentence._replace(clauses=(("", second), ("and", first)))
        return sentence._replace(clauses=((link, second), ("", first)))
    if first.subject.companion:
        return sentence._replace(clauses=(("", _with_companions_exchanged(first)),))
    return sentence._replace(clauses=(("", converse_trade(first)),))


def _with_companions_exchanged(clause: Clause) -> Clause:
    alone, companion = clause.subject._replace(companion=None), clause.subject.companion
    assert companion is not None
    return clause._replace(subject=companion._replace(companion=alone))


def _swapped(world: World, scene: Scene, sentence: Sentence) -> Sentence | None:
    """The same words in other roles."""
    (_, first), *rest = sentence.clauses
    if not rest:
        if first.subject.companion:
            changed = first._replace(
                subject=first.subject._replace(companion=first.object), object=first.subject.companion
            )
        else:
            changed = _with_oblique_as_subject(first)
        return sentence._replace(clauses=(("", changed),))
    link, second = rest[0]
    if link != "and" and world.chance(0.4):
        return sentence._replace(clauses=(("", second), (link, first)))
    ways = []
    for slot in ("subject", "object", "verb", "obliques", "time"):
        of_first, of_second = getattr(first, slot), getattr(second, slot)
        if of_first and of_second and of_first != of_second:
            swapped = first._replace(**{slot: of_second}), second._replace(**{slot: of_first})
            if sorted(swapped, key=str) != sorted((first, second), key=str) and not any(map(_is_reflexive, swapped)):
                ways.append(swapped)
    if not ways:
        return None
    first, second = world.pick(ways)
    return sentence._replace(clauses=(("", first), (link, second)))


def _with_oblique_as_subject(clause: Clause) -> Clause:
    (preposition, other), *rest = clause.obliques
    return clause._replace(subject=other, obliques=((preposition, clause.subject), *rest))


def _is_reflexive(clause: Clause) -> bool:
    return clause.subject == clause.object or any(phrase == clause.subject for _, phrase in clause.obliques)


def _replaced(world: World, scene: Scene, sentence: Sentence) -> Sentence | None:
    """The same with one word replaced: somebody else, or another place."""
    (opening, first), *rest = sentence.clauses
    people = [person for person in scene.people if person not in _participants(sentence)]
    if people and not first.subject.companion:
        first = first._replace(subject=world.pick(people))
    elif first.obliques and first.obliques[-1][1].group == "city":
        others = [place for place in scene.places if place not in _participants(sentence)]
        first = first._replace(obliques=(*first.obliques[:-1], ("in", world.pick(others))))
    else:
        return None
    return sentence._replace(clauses=((opening, first), *rest))


def _participants(sentence: Sentence) -> list[Phrase]:
    participants = []
    for _, clause in sentence.clauses:
        phrases = (clause.subject, clause.object, *(phrase for _, phrase in clause.obliques))
        participants += [phrase for phrase in phrases if phrase is not None]
    return participants


# Questions

FRAMES = ("{}", "{}", "do you know {}", "can you say {}", "does the teacher know {}", "who can say {}")


class FramedQuestion(NamedTuple):
    """A question, asked directly or in a frame (can you say when ...)."""

    clause: Clause
    frame: str

    def text(self, english: Speaker) -> str:
        """The question as text."""
        if self.frame == "{}":
            return english.text(Sentence((("", self.clause),), mark="?"))
        text = self.frame.format(join_tokens(english.indirect_question(self.clause)))
        return text[0].upper() + text[1:] + "?"


class QuestionPair(NamedTuple):
    """Two questions; label 1 where one answer serves both."""

    first: FramedQuestion
    second: FramedQuestion
    label: int


def draw_question_pair(world: World) -> QuestionPair:
    """Draw two questions in English: for the same in other words (1), or for something else (0)."""
    label = int(world.random() * 2)
    while True:
        scene = Scene(world, "trading" if world.chance(0.3) else "")
        clause = _statement(world, scene)
        part = world.pick(_parts(clause))
        other = (clause, part) if label else _other_question(world, scene, clause, part)
        if other and world.chance(0.5):
            other = _rephrased(*other)
        if not other:
            continue
        first, second = as_question(clause, part), as_question(*other)
        frames = world.pick(FRAMES), world.pick(FRAMES)
        if first != second or (label and frames[0] != frames[1]):
            return QuestionPair(FramedQuestion(first, frames[0]), FramedQuestion(second, frames[1]), label)


def _statement(world: World, scene: Scene) -> Clause:
    """What the questions are about: a trade, or a deed of one person or two."""
    if scene.kind == "trading":
        return _traded(world, scene).clauses[0][1]
    clause = scene.fact().clause()
    others = [person for person in scene.people if person not in _participants(Sentence((("", clause),)))]
    if others and world.chance(0.4):
        return clause._replace(subject=clause.subject._replace(companion=world.pick(others)))
    return clause


def _parts(clause: Clause) -> list[str]:
    parts = [part for part in ("subject", "object", "time") if getattr(clause, part)]
    return parts + [f"oblique {i}" for i in range(len(clause.obliques))]


def _is_trade(clause: Clause) -> bool:
    return bool(clause.obliques) and clause.obliques[0][0] == _TRADE_PREPOSITIONS.get(clause.verb)


_SUBJECT_TO_OBLIQUE = {"subject": "oblique 0", "oblique 0": "subject"}
_SUBJECT_TO_OBJECT = {"subject": "object", "object": "subject"}


def _rephrased(clause: Clause, part: str) -> tuple[Clause, str]:
    """The same in other words, where there are any."""
    if _is_trade(clause):
        return converse_trade(clause), _SUBJECT_TO_OBLIQUE.get(part, part)
    if clause.subject.companion:
        return _with_companions_exchanged(clause), part
    return clause, part


def _other_question(world: World, scene: Scene, clause: Clause, part: str) -> tuple[Clause, str] | None:
    """Another question with most of the words: for another part, with two participants exchanged, another verb or
    another participant."""
    draw = world.random()
    if draw < 0.25:
        other_parts = [other for other in _parts(clause) if other != part]
        return (clause, world.pick(other_parts)) if other_parts else None
    if draw < 0.65:
        if clause.object and clause.object.group == clause.subject.group and not clause.subject.companion:
            swapped = clause._replace(subject=clause.object, object=clause.subject)
            return swapped, _SUBJECT_TO_OBJECT.get(part, part)
        if clause.obliques and clause.obliques[0][1] in scene.people and not clause.subject.companion:
            return _with_oblique_as_subject(clause), _SUBJECT_TO_OBLIQUE.get(part, part)
        return None
    if draw < 0.8:
        if _is_trade(clause):
            verb, preposition = _CONVERSE[clause.verb]
            (_, partner), *rest = clause.obliques
            return clause._replace(verb=verb, obliques=((preposition, partner), *rest)), part
        verbs = [verb for verb in scene.verbs if verb != clause.verb]
        return clause._replace(verb=world.pick(verbs)), part
    changed = _replaced(world, scene, Sentence((("", clause),)))
    return (changed.clauses[0][1], part) if changed else None
