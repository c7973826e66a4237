"""Cells: a study becomes ladders of runs, and a run's hash changes with all that can change its result, and with
nothing else."""

import json
import os
import subprocess
import sys
from itertools import pairwise

import pytest
from small_study import GOOD, grid, load

from xlt_utils import paths
from xlt_utils.formatting import short_size
from xlt_utils.records import run_hash
from xlt_utils.records.parameters import declared_parameters
from xlt_utils.records.record import write_record
from xlt_utils.study import cells


def hashes_of(grid):
    return {cell.slug: cell.hash for cell in grid}


def test_the_grid_holds_every_member_once(tmp_path):
    slugs = [cell.slug for cell in grid(tmp_path)]
    rungs = [f"s{seed}-p{tokens}" for seed in (0, 1) for tokens in ("0", "100k", "1.6M")]
    tuned = [f"{rung}-mnli-i{examples}" for rung in rungs for examples in ("512", "4096")]
    assert sorted(slugs) == sorted(rungs + tuned + [f"{slug}-3tasks" for slug in rungs + tuned])


def test_ladders_are_chains_and_inputs_stand_first(tmp_path):
    seen = {}
    for cell in grid(tmp_path):
        assert all(before.folder in seen for before in cell.inputs)
        seen[cell.folder] = cell
    rungs = [cell for cell in seen.values() if cell.phase == "pretrain" and cell.parameters["seed"] == 0]
    assert rungs[0].inputs == rungs[1].inputs == ()  # random weights are no trunk
    for below, above in pairwise(rungs[1:]):
        assert above.parameters["previous"] == below.folder and above.inputs == (below,)
    tuned = next(cell for cell in seen.values() if cell.slug == "s1-p100k-mnli-i4096")
    assert [source.slug for source in tuned.inputs] == ["s1-p100k", "s1-p100k-mnli-i512"]


def test_a_trunk_is_kept_where_a_rung_goes_on_from_it_and_a_rung_above_changes_no_hash(tmp_path):
    cells = grid(tmp_path)
    trained = [cell for cell in cells if cell.phase != "target"]
    below = {cell.parameters["previous"] for cell in trained} - {None}
    started = {cell.folder for cell in trained if cell.slug.endswith("-p0")}  # has taken no step, and so has no trunk
    assert {cell.folder for cell in trained if cell.parameters["rung_above"]} == below | started
    grown = hashes_of(grid(tmp_path, GOOD.replace("[512, 4096]", "[512, 4096, 8192]")))
    assert hashes_of(cells).items() <= grown.items()


def test_a_changed_setting_changes_what_depends_on_it_alone(tmp_path):
    before = hashes_of(grid(tmp_path))
    after = hashes_of(grid(tmp_path, GOOD.replace("[512, 4096]", "[512, 8192]")))
    assert {slug for slug in before if after.get(slug) != before[slug]} == {s for s in before if "i4096" in s}
    after = hashes_of(grid(tmp_path, GOOD + "  epochs: 3\n"))
    assert {slug for slug in before if after[slug] != before[slug]} == {s for s in before if s.endswith("3tasks")}
    after = hashes_of(grid(tmp_path, GOOD.replace("0, 100k", "0, 200k").replace("p100k", "p200k")))
    assert after["s0-p0"] == before["s0-p0"] and after["s0-p1.6M"] != before["s0-p1.6M"]  # its trunk is another


def test_names_and_places_change_no_hash_and_data_do(tmp_path):
    before = hashes_of(grid(tmp_path))
    assert hashes_of(grid(tmp_path, GOOD.replace("name: demo", "name: other"), data="elsewhere")) == before
    assert all(after != before[slug] for slug, after in hashes_of(grid(tmp_path, fingerprint="2")).items())


ARM = "[{name: mnli, tasks: [mnli]}]"
SCRATCH = "encoder: {layers: 2, width: 32, heads: 2, vocabulary: 1k}"


def test_a_checkpoint_is_what_it_holds_wherever_it_lies(tmp_path):
    def start(name, weights):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text("{}")
        (tmp_path / name / "model.safetensors").write_bytes(weights)
        return hashes_of(grid(tmp_path, GOOD.replace(SCRATCH, f"encoder: {{start: {tmp_path / name}}}")))

    first, moved, other = start("first", b"1"), start("moved", b"1"), start("other", b"2")
    assert first == moved and not set(first.values()) & set(other.values())


def test_an_arm_is_followed_by_the_targets_that_it_names(tmp_path):
    arms = "[{name: mnli, tasks: [mnli], targets: [xnli]}, {name: squad, tasks: [squad], targets: []}]"
    targets = [c for c in grid(tmp_path, GOOD.replace(ARM, arms)) if c.phase == "target"]
    tasks = {(c.parameters["checkpoint"].split("/")[-1][:-9], *c.parameters["tasks"]) for c in targets}
    assert ("s0-p0", "sst", "xnli", "udpos") in tasks and ("s0-p0-mnli-i512", "xnli") in tasks
    assert not any("squad" in checkpoint for checkpoint, *_ in tasks)


