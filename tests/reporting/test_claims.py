import json
import shutil

import pytest
import simulated

from xlt_utils.reporting import claims, headline
from xlt_utils.reporting.findings import gather_findings

NINE = {name: {"tasks": [name]} for name in claims.NINE}
OTHERS = {
    "together": {"tasks": list(claims.NINE)},
    "beside": {"tasks": ["mnli"], "mlm_share": 0.2},
    "spoken": {"tasks": ["mnli"], "languages": ["en", "de"]},
    "odd": {"tasks": ["mnli"], "labels": "shuffled"},
    "text": {"tasks": [], "mlm_share": 1.0},
}
TARGETS = ("xnli", "tydiqa", "udpos", "tatoeba", "bucc2018")
GAINS = {"squad": 0.08, "mnli": 0.075, "hellaswag": 0.07, "together": 0.09, "beside": 0.03, "spoken": 0.04, "odd": 0.5}
BY_TARGET = {"xnli": -0.08, "tydiqa": 0.05, "tatoeba": 0.2, "bucc2018": 0.2}


def parent(arm: str, task: str, seed: int, tokens: int, examples: int) -> float:
    """A truth in which the parent study is right; seeds differ a little."""
    gain = GAINS.get(arm, 0.01) + BY_TARGET.get(task, 0.0)
    return gain * (1 + 0.02 * seed)


def contrary(arm: str, task: str, seed: int, tokens: int, examples: int) -> float:
    gain = -GAINS.get(arm, 0.01) - BY_TARGET.get(task, 0.0)
    return gain * (1 + 0.02 * seed)


def level(task, language, seed, tokens, examples):
    return 0.3 + 0.003 * seed


def claims_of(folder, unlearnt_arms=(), **changes) -> dict[int, dict]:
    """The rows by number, of a study in which the parent study is right, with changes; some arms score nothing on
    English development data of their own task."""
    study = {"arms": NINE | OTHERS, "bonus": parent, "seeds": (0, 1, 2), "tasks": TARGETS, "truth": level}
    study |= {"n": 10**8, "tokens": (1000,), "examples": (0, 256), "languages": ("en", "de", "fr"), "notebooks": False}
    simulated.study(folder, **study | changes)
    for arm in unlearnt_arms:
        for file in folder.glob(f"intermediate/*-{arm}-i*/record.json"):
            record = json.loads(file.read_text())
            score = simulated.result(record["parameters"]["tasks"][0], "en", 0.0)
            record["results"] = [score | {"metric": f"development {score['metric']}", "main": False}]
            file.write_text(json.dumps(record))
    return rows_of(folder)


def rows_of(folder) -> dict[int, dict]:
    return {row["number"]: row for row in claims.claim_rows(gather_findings(folder))}


def gains(**by_arm):
    """A bonus of so much after each arm; a function of seed gives each its own."""
    return lambda arm, task, seed, tokens, examples: by_arm[arm](seed) if callable(by_arm[arm]) else by_arm[arm]


@pytest.fixture(scope="module")
def claim_by_number(tmp_path_factory):
    return claims_of(tmp_path_factory.mktemp("claims") / "s")


def test_there_are_ten_each_with_a_contrast_and_a_verdict(claim_by_number):
    assert list(claim_by_number) == list(range(1, 11))
    assert all(row["statement"] and row["contrast"] and row["verdict"] for row in claim_by_number.values())


def test_a_study_in_which_the_parent_is_right_supports_its_claims(claim_by_number):
    verdicts = {number: claim_by_number[number]["verdict"] for number in range(1, 7)}
    assert verdicts == dict.fromkeys(range(1, 7), claims.SUPPORTED)
    assert all(
        "95 % CI" in claim_by_number[number]["figure"] and "n = 3" in claim_by_number[number]["figure"]
        for number in verdicts
    )


def test_figures_are_points_of_the_raw_scale(tmp_path):
    """From chance, one third in XNLI, 0.06 of the way to the ceiling are 4 points; Tatoeba starts at 0."""
    bonus = lambda arm, task, seed, tokens, examples: 0.1 if task == "tatoeba" else {"qqp": 0.06, "beside": 0.03}[arm]  # noqa: E731
    arms = {"qqp": {"tasks": ["qqp"]}, "beside": {"tasks": ["qqp"], "mlm_share": 0.2}}
    rows = claims_of(tmp_path / "s", arms=arms, bonus=bonus, tasks=("xnli", "tatoeba"))
    assert rows[3]["figure"].startswith("+6.00 points (95 % CI +6.00 to +6.00, n = 3 seeds)")
    assert "tatoeba +10.00 points" in rows[3]["why"] and "trained targets +4.00 points" in rows[3]["why"]
    assert "masked LM beside it minus English: −2.00 points" in rows[6]["figure"]


