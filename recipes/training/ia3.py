"""IA3: keys, values and inner activations are rescaled, number by number."""

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from educe.data.task import Task
from educe.recipes.training.fine_tune import FineTune, Rate

if TYPE_CHECKING:
    from educe.eval.model.model import Model
    from educe.train.attach import Trainable


class Ia3Tuning(FineTune):
    """How much shows when activations may only be rescaled. Empty `layers` means all."""

    size_settings: ClassVar[tuple[str, ...]] = ("layers",)

    layers: tuple[int, ...] = ()
    learning_rate: Rate | Annotated[tuple[Rate, ...], Field(min_length=1)] = 1e-2

    def trainable(self, model: "Model", task: Task) -> "Trainable":
        """Rescaling vectors."""
        from educe.train.changes.peft import Ia3

        return Ia3(layers=self.layers)
