import numpy as np
import pandas as pd
import pytest

from xlt_utils.analysis import transfer_scores
from xlt_utils.analysis.learning import LEARNT, judge_learning

N = 400


def row(task="udpos", value=0.5, seed=0, tokens=0, arm="", examples=0, phase="target", **changes) -> dict:
    """One English development score, as `results_table` gives it."""
    metric = {"udpos": "f1", "xquad": "exact_match+f1", "squad": "exact_match+f1"}.get(task, "accuracy")
    place = {"folder": "a", "cell": "a", "seed": seed, "tokens": tokens, "arm": arm, "examples": examples}
    score = {"task": task, "language": "en", "metric": f"development {metric}", "value": value, "zero": 0.0, "n": N}
    return {"phase": phase, "replicate": 0, "main": False, "perturbation": ""} | place | score | changes


def results(*rows: dict) -> pd.DataFrame:
    return pd.DataFrame(rows)


def german_tests(rows: list[dict]) -> list[dict]:
    """The main scores of the same target runs in German."""
    return [one | {"metric": "main", "main": True, "language": "de"} for one in rows if one["phase"] == "target"]


def marked(rows: list[dict], controls=()) -> pd.DataFrame:
    learning = judge_learning(results(*rows, *german_tests(rows)), controls)
    return learning.mark(transfer_scores.normalised_scores(results(*german_tests(rows))))


def counting(rows: list[dict], controls=()) -> set[tuple]:
    """The (task, P, arm) that count."""
    scores = marked(rows, controls)
    return set(scores.loc[scores["counts"], ["task", "tokens", "arm"]].itertuples(index=False, name=None))


@pytest.mark.parametrize(
    ("values", "is_learnt"),
    [
        ([0.04, 0.041, 0.039], False),  # above the zero point for sure, and yet nothing to transfer
        ([0.70, 0.72, 0.74], True),
        ([0.80, 0.80, 0.10], False),
        ([0.21, 0.21, 0.21], False),  # the noise of the items alone reaches below
        ([0.30], True),
        ([0.22], False),
    ],
)
def test_a_target_is_learnt_where_its_whole_interval_lies_well_above_the_zero_point(values, is_learnt):
    table = judge_learning(results(*(row(value=value, seed=seed) for seed, value in enumerate(values)))).targets
    assert table["learnt"].tolist() == [is_learnt] and table["values"][0] == dict(enumerate(values))
    assert bool(table["english"][0].low > LEARNT) == is_learnt


def test_seeds_that_agree_are_no_more_certain_than_their_items():
    for seeds in (1, 3):
        table = judge_learning(results(*(row(value=0.5, seed=seed) for seed in range(seeds)))).targets
        margin = 1.96 * np.sqrt(0.25 / N / seeds)
        assert table["english"][0].high - 0.5 == pytest.approx(margin, abs=1e-4) and table["english"][0].n == seeds


def test_the_interval_covers_the_true_score():
    """Seeds that differ, and items drawn for each: the interval holds the truth in nearly all of many studies."""
    random, truth, held = np.random.default_rng(0), 0.6, []
    for _ in range(300):
        values = random.binomial(N, np.clip(truth + random.normal(0, 0.03, 3), 0, 1)) / N
        rows = (row("sst", value, seed, zero=0.5) for seed, value in enumerate(values))
        english = judge_learning(results(*rows)).targets["english"][0]
        held.append(english.low <= 2 * truth - 1 <= english.high)
    assert 0.93 <= np.mean(held) <= 0.99


def test_replicates_of_a_seed_are_no_seeds():
    values = [(0, 0, 0.30), (0, 1, 0.50), (1, 0, 0.35), (1, 1, 0.45)]
    rows = [row(value=value, seed=seed, replicate=number) for seed, number, value in values]
    english = judge_learning(results(*rows)).targets["english"][0]
    assert (english.n, english.mean) == (2, pytest.approx(0.4))


def test_the_majority_class_is_the_zero_point():
    rows = [row("sst", 0.71, seed, zero=53 / 80) for seed in range(3)]
    assert not judge_learning(results(*rows)).targets["learnt"].any()
    without_zero = [one | {"zero": None} for one in rows]  # a record of schema 2: from chance
    assert judge_learning(results(*without_zero)).targets["learnt"].all()


def test_a_target_counts_where_it_is_learnt_and_nowhere_if_not_at_the_largest_size():
    late = [row("udpos", 0.1 if tokens == 0 else 0.7, seed, tokens) for seed in (0, 1) for tokens in (0, 10)]
    lost = [row("panx", 0.7 if tokens == 0 else 0.1, seed, tokens) for seed in (0, 1) for tokens in (0, 10)]
    lost = [one | {"metric": "development f1"} for one in lost]
    assert counting(late + lost) == {("udpos", 10, "")}
    learning = judge_learning(results(*late, *lost))
    assert learning.unlearnt_targets == ["panx"] and learning.unlearnt_rungs == {"udpos": [0]}
    assert learning.unlearnt_note("udpos", "mnli") == "not learnt at P = 0" and not learning.unlearnt_note("sst", "")
    assert "P = 10" in learning.why_target("panx") and "0.10 (95 % CI" in learning.why_target("panx")


