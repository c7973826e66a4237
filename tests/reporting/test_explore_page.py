"""explore.html in a real browser: it draws what the notebook draws, alone, from the keyboard, on a telephone too."""

import json
import re
from dataclasses import replace

import pytest
import simulated
from browsers import open_browser

from xlt_utils.formatting import short_size
from xlt_utils.reporting.explore.explorer import Explorer
from xlt_utils.reporting.explore.frame import GAIN, OpenStudy
from xlt_utils.reporting.explore.page import page_data, write_explorer_page
from xlt_utils.reporting.findings import Findings, gather_findings

HOSTILE = "</script><img src=x onerror=alert(1)>"
SAID = ("run", "arm", "P", "I", "seed")  # of a mark, before its value


@pytest.fixture(scope="module")
def findings(tmp_path_factory) -> Findings:
    folder = tmp_path_factory.mktemp("explored") / "s"
    truth = lambda task, *place: simulated.score(task, *place) + 0.1 * (task == "udpos")  # noqa: E731

    def complete(record):
        if record["phase"] == "target":
            record["curves"] = [{"name": "sst", "step": step, "loss": 1 / step} for step in range(1, 90)]
        return record

    arms = {"mnli": {"tasks": ["mnli"]}, "qqp": {"tasks": ["qqp"]}}
    settings = {"languages": ("en", "de", "sw"), "arms": arms, "truth": truth, "complete": complete}
    simulated.study(folder, tokens=(0, 100_000), notebooks=False, **settings)
    return gather_findings(folder)


@pytest.fixture(scope="module")
def page(findings, tmp_path_factory):
    notebooks = {folder.name: f"{folder.name}.html" for folder in findings.records}
    return write_explorer_page(findings, notebooks, tmp_path_factory.mktemp("page"))


@pytest.fixture(scope="module")
def chromium(page):
    with open_browser() as browser:
        yield browser


@pytest.fixture
def open_page(chromium):
    """Opens the page in a window of its own; `complaints` and `requests` are what the browser reported."""
    windows = []

    def open_file(address, width=1280, colours="light"):
        windows.append(chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=colours))
        tab = windows[-1].new_page()
        tab.complaints, tab.requests = [], []
        tab.on("console", lambda message: tab.complaints.append(message.text))
        tab.on("pageerror", lambda error: tab.complaints.append(str(error)))
        tab.on("request", lambda request: tab.requests.append(request.url))
        tab.goto(address)
        tab.locator("#views svg").wait_for()
        return tab

    yield open_file
    for window in windows:
        window.close()


def choose(tab, name: str, option: str) -> None:
    drawn = int(tab.locator("#views").get_attribute("data-drawn"))
    tab.locator(f"select[name={name}]").select_option(label=option)
    tab.locator(f'#views[data-drawn="{drawn + 1}"]').wait_for()


def marks(svg: str) -> list[tuple]:
    """What each mark of a run says of itself, its value in hundredths: the page keeps a digit less."""
    labels = re.findall(r'aria-label="([^"]*; run: [^"]*; study: [^"]*)"', svg)
    said = [dict(part.split(": ", 1) for part in label.split("; ")) for label in labels]
    assert said
    value = lambda mark: float(mark.get("value", mark.get("others")).replace("−", "-"))  # noqa: E731
    return sorted((*(mark[name] for name in SAID), round(100 * value(mark))) for mark in said)


def test_the_page_draws_what_the_notebook_draws(findings, page, open_page):
    explorer = Explorer([OpenStudy("s", findings.runs_folder, findings)])
    tab = open_page(page.as_uri())
    rounds = [
        [("target", "udpos", "udpos"), ("language", "sw", "Swahili (sw)")],
        [("tokens", 0, "0"), ("examples", 256, "256"), ("scale", GAIN, GAIN)],
        [("seed", 1, "1"), ("arm", "qqp", "qqp")],
        [("target", "tatoeba", "tatoeba")],
    ]
    for steps in rounds:
        for name, value, label in steps:
            explorer.choose(name, value)
            choose(tab, name, label)
        assert marks(tab.locator("#views svg").inner_html()) == marks(explorer.static()), steps
        for text in ("Both sizes", "Learning curves", f"P = {short_size(explorer.choice.tokens)}"):
            assert text in tab.locator("#views").inner_text()
    assert "has no English test" in tab.locator("#views").inner_text()


