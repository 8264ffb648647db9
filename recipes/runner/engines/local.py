"""Workers on this machine: processes, one for each GPU, for each group of GPUs, or as many as were asked for."""

from collections.abc import Sequence
from multiprocessing.connection import Connection

from educe.recipes.runner.engines.engine import Joined, WorkerHandle
from educe.recipes.runner.processes import WorkerProcess, start_process


class Local:
    """Starts processes with so many threads each.

    `early` is the first of them. `gpus` has the GPUs of each, as CUDA_VISIBLE_DEVICES names them.
    """

    bell: Connection | None = None
    fix = "if memory was short, run with fewer --workers"

    def __init__(self, *, threads: int, gpus: Sequence[str] = (), early: WorkerProcess | None = None) -> None:
        self.threads, self.gpus, self.early = threads, gpus, early

    def start(self, places: Sequence[int]) -> list[WorkerHandle]:
        """Each can be sent messages at once, and reads them when it has imported its libraries."""
        return [self._start(place) for place in places]

    def replace(self, ended: WorkerHandle, place: int) -> WorkerHandle:
        """Another process."""
        return self._start(place)

    def joined(self) -> list[Joined]:
        """Each is here when it is started."""
        return []

    def close(self) -> None:
        """Nothing is left open: the pool ends the processes."""

    def _start(self, place: int) -> WorkerHandle:
        started, self.early = self.early, None
        gpus = self.gpus[place % len(self.gpus)] if self.gpus else ""
        return started or start_process(threads=self.threads, gpus=gpus)
