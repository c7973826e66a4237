"""Robustness as five numbers, never one: how high a run's zero-shot scores are, how low the worst languages, how far
apart the languages, how far below English, and how much is lost when the test text is perturbed. In goes the table of
`records.table` with a column `perturbation` ("" or perturb.label), out comes a row a run and task, on the raw scale
of 0 to 1. Nothing is averaged over a language that is not there: such a number is NaN, and `note` says why."""

import numpy as np
import pandas as pd

RUN = ["folder", "study", "phase", "cell", "seed", "tokens", "arm", "examples"]
WORST = 3
NUMBERS = ["mean", "worst", "deviation", "gap"]


def five_numbers(results: pd.DataFrame) -> pd.DataFrame:
    """The five numbers of each run and task; a frame without run columns is one run.

    - `mean` over the non-English languages, `languages` of them
    - `worst`: the mean of the three languages with the lowest scores, which `worst_languages` names
    - `deviation`: the standard deviation over the non-English languages, of a sample (ddof = 1): the languages
      tested stand for those that are not, and tasks with few and many languages compare
    - `gap`: `english` minus `mean`
    - `loss, typos 10%` and so on, a column for each perturbation: clean minus perturbed mean, over the same languages

    The languages of a task are those that any run has a clean score in. A run that lacks one has none of the five
    numbers, one that lacks one under a perturbation has no such loss. Only the main metric counts; rows of other
    phases than `target` are left out. Raises ValueError when two rows give one score, and when a task has perturbed
    scores and no clean one.
    """
    rows = results.assign(perturbation=results["perturbation"].fillna("") if "perturbation" in results else "")
    if "phase" in rows:
        rows = rows[rows["phase"] == "target"]
    clean = rows[rows["main"].astype(bool) & (rows["perturbation"] == "")]
    perturbed = rows[rows["perturbation"] != ""]
    kinds = perturbed["perturbation"].unique().tolist()
    metric = dict(zip(clean["task"], clean["metric"], strict=True))
    if alone := sorted(set(perturbed["task"]) - set(metric)):
        raise ValueError(f"no clean main score, only perturbed ones: {', '.join(alone)}")
    rows = pd.concat([clean, perturbed[perturbed["metric"] == perturbed["task"].map(metric)]])
    wanted = {task: sorted(set(part["language"]) - {"en"}) for task, part in clean.groupby("task")}
    run = [column for column in RUN if column in rows]
    keys = [*run, "task", "perturbation"]
    twice = rows.duplicated([*keys, "language"])
    if twice.any():
        where = rows.loc[twice, [*run, "task"]].iloc[0].to_dict()
        raise ValueError(f"two scores for one language and perturbation: {where}; keep one")
    rows = rows.assign(number=rows.groupby([*run, "task"], dropna=False, sort=False).ngroup())
    found = {}
    for task, part in rows.groupby("task", sort=False):
        # one table a task instead of one a run: a study has thousands of runs
        languages = ["en", *wanted[task]]
        first = part.drop_duplicates("number")
        table = np.full((len(first), 1 + len(kinds), len(languages)), np.nan)
        own = part[part["language"].isin(languages)]
        axes = (first["number"], own["number"]), (["", *kinds], own["perturbation"]), (languages, own["language"])
        table[tuple(pd.Index(axis).get_indexer(values) for axis, values in axes)] = own["value"].astype(float)
        for number, place, scores in zip(first["number"], first[[*run, "task"]].to_dict("records"), table, strict=True):
            found[number] = place | _numbers(scores, wanted[task], kinds)
    columns = [*run, "task", "english", "languages", *NUMBERS, "worst_languages", *map(_loss, kinds), "note"]
    return pd.DataFrame([found[number] for number in sorted(found)], columns=columns)


def _numbers(scores: np.ndarray, wanted: list[str], kinds: list[str]) -> dict:
    """One run's row: `scores` (1 + perturbations, 1 + languages), clean and English first, NaN where there is none;
    `wanted` are the task's non-English languages."""
    english, there = scores[0, 0], scores[0, 1:]
    notes = _absent(there, wanted)
    is_whole = bool(wanted) and not notes
    if not wanted:
        notes = ["no language but English"]
    mean = there.mean() if is_whole else np.nan
    low = np.argsort(there, kind="stable")[:WORST] if is_whole and len(wanted) >= WORST else []
    if wanted and len(wanted) < WORST:
        count = "one non-English language" if len(wanted) == 1 else f"{len(wanted)} non-English languages"
        notes.append(f"{count}, no worst {WORST}" + (", no deviation" if len(wanted) == 1 else ""))
    if np.isnan(english):
        notes.append("no English test, no gap")
    losses = {}
    for name, perturbed in zip(kinds, scores[1:, 1:], strict=True):
        absent = _absent(perturbed, wanted, f"{name}: ")
        notes += absent
        losses[_loss(name)] = np.nan if absent or not wanted else mean - perturbed.mean()
    return {
        "english": english,
        "languages": int(np.isfinite(there).sum()),
        "mean": mean,
        "worst": there[low].mean() if len(low) else np.nan,
        "deviation": there.std(ddof=1) if is_whole and len(wanted) > 1 else np.nan,
        "gap": english - mean,
        "worst_languages": " ".join(wanted[place] for place in low),
        **losses,
        "note": "; ".join(notes),
    }


def _absent(scores: np.ndarray, wanted: list[str], where: str = "") -> list[str]:
    absent = [language for language, score in zip(wanted, scores, strict=True) if np.isnan(score)]
    return [f"{where}no score in {'any language' if absent == wanted else ' '.join(absent)}"] if absent else []


def _loss(perturbation: str) -> str:
    return f"loss, {perturbation}"