def test_nothing_is_complained_of_and_no_request_leaves_the_file(page, open_page):
    tab = open_page(page.as_uri())
    choose(tab, "scale", GAIN)
    assert tab.complaints == [] and {url for url in tab.requests if not url.startswith("data:")} == {page.as_uri()}
    assert "default-src 'none'" in page.read_text() and "unsafe-eval" not in page.read_text().split("</head>")[0]


def test_a_script_of_somebody_else_is_refused(page, open_page, tmp_path):
    changed = tmp_path / "changed.html"
    changed.write_text(page.read_text().replace("</main>", "<script>window.intruder = 1</script></main>"))
    tab = open_page(changed.as_uri())
    assert tab.evaluate("window.intruder === undefined") and "Content Security Policy" in tab.complaints[0]


def test_a_click_shows_the_run_and_a_square_its_sizes(page, open_page):
    tab = open_page(page.as_uri())
    point = tab.locator('#views [aria-roledescription="point"][aria-label*="run: "]').last
    name = re.search(r"run: (\S+);", point.get_attribute("aria-label"))[1]
    assert tab.locator("#run").input_value() != name
    point.click(force=True)
    tab.wait_for_function("name => document.getElementById('run').value === name", arg=name)
    assert (
        "executed notebook" in tab.locator("#facts").inner_text()
        and "English (en)" in tab.locator("#facts").inner_text()
    )
    square = tab.locator('#views [aria-label*="arm: qqp"][aria-label*="P: 0"][aria-label*="I: 256"]').first
    square.click(force=True)
    tab.locator('#views[data-drawn="2"]').wait_for()
    assert [tab.locator(f"select[name={size}]").input_value() for size in ("tokens", "examples")] == ["0", "256"]


def test_the_keyboard_chooses_and_an_address_opens_with_its_choice(page, open_page):
    tab = open_page(f"{page.as_uri()}#target=udpos&language=de&scale=raw+score")
    assert "udpos, German (de)" in tab.locator("#views").inner_text()
    while tab.evaluate("document.activeElement.name") != "target":
        tab.keyboard.press("Tab")
    assert tab.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    tab.keyboard.press("ArrowUp")
    tab.locator('#views[data-drawn="2"]').wait_for()
    target = tab.locator("select[name=target]").input_value()
    assert target != "udpos" and f"target={target}" in tab.url
    tab.locator("#run").focus()
    before = tab.locator("#facts").inner_text()
    tab.keyboard.press("ArrowDown")
    tab.locator('#views[data-drawn="3"]').wait_for()
    assert tab.locator("#facts").inner_text() != before


@pytest.mark.parametrize(("width", "colours"), [(390, "dark"), (1280, "light")])
def test_nothing_is_wider_than_the_screen(page, open_page, width, colours):
    tab = open_page(page.as_uri(), width, colours)
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert tab.evaluate("document.getElementById('views').scrollWidth <= document.getElementById('views').clientWidth")
    ground = tab.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(255, 255, 255)") == (colours == "light")
    assert tab.evaluate("getComputedStyle(document.getElementById('views')).backgroundColor") == "rgb(255, 255, 255)"


def test_the_same_findings_give_the_same_bytes(findings, page, tmp_path):
    again = write_explorer_page(findings, {folder.name: f"{folder.name}.html" for folder in findings.records}, tmp_path)
    assert again.read_bytes() == page.read_bytes() and len(page.read_bytes()) < 3_000_000


def test_text_from_records_ends_no_element(findings, tmp_path):
    text = write_explorer_page(replace(findings, study=HOSTILE), {}, tmp_path).read_text()
    assert HOSTILE not in text and text.count("</script>") == 3
    data = json.loads(text.split('id="data">')[1].split("</script>")[0])
    assert data["study"] == HOSTILE and data == json.loads(json.dumps(page_data(replace(findings, study=HOSTILE), {})))
