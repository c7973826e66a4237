"""Processes that take turns: each works for a round of steps while all others wait, so that other load on the machine
affects every side alike. A side is a function that reports where its steps begin and waits there for its next turn."""

import contextlib
import multiprocessing
import os
import statistics
import time
import traceback
from collections.abc import Callable

import places
import torch

_context = multiprocessing.get_context("fork")  # everything is imported once; the parent itself computes nothing


class Turn:
    """What a side works with: a clock that stops between its turns, and the seconds of each step of this round."""

    def __init__(self, pipe, steps: int):
        self._pipe, self._steps = pipe, steps
        self._waited, self._step, self._began = 0.0, None, 0.0
        self._seconds: list[float] = []
        self._wait()

    def clock(self) -> float:
        """Seconds, without those in which others worked."""
        return time.perf_counter() - self._waited

    def begins(self, step: int) -> None:
        """Report that a step begins, by its number: the step before it ends, and perhaps the round."""
        if step == self._step:
            return
        if self._step is not None:
            self._seconds.append(self.clock() - self._began)
        if len(self._seconds) >= self._steps:
            self._pipe.send(("round", self._seconds))
            self._seconds = []
            self._wait()
        self._step, self._began = step, self.clock()

    def watched(self, batch_at: Callable[[int], dict]) -> Callable[[int], dict]:
        """Wrap a function from step to batch, so that a step begins when it asks for its batch."""

        def at(step: int) -> dict:
            self.begins(step)
            return batch_at(step)

        return at

    def _wait(self) -> None:
        since = time.perf_counter()
        self._pipe.recv()
        self._waited += time.perf_counter() - since


class Side:
    """A separate process that calls `work(turn, *given)` and works only when it is its turn."""

    def __init__(self, steps: int, work: Callable, *arguments):
        self._pipe, theirs = _context.Pipe()
        self.rounds: list[list[float]] = []
        self.result = None
        self.goes_on = True
        self._process = _context.Process(target=_run, args=(theirs, steps, work, arguments), daemon=True)
        self._process.start()
        theirs.close()

    def round(self) -> None:
        """Let it work until its round is over, or its work is done."""
        self._pipe.send("go")
        try:
            kind, value = self._pipe.recv()
        except EOFError:
            raise SystemExit("a side of the benchmark was killed (out of memory?)") from None
        if kind == "round":
            self.rounds.append(value)
            return
        self._process.join()
        if kind == "failed":
            raise SystemExit(f"a side of the benchmark failed:\n{value}")
        self.result, self.goes_on = value, False

    def step_seconds(self, rounds: int | None = None) -> float:
        """The median step of the first `rounds` rounds (all by default), without the first round, in which a device
        warms up, and without the first step after each pause."""
        settled = self.rounds[1:rounds] or self.rounds
        steps = [seconds for round_ in settled for seconds in (round_[1:] or round_)]
        return statistics.median(steps)


def alternate(sides: dict[str, Side], what: str) -> dict[str, Side]:
    """Let the sides work in turns until each is done."""
    number = 0
    while any(side.goes_on for side in sides.values()):
        number += 1
        for side in sides.values():
            if side.goes_on:
                side.round()
        shown = ", ".join(f"{name} {side.step_seconds():.3f}" for name, side in sides.items() if side.rounds)
        print(f"{what}: round {number}, seconds a step: {shown}", flush=True)
    return sides


def alone(work: Callable, *arguments):
    """Call a function in a separate process and return its result."""
    side = Side(1, lambda turn, *arguments: work(*arguments), *arguments)
    while side.goes_on:
        side.round()
    return side.result


def _run(pipe, steps: int, work: Callable, arguments: tuple) -> None:
    torch.set_num_threads(places.THREADS)
    try:
        with open(os.devnull, "w") as nothing, contextlib.redirect_stdout(nothing):
            value = ("done", work(Turn(pipe, steps), *arguments))
    except Exception:
        value = ("failed", traceback.format_exc())
    pipe.send(value)
