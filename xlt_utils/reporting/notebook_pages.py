"""Executed notebooks as pages that stand alone beside the report: code, prose and outputs, for a reader without
Jupyter."""

from collections.abc import Iterable
from functools import cache
from pathlib import Path

import jinja2
import pandas as pd

from xlt_utils.parallel import map_forked


def write_notebook_pages(index: pd.DataFrame, folder: Path) -> list[str]:
    """Turn each cell's executed notebook into a page in `folder`; give the pages' names, "" where there is none.

    `index` has the columns cell and notebook (a path or None). A page newer than its notebook and than this module is
    kept as it is; pages of other cells go.
    """
    cells = list(zip(index["cell"], index["notebook"], strict=True))
    pages = [folder / f"{name}.html" if notebook else None for name, notebook in cells]
    todo = [
        (name, notebook, page)
        for (name, notebook), page in zip(cells, pages, strict=True)
        if page and not _is_newer(page, notebook)
    ]
    if todo:
        _tools()  # before the workers fork: they share what is loaded
        map_forked(_page, todo)
    clear_folder(folder, filter(None, pages))
    return [page.name if page else "" for page in pages]


def clear_folder(folder: Path, kept: Iterable[Path]) -> None:
    """Delete the files of a folder but those kept."""
    for path in set(folder.iterdir()) - set(kept):
        if path.is_file():
            path.unlink()


def _is_newer(page: Path, notebook: Path) -> bool:
    return page.exists() and page.stat().st_mtime > max(_age(notebook), _age(Path(__file__)))


def _age(path: Path) -> float:
    return path.stat().st_mtime


@cache
def _tools():
    """The exporter, the page's frame and the colours of code, light and dark."""
    from nbconvert import HTMLExporter
    from nbconvert.filters import Highlight2HTML, clean_html
    from pygments.formatters import HtmlFormatter

    # the notebooks of a phase share their code: what was coloured and cleaned once is kept
    coloured = cache(Highlight2HTML(pygments_lexer="ipython3"))
    filters = {"highlight_code": lambda source, language=None, metadata=None: coloured(source)}
    filters["clean_html"] = cache(clean_html)
    exporter = HTMLExporter(
        template_name="basic", exclude_input_prompt=True, exclude_output_prompt=True, filters=filters
    )
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True
    )
    light, dark = (HtmlFormatter(style=style).get_style_defs(".highlight") for style in ("default", "github-dark"))
    return exporter, environment.get_template("notebook.html.jinja"), light, dark


def _page(one: tuple[str, Path, Path]) -> None:
    import nbformat

    name, notebook, page = one
    exporter, frame, light, dark = _tools()
    try:
        content = nbformat.reads(notebook.read_text(encoding="utf-8"), as_version=4)
        body, _ = exporter.from_notebook_node(content)
    except (OSError, ValueError, nbformat.ValidationError) as error:  # cut off while a kernel was killed
        body = str(jinja2.utils.markupsafe.escape(f"The notebook cannot be read: {error}"))
    page.write_text(frame.render(title=name, body=body, light=light, dark=dark), encoding="utf-8")
