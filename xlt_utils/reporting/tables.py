"""The tables of the report's page: every cell, plan against spent, robustness, what was left out. In go the findings
of report.py, out come data frames; every number is from a record, an attempt or the plan."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from xlt_utils import paths
from xlt_utils.analysis import robustness
from xlt_utils.analysis.intervals import t_interval
from xlt_utils.analysis.transfer_scores import MEANS, PLACE
from xlt_utils.data import loading
from xlt_utils.data.languages import LANGUAGES
from xlt_utils.data.tasks import TASKS
from xlt_utils.formatting import number, short_size
from xlt_utils.records.record import Record
from xlt_utils.reporting.findings import RUN_PHASES, Findings, attempts, executed_notebook, json_content


def index_of_cells(found: Findings) -> pd.DataFrame:
    """Every cell, done or not: where it stands, its main scores or last loss, seconds, device, state, error, flags."""
    means = found.zero_shot[~found.zero_shot["target"].isin(MEANS.values())]
    by_place: dict[tuple, list[tuple[str, float]]] = {}
    for *place, target, mean in means[[*PLACE, "target", "zero_shot"]].itertuples(index=False):
        by_place.setdefault(tuple(place), []).append((target, mean))
    rows = []
    for folder, record in found.records.items():
        place = record.coordinates.model_dump() if record.coordinates else {}
        key = tuple(place.get(name) if name != "arm" else place.get("arm") or "" for name in PLACE)
        own = {result.task for result in record.results}
        score = ""
        if record.phase == "target":
            score = ", ".join(f"{target} {number(mean)}" for target, mean in by_place.get(key, ()) if target in own)
        elif losses := [point for point in record.curves if point.loss is not None]:
            score = f"{losses[-1].name} loss {losses[-1].loss:.2f}"
        rows.append(
            {
                "phase": record.phase,
                "cell": folder.name,
                **place,
                "result": score,
                "seconds": record.seconds.get("work"),
            }
            | {"device": record.device, "state": "done", "error": "", "flags": "; ".join(flags(record))}
            | {"notebook": executed_notebook(folder)}
        )
    for one in found.absent:
        phase = json_content(one.folder / "params.json").get("phase", one.folder.parent.name)
        rows.append(
            {"phase": phase, "cell": one.folder.name, **(one.place or {}), "result": "", "seconds": None, "device": ""}
            | {"state": one.state, "error": one.error, "flags": "", "notebook": executed_notebook(one.folder)}
        )
    table = pd.DataFrame(rows)
    table["arm"] = table["arm"].fillna("") if "arm" in table else ""
    order = table["phase"].map({name: place for place, name in enumerate(paths.PHASES)}).fillna(9)
    by = ["order", *(name for name in PLACE if name in table), "cell"]
    return table.assign(order=order).sort_values(by, ignore_index=True, na_position="last").drop(columns="order")


def arms_on_page(found: Findings) -> list[dict[str, str]]:
    """The arms as the page lists them, the controls last: name, what it was trained on, the controls that it is
    compared with. Empty where there is one arm and no control."""
    named = [name for name in [*found.arms, *found.controls] if name]
    kinds = [found.kinds[name] for name in named]
    rows = []
    for one in kinds if len(kinds) > 1 else ():
        against = ", ".join(other.name for other in one.controls(kinds))
        rows.append({"arm": one.name, "kind": one.kind, "is_control": one.is_control, "controls": against})
    return rows


def matrix(found: Findings) -> dict[str, Any]:
    """The gain over I = 0 at the largest I, a row an arm and a column a target, as intervals; controls last."""
    found_ = {(one.arm, one.target): one.gain for one in found.verdicts}
    targets = list(dict.fromkeys(one.target for one in found.verdicts))
    names = [name for name in [*found.arms, *found.controls] if any((name, target) in found_ for target in targets)]
    rows = [
        {"arm": name, "is_control": name in found.controls, "gains": [found_.get((name, target)) for target in targets]}
        for name in names
    ]
    return {"targets": targets, "rows": rows if len(rows) > 1 else []}


def learnt(found: Findings) -> pd.DataFrame:
    """What the intermediate tasks were learnt to, on English development data: a row an arm, task and I, controls
    last, with the task's metric and its chance, a column of means over seeds for each P, and `over P`, the interval of
    the seeds' means over the rungs of P that all seeds have. An arm can only pass on what it has learnt."""
    table = found.table[found.table["phase"] == "intermediate"]
    main = "development " + table["task"].map(lambda name: TASKS[name].metric if name in TASKS else "")
    table = table[table["metric"] == main]
    rows = []
    for (arm, task, examples), part in table.groupby(["arm", "task", "examples"]):
        scores = part.pivot_table(index="tokens", columns="seed", values="value")
        scores = scores.reindex(index=sorted(table["tokens"].unique()), columns=found.wanted)
        whole = scores.dropna()
        row = {"arm": arm, "task": task, "metric": TASKS[task].metric, "chance": TASKS[task].chance, "I": int(examples)}
        row["is_control"] = arm in found.controls
        row |= {f"P = {short_size(int(rung))}": mean for rung, mean in scores.mean(axis=1, skipna=False).items()}
        rows.append(row | {"over P": t_interval(whole.mean()) if len(whole) else t_interval([])})
    columns = ["arm", "task", "metric", "chance", "I", "is_control", "over P"]
    learnt = pd.DataFrame(rows, columns=None if rows else columns)
    return learnt.sort_values(["is_control", "arm", "task", "I"], ignore_index=True)


