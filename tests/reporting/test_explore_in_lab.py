"""The explorer in a real JupyterLab, in a real browser: `xlt explore` starts it, another target, language and run are
chosen, and the chart and the record follow."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
import simulated
from browsers import NO_BROWSER, browser_path, open_browser

PATIENCE = 400  # seconds: a kernel that imports everything, on a machine whose cores are taken
CHART = ".vega-embed svg"
RECORD = ".widget-html"
KERNEL_WAITS = "text=/\\| Idle/"  # what the status bar says of the kernel
pytestmark = pytest.mark.slow  # half a minute on two idle cores


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """The address, token and all, that `xlt explore` prints for a simulated study."""
    if browser_path() is None:
        pytest.skip(NO_BROWSER)
    folder = tmp_path_factory.mktemp("lab")
    truth = lambda task, *place: simulated.score(task, *place) + 0.1 * (task == "udpos")  # noqa: E731
    simulated.study(folder / "s", languages=("en", "de", "sw"), tokens=(0, 100_000), truth=truth, notebooks=False)
    log = folder / "log"
    environment = os.environ | {f"JUPYTER_{name}_DIR": str(folder / name) for name in ("CONFIG", "DATA", "RUNTIME")}
    environment |= {"JUPYTER_PORT": "0", "XLT_RUNS": str(folder / "runs")}
    command = [Path(sys.executable).with_name("xlt"), "explore", folder / "s", "--no-browser"]
    with open(log, "w") as output:
        lab = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environment)
    try:
        yield _printed_address(log, lab)
    finally:
        lab.terminate()
        lab.wait(timeout=30)


def _printed_address(log: Path, lab: subprocess.Popen) -> str:
    for _ in range(PATIENCE * 10):
        addresses = re.findall(r"http://127\.0\.0\.1:\d+/lab/tree/\S+token=\w+", log.read_text())
        if addresses:
            return addresses[0]
        assert lab.poll() is None, log.read_text()
        time.sleep(0.1)
    raise AssertionError(log.read_text())


@pytest.fixture(scope="module")
def tab(address):
    """JupyterLab after Run All, with the requests that the browser made."""
    with open_browser() as browser:
        tab = browser.new_page(viewport={"width": 1280, "height": 1000})
        tab.set_default_timeout(PATIENCE * 1000)
        tab.requests = []
        tab.on("request", lambda request: tab.requests.append(request.url))
        tab.goto(address)
        tab.locator(".jp-Notebook").wait_for()
        tab.locator(KERNEL_WAITS).wait_for()  # before there is a kernel, Run All runs nothing
        tab.get_by_role("menuitem", name="Run", exact=True).click()
        tab.get_by_text("Run All Cells", exact=True).first.click()
        tab.locator(CHART).first.wait_for()
        yield tab


def choose(tab, label: str, option: str) -> tuple[str, str]:
    """The chart before and after a dropdown of this label gets this option."""
    before = tab.locator(CHART).first.inner_html()
    dropdown = tab.locator(".widget-dropdown", has=tab.locator("label", has_text=re.compile(f"^{re.escape(label)}$")))
    dropdown.first.locator("select").select_option(label=option)
    changed = "([chart, before]) => document.querySelector(chart) && document.querySelector(chart).innerHTML !== before"
    tab.wait_for_function(changed, arg=[CHART, before])
    return before, tab.locator(CHART).first.inner_html()


def marks(chart: str) -> list[str]:
    """Where the marks of a chart's runs stand, and what each says of itself."""
    return re.findall(r'aria-label="([^"]*run: [^"]*)"', chart)


def test_another_target_and_another_language_change_the_chart(tab):
    before, after = choose(tab, "target", "sst" if "udpos, mean" in tab.locator(CHART).first.inner_html() else "udpos")
    assert marks(before) and marks(after) and marks(before) != marks(after)
    before, after = choose(tab, "language", "German (de)")
    assert "German (de), P = 100k" in after and "German (de), P = 100k" not in before
    assert marks(before) != marks(after)


def test_a_click_on_a_mark_shows_the_record_of_its_run(tab):
    points = tab.locator(f'{CHART} [aria-roledescription="point"][aria-label*="run: "]')
    names = [re.search(r"run: ([^;]+)", label)[1] for label in points.evaluate_all("all => all.map(a => a.ariaLabel)")]
    record = tab.locator(RECORD, has_text="The run").first
    number = next(number for number, name in enumerate(names) if f"The run {name}" not in record.inner_text())
    points.nth(number).scroll_into_view_if_needed()
    points.nth(number).click(force=True)
    tab.locator(RECORD, has_text=f"The run {names[number]}").first.wait_for()


def test_nothing_failed_and_no_request_left_the_machine(tab):
    for kind in ("stderr", "error"):
        assert tab.locator(f'[data-mime-type="application/vnd.jupyter.{kind}"]').all_inner_texts() == []
    assert tab.get_by_text("JavaScript Error").count() == 0
    away = [url for url in tab.requests if not url.startswith(("http://127.0.0.1:", "data:", "blob:"))]
    assert len(tab.requests) > 50 and not away
    assert tab.get_by_text("Jupyter news").count() == 0  # which it would ask another server for


def test_the_chart_is_as_wide_as_its_place(tab):
    wider = f"document.querySelector('{CHART}').getBoundingClientRect().right"
    assert tab.evaluate(wider) <= tab.evaluate("document.querySelector('.jp-Notebook').getBoundingClientRect().right")


def test_long_lines_of_code_wrap(tab):
    cells = tab.locator(".jp-CodeCell .cm-content")
    assert cells.count() and cells.evaluate_all("all => all.every(cell => cell.classList.contains('cm-lineWrapping'))")
