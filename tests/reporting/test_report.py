import json
import re
import time
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import simulated

from xlt_utils import microworld, paths
from xlt_utils.analysis import transfer_scores
from xlt_utils.code_hash import DRAWING, reached_modules
from xlt_utils.data import loading, perturb
from xlt_utils.data.tasks import TASKS
from xlt_utils.records.record import read_record
from xlt_utils.reporting import claims, notebook_pages, sentences, tables
from xlt_utils.reporting import page as page_module
from xlt_utils.reporting.figures import by_language, grid
from xlt_utils.reporting.figures.runs import cost
from xlt_utils.reporting.findings import Findings, gather_findings
from xlt_utils.reporting.page import render_page

LANGUAGES = tuple(list(microworld.LANGUAGES)[:4])
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


def gather(folder: Path) -> Findings:
    parameters = sorted(path.parent for path in folder.rglob("params.json"))
    done = [run for run in parameters if (run / "record.json").exists()]
    absent = [run for run in parameters if run not in done]
    return gather_findings(folder, done, [(str(run), "failed") for run in absent])


def pictures(found: Findings) -> list[grid.Figure]:
    drawn = [grid.score_surface(found.zero_shot, found.arms[0], found.holes)]
    return [*drawn, cost(tables.spent(found))]


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
    return render_page(found, pictures(found), tmp_path_factory.mktemp("page"))


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


def test_the_same_records_give_the_same_page(page, study, tmp_path):
    found = gather(study)
    again = render_page(found, pictures(found), tmp_path)
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
    found = gather_findings(tmp_path / "s")
    assert HOSTILE not in render_page(found, pictures(found), tmp_path / "page").read_text()


def test_the_tidy_results_hold_every_score(page, study):
    csv, parquet = pd.read_csv(page.parent / "results.csv"), pd.read_parquet(page.parent / "results.parquet")
    scores = sum(len(read_record(path.parent).results) for path in study.rglob("record.json"))
    assert len(csv) == len(parquet) == scores
    assert csv["value"].to_numpy() == pytest.approx(parquet["value"].to_numpy(), abs=0)
    assert all((study / name / "record.json").exists() for name in parquet["folder"].unique())


def test_cost_compares_the_plan_with_what_was_spent(study):
    found = gather(study)
    costs = tables.spent(found).set_index("phase")
    assert costs.loc["target", "cells"] == 17 and costs.loc["target", "planned cells"] == 18
    assert costs.loc["pretrain", "work"] == 6 * 8 and costs.loc["pretrain", "attempts"] == 6 * 9
    assert costs.loc["target", "attempts"] == 19 * 9  # both attempts of the failed cell were spent too
    work, attempts = (6 + 12 + 17) * 8, (6 + 12 + 19) * 9
    assert tables.overhead(costs) == pytest.approx(1 - work / attempts)


def test_the_tables_count_in_the_hash_of_the_report_alone():
    notebooks = sorted((paths.ROOT / "notebooks").glob("0*.ipynb"))
    assert {"reporting.page", "reporting.tables", "analysis.robustness"} <= reached_modules(notebooks[-1], DRAWING)
    assert not any("reporting.tables" in reached_modules(notebook) for notebook in notebooks)


TYPOS = perturb.label("typos", 0.1)
SCORES = {"en": 0.9, "de": 0.8, "es": 0.7, "ru": 0.6, "hi": 0.4, "th": 0.5}


def evaluated(folder: Path, seed=0, tokens=0, task="xnli", scores=SCORES, perturbed=(), less=0.0, facts=None) -> Path:
    """A target run straight from pretraining, the scores lower by `less`, and by 0.1 more in `perturbed` languages."""
    place = {"seed": seed, "tokens": tokens, "arm": None, "examples": 0}
    results = [simulated.result(task, language, value - less) for language, value in scores.items()]
    results += [simulated.result(task, name, scores[name] - less - 0.1, perturbation=TYPOS) for name in perturbed]
    parameters = {"study": folder.name, "seed": seed}
    run = folder / "target" / f"s{seed}-p{tokens}-{task}-cccccccc"
    return simulated.run(run, "target", parameters, place, results, notebooks=False, facts=facts)


