"""What a study will be able to show, reckoned from the records of an earlier one, the pilot. A study and the folder of
the pilot's runs, or of its published report, go in; a table in words comes out."""

import tempfile
from pathlib import Path

import numpy as np
from scipy import stats

from xlt_utils.analysis.intervals import LEVEL
from xlt_utils.analysis.power import POWER, Power, seeds_text
from xlt_utils.analysis.proportionality import pair_power
from xlt_utils.errors import Fault
from xlt_utils.formatting import count_of, join_words, number_text
from xlt_utils.pipeline import publish
from xlt_utils.reporting.findings import Findings, gather_findings
from xlt_utils.reporting.learnt import MOST_NAMED
from xlt_utils.study.schema import Study


class NoPilot(Fault):
    """A folder whose records say nothing about a study."""


def pilot_text(study: Study, folder: str | Path) -> str:
    """The smallest gain at the largest I that the study's seeds would show, target by target and arm by arm, and the
    seeds that a gain of 0.02, and telling a slope of 1 from ½, take. All but the number of seeds is taken from the
    pilot: its sizes, languages, test items and noise.

    Args:
        study: the study to plan.
        folder: of a study's runs, or of a published report.

    Raises:
        NoPilot: no record there, one seed alone, or no pair of a target and an arm of the study was learnt.
    """
    folder = Path(folder).absolute()
    with tempfile.TemporaryDirectory() as unpacked:
        runs = folder
        if (folder / publish.ARCHIVE).exists():
            publish.unpack_records(folder, Path(unpacked))
            runs = Path(unpacked)
        try:
            findings = gather_findings(runs)
        except FileNotFoundError as error:
            raise NoPilot(f"--pilot {error}") from None
        return _power_table(study, findings, folder)


def _power_table(study: Study, findings: Findings, folder: Path) -> str:
    if len(findings.seeds) < 2:
        raise NoPilot(f"--pilot {folder}: one seed says nothing of the noise between seeds; a pilot takes two")
    seeds = len(study.seeds)
    pairs = [(target, arm.name) for target in study.target.tasks for arm in study.intermediate.arms]
    powers = [_power(findings, target, arm, seeds) for target, arm in pairs]
    known = [power for power in powers if power]
    if not known:
        raise NoPilot(
            f"--pilot {folder}: no pair of a target and an arm of {study.name} (of {len(pairs)}) was learnt there; "
            f"it has the targets {join_words(findings.tasks)} and the arms {join_words(filter(None, findings.arms))}"
        )
    effect = number_text(known[0].effect)
    table = [["target", "arm", "visible gain", f"seeds for {effect}", "seeds for slope 1 or ½"]]
    for power in known:
        numbers = number_text(power.visible), seeds_text(power.seeds), seeds_text(power.seeds_for_slope)
        table.append([power.target, power.arm, *numbers])
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = [
        f"what {count_of(seeds, 'seed')} would show with {100 * POWER:.0f} % power, all else as in {findings.study} "
        f"({len(findings.seeds)} seeds)"
    ]
    lines += ["  " + "  ".join(map(str.ljust, row, widths)).rstrip() for row in table]
    free = len(findings.seeds) - 1
    factor = np.sqrt(free / stats.chi2.ppf((1 - LEVEL) / 2, free))
    lines.append(f"the noise between seeds may be {factor:.1f} times as large as {free + 1} seeds show (97.5 % bound)")
    unknown = [f"{target} after {arm}" for (target, arm), power in zip(pairs, powers, strict=True) if not power]
    if unknown:
        named = join_words(unknown) if len(unknown) <= MOST_NAMED else f"{len(unknown)} of {len(pairs)} pairs"
        lines.append(f"not tested, or not learnt, there: {named}")
    return "\n".join(lines)


def _power(findings: Findings, target: str, arm: str, seeds: int) -> Power | None:
    """None where the pilot lacks the pair, or did not learn it."""
    sample = findings.samples.get(target)
    if sample is None or arm not in set(sample.cells["arm"]):
        return None
    power = pair_power(sample, target, arm, seeds=seeds)
    return power if power and np.isfinite(power.visible) else None
