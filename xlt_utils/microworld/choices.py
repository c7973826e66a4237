"""Multiple-choice questions in English, for HellaSwag, CosmosQA and CommonsenseQA. The right answer follows from the
world: whoever has a thing can use it, deeds have effects, a verb takes some kinds of things and not others. The wrong
options combine the same people, deeds and things differently, so that neither an option without its story nor its
length or place gives the answer away."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeVar

from xlt_utils.microworld import lexicon
from xlt_utils.microworld.meanings import Clause, Phrase, Sentence, World
from xlt_utils.microworld.speech import Speaker, english_verb

Option = TypeVar("Option", str, tuple[str, str])


class Choice(NamedTuple):
    """A context (sentences), a question in English (or the beginning of a sentence), options and the number of the
    right one; `concept` is the word that the question is about."""

    context: tuple[Sentence, ...]
    question: str
    options: tuple[str, ...]
    label: int
    concept: str = ""


ENGLISH = Speaker("en")
_PEOPLE = tuple(dict.fromkeys(lexicon.FIRST_NAMES + lexicon.SURNAMES))


def _shuffled(world: World, items: Iterable) -> list:
    return [item for _, item in sorted((world.random(), item) for item in items)]


def _choice(
    world: World, context: list[Clause], question: str, right: str, wrong: Iterable[str], concept: str = ""
) -> Choice:
    options = _shuffled(world, (right, *wrong))
    sentences = tuple(Sentence((("", clause),)) for clause in context)
    return Choice(sentences, question, tuple(options), options.index(right), concept)


def _people(world: World, count: int) -> list[Phrase]:
    names = _different(world, _PEOPLE, count)
    return [Phrase("name", name, "name", parts=((name, "person"),), tag="PER") for name in names]


def _different(world: World, items: Sequence[Option], count: int) -> list[Option]:
    drawn: list[Option] = []
    while len(drawn) < count:
        item = world.pick(items)
        if item not in drawn:
            drawn.append(item)
    return drawn


def _the(lemma: str, group: str = "") -> Phrase:
    return Phrase("noun", lemma, group, determiner="the")


def _english(clause: Clause) -> str:
    return ENGLISH.text(Sentence((("", clause),)))


# What comes next (HellaSwag)

USES = {
    "food": ("eat", "cook"),
    "vehicle": ("drive", "repair"),
    "text": ("send", "show"),
    "tool": ("repair", "show"),
    "garment": ("show", "send"),
    "instrument": ("play", "repair"),
}
_USABLE = [(lemma, group) for group in USES for lemma in lexicon.NOUNS[group]]


def draw_ending(world: World) -> Choice:
    """Draw a story of who has what: people buy, find and give things away; then one of them uses a thing, which has to
    be one that this person has. The wrong endings use what somebody else has by now, and what nobody bought."""
    user, other = _people(world, 2)
    right, others_first, others_second, nobodys = _different(world, _USABLE, 4)
    stories = []
    for (lemma, group), owner, giver in (
        (right, user, other),
        (others_first, other, user),
        (others_second, other, user),
    ):
        thing, get = _the(lemma, group), world.pick(("buy", "find"))
        if world.chance(0.65):
            story = [Clause(owner, get, thing)]
        else:
            give = world.pick(("give", "send", "sell"))
            story = [Clause(giver, get, thing), Clause(giver, give, thing, obliques=(("to", owner),))]
        stories.append(story)
    if world.chance(0.5):
        stories.append([Clause(world.pick((user, other)), "buy", _the(*nobodys), negated=True)])
    endings = [
        f"{english_verb(world.pick(USES[group]), False, True)} the {lemma}."
        for lemma, group in (right, others_first, others_second, nobodys)
    ]
    return _choice(world, _interleaved(world, stories), user.head, endings[0], endings[1:])


def _interleaved(world: World, stories: list[list[Clause]]) -> list[Clause]:
    """Stories mixed into one, each in its own order."""
    order = _shuffled(world, [i for i, story in enumerate(stories) for _ in story])
    remaining = [iter(story) for story in stories]
    return [next(remaining[i]) for i in order]


# Why, what then, where (CosmosQA)

# Deeds and their effects: a quality that the person has afterwards, or what the person does
EFFECTS = {
    "sell": "rich",
    "buy": "poor",
    "find": "laugh",
    "repair": "dance",
    "push": "sleep",
    "write": "wait",
}
_QUALITIES = ("rich", "poor")
_DEEDS = {  # by kind of thing, the deeds that have an effect on whoever does them
    group: [v.lemma for v in lexicon.TRANSITIVE if v.lemma in EFFECTS and group in v.objects] for group in USES
}


def _effect(person: Phrase, deed: str) -> Clause:
    effect = EFFECTS[deed]
    return Clause(person, "be", quality=effect) if effect in _QUALITIES else Clause(person, effect)


def draw_story(world: World) -> Choice:
    """Draw a short story and a question on it."""
    return world.pick((_why, _then, _where))(world)


def _why(world: World) -> Choice:
    """Two deeds of one person, of which one is the cause; another person may have done the same deeds to the same
    things the other way round."""
    (person, other), group = _people(world, 2), world.pick(list(USES))
    deeds, lemmas = _different(world, _DEEDS[group], 2), _different(world, lexicon.NOUNS[group], 2)
    things = [_the(lemma, group) for lemma in lemmas]
    context = [Clause(person, deed, thing) for deed, thing in zip(deeds, things, strict=True)]
    exchanged = zip(deeds, things[::-1], strict=True)
    context += [Clause(other, deed, thing) for deed, thing in exchanged if world.chance(0.6)]
    effect = EFFECTS[deeds[0]]
    question = f"Why {'was' if effect in _QUALITIES else 'did'} {person.head} {effect}?"
    options = [_english(Clause(person, deed, thing)) for deed in deeds for thing in things]
    return _choice(world, _shuffled(world, context), question, options[0], options[1:])


def _then(world: World) -> Choice:
    """Three deeds of three people; what may happen is the effect of one deed on the person who did it."""
    people = _people(world, 3)
    first, second, third = _different(world, list(EFFECTS), 3)
    context = []
    for person, deed in zip(people, (first, third, second), strict=True):
        group = world.pick([group for group, deeds in _DEEDS.items() if deed in deeds])
        context.append(Clause(person, deed, _the(world.pick(lexicon.NOUNS[group]), group)))
    options = [_english(_effect(person, deed)) for person in people[:2] for deed in (first, second)]
    return _choice(world, _shuffled(world, context), "What may happen after that?", options[0], options[1:])


def _where(world: World) -> Choice:
    """Two people travel twice; each is where their last journey went."""
    traveller, other = _people(world, 2)
    cities = _different(world, lexicon.CITIES, 4)
    journeys = [
        Clause(person, world.pick(("go", "travel", "return")), obliques=(("to", _city(name)),))
        for person, name in zip((traveller, traveller, other, other), cities, strict=True)
    ]
    context = _interleaved(world, [journeys[:2], journeys[2:]])
    options = [f"In {name}." for name in cities]
    return _choice(world, context, f"Where may {traveller.head} be now?", options[1], (options[0], *options[2:]))


def _city(name: str) -> Phrase:
    return Phrase("name", name, "city", parts=((name, "place"),), tag="LOC")


# What kind of thing fits (CommonsenseQA)

_KINDS = [kind for kind in lexicon.NOUNS if kind not in ("film", "service", "organisation")]
_TAKES = {
    verb.lemma: frozenset(kind for kind in _KINDS if kind in verb.objects)
    for verb in [*lexicon.TRANSITIVE, *lexicon.GIVING]
}


def _fitting() -> dict[str, list[tuple]]:
    """By kind of thing, the questions that it answers: two verbs, their link, the kinds that fit, and the kinds that do
    not although one verb takes them."""
    questions: dict[str, list[tuple]] = {kind: [] for kind in _KINDS}
    for first, first_kinds in _TAKES.items():
        for second, second_kinds in _TAKES.items():
            for link, fits in (("and", first_kinds & second_kinds), ("but not", first_kinds - second_kinds)):
                near = sorted((first_kinds | second_kinds) - fits)
                if first != second and near:
                    for kind in fits:
                        questions[kind].append((first, second, link, fits, near))
    return {kind: rows for kind, rows in questions.items() if rows}


_FITTING = _fitting()


def draw_fitting(world: World) -> Choice:
    """Draw a question for something that two verbs take, or one verb and not the other. The wrong options are of kinds
    that only one of the verbs takes, or neither."""
    kind = world.pick(list(_FITTING))
    first, second, link, fits, near = world.pick(_FITTING[kind])
    right = world.pick(lexicon.NOUNS[kind])
    wrong: list[str] = []
    others = [other for other in _KINDS if other not in fits]
    while len(wrong) < 4:
        noun = world.pick(lexicon.NOUNS[world.pick(near if len(wrong) < 2 else others)])
        if noun not in wrong:
            wrong.append(noun)
    place = f" {world.pick(('in', 'near'))} {world.pick(lexicon.CITIES)}" if world.chance(0.5) else ""
    question = f"What can {world.pick(_PEOPLE)} {first} {link} {second}{place}?"
    return _choice(world, [], question, right, wrong, first)
