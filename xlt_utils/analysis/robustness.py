"""Robustness as five numbers: how high a run's zero-shot scores are, how low the worst languages, how far apart the
languages, how far below English, and how much is lost when the test text is perturbed. The table of `results_table`,
with a column `perturbation`, goes in; a row a run and task comes out, on the raw scale of 0 to 1. Nothing is averaged
over a missing language: such a number is NaN, and `note` says why."""

import numpy as np
import pandas as pd

RUN = ["folder", "study", "phase", "cell", "seed", "tokens", "arm", "examples"]
WORST = 3
NUMBERS = ["mean", "worst", "deviation", "gap"]


def five_numbers(results: pd.DataFrame) -> pd.DataFrame:
    """The five numbers of each run and task; a frame without run columns is one run.

    - `mean` over the non-English languages, `languages` of them
    - `worst`: the mean of the three languages with the lowest scores, which `worst_languages` names
    - `deviation`: the standard deviation over the non-English languages, of a sample (ddof = 1): the tested languages
      stand for those that are not tested, and tasks with few and many languages compare
    - `gap`: `english` minus `mean`
    - `loss, typos 10%` and so on, a column for each perturbation: clean minus perturbed mean, over the same languages

    The languages of a task are those that any run has a clean score in. A run that lacks one has none of the five
    numbers, one that lacks one under a perturbation has no such loss. Only the main metric counts; rows of other
    phases than `target` are left out. The scores of a run's replicates are averaged first; the run is then the first.

    Raises:
        ValueError: two rows give one score, or a task has perturbed scores and no clean one.
    """
    rows = results.assign(perturbation=results["perturbation"].fillna("") if "perturbation" in results else "")
    if "phase" in rows:
        rows = rows[rows["phase"] == "target"]
    clean = rows[rows["main"].astype(bool) & (rows["perturbation"] == "")]
    perturbed = rows[rows["perturbation"] != ""]
    perturbations = perturbed["perturbation"].unique().tolist()
    metric = dict(zip(clean["task"], clean["metric"], strict=True))
    if only_perturbed := sorted(set(perturbed["task"]) - set(metric)):
        raise ValueError(f"no clean main score, only perturbed ones: {', '.join(only_perturbed)}")
    rows = pd.concat([clean, perturbed[perturbed["metric"] == perturbed["task"].map(metric)]])
    task_languages = {task: sorted(set(part["language"]) - {"en"}) for task, part in clean.groupby("task")}
    run = [column for column in RUN if column in rows]
    repeated = rows.duplicated([*run, "task", "perturbation", "language"])
    if repeated.any():
        where = rows.loc[repeated, [*run, "task"]].iloc[0].to_dict()
        raise ValueError(f"two scores for one language and perturbation: {where}; keep one")
    if "replicate" in rows and rows["replicate"].any():
        rows = _average_replicates(rows)
    rows = rows.assign(number=rows.groupby([*run, "task"], dropna=False, sort=False).ngroup())
    row_by_number = {}
    for task, part in rows.groupby("task", sort=False):
        # one table a task instead of one a run: a study has thousands of runs
        languages = ["en", *task_languages[task]]
        first = part.drop_duplicates("number")
        table = np.full((len(first), 1 + len(perturbations), len(languages)), np.nan)
        part = part[part["language"].isin(languages)]
        axes = (
            pd.Index(first["number"]).get_indexer(part["number"]),
            pd.Index(["", *perturbations]).get_indexer(part["perturbation"]),
            pd.Index(languages).get_indexer(part["language"]),
        )
        table[axes] = part["value"].astype(float)
        for number, place, scores in zip(first["number"], first[[*run, "task"]].to_dict("records"), table, strict=True):
            row_by_number[number] = place | _numbers(scores, task_languages[task], perturbations)
    columns = [*run, "task", "english", "languages", *NUMBERS, "worst_languages", *map(_loss, perturbations), "note"]
    return pd.DataFrame([row_by_number[number] for number in sorted(row_by_number)], columns=columns)


def _average_replicates(rows: pd.DataFrame) -> pd.DataFrame:
    place = [column for column in rows if column in {*RUN, "task", "perturbation", "language"} - {"folder", "cell"}]
    rows = rows.sort_values("replicate", kind="stable")
    if (repeated := rows.duplicated([*place, "replicate"])).any():
        where = rows.loc[repeated, [*place, "replicate"]].iloc[0].to_dict()
        raise ValueError(f"two runs at one place of the grid: {where}; keep one")
    by_place = rows.groupby(place, dropna=False, sort=False, as_index=False)
    return by_place.agg({"folder": "first", "cell": "first", "value": "mean"})


def _numbers(scores: np.ndarray, languages: list[str], perturbations: list[str]) -> dict:
    """One run's row: `scores` (1 + perturbations, 1 + languages), clean and English first, NaN where there is none;
    `languages` are the task's non-English ones."""
    english, clean = scores[0, 0], scores[0, 1:]
    notes = _missing_note(clean, languages)
    is_complete = bool(languages) and not notes
    if not languages:
        notes = ["no language but English"]
    mean = clean.mean() if is_complete else np.nan
    has_worst = is_complete and len(languages) >= WORST
    lowest = np.argsort(clean, kind="stable")[: WORST if has_worst else 0]
    if languages and len(languages) < WORST:
        count = "one non-English language" if len(languages) == 1 else f"{len(languages)} non-English languages"
        notes.append(f"{count}, no worst {WORST}" + (", no deviation" if len(languages) == 1 else ""))
    if np.isnan(english):
        notes.append("no English test, no gap")
    losses = {}
    for perturbation, perturbed in zip(perturbations, scores[1:, 1:], strict=True):
        missing = _missing_note(perturbed, languages, f"{perturbation}: ")
        notes += missing
        losses[_loss(perturbation)] = np.nan if missing or not languages else mean - perturbed.mean()
    return {
        "english": english,
        "languages": int(np.isfinite(clean).sum()),
        "mean": mean,
        "worst": clean[lowest].mean() if has_worst else np.nan,
        "deviation": clean.std(ddof=1) if is_complete and len(languages) > 1 else np.nan,
        "gap": english - mean,
        "worst_languages": " ".join(languages[place] for place in lowest),
        **losses,
        "note": "; ".join(notes),
    }


def _missing_note(scores: np.ndarray, languages: list[str], prefix: str = "") -> list[str]:
    missing = [language for language, score in zip(languages, scores, strict=True) if np.isnan(score)]
    return [f"{prefix}no score in {'any language' if missing == languages else ' '.join(missing)}"] if missing else []


def _loss(perturbation: str) -> str:
    return f"loss, {perturbation}"
