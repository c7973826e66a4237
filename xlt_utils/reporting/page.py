"""The report's page. Findings and figures go in; a folder comes out with index.html, the tidy results, the long tables
as CSV, the figures, and the executed notebooks as HTML. The page stands alone: nothing on it is fetched."""

import base64
import hashlib
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
from markupsafe import Markup

from xlt_utils import formatting, paths
from xlt_utils.analysis import effective_robustness, exchange_rates, laws, transfer_scores
from xlt_utils.analysis.gains import survivors_sentence
from xlt_utils.analysis.intervals import t_factor
from xlt_utils.analysis.learning import LEARNT
from xlt_utils.analysis.power import seeds_text
from xlt_utils.analysis.surface_forms import FORMS
from xlt_utils.analysis.transfer_scores import PLACE
from xlt_utils.reporting import claims, left_out, notebook_pages, planted, provenance, tables
from xlt_utils.reporting.brief import answer_sentences, five_findings
from xlt_utils.reporting.explore.page import write_explorer_page
from xlt_utils.reporting.figures.figure import Figure, draw_figures, figure_name
from xlt_utils.reporting.findings import Findings
from xlt_utils.reporting.headline import headline, what_it_would_take
from xlt_utils.reporting.house_style import language_name
from xlt_utils.reporting.learnt import learning_sentences
from xlt_utils.reporting.rounding import rounded
from xlt_utils.reporting.sentences import five_sentences

TEMPLATES = Path(__file__).parent / "templates"
LEADING = ("gains-by-size", "arms-by-targets")  # the figure of the first screen, the second where arms are too many
# The figures in the order of the argument, those of an arm for the first one: each size, both, the arms, the languages.
ARGUMENT = (
    "curves-examples",
    "curves-tokens",
    "surface",
    "arms-by-targets",
    "gains-by-language",
    "gaps",
    "effective-robustness",
    "exchange",
)
# With one P they say nothing of it, and of I no more than the curves.
OVER_BOTH_SIZES = ("curves-tokens", "surface", "gain-map", "isoquants", "rank-stability")
PAGE_ROWS = 1000  # rows of a long table on the page; the whole of it lies beside the page
MOST_FIGURE_CHARACTERS = 3_500_000  # of all figures on the page, before the heaviest are drawn as dots
FILTERS = {
    "number": formatting.number_text,
    "size": formatting.short_size,
    "count": formatting.short_count,
    "seconds": formatting.seconds_text,
    "count_of": formatting.count_of,
    "seeds": seeds_text,
}


