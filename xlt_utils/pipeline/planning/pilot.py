"""What a study will be able to show, reckoned from the records of an earlier one, the pilot. A study and the folder of
the pilot's runs, or of its published report, go in; a table in words comes out."""

import functools
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import stats

from xlt_utils.analysis.intervals import LEVEL
from xlt_utils.analysis.power import POWER, Power, seeds_text
from xlt_utils.analysis.proportionality import pair_power
from xlt_utils.errors import Fault
from xlt_utils.formatting import aligned, count_of, join_words, number_text
from xlt_utils.pipeline.archives.archive import ARCHIVE, unpack_all
from xlt_utils.reporting.findings import Findings, gather_findings
from xlt_utils.reporting.learnt import MOST_NAMED
from xlt_utils.study.schema import Study


class NoPilot(Fault):
    """A folder whose records say nothing about a study."""


@dataclass(frozen=True, eq=False)
class Pilot:
    """An earlier study's `findings`, and the folder that they were read from."""

    findings: Findings
    folder: Path

    @functools.cache  # noqa: B019 (a command has one pilot, and ends)
    def power(self, target: str, arm: str, seeds: int) -> Power | None:
        """What so many seeds would show of a pair, all else as in the pilot; None where it lacks the pair, or did not
        learn it."""
        sample = self.findings.samples.get(target)
        if sample is None or arm not in set(sample.cells["arm"]):
            return None
        power = pair_power(sample, target, arm, seeds=seeds)
        return power if power and np.isfinite(power.visible) else None


def read_pilot(folder: str | Path) -> Pilot:
    """The earlier study in a folder of runs, or of a published report.

    Raises:
        NoPilot: no record there, or one seed alone.
    """
    folder = Path(folder).absolute()
    with tempfile.TemporaryDirectory() as unpacked:
        runs = folder
        if (folder / ARCHIVE).exists():
            runs = Path(unpacked, "runs")
            unpack_all(folder, runs)
        try:
            findings = gather_findings(runs)
        except FileNotFoundError as error:
            raise NoPilot(f"--pilot {error}") from None
    if len(findings.seeds) < 2:
        raise NoPilot(f"--pilot {folder}: one seed says nothing of the noise between seeds; a pilot takes two")
    return Pilot(findings, folder)


def pairs_of(study: Study) -> list[tuple[str, str]]:
    """A study's pairs of a target and an arm."""
    arms = study.intermediate.arms
    return [(name, arm.name) for name in study.target.tasks for arm in arms if name in (arm.targets or [name])]


def pilot_text(study: Study, pilot: Pilot) -> str:
    """The smallest gain at the largest I that the study's seeds would show, target by target and arm by arm, and the
    seeds that a gain of 0.02, and telling a slope of 1 from ½, take. All but the number of seeds is taken from the
    pilot: its sizes, languages, test items and noise.

    Raises:
        NoPilot: no pair of a target and an arm of the study was learnt there.
    """
    findings, seeds, pairs = pilot.findings, len(study.seeds), pairs_of(study)
    powers = [pilot.power(target, arm, seeds) for target, arm in pairs]
    known = [power for power in powers if power]
    if not known:
        raise NoPilot(
            f"--pilot {pilot.folder}: no pair of a target and an arm of {study.name} (of {len(pairs)}) was learnt "
            f"there; it has the targets {join_words(findings.tasks)} and the arms "
            f"{join_words(filter(None, findings.arms))}"
        )
    effect = number_text(known[0].effect)
    table = [["target", "arm", "visible gain", f"seeds for {effect}", "seeds for slope 1 or ½"]]
    for power in known:
        numbers = number_text(power.visible), seeds_text(power.seeds), seeds_text(power.seeds_for_slope)
        table.append([power.target, power.arm, *numbers])
    lines = [
        f"what {count_of(seeds, 'seed')} would show with {100 * POWER:.0f} % power, all else as in {findings.study} "
        f"({len(findings.seeds)} seeds)"
    ]
    lines += aligned(table)
    free = len(findings.seeds) - 1
    factor = np.sqrt(free / stats.chi2.ppf((1 - LEVEL) / 2, free))
    lines.append(f"the noise between seeds may be {factor:.1f} times as large as {free + 1} seeds show (97.5 % bound)")
    unknown = [f"{target} after {arm}" for (target, arm), power in zip(pairs, powers, strict=True) if not power]
    if unknown:
        named = join_words(unknown) if len(unknown) <= MOST_NAMED else f"{len(unknown)} of {len(pairs)} pairs"
        lines.append(f"not tested, or not learnt, there: {named}")
    return "\n".join(lines)
