"""Perturbed test text: seeded typos, or dropped diacritics and case, in a share of the words. In goes an example
of any format, out comes one with the same labels, number of words and answers, whatever its script.

A word is what stands between white space, and in a token list each token. Scripts that write no spaces have words
of two characters (Han, kana) or three (Thai, Lao, Khmer, Burmese), cut from the left of each run. A character is a
grapheme cluster, a letter with all its marks. The share is of the words that hold a letter and touch no answer, as
expected: each is drawn by itself. Only letters change; every other character, and every other word, keeps its bytes.
"""

import functools
import itertools
import random
import unicodedata
from collections.abc import Iterable, Sequence

import regex

RATES = (0.05, 0.1, 0.2)

_CLUSTER = regex.compile(r"\X")
_LETTER = regex.compile(r"(?=[\p{L}--[\u0e33\u0eb3\uff9e\uff9f]])\X", regex.V1)  # those four lean on the one before
_RUN = regex.compile(r"[\p{L}\p{M}]+")
_TWO, _THREE = r"\p{Han}\p{Hiragana}\p{Katakana}ー", r"\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
_WORD = regex.compile(rf"(?:(?=[{_TWO}])\X){{1,2}}|(?:(?=[{_THREE}])\X){{1,3}}|[^\s{_TWO}{_THREE}]+")

# Scripts whose combining marks a hurried writer leaves out. Elsewhere they are vowels or part of the letter (Hindi,
# Thai, kana, the syllables of Korean), and so are hamza and madda in Arabic, and the mark of these Cyrillic letters:
# ё is written е every day, й never и.
_BARE = {"LATIN", "GREEK", "CYRILLIC", "ARABIC", "HEBREW"}
_MARK = regex.compile(r"[\p{Mn}--[\u0653-\u0655]]", regex.V1)
_WHOLE = frozenset("йїўѓќ")
_STROKES = str.maketrans("đĐłŁøØ", "dDlLoO")  # diacritics to the writer, though Unicode has no mark for them


def typo(word: str, text: str, dice: Sequence[float]) -> str:
    """One letter of the word dropped, doubled, swapped with the next, or replaced by another letter of the text in
    the same script and case. `dice` are three numbers in 0..1: for the place, the kind of slip and the new letter.

    A word of a single letter keeps one; a word without letters stays.
    """
    clusters = _CLUSTER.findall(word)
    letters = [place for place, cluster in enumerate(clusters) if _LETTER.match(cluster)]
    if not letters:
        return word
    at = _pick(letters, dice[0])
    this = clusters[at]
    slips = [(1, this + this)]  # how many characters go, and what comes instead
    if len(letters) > 1:
        slips.append((1, ""))
    if at + 1 in letters and clusters[at + 1] != this:
        slips.append((2, clusters[at + 1] + this))
    others = [letter for letter in _letters(text).get(_script(this), []) if letter != this]
    if others:
        slips.append((1, _pick(others, dice[2])))
    gone, new = _pick(slips, dice[1])
    return "".join([*clusters[:at], new, *clusters[at + gone :]])


def plain(word: str, text: str = "", dice: Sequence[float] = ()) -> str:
    """The word in lower case and without the diacritics of its script; unchanged where the script has neither."""
    # the marks first: lower() would make one of the dot of Turkish İ
    bare = "".join(map(_bare, _CLUSTER.findall(word)))
    return _RUN.sub(lambda run: run.group().lower(), bare)


KINDS = {"typos": typo, "diacritics": plain}


def label(kind: str, rate: float) -> str:
    """What results call a perturbation, as `typos 10%`; unperturbed text is ""."""
    return f"{kind} {100 * rate:g}%"


