"""Questions with several answers to choose from, in English, for HellaSwag, CosmosQA and CommonsenseQA. What is right
follows from the world: whoever has a thing can use it, deeds have their effects, a verb takes some kinds of things
and not others. The wrong options are the same people, deeds and things in other combinations, so that an option
tells nothing without the story, and neither does its length or its place."""

from typing import NamedTuple

from xlt_utils.microworld import lexicon
from xlt_utils.microworld.meanings import Clause, Phrase, Sentence, World
from xlt_utils.microworld.speech import Speaker, english_verb, joined


class Choice(NamedTuple):
    """A context (sentences), a question in English (or the beginning of a sentence), options and the right one's
    number; `concept` is the word that the question turns on."""

    context: tuple[Sentence, ...]
    question: str
    options: tuple[str, ...]
    label: int
    concept: str = ""

    def told(self, english: Speaker) -> str:
        """The context as text."""
        return " ".join(map(english.text, self.context))


ENGLISH = Speaker("en")
_PEOPLE = tuple(dict.fromkeys(lexicon.GIVEN + lexicon.SURNAMES))


def _shuffled(world: World, items) -> list:
    return [item for _, item in sorted((world.random(), item) for item in items)]


def _choice(world: World, context: list[Clause], question: str, right: str, wrong, concept: str = "") -> Choice:
    options = _shuffled(world, (right, *wrong))
    sentences = tuple(Sentence((("", clause),)) for clause in context)
    return Choice(sentences, question, tuple(options), options.index(right), concept)


def _people(world: World, count: int) -> list[Phrase]:
    names = _different(world, _PEOPLE, count)
    return [Phrase("name", name, "name", parts=((name, "person"),), tag="PER") for name in names]


def _different(world: World, items, count: int) -> list:
    found: list = []
    while len(found) < count:
        item = world.pick(items)
        if item not in found:
            found.append(item)
    return found


def _the(lemma: str, group: str = "") -> Phrase:
    return Phrase("noun", lemma, group, determiner="the")


def _said(clause: Clause) -> str:
    return joined(ENGLISH.say(Sentence((("", clause),))))


# What comes next (HellaSwag)

USES = {
    "food": ("eat", "cook"),
    "vehicle": ("drive", "repair"),
    "text": ("send", "show"),
    "tool": ("repair", "show"),
    "garment": ("show", "send"),
    "instrument": ("play", "repair"),
}
_USED = [(lemma, group) for group in USES for lemma in lexicon.NOUNS[group]]


def ending(world: World) -> Choice:
    """Who has what: people buy, find and give things away; then one of them uses a thing, which can only be what that
    person has. The wrong endings use what somebody else has by now, and what nobody bought."""
    one, two = _people(world, 2)
    mine, yours, also, nobodys = _different(world, _USED, 4)
    context = []
    for (lemma, group), owner, other in ((mine, one, two), (yours, two, one), (also, two, one)):
        thing, get = _the(lemma, group), world.pick(("buy", "find"))
        if world.chance(0.65):
            story = [Clause(owner, get, thing)]
        else:
            give = world.pick(("give", "send", "sell"))
            story = [Clause(other, get, thing), Clause(other, give, thing, obliques=(("to", owner),))]
        context.append(story)
    if world.chance(0.5):
        context.append([Clause(world.pick((one, two)), "buy", _the(*nobodys), negated=True)])
    endings = [
        f"{english_verb(world.pick(USES[group]), False, True)} the {lemma}."
        for lemma, group in (mine, yours, also, nobodys)
    ]
    return _choice(world, _merged(world, context), one.head, endings[0], endings[1:])


def _merged(world: World, stories: list[list]) -> list:
    """Stories told at once, each in its own order."""
    order = _shuffled(world, [i for i, story in enumerate(stories) for _ in story])
    rest = [iter(story) for story in stories]
    return [next(rest[i]) for i in order]


# Why, what then, where (CosmosQA)

# Deeds and what comes of them: a quality that somebody has then, or what they do
EFFECTS = {
    "sell": "rich",
    "buy": "poor",
    "find": "laugh",
    "repair": "dance",
    "push": "sleep",
    "write": "wait",
}
_QUALITIES = ("rich", "poor")
_DONE_TO = {  # things and the deeds that have effects on those who do them
    group: [v.lemma for v in lexicon.TRANSITIVE if v.lemma in EFFECTS and group in v.objects] for group in USES
}


