import re
import shutil
import subprocess
import time
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
import simulated

from xlt_utils import figures, microworld, paths, records, report, report_tables, sources

LANGUAGES = tuple(list(microworld.LANGUAGES)[:4])
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
QUIET = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
QUIET += "--disable-component-update --disable-sync --enable-logging=stderr"
HOSTILE = '<script>alert("x")</script>'


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


def gather(folder: Path) -> report.Findings:
    parameters = sorted(path.parent for path in folder.rglob("params.json"))
    done = [run for run in parameters if (run / "record.json").exists()]
    absent = [run for run in parameters if run not in done]
    return report.gather(folder, done, [(str(run), "failed") for run in absent])


def pictures(found: report.Findings) -> list[figures.Figure]:
    drawn = [figures.score_surface(found.zero_shot, found.arms[0], found.holes)]
    return [*drawn, figures.cost(report_tables.spent(found))]


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Path:
    """A study with one failed cell, an odd error, an odd arm, and a plan."""
    folder = tmp_path_factory.mktemp("report") / "study"
    skip = lambda seed, p, i: (seed, p, i) == (1, 0, 256)  # noqa: E731
    simulated.study(folder, languages=LANGUAGES, skip=skip, arm="mnli")
    lost = next(path for path in folder.rglob("params.json") if not (path.parent / "record.json").exists())
    simulated.attempt(lost.parent, "failed", f"ValueError: {HOSTILE}")
    plan = {name: {"pretrain": 6, "intermediate": 12, "target": 18} for name in ("cells", "tokens", "seconds")}
    simulated._write(folder / "plan.json", plan | {"wall_seconds": 40.0, "jobs": 2})
    simulated._write(folder / "run.json", {"seconds": 50.0, "jobs": 2})
    return folder


@pytest.fixture(scope="module")
def page(study, tmp_path_factory) -> Path:
    found = gather(study)
    return report.render(found, pictures(found), tmp_path_factory.mktemp("page"))


def test_the_page_stands_alone(page):
    text = page.read_text()
    assert not re.findall(r"https?://", text)
    parsed = Page(text)
    addresses = [tag.get("src") or tag.get("href") for _, tag in parsed.tags if tag.get("src") or tag.get("href")]
    for address in addresses:
        assert address.startswith(("data:", "#", "notebooks/")), address
        if address.startswith("notebooks/"):
            assert (page.parent / address).is_file()
    assert not parsed.all("script")
    assert all(image["alt"] for image in parsed.all("img")) and parsed.all("img")
    ids = {tag["id"] for _, tag in parsed.tags if "id" in tag}
    assert {address[1:] for address in addresses if address.startswith("#")} <= ids


def test_the_same_records_give_the_same_page(page, study, tmp_path):
    found = gather(study)
    again = report.render(found, pictures(found), tmp_path)
    for name in ("index.html", "results.csv", "results.parquet", "figures/surface-mnli.svg"):
        assert (page.parent / name).read_bytes() == (again.parent / name).read_bytes(), name


def test_every_cell_is_listed_with_its_state_and_notebook(page, study):
    text = page.read_text()
    runs = [path.parent for path in study.rglob("params.json")]
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
    found = report.gather(tmp_path / "s")
    assert HOSTILE not in report.render(found, pictures(found), tmp_path / "page").read_text()


def test_the_tidy_results_hold_every_score(page, study):
    csv, parquet = pd.read_csv(page.parent / "results.csv"), pd.read_parquet(page.parent / "results.parquet")
    scores = sum(len(records.read(path.parent).results) for path in study.rglob("record.json"))
    assert len(csv) == len(parquet) == scores
    assert csv["value"].to_numpy() == pytest.approx(parquet["value"].to_numpy(), abs=0)


def test_cost_compares_the_plan_with_what_was_spent(study):
    found = gather(study)
    costs = report_tables.spent(found).set_index("phase")
    assert costs.loc["target", "cells"] == 17 and costs.loc["target", "planned cells"] == 18
    assert costs.loc["pretrain", "work"] == 6 * 8 and costs.loc["pretrain", "attempts"] == 6 * 9
    assert costs.loc["target", "attempts"] == 19 * 9  # both attempts of the failed cell were spent too
    work, attempts = (6 + 12 + 17) * 8, (6 + 12 + 19) * 9
    assert report_tables.overhead(costs) == pytest.approx(1 - work / attempts)


def test_the_tables_count_in_the_hash_of_the_report_alone():
    notebooks = sorted((paths.ROOT / "notebooks").glob("0*.ipynb"))
    kept = [name for name in sources.MACHINERY if name not in sources.PAGE]
    assert {"figures", "report", "report_tables"} <= set(sources.modules(notebooks[-1], kept))
    assert not any("report_tables" in sources.modules(notebook) for notebook in notebooks)


def test_missing_cells_keep_their_place_on_the_grid(study):
    found = gather(study)
    assert found.holes == [{"seed": 1, "tokens": 0, "arm": "mnli", "examples": 256}]
    assert "1 of 36 cells are not in" in report.sentences(found)["gap"]


