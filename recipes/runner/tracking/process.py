"""The process in which a tracker runs: a study does not wait for its library, and what ends the library ends no study.

It ends when its messages end. Inside the library nobody reads messages, so a thread waits for the end of the process
that started it, which may be killed.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from multiprocessing.connection import Connection, Pipe, wait
from pathlib import Path
from typing import Any

import psutil

from educe.recipes.runner.tracking.tracker import Tracker

# How long a tracker may take to close its copies once nobody waits for it any more.
_LEAVE_SECONDS = 10.0
# How long one call may take, and one that uploads what was trained.
_CALL_SECONDS, UPLOAD_SECONDS = 120.0, 3600.0


class TrackerFailed(Exception):
    """What went wrong in a tracker, in one line."""


@dataclass(kw_only=True)
class TrackerProcess:
    """A started tracker; one call at a time."""

    process: subprocess.Popen[bytes]
    messages: Connection
    lifeline: Connection

    @classmethod
    def start(cls, made_by: str, out: Path, *, machine: bool) -> "TrackerProcess":
        """The tracker of the class that is named as `module:Class`, for this run directory."""
        messages, theirs = Pipe()
        lifeline, held = Pipe(duplex=False)  # closes when this process ends, however it ends
        pipes = theirs.fileno(), lifeline.fileno()
        command = [sys.executable, "-P", "-m", __name__, *map(str, pipes)]
        # In a session of its own, so that Ctrl-C reaches neither it nor what its library starts.
        process = subprocess.Popen(
            command,
            pass_fds=pipes,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        theirs.close()
        lifeline.close()
        messages.send((made_by, out.absolute(), machine))
        return cls(process=process, messages=messages, lifeline=held)

    def call(self, what: str, *values: Any, seconds: float | None = None) -> Any:
        """Call a method of the tracker.

        TrackerFailed where it raises, where it takes longer than so many seconds (default: two minutes), or where its
        process has ended.
        """
        limit = _CALL_SECONDS if seconds is None else seconds
        try:
            self.messages.send((what, values))
            if not self.messages.poll(limit):
                raise TrackerFailed(f"no answer for {limit:g} seconds")
            failed, value = self.messages.recv()
        except (EOFError, OSError):
            raise TrackerFailed(f"its process ended with exit code {self.process.wait()}") from None
        if failed:
            raise TrackerFailed(value)
        return value

    def close(self) -> None:
        """Let it close what is open, and wait for its end."""
        self.messages.close()
        self.process.wait()
        self.lifeline.close()

    def end(self) -> None:
        """End it at once, with all that its library has started."""
        _kill_children(self.process.pid)
        self.process.kill()
        self.process.wait()
        self.messages.close()
        self.lifeline.close()


def _kill_children(process: int) -> None:
    with suppress(psutil.Error):
        for each in psutil.Process(process).children(recursive=True):
            with suppress(psutil.Error):
                each.kill()


def main(messages: Connection, lifeline: Connection) -> None:
    """Do what is asked, until nothing more is."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    threading.Thread(target=_end_after, args=(lifeline,), daemon=True).start()
    tracker: Tracker | None = None
    with suppress(EOFError, ConnectionResetError):
        made_by, out, machine = messages.recv()
        while True:
            what, values = messages.recv()
            try:
                if tracker is None:
                    module, _, name = made_by.partition(":")
                    tracker = getattr(import_module(module), name)(out, machine=machine)
                answer = False, getattr(tracker, what)(*values)
            except BaseException as error:
                answer = True, f"{type(error).__name__}: {error}"
            messages.send(answer)
    _leave(tracker)


def _end_after(lifeline: Connection) -> None:
    """End this process when the one that started it has ended, and what is open has had its time to be closed."""
    wait([lifeline])
    time.sleep(_LEAVE_SECONDS)
    _end_now()


def _end_now() -> None:
    _kill_children(os.getpid())
    os._exit(1)


def _leave(tracker: Tracker | None) -> None:
    """Close what is open, and end: at once where that takes long, and without what libraries do at the end."""
    timer = threading.Timer(_LEAVE_SECONDS, _end_now)
    timer.daemon = True
    timer.start()
    with suppress(BaseException):
        if tracker is not None:
            tracker.close()
    for each in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            each.terminate()
    os._exit(0)


if __name__ == "__main__":
    main(*(Connection(int(each)) for each in sys.argv[1:]))