def test_the_gains_of_the_parent_stand_beside_those_averaged_alike(claim_by_number):
    # the mean over xnli (−0.08, two thirds of the scale), tydiqa (0.05), udpos, tatoeba and bucc2018 (0.2 each), times
    # 1.02, the mean of the seeds' factors; pairs that share data are in it, as in the parent's
    points = {"squad": 8.2, "mnli": 7.5, "hellaswag": 7.0}
    for task, parents in points.items():
        by_hand = 102 * (2 / 3 * (GAINS[task] - 0.08) + 4 * GAINS[task] + 0.05 + 0.2 + 0.2) / 5
        assert f"{task} +{by_hand:.2f} points (95 % CI" in claim_by_number[1]["why"]
        assert f"seeds), the parent's {parents}" in claim_by_number[1]["why"]
    assert "5 of nine here" in claim_by_number[1]["why"]
    assert "the parent's 8.7" in claim_by_number[2]["why"] and "the parent's 5.4" in claim_by_number[5]["why"]


def test_the_contrary_study_contradicts_them(tmp_path):
    # from so high, what the arms take leaves runs that learn
    rows = claims_of(tmp_path / "s", bonus=contrary, truth=lambda *place: 0.3 + level(*place))
    verdicts = {number: row["verdict"] for number, row in rows.items()}
    # the best task for each target still gains a little in some of them
    assert {verdicts[number] for number in (1, 2, 3, 4, 6)} == {claims.CONTRADICTED}


def test_a_run_that_failed_to_learn_leaves_no_interval_and_is_counted(tmp_path):
    """Seed 1 does not learn UDPOS after QQP: its mean has no interval, Tatoeba's has."""
    fails = lambda arm, task, seed, *rest: -0.3 if (task, seed) == ("udpos", 1) else 0.05  # noqa: E731
    row = claims_of(tmp_path / "s", arms={"qqp": {"tasks": ["qqp"]}}, bonus=fails, tasks=("udpos", "tatoeba"))[3]
    assert row["verdict"] == claims.UNDECIDED and "no interval: 1 of 12 runs failed to learn" in row["figure"]
    assert "tatoeba +5.00 points (95 % CI" in row["why"] and "(no interval: 1 of 6 runs failed" in row["why"]


def test_facts_of_the_design_are_no_evidence(claim_by_number):
    assert claim_by_number[7]["verdict"] == claims.DIFFERS
    for number in (8, 9, 10):
        assert claim_by_number[number]["verdict"] == claims.MATCHES and "no evidence" in claim_by_number[number]["why"]
    assert "classification" in claim_by_number[10]["figure"] and "span" in claim_by_number[10]["figure"]


def test_what_the_grid_lacks_is_named(tmp_path):
    claim_by_number = claims_of(tmp_path / "s", arms={"mnli": {"tasks": ["mnli"]}}, tasks=("udpos",))
    for number, lacking in ((1, "hellaswag alone"), (2, "all nine"), (3, "bucc2018"), (4, "tydiqa"), (5, "choose")):
        assert claim_by_number[number]["verdict"] == claims.UNTESTABLE and lacking in claim_by_number[number]["why"]
    assert claim_by_number[6]["verdict"] == claims.UNTESTABLE and "translated" in claim_by_number[6]["why"]
    assert claim_by_number[9]["verdict"] == claims.DIFFERS


def test_eight_of_the_nine_together_stand_for_all_and_seven_do_not(tmp_path):
    """CCGbank takes a licence, so few studies have all nine."""
    for lacking, verdict in (({"ccg"}, claims.SUPPORTED), ({"ccg", "anli"}, claims.UNTESTABLE)):
        tasks = [name for name in claims.NINE if name not in lacking]
        arms = {name: {"tasks": [name]} for name in tasks} | {"together": {"tasks": tasks}}
        row = claims_of(tmp_path / str(len(tasks)), arms=arms)[2]
        assert row["verdict"] == verdict
        assert ("together is without ccg" if verdict == claims.SUPPORTED else "all nine") in row["why"]


def test_all_nine_together_go_before_eight(tmp_path):
    arms = NINE | {"together": OTHERS["together"], "eight": {"tasks": [name for name in claims.NINE if name != "ccg"]}}
    assert "without" not in claims_of(tmp_path / "s", arms=arms)[2]["why"]