def test_sentences_carry_the_known_numbers(tmp_path):
    def truth(task, language, seed, tokens, examples):
        return 0.2 + (0.25 if tokens else 0) + 0.001 * seed + (0.1 * (examples / 4096) ** 0.5 if examples else 0)

    simulated.study(tmp_path / "s", truth=truth, languages=LANGUAGES, seeds=(0, 1, 2), notebooks=False)
    found = report.gather(tmp_path / "s")
    said = report.sentences(found)
    assert len(said) == 5 and "From 0 to 1.6M pretraining tokens" in said["pretraining"]
    assert "+0.25" in said["pretraining"] and "rise (95 % interval above 0)" in said["pretraining"]
    assert "With 4096 mnli examples" in said["intermediate"] and "+0.10" in said["intermediate"]
    word, told = report.answer(found)
    assert word == "No" and told.startswith("Less than proportional") and "0.50" in said["proportional"]


def test_a_rung_that_is_not_there_is_not_stood_in_for(tmp_path):
    skip = lambda seed, tokens, examples: (tokens, examples) == (0, 0)  # noqa: E731
    simulated.study(tmp_path / "s", skip=skip, languages=LANGUAGES, notebooks=False)
    said = report.sentences(gather(tmp_path / "s"))
    assert said["pretraining"].startswith("No seed has scores at both 0 and 1.6M")
    assert "Over the same range" not in said["distance"] and "changes by" not in said["gap"]


def test_a_null_study_is_answered_with_no_claim(tmp_path):
    def truth(task, language, seed, tokens, examples):
        return 0.3 + 0.01 * ((seed * 7 + examples // 256 + tokens // 1000 + len(task)) % 3)

    simulated.study(tmp_path / "s", truth=truth, languages=LANGUAGES, notebooks=False)
    word, _ = report.answer(report.gather(tmp_path / "s"))
    assert word in ("No: there is no steady gain that could be", "Not settled by this study")


def test_one_cell_is_a_report_too(tmp_path):
    simulated.study(tmp_path / "one", seeds=(0,), tokens=(0,), examples=(0,), tasks=("udpos",))
    found = report.gather(tmp_path / "one")
    arm = found.arms[0]
    drawn = [figures.scaling_curves(found.zero_shot, axis, arm) for axis in ("tokens", "examples")]
    drawn += [figures.gain_curves(found.gains, arm), figures.transfer_gap(found.scores), *pictures(found)]
    text = report.render(found, drawn, tmp_path / "page").read_text()
    assert "Not testable on this grid" in text and "one rung of pretraining" in text


def test_folders_without_a_record_are_refused_with_the_nearest(tmp_path):
    simulated.study(tmp_path / "demo", seeds=(0,), tokens=(0,), examples=(0,), notebooks=False)
    with pytest.raises(FileNotFoundError, match="demo"):
        report.gather(tmp_path / "demmo")


def test_what_an_earlier_report_left_goes(study, tmp_path):
    for name in ("figures/old.svg", "notebooks/old-00000000.html"):
        simulated._write(tmp_path / name, {})
    found = gather(study)
    report.render(found, pictures(found), tmp_path)
    assert not list(tmp_path.rglob("old*"))


def test_a_cut_off_notebook_does_not_stop_the_report(tmp_path):
    folders = simulated.study(tmp_path / "s", seeds=(0,), tokens=(0,), examples=(0,), tasks=("udpos",))
    (folders[0] / "attempts/01/executed.ipynb").write_text('{"cells": [')
    found = report.gather(tmp_path / "s")
    report.render(found, pictures(found), tmp_path / "page")
    assert "cannot be read" in (tmp_path / "page/notebooks" / f"{folders[0].name}.html").read_text()


def test_a_hundred_notebooks_convert_in_seconds(study, tmp_path):
    notebook = next(study.rglob("executed.ipynb"))
    report.executed_notebooks(pd.DataFrame({"cell": ["warm"], "notebook": [notebook]}), tmp_path)
    began = time.process_time()
    index = pd.DataFrame({"cell": [f"cell-{number}" for number in range(100)], "notebook": notebook})
    report.executed_notebooks(index, tmp_path)
    assert time.process_time() - began < 10 and len(list(tmp_path.iterdir())) == 100


def test_a_browser_shows_the_page_without_a_fault(page, tmp_path):
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        pytest.skip("no Chromium or Chrome on this machine: the page was not opened (Debian: apt-get install chromium)")
    command = [browser, *QUIET.split(), f"--user-data-dir={tmp_path}/profile", "--window-size=390,900"]
    picture = f"--screenshot={tmp_path}/page.png"
    shown = subprocess.run(
        [*command, "--dump-dom", page.as_uri()], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL
    )
    assert "Every cell" in shown.stdout and shown.stdout.count("<figure") == 2
    assert not [line for line in shown.stderr.splitlines() if "CONSOLE" in line or "ERR_" in line]
    subprocess.run([*command, picture, page.as_uri()], capture_output=True, timeout=60, stdin=subprocess.DEVNULL)
    assert (tmp_path / "page.png").stat().st_size > 10_000
