"""Supertags: English sentences of the world with a derivation in combinatory categorial grammar, written as CCGbank
writes it (Hockenmaier & Steedman 2007, Computational Linguistics 33(3)). A sentence is built bottom up, every two
neighbours joined by a rule of the grammar; two that no rule joins are an error, so the words' categories are right
by construction. What a word's category is depends on its sentence: `that` has four, a preposition three, a verb
such as `eat` is with or without its object."""

import re
from functools import cache
from typing import NamedTuple

from xlt_utils.microworld import lexicon
from xlt_utils.microworld.meanings import PLACES, Phrase, World
from xlt_utils.microworld.speech import english_plural, english_verb

PREDICATE, BASE = r"S[dcl]\NP", r"S[b]\NP"
AFTER, BEFORE = r"(S\NP)\(S\NP)", r"(S\NP)/(S\NP)"  # what modifies a predicate: slept quickly, quickly slept
OF_NOUN, OF_VERB, ARGUMENT = r"(NP\NP)/NP", rf"({AFTER})/NP", "PP/NP"  # a preposition's three categories


class Tree(NamedTuple):
    """A word with its tag, or what one or two trees make; `head` is the child that the phrase is named after."""

    category: str
    head: int = 0
    children: tuple["Tree", ...] = ()
    tag: str = ""
    word: str = ""


def written(tree: Tree) -> str:
    """A derivation on one line: `(<T category head children> ...)` and `(<L category tag tag word category>)`."""
    if tree.word:
        return f"(<L {tree.category} {tree.tag} {tree.tag} {tree.word} {tree.category}>)"
    children = " ".join(written(child) for child in tree.children)
    return f"(<T {tree.category} {tree.head} {len(tree.children)}> {children} )"


def words(tree: Tree) -> list[str]:
    """The words of a derivation."""
    return [tree.word] if tree.word else [word for child in tree.children for word in words(child)]


# The grammar


@cache
def parts(category: str) -> tuple[str, str, str] | None:
    """Result, slash and argument of a category; None for one without a slash."""
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
def _filled(result: str, argument: str, given: str) -> str | None:
    """The result where `given` can be the argument: a bare S takes any feature, and hands it on."""
    given = given.replace("NP[nb]", "NP")
    if re.sub(r"S\[\w+\]", "S", argument) != re.sub(r"S\[\w+\]", "S", given):
        return None
    pairs = list(zip(re.findall(r"S(\[\w+\])?", argument), re.findall(r"S(\[\w+\])?", given), strict=True))
    if any(wanted and wanted != found for wanted, found in pairs):
        return None
    feature = next((found for wanted, found in pairs if not wanted), "")
    return re.sub(r"S(?!\[)", "S" + feature, result)


def _bracketed(category: str) -> str:
    return f"({category})" if parts(category) else category


@cache
def joint(left: str, right: str) -> tuple[str, int] | None:
    """The category and the head of two neighbours, or None: application, composition, coordination, punctuation."""
    if right in (".", ","):
        return left, 0
    if left == "conj":
        return right + "[conj]", 1
    if right.endswith("[conj]"):
        return (left, 0) if left.replace("[nb]", "") == right.removesuffix("[conj]").replace("[nb]", "") else None
    first, second = parts(left), parts(right)
    if first and first[1] == "/" and (found := _filled(first[0], first[2], right)):
        return found, int(first[0] == first[2])  # a modifier is not the head
    if second and second[1] == "\\" and (found := _filled(second[0], second[2], left)):
        return found, int(second[0] != second[2])
    if first and second and first[1] == second[1] == "/" and (found := _filled(first[0], first[2], second[0])):
        return f"{_bracketed(found)}/{_bracketed(second[2])}", 0
    if (
        first
        and second
        and first[1] == "/"
        and second[1] == "\\"
        and (found := _filled(second[0], second[2], first[0]))
    ):
        return f"{_bracketed(found)}/{_bracketed(first[2])}", 0  # crossed: (did) not
    return None


def join(*trees: Tree) -> Tree:
    """Trees joined from left to right. Raises ValueError where no rule joins two of them."""
    found = trees[0]
    for tree in trees[1:]:
        rule = joint(found.category, tree.category)
        if not rule:
            raise ValueError(f"no rule joins {found.category} ({words(found)}) and {tree.category} ({words(tree)})")
        found = Tree(*rule, (found, tree))
    return found


