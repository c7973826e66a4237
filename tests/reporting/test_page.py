import re
from html.parser import HTMLParser

import pandas as pd
import pytest
import simulated
from report_studies import HOSTILE, all_figures, gather_all, small_figures, write_target_run

from xlt_utils import paths
from xlt_utils.analysis.surface_forms import FORMS
from xlt_utils.code_hash import DRAWING, reached_modules
from xlt_utils.data import loading
from xlt_utils.data.tasks import TASKS
from xlt_utils.records.record import RecordFault, read_record
from xlt_utils.reporting import page as page_module
from xlt_utils.reporting import tables
from xlt_utils.reporting.figures import by_language, grid
from xlt_utils.reporting.findings import gather_findings
from xlt_utils.reporting.page import render_page


class Page(HTMLParser):
    """What a test asks of a page: its tags with their attributes."""

    def __init__(self, text: str):
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def all(self, tag: str) -> list[dict]:
        return [attributes for name, attributes in self.tags if name == tag]


def test_the_page_stands_alone(page):
    text = page.read_text()
    assert not re.findall(r"https?://", text)
    parsed = Page(text)
    addresses = [tag.get("src") or tag.get("href") for _, tag in parsed.tags if tag.get("src") or tag.get("href")]
    for address in addresses:
        assert address.startswith(("data:", "#")) or (page.parent / address).is_file(), address
    assert {"results.csv", "results.parquet"} <= set(addresses)
    (script,) = parsed.all("script")
    assert not script  # its text is in the page
    assert all(image["alt"] for image in parsed.all("img")) and parsed.all("img")
    ids = {tag["id"] for _, tag in parsed.tags if "id" in tag}
    assert {address[1:] for address in addresses if address.startswith("#")} <= ids


def test_the_same_records_give_the_same_page(page, study_folder, tmp_path):
    findings = gather_all(study_folder)
    again = render_page(findings, small_figures(findings), tmp_path)
    for name in ("index.html", "results.csv", "results.parquet", "figures/surface-mnli.svg"):
        assert (page.parent / name).read_bytes() == (again.parent / name).read_bytes(), name


def test_every_form_of_the_surface_is_explained(page):
    text = page.read_text().lower()
    assert f"in {len(FORMS)} forms" in text
    note = text[text.index("additive: e0") : text.index("sizes enter as")]
    assert all(form in note for form in FORMS)


def test_every_cell_is_listed_with_its_state_and_notebook(page, study_folder):
    text = page.read_text()
    runs = [path.parent for path in study_folder.rglob("params.json")]
    for run in runs:
        assert f'<a href="notebooks/{run.name}.html">{run.name}</a>' in text
        assert run.name in (page.parent / "notebooks" / f"{run.name}.html").read_text()
    assert "1 failed" in text and f"<b>{len(runs) - 1}</b> of <b>{len(runs)}</b> runs done" in text


def test_text_from_records_is_escaped(page, tmp_path):
    text = page.read_text()
    assert HOSTILE not in text and "&lt;script&gt;" in text
    place = {"seed": 0, "tokens": 0, "arm": HOSTILE, "examples": 8}
    results = [simulated.result("sst", language, 0.4) for language in ("en", HOSTILE)]
    simulated.run(tmp_path / "s/target/one-cccccccc", "target", {"study": HOSTILE, "seed": 0}, place, results)
    with pytest.raises(RecordFault, match="should match pattern"):  # names are never text, so none is even drawn
        gather_findings(tmp_path / "s")


def test_the_tidy_results_hold_every_score(page, study_folder):
    csv, parquet = pd.read_csv(page.parent / "results.csv"), pd.read_parquet(page.parent / "results.parquet")
    scores = sum(len(read_record(path.parent).results) for path in study_folder.rglob("record.json"))
    assert len(csv) == len(parquet) == scores
    assert csv["value"].to_numpy() == pytest.approx(parquet["value"].to_numpy(), abs=0)
    assert all((study_folder / name / "record.json").exists() for name in parquet["folder"].unique())


def test_the_tables_count_in_the_hash_of_the_report_alone():
    notebooks = sorted((paths.ROOT / "notebooks").glob("0*.ipynb"))
    assert {"reporting.page", "reporting.tables", "analysis.robustness"} <= reached_modules(notebooks[-1], DRAWING)
    assert not any("reporting.tables" in reached_modules(notebook) for notebook in notebooks)


def test_the_tables_of_what_was_left_out_are_escaped(tmp_path):
    (source,) = TASKS["tydiqa"].test
    read = {"en": {"dropped": {HOSTILE: 7}, "read": [loading.describe_split(source.instead, HOSTILE, "en")]}}
    facts = {"read": {"tydiqa": read | {"development": {"withheld": HOSTILE}}, HOSTILE: read}}
    write_target_run(tmp_path / "s", task="tydiqa", scores={"en": 0.5, "de": 0.2}, facts=facts)
    findings = gather_findings(tmp_path / "s")
    text = render_page(findings, small_figures(findings), tmp_path / "page").read_text()
    assert HOSTILE not in text and text.count("&lt;script&gt;") >= 4
    assert "one non-English language, no worst 3" in text and "7 in en" in text and source.instead.place in text


