"""File locks, on disks that may have none. A shared disk of a cluster may refuse every lock; then a command goes on
without: on one machine it never happens, and on a cluster the queue says what is at work."""

import errno
import os
import time
from pathlib import Path
from typing import IO, Any

from filelock import lock_descriptor

REFUSALS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL}
LOOK_SECONDS = 0.05  # between two tries to take a lock
LOOKS = 4  # before a lock counts as held: who looks holds it for an instant, too


def lock(file: IO[Any], waits: bool = True) -> None:
    """Lock an open file until it is closed, where the disk has locks.

    Args:
        file: opened to write; its content does not matter.
        waits: whether to wait while another process holds the lock.

    Raises:
        BlockingIOError: another process holds it, and this one does not wait.
    """
    try:
        if not lock_descriptor(file.fileno(), blocking=waits, poll_interval=LOOK_SECONDS):
            raise BlockingIOError(errno.EWOULDBLOCK, os.strerror(errno.EWOULDBLOCK), str(file.name))
    except OSError as error:
        if error.errno not in REFUSALS:
            raise


def is_held(path: Path) -> bool:
    """Whether a process holds the lock of a file, which need not be there. Nothing is written."""
    try:
        with open(path, "rb+" if os.access(path, os.W_OK) else "rb") as file:
            for look in range(LOOKS):
                time.sleep(LOOK_SECONDS if look else 0)
                if lock_descriptor(file.fileno(), blocking=False):
                    return False
            return True
    except OSError:  # no such file, or no locks on this disk
        return False
