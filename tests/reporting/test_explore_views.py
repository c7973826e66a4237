"""The explorer's views and their static form, on a simulated study."""

import dataclasses
import itertools
from pathlib import Path

import numpy as np
import pytest
import simulated

from xlt_utils import paths
from xlt_utils.reporting.explore import display, run_facts, views
from xlt_utils.reporting.explore.explorer import Explorer
from xlt_utils.reporting.explore.frame import ABOVE, GAIN, OpenStudy
from xlt_utils.reporting.explore.summary import summary
from xlt_utils.reporting.explore.view_tables import baseline_curve
from xlt_utils.reporting.findings import gather_findings

HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> OpenStudy:
    folder = tmp_path_factory.mktemp("views") / "s"
    hostile = lambda record: record | {"device": HOSTILE}  # noqa: E731
    truth = lambda task, *place: simulated.score(task, *place) + 0.1 * (task == "udpos")  # noqa: E731
    simulated.study(folder, languages=("en", "de", "sw"), truth=truth, complete=hostile)
    return OpenStudy("s", folder, gather_findings(folder))


@pytest.fixture
def explorer(study) -> Explorer:
    return Explorer([study])


def values(chart: dict) -> list[float]:
    """All values that a chart draws."""
    return [row["value"] for rows in chart["datasets"].values() for row in rows if "value" in row]


def test_every_view_is_there_and_every_mark_of_a_run_can_be_clicked(explorer):
    chart = explorer.chart().to_dict()
    text = str(chart)
    for title in (
        "Both sizes",
        "Over intermediate examples I",
        "Over pretraining tokens P",
        "Scores by language",
        "Cost by phase",
    ):
        assert title in text
    click, place = chart["params"]
    assert click["name"] == views.CLICKED and len(click["views"]) == 4 and len(set(click["views"])) == 4
    assert place["name"] == views.PLACE and [name.split("_")[0] for name in place["views"]] == [views.SQUARES]
    for name in [*click["views"], *place["views"]]:
        assert text.count(f"'name': '{name}'") == 1  # a selection of a view that is not there stops the whole chart


def test_the_marked_run_is_the_picked_one(explorer):
    explorer.picked = explorer.runs()[2]
    param, _ = explorer.chart().to_dict()["params"]
    assert param["value"] == [{"study": "s", "cell": explorer.runs()[2][1]}]


def test_another_target_language_or_scale_draws_other_values(explorer):
    drawn = [values(explorer.chart().to_dict())]
    other = next(name for name in ("sst", "udpos") if name != explorer.choice.target)
    for name, value in (("target", other), ("language", "sw"), ("tokens", 0), ("seed", 1), ("scale", GAIN)):
        explorer.choose(name, value)
        drawn.append(values(explorer.chart().to_dict()))
    assert all(before != after for before, after in itertools.pairwise(drawn))


def test_what_the_new_target_lacks_falls_back(explorer):
    explorer.choose("target", "sst")
    explorer.choose("language", "en")
    explorer.choose("target", "tatoeba")  # has no English test
    assert explorer.choice.language == "others"
    assert "has no English test" in str(explorer.chart().to_dict())


def test_without_any_run_the_views_say_so(explorer):
    explorer.frame = explorer.frame.assign(arm="mnli")  # nothing is left of what the choice asks for
    explorer.choice = dataclasses.replace(explorer.choice, arm="qqp")
    chart = explorer.chart()
    assert "no run at these rungs" in str(chart.to_dict()) and "no run at these rungs" in views.to_svg(chart)


def test_the_curve_of_the_runs_without_an_arm_is_the_line_that_was_planted():
    pd = pytest.importorskip("pandas")
    english = np.array([0.3, 0.5, 0.7, 0.8])
    odds = (english / (1 - english)) ** 0.5 * np.exp(-1)  # slope ½ and start −1 in logits
    both = pd.DataFrame({"study": "s", "english": english, "others": odds / (1 + odds), "tokens": range(4)})
    curve = baseline_curve(both.assign(examples=0), ABOVE)
    logit = np.log(curve["others"] / (1 - curve["others"]))
    assert logit.to_numpy() == pytest.approx((0.5 * np.log(curve["english"] / (1 - curve["english"])) - 1).to_numpy())
    assert baseline_curve(both.assign(examples=0)[:2], ABOVE).empty  # two rungs lie on any line
    assert baseline_curve(both.assign(examples=256), ABOVE).empty
    assert baseline_curve(both.assign(examples=0), GAIN).empty


def test_without_a_page_a_picture_and_the_record_are_shown(explorer, monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda bundle, raw: shown.append(bundle))
    for name in display.PAGES:
        monkeypatch.delenv(name, raising=False)
    explorer.show()
    (bundle,) = shown
    assert list(bundle) == ["text/html"] and bundle["text/html"].startswith("<svg")
    assert explorer.picked[1] in bundle["text/html"] and "executed.ipynb" in bundle["text/html"]
    monkeypatch.setenv(display.PAGES[0], "explore.ipynb")
    explorer.show()
    assert "application/vnd.jupyter.widget-view+json" in shown[1] and shown[1]["text/html"] == display.ASLEEP


def test_text_from_a_record_is_text(explorer):
    assert HOSTILE not in explorer.run_html() and "&lt;img src=x" in explorer.run_html()
    pd = pytest.importorskip("pandas")
    assert HOSTILE not in display.items_html(pd.DataFrame({HOSTILE: [HOSTILE]}))


def test_the_facts_name_the_run_its_notebook_and_its_record(explorer, study):
    folder, _ = study.runs[explorer.picked[1]]
    html = explorer.run_html()
    for text in ("mnli, I = 4096", "P = 1.6M", str(folder / "record.json"), str(folder / "attempts")):
        assert text in html


def test_what_is_here_of_a_run_is_linked_in_jupyterlab_and_what_is_not_is_said(explorer, study, monkeypatch):
    monkeypatch.setenv(display.PAGES[0], "explore.ipynb")
    folder, _ = study.runs[explorer.picked[1]]
    html = explorer.run_html()
    assert "<a href" not in html and run_facts.NOT_KEPT in html  # elsewhere than in the project; no predictions
    monkeypatch.setattr(paths, "ROOT", study.place.parent)
    (folder / "predictions.parquet").touch()
    html = explorer.run_html()
    for file in (f"{folder.name}/record.json", f"{folder.name}/attempts/01/executed.ipynb"):
        assert f'<a href="/lab/tree/s/target/{file}" target="_blank">s/target/{file}</a>' in html
    assert f"{folder.name}/predictions.parquet</td>" in html and run_facts.NOT_KEPT not in html


def test_the_summary_counts_what_was_opened(study):
    row = summary(study)
    assert (row["study"], row["runs"], row["seeds"], row["arms"], row["items kept"]) == ("s", 36, 2, "mnli", "no")
    assert Path(row["read from"]) == study.place
