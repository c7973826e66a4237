"""What there is to talk about: some 450 lemmas in English spelling, sorted into classes, with the relations
that labels come from. In go plain word lists; out come classes (`NOUNS["animal"]`), verb frames, hypernyms,
antonyms and names. Classes are listed from the commonest word to the rarest, and `spread` turns such a list
into a table to draw from with roughly Zipf's proportions."""

from typing import NamedTuple


class Verb(NamedTuple):
    """A verb and whom it takes: classes of the subject and of the object ('' for none)."""

    lemma: str
    subjects: tuple[str, ...]
    objects: tuple[str, ...]


NOUNS = {
    "role": "doctor teacher student singer farmer writer driver nurse worker lawyer painter soldier cook player guard king neighbour scientist",
    "animal": "dog cat horse bird cow wolf bear rabbit snake duck",
    "food": "bread apple cake soup egg potato pizza onion",
    "drink": "water tea coffee milk wine juice",
    "vehicle": "car bus train boat bike truck",
    "text": "book letter poem report article map",
    "tool": "key knife lamp hammer rope bucket camera",
    "garment": "coat hat shirt shoe dress",
    "instrument": "guitar piano drum violin",
    "building": "house school hospital church museum shop station bridge tower",
    "place": "park street garden market forest river lake beach",
    "film": "film story ending scene song actor plot dialogue music",
    "service": "hotel room phone restaurant staff breakfast battery screen taxi",
    "organisation": "bank university club company airline institute",
}
NOUNS = {kind: words.split() for kind, words in NOUNS.items()}
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
    Verb("lose", _people, ("text", "tool", "garment", "animal")),
    Verb("build", (*_people, "firm"), ("building", "vehicle", "instrument")),
    Verb("wear", _people, ("garment",)),
    Verb("play", _people, ("instrument",)),
    Verb("open", (*_people, "firm"), ("building",)),
    Verb("cook", _people, ("food",)),
    Verb("close", (*_people, "firm"), ("building",)),
    Verb("paint", _people, ("building", "animal", "vehicle")),
    Verb("hire", ("firm",), _people),
    Verb("repair", _people, ("vehicle", "tool", "building", "instrument")),
    Verb("attack", _animate, _animate),
    Verb("read", _people, ("text",)),
    Verb("push", _people, ("vehicle", "animal")),
    Verb("pull", _people, ("vehicle", "animal")),
    Verb("pay", ("firm",), _people),
    Verb("leave", _people, ("building", "place", "city")),
    Verb("enter", _people, ("building", "place", "city")),
]
INTRANSITIVE = [Verb(v, _animate, ()) for v in "sleep run wait walk swim".split()]
INTRANSITIVE += [Verb(v, _people, ()) for v in "work live dance laugh sing cry smoke".split()]
MOTION = [Verb(v, _people, ("city", "place", "building")) for v in "go travel return".split()]
GIVING = [Verb(v, _people, ANYTHING) for v in "give send show bring".split()]
SAYING = "say think know believe".split()
LIKING = {1: "love like enjoy recommend".split(), -1: "hate dislike regret avoid".split()}
PAST = dict(
    pair.split(":")
    for pair in "see:saw buy:bought find:found eat:ate drive:drove drink:drank write:wrote sell:sold lose:lost build:built wear:wore read:read"
    " pay:paid leave:left sleep:slept run:ran swim:swam sing:sang go:went give:gave send:sent bring:brought say:said think:thought"
    " know:knew have:had".split()
)

ADJECTIVES = {
    "plain": "big old small new young tall long heavy short fast slow strong weak light rich poor warm cold".split(),
    "colour": "red blue green white black yellow".split(),
}
PRAISE = "good great wonderful beautiful funny brilliant charming excellent fresh friendly delicious clean".split()
BLAME = "bad terrible boring awful ugly stupid dull horrible stale rude disgusting dirty".split()
ANTONYMS = dict(
    pair.split(":")
    for pair in "big:small old:new tall:short heavy:light fast:slow strong:weak rich:poor warm:cold".split()
)
ANTONYMS |= {
    "buy": "sell",
    "find": "lose",
    "open": "close",
    "push": "pull",
    "enter": "leave",
    "love": "hate",
    "help": "attack",
}
ANTONYMS |= {b: a for a, b in list(ANTONYMS.items())}

