"""What the engine's log says that no cell will: why Snakemake ended, why Slurm took no job, and whether Snakemake still
does anything. The log goes in, sentences come out."""

import re
import time
from pathlib import Path

from xlt_utils.pipeline.cell import slurm
from xlt_utils.pipeline.cell.log_errors import first_error

# The plugin asked while the controller did not answer; then it drops every job that it waited for, and says no more
UNANSWERED = b"MinJobAge=None"
REFUSED = re.compile(r"sbatch failed\. The error message was '(.*?)'\.$", re.S | re.M)
# So long without a job in the queue or a word in its log, Snakemake waits for jobs that Slurm has forgotten: it asks
# every three minutes at least, and waits a minute for files.
LOST_SECONDS = 420.0
RETURN_SECONDS = 3.0  # between two questions to a Slurm that was away


def why_ended(lines: list[str]) -> str:
    """Why Snakemake ended, from its log: what Slurm refused goes before all else."""
    if refused := REFUSED.search("\n".join(lines)):
        return f"Slurm took no job: {' '.join(refused[1].split())}"
    return first_error(lines, following=1)


class ClusterWatch:
    """Looks at a running engine whose jobs are in Slurm's queue.

    Args:
        log: the engine's log; what stands there before is of earlier engines.
        queue: the queue, which others refresh.
    """

    def __init__(self, log: Path, queue: slurm.Queue):
        self.log, self.queue = log, queue
        self.begin = self.size = log.stat().st_size if log.exists() else 0
        self.looked = self.active = time.monotonic()
        self.has_told = self.was_away = False

    def look(self) -> str:
        """Look at the log now and then, and return why Slurm took no job, the first time that it says so."""
        now = time.monotonic()
        if now - self.looked < slurm.ASK_SECONDS or (size := self.log.stat().st_size) == self.size:
            return ""
        self.looked, self.active, self.size = now, now, size
        with open(self.log, "rb") as file:
            file.seek(self.begin)
            text = file.read()
        self.was_away |= UNANSWERED in text
        if self.has_told:
            return ""
        match = REFUSED.search(text.decode("utf-8", errors="replace"))
        self.has_told = match is not None
        return " ".join(match[1].split()) if match else ""

    def is_lost(self) -> bool:
        """Whether Snakemake waits for nothing that there is, or may have dropped its jobs while Slurm was away. Never
        before Slurm answers again."""
        self.was_away |= bool(self.queue.error)
        if self.was_away:
            self.queue.refresh(RETURN_SECONDS)
        if self.queue.jobs or self.queue.error:
            self.active = time.monotonic()
        return not self.queue.error and (self.was_away or time.monotonic() - self.active > LOST_SECONDS)
