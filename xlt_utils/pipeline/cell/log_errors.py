"""The first error that a log states, of Snakemake itself or of a job that died before its cell began. Lines go in, a
sentence comes out."""

import re

# What began to go wrong: an exception with its message, a fault of ours, Slurm, the shell or the system refusing
ERROR = re.compile(
    r"error: |^\w*(Error|Exception|Exit)\b.*: |: \d+ faults?; |not found$|No such file|Permission denied|No space left",
    re.I,
)
MOST_CHARACTERS = 500


def first_error(lines: list[str], following: int = 0) -> str:
    """The first line that states an error, with so many `following` lines, where what is wrong may stand; else the last
    three lines."""
    number = next((number for number, line in enumerate(lines) if ERROR.search(line)), None)
    chosen = lines[-3:] if number is None else lines[number : number + 1 + following]
    return " ".join(" ".join(chosen).split())[:MOST_CHARACTERS]
