"""What the record of one run says, and where its executed notebook lies, as HTML. A study that was opened and the name
of a cell go in. Text from records is escaped: they come from other people's archives too."""

import json
from html import escape
from pathlib import Path
from typing import Any

from xlt_utils import paths
from xlt_utils.formatting import count_of, duration, join_words, number_text, short_count, short_size
from xlt_utils.records.record import Record
from xlt_utils.reporting.explore.frame import OpenStudy, language_name
from xlt_utils.reporting.findings import executed_notebook
from xlt_utils.reporting.tables import record_flags

NOT_KEPT = "not kept here: an archive holds records alone, executed notebooks stay below runs/ where the run was made"


def run_facts(study: OpenStudy, cell: str) -> dict[str, str]:
    """What there is to know of a target run, by name."""
    folder, record = study.runs[cell]
    place = record.coordinates
    facts = {"run": cell, "study": record.study}
    if place:
        arm = f"{place.arm}, I = {short_size(place.examples)}" if place.arm else "none, I = 0"
        facts |= {"seed": str(place.seed), "pretraining": f"P = {short_size(place.tokens)}", "intermediate": arm}
    facts |= {
        "scores": _scores(record),
        "trained on": f"{record.parameters.get('examples', '–')} English examples a target",
        "cost": f"{duration(record.seconds.get('work', 0.0))}, {short_count(record.cost.flops)} FLOPs, "
        f"{count_of(record.cost.steps, 'step')}",
        "device": join_words(filter(None, [record.device, record.precision, record.machine])),
        "started": record.started,
        "begins with": join_words(run.folder for run in record.inputs) or "–",
        "flags": "; ".join(record_flags(record)) or "none",
        "data": str(record.parameters.get("data", "–")),
        "record": _where(folder / "record.json", study.place),
        "executed notebook": _notebook(folder),
    }
    return facts


def facts_table(facts: dict[str, str], parameters: dict[str, Any]) -> str:
    """Facts as an HTML table, with all parameters of the run folded away below."""
    head = 'style="text-align:left;vertical-align:top;padding:2px 14px 2px 0;font-weight:600;white-space:nowrap"'
    cell = 'style="text-align:left;padding:2px 0;overflow-wrap:anywhere"'
    rows = "".join(
        f"<tr><th {head}>{escape(name)}</th><td {cell}>{escape(text)}</td></tr>" for name, text in facts.items()
    )
    settings = escape(json.dumps(parameters, ensure_ascii=False, indent=1))
    folded = f"<details><summary>all parameters</summary><pre>{settings}</pre></details>"
    return (
        f'<table style="border-collapse:collapse;font-size:13px;line-height:1.4;max-width:880px">{rows}</table>{folded}'
    )


def run_html(study: OpenStudy, cell: str) -> str:
    """A run's facts as HTML."""
    return facts_table(run_facts(study, cell), study.runs[cell][1].parameters)


def _scores(record: Record) -> str:
    rows: dict[str, list[str]] = {}
    for result in record.results:
        if result.main:
            rows.setdefault(f"{result.task} ({result.metric})", []).append(
                f"{language_name(result.language)} {number_text(result.value)}"
            )
    return "; ".join(f"{task}: {join_words(scores)}" for task, scores in rows.items())


def _notebook(folder: Path) -> str:
    notebook = executed_notebook(folder) if folder.is_dir() else None
    return paths.relative(notebook) if notebook else NOT_KEPT


def _where(record: Path, place: Path) -> str:
    return paths.relative(record) if record.exists() else f"in {paths.relative(place)}"
