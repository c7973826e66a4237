"""What is said about bad input: the fault that ends a command with exit code 65, and the half-sentence that
leads from a wrong name to the right ones."""

import difflib
from collections.abc import Iterable


class Fault(ValueError):
    """Input that cannot be run with: the message names file, place, value, and what would be right."""


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """`did you mean ...?`, with all names there are when they are few or when none comes near."""
    known = list(known)
    near = difflib.get_close_matches(str(name), known, n=1, cutoff=0.5)
    there = f"there are {', '.join(known)}" if len(known) <= 12 or not near else ""
    if near:
        return f"did you mean `{near[0]}`?" + (f" ({there})" if there else "")
    return there
