"""Map a function over values in forked processes: drawing figures takes most of the time of a large report."""

import multiprocessing
import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any, TypeVar

In = TypeVar("In")
Out = TypeVar("Out")

_MAX_PROCESSES = 4  # each may come to hold as much as this one
_inherited: list[Callable[[int], Any]] = []  # in a forked process: the function


def map_in_processes(function: Callable[[In], Out], values: Sequence[In]) -> list[Out]:
    """`function` of every value, in their order. Results are pickled; what the function reads is inherited.

    One after another where there is one value or one core, and on systems other than Linux, whose libraries may not
    survive a fork. `function` may use no thread pool of this process (torch's, say): a fork does not copy it.
    """
    processes = min(len(values), len(os.sched_getaffinity(0)), _MAX_PROCESSES) if sys.platform == "linux" else 1
    if processes < 2:
        return [function(value) for value in values]
    with ProcessPoolExecutor(
        processes,
        mp_context=multiprocessing.get_context("fork"),
        initializer=_inherited.append,
        initargs=(lambda place: function(values[place]),),
    ) as pool:
        return list(pool.map(_call, range(len(values))))


def _call(place: int) -> Any:
    return _inherited[-1](place)