def leaf(category: str, tag: str, word: str) -> Tree:
    return Tree(category, tag=tag, word=word)


# Sentences


def sentence(world: World) -> Tree:
    """A sentence of the world with its derivation."""
    return Grammarian(world).sentence()


class Grammarian:
    """Draws derivations from a world."""

    def __init__(self, world: World):
        self.world = world

    def sentence(self) -> Tree:
        """A declarative sentence with its full stop."""
        world, draw = self.world, self.world.random()
        if draw < 0.08:
            first = self.there()
        elif draw < 0.2:
            that = join(leaf("S[em]/S[dcl]", "IN", "that"), self.clause())
            verb = self.inflected(world.pick(lexicon.SAYING), r"(S[dcl]\NP)/S[em]")
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
        first = capitalised(first)
        return join(first, leaf(".", ".", "."))

    def clause(self, predicate: Tree | None = None) -> Tree:
        subject = self.someone(("name", "role", "animal"))
        return join(subject, predicate or self.predicate())

    def there(self) -> Tree:
        people = self.amount(self.world.pick(("role", "animal", "vehicle")))
        verb = leaf(r"(S[dcl]\NP[thr])/NP", "VBD", "were")
        return join(leaf("NP[thr]", "EX", "there"), join(verb, join(people, self.place(OF_NOUN))))

    def predicate(self, category: str = PREDICATE) -> Tree:
        """What is said of the subject, as a predicate (S[dcl]\\NP) or, after a helper, its base form (S[b]\\NP)."""
        world = self.world
        if category == PREDICATE and world.chance(0.22):
            helper = leaf(rf"({PREDICATE})/({BASE})", "MD", world.pick(lexicon.MODALS))
            if world.chance(0.6):
                helper = leaf(helper.category, "VBD", "did")
            if helper.word == "did" or world.chance(0.3):
                helper = join(helper, leaf(AFTER, "RB", "not"))
            return join(helper, self.predicate(BASE))
        if category == PREDICATE and world.chance(0.15):
            return self.being()
        found = self.doing(category)
        if world.chance(0.15):
            found = join(leaf(BEFORE, "RB", world.pick(lexicon.ADVERBS["manner"])), found)
        elif world.chance(0.15):
            found = join(found, leaf(AFTER, "RB", world.pick(lexicon.ADVERBS["manner"])))
        if world.chance(0.2):
            found = join(found, leaf(AFTER, "NN", world.pick(("yesterday", "today"))))
        if category == PREDICATE and world.chance(0.08):
            found = join(found, join(leaf("conj", "CC", "and"), self.doing(category)))
        return found

    def being(self) -> Tree:
        """Is a doctor, is in Oslo, is very old."""
        world, draw = self.world, self.world.random()
        is_, tag = world.pick((("is", "VBZ"), ("was", "VBD")))
        if draw < 0.3:
            return join(leaf(rf"({PREDICATE})/NP", tag, is_), self.noun("role", "a"))
        if draw < 0.5:
            return join(leaf(rf"({PREDICATE})/PP", tag, is_), self.place(ARGUMENT))
        quality = leaf(r"S[adj]\NP", "JJ", world.pick(lexicon.ADJECTIVES["plain"] + lexicon.ADJECTIVES["colour"]))
        if world.chance(0.3):
            quality = join(leaf(r"(S[adj]\NP)/(S[adj]\NP)", "RB", world.pick(lexicon.ADVERBS["degree"])), quality)
        return join(leaf(rf"({PREDICATE})/(S[adj]\NP)", tag, is_), quality)

    def doing(self, category: str) -> Tree:
        """A verb with what it takes, and with a place or a day."""
        world, draw = self.world, self.world.random()
        if draw < 0.55:
            verb = world.pick(lexicon.TRANSITIVE)
            if verb.lemma in lexicon.ALONE and world.chance(0.4):
                found = self.inflected(verb.lemma, category)
            else:
                thing = self.someone([group for group in verb.objects if group != "firm"])
                if verb.objects[0] in ("building", "place", "vehicle") and world.chance(0.25):
                    thing = join(thing, self.place(OF_NOUN))  # what stands somewhere: a matter of the noun
                found = join(self.inflected(verb.lemma, f"({category})/NP"), thing)
                if verb.objects[0] in ("building", "place", "vehicle"):
                    return found
        elif draw < 0.7:
            found = self.inflected(world.pick(lexicon.INTRANSITIVE).lemma, category)
        elif draw < 0.85:
            verb = world.pick(lexicon.MOTION)
            goal = join(leaf(ARGUMENT, "IN", "to"), self.someone(verb.objects))
            return join(self.inflected(verb.lemma, f"({category})/PP"), goal)
        else:
            verb = world.pick(lexicon.GIVING)
            goal = join(leaf(ARGUMENT, "IN", "to"), self.someone(("name", "role")))
            return join(self.inflected(verb.lemma, f"(({category})/PP)/NP"), self.someone(verb.objects), goal)
        if world.chance(0.35):
            found = join(found, self.place(OF_VERB))
        elif world.chance(0.15):
            day = unary(leaf("N", "NNP", world.pick(lexicon.DAYS)))
            found = join(found, join(leaf(OF_VERB, "IN", "on"), day))
        return found

    def inflected(self, lemma: str, category: str) -> Tree:
        """A verb: in the past or the present of a singular subject, or plain where its category says S[b]."""
        if "S[b]" in category:
            return leaf(category, "VB", lemma)
        past = self.world.chance(0.7)
        return leaf(category, "VBD" if past else "VBZ", english_verb(lemma, False, past))

    # Phrases

    def someone(self, groups) -> Tree:
        world, group = self.world, self.world.pick(groups)
        if group == "city":
            return self.name(world.city())
        if group == "name":
            return self.name(world.person())
        found = self.noun(group)
        draw = world.random()
        if draw < 0.08:
            owner = self.name(world.person())
            return join(found, join(leaf(OF_NOUN, "IN", "of"), owner))
        if draw < 0.14:  # the dog that slept
            that = leaf(rf"(NP\NP)/({PREDICATE})", "WDT", "that")
            return join(found, join(that, self.inflected(world.pick(lexicon.INTRANSITIVE).lemma, PREDICATE)))
        if draw < 0.2:  # the dog that Anna saw
            that = leaf(r"(NP\NP)/(S[dcl]/NP)", "WDT", "that")
            raised = Tree(r"S/(S\NP)", 0, (self.name(world.person()),))
            seen = self.inflected(world.pick(("see", "find", "follow", "push")), rf"({PREDICATE})/NP")
            return join(found, join(that, join(raised, seen)))
        if draw < 0.26:
            return join(found, self.place(OF_NOUN))
        if draw < 0.32:
            return join(found, join(leaf("conj", "CC", "and"), self.noun(group)))
        return found

    def noun(self, group: str, determiner: str = "") -> Tree:
        """A noun phrase with its determiner."""
        phrase = self.world.thing(group, plain=True)
        lemma, determiner = phrase.head, determiner or self.world.pick(("the", "the", "a", "this", "every", "that"))
        noun = leaf("N", "NN", lemma)
        if self.world.chance(0.3):
            colour = self.world.pick(lexicon.ADJECTIVES["plain"] + lexicon.ADJECTIVES["colour"])
            noun = join(leaf("N/N", "JJ", colour), noun)
        if determiner == "a":
            determiner = "some" if group == "drink" else "an" if words(noun)[0][0] in "aeiou" else "a"
        return join(leaf("NP[nb]/N", "DT", determiner), noun)

    def amount(self, group: str) -> Tree:
        """A number of things."""
        phrase = self.world.thing(group, plain=True)
        noun = leaf("N", "NNS", english_plural(phrase.head))
        return unary(join(leaf("N/N", "CD", self.world.number()), noun))

    def name(self, phrase: Phrase) -> Tree:
        *first, last = (text for text, _ in phrase.parts)
        found = leaf("N", "NNP", last)
        for text in reversed(first):
            found = join(leaf("N/N", "NNP", text), found)
        return unary(found)

    def place(self, category: str) -> Tree:
        """In Oslo, behind the house: `category` says what it belongs to."""
        preposition = leaf(category, "IN", self.world.pick(("in", "near", "behind")))
        if self.world.chance(0.4):
            return join(preposition, self.name(self.world.city()))
        return join(preposition, self.noun(self.world.pick(PLACES), "the"))


def unary(noun: Tree) -> Tree:
    """A bare noun as a noun phrase."""
    return Tree("NP", 0, (noun,))


def capitalised(tree: Tree) -> Tree:
    """The derivation with its first word's first letter large."""
    if tree.word:
        return tree._replace(word=tree.word[0].upper() + tree.word[1:])
    return tree._replace(children=(capitalised(tree.children[0]), *tree.children[1:]))
