"""What the record of one run says, and where its executed notebook lies, as HTML. A study that was opened and the name
of a cell go in. Text from records is escaped: they come from other people's archives too."""

import json
import os
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

from xlt_utils import paths
from xlt_utils.formatting import count_of, duration, join_words, number_text, short_count, short_size
from xlt_utils.records.record import Record
from xlt_utils.reporting.explore import display
from xlt_utils.reporting.explore.frame import OpenStudy, language_name
from xlt_utils.reporting.findings import executed_notebook
from xlt_utils.reporting.tables import record_flags

NOT_KEPT = "not kept here: an archive holds records alone, the rest stays below runs/ where the run was made"
OPENED = (".json", ".ipynb")  # what JupyterLab opens
LAB = os.environ.get("JUPYTERHUB_SERVICE_PREFIX", "/")  # where JupyterLab is on its server


def run_facts(study: OpenStudy, cell: str) -> dict[str, str]:
    """What there is to know of a target run, by name."""
    _, record = study.runs[cell]
    place = record.coordinates
    facts = {"run": cell, "study": record.study}
    if place:
        arm = f"{place.arm}, I = {short_size(place.examples)}" if place.arm else "none, I = 0"
        facts |= {"seed": str(place.seed), "pretraining": f"P = {short_size(place.tokens)}", "intermediate": arm}
    facts |= {
        **_scores(record),
        "trained on": f"{record.parameters.get('examples', '–')} English examples a target",
        "cost": f"{duration(record.seconds.get('work', 0.0))}, {short_count(record.cost.flops)} FLOPs, "
        f"{count_of(record.cost.steps, 'step')}",
        "device": join_words(filter(None, [record.device, record.precision, record.machine])),
        "started": record.started,
        "begins with": join_words(run.folder for run in record.inputs) or "–",
        "flags": "; ".join(record_flags(record)) or "none",
        "data": str(record.parameters.get("data", "–")),
    }
    return facts


def run_files(study: OpenStudy, cell: str) -> dict[str, Path | None]:
    """The files of a target run by what they hold; None for one that is not here."""
    folder, _ = study.runs[cell]
    files = {
        "record": folder / "record.json",
        "executed notebook": executed_notebook(folder) if folder.is_dir() else None,
        "predictions": folder / "predictions.parquet",
    }
    return {name: file if file and file.is_file() else None for name, file in files.items()}


def facts_table(facts: dict[str, str], parameters: dict[str, Any], links: dict[str, str]) -> str:
    """Facts as an HTML table, with all parameters of the run folded away below; `links` are where some lead to."""
    head = 'style="text-align:left;vertical-align:top;padding:2px 14px 2px 0;font-weight:600;white-space:nowrap"'
    cell = 'style="text-align:left;padding:2px 0;overflow-wrap:anywhere"'
    texts = {name: escape(text) for name, text in facts.items()}
    for name, address in links.items():
        texts[name] = f'<a href="{escape(address)}" target="_blank">{texts[name]}</a>'
    rows = "".join(f"<tr><th {head}>{escape(name)}</th><td {cell}>{text}</td></tr>" for name, text in texts.items())
    settings = escape(json.dumps(parameters, ensure_ascii=False, indent=1))
    folded = f"<details><summary>all parameters</summary><pre>{settings}</pre></details>"
    return (
        f'<table style="border-collapse:collapse;font-size:13px;line-height:1.4;max-width:880px">{rows}</table>{folded}'
    )


def run_html(study: OpenStudy, cell: str) -> str:
    """A run's facts as HTML, its record and notebook as links where JupyterLab can open them."""
    facts, links = run_facts(study, cell), {}
    for name, file in run_files(study, cell).items():
        facts[name] = paths.relative(file) if file else NOT_KEPT
        if file and file.suffix in OPENED and display.is_alive() and file.is_relative_to(paths.ROOT):
            links[name] = f"{LAB}lab/tree/{quote(paths.relative(file))}"
    if not study.runs[cell][0].is_dir():
        facts["record"] = f"in {paths.relative(study.runs[cell][0].parents[1])}"
    return facts_table(facts, study.runs[cell][1].parameters, links)


def _scores(record: Record) -> dict[str, str]:
    """The scores of each target by language, raw."""
    rows: dict[str, list[str]] = {}
    for result in record.results:
        if result.main:
            rows.setdefault(f"{result.task} ({result.metric})", []).append(
                f"{language_name(result.language)} {number_text(result.value)}"
            )
    return {task: join_words(scores) for task, scores in rows.items()}
