"""Says a meaning in a language: words in the language's order, with its endings and in its script, each with
its part of speech (UD's seventeen) and its entity tag (PAN-X's IOB2). One `Speaker` a language; the same
meaning always gives the same words."""

from typing import NamedTuple

from xlt_utils.microworld import lexicon
from xlt_utils.microworld.grammar import ACCUSATIVE, LANGUAGES, NOMINATIVE, OBLIQUE
from xlt_utils.microworld.meanings import Clause, Phrase, Sentence

SIDES = {"before": True, "after": False}
TIMES = frozenset(lexicon.ADVERBS["time"])
_POS = {
    **dict.fromkeys(lexicon.PREPOSITIONS, "ADP"),
    **dict.fromkeys(lexicon.DETERMINERS, "DET"),
    **dict.fromkeys(lexicon.PRONOUNS, "PRON"),
    **dict.fromkeys(lexicon.MODALS, "AUX"),
    **dict.fromkeys(lexicon.CONJUNCTIONS, "CCONJ"),
    **dict.fromkeys(lexicon.SUBORDINATORS, "SCONJ"),
    **dict.fromkeys(lexicon.INTERJECTIONS, "INTJ"),
    **dict(zip(lexicon.MARKERS, ("ADV", "ADV", "INTJ"), strict=True)),
    **dict.fromkeys(lexicon.NUMBERS, "NUM"),
    **{adverb: "ADV" for adverbs in lexicon.ADVERBS.values() for adverb in adverbs},
    **lexicon.OTHER,
}
_PUNCTUATION = frozenset("().!,?—/")
_GLUE = (
    (" .", "."),
    (" ,", ","),
    (" !", "!"),
    (" ?", "?"),
    ("( ", "("),
    (" )", ")"),
    ("$ ", "$"),
    (" %", "%"),
    ("# ", "#"),
    (" 's", "'s"),
)


class Token(NamedTuple):
    """A word with its part of speech and entity tag."""

    text: str
    pos: str
    ner: str = "O"


