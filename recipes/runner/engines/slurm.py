"""Workers as the tasks of one Slurm job array, through submitit: a job for each worker and never for each cell.

A worker that is preempted is queued again by Slurm and joins again; the cells that it had stored are kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from educe.data.errors import UserError
from educe.recipes.runner.engines.engine import WorkerHandle
from educe.recipes.runner.engines.rendezvous import Join, Rendezvous, own_address
from educe.recipes.runner.engines.settings import SlurmSettings


@dataclass(kw_only=True)
class SlurmWorker(WorkerHandle):
    """The job of a worker."""

    job: Any
    cancelled: bool = False

    def end(self) -> None:
        """Let the worker end by itself where it has nothing to do; cancel the job of any other."""
        idle = self.messages is not None and self.unit is None
        if self.messages is not None:
            self.messages.close()
        self.cancelled = True
        if not idle:
            self.job.cancel(check=False)

    def ended_with(self) -> str:
        """What Slurm says of the job."""
        return f"job {self.job.job_id} {self.job.state}"

    def lost(self) -> str | None:
        """Where the job has ended."""
        return self.ended_with() if self.job.done() else None


class Slurm:
    """Submits jobs; logs and what jobs are started with are in `folder`, which all machines must see."""

    def __init__(self, settings: SlurmSettings, *, threads: int, folder: Path) -> None:
        submitit = _submitit()
        self.threads = threads
        # Jobs are started from files with the key of the run: nobody else may read them.
        folder.mkdir(mode=0o700, exist_ok=True)
        folder.chmod(0o700)
        try:
            self._executor = submitit.AutoExecutor(folder=folder, cluster=settings.cluster)
        except RuntimeError as error:
            raise UserError(f"engine: slurm: {error}; run this where sbatch is, or set cluster: local") from None
        self._executor.update_parameters(**_parameters(settings, threads))
        alone = settings.cluster == "local"
        self._rendezvous = Rendezvous("127.0.0.1" if alone else own_address())
        self.bell: Connection | None = self._rendezvous.bell

    def start(self, places: Sequence[int]) -> list[WorkerHandle]:
        """One array with a task for each worker, which joins when Slurm has started it."""
        calls = [Worker(self._rendezvous.join(place, threads=self.threads)) for place in places]
        with self._executor.batch():
            jobs = [self._executor.submit(call) for call in calls]
        return [SlurmWorker(job=job) for job in jobs]

    def replace(self, ended: WorkerHandle, place: int) -> WorkerHandle:
        """The same job where Slurm queues it again, else another one."""
        assert isinstance(ended, SlurmWorker)
        if not ended.cancelled and not ended.job.done(force_check=True):
            return SlurmWorker(job=ended.job)
        return self.start([place])[0]

    def joined(self) -> list[tuple[int, Connection]]:
        """Those that have joined since this was last asked."""
        return self._rendezvous.joined()

    def close(self) -> None:
        """Jobs are cancelled by the pool."""
        self._rendezvous.close()


class Worker:
    """What a job runs. Where it is preempted, submitit asks for what is to be queued again: the same."""

    def __init__(self, join: Join) -> None:
        self.join = join

    def __call__(self) -> int:
        """The exit code of the worker. RuntimeError where it is not 0, so that Slurm lists the job as failed."""
        code = self.join.run()
        if code:
            raise RuntimeError(f"the worker ended with exit code {code}")
        return code

    def checkpoint(self) -> Any:
        """The worker again, in a new job of the same id."""
        return _submitit().helpers.DelayedSubmission(self)


def _parameters(settings: SlurmSettings, threads: int) -> dict[str, Any]:
    """As submitit names them."""
    found: dict[str, Any] = {
        "name": "educe",
        "timeout_min": settings.minutes,
        "cpus_per_task": settings.cpus or threads,
        "slurm_partition": settings.partition,
        "gpus_per_node": settings.gpus or None,
        "mem_gb": settings.memory_gb,
        "slurm_additional_parameters": settings.more or None,
    }
    return {key: value for key, value in found.items() if value is not None}


def _submitit() -> Any:
    try:
        import submitit
    except ModuleNotFoundError as error:
        raise UserError("engine: slurm needs the package submitit; pip install 'educe[slurm]'") from error
    return submitit
