import simulated
from figure_studies import rising_study
from report_studies import ARMS

from xlt_utils.analysis import transfer_scores
from xlt_utils.reporting.figures import grid
from xlt_utils.reporting.findings import gather_findings


def hatched(figure) -> list[tuple[float, float]]:
    return [patch.get_xy() for axes in figure.drawing.axes for patch in axes.patches if patch.get_hatch()]


def texts_of(figure) -> list[str]:
    return [text.get_text() for axes in figure.drawing.axes for text in axes.texts]


def test_missing_cells_are_hatched_and_counted(gappy_findings):
    figure = grid.score_surface(gappy_findings.zero_shot, "mnli")
    axes = next(axes for axes in figure.drawing.axes if axes.get_title() == "udpos")
    places = [patch.get_xy() for patch in axes.patches if patch.get_hatch()]
    assert places == [(0, 1)]  # first rung of P, middle one of I
    assert "4 of 36 cells lack seeds" in figure.caption  # one for each target, the mean of the trained ones too


def test_a_mean_over_some_of_the_seeds_says_so(tmp_path):
    simulated.study(tmp_path / "s", notebooks=False, skip=lambda seed, p, i: (seed, p, i) == (1, 0, 0))
    figure = grid.score_surface(gather_findings(tmp_path / "s").zero_shot, "mnli")
    assert any("1 of 2" in text for text in texts_of(figure))


def test_rungs_are_categories_and_every_seed_is_a_dot(gappy_findings):
    axes = grid.scaling_curves(gappy_findings.zero_shot, "tokens", "mnli").drawing.axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["0", "100k", "1.6M"]
    dots = [line for line in axes.lines if line.get_linestyle() == "None"]
    assert sum(len(line.get_xdata()) for line in dots) == 2 * 3 * 3 - 2  # seeds, P, I, less the missing cell's


def test_titles_follow_the_data(tmp_path):
    def falling(task, language, seed, tokens, examples):
        return 0.5 - 0.2 * (tokens > 0)

    simulated.study(tmp_path / "s", notebooks=False, truth=falling)
    figure = grid.scaling_curves(gather_findings(tmp_path / "s").zero_shot, "tokens", "mnli")
    assert figure.title == "Mean change from P = 0 to 1.6M: udpos −0.20, tatoeba −0.20, sst −0.20"


def test_without_a_run_at_no_intermediate_examples_there_is_no_gain(tmp_path):
    simulated.study(tmp_path / "s", notebooks=False, examples=(256, 4096))
    assert grid.gain_curves(gather_findings(tmp_path / "s").gains, "mnli").title == "No run to compare"


def test_the_gain_map_stars_what_stays_after_the_correction(rising_findings):
    figure = grid.gain_map(rising_findings.gain_table, "mnli")
    table = rising_findings.gain_table[rising_findings.gain_table["arm"] == "mnli"]
    n_starred = sum("*" in text for text in texts_of(figure))
    assert n_starred == (table["corrected"] < 0.05).sum() > 0
    single = table[~table["target"].isin(transfer_scores.MEANS.values())]
    counts = f"{(single['corrected'] < 0.05).sum()} of {len(single)} gains"
    assert figure.title == f"mnli: {counts} differ from 0 after correction for their number"
    assert f"Above 0: {(single['gain'] > 0).sum()} of {len(single)} gains" in figure.caption


def test_half_a_study_is_hatched_and_counted(tmp_path):
    findings = rising_study(tmp_path / "s", skip=lambda seed, p, i: i == 4096 and p == 0)
    figure = grid.completeness(findings.zero_shot, findings.missing_coordinates)
    assert figure.title == "9 of 120 places are incomplete"
    assert len(hatched(figure)) == 3 and "0 of 3" in texts_of(figure)
    assert hatched(grid.gain_map(findings.gain_table, "mnli"))


def test_a_whole_study_is_complete(rising_findings):
    figure = grid.completeness(rising_findings.zero_shot)
    assert figure.title == "Every place of the grid is complete" and not hatched(figure)


def test_only_targets_that_the_study_tests_after_an_arm_are_asked_for(tmp_path):
    """Every arm precedes tatoeba alone; one of its runs has failed."""
    findings = rising_study(tmp_path / "s", skip=lambda seed, p, i: (seed, p, i) == (0, 0, 4096))
    runs = findings.zero_shot[(findings.zero_shot["arm"] == "") | (findings.zero_shot["target"] == "tatoeba")]
    missing = [{"seed": 0, "tokens": 0, "arm": arm, "examples": 4096, "targets": ["tatoeba"]} for arm in ARMS]
    complete = grid.completeness(runs, missing)
    assert complete.title == "3 of 120 places are incomplete" and "2 of 3" in texts_of(complete)
    surface = grid.score_surface(runs, "mnli", missing)
    assert [axes.get_title() for axes in surface.drawing.axes] == ["tatoeba"]
    assert "1 of 16 cells lack seeds" in surface.caption
    along_examples, along_tokens = (grid.scaling_curves(runs, axis, "mnli") for axis in ("examples", "tokens"))
    assert [axes.get_title() for axes in along_examples.drawing.axes] == ["tatoeba"]
    assert set(along_tokens.data["target"]) == set(runs["target"])  # I = 0 says what P does for the others
    # of three seeds each, four rungs of I for tatoeba and one for the other targets and their mean
    assert "over 20 of 21 single-seed lines" in along_tokens.caption


def test_one_seed_has_no_test_of_a_gain(tmp_path):
    findings = rising_study(tmp_path / "s", seeds=(0,))
    assert "none with the seeds that a test needs" in grid.gain_map(findings.gain_table, "mnli").title


def test_a_study_without_intermediate_training_has_no_line_over_i(tmp_path):
    findings = rising_study(tmp_path / "s", examples=(0,))
    assert grid.scaling_curves(findings.zero_shot, "examples").title.startswith(
        "No line that counts has both ends of I"
    )


def test_what_was_not_learnt_is_pale_and_enters_no_title(tmp_path):
    """sst stays at its zero point in English; the others rise by 0.2 with P."""

    def truth(task, language, seed, tokens, examples):
        return 0.0 if task == "sst" else 0.5 + 0.2 * (tokens > 0)

    simulated.study(tmp_path / "s", notebooks=False, truth=truth)
    runs = gather_findings(tmp_path / "s").zero_shot
    curves, surface = grid.scaling_curves(runs, "tokens", "mnli"), grid.score_surface(runs, "mnli")
    assert curves.title == "Mean change from P = 0 to 1.6M: udpos +0.20, tatoeba +0.20"
    assert surface.title == "Zero-shot scores by P and I (mnli): 18 of 27 cells count, the others were not learnt"
    for figure in (curves, surface):
        assert "sst (not learnt)" in [axes.get_title() for axes in figure.drawing.axes] and "Pale" in figure.caption
