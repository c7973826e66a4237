import time

import pandas as pd
import simulated
from report_studies import small_figures

from xlt_utils.reporting import notebook_pages
from xlt_utils.reporting.findings import gather_findings
from xlt_utils.reporting.page import render_page


def test_a_cut_off_notebook_does_not_stop_the_report(tmp_path):
    folders = simulated.study(tmp_path / "s", seeds=(0,), tokens=(0,), examples=(0,), tasks=("udpos",))
    (folders[0] / "attempts/01/executed.ipynb").write_text('{"cells": [')
    findings = gather_findings(tmp_path / "s")
    render_page(findings, small_figures(findings), tmp_path / "page")
    assert "cannot be read" in (tmp_path / "page/notebooks" / f"{folders[0].name}.html").read_text()


def test_a_hundred_notebooks_convert_in_seconds(study_folder, tmp_path):
    notebook = next(study_folder.rglob("executed.ipynb"))
    notebook_pages.write_notebook_pages(pd.DataFrame({"cell": ["warm"], "notebook": [notebook]}), tmp_path)
    began = time.process_time()
    index = pd.DataFrame({"cell": [f"cell-{number}" for number in range(100)], "notebook": notebook})
    notebook_pages.write_notebook_pages(index, tmp_path)
    assert time.process_time() - began < 10 and len(list(tmp_path.iterdir())) == 100
