"""The jobs of a study in Slurm's queue: which cells are queued or running, and which jobs died before their runner
began. A study's run folder goes in, jobs by cell come out. The queue is asked by name, so that any later `xlt` finds
the jobs of one whose terminal was closed; nothing here rests on file locks, which shared disks may not have."""

import contextlib
import hashlib
import os
import re
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from xlt_utils.errors import Fault
from xlt_utils.pipeline.cell.log_errors import first_error

LOGS = "slurm_logs"  # below a study's run folder: rule_<phase>/<cell>/<job>.log, as Snakemake's plugin names them
STARTED = ".job"  # in a cell's run folder: the last job whose runner began
ASK_SECONDS = 10.0  # between two questions to the queue
ANSWER_SECONDS = 60.0  # that an answer may take: a busy controller is slow
COMMENT = re.compile(r"rule_([a-z]+)_wildcards_(\S+)")  # that the plugin gives a job


@dataclass(frozen=True)
class Job:
    """A live job: its number, `queued` or `running`, and Slurm's reason why it waits."""

    number: str
    kind: str
    reason: str


def job_name(folder: Path) -> str:
    """What the names of a study's jobs begin with: another for each run folder, for a user has several studies."""
    return "xlt-" + hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:12]


def note_start(folder: Path) -> None:
    """Write into a cell's run folder that the runner of this job has begun; by hand and without Slurm, nothing."""
    if number := os.environ.get("SLURM_JOB_ID"):
        (folder / STARTED).write_text(number, encoding="utf-8")


class Queue:
    """The live jobs of a study as Slurm last named them, in `jobs` by `phase/cell`. A study that never ran under Slurm
    has none, and none is asked for.

    Args:
        folder: the study's run folder.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.jobs: dict[str, Job] = {}
        self.error, self.is_known = "", not self.is_used
        self.asked = -ASK_SECONDS
        self._dead: dict[Path, str] = {}  # the errors of jobs that are known to be over

    @property
    def is_used(self) -> bool:
        """Whether the study ever ran under Slurm."""
        return (self.folder / LOGS).is_dir()

    def refresh(self, seconds: float = ASK_SECONDS) -> None:
        """Ask Slurm again, unless its last answer is newer; where it gives none, the last one stands."""
        if not self.is_used or time.monotonic() - self.asked < seconds:
            return
        try:
            text = _run("squeue", "--me", "--noheader", "--format=%i|%T|%r|%j|%k")
        except (OSError, subprocess.SubprocessError) as error:
            self.error = str(getattr(error, "stderr", "") or error).strip()
        else:
            self.jobs, self.error, self.is_known = self._parse(text), "", True
        self.asked = time.monotonic()

    def require(self) -> None:
        """Ask Slurm now. Raises Fault where it does not answer: a cell could be submitted twice."""
        self.refresh(0)
        if self.error:
            raise Fault(
                f"{self.folder.name}: Slurm does not say which jobs of this study there are ({self.error}); "
                "nothing was submitted, for it might be twice: repeat the command where `squeue` works"
            )

    def _parse(self, text: str) -> dict[str, Job]:
        jobs = {}
        for row in (line.split("|", 4) for line in text.splitlines()):
            if len(row) == 5 and row[3].startswith(job_name(self.folder)) and (cell := COMMENT.search(row[4])):
                kind = "queued" if row[1] in ("PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_HOLD") else "running"
                jobs[f"{cell[1]}/{cell[2]}"] = Job(row[0], kind, row[2])
        return jobs

    def log(self, cell: str) -> Path | None:
        """The log of the newest job of a cell, `phase/cell`, that has begun."""
        phase, name = cell.split("/")
        logs = list((self.folder / LOGS / f"rule_{phase}" / name).glob("*.log"))
        return max(logs, key=_modified, default=None)

    def death(self, cell: str, since: float = 0.0) -> tuple[Path, str] | None:
        """The log of a cell's newest job, and its first error, where that job is over and its runner never began.

        Args:
            cell: `phase/cell`.
            since: when the cell's last attempt began, in seconds since 1970: an older job is of no interest.
        """
        log = self.log(cell) if self.is_used else None
        if log is None or _modified(log) < since or self._has_begun(cell, log):
            return None
        if log not in self._dead:
            self.refresh(0)  # it may have begun after the last answer
            if not self.is_known or self.error or cell in self.jobs or self._has_begun(cell, log):
                return None
            self._dead[log] = _what_killed(log)
        return log, self._dead[log]

    def _has_begun(self, cell: str, log: Path) -> bool:
        try:
            return (self.folder / cell / STARTED).read_text(encoding="utf-8") == log.stem
        except (OSError, UnicodeDecodeError):
            return False

    def cancel(self, cells: Iterable[str]) -> int:
        """Cancel the live jobs of these cells, and return their number."""
        self.refresh(0)
        numbers = [self.jobs[cell].number for cell in cells if cell in self.jobs]
        if numbers:
            with contextlib.suppress(OSError, subprocess.SubprocessError):
                _run("scancel", *numbers)
        return len(numbers)

    def reasons(self) -> str:
        """Why queued jobs wait, as `2 Priority, 1 Resources`."""
        counts = Counter(job.reason for job in self.jobs.values() if job.kind == "queued")
        return ", ".join(f"{count} {reason}" for reason, count in counts.most_common())


def _what_killed(log: Path) -> str:
    try:
        text = log.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        return str(error)
    return first_error(text.strip().splitlines()) or "its log is empty"


def options(folder: Path) -> list[str]:
    """What Snakemake's command line adds, so that the jobs of a study and their logs are found again."""
    (folder / LOGS).mkdir(parents=True, exist_ok=True)
    return ["--slurm-jobname-prefix", job_name(folder), "--slurm-logdir", str((folder / LOGS).absolute())]


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:  # the log of a job that succeeded goes
        return 0.0


def _run(*command: str) -> str:
    if not shutil.which(command[0]):
        raise FileNotFoundError(f"no `{command[0]}` on this machine")
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=ANSWER_SECONDS, check=True
    )
    return done.stdout
