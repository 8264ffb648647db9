"""A steering vector, optimised: added at one layer to every token."""

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from educe.data.task import Task
from educe.recipes.training.fine_tune import FineTune, Rate

if TYPE_CHECKING:
    from educe.eval.model.model import Model
    from educe.train.attach import Trainable


class SteeringVectorTuning(FineTune):
    """How much shows after a push in one direction. Without `layer`, at the middle one."""

    layer: int | None = None
    learning_rate: Rate | Annotated[tuple[Rate, ...], Field(min_length=1)] = 1e-2

    def trainable(self, model: "Model", task: Task) -> "Trainable":
        """One vector."""
        from educe.train.changes.vectors import SteeringVector

        return SteeringVector(layer=self.layer)
