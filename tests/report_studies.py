"""What the tests of the report share: simulated studies with gaps, and the figures to put on a page."""

from pathlib import Path

import simulated

from xlt_utils import microworld
from xlt_utils.data import perturb
from xlt_utils.reporting import tables
from xlt_utils.reporting.figures import by_language, grid
from xlt_utils.reporting.figures.runs import cost_by_phase
from xlt_utils.reporting.findings import Findings, gather_findings

LANGUAGES = tuple(list(microworld.LANGUAGES)[:4])
HOSTILE = '<script>alert("x")</script>'

ARMS = {"mnli": {"tasks": ["mnli"]}, "qqp": {"tasks": ["qqp"]}, "odd": {"tasks": ["mnli"], "labels": "shuffled"}}
SEEDS = (0, 1, 2, 3)
TYPOS = perturb.perturbation_name("typos", 0.1)
SCORES = {"en": 0.9, "de": 0.8, "es": 0.7, "ru": 0.6, "hi": 0.4, "th": 0.5}


def gather_all(folder: Path) -> Findings:
    """The findings of all run folders; those without a record have failed."""
    runs = sorted(path.parent for path in folder.rglob("params.json"))
    done = [run for run in runs if (run / "record.json").exists()]
    missing = [(str(run), "failed") for run in runs if run not in done]
    return gather_findings(folder, done, missing)


def small_figures(findings: Findings) -> list[grid.Figure]:
    figures = [grid.score_surface(findings.zero_shot, findings.arms[0], findings.missing_coordinates)]
    return [*figures, cost_by_phase(tables.cost_table(findings))]


def all_figures(findings: Findings) -> list[grid.Figure]:
    """All that the report's notebook draws."""
    arms, runs = [*findings.arms, *findings.controls], findings.zero_shot
    figures = [grid.score_surface(runs, arm, findings.missing_coordinates) for arm in arms]
    figures += [grid.scaling_curves(runs, axis, arm) for arm in arms for axis in ("tokens", "examples")]
    figures += [grid.gain_curves(findings.gains, arm) for arm in arms]
    figures.append(by_language.transfer_gap(findings.scores, findings.distances))
    figures.append(by_language.language_score_map(findings.scores, findings.distances))
    return [*figures, cost_by_phase(tables.cost_table(findings))]


def write_target_run(
    folder: Path, seed=0, tokens=0, task="xnli", scores=SCORES, perturbed=(), less=0.0, facts=None
) -> Path:
    """A target run straight from pretraining, the scores lower by `less`, and by 0.1 more in `perturbed` languages."""
    place = {"seed": seed, "tokens": tokens, "arm": None, "examples": 0}
    results = [simulated.result(task, language, value - less) for language, value in scores.items()]
    results += [simulated.result(task, name, scores[name] - less - 0.1, perturbation=TYPOS) for name in perturbed]
    parameters = {"study": folder.name, "seed": seed}
    run = folder / "target" / f"s{seed}-p{tokens}-{task}-cccccccc"
    return simulated.run(run, "target", parameters, place, results, notebooks=False, facts=facts)


def without(*languages: str) -> dict[str, float]:
    return {name: value for name, value in SCORES.items() if name not in languages}


def noisy_score(task: str, language: str, seed: int, tokens: int, examples: int) -> float:
    return 0.2 + simulated.score(task, language, seed, tokens, examples) + 0.03 * (seed**2 % 5)