def test_a_study_without_intermediate_training_tests_nothing(tmp_path):
    claim_by_number = claims_of(tmp_path / "s", examples=(0,))
    assert {claim_by_number[number]["verdict"] for number in range(1, 7)} == {claims.UNTESTABLE}
    assert claim_by_number[8]["verdict"] == claims.DIFFERS


def test_one_seed_settles_nothing(tmp_path):
    claim_by_number = claims_of(tmp_path / "s", seeds=(0,))
    assert {claim_by_number[number]["verdict"] for number in range(1, 7)} <= {claims.UNDECIDED, claims.UNTESTABLE}
    assert "one seed" in claim_by_number[1]["figure"]


def test_parameters_decide_what_is_a_control_and_none_counts(tmp_path):
    misleading = {"mnli-shuffled": {"tasks": ["mnli"]}, "mnli": {"tasks": ["mnli"], "labels": "shuffled"}}
    folder = tmp_path / "s"
    simulated.study(folder, arms=misleading, notebooks=False)
    findings = gather_findings(folder)
    assert findings.arms == ["mnli-shuffled"] and findings.controls == ["mnli"]
    assert {verdict.arm for verdict in findings.task_verdicts} == {"mnli-shuffled"}
    controls = {"a": OTHERS["odd"], "b": OTHERS["text"]}
    simulated.study(tmp_path / "only", arms=controls, notebooks=False)
    findings = gather_findings(tmp_path / "only")
    assert headline.headline(findings)[0] == "Not testable on this grid" and findings.arms == [""]
    assert {row["number"]: row["figure"] for row in claims.claim_rows(findings)}[9] == "none"


def test_a_seed_that_lacks_a_run_is_left_out_and_counted(tmp_path):
    skip = lambda seed, tokens, examples: (seed, examples) == (2, 0)  # noqa: E731
    claim_by_number = claims_of(tmp_path / "s", seeds=(0, 1, 2), skip=skip)
    assert "n = 2 seeds); 1 of 3 seeds lack one of its runs" in claim_by_number[1]["figure"]


def test_pairs_that_differ_in_more_than_the_contrast_are_named(tmp_path):
    two = {"tasks": ["mnli", "qqp"]}
    uniform, other = {"sampling": {"kind": "uniform"}}, {"sampling": {"kind": "proportional"}, "mlm_share": 0.2}
    claim_by_number = claims_of(tmp_path / "s", arms={"plain": two | uniform, "beside": two | other})
    assert (
        "plain and beside also differ in sampling" in claim_by_number[6]["why"] and "lacks" in claim_by_number[6]["why"]
    )


def test_a_claim_on_an_unlearnt_target_is_not_testable_and_names_it(tmp_path):
    at_chance = lambda task, *place: 0.0 if task == "sst" else level(task, *place)  # noqa: E731
    two = {"mnli": {"tasks": ["mnli"]}, "qqp": {"tasks": ["qqp"]}}
    alone, beside, without = (
        claims_of(tmp_path / "-".join(tasks), arms=two, tasks=tasks, truth=at_chance)[5]
        for tasks in (("sst",), ("sst", "udpos"), ("udpos",))
    )
    assert (alone["verdict"], alone["figure"], alone["why"]) == (claims.UNTESTABLE, "–", "target not learnt: sst")
    assert beside["verdict"] == claims.SUPPORTED and "target not learnt: sst" in beside["why"]
    assert beside["figure"] == without["figure"] and "not learnt" not in without["why"]


def test_an_arm_that_did_not_learn_its_task_tests_nothing(tmp_path):
    rows = claims_of(tmp_path / "s", unlearnt_arms=("squad", "qqp"))
    assert rows[5]["verdict"] == claims.SUPPORTED and "task not learnt: qqp, squad" in rows[5]["why"]
    # the mean over arms is that of a study without the two
    learnt = {name: arm for name, arm in (NINE | OTHERS).items() if name not in ("squad", "qqp")}
    assert rows[3]["figure"] == claims_of(tmp_path / "without", arms=learnt)[3]["figure"]
    # two of the best three stand for them, and the row says which is not there; one does not
    assert rows[1]["verdict"] == claims.SUPPORTED and "squad +" not in rows[1]["why"]
    assert "task not learnt: squad, qqp" in rows[1]["why"]
    two = {name: NINE[name] for name in ("squad", "mnli", "anli")}
    row = claims_of(tmp_path / "two", arms=two)[1]
    assert row["verdict"] == claims.SUPPORTED and "no arm of hellaswag" in row["why"]
    row = claims_of(tmp_path / "one", arms=two, unlearnt_arms=("mnli",))[1]
    assert row["verdict"] == claims.UNTESTABLE and "task not learnt: mnli" in row["why"]