def beyond_controls(found: Findings) -> pd.DataFrame:
    """What an arm gains over the controls that take its steps, paired by seed at the largest I, a mean over the rungs
    of P that all seeds have of both: a row an arm, control and target, with how many rungs those are."""
    columns = ["arm", "control", "kind", "target", "beyond", "rungs", "of"]
    runs = found.zero_shot
    kinds = [found.kinds[name] for name in [*found.arms, *found.controls] if name]
    rows = []
    for arm in kinds:
        for control in arm.controls(kinds):
            own, other = (runs[runs["arm"] == one.name] for one in (arm, control))
            largest = max(set(own["examples"]) & set(other["examples"]), default=None)
            pair = [part[part["examples"] == largest] for part in (own, other)]
            both = pair[0].merge(pair[1], how="outer", on=["seed", "tokens", "target"], suffixes=("", "_control"))
            both["beyond"] = both["zero_shot"] - both["zero_shot_control"]
            for target in dict.fromkeys(runs["target"]):
                table = both[both["target"] == target].pivot_table(
                    index="tokens", columns="seed", values="beyond", dropna=False
                )
                whole = table.reindex(columns=found.wanted).dropna()
                rungs = [len(whole), runs["tokens"].nunique()]
                rows.append([arm.name, control.name, control.kind, target, t_interval(whole.mean()), *rungs])
    return pd.DataFrame(rows, columns=columns)


def flags(record: Record) -> list[str]:
    """What a reader of a run's scores is warned of."""
    found = record.facts.get("flags", [])
    return [str(flag) for flag in found] if isinstance(found, (list, tuple)) else [str(found)]


def spent(found: Findings) -> pd.DataFrame:
    """Plan against spent, a row a phase: cells, tokens, examples, FLOPs, and seconds planned, of work, of attempts.

    `attempts` counts every attempt of a cell, failed ones too; NaN where a run was by hand and left none.
    """
    rows = []
    for phase in RUN_PHASES:
        own = {folder: record for folder, record in found.records.items() if record.phase == phase}
        absent = [one.folder for one in found.absent if one.folder.parent.name == phase]
        if not own and not absent:
            continue
        row: dict[str, Any] = {"phase": phase, "cells": len(own)}
        for name in ("tokens", "examples", "flops"):
            row[name] = sum(getattr(record.cost, name) for record in own.values())
        row["work"] = sum(record.seconds.get("work", 0.0) for record in own.values())
        tried = [attempts(folder) for folder in [*own, *absent]]
        whole = all(tried[: len(own)]) and bool(own)
        row["attempts"] = sum(one.get("seconds") or 0.0 for some in tried for one in some) if whole else np.nan
        for name in ("cells", "tokens", "examples", "flops", "seconds"):
            row[f"planned {name}"] = found.plan.get(name, {}).get(phase, np.nan)
        rows.append(row | {"planned": row["planned seconds"]})
    return pd.DataFrame(rows)


