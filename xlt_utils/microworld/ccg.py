"""Supertags: English sentences of the world with a derivation in combinatory categorial grammar, in CCGbank's format
(Hockenmaier & Steedman 2007, Computational Linguistics 33(3)). A sentence is built bottom up: a rule of the grammar
joins every two neighbours, and two that no rule joins are an error, so the words' categories are right by construction.
A word's category depends on its sentence: `that` has four, a preposition three, and a verb such as `eat` may have an
object or not."""

import re
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from xlt_utils.microworld import lexicon
from xlt_utils.microworld.meanings import PLACE_GROUPS, Phrase, World
from xlt_utils.microworld.speech import english_plural, english_verb

PREDICATE, BASE = r"S[dcl]\NP", r"S[b]\NP"
AFTER, BEFORE = r"(S\NP)\(S\NP)", r"(S\NP)/(S\NP)"  # what modifies a predicate: slept quickly, quickly slept
OF_NOUN, OF_VERB, ARGUMENT = r"(NP\NP)/NP", rf"({AFTER})/NP", "PP/NP"  # a preposition's three categories


class Tree(NamedTuple):
    """A word with its tag, or a phrase of one or two trees; `head` is the number of the head child."""

    category: str
    head: int = 0
    children: tuple["Tree", ...] = ()
    tag: str = ""
    word: str = ""


def to_ccgbank(tree: Tree) -> str:
    """Write a derivation on one line: `(<T category head children> ...)` and `(<L category tag tag word category>)`."""
    if tree.word:
        return f"(<L {tree.category} {tree.tag} {tree.tag} {tree.word} {tree.category}>)"
    children = " ".join(to_ccgbank(child) for child in tree.children)
    return f"(<T {tree.category} {tree.head} {len(tree.children)}> {children} )"


def leaf_words(tree: Tree) -> list[str]:
    """The words of a derivation."""
    return [tree.word] if tree.word else [word for child in tree.children for word in leaf_words(child)]


# The grammar


@cache
def split_category(category: str) -> tuple[str, str, str] | None:
    """Split a category into result, slash and argument; None for one without a slash."""
    depth, at = 0, -1
    for i, letter in enumerate(category):
        depth += (letter == "(") - (letter == ")")
        if letter in "/\\" and not depth:
            at = i
    if at < 0:
        return None
    result, argument = (side[1:-1] if side[0] == "(" else side for side in (category[:at], category[at + 1 :]))
    return result, category[at], argument


@cache
def _apply(result: str, argument: str, candidate: str) -> str | None:
    """The result if `candidate` can be the argument, else None. A bare S takes any feature, and the result gets it."""
    candidate = candidate.replace("NP[nb]", "NP")
    if re.sub(r"S\[\w+\]", "S", argument) != re.sub(r"S\[\w+\]", "S", candidate):
        return None
    features = list(zip(re.findall(r"S(\[\w+\])?", argument), re.findall(r"S(\[\w+\])?", candidate), strict=True))
    if any(required and required != actual for required, actual in features):
        return None
    feature = next((actual for required, actual in features if not required), "")
    return re.sub(r"S(?!\[)", "S" + feature, result)


def _bracketed(category: str) -> str:
    return f"({category})" if split_category(category) else category


@cache
def combine(left: str, right: str) -> tuple[str, int] | None:
    """Find the rule that joins two neighbours: application, composition, coordination or punctuation.

    Returns:
        The category of the phrase and the number of its head (0 left, 1 right), or None where no rule joins them.
    """
    if right in (".", ","):
        return left, 0
    if left == "conj":
        return right + "[conj]", 1
    if right.endswith("[conj]"):
        return (left, 0) if left.replace("[nb]", "") == right.removesuffix("[conj]").replace("[nb]", "") else None
    first, second = split_category(left), split_category(right)
    if first and first[1] == "/" and (result := _apply(first[0], first[2], right)):
        return result, int(first[0] == first[2])  # a modifier is not the head
    if second and second[1] == "\\" and (result := _apply(second[0], second[2], left)):
        return result, int(second[0] != second[2])
    if first and second and first[1] == "/":
        if second[1] == "/" and (result := _apply(first[0], first[2], second[0])):
            return f"{_bracketed(result)}/{_bracketed(second[2])}", 0
        if second[1] == "\\" and (result := _apply(second[0], second[2], first[0])):
            return f"{_bracketed(result)}/{_bracketed(first[2])}", 0  # crossed: (did) not
    return None


def join(*trees: Tree) -> Tree:
    """Join trees from left to right. Raises ValueError where no rule joins two of them."""
    joined = trees[0]
    for tree in trees[1:]:
        rule = combine(joined.category, tree.category)
        if not rule:
            sides = (f"{side.category} ({leaf_words(side)})" for side in (joined, tree))
            raise ValueError(f"no rule joins {' and '.join(sides)}")
        joined = Tree(*rule, (joined, tree))
    return joined