def render_page(findings: Findings, figures: Sequence[Figure], folder: str | Path, shows: str = "") -> Path:
    """Write the report and return the page's path.

    Beside index.html lie explore.html, where there are scores; results.csv and results.parquet; the long tables
    gains.csv, robustness.csv, effective.csv, exchange.csv, fits.csv and missing.csv; figures/ (SVG, PNG and CSV); and
    notebooks/ (the last attempt of every cell as HTML). All is written beside the folder and then moved into it, the
    page last: what an earlier report left there stays whole until then, and what is in these two folders is replaced.

    Args:
        findings: what the page says.
        figures: those that are drawn into it.
        folder: where it goes.
        shows: the hash of what it shows (run_hash.hash_report), by which pipeline/cell/rendering.py knows it.
    """
    folder = paths.resolve(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as name:
        half = Path(name)
        if (folder / "notebooks").is_dir():  # pages of notebooks that did not change are kept
            shutil.copytree(folder / "notebooks", half / "notebooks")
        text = _write_parts(findings, figures, half, shows)
        (half / "index.html").write_text(text, encoding="utf-8")
        for part in sorted(half.iterdir(), key=lambda part: part.name == "index.html"):
            if (folder / part.name).is_dir():
                (folder / part.name).rename(half / f"{part.name}.before")
            os.replace(part, folder / part.name)
    return folder / "index.html"


def _write_parts(findings: Findings, figures: Sequence[Figure], folder: Path, shows: str) -> str:
    """Write what lies beside the page into a folder, and return the page's text."""
    for name in ("figures", "notebooks"):
        (folder / name).mkdir(exist_ok=True)
    draw_figures(figures)
    for figure in figures:
        figure.save(folder / "figures")
    _write_results(findings, folder)
    long_tables = _long_tables(findings)
    for name, table in long_tables.items():
        rounded(table).to_csv(folder / f"{name}.csv", index=False, lineterminator="\n")
    index = tables.cell_index(findings)
    index["page"] = notebook_pages.write_notebook_pages(index, folder / "notebooks")
    if not findings.scores.empty:
        write_explorer_page(findings, dict(zip(index["cell"], index["page"], strict=True)), folder)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= FILTERS
    return environment.get_template("report.html.jinja").render(
        findings=findings,
        shows=shows,
        **_headline_values(findings),
        **_learning_values(findings),
        planted=planted.planted_laws(findings),
        planted_settings=planted.settings(),
        checkpoints=provenance.checkpoint_rows(findings),
        head_sentences=provenance.head_sentences(findings),
        machines=provenance.machine_rows(findings),
        origin_sentences=provenance.origin_sentences(findings),
        versions=provenance.shared_versions(findings),
        **_figure_values(findings, figures),
        **_gain_values(findings, long_tables),
        **_law_values(findings, long_tables),
        **_robustness_values(findings, long_tables),
        **_left_out_values(findings),
        **_run_values(findings, index),
        **_style_and_script(),
    )


def _write_results(findings: Findings, folder: Path) -> None:
    order = [*PLACE, "phase", "cell", "task", "language", "metric", "perturbation"]
    results = findings.results.sort_values(order, ignore_index=True)
    # below the study's runs: the same records give the same bytes wherever they lie
    root = paths.resolve(findings.runs_folder)
    results["folder"] = [Path(os.path.relpath(paths.resolve(name), root)).as_posix() for name in results["folder"]]
    results.to_csv(folder / "results.csv", index=False, lineterminator="\n")
    results.to_parquet(folder / "results.parquet", index=False)


def _long_tables(findings: Findings) -> dict[str, pd.DataFrame]:
    """The tables that lie beside the page, by the name of their file."""
    return {
        "gains": findings.gain_table.sort_values(["tokens", "examples"], ascending=False, kind="stable"),
        "robustness": tables.robustness_table(findings),
        "missing": transfer_scores.missing_means(findings.zero_shot, findings.missing_coordinates),
        "effective": findings.effective_robustness,
        "exchange": laws.exchange_table(findings.laws),
        "fits": laws.fit_table(findings.laws),
    }


def _headline_values(findings: Findings) -> dict[str, Any]:
    answer, reasons = headline(findings)
    return {
        "answer": answer,
        "answer_sentences": answer_sentences(findings),
        "brief": five_findings(findings),
        "reasons": reasons,
        "would_take": what_it_would_take(findings),
        "sentences": list(five_sentences(findings).values()),
        "standard_errors": t_factor(len(findings.seeds)),
        "claims": claims.claim_rows(findings),
    }


def _learning_values(findings: Findings) -> dict[str, Any]:
    tables_by_name = {"targets": findings.learning.targets, "arms": findings.learning.arms}
    return {
        "learnt_above": LEARNT,
        "learnt_sentences": learning_sentences(findings),
        "learnt": {name: table.head(PAGE_ROWS).to_dict("records") for name, table in tables_by_name.items()},
        "all_learnt": {name: len(table) for name, table in tables_by_name.items()},
    }


def _figure_values(findings: Findings, figures: Sequence[Figure]) -> dict[str, Any]:
    shown = [figure for figure in figures if _says_something(findings, figure)]
    leading = next((figure for name in LEADING for figure in shown if figure.name == name), None)
    rest = [figure for figure in shown if figure is not leading]
    first_arm = findings.arms[0]
    ordered = [figure for stem in ARGUMENT for figure in rest if figure.name in (stem, figure_name(stem, first_arm))]
    more = [figure for figure in rest if figure not in ordered]
    return {
        "leading": leading,
        "argument": ordered,
        "sections": _sections(findings, more),
        "more": len(more),
        "addresses": _figure_addresses(shown),
    }


def _says_something(findings: Findings, figure: Figure) -> bool:
    """Whether a figure has more to say than that all is there, nothing is defined, or what curves over I say."""
    if figure.name == "completeness":
        return bool(findings.missing_cells)
    if figure.name.startswith(OVER_BOTH_SIZES):
        return findings.zero_shot["tokens"].nunique() > 1
    if figure.name == "effective-robustness":
        return bool((findings.effective_robustness["note"] == "").any())
    return figure.name != "exchange" or any(rate.why == "" for law in findings.laws for rate in law.exchange)


def _all_arms(findings: Findings) -> list[str]:
    return [*findings.arms, *findings.controls]


def _sections(findings: Findings, figures: Sequence[Figure]) -> list[tuple[str, str, list[Figure]]]:
    """The figures in sections of (arm, what it was trained on, figures): first, without a name, those of no single
    arm; then a section for each of several arms, controls last."""
    arms = _all_arms(findings)
    if len(arms) < 2:
        return [("", "", list(figures))]
    by_arm = {arm: [figure for figure in figures if figure.arm == arm] for arm in arms}
    shared = [figure for figure in figures if figure.arm not in arms]
    return [("", "", shared), *((arm, findings.arm_specs[arm].kind, own) for arm, own in by_arm.items() if own)]


def _figure_addresses(figures: Sequence[Figure]) -> dict[str, str]:
    """The figures as data: addresses by name, drawn as lines; the heaviest as dots where all would be too heavy."""
    addresses = {figure.name: figure.uri() for figure in figures}
    for figure in sorted(figures, key=lambda figure: (-len(addresses[figure.name]), figure.name)):
        if sum(map(len, addresses.values())) <= MOST_FIGURE_CHARACTERS:
            break
        addresses[figure.name] = min(addresses[figure.name], figure.uri("png"), key=len)
    return addresses


def _gain_values(findings: Findings, long_tables: Mapping[str, pd.DataFrame]) -> dict[str, Any]:
    return {
        "arms": tables.arm_rows(findings),
        "matrix": tables.gain_matrix(findings),
        "over_controls": tables.gains_over_controls(findings).to_dict("records"),
        "survivors": survivors_sentence(findings.gain_table),
        "gains": long_tables["gains"].head(PAGE_ROWS).to_dict("records"),
        "all_gains": len(long_tables["gains"]),
        "missing": long_tables["missing"].head(PAGE_ROWS).to_dict("records"),
        "all_missing": len(long_tables["missing"]),
    }


def _law_values(findings: Findings, long_tables: Mapping[str, pd.DataFrame]) -> dict[str, Any]:
    return {
        "rates": laws.exchange_rows(findings.laws),
        "fits": tables.display_table(long_tables["fits"].drop(columns="notes")),
        "fit_notes": laws.fit_notes(findings.laws),
        "forms": FORMS,
        "worse_fit": exchange_rates.WORSE_FIT,
        "most_apart": exchange_rates.MOST_APART,
    }


def _robustness_values(findings: Findings, long_tables: Mapping[str, pd.DataFrame]) -> dict[str, Any]:
    table = long_tables["robustness"]
    blocks = tables.robustness_blocks(table, PAGE_ROWS)
    return {
        "robustness": blocks,
        "first_robust": next((block["task"] for block in blocks if block["task"] in findings.targets), ""),
        "is_robustness_cut": sum(len(block["rows"]) for block in blocks) < len(table),
        "all_robustness": len(table),
        "losses": [column for column in table if column.startswith("loss, ")],
        **_effective_values(findings),
    }


def _effective_values(findings: Findings) -> dict[str, Any]:
    """The pairs of a target and an arm that have a line, as a table; why others have none, once a reason."""
    table = findings.effective_robustness
    largest = effective_robustness.effective_at_largest(table)
    largest["examples"] = largest["examples"].map(formatting.short_size)
    reasons = table.loc[largest.index, "note"]
    without = largest[reasons != ""].groupby(reasons, sort=False)["target"].unique()
    return {
        "effective": tables.display_table(largest[reasons == ""]),
        "without_line": [(formatting.join_words(targets), reason) for reason, targets in without.items()],
    }


def _left_out_values(findings: Findings) -> dict[str, Any]:
    typology = findings.typology
    return {
        "typology": None if typology is None else tables.display_table(typology),
        "contaminated": tables.display_table(left_out.contaminated_lines(findings)),
        "dropped": tables.display_table(left_out.dropped_examples(findings)),
        "stand_ins": tables.display_table(left_out.stand_in_splits(findings)),
        "withheld": tables.display_table(left_out.withheld_labels(findings)),
        "silent_records": left_out.count_silent_records(findings),
    }


def _run_values(findings: Findings, index: pd.DataFrame) -> dict[str, Any]:
    costs = tables.cost_table(findings)
    return {
        "cells": index.astype(object).where(index.notna(), None).to_dict("records"),
        "states": index["state"].value_counts().to_dict(),
        "flags": sorted({flag for record in findings.records.values() for flag in tables.record_flags(record)}),
        "costs": costs.to_dict("records"),
        "overhead": tables.overhead_share(costs),
        "result_rows": len(findings.results),
        "language_names": formatting.join_words(map(language_name, findings.languages)),
    }


def _style_and_script() -> dict[str, Any]:
    """The page's CSS and JavaScript, and the hash by which its security policy lets this one script run."""
    style, script = ((TEMPLATES / name).read_text(encoding="utf-8") for name in ("report.css", "report.js"))
    script_hash = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return {"style": Markup(style), "script": Markup(script), "script_hash": script_hash}
