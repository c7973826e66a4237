"""The report's page: findings, sentences, tables and figures put into the templates and written into a folder, with
the tidy results and the executed notebooks beside it. Every number comes from the records."""

import base64
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import jinja2

from xlt_utils import paths
from xlt_utils.analysis import effective_robustness, exchange_rates, transfer_scores
from xlt_utils.analysis.gain_tests import survivors_sentence
from xlt_utils.analysis.intervals import t_factor
from xlt_utils.analysis.transfer_scores import PLACE
from xlt_utils.formatting import lower_first, number, seconds_text, short_size, size_text
from xlt_utils.reporting import claims, notebook_pages, tables
from xlt_utils.reporting.figures.canvas import Figure, draw_figures
from xlt_utils.reporting.findings import Findings
from xlt_utils.reporting.sentences import exchange_sentence, headline, sentences

TEMPLATES = Path(__file__).parent / "templates"
PAGE_ROWS = 1000  # rows of a long table on the page; the whole of it lies beside the page
HEAVY_PICTURES = 3_500_000  # characters that the pictures of a page may have before the heaviest are drawn as dots


def render_page(found: Findings, pictures: Sequence[Figure], folder: str | Path) -> Path:
    """Write the report into a folder and return the page's path.

    Beside index.html there are results.csv and results.parquet, the long tables gains.csv, robustness.csv,
    effective.csv, exchange.csv, fits.csv and missing.csv, figures/ (SVG, PNG, CSV) and notebooks/ (the last attempt of
    every cell as HTML). What an earlier report left in those two folders goes. The page shows the first LONG rows of a
    long table.
    """
    folder = paths.resolve(folder)
    for name in ("figures", "notebooks"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    draw_figures(pictures)
    kept = {path for picture in pictures for path in picture.save(folder / "figures")}
    notebook_pages.clear_folder(folder / "figures", kept)
    order = [*PLACE, "phase", "cell", "task", "language", "metric", "perturbation"]
    table = found.table.sort_values(order, ignore_index=True)
    # below the study's runs: wherever those lie, the same records are the same bytes
    runs = paths.resolve(found.runs)
    table["folder"] = [Path(os.path.relpath(paths.resolve(name), runs)).as_posix() for name in table["folder"]]
    table.to_csv(folder / "results.csv", index=False, lineterminator="\n")
    table.to_parquet(folder / "results.parquet", index=False)
    index = tables.index_of_cells(found)
    index["page"] = notebook_pages.write_notebook_pages(index, folder / "notebooks")
    costs, five = tables.spent(found), tables.five_numbers_table(found)
    gains = found.gain_table.sort_values(["tokens", "examples"], ascending=False, kind="stable")
    lost = transfer_scores.missing_means(found.zero_shot, found.holes)
    rates, fits = exchange_rates.exchange_table(found.laws), exchange_rates.fit_table(found.laws)
    long_tables = {"gains": gains, "robustness": five, "missing": lost, "effective": found.effective}
    for name, long_table in (long_tables | {"exchange": rates, "fits": fits}).items():
        long_table.to_csv(folder / f"{name}.csv", index=False, lineterminator="\n")
    script, style = ((TEMPLATES / name).read_text(encoding="utf-8") for name in ("report.js", "report.css"))
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"number": number, "size": size_text, "seconds": seconds_text, "short": short_size}
    word, told = headline(found)
    page = environment.get_template("report.html.jinja").render(
        found=found,
        answer=word,
        told=told,
        sentences=list(sentences(found).values()),
        exchange=lower_first(exchange_sentence(found)),
        rates=exchange_rates.exchange_rows(found.laws),
        fits=tables.shown(fits.drop(columns="notes")),
        noted=exchange_rates.fit_notes(found.laws),
        above=tables.shown(effective_robustness.effective_at_largest(found.effective)),
        survivors=survivors_sentence(found.gain_table),
        claims=claims.claim_rows(found),
        sections=_sections(found, pictures),
        addresses=_picture_addresses(pictures),
        arms=tables.arms_on_page(found),
        matrix=tables.matrix(found),
        learnt=(learnt := tables.learnt(found)).to_dict("records"),
        learnt_at=[column for column in learnt if column.startswith("P = ")],
        beyond=tables.beyond_controls(found).to_dict("records"),
        gains=gains.head(PAGE_ROWS).to_dict("records"),
        many_gains=len(gains),
        absent=lost.head(PAGE_ROWS).to_dict("records"),
        many_absent=len(lost),
        robust=tables.by_task(five, PAGE_ROWS),
        many_robust=len(five),
        style=jinja2.utils.markupsafe.Markup(style),
        script=jinja2.utils.markupsafe.Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        losses=[name for name in five if name.startswith("loss, ")],
        contaminated=tables.shown(tables.contaminated(found)),
        dropped=tables.shown(tables.dropped(found)),
        stand_ins=tables.shown(tables.stand_ins(found)),
        withheld=tables.shown(tables.withheld(found)),
        unsaid=tables.unsaid(found),
        typology=None if found.typology is None else tables.shown(found.typology),
        cells=index.to_dict("records"),
        states=index["state"].value_counts().to_dict(),
        flags=sorted({flag for record in found.records.values() for flag in tables.flags(record)}),
        costs=costs.to_dict("records"),
        overhead=tables.overhead(costs),
        t=t_factor(len(found.seeds)),
        rows=len(table),
        versions=next(iter(found.records.values())).versions,
        devices=sorted({record.device for record in found.records.values()}),
    )
    path = folder / "index.html"
    path.write_text(page, encoding="utf-8")
    return path


def _sections(found: Findings, pictures: Sequence[Figure]) -> list[tuple[str, str, list[Figure]]]:
    """The pictures in sections of a name, what the arm is, and pictures: those of no arm first, in a section without
    a name, then where there are several arms a section an arm, the controls last."""
    arms = [*found.arms, *found.controls]
    if len(arms) < 2:
        return [("", "", list(pictures))]
    shared = [picture for picture in pictures if picture.arm not in arms]
    own = [(arm, found.kinds[arm].kind, [one for one in pictures if one.arm == arm]) for arm in arms]
    return [("", "", shared), *(section for section in own if section[2])]


def _picture_addresses(pictures: Sequence[Figure]) -> dict[str, str]:
    """The pictures as data: addresses by name, drawn as lines; the heaviest as dots where all would be too much."""
    drawn = {picture.name: picture.uri() for picture in pictures}
    for picture in sorted(pictures, key=lambda one: (-len(drawn[one.name]), one.name)):
        if sum(map(len, drawn.values())) <= HEAVY_PICTURES:
            break
        drawn[picture.name] = min(drawn[picture.name], picture.uri("png"), key=len)
    return drawn
