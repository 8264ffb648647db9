"""A worker in a process of its own: runs the units that another process sends, and tells it what happens.

It ends when its messages end, also where the process that started it was killed.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection, wait
from pathlib import Path

from educe.data.errors import RunStopped
from educe.data.untrusted import parse_yaml
from educe.eval.measurement import Measurement
from educe.recipes.runner.canaries import Canaries
from educe.recipes.runner.cell import Cell
from educe.recipes.runner.cohorts import Unit
from educe.recipes.runner.store import Store
from educe.recipes.runner.study import Study
from educe.recipes.runner.threads import threads
from educe.recipes.runner.worker import Worker

# Seconds between two messages about the progress inside a cell.
_PAUSE = 0.5


class _Sender:
    """A listener that sends what it is told to the process that started this one."""

    def __init__(self, messages: Connection, places: Mapping[str, int]) -> None:
        self._messages = messages
        self._places = places
        self._last = 0.0

    def say(self, text: str) -> None:
        self._messages.send(("say", (text,)))

    def start(self, cells: Sequence[Cell]) -> None:
        self._messages.send(("start", ([self._places[cell.listed.folder] for cell in cells],)))

    def within(self, what: str, done: int, total: int) -> None:
        if time.monotonic() - self._last > _PAUSE:
            self._last = time.monotonic()
            self._messages.send(("within", (what, done, total)))

    def finish(self, cell: Cell, measurement: Measurement, seconds: float) -> None:
        self._messages.send(("finish", (self._places[cell.listed.folder], seconds)))  # the result is in the store

    def fail(self, cell: Cell, reason: str) -> None:
        self._messages.send(("fail", (self._places[cell.listed.folder], reason)))


def _end_with(lifeline: Connection) -> None:
    """End this process at once when the one that started it has ended."""
    wait([lifeline])
    os._exit(1)


def main(messages: Connection, lifeline: Connection) -> None:
    """Run the units that arrive until no more do."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that started this one ends it
    threading.Thread(target=_end_with, args=(lifeline,), daemon=True).start()
    try:
        messages.send(("ready", ()))
        root, text, earlier = messages.recv()
        study = Study.make(parse_yaml(text, source="study.yaml"))
        with threads(study.threads):
            _run_units(messages, study, Store(Path(root)), earlier)
    except EOFError:
        return
    except RunStopped as error:
        messages.send(("stopped", (error,)))


def _run_units(messages: Connection, study: Study, store: Store, earlier: Canaries) -> None:
    cells = study.cells()
    places: dict[str, int] = {}
    worker = Worker(store, study, earlier, _Sender(messages, places))
    while True:
        listed, missing = messages.recv()
        unit = Unit(tuple(_cell(cells, place, folder) for place, folder in listed), missing)
        places.update({folder: place for place, folder in listed})
        worker.run(unit)
        messages.send(("done", ()))


def _cell(cells: Sequence[Cell], place: int, folder: str) -> Cell:
    if place >= len(cells) or cells[place].listed.folder != folder:
        raise RunStopped("the study's files changed while it ran; run it again (finished cells are kept)")
    return cells[place]


if __name__ == "__main__":
    main(*map(Connection, map(int, sys.argv[1:])))
