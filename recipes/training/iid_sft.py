"""Supervised fine-tuning of a LoRA adapter on labelled rows from the test's own distribution."""

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from educe.data.task import Task
from educe.recipes.training.fine_tune import FineTune

if TYPE_CHECKING:
    from educe.eval.model.model import Model
    from educe.train.attach import Trainable


class IidSft(FineTune):
    """How much shows after n IID examples. Empty `modules` and `layers` mean every linear map of every layer."""

    size_settings: ClassVar[tuple[str, ...]] = ("rank", "modules", "layers")

    rank: int = Field(default=8, ge=1)
    modules: tuple[str, ...] = ()
    layers: tuple[int, ...] = ()

    def trainable(self, model: "Model", task: Task) -> "Trainable":
        """A LoRA adapter."""
        from educe.train.changes.peft import Lora

        return Lora(rank=self.rank, modules=self.modules, layers=self.layers)
