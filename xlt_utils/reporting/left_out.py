"""What a study left out: pretraining lines that a test holds, unused examples, splits that stand in for others, and
withheld labels. The findings go in; tables of counts and languages come out, each read once however many runs
read the same data."""

from collections.abc import Iterable, Iterator
from typing import Any

import pandas as pd

from xlt_utils.data import loading
from xlt_utils.data.languages import LANGUAGES
from xlt_utils.data.tasks import TASKS
from xlt_utils.formatting import join_words, short_size
from xlt_utils.reporting.findings import RUN_PHASES, Findings


def contaminated_lines(findings: Findings) -> pd.DataFrame:
    """Lines of pretraining text left out because a test holds them, with their languages: at the largest P, whose
    counts are those of all the text that it is drawn from."""
    counts = [
        (record.coordinates.tokens, record.facts["contaminated lines"])
        for record in findings.records.values()
        if record.coordinates and "contaminated lines" in record.facts
    ]
    largest = max((tokens for tokens, _ in counts), default=0)
    languages_by_count: dict[int, set[str]] = {}
    for tokens, lines_by_language in counts:
        if tokens == largest:
            for language, lines in lines_by_language.items():
                languages_by_count.setdefault(lines, set()).add(language)
    rows = [
        [short_size(largest), lines, _language_list(languages)]
        for lines, languages in sorted(languages_by_count.items(), reverse=True)
    ]
    return pd.DataFrame(rows, columns=["P", "lines", "languages"])


def _reads(findings: Findings) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    """What runs read, as their records say: task, part, language, and the facts of it."""
    for record in findings.records.values():
        if record.phase == "intermediate":
            for name, facts in record.facts.get("parts", {}).items():
                task, _, language = name.partition(".")
                yield task, "translated" if language else "train", language or "en", facts
        elif record.phase == "target":
            for task, facts_by_part in record.facts.get("read", {}).items():
                for name, facts in facts_by_part.items():  # English parts by their name, tests by their language
                    is_part = name in ("train", "development")
                    yield task, name if is_part else "test", "en" if is_part else name, facts


def dropped_examples(findings: Findings) -> pd.DataFrame:
    """Examples that were not used, by task, part and reason; `examples` says how many in which languages."""
    languages: dict[tuple, dict[int, set[str]]] = {}
    for task, part, language, facts in _reads(findings):
        for reason, count in facts.get("dropped", {}).items():
            languages.setdefault((task, part, reason), {}).setdefault(count, set()).add(language)
    rows = []
    for key, by_count in sorted(languages.items()):
        counts = [
            f"{count:,} {'each ' if len(names) > 1 else ''}in {_language_list(names)}"
            for count, names in sorted(by_count.items(), reverse=True)
        ]
        rows.append([*key, "; ".join(counts)])
    return pd.DataFrame(rows, columns=["task", "part", "reason", "examples"])


def stand_in_splits(findings: Findings) -> pd.DataFrame:
    """Splits that were read instead of the one that the task names first, and in which languages. Both are written as
    the task's row writes them, with `{code}` for the language. A task or language without a row is left out."""
    languages: dict[tuple, set[str]] = {}
    for task, part, language, facts in _reads(findings):
        if task not in TASKS or language not in LANGUAGES:
            continue
        sources = getattr(TASKS[task], part)
        # as a record writes them, without the folder that they lie in
        firsts = {loading.describe_split(source, "", language): source.place for source in sources}
        substitutes = {
            loading.describe_split(source.instead, "", language): source.instead.place
            for source in sources
            if source.instead
        }
        read = facts.get("read", [])
        unread = "; ".join(
            place for start, place in firsts.items() if not any(split.startswith(start) for split in read)
        )
        for split in (split for split in read if not split.startswith(tuple(firsts))):
            name = next((place for start, place in substitutes.items() if split.startswith(start)), split)
            languages.setdefault((task, part, name, unread), set()).add(language)
    rows = [[*key, _language_list(names)] for key, names in sorted(languages.items())]
    return pd.DataFrame(rows, columns=["task", "part", "read", "instead of", "languages"])


def withheld_labels(findings: Findings) -> pd.DataFrame:
    """Development data whose labels are not public, so that no development score stands beside the tests."""
    rows = {(task, facts["withheld"]) for task, _, _, facts in _reads(findings) if "withheld" in facts}
    return pd.DataFrame(sorted(rows), columns=["task", "what was tried"])


def count_silent_records(findings: Findings) -> int:
    """How many records do not say what their runs left out."""
    fact_of_phase = dict(zip(RUN_PHASES, ("contaminated lines", "parts", "read"), strict=True))
    records = [record for record in findings.records.values() if record.phase in fact_of_phase]
    return sum(fact_of_phase[record.phase] not in record.facts for record in records)


def _language_list(languages: Iterable[str]) -> str:
    """English first, then by code."""
    return join_words(sorted(languages, key=lambda language: (language != "en", language)))
