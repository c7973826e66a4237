"""The report's page in a real browser: what a reader meets, with a pointer or without."""

import shutil

import pytest
import simulated

pytest.importorskip("websocket", reason="websocket-client is not installed: the page was not opened")
import browser

from xlt_utils.reporting import tables
from xlt_utils.reporting.figures import by_language, grid, runs
from xlt_utils.reporting.findings import gather_findings
from xlt_utils.reporting.page import render_page

HOSTILE = '"><img src=x onerror=alert(1)>'
SCROLLS = (
    "[...document.querySelectorAll('.scroll')].every((one) => one.scrollWidth <= one.clientWidth || one.tabIndex === 0)"
)
ROWS = "[...document.querySelectorAll('table.cells tbody tr')].filter((row) => !row.hidden)"


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A study of two arms and a control with a failed cell, and text that would like to be markup."""
    folder = tmp_path_factory.mktemp("page") / "study"
    names = {"mnli": {"tasks": ["mnli"]}, "qqp": {"tasks": ["qqp"]}, "odd": {"tasks": ["mnli"], "labels": "shuffled"}}
    skip = lambda seed, p, i: (seed, p, i) == (1, 0, 0)  # noqa: E731
    simulated.study(folder, tokens=(0, 100_000), arms=names, skip=skip, notebooks=False)
    lost = next(path.parent for path in folder.rglob("params.json") if not (path.parent / "record.json").exists())
    simulated.attempt(lost, "failed", f"ValueError: {HOSTILE}")
    done = [path.parent for path in folder.rglob("record.json")]
    found = gather_findings(folder, sorted(done), [(str(lost), "failed")])
    drawn = [grid.score_surface(found.zero_shot, arm, found.holes) for arm in [*found.arms, *found.controls]]
    drawn += [by_language.language_scores(found.scores), runs.cost(tables.spent(found))]
    return render_page(found, drawn, folder.parent / "page")


@pytest.fixture(scope="module")
def tab(page, tmp_path_factory):
    if browser.find() is None:
        pytest.skip(browser.ABSENT)
    opened = browser.Browser(tmp_path_factory.mktemp("profile"))
    yield opened
    opened.close()


@pytest.fixture
def wide(tab, page):
    tab.open(page.as_uri())
    return tab


def test_nothing_is_complained_of_and_no_request_leaves_the_file(wide, page):
    wide.run("document.querySelectorAll('details').forEach((one) => (one.open = true))")
    wide.run("document.querySelector('#figures').scrollIntoView()")
    assert not wide.reported("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded")
    asked = [event["request"]["url"] for event in wide.reported("Network.requestWillBeSent")]
    assert {one for one in asked if not one.startswith("data:")} == {page.as_uri()}
    assert not wide.reported("Network.loadingFailed")


def test_markup_from_an_error_is_text(wide):
    assert wide.run("document.querySelector('table.cells .error').textContent").endswith(HOSTILE)
    assert wide.run("document.querySelectorAll('img[src=x]').length") == 0


def test_a_script_of_somebody_else_is_refused(tab, page, tmp_path):
    text = page.read_text().replace("</main>", "<script>window.intruder = 1</script></main>")
    other = tmp_path / "other.html"
    other.write_text(text)
    tab.open(other.as_uri())
    assert tab.run("window.intruder === undefined") and tab.run(f"{ROWS}.length") > 0


def test_every_image_has_a_text_and_is_drawn(wide):
    wide.run("document.querySelectorAll('details').forEach((one) => (one.open = true))")
    assert wide.run("[...document.images].length") == 5
    assert wide.run("[...document.images].every((image) => image.alt.length > 20)")
    assert wide.run(
        "Promise.all([...document.images].map((image) => image.decode().then(() => image.naturalWidth > 0)))"
    )


def test_the_contents_lead_to_their_headings(wide):
    links = wide.run("[...document.querySelectorAll('nav a')].map((link) => link.hash.slice(1))")
    assert len(links) >= 9
    wide.run("document.documentElement.style.scrollBehavior = 'auto'")
    for name in links:
        top = f"document.getElementById({name!r}).getBoundingClientRect().top"
        assert wide.run(f"(document.querySelector('nav a[href=\"#{name}\"]').click(), location.hash)") == f"#{name}"
        at_the_end = "innerHeight + scrollY >= document.documentElement.scrollHeight - 2"
        assert wide.run(f"Math.abs({top}) < 80 || {at_the_end}"), name


def test_the_keyboard_reaches_the_contents_and_shows_where_it_is(wide):
    reached = []
    for _ in range(12):
        wide.press("Tab")
        reached.append(wide.run("document.activeElement.getAttribute('href')"))
        assert wide.run("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    assert reached[0] == "#said" and "#claims" in reached and "#cells" in reached
    wide.run("document.querySelector('.skip').focus()")
    wide.press("Enter")
    assert wide.run("location.hash") == "#said"


def column(tab, number: int) -> list[str]:
    return tab.run(f"{ROWS}.map((row) => row.cells[{number}].dataset.v ?? row.cells[{number}].textContent.trim())")


def test_the_runs_are_sorted_from_the_keyboard(wide):
    head = "document.querySelectorAll('table.cells thead th')[3]"
    wide.run(f"{head}.querySelector('button').focus()")
    wide.press("Enter")
    tokens = [int(value) for value in column(wide, 3) if value]
    assert wide.run(f"{head}.getAttribute('aria-sort')") == "ascending" and tokens == sorted(tokens) and len(tokens) > 9
    wide.press("Enter")
    assert [int(value) for value in column(wide, 3) if value] == sorted(tokens, reverse=True)
    assert wide.run(f"{head}.getAttribute('aria-sort')") == "descending"
    assert wide.run("document.querySelectorAll('th[aria-sort]').length") == 1
    while wide.run("document.activeElement.textContent") != "state":
        wide.press("Tab")
    wide.press("Enter")
    states = column(wide, 9)
    assert states == sorted(states) and len(set(states)) == 2


def test_the_runs_are_filtered_from_the_keyboard_with_a_count(wide):
    total = wide.run(f"{ROWS}.length")
    assert wide.run("document.querySelector('label[for=filter]').textContent") == "Filter"
    assert wide.run("document.getElementById('filter-count').getAttribute('aria-live')") == "polite"
    wide.run("document.getElementById('filter').focus()")
    for letter in "target FAILED":
        wide.press(letter)
    assert wide.run("document.getElementById('filter-count').textContent") == f"1 of {total} runs"
    assert column(wide, 9) == ["failed"]


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_is_wider_than_the_screen(tab, page, width):
    tab.open(page.as_uri(), width)
    tab.run("document.querySelectorAll('details').forEach((one) => (one.open = true))")
    assert tab.run("document.documentElement.scrollWidth <= innerWidth")
    wider = "[...document.querySelectorAll('body *')].filter((one) => !one.closest('.scroll, .skip') "
    wider += "&& one.getBoundingClientRect().right > innerWidth + 1).map((one) => one.tagName + '.' + one.className)"
    assert tab.run(wider) == []
    assert tab.run(SCROLLS)  # what is wider scrolls by itself, from the keyboard too


def test_the_first_screen_answers(tab, page):
    for width, height in ((390, 844), (1280, 900)):
        tab.open(page.as_uri(), width, height)
        boxes = "[...document.querySelectorAll('.answer, .counts')].map((one) => one.getBoundingClientRect().bottom)"
        bottom = f"Math.max(...{boxes})"
        assert tab.run(bottom) < height
    said = tab.run("document.querySelector('header').innerText")
    for part in (
        "Proportional?",
        "Exchange rate: pretraining tokens",
        "2 seeds",
        "3 target tasks",
        "5 languages",
        "1 control",
    ):
        assert part in said


def test_light_and_dark_differ_and_figures_keep_a_white_ground(tab, page):
    colours = []
    for dark in (False, True):
        tab.open(page.as_uri(), dark=dark)
        colours.append(tab.run("getComputedStyle(document.body).backgroundColor"))
        assert tab.run("getComputedStyle(document.images[0]).backgroundColor") == "rgb(255, 255, 255)"
    assert colours[0] == "rgb(255, 255, 255)" != colours[1]


def test_without_a_browser_the_tests_say_so(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert browser.find() is None and "chromium" in browser.ABSENT