def perturb(example: dict, kind: str, rate: float, seed: int) -> dict:
    """A copy of an example in which each word is changed, as far as the kind can, with probability `rate` (0..1).

    Whether and how a word changes hangs on the seed, the example's id, the field, the word's place in it and the
    field's text: the words changed at a lower rate are changed at a higher one too, in the same way, and the same
    places are chosen for every kind. The words of an answer stay, and its `start` moves with the text before it.
    Of retrieval pairs (no label, no answers) only the foreign `text` changes, of mining only the foreign side.
    """
    changed, key = dict(example), f"{seed}\0{example['id']}"
    if "tokens" in example:
        tokens = list(example["tokens"])
        changed["tokens"] = _words(tokens, " ".join(tokens), kind, rate, f"{key}\0tokens")
    elif example.get("side") != "english":
        is_pair = "label" not in example and "answers" not in example
        for field in ("text",) if is_pair else ("text", "text2"):
            if example.get(field):
                changed[field], _ = _text(example[field], kind, rate, f"{key}\0{field}")
        if "options" in example:
            options = enumerate(example["options"])
            changed["options"] = [_text(option, kind, rate, f"{key}\0option {n}")[0] for n, option in options]
        if "context" in example:
            found = _text(example["context"], kind, rate, f"{key}\0context", example["answers"])
            changed["context"], changed["answers"] = found
    return changed


def reach(examples: Iterable[dict], kind: str) -> float:
    """The share of the words with a letter that a kind can change at all, 0..1: 1 for typos in any script, about 0
    for diacritics and case in, say, Chinese, where perturbed text is next to the text itself. NaN without words."""
    words = []
    for example in examples:
        texts = [example.get(field) or "" for field in ("text", "text2", "context")] + example.get("options", [])
        words += [*example.get("tokens", []), *_WORD.findall("\n".join(texts))]
    words = [word for word in words if _LETTER.search(word)]
    return sum(KINDS[kind](word, "", (0, 0, 0)) != word for word in words) / len(words) if words else float("nan")


def _words(words: list[str], text: str, kind: str, rate: float, key: str, frozen: Iterable[int] = ()) -> list[str]:
    """The words of a text, some of them changed; those at the places in `frozen` never."""
    draw, new, frozen = random.Random(key), [], set(frozen)
    for place, word in enumerate(words):
        chosen, *dice = (draw.random() for _ in range(4))  # four draws a word, chosen or not: the same at every rate
        new.append(KINDS[kind](word, text, dice) if chosen < rate and place not in frozen else word)
    return new


def _text(text: str, kind: str, rate: float, key: str, answers: Sequence[dict] = ()) -> tuple[str, list[dict]]:
    """A text with some words changed, outside the answers, and the answers at their new places."""
    words = list(_WORD.finditer(text))
    spans = [(answer["start"], answer["start"] + len(answer["text"])) for answer in answers]
    frozen = [n for n, word in enumerate(words) if any(a < word.end() and word.start() < b for a, b in spans)]
    new = _words([word.group() for word in words], text, kind, rate, key, frozen)
    growth = [(word.end(), len(written) - len(word.group())) for word, written in zip(words, new, strict=True)]
    starts = [a + sum(by for end, by in growth if end <= a) for a, _ in spans]
    moved = [answer | {"start": start} for answer, start in zip(answers, starts, strict=True)]
    return "".join(itertools.chain(*zip(_WORD.split(text), [*new, ""], strict=True))), moved


def _pick(things: Sequence, die: float):
    return things[int(die * len(things))]


@functools.lru_cache(maxsize=100_000)
def _bare(cluster: str) -> str:
    is_marked = _LETTER.match(cluster) and _script(cluster)[0] in _BARE  # a mark that stands by itself stays
    if not is_marked or unicodedata.normalize("NFC", cluster).lower() in _WHOLE:
        return cluster
    apart = unicodedata.normalize("NFD", cluster)
    bare = _MARK.sub("", apart)
    # composed anew only where a mark went: other characters keep the form that they came in
    return (cluster if bare == apart else unicodedata.normalize("NFC", bare)).translate(_STROKES)


@functools.lru_cache(maxsize=100_000)
def _script(cluster: str) -> tuple[str, bool]:
    """The script of a character by its Unicode name (`LATIN SMALL LETTER A`), and whether it is upper case."""
    return unicodedata.name(cluster[0], "").split(" ")[0], cluster[0].isupper()


@functools.lru_cache(maxsize=256)
def _letters(text: str) -> dict[tuple[str, bool], list[str]]:
    """The letters of a text by script and case, in a fixed order."""
    found: dict[tuple[str, bool], list[str]] = {}
    for letter in sorted(set(_LETTER.findall(text))):
        found.setdefault(_script(letter), []).append(letter)
    return found
