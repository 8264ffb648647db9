"""Workers as Ray actors, one for each model in memory, on a cluster or on one that is started here."""

import signal
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from educe.data.errors import UserError
from educe.recipes.runner.engines.engine import Joined, WorkerHandle
from educe.recipes.runner.engines.rendezvous import Join, Rendezvous, own_address
from educe.recipes.runner.engines.settings import RaySettings

# How long an actor whose worker has ended may take to say how.
_END_SECONDS = 10


@dataclass(kw_only=True)
class RayWorker(WorkerHandle):
    """An actor and the call that waits for its worker."""

    ray: Any
    actor: Any
    call: Any

    def end(self) -> None:
        """Ray ends the actor's process, and its worker ends with it."""
        if self.messages is not None:
            self.messages.close()
        self.ray.kill(self.actor)

    def ended_with(self) -> str:
        """The exit code of the worker, or what became of its node."""
        done, _ = self.ray.wait([self.call], timeout=_END_SECONDS)
        return self._outcome() if done else "no word from its node"

    def lost(self) -> str | None:
        """How the call has ended, if it has."""
        done, _ = self.ray.wait([self.call], timeout=0)
        return self._outcome() if done else None

    def _outcome(self) -> str:
        try:
            return f"exit code {self.ray.get(self.call)}"
        except self.ray.exceptions.RayError as error:
            return " ".join(str(error).split())[:200]


class Ray:
    """Starts actors; one whose node is lost is started again wherever there is room."""

    fix = "if memory was short, give workers more of it"

    def __init__(self, settings: RaySettings, *, threads: int) -> None:
        self.ray = ray = _ray()
        self.threads = threads
        self._own = not ray.is_initialized()
        if self._own:
            _connect(ray, settings.address or "local")
        memory = settings.memory_gb and settings.memory_gb * 1e9
        needed = {"num_cpus": settings.cpus or threads, "num_gpus": settings.gpus, "memory": memory}
        try:
            self._refuse_what_no_node_has(needed)
            alone = self._own and settings.address is None and settings.host is None
            self._rendezvous = Rendezvous("127.0.0.1" if alone else own_address(settings.host), settings.port)
        except BaseException:
            self._end()
            raise
        self._actors = ray.remote(WorkerHost).options(max_restarts=0, **needed)
        self.bell: Connection | None = self._rendezvous.bell

    def start(self, places: Sequence[int]) -> list[WorkerHandle]:
        """Actors that join when Ray has placed them."""
        return [self._start(place) for place in places]

    def replace(self, ended: WorkerHandle, place: int) -> WorkerHandle:
        """Another actor."""
        ended.end()
        return self._start(place)

    def joined(self) -> list[Joined]:
        """Those that have joined since this was last asked."""
        return self._rendezvous.joined()

    def close(self) -> None:
        """A cluster that was started here ends."""
        self._rendezvous.close()
        self._end()

    def _end(self) -> None:
        if self._own:
            self.ray.shutdown()

    def _start(self, place: int) -> WorkerHandle:
        join, actor = self._rendezvous.join(place, threads=self.threads), self._actors.remote()
        return RayWorker(ray=self.ray, actor=actor, call=actor.run.remote(join), token=join.token)

    def _refuse_what_no_node_has(self, needed: dict[str, Any]) -> None:
        """UserError where no node that is up could ever hold a worker: Ray would wait for one."""
        nodes = [each["Resources"] for each in self.ray.nodes() if each["Alive"]]
        for key, name, unit in (("num_cpus", "CPU", 1), ("num_gpus", "GPU", 1), ("memory", "memory", 1e9)):
            most = max((each.get(name, 0) for each in nodes), default=0)
            if needed[key] and needed[key] > most:
                what = f"{needed[key] / unit:g}{' GB of memory' if unit > 1 else f' {name}s'}"
                raise UserError(f"engine 'ray': a worker needs {what}, and no node has more than {most / unit:g}")


def _connect(ray: Any, address: str) -> None:
    """Start Ray here, or join its cluster. It takes SIGTERM for itself, which ends a command of ours with one line."""
    main = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(address=address, log_to_driver=False, include_dashboard=False, logging_level="ERROR")
    except (ConnectionError, ValueError, RuntimeError) as error:  # no cluster, or one of another version
        why = " ".join(str(error).split())[:300]
        raise UserError(
            f"engine 'ray': address = {address!r}: {why}; is the cluster up, and of this version?"
        ) from None
    finally:
        if main:
            signal.signal(signal.SIGTERM, before)


class WorkerHost:
    """The actor: it holds the resources of a worker and waits for its process."""

    def run(self, join: Join) -> int:
        """The exit code of the worker."""
        return join.run()


def _ray() -> Any:
    try:
        import ray
    except ModuleNotFoundError as error:
        raise UserError("engine: ray needs the package ray; pip install 'educe[ray]'") from error
    return ray
