"""English and eight counterfactual languages: a typology of each, and the words that follow from it. They differ by
degree in what multilingual encoders were shown to depend on: word order (Dufter & Schütze 2020, arXiv 2005.00396;
Deshpande et al. 2022, arXiv 2110.14782), script and the share of words in common (K et al. 2020, arXiv 1912.07840:
little effect in large models; Deshpande et al.: large without a shared word order), and morphology. A word is either a
cognate of the English one, after the language's regular sound changes, or a root that only this language has."""

import itertools
import re
import zlib
from dataclasses import dataclass
from functools import cache, cached_property
from random import Random
from typing import TYPE_CHECKING

from xlt_utils.microworld import lexicon

if TYPE_CHECKING:
    import pandas

NOMINATIVE, ACCUSATIVE, OBLIQUE = "nominative", "accusative", "oblique"


@dataclass(frozen=True)
class Grammar:
    """A language. `adpositions` and `adjectives` stand "before" or "after" the noun; `cognates` is the share of words
    with an English root; `morphology` is fused (one ending for all features), chained (an ending for each feature) or
    separate (words instead of endings)."""

    code: str
    name: str
    iso3: str
    order: str = "SVO"
    adpositions: str = "before"
    adjectives: str = "before"
    articles: bool = True
    case: bool = False
    morphology: str = "fused"
    script: str = "Latin"
    cognates: float = 1.0
    sounds: tuple[tuple[str, str], ...] = ()  # (pattern, replacement), in this order, on a cognate's English spelling
    syllables: tuple[str, str, str] = ("", "", "")  # onsets, vowels and codas of roots that are no cognates
    english_endings: tuple[tuple[str, str], ...] = ()  # (feature, ending) as in English

    @property
    def ud_name(self) -> str:
        """The name in UDPOS's config names."""
        return "English" if self.code == "en" else self.name

    @property
    def umsab_name(self) -> str:
        """The config name in UMSAB, the sentiment sets."""
        return self.ud_name.lower()

    @property
    def distance(self) -> float:
        """The distance from English, 0 to 1: three fifths for words (the share not in common, where a word in another
        script counts as half in common), two fifths for structure."""
        words = 1 - self.cognates * (1 if self.script == "Latin" else 0.5)
        pairs = itertools.combinations("SVO", 2)
        swapped = sum(self.order.index(a) > self.order.index(b) for a, b in pairs) / 3
        differences = [
            self.adpositions != "before",
            self.adjectives != "before",
            not self.articles,
            self.case,
            self.morphology != "fused",
        ]
        return round(0.6 * words + 0.2 * swapped + 0.2 * sum(differences) / len(differences), 3)

    @cached_property
    def roots(self) -> dict[str, str]:
        """The language's word for every English lemma, in Latin letters and without endings."""
        english = {lemma: lemma for lemmas in lexicon.lemmas_by_class().values() for lemma in lemmas}
        if self.code == "en":
            return english
        random = Random(f"roots of {self.code}")
        roots: dict[str, str] = {}
        taken: set[str] = set()
        for kind, lemmas in lexicon.lemmas_by_class().items():
            cognates = set(sorted(lemmas, key=self._cognate_rank)[: round(self.cognates * len(lemmas))])
            for lemma in lemmas:
                root = self.apply_sound_changes(lemma) if lemma in cognates else ""
                while not root or root in taken:
                    # No false friends: a root that is no cognate is no other English word either.
                    root = self._root(random, 1 if kind == "function" else 2)
                    root = "" if root in english else root
                taken.add(root)
                roots[lemma] = root.capitalize() if kind == "day" else root
        return roots

    def _cognate_rank(self, lemma: str) -> float:
        """Lemmas of low rank become cognates first. The rank depends mostly on the lemma, so that near languages keep
        the cognates of far ones, and more."""
        return zlib.crc32(lemma.encode()) + 0.5 * zlib.crc32(f"{lemma} {self.code}".encode())

    def apply_sound_changes(self, word: str) -> str:
        """Turn an English word into the language's cognate of it."""
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
    def endings(self) -> dict[str, str]:
        """Endings by feature: plural, accusative, oblique, past; a fused language has a separate one for each
        combination."""
        random, endings = Random(f"endings of {self.code}"), dict(self.english_endings)
        taken: set[str | None] = set()
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
            taken.add(endings.get(feature))
            while feature not in endings:
                vowels, codas = (part.split() for part in self.syllables[1:])
                ending = vowels[int(random.random() * len(vowels))] + codas[int(random.random() * len(codas))]
                if ending not in taken:
                    taken.add(ending)
                    endings[feature] = ending
        return endings

    def inflect(self, root: str, *features: str) -> str:
        """Add to a root the endings for its features, given in the order number, case or tense."""
        features = tuple(feature for feature in features if feature and feature != NOMINATIVE)
        if not features or self.morphology == "separate":
            return root
        if self.morphology == "fused":
            return root + self.endings[" ".join(features)]
        return root + "".join(self.endings[feature] for feature in features)

    def in_script(self, word: str) -> str:
        """Write a word in the language's script."""
        return transliterate(word, self.script)


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
def transliterate(word: str, script: str) -> str:
    """Write a word in another script (Cyrillic or Georgian; others stay as they are), letter by letter; digits, symbols
    and punctuation stay. Georgian has no capitals."""
    letters = _LETTERS.get(script)
    if not letters:
        return word
    transliterated, rest = "", word.lower()
    while rest:
        size = 2 if rest[:2] in letters else 1
        transliterated += letters.get(rest[:size], rest[:size])
        rest = rest[size:]
    return transliterated.capitalize() if word[:1].isupper() and script == "Cyrillic" else transliterated


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
            "xa", "Near-SVO", "qaa", cognates=0.8, syllables=_NEAR,
            english_endings=(("plural", "s"), ("past", "ed")),
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


def typology() -> "pandas.DataFrame":
    """The languages as a table, nearest to English first; `same words` is counted, the rest is as declared.

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
                sum(g.in_script(root) == english[lemma] for lemma, root in g.roots.items()) / len(english), 3
            ),
            "distance": g.distance,
        }
        for g in LANGUAGES.values()
    ]
    return pandas.DataFrame(rows).sort_values("distance", ignore_index=True)