class Speaker:
    """Renders meanings in one language. Inflected words are made once and kept."""

    def __init__(self, code: str):
        self.grammar = grammar = LANGUAGES[code]
        self.english = code == "en"
        self.prepositions = SIDES[grammar.adpositions]
        self.initial = grammar.order in ("SVO", "VSO")  # auxiliaries and negation stand before the verb
        self._tokens: dict[tuple, Token] = {}

    def say(self, sentence: Sentence) -> list[Token]:
        """The tokens of a sentence, the first one capitalised where the script has capitals."""
        tokens: list[Token] = []
        if sentence.opener:
            tokens += [self._function(sentence.opener, _POS[sentence.opener]), Token(",", "PUNCT")]
        for i, (connective, clause) in enumerate(sentence.clauses):
            words = self.clause(clause)
            if connective:
                pos = "SCONJ" if connective == "that" else _POS[connective]
                link = self._function(connective, pos)
                words = [link, *words] if self.prepositions or pos == "CCONJ" else [*words, link]
            if i and (connective in ("", "but") or not self.prepositions):
                tokens.append(Token(",", "PUNCT"))
            tokens += words
        tokens.append(Token(sentence.mark, "PUNCT"))
        tokens += [self._symbol(symbol) for symbol in sentence.symbols]
        first = tokens[0]
        if first.text[0].islower() and self.grammar.script != "Georgian":
            tokens[0] = Token(first.text[0].upper() + first.text[1:], first.pos, first.ner)
        return tokens

    def text(self, sentence: Sentence) -> str:
        """A sentence as running text."""
        return joined(self.say(sentence))

    # Clauses

    def clause(self, clause: Clause) -> list[Token]:
        subject = self.phrase(clause.subject, NOMINATIVE)
        plural = clause.subject.plural or clause.subject.companion is not None
        verb = self._predicate(clause, plural)
        if clause.quality:
            rest = [self._function(clause.degree, "ADV")] if clause.degree else []
            rest.append(self._adjective(clause.quality, plural, NOMINATIVE))
        elif clause.object:
            rest = self.phrase(clause.object, NOMINATIVE if clause.verb == "be" else ACCUSATIVE)
        else:
            rest = []
        around = [word for preposition, phrase in clause.obliques for word in self._oblique(preposition, phrase)]
        manner = [self._function(clause.manner, "ADV")] if clause.manner else []
        time = [self._function(clause.time, "ADV")] if clause.time else []
        if clause.there:
            there = [self._function("there", "PRON")]
            if self.english or self.initial:
                return (
                    there + verb + subject + around if self.grammar.order == "SVO" else verb + there + subject + around
                )
            return around + subject + verb
        match self.grammar.order:
            case "SVO":
                return subject + verb + rest + around + manner + time
            case "VSO":
                return verb + subject + rest + around + manner + time
            case "SOV":
                return time + subject + around + rest + manner + verb
            case _:
                return time + rest + manner + verb + subject + around

    def _predicate(self, clause: Clause, plural: bool) -> list[Token]:
        grammar, past = self.grammar, clause.tense == "past"
        helpers = [self._function(clause.modal, "AUX")] if clause.modal else []
        no = [self._function("not", "PART")] if clause.negated else []
        if self.english:
            if clause.verb == "be":
                return [Token(self._be(clause, plural), "AUX"), *no]
            if clause.modal or clause.negated:
                do = Token("did" if past else "do" if plural or clause.subject.head in ("i",) else "does", "AUX")
                return [*(helpers or [do]), *no, Token(clause.verb, "VERB")]
            return [self._english_verb(clause, plural, past)]
        if grammar.morphology == "separate" and past and not clause.modal:
            helpers = [self._function("do", "AUX")]
        verb = self._verb(clause.verb, past and not clause.modal, plural)
        return [*helpers, *no, verb] if self.initial else [verb, *no, *helpers]

    def _be(self, clause: Clause, plural: bool) -> str:
        if clause.modal:
            return "be"
        if clause.subject.head == "i" and clause.subject.kind == "pronoun":
            return "was" if clause.tense == "past" else "am"
        return ("were" if plural else "was") if clause.tense == "past" else ("are" if plural else "is")

    def _english_verb(self, clause: Clause, plural: bool, past: bool) -> Token:
        key = (clause.verb, plural or clause.subject.head == "i", past)
        if key not in self._tokens:
            self._tokens[key] = Token(english_verb(*key), "VERB")
        return self._tokens[key]

    def _verb(self, lemma: str, past: bool, plural: bool) -> Token:
        key = ("verb", lemma, past, plural)
        if key not in self._tokens:
            g = self.grammar
            if g.morphology == "chained":
                features = ("past" if past else "", "agreement" if plural else "")
            else:
                features = ("plural" if past and plural else "", "past" if past else "agreement" if plural else "")
                features = (" ".join(f for f in features if f),)
            self._tokens[key] = Token(
                g.written(g.inflected(g.roots[lemma], *features)), "AUX" if lemma == "be" else "VERB"
            )
        return self._tokens[key]

    # Phrases

    def _oblique(self, preposition: str, phrase: Phrase) -> list[Token]:
        adposition = self._function(preposition, "ADP")
        words = self.phrase(phrase, OBLIQUE)
        return [adposition, *words] if self.prepositions else [*words, adposition]

    def phrase(self, phrase: Phrase, case: str) -> list[Token]:
        if not self.grammar.case:
            case = NOMINATIVE
        if phrase.companion:
            return [
                *self.phrase(phrase._replace(companion=None), case),
                self._function("and", "CCONJ"),
                *self.phrase(phrase.companion, case),
            ]
        if phrase.kind == "pronoun":
            text = phrase.head.capitalize() if self.english and phrase.head == "i" else ""
            return [
                Token(text, "PRON")
                if text
                else self._noun(phrase.head, "PRON", False, case if not self.english else NOMINATIVE)
            ]
        if phrase.kind == "name":
            return self._name(phrase, case)
        words = []
        if phrase.number:
            words.append(self._number(phrase.number))
            if phrase.head == phrase.number:  # a year
                return words
        noun = self._noun(phrase.head, "NOUN", phrase.plural, case)
        adjectives = [self._adjective(adjective, phrase.plural, case) for adjective in phrase.adjectives]
        words += [*adjectives, noun] if SIDES[self.grammar.adjectives] else [noun, *adjectives]
        if phrase.plural and not phrase.number and self.grammar.morphology == "separate":
            words.append(self._function("plural", "PART"))
        determiner = phrase.determiner
        if determiner and (self.grammar.articles or determiner not in ("a", "the")):
            if self.english and determiner == "a" and words[0].text[0] in "aeiou":
                words.insert(0, Token("an", "DET"))
            else:
                words.insert(0, self._function(determiner, "PRON" if determiner == "my" else "DET"))
        if phrase.of:
            owner = self._oblique("of", phrase.of)
            words = [*words, *owner] if self.prepositions else [*owner, *words]
        return words

    def _name(self, phrase: Phrase, case: str) -> list[Token]:
        """The parts of a name; the last one takes the case. "Bank of Kenya" is turned round where adpositions
        follow."""
        key = (phrase.parts, phrase.tag, case)
        if key not in self._tokens:
            parts = phrase.parts if self.prepositions or len(phrase.parts) < 3 else phrase.parts[::-1]
            words = []
            for i, (text, kind) in enumerate(parts):
                ner = f"{'I' if i else 'B'}-{phrase.tag}" if phrase.tag else "O"
                if kind == "of":
                    words.append(Token(self.grammar.written(self.grammar.roots["of"]), "ADP", ner))
                    continue
                root = self.grammar.roots[text] if kind in ("noun", "day") else text
                if kind == "noun":
                    root = root.capitalize()
                if i == len(parts) - 1 and case != NOMINATIVE and kind != "brand":
                    root = self.grammar.inflected(root, case)
                words.append(Token(root if kind == "brand" else self.grammar.written(root), "PROPN", ner))
            self._tokens[key] = words
        return self._tokens[key]

    def _noun(self, lemma: str, pos: str, plural: bool, case: str) -> Token:
        key = (lemma, pos, plural, case)
        if key not in self._tokens:
            g = self.grammar
            if self.english:
                word = english_plural(lemma) if plural else lemma
            else:
                word = g.written(g.inflected(g.roots[lemma], "plural" if plural else "", case))
            self._tokens[key] = Token(word, pos)
        return self._tokens[key]

    def _adjective(self, lemma: str, plural: bool, case: str) -> Token:
        """Adjectives agree with their noun in fused languages with case."""
        if self.grammar.morphology == "fused" and self.grammar.case:
            return self._noun(lemma, "ADJ", plural, case if self.grammar.case else NOMINATIVE)
        return self._function(lemma, "ADJ")

    def _number(self, number: str) -> Token:
        return Token(number, "NUM") if number.isdigit() else self._function(number, "NUM")

    def _symbol(self, symbol: str) -> Token:
        if symbol in _PUNCTUATION:
            return Token(symbol, "PUNCT")
        return Token(symbol, "NUM" if symbol.isdigit() else "X" if symbol[0] == "@" else "SYM")

    def _function(self, lemma: str, pos: str) -> Token:
        """A word that does not change."""
        key = (lemma, pos)
        token = self._tokens.get(key)
        if token is None:
            token = self._tokens[key] = Token(self.grammar.written(self.grammar.roots[lemma]), pos)
        return token


def joined(tokens: list[Token]) -> str:
    """Tokens as running text: no space before a full stop or within brackets."""
    text = " ".join([token[0] for token in tokens])
    for apart, together in _GLUE:
        if apart in text:
            text = text.replace(apart, together)
    return text


def english_plural(lemma: str) -> str:
    if lemma == "person":
        return "people"
    if lemma.endswith(("s", "sh", "ch", "x")) or lemma == "potato":
        return lemma + "es"
    return lemma[:-1] + "ies" if lemma[-1] == "y" and lemma[-2] not in "aeiou" else lemma + "s"


def english_verb(lemma: str, plain: bool, past: bool) -> str:
    """A verb's past, or its present: with -s unless `plain` (plural subjects and I)."""
    ending = lemma[:-1] + "i" if lemma[-1] == "y" and lemma[-2] not in "aeiou" else lemma
    if past:
        return lexicon.PAST.get(lemma) or ending.removesuffix("e") + "ed"
    if plain:
        return lemma
    if lemma == "have":
        return "has"
    return ending + ("es" if ending.endswith(("s", "sh", "ch", "x", "i", "go")) else "s")
