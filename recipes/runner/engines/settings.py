"""What a study may say of an engine: its name, and what a worker asks for."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, StrictStr

from educe.data.errors import UserError, did_you_mean
from educe.recipes.runner.launch_settings import Launch
from educe.recipes.validation import validated

LOCAL = "local"


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LocalSettings(_Settings):
    """There are none: workers, threads and device are given elsewhere."""


class RaySettings(_Settings):
    """`address` of a cluster, or none to start one on this machine; what each worker reserves of a node.

    `cpus` are the study's threads where they are left out. `memory_gb` is what Ray counts, and it ends nothing. Workers
    join at `host` and `port` of this machine: the address of its default route, and any port, where they are left out.
    """

    address: str | None = None
    host: str | None = None
    port: int = Field(default=0, ge=0, lt=2**16)
    cpus: float | None = Field(default=None, gt=0)
    gpus: float = Field(default=0, ge=0)
    memory_gb: float | None = Field(default=None, gt=0)


class SlurmSettings(_Settings):
    """What each job asks for; `more` goes to sbatch as it is. `cluster: local` runs the jobs on this machine.

    `cpus` are the study's threads where they are left out; `host` and `port` as for Ray.
    """

    host: str | None = None
    port: int = Field(default=0, ge=0, lt=2**16)

    partition: str | None = None
    minutes: int = Field(default=720, ge=1)
    cpus: int | None = Field(default=None, ge=1)
    gpus: int = Field(default=0, ge=0)
    memory_gb: float | None = Field(default=None, gt=0)
    more: dict[str, StrictBool | StrictInt | StrictStr] = Field(default_factory=dict)
    cluster: Literal["slurm", "local"] = "slurm"


ENGINES: Mapping[str, type[_Settings]] = {LOCAL: LocalSettings, "ray": RaySettings, "slurm": SlurmSettings}


@dataclass(frozen=True)
class ChosenEngine:
    """An engine by its name, with its settings."""

    name: str
    settings: BaseModel

    @classmethod
    def read(cls, written: Any) -> "ChosenEngine":
        """The engine that is written: `ray`, or `{ray: {gpus: 1}}`. UserError for an unknown name or setting."""
        name: Any = written
        settings: Any = {}
        if isinstance(written, Mapping) and len(written) == 1:
            ((name, settings),) = written.items()
        if not isinstance(name, str) or name not in ENGINES:
            raise UserError(f"unknown engine {name!r}; {did_you_mean(str(name), ENGINES)}")
        known = ENGINES[name]
        return cls(name, validated(known, settings or {}, what=f"engine {name!r}", known=known.model_fields))

    @classmethod
    def choose(cls, of_study: Any, named: Any) -> "ChosenEngine":
        """The engine of a study, or another that a command names; its own name alone keeps the study's settings."""
        own = cls.read(of_study)
        return own if named in (None, own.name) else cls.read(named)

    def reserving(self, launch: Launch | None, *, threads: int, device: str) -> "ChosenEngine":
        """The engine whose workers reserve what a launch takes. UserError where its settings say another number."""
        if launch is None or not isinstance(self.settings, RaySettings | SlurmSettings):
            return self
        gpus = 0 if device == "cpu" else launch.devices
        if "gpus" in self.settings.model_fields_set and self.settings.gpus != gpus:
            fix = "drop gpus" if self.settings.gpus else "drop gpus, or write device: cpu"
            raise UserError(
                f"engine {self.name!r}: gpus = {self.settings.gpus:g}, and a worker of this launch takes {gpus}; {fix}"
            )
        needed = {"gpus": gpus, "cpus": self.settings.cpus or launch.devices * threads}
        return replace(self, settings=self.settings.model_copy(update=needed))


def check_engine(written: Any) -> Any:
    """The same as it is written. ValueError for an unknown name or setting."""
    try:
        ChosenEngine.read(written)
    except UserError as error:
        raise ValueError(str(error)) from None
    return written
