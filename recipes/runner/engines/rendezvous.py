"""Where workers on other machines join a run: a port of this machine, and a key that only they have.

Every worker is the process that a worker of this machine is, so that its results are the same bytes. What an engine
starts elsewhere is a `Join`, which starts that process and waits for it.
"""

import os
import secrets
import socket
import struct
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, Pipe, answer_challenge, deliver_challenge

from educe.data.errors import UserError
from educe.recipes.runner.engines.engine import Joined
from educe.recipes.runner.processes import thread_variables

KEY = "EDUCE_WORKER_KEY"
# What a worker elsewhere is told of this process's environment: where models and datasets are.
_CARRIED = ("EDUCE_", "HF_")
# A machine that vanished is noticed after so long without a sign of it.
_IDLE_SECONDS, _PROBE_SECONDS, _PROBES = 60, 10, 8
_GONE_MILLISECONDS = 150_000
_JOIN_SECONDS = 60


@dataclass(frozen=True, kw_only=True)
class Join:
    """Where the worker of a place joins, with a token of its own: plain values, which engines carry elsewhere."""

    host: str
    port: int
    key: str = field(repr=False)
    place: int
    token: str
    threads: int
    folder: str  # the working directory, to which paths in a study may be relative
    variables: Mapping[str, str]

    def run(self) -> int:
        """Start the worker's process, wait for it, and return its exit code. It ends where this process does."""
        lifeline, held = Pipe(duplex=False)
        environment = {**os.environ, **self.variables, **thread_variables(self.threads), KEY: self.key}
        where = [self.host, self.port, self.place, self.token, lifeline.fileno()]
        # -P: a file of the working directory must not stand in for a library.
        command = [sys.executable, "-P", "-m", "educe.recipes.runner.worker_process", "join", *map(str, where)]
        with lifeline, held:
            return subprocess.run(
                command, env=environment, cwd=self.folder, pass_fds=[lifeline.fileno()], check=False
            ).returncode


class Rendezvous:
    """Accepts workers of this run at a port of `host` (0: any free one); `bell` can be read where one has joined."""

    def __init__(self, host: str, port: int = 0) -> None:
        self.key = secrets.token_hex(32)
        self.bell, self._ring = Pipe(duplex=False)
        self._joined: deque[Joined] = deque()
        self._closed = False
        try:
            self._socket = socket.create_server((host, port))
        except OSError as error:
            raise UserError(f"engine: no workers can join at {host}:{port}: {error.strerror}; set host, port") from None
        self.host, self.port = host, int(self._socket.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def join(self, place: int, *, threads: int) -> Join:
        """What the worker of a place needs to join."""
        carried = {name: value for name, value in os.environ.items() if name.startswith(_CARRIED) and name != KEY}
        return Join(
            host=self.host, port=self.port, key=self.key, place=place, token=secrets.token_hex(8), threads=threads,
            folder=os.getcwd(), variables=carried,
        )  # fmt: skip

    def joined(self) -> list[Joined]:
        """The workers that have joined since this was last asked."""
        found = []
        while self._joined:
            self.bell.recv_bytes()
            found.append(self._joined.popleft())
        return found

    def close(self) -> None:
        """Accept no more."""
        self._closed = True
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
        self._socket.close()

    def _accept(self) -> None:
        while not self._closed:
            try:
                found, _ = self._socket.accept()
            except OSError:  # closed, or too many files are open for the moment
                time.sleep(0 if self._closed else 1)
                continue
            # In a thread of its own: a stranger who says nothing keeps nobody waiting.
            threading.Thread(target=self._admit, args=(found,), daemon=True).start()

    def _admit(self, found: socket.socket) -> None:
        messages = _connection(found)
        try:
            prove_key(messages, self.key, first=True)
            place, token = messages.recv_bytes(100).decode().split()
            _wait_at_most(messages, 0)
            joined = Joined(int(place), token, messages)
        except Exception:  # a stranger may send anything
            messages.close()
            return
        self._joined.append(joined)
        self._ring.send_bytes(b"joined")


def join_run(host: str, port: int, place: int, token: str) -> Connection:
    """The messages of a worker that has joined a run, whose key the environment has."""
    found = socket.create_connection((host, port), timeout=_JOIN_SECONDS)
    found.settimeout(None)
    messages = _connection(found)
    prove_key(messages, os.environ.pop(KEY), first=False)
    messages.send_bytes(f"{place} {token}".encode())
    _wait_at_most(messages, 0)
    return messages


def prove_key(messages: Connection, key: str, *, first: bool) -> None:
    """Let each side prove to the other that it has the key, before anything that it sends is unpickled.

    AuthenticationError where it has another one, OSError where it says nothing.
    """
    for step in (deliver_challenge, answer_challenge) if first else (answer_challenge, deliver_challenge):
        step(messages, key.encode())


def _connection(found: socket.socket) -> Connection:
    """The socket as messages, whose end is noticed where the other machine vanished; at first none waits for long."""
    found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    options = {"KEEPIDLE": _IDLE_SECONDS, "KEEPINTVL": _PROBE_SECONDS, "KEEPCNT": _PROBES}
    for name, value in {**options, "USER_TIMEOUT": _GONE_MILLISECONDS}.items():
        if (option := getattr(socket, f"TCP_{name}", None)) is not None:  # not on every system
            found.setsockopt(socket.IPPROTO_TCP, option, value)
    messages = Connection(found.detach())
    _wait_at_most(messages, _JOIN_SECONDS)
    return messages


def _wait_at_most(messages: Connection, seconds: int) -> None:
    """OSError where a message does not come within so many seconds; 0 waits for it."""
    with socket.socket(fileno=os.dup(messages.fileno())) as same:
        same.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", seconds, 0))


def own_address(host: str | None) -> str:
    """The `host` that is given, or the address by which other machines reach this one. UserError where it has none."""
    if host is not None:
        return host
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, suppress(OSError):
        probe.connect(("192.0.2.1", 9))  # sends nothing: it asks which address would
        return str(probe.getsockname()[0])
    raise UserError("engine: this machine has no address that others reach; set host to the one that workers can reach")
