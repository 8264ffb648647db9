"""Bars of a run on a terminal: one for the study with the time left, and one for each worker with what it does."""

import time
from collections.abc import Callable, Iterable
from typing import Any

from rich.console import Console, RenderableType
from rich.progress import BarColumn, ProgressColumn, Task, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Rich
from rich.table import Column, Table
from rich.text import Text

from educe.data.display import visible

_BAR_WIDTH = 16
# A terminal with fewer columns has no room for the bar itself and the time since the start.
_NARROW = 70
# Rich estimates speed over so many seconds; a step of a large model takes several.
_SPEED_SECONDS = 120.0


class _Left(ProgressColumn):
    """The time left: of the study as it is estimated elsewhere, of a worker's part by Rich."""

    max_refresh = 0.5

    def __init__(self, of_study: Callable[[], float | None]) -> None:
        super().__init__(_column())
        self._of_study = of_study

    def render(self, task: Task) -> Text:
        seconds = self._of_study() if task.fields["of_study"] else task.time_remaining
        return Text("" if seconds is None else f"{as_clock(seconds)} left", style="progress.remaining")


class _Fitting(Rich):
    """Each task in one line: on a narrow terminal without those columns that are for wide ones."""

    def __init__(self, *columns: tuple[ProgressColumn, bool], console: Console, **options: Any) -> None:
        self._terminal = console
        self._narrow = tuple(column for column, wide in columns if not wide)
        self._wide = tuple(column for column, _ in columns)
        super().__init__(*self._wide, console=console, **options)

    def make_tasks_table(self, tasks: Iterable[Task]) -> Table:
        self.columns = self._narrow if self._terminal.width < _NARROW else self._wide
        return super().make_tasks_table(tasks)


def _column(**options: Any) -> Column:
    return Column(no_wrap=True, **options)


class Bars:
    """The study's bar counts `total` cells, of which some are `done`. Workers have theirs while they do something."""

    def __init__(self, console: Console, *, total: int, done: int, left: Callable[[], float | None]) -> None:
        name = _column(ratio=1, overflow="ellipsis")
        count = TextColumn("{task.fields[count]}", markup=False, justify="right", table_column=_column())
        self._rich = _Fitting(
            (TextColumn("{task.description}", markup=False, table_column=name), False),
            (BarColumn(bar_width=_BAR_WIDTH, table_column=_column()), True),
            (count, False),
            (TimeElapsedColumn(table_column=_column()), True),
            (_Left(left), False),
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

    def __rich__(self) -> RenderableType:
        return self._rich.get_renderable()

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
        (task,) = (each for each in self._rich.tasks if each.id == self._workers[worker])
        task.total = None  # Rich takes None for the total of the part before
        # What is not given again would be lost.
        fields: dict[str, Any] = {"count": "", "of_study": False}
        self._rich.reset(task.id, description=shown, visible=True, **fields)


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
