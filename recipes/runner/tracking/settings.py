"""What a study may say of a tracker: its name, and what is copied. A new tracker is one file and one entry here."""

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, StrictBool

from educe.data.errors import UserError, did_you_mean
from educe.recipes.validation import validated

NONE = "none"


class TrackerSettings(BaseModel):
    """What may be copied beside names, settings and numbers. Outputs of items never are."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class TrackioSettings(TrackerSettings):
    """There are none: no text of a prompt is copied."""


class TensorBoardSettings(TrackerSettings):
    """`prompts`: the first prompt of a cell."""

    prompts: StrictBool = True


class WandbSettings(TrackerSettings):
    """`prompts`: the first prompt of a cell. `adapters`: what was trained, which is large and can be sensitive."""

    prompts: StrictBool = True
    adapters: StrictBool = False


@dataclass(frozen=True, kw_only=True)
class Known:
    """A tracker: its name for people, the package that it needs, its settings, and where its class is."""

    title: str
    package: str
    settings: type[TrackerSettings]
    made_by: str


_ROOM = "educe.recipes.runner.tracking"
TRACKERS: Mapping[str, Known] = {
    "wandb": Known(title="W&B", package="wandb", settings=WandbSettings, made_by=f"{_ROOM}.wandb:Wandb"),
    "trackio": Known(title="trackio", package="trackio", settings=TrackioSettings, made_by=f"{_ROOM}.trackio:Trackio"),
    "tensorboard": Known(
        title="TensorBoard",
        package="tensorboard",
        settings=TensorBoardSettings,
        made_by=f"{_ROOM}.tensorboard:TensorBoard",
    ),
}


@dataclass(frozen=True)
class ChosenTracker:
    """A tracker by its name, with its settings."""

    name: str
    settings: TrackerSettings

    @classmethod
    def read(cls, written: Any) -> "ChosenTracker | None":
        """The tracker that is written: `wandb`, or `{wandb: {prompts: false}}`; None for `none`.

        UserError for an unknown name or setting.
        """
        name: Any = written
        settings: Any = {}
        if isinstance(written, Mapping) and len(written) == 1:
            ((name, settings),) = written.items()
        if name == NONE and not settings:
            return None
        if not isinstance(name, str) or name not in TRACKERS:
            raise UserError(f"unknown tracker {name!r}; {did_you_mean(str(name), [*TRACKERS, NONE])}")
        kind = TRACKERS[name].settings
        return cls(name, validated(kind, settings or {}, what=f"tracker {name!r}", known=kind.model_fields))

    @property
    def known(self) -> Known:
        return TRACKERS[self.name]

    def copies(self, what: str) -> bool:
        """Whether `prompts` or `adapters` are copied."""
        return bool(getattr(self.settings, what, False))

    def check_installed(self) -> None:
        """UserError where the tracker's package is not installed."""
        package = self.known.package
        if importlib.util.find_spec(package) is None:
            raise UserError(f"track: {self.name} needs the package {package}; pip install {package} or set track: none")


def check_track(written: Any) -> Any:
    """The same as it is written. ValueError for an unknown name or setting."""
    try:
        ChosenTracker.read(written)
    except UserError as error:
        raise ValueError(str(error)) from None
    return written
