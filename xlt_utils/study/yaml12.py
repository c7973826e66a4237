"""Reading YAML 1.2 for people who know the traps of YAML 1.1: `no` is a string and `1e-4` a number, while `010`, a key
given twice and a file that ends in mid-line are faults. In goes a file, out comes a `Document`: its content, and for
every place in it the line and the text as written, so that later faults can name them."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML, nodes
from ruamel.yaml.error import YAMLError

Place = tuple[int | str, ...]  # the keys and indices that lead to a value

_CONSTANTS = {"null": None, "true": True, "false": False}
_TAG = "tag:yaml.org,2002:"


class Unreadable(ValueError):
    """A file that is no YAML mapping at all; the message names file and line."""


@dataclass
class Document:
    """A file's content and what is wrong with it; by place the line and the text as written."""

    content: dict[str, Any] = field(default_factory=dict)
    faults: list[tuple[Place, str]] = field(default_factory=list)
    lines: dict[Place, int] = field(default_factory=dict)
    texts: dict[Place, str] = field(default_factory=dict)

    def line(self, place: Place) -> int:
        """The line (from 1) of a place, or of what surrounds it when it is not in the file."""
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place, 1)

    def value(self, place: Place) -> str:
        """The text of the file at a place, shortened; empty where the place is not in the file."""
        text = " ".join(self.texts.get(place, "").split())
        return text if len(text) <= 60 else text[:57] + "..."


def parse_yaml(path: Path) -> Document:
    """Read a YAML file whose top is a mapping; lesser faults (a key twice, `010`) are listed in the document.

    Raises:
        Unreadable: no such file, no UTF-8, no valid YAML, or no mapping.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise Unreadable(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise Unreadable(f"{path}: byte {error.start} is not UTF-8 text") from None
    if not text.strip():
        raise Unreadable(f"{path}: the file is empty; params/ holds study files to copy")
    try:
        top = YAML(typ="rt").compose(text)
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else "?"
        end = "; the file ends here: was it cut off?" if mark and not text[mark.index :].strip("\0 \n") else ""
        problem = str(getattr(error, "problem", None) or error).splitlines()[0]
        raise Unreadable(f"{path}: line {line}: no valid YAML: {problem}{end}") from None
    if not isinstance(top, nodes.MappingNode):
        raise Unreadable(f"{path}: line 1: expected `key: value` lines such as `name: demo`")
    document = Document()
    try:
        document.content = _build(top, (), document, text)
    except RecursionError:
        raise Unreadable(f"{path}: a value contains itself (an alias `*` inside its own anchor `&`)") from None
    if not text.endswith("\n"):
        last = len(text.splitlines())
        document.faults.append((("<end>",), "the last line has no line end: was the file cut off? If not, add one"))
        document.lines["<end>",] = last
        document.texts["<end>",] = text.splitlines()[-1]
    return document


# ruamel's own loader stops at the first repeated key, turns dates into objects and a value that contains itself into
# None, and loses the text as written: hence this walk over its nodes.
def _build(node: nodes.Node, place: Place, document: Document, text: str) -> Any:
    """The value of a node; its line, its text and its faults go into the document."""
    document.lines.setdefault(place, node.start_mark.line + 1)
    document.texts[place] = text[node.start_mark.index : node.end_mark.index]
    if isinstance(node, nodes.SequenceNode):
        return [_build(item, (*place, index), document, text) for index, item in enumerate(node.value)]
    if isinstance(node, nodes.MappingNode):
        content: dict[str, Any] = {}
        for key, item in node.value:
            name = str(key.value) if isinstance(key, nodes.ScalarNode) else "?"
            if name in content:
                first, document.lines[*place, name] = document.lines[*place, name], key.start_mark.line + 1
                document.faults.append(((*place, name), f"the key is already in line {first}; keep one of the two"))
                continue
            document.lines[(*place, name)] = key.start_mark.line + 1
            content[name] = _build(item, (*place, name), document, text)
        return content
    assert isinstance(node, nodes.ScalarNode)
    return _scalar(node, place, document)


def _scalar(node: nodes.ScalarNode, place: Place, document: Document) -> Any:
    kind, text = str(node.tag).removeprefix(_TAG), node.value.replace("\a", "")  # ruamel's mark in folded text (`>`)
    number = text.replace("_", "")
    if kind == "int" and re.fullmatch(r"[-+]?0\d+", number):
        plain = number.lstrip("0") or "0"
        document.faults.append((place, f"a number with a leading zero is read as 8-based by some; write {plain}"))
        return int(number)
    if kind == "int":
        return int(number, 0)
    if kind == "float":
        return float(re.sub(r"^([-+]?)\.(inf|nan)$", r"\1\2", number, flags=re.IGNORECASE))
    if kind in ("bool", "null"):
        return _CONSTANTS.get(text.lower())
    if kind not in ("str", "timestamp"):
        document.faults.append((place, f"the tag `{node.tag}` is not known here; leave it out"))
    return text
