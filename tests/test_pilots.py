"""The pilots' table in report/README.md says what their published records hold."""

import pytest

from xlt_utils import paths
from xlt_utils.data.tasks import TASKS
from xlt_utils.formatting import short_size
from xlt_utils.pipeline.archives.archive import Archive


def rows(pilot: str) -> list[str]:
    """A line of the table for each English development score of a pilot: what was trained, at which P, on how many
    examples, for how many epochs, at which rate, its score and that of whoever knows nothing."""
    lines = []
    with Archive(paths.ROOT / "report" / pilot) as archive:
        for record in map(archive.record, archive.cells):
            for result in record.results:
                metric = f"development {TASKS[result.task].metric}"
                if result.metric == metric and result.zero is not None and record.coordinates:
                    used = record.parameters | record.parameters["settings"].get(result.task, {})
                    what = "arm" if record.phase == "intermediate" else "target"
                    size = [used["examples"], used["epochs"], f"{used['learning_rate']:g}"]
                    place = short_size(record.coordinates.tokens)
                    fields = [what, result.task, place, *size, f"{result.value:.3f}", f"{result.zero:.3f}"]
                    lines.append(f"| {' | '.join(map(str, fields))} |")
    return sorted(set(lines))


@pytest.mark.parametrize("pilot", ["pilot-pretrained", "pilot-claims", "pilot-scratch", "pilot-e3"])
def test_the_table_of_a_pilot_is_that_of_its_records(pilot):
    text = (paths.ROOT / "report" / "README.md").read_text(encoding="utf-8")
    part = text.split(f"`{pilot}`")[-1].split("\n\n")[1]
    assert part.splitlines()[2:] == rows(pilot) and len(rows(pilot)) > 1
