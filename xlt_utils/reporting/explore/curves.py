"""What the explorer draws besides scores: learning curves and hours of work. Studies that were opened and a choice go
in; tidy rows come out."""

from collections.abc import Iterable

import pandas as pd

from xlt_utils.formatting import duration
from xlt_utils.records.record import Record
from xlt_utils.reporting.explore.choice import Choice
from xlt_utils.reporting.explore.frame import OpenStudy
from xlt_utils.reporting.findings import RUN_PHASES

MOST_POINTS = 60  # of a curve: more cannot be seen in a small panel


def learning_curves(studies: Iterable[OpenStudy], rows: pd.DataFrame, choice: Choice) -> pd.DataFrame:
    """The loss of fine-tuning on the target, step by step, of the runs at the chosen P, at I = 0 and the chosen I.

    Args:
        studies: those that were opened.
        rows: as `choice.chosen_rows` gives them.
        choice: what was chosen.
    """
    opened = {study.name: study for study in studies}
    here = rows[(rows["tokens"] == choice.tokens) & rows["examples"].isin([0, choice.examples])]
    columns = ["study", "cell", "condition", "seed", "tokens", "examples"]
    points = []
    for run in here[columns].drop_duplicates().itertuples(index=False):
        _, record = opened[run.study].runs[run.cell]
        points += [[*run, *point] for point in losses(record, MOST_POINTS).get(choice.target, [])]
    return pd.DataFrame(points, columns=[*columns, "step", "loss"])


def losses(record: Record, most: int) -> dict[str, list[tuple[int, float]]]:
    """The steps and losses of a run by target, less than twice `most` of each."""
    curves: dict[str, list[tuple[int, float | None]]] = {}
    for point in record.curves:
        curves.setdefault(point.name, []).append((point.step, point.loss))
    return {
        name: [(step, loss) for step, loss in curve[:: max(1, len(curve) // most)] if loss is not None]
        for name, curve in curves.items()
    }


def hours_by_phase(studies: Iterable[OpenStudy]) -> pd.DataFrame:
    """The hours of work and the number of `runs` of each study and phase, and their `label`."""
    rows = []
    for study in studies:
        for phase in RUN_PHASES:
            seconds = [
                record.seconds.get("work", 0.0) for record in study.findings.records.values() if record.phase == phase
            ]
            rows.append([study.name, phase, len(seconds), sum(seconds) / 3600, duration(sum(seconds))])
    return pd.DataFrame(rows, columns=["study", "phase", "runs", "hours", "label"])
