"""What was opened, a row a study. An opened study goes in; a row of a table comes out."""

from typing import Any

from xlt_utils import paths
from xlt_utils.formatting import join_words
from xlt_utils.reporting.explore.frame import OTHERS, OpenStudy


def summary(study: OpenStudy) -> dict[str, Any]:
    """The study, where it was read, and how much of everything it holds."""
    findings, frame = study.findings, study.frame
    return {
        "study": study.name,
        "read from": paths.relative(study.place),
        "runs": len(findings.records),
        "seeds": len(findings.seeds),
        "targets": join_words(findings.tasks),
        "arms": join_words(sorted(set(frame["arm"]) - {""})) or "none",
        "languages": join_words(sorted(set(frame["language"]) - {OTHERS})),
        "items kept": "yes" if frame_has_items(study) else "no",
    }


def frame_has_items(study: OpenStudy) -> bool:
    """Whether any record says which items were right."""
    return any(result.items for _, record in study.runs.values() for result in record.results)
