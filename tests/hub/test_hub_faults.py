"""What goes wrong with a hub, on a real server and in the real clients: one sentence each, tried again where that
helps, and what was taken stays. Checkpoints at revisions and in subfolders are taken as they lie."""

import json
import os
import re

import hub_server
import hub_world
import pytest
from hub_server import Fault

pytestmark = pytest.mark.slow
SMALL = """name: small
data: hub
languages: [en, xa, xh]
seeds: [0]
pretrain: {encoder: {start: FacebookAI/xlm-roberta-base}, tokens: [0]}
intermediate: {examples: [64], arms: [], warmup: 0}
target: {tasks: [tatoeba], evaluation_examples: 40}
"""
SET, FILE = "/api/datasets/google/xtreme", "/blobs/"


@pytest.fixture
def mirror(hub, commands, tmp_path):
    """Take a study into a folder of its own, with faults planted."""

    def mirror(*faults: Fault, text=SMALL, folder=None, **options):
        (tmp_path / "study.yaml").write_text(text)
        hub.faults[:] = faults
        hub.requests.clear()
        try:
            return commands.run("mirror", str(tmp_path / "study.yaml"), str(folder or tmp_path / "hub"), **options)
        finally:
            hub.faults.clear()

    return mirror


def is_one_sentence(answer) -> bool:
    """Whether a command refused with one line beside those of its progress, and without an address or a header."""
    lines = [line for line in answer.said.splitlines() if not re.search(r"\d+ files, |lines, commit", line)]
    return answer.code == 65 and len(lines) == 1 and "Traceback" not in answer.said and "resolve/" not in answer.said


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault(401, SET), "google/xtreme: gated: accept its terms at http://127.0.0.1"),
        (Fault(404, SET), "google/xtreme: http.* has no such (file or )?repository"),
        (Fault(429, SET), r"google/xtreme: http.* answers 429, too many requests \(tried 3 times in \d+ s\)"),
        (
            Fault(503, SET),
            r"google/xtreme: http.* answers 503, unavailable \(tried 3 times in \d+ s\); the same command",
        ),
        (Fault("cut", SET), r"google/xtreme: the connection to http.* was cut \(tried 3 times"),
        (Fault("half", FILE), r"google/xtreme: http.* gave half a file \(tried 3 times"),
        (Fault("slow", "/resolve/"), r"google/xtreme: http.* is too slow: no answer in time .*\(tried 3 times"),
    ],
    ids=lambda value: str(value.what) if isinstance(value, Fault) else "",
)
def test_what_does_not_pass_is_one_sentence(mirror, fault, expected):
    answer = mirror(fault)
    assert is_one_sentence(answer) and re.search(expected, answer.said), answer.said


@pytest.mark.parametrize(
    "fault",
    [
        Fault(429, SET, 2),
        Fault(503, "/resolve/", 1),
        Fault("cut", SET, 1),
        Fault("cut", FILE, 1),
        Fault("half", FILE, 1),
    ],
    ids=lambda fault: f"{fault.what} {fault.where}",
)
def test_what_passes_is_tried_again(mirror, hub, fault):
    before = fault.times
    answer = mirror(fault)
    assert answer.code == 0 and fault.times == 0 < before, answer.said


def test_what_was_taken_stays_and_is_not_asked_for_again(mirror, hub):
    refused = mirror(Fault(503, "/api/models/"))
    assert is_one_sentence(refused) and any("google/xtreme" in path for path in hub.requests)
    assert mirror().code == 0 and not any("google/xtreme" in path for path in hub.requests)


def test_a_file_that_was_damaged_on_its_way_is_refused_and_fetched_again(mirror, hub, monkeypatch):
    honest = hub.blobs
    monkeypatch.setattr(hub, "blobs", Damaged(honest))
    answer = mirror()
    assert answer.code == 65 and "did not come as the hub states them: removed" in answer.said
    monkeypatch.setattr(hub, "blobs", honest)
    assert mirror().code == 0


