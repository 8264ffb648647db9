"""Copying a run for a tracker while it goes on, in a thread: no outage fails or slows a study."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from queue import Queue
from typing import TYPE_CHECKING

from educe.eval.measurement import Measurement
from educe.eval.progress import TrainingStep
from educe.recipes.runner.tracking import content
from educe.recipes.runner.tracking.copied import Copied
from educe.recipes.runner.tracking.marks import Marks
from educe.recipes.runner.tracking.process import UPLOAD_SECONDS, TrackerFailed, TrackerProcess
from educe.recipes.runner.tracking.settings import ChosenTracker

if TYPE_CHECKING:  # a study has its cells, and what shows them shows a tracker's trouble
    from educe.recipes.runner.cell import Cell
    from educe.recipes.runner.study import Study

# How long all that waits at the end of a study may take to be copied, and what is left where it was ended.
_CLOSE_SECONDS, _STOP_SECONDS = 60.0, 2.0


class Tracking:
    """Copies cells as they train and as they are measured. Each is copied once into a directory.

    What went wrong is said once, by `say`, and nothing more is copied then. With `machine`, the tracker records what
    this machine does.
    """

    def __init__(
        self, folder: Path, chosen: ChosenTracker, *, study: str, machine: bool, say: Callable[[str], None]
    ) -> None:
        self._folder, self._chosen, self._study, self._say = folder, chosen, study, say
        self._machine, self._marks = machine, Marks(folder / chosen.name)
        self._waiting: Queue[Callable[[], None] | None] = Queue()
        self._works = True
        self._process: TrackerProcess | None = None
        self._open: dict[str, Copied] = {}  # by the key of the cell
        self._thread = threading.Thread(target=self._copy, daemon=True)
        self._thread.start()

    def start(self, cells: Sequence["Cell"]) -> None:
        """These cells are elicited from the start, perhaps once more."""
        self._put(partial(self._start, cells))

    def train(self, cell: "Cell", steps: Sequence[TrainingStep]) -> None:
        """Steps that were trained for a cell."""
        self._put(partial(self._train, cell, steps))

    def finish(self, cell: "Cell", measurement: Measurement) -> None:
        """A cell has been measured."""
        self._put(partial(self._finish, cell, measurement))

    def fail(self, cell: "Cell") -> None:
        """A cell has failed."""
        self._put(partial(self._fail_cell, cell))

    def show(self, measurements: Sequence[Measurement]) -> None:
        """A study is finished: copy its charts and tables."""
        self._put(partial(self._show, measurements))

    def close(self) -> None:
        """Copy what is waiting, for a minute at most."""
        self._waiting.put(None)
        self._thread.join(_CLOSE_SECONDS)
        if self._thread.is_alive():
            self._fail("it takes too long")
            self._end()

    def stop(self) -> None:
        """Copy nothing more: the study was ended, and whoever ended it waits."""
        self._works = False
        self._waiting.put(None)
        self._thread.join(_STOP_SECONDS)
        if self._thread.is_alive():
            self._end()

    def _put(self, copy: Callable[[], None]) -> None:
        if self._works:
            self._waiting.put(copy)

    def _copy(self) -> None:
        while (copy := self._waiting.get()) is not None:
            try:
                if self._works:
                    copy()
            except BaseException as error:  # whatever it is, the results are in the run directory
                self._fail(str(error) if isinstance(error, TrackerFailed) else f"{type(error).__name__}: {error}")
                self._end()
        if self._process is not None:
            self._process.close()

    def _fail(self, why: str) -> None:
        if self._works:
            self._works = False
            title = self._chosen.known.title
            self._say(
                f"{title}: {' '.join(why.split())[:300]}; the study goes on, and running it again copies the rest"
            )

    def _end(self) -> None:
        if self._process is not None:
            self._process.end()

    @property
    def _tracker(self) -> TrackerProcess:
        if self._process is None:
            self._process = TrackerProcess.start(self._chosen.known.made_by, self._folder, machine=self._machine)
        return self._process

    def _key(self, cell: "Cell") -> str:
        return content.key_of(cell, directory=self._marks.directory)

    def _is_copied(self, cell: "Cell") -> bool:
        return self._marks.has(cell.listed.folder, cell.key)

    def _start(self, cells: Sequence["Cell"]) -> None:
        for key in map(self._key, cells):
            if key in self._open:
                self._open[key] = self._open[key].again()

    def _train(self, cell: "Cell", steps: Sequence[TrainingStep]) -> None:
        if not self._is_copied(cell):
            copied = self._begun(cell)
            self._tracker.call("log", copied.entry.key, copied.take(steps))

    def _begun(self, cell: "Cell") -> Copied:
        key = self._key(cell)
        if key not in self._open:
            entry = content.entry_of(cell, study=self._study, directory=self._marks.directory)
            self._open[key] = Copied(entry=entry, have=self._tracker.call("begin", entry))
        return self._open[key]

    def _finish(self, cell: "Cell", measurement: Measurement) -> None:
        if self._is_copied(cell):
            return
        copied, key, adapter = self._begun(cell), self._key(cell), self._adapter(cell)
        self._tracker.call("log", key, copied.take_kept(measurement.training))
        config = content.provenance(measurement, prompts=self._chosen.copies("prompts"))
        seconds = None if adapter is None else UPLOAD_SECONDS
        kept = self._tracker.call("finish", key, config, content.summary(measurement), adapter, seconds=seconds)
        del self._open[key]
        if kept:
            self._marks.add(cell.listed.folder, cell.key)

    def _adapter(self, cell: "Cell") -> Path | None:
        folder = self._folder.absolute() / "cells" / cell.folder / "adapter"
        return folder if self._chosen.copies("adapters") and folder.is_dir() else None

    def _fail_cell(self, cell: "Cell") -> None:
        key = self._key(cell)
        if self._open.pop(key, None) is not None:
            self._tracker.call("fail", key)

    def _show(self, measurements: Sequence[Measurement]) -> None:
        entry = content.overview_entry(measurements, study=self._study, directory=self._marks.directory)
        self._marks.remove_curves()
        if self._tracker.call("show", entry, content.overview(measurements)):
            self._marks.add_curves()


def check_tracker(study: "Study") -> None:
    """UserError where a study names a tracker whose package is not installed."""
    if (chosen := ChosenTracker.read(study.track)) is not None:
        chosen.check_installed()


@contextmanager
def tracked(
    study: "Study",
    folder: Path,
    say: Callable[[str], None],
    *,
    machine: bool,
    known: Sequence[tuple["Cell", Measurement]] = (),
) -> Iterator[Tracking | None]:
    """Copies what is `known` and what is elicited inside the block, where the study wants that."""
    chosen = ChosenTracker.read(study.track)
    if chosen is None:
        yield None
        return
    tracking = Tracking(folder, chosen, study=study.name, machine=machine, say=say)
    for cell, measurement in known:
        tracking.finish(cell, measurement)
    try:
        yield tracking
    except BaseException:
        tracking.stop()
        raise
    tracking.close()
