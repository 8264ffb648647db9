"""Work in forked processes: in order, with what it inherits, and with its errors."""

import os
import sys

import pytest

from educe.data.errors import UserError
from educe.eval.report.forked import map_in_processes


def test_results_come_in_the_order_of_the_things_whatever_the_work_closes_over() -> None:
    unpicklable = (lambda number: number * number, open(os.devnull))  # noqa: SIM115
    with unpicklable[1]:
        assert map_in_processes(lambda number: unpicklable[0](number), list(range(20))) == [n * n for n in range(20)]


def test_an_error_in_the_work_is_raised_here() -> None:
    def fails_at_three(number: int) -> int:
        if number == 3:
            raise UserError("the third cannot be drawn")
        return number

    with pytest.raises(UserError, match="the third cannot be drawn"):
        map_in_processes(fails_at_three, [1, 2, 3, 4])


@pytest.mark.skipif(sys.platform != "linux", reason="other systems work in one process")
def test_several_things_are_done_in_other_processes_and_one_is_done_here() -> None:
    assert map_in_processes(lambda _: os.getpid(), ["one"]) == [os.getpid()]
    if len(os.sched_getaffinity(0)) > 1:
        assert os.getpid() not in map_in_processes(lambda _: os.getpid(), ["one", "two", "three"])


def test_nothing_to_do_gives_nothing() -> None:
    assert map_in_processes(lambda thing: thing, []) == []
