"""The parameters of a cell, compared with the notebook that takes them before any kernel starts: papermill only warns
of a parameter that the notebook does not declare, and runs on defaults when none is given. In goes a params.json or a
kernel's names, out come the parameters, or one `BadParameters` that lists every fault."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xlt_utils import paths
from xlt_utils.code_hash import notebook_cells
from xlt_utils.errors import Fault, did_you_mean
from xlt_utils.files import read_json

PARAMS_FIELDS = {"phase": str, "cell": str, "hash": str, "notebook": str, "inputs": list, "parameters": dict}
TYPES: dict[str, type | tuple[type, ...]] = {
    "int": int,
    "float": (int, float),
    "str": str,
    "bool": bool,
    "list": list,
    "dict": dict,
    "None": type(None),
}


class BadParameters(Fault):
    """Parameters that a notebook cannot run with; the message lists all faults."""


@dataclass(frozen=True)
class DeclaredParameter:
    """A parameter as a notebook declares it: its default, and its annotation where it has one."""

    default: Any
    annotation: str | None = None


def declared_parameters(notebook: Path) -> dict[str, DeclaredParameter]:
    """The parameters of a notebook by name, from the source of its cell tagged `parameters`.

    Raises:
        ValueError: the notebook, which the message names, has not exactly one such cell of plain literals.
    """
    tagged = [cell for cell in notebook_cells(notebook) if "parameters" in cell.get("metadata", {}).get("tags", [])]
    if len(tagged) != 1:
        raise ValueError(f"{notebook}: {len(tagged)} cells are tagged `parameters`; a notebook has just one")
    source = "".join(tagged[0]["source"])
    # papermill's own way to annotate; it does not know `int | None` as a Python annotation
    comments = dict(re.findall(r"^(\w+)\s*=.*#\s*type:\s*(\S+)", source, flags=re.MULTILINE))
    declared = {}
    for line in ast.parse(source).body:
        if not isinstance(line, (ast.Assign, ast.AnnAssign)):
            continue
        try:
            match line:
                case ast.Assign(targets=[ast.Name(id=name)], value=value):
                    annotation = comments.get(name)
                case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                    annotation = ast.unparse(line.annotation)
                case _:
                    raise ValueError("not one name and its default")
            declared[name] = DeclaredParameter(ast.literal_eval(value), annotation)
        except ValueError:
            raise ValueError(f"{notebook}: `{ast.unparse(line)}`: the parameters cell holds plain literals") from None
    return declared


def read_params(path: Path) -> dict[str, Any]:
    """Read a params.json and compare it with its notebook.

    Raises:
        BadParameters: with every fault in one message.
    """
    try:
        params = read_json(path)
    except OSError as error:
        raise BadParameters(f"{path}: cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise BadParameters(f"{path}: no JSON: {error}; is it empty or cut off? `xlt run` writes it anew") from None
    params = params if isinstance(params, dict) else {}
    wrong = [name for name, kind in PARAMS_FIELDS.items() if not isinstance(params.get(name), kind)]
    if wrong:
        fields = ", ".join(f"{name} (a {PARAMS_FIELDS[name].__name__})" for name in wrong)
        raise BadParameters(f"{path}: without {fields} this is no cell; `xlt run` writes these files")
    try:
        declared = declared_parameters(paths.notebook_file(params["notebook"]))
    except (OSError, ValueError, SyntaxError) as error:
        raise BadParameters(f"{path}: notebook = {params['notebook']!r}: {error}") from None
    faults = [*_parameter_faults(params["parameters"], declared, params["notebook"]), *_folder_faults(path, params)]
    if faults:
        head = f"{path}: {len(faults)} fault{'s' if len(faults) > 1 else ''}; no kernel was started"
        raise BadParameters("\n  ".join([head, *faults]))
    return params


def collect_parameters(notebook: str, names: dict[str, Any]) -> dict[str, Any]:
    """The parameters of a notebook as they stand in its kernel.

    Args:
        notebook: one of this project, such as `01_pretrain`.
        names: the kernel's `globals()`.

    Raises:
        BadParameters: with every value that is not of its parameter's type: what a hand or `papermill -p` put there
            as text is refused, never read as something else.
    """
    file = f"notebooks/{notebook}.ipynb"
    declared = declared_parameters(paths.notebook_file(file))
    parameters = {name: names[name] for name in declared}
    if faults := list(_parameter_faults(parameters, declared, file)):
        raise BadParameters("\n  ".join(["parameters of another type than they are declared with", *faults]))
    return parameters


def _parameter_faults(
    parameters: dict[str, Any], declared: dict[str, DeclaredParameter], notebook: str
) -> Iterator[str]:
    for name, value in parameters.items():
        if name not in declared:
            yield f"{name} = {value!r}: {notebook} has no such parameter; {did_you_mean(name, declared)}"
        elif not _fits(value, declared[name]):
            kind = declared[name].annotation or type(declared[name].default).__name__
            yield f"{name} = {value!r}: {notebook} declares it as {kind}"
    for name in declared:
        if name not in parameters:
            yield f"{name}: missing, and {notebook} would run with its own default"


def _folder_faults(path: Path, params: dict[str, Any]) -> Iterator[str]:
    out = params["parameters"].get("out")
    if out is not None and paths.resolve(str(out)).resolve() != path.parent.resolve():  # whatever links lead there
        yield f"out = {out!r}: must be the folder of this file, {paths.relative(path.parent)!r}"
    for folder in params["inputs"]:
        if not (paths.resolve(folder) / "record.json").exists():
            yield f"inputs: {folder} has no record; run it first: xlt cell {folder}/params.json"


def _fits(value: Any, parameter: DeclaredParameter) -> bool:
    """Whether a value has the declared type: that of the annotation (`int | None`), else that of the default;
    a bare default of None takes anything."""
    if parameter.annotation is None and parameter.default is None:
        return True
    annotation = parameter.annotation or type(parameter.default).__name__
    kinds = [kind.strip() for kind in re.sub(r"\[.*\]", "", annotation).split("|")]
    if isinstance(value, bool):
        return "bool" in kinds
    return any(isinstance(value, TYPES.get(kind, object)) for kind in kinds)
