"""The parameters of a cell, held to the notebook that takes them, before any kernel starts: papermill only
warns of a parameter that the notebook does not declare, and runs on defaults when none is given."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from xlt_utils import paths, sources
from xlt_utils.names import Fault, nearest

SHAPE = {"phase": str, "cell": str, "hash": str, "notebook": str, "inputs": list, "parameters": dict}
TYPES = {"int": int, "float": (int, float), "str": str, "bool": bool, "list": list, "dict": dict, "None": type(None)}


class BadParameters(Fault):
    """A params.json that its notebook cannot run with; the message lists all faults."""


def check(path: Path) -> dict[str, Any]:
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
        declared = sources.declared(paths.resolve(given["notebook"]))
    except (OSError, ValueError, SyntaxError) as error:
        raise BadParameters(f"{path}: notebook = {given['notebook']!r}: {error}") from None
    faults = [*_against(given["parameters"], declared, given["notebook"]), *_places(path, given)]
    if faults:
        head = f"{path}: {len(faults)} fault{'s' if len(faults) > 1 else ''}; no kernel was started"
        raise BadParameters("\n  ".join([head, *faults]))
    return given


def collect(notebook: str, names: dict[str, Any]) -> dict[str, Any]:
    """The parameters of a notebook of this project (`01_pretrain`) as they stand in its kernel, `globals()`.

    Raises BadParameters with every value that is not of its parameter's type: what a hand or `papermill -p`
    put there as text is refused, never read as something else.
    """
    file = f"notebooks/{notebook}.ipynb"
    declared = sources.declared(paths.ROOT / file)
    given = {name: names[name] for name in declared}
    if faults := list(_against(given, declared, file)):
        raise BadParameters("\n  ".join(["parameters of another type than they are declared with", *faults]))
    return given


def _against(given: dict[str, Any], declared: dict[str, sources.Declared], notebook: str) -> Iterator[str]:
    for name, value in given.items():
        if name not in declared:
            yield f"{name} = {value!r}: {notebook} has no such parameter; {nearest(name, list(declared))}"
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


def _fits(value: Any, parameter: sources.Declared) -> bool:
    """Whether a value has the declared type: that of the annotation (`int | None`), else that of the default;
    a bare default of None takes anything."""
    if parameter.annotation is None and parameter.default is None:
        return True
    written = parameter.annotation or type(parameter.default).__name__
    kinds = [kind.strip() for kind in re.sub(r"\[.*\]", "", written).split("|")]
    if isinstance(value, bool):
        return "bool" in kinds
    return any(isinstance(value, TYPES.get(kind, object)) for kind in kinds)
