"""English and eight counterfactual languages: a typology of each, and the words that follow from it. They
differ by degree in what multilingual encoders were found to need or to miss: word order (Dufter & Schütze 2020,
arXiv 2005.00396; Deshpande et al. 2022, arXiv 2110.14782), script and the share of words in common (K et al.
2020, arXiv 1912.07840: little effect in large models; Deshpande et al.: large without a shared word order),
morphology. A word is a cognate of the English one, through the language's regular sound changes, or a root of
its own."""

import itertools
import re
import zlib
from dataclasses import dataclass, field
from functools import cache, cached_property
from random import Random

from xlt_utils.microworld import lexicon

NOMINATIVE, ACCUSATIVE, OBLIQUE = "nominative", "accusative", "oblique"


@dataclass(frozen=True)
class Grammar:
    """A language. Sides (`adpositions`, `adjectives`) are "before" or "after" the noun; `cognates` is the share
    of words with an English root."""

    code: str
    name: str
    iso3: str
    order: str = "SVO"
    adpositions: str = "before"
    adjectives: str = "before"
    articles: bool = True
    case: bool = False
    morphology: str = (
        "fused"  # fused: one ending for everything | chained: an ending each | separate: words of their own
    )
    script: str = "Latin"
    cognates: float = 1.0
    sounds: tuple[tuple[str, str], ...] = ()  # (pattern, replacement), in this order, on a cognate's English spelling
    syllables: tuple[str, str, str] = ("", "", "")  # onsets, vowels and codas of the language's own roots
    endings: tuple[tuple[str, str], ...] = field(default=())  # those that are like English

    @property
    def ud_name(self) -> str:
        return "English" if self.code == "en" else self.name

    @property
    def umsab_name(self) -> str:
        return self.ud_name.lower()

    @property
    def distance(self) -> float:
        """How far from English, 0 to 1: three fifths words (not in common; half where another
        script hides them), two fifths structure."""
        words = 1 - self.cognates * (1 if self.script == "Latin" else 0.5)
        pairs = itertools.combinations("SVO", 2)
        swapped = sum(self.order.index(a) > self.order.index(b) for a, b in pairs) / 3
        others = [
            self.adpositions != "before",
            self.adjectives != "before",
            not self.articles,
            self.case,
            self.morphology != "fused",
        ]
        return round(0.6 * words + 0.2 * swapped + 0.2 * sum(others) / len(others), 3)

    @cached_property
    def roots(self) -> dict[str, str]:
        """The language's word for every English lemma, in Latin letters and without endings."""
        found: dict[str, str] = {}
        if self.code == "en":
            return {lemma: lemma for words in lexicon.classes().values() for lemma in words}
        english = {lemma for words in lexicon.classes().values() for lemma in words}
        random, taken = Random(f"roots of {self.code}"), set()
        for kind, words in lexicon.classes().items():
            inherited = set(sorted(words, key=lambda word: self._alienness(word))[: round(self.cognates * len(words))])
            for lemma in words:
                root = self.changed(lemma) if lemma in inherited else ""
                while not root or root in taken:
                    # No false friends: a root of its own is no English word either.
                    root = self._root(random, 1 if kind == "function" else 2)
                    root = "" if root in english else root
                taken.add(root)
                found[lemma] = root.capitalize() if kind == "day" else root
        return found

    def _alienness(self, lemma: str) -> float:
        """Low: an early cognate. Mostly a matter of the word, so that near languages keep what far ones keep,
        and more."""
        return zlib.crc32(lemma.encode()) + 0.5 * zlib.crc32(f"{lemma} {self.code}".encode())

    def changed(self, word: str) -> str:
        """A word after the language's sound changes."""
        for pattern, replacement in self.sounds:
            word = re.sub(pattern, replacement, word)
        return word

    def _root(self, random: Random, syllables: int) -> str:
        onsets, vowels, codas = (part.split() for part in self.syllables)
        parts = []
        for i in range(syllables):
            coda = codas[int(random.random() * len(codas))] if i == syllables - 1 and random.random() < 0.6 else ""
            parts.append(onsets[int(random.random() * len(onsets))] + vowels[int(random.random() * len(vowels))] + coda)
        return "".join(parts)

    @cached_property
    def ending(self) -> dict[str, str]:
        """Endings by feature: plural, accusative, oblique, past; a fused language has one of its own for each
        combination."""
        random, found, taken = Random(f"endings of {self.code}"), dict(self.endings), set()
        for feature in (
            "plural",
            ACCUSATIVE,
            OBLIQUE,
            f"plural {ACCUSATIVE}",
            f"plural {OBLIQUE}",
            "past",
            "plural past",
            "agreement",
        ):
            taken.add(found.get(feature))
            while feature not in found:
                vowels, codas = (part.split() for part in self.syllables[1:])
                ending = vowels[int(random.random() * len(vowels))] + codas[int(random.random() * len(codas))]
                if ending not in taken:
                    taken.add(ending)
                    found[feature] = ending
        return found

    def inflected(self, root: str, *features: str) -> str:
        """A root with the endings for its features, in the order number, case or tense."""
        features = tuple(feature for feature in features if feature and feature != NOMINATIVE)
        if not features or self.morphology == "separate":
            return root
        if self.morphology == "fused":
            return root + self.ending[" ".join(features)]
        return root + "".join(self.ending[feature] for feature in features)

    def written(self, word: str) -> str:
        """A word in the language's script."""
        return transliterated(word, self.script)


