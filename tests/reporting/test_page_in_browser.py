"""The report's page in a real browser: what a reader meets, with a pointer or without."""

import shutil
from collections import defaultdict

import pytest
import simulated
from browsers import NO_BROWSER, browser_path, open_browser

from xlt_utils.reporting import tables
from xlt_utils.reporting.figures import by_language, grid, lead
from xlt_utils.reporting.figures.runs import cost_by_phase
from xlt_utils.reporting.findings import gather_findings
from xlt_utils.reporting.page import render_page

HOSTILE = '"><img src=x onerror=alert(1)>'
ROWS = "[...document.querySelectorAll('table.cells tbody tr')].filter((row) => !row.hidden)"


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """A study of two arms and a control with a failed cell, and text that would like to be markup."""
    folder = tmp_path_factory.mktemp("page") / "study"
    arms = {"mnli": {"tasks": ["mnli"]}, "qqp": {"tasks": ["qqp"]}, "odd": {"tasks": ["mnli"], "labels": "shuffled"}}
    skip = lambda seed, p, i: (seed, p, i) == (1, 0, 0)  # noqa: E731
    simulated.study(folder, tokens=(0, 100_000), arms=arms, skip=skip, notebooks=False)
    failed = next(path.parent for path in folder.rglob("params.json") if not (path.parent / "record.json").exists())
    simulated.attempt(failed, "failed", f"ValueError: {HOSTILE}")
    done = sorted(path.parent for path in folder.rglob("record.json"))
    findings = gather_findings(folder, done, [(str(failed), "failed")])
    missing, arms = findings.missing_coordinates, [*findings.arms, *findings.controls]
    figures = [grid.score_surface(findings.zero_shot, arm, missing) for arm in arms]
    figures += [by_language.language_score_map(findings.scores), cost_by_phase(tables.cost_table(findings))]
    figures.append(lead.gains_by_size(findings.verdicts, findings.pretraining_changes, ["mnli", "qqp"], ["odd"]))
    return render_page(findings, figures, folder.parent / "page")


@pytest.fixture(scope="module")
def chromium(report):  # after the report: its figures are drawn in forks, which must not share a browser
    with open_browser() as browser:
        yield browser


@pytest.fixture
def open_page(chromium):
    """Opens a file in a window of its own; `events` of the tab keeps what the browser reported."""
    windows = []

    def open_file(path, width=1280, height=900, colours="light"):
        viewport = {"width": width, "height": height}
        window = chromium.new_context(viewport=viewport, is_mobile=width < 600, color_scheme=colours)
        windows.append(window)
        tab = window.new_page()
        tab.events = defaultdict(list)
        for event in ("console", "pageerror", "request", "requestfailed"):
            tab.on(event, lambda report, event=event: tab.events[event].append(report))
        tab.goto(path.as_uri())
        return tab

    yield open_file
    for window in windows:
        window.close()


@pytest.fixture
def tab(open_page, report):
    return open_page(report)


def open_details(tab) -> None:
    tab.evaluate("document.querySelectorAll('details').forEach((details) => (details.open = true))")


def column(tab, number: int) -> list[str]:
    cell = f"row.cells[{number}]"
    return tab.evaluate(f"{ROWS}.map((row) => {cell}.dataset.v ?? {cell}.textContent.trim())")


def test_nothing_is_complained_of_and_no_request_leaves_the_file(tab, report):
    open_details(tab)
    tab.locator("#figures").scroll_into_view_if_needed()
    tab.wait_for_load_state("networkidle")
    assert not tab.events["console"] and not tab.events["pageerror"] and not tab.events["requestfailed"]
    addresses = {request.url for request in tab.events["request"]}
    assert {address for address in addresses if not address.startswith("data:")} == {report.as_uri()}


def test_markup_from_an_error_is_text(tab):
    assert tab.locator("table.cells .error").text_content().endswith(HOSTILE)
    assert tab.locator("img[src=x]").count() == 0


def test_a_script_of_somebody_else_is_refused(open_page, report, tmp_path):
    changed = tmp_path / "changed.html"
    changed.write_text(report.read_text().replace("</main>", "<script>window.intruder = 1</script></main>"))
    tab = open_page(changed)
    assert tab.evaluate("window.intruder === undefined") and tab.evaluate(f"{ROWS}.length") > 0
    assert "Content Security Policy" in tab.events["console"][0].text  # what the browser says is heard


def test_every_image_has_an_alt_text_and_is_drawn(tab):
    open_details(tab)
    assert tab.evaluate("document.images.length") == 6
    assert tab.evaluate("[...document.images].every((image) => image.alt.length > 20)")
    decoded = "[...document.images].map((image) => image.decode().then(() => image.naturalWidth > 0))"
    assert tab.evaluate(f"Promise.all({decoded})") == [True] * 6


