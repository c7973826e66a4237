"""A study through the hub, with the hub's real clients against a server on loopback that speaks its interface: what is
taken is pinned and recorded, everything after it works without the hub, and nothing moves unless it is asked to."""

import json
import re
import shutil
from pathlib import Path

import hub_server
import hub_world
import pytest

from xlt_utils.data.tasks import TASKS
from xlt_utils.study.study_file import load_study

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def study(commands):
    file = commands.folder / "study.yaml"
    file.write_text(hub_world.STUDY)
    return file


def ask(hub, commands, *words, **options):
    """A command's answer, and the requests that it made."""
    hub.requests.clear()
    answer = commands.run(*words, **options)
    return answer, sum(hub.requests.values())


def test_a_study_runs_through_the_hub_and_then_without_it(hub, commands, study):
    answer, requests = ask(hub, commands, "check", study.name)
    assert answer.code == 0 and "no fault found in the file and in what the hub says" in answer.said
    assert requests <= 20 and not any("resolve" in path for path in hub.requests)

    ran = commands.run("run", study.name)
    assert ran.code == 0 and "4 of 4 cells done" in ran.said, ran.said
    records = [json.loads(file.read_text()) for file in commands.folder.glob("runs/through-hub/*/*/record.json")]
    commits = hub_world.commits(study)
    read = {"pretrain": {hub_world.WIKIPEDIA, "FacebookAI/xlm-roberta-base"}, "target": {"google/xtreme"}}
    read["intermediate"] = {"nyu-mll/multi_nli"}
    for record in (record for record in records if record["phase"] in read):
        held = record["commits"]
        assert read[record["phase"]] <= set(held)
        assert all(commit in (commits.get(name), commits.get(f"{name}@main")) for name, commit in held.items())

    hub.faults.append(hub_server.Fault("cut", "/"))  # the server is gone
    for words, expected in (
        (["check"], "no fault found"),
        (["run"], "4 of 4"),
        (["status"], "target              2        0        2"),
        (["report"], "index"),
    ):
        answer, requests = ask(hub, commands, *words, study.name)
        assert answer.code == 0 and expected in answer.said and not requests, answer.said

    (commands.folder / "hub").rename(commands.folder / "elsewhere")  # and so are the snapshots
    for words, expected in ((["run"], "4 of 4"), (["status"], "target              2        0        2")):
        answer, requests = ask(hub, commands, *words, study.name)
        assert answer.code == 0 and expected in answer.said and not requests, answer.said
    (commands.folder / "elsewhere").rename(commands.folder / "hub")


def test_the_tests_that_the_text_was_compared_with_are_on_record(commands):
    (file,) = commands.folder.glob("runs/through-hub/pretrain/*/record.json")
    compared = json.loads(file.read_text())["facts"]["tests that the text was compared with"]
    assert compared["google/xtreme, config tatoeba.{iso3}, split validation"]["read"] == 2
    assert compared["cardiffnlp/tweet_sentiment_multilingual, config {lower_name}, split test"]["read"] == 3
    assert compared["google/xtreme, config udpos.{ud_name}, split test"]["passed over"] > 100


def test_the_token_is_used_and_written_nowhere(hub, commands):
    assert {host for host, _ in hub.tokens} == {"127.0.0.1"}  # never sent to where large files lie
    assert {token for _, token in hub.tokens} == {hub_server.TOKEN}
    files = [file for file in commands.folder.rglob("*") if file.is_file() and not file.is_symlink()]
    assert len(files) > 100
    assert not [file for file in files if hub_server.TOKEN.encode() in file.read_bytes()]


def test_the_lock_names_commits_sizes_licences_and_what_was_taken(hub, commands, study):
    lock = json.loads(study.with_suffix(".lock.json").read_text())
    model = lock["models"]["FacebookAI/xlm-roberta-base@main"]
    assert model["license"] == "mit" and not set(model["files"]) & set(hub_world.NEVER_READ)
    assert lock["text"][0]["license"] == "cc-by-sa-3.0, gfdl"
    tweets = lock["datasets"]["cardiffnlp/tweet_sentiment_multilingual"]
    assert tweets["revision"] == hub_world.CONVERTED and "README.md" not in tweets["files"]
    content = hub.repository("datasets", "nyu-mll/multi_nli").commits[lock["datasets"]["nyu-mll/multi_nli"]["commit"]]
    for name, row in lock["datasets"]["nyu-mll/multi_nli"]["files"].items():
        assert row["sha256"] == hub_server.oids(name, content[name])["sha256"] and row["size"] == len(content[name])


