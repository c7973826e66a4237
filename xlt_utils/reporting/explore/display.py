"""How the explorer's parts are shown: as widgets where a kernel serves a notebook's page, as a picture and tables
everywhere else (nbconvert, papermill, tests). Drawing both would take as long again, so what is saved beside a widget
is a word on where it lives."""

import os
from collections.abc import Callable
from html import escape
from typing import Any

import pandas as pd

# What Jupyter's server and VS Code tell a kernel that somebody looks at; who executes notebooks tells it nothing.
PAGES = ("JPY_SESSION_NAME", "VSCODE_PID")
BARS = {"both right": "#0072b2", "only A": "#de8f05", "only B": "#029e73", "both wrong": "#bbbbbb"}
MOST_ROWS = 200
ASLEEP = "<p>This lives while the notebook's kernel runs: run the cell again.</p>"
CELL = "text-align:left;padding:2px 14px 2px 0;vertical-align:top"


def is_alive() -> bool:
    """Whether a page is there that widgets can live in."""
    return any(name in os.environ for name in PAGES)


def show(widget: Callable[[], Any], static: Callable[[], str]) -> None:
    """Display a widget where one can live, else its static form, as HTML."""
    from IPython.display import display

    display({"text/html": ASLEEP, **widget()._repr_mimebundle_()} if is_alive() else {"text/html": static()}, raw=True)


def counts_html(counts: pd.DataFrame, names: dict[str, str]) -> str:
    """A row a language: a bar of the shares, and the numbers.

    Args:
        counts: as `same_items.count_outcomes` gives them.
        names: of the languages, by code.
    """
    rows = []
    for row in counts.to_dict("records"):
        shares = {name: 100 * row[name] / row["n"] for name in BARS}
        parts = [
            f'<span title="{name}: {row[name]}" style="width:{share:.2f}%;background:{BARS[name]}"></span>'
            for name, share in shares.items()
        ]
        bar = f'<div style="display:flex;width:260px;height:14px">{"".join(parts)}</div>'
        numbers = "".join(f'<td style="{CELL};text-align:right">{row[name]}</td>' for name in [*BARS, "n"])
        language = escape(names[row["language"]])
        rows.append(
            f'<tr><th style="{CELL};font-weight:600">{language}</th><td style="{CELL}">{bar}</td>{numbers}</tr>'
        )
    swatch = '<span style="display:inline-block;width:10px;height:10px;background:{}"></span> {}'
    titles = "".join(f'<th style="{CELL}">{swatch.format(colour, name)}</th>' for name, colour in BARS.items())
    head = f'<tr><th style="{CELL}">language</th><th style="{CELL}">items</th>{titles}<th style="{CELL}">n</th></tr>'
    return f'<table style="border-collapse:collapse;font-size:13px;line-height:1.4">{head}{"".join(rows)}</table>'


def items_html(table: pd.DataFrame) -> str:
    """Items as a table that scrolls by itself, MOST_ROWS at most; what a cell holds is text, never markup."""
    head = "".join(f'<th style="{CELL}">{escape(str(name))}</th>' for name in table.columns)
    rows = "".join(
        "<tr>" + "".join(f'<td style="{CELL}">{escape(str(value))}</td>' for value in row) + "</tr>"
        for row in table.head(MOST_ROWS).itertuples(index=False)
    )
    more = f"<p>The first {MOST_ROWS} of {len(table)} items.</p>" if len(table) > MOST_ROWS else ""
    body = f'<table style="border-collapse:collapse;font-size:13px;line-height:1.4"><tr>{head}</tr>{rows}</table>'
    return f'<div style="max-height:420px;overflow:auto" tabindex="0">{body}</div>{more}'
