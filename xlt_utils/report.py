"""The report: what a study's run folders hold, said in sentences, tables and pictures on one page that
stands alone. `gather` reads the folders, `render` writes the page, the tidy results and the executed
notebooks as HTML; every number comes from the records."""

import base64
import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import pandas as pd

from xlt_utils import arms as arm_table
from xlt_utils import (
    claims,
    effective,
    laws,
    microworld,
    notebook_pages,
    paths,
    proportional,
    records,
    report_tables,
    scaling,
)
from xlt_utils.arms import Arm
from xlt_utils.cells import short
from xlt_utils.drawing import Figure, draw
from xlt_utils.laws import Law
from xlt_utils.names import nearest
from xlt_utils.proportional import Verdict
from xlt_utils.records import Record
from xlt_utils.report_tables import PHASES, content, shown
from xlt_utils.scaling import MEANS, PLACE, Interval, number

LONG = 1000  # rows of a long table on the page; the whole of it lies beside the page
HEAVY = 3_500_000  # characters that the pictures of a page may have before the heaviest are drawn as dots
SLOPED = ("less than proportional", "proportional", "more than proportional")
FEW = 8  # pairs of a target and an arm that a sentence names one by one
ONE = {"rise": "rises", "fall": "falls", "do": "does", "have": "has", "were": "was"}  # a verb for one target


@dataclass(frozen=True)
class Absent:
    """A cell without a record: `state` is failed or missing, `place` its coordinates where they can be known."""

    folder: Path
    state: str
    error: str
    place: dict[str, Any] | None


