"""Bad input: the fault that ends a command with exit code 65, and the half-sentence that leads from a wrong name to the
right ones."""

import difflib
import errno
from collections.abc import Iterable

# What a file system refuses: no room, no right to write, or a file of the wrong kind where one is to be written.
REFUSED = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.EISDIR, errno.ENOTDIR}


class Fault(ValueError):
    """Input that a command cannot run with: the message names file, place, value, and what would be right."""


class NotMirrored(Fault):
    """Something that a study reads from the hub is not here yet; the message names it."""


def did_you_mean(name: object, names: Iterable[str]) -> str:
    """`did you mean ...?`, with all `names` where they are few or none is close to `name`."""
    names = list(names)
    close = difflib.get_close_matches(str(name), names, n=1, cutoff=0.5)
    listing = f"there are {', '.join(names)}"
    if not close:
        return listing
    return f"did you mean `{close[0]}`?" + (f" ({listing})" if len(names) <= 12 else "")
