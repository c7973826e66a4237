"""Pairs that say the same, or not, in the same words. PAWS-X: sentences put in another order, beside sentences where
two participants have changed places. QQP: questions asked in other words, beside questions that ask for something
else. Order and wording change in both classes alike, so that neither gives the label away."""

from typing import NamedTuple

from xlt_utils.microworld.meanings import Clause, Phrase, Sentence, World
from xlt_utils.microworld.questions import TAKERS, Scene, asking
from xlt_utils.microworld.speech import Speaker, joined


class Pair(NamedTuple):
    """Two sentences; label 1 where they mean the same."""

    first: Sentence
    second: Sentence
    label: int


# Sentences


def pair(world: World) -> Pair:
    """Two sentences of the same words, said in another order (1) or of others (0); every fourth of the latter has
    another word instead."""
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
            return Pair(first, second, label)


def _clause(scene: Scene) -> Clause:
    return scene.fact()._replace(negated=False).clause()


def _together(world: World, scene: Scene) -> Sentence:
    """Two people do something: Anna and Peter helped the nurse in Oslo."""
    one, two, three = scene.people
    group = "name" if three.kind == "name" else "role"
    verb = world.pick(TAKERS[group])
    oblique = (("in", world.pick(scene.places)),) if world.chance(0.5) else ()
    return Sentence((("", Clause(one._replace(companion=two), verb, three, obliques=oblique)),))


def _joined(world: World, scene: Scene) -> Sentence:
    return Sentence((("", _clause(scene)), ("and", _clause(scene))))


def _because(world: World, scene: Scene) -> Sentence:
    return Sentence((("", _clause(scene)), (world.pick(("because", "when")), _clause(scene))))


def _traded(world: World, scene: Scene) -> Sentence:
    """Somebody sells something to somebody, or buys it from them."""
    verb, preposition = world.pick(sorted(_SIDE.items()))
    one, two, _ = scene.people
    obliques = ((preposition, two),)
    if world.chance(0.5):
        obliques = (*obliques, ("in", world.pick(scene.places)))
    return Sentence((("", Clause(one, verb, world.pick(scene.things), obliques=obliques)),))


_CONVERSE = {"buy": ("sell", "to"), "sell": ("buy", "from")}
_SIDE = {"buy": "from", "sell": "to"}


def traded(clause: Clause) -> Clause:
    """A trade as the other side tells it."""
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
        one, two = first.subject._replace(companion=None), first.subject.companion
        return sentence._replace(clauses=(("", first._replace(subject=two._replace(companion=one))),))
    return sentence._replace(clauses=(("", traded(first)),))


def _swapped(world: World, scene: Scene, sentence: Sentence) -> Sentence | None:
    """The same words in other roles."""
    (_, first), *rest = sentence.clauses
    if not rest:
        if first.subject.companion:
            one, two = first.subject._replace(companion=None), first.subject.companion
            changed = first._replace(subject=one._replace(companion=first.object), object=two)
        else:
            (preposition, other), *others = first.obliques
            changed = first._replace(subject=other, obliques=((preposition, first.subject), *others))
        return sentence._replace(clauses=(("", changed),))
    link, second = rest[0]
    if link != "and" and world.chance(0.4):
        return sentence._replace(clauses=(("", second), (link, first)))
    ways = []
    for slot in ("subject", "object", "verb", "obliques", "time"):
        one, two = getattr(first, slot), getattr(second, slot)
        if one and two and one != two:
            changed = first._replace(**{slot: two}), second._replace(**{slot: one})
            if sorted(changed, key=str) != sorted((first, second), key=str) and not any(map(_reflexive, changed)):
                ways.append(changed)
    if not ways:
        return None
    first, second = world.pick(ways)
    return sentence._replace(clauses=(("", first), (link, second)))


def _reflexive(clause: Clause) -> bool:
    return clause.subject == clause.object or any(phrase == clause.subject for _, phrase in clause.obliques)


def _replaced(world: World, scene: Scene, sentence: Sentence) -> Sentence | None:
    """One word another: somebody else, another place."""
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
    found = []
    for _, clause in sentence.clauses:
        found += [clause.subject, clause.object, *(phrase for _, phrase in clause.obliques)]
    return found


