"""CCGbank's AUTO files (Hockenmaier & Steedman 2007, LDC2005T13): in goes a local folder, out come words and their
lexical categories. The corpus is licensed, so it is not on the hub and nothing here fetches it."""

import re
from pathlib import Path

# A leaf of a derivation: <L category treebank-tag tag word category-with-indices>
_LEAF = re.compile(r"\(<L (\S+) \S+ \S+ (\S+) \S+>\)")
_BRACKETS = {"-LRB-": "(", "-RRB-": ")", "-LCB-": "{", "-RCB-": "}"}


def read_ccgbank(folder: Path | None, sections: str) -> dict[str, list]:
    """The sentences of `sections` ("02-21") as `tokens` (words) and `label` (a category a word).

    Raises:
        ValueError: no folder (the message says where to get it), no sentence in the sections, or a derivation without
            leaves (the message names file and line).
    """
    if folder is None:
        raise ValueError(
            "ccgbank: no such folder; CCGbank is licensed (LDC catalogue number LDC2005T13) and is not on the hub: put "
            "its folder, the one with data/AUTO/02/wsj_0200.auto, as `ccgbank` into the mirror folder or into `local/`"
        )
    first, last = (int(section) for section in sections.split("-"))
    tokens, labels = [], []
    for section in range(first, last + 1):
        for file in sorted(folder.glob(f"data/AUTO/{section:02d}/wsj_*.auto")):
            for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
                if line.startswith("ID=") or not line.strip():
                    continue
                leaves = _LEAF.findall(line)
                if not leaves:
                    raise ValueError(f"{file}, line {number}: no leaf (<L category tag tag word ...>) in {line[:60]!r}")
                tokens.append([_BRACKETS.get(word, word) for _, word in leaves])
                labels.append([category for category, _ in leaves])
    if not tokens:
        raise ValueError(f"{folder}: no sentence in data/AUTO/{first:02d} to {last:02d}; is this CCGbank's folder?")
    return {"tokens": tokens, "label": labels}
