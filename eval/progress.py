"""Progress of long work, and the steps of a training, for listeners if the runner has set any."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class TrainingStep:
    """What a training recorded of a step; `training` says which one, where a cell tries several."""

    training: str
    row: Mapping[str, int | float]


Listener = Callable[[str, int, int], None]  # what is counted, how many are done, of how many
StepListener = Callable[[int, TrainingStep], None]  # the place of a cell among those that train together, and a step

_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)
_step_listener: ContextVar[StepListener | None] = ContextVar("step_listener", default=None)


def progress_listener(listener: Listener) -> AbstractContextManager[None]:
    """Inside the block, `report_progress` calls the listener."""
    return _set(_listener, listener)


def step_listener(listener: StepListener) -> AbstractContextManager[None]:
    """Inside the block, `report_step` calls the listener."""
    return _set(_step_listener, listener)


@contextmanager
def _set(variable: ContextVar[Any], value: Any) -> Iterator[None]:
    token = variable.set(value)
    try:
        yield
    finally:
        variable.reset(token)


def report_progress(what: str, done: int, total: int) -> None:
    """Report that `done` of `total` steps or items are done."""
    if listener := _listener.get():
        listener(what, done, total)


def report_step(row: Mapping[str, int | float], *, training: str = "", cell: int = 0) -> None:
    """Report a step of a training, with the record that it leaves."""
    if listener := _step_listener.get():
        listener(cell, TrainingStep(training, dict(row)))