def test_one_cell_is_a_report_too(tmp_path):
    simulated.study(tmp_path / "one", seeds=(0,), tokens=(0,), examples=(0,), tasks=("udpos",))
    findings = gather_findings(tmp_path / "one")
    arm = findings.arms[0]
    figures = [grid.scaling_curves(findings.zero_shot, axis, arm) for axis in ("tokens", "examples")]
    figures += [
        grid.gain_curves(findings.gains, arm),
        by_language.transfer_gap(findings.scores),
        *small_figures(findings),
    ]
    text = render_page(findings, figures, tmp_path / "page").read_text()
    assert "Not testable on this grid" in text and "one rung of pretraining" in text


def test_what_an_earlier_report_left_goes(study_folder, tmp_path):
    for name in ("figures/old.svg", "notebooks/old-00000000.html"):
        simulated.write_json(tmp_path / name, {})
    findings = gather_all(study_folder)
    render_page(findings, small_figures(findings), tmp_path)
    assert not list(tmp_path.rglob("old*"))


def test_every_figure_of_many_arms_has_its_own_file(tmp_path):
    simulated.study(tmp_path / "s", arms={"a": {"tasks": ["mnli"]}, "b": {"tasks": ["qqp"]}}, notebooks=False)
    names = [figure.name for figure in all_figures(gather_findings(tmp_path / "s"))]
    assert len(set(names)) == len(names)


def test_half_a_study_has_its_seeds_counted_beside_every_mean_of_its_tables(half_study, tmp_path):
    text = render_page(half_study, all_figures(half_study), tmp_path).read_text()
    rows = re.findall(
        r'<td class="n">([+−\d.–]+)</td><td class="n">([^<]*)</td>(?:<td class="n">[\d.–]+</td>){2}'
        r'<td class="n">(\d of 4|\d)</td></tr>',
        text,
    )
    assert sorted(int(n[0]) for _, _, n in rows) == sorted(half_study.gain_table["n"])
    assert rows and all(n.endswith(" of 4") for _, _, n in rows)
    cells = re.findall(r'<td class="n">[+−][\d.]+<small>(.*?)</small>', text)
    assert all(re.search(r"n = \d of 4$", cell) for cell in cells)
    numbers = tables.robustness_table(half_study)
    assert numbers[["english", "mean", "worst", "deviation", "gap"]].isna().all(axis=None)
    assert numbers["seeds"].str.endswith(" of 4").all() and numbers["note"].str.contains("no run of seed").all()
    assert "places of the grid without a zero-shot mean" in text
    done, missing = len(half_study.records), len(half_study.missing_cells)
    assert f"<b>{done}</b> of <b>{done + missing}</b> runs done" in text


def test_half_a_study_is_drawn_with_holes_and_says_so(half_study):
    for figure in all_figures(half_study):
        if figure.name.startswith("surface"):
            marks = [text.get_text() for axes in figure.drawing.axes for text in axes.texts]
            assert marks and all(" of 4" in mark for mark in marks)
            hatched = [patch for axes in figure.drawing.axes for patch in axes.patches if patch.get_hatch()]
            assert len(hatched) == (figure.data["n"] == 0).sum() > 0
            assert f"{len(figure.data)} of {len(figure.data)} cells lack seeds" in figure.caption
        elif figure.name.startswith(("curves", "gains", "gaps")):
            keys = [name for name in ("target", "language", "tokens", "examples") if name in figure.data]
            value = figure.data.columns[-1]
            means = figure.data.groupby(keys)[value].count()
            # every mean rests on some of the seeds
            assert f"Hollow: {(means > 0).sum()} mean" in figure.caption, figure.name
        if figure.name in ("gaps", "languages"):
            assert re.search(r"2 (seeds )?of 4", f"{figure.title} {figure.alt}")


def test_a_page_of_many_figures_stays_light(study_folder, tmp_path, monkeypatch):
    findings = gather_all(study_folder)
    monkeypatch.setattr(page_module, "MOST_FIGURE_CHARACTERS", 50_000)
    addresses = page_module._figure_addresses(all_figures(findings))
    whole = {figure.name: len(figure.uri()) for figure in all_figures(findings)}
    assert sum(map(len, addresses.values())) < sum(whole.values())
    assert all(len(address) <= whole[name] for name, address in addresses.items())


def test_a_long_table_is_cut_and_lies_beside_the_page(study_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(page_module, "PAGE_ROWS", 6)
    findings = gather_all(study_folder)
    text = render_page(findings, small_figures(findings), tmp_path).read_text()
    assert "the first 6 here" in text and len(pd.read_csv(tmp_path / "gains.csv")) > 6
    assert "robustness.csv</a>" in text and len(pd.read_csv(tmp_path / "robustness.csv")) > 6