def _effect(person: Phrase, deed: str) -> Clause:
    effect = EFFECTS[deed]
    return Clause(person, "be", quality=effect) if effect in _QUALITIES else Clause(person, effect)


def story(world: World) -> Choice:
    """A short story and a question on it."""
    return world.pick((_why, _then, _where))(world)


def _why(world: World) -> Choice:
    """Two deeds of one person, of which one explains; others did the same deeds with each other's things."""
    (one, two), group = _people(world, 2), world.pick(list(USES))
    deeds, things = _different(world, _DONE_TO[group], 2), _different(world, lexicon.NOUNS[group], 2)
    things = [_the(lemma, group) for lemma in things]
    context = [Clause(one, deed, thing) for deed, thing in zip(deeds, things, strict=True)]
    context += [Clause(two, deed, thing) for deed, thing in zip(deeds, things[::-1], strict=True) if world.chance(0.6)]
    effect = EFFECTS[deeds[0]]
    question = f"Why was {one.head} {effect}?" if effect in _QUALITIES else f"Why did {one.head} {effect}?"
    options = [_said(Clause(one, deed, thing)) for deed in deeds for thing in things]
    return _choice(world, _shuffled(world, context), question, options[0], options[1:])


def _then(world: World) -> Choice:
    """Three deeds of three people; what may happen is the effect of one of them on the one who did it."""
    one, two, three = _people(world, 3)
    first, second, third = _different(world, list(EFFECTS), 3)
    context = []
    for person, deed in ((one, first), (two, third), (three, second)):
        group = world.pick([group for group, deeds in _DONE_TO.items() if deed in deeds])
        context.append(Clause(person, deed, _the(world.pick(lexicon.NOUNS[group]), group)))
    options = [_said(_effect(person, deed)) for person in (one, two) for deed in (first, second)]
    return _choice(world, _shuffled(world, context), "What may happen after that?", options[0], options[1:])


def _where(world: World) -> Choice:
    """Two people travel twice; one of them is where they went last."""
    one, two = _people(world, 2)
    cities = _different(world, lexicon.CITIES, 4)
    journeys = [
        Clause(person, world.pick(("go", "travel", "return")), obliques=(("to", _city(name)),))
        for person, name in zip((one, one, two, two), cities, strict=True)
    ]
    context = _merged(world, [journeys[:2], journeys[2:]])
    options = [f"In {name}." for name in cities]
    return _choice(world, context, f"Where may {one.head} be now?", options[1], (options[0], *options[2:]))


def _city(name: str) -> Phrase:
    return Phrase("name", name, "city", parts=((name, "place"),), tag="LOC")


# What kind of thing fits (CommonsenseQA)

_KINDS = [kind for kind in lexicon.NOUNS if kind not in ("film", "service", "organisation")]
_TAKES = {
    verb.lemma: frozenset(kind for kind in _KINDS if kind in verb.objects)
    for verb in [*lexicon.TRANSITIVE, *lexicon.GIVING]
}


def _fitting() -> dict[str, list[tuple]]:
    """Every question by the kinds that fit: two verbs, their link, and kinds that do not fit although one verb takes
    them."""
    found: dict[str, list[tuple]] = {kind: [] for kind in _KINDS}
    for one, first in _TAKES.items():
        for two, second in _TAKES.items():
            for link, fits in (("and", first & second), ("but not", first - second)):
                near = sorted((first | second) - fits)
                if one != two and near:
                    for kind in fits:
                        found[kind].append((one, two, link, fits, near))
    return {kind: questions for kind, questions in found.items() if questions}


_FITTING = _fitting()


def fitting(world: World) -> Choice:
    """What can one do both this and that with, or this and not that? The wrong options are of kinds that only one of
    the verbs takes, or neither."""
    kind = world.pick(list(_FITTING))
    one, two, link, fits, near = world.pick(_FITTING[kind])
    right, wrong = world.pick(lexicon.NOUNS[kind]), []
    others = [other for other in _KINDS if other not in fits]
    while len(wrong) < 4:
        noun = world.pick(lexicon.NOUNS[world.pick(near if len(wrong) < 2 else others)])
        if noun not in wrong:
            wrong.append(noun)
    place = f" {world.pick(('in', 'near'))} {world.pick(lexicon.CITIES)}" if world.chance(0.5) else ""
    question = f"What can {world.pick(_PEOPLE)} {one} {link} {two}{place}?"
    return _choice(world, [], question, right, wrong, one)
