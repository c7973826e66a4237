"""Perturbed test text: seeded typos, or dropped diacritics and case, in a share of the words. In goes an example
of any format, out comes one with the same labels, number of words and answers, in any script.

A word is what stands between white space, and in a list of words each element. Scripts that write no spaces have words
of two characters (Han, kana) or three (Thai, Lao, Khmer, Burmese), cut from the left of each run. A character is a
grapheme cluster, a letter with all its marks. The share is an expectation over the words that have a letter and touch
no answer: each is drawn independently. Only letters change; every other character, and every other word, keeps its
bytes.
"""

import functools
import itertools
import random
import unicodedata
from collections.abc import Callable, Iterable, Sequence

import regex

RATES = (0.05, 0.1, 0.2)

_CLUSTER = regex.compile(r"\X")
# The four excepted are letters to Unicode, but attach to the letter before them.
_LETTER = regex.compile(r"(?=[\p{L}--[\u0e33\u0eb3\uff9e\uff9f]])\X", regex.V1)
_RUN = regex.compile(r"[\p{L}\p{M}]+")
_TWO, _THREE = r"\p{Han}\p{Hiragana}\p{Katakana}ー", r"\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
_WORD = regex.compile(rf"(?:(?=[{_TWO}])\X){{1,2}}|(?:(?=[{_THREE}])\X){{1,3}}|[^\s{_TWO}{_THREE}]+")

# Scripts whose combining marks people leave out in informal writing. Elsewhere the marks are vowels or part of the
# letter (Hindi, Thai, kana, the syllables of Korean), and so are hamza and madda in Arabic, and the mark of these
# Cyrillic letters: ё is written е every day, й never и.
_SCRIPTS_WITH_OPTIONAL_MARKS = {"LATIN", "GREEK", "CYRILLIC", "ARABIC", "HEBREW"}
_MARK = regex.compile(r"[\p{Mn}--[\u0653-\u0655]]", regex.V1)
_KEPT_WHOLE = frozenset("йїўѓќ")
_STROKES = str.maketrans("đĐłŁøØ", "dDlLoO")  # diacritics to the writer, though Unicode has no mark for them


def add_typo(word: str, text: str, dice: Sequence[float]) -> str:
    """One letter of the word dropped, doubled, swapped with the next, or replaced by another letter of the text in
    the same script and case. A word of a single letter keeps one; a word without letters stays.

    Args:
        word: the word to change.
        text: the text that replacement letters are taken from.
        dice: three numbers in 0..1, for the place, the kind of typo and the new letter.
    """
    clusters = _CLUSTER.findall(word)
    letter_places = [place for place, cluster in enumerate(clusters) if _LETTER.match(cluster)]
    if not letter_places:
        return word
    at = _pick(letter_places, dice[0])
    letter = clusters[at]
    typos = [(1, letter + letter)]  # how many characters are removed, and what is written instead
    if len(letter_places) > 1:
        typos.append((1, ""))
    if at + 1 in letter_places and clusters[at + 1] != letter:
        typos.append((2, clusters[at + 1] + letter))
    others = [other for other in _letters(text).get(_script(letter), []) if other != letter]
    if others:
        typos.append((1, _pick(others, dice[2])))
    removed, written = _pick(typos, dice[1])
    return "".join([*clusters[:at], written, *clusters[at + removed :]])


def strip_diacritics(word: str, text: str = "", dice: Sequence[float] = ()) -> str:
    """The word in lower case and without the diacritics of its script; unchanged where the script has neither. Takes
    the arguments of every kind of perturbation, and needs only the word."""
    # Marks first: lower() would make a mark of the dot of Turkish İ.
    bare = "".join(map(_without_marks, _CLUSTER.findall(word)))
    return _RUN.sub(lambda run: run.group().lower(), bare)


KINDS: dict[str, Callable[[str, str, Sequence[float]], str]] = {"typos": add_typo, "diacritics": strip_diacritics}


def perturbation_name(kind: str, rate: float) -> str:
    """What results call a perturbation, such as `typos 10%`; unperturbed text is ""."""
    return f"{kind} {100 * rate:g}%"


