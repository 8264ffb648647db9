"""Launcher: a worker that runs each cell over several devices, in processes that `accelerate launch` starts for it."""

import fcntl
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from typing import IO, Any

import psutil

from educe.data.display import visible
from educe.data.errors import RunStopped, UserError, reason_of
from educe.eval.measurement import Measurement
from educe.eval.progress import TrainingStep
from educe.recipes.runner.canaries import Canaries
from educe.recipes.runner.cell import Cell
from educe.recipes.runner.cohorts import Unit
from educe.recipes.runner.engines.engine import ASLEEP_SECONDS, SILENT_SECONDS, START_SECONDS
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
                measurement = self._measure(cell)
                self._listener.finish(cell, measurement, time.perf_counter() - started)

    def close(self) -> None:
        """Nothing is left open: a launch ends with its cell."""

    def _measure(self, cell: Cell) -> Measurement:
        """The result that a launch has stored, also where a process failed after that."""
        failed: UserError | None = None
        try:
            self._launch(cell)
        except RunStopped:
            raise
        except UserError as error:
            failed = error
        measurement = self._store.find(cell.listed, {})
        if not isinstance(measurement, Measurement):
            raise failed or RunStopped(f"the result of {cell} was stored and is {measurement}")
        if failed is not None:
            self._listener.say(f"{cell}: its result is stored, and after that: {failed}")
        return measurement

    def _launch(self, cell: Cell) -> None:
        assert self._study.launch is not None, "or there would be a worker with a model"
        folder = cell.listed.folder
        asked = (str(self._store.root.absolute()), self._study.text(), self._places[folder], folder, self._earlier)
        with _started(self._study) as (process, meeting, output):
            launched = _Launched(
                process=process,
                meeting=meeting,
                output=output,
                count=self._study.launch.devices,
                asked=asked,
                listener=self._listener,
                cell=cell,
            )
            try:
                launched.wait()
            except _Broken as error:
                print(visible(_end_of(output), lines=True), end="", file=sys.stderr)
                raise UserError(str(error)) from None
            finally:
                launched.close()


class _Broken(Exception):
    """A launch ended by no mistake that one of its processes could name."""


# What each process is sent: run directory, text of the study, place and folder of the cell, canaries of its results.
_Asked = tuple[str, str, int, str, Canaries]


