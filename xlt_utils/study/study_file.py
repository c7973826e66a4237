"""Study files: one YAML 1.2 file describes a whole study. In goes its path; out comes a `Study` that the rest of the
package trusts, or one `StudyFault` that lists every fault with its line, field and value, and what would be right."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from xlt_utils.errors import Fault, did_you_mean
from xlt_utils.formatting import short_size
from xlt_utils.study.schema import FieldFault, Gate, Study
from xlt_utils.study.yaml12 import Document, Place, Unreadable, parse_yaml


class StudyFault(Fault):
    """A study file that cannot run; the message lists all faults."""


def load_study(path: str | Path) -> Study:
    """Read and check a study file.

    Raises:
        StudyFault: with all faults in one message.
    """
    try:
        document = parse_yaml(Path(path))
    except Unreadable as fault:
        raise StudyFault(str(fault)) from None
    faults = list(document.faults)
    try:
        study = Study.model_validate(document.content)
    except ValidationError as error:
        named = {place for place, _ in faults}
        faults += [_explain(details) for details in error.errors() if details["loc"] not in named]
    faults += [(_place(field), text) for field, text in _faults_between(_valid_sections(document.content))]
    if faults:
        raise StudyFault(_message(path, document, faults))
    return study


def data_fault(path: str | Path, texts: Iterable[str]) -> StudyFault:
    """One fault of all that is wrong with a study's data, with the lines of the fields that ask for them.

    Args:
        path: the study file, which is right in itself.
        texts: the faults, as `field: text` or as text alone.
    """
    document, faults = parse_yaml(Path(path)), []
    for text in texts:
        field, _, rest = text.partition(": ")
        place = _place(field)
        faults.append((place, rest) if place in document.lines else ((), text))
    return StudyFault(_message(path, document, faults))


def _faults_between(sections: dict[str, Any]) -> list[FieldFault]:
    """Faults within and between `sections`, those top-level fields whose values are of the right types."""
    faults: list[FieldFault] = []
    for name in ("pretrain", "intermediate", "target"):
        if name in sections:
            faults += [(f"{name}.{field}".rstrip("."), text) for field, text in sections[name].faults()]
    languages, data = sections.get("languages"), sections.get("data")
    if data not in (None, "microworld") and sections.get("microworld"):
        faults.append(("microworld", "only a study with `data: microworld` has this section"))
    if data == "microworld" and sections.get("text"):
        faults.append(("text", "the microworld has its own text; leave it out"))
    if data not in (None, "hub") and sections.get("revisions"):
        faults.append(("revisions", "only a study with `data: hub` takes its data sets at a revision"))
    if languages and data == "microworld":
        faults += _microworld_faults(languages)
    codes_by_field: dict[str, list[str] | None] = {}
    if "target" in sections:
        codes_by_field |= {f"target.languages.{task}": codes for task, codes in sections["target"].languages.items()}
    if "intermediate" in sections:
        for number, arm in enumerate(sections["intermediate"].arms):
            codes_by_field[f"intermediate.arms.{number}.languages"] = arm.languages
            codes_by_field[f"intermediate.arms.{number}.mlm_languages"] = arm.mlm_languages
    for field, codes in codes_by_field.items():
        unknown = [code for code in codes or () if languages and code not in languages]
        faults += [(field, f"`{code}` is not among the study's languages") for code in unknown]
    if gate := sections.get("gate"):
        faults += _gate_faults(gate, sections)
    if "target" in sections and sections.get("devices", 1) > 1 and sections["target"].tasks_per_cell > 1:
        # A process that has tested on a GPU cannot be forked to train on several.
        faults.append(("devices", "several devices train one task a cell: write `tasks_per_cell: 1` under `target`"))
    return faults


def _gate_faults(gate: Gate, sections: dict[str, Any]) -> list[FieldFault]:
    """Where the gate names no seed or no rung of the study."""
    faults, seeds = [], sections.get("seeds")
    if seeds and gate.seed is not None and gate.seed not in seeds:
        faults.append(("gate.seed", f"is none of the study's seeds, {seeds}"))
    if "pretrain" in sections and not sections["pretrain"].faults() and gate.tokens is not None:
        rungs = [rung.before + rung.tokens for rung in sections["pretrain"].rungs]
        if gate.tokens not in rungs:
            faults.append(("gate.tokens", f"is no rung of pretraining; there are {', '.join(map(short_size, rungs))}"))
    return faults


def _microworld_faults(codes: list[str]) -> list[FieldFault]:
    from xlt_utils import microworld

    text = "the microworld does not speak `{}`: no task has it there; {}"
    return [
        (f"languages.{index}", text.format(code, did_you_mean(code, microworld.LANGUAGES)))
        for index, code in enumerate(codes)
        if code not in microworld.LANGUAGES
    ]


def _valid_sections(content: dict[str, Any]) -> dict[str, Any]:
    """Those top-level fields whose values are of the right types."""
    sections = {}
    for name, field in Study.model_fields.items():
        annotation: Any = field.annotation
        try:
            adapter = TypeAdapter(Annotated[annotation, *field.metadata] if field.metadata else annotation)
            sections[name] = adapter.validate_python(content[name])
        except (ValidationError, KeyError):
            continue
    return sections


def _place(field: str) -> Place:
    """`arms.0.tasks` as ("arms", 0, "tasks")."""
    return tuple(int(part) if part.isdigit() else part for part in field.split("."))


def _explain(details: ErrorDetails) -> tuple[Place, str]:
    """A pydantic error as its place and a sentence that says what would be right."""
    place, kind, text = details["loc"], details["type"], details["msg"]
    if kind == "extra_forbidden":
        return place, f"unknown key; {did_you_mean(place[-1], _keys(place[:-1]))}"
    if kind == "missing":
        return place, "missing"
    if kind == "string_pattern_mismatch":
        return place, "expected small letters, digits and _ + -, such as `demo` or `xlmr-base`"
    if kind == "value_error":
        return place, text.removeprefix("Value error, ")
    return place, text[0].lower() + text[1:]


def _keys(place: Place) -> list[str]:
    """The keys that the mapping at a place can have."""
    model: Any = Study
    for part in place:
        if isinstance(part, str):
            if part not in model.model_fields:  # a key of a table, such as a task's settings
                continue
            model = model.model_fields[part].annotation
        while inner := [arg for arg in getattr(model, "__args__", ()) if arg is not type(None)]:
            model = inner[-1]  # of a list, of a table by name, or of what may be left out
    return list(model.model_fields)


def _message(path: str | Path, document: Document, faults: list[tuple[Place, str]]) -> str:
    lines = [f"{path}: {len(faults)} fault{'s' if len(faults) > 1 else ''}; nothing was run"]
    for place, text in sorted(faults, key=lambda fault: document.line(fault[0])):
        if not place:
            lines.append(f"  {text}")
            continue
        field = re.sub(r"\.(\d+)", r"[\1]", ".".join(map(str, place)))
        value = document.value(place)
        lines.append(f"  line {document.line(place)}: {field}{f' = {value}' if value else ''}: {text}")
    return "\n".join(lines)
