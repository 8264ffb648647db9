"""A worker in a process of its own: runs the units that another process sends, and tells it what happens.

It ends when its messages end, also where the process that started it was killed, here or on another machine.
"""

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from educe.data.errors import RunStopped, UserError
from educe.data.untrusted import parse_yaml
from educe.eval.measurement import Measurement
from educe.eval.progress import TrainingStep
from educe.recipes.runner.canaries import Canaries
from educe.recipes.runner.cell import Cell
from educe.recipes.runner.cohorts import Unit
from educe.recipes.runner.engines.rendezvous import join_run
from educe.recipes.runner.launcher import make_worker
from educe.recipes.runner.store import Store
from educe.recipes.runner.study import Study
from educe.recipes.runner.threads import threads
from educe.recipes.runner.workers import check_devices

# Seconds between two messages about the progress inside a cell or its training, and between two signs of life.
_PAUSE, ALIVE_SECONDS = 0.5, 10.0


class Sender:
    """A listener that sends what it is told to the process that started this one."""

    def __init__(self, messages: Connection, places: dict[str, int]) -> None:
        self._messages = messages
        self.places = places
        self._last = self._last_steps = 0.0
        self._steps: dict[int, list[TrainingStep]] = {}  # not sent yet, by the place of their cell
        self._one_at_a_time = threading.Lock()
        self.over = threading.Event()

    def send(self, what: str, *values: Any) -> None:
        try:
            with self._one_at_a_time:
                self._messages.send((what, values))
        except OSError:
            # Nobody listens: what is stored stays, and nothing may be noted or written any more.
            os._exit(0 if self.over.is_set() else 1)

    def say(self, text: str) -> None:
        self.send("say", text)

    def start(self, cells: Sequence[Cell]) -> None:
        self.send("start", [self.places[cell.listed.folder] for cell in cells])

    def within(self, what: str, done: int, total: int) -> None:
        if time.monotonic() - self._last > _PAUSE:
            self._last = time.monotonic()
            self.send("within", what, done, total)

    def train(self, cell: Cell, steps: Sequence[TrainingStep]) -> None:
        self._steps.setdefault(self.places[cell.listed.folder], []).extend(steps)
        if time.monotonic() - self._last_steps > _PAUSE:
            self.send_steps()

    def send_steps(self) -> None:
        """Send the steps that wait: a message for each step would cost more than a small step."""
        waiting, self._steps = self._steps, {}
        for place, steps in waiting.items():
            self.send("train", place, [(each.training, each.row) for each in steps])
        self._last_steps = time.monotonic()

    def finish(self, cell: Cell, measurement: Measurement, seconds: float) -> None:
        self.send_steps()
        self.send("finish", self.places[cell.listed.folder], seconds)  # the result is in the store

    def fail(self, cell: Cell, reason: str) -> None:
        self.send_steps()
        self.send("fail", self.places[cell.listed.folder], reason)

    def stay_alive(self) -> None:
        """Give a sign of life now and then, so that silence means that this process or its machine has stopped."""
        while not self.over.wait(ALIVE_SECONDS):
            self.send("alive")


def end_with(lifeline: Connection) -> None:
    """End this process at once when the one that started it has ended."""
    wait([lifeline])
    os._exit(1)


def hold_on(lifeline: Connection) -> None:
    """Leave it to the process that started this one to end it."""
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)
    threading.Thread(target=end_with, args=(lifeline,), daemon=True).start()


def main(messages: Connection) -> None:
    """Run the units that arrive until no more do."""
    places: dict[str, int] = {}
    sender = Sender(messages, places)
    try:
        sender.send("ready")
        threading.Thread(target=sender.stay_alive, daemon=True).start()
        root, text, earlier = messages.recv()
        study, cells = read_here(text)
        with threads(study.threads):
            _run_units(messages, sender, places, study, cells, Store(Path(root)), earlier)
    except (EOFError, ConnectionResetError):
        sender.over.set()
    except RunStopped as error:
        sender.send("stopped", error)


def read_here(text: str) -> tuple[Study, Sequence[Cell]]:
    """A study and its cells.

    RunStopped where this machine lacks what the study names: no cell could be run here, and none has failed.
    """
    try:
        study = Study.make(parse_yaml(text, source="study.yaml"))
        check_devices(study)
        return study, study.cells()
    except RunStopped:
        raise
    except UserError as error:
        raise RunStopped(f"{error} (on {socket.gethostname()})") from None


def _run_units(
    messages: Connection,
    sender: Sender,
    places: dict[str, int],
    study: Study,
    cells: Sequence[Cell],
    store: Store,
    earlier: Canaries,
) -> None:
    worker = make_worker(store, study, cells, earlier=earlier, listener=sender)
    while True:
        listed, missing = messages.recv()
        unit = Unit(tuple(cell_at(cells, place, folder) for place, folder in listed), missing)
        places.update({folder: place for place, folder in listed})
        worker.run(unit)
        sender.send("done")


def cell_at(cells: Sequence[Cell], place: int, folder: str) -> Cell:
    """The cell at a place. RunStopped where it is not the one of this folder any more."""
    if place >= len(cells) or cells[place].listed.folder != folder:
        raise RunStopped("the study's files changed while it ran; run it again (finished cells are kept)")
    return cells[place]


if __name__ == "__main__":
    *own, line = sys.argv[1:]
    hold_on(Connection(int(line)))
    if own[0] == "join":
        where, port, own_place, own_token = own[1:]
        main(join_run(where, int(port), int(own_place), own_token))
    else:
        main(Connection(int(own[0])))
