"""Launcher: a worker that runs each cell over several devices, in processes that `accelerate launch` starts for it."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from typing import IO, Any

from educe.data.display import visible
from educe.data.errors import RunStopped, UserError, reason_of
from educe.eval.measurement import Measurement
from educe.eval.progress import TrainingStep
from educe.recipes.runner.canaries import Canaries
from educe.recipes.runner.cell import Cell
from educe.recipes.runner.cohorts import Unit
from educe.recipes.runner.engines.rendezvous import KEY, Rendezvous
from educe.recipes.runner.processes import thread_variables
from educe.recipes.runner.store import Store
from educe.recipes.runner.study import Study
from educe.recipes.runner.worker import Listener, Worker, failures_noted

# How often it is seen that a launch has ended, and how long one may take to end after its processes.
_LOOK_SECONDS, _END_SECONDS = 0.2, 20.0
_SHOWN_BYTES = 10_000
# Of messages that arrive at once, which counts: whoever waits for a process that has ended breaks, too.
_ORDER = {"stopped": 0, "failed": 1, "ended": 2, "broken": 3}


def make_worker(
    store: Store, study: Study, cells: Sequence[Cell], *, earlier: Canaries, listener: Listener
) -> "Worker | Launcher":
    """What runs units of a study here: with a resident model, or by launches where the study says so."""
    if study.launch is None:
        return Worker(store, study, earlier, listener)
    return Launcher(store, study, cells, earlier, listener)


class Launcher:
    """Holds no model itself: each launch loads its own, so that a cell that ends one spoils no other cell."""

    def __init__(
        self, store: Store, study: Study, cells: Sequence[Cell], earlier: Canaries, listener: Listener
    ) -> None:
        self._store = store
        self._study = study
        self._places = {cell.listed.folder: place for place, cell in enumerate(cells)}
        self._earlier = earlier
        self._listener = listener

    def run(self, unit: Unit) -> None:
        """Launch the cells that are missing, one after another; what fails is noted, and the rest goes on."""
        for cell in unit.wanted:
            with failures_noted([cell], self._store, self._listener):
                started = time.perf_counter()
                self._listener.start([cell])
                self._launch(cell)
                measurement = self._store.find(cell.listed, {})
                if not isinstance(measurement, Measurement):
                    raise RunStopped(f"the result of {cell} was stored and is {measurement}")
                self._listener.finish(cell, measurement, time.perf_counter() - started)

    def close(self) -> None:
        """Nothing is left open: a launch ends with its cell."""

    def _launch(self, cell: Cell) -> None:
        assert self._study.launch is not None, "or there would be a worker with a model"
        folder = cell.listed.folder
        asked = (str(self._store.root.absolute()), self._study.text(), self._places[folder], folder, self._earlier)
        with _started(self._study) as (process, meeting, output):
            launched = _Launched(process, meeting, output, self._study.launch.devices, asked, self._listener, cell)
            try:
                launched.wait()
            except _Broken as error:
                print(visible(_end_of(output), lines=True), end="", file=sys.stderr)
                raise UserError(str(error)) from None
            finally:
                launched.close()


class _Broken(Exception):
    """A launch ended by no mistake that one of its processes could name."""


class _Launched:
    """The processes of one launch. Each has joined by a connection of its own, and ends when that is closed."""

    def __init__(
        self,
        process: "subprocess.Popen[bytes]",
        meeting: Rendezvous,
        output: IO[bytes],
        count: int,
        asked: Any,
        listener: Listener,
        cell: Cell,
    ) -> None:
        self._process = process
        self._meeting = meeting
        self._output = output
        self._count = count
        self._asked = asked
        self._listener = listener
        self._cell = cell
        self._ranks: dict[Connection, int] = {}
        self._done: set[int] = set()

    def wait(self) -> None:
        """Wait until every process has done its part. UserError or RunStopped as one raises it, _Broken as one ends."""
        while len(self._done) < self._count:
            over = self._process.poll() is not None
            ready = wait([self._meeting.bell, *self._ranks], timeout=0 if over else _LOOK_SECONDS)
            if over and not ready:
                lines = _end_of(self._output).split("\n")
                said = next((line for line in reversed(lines) if line.strip()), "nothing printed")
                raise _Broken(f"accelerate launch ended with exit code {self._process.returncode}: {reason_of(said)}")
            heard = [(source, _message(source)) for source in self._ranks if source in ready]
            for source, (what, values) in sorted(heard, key=lambda each: _ORDER.get(each[1][0], len(_ORDER))):
                self._hear(source, what, values)
            self._admit()

    def close(self) -> None:
        """End what is left of the launch."""
        if len(self._done) == self._count:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_END_SECONDS)
        self._meeting.close()
        for each in (*self._ranks, *(join.messages for join in self._meeting.joined())):
            each.close()
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _admit(self) -> None:
        for join in self._meeting.joined():
            self._ranks[join.messages] = join.place
            with suppress(OSError):  # that it has ended is heard
                join.messages.send(self._asked)

    def _hear(self, source: Connection, what: str, values: Sequence[Any]) -> None:
        rank = self._ranks[source]
        if what == "stopped":
            raise values[0]
        if what == "failed":
            raise UserError(*values)
        if what == "broken":
            raise _Broken(*values)
        if what == "done":
            self._done.add(rank)
        elif what == "say":
            self._listener.say(*values)
        elif what == "within":
            self._listener.within(*values)
        elif what == "train":
            self._listener.train(self._cell, [TrainingStep(*each) for each in values[1]])
        elif rank in self._done:
            source.close()
            del self._ranks[source]
        else:
            raise _Broken(
                f"process {rank + 1} of {self._count} of its launch ended; if memory was short, give the launch more "
                "devices or the model a smaller dtype"
            )


@contextmanager
def _started(study: Study) -> Iterator[tuple["subprocess.Popen[bytes]", Rendezvous, IO[bytes]]]:
    """A launch with the port at which its processes join, and what it prints: that has lines of every process."""
    assert study.launch is not None
    meeting = Rendezvous("127.0.0.1")
    # A free port, so that two launches on one machine do not collide.
    own = ["--num_machines", "1", "--machine_rank", "0", "--main_process_port", "0"]
    count = ["--num_processes", str(study.launch.devices), "-m", "educe.recipes.runner.launched"]
    command = [sys.executable, "-P", "-m", "accelerate.commands.launch", "--config_file", str(study.launch.file)]
    # As -P does: a file of the working directory must not stand in for a library.
    environment = {**os.environ, **thread_variables(study.threads), KEY: meeting.key, "PYTHONSAFEPATH": "1"}
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            [*command, *own, *count, meeting.host, str(meeting.port)],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # an interrupt from the keyboard is for the command alone, which ends the launch
        )
        yield process, meeting, output


def _message(source: Connection) -> tuple[str, Sequence[Any]]:
    try:
        what, values = source.recv()
    except (EOFError, OSError):
        return "ended", ()
    return what, values


def _end_of(output: IO[bytes]) -> str:
    output.seek(max(0, output.seek(0, os.SEEK_END) - _SHOWN_BYTES))
    return output.read().decode(errors="replace")