def five(folder: Path) -> pd.DataFrame:
    return tables.five_numbers_table(gather_findings(folder))


def without(*languages: str) -> dict[str, float]:
    return {name: value for name, value in SCORES.items() if name not in languages}


def test_the_five_numbers_are_means_over_all_seeds(tmp_path):
    for seed, less in enumerate((0.0, 0.1)):
        for tokens in (1000, 2000):
            evaluated(tmp_path / "s", seed, tokens, "panx", perturbed=SCORES, less=less)
    found = five(tmp_path / "s")
    assert list(found["tokens"]) == [2000, 1000] and list(found["seeds"]) == ["2", "2"]
    for _, row in found.iterrows():
        numbers = [row[name] for name in ("english", "mean", "worst", "gap", f"loss, {TYPOS}")]
        assert numbers == pytest.approx([0.85, 0.55, 0.45, 0.3, 0.1])
        assert row["worst_languages"] == "hi, th, ru" and row["note"] == ""


def test_the_worst_languages_of_each_seed_are_named(tmp_path):
    evaluated(tmp_path / "s", 0, task="panx")
    evaluated(tmp_path / "s", 1, task="panx", scores=SCORES | {"de": 0.1})
    assert five(tmp_path / "s")["worst_languages"][0] == "hi, th, ru (1 of 2), de (1 of 2)"


def test_a_missing_seed_leaves_no_number_and_is_named(tmp_path):
    for seed, tokens in ((0, 1000), (1, 1000), (0, 2000)):
        evaluated(tmp_path / "s", seed, tokens, perturbed=SCORES)
    whole = five(tmp_path / "s").set_index("tokens")
    assert whole.loc[2000, ["english", "mean", "worst", "deviation", "gap", f"loss, {TYPOS}"]].isna().all()
    assert whole.loc[2000, "seeds"] == "1 of 2" and whole.loc[2000, "note"] == "no run of seed 1"
    assert whole.loc[2000, "worst_languages"] == "" and whole.loc[1000].drop("seeds").notna().all()


def test_a_seed_of_which_nothing_is_done_is_missing_too(tmp_path):
    folder, given = tmp_path / "s", {"study": "s", "seed": 1, "tokens": 1000}
    evaluated(folder, 0, 1000)
    simulated.failed(folder / "pretrain/s1-aaaaaaaa", "pretrain", given)
    simulated.failed(
        folder / "target/s1-cccccccc", "target", given | {"checkpoint": str(folder / "pretrain/s1-aaaaaaaa")}
    )
    row = tables.five_numbers_table(gather(folder)).loc[0]
    assert row["seeds"] == "1 of 2" and row["note"] == "no run of seed 1" and row.isna()["mean"]


def test_a_number_that_one_seed_lacks_is_not_there_and_the_seed_is_named(tmp_path):
    evaluated(tmp_path / "s", 0, perturbed=SCORES)
    evaluated(tmp_path / "s", 1, scores=without("en"), perturbed=without("en", "th"))
    row = five(tmp_path / "s").loc[0]
    assert row[["english", "gap", f"loss, {TYPOS}"]].isna().all()
    assert row[["mean", "worst", "deviation"]].notna().all()
    assert row["note"] == f"no English test, no gap (seed 1); {TYPOS}: no score in th (seed 1)"


def test_a_note_is_said_once_and_its_rows_point_to_it(tmp_path):
    for tokens in (4000, 3000, 2000, 1000):
        perturbed = without("en") if tokens == 3000 else ("de",) if tokens > 1000 else ("de", "es")
        evaluated(tmp_path / "s", 0, tokens, scores=without("en"), perturbed=perturbed)
    (block,) = tables.by_task(five(tmp_path / "s"))
    assert block["shared"] == ["no English test, no gap"]
    assert block["remarks"] == [f"{TYPOS}: no score in es hi ru th", f"{TYPOS}: no score in hi ru th"]
    assert [row["remark"] for row in block["rows"]] == [1, 0, 1, 2]


