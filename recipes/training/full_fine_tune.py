"""Full fine-tuning: every weight trains. The dearest change, and the reference for all smaller ones."""

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from educe.data.task import Task
from educe.recipes.training.fine_tune import FineTune, Rate

if TYPE_CHECKING:
    from educe.eval.model.model import Model
    from educe.train.attach import Trainable


class FullFineTune(FineTune):
    """How much shows when everything may change. The trained weights are not saved."""

    learning_rate: Rate | Annotated[tuple[Rate, ...], Field(min_length=1)] = 1e-5

    def trainable(self, model: "Model", task: Task) -> "Trainable":
        """Every weight."""
        from educe.train.changes.own_weights import AllWeights

        return AllWeights()
