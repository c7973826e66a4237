"""The parameters of a cell, held to the notebook that takes them, before any kernel starts: papermill only
warns of a parameter that the notebook does not declare, and runs on defaults when none is given."""

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xlt_utils import paths
from xlt_utils.code_hash import notebook_cells
from xlt_utils.errors import Fault, did_you_mean

SHAPE = {"phase": str, "cell": str, "hash": str, "notebook": str, "inputs": list, "parameters": dict}
TYPES = {"int": int, "float": (int, float), "str": str, "bool": bool, "list": list, "dict": dict, "None": type(None)}


@dataclass(frozen=True)
class DeclaredParameter:
    """A parameter as a notebook declares it: its default, and its annotation where it has one."""

    default: Any
    annotation: str | None = None


def declared_parameters(notebook: Path) -> dict[str, DeclaredParameter]:
    """The parameters of a notebook, from the source of its cell tagged `parameters`.

    Raises ValueError, naming the notebook, when there is not exactly one such cell of plain literals.
    """
    tagged = [cell for cell in notebook_cells(notebook) if "parameters" in cell.get("metadata", {}).get("tags", [])]
    if len(tagged) != 1:
        raise ValueError(f"{notebook}: {len(tagged)} cells are tagged `parameters`; a notebook has just one")
    source, found = "".join(tagged[0]["source"]), {}
    # papermill's own way to annotate; it does not know `int | None` as a Python annotation
    comments = dict(re.findall(r"^(\w+)\s*=.*#\s*type:\s*(\S+)", source, flags=re.MULTILINE))
    for line in ast.parse(source).body:
        try:
            if isinstance(line, ast.AnnAssign):
                found[line.target.id] = DeclaredParameter(ast.literal_eval(line.value), ast.unparse(line.annotation))
            elif isinstance(line, ast.Assign):
                names = [target.id for target in line.targets]
                found |= {name: DeclaredParameter(ast.literal_eval(line.value), comments.get(name)) for name in names}
        except (ValueError, AttributeError):
            raise ValueError(f"{notebook}: `{ast.unparse(line)}`: the parameters cell holds plain literals") from None
    return found


class BadParameters(Fault):
    """A params.json that its notebook cannot run with; the message lists all faults."""


def read_params(path: Path) -> dict[str, Any]:
    """Read a params.json and hold it to its notebook. Raises BadParameters with every fault."""
    try:
        given = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadParameters(f"{path}: cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise BadParameters(f"{path}: no JSON: {error}; is it empty or cut off? `xlt run` writes it anew") from None
    given = given if isinstance(given, dict) else {}
    odd = [f"{name} (a {kind.__name__})" for name, kind in SHAPE.items() if not isinstance(given.get(name), kind)]
    if odd:
        raise BadParameters(f"{path}: without {', '.join(odd)} this is no cell; `xlt run` writes these files")
    try:
        declared = declared_parameters(paths.resolve(given["notebook"]))
    except (OSError, ValueError, SyntaxError) as error:
        raise BadParameters(f"{path}: notebook = {given['notebook']!r}: {error}") from None
    faults = [*_against(given["parameters"], declared, given["notebook"]), *_places(path, given)]
    if faults:
        head = f"{path}: {len(faults)} fault{'s' if len(faults) > 1 else ''}; no kernel was started"
        raise BadParameters("\n  ".join([head, *faults]))
    return given


def collect_parameters(notebook: str, names: dict[str, Any]) -> dict[str, Any]:
    """The parameters of a notebook of this project (`01_pretrain`) as they stand in its kernel, `globals()`.

    Raises BadParameters with every value that is not of its parameter's type: what a hand or `papermill -p`
    put there as text is refused, never read as something else.
    """
    file = f"notebooks/{notebook}.ipynb"
    declared = declared_parameters(paths.ROOT / file)
    given = {name: names[name] for name in declared}
    if faults := list(_against(given, declared, file)):
        raise BadParameters("\n  ".join(["parameters of another type than they are declared with", *faults]))
    return given


def _against(given: dict[str, Any], declared: dict[str, DeclaredParameter], notebook: str) -> Iterator[str]:
    for name, value in given.items():
        if name not in declared:
            yield f"{name} = {value!r}: {notebook} has no such parameter; {did_you_mean(name, list(declared))}"
        elif not _fits(value, declared[name]):
            kind = declared[name].annotation or type(declared[name].default).__name__
            yield f"{name} = {value!r}: {notebook} declares it as {kind}"
    for name in declared:
        if name not in given:
            yield f"{name}: missing, and {notebook} would run with its own default"


def _places(path: Path, given: dict[str, Any]) -> Iterator[str]:
    out = given["parameters"].get("out")
    if out is not None and paths.resolve(str(out)).absolute() != path.parent.absolute():
        yield f"out = {out!r}: must be the folder of this file, {paths.relative(path.parent)!r}"
    for before in given["inputs"]:
        if not (paths.resolve(before) / "record.json").exists():
            yield f"inputs: {before} has no record; run it first: xlt cell {before}/params.json"


def _fits(value: Any, parameter: DeclaredParameter) -> bool:
    """Whether a value has the declared type: that of the annotation (`int | None`), else that of the default;
    a bare default of None takes anything."""
    if parameter.annotation is None and parameter.default is None:
        return True
    written = parameter.annotation or type(parameter.default).__name__
    kinds = [kind.strip() for kind in re.sub(r"\[.*\]", "", written).split("|")]
    if isinstance(value, bool):
        return "bool" in kinds
    return any(isinstance(value, TYPES.get(kind, object)) for kind in kinds)