def test_an_arm_counts_where_it_learnt_one_of_its_tasks_at_its_largest_size():
    tasks = {"both": {"mnli": 0.34, "squad": 0.6}, "mnli": {"mnli": 0.34}, "shuffled": {"mnli": 0.34}}
    rows = [row("udpos", 0.7, seed) for seed in (0, 1)]
    for arm, task, value in ((arm, *score) for arm, scores in tasks.items() for score in scores.items()):
        for examples in (8, 64):
            less = value if examples == 64 else 0.0
            rows += [row(task, less, seed, 0, arm, examples, "intermediate", zero=0.3) for seed in (0, 1)]
    rows += [row("udpos", 0.7, seed, 0, arm, 64) for seed in (0, 1) for arm in [*tasks, "silent"]]
    assert counting(rows, ["shuffled"]) == {("udpos", 0, arm) for arm in ("", "both", "shuffled", "silent")}
    learning = judge_learning(results(*rows), ["shuffled"])
    assert "its own task, mnli (P = 0, I = 64)" in learning.why_arm("mnli")
    assert set(learning.arms["examples"]) == {8, 64} and learning.arms.query("arm == 'shuffled'")["is_control"].all()


def test_retrieval_is_not_asked():
    rows = [row("udpos", 0.7, seed) for seed in (0, 1)]
    retrieval = [row("tatoeba", 0.01, seed, language="de", metric="accuracy", main=True) for seed in (0, 1)]
    scores = judge_learning(results(*rows, *retrieval)).mark(transfer_scores.normalised_scores(results(*retrieval)))
    assert scores["counts"].all()


def test_without_development_scores_the_english_test_says_and_without_both_nothing_does():
    tested = [row("xquad", 0.04, seed, main=True, metric="exact_match+f1") for seed in (0, 1)]
    silent = [row("mlqa", 0.04, seed, main=True, metric="exact_match+f1", language="de") for seed in (0, 1)]
    learning = judge_learning(results(*tested, *silent))
    assert learning.targets["source"].tolist() == ["test"] and learning.unlearnt_targets == ["xquad"]
    assert learning.ungated == ["mlqa"]
    scores = learning.mark(transfer_scores.normalised_scores(results(*tested, *silent)))
    assert set(scores.loc[scores["counts"], "task"]) == {"mlqa"}


def test_where_every_run_had_intermediate_training_the_smallest_size_says():
    rows = [row("udpos", 0.7 if size == 8 else 0.0, seed, 0, "mnli", size) for seed in (0, 1) for size in (8, 64)]
    learning = judge_learning(results(*rows))
    assert learning.targets["learnt"].tolist() == [True] and "after 8 mnli examples" in learning.condition


def test_a_single_run_that_failed_to_learn_is_named():
    values = [0.80, 0.78, 0.82, 0.81, 0.79, 0.05]
    rows = [row("udpos", 0.8, seed) for seed in range(6)]
    rows += [row("udpos", value, seed, 0, "mnli", 64) for seed, value in enumerate(values)]
    rows += [row("panx", 0.05, seed, metric="development f1") for seed in range(6)]  # counts nowhere: no bad luck
    failed = judge_learning(results(*rows)).failed_runs
    assert failed.drop(columns="score").to_dict("records") == [
        {"seed": 5, "tokens": 0, "arm": "mnli", "examples": 64, "task": "udpos"}
    ]
    scores = marked(rows)
    assert scores.loc[scores["failed"], ["seed", "arm"]].to_numpy().tolist() == [[5, "mnli"]]


def test_what_was_not_learnt_enters_no_mean():
    values = {"udpos": 0.8, "sst": 0.9, "panx": 0.05}
    rows = [row(task, value, seed, tokens) for task, value in values.items() for seed in (0, 1) for tokens in (0, 10)]
    rows = [one | {"metric": "development f1"} if one["task"] == "panx" else one for one in rows]
    late = [one | {"value": 0.1} if (one["task"], one["tokens"]) == ("sst", 0) else one for one in rows]
    for given, at_smallest in ((rows, 0.85), (late, np.nan)):
        runs = transfer_scores.zero_shot(marked(given)).set_index(["target", "tokens"])["zero_shot"]
        assert runs[transfer_scores.TRAINED, 10].tolist() == pytest.approx([0.85, 0.85])
        assert runs[transfer_scores.TRAINED, 0].tolist() == pytest.approx([at_smallest] * 2, nan_ok=True)
        assert runs["panx", 10].tolist() == pytest.approx([0.05, 0.05])  # still there to be looked at


def test_no_results_are_no_learning():
    learning = judge_learning(results(row())[:0])
    assert learning.unlearnt_targets == [] and learning.unlearnt_rungs == {} and learning.failed_runs.empty
    assert learning.arm_rungs.empty and learning.arms_at_largest.empty