def test_what_was_left_out_is_counted_once_however_many_runs_read_it(tmp_path):
    folder = tmp_path / "s"
    reads = {
        "sst": {
            "en": {"dropped": {"labelled neutral": 1190}, "read": []},
            "de": {"dropped": {"labelled neutral": 9}},
            "es": {},
        }
    }
    for seed in (0, 1):
        for tokens, lines in ((1000, {"en": 99}), (2000, {"en": 3, "de": 0, "es": 0})):
            place = {"seed": seed, "tokens": tokens, "arm": None, "examples": 0}
            facts = {"contaminated lines": lines}
            run, given = folder / f"pretrain/s{seed}-p{tokens}-aaaaaaaa", {"study": "s"}
            simulated.run(run, "pretrain", given, place, notebooks=False, facts=facts)
            parts = {"anli": {"dropped": {"labelled -1": 29}, "read": []}, "mnli.de": {"dropped": {"empty": 2}}}
            facts, given = {"parts": parts}, {"study": "s", "arm": "anli", "tasks": ["anli"]}
            run = folder / f"intermediate/s{seed}-p{tokens}-bbbbbbbb"
            simulated.run(run, "intermediate", given, place, notebooks=False, facts=facts)
            evaluated(folder, seed, tokens, "sst", facts={"read": reads})
    found = gather_findings(folder)
    assert tables.contaminated(found).to_numpy().tolist() == [["2k", 3, "en"], ["2k", 0, "de, es"]]
    dropped = tables.dropped(found).to_numpy().tolist()
    assert dropped == [
        ["anli", "train", "labelled -1", "29 in en"],
        ["mnli", "translated", "empty", "2 in de"],
        ["sst", "test", "labelled neutral", "1,190 in en; 9 in de"],
    ]
    assert tables.unsaid(found) == 0
    evaluated(folder, 0, 3000)
    assert tables.unsaid(gather_findings(folder)) == 1


def test_a_split_that_stands_in_for_another_is_named(tmp_path):
    (source,) = TASKS["mlqa"].test
    read = {language: {"read": [loading.describe_split(source.instead, "x", language)]} for language in ("en", "de")}
    read["es"] = {"read": [loading.describe_split(source, "x", "es")]}
    reason = f"no labels {HOSTILE}"
    facts = {"read": {"mlqa": read | {"development": {"withheld": reason}}, "odd": {"en": {"read": ["y"]}}}}
    evaluated(tmp_path / "s", facts=facts)
    found = gather_findings(tmp_path / "s")
    instead = [source.instead.place, source.place, "en, de"]
    assert tables.stand_ins(found).to_numpy().tolist() == [["mlqa", "test", *instead]]
    assert tables.withheld(found).to_numpy().tolist() == [["mlqa", reason]]


def test_the_first_splits_of_every_task_are_no_stand_ins(tmp_path):
    read = {
        name: {"de": {"read": [loading.describe_split(one, "x", "de") for one in task.test]}}
        for name, task in TASKS.items()
        if task.test
    }
    evaluated(tmp_path / "s", facts={"read": read})
    assert not len(tables.stand_ins(gather_findings(tmp_path / "s")))


def test_the_page_shows_the_new_tables_escaped(tmp_path):
    (source,) = TASKS["tydiqa"].test
    read = {"en": {"dropped": {HOSTILE: 7}, "read": [loading.describe_split(source.instead, HOSTILE, "en")]}}
    facts = {"read": {"tydiqa": read | {"development": {"withheld": HOSTILE}}, HOSTILE: read}}
    evaluated(tmp_path / "s", task="tydiqa", scores={"en": 0.5, HOSTILE: 0.2}, facts=facts)
    found = gather_findings(tmp_path / "s")
    text = render_page(found, pictures(found), tmp_path / "page").read_text()
    assert HOSTILE not in text and text.count("&lt;script&gt;") >= 4
    assert "one non-English language, no worst 3" in text and "7 in en" in text and source.instead.place in text


def test_missing_cells_keep_their_place_on_the_grid(study):
    found = gather(study)
    assert found.holes == [{"seed": 1, "tokens": 0, "arm": "mnli", "examples": 256}]
    assert "1 of 36 cells are not in" in sentences.sentences(found)["gap"]