@dataclass(frozen=True)
class Findings:
    """All that a study's records say. Tables are as in scaling.py; what is not there is in `absent`."""

    study: str
    runs: Path
    records: dict[Path, Record]
    absent: list[Absent]
    plan: dict[str, Any] = field(default_factory=dict)
    run: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def table(self) -> pd.DataFrame:
        """Every score of every run, tidy: what results.csv holds."""
        return records.table(list(self.records))

    @cached_property
    def scores(self) -> pd.DataFrame:
        return scaling.scores(self.table)

    @cached_property
    def zero_shot(self) -> pd.DataFrame:
        return scaling.zero_shot(self.scores)

    @cached_property
    def gains(self) -> pd.DataFrame:
        return scaling.gains(self.zero_shot)

    @cached_property
    def gain_table(self) -> pd.DataFrame:
        """The gain at each place of the grid, with its p value as it is and corrected for their number."""
        return laws.corrected(scaling.gain_table(self.gains))

    @cached_property
    def verdicts(self) -> list[Verdict]:
        return proportional.verdicts(self.scores)

    @cached_property
    def laws(self) -> list[Law]:
        """A surface and exchange rate for each intermediate arm and target."""
        return laws.laws(self.scores, filter(None, self.arms), laws.costs(self.records.values()))

    @property
    def law(self) -> Law | None:
        """The law that speaks for the study: the focus after the arm of the most English tasks, the first by name."""
        own = {one.arm: one for one in self.laws if one.target == self.focus}
        ranked = sorted(own, key=lambda arm: (not self.kinds[arm].is_english, -len(self.kinds[arm].tasks), arm))
        return own[ranked[0]] if ranked else None

    @cached_property
    def effective(self) -> pd.DataFrame:
        """Effective robustness by target, arm and I."""
        return effective.effective_robustness(self.scores)

    @property
    def is_scratch(self) -> bool:
        """Whether P = 0 are random weights and no checkpoint that was pretrained before."""
        starts = {one.parameters.get("start", "scratch") for one in self.records.values() if one.phase == "pretrain"}
        return starts <= {"scratch"}

    @property
    def seeds(self) -> list[int]:
        return sorted({record.coordinates.seed for record in self.records.values() if record.coordinates})

    @property
    def wanted(self) -> list[int]:
        """The seeds there should be: those of the records and of the target cells that are not there."""
        return sorted({*self.seeds, *(hole["seed"] for hole in self.holes)})

    @property
    def lost_tasks(self) -> list[str]:
        """Targets of cells that are not there, of which no other cell has a score: no mean counts them."""
        lost = [content(one.folder / "params.json") for one in self.absent]
        named = {task for one in lost if one.get("phase") == "target" for task in one["parameters"].get("tasks", [])}
        return sorted(named - set(self.tasks))

    @property
    def languages(self) -> list[str]:
        return sorted(set(self.scores["language"]) | {"en"})

    @property
    def tasks(self) -> list[str]:
        return sorted(set(self.scores["task"]))

    @cached_property
    def kinds(self) -> dict[str, Arm]:
        """What each arm was trained on, as the parameters of its runs say, of those too that are not done."""
        given = [record.parameters for record in self.records.values() if record.phase == "intermediate"]
        lost = [content(one.folder / "params.json") for one in self.absent]
        given += [one["parameters"] for one in lost if one.get("phase") == "intermediate"]
        return arm_table.arms(given, self.scores["arm"])

    @property
    def arms(self) -> list[str]:
        """The arms that a target was tested after, controls left out; one without a name where there is none."""
        return [name for name in sorted(set(self.scores["arm"]) - {""}) if not self.kinds[name].is_control] or [""]

    @property
    def controls(self) -> list[str]:
        """The arms that are no intermediate task: the same steps with nothing to learn."""
        return [name for name in sorted(set(self.scores["arm"]) - {""}) if self.kinds[name].is_control]

    @property
    def counted(self) -> list[Verdict]:
        """The verdicts on intermediate tasks: neither a control nor an arm of which nothing is known is among them."""
        return [one for one in self.verdicts if self.kinds[one.arm].is_known and not self.kinds[one.arm].is_control]

    @property
    def holes(self) -> list[dict[str, Any]]:
        """The coordinates of the cells that are not there, as far as their parameters tell them."""
        return [one.place for one in self.absent if one.place]

    @cached_property
    def typology(self) -> pd.DataFrame | None:
        """The microworld's table of languages, where the study speaks them."""
        languages = set(self.languages)
        inside = languages - {"en"} and languages <= set(microworld.LANGUAGES)
        table = microworld.typology() if inside else None
        return table if table is None else table[table["code"].isin(languages)].sort_values("distance")

    @property
    def distances(self) -> dict[str, float]:
        """Each language's distance to English, where it is known."""
        return {} if self.typology is None else dict(zip(self.typology["code"], self.typology["distance"], strict=True))

    @property
    def focus(self) -> str:
        """The target that speaks for the study: the mean of the trained ones, or the only one there is."""
        groups = self.zero_shot.drop_duplicates("target").set_index("target")["group"]
        trained, others = (list(groups.index[(groups == "trained") == side]) for side in (True, False))
        return scaling.TRAINED if scaling.TRAINED in trained else [*trained, *others, ""][0]

    @property
    def targets(self) -> list[str]:
        return [name for name in self.zero_shot["target"].unique() if name not in MEANS.values()]


def gather(runs: str | Path, folders: Sequence[str] | None = None, missing: Iterable[Sequence[str]] = ()) -> Findings:
    """Read the records of a study. `folders` are those of finished runs (None: all below `runs`), `missing`
    pairs of a folder and `failed` or `missing`.

    Raises RecordFault when a record is cut off, and FileNotFoundError, with the nearest folder there is,
    when there is no record at all.
    """
    root = paths.resolve(runs)
    if folders is None:
        there = sorted(path.parent for path in root.rglob("record.json"))
        found = {folder: records.read(folder) for folder in there}
        found = {folder: record for folder, record in found.items() if record.phase in PHASES}
    else:
        found = {paths.resolve(folder): records.read(folder) for folder in folders}
    if not found:
        near = nearest(root.name, sorted(path.name for path in root.parent.glob("*") if path.is_dir()))
        raise FileNotFoundError(f"{root}: no record below this folder, so there is nothing to report; {near}")
    absent = [_absent(paths.resolve(folder), state) for folder, state in missing]
    study = next(iter(found.values())).study
    return Findings(study, root, found, absent, content(root / "plan.json"), content(root / "run.json"))


def _absent(folder: Path, state: str) -> Absent:
    tried = report_tables.attempts(folder)
    error = (tried[-1].get("error") or "") if tried else ""
    return Absent(folder, state, error or ("never started" if not tried else "ended without a word"), _place(folder))


