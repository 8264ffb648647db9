"""Starting the engine that a study or a command names."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, closing
from pathlib import Path

from educe.recipes.runner.engines.engine import Engine
from educe.recipes.runner.engines.local import Local
from educe.recipes.runner.engines.ray import Ray
from educe.recipes.runner.engines.settings import ChosenEngine, RaySettings, SlurmSettings
from educe.recipes.runner.engines.slurm import Slurm
from educe.recipes.runner.processes import WorkerProcess


def start_engine(
    chosen: ChosenEngine, *, threads: int, out: Path, gpus: Sequence[str] = (), early: WorkerProcess | None = None
) -> AbstractContextManager[Engine]:
    """The engine, which closes with the block; `gpus` and `early` are of this machine, `out` is the run directory."""
    if isinstance(chosen.settings, RaySettings):
        return closing(Ray(chosen.settings, threads=threads))
    if isinstance(chosen.settings, SlurmSettings):
        return closing(Slurm(chosen.settings, threads=threads, folder=out / "slurm"))
    return closing(Local(threads=threads, gpus=gpus, early=early))
