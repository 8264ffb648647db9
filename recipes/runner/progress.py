"""The progress of a run: bars of the study and of its workers on a terminal, one line per cell elsewhere."""

import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from educe.data.display import visible
from educe.eval.analysis.formatting import format_count
from educe.eval.measurement import Measurement
from educe.eval.progress import TrainingStep
from educe.recipes.runner.bars import Bars, TimeLeft
from educe.recipes.runner.cell import Cell
from educe.recipes.runner.cohorts import Unit
from educe.recipes.runner.live import LivePage
from educe.recipes.runner.terminal import Shown, unescaped
from educe.recipes.runner.tracking.tracked import Tracking

# Off a terminal, how long nothing is said while work goes on inside a cell.
_SAY_SECONDS = 60.0


class Progress:
    """Shows what starts, finishes and fails, as a context. What it is told by no worker is told of the first."""

    def __init__(
        self, *, total: int, done: int, out: Path, page: LivePage | None = None, announce: bool = True
    ) -> None:
        self.total = total
        self.done = done
        self.out = out
        self.page = page
        self.announce = announce
        self.tracking: Tracking | None = None
        self.said = time.monotonic()
        self.console = Console(file=unescaped(sys.stderr), highlight=False, soft_wrap=True)
        self.bars: Bars | None = None
        self.left = TimeLeft()
        self._rows: dict[str, float] = {}  # of the cells that lie ahead, by their folders

    def __enter__(self) -> "Progress":
        if self.console.is_terminal:
            self.bars = Bars(self.console, total=self.total, done=self.done, left=self.left.seconds)
            self.bars.start()
            # Rich prints other output above the bars, and would read colours and links from it.
            sys.stdout, sys.stderr = Shown(sys.stdout), Shown(sys.stderr)
        kept = f", {self.done} already on disk" if self.done else ""
        if self.announce:
            self.say(f"{format_count(self.total, 'cell')}{kept} -> {self.out}")
        return self

    def __exit__(self, *error: object) -> None:
        if self.bars is not None:
            sys.stdout, sys.stderr = unescaped(sys.stdout), unescaped(sys.stderr)
            self.bars.stop()

    def expect(self, units: Sequence[Unit]) -> None:
        """These units lie ahead: their rows say how long each takes, compared with the others."""
        if self.bars is not None:
            wanted = [cell for unit in units for cell in unit.wanted]
            self._rows = {cell.listed.folder: Unit((cell,), frozenset()).rows for cell in wanted}
            self.left.expect(sum(self._rows.values()))

    def of_worker(self, place: int) -> "WorkerProgress":
        """What the worker at this place does."""
        return WorkerProgress(self, place)

    def say(self, text: str) -> None:
        self.said = time.monotonic()
        self.console.print(f"educe: {visible(text)}", markup=False)

    def start(self, cells: Sequence[Cell]) -> None:
        self.of_worker(0).start(cells)

    def within(self, what: str, done: int, total: int) -> None:
        self.of_worker(0).within(what, done, total)

    def train(self, cell: Cell, steps: Sequence[TrainingStep]) -> None:
        if self.tracking is not None:
            self.tracking.train(cell, steps)

    def finish(self, cell: Cell, measurement: Measurement, seconds: float) -> None:
        """Say a cell's score with its interval, and seconds; the first of a cohort has those of its training."""
        score = f"{measurement.score:.3f} [{measurement.low:.3f}, {measurement.high:.3f}]"
        self._advance(cell, f"{score} in {seconds:.1f} s", measurement)
        if self.tracking is not None:
            self.tracking.finish(cell, measurement)

    def fail(self, cell: Cell, reason: str) -> None:
        self._advance(cell, f"FAILED, {reason}")
        if self.tracking is not None:
            self.tracking.fail(cell)

    def _advance(self, cell: Cell, text: str, measurement: Measurement | None = None) -> None:
        self.done += 1
        if self.bars is not None:
            self.bars.advance()
            self.left.advance(self._rows.pop(cell.listed.folder, 0.0))
        self.say(f"[{self.done}/{self.total}] {cell}: {text}")
        if self.page is not None:
            self.page.finish(measurement)


class WorkerProgress:
    """The progress of a run as one worker tells it (worker.Listener)."""

    def __init__(self, progress: Progress, place: int) -> None:
        self._progress, self._place = progress, place

    def say(self, text: str) -> None:
        self._progress.say(text)

    def start(self, cells: Sequence[Cell]) -> None:
        """Show what is being run: a cell, or the first of several that train together."""
        more = f" and {len(cells) - 1} more" if len(cells) > 1 else ""
        if self._progress.bars is not None:
            self._progress.bars.show(self._place, f"{cells[0]}{more}")
        if self._progress.tracking is not None:
            self._progress.tracking.start(cells)

    def within(self, what: str, done: int, total: int) -> None:
        """Show the part of the work that is at hand, within a cell or before the first one of a model."""
        if self._progress.bars is not None:
            self._progress.bars.part(self._place, what, done, total)
        elif time.monotonic() - self._progress.said > _SAY_SECONDS:
            self._progress.say(f"{what}: {done:,} of {total:,}")

    def train(self, cell: Cell, steps: Sequence[TrainingStep]) -> None:
        self._progress.train(cell, steps)

    def finish(self, cell: Cell, measurement: Measurement, seconds: float) -> None:
        self._progress.finish(cell, measurement, seconds)

    def fail(self, cell: Cell, reason: str) -> None:
        self._progress.fail(cell, reason)

    def rest(self) -> None:
        """Its unit is done, or it has ended."""
        if self._progress.bars is not None:
            self._progress.bars.rest(self._place)
