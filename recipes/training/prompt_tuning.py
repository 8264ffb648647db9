"""Prompt tuning: a few trained vectors stand before every prompt."""

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from educe.data.task import Task
from educe.recipes.training.fine_tune import FineTune, Rate

if TYPE_CHECKING:
    from educe.eval.model.model import Model
    from educe.train.attach import Trainable


class PromptTuning(FineTune):
    """How much shows after a prompt of `length` vectors that no words could write."""

    size_settings: ClassVar[tuple[str, ...]] = ("length",)

    length: int = Field(default=8, ge=1)
    learning_rate: Rate | Annotated[tuple[Rate, ...], Field(min_length=1)] = 1e-2

    def trainable(self, model: "Model", task: Task) -> "Trainable":
        """A soft prompt."""
        from educe.train.changes.vectors import SoftPrompt

        return SoftPrompt(length=self.length)
