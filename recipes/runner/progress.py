"""The progress of a run: bars of its cells and of the work at hand on a terminal, one line per cell elsewhere."""

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from educe.data.display import visible
from educe.eval.analysis.formatting import format_count
from educe.eval.measurement import Measurement
from educe.recipes.runner.cell import Cell
from educe.recipes.runner.live import LivePage
from educe.recipes.runner.terminal import Shown, unescaped
from educe.recipes.runner.track import Tracker

# Off a terminal, how long nothing is said while work goes on inside a cell.
_SAY_SECONDS = 60.0


class Progress:
    """Shows what starts, finishes and fails, as a context."""

    def __init__(
        self, *, total: int, done: int, out: Path, page: LivePage | None = None, announce: bool = True
    ) -> None:
        self.total = total
        self.done = done
        self.out = out
        self.page = page
        self.announce = announce
        self.tracker: Tracker | None = None
        self.said = time.monotonic()
        self.console = Console(file=unescaped(sys.stderr), highlight=False, soft_wrap=True)
        self.bar: Bar | None = None
        self.task: Any = None
        self.what = ""
        self.part: Any = None

    def __enter__(self) -> "Progress":
        if self.console.is_terminal:
            columns = [TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn()]
            self.bar = Bar(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=self.console, transient=True)
            self.bar.start()
            self.task = self.bar.add_task("", total=self.total, completed=self.done)
            # Rich prints other output above the bar, and would read colours and links from it.
            sys.stdout, sys.stderr = Shown(sys.stdout), Shown(sys.stderr)
        kept = f", {self.done} already on disk" if self.done else ""
        if self.announce:
            self.say(f"{format_count(self.total, 'cell')}{kept} -> {self.out}")
        return self

    def __exit__(self, *error: object) -> None:
        if self.bar is not None:
            sys.stdout, sys.stderr = unescaped(sys.stdout), unescaped(sys.stderr)
            self.bar.stop()

    def say(self, text: str) -> None:
        self.said = time.monotonic()
        self.console.print(f"educe: {visible(text)}", markup=False)

    def start(self, cells: Sequence[Cell]) -> None:
        """Say what is being run: a cell, or the first of several that train together."""
        self._show_part("")
        if self.bar is not None:
            more = f" and {len(cells) - 1} more" if len(cells) > 1 else ""
            self.bar.update(self.task, description=visible(f"{cells[0]}{more}"))

    def within(self, what: str, done: int, total: int) -> None:
        """Show the work at hand, within a cell or before the first one of a model, in a bar of its own."""
        if self.bar is not None:
            self._show_part(what)
            self.bar.update(self.part, completed=done, total=total)
        elif time.monotonic() - self.said > _SAY_SECONDS:
            self.say(f"{what}: {done:,} of {total:,}")

    def _show_part(self, what: str) -> None:
        """A new bar for other work, which takes another time; none for no work."""
        if self.bar is None or what == self.what:
            return
        if self.what:
            self.bar.remove_task(self.part)
        self.what, self.part = what, self.bar.add_task(visible(what), total=None) if what else None

    def finish(self, cell: Cell, measurement: Measurement, seconds: float) -> None:
        """Say a cell's score with its interval, and seconds; the first of a cohort has those of its training."""
        score = f"{measurement.score:.3f} [{measurement.low:.3f}, {measurement.high:.3f}]"
        self._advance(f"{cell}: {score} in {seconds:.1f} s", measurement)

    def fail(self, cell: Cell, reason: str) -> None:
        self._advance(f"{cell}: FAILED, {reason}")

    def _advance(self, text: str, measurement: Measurement | None = None) -> None:
        self._show_part("")
        self.done += 1
        if self.bar is not None:
            self.bar.advance(self.task)
        self.say(f"[{self.done}/{self.total}] {text}")
        if self.page is not None:
            self.page.finish(measurement)
        if self.tracker is not None and measurement is not None:
            self.tracker.finish(measurement)
