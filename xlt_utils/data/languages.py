"""The languages, one row each, with the names that data sets give them: XTREME's forty as XTREME spells them, the
microworld's, and every other language of ISO 639-1 under its ISO names. A task's row (tasks.py) says which of
these names its configs use; a data set with its own spelling needs a row here."""

from dataclasses import dataclass

import pycountry

from xlt_utils import microworld


@dataclass(frozen=True)
class Language:
    """A language under the names that data sets use: `code` in XNLI, PAN-X and the text, `iso3` in
    Tatoeba (ISO 639-3), `ud_name` in udpos, `lower_name` in TyDiQA and the multilingual tweets."""

    code: str
    name: str
    iso3: str
    ud_name: str
    lower_name: str


# code, name, ISO 639-3 code as the Tatoeba configs spell it (Hu et al. 2020, table 4)
_XTREME = """
af Afrikaans afr   | ar Arabic ara     | bg Bulgarian bul | bn Bengali ben    | de German deu
el Greek ell       | en English eng    | es Spanish spa   | et Estonian est   | eu Basque eus
fa Persian pes     | fi Finnish fin    | fr French fra    | he Hebrew heb     | hi Hindi hin
hu Hungarian hun   | id Indonesian ind | it Italian ita   | ja Japanese jpn   | jv Javanese jav
ka Georgian kat    | kk Kazakh kaz     | ko Korean kor    | ml Malayalam mal  | mr Marathi mar
ms Malay zsm       | my Burmese mya    | nl Dutch nld     | pt Portuguese por | ru Russian rus
sw Swahili swh     | ta Tamil tam      | te Telugu tel    | th Thai tha       | tl Tagalog tgl
tr Turkish tur     | ur Urdu urd       | vi Vietnamese vie | yo Yoruba yor    | zh Chinese cmn
"""


# Branches with several of XTREME's languages (Hu et al. 2020, table 4, and the genera of WALS): what one of them gains
# from English data the others are likely to gain too.
_BRANCHES = """
af de en nl | bg ru | es fr it pt | bn hi mr ur | et fi | kk tr | id jv ms tl | ml ta te | ar he
"""
BRANCHES = {code: branch.split()[0] for branch in _BRANCHES.split("|") for code in branch.split()}


def _xtreme() -> list[Language]:
    rows = [row.split() for line in _XTREME.strip().splitlines() for row in line.split("|")]
    return [Language(code, name, iso3, name, name.lower()) for code, name, iso3 in rows]


def _iso_639() -> list[Language]:
    rows = [row for row in pycountry.languages if hasattr(row, "alpha_2")]
    names = [row.name.split(" (")[0] for row in rows]
    return [Language(r.alpha_2, name, r.alpha_3, name, name.lower()) for r, name in zip(rows, names, strict=True)]


def _counterfactual() -> list[Language]:
    grammars = [grammar for grammar in microworld.LANGUAGES.values() if grammar.code != "en"]
    return [Language(g.code, g.name, g.iso3, g.ud_name, g.ud_name.lower()) for g in grammars]


# XTREME spells some names its own way, and the microworld's `xh` is not Xhosa: their rows come first and stay.
_ROWS = {language.code: language for language in [*_xtreme(), *_counterfactual()]}
LANGUAGES: dict[str, Language] = _ROWS | {row.code: row for row in _iso_639() if row.code not in _ROWS}
