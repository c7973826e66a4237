"""Studies that the tests of the report share, written once."""

from pathlib import Path

import numpy as np
import pytest
import simulated
from figure_studies import rising_study
from report_studies import ARMS, HOSTILE, LANGUAGES, SEEDS, gather_all, noisy_score, small_figures

from xlt_utils.reporting.findings import Findings, gather_findings
from xlt_utils.reporting.page import render_page


@pytest.fixture(scope="session")
def study_folder(tmp_path_factory) -> Path:
    """A study with one failed cell, an odd error, an odd arm, and a plan."""
    folder = tmp_path_factory.mktemp("report") / "study"
    skip = lambda seed, p, i: (seed, p, i) == (1, 0, 256)  # noqa: E731
    simulated.study(folder, languages=LANGUAGES, skip=skip, arm="mnli")
    missing = next(path for path in folder.rglob("params.json") if not (path.parent / "record.json").exists())
    simulated.attempt(missing.parent, "failed", f"ValueError: {HOSTILE}")
    plan = {name: {"pretrain": 6, "intermediate": 12, "target": 18} for name in ("cells", "tokens", "seconds")}
    simulated.write_json(folder / "plan.json", plan | {"wall_seconds": 40.0, "jobs": 2})
    simulated.write_json(folder / "run.json", {"seconds": 50.0, "jobs": 2})
    return folder


@pytest.fixture(scope="session")
def page(study_folder, tmp_path_factory) -> Path:
    findings = gather_all(study_folder)
    return render_page(findings, small_figures(findings), tmp_path_factory.mktemp("page"))


@pytest.fixture(scope="session")
def half_study(tmp_path_factory) -> Findings:
    """A study of four seeds that lost half of its records by chance: no place of the grid has all seeds."""
    folder = tmp_path_factory.mktemp("half") / "s"
    simulated.study(folder, seeds=SEEDS, languages=LANGUAGES, arms=ARMS, truth=noisy_score, notebooks=False)
    written = sorted(folder.rglob("record.json"))
    for path in np.random.default_rng(255).permutation(written)[: len(written) // 2]:
        path.unlink()
    return gather_all(folder)


@pytest.fixture(scope="session")
def rising_findings(tmp_path_factory) -> Findings:
    """A whole study whose scores rise with P, and with I except for udpos."""
    return rising_study(tmp_path_factory.mktemp("rising") / "s")


@pytest.fixture(scope="session")
def gappy_findings(tmp_path_factory) -> Findings:
    """A study of one arm without its cells at P = 0 and I = 256."""
    folder = tmp_path_factory.mktemp("gappy") / "s"
    simulated.study(folder, notebooks=False, skip=lambda seed, tokens, examples: (tokens, examples) == (0, 256))
    return gather_findings(folder)
