"""The code that decides a result, as one hash: the parsed code of a notebook and of the modules that it reaches in the
rooms that compute. Comments, docstrings, formatting and the names of modules are left out, so that explaining or moving
code runs nothing again, and changing an operator does."""

import ast
import functools
import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).resolve().parent
# The rooms whose code can change what a run of a phase finds. The microworld's code is not among them: what it wrote
# counts, as the data's fingerprint.
COMPUTING = ("data", "training", "evaluation")
# The report's page is its result, so there whatever draws it counts, the templates too.
DRAWING = ("data", "analysis", "reporting", "formatting")
_UNHASHED = ("ctx", "kind", "type_comment")


def notebook_code_hash(notebook: Path, phase: str) -> str:
    """The sha256 of the code that decides a run of a notebook: its cells and the modules that they reach.

    Args:
        notebook: the file; its prose and its outputs do not count.
        phase: `pretrain`, `intermediate`, `target` or `report`.

    Raises:
        SyntaxError: a cell or a module is no Python.
    """
    rooms = DRAWING if phase == "report" else COMPUTING
    lines = [line for cell in notebook_cells(notebook) if cell["cell_type"] == "code" for line in _lines(cell)]
    parts = [_form_hash("".join(lines), (), rooms), *_module_hashes(_imported("".join(lines), ()), rooms)]
    if phase == "report":
        parts += [path.read_text(encoding="utf-8") for path in sorted(PACKAGE.glob("reporting/templates/*"))]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def module_code_hash(module: str) -> str:
    """The sha256 of a computing module (`xlt_utils.training.corpus`, its `__name__`) and of all that it reaches."""
    name = module.removeprefix("xlt_utils.")
    return hashlib.sha256("\0".join(_module_hashes({name}, COMPUTING)).encode()).hexdigest()


def room_code_hash(room: str) -> str:
    """The sha256 of all modules of one room, such as `microworld`."""
    paths = sorted(path.relative_to(PACKAGE) for path in (PACKAGE / room).rglob("*.py"))
    names = {".".join(path.with_suffix("").parts).removesuffix(".__init__") for path in paths}
    return hashlib.sha256("\0".join(_module_hashes(names, (room,))).encode()).hexdigest()


def reached_modules(notebook: Path, rooms: tuple[str, ...] = COMPUTING) -> set[str]:
    """The modules in some rooms that a notebook imports, itself or through others, as `training.loop`."""
    lines = [line for cell in notebook_cells(notebook) if cell["cell_type"] == "code" for line in _lines(cell)]
    return _reached(_imported("".join(lines), ()), rooms)


def notebook_cells(notebook: Path) -> list[dict[str, Any]]:
    """The cells of a notebook file."""
    return json.loads(Path(notebook).read_text(encoding="utf-8"))["cells"]


def _lines(cell: dict[str, Any]) -> list[str]:
    """A code cell's lines without those of IPython's magic, which Python's parser refuses."""
    return [line for line in ("".join(cell["source"]) + "\n").splitlines(True) if line.lstrip()[:1] not in ("%", "!")]


def _reached(names: Iterable[str], rooms: tuple[str, ...]) -> set[str]:
    todo, reached = set(names), set()
    while todo:
        name = todo.pop()
        path = _file(name)
        if path is None or name in reached or name.split(".")[0] not in rooms:
            continue
        reached.add(name)
        todo |= _imported(path.read_text(encoding="utf-8"), _package_of(name, path))
    return reached


def _module_hashes(names: Iterable[str], rooms: tuple[str, ...]) -> list[str]:
    """The hashes of the modules that some names reach, sorted: no module's name is in them."""
    files = [(name, _file(name)) for name in _reached(names, rooms)]
    return sorted(_form_hash(path.read_text(encoding="utf-8"), _package_of(name, path), rooms) for name, path in files)


def _package_of(name: str, path: Path) -> tuple[str, ...]:
    parts = tuple(name.split("."))
    return parts if path.name == "__init__.py" else parts[:-1]


def _file(name: str) -> Path | None:
    place = PACKAGE.joinpath(*name.split("."))
    return next((path for path in (place.with_suffix(".py"), place / "__init__.py") if path.is_file()), None)


def _imported(source: str, package: tuple[str, ...]) -> set[str]:
    """The modules of this package that a source imports, and the packages above them, which run as well."""
    names = {module for module, _ in _bindings(_parsed(source), package).values()}
    return {".".join(name.split(".")[: i + 1]) for name in names for i in range(name.count(".") + 1)}


@functools.lru_cache(maxsize=256)
def _parsed(source: str) -> ast.Module:
    return ast.parse(source)


def _bindings(tree: ast.AST, package: tuple[str, ...]) -> dict[str, tuple[str, str]]:
    """What a source calls the modules of this package, and what it takes from them: alias to (module, name or "")."""
    bound = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.startswith("xlt_utils."):
                    bound[alias.asname or alias.name] = (alias.name.removeprefix("xlt_utils."), "")
        elif isinstance(node, ast.ImportFrom):
            above = ("xlt_utils", *package)[: len(package) + 2 - node.level] if node.level else ()
            module = ".".join([*above, *([node.module] if node.module else [])])
            if module.split(".")[0] != "xlt_utils":
                continue
            inside = module.removeprefix("xlt_utils").removeprefix(".")
            for alias in node.names:
                below = f"{inside}.{alias.name}".removeprefix(".")
                is_module = _file(below) is not None
                bound[alias.asname or alias.name] = (below, "") if is_module else (inside, alias.name)
    return bound


def _form_hash(source: str, package: tuple[str, ...], rooms: tuple[str, ...]) -> str:
    """The hash of a source's parsed form, in which a module of `rooms` is called after its own content."""
    tree, names = _parsed(source), {}
    for alias, (module, name) in _bindings(tree, package).items():
        path = _file(module) if module.split(".")[0] in rooms else None
        shallow = _shallow_hash(path.read_text(encoding="utf-8"), _package_of(module, path)) if path else "elsewhere"
        names[alias] = f"{shallow}.{name}"
    return hashlib.sha256(_form(tree, names).encode()).hexdigest()


@functools.lru_cache(maxsize=256)
def _shallow_hash(source: str, package: tuple[str, ...]) -> str:
    """The hash of a module's own form, whatever its imports are called: what stands for the module's name."""
    tree = _parsed(source)
    return hashlib.sha256(_form(tree, dict.fromkeys(_bindings(tree, package), "imported")).encode()).hexdigest()


def _form(node: Any, names: dict[str, str]) -> str:
    """A parsed source as text, the same in every Python: no docstring, no import of this package, no empty field."""
    if isinstance(node, list):
        kept = [item for item in node if not (_is_text(item) or _is_own_import(item))]
        return "[" + ",".join(_form(item, names) for item in kept) + "]"
    if isinstance(node, ast.Name):
        return names.get(node.id, node.id)
    if isinstance(node, ast.AST):
        fields = [(name, value) for name, value in ast.iter_fields(node) if name not in _UNHASHED and value is not None]
        inside = [(name, _form(value, names)) for name, value in fields]
        told = ",".join(f"{name}={form}" for name, form in inside if form != "[]")
        return f"{type(node).__name__}({told})"
    return repr(node)


def _is_text(node: Any) -> bool:
    """Whether a statement is a text alone: a docstring, or a comment written as one."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _is_own_import(node: Any) -> bool:
    if isinstance(node, ast.ImportFrom):
        return bool(node.level) or (node.module or "").split(".")[0] == "xlt_utils"
    return isinstance(node, ast.Import) and all(alias.name.split(".")[0] == "xlt_utils" for alias in node.names)
