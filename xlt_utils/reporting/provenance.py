"""Where a study's numbers come from. Its checkpoints: what the study file says of their training before, for which
tasks I = 0 is therefore not zero examples, how a missing masked-LM head was made. Its runs: on which machines, with
which versions and code, when. The findings go in; text, and rows of a table, come out."""

from collections.abc import Iterable
from typing import Any

from xlt_utils import paths
from xlt_utils.analysis.intervals import difference_interval
from xlt_utils.data.tasks import TASKS
from xlt_utils.formatting import join_words, number_text, short_count
from xlt_utils.records.record import Record
from xlt_utils.records.run_hash import PROVENANCE, hub_name
from xlt_utils.reporting.findings import ORIGIN_STEP, Findings, read_json_if_whole


def checkpoint_rows(findings: Findings) -> list[dict[str, str]]:
    """For each checkpoint that the study starts from: its model's id, what it was trained on, and what follows for
    this study's tasks. Without a statement, the checkpoints that the records name."""
    stated = read_json_if_whole(findings.runs_folder / PROVENANCE).get("checkpoints")
    if stated is None:
        starts = dict.fromkeys(record.parameters["start"] for record in _trained_elsewhere(findings))
        stated = [{"start": hub_name(start) or start, "card": None} for start in starts]
    return [_row(checkpoint["start"], checkpoint["card"], _study_tasks(findings)) for checkpoint in stated]


def _row(start: str, card: dict[str, Any] | None, study_tasks: list[str]) -> dict[str, str]:
    if card is None:
        text = "the study file does not say what it was trained on"
        return {"model": start, "training_data": text, "tasks": "For which tasks I = 0 is zero examples is not known."}
    named = card["tasks"]
    seen = [
        name
        for name in study_tasks
        if name in named or any(TASKS[name].shares_data_with(TASKS[o]) for o in named if o in TASKS)
    ]
    text = "The study file names no task of this study among them."
    if seen:
        text = "For these tasks of this study, which are among them or train on the same data, I = 0 is not zero "
        text += f"examples: {join_words(seen)}."
    return {"model": card["model"], "training_data": card["training_data"].strip().rstrip("."), "tasks": text}


def head_sentences(findings: Findings) -> list[str]:
    """How the rungs that train a checkpoint further came by their masked-LM head; nothing where it is the
    checkpoint's own."""
    trained = [record for record in _trained_elsewhere(findings) if record.parameters["tokens"]]
    silent = [record for record in trained if "brings head" not in record.facts]
    headless = [record for record in trained if not record.facts.get("brings head", True)]
    warmups = [record.facts["head warm-up"] for record in headless if record.facts["head warm-up"]]
    sentences = []
    if silent:
        sentences.append(
            f"{len(silent)} of {len(trained)} runs do not say whether the checkpoint brings a masked-LM head. If it "
            "brings none, P measures the damage by a random one, too."
        )
    if warmups:
        losses = [_range((warmup[f"{side} loss"] for warmup in warmups), digits=1) for side in ("first", "last")]
        sentences.append(
            "The checkpoint brings no masked-LM head. Before P counts, one that predicts through the input embeddings "
            f"was trained with the encoder frozen, on {_range(warmup['tokens'] for warmup in warmups)} tokens, and its "
            f"loss fell from {losses[0]} to {losses[1]}."
        )
        if unsettled := sum(not warmup["settled"] for warmup in warmups):
            sentences.append(f"In {unsettled} of {len(warmups)} runs it was still falling at the most tokens allowed.")
    if random := len(headless) - len(warmups):
        sentences.append(
            f"In {random} of {len(trained)} runs P began with a random masked-LM head, and measures that damage, too."
        )
    return sentences


def shared_versions(findings: Findings) -> dict[str, str]:
    """The versions that all runs have in common, by package."""
    records = list(findings.records.values())
    pairs = set.intersection(*(set(record.versions.items()) for record in records))
    return {name: version for name, version in records[0].versions.items() if (name, version) in pairs}


def machine_rows(findings: Findings) -> list[dict[str, Any]]:
    """A row for the runs of one processor, device, precision and set of versions, as far as these differ: the number of
    their `cells`, `seeds`, hashes of their `code` (a notebook's each), days of the `first` and the `last`."""
    shared = shared_versions(findings)
    groups: dict[tuple[str, ...], list[Record]] = {}
    for record in findings.records.values():
        versions = join_words(f"{name} {text}" for name, text in record.versions.items() if name not in shared)
        machine = record.machine or "not recorded"
        key = (record.origin or "", machine, record.device, record.precision or "not recorded", versions)
        groups.setdefault(key, []).append(record)
    rows = []
    for (origin, machine, device, precision, versions), records in sorted(groups.items()):
        phases = sorted(records, key=lambda record: paths.PHASES.index(record.phase))
        days = sorted(record.started[:10] for record in records)
        seeds = sorted({record.coordinates.seed for record in records if record.coordinates})
        rows.append(
            {
                "origin": origin,
                "machine": machine,
                "device": f"{device}, {precision}",
                "versions": versions,
                "code": join_words(dict.fromkeys(record.code[:8] for record in phases if record.code)),
                "cells": len(records),
                "seeds": join_words(map(str, seeds)),
                "first": days[0],
                "last": days[-1],
            }
        )
    return rows


def origin_sentences(findings: Findings) -> list[str]:
    """What is known of the runs that a merge kept apart: how the scores of each further origin differ from those of the
    first, over the places of the grid that all have. Nothing where there is one origin."""
    seeds_of: dict[str, set[int]] = {}
    for record in findings.records.values():
        if record.origin and record.coordinates:
            seeds_of.setdefault(record.origin, set()).add(record.coordinates.seed)
    if len(seeds_of) < 2:
        return []
    scores = findings.scores
    scores = scores[scores["counts"] & (scores["language"] != "en")]
    place = ["task", "language", "tokens", "arm", "examples"]
    table = scores.pivot_table(index="seed", columns=place, values="score").dropna(axis="columns")
    first, *others = sorted(seeds_of)
    sentences = [
        f"These runs differ in more than their seeds, so they are kept apart by where they come from: {first} and "
        f"{join_words(others)}, whose seeds are numbered from {ORIGIN_STEP:,} on."
    ]
    for origin in others:
        if table.empty:
            sentences.append(f"No place of the grid is common to all seeds, so {origin} cannot be compared.")
            continue
        means = [table[table.index.isin(seeds_of[name])].mean(axis=1) for name in (first, origin)]
        sentences.append(
            f"Over the {table.shape[1]} scores that all seeds have, {origin} minus {first} is "
            f"{difference_interval(*means)}."
        )
    return sentences


def _trained_elsewhere(findings: Findings) -> list[Record]:
    """The pretraining runs that start from a checkpoint."""
    runs = [record for record in findings.records.values() if record.phase == "pretrain"]
    return [record for record in runs if record.parameters.get("start", "scratch") != "scratch"]


def _study_tasks(findings: Findings) -> list[str]:
    """The tasks of the study's arms and its targets."""
    names = {name for arm in findings.arm_specs.values() for name in arm.tasks}
    return sorted(name for name in names | {*findings.tasks, *findings.unscored_tasks} if name in TASKS)


def _range(values: Iterable[float], digits: int | None = None) -> str:
    """`280k` or `280k to 310k`."""
    ordered = sorted(values)
    texts = [short_count(value) if digits is None else number_text(value, digits=digits) for value in ordered]
    return texts[0] if texts[0] == texts[-1] else f"{texts[0]} to {texts[-1]}"