# Questions

FRAMES = ("{}", "{}", "do you know {}", "can you say {}", "does the teacher know {}", "who can say {}")


class Asking(NamedTuple):
    """A question as one asks it: directly, or in a frame (can you say when ...)."""

    clause: Clause
    frame: str

    def text(self, english: Speaker) -> str:
        if self.frame == "{}":
            return english.text(Sentence((("", self.clause),), mark="?"))
        said = self.frame.format(joined(english.indirect(self.clause)))
        return said[0].upper() + said[1:] + "?"


class Questions(NamedTuple):
    """Two questions; label 1 where one answer serves both."""

    first: Asking
    second: Asking
    label: int


def questions(world: World) -> Questions:
    """A pair of questions in English: for the same in other words (1), or for something else (0)."""
    label = int(world.random() * 2)
    while True:
        scene = Scene(world, "trading" if world.chance(0.3) else "")
        clause = _statement(world, scene)
        asked = world.pick(_parts(clause))
        other = (clause, asked) if label else _else(world, scene, clause, asked)
        if other and world.chance(0.5):
            other = _turned(*other)
        if not other:
            continue
        clauses = asking(clause, asked), asking(*other)
        frames = world.pick(FRAMES), world.pick(FRAMES)
        if clauses[0] != clauses[1] or (label and frames[0] != frames[1]):
            return Questions(Asking(clauses[0], frames[0]), Asking(clauses[1], frames[1]), label)


def _statement(world: World, scene: Scene) -> Clause:
    """What the questions are about: a trade, somebody's deed, or that of two."""
    if scene.kind == "trading":
        return _traded(world, scene).clauses[0][1]
    clause = scene.fact().clause()
    others = [person for person in scene.people if person not in _participants(Sentence((("", clause),)))]
    if others and world.chance(0.4):
        return clause._replace(subject=clause.subject._replace(companion=world.pick(others)))
    return clause


def _parts(clause: Clause) -> list[str]:
    found = [part for part in ("subject", "object", "time") if getattr(clause, part)]
    return found + [f"oblique {i}" for i in range(len(clause.obliques))]


def _is_trade(clause: Clause) -> bool:
    return bool(clause.obliques) and clause.obliques[0][0] == _SIDE.get(clause.verb)


def _turned(clause: Clause, asked: str) -> tuple[Clause, str]:
    """The same in other words, where there are any."""
    if _is_trade(clause):
        return traded(clause), {"subject": "oblique 0", "oblique 0": "subject"}.get(asked, asked)
    if clause.subject.companion:
        one, two = clause.subject._replace(companion=None), clause.subject.companion
        return clause._replace(subject=two._replace(companion=one)), asked
    return clause, asked


def _else(world: World, scene: Scene, clause: Clause, asked: str) -> tuple[Clause, str] | None:
    """Another question with most of the words: for another part, with two participants exchanged, another verb or
    another participant."""
    draw = world.random()
    if draw < 0.25:
        others = [part for part in _parts(clause) if part != asked]
        return (clause, world.pick(others)) if others else None
    if draw < 0.65:
        if clause.object and clause.object.group == clause.subject.group and not clause.subject.companion:
            swapped = clause._replace(subject=clause.object, object=clause.subject)
            return swapped, {"subject": "object", "object": "subject"}.get(asked, asked)
        if clause.obliques and clause.obliques[0][1] in scene.people and not clause.subject.companion:
            (preposition, other), *rest = clause.obliques
            swapped = clause._replace(subject=other, obliques=((preposition, clause.subject), *rest))
            return swapped, {"subject": "oblique 0", "oblique 0": "subject"}.get(asked, asked)
        return None
    if draw < 0.8:
        if _is_trade(clause):
            verb, preposition = _CONVERSE[clause.verb]
            return clause._replace(
                verb=verb, obliques=((preposition, clause.obliques[0][1]), *clause.obliques[1:])
            ), asked
        others = [verb for verb in scene.verbs if verb != clause.verb]
        return clause._replace(verb=world.pick(others)), asked
    changed = _replaced(world, scene, Sentence((("", clause),)))
    return changed and (changed.clauses[0][1], asked)