def _place(folder: Path) -> dict[str, Any] | None:
    """A target cell's coordinates, read up its chain of params.json; None where the chain is not there
    and for other phases, which have no scores."""
    given = content(folder / "params.json")
    if given.get("phase") != "target":
        return None
    try:
        before = content(paths.resolve(given["parameters"]["checkpoint"]) / "params.json")
        tuned = before if before["phase"] == "intermediate" else None
        first = content(paths.resolve(tuned["parameters"]["checkpoint"]) / "params.json") if tuned else before
        tokens = first["parameters"].get("before", 0) + first["parameters"]["tokens"]
        place = {"seed": first["parameters"]["seed"], "tokens": tokens}
        second = tuned["parameters"] if tuned else {"arm": "", "examples": 0}
        return place | {"arm": second["arm"], "examples": second["examples"]}
    except (KeyError, TypeError):
        return None


# What the numbers say. Every sentence is computed; where an interval includes 0 it says so.


def answer(found: Findings) -> tuple[str, str]:
    """The answer to "proportional?": a word or two, and what it rests on, target by target."""
    each = [verdict for verdict in found.counted if verdict.target not in MEANS.values()]
    by_name: dict[str, list[str]] = {}
    for verdict in each:
        by_name.setdefault(verdict.verdict, []).append(verdict.target + (f" ({verdict.arm})" if _arms(each) else ""))
    kinds = set(by_name)
    told_apart = sum(len(targets) for name, targets in by_name.items() if name in SLOPED)
    if not kinds - {"not testable"}:
        word = "Not testable on this grid"
    elif "proportional" in kinds:
        # of many slopes that are less than 1, one in twenty is expected not to look so
        few = len(by_name["proportional"]) <= (1 - scaling.LEVEL) * told_apart
        word = "Yes" if len(kinds) == 1 else "No" if few else "Only in part"
    elif kinds & {"less than proportional", "more than proportional"}:
        word = "No"
    elif "undecided" in kinds:
        word = "Not settled by this study"
    else:
        word = "No: there is no gain that could be"
    told = "; ".join(f"{name}: {_pairs(targets, len(each))}" for name, targets in by_name.items())
    return word, told[:1].upper() + told[1:] or "No arm of intermediate tasks has a run without beside it"


def _pairs(targets: list[str], of: int) -> str:
    """Targets by name, or how many where naming them all would fill the screen."""
    if of <= FEW:
        return ", ".join(targets)
    named = f" ({', '.join(targets)})" if len(targets) < 4 else ""
    return f"{'all' if len(targets) == of else f'{len(targets)} of'} {of} pairs of a target and an arm{named}"


def _arms(verdicts: Iterable[Verdict]) -> bool:
    return len({verdict.arm for verdict in verdicts}) > 1


def sentences(found: Findings) -> dict[str, str]:
    """The study in five sentences, by what they are about."""
    said = {"pretraining": _pretraining, "distance": _distance, "intermediate": _intermediate}
    said |= {"proportional": _proportional, "gap": _gap}
    return {name: say(found) for name, say in said.items()}


def _ends(found: Findings) -> tuple[int, int]:
    rungs = sorted(found.zero_shot["tokens"].unique())
    return (int(rungs[0]), int(rungs[-1])) if rungs else (0, 0)


def _pretraining(found: Findings) -> str:
    first, last = _ends(found)
    if first == last:
        return (
            f"There is one rung of pretraining ({short(first)} tokens), so nothing can be said of what growing it buys."
        )
    moves = {target: scaling.movement(found.zero_shot, target) for target in found.targets}
    whole = scaling.movement(found.zero_shot, found.focus)
    if not any(interval.n for interval in [whole, *moves.values()]):
        ends = f"{short(first)} and {short(last)} pretraining tokens"
        return f"No seed has scores at both {ends} without intermediate training, so no movement is given."
    grouped = _by_direction(moves, found)
    return (
        f"From {short(first)} to {short(last)} pretraining tokens, without intermediate training, the zero-shot score "
        f"({found.focus}) moves by {whole}; {grouped}."
    )


