"""A lock ends with its holder, who looks for it disturbs nobody, and a disk without locks stops nothing."""

import errno
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from xlt_utils.pipeline.cell import locks

HOLD = """import sys, time
from xlt_utils.pipeline.cell import locks
file = open(sys.argv[1], "ab")
locks.lock(file)
print("held", flush=True)
time.sleep(60)"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the lock of `tmp_path/.lock`."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path / ".lock")], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()


def test_a_lock_keeps_others_out_until_its_holder_is_killed(tmp_path, holder):
    path = tmp_path / ".lock"
    assert locks.is_held(path)
    with open(path, "ab") as file:
        with pytest.raises(BlockingIOError, match=r"\.lock"):
            locks.lock(file, waits=False)
        holder.kill()
        locks.lock(file)  # waits for the end
    assert not locks.is_held(path)


def test_who_only_looks_needs_no_right_to_write_and_makes_no_file(tmp_path, holder):
    os.chmod(tmp_path / ".lock", 0o444)
    assert locks.is_held(tmp_path / ".lock")
    assert not locks.is_held(tmp_path / "none") and not (tmp_path / "none").exists()


def test_many_who_look_do_not_take_each_other_for_a_holder(tmp_path):
    (tmp_path / ".lock").touch()
    with ThreadPoolExecutor(8) as pool:
        assert not any(pool.map(locks.is_held, [tmp_path / ".lock"] * 400))


@pytest.mark.parametrize("refusal", sorted(locks.REFUSALS))
def test_a_disk_without_locks_stops_nothing(tmp_path, monkeypatch, refusal):
    def refuse(descriptor, **options):
        raise OSError(refusal, os.strerror(refusal))

    monkeypatch.setattr(locks, "lock_descriptor", refuse)
    with open(tmp_path / ".lock", "ab") as file:
        locks.lock(file)
    assert not locks.is_held(tmp_path / ".lock")


def test_what_else_a_disk_says_is_not_passed_over(tmp_path, monkeypatch):
    def fail(descriptor, **options):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(locks, "lock_descriptor", fail)
    with open(tmp_path / ".lock", "ab") as file, pytest.raises(OSError, match="Input/output"):
        locks.lock(file)