def overhead(costs: pd.DataFrame) -> float:
    """1 − work / attempts over the phases whose attempts are known, the share of start and imports; NaN without."""
    known = costs.dropna(subset=["attempts"])
    total = known["attempts"].sum()
    return float(1 - known["work"].sum() / total) if total > 0 else np.nan


def five_numbers_table(found: Findings) -> pd.DataFrame:
    """robustness.five averaged over seeds: a row a task and place of the grid, the largest P first, on the raw scale.

    A number is there only where every seed of the study has it; `seeds` says how many have a run there ("2 of 3"),
    `note` what is not there and in which seeds. `worst_languages` are those of each seed, how often where they differ.
    """
    runs = robustness.five_numbers(found.table)
    losses = [column for column in runs if column.startswith("loss, ")]
    numbers = ["english", *robustness.NUMBERS, *losses]
    seeds = sorted({*found.seeds, *(hole["seed"] for hole in found.holes)})
    place = ["task", "tokens", "arm", "examples"]
    rows = []
    for key, part in runs.assign(arm=runs["arm"].astype(object).fillna("")).groupby(place):
        absent = [seed for seed in seeds if seed not in set(part["seed"])]
        notes = {f"no run of seed {seed}": list(part["seed"]) for seed in absent}
        for seed, note in zip(part["seed"], part["note"], strict=True):
            for one in filter(None, note.split("; ")):
                notes.setdefault(one, []).append(seed)
        said = [one if len(of) == len(part) else f"{one} (seed {', '.join(map(str, of))})" for one, of in notes.items()]
        means = pd.Series(np.nan, numbers) if absent else part[numbers].mean(skipna=False)
        named = Counter(" ".join(part["worst_languages"]).split() if pd.notna(means["worst"]) else ())
        worst = [name if n == len(part) else f"{name} ({n} of {len(part)})" for name, n in named.most_common()]
        count = f"{len(part)} of {len(seeds)}" if absent else str(len(seeds))
        row = dict(zip(place, key, strict=True)) | {"seeds": count} | means.to_dict()
        rows.append(row | {"worst_languages": ", ".join(worst), "note": "; ".join(said)})
    table = pd.DataFrame(rows, columns=[*place, "seeds", *numbers, "worst_languages", "note"])
    return table.sort_values(place, ascending=[True, False, True, True], ignore_index=True)