def leaf(category: str, tag: str, word: str) -> Tree:
    """A word with its category and its part-of-speech tag (Penn Treebank)."""
    return Tree(category, tag=tag, word=word)


# Sentences


def draw_derivation(world: World) -> Tree:
    """Draw a sentence with its derivation."""
    return Grammarian(world).sentence()


class Grammarian:
    """Draws derivations from a world."""

    def __init__(self, world: World):
        self.world = world

    def sentence(self) -> Tree:
        """A declarative sentence with its full stop."""
        world, draw = self.world, self.world.random()
        if draw < 0.08:
            first = self.existential()
        elif draw < 0.2:
            that = join(leaf("S[em]/S[dcl]", "IN", "that"), self.clause())
            verb = self.verb(world.pick(lexicon.SAYING), r"(S[dcl]\NP)/S[em]")
            first = self.clause(join(verb, that))
        else:
            first = self.clause()
        draw = world.random()
        if draw < 0.12:
            link = leaf("conj", "CC", world.pick(("and", "but")))
            first = join(first, join(link, self.clause()))
        elif draw < 0.2:
            opening = join(leaf("(S/S)/S[dcl]", "IN", world.pick(("because", "if", "although"))), self.clause())
            first = join(join(opening, leaf(",", ",", ",")), first)
        first = capitalise(first)
        return join(first, leaf(".", ".", "."))

    def clause(self, predicate: Tree | None = None) -> Tree:
        """A subject with a predicate, drawn if none is given."""
        subject = self.someone(("name", "role", "animal"))
        return join(subject, predicate or self.predicate())

    def existential(self) -> Tree:
        """There were two dogs in Oslo."""
        people = self.amount(self.world.pick(("role", "animal", "vehicle")))
        verb = leaf(r"(S[dcl]\NP[thr])/NP", "VBD", "were")
        return join(leaf("NP[thr]", "EX", "there"), join(verb, join(people, self.place(OF_NOUN))))

    def predicate(self, category: str = PREDICATE) -> Tree:
        """A predicate (S[dcl]\\NP) or, after an auxiliary, its base form (S[b]\\NP)."""
        world = self.world
        if category == PREDICATE and world.chance(0.22):
            auxiliary = leaf(rf"({PREDICATE})/({BASE})", "MD", world.pick(lexicon.MODALS))
            if world.chance(0.6):
                auxiliary = leaf(auxiliary.category, "VBD", "did")
            if auxiliary.word == "did" or world.chance(0.3):
                auxiliary = join(auxiliary, leaf(AFTER, "RB", "not"))
            return join(auxiliary, self.predicate(BASE))
        if category == PREDICATE and world.chance(0.15):
            return self.copular()
        phrase = self.verb_phrase(category)
        if world.chance(0.15):
            phrase = join(leaf(BEFORE, "RB", world.pick(lexicon.ADVERBS["manner"])), phrase)
        elif world.chance(0.15):
            phrase = join(phrase, leaf(AFTER, "RB", world.pick(lexicon.ADVERBS["manner"])))
        if world.chance(0.2):
            phrase = join(phrase, leaf(AFTER, "NN", world.pick(("yesterday", "today"))))
        if category == PREDICATE and world.chance(0.08):
            phrase = join(phrase, join(leaf("conj", "CC", "and"), self.verb_phrase(category)))
        return phrase

    def copular(self) -> Tree:
        """A predicate with `be`: is a doctor, is in Oslo, is very old."""
        world, draw = self.world, self.world.random()
        copula, tag = world.pick((("is", "VBZ"), ("was", "VBD")))
        if draw < 0.3:
            return join(leaf(rf"({PREDICATE})/NP", tag, copula), self.noun("role", "a"))
        if draw < 0.5:
            return join(leaf(rf"({PREDICATE})/PP", tag, copula), self.place(ARGUMENT))
        quality = leaf(r"S[adj]\NP", "JJ", world.pick(lexicon.ADJECTIVES["plain"] + lexicon.ADJECTIVES["colour"]))
        if world.chance(0.3):
            quality = join(leaf(r"(S[adj]\NP)/(S[adj]\NP)", "RB", world.pick(lexicon.ADVERBS["degree"])), quality)
        return join(leaf(rf"({PREDICATE})/(S[adj]\NP)", tag, copula), quality)

    def verb_phrase(self, category: str) -> Tree:
        """A verb with its arguments, and with a place or a day."""
        world, draw = self.world, self.world.random()
        if draw < 0.55:
            verb = world.pick(lexicon.TRANSITIVE)
            if verb.lemma in lexicon.ALONE and world.chance(0.4):
                phrase = self.verb(verb.lemma, category)
            else:
                thing = self.someone([group for group in verb.objects if group != "firm"])
                if verb.objects[0] in ("building", "place", "vehicle") and world.chance(0.25):
                    thing = join(thing, self.place(OF_NOUN))  # the place of a building or a vehicle modifies the noun
                phrase = join(self.verb(verb.lemma, f"({category})/NP"), thing)
                if verb.objects[0] in ("building", "place", "vehicle"):
                    return phrase
        elif draw < 0.7:
            phrase = self.verb(world.pick(lexicon.INTRANSITIVE).lemma, category)
        elif draw < 0.85:
            verb = world.pick(lexicon.MOTION)
            goal = join(leaf(ARGUMENT, "IN", "to"), self.someone(verb.objects))
            return join(self.verb(verb.lemma, f"({category})/PP"), goal)
        else:
            verb = world.pick(lexicon.GIVING)
            goal = join(leaf(ARGUMENT, "IN", "to"), self.someone(("name", "role")))
            return join(self.verb(verb.lemma, f"(({category})/PP)/NP"), self.someone(verb.objects), goal)
        if world.chance(0.35):
            phrase = join(phrase, self.place(OF_VERB))
        elif world.chance(0.15):
            day = bare_noun_phrase(leaf("N", "NNP", world.pick(lexicon.DAYS)))
            phrase = join(phrase, join(leaf(OF_VERB, "IN", "on"), day))
        return phrase

    def verb(self, lemma: str, category: str) -> Tree:
        """A verb in the past or in the present singular, or in its base form where its category says S[b]."""
        if "S[b]" in category:
            return leaf(category, "VB", lemma)
        past = self.world.chance(0.7)
        return leaf(category, "VBD" if past else "VBZ", english_verb(lemma, False, past))

    # Phrases

    def someone(self, groups: Sequence[str]) -> Tree:
        """A noun phrase of one of the groups, perhaps modified."""
        world, group = self.world, self.world.pick(groups)
        if group == "city":
            return self.name(world.city())
        if group == "name":
            return self.name(world.person())
        phrase = self.noun(group)
        draw = world.random()
        if draw < 0.08:
            owner = self.name(world.person())
            return join(phrase, join(leaf(OF_NOUN, "IN", "of"), owner))
        if draw < 0.14:  # the dog that slept
            that = leaf(rf"(NP\NP)/({PREDICATE})", "WDT", "that")
            return join(phrase, join(that, self.verb(world.pick(lexicon.INTRANSITIVE).lemma, PREDICATE)))
        if draw < 0.2:  # the dog that Anna saw
            that = leaf(r"(NP\NP)/(S[dcl]/NP)", "WDT", "that")
            raised = Tree(r"S/(S\NP)", 0, (self.name(world.person()),))
            verb = self.verb(world.pick(("see", "find", "follow", "push")), rf"({PREDICATE})/NP")
            return join(phrase, join(that, join(raised, verb)))
        if draw < 0.26:
            return join(phrase, self.place(OF_NOUN))
        if draw < 0.32:
            return join(phrase, join(leaf("conj", "CC", "and"), self.noun(group)))
        return phrase

    def noun(self, group: str, determiner: str = "") -> Tree:
        """A noun phrase with its determiner."""
        phrase = self.world.thing(group, plain=True)
        lemma, determiner = phrase.head, determiner or self.world.pick(("the", "the", "a", "this", "every", "that"))
        noun = leaf("N", "NN", lemma)
        if self.world.chance(0.3):
            adjective = self.world.pick(lexicon.ADJECTIVES["plain"] + lexicon.ADJECTIVES["colour"])
            noun = join(leaf("N/N", "JJ", adjective), noun)
        if determiner == "a":
            determiner = "some" if group == "drink" else "an" if leaf_words(noun)[0][0] in "aeiou" else "a"
        return join(leaf("NP[nb]/N", "DT", determiner), noun)

    def amount(self, group: str) -> Tree:
        """A number of things."""
        phrase = self.world.thing(group, plain=True)
        noun = leaf("N", "NNS", english_plural(phrase.head))
        return bare_noun_phrase(join(leaf("N/N", "CD", self.world.number()), noun))

    def name(self, phrase: Phrase) -> Tree:
        """A name as a noun phrase."""
        *first, last = (text for text, _ in phrase.parts)
        noun = leaf("N", "NNP", last)
        for text in reversed(first):
            noun = join(leaf("N/N", "NNP", text), noun)
        return bare_noun_phrase(noun)

    def place(self, category: str) -> Tree:
        """A place (in Oslo, behind the house); `category` is that of the preposition."""
        preposition = leaf(category, "IN", self.world.pick(("in", "near", "behind")))
        if self.world.chance(0.4):
            return join(preposition, self.name(self.world.city()))
        return join(preposition, self.noun(self.world.pick(PLACE_GROUPS), "the"))


def bare_noun_phrase(noun: Tree) -> Tree:
    """A bare noun as a noun phrase."""
    return Tree("NP", 0, (noun,))


def capitalise(tree: Tree) -> Tree:
    """Capitalise the first word of a derivation."""
    if tree.word:
        return tree._replace(word=tree.word[0].upper() + tree.word[1:])
    return tree._replace(children=(capitalise(tree.children[0]), *tree.children[1:]))
