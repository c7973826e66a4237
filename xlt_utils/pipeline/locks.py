"""File locks, on disks that may have none. A shared disk of a cluster may refuse every lock; then a command goes on
without: on one machine it never happens, and on a cluster the queue says what is at work."""

import errno
import fcntl
from typing import IO

REFUSALS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL}


def lock(file: IO, kind: int) -> None:
    """Take a lock of `fcntl.flock`, where the disk has locks. Raises BlockingIOError where another holds it."""
    try:
        fcntl.flock(file, kind)
    except OSError as error:
        if error.errno not in REFUSALS:
            raise
