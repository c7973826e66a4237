import simulated
from report_studies import HOSTILE, write_target_run

from xlt_utils.data import loading
from xlt_utils.data.tasks import TASKS
from xlt_utils.reporting import left_out
from xlt_utils.reporting.findings import gather_findings


def test_what_was_left_out_is_counted_once_however_many_runs_read_it(tmp_path):
    folder = tmp_path / "s"
    reads = {
        "sst": {
            "en": {"dropped": {"labelled neutral": 1190}, "read": []},
            "de": {"dropped": {"labelled neutral": 9}},
            "es": {},
        }
    }
    for seed in (0, 1):
        for tokens, lines in ((1000, {"en": 99}), (2000, {"en": 3, "de": 0, "es": 0})):
            place = {"seed": seed, "tokens": tokens, "arm": None, "examples": 0}
            facts = {"contaminated lines": lines}
            run = folder / f"pretrain/s{seed}-p{tokens}-aaaaaaaa"
            simulated.run(run, "pretrain", {"study": "s"}, place, notebooks=False, facts=facts)
            parts = {"anli": {"dropped": {"labelled -1": 29}, "read": []}, "mnli.de": {"dropped": {"empty": 2}}}
            parameters = {"study": "s", "arm": "anli", "tasks": ["anli"]}
            run = folder / f"intermediate/s{seed}-p{tokens}-bbbbbbbb"
            simulated.run(run, "intermediate", parameters, place, notebooks=False, facts={"parts": parts})
            write_target_run(folder, seed, tokens, "sst", facts={"read": reads})
    findings = gather_findings(folder)
    assert left_out.contaminated_lines(findings).to_numpy().tolist() == [["2k", 3, "en"], ["2k", 0, "de, es"]]
    assert left_out.dropped_examples(findings).to_numpy().tolist() == [
        ["anli", "train", "labelled -1", "29 in en"],
        ["mnli", "translated", "empty", "2 in de"],
        ["sst", "test", "labelled neutral", "1,190 in en; 9 in de"],
    ]
    assert left_out.count_silent_records(findings) == 0
    write_target_run(folder, 0, 3000)
    assert left_out.count_silent_records(gather_findings(folder)) == 1


def test_a_split_that_stands_in_for_another_is_named(tmp_path):
    (source,) = TASKS["mlqa"].test
    read = {language: {"read": [loading.describe_split(source.instead, "x", language)]} for language in ("en", "de")}
    read["es"] = {"read": [loading.describe_split(source, "x", "es")]}
    reason = f"no labels {HOSTILE}"
    facts = {"read": {"mlqa": read | {"development": {"withheld": reason}}, "odd": {"en": {"read": ["y"]}}}}
    write_target_run(tmp_path / "s", facts=facts)
    findings = gather_findings(tmp_path / "s")
    instead = [source.instead.place, source.place, "en, de"]
    assert left_out.stand_in_splits(findings).to_numpy().tolist() == [["mlqa", "test", *instead]]
    assert left_out.withheld_labels(findings).to_numpy().tolist() == [["mlqa", reason]]


def test_the_first_splits_of_every_task_are_no_stand_ins(tmp_path):
    read = {
        name: {"de": {"read": [loading.describe_split(source, "x", "de") for source in task.test]}}
        for name, task in TASKS.items()
        if task.test
    }
    write_target_run(tmp_path / "s", facts={"read": read})
    assert not len(left_out.stand_in_splits(gather_findings(tmp_path / "s")))
