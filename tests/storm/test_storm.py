"""A storm: a study is killed at random moments, its parts by turns, until it has had enough, and then left alone. It
ends as the study that nobody touched: no process, no temporary file, the same values, the same words. `make storm`
runs it; STORM_KILLS says how often it kills, STORM_SEED when."""

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
import psutil
import pytest
from machine import Machine
from processes import processes_of, wait

from xlt_utils.records.record import read_record

KILLS, SEED = (int(os.environ.get(name, default)) for name, default in (("STORM_KILLS", 40), ("STORM_SEED", 0)))
KILLS_A_STUDY = 14  # then the next study is begun: one that was killed at every step has little left to do
NUMBERS = (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
HALVES = (".*.json.*", "*.half", "*.before", "*.damaged", "last*", "best*", ".tiny-*")
STUDY = ("tokens: [0]", "tokens: [0, 60k]")


@pytest.mark.storm
def test_a_study_that_is_killed_at_random_ends_as_one_that_is_not(tmp_path):
    unbroken = Machine(tmp_path / "unbroken")
    unbroken.xlt("run", unbroken.study("[0]", STUDY))
    draw, killed = random.Random(SEED), 0
    while killed < KILLS:
        machine = Machine(tmp_path / f"after {killed}")
        study = machine.study("[0]", STUDY)
        temporary = Path(tempfile.mkdtemp(prefix="storm-", dir="/tmp"))  # short, for sockets
        for _ in range(min(KILLS_A_STUDY, KILLS - killed)):
            killed += strike(machine, study, temporary, draw)
        machine.xlt("run", study)
        assert processes_of(machine.folder / "runs", "XLT_RUNS") == []
        assert [path for pattern in HALVES for path in (machine.folder / "runs" / "tiny").rglob(pattern)] == []
        assert [*machine.published.parent.glob(".*")] == [] and [*temporary.glob("xlt-*")] == []
        pd.testing.assert_frame_equal(machine.values(), unbroken.values())
        assert machine.words() == unbroken.words()
        assert curves(machine) == curves(unbroken)
        shutil.rmtree(temporary)


def strike(machine: Machine, study: str, temporary: Path, draw: random.Random) -> int:
    """Run the study, kill one of its processes after a while, and see that all end or go on; 1 if one was there."""
    command = [Path(sys.executable).parent / "xlt", "run", study]
    places = {"XLT_RUNS": f"{machine.folder}/runs", "XLT_REPORT": f"{machine.folder}/report", "TMPDIR": str(temporary)}
    with open(machine.folder / "storm.log", "a") as log:
        run = subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | places)
    time.sleep(draw.uniform(0.5, 20))
    victims = [run.pid, *(child.pid for child in psutil.Process(run.pid).children(recursive=True))]
    victim, number = draw.choice(victims), draw.choice(NUMBERS)
    try:
        name = " ".join(psutil.Process(victim).cmdline())[-60:]
        os.kill(victim, number)
    except (psutil.NoSuchProcess, ProcessLookupError):
        name = ""
    print(f"{signal.Signals(number).name} to {'xlt' if victim == run.pid else name}", flush=True)
    run.wait(1800)  # cold cells on a busy machine take long
    wait(lambda: not processes_of(machine.folder / "runs", "XLT_RUNS"), 60)
    return int(bool(name))


def curves(machine: Machine) -> dict[str, list]:
    cells = (machine.folder / "runs" / "tiny").glob("[pit]*/*/record.json")
    return {path.parent.name: read_record(path.parent).curves for path in cells}
