"""Bars of a run on a terminal: one for the study with the time left, and one for each worker with what it does."""

import time
from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, ProgressColumn, Task, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Rich
from rich.table import Column
from rich.text import Text

from educe.data.display import visible

_BAR_WIDTH = 16
# Rich estimates speed over so many seconds; a step of a large model takes several.
_SPEED_SECONDS = 120.0


class _Left(ProgressColumn):
    """The time left: of the study as it is estimated elsewhere, of a worker's part by Rich."""

    max_refresh = 0.5

    def __init__(self, of_study: Callable[[], float | None]) -> None:
        super().__init__()
        self._of_study = of_study

    def render(self, task: Task) -> Text:
        seconds = self._of_study() if task.fields["of_study"] else task.time_remaining
        return Text("" if seconds is None else f"{as_clock(seconds)} left", style="progress.remaining")


class Bars:
    """The study's bar counts `total` cells, of which some are `done`. Workers have theirs while they do something."""

    def __init__(self, console: Console, *, total: int, done: int, left: Callable[[], float | None]) -> None:
        name = Column(ratio=1, no_wrap=True, overflow="ellipsis")
        self._rich = Rich(
            TextColumn("{task.description}", markup=False, table_column=name),
            BarColumn(bar_width=_BAR_WIDTH),
            TextColumn("{task.fields[count]}", markup=False, justify="right"),
            TimeElapsedColumn(),
            _Left(left),
            console=console,
            transient=True,
            expand=True,
            speed_estimate_period=_SPEED_SECONDS,
        )
        self._total, self._done = total, done
        self._study = self._rich.add_task(
            "study", total=total, completed=done, count=f"{done}/{total} cells", of_study=True
        )
        self._workers: dict[int, TaskID] = {}
        self._at_work: dict[int, tuple[str, str]] = {}  # each worker's cell, and the part of it at hand

    @property
    def tasks(self) -> list[Task]:
        """What is shown, from top to bottom."""
        return [task for task in self._rich.tasks if task.visible]

    def start(self) -> None:
        self._rich.start()

    def stop(self) -> None:
        self._rich.stop()

    def advance(self) -> None:
        """One cell more is done."""
        self._done += 1
        self._rich.update(self._study, completed=self._done, count=f"{self._done}/{self._total} cells")

    def show(self, worker: int, cell: str) -> None:
        """A worker begins with a cell, or with work before its first."""
        self._at_work[worker] = cell, ""
        self._renew(worker, cell)

    def part(self, worker: int, what: str, done: int, total: int) -> None:
        """How much of the part at hand is done; another part has another bar, because it takes another time."""
        cell, last = self._at_work.get(worker, ("", ""))
        if what != last:
            self._at_work[worker] = cell, what
            self._renew(worker, f"{what}: {cell}" if cell else what)  # a long name is cut at its end
        self._rich.update(self._workers[worker], completed=done, total=total, count=f"{done:,}/{total:,}")

    def rest(self, worker: int) -> None:
        """A worker has nothing to do."""
        if worker in self._workers:
            self._rich.update(self._workers[worker], visible=False)
        self._at_work.pop(worker, None)

    def _renew(self, worker: int, text: str) -> None:
        # Several workers have numbers. The first may show its bar before another has one.
        shown = visible(f"{worker + 1}. {text}" if worker or len(self._workers) > 1 else text)
        if worker not in self._workers:
            self._workers[worker] = self._rich.add_task("", total=None, count="", of_study=False)
        # What is not given again would be lost.
        fields: dict[str, Any] = {"count": "", "of_study": False}
        self._rich.reset(self._workers[worker], total=None, description=shown, visible=True, **fields)


class TimeLeft:
    """Seconds until the work is done, from how long what is done took: work is counted in rows, not in cells."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began = self._last = clock()
        self._rows = self._done = 0.0

    def expect(self, rows: float) -> None:
        """So much work lies ahead, and begins now."""
        self._began = self._last = self._clock()
        self._rows, self._done = rows, 0.0

    def advance(self, rows: float) -> None:
        """So much of it is done."""
        self._done += rows
        self._last = self._clock()

    def seconds(self) -> float | None:
        """None while nothing is done."""
        if not self._done:
            return None
        whole = (self._last - self._began) * max(0.0, self._rows - self._done) / self._done
        return max(0.0, whole - (self._clock() - self._last))


def as_clock(seconds: float) -> str:
    """Hours, minutes and seconds."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"
