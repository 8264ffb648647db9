"""Pool: workers, each with a resident model, fed with units by this process, wherever an engine has started them.

A worker (worker_process.py) reads the study from its first message, so that nothing but plain values passes between
the processes. It stores results itself: every cell has a folder of its own.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from multiprocessing.connection import wait
from typing import Any

from educe.data.errors import RunStopped
from educe.eval.analysis.formatting import format_count
from educe.eval.measurement import Measurement
from educe.eval.progress import TrainingStep
from educe.recipes.runner.canaries import Canaries
from educe.recipes.runner.cell import Cell
from educe.recipes.runner.cohorts import Unit, for_workers
from educe.recipes.runner.engines.engine import (
    ASLEEP_SECONDS,
    SILENT_SECONDS,
    START_SECONDS,
    Engine,
    Joined,
    WorkerHandle,
)
from educe.recipes.runner.progress import Progress, WorkerProgress
from educe.recipes.runner.store import NOT_RUN, Store
from educe.recipes.runner.study import Study

# A unit whose worker dies is given to another one so often; then its cells are noted as failed. A worker that was
# preempted and is queued again died of no fault of the unit.
MAX_TRIES, MAX_QUEUED_AGAIN = 2, 20
# So many workers of one place, one after another, may end before they have joined.
MAX_LOST = 3
_LOOK_SECONDS = 2.0
# How often an engine is asked whether workers ended before they joined, and how long another start is waited for.
ASK_SECONDS, PAUSE_SECONDS = 15.0, 30.0
# A shared file system may show what another machine wrote so much later.
_SEEN_SECONDS = 60.0


@dataclass(kw_only=True)
class Pool:
    """Runs units with `count` workers of an engine."""

    study: Study
    cells: Sequence[Cell]
    store: Store
    earlier: Canaries
    listener: Progress
    engine: Engine
    count: int
    _workers: list[WorkerHandle] = field(default_factory=list)  # by their places
    _waiting: list[Unit] = field(default_factory=list)
    # By the folder of a unit's first cell, how often its worker died, and how often it was preempted.
    _tries: dict[tuple[str, bool], int] = field(default_factory=dict)
    _lost: dict[int, int] = field(default_factory=dict)  # by place, in a row
    _lost_at: dict[int, float] = field(default_factory=dict)
    _asked_at: float = 0.0  # when engines were last asked for workers that ended before they joined
    _heard: set[str] = field(default_factory=set)  # folders of cells that finished or failed
    _looked: float = 0.0

    def run(self, units: Sequence[Unit], *, meanwhile: Callable[[], None]) -> None:
        """Run all units, and do something else once the workers have begun.

        A worker that dies or hangs is replaced. RunStopped as a worker raises it, and where none can be started.
        """
        self._waiting = for_workers(units)
        try:
            self._workers = self.engine.start(range(min(self.count, len(units))))
            for each in self._workers:
                if each.messages is not None:
                    self._begin(each)
            meanwhile()
            self._looked = time.monotonic()
            while self._waiting or any(each.unit for each in self._workers):
                self._look()
        finally:
            for each in self._workers:
                with suppress(Exception):  # the others must end, too, and what went wrong before is what counts
                    each.end()

    @cached_property
    def _places(self) -> Mapping[str, int]:
        return {cell.listed.folder: place for place, cell in enumerate(self.cells)}

    def _look(self) -> None:
        """Hear whoever has something to say, see who has ended or says nothing, and feed who has nothing to do."""
        talking = {each.messages: place for place, each in enumerate(self._workers) if each.messages is not None}
        bell = [] if self.engine.bell is None else [self.engine.bell]
        ready = wait([*talking, *bell], timeout=_LOOK_SECONDS)
        now = time.monotonic()
        if now - self._looked > ASLEEP_SECONDS:
            for each in self._workers:
                each.heard = now
        for source in ready:
            if source in bell:
                for join in self.engine.joined():
                    self._admit(join)
            elif self._workers[place := talking[source]].messages is source:  # type: ignore[index]
                self._listen(place)
        ask = now - self._asked_at > ASK_SECONDS
        self._asked_at = now if ask else self._asked_at
        for place, each in enumerate(self._workers):
            if each.messages is None:
                if ask:
                    self._look_for(place)
                continue
            if each.unit is None:
                self._feed(each)
            if now - each.heard > SILENT_SECONDS:
                each.end()
                self._bury(place, f"said nothing for {SILENT_SECONDS:.0f} seconds")
        self._looked = time.monotonic()

    def _admit(self, join: Joined) -> None:
        """A worker has joined; one that was replaced in the meantime is sent away."""
        each = self._workers[join.place]
        if each.token != join.token:
            join.messages.close()
            return
        if each.messages is not None:  # it was queued again, and joined before its end was noticed
            self._bury(join.place, "was queued again")
            each = self._workers[join.place]
            if each.token != join.token:  # its engine took it for ended
                join.messages.close()
                return
        self._lost.pop(join.place, None)
        each.messages = join.messages
        self._begin(each)

    def _begin(self, each: WorkerHandle) -> None:
        each.send((str(self.store.root.absolute()), self.study.text(), dict(self.earlier)))
        self._feed(each)
        each.heard = time.monotonic() + START_SECONDS  # until it has imported its libraries

    def _feed(self, each: WorkerHandle) -> None:
        """Give a worker its next unit, of the model that it has loaded where there is one."""
        each.unit = None
        if not self._waiting:
            return
        each.heard = time.monotonic()
        unit = self._waiting.pop(next((i for i, unit in enumerate(self._waiting) if unit.loaded == each.loaded), 0))
        each.unit, each.loaded = unit, unit.loaded
        listed = [(self._places[cell.listed.folder], cell.listed.folder) for cell in unit.cells]
        each.send((listed, unit.missing))

    def _listen(self, place: int) -> None:
        each = self._workers[place]
        assert each.messages is not None, "it was heard"
        try:
            message = each.messages.recv()
        except (EOFError, OSError):
            self._bury(place, f"ended with {each.ended_with()}")
            return
        each.heard = time.monotonic()
        if self._hear(message, self.listener.of_worker(place)):
            self._feed(each)

    def _hear(self, message: tuple[str, Any], listener: WorkerProgress) -> bool:
        """Pass a worker's message on to the listener; whether its unit is done."""
        what, values = message
        if what == "done":
            listener.rest()
            return True
        if what in ("ready", "alive"):  # it has imported its libraries, or its process runs
            return False
        if what == "stopped":
            raise values[0]
        if what == "start":
            listener.start([self.cells[place] for place in values[0]])
        elif what == "train":
            listener.train(self.cells[values[0]], [TrainingStep(*each) for each in values[1]])
        elif what == "finish":
            self._finish(self.cells[values[0]], values[1])
        elif what == "fail":
            self._heard.add(self.cells[values[0]].listed.folder)
            listener.fail(self.cells[values[0]], values[1])
        elif what == "within":
            listener.within(*values)
        else:
            listener.say(*values)
        return False

    def _finish(self, cell: Cell, seconds: float) -> None:
        measurement = self._stored(cell)
        if isinstance(measurement, str):
            raise RunStopped(f"the result of {cell} was stored and is {measurement}")
        self._heard.add(cell.listed.folder)
        self.listener.finish(cell, measurement, seconds)

    def _stored(self, cell: Cell) -> Measurement | str:
        """What a worker has stored; a worker of another machine may have, and this one not see it yet."""
        until = time.monotonic() + (0 if self.engine.bell is None else _SEEN_SECONDS)
        while (found := self.store.find(cell.listed, {})) == NOT_RUN and time.monotonic() < until:
            time.sleep(0.2)
        return found

    def _bury(self, place: int, died: str) -> None:
        """A worker has died: its unit is tried again, or its cells without a result are noted as failed."""
        each = self._workers[place]
        if each.unit is None and not self._waiting:  # should work come back, `_look_for` starts another
            self.listener.say(f"the worker process {died}; nothing is left for another one")
            each.end()
            each.messages = None
            return
        self._workers[place] = new = self.engine.replace(each, place)
        new.token = new.token or each.token
        self.listener.of_worker(place).rest()
        self.listener.say(f"the worker process {died}; a new one takes its place")
        if each.unit is not None:
            self._take_back(each.unit, died, preempted=new.queued_again)
        if new.messages is not None:
            self._begin(new)

    def _take_back(self, unit: Unit, died: str, *, preempted: bool) -> None:
        first, most = (unit.cells[0].listed.folder, preempted), MAX_QUEUED_AGAIN if preempted else MAX_TRIES
        tries = self._tries[first] = self._tries.get(first, 0) + 1
        left = [cell for cell in unit.wanted if cell.listed.folder not in self._heard]
        for cell in [cell for cell in left if self.store.has(cell)]:  # it died before it could say so
            self._finish(cell, 0.0)
            left.remove(cell)
        if tries < most and left:
            self._waiting.insert(0, Unit(unit.cells, frozenset(cell.listed.folder for cell in left)))
            return
        for cell in left:
            reason = f"the worker process {died}, {tries} times; {self.engine.fix}"
            self.store.fail(cell, reason)
            self.listener.fail(cell, reason)

    def _look_for(self, place: int) -> None:
        """Start another worker where one has ended before it joined; after some of these, go on without."""
        lost = self._lost.get(place, 0)
        # Whoever refuses workers may do so for a moment alone.
        if (
            not self._waiting
            or lost >= MAX_LOST
            or time.monotonic() - self._lost_at.get(place, -math.inf) < PAUSE_SECONDS * lost
        ):
            return
        if (why := self._workers[place].lost()) is None:
            return
        self._lost[place], self._lost_at[place] = lost + 1, time.monotonic()
        if self._lost[place] < MAX_LOST:
            self._workers[place] = new = self.engine.replace(self._workers[place], place)
            if new.messages is not None:
                self._begin(new)
            return
        self.listener.say(f"worker {place + 1} of {len(self._workers)} does not start: {why}")
        if all(self._lost.get(each, 0) >= MAX_LOST for each in range(len(self._workers))):
            left = format_count(sum(len(unit.wanted) for unit in self._waiting), "cell")
            raise RunStopped(f"no worker starts ({why}), and {left} are left; finished cells are kept")