@dataclass(kw_only=True)
class _Launched:
    """The processes of one launch. Each has joined by a connection of its own, and ends when that is closed."""

    process: "subprocess.Popen[bytes]"
    meeting: Rendezvous
    output: IO[bytes]
    count: int
    asked: _Asked
    listener: Listener
    cell: Cell
    _ranks: dict[Connection, int] = field(default_factory=dict)
    _pids: dict[int, int] = field(default_factory=dict)  # by rank
    _processes: set[psutil.Process] = field(default_factory=set)
    _heard: dict[int, float] = field(default_factory=dict)  # when, by rank
    _done: set[int] = field(default_factory=set)
    _begun: float = field(default_factory=time.monotonic)
    _looked: float = field(default_factory=time.monotonic)

    def wait(self) -> None:
        """Wait until every process has done its part.

        UserError or RunStopped as one raises it, _Broken as one ends, does not join or says nothing any more.
        """
        while len(self._done) < self.count:
            over = self.process.poll() is not None
            ready = wait([self.meeting.bell, *self._ranks], timeout=0 if over else _LOOK_SECONDS)
            if over and not ready:
                code = self.process.returncode
                raise _Broken(f"accelerate launch ended with exit code {code}: {_last_line_of(self.output)}")
            self._see_time()
            heard = [(source, _message(source)) for source in self._ranks if source in ready]
            for source, (what, values) in sorted(heard, key=lambda each: _ORDER.get(each[1][0], len(_ORDER))):
                self._hear(source, what, values)
            self._admit()
            self._refuse_silence()

    def close(self) -> None:
        """End what is left of the launch."""
        if len(self._done) == self.count:
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(_END_SECONDS)
        # torch starts each process in a session of its own, and one that is stopped outlives whoever started it.
        with suppress(psutil.Error):
            self._processes.update(psutil.Process(self.process.pid).children(recursive=True))
        self.meeting.close()
        for each in (*self._ranks, *(join.messages for join in self.meeting.joined())):
            each.close()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(_END_SECONDS)
        for process in self._processes:
            with suppress(psutil.Error):
                process.kill()
        self.process.kill()
        self.process.wait()

    def _see_time(self) -> None:
        now = time.monotonic()
        if (asleep := now - self._looked) > ASLEEP_SECONDS:
            self._begun += asleep
            self._heard = dict.fromkeys(self._heard, now)
        self._looked = now

    def _refuse_silence(self) -> None:
        if len(self._heard) < self.count and self._looked - self._begun > START_SECONDS:
            raise _Broken(
                f"{len(self._heard)} of {self.count} processes of its launch joined within {START_SECONDS:.0f} "
                f"seconds: {_last_line_of(self.output)}"
            )
        for rank, heard in self._heard.items():
            if rank not in self._done and self._looked - heard > SILENT_SECONDS:
                raise _Broken(f"{self._name(rank)} said nothing for {SILENT_SECONDS:.0f} seconds")

    def _name(self, rank: int) -> str:
        return f"process {rank + 1} of {self.count} of its launch"

    def _admit(self) -> None:
        for join in self.meeting.joined():
            self._ranks[join.messages], self._heard[join.place] = join.place, time.monotonic()
            self._pids[join.place] = int(join.token)
            with suppress(psutil.NoSuchProcess):
                self._processes.add(psutil.Process(int(join.token)))
            with suppress(OSError):  # that it has ended is heard
                join.messages.send(self.asked)

    def _hear(self, source: Connection, what: str, values: Sequence[Any]) -> None:
        rank = self._ranks[source]
        self._heard[rank] = time.monotonic()
        if what == "stopped":
            raise values[0]
        if what == "failed":
            raise UserError(*values)
        if what == "broken":
            raise _Broken(*values)
        if what == "done":
            self._done.add(rank)
        elif what == "say":
            self.listener.say(*values)
        elif what == "within":
            self.listener.within(*values)
        elif what == "train":
            self.listener.train(self.cell, [TrainingStep(*each) for each in values[1]])
        elif what == "ended" and rank in self._done:
            source.close()
            del self._ranks[source]
        elif what == "ended":
            raise _Broken(self._how_ended(rank))

    def _how_ended(self, rank: int) -> str:
        said = _last_line_of(self.output)  # before torch prints what it knows, which is the exit code
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(_END_SECONDS)
        found = re.findall(rf"exitcode *: (-?\d+) \(pid: {self._pids[rank]}\)", _end_of(self.output))
        code = int(found[-1]) if found else None
        if code == -signal.SIGKILL:
            fix = "if memory was short, give the launch more devices or the model a smaller dtype"
            return f"{self._name(rank)} ended with signal SIGKILL; {fix}"
        if code is not None:
            how = f" with signal {signal.Signals(-code).name}" if code < 0 else f" with exit code {code}"
        else:
            how = ""
        return f"{self._name(rank)} ended{how}: {said}"


@contextmanager
def _started(study: Study) -> Iterator[tuple["subprocess.Popen[bytes]", Rendezvous, IO[bytes]]]:
    """A launch with the port at which its processes join, and what it prints: that has lines of every process."""
    assert study.launch is not None
    # A free port, so that two launches on one machine do not collide. The worker's GPUs, whatever the file names.
    own = ["--num_machines", "1", "--machine_rank", "0", "--main_process_port", "0", "--gpu_ids", "all"]
    count = ["--num_processes", str(study.launch.devices), "-m", "educe.recipes.runner.launched"]
    command = [sys.executable, "-P", "-m", "accelerate.commands.launch", "--config_file", str(study.launch.file)]
    # As -P does: a file of the working directory must not stand in for a library.
    environment = {**os.environ, **thread_variables(study.threads), "PYTHONSAFEPATH": "1"}
    if study.device == "cpu":  # accelerate starts DeepSpeed on GPUs where it sees some
        environment["CUDA_VISIBLE_DEVICES"] = ""
    with closing(Rendezvous("127.0.0.1")) as meeting, tempfile.TemporaryFile() as output:
        fcntl.fcntl(output, fcntl.F_SETFL, os.O_APPEND)
        process = subprocess.Popen(
            [*command, *own, *count, meeting.host, str(meeting.port)],
            env={**environment, KEY: meeting.key},
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


def _last_line_of(output: IO[bytes]) -> str:
    lines = _end_of(output).split("\n")
    return reason_of(next((line for line in reversed(lines) if line.strip()), "nothing printed"))


def _end_of(output: IO[bytes]) -> str:
    # A seek would move the place at which the processes write, too.
    start = max(0, os.fstat(output.fileno()).st_size - _SHOWN_BYTES)
    return os.pread(output.fileno(), _SHOWN_BYTES, start).decode(errors="replace")
