"""What a study may say of its launch: over how many devices a cell runs, and by which configuration of accelerate."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from educe.data.errors import UserError, did_you_mean
from educe.eval.analysis.formatting import format_count
from educe.recipes.validation import validated

_FOLDER = Path(__file__).parents[1] / "accelerate"
CONFIGS: Mapping[str, Path] = {name: _FOLDER / f"{name}.yaml" for name in ("ddp", "zero2", "zero3")}


def _check_config(config: str) -> str:
    if config in CONFIGS or Path(config).is_file():
        return config
    if config == "fsdp":
        raise ValueError("the recipes do not train with FSDP; write zero3, which shards weights, too")
    raise ValueError(f"no configuration and no file has this name; {did_you_mean(config, CONFIGS)}")


class Launch(BaseModel):
    """Each cell runs in as many processes as `devices`, each on a device of its own, and a worker reserves so many.

    `config` is ddp, zero2, zero3, or the path of a file for `accelerate launch`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    config: Annotated[str, AfterValidator(_check_config)]
    devices: Annotated[int, Field(strict=True, ge=2, le=1024)]

    @property
    def file(self) -> Path:
        """What `accelerate launch` is given."""
        return CONFIGS.get(self.config, Path(self.config))

    @property
    def takes_deepspeed(self) -> bool:
        """Whether it is a shipped configuration of DeepSpeed; of a user's file, its processes find out."""
        return self.config in ("zero2", "zero3")


def read_launch(written: Any) -> Any:
    """A study's launch, so that its mistakes are named as those of the study are."""
    if written is None or isinstance(written, Launch):
        return written
    if not isinstance(written, Mapping):
        raise UserError("write it as in {config: zero3, devices: 8}")
    return validated(Launch, written, what="launch", known=Launch.model_fields)


def computes_with(launch: Launch | None, threads: int) -> str:
    """What a worker computes with, for people."""
    each = format_count(threads, "thread")
    return f"{launch.devices} processes ({launch.config}) of {each}" if launch else each