def test_sentences_carry_the_known_numbers(tmp_path):
    def truth(task, language, seed, tokens, examples):
        return 0.2 + (0.25 if tokens else 0) + 0.001 * seed + (0.1 * (examples / 4096) ** 0.5 if examples else 0)

    simulated.study(tmp_path / "s", truth=truth, languages=LANGUAGES, seeds=(0, 1, 2), notebooks=False)
    found = gather_findings(tmp_path / "s")
    said = sentences.sentences(found)
    assert len(said) == 5 and "From 0 to 1.6M pretraining tokens" in said["pretraining"]
    assert "+0.25" in said["pretraining"] and "rise (95 % interval above 0)" in said["pretraining"]
    assert "With 4096 mnli examples" in said["intermediate"] and "+0.10" in said["intermediate"]
    word, told = sentences.headline(found)
    assert word == "No" and told.startswith("Less than proportional") and "0.50" in said["proportional"]


def test_a_rung_that_is_not_there_is_not_stood_in_for(tmp_path):
    skip = lambda seed, tokens, examples: (tokens, examples) == (0, 0)  # noqa: E731
    simulated.study(tmp_path / "s", skip=skip, languages=LANGUAGES, notebooks=False)
    said = sentences.sentences(gather(tmp_path / "s"))
    assert said["pretraining"].startswith("No seed has scores at both 0 and 1.6M")
    assert "Over the same range" not in said["distance"] and "changes by" not in said["gap"]


