"""The explorer as one page beside the report, for readers without Jupyter. Findings go in; explore.html comes out, with
the same linked views, all scores, and the library that draws them in it: nothing on it is fetched. What Python does in
the notebook when something is chosen, templates/explore.js does there, on the same tables."""

import base64
import dataclasses
import functools
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import pandas as pd
from markupsafe import Markup

from xlt_utils.formatting import short_size
from xlt_utils.reporting.explore import choice as choices
from xlt_utils.reporting.explore import curves, view_tables, views
from xlt_utils.reporting.explore.frame import GAIN, SCALES, OpenStudy, join_studies, language_name
from xlt_utils.reporting.findings import Findings

TEMPLATES = Path(__file__).parents[1] / "templates"
NAME = "explore.html"
RUN = ["cell", "condition", "arm", "seed", "tokens", "examples"]
CURVE_POINTS = 20  # of a learning curve: it is small here, and there are many


def write_explorer_page(findings: Findings, notebooks: Mapping[str, str], folder: Path) -> Path:
    """Write explore.html into the folder of a report and return its path. The same findings give the same bytes.

    Args:
        findings: those of the report.
        notebooks: the page of each run's executed notebook, by the name of its folder.
        folder: where the report is written.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    scripts = [vega(), (TEMPLATES / "explore.js").read_text(encoding="utf-8")]
    style = "".join((TEMPLATES / name).read_text(encoding="utf-8") for name in ("report.css", "explore.css"))
    data = json.dumps(page_data(findings, notebooks), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    text = environment.get_template("explore.html.jinja").render(
        study=findings.study,
        style=Markup(style),
        scripts=[Markup(script) for script in scripts],
        hashes=[base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts],
        data=Markup(data.replace("<", "\\u003c")),  # text from records ends no element
    )
    (folder / NAME).write_text(text, encoding="utf-8")
    return folder / NAME


def page_data(findings: Findings, notebooks: Mapping[str, str]) -> dict[str, Any]:
    """All that the page knows: scores, curves, what can be chosen, and the chart without its tables."""
    study = OpenStudy(findings.study, findings.runs_folder, findings)
    frame = join_studies([study])
    sizes = sorted({0, *map(int, frame["tokens"]), *map(int, frame["examples"])})
    targets = sorted(set(frame["task"]))
    languages = sorted(set(frame["language"]), key=lambda code: (code != "en", code))
    runs = frame[RUN].drop_duplicates("cell").sort_values(RUN, ignore_index=True)
    number = dict(zip(runs["cell"], runs.index, strict=True))
    pages = [notebooks.get(study.runs[cell][0].name, "") for cell in runs["cell"]]
    return {
        "study": study.name,
        "first": dataclasses.asdict(choices.first_choice(frame)),
        "options": {target: _options(frame, target) for target in targets},
        "names": {code: language_name(code) for code in languages},
        "sizes": {str(size): short_size(size) for size in sizes},
        "scales": [{"name": scale, "words": view_tables.words_of_scale(scale == GAIN)} for scale in SCALES],
        "titles": views.TITLES,
        "nothing": views.NOTHING,
        "charts": {scale: _chart(frame, scale) for scale in SCALES},
        "runs": [[*row, page] for row, page in zip(runs.to_numpy().tolist(), pages, strict=True)],
        "targets": targets,
        "languages": languages,
        "scores": _scores(frame, number, targets, languages),
        "curves": _curves(study, number, targets),
        "baselines": _baselines(frame, targets),
        "costs": curves.hours_by_phase([study]).to_dict("records"),
    }


@functools.cache
def vega() -> str:
    """Vega, Vega-Lite and vega-embed as one script; `vegaEmbed` is what it leaves to others."""
    import altair
    import vl_convert

    version = ".".join(altair.SCHEMA_VERSION[1:].split(".")[:2])
    script = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version=version)
    return script.replace("</script", "<\\/script").replace("<!--", "<\\!--")


def _options(frame: pd.DataFrame, target: str) -> dict[str, list]:
    options = choices.options(frame, target)
    return {name: values for name, values in options.items() if name != "study"}


def _chart(frame: pd.DataFrame, scale: str) -> dict[str, Any]:
    """The chart of a scale without tables; what titles say of the choice stays in braces."""
    words = {name: f"{{{name}}}" for name in ("target", "language", "P", "I")}
    words |= {"scale": scale} | view_tables.words_of_scale(scale == GAIN)
    chart = views.explorer_chart(words, sorted(set(frame["condition"])), view_tables.axis_orders(frame)).to_dict()
    del chart["$schema"]
    return chart


def _scores(frame: pd.DataFrame, number: dict[str, int], targets: list[str], languages: list[str]) -> list[list]:
    """A row a run, target and language: their numbers, then the value on each scale and how far its interval reaches
    to either side, then n."""
    rows = frame.sort_values(["task", "language", "cell"])
    places = [rows["cell"].map(number), rows["task"].map(targets.index), rows["language"].map(languages.index)]
    table = pd.DataFrame(dict(enumerate(places)))
    for scale in SCALES:
        table[scale], table[f"{scale} margin"] = rows[scale], rows[f"{scale} high"] - rows[scale]
    table["n"] = rows["n"]
    return [[_short(value) for value in row] for row in table.itertuples(index=False)]


def _curves(study: OpenStudy, number: dict[str, int], targets: list[str]) -> list[list]:
    """A row a run and target that was trained: their numbers, the steps, the losses."""
    rows = []
    for cell, run in number.items():
        for target, points in curves.losses(study.runs[cell][1], CURVE_POINTS).items():
            if points and target in targets:
                rows.append(
                    [
                        run,
                        targets.index(target),
                        *([_short(value) for value in side] for side in zip(*points, strict=True)),
                    ]
                )
    return rows


def _baselines(frame: pd.DataFrame, targets: list[str]) -> dict[str, dict[str, list]]:
    """The curve of the runs at I = 0 by target and scale, as [English, others]."""
    by_target: dict[str, dict[str, list]] = {}
    for target in targets:
        first = dataclasses.replace(choices.first_choice(frame), target=target)
        for scale in SCALES:
            rows = choices.chosen_rows(frame, dataclasses.replace(first, scale=scale))
            curve = view_tables.baseline_curve(choices.english_and_others(rows), scale)
            if len(curve):
                by_target.setdefault(target, {})[scale] = curve[["english", "others"]].round(4).to_numpy().tolist()
    return by_target


def _short(value: float) -> float | int | None:
    """A number with no more digits than can be seen; none for NaN."""
    if not np.isfinite(value):
        return None
    return int(value) if float(value).is_integer() else round(float(value), 4)