def _by_direction(moves: dict[str, Interval], found: Findings) -> str:
    """Targets grouped by how surely they moved, each with its movement, the surest first."""
    groups: dict[str, list[str]] = {}
    for target, interval in sorted(moves.items(), key=lambda pair: -np.nan_to_num(pair[1].mean)):
        noise = scaling.seed_noise(found.zero_shot, target)
        moved = f"{target} {number(interval.mean, '+')}{_fewer(interval.n, found)}" if interval.n else target
        groups.setdefault(scaling.direction(interval, noise), []).append(moved)
    said = []
    for name in (name for name in scaling.DIRECTIONS if name in groups):
        verb, rest = name.split(" ", 1)
        verb = ONE.get(verb, verb) if len(groups[name]) == 1 else verb
        said.append(f"{', '.join(groups[name])} {verb} {rest}")
    return "; ".join(said) or "no target was measured at both ends"


def _brief(interval: Interval, found: Findings) -> str:
    """An interval in words; of a study of one seed, which says so once, the number alone."""
    return number(interval.mean, "+") if len(found.wanted) == 1 else str(interval)


def _fewer(n: int, found: Findings) -> str:
    """What stands behind a number that not all seeds are in."""
    return f" ({n} of {len(found.wanted)} seeds)" if 0 < n < len(found.wanted) else ""


def _distance(found: Findings) -> str:
    near, far = scaling.near_and_far(found.languages, found.distances)
    if not near:
        return "The languages' distances to English are not known here, so near and far ones are not compared."
    names = f"the near languages ({', '.join(near)})", f"the far ones ({', '.join(far)})"
    trained = sorted(set(found.scores.loc[found.scores["group"] == "trained", "task"]))
    close, away = (scaling.movement_of(found.scores, languages, trained) for languages in (near, far))
    if not len(close):
        table, when = scaling.plain(found.scores[found.scores["group"] == "trained"])
        if table.empty:
            return "No trained target was tested, so near and far languages are not compared."
        whole = table.pivot_table(index=["seed", "tokens"], columns=["task", "language"], values="score").dropna()
        if whole.empty:
            return "No seed has all trained targets in all languages, so near and far ones are not compared."
        means = [whole.loc[:, whole.columns.get_level_values(1).isin(some)].mean(axis=None) for some in (near, far)]
        fewer = _fewer(whole.index.get_level_values("seed").nunique(), found)
        reached = f"{number(means[0])}{fewer} in {names[0]} and {number(means[1])}{fewer} in {names[1]}"
        return f"Trained targets reach {reached}, {when}."
    close, away = _both(close, away)
    if not len(close):
        return "No seed has all trained targets at both ends of P, so near and far languages are not compared."
    said = (
        f"Over the same range the trained targets move by {_mean(close, found)} in {names[0]} and by "
        f"{_mean(away, found)} in {names[1]}: {_near_minus_far(close, away)}"
    )
    moves = {target: scaling.movement(found.zero_shot, target) for target in trained}
    moves = {target: interval for target, interval in moves.items() if interval.n}
    if len(moves) < 2:
        return f"{said}."
    most = max(moves, key=lambda target: moves[target].mean)
    close, away = _both(*(scaling.movement_of(found.scores, languages, [most]) for languages in (near, far)))
    if not len(close):
        return f"{said}."
    each = f"{_mean(close, found)} and {_mean(away, found)}"
    return f"{said}; for {most}, which rises most, it is {each}: {_near_minus_far(close, away)}."


