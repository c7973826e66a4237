"""What a study will be able to show, from an earlier one's records."""

import re
import zipfile

import pytest
import simulated
from small_study import GOOD, load

from xlt_utils.pipeline.archives.archive import ARCHIVE
from xlt_utils.pipeline.planning import pilot
from xlt_utils.reporting.findings import gather_findings


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pilot") / "earlier"
    simulated.study(folder, seeds=(0, 1, 2, 3), tasks=("sst", "udpos"), truth=simulated.scattered, notebooks=False)
    return folder


def study_of(tmp_path, seeds: int):
    study = load(tmp_path, GOOD)
    target = study.target.model_copy(update={"tasks": ["sst", "udpos", "panx"]})
    return study.model_copy(update={"seeds": list(range(seeds)), "target": target})


def test_as_many_seeds_as_the_pilot_see_what_the_pilot_sees_and_more_seeds_see_more(runs, tmp_path):
    def visible(seeds: int) -> dict[str, float]:
        text = pilot.pilot_text(study_of(tmp_path, seeds), pilot.read_pilot(runs))
        assert f"what {seeds} seeds would show with 80 % power, all else as in earlier (4 seeds)" in text
        assert "not tested, or not learnt, there: panx after mnli" in text
        return {target: float(gain) for target, gain in re.findall(r"^  (\w+) +mnli +(\S+)", text, re.M)}

    ours, more = visible(4), visible(16)
    powers = {v.target: v.power for v in gather_findings(runs).verdicts if v.power}
    assert set(ours) == {"sst", "udpos"}
    for target, gain in ours.items():
        assert gain == pytest.approx(powers[target].visible, abs=0.005) and 0 < more[target] < 0.7 * gain


def test_a_published_report_is_a_pilot_too(runs, tmp_path):
    folder = tmp_path / "report" / "earlier"
    folder.mkdir(parents=True)
    with zipfile.ZipFile(folder / ARCHIVE, "w") as archive:
        for record in runs.rglob("record.json"):
            archive.write(record, record.relative_to(runs))
    study = study_of(tmp_path, 4)
    assert pilot.pilot_text(study, pilot.read_pilot(folder)) == pilot.pilot_text(study, pilot.read_pilot(runs))


def test_a_folder_that_says_nothing_of_the_study_is_refused(runs, tmp_path):
    study = study_of(tmp_path, 4)
    with pytest.raises(pilot.NoPilot, match=r"--pilot .*nowhere: no record below this folder"):
        pilot.read_pilot(tmp_path / "nowhere")
    simulated.study(tmp_path / "one", seeds=(0,), tasks=("sst",), notebooks=False)
    with pytest.raises(pilot.NoPilot, match="one seed says nothing of the noise between seeds"):
        pilot.read_pilot(tmp_path / "one")
    other = study.model_copy(update={"target": study.target.model_copy(update={"tasks": ["panx"]})})
    with pytest.raises(pilot.NoPilot, match="has the targets sst, udpos and the arms mnli"):
        pilot.pilot_text(other, pilot.read_pilot(runs))
