"""Work on many small things spread over the processors that this process may use. The workers are forks: they see all
that there is without its being sent to them, and only what they return travels back."""

import multiprocessing
import os
from collections.abc import Callable, Iterable
from typing import Any

_task: Callable[[int], Any] | None = None


def map_forked(task: Callable[[Any], Any], items: Iterable) -> list:
    """`task` of each item, in their order. The first error of a worker is raised here."""
    global _task
    items = list(items)
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    workers = min(processors, len(items))
    if workers < 2 or _task is not None:  # a worker forks no further
        return [task(item) for item in items]
    _task = lambda place: task(items[place])  # noqa: E731
    try:
        with multiprocessing.get_context("fork").Pool(workers) as pool:
            return pool.map(_run, range(len(items)), chunksize=max(1, len(items) // (16 * workers)))
    finally:
        _task = None


def _run(place: int) -> Any:
    return _task(place)