def by_task(table: pd.DataFrame, most: int | None = None) -> list[dict[str, Any]]:
    """The five numbers as the page shows them, a block a task, with `most` rows in all. `shared` are notes of all its
    rows; of the others, `remarks` has each once, and a row's `remark` is its place there, from 1, or 0."""
    blocks = []
    each = None if most is None else max(1, most // max(1, table["task"].nunique()))
    for task, whole in table.groupby("task"):
        part = whole.head(each)
        notes = [note.split("; ") for note in part["note"]]
        shared = [one for one in notes[0] if one and all(one in others for others in notes)]
        own = ["; ".join(one for one in some if one not in shared) for some in notes]
        remarks = list(dict.fromkeys(filter(None, own)))
        block = {"task": task, "shared": shared, "remarks": remarks, "is_named": any(part["worst_languages"])}
        block |= {"low": whole["mean"].min(), "high": whole["mean"].max(), "places": len(whole), "shown": len(part)}
        part = part.assign(remark=[remarks.index(one) + 1 if one else 0 for one in own])
        blocks.append(block | {"rows": part.to_dict("records")})
    return blocks


def contaminated(found: Findings) -> pd.DataFrame:
    """How many lines of pretraining text were left out because a test holds them, in which languages: at the largest
    rung P, whose counts are those of all the text that it draws from."""
    own = [one for one in found.records.values() if one.coordinates and "contaminated lines" in one.facts]
    largest = max((one.coordinates.tokens for one in own), default=0)
    languages: dict[int, set[str]] = {}
    for one in own:
        if one.coordinates.tokens == largest:
            for language, lines in one.facts["contaminated lines"].items():
                languages.setdefault(lines, set()).add(language)
    rows = [[short_size(largest), lines, _listed(some)] for lines, some in sorted(languages.items(), reverse=True)]
    return pd.DataFrame(rows, columns=["P", "lines", "languages"])


def _reads(found: Findings) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    """What runs read, as their records say: task, part, language, and the facts of it."""
    for record in found.records.values():
        if record.phase == "intermediate":
            for name, facts in record.facts.get("parts", {}).items():
                task, _, language = name.partition(".")
                yield task, "translated" if language else "train", language or "en", facts
        elif record.phase == "target":
            for task, by_language in record.facts.get("read", {}).items():
                for where, facts in by_language.items():
                    is_part = where in ("train", "development")
                    yield task, where if is_part else "test", "en" if is_part else where, facts


def dropped(found: Findings) -> pd.DataFrame:
    """Examples that were not used, by task, part and reason; `examples` says how many in which languages."""
    counts: dict[tuple, dict[int, set[str]]] = {}
    for task, part, language, facts in _reads(found):
        for reason, number_of in facts.get("dropped", {}).items():
            counts.setdefault((task, part, reason), {}).setdefault(number_of, set()).add(language)
    rows = []
    for key, by_number in sorted(counts.items()):
        each = sorted(by_number.items(), reverse=True)
        told = [f"{n:,} {'each ' if len(some) > 1 else ''}in {_listed(some)}" for n, some in each]
        rows.append([*key, "; ".join(told)])
    return pd.DataFrame(rows, columns=["task", "part", "reason", "examples"])


def stand_ins(found: Findings) -> pd.DataFrame:
    """Splits that were read instead of the one that the task's row names first, and in which languages; both are
    named as the row names them, `{code}` being the language's. A task or language that has no row is left out."""
    languages: dict[tuple, set[str]] = {}
    for task, part, language, facts in _reads(found):
        if task not in TASKS or language not in LANGUAGES:
            continue
        sources = getattr(TASKS[task], part)
        # as a record spells them, but for the folder that they lie in
        first = {loading.describe_split(one, "", language): one.place for one in sources}
        instead = {
            loading.describe_split(one.instead, "", language): one.instead.place for one in sources if one.instead
        }
        read = facts.get("read", [])
        lost = "; ".join(name for start, name in first.items() if not any(place.startswith(start) for place in read))
        for place in (place for place in read if not place.startswith(tuple(first))):
            name = next((name for start, name in instead.items() if place.startswith(start)), place)
            languages.setdefault((task, part, name, lost), set()).add(language)
    rows = [[*key, _listed(some)] for key, some in sorted(languages.items())]
    return pd.DataFrame(rows, columns=["task", "part", "read", "instead of", "languages"])


def withheld(found: Findings) -> pd.DataFrame:
    """Development data whose labels nobody gives out, so that no development score stands beside the tests."""
    rows = {(task, facts["withheld"]) for task, _, _, facts in _reads(found) if "withheld" in facts}
    return pd.DataFrame(sorted(rows), columns=["task", "what was tried"])


def unsaid(found: Findings) -> int:
    """How many of the runs have records that do not say what was left out."""
    fact = dict(zip(RUN_PHASES, ("contaminated lines", "parts", "read"), strict=True))
    return sum(fact[one.phase] not in one.facts for one in found.records.values() if one.phase in fact)


def _listed(languages: Iterable[str]) -> str:
    return ", ".join(sorted(languages, key=lambda language: (language != "en", language)))


def shown(table: pd.DataFrame) -> dict[str, list]:
    """A table as the page shows it: its columns, and rows of words."""
    words = table.map(lambda value: {True: "yes", False: "no"}[value] if isinstance(value, (bool, np.bool_)) else value)
    words = words.map(lambda value: f"{value:.2f}" if isinstance(value, float) else value)
    return {"columns": list(words.columns), "rows": words.to_numpy().tolist()}