def test_an_arm_is_compared_at_its_own_largest_size(tmp_path):
    """SQuAD ends at 64 examples, where it gains 0.02; the others go on to 256."""
    rising = lambda arm, task, seed, tokens, examples: {64: 0.02, 256: 0.1}[examples]  # noqa: E731
    claims_of(tmp_path / "s", arms=NINE, bonus=rising, examples=(0, 64, 256), tasks=("udpos",))
    for folder in (tmp_path / "s").glob("*/*-squad-i256-*"):
        shutil.rmtree(folder)
    row = rows_of(tmp_path / "s")[1]
    assert row["verdict"] == claims.CONTRADICTED and row["figure"].startswith("−2.67 points")  # a third of 2 − 10
    assert "squad +2.00 points" in row["why"] and "mnli +10.00 points" in row["why"]
    assert "the largest I differ: I = 256 for" in row["why"] and "; I = 64 for squad" in row["why"]


def test_pairs_that_share_training_data_do_not_decide(tmp_path):
    """XNLI trains on MNLI: a gain after MNLI may be more data of its own."""
    shared = lambda arm, task, *place: 0.3 if (arm, task) == ("mnli", "xnli") else -0.06  # noqa: E731
    two = {"mnli": {"tasks": ["mnli"]}, "qqp": {"tasks": ["qqp"]}}
    row = claims_of(tmp_path / "s", arms=two, bonus=shared, tasks=("xnli", "udpos"))[5]
    assert row["verdict"] == claims.CONTRADICTED and row["figure"].startswith("−6.00 points")
    assert "; with pairs that share training data: +7.00 points" in row["figure"]  # of 20 in XNLI and −6 in UDPOS
    row = claims_of(tmp_path / "alone", arms=two, bonus=shared, tasks=("xnli",))[5]
    assert row["verdict"] == claims.UNTESTABLE and row["figure"].startswith("with pairs that share training data: +20")
    assert "share no training data" in row["why"]


def test_the_best_arm_is_not_chosen_by_the_seed_that_it_is_reported_of(tmp_path):
    """In each seed another arm is above the rest by chance: none is the best in the other seeds."""
    lucky = {name: lambda seed, own=number: 0.1 if seed == own else -0.05 for number, name in enumerate(claims.NINE)}
    rows = claims_of(tmp_path / "s", arms=NINE, bonus=gains(**lucky), tasks=("udpos",))
    assert rows[5]["verdict"] == claims.CONTRADICTED and rows[5]["figure"].startswith("−5.00 points")


@pytest.mark.parametrize(
    ("alternative", "verdict"),
    [
        pytest.param(lambda seed: 0.05 + 0.004 * (seed - 1), claims.SUPPORTED, id="equal, tight noise"),
        pytest.param(lambda seed: 0.02, claims.SUPPORTED, id="clearly worse"),
        pytest.param(lambda seed: 0.12 + 0.004 * (seed - 1), claims.CONTRADICTED, id="clearly better"),
        pytest.param(lambda seed: 0.06 + 0.001 * (seed - 1), claims.CONTRADICTED, id="better by less than the margin"),
        pytest.param(lambda seed: 0.05 + 0.05 * (seed - 1), claims.UNDECIDED, id="equal, wide noise"),
    ],
)
def test_english_is_no_worse_where_the_interval_ends_below_the_margin(tmp_path, alternative, verdict):
    arms = {"qqp": {"tasks": ["qqp"]}, "beside": {"tasks": ["qqp"], "mlm_share": 0.2}}
    arms["spoken"] = {"tasks": ["qqp"], "languages": ["en", "de"]}
    bonus = gains(qqp=0.05, beside=alternative, spoken=0.05)
    row = claims_of(tmp_path / "s", arms=arms, bonus=bonus, tasks=("udpos", "tatoeba"))[6]
    assert row["verdict"] == verdict
    assert ("masked LM beside it is better than English alone" in row["why"]) == (verdict == claims.CONTRADICTED)
    assert ("less than the margin" in row["why"]) == (alternative(1) == 0.06)


def test_no_worse_takes_both_alternatives(tmp_path):
    arms = {"qqp": {"tasks": ["qqp"]}, "beside": {"tasks": ["qqp"], "mlm_share": 0.2}}
    row = claims_of(tmp_path / "s", arms=arms, bonus=gains(qqp=0.05, beside=0.02), tasks=("udpos",))[6]
    assert row["verdict"] == claims.UNDECIDED and "the grid lacks an arm with translated examples" in row["why"]