def test_the_contents_lead_to_their_headings(tab):
    links = tab.evaluate("[...document.querySelectorAll('nav a')].map((link) => link.hash.slice(1))")
    assert len(links) >= 9
    tab.evaluate("document.documentElement.style.scrollBehavior = 'auto'")
    for name in links:
        top = f"document.getElementById({name!r}).getBoundingClientRect().top"
        assert tab.evaluate(f"(document.querySelector('nav a[href=\"#{name}\"]').click(), location.hash)") == f"#{name}"
        at_the_end = "innerHeight + scrollY >= document.documentElement.scrollHeight - 2"
        assert tab.evaluate(f"Math.abs({top}) < 80 || {at_the_end}"), name


def test_the_keyboard_reaches_the_contents_and_shows_where_it_is(tab, report):
    links = []
    for _ in range(12):
        tab.keyboard.press("Tab")
        links.append(tab.evaluate("document.activeElement.getAttribute('href')"))
        assert tab.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    assert links[0] in links[1:4] and {"explore.html", "#claims", "#cells"} <= set(
        links
    )  # skipping ahead leads to the first section
    tab.locator(".skip").focus()
    tab.keyboard.press("Enter")
    assert tab.url == report.as_uri() + links[0]


def test_the_runs_are_sorted_from_the_keyboard(tab):
    head = tab.locator("table.cells thead th").nth(3)
    head.locator("button").focus()
    tab.keyboard.press("Enter")
    tokens = [int(value) for value in column(tab, 3) if value]
    assert head.get_attribute("aria-sort") == "ascending" and tokens == sorted(tokens) and len(tokens) > 9
    tab.keyboard.press("Enter")
    assert [int(value) for value in column(tab, 3) if value] == sorted(tokens, reverse=True)
    assert head.get_attribute("aria-sort") == "descending"
    assert tab.locator("th[aria-sort]").count() == 1
    while tab.evaluate("document.activeElement.textContent") != "state":
        tab.keyboard.press("Tab")
    tab.keyboard.press("Enter")
    states = column(tab, 9)
    assert states == sorted(states) and len(set(states)) == 2


def test_the_runs_are_filtered_from_the_keyboard_with_a_count(tab):
    total = tab.evaluate(f"{ROWS}.length")
    assert tab.locator("#filter-count").get_attribute("aria-live") == "polite"
    tab.get_by_label("Filter").focus()
    tab.keyboard.type("target FAILED")
    assert tab.locator("#filter-count").text_content() == f"1 of {total} runs"
    assert column(tab, 9) == ["failed"]


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_is_wider_than_the_screen(open_page, report, width):
    tab = open_page(report, width)
    open_details(tab)
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
    wider = "[...document.querySelectorAll('body *')].filter((part) => !part.closest('.scroll, .skip') "
    wider += (
        "&& part.getBoundingClientRect().right > innerWidth + 1).map((part) => part.tagName + '.' + part.className)"
    )
    assert tab.evaluate(wider) == []
    # what is wider scrolls by itself, from the keyboard too
    assert tab.evaluate(
        "[...document.querySelectorAll('.scroll')].every("
        "(part) => part.scrollWidth <= part.clientWidth || part.tabIndex === 0)"
    )


@pytest.mark.parametrize(("width", "height"), [(390, 844), (1280, 900)])
def test_the_first_screen_answers(open_page, report, width, height):
    tab = open_page(report, width, height)
    parts = ".answer, .counts" + (", header img" if width > 600 else "")
    boxes = f"[...document.querySelectorAll('{parts}')].map((part) => part.getBoundingClientRect().bottom)"
    assert tab.evaluate(f"Math.max(...{boxes})") < height
    header = tab.locator("header").inner_text()
    answer = ("Proportional?", "More intermediate examples: ", "More pretraining text: ")
    for text in (*answer, "2 seeds", "3 target tasks", "5 languages", "1 control"):
        assert text in header


def test_light_and_dark_differ_and_figures_keep_a_white_ground(open_page, report):
    grounds = []
    for colours in ("light", "dark"):
        tab = open_page(report, colours=colours)
        grounds.append(tab.evaluate("getComputedStyle(document.body).backgroundColor"))
        assert tab.evaluate("getComputedStyle(document.images[0]).backgroundColor") == "rgb(255, 255, 255)"
    assert grounds[0] == "rgb(255, 255, 255)" != grounds[1]


def test_without_a_browser_the_tests_say_so(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert browser_path() is None and "chromium" in NO_BROWSER