_ALPHABET = "sh ch th zh ts ck qu a b c d e f g h i j k l m n o p r s t u v w x y z"
_LETTERS = {
    "Cyrillic": dict(
        zip(_ALPHABET.split(), "ш ч ф ж ц к кв а б к д е ф г х и й к л м н о п р с т у в в кс ы з".split(), strict=True)
    ),
    "Georgian": dict(
        zip(_ALPHABET.split(), "შ ჩ თ ჟ ც კ ყ ა ბ კ დ ე ფ გ ჰ ი ჯ ქ ლ მ ნ ო პ რ ს ტ უ ვ ვ ხ ი ზ".split(), strict=True)
    ),
}


@cache
def transliterated(word: str, script: str) -> str:
    """A word in another script, letter by letter; digits, symbols and punctuation stay. Georgian knows no capitals."""
    letters = _LETTERS.get(script)
    if not letters:
        return word
    found, rest = "", word.lower()
    while rest:
        size = 2 if rest[:2] in letters else 1
        found += letters.get(rest[:size], rest[:size])
        rest = rest[size:]
    return found.capitalize() if word[:1].isupper() and script == "Cyrillic" else found


_NEAR = ("b d f g h k l m n p r s t v w br st kl", "a e i o u ai", "n r t l s m nd")
_EAST = ("b d g k l m n p r s t v z zh ts tr gr", "a e i o u ya", "v k n sh l st")
_SOUTH = ("b d k l m n p r s t y ch g h", "a e i o u", "n r l k m")
_ISLAND = ("k l m n p t h w ng mb", "a i u ao ui ei", "ng p k")
_GEORGIAN = ("b d g k l m n r s t z kh gv mt", "a e i o u", "b d s r li m")

LANGUAGES: dict[str, Grammar] = {
    grammar.code: grammar
    for grammar in (
        Grammar("en", "English", "eng"),
        Grammar(
            "xa", "Near-SVO", "qaa", cognates=0.8, syllables=_NEAR, endings=(("plural", "s"), ("past", "ed")),
            sounds=(("th", "d"), ("w", "v"), ("ck", "k"), ("sh", "sk"), ("ee|ea", "e"), ("y$", "ig")),
        ),
        Grammar(
            "xb", "Case-SVO", "qab", cognates=0.65, case=True, syllables=_NEAR,
            sounds=(("th", "t"), ("w", "v"), ("ee|ea|ie", "i"), ("ou|oo", "u"), ("e$", "a"), ("c(?=[aou])", "k")),
        ),
        Grammar(
            "xc", "Kin-VSO", "qac", order="VSO", cognates=0.55, adjectives="after", syllables=_SOUTH,
            sounds=(("th", "t"), ("wh?", "gu"), ("k", "c"), ("(?<=[td])$", "e"),
                    ("ee|ea", "i"), ("^s(?=[^aeiou])", "es")),
        ),
        Grammar(
            "xd", "Cyr-SVO", "qad", cognates=0.5, script="Cyrillic", case=True, articles=False, syllables=_EAST,
            sounds=(("w", "v"), ("ee|ea", "i"), ("e$", ""), ("ou|oo", "u")),
        ),
        Grammar(
            "xe", "Kin-SOV", "qae", order="SOV", cognates=0.4, adpositions="after", articles=False, case=True,
            morphology="chained", syllables=_SOUTH,
            sounds=(("th", "t"), ("w", "v"), ("ee|ea", "i"), ("f", "p"), ("e$", "i"), ("ck?", "k")),
        ),
        Grammar(
            "xf", "Far-OVS", "qaf", order="OVS", cognates=0.25, adpositions="after", case=True, syllables=_EAST,
            sounds=(("th", "z"), ("w", "v"), ("o", "u"), ("a", "o"), ("e$", "")),
        ),
        Grammar(
            "xg", "Far-SVO", "qag", cognates=0.08, articles=False, adjectives="after", morphology="separate",
            syllables=_ISLAND, sounds=(("th", "t"), ("r", "l"), ("s$", "")),
        ),
        Grammar(
            "xh", "Geo-SOV", "qah", order="SOV", cognates=0.08, adpositions="after", articles=False, case=True,
            morphology="chained", script="Georgian", syllables=_GEORGIAN, sounds=(("w", "v"),),
        ),
    )
}  # fmt: skip


def typology():
    """The languages as a table (pandas.DataFrame), nearest to English first; `same words` is counted, the rest
    is as declared.

    Columns: code, name, order, adpositions, adjectives, articles, case, morphology, script, shared words (share
    of cognates), same words (share of the lexicon spelt as in English), distance (0..1).
    """
    import pandas

    english = LANGUAGES["en"].roots
    rows = [
        {
            "code": g.code,
            "name": g.name,
            "order": g.order,
            "adpositions": g.adpositions,
            "adjectives": g.adjectives,
            "articles": g.articles,
            "case": g.case,
            "morphology": g.morphology,
            "script": g.script,
            "shared words": g.cognates,
            "same words": round(
                sum(g.written(root) == english[lemma] for lemma, root in g.roots.items()) / len(english), 3
            ),
            "distance": g.distance,
        }
        for g in LANGUAGES.values()
    ]
    return pandas.DataFrame(rows).sort_values("distance", ignore_index=True)
