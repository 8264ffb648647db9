"""The process in which a tracker runs: whatever its library does or waits for, the study does not.

It ends when its messages end, also where the process that started it was killed.
"""

import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import Any

import psutil

from educe.recipes.runner.tracking.tracker import Tracker

# How long a tracker may take to close its copies once nobody waits for it any more.
_LEAVE_SECONDS = 10.0


class TrackerFailed(Exception):
    """What went wrong in a tracker, in one line."""


@dataclass(kw_only=True)
class TrackerProcess:
    """A started tracker; one call at a time."""

    process: subprocess.Popen[bytes]
    messages: Connection

    @classmethod
    def start(cls, made_by: str, out: Path, *, machine: bool) -> "TrackerProcess":
        """The tracker of the class that is named as `module:Class`, for this run directory."""
        messages, theirs = Pipe()
        command = [sys.executable, "-P", "-m", __name__, str(theirs.fileno())]
        # In a session of its own, so that Ctrl-C reaches neither it nor what its library starts.
        process = subprocess.Popen(
            command,
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        theirs.close()
        messages.send((made_by, out.absolute(), machine))
        return cls(process=process, messages=messages)

    def call(self, what: str, *values: Any) -> Any:
        """Call a method of the tracker. TrackerFailed where it raises, or where its process has ended."""
        try:
            self.messages.send((what, values))
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

    def end(self) -> None:
        """End it at once, with all that its library has started."""
        with suppress(psutil.Error):
            for each in psutil.Process(self.process.pid).children(recursive=True):
                with suppress(psutil.Error):
                    each.kill()
        self.process.kill()
        self.process.wait()
        self.messages.close()


def main(messages: Connection) -> None:
    """Do what is asked, until nothing more is."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
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


def _leave(tracker: Tracker | None) -> None:
    """Close what is open, and end: at once where that takes long, and without what libraries do at the end."""
    timer = threading.Timer(_LEAVE_SECONDS, os._exit, args=(1,))
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
    main(Connection(int(sys.argv[1])))
