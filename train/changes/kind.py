"""What every kind of change has in common: its settings, and putting it on a net."""

from abc import abstractmethod
from collections.abc import Callable, Hashable, Sequence
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from educe.eval.model.model import Change, Model

Layers = tuple[Annotated[int, Field(ge=0)], ...]  # none are all layers


class ChangeKind(BaseModel):
    """What of a model trains, with its settings. Equal values are the same change."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    size_settings: ClassVar[tuple[str, ...]] = ()  # those that decide how many parameters train

    @abstractmethod
    def attach(self, model: Model, *, seed: int) -> Change:
        """Put it on the net inside `temporary_changes`, at its start. UserError where it does not fit the model."""

    @property
    def stacks_as(self) -> Hashable:
        """Equal for changes that several runs can train in one pass (changes/stack.py); None for all others."""
        return None

    def rate_factor(self, model: Model) -> float:
        """What the learning rate is multiplied with on this model."""
        return 1.0

    def for_prompts(self, model: Model, first_prompt: Callable[[], Sequence[int]]) -> "ChangeKind":
        """The same change once the ids of a task's first prompt are known."""
        return self
