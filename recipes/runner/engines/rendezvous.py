"""Where workers on other machines join a run: a port of this machine, and a key that only they have.

Every worker is the process that a worker of this machine is, so that its results are the same bytes. What an engine
starts elsewhere is a `Join`, which starts that process and waits for it.
"""

import os
import secrets
import socket
import subprocess
import sys
import threading
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, Pipe, answer_challenge, deliver_challenge

from educe.recipes.runner.processes import thread_variables

KEY = "EDUCE_WORKER_KEY"
# A machine that vanished is noticed after this and eight more probes, ten seconds apart.
_IDLE_SECONDS, _PROBE_SECONDS, _PROBES = 60, 10, 8
_JOIN_SECONDS = 60


@dataclass(frozen=True, kw_only=True)
class Join:
    """Where the worker of a place joins: plain values, which engines carry to other machines."""

    host: str
    port: int
    key: str = field(repr=False)
    place: int
    threads: int

    def run(self) -> int:
        """Start the worker's process, wait for it, and return its exit code. It ends where this process does."""
        lifeline, held = Pipe(duplex=False)
        environment = {**os.environ, **thread_variables(self.threads), KEY: self.key}
        where = [self.host, self.port, self.place, lifeline.fileno()]
        # -P: a file of the working directory must not stand in for a library.
        command = [sys.executable, "-P", "-m", "educe.recipes.runner.worker_process", "join", *map(str, where)]
        with lifeline, held:
            return subprocess.run(command, env=environment, pass_fds=[lifeline.fileno()], check=False).returncode


class Rendezvous:
    """Accepts workers of this run at a port of `host`; `bell` can be read where one has joined."""

    def __init__(self, host: str) -> None:
        self.key = secrets.token_hex(32)
        self.bell, self._ring = Pipe(duplex=False)
        self._joined: deque[tuple[int, Connection]] = deque()
        self._socket = socket.create_server((host, 0))
        self.host, self.port = host, int(self._socket.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def join(self, place: int, *, threads: int) -> Join:
        """What the worker of a place needs to join."""
        return Join(host=self.host, port=self.port, key=self.key, place=place, threads=threads)

    def joined(self) -> list[tuple[int, Connection]]:
        """The workers that have joined since this was last asked, with their places."""
        found = []
        while self._joined:
            self.bell.recv_bytes()
            found.append(self._joined.popleft())
        return found

    def close(self) -> None:
        """Accept no more."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
        self._socket.close()

    def _accept(self) -> None:
        while True:
            try:
                found, _ = self._socket.accept()
            except OSError:
                return
            # In a thread of its own: a stranger who says nothing keeps nobody waiting.
            threading.Thread(target=self._admit, args=(found,), daemon=True).start()

    def _admit(self, found: socket.socket) -> None:
        messages = _connection(found)
        try:
            prove_key(messages, self.key, first=True)
            place = int.from_bytes(messages.recv_bytes(4))
        except Exception:  # a stranger may send anything
            messages.close()
            return
        self._joined.append((place, messages))
        self._ring.send_bytes(b"joined")


def join_run(host: str, port: int, place: int) -> Connection:
    """The messages of a worker that has joined a run, whose key the environment has."""
    found = socket.create_connection((host, port), timeout=_JOIN_SECONDS)
    found.settimeout(None)
    messages = _connection(found)
    prove_key(messages, os.environ.pop(KEY), first=False)
    messages.send_bytes(place.to_bytes(4))
    return messages


def prove_key(messages: Connection, key: str, *, first: bool) -> None:
    """Let each side prove to the other that it has the key, before anything that it sends is unpickled.

    AuthenticationError where it has another one.
    """
    for step in (deliver_challenge, answer_challenge) if first else (answer_challenge, deliver_challenge):
        step(messages, key.encode())


def _connection(found: socket.socket) -> Connection:
    """The socket as messages, whose end is noticed where the other machine vanished."""
    found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (("KEEPIDLE", _IDLE_SECONDS), ("KEEPINTVL", _PROBE_SECONDS), ("KEEPCNT", _PROBES)):
        if (known := getattr(socket, f"TCP_{option}", None)) is not None:  # not on every system
            found.setsockopt(socket.IPPROTO_TCP, known, value)
    return Connection(found.detach())


def own_address() -> str:
    """The address by which other machines reach this one; that of its loopback where it is alone."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, suppress(OSError):
        probe.connect(("192.0.2.1", 9))  # sends nothing: it asks which address would
        return str(probe.getsockname()[0])
    return "127.0.0.1"
