"""Workers as Ray actors, one for each model in memory, on a cluster or on one that is started here."""

from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from educe.data.errors import UserError
from educe.recipes.runner.engines.engine import WorkerHandle
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
        """Where the call has ended, or cannot be placed."""
        done, _ = self.ray.wait([self.call], timeout=0)
        return self._outcome() if done else None

    def _outcome(self) -> str:
        try:
            return f"exit code {self.ray.get(self.call)}"
        except self.ray.exceptions.RayError as error:
            return " ".join(str(error).split())[:200]


class Ray:
    """Starts actors; one whose node is lost is started again wherever there is room."""

    def __init__(self, settings: RaySettings, *, threads: int) -> None:
        self.ray = ray = _ray()
        self.threads = threads
        self._own = not ray.is_initialized()
        if self._own:
            try:
                ray.init(address=settings.address, log_to_driver=False, include_dashboard=False, logging_level="ERROR")
            except ConnectionError as error:
                raise UserError(f"engine.ray.address = {settings.address!r}: {error}; is the cluster up?") from None
        memory = settings.memory_gb and settings.memory_gb * 1e9
        needed = {"num_cpus": settings.cpus or threads, "num_gpus": settings.gpus, "memory": memory}
        self._refuse_what_no_node_has(needed)
        self._actors = ray.remote(Host).options(max_restarts=0, **needed)
        # Actors of a cluster that was started here are all on this machine.
        self._rendezvous = Rendezvous("127.0.0.1" if settings.address is None else own_address())
        self.bell: Connection | None = self._rendezvous.bell

    def start(self, places: Sequence[int]) -> list[WorkerHandle]:
        """Actors that join when Ray has placed them."""
        return [self._start(place) for place in places]

    def replace(self, ended: WorkerHandle, place: int) -> WorkerHandle:
        """Another actor."""
        ended.end()
        return self._start(place)

    def joined(self) -> list[tuple[int, Connection]]:
        """Those that have joined since this was last asked."""
        return self._rendezvous.joined()

    def close(self) -> None:
        """A cluster that was started here ends."""
        self._rendezvous.close()
        if self._own:
            self.ray.shutdown()

    def _start(self, place: int) -> WorkerHandle:
        actor = self._actors.remote()
        return RayWorker(
            ray=self.ray, actor=actor, call=actor.run.remote(self._rendezvous.join(place, threads=self.threads))
        )

    def _refuse_what_no_node_has(self, needed: dict[str, Any]) -> None:
        """UserError where no node of the cluster could ever hold a worker: Ray would wait for one."""
        nodes = [each["Resources"] for each in self.ray.nodes() if each["Alive"]]
        names = {"num_cpus": "CPU", "num_gpus": "GPU", "memory": "memory"}
        for key, amount in needed.items():
            most = max((each.get(names[key], 0) for each in nodes), default=0)
            if amount and amount > most:
                raise UserError(f"engine: ray: a worker needs {names[key]} {amount:g}, and no node has over {most:g}")


class Host:
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
