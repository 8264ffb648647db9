"""Fine-tuning of the norms' gains and of biases alone: a few numbers in ten thousand."""

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from educe.data.task import Task
from educe.recipes.training.fine_tune import FineTune, Rate

if TYPE_CHECKING:
    from educe.eval.model.model import Model
    from educe.train.attach import Trainable


class NormsAndBiasesTuning(FineTune):
    """How much shows when only gains and biases may change. Empty `layers` means all, and the norm after the last."""

    size_settings: ClassVar[tuple[str, ...]] = ("layers",)

    layers: tuple[int, ...] = ()
    learning_rate: Rate | Annotated[tuple[Rate, ...], Field(min_length=1)] = 1e-3

    def trainable(self, model: "Model", task: Task) -> "Trainable":
        """Gains and biases."""
        from educe.train.changes.own_weights import NormsAndBiases

        return NormsAndBiases(layers=self.layers)