def perturb_example(example: dict, kind: str, rate: float, seed: int) -> dict:
    """A copy of an example in which each word is changed, where the kind can change it, with probability `rate`.

    Whether and how a word changes depends on the seed, the example's id, the field, the word's place in it and the
    field's text. Words changed at a lower rate are changed at a higher rate too, in the same way, and the same places
    are chosen for every kind. The words of an answer stay, and its `start` moves with the text before it.
    Of retrieval pairs (no label, no answers) only the foreign `text` changes, of mining only the foreign side.
    """
    changed, key = dict(example), f"{seed}\0{example['id']}"
    if "tokens" in example:
        words = list(example["tokens"])
        changed["tokens"] = _perturb_words(words, " ".join(words), kind, rate, f"{key}\0tokens")
    elif example.get("side") != "english":
        is_retrieval = "label" not in example and "answers" not in example
        for field in ("text",) if is_retrieval else ("text", "text2"):
            if example.get(field):
                changed[field], _ = _perturb_text(example[field], kind, rate, f"{key}\0{field}")
        if "options" in example:
            options = enumerate(example["options"])
            changed["options"] = [_perturb_text(text, kind, rate, f"{key}\0option {n}")[0] for n, text in options]
        if "context" in example:
            context = _perturb_text(example["context"], kind, rate, f"{key}\0context", example["answers"])
            changed["context"], changed["answers"] = context
    return changed


def reachable_share(examples: Iterable[dict], kind: str) -> float:
    """The share of the words with a letter that a kind can change at all, 0..1: 1 for typos in any script, about 0
    for diacritics and case in, say, Chinese, where perturbed text is almost the text itself. NaN without words."""
    words = []
    for example in examples:
        texts = [example.get(field) or "" for field in ("text", "text2", "context")] + example.get("options", [])
        words += [*example.get("tokens", []), *_WORD.findall("\n".join(texts))]
    words = [word for word in words if _LETTER.search(word)]
    return sum(KINDS[kind](word, "", (0, 0, 0)) != word for word in words) / len(words) if words else float("nan")


def _perturb_words(
    words: list[str], text: str, kind: str, rate: float, key: str, frozen: Iterable[int] = ()
) -> list[str]:
    """The words of a text, some of them changed; those at the places in `frozen` never."""
    rng, perturbed, frozen = random.Random(key), [], set(frozen)
    for place, word in enumerate(words):
        chosen, *dice = (rng.random() for _ in range(4))  # four draws a word, chosen or not: the same at every rate
        perturbed.append(KINDS[kind](word, text, dice) if chosen < rate and place not in frozen else word)
    return perturbed


def _perturb_text(text: str, kind: str, rate: float, key: str, answers: Sequence[dict] = ()) -> tuple[str, list[dict]]:
    """A text with some words changed, outside the answers, and the answers at their new places."""
    matches = list(_WORD.finditer(text))
    spans = [(answer["start"], answer["start"] + len(answer["text"])) for answer in answers]
    frozen = [n for n, word in enumerate(matches) if any(a < word.end() and word.start() < b for a, b in spans)]
    words = _perturb_words([word.group() for word in matches], text, kind, rate, key, frozen)
    growth = [(old.end(), len(new) - len(old.group())) for old, new in zip(matches, words, strict=True)]
    starts = [start + sum(by for end, by in growth if end <= start) for start, _ in spans]
    moved = [answer | {"start": start} for answer, start in zip(answers, starts, strict=True)]
    return "".join(itertools.chain(*zip(_WORD.split(text), [*words, ""], strict=True))), moved


def _pick(items: Sequence, die: float):
    return items[int(die * len(items))]


@functools.lru_cache(maxsize=100_000)
def _without_marks(cluster: str) -> str:
    # A mark without a letter stays.
    has_optional_mark = _LETTER.match(cluster) and _script(cluster)[0] in _SCRIPTS_WITH_OPTIONAL_MARKS
    if not has_optional_mark or unicodedata.normalize("NFC", cluster).lower() in _KEPT_WHOLE:
        return cluster
    decomposed = unicodedata.normalize("NFD", cluster)
    bare = _MARK.sub("", decomposed)
    # Composed again only where a mark was removed: other characters keep the form that they came in.
    return (cluster if bare == decomposed else unicodedata.normalize("NFC", bare)).translate(_STROKES)


@functools.lru_cache(maxsize=100_000)
def _script(cluster: str) -> tuple[str, bool]:
    """The script of a character by its Unicode name (`LATIN SMALL LETTER A`), and whether it is upper case."""
    return unicodedata.name(cluster[0], "").split(" ")[0], cluster[0].isupper()


@functools.lru_cache(maxsize=256)
def _letters(text: str) -> dict[tuple[str, bool], list[str]]:
    """The letters of a text by script and case, in a fixed order."""
    letters: dict[tuple[str, bool], list[str]] = {}
    for letter in sorted(set(_LETTER.findall(text))):
        letters.setdefault(_script(letter), []).append(letter)
    return letters
