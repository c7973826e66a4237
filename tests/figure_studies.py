"""What the tests of the figures share: a simulated study with a known truth, and the figures of one arm."""

from pathlib import Path

import numpy as np
import simulated
from report_studies import ARMS

from xlt_utils.analysis import laws
from xlt_utils.reporting import tables
from xlt_utils.reporting.figures import by_language, comparisons, fits, grid, runs
from xlt_utils.reporting.figures.figure import Figure
from xlt_utils.reporting.findings import Findings, gather_findings

TOKENS, EXAMPLES = (0, 100_000, 400_000, 1_600_000), (0, 256, 1024, 4096)
DISTANCES = {"de": 0.2, "fr": 0.1, "es": 0.3, "hi": 0.9}


def rising_score(task, language, seed, tokens, examples):
    """Rises with P; with I too, except for udpos; languages keep their order, runs differ by a seeded hundredth."""
    place = simulated.LANGUAGES.index(language)
    noise = np.random.default_rng([len(task), place, seed, tokens, examples]).normal(0, 0.005)
    gain = 0.03 * np.log1p(examples / 256) * (task != "udpos")
    return 0.3 + 0.05 * np.log1p(tokens / 1e5) + gain - 0.03 * place + noise


def arm_noise(arm, task, seed, tokens, examples):
    """The arms differ by chance alone."""
    return np.random.default_rng([len(arm), ord(arm[0]), len(task), seed, tokens, examples]).normal(0, 0.003)


def rising_study(folder: Path, **changes) -> Findings:
    """A study of three seeds, two arms and a control, with changes."""
    study = {"seeds": (0, 1, 2), "tokens": TOKENS, "examples": EXAMPLES, "arms": ARMS, "notebooks": False}
    simulated.study(folder, truth=rising_score, bonus=arm_noise, **(study | changes))
    return gather_findings(folder)


def figures_by_name(findings: Findings, arm: str = "mnli") -> dict[str, Figure]:
    """Every kind of figure that a study has, those of an arm for one arm."""
    scores, zero_shot = findings.scores, findings.zero_shot
    figures = [
        grid.score_surface(zero_shot, arm, findings.missing_coordinates),
        grid.scaling_curves(zero_shot, "tokens", arm),
        grid.scaling_curves(zero_shot, "examples", arm),
        grid.gain_curves(findings.gains, arm),
        grid.gain_map(findings.gain_table, arm),
        grid.completeness(zero_shot, findings.missing_coordinates),
        by_language.transfer_gap(scores, DISTANCES),
        by_language.language_score_map(scores),
        by_language.gains_by_language(scores, findings.arms, findings.controls),
        fits.isoquants(findings.laws, arm),
        fits.exchange_rates_by_pair(laws.exchange_table(findings.laws)),
        fits.fit_diagnostics(findings.laws),
        comparisons.arms_by_targets(findings.verdicts, findings.arms, findings.controls),
        comparisons.rank_stability(findings.gains, scores),
        comparisons.effective_robustness_by_pair(findings.effective_robustness),
        runs.cost_by_phase(tables.cost_table(findings)),
    ]
    return {figure.name: figure for figure in figures}