def test_a_target_cell_names_the_languages_of_its_own_tasks_that_differ(tmp_path):
    text = GOOD + "  languages: {xnli: [en, xa], udpos: [en, xa, xh]}\n  tasks_per_cell: 2\n"
    cells_ = [c.parameters for c in grid(tmp_path, text) if c.phase == "target"]
    assert len(cells_) == 18 * 2 and all(given["languages"] == ["en", "xa", "xh"] for given in cells_)
    languages = {tuple(given["tasks"]): given["task_languages"] for given in cells_}
    assert languages == {("sst", "xnli"): {"xnli": ["en", "xa"]}, ("udpos",): {}}


def test_only_the_trained_targets_without_intermediate_training_have_replicates(tmp_path):
    text = GOOD.replace("udpos]", "udpos, tatoeba]") + "  tasks_per_cell: 3\n"
    once, twice = (grid(tmp_path, f"{text}  baseline_replicates: {n}\n") for n in (1, 3))
    assert hashes_of(once).items() <= hashes_of(twice).items()  # and so replicate 0 is the run of a study without
    added = [cell for cell in twice if cell.slug not in hashes_of(once)]
    rungs = [f"s{seed}-p{tokens}" for seed in (0, 1) for tokens in ("0", "100k", "1.6M")]
    assert [cell.slug for cell in added] == [f"{rung}-3tasks-r{number}" for rung in rungs for number in (1, 2)]
    assert all(cell.parameters["tasks"] == ["sst", "xnli", "udpos"] for cell in added)
    assert len({cell.hash for cell in twice}) == len(twice)
    retrieval = GOOD.replace("[sst, xnli, udpos]", "[tatoeba]")
    assert hashes_of(grid(tmp_path, f"{retrieval}  baseline_replicates: 3\n")) == hashes_of(grid(tmp_path, retrieval))


def test_an_arm_has_the_rungs_that_it_names(tmp_path):
    arms = "[{name: mnli, tasks: [mnli]}, {name: small, tasks: [qqp], examples: [512]}]"
    tuned = [c.parameters for c in grid(tmp_path, GOOD.replace(ARM, arms)) if c.phase == "intermediate"]
    rungs = {arm: {given["examples"] for given in tuned if given["arm"] == arm} for arm in ("mnli", "small")}
    assert rungs == {"mnli": {512, 4096}, "small": {512}}


CONDITIONS = """[
    {name: mnli, tasks: [mnli]},
    {name: two, tasks: [mnli, qqp], sampling: {kind: temperature, cap: 4k, temperature: 2}, learning_rate: 1e-3},
    {name: beside, tasks: [mnli], mlm_share: 0.2},
    {name: alone, tasks: [], mlm_share: 1.0},
    {name: translated, tasks: [mnli], languages: [en, xa]},
    {name: shuffled, tasks: [mnli], labels: shuffled}]"""


def test_each_arm_gives_its_condition_to_its_cells(tmp_path):
    tuned = [c.parameters for c in grid(tmp_path, GOOD.replace(ARM, CONDITIONS)) if c.phase == "intermediate"]
    arms = {parameters["arm"]: parameters for parameters in tuned}
    data = {name: tuple(arms[name][field] for field in ("tasks", "languages", "labels")) for name in arms}
    assert data["mnli"] == (["mnli"], ["en"], "given") and data["shuffled"] == (["mnli"], ["en"], "shuffled")
    assert data["translated"] == (["mnli"], ["en", "xa"], "given")
    assert arms["two"]["sampling"] == {"kind": "temperature", "cap": 4000, "temperature": 2.0}
    assert (arms["two"]["learning_rate"], arms["mnli"]["learning_rate"]) == (1e-3, 5e-4)
    text = {name: (arms[name]["mlm_share"], arms[name]["mlm_languages"]) for name in ("mnli", "beside", "alone")}
    assert text == {"mnli": (0.0, []), "beside": (0.2, ["en", "xa", "xh"]), "alone": (1.0, ["en"])}


def test_only_rungs_that_share_their_steps_go_on_from_each_other(tmp_path):
    def linked(*changes):
        text = GOOD
        for old, new in changes:
            text = text.replace(old, new)
        return {c.phase for c in grid(tmp_path, text) if c.parameters.get("previous")}

    assert linked() == {"pretrain", "intermediate"}
    assert linked(("pretrain:", "pretrain:\n  schedule: independent")) == {"intermediate"}
    assert linked(("pretrain:", "pretrain:\n  arm: repeated")) == {"intermediate"}
    assert linked(("intermediate:", "intermediate:\n  epochs: 3")) == {"pretrain"}


