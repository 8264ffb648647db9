"""The same work for many things at once, in forked processes: a large report's figures take most of its time."""

import multiprocessing
import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any, TypeVar

In = TypeVar("In")
Out = TypeVar("Out")

_MOST_PROCESSES = 4  # each may come to hold as much as this one
_inherited: list[Callable[[int], Any]] = []  # in a forked process: the work


def each_forked(work: Callable[[In], Out], things: Sequence[In]) -> list[Out]:
    """`work` of every thing, in their order; what it returns must pickle, what it reads is inherited and need not.

    One after another where there is one thing or one core, and on systems other than Linux, whose libraries may not
    survive a fork. `work` may use no thread pool that is running here (torch's, say): a fork takes none along. What it
    raises is raised here.
    """
    processes = min(len(things), len(os.sched_getaffinity(0)), _MOST_PROCESSES) if sys.platform == "linux" else 1
    if processes < 2:
        return [work(thing) for thing in things]
    with ProcessPoolExecutor(
        processes,
        mp_context=multiprocessing.get_context("fork"),
        initializer=_inherited.append,
        initargs=(lambda place: work(things[place]),),
    ) as pool:
        return list(pool.map(_do, range(len(things))))


def _do(place: int) -> Any:
    return _inherited[-1](place)
