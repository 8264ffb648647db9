"""Workers as the tasks of one Slurm job array, through submitit: a job for each worker and never for each cell.

A worker that is preempted is queued again by Slurm and joins again; the cells that it had stored are kept.
"""

import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from educe.data.errors import UserError
from educe.recipes.runner.engines.engine import Joined, WorkerHandle
from educe.recipes.runner.engines.rendezvous import Join, Rendezvous, own_address
from educe.recipes.runner.engines.settings import SlurmSettings

_END_SECONDS = 5
# What starts, starts inside, cancels and asks after jobs.
_PROGRAMS = ("sbatch", "srun", "scancel", "sacct")


@dataclass(kw_only=True)
class SlurmWorker(WorkerHandle):
    """The job of a worker; none where Slurm did not take it, and why."""

    job: Any
    refused: str = ""
    cancelled: bool = False

    def end(self) -> None:
        """Let the worker end by itself where it has nothing to do; cancel the job of any that does not."""
        idle = self.messages is not None and self.unit is None
        if self.messages is not None:
            self.messages.close()
        self.cancelled = True
        if self.job is not None and not (idle and _has_ended(self.job)):
            self.job.cancel(check=False)

    def ended_with(self) -> str:
        """What Slurm says of the job."""
        return self.refused or f"job {self.job.job_id}, which is {self.job.state}"

    def lost(self) -> str | None:
        """Where the job has ended, or was refused."""
        return self.ended_with() if self.refused or self.job.done(force_check=True) else None


class Slurm:
    """Submits jobs; logs and what jobs are started with are in `folder`, which all machines must see."""

    fix = "see the job's log in the run directory, slurm/"

    def __init__(self, settings: SlurmSettings, *, threads: int, folder: Path) -> None:
        submitit = _submitit()
        self.threads = threads
        # Jobs are started from files with the key of the run: nobody else may read them.
        folder.mkdir(mode=0o700, exist_ok=True)
        folder.chmod(0o700)
        missing = [name for name in _PROGRAMS if shutil.which(name) is None]
        if settings.cluster == "slurm" and missing:
            raise UserError(f"engine 'slurm': {', '.join(missing)} not found; run this where Slurm's commands are")
        self._executor = submitit.AutoExecutor(folder=folder, cluster=settings.cluster)
        self._executor.update_parameters(**_parameters(settings, threads))
        alone = settings.cluster == "local" and settings.host is None
        self._rendezvous = Rendezvous("127.0.0.1" if alone else own_address(settings.host), settings.port)
        self.bell: Connection | None = self._rendezvous.bell

    def start(self, places: Sequence[int]) -> list[WorkerHandle]:
        """One array with a task for each worker, which joins when it is started. UserError where Slurm takes none."""
        found = self._submit(places)
        if refused := [each.refused for each in found if each.refused]:
            raise UserError(f"engine 'slurm': {refused[0]}; check the engine's settings")
        return list(found)

    def replace(self, ended: WorkerHandle, place: int) -> WorkerHandle:
        """The same job where Slurm queues it again, else another one."""
        assert isinstance(ended, SlurmWorker)
        if ended.job is None or ended.cancelled or _has_ended(ended.job):
            return self._submit([place])[0]
        return SlurmWorker(job=ended.job, token=ended.token, queued_again=True)

    def joined(self) -> list[Joined]:
        """Those that have joined since this was last asked."""
        return self._rendezvous.joined()

    def close(self) -> None:
        """Jobs are cancelled by the pool."""
        self._rendezvous.close()

    def _submit(self, places: Sequence[int]) -> list[SlurmWorker]:
        joins = [self._rendezvous.join(place, threads=self.threads) for place in places]
        try:
            with self._executor.batch():
                jobs = [self._executor.submit(WorkerJob(join)) for join in joins]
        except (RuntimeError, OSError) as error:  # sbatch said no, and submitit raises errors of these kinds
            return [SlurmWorker(job=None, refused=" ".join(str(error).split())[:300]) for _ in joins]
        return [SlurmWorker(job=job, token=join.token) for job, join in zip(jobs, joins, strict=True)]


def _has_ended(job: Any) -> bool:
    """Whether a job whose worker's messages have ended is over; what it leaves behind may come a moment later."""
    until = time.monotonic() + _END_SECONDS
    while not (ended := job.done(force_check=True)) and time.monotonic() < until:
        time.sleep(0.5)
    return bool(ended)


class WorkerJob:
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
    cpus = settings.cpus or threads
    found: dict[str, Any] = {
        "name": "educe",
        "timeout_min": settings.minutes,
        "cpus_per_task": cpus,
        "gpus_per_node": settings.gpus or None,
        "mem_gb": settings.memory_gb,
        "slurm_partition": settings.partition,
        "slurm_array_parallelism": 1024,
        # From Slurm 22.05 on, srun does not take this number over from sbatch.
        "slurm_srun_args": [f"--cpus-per-task={cpus}"],
        "slurm_additional_parameters": settings.more or None,
    }
    return {key: value for key, value in found.items() if value is not None}


def _submitit() -> Any:
    try:
        import submitit
    except ModuleNotFoundError as error:
        raise UserError("engine: slurm needs the package submitit; pip install 'educe[slurm]'") from error
    return submitit
