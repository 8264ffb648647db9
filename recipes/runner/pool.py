"""Pool: worker processes of one machine, each with a resident model, fed with units by the process that started them.

A worker (worker_process.py) reads the study from its first message, so that nothing but plain values passes between
the processes. It stores results itself: every cell has a folder of its own.
"""

import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from typing import Any

from educe.data.errors import RunStopped
from educe.recipes.runner.canaries import Canaries
from educe.recipes.runner.cell import Cell
from educe.recipes.runner.cohorts import Unit, for_workers
from educe.recipes.runner.processes import WorkerProcess, start_process
from educe.recipes.runner.progress import Progress
from educe.recipes.runner.store import Store
from educe.recipes.runner.study import Study

# A unit whose worker dies is given to another one so often; then its cells are noted as failed.
MAX_TRIES = 2


@dataclass(kw_only=True)
class Pool:
    """Runs units in `count` processes, one for each entry of `gpus` where these are named; `early` is the first."""

    study: Study
    cells: Sequence[Cell]
    store: Store
    earlier: Canaries
    listener: Progress
    count: int
    gpus: Sequence[str] = ()  # as CUDA_VISIBLE_DEVICES names them
    early: WorkerProcess | None = None
    _tries: dict[str, int] = field(default_factory=dict)  # by the folder of a unit's first cell
    _heard: set[str] = field(default_factory=set)  # folders of cells that finished or failed

    def run(self, units: Sequence[Unit], *, meanwhile: Callable[[], None]) -> None:
        """Run all units, and do something else once the workers have begun.

        A worker that dies is replaced. RunStopped as a worker raises it.
        """
        places = {cell.listed.folder: place for place, cell in enumerate(self.cells)}
        waiting = for_workers(units)
        processes = [self._start(place) for place in range(min(self.count, len(units)))]
        try:
            for each in processes:
                self._feed(each, waiting, places)
            meanwhile()
            while busy := {each.messages: each for each in processes if each.unit is not None}:
                for messages in wait(list(busy)):
                    each = busy[messages]  # type: ignore[index]
                    try:
                        message = each.messages.recv()
                    except (EOFError, OSError):
                        place = processes.index(each)
                        self._bury(each, waiting)
                        processes[place] = each = self._start(place)
                        message = ("done", ())
                    if self._hear(message):
                        self._feed(each, waiting, places)
        finally:
            for each in processes:
                each.end()

    def _start(self, place: int) -> WorkerProcess:
        started, self.early = self.early, None
        gpu = self.gpus[place % len(self.gpus)] if self.gpus else ""
        started = started or start_process(threads=self.study.threads, gpu=gpu)
        started.send((str(self.store.root), self.study.text(), dict(self.earlier)))
        return started

    def _feed(self, each: WorkerProcess, waiting: list[Unit], places: Mapping[str, int]) -> None:
        """Give a worker its next unit, of the model that it has loaded where there is one."""
        each.unit = None
        if not waiting:
            return
        unit = next((unit for unit in waiting if unit.loaded == each.loaded), waiting[0])
        waiting.remove(unit)
        each.unit, each.loaded = unit, unit.loaded
        listed = [(places[cell.listed.folder], cell.listed.folder) for cell in unit.cells]
        each.send((listed, unit.missing))

    def _hear(self, message: tuple[str, Any]) -> bool:
        """Pass a worker's message on to the listener; whether its unit is done."""
        what, values = message
        if what == "done":
            return True
        if what == "ready":  # it has imported its libraries
            return False
        if what == "stopped":
            raise values[0]
        if what == "start":
            self.listener.start([self.cells[place] for place in values[0]])
        elif what == "finish":
            self._finish(self.cells[values[0]], values[1])
        elif what == "fail":
            self._heard.add(self.cells[values[0]].listed.folder)
            self.listener.fail(self.cells[values[0]], values[1])
        elif what == "within":
            self.listener.within(*values)
        else:
            self.listener.say(*values)
        return False

    def _finish(self, cell: Cell, seconds: float) -> None:
        measurement = self.store.find(cell.listed, {})
        if isinstance(measurement, str):
            raise RunStopped(f"the result of {cell} was stored and is {measurement}")
        self._heard.add(cell.listed.folder)
        self.listener.finish(cell, measurement, seconds)

    def _bury(self, each: WorkerProcess, waiting: list[Unit]) -> None:
        """A worker has died: its unit is tried again, or its cells without a result are noted as failed."""
        each.end()
        unit = each.unit
        assert unit is not None
        died = f"the worker process ended with {_how(each.process.returncode)}"
        first = unit.cells[0].listed.folder
        tries = self._tries[first] = self._tries.get(first, 0) + 1
        self.listener.say(f"{died}; a new one takes its place")
        left = [cell for cell in unit.wanted if cell.listed.folder not in self._heard]
        for cell in [cell for cell in left if self.store.has(cell)]:  # it died before it could say so
            self._finish(cell, 0.0)
            left.remove(cell)
        if tries < MAX_TRIES and left:
            waiting.insert(0, Unit(unit.cells, frozenset(cell.listed.folder for cell in left)))
            return
        for cell in left:
            reason = f"{died}, {MAX_TRIES} times; if memory was short, run with fewer --workers"
            self.store.fail(cell, reason)
            self.listener.fail(cell, reason)


def _how(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
