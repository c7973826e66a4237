"""Executed notebooks as HTML pages for a reader without Jupyter. The paths of notebooks go in; pages that stand alone,
with code, prose and outputs, come out in a folder beside the report."""

from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
from markupsafe import escape

from xlt_utils.parallel import map_forked

TEMPLATE = Path(__file__).parent / "templates" / "notebook.html.jinja"


def write_notebook_pages(index: pd.DataFrame, folder: Path) -> list[str]:
    """Convert each cell's executed notebook into a page, on all processors, and delete the folder's other files.

    A page that is newer than its notebook, than this module and than the template is kept as it is.

    Args:
        index: columns cell and notebook (a path or None).
        folder: where the pages go; it exists.

    Returns:
        The file name of each row's page, "" where it has no notebook.
    """
    cells = list(zip(index["cell"], index["notebook"], strict=True))
    pages = {cell: folder / f"{cell}.html" for cell, notebook in cells if notebook}
    outdated = [
        (cell, notebook, pages[cell]) for cell, notebook in cells if notebook and not _is_newer(pages[cell], notebook)
    ]
    if outdated:
        _converter()  # before the workers fork: they share what is loaded
        map_forked(_write_page, outdated)
    for path in set(folder.iterdir()) - set(pages.values()):
        path.unlink()
    return [pages[cell].name if notebook else "" for cell, notebook in cells]


def _is_newer(page: Path, notebook: Path) -> bool:
    return page.exists() and page.stat().st_mtime > max(
        path.stat().st_mtime for path in (notebook, Path(__file__), TEMPLATE)
    )


@cache
def _converter() -> tuple[Any, jinja2.Template, str, str]:
    """The exporter, the page's template, and the colours of code in light and in dark."""
    from nbconvert import HTMLExporter
    from nbconvert.filters import Highlight2HTML, clean_html
    from pygments.formatters import HtmlFormatter

    # the notebooks of a phase share their code: what was coloured and cleaned once is kept
    coloured = cache(Highlight2HTML(pygments_lexer="ipython3"))
    filters = {
        "highlight_code": lambda source, language=None, metadata=None: coloured(source),
        "clean_html": cache(clean_html),
    }
    exporter = HTMLExporter(
        template_name="basic", exclude_input_prompt=True, exclude_output_prompt=True, filters=filters
    )
    loader = jinja2.FileSystemLoader(TEMPLATE.parent)
    template = jinja2.Environment(loader=loader, autoescape=True).get_template(TEMPLATE.name)
    light, dark = (HtmlFormatter(style=style).get_style_defs(".highlight") for style in ("default", "github-dark"))
    return exporter, template, light, dark


def _write_page(cell_notebook_page: tuple[str, Path, Path]) -> None:
    import nbformat

    cell, notebook, page = cell_notebook_page
    exporter, template, light, dark = _converter()
    try:
        content = nbformat.reads(notebook.read_text(encoding="utf-8"), as_version=4)
        body, _ = exporter.from_notebook_node(content)
    except Exception as error:  # nbformat raises whatever a file that is cut off, or of another shape, makes it raise
        body = str(escape(f"The notebook cannot be read: {type(error).__name__}: {error}"))
    page.write_text(template.render(title=cell, body=body, light=light, dark=dark), encoding="utf-8")
