"""What every command shares: a user's mistake is one line on standard error and exit code 2."""

import argparse
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn, TextIO

from educe.data.display import visible
from educe.data.errors import UserError, lines_of
from educe.recipes.runner.terminal import shown_output

MAX_MISTAKES, MAX_LINE = 50, 1000
# Torch's launcher looks ten times a second, DeepSpeed's once; a process with torch takes a second or two to end.
WAIT_SECONDS = 10
_COMMAND_WIDTH = 13


class _Help(argparse.HelpFormatter):
    """Help with room for the longest command before its sentence: argparse forgets that commands are indented."""

    def add_argument(self, action: argparse.Action) -> None:
        super().add_argument(action)
        self._action_max_length = max(self._action_max_length, _COMMAND_WIDTH)


class Parser(argparse.ArgumentParser):
    """An argument parser whose error is one line."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"formatter_class": _Help} | options)

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}; see {self.prog} --help")


class Terminated(KeyboardInterrupt):
    """Somebody asked this process to end (SIGTERM): it does so as if it had been interrupted from the keyboard."""


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn a UserError into its one line; everything else keeps its traceback. Control characters are shown."""
    with shown_output(), _one_line_errors(), _ended_as_interrupted():
        yield


@contextmanager
def _ended_as_interrupted() -> Iterator[None]:
    """Inside the block SIGTERM ends what runs as SIGINT does: a scheduler or a container sends it before it kills."""

    def end(*_: object) -> NoReturn:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second one would break off the first one's cleaning up
        raise Terminated

    if "LOCAL_RANK" in os.environ or threading.current_thread() is not threading.main_thread():
        yield  # a launcher ends its processes by this signal, and signals are the main thread's
        return
    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def first_process_speaks() -> Iterator[None]:
    """Let a UserError of a launched process wait, unless the process is the first of its machine.

    All processes make most mistakes alike. When the first has said so and ended, the launcher ends the others. What
    only another process met is said after the wait.
    """
    try:
        yield
    except UserError:
        if os.environ.get("LOCAL_RANK", "0") != "0":
            time.sleep(WAIT_SECONDS)
        raise


@contextmanager
def _one_line_errors() -> Iterator[None]:
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except UserError as error:
        lines = lines_of(error)
        for line in lines[:MAX_MISTAKES]:
            print(f"educe: {_short(visible(line))}", file=sys.stderr)
        if len(lines) > MAX_MISTAKES:
            print(f"educe: and {len(lines) - MAX_MISTAKES:,} more mistakes", file=sys.stderr)
        sys.exit(2)
    except BrokenPipeError:
        if _is_read(sys.stdout):
            raise  # another pipe broke
        # The reader closed the output, as `head` does. Without this, Python would complain again when it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except KeyboardInterrupt as error:
        ended = isinstance(error, Terminated)
        print(
            f"educe: {'ended' if ended else 'interrupted'}; finished cells are kept, run again to go on",
            file=sys.stderr,
        )
        sys.exit(128 + (signal.SIGTERM if ended else signal.SIGINT))


def _short(line: str) -> str:
    """The line with the middle of an overlong value left out: what is wrong and the fix are at its ends."""
    return line if len(line) <= MAX_LINE else f"{line[: MAX_LINE // 2]} ... {line[-MAX_LINE // 2 :]}"


def _is_read(stream: TextIO) -> bool:
    try:
        stream.flush()
    except BrokenPipeError:
        return False
    # Without a buffer there was nothing left to flush: the system knows whether the pipe has a reader.
    poll = select.poll()
    poll.register(stream, select.POLLOUT)
    return not any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))
