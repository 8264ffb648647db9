"""What the pool needs of an engine, and of a worker that it has started."""

import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any, Protocol

from educe.recipes.runner.cohorts import Unit

# A process of a run gives a sign of life every ten seconds, unless it or its machine hangs; it has longer to begin.
SILENT_SECONDS, START_SECONDS = 180.0, 600.0
# Whoever did not look for so long was stopped itself, and knows nothing of the others.
ASLEEP_SECONDS = 30.0


@dataclass(kw_only=True)
class WorkerHandle(ABC):
    """A worker: its messages once it has joined, the unit that it has, the model it has loaded, when it was heard.

    `token` is what it says when it joins; one of this machine says none. `queued_again` where the one before it at its
    place was preempted, and comes back by itself with the same token.
    """

    messages: Connection | None = None
    token: str = ""
    queued_again: bool = False
    unit: Unit | None = None
    loaded: tuple[str, str] | None = None
    heard: float = field(default_factory=time.monotonic)

    def send(self, message: Any) -> None:
        """Send a message; that the worker has died is noticed when it is listened to."""
        assert self.messages is not None, "it has not joined yet"
        with suppress(OSError):
            self.messages.send(message)

    @abstractmethod
    def end(self) -> None:
        """End the worker at once. What it writes appears whole or not at all."""

    @abstractmethod
    def ended_with(self) -> str:
        """How a worker ended whose messages ended, as "exit code 1"."""

    def lost(self) -> str | None:
        """Why a worker that has not joined will not do so; None while it may."""
        return None


@dataclass(frozen=True)
class Joined:
    """A worker that has joined a run, at the place and with the token that it was started with."""

    place: int
    token: str
    messages: Connection


class Engine(Protocol):
    """Starts workers; `fix` is what to do where they die of what they run.

    The `bell` can be read where some join later than they are started; None where none does.
    """

    bell: Connection | None
    fix: str

    def start(self, places: Sequence[int]) -> list[WorkerHandle]: ...

    def replace(self, ended: WorkerHandle, place: int) -> WorkerHandle: ...

    def joined(self) -> list[Joined]: ...

    def close(self) -> None: ...