def test_the_repeated_arm_takes_the_largest_rungs_steps_over_each_rungs_own_tokens(tmp_path):
    cells_ = grid(tmp_path, GOOD.replace("pretrain:", "pretrain:\n  arm: repeated"))
    rungs = [(c.parameters["tokens"], c.parameters["seen"]) for c in cells_ if c.phase == "pretrain"]
    assert rungs[:3] == [(0, None), (100_000, 1_600_000), (1_600_000, 1_600_000)]


def test_ready_checkpoints_are_a_ladder_too(tmp_path):
    ladder = f"{SCRATCH}\n  tokens: [0, 100k, 1.6M]"
    ready = "checkpoints: [{start: a/one, tokens: 1G}, {start: a/two@main, tokens: 6.3G, pooling: mean}]"
    rungs = [
        c for c in grid(tmp_path, GOOD.replace(ladder, ready)) if c.phase == "pretrain" and c.parameters["seed"] == 0
    ]
    assert [c.slug for c in rungs] == ["s0-p1G", "s0-p6.3G"]
    sizes = [(c.parameters["start"], c.parameters["before"], c.parameters["tokens"]) for c in rungs]
    assert sizes == [("a/one", 10**9, 0), ("a/two@main", 63 * 10**8, 0)]
    assert [c.parameters["pooling"] for c in rungs] == [None, "mean"] and not any(c.inputs for c in rungs)


def test_a_tasks_own_settings_reach_its_cells_alone(tmp_path):
    text = GOOD.replace("intermediate:\n", "intermediate:\n  settings: {mnli: {length: 77}}\n")
    cells_ = grid(tmp_path, text + "  settings: {sst: {epochs: 9}}\n  perturbations: [typos]\n")
    tuned = [c.parameters for c in cells_ if c.phase == "intermediate"]
    assert all(given["settings"] == {"mnli": {"length": 77}} and given["length"] == 128 for given in tuned)
    targets = [c.parameters for c in cells_ if c.phase == "target"]
    assert all(given["settings"] == {"sst": {"epochs": 9}} and given["length"] == 128 for given in targets)
    assert targets[0]["perturbations"] == [["typos", 0.05], ["typos", 0.1], ["typos", 0.2]]


def test_the_hash_is_the_same_in_another_process_and_order():
    parameters = {"seed": 0, "rate": 1e-4, "names": ["a"], "out": "x"}
    turned = {"out": "y", "names": ["a"], "rate": 0.0001, "seed": 0}
    assert run_hash.hash_run("target", parameters, "c", "d", []) == run_hash.hash_run("target", turned, "c", "d", [])
    code = f"from xlt_utils.records import run_hash; print(run_hash.hash_run('target', {turned}, 'c', 'd', []))"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=os.environ)
    assert other.stdout.strip() == run_hash.hash_run("target", parameters, "c", "d", [])


@pytest.mark.parametrize("number", range(3))
def test_a_cell_gives_its_notebook_all_parameters_and_no_other(tmp_path, number):
    phase = paths.PHASES[number]
    declared = declared_parameters(paths.ROOT / "notebooks" / f"0{number + 1}_{phase}.ipynb")
    for cell in grid(tmp_path):
        if cell.phase == phase:
            assert set(cell.parameters) == set(declared)


def test_params_are_written_once(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "RUNS", tmp_path / "runs")
    cell = grid(tmp_path)[1]
    path = cells.write_params(cell)
    before = path.stat().st_mtime_ns
    assert cells.write_params(cell) == path and path.stat().st_mtime_ns == before
    content = json.loads(path.read_text())
    assert content["parameters"]["out"] == str(path.parent) and content["cell"] == path.parent.name


def test_the_report_depends_on_the_records_and_on_what_is_missing(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "RUNS", tmp_path / "runs")
    study, everything = load(tmp_path), grid(tmp_path)
    monkeypatch.setattr(paths, "notebook", lambda phase: "notebooks/01_pretrain.ipynb")
    written = everything[0]
    cells.write_params(written)
    write_record(written.folder, written.phase, written.parameters)
    first = cells.report_cell(study, everything, set())
    assert first.parameters["cells"] == [written.folder] and len(first.parameters["missing"]) == len(everything) - 1
    failed = cells.report_cell(study, everything, {everything[1].folder})
    assert [everything[1].folder, "failed"] in failed.parameters["missing"] and failed.hash != first.hash
    write_record(written.folder, written.phase, written.parameters, device="another")
    assert cells.report_cell(study, everything, set()).hash != first.hash


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0"), (999, "999"), (1500, "1.5k"), (12_345, "12345"), (1_600_000, "1.6M"), (10**9, "1G")]
)
def test_short(size, text):
    assert short_size(size) == text