class Damaged(dict):
    """Files of which a bit is turned on their way."""

    def __getitem__(self, name):
        content = super().__getitem__(name)
        return content[:-1] + bytes([content[-1] ^ 1])


def test_a_gated_set_needs_a_login_and_is_taken_with_one(mirror, hub):
    hub.repository("datasets", "google/xtreme").gated = True
    try:
        answer = mirror(token=False)
        assert is_one_sentence(answer) and "gated: accept its terms" in answer.said, answer.said
        assert mirror().code == 0
    finally:
        hub.repository("datasets", "google/xtreme").gated = False


def test_a_disk_that_refuses_is_named(mirror, tmp_path):
    (tmp_path / "file").write_text("no folder")
    answer = mirror(folder=tmp_path / "file" / "below")
    assert answer.code == 65 and "Not a directory; mend that and repeat the command" in answer.said, answer.said


def test_offline_without_a_snapshot_is_one_sentence(hub, tmp_path):
    (tmp_path / "study.yaml").write_text(SMALL)
    commands = hub_world.Commands(hub.url, tmp_path, HF_HUB_OFFLINE="1")
    hub.requests.clear()
    answer = commands.run("run", "study.yaml")
    commands.close()
    assert is_one_sentence(answer) and "there is no snapshot here, and HF_HUB_OFFLINE forbids to ask" in answer.said
    assert not hub.requests


def test_a_revision_that_is_not_there_and_a_loading_script_are_named(mirror):
    answer = mirror(text=SMALL + "revisions: {google/xtreme: v9}\n")
    assert is_one_sentence(answer) and "has no revision 'v9' of it" in answer.said
    script = SMALL.replace("arms: []", "arms: [{name: h, tasks: [hellaswag]}]")
    answer = mirror(text=script + "revisions: {Rowan/hellaswag: main}\n")
    assert is_one_sentence(answer)
    assert (
        "a loading script alone" in answer.said and "revisions: {Rowan/hellaswag: refs/convert/parquet}" in answer.said
    )


LADDER = """name: ladder
data: microworld
languages: [en, xa, xh]
seeds: [0]
microworld: {sentences: 6k}
pretrain:
  checkpoints:
    - {start: someone/ladder@early, tokens: 1k}
    - {start: someone/ladder, subfolder: step-2, tokens: 2k}
    - {start: someone/ladder, subfolder: seed-0/step-3, tokens: 4k}
intermediate: {examples: [64], arms: [], warmup: 0}
target: {tasks: [udpos], examples: 64}
"""


def test_a_ladder_of_revisions_and_subfolders_is_taken_as_it_lies(mirror, hub, commands, checkpoint, tmp_path):
    files = hub_server.folder_files(checkpoint)
    tokenizer = {name: content for name, content in files.items() if "token" in name}
    rest = {name: content for name, content in files.items() if name not in tokenizer}
    later = {f"step-2/{name}": content for name, content in rest.items()}
    later |= {f"seed-0/step-{step}/{name}": content for step in (3, 4) for name, content in rest.items()}
    repository = hub.repository("models", "someone/ladder")
    commits = repository.commit(files, "early"), repository.commit(tokenizer | later)
    answer = mirror(text=LADDER)
    assert answer.code == 0, answer.said
    lock = json.loads((tmp_path / "study.lock.json").read_text())["models"]
    assert [lock[f"someone/ladder@{ref}"]["commit"] for ref in ("early", "main")] == list(commits)
    assert not [name for name in lock["someone/ladder@main"]["files"] if "step-4" in name]
    hub.requests.clear()
    answer = commands.run("check", str(tmp_path / "study.yaml"))
    assert answer.code == 0 and not hub.requests, answer.said
    answer = mirror(text=LADDER.replace("seed-0/step-3", "step-5"))
    assert is_one_sentence(answer) and "no folder 'step-5'; did you mean `step-" in answer.said
    assert os.listdir(tmp_path / "hub")
