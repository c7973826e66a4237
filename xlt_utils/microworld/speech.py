"""Says a meaning in a language: words in the language's order, with its endings and in its script, each with
its part of speech (UD's seventeen) and its entity tag (PAN-X's IOB2). One `Speaker` a language; the same
meaning always gives the same words."""

from itertools import chain
from typing import NamedTuple

from xlt_utils.microworld import lexicon
from xlt_utils.microworld.grammar import ACCUSATIVE, LANGUAGES, NOMINATIVE, OBLIQUE
from xlt_utils.microworld.meanings import Clause, Phrase, Sentence

SIDES = {"before": True, "after": False}
ORDERS = {  # of a clause's parts; obliques go by number
    "SVO": "subject verb object quality oblique manner time",
    "VSO": "verb subject object quality oblique manner time",
    "SOV": "time subject oblique object quality manner verb",
    "OVS": "time object quality manner verb subject oblique",
}
ORDERS = {order: parts.split() for order, parts in ORDERS.items()}
_OBLIQUES = tuple(f"oblique {i}" for i in range(8))
KEPT = 1 << 15  # phrases whose words a speaker remembers
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
    **dict(zip(lexicon.QUESTIONS, ("PRON", "PRON", "ADV", "ADV", "ADJ"), strict=True)),
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
        self._phrases: dict[tuple, list[Token]] = {}
        self._order = ORDERS[grammar.order]

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
        """The tokens of a clause. Of a question, the part asked for comes first where the verb does not come last."""
        parts = self.parts(clause)
        if clause.asked and self.initial:
            parts = self._fronted(parts, clause.asked)
        return list(chain.from_iterable(parts.values()))

    def parts(self, clause: Clause) -> dict[str, list[Token]]:
        """The parts of a clause by name, in the language's order: subject, verb, object, quality, oblique 0, oblique 1,
        manner, time, and there."""
        subject = self.phrase(clause.subject, NOMINATIVE)
        plural = clause.subject.plural or clause.subject.companion is not None
        verb = self._predicate(clause, plural)
        obliques = {name: self._oblique(*oblique) for name, oblique in zip(_OBLIQUES, clause.obliques, strict=False)}
        if clause.there:
            there = {"there": [self._function("there", "PRON")]}
            if not self.initial:
                return {**obliques, "subject": subject, "verb": verb}
            if self.grammar.order == "SVO":
                return {**there, "verb": verb, "subject": subject, **obliques}
            return {"verb": verb, **there, "subject": subject, **obliques}
        found = {"subject": subject, "verb": verb}
        if clause.quality:
            degree = [self._function(clause.degree, "ADV")] if clause.degree else []
            found["quality"] = [*degree, self._adjective(clause.quality, plural, NOMINATIVE)]
        elif clause.object:
            found["object"] = self.phrase(clause.object, NOMINATIVE if clause.verb == "be" else ACCUSATIVE)
        if clause.manner:
            found["manner"] = [self._function(clause.manner, "ADV")]
        if clause.time:
            found["time"] = [self._function(clause.time, "ADV")]
        ordered: dict[str, list[Token]] = {}
        for name in self._order:
            if name == "oblique":
                ordered |= obliques
            elif name in found:
                ordered[name] = found[name]
        return ordered

    def spot(self, clause: Clause, part: str, number: bool = False) -> tuple[int, int]:
        """Where a part of a clause stands in its text, in characters: without its preposition, or its number alone."""
        start, parts = 0, self.parts(clause)
        for name, tokens in parts.items():
            if name == part:
                break
            start += sum(len(token.text) + 1 for token in tokens)
        if part.startswith("oblique") and tokens[0 if self.prepositions else -1].pos == "ADP":
            start += len(tokens[0].text) + 1 if self.prepositions else 0
            tokens = tokens[1:] if self.prepositions else tokens[:-1]
        if number:
            tokens = [token for token in tokens if token.pos == "NUM"]
        return start, start + len(joined(tokens))

    def _fronted(self, parts: dict[str, list[Token]], asked: str, turned: bool = True) -> dict[str, list[Token]]:
        """A question's parts, the one asked for first; English leaves a preposition behind and, where a question is
        not part of another, turns verb and subject round (who did Anna give it to)."""
        front, rest = parts[asked], {name: tokens for name, tokens in parts.items() if name != asked}
        if not self.english or asked == "subject":
            return {asked: front, **rest}
        if front[0].pos == "ADP":
            front, rest = front[1:], {**parts, asked: front[:1]}
        if not turned:
            return {"asked": front, **rest}
        helper, *verb = rest.pop("verb")
        return {"asked": front, "helper": [helper], "subject": rest.pop("subject"), "verb": verb, **rest}

    def indirect(self, clause: Clause) -> list[Token]:
        """An English question as part of another: (can you say) when Anna slept."""
        parts = self._fronted(self.parts(clause._replace(asked="")), clause.asked, turned=False)
        return [token for tokens in parts.values() for token in tokens]

    def _predicate(self, clause: Clause, plural: bool) -> list[Token]:
        grammar, past = self.grammar, clause.tense == "past"
        helpers = [self._function(clause.modal, "AUX")] if clause.modal else []
        no = [self._function("not", "PART")] if clause.negated else []
        if self.english:
            if clause.verb == "be":
                return [Token(self._be(clause, plural), "AUX"), *no]
            if clause.modal or clause.negated or clause.asked not in ("", "subject"):
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
        if not preposition:  # where, when
            return [self._function(phrase.head, "ADV")]
        adposition = self._function(preposition, "ADP")
        words = self.phrase(phrase, OBLIQUE)
        return [adposition, *words] if self.prepositions else [*words, adposition]

    def phrase(self, phrase: Phrase, case: str) -> list[Token]:
        """The words of a phrase in a case."""
        key = phrase, case
        found = self._phrases.get(key)
        if found is None:
            if len(self._phrases) == KEPT:
                self._phrases.clear()
            found = self._phrases[key] = self._phrase(phrase, case)
        return found

    def _phrase(self, phrase: Phrase, case: str) -> list[Token]:
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
            words += self._number(phrase.number)
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

    def _number(self, number: str) -> list[Token]:
        if number.isdigit():
            return [Token(number, "NUM")]
        return [self._function(word, _POS[word]) for word in number.split()]

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
