"""A disk that is full, or may not be written: a command says so, and with room again it goes on to the same end."""

import resource
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import tiny_grid

MOUNTS = [["unshare", "--mount"], ["unshare", "--map-root-user", "--mount"]]  # as root, else in a space of one's own
LARGE = 100_000  # bytes


def may_mount(command: list[str]) -> bool:
    try:
        return not subprocess.run([*command, "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True).returncode
    except FileNotFoundError:
        return False


def run(command: list[str], limit: int = resource.RLIM_INFINITY, **options) -> subprocess.CompletedProcess:
    """Run a command that may write no file larger than a `limit` in bytes."""

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))

    return subprocess.run(command, capture_output=True, text=True, preexec_fn=limited, timeout=300, **options)


def test_a_study_on_a_full_disk_goes_on_with_room_again(tmp_path):
    """A real disk of 64 kB, in a space of mounts that ends with the shell; then one that may not be written."""
    mount = next(filter(may_mount, MOUNTS), None)
    if mount is None:
        pytest.skip("mounts need rights that are not given here")
    (tmp_path / "runs").mkdir()
    environment = tiny_grid.place(tmp_path)
    study = shlex.join([sys.executable, tiny_grid.__file__, str(tmp_path), "none"]) + "; echo code $?"
    disk = shlex.quote(environment["XLT_RUNS"])
    steps = [
        f"mount -t tmpfs -o size=64k none {disk}; {study}",
        f"mount -o remount,size=50m,ro {disk}; {study}",
        f"mount -o remount,rw {disk}; {study}; find {disk} -name '.*.json.*'",
    ]
    done = run([*mount, "sh", "-c", "; echo next; ".join(f"({step}) 2>&1" for step in steps)], env=environment)
    full, closed, again = done.stdout.split("next\n")
    # xlt itself, or its cells, whose logs are then empty: whichever is the first that finds no room
    assert "No space left on device" in full or "bytes are free on this disk; make room" in full, done.stdout
    assert full.splitlines()[-1] in ("code 65", "code 70"), done.stdout
    assert "Read-only file system; mend that and repeat" in closed and closed.endswith("code 65\n"), done.stdout
    assert "8 of 8 cells done" in again and again.endswith("code 0\n"), done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_a_command_names_the_file_that_it_cannot_write(tmp_path):
    xlt = str(Path(sys.executable).parent / "xlt")
    done = run([xlt, "microworld", str(tmp_path / "world"), "--sentences", "6k"], LARGE)
    assert done.returncode == 65 and "File too large; mend that" in done.stderr and "Traceback" not in done.stderr
    (tmp_path / "file").write_text("")
    done = run([xlt, "microworld", str(tmp_path / "file"), "--sentences", "6k"])
    assert done.returncode == 65 and f"{tmp_path}/file: Not a directory; mend that" in done.stderr


def test_what_a_full_disk_cut_off_is_built_again(tmp_path):
    """A limit on the size of files stands for the disk's end: the same call fails in a write."""
    code = "\n".join(
        [
            "import sys; from pathlib import Path; from xlt_utils import paths; from xlt_utils.data import build_cache",
            f"paths.RUNS = Path({str(tmp_path)!r})",
            f"def build(folder): (folder / 'large').write_bytes(bytes({2 * LARGE}))",
            "print(build_cache.build_once('corpus', {}, build, build_cache.__name__))",
        ]
    )
    assert "File too large" in run([sys.executable, "-c", code], LARGE).stderr
    whole = run([sys.executable, "-c", code])
    assert (Path(whole.stdout.strip()) / "large").stat().st_size == 2 * LARGE, whole.stderr