ADVERBS = {
    "manner": "quickly slowly quietly often again together happily".split(),
    "time": "yesterday today tomorrow now later".split(),
    "degree": "very really so quite".split(),
}
PREPOSITIONS = "in of to with near from on for behind".split()
DETERMINERS = "the a this every some that".split()
PRONOUNS = "i she he they we you it my".split()
MODALS = "will can must".split()
CONJUNCTIONS = "and but or".split()
SUBORDINATORS = "that because when although if".split()
INTERJECTIONS = "oh yes wow well".split()
NUMBERS = "two three four five six seven ten".split()
DAYS = "Monday Tuesday Friday Saturday Sunday".split()
OTHER = {"be": "AUX", "do": "AUX", "not": "PART", "have": "VERB", "there": "PRON", "plural": "PART", "mark": "ADP"}

# Names. Some serve twice (Lincoln the man, Lincoln the city; Lima the city, Lima Bank the firm), so that a name alone does not settle its class.
_twice = "Lincoln Austin Florence Victoria Sydney Jordan Hamilton Chester Georgia Marino".split()
GIVEN = "Anna Peter Maria John Laura Daniel Sara Victor Elena Thomas Nina Oscar Julia Martin Emma Leo Clara Hugo Eva Simon Rosa Felix".split()
GIVEN += _twice[1:5]
SURNAMES = (
    "Keller Novak Silva Moreno Hansen Tanaka Weber Rossi Costa Larsen Meyer Santos Petrov Lindgren Okafor Mendez Fischer Bergman"
    " Romero Takeda Bauer Olsen Popov Duarte Nilsen Varga Kimura Adeyemi Horvat Castro"
).split() + [_twice[i] for i in (0, 6, 7, 9, 5)]
CITIES = (
    "Lima Oslo Rome Cairo Vienna Madrid Prague Lagos Delhi Tokyo Geneva Lisbon Warsaw Dublin Havana Quito Riga Tunis Malmo Porto"
    " Turin Basel Accra Osaka"
).split() + [_twice[i] for i in (0, 1, 2, 3, 4, 6, 7, 9)]
COUNTRIES = "Kenya Peru Norway Brazil Japan Egypt India Poland Canada Chile Ghana Spain Jordan Georgia".split()
BRANDS = "Orion Vega Delta Nova Lumo Corvus Helix Atlas Mira Solaris Fenix Titan Quanta Zenit Victoria Acme".split()


def spread(words: list, cells: int = 512) -> list:
    """Repeat each word in proportion to 1 / (rank + 4): a uniform draw from the result is a draw by Zipf's law
    with its head cut off."""
    weights = [1 / (rank + 4) for rank in range(1, len(words) + 1)]
    return [
        word for word, w in zip(words, weights, strict=True) for _ in range(max(1, round(cells * w / sum(weights))))
    ]


def classes() -> dict[str, list[str]]:
    """Every translatable lemma by part of speech, in a fixed order; names are not among them.

    Praise and blame are classes of their own, so that each language shares the same part of both with English.
    """
    nouns = list(
        dict.fromkeys([w for words in NOUNS.values() for w in words] + list(HYPERNYMS.values()) + ["city", "star"])
    )
    verbs = list(dict.fromkeys([v.lemma for v in TRANSITIVE + INTRANSITIVE + MOTION + GIVING] + SAYING))
    function = PREPOSITIONS + DETERMINERS + PRONOUNS + MODALS + CONJUNCTIONS + SUBORDINATORS + INTERJECTIONS + NUMBERS
    return {
        "NOUN": nouns,
        "VERB": verbs,
        "ADJ": ADJECTIVES["plain"] + ADJECTIVES["colour"],
        "praise": PRAISE + LIKING[1],
        "blame": BLAME + LIKING[-1],
        "ADV": [w for words in ADVERBS.values() for w in words],
        "function": list(dict.fromkeys(function + list(OTHER))),
        "day": DAYS,
    }
