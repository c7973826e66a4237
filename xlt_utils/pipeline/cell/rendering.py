"""The report's cell, run where the page does not show yet what it should. A cell goes in, an exit code comes out."""

import re
from pathlib import Path

from xlt_utils import paths
from xlt_utils.pipeline.cell import locks, runner
from xlt_utils.records.record import is_done
from xlt_utils.study.cells import Cell, write_params

HEAD = 2_000  # characters of a page in which its head says what it shows
SHOWS = re.compile(r'<meta name="shows" content="(\w+)">')


def render(cell: Cell, kernel: str) -> int:
    """Run a report's cell unless its page shows these records already, and return the exit code. Two take turns.

    Args:
        cell: of study/cells.py's `render_cell`.
        kernel: the name of a Jupyter kernel.
    """
    page = paths.resolve(cell.parameters["report"]) / "index.html"
    folder = paths.resolve(cell.folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open(folder.parent / ".lock", "ab") as lock:
        locks.lock(lock)
        if shown_by(page) != cell.hash:
            (folder / "record.json").unlink(missing_ok=True)
        code = runner.DONE if is_done(cell.folder, cell.hash) else runner.run_cell(write_params(cell), kernel)
    if code == runner.DONE:
        print(f"report: {page}")
    return code


def shown_by(page: Path) -> str:
    """The hash (run_hash.hash_report) of what a page shows; "" of one that states none."""
    try:
        with open(page, encoding="utf-8", errors="replace") as file:
            match = SHOWS.search(file.read(HEAD))
    except OSError:
        return ""
    return match[1] if match else ""
