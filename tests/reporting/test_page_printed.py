"""The report's page as it is printed: a PDF from a real browser, read page by page."""

import pytest
from browsers import open_browser

PRINTED_WIDTH, PRINTED_HEIGHT = 688, 1009  # px of A4 between its margins, 96 to an inch
TITLES = "[...document.querySelectorAll('h1, h2, h3, h4, summary')].map((title) => title.textContent.trim())"


@pytest.fixture(scope="module")
def tab(page):
    """The page of a study, open in a window as wide as a printed page."""
    with open_browser() as browser:
        tab = browser.new_page(viewport={"width": PRINTED_WIDTH, "height": 1000})
        tab.goto(page.as_uri())
        yield tab


@pytest.fixture(scope="module")
def pages(tab, tmp_path_factory) -> list[list[str]]:
    """The lines of text of each printed page."""
    reader = pytest.importorskip("pypdfium2", reason="pypdfium2 is not installed: the PDF was not read")
    file = tmp_path_factory.mktemp("pdf") / "page.pdf"
    tab.pdf(path=file, prefer_css_page_size=True)
    with reader.PdfDocument(file) as document:
        assert document[0].get_size() == pytest.approx((595, 842), abs=1)  # A4, in points
        texts = [page.get_textpage().get_text_bounded() for page in document]
    return [[line.strip() for line in text.splitlines() if line.strip()] for text in texts]


def test_everything_is_printed_and_what_is_folded_too(tab, pages):
    words = " ".join(line for page in pages for line in page)
    assert len(pages) > 5 and all(pages)
    assert "The same in full sentences" in words and "How to read this" in words
    assert tab.evaluate("document.querySelectorAll('thead button').length > 5")  # they are back after printing
    assert "Contents" not in words and "Filter" not in words


def test_no_title_stands_alone_at_the_end_of_a_page(tab, pages):
    titles = [" ".join(title.split()) for title in tab.evaluate(TITLES)]
    assert len(titles) > 20
    for page in pages:
        assert not [title for title in titles if title.endswith(page[-1]) and len(page[-1]) > 8], page[-3:]


def test_a_table_that_goes_on_has_its_head_on_every_page(pages):
    """The cells of the table of runs are found by their hashes."""
    with_cells = [page for page in pages if sum("aaaaaaaa" in line or "cccccccc" in line for line in page) > 3]
    assert len(with_cells) > 1
    assert all(any("zero-shot score or loss" in line for line in page) for page in with_cells)


def test_nothing_is_wider_or_higher_than_a_page(tab):
    """What is wider shrinks all of the print; a figure or a row that is higher is cut."""
    tab.emulate_media(media="print")
    tab.evaluate("document.querySelectorAll('details').forEach((details) => (details.open = true))")
    assert tab.evaluate("document.documentElement.scrollWidth") <= PRINTED_WIDTH
    tables = "[...document.querySelectorAll('table, figure, img')].map((part) => part.getBoundingClientRect().right)"
    assert max(tab.evaluate(tables)) <= PRINTED_WIDTH + 1
    heights = "[...document.querySelectorAll('figure, tr')].map((part) => part.getBoundingClientRect().height)"
    assert max(tab.evaluate(heights)) < PRINTED_HEIGHT
    breaks = (
        "[...document.querySelectorAll('figure, tr')].every((part) => getComputedStyle(part).breakInside === 'avoid')"
    )
    assert tab.evaluate(breaks)
