"""What a notebook is made of, read without running it: the parameters that it declares, its cells,
the modules of this package that it imports. The runner checks parameters with it, the hash of a cell
covers the rest."""

import ast
import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).resolve().parent
# Modules that carry, draw or start runs change no result; the record's schema number stands for records.py.
MACHINERY = (
    "paths",
    "hashes",
    "study",
    "study_file",
    "speed",
    "preflight",
    "cells",
    "sources",
    "names",
    "parameters",
    "yaml12",
    "records",
    "runner",
    "warm",
    "plan",
    "cli",
    "drawing",
    "figures",
    "law_figures",
    "parallel",
    "notebook_pages",
    "report",
    "report_tables",
)
PAGE = (
    "drawing",
    "figures",
    "law_figures",
    "notebook_pages",
    "report",
    "report_tables",
)  # to the report's own hash these do count


@dataclass(frozen=True)
class Declared:
    """A parameter as a notebook declares it: its default, and its annotation where it has one."""

    default: Any
    annotation: str | None = None


def declared(notebook: Path) -> dict[str, Declared]:
    """The parameters of a notebook, from the source of its cell tagged `parameters`.

    Raises ValueError, naming the notebook, when there is not exactly one such cell of plain literals.
    """
    tagged = [cell for cell in _cells(notebook) if "parameters" in cell.get("metadata", {}).get("tags", [])]
    if len(tagged) != 1:
        raise ValueError(f"{notebook}: {len(tagged)} cells are tagged `parameters`; a notebook has just one")
    source, found = "".join(tagged[0]["source"]), {}
    # papermill's own way to annotate; it does not know `int | None` as a Python annotation
    comments = dict(re.findall(r"^(\w+)\s*=.*#\s*type:\s*(\S+)", source, flags=re.MULTILINE))
    for line in ast.parse(source).body:
        try:
            if isinstance(line, ast.AnnAssign):
                found[line.target.id] = Declared(ast.literal_eval(line.value), ast.unparse(line.annotation))
            elif isinstance(line, ast.Assign):
                names = [target.id for target in line.targets]
                found |= {name: Declared(ast.literal_eval(line.value), comments.get(name)) for name in names}
        except (ValueError, AttributeError):
            raise ValueError(f"{notebook}: `{ast.unparse(line)}`: the parameters cell holds plain literals") from None
    return found


def code(notebook: Path, phase: str) -> str:
    """The sha256 of a notebook's cells (code and prose, no outputs) and of the modules that it reaches.

    The report's pages are its result, so there the drawing modules and the templates count.
    """
    left_out = [name for name in MACHINERY if not (phase == "report" and name in PAGE)]
    parts = [f"{cell['cell_type']}\n{''.join(cell['source'])}" for cell in _cells(notebook)]
    for name, path in sorted(modules(notebook, left_out).items()):
        parts.append(f"{name}\n" + path.read_text(encoding="utf-8"))
    if phase == "report":
        parts += [template.read_text(encoding="utf-8") for template in sorted(PACKAGE.glob("*.jinja"))]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def modules(notebook: Path, left_out: tuple[str, ...] | list[str] = MACHINERY) -> dict[str, Path]:
    """The modules of `xlt_utils` that a notebook imports, itself or through others, as files by dotted name."""
    lines = [line for cell in _cells(notebook) if cell["cell_type"] == "code" for line in _lines(cell)]
    todo, found = _imports("".join(lines), ()), {}
    while todo:
        name = todo.pop()
        path = _file(name)
        if path is None or name in found or name.split(".")[0] in left_out:
            continue
        found[name] = path
        parts = tuple(name.split("."))
        todo |= _imports(path.read_text(encoding="utf-8"), parts if path.name == "__init__.py" else parts[:-1])
    return found


def _cells(notebook: Path) -> list[dict[str, Any]]:
    return json.loads(Path(notebook).read_text(encoding="utf-8"))["cells"]


def _lines(cell: dict[str, Any]) -> list[str]:
    """A code cell's lines without those of IPython's magic, which Python's parser refuses."""
    return [line for line in ("".join(cell["source"]) + "\n").splitlines(True) if line.lstrip()[:1] not in ("%", "!")]


def _imports(source: str, package: tuple[str, ...]) -> set[str]:
    """Dotted names below `xlt_utils` that a source imports; those that are no modules have no file."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = ("xlt_utils", *package)[: len(package) + 2 - node.level] if node.level else ()
            module = ".".join([*above, *([node.module] if node.module else [])])
            names |= {module, *(f"{module}.{alias.name}" for alias in node.names)}
    below = {name.removeprefix("xlt_utils.") for name in names if name.startswith("xlt_utils.")}
    # importing a.b runs a/__init__.py as well
    return {".".join(name.split(".")[: i + 1]) for name in below for i in range(name.count(".") + 1)}


def _file(name: str) -> Path | None:
    place = PACKAGE.joinpath(*name.split("."))
    return next((path for path in (place.with_suffix(".py"), place / "__init__.py") if path.is_file()), None)
