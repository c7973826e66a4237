"""Says a meaning in a language: words in the language's order, with its endings and in its script, each with its part
of speech (UD's seventeen) and its entity tag (PAN-X's IOB2). There is one `Speaker` per language, and the same meaning
always gives the same words."""

from collections.abc import Iterable
from itertools import chain
from typing import NamedTuple

from xlt_utils.microworld import lexicon
from xlt_utils.microworld.grammar import ACCUSATIVE, LANGUAGES, NOMINATIVE, OBLIQUE
from xlt_utils.microworld.meanings import Clause, Phrase, Sentence

IS_BEFORE = {"before": True, "after": False}
_PART_LISTS = {  # the order of a clause's parts; "oblique" stands for all obliques
    "SVO": "subject verb object quality oblique manner time",
    "VSO": "verb subject object quality oblique manner time",
    "SOV": "time subject oblique object quality manner verb",
    "OVS": "time object quality manner verb subject oblique",
}
PART_ORDERS = {order: parts.split() for order, parts in _PART_LISTS.items()}
_OBLIQUES = tuple(f"oblique {i}" for i in range(8))
PHRASE_CACHE_SIZE = 1 << 15  # phrases whose words a speaker remembers
_POS = {
    **dict.fromkeys(lexicon.PREPOSITIONS, "ADP"),
    **dict.fromkeys(lexicon.DETERMINERS, "DET"),
    **dict.fromkeys(lexicon.PRONOUNS, "PRON"),
    **dict.fromkeys(lexicon.MODALS, "AUX"),
    **dict.fromkeys(lexicon.CONJUNCTIONS, "CCONJ"),
    **dict.fromkeys(lexicon.SUBORDINATORS, "SCONJ"),
    **dict.fromkeys(lexicon.INTERJECTIONS, "INTJ"),
    **dict(zip(lexicon.DISCOURSE_MARKERS, ("ADV", "ADV", "INTJ"), strict=True)),
    **dict.fromkeys(lexicon.NUMERALS, "NUM"),
    **{adverb: "ADV" for adverbs in lexicon.ADVERBS.values() for adverb in adverbs},
    **lexicon.OTHER_FUNCTION_WORDS,
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
    """Renders meanings in one language, given by its code. Inflected words are kept once they are made."""

    def __init__(self, code: str):
        self.grammar = grammar = LANGUAGES[code]
        self.english = code == "en"
        self.prepositions = IS_BEFORE[grammar.adpositions]
        self.initial = grammar.order in ("SVO", "VSO")  # auxiliaries and negation stand before the verb
        self._tokens: dict[tuple, Token] = {}
        self._names: dict[tuple, list[Token]] = {}
        self._phrases: dict[tuple, list[Token]] = {}
        self._order = PART_ORDERS[grammar.order]

    def say(self, sentence: Sentence) -> list[Token]:
        """The words of a sentence, the first one capitalised where the script has capitals."""
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
        return join_tokens(self.say(sentence))

    # Clauses

    def clause(self, clause: Clause) -> list[Token]:
        """The words of a clause. In a question, the part asked for comes first where the verb does not come last."""
        parts = self.parts(clause)
        if clause.asked_part and self.initial:
            parts = self._front(parts, clause.asked_part)
        return list(chain.from_iterable(parts.values()))

    def parts(self, clause: Clause) -> dict[str, list[Token]]:
        """The words of each part of a clause, in the language's order; the parts are subject, verb, object, quality,
        oblique 0, oblique 1, manner, time, and there."""
        subject = self.phrase(clause.subject, NOMINATIVE)
        plural = clause.subject.plural or clause.subject.companion is not None
        verb = self._predicate(clause, plural)
        obliques = {name: self._oblique(*oblique) for name, oblique in zip(_OBLIQUES, clause.obliques, strict=False)}
        if clause.existential:
            expletive = [self._function("there", "PRON")]
            if not self.initial:
                return {**obliques, "subject": subject, "verb": verb}
            if self.grammar.order == "SVO":
                return {"there": expletive, "verb": verb, "subject": subject, **obliques}
            return {"verb": verb, "there": expletive, "subject": subject, **obliques}
        parts = {"subject": subject, "verb": verb}
        if clause.quality:
            degree = [self._function(clause.degree, "ADV")] if clause.degree else []
            parts["quality"] = [*degree, self._adjective(clause.quality, plural, NOMINATIVE)]
        elif clause.object:
            parts["object"] = self.phrase(clause.object, NOMINATIVE if clause.verb == "be" else ACCUSATIVE)
        if clause.manner:
            parts["manner"] = [self._function(clause.manner, "ADV")]
        if clause.time:
            parts["time"] = [self._function(clause.time, "ADV")]
        ordered: dict[str, list[Token]] = {}
        for name in self._order:
            if name == "oblique":
                ordered |= obliques
            elif name in parts:
                ordered[name] = parts[name]
        return ordered

    def locate_part(self, clause: Clause, part: str, number: bool = False) -> tuple[int, int]:
        """Find where a part of a clause stands in the clause's text, without its preposition, or only its number.

        Returns:
            The first character and the one after the last.
        """
        start = 0
        for name, tokens in self.parts(clause).items():
            if name == part:
                break
            start += sum(len(token.text) + 1 for token in tokens)
        if part.startswith("oblique") and tokens[0 if self.prepositions else -1].pos == "ADP":
            start += len(tokens[0].text) + 1 if self.prepositions else 0
            tokens = tokens[1:] if self.prepositions else tokens[:-1]
        if number:
            tokens = [token for token in tokens if token.pos == "NUM"]
        return start, start + len(join_tokens(tokens))

    def _front(self, parts: dict[str, list[Token]], asked_part: str, inverted: bool = True) -> dict[str, list[Token]]:
        """The parts of a question, with the one asked for first; English leaves a preposition behind and, where the
        question is `inverted`, moves the auxiliary before the subject (who did Anna give it to)."""
        front, rest = parts[asked_part], {name: tokens for name, tokens in parts.items() if name != asked_part}
        if not self.english or asked_part == "subject":
            return {asked_part: front, **rest}
        if front[0].pos == "ADP":
            front, rest = front[1:], {**parts, asked_part: front[:1]}
        if not inverted:
            return {"asked": front, **rest}
        auxiliary, *verb = rest.pop("verb")
        return {"asked": front, "auxiliary": [auxiliary], "subject": rest.pop("subject"), "verb": verb, **rest}

    def indirect_question(self, clause: Clause) -> list[Token]:
        """The words of an English question within another one: (can you say) when Anna slept."""
        parts = self._front(self.parts(clause._replace(asked_part="")), clause.asked_part, inverted=False)
        return list(chain.from_iterable(parts.values()))

    def _predicate(self, clause: Clause, plural: bool) -> list[Token]:
        grammar, past = self.grammar, clause.tense == "past"
        auxiliaries = [self._function(clause.modal, "AUX")] if clause.modal else []
        negation = [self._function("not", "PART")] if clause.negated else []
        if self.english:
            if clause.verb == "be":
                return [Token(self._be(clause, plural), "AUX"), *negation]
            if clause.modal or clause.negated or clause.asked_part not in ("", "subject"):
                do = Token("did" if past else "do" if plural or clause.subject.head == "i" else "does", "AUX")
                return [*(auxiliaries or [do]), *negation, Token(clause.verb, "VERB")]
            return [self._english_verb(clause, plural, past)]
        if grammar.morphology == "separate" and past and not clause.modal:
            auxiliaries = [self._function("do", "AUX")]
        verb = self._verb(clause.verb, past and not clause.modal, plural)
        return [*auxiliaries, *negation, verb] if self.initial else [verb, *negation, *auxiliaries]

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
            grammar = self.grammar
            if grammar.morphology == "chained":
                features = ["past" if past else "", "agreement" if plural else ""]
            elif past:
                features = ["plural past" if plural else "past"]
            else:
                features = ["agreement" if plural else ""]
            word = grammar.in_script(grammar.inflect(grammar.roots[lemma], *features))
            self._tokens[key] = Token(word, "AUX" if lemma == "be" else "VERB")
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
        tokens = self._phrases.get(key)
        if tokens is None:
            if len(self._phrases) == PHRASE_CACHE_SIZE:
                self._phrases.clear()
            tokens = self._phrases[key] = self._phrase(phrase, case)
        return tokens

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
            if self.english and phrase.head == "i":
                return [Token("I", "PRON")]
            return [self._noun(phrase.head, "PRON", False, case if not self.english else NOMINATIVE)]
        if phrase.kind == "name":
            return self._name(phrase, case)
        words = []
        if phrase.number:
            words += self._number(phrase.number)
            if phrase.head == phrase.number:  # a year
                return words
        noun = self._noun(phrase.head, "NOUN", phrase.plural, case)
        adjectives = [self._adjective(adjective, phrase.plural, case) for adjective in phrase.adjectives]
        words += [*adjectives, noun] if IS_BEFORE[self.grammar.adjectives] else [noun, *adjectives]
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
        """The words of a name; the last one takes the case. "Bank of Kenya" is reversed where adpositions follow."""
        key = (phrase.parts, phrase.tag, case)
        if key not in self._names:
            parts = phrase.parts if self.prepositions or len(phrase.parts) < 3 else phrase.parts[::-1]
            words = []
            for i, (text, kind) in enumerate(parts):
                ner = f"{'I' if i else 'B'}-{phrase.tag}" if phrase.tag else "O"
                if kind == "of":
                    words.append(Token(self.grammar.in_script(self.grammar.roots["of"]), "ADP", ner))
                    continue
                root = self.grammar.roots[text] if kind in ("noun", "day") else text
                if kind == "noun":
                    root = root.capitalize()
                if i == len(parts) - 1 and case != NOMINATIVE and kind != "brand":
                    root = self.grammar.inflect(root, case)
                words.append(Token(root if kind == "brand" else self.grammar.in_script(root), "PROPN", ner))
            self._names[key] = words
        return self._names[key]

    def _noun(self, lemma: str, pos: str, plural: bool, case: str) -> Token:
        key = (lemma, pos, plural, case)
        if key not in self._tokens:
            grammar = self.grammar
            if self.english:
                word = english_plural(lemma) if plural else lemma
            else:
                word = grammar.in_script(grammar.inflect(grammar.roots[lemma], "plural" if plural else "", case))
            self._tokens[key] = Token(word, pos)
        return self._tokens[key]

    def _adjective(self, lemma: str, plural: bool, case: str) -> Token:
        """Adjectives agree with their noun in fused languages with case."""
        if self.grammar.morphology == "fused" and self.grammar.case:
            return self._noun(lemma, "ADJ", plural, case)
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
            token = self._tokens[key] = Token(self.grammar.in_script(self.grammar.roots[lemma]), pos)
        return token


def join_tokens(tokens: Iterable[Token]) -> str:
    """Join a speaker's words into running text."""
    return detokenise([token.text for token in tokens])


def detokenise(words: Iterable[str]) -> str:
    """Join words into running text: no space before a full stop or within brackets."""
    text = " ".join(words)
    for apart, together in _GLUE:
        if apart in text:
            text = text.replace(apart, together)
    return text


def english_plural(lemma: str) -> str:
    """Form the plural of an English noun."""
    if lemma == "person":
        return "people"
    if lemma.endswith(("s", "sh", "ch", "x")) or lemma == "potato":
        return lemma + "es"
    return lemma[:-1] + "ies" if lemma[-1] == "y" and lemma[-2] not in "aeiou" else lemma + "s"


def english_verb(lemma: str, plain: bool, past: bool) -> str:
    """Inflect a verb: its past, or its present, which has -s unless `plain` (plural subjects and I)."""
    ending = lemma[:-1] + "i" if lemma[-1] == "y" and lemma[-2] not in "aeiou" else lemma
    if past:
        return lexicon.PAST.get(lemma) or ending.removesuffix("e") + "ed"
    if plain:
        return lemma
    if lemma == "have":
        return "has"
    return ending + ("es" if ending.endswith(("s", "sh", "ch", "x", "i", "go")) else "s")
