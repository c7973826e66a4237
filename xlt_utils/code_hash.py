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
# The rooms whose code can change the results of a phase. The microworld's code is not among them: what it wrote counts,
# as the data's fingerprint.
COMPUTING = ("data", "training", "evaluation")
# The report's result is its page, so all that draws it counts, the templates too.
DRAWING = ("data", "analysis", "reporting", "formatting")
_UNHASHED_FIELDS = ("ctx", "kind", "type_comment")  # of a syntax tree: they follow from the rest, or do nothing


def notebook_code_hash(notebook: Path, phase: str) -> str:
    """The sha256 of the code that decides a run of a notebook: its cells and the modules that they reach.

    Args:
        notebook: the file, of which prose and outputs do not count.
        phase: `pretrain`, `intermediate`, `target` or `report`.

    Raises:
        SyntaxError: a cell or a module is no Python.
    """
    rooms = DRAWING if phase == "report" else COMPUTING
    source = _notebook_source(notebook)
    parts = [_form_hash(source, (), rooms), *_module_hashes(_imported(source, ()), rooms)]
    if phase == "report":
        parts += [path.read_text(encoding="utf-8") for path in sorted(PACKAGE.glob("reporting/templates/*"))]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


@functools.cache
def module_code_hash(module: str) -> str:
    """The sha256 of a module in a computing room (by its `__name__`) and of the modules that it reaches there.

    It is computed once a process, which has its code loaded: a target cell asks for every test of every language.
    """
    name = module.removeprefix("xlt_utils.")
    return hashlib.sha256("\0".join(_module_hashes({name}, COMPUTING)).encode()).hexdigest()


def room_code_hash(room: str) -> str:
    """The sha256 of all modules of one room, such as `microworld`."""
    paths = sorted(path.relative_to(PACKAGE) for path in (PACKAGE / room).rglob("*.py"))
    names = {".".join(path.with_suffix("").parts).removesuffix(".__init__") for path in paths}
    return hashlib.sha256("\0".join(_module_hashes(names, (room,))).encode()).hexdigest()


def reached_modules(notebook: Path, rooms: tuple[str, ...] = COMPUTING) -> set[str]:
    """The modules in some rooms that a notebook imports, itself or through others, as `training.loop`."""
    return _reached(_imported(_notebook_source(notebook), ()), rooms)


def notebook_cells(notebook: Path) -> list[dict[str, Any]]:
    """The cells of a notebook file."""
    return json.loads(Path(notebook).read_text(encoding="utf-8"))["cells"]


def _notebook_source(notebook: Path) -> str:
    """A notebook's code without the lines of IPython's magic, which Python's parser refuses."""
    code = ["".join(cell["source"]) + "\n" for cell in notebook_cells(notebook) if cell["cell_type"] == "code"]
    return "".join(line for line in "".join(code).splitlines(True) if line.lstrip()[:1] not in ("%", "!"))


def _reached(names: Iterable[str], rooms: tuple[str, ...]) -> set[str]:
    open_names, reached = set(names), set()
    while open_names:
        name = open_names.pop()
        path = _file(name)
        if path is None or name in reached or name.split(".")[0] not in rooms:
            continue
        reached.add(name)
        open_names |= _imported(path.read_text(encoding="utf-8"), _package_of(name, path))
    return reached


def _module_hashes(names: Iterable[str], rooms: tuple[str, ...]) -> list[str]:
    """The hashes of the modules that some names reach, sorted, so that no module's name decides their order."""
    files = [(name, path) for name in _reached(names, rooms) if (path := _file(name))]
    return sorted(_form_hash(path.read_text(encoding="utf-8"), _package_of(name, path), rooms) for name, path in files)


def _package_of(name: str, path: Path) -> tuple[str, ...]:
    parts = tuple(name.split("."))
    return parts if path.name == "__init__.py" else parts[:-1]


def _file(name: str) -> Path | None:
    path = PACKAGE.joinpath(*name.split("."))
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)


def _imported(source: str, package: tuple[str, ...]) -> set[str]:
    """The modules of this package that a source imports, and the packages above them, which run as well."""
    names = {module for module, _ in _bindings(_parsed(source), package).values()}
    return {".".join(name.split(".")[: i + 1]) for name in names for i in range(name.count(".") + 1)}


@functools.lru_cache(maxsize=256)
def _parsed(source: str) -> ast.Module:
    return ast.parse(source)


def _bindings(tree: ast.AST, package: tuple[str, ...]) -> dict[str, tuple[str, str]]:
    """The names that a source binds by importing from this package: each with its module and, where it is not the
    module itself, its name there."""
    bound = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.startswith("xlt_utils."):
                    bound[alias.asname or alias.name] = (alias.name.removeprefix("xlt_utils."), "")
        elif isinstance(node, ast.ImportFrom):
            parents = ("xlt_utils", *package)[: len(package) + 2 - node.level] if node.level else ()
            module = ".".join([*parents, *([node.module] if node.module else [])])
            if module.split(".")[0] != "xlt_utils":
                continue
            module = module.removeprefix("xlt_utils").removeprefix(".")
            for alias in node.names:
                submodule = f"{module}.{alias.name}".removeprefix(".")
                binding = (module, alias.name) if _file(submodule) is None else (submodule, "")
                bound[alias.asname or alias.name] = binding
    return bound


def _form_hash(source: str, package: tuple[str, ...], rooms: tuple[str, ...]) -> str:
    """The hash of a source's canonical form, in which a module of `rooms` is called after its own content."""
    tree, names = _parsed(source), {}
    for alias, (module, name) in _bindings(tree, package).items():
        path = _file(module) if module.split(".")[0] in rooms else None
        content = _content_hash(path.read_text(encoding="utf-8"), _package_of(module, path)) if path else "elsewhere"
        names[alias] = f"{content}.{name}"
    return hashlib.sha256(_canonical(tree, names).encode()).hexdigest()


@functools.lru_cache(maxsize=256)
def _content_hash(source: str, package: tuple[str, ...]) -> str:
    """The hash of a module's canonical form without its imports: what stands for the module's name elsewhere."""
    tree = _parsed(source)
    return hashlib.sha256(_canonical(tree, dict.fromkeys(_bindings(tree, package), "imported")).encode()).hexdigest()


def _canonical(node: Any, names: dict[str, str]) -> str:
    """A syntax tree as text, the same in every Python: no docstring, no import of this package, no empty field; `names`
    replace the names that those imports bind."""
    if isinstance(node, list):
        kept = [item for item in node if not (_is_text(item) or _is_own_import(item))]
        return "[" + ",".join(_canonical(item, names) for item in kept) + "]"
    if isinstance(node, ast.Name):
        return names.get(node.id, node.id)
    if isinstance(node, ast.AST):
        fields = [
            (name, _canonical(value, names))
            for name, value in ast.iter_fields(node)
            if name not in _UNHASHED_FIELDS and value is not None
        ]
        return f"{type(node).__name__}({','.join(f'{name}={form}' for name, form in fields if form != '[]')})"
    return repr(node)


def _is_text(node: Any) -> bool:
    """Whether a statement is a text alone: a docstring, or a comment written as one."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _is_own_import(node: Any) -> bool:
    """Whether a statement imports from this package."""
    if isinstance(node, ast.ImportFrom):
        return bool(node.level) or (node.module or "").split(".")[0] == "xlt_utils"
    return isinstance(node, ast.Import) and all(alias.name.split(".")[0] == "xlt_utils" for alias in node.names)
