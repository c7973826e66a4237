"""Study files: one YAML 1.2 file names a whole study. `load` returns a Study that the rest of the package trusts, or
raises one StudyFault that lists every fault with its line, its field, its value, and what would be right."""

import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import TypeAdapter, ValidationError

from xlt_utils.errors import Fault, did_you_mean
from xlt_utils.study.schema import Section, Study
from xlt_utils.study.yaml12 import Document, Unreadable, parse_yaml


class StudyFault(Fault):
    """A study file that cannot run; the message lists all faults."""


def load_study(path: str | Path) -> Study:
    """Read and check a study file. Raises StudyFault with all faults in one message."""
    try:
        document = parse_yaml(Path(path))
    except Unreadable as fault:
        raise StudyFault(str(fault)) from None
    faults, study = list(document.faults), None
    try:
        study = Study.model_validate(document.content)
    except ValidationError as error:
        faults += [_explain(item) for item in error.errors() if item["loc"] not in {loc for loc, _ in faults}]
    faults += [(_loc(place), text) for place, text in _across(_sections(document.content))]
    if faults:
        raise StudyFault(_message(path, document, faults))
    return study


def data_fault(path: str | Path, found: list[str]) -> StudyFault:
    """The faults that the data show (`field: text`, or text alone) with the lines of their fields, as one fault."""
    document, faults = parse_yaml(Path(path)), []
    for text in found:
        field, _, rest = text.partition(": ")
        place = _loc(field) if _loc(field) in document.lines else ()
        faults.append((place, rest if place else text))
    return StudyFault(_message(path, document, faults))


def _across(parts: dict[str, Any]) -> list[tuple[str, str]]:
    """Faults between sections; only sections that are right in themselves are in `parts`."""
    faults = []
    for name in ("pretrain", "intermediate", "target"):
        if name in parts:
            faults += [(f"{name}.{field}".rstrip("."), text) for field, text in parts[name].faults()]
    known, data = parts.get("languages"), parts.get("data")
    if data not in (None, "microworld") and parts.get("microworld"):
        faults.append(("microworld", "only a study with `data: microworld` has this section"))
    if known and data == "microworld":
        faults += _microworld(known)
    if known and "target" in parts:
        for task, codes in parts["target"].languages.items():
            odd = [code for code in codes if code not in known]
            faults += [(f"target.languages.{task}", f"`{code}` is none of the study's languages") for code in odd]
    if known and "intermediate" in parts:
        for number, arm in enumerate(parts["intermediate"].arms):
            for field in ("languages", "mlm_languages"):
                odd = [code for code in getattr(arm, field) or () if code not in known]
                place = f"intermediate.arms.{number}.{field}"
                faults += [(place, f"`{code}` is none of the study's languages") for code in odd]
    if "target" in parts and parts.get("devices", 1) > 1 and parts["target"].tasks_per_cell > 1:
        # A process that has tested on a GPU cannot be forked to train on several.
        faults.append(("devices", "several devices train one task a cell: write `tasks_per_cell: 1` under `target`"))
    return faults


def _microworld(codes: list[str]) -> list[tuple[str, str]]:
    from xlt_utils import microworld

    known = list(microworld.LANGUAGES)
    return [
        (
            f"languages.{place}",
            f"the microworld does not speak `{code}`: no task has it there; {did_you_mean(code, known)}",
        )
        for place, code in enumerate(codes)
        if code not in known
    ]


def _sections(content: dict[str, Any]) -> dict[str, Any]:
    """Those top-level fields that are right in themselves."""
    parts = {}
    for name, field in Study.model_fields.items():
        try:
            annotated = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
            parts[name] = TypeAdapter(annotated).validate_python(content[name])
        except (ValidationError, KeyError):
            continue
    return parts


def _loc(place: str) -> tuple:
    return tuple(int(part) if part.isdigit() else part for part in place.split("."))


def _explain(item: dict[str, Any]) -> tuple[tuple, str]:
    """A pydantic error as its place and a sentence that says what would be right."""
    loc = item["loc"]
    if item["type"] == "extra_forbidden":
        return loc, "unknown key; " + did_you_mean(loc[-1], _fields(loc[:-1]))
    if item["type"] == "missing":
        return loc, "missing"
    if item["type"] == "string_pattern_mismatch":
        return loc, "expected small letters, digits and _ + -, such as `demo` or `xlmr-base`"
    text = item["msg"]
    return loc, text.removeprefix("Value error, ") if item["type"] == "value_error" else text[0].lower() + text[1:]


def _fields(loc: tuple) -> list[str]:
    """The keys that are known at a place."""
    model: Any = Study
    for part in loc:
        if isinstance(part, str):
            if part not in model.model_fields:  # a key of a table, such as a task's settings
                continue
            model = model.model_fields[part].annotation
        inner = [arg for arg in getattr(model, "__args__", ()) if isinstance(arg, type) and issubclass(arg, Section)]
        model = inner[0] if inner else model
    return list(model.model_fields)


def _message(path: str | Path, document: Document, faults: list[tuple[tuple, str]]) -> str:
    lines = [f"{path}: {len(faults)} fault{'s' if len(faults) > 1 else ''}; nothing was run"]
    for loc, text in sorted(faults, key=lambda fault: document.line(fault[0])):
        if not loc:
            lines.append(f"  {text}")
            continue
        place = re.sub(r"\.(\d+)", r"[\1]", ".".join(map(str, loc)))
        value = document.value(loc)
        lines.append(f"  line {document.line(loc)}: {place}{f' = {value}' if value else ''}: {text}")
    return "\n".join(lines)
