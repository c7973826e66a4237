"""A function of many items, spread over the processors that this process may use. The workers are forks: they share
this process's memory, so that only numbers go in and only what the function returns travels back."""

import multiprocessing
import os
from collections.abc import Callable, Iterable
from typing import Any

_task: Callable[[int], Any] | None = None


def map_forked(task: Callable[[Any], Any], items: Iterable) -> list:
    """`task` of each item, in their order; the first error of a worker is raised here."""
    global _task
    items = list(items)
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    workers = min(processors, len(items))
    if workers < 2 or _task is not None:  # a worker forks no further
        return [task(item) for item in items]
    _task = lambda index: task(items[index])  # noqa: E731
    try:
        with multiprocessing.get_context("fork").Pool(workers) as pool:
            return pool.map(_run, range(len(items)), chunksize=max(1, len(items) // (16 * workers)))
    finally:
        _task = None


def _run(index: int) -> Any:
    assert _task is not None  # set before the fork
    return _task(index)