def test_doctor_names_what_is_damaged_of_the_snapshots_and_how_to_mend_it(hub, commands, study):
    hub.faults.clear()
    (weights,) = commands.folder.glob("hub/models--*/snapshots/*/model-00001-*.safetensors")
    (text,) = commands.folder.glob("hub/text/*/*/20231101.xh-*.parquet")
    for file in (weights, text):
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 1  # as long as before
        file.write_bytes(content)
    answer = commands.run("doctor", study.name)
    assert answer.code == 65 and "2 faults found" in answer.said, answer.said
    assert all(f"{file}: not the bytes of the sha256" in answer.said for file in (weights, text))
    for place in re.findall(r"  delete (.+) and repeat `xlt mirror`", answer.said):
        Path(place).unlink()
    assert commands.run("mirror", study.name).code == 0
    answer = commands.run("doctor", study.name)
    assert answer.code == 0 and "0 faults found" in answer.said, answer.said


def test_nothing_moves_until_it_is_asked_to(hub, commands, study, world):
    hub.faults.clear()
    before = hub_world.commits(study)
    repository = hub.repository("datasets", "google/xtreme")
    files = repository.commits[repository.refs["main"]]
    repository.commit(files | {"README.md": files["README.md"] + b"\nProse that says more.\n"})
    moved = hub_world.put_text(hub, world, ["en", "xa", "xh"], planted="Something new.")

    answer, requests = ask(hub, commands, "status", study.name)
    assert "missing" not in answer.said.partition("\n")[2] and not requests
    answer = commands.run("mirror", study.name)
    assert answer.code == 0 and f"main has moved from {before[hub_world.WIKIPEDIA][:12]} to {moved[:12]}" in answer.said
    assert hub_world.commits(study) == before

    answer = commands.run("mirror", study.name, "--update")
    assert answer.code == 0 and "google/xtreme: main has moved" in answer.said and "kept" in answer.said, answer.said
    after = hub_world.commits(study)
    assert after[hub_world.WIKIPEDIA] == moved
    assert {name for name in after if after[name] != before[name]} == {hub_world.WIKIPEDIA}
    answer = commands.run("run", study.name, "--dry-run")
    assert "4 of 4 cells would run" in answer.said  # the text is in every hash: all cells go on from its encoder


def test_a_mirror_is_a_folder_that_can_be_carried(commands, study, tmp_path):
    answer = commands.run("mirror", study.name, str(tmp_path / "snapshots"))
    assert answer.code == 0 and json.loads(study.with_suffix(".lock.json").read_text())["folder"] == str(
        tmp_path / "snapshots"
    )
    shutil.move(tmp_path / "snapshots", commands.folder / "carried")
    hub_folder = commands.folder / "hub"
    shutil.rmtree(hub_folder)
    (commands.folder / "carried").rename(hub_folder)  # the file names a folder of another machine: hub/ stands for it
    answer = commands.run("run", study.name, "--dry-run")
    assert answer.code == 0 and "4 of 4 cells would run" in answer.said


def test_the_parent_studys_file_is_checked_in_a_hundred_requests(hub, commands, study):
    """Of every id that it names, the hub has the configs, and no file is asked for."""
    from xlt_utils.study.wanted import wanted_checkpoints, wanted_sets, wanted_text

    for number, name in enumerate(("xlmr-base", "xlmr-large")):
        file = hub_world.paths.ROOT / "params" / f"{name}.yaml"
        parent = load_study(file)
        kept = dict(hub.repositories)
        for dataset, wanted in wanted_sets(parent).items():
            sources = [s for t in TASKS.values() for p in (t.train, t.translated, t.development, t.test) for s in p]
            splits = {split.split for s in sources for split in (s, s.instead or s) if s.dataset == dataset}
            hub_world.put_card(hub, dataset, sorted(wanted.configs), sorted(splits), wanted.revision)
        for source in wanted_text(parent):
            configs = [source.config.format(code=code) for code in parent.languages]
            hub_world.put_card(hub, source.dataset, configs, ["train"], source.revision or "main")
        for checkpoint in wanted_checkpoints(parent):
            hub.repository("models", checkpoint.name).commit({"config.json": b"{}", "model.safetensors": b""})
        copy = commands.folder / f"parent-{number}.yaml"
        shutil.copy(file, copy)
        answer, requests = ask(hub, commands, "check", copy.name)
        assert answer.code == 0 and 10 < requests <= 100, (requests, answer.said)
        assert not any("resolve" in path for path in hub.requests)
        hub.repositories.clear()
        hub.repositories.update(kept)