def _both(close: np.ndarray, away: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Only the seeds that have both: else two means would stand on different seeds."""
    there = np.isfinite(close) & np.isfinite(away)
    return close[there], away[there]


def _mean(moved: np.ndarray, found: Findings) -> str:
    return number(moved.mean(), "+") + _fewer(len(moved), found)


def _near_minus_far(close: np.ndarray, away: np.ndarray) -> str:
    difference = scaling.t_interval(close - away)
    if not difference.excludes(0):
        return f"near minus far is {difference}, which does not tell them apart"
    return f"near minus far is {difference}, so the {'near' if difference.mean > 0 else 'far'} ones gain more"


def _intermediate(found: Findings) -> str:
    arms = sorted({verdict.arm for verdict in found.counted})
    each = [_gained(found, arm) for arm in arms] if len(arms) < 3 else [_gained_in_short(found, arms)]
    if not arms:
        each = ["No arm of intermediate tasks has a run without beside it, so its gain is not known."]
    return " ".join([*each, *_learnt(found), *_beyond(found, arms)])


def _learnt(found: Findings) -> list[str]:
    """Which intermediate tasks were learnt at all, in English: one that was not has nothing to pass on."""
    table = report_tables.learnt(found)
    table = table[~table["is_control"].astype(bool)]
    last = table[table["I"] == table.groupby(["arm", "task"])["I"].transform("max")]
    pairs = [(f"{row['task']} ({row['arm']})", row["over P"], row["chance"]) for row in last.to_dict("records")]
    pairs = [(name.replace(f" ({name.split()[0]})", ""), score, chance) for name, score, chance in pairs if score.n]
    if not pairs:
        return []
    above = [one for one in pairs if one[1].low > one[2]]
    said = "In English (development data, largest I, on average over P) "
    if len(pairs) > FEW:
        return [f"{said}{len(above)} of {len(pairs)} pairs of a task and an arm are surely above chance."]
    told = [f"{name} reaches {score.said('')}, chance {number(chance)}" for name, score, chance in pairs]
    return [f"{said}{'; '.join(told)}."]


def _gained(found: Findings, arm: str) -> str:
    """An arm's gain at its largest rung, target by target."""
    own = {verdict.target: verdict for verdict in found.counted if verdict.arm == arm}
    rung = short(int(found.gains.loc[found.gains["arm"] == arm, "examples"].max()))
    moves = {target: one.gain for target, one in own.items() if target not in MEANS.values()}
    if not any(interval.n for interval in moves.values()):
        return f"No rung of P is whole over all seeds and rungs of {arm} examples, so no mean gain is given."
    mean = own[found.focus].gain if found.focus in own else None
    whole = "s move" if mean is None else f" ({found.focus}) moves by {mean} on average over P"
    whole = whole if mean is None or mean.n else f" ({found.focus}) has no rung of P that is whole"
    counts, pairs = (sum(getattr(own[target], name) for target in moves) for name in ("positive", "pairs"))
    return (
        f"With {rung} {arm} examples the zero-shot score{whole}; {_by_direction(moves, found)}; at {counts} of {pairs} "
        "places of the targets' grids the mean is higher than without."
    )


def _gained_in_short(found: Findings, arms: list[str]) -> str:
    """The gains of many arms, the largest first, in the target that speaks for the study."""
    own = {one.arm: one.gain for one in found.counted if one.target == found.focus}
    there = sorted((arm for arm in arms if arm in own and own[arm].n), key=lambda arm: -own[arm].mean)
    if not there:
        return f"No rung of P is whole over all seeds and rungs of any of the {len(arms)} arms, so no gain is given."
    told = [f"{arm} {_brief(own[arm], found)}" for arm in there]
    lost = [arm for arm in arms if arm not in there]
    said = f"The zero-shot score ({found.focus}) moves over I = 0, at the largest I and on average over P, by: "
    said = said if len(found.wanted) > 1 else f"{said[:-2]} (one seed, so no intervals): "
    return said + "; ".join(told) + (f"; no gain is given of {', '.join(lost)}" if lost else "") + "."


def _beyond(found: Findings, arms: list[str]) -> list[str]:
    """The gain over the controls that take the same steps, where the study has any."""
    if not found.controls:
        return ["No control took the same steps, so what the tasks give is not told from what more steps give."] * bool(
            arms
        )
    table = report_tables.beyond_controls(found)
    table = table[table["target"] == found.focus]
    told = [f"{row.arm} over {row.control} {_brief(row.beyond, found)}" for row in table.itertuples() if row.beyond.n]
    if not told:
        return ["No arm and control are whole over the same seeds, so no gain over the controls is given."]
    most = told if len(told) <= FEW else told[:FEW]
    more = f"; {len(told) - FEW} more stand in the table of controls" if len(told) > FEW else ""
    return [f"Over the controls with the same steps ({found.focus}): {'; '.join(most)}{more}."]


def _proportional(found: Findings) -> str:
    word, told = answer(found)
    slopes = [
        f"{verdict.target}{f' ({verdict.arm})' if _arms(found.counted) else ''} {proportional.shown(verdict.slope)}"
        for verdict in found.counted
        if verdict.slope and verdict.target not in MEANS.values()
    ]
    slopes = slopes if len(slopes) <= FEW else []
    fitted = f"slopes where the gain is surely above 0: {'; '.join(slopes)}" if slopes else "no slope could be fitted"
    fitted = "the slopes stand in the table of verdicts" if _many_slopes(found) else fitted
    return (
        f"Whether the gain grows in proportion to I, a slope d log(gain) / d log(I) of 1: {_lower(word)}; "
        f"{_lower(told)}; {fitted}. {exchange(found)}"
    )


def exchange(found: Findings) -> str:
    """What one more intermediate example is worth in pretraining tokens, in the target and arm that speak for the
    study, or why that is not known; and how many other pairs of a target and an arm have a rate."""
    law = found.law
    if law is None:
        return "No arm of intermediate tasks was tested, so there is no exchange rate."
    own = [one for one in found.laws if one.target not in MEANS.values()]
    defined = sum(any(not rate.why for rate in one.exchange) for one in own)
    pairs = f"{defined} of {len(own)} pairs of a target and an arm have a rate"
    what = f"Pretraining tokens that buy what one more intermediate example buys ({law.arm}; {law.target}): "
    return f"{what}{law.said}; {pairs}."


def _many_slopes(found: Findings) -> bool:
    return sum(one.slope is not None and one.target not in MEANS.values() for one in found.counted) > FEW


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def _gap(found: Findings) -> str:
    first, last = _ends(found)
    rows, when = scaling.plain(found.zero_shot[found.zero_shot["target"] == found.focus])
    gaps = rows.pivot_table(index="seed", columns="tokens", values="gap")  # seeds without a gap are left out
    if last not in gaps:
        said = "The transfer gap is not known: no target has scores in English and in all other languages"
    else:
        ends = {rung: gaps[rung].dropna() for rung in (first, last) if rung in gaps}
        told = {rung: number(part.mean()) + _fewer(len(part), found) for rung, part in ends.items()}
        said = (
            f"At {short(last)} tokens English is ahead of the other languages by {told[last]} ({found.focus}, {when})"
        )
        if first != last and first in ends:
            change = scaling.t_interval(gaps[last] - gaps[first])
            said += f", at {short(first)} by {told[first]}: the gap changes by {change}"
    holes = len(scaling.absent(found.zero_shot, found.holes))
    done = f"all {len(found.records)} cells are in"
    if found.absent:
        done = f"{len(found.absent)} of {len(found.records) + len(found.absent)} cells are not in"
    return f"{said}; {done}" + (f", and {holes} of the targets' places on the grid lack a mean." if holes else ".")


# The page.


def render(found: Findings, pictures: Sequence[Figure], folder: str | Path) -> Path:
    """Write the report into a folder and return the page's path.

    Beside index.html there are results.csv and results.parquet, the long tables gains.csv, robustness.csv,
    effective.csv, exchange.csv, fits.csv and missing.csv, figures/ (SVG, PNG, CSV) and notebooks/ (the last attempt of
    every cell as HTML). What an earlier report left in those two folders goes. The page shows the first LONG rows of a
    long table.
    """
    folder = paths.resolve(folder)
    for name in ("figures", "notebooks"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    draw(pictures)
    kept = {path for picture in pictures for path in picture.save(folder / "figures")}
    notebook_pages.clear(folder / "figures", kept)
    order = [*PLACE, "phase", "cell", "task", "language", "metric", "perturbation"]
    table = found.table.sort_values(order, ignore_index=True)
    # below the study's runs: wherever those lie, the same records are the same bytes
    runs = paths.resolve(found.runs)
    table["folder"] = [Path(os.path.relpath(paths.resolve(name), runs)).as_posix() for name in table["folder"]]
    table.to_csv(folder / "results.csv", index=False, lineterminator="\n")
    table.to_parquet(folder / "results.parquet", index=False)
    index = report_tables.index_of_cells(found)
    index["page"] = notebook_pages.write(index, folder / "notebooks")
    costs, five = report_tables.spent(found), report_tables.five_numbers(found)
    gains = found.gain_table.sort_values(["tokens", "examples"], ascending=False, kind="stable")
    lost = scaling.absent(found.zero_shot, found.holes)
    rates, fits = laws.exchange_table(found.laws), laws.fit_table(found.laws)
    tables = {"gains": gains, "robustness": five, "missing": lost, "effective": found.effective}
    for name, long in (tables | {"exchange": rates, "fits": fits}).items():
        long.to_csv(folder / f"{name}.csv", index=False, lineterminator="\n")
    script = (Path(__file__).parent / "report.js.jinja").read_text(encoding="utf-8")
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("xlt_utils", "."), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"number": number, "size": _size, "seconds": _seconds, "short": short}
    word, told = answer(found)
    page = environment.get_template("report.html.jinja").render(
        found=found,
        answer=word,
        told=told,
        sentences=list(sentences(found).values()),
        exchange=_lower(exchange(found)),
        rates=laws.rates(found.laws),
        fits=shown(fits.drop(columns="notes")),
        noted=laws.noted(found.laws),
        above=shown(effective.at_largest(found.effective)),
        survivors=laws.survivors(found.gain_table),
        claims=claims.rows(found),
        sections=_sections(found, pictures),
        addresses=_addresses(pictures),
        arms=report_tables.arms(found),
        matrix=report_tables.matrix(found),
        learnt=(learnt := report_tables.learnt(found)).to_dict("records"),
        learnt_at=[column for column in learnt if column.startswith("P = ")],
        beyond=report_tables.beyond_controls(found).to_dict("records"),
        gains=gains.head(LONG).to_dict("records"),
        many_gains=len(gains),
        absent=lost.head(LONG).to_dict("records"),
        many_absent=len(lost),
        robust=report_tables.by_task(five, LONG),
        many_robust=len(five),
        script=jinja2.utils.markupsafe.Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        losses=[name for name in five if name.startswith("loss, ")],
        contaminated=shown(report_tables.contaminated(found)),
        dropped=shown(report_tables.dropped(found)),
        stand_ins=shown(report_tables.stand_ins(found)),
        withheld=shown(report_tables.withheld(found)),
        unsaid=report_tables.unsaid(found),
        typology=None if found.typology is None else shown(found.typology),
        cells=index.to_dict("records"),
        states=index["state"].value_counts().to_dict(),
        flags=sorted({flag for record in found.records.values() for flag in report_tables.flags(record)}),
        costs=costs.to_dict("records"),
        overhead=report_tables.overhead(costs),
        t=scaling.t_factor(len(found.seeds)),
        rows=len(table),
        versions=next(iter(found.records.values())).versions,
        devices=sorted({record.device for record in found.records.values()}),
    )
    path = folder / "index.html"
    path.write_text(page, encoding="utf-8")
    return path


def _sections(found: Findings, pictures: Sequence[Figure]) -> list[tuple[str, str, list[Figure]]]:
    """The pictures in sections of a name, what the arm is, and pictures: those of no arm first, in a section without
    a name, then where there are several arms a section an arm, the controls last."""
    arms = [*found.arms, *found.controls]
    if len(arms) < 2:
        return [("", "", list(pictures))]
    shared = [picture for picture in pictures if picture.arm not in arms]
    own = [(arm, found.kinds[arm].kind, [one for one in pictures if one.arm == arm]) for arm in arms]
    return [("", "", shared), *(section for section in own if section[2])]


def _addresses(pictures: Sequence[Figure]) -> dict[str, str]:
    """The pictures as data: addresses by name, drawn as lines; the heaviest as dots where all would be too much."""
    drawn = {picture.name: picture.uri() for picture in pictures}
    for picture in sorted(pictures, key=lambda one: (-len(drawn[one.name]), one.name)):
        if sum(map(len, drawn.values())) <= HEAVY:
            break
        drawn[picture.name] = min(drawn[picture.name], picture.uri("png"), key=len)
    return drawn


def _size(value: float) -> str:
    """A count as a reader takes it in: 1.54M, 3.2e+12 FLOPs."""
    if not np.isfinite(value):
        return "–"
    if value >= 1e11:
        return f"{value:.2e}"
    return next(
        (f"{value / n:.3g}{unit}" for n, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")) if value >= n), f"{value:.0f}"
    )


def _seconds(value: float | None) -> str:
    return "–" if value is None or not np.isfinite(value) else f"{value:,.1f}"