def test_a_null_study_is_answered_with_no_claim(tmp_path):
    def truth(task, language, seed, tokens, examples):
        return 0.3 + 0.01 * ((seed * 7 + examples // 256 + tokens // 1000 + len(task)) % 3)

    simulated.study(tmp_path / "s", truth=truth, languages=LANGUAGES, notebooks=False)
    word, _ = sentences.headline(gather_findings(tmp_path / "s"))
    assert word in ("No: there is no steady gain that could be", "Not settled by this study")


def test_one_cell_is_a_report_too(tmp_path):
    simulated.study(tmp_path / "one", seeds=(0,), tokens=(0,), examples=(0,), tasks=("udpos",))
    found = gather_findings(tmp_path / "one")
    arm = found.arms[0]
    drawn = [grid.scaling_curves(found.zero_shot, axis, arm) for axis in ("tokens", "examples")]
    drawn += [grid.gain_curves(found.gains, arm), by_language.transfer_gap(found.scores), *pictures(found)]
    text = render_page(found, drawn, tmp_path / "page").read_text()
    assert "Not testable on this grid" in text and "one rung of pretraining" in text


def test_folders_without_a_record_are_refused_with_the_nearest(tmp_path):
    simulated.study(tmp_path / "demo", seeds=(0,), tokens=(0,), examples=(0,), notebooks=False)
    with pytest.raises(FileNotFoundError, match="demo"):
        gather_findings(tmp_path / "demmo")


def test_what_an_earlier_report_left_goes(study, tmp_path):
    for name in ("figures/old.svg", "notebooks/old-00000000.html"):
        simulated._write(tmp_path / name, {})
    found = gather(study)
    render_page(found, pictures(found), tmp_path)
    assert not list(tmp_path.rglob("old*"))


def test_a_cut_off_notebook_does_not_stop_the_report(tmp_path):
    folders = simulated.study(tmp_path / "s", seeds=(0,), tokens=(0,), examples=(0,), tasks=("udpos",))
    (folders[0] / "attempts/01/executed.ipynb").write_text('{"cells": [')
    found = gather_findings(tmp_path / "s")
    render_page(found, pictures(found), tmp_path / "page")
    assert "cannot be read" in (tmp_path / "page/notebooks" / f"{folders[0].name}.html").read_text()


def test_a_hundred_notebooks_convert_in_seconds(study, tmp_path):
    notebook = next(study.rglob("executed.ipynb"))
    notebook_pages.write_notebook_pages(pd.DataFrame({"cell": ["warm"], "notebook": [notebook]}), tmp_path)
    began = time.process_time()
    index = pd.DataFrame({"cell": [f"cell-{number}" for number in range(100)], "notebook": notebook})
    notebook_pages.write_notebook_pages(index, tmp_path)
    assert time.process_time() - began < 10 and len(list(tmp_path.iterdir())) == 100


def drawn(found: Findings) -> list[grid.Figure]:
    """All that the report's notebook draws."""
    arms, runs = [*found.arms, *found.controls], found.zero_shot
    pictures = [grid.score_surface(runs, arm, found.holes) for arm in arms]
    pictures += [grid.scaling_curves(runs, axis, arm) for arm in arms for axis in ("tokens", "examples")]
    pictures += [grid.gain_curves(found.gains, arm) for arm in arms]
    pictures.append(by_language.transfer_gap(found.scores, found.distances))
    pictures.append(by_language.language_scores(found.scores, found.distances))
    return [*pictures, cost(tables.spent(found))]


def test_every_picture_of_many_arms_has_its_own_file(tmp_path):
    simulated.study(tmp_path / "s", arms={"a": {"tasks": ["mnli"]}, "b": {"tasks": ["qqp"]}}, notebooks=False)
    names = [picture.name for picture in drawn(gather_findings(tmp_path / "s"))]
    assert len(set(names)) == len(names)


ARMS = {"mnli": {"tasks": ["mnli"]}, "qqp": {"tasks": ["qqp"]}, "odd": {"tasks": ["mnli"], "labels": "shuffled"}}
SEEDS = (0, 1, 2, 3)


@pytest.fixture(scope="module")
def half(tmp_path_factory) -> Findings:
    """A study of four seeds that lost half of its records by chance, so that no place of the grid has all seeds."""
    folder = tmp_path_factory.mktemp("half") / "s"
    noise = lambda task, language, seed, p, i: simulated.score(task, language, seed, p, i) + 0.03 * (seed**2 % 5)  # noqa: E731
    simulated.study(folder, seeds=SEEDS, languages=LANGUAGES, arms=ARMS, truth=noise, notebooks=False)
    written = sorted(folder.rglob("record.json"))
    for path in np.random.default_rng(255).permutation(written)[: len(written) // 2]:
        path.unlink()
    return gather(folder)


def test_half_a_study_is_one_in_which_no_place_is_whole(half):
    places = half.zero_shot.groupby(["tokens", "arm", "examples"])["seed"].nunique()
    assert places.max() < len(SEEDS) == len(half.wanted) and places.max() > 1


def test_half_a_study_gives_no_sentence_a_mean_over_fewer_seeds_in_silence(half):
    for name, said in sentences.sentences(half).items():
        plain = re.sub(r"95 % interval [+−\d. to]+|\d\.\d+M|slope d log\S* / d log\S* of 1", "", said)
        for match in re.finditer(r"\d\.\d+", plain):
            after = plain[match.end() :]
            assert re.match(r" \((, n = \d seeds?|one seed|\d of 4 seeds)", after), (name, match[0], after[:60])
    assert f"{len(half.absent)} of {len(half.absent) + len(half.records)} cells are not in" in said


def test_half_a_study_has_its_seeds_counted_beside_every_mean_of_its_tables(half, tmp_path):
    text = render_page(half, drawn(half), tmp_path).read_text()
    rows = re.findall(
        r'<td class="n">([+−\d.–]+)</td><td class="n">([^<]*)</td>(?:<td class="n">[\d.–]+</td>){2}'
        r'<td class="n">(\d of 4|\d)</td></tr>',
        text,
    )
    gains = half.gains.groupby(["target", "arm", "tokens", "examples"])["gain"].count()
    assert len(rows) == len(gains) and all(n.endswith(" of 4") for _, _, n in rows)
    assert sorted(int(n[0]) for _, _, n in rows) == sorted(gains)
    assert all(interval == "– to –" for _, interval, n in rows if n[0] in "01")
    cells = re.findall(r'<td class="n">[+−][\d.]+<small>(.*?)</small>', text)
    assert all(re.search(r"n = \d of 4$", cell) for cell in cells)
    numbers = tables.five_numbers_table(half)
    assert numbers[["english", "mean", "worst", "deviation", "gap"]].isna().all(axis=None)
    assert numbers["seeds"].str.endswith(" of 4").all() and numbers["note"].str.contains("no run of seed").all()
    assert "places of the grid without a zero-shot mean" in text
    assert f"<b>{len(half.records)}</b> of <b>{len(half.records) + len(half.absent)}</b> runs done" in text


def test_half_a_study_is_drawn_with_holes_and_says_so(half):
    for picture in drawn(half):
        if picture.name.startswith("surface"):
            marks = [text.get_text() for axes in picture.drawing.axes for text in axes.texts]
            assert marks and all(" of 4" in mark for mark in marks)
            hatched = [patch for axes in picture.drawing.axes for patch in axes.patches if patch.get_hatch()]
            assert len(hatched) == (picture.data["n"] == 0).sum() > 0
            assert "No place of the grid has all its seeds" in picture.title and "lack seeds" in picture.caption
        elif picture.name.startswith(("curves", "gains", "gaps")):
            keys = [name for name in ("target", "language", "tokens", "examples") if name in picture.data]
            value = picture.data.columns[-1]
            means = picture.data.groupby(keys)[value].count()
            # every mean there is stands on fewer seeds than there are
            assert f"Hollow: {(means > 0).sum()} mean" in picture.caption, picture.name
        if picture.name in ("gaps", "languages"):
            assert " of " in picture.title


def test_half_a_study_widens_its_intervals_or_gives_none(half, tmp_path):
    noise = lambda task, language, seed, p, i: simulated.score(task, language, seed, p, i) + 0.03 * (seed**2 % 5)  # noqa: E731
    simulated.study(tmp_path / "s", seeds=SEEDS, languages=LANGUAGES, arms=ARMS, truth=noise, notebooks=False)
    full = {(one.target, one.arm): one.gain for one in gather_findings(tmp_path / "s").verdicts}
    for one in half.verdicts:
        assert one.gain.n < full[one.target, one.arm].n == 4
    for row in claims.claim_rows(half)[:6]:
        assert row["verdict"] in (claims.UNTESTABLE, claims.UNDECIDED) or "of 4 seeds lack" in row["figure"]


def test_a_target_of_which_nothing_is_there_is_named(tmp_path):
    folders = simulated.study(tmp_path / "s", languages=LANGUAGES, tokens=(0,), examples=(0,), notebooks=False)
    given = read_record(folders[0]).parameters | {"tasks": ["panx", "sst"], "checkpoint": str(folders[0])}
    simulated.failed(tmp_path / "s/target/lost-dddddddd", "target", given)
    found = gather(tmp_path / "s")
    assert found.lost_tasks == ["panx"]
    assert "No score at all of panx" in render_page(found, pictures(found), tmp_path / "page").read_text()


def test_what_controls_gain_stands_beside_the_gain_of_tasks(tmp_path):
    gain = {"mnli": 0.1, "odd": 0.04, "text": 0.01}
    names = ARMS | {"text": {"tasks": [], "mlm_share": 1.0}}
    bonus = lambda arm, *_: gain.get(arm, 0.0)  # noqa: E731
    level = lambda task, language, seed, p, i: 0.3 + 0.01 * seed  # noqa: E731
    simulated.study(tmp_path / "s", arms=names, bonus=bonus, truth=level, languages=LANGUAGES, notebooks=False)
    found = gather_findings(tmp_path / "s")
    table = tables.beyond_controls(found).set_index(["arm", "control", "target"])["beyond"]
    assert table["mnli", "odd", "udpos"].mean == pytest.approx(0.06) and table["mnli", "text", "udpos"].n == 2
    assert table["qqp", "text", "sst"].mean == pytest.approx(-0.01) and ("qqp", "odd", "sst") not in table.index
    said = sentences.sentences(found)["intermediate"]
    assert "mnli over odd +0.060" in said and "odd +0.04" not in said
    assert {"odd", "text"}.isdisjoint(one.arm for one in found.counted)
    text = render_page(found, drawn(found), tmp_path / "page").read_text()
    assert "control: labels shuffled, mnli" in text and "control: masked LM alone" in text


def test_what_an_arm_learnt_of_its_own_task_is_told_apart_from_chance(tmp_path):
    names = {"mnli": {"tasks": ["mnli"]}, "squad": {"tasks": ["squad"]}}
    simulated.study(tmp_path / "s", arms=names, languages=LANGUAGES, notebooks=False)
    for path in (tmp_path / "s" / "intermediate").glob("*/record.json"):
        record = json.loads(path.read_text())
        place, task = record["coordinates"], record["parameters"]["tasks"][0]
        value = 1 / 3 + (place["seed"] - 0.5) * 0.01 if task == "mnli" else 0.2 + place["examples"] / 1e5
        row = simulated.result(task, "en", 0) | {"value": value, "main": False}
        record["results"] = [row | {"metric": f"development {TASKS[task].metric}"}, row | {"metric": "development f1"}]
        path.write_text(json.dumps(record))
    found = gather_findings(tmp_path / "s")
    table = tables.learnt(found).set_index(["arm", "I"])
    assert table.index.tolist() == [("mnli", 256), ("mnli", 4096), ("squad", 256), ("squad", 4096)]
    assert table.loc[("squad", 4096), "P = 1.6M"] == pytest.approx(0.24096)
    assert not table.loc[("mnli", 4096), "over P"].excludes(1 / 3)
    said = sentences.sentences(found)["intermediate"]
    assert "mnli reaches 0.33 (95 % interval" in said and "squad reaches 0.24 (95 %" in said
    text = render_page(found, drawn(found), tmp_path / "page").read_text()
    assert "What was learnt in English" in text and '<th scope="col" class="n">P = 1.6M</th>' in text


def test_a_page_of_many_pictures_stays_light(study, tmp_path, monkeypatch):
    found = gather(study)
    monkeypatch.setattr(page_module, "HEAVY_PICTURES", 50_000)
    addresses = page_module._picture_addresses(drawn(found))
    whole = {picture.name: len(picture.uri()) for picture in drawn(found)}
    assert sum(map(len, addresses.values())) < sum(whole.values())
    assert all(len(address) <= whole[name] for name, address in addresses.items())


def test_a_long_table_is_cut_and_lies_beside_the_page(study, tmp_path, monkeypatch):
    monkeypatch.setattr(page_module, "PAGE_ROWS", 6)
    found = gather(study)
    text = render_page(found, pictures(found), tmp_path).read_text()
    assert "the first 6 here" in text and len(pd.read_csv(tmp_path / "gains.csv")) > 6
    assert "robustness.csv</a>" in text and len(pd.read_csv(tmp_path / "robustness.csv")) > 6


def test_a_language_that_a_run_lacks_is_nowhere_averaged_over(tmp_path):
    """One run in Hindi less: its mean is missing, not that of the other languages, and every place says so."""
    folders = simulated.study(tmp_path / "s", seeds=(0, 1), notebooks=False)
    (lost,) = [one for one in folders if one.name.startswith("s1-p1600000-mnli-i4096") and one.parent.name == "target"]
    record = json.loads((lost / "record.json").read_text())
    record["results"] = [row for row in record["results"] if (row["task"], row["language"]) != ("sst", "hi")]
    (lost / "record.json").write_text(json.dumps(record))
    found = gather(tmp_path / "s")
    here = found.zero_shot.query("seed == 1 and tokens == 1600000 and examples == 4096").set_index("target")
    assert here["zero_shot"].isna().to_dict() == {
        "sst": True,
        "tatoeba": False,
        "udpos": False,
        transfer_scores.TRAINED: True,
    }
    law = next(law for law in found.laws if law.target == "sst")
    assert law.sample.absent == 1 and any("1 of 18 runs are missing" in note for note in law.surface.notes)
    why = {one.target: one.why for one in found.verdicts}
    assert "1 of 18 runs are missing" in why["sst"] and "missing" not in why["udpos"]
    surface = grid.score_surface(found.zero_shot, "mnli", found.holes)
    marks = {axes.get_title(): [text.get_text() for text in axes.texts] for axes in surface.drawing.axes}
    assert sum("1 of 2" in mark for mark in marks["sst"]) == 1 and not any("1 of 2" in mark for mark in marks["udpos"])
    complete = grid.completeness(found.zero_shot, found.holes)
    assert complete.title == "1 of 18 cells are not whole"
    text = render_page(found, [surface, complete], tmp_path / "page").read_text()
    assert "no score in: hi" in text and "1 of 2" in text
