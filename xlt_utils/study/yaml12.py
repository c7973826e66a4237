"""Reading YAML 1.2 with the eyes of somebody who has been bitten by YAML 1.1: `no` is a string, `1e-4` a
number, `010` a fault, and so are a key that stands twice and a file that ends in mid-line. What is read
keeps its line numbers, so that later faults can name them."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML, nodes
from ruamel.yaml.error import YAMLError

WORDS = {"null": None, "true": True, "false": False}
TAG = "tag:yaml.org,2002:"


class Unreadable(ValueError):
    """A file that is no YAML mapping at all; the message names file and line."""


@dataclass
class Document:
    """A file's content; by place (a tuple of keys and indices) its lines and its text as written."""

    content: dict[str, Any] = field(default_factory=dict)
    faults: list[tuple[tuple, str]] = field(default_factory=list)
    lines: dict[tuple, int] = field(default_factory=dict)
    texts: dict[tuple, str] = field(default_factory=dict)

    def line(self, place: tuple) -> int:
        """The line (from 1) of a place, or of what surrounds it when it is not in the file."""
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place, 1)

    def value(self, place: tuple) -> str:
        """What the file says at a place, shortened; empty when it says nothing there."""
        text = " ".join(self.texts.get(place, "").split())
        return text if len(text) <= 60 else text[:57] + "..."


def parse_yaml(path: Path) -> Document:
    """Read a YAML file whose top is a mapping. Raises Unreadable where there is no such thing to read;
    lesser faults (a key twice, `010`) are listed in the document."""
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


def _build(node: nodes.Node, place: tuple, document: Document, text: str) -> Any:
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
                document.faults.append(((*place, name), f"the key stood in line {first} before; keep one of the two"))
                continue
            document.lines[(*place, name)] = key.start_mark.line + 1
            content[name] = _build(item, (*place, name), document, text)
        return content
    return _scalar(node, place, document)


def _scalar(node: nodes.ScalarNode, place: tuple, document: Document) -> Any:
    kind, text = str(node.tag).removeprefix(TAG), node.value
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
        return WORDS.get(text.lower())
    if kind not in ("str", "timestamp"):
        document.faults.append((place, f"the tag `{node.tag}` is not known here; leave it out"))
    return text
