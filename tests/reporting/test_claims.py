import pytest
import simulated

from xlt_utils.reporting import claims, sentences
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


def claims_of(folder, **changes) -> dict[int, dict]:
    """The rows by number, of a study in which the parent study is right, with changes."""
    study = {"arms": NINE | OTHERS, "bonus": parent, "seeds": (0, 1, 2), "tasks": TARGETS, "truth": level}
    study |= {"tokens": (1000,), "examples": (0, 256), "languages": ("en", "de", "fr"), "notebooks": False}
    simulated.study(folder, **study | changes)
    return {row["number"]: row for row in claims.claim_rows(gather_findings(folder))}


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


def test_the_figures_are_those_of_the_truth(claim_by_number):
    # 0.075 is the mean of the three, 0.01 that of the others, 1.02 the mean of the seeds' factors
    assert claim_by_number[1]["figure"].startswith("+0.066")
    assert claim_by_number[3]["figure"].startswith("+0.21")  # 0.2 − the mean of −0.08, 0.05 and 0
    assert claim_by_number[4]["figure"].startswith("+0.13")
    assert (
        "masked LM beside it: +0.046" in claim_by_number[6]["figure"]
        and "translated examples: +0.036" in claim_by_number[6]["figure"]
    )


def test_the_contrary_study_contradicts_them(tmp_path):
    verdicts = {number: row["verdict"] for number, row in claims_of(tmp_path / "s", bonus=contrary).items()}
    # the best task for each target still gains a little in some of them
    assert {verdicts[number] for number in (1, 2, 3, 4, 6)} == {claims.CONTRADICTED}


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
    assert sentences.headline(findings)[0] == "Not testable on this grid" and findings.arms == [""]
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
