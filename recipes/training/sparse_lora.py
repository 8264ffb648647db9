"""A LoRA adapter of which only so many random numbers train, from one number to all of them."""

import math
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from educe.data.task import Task
from educe.recipes.training.fine_tune import FineTune

if TYPE_CHECKING:
    from educe.eval.model.model import Model
    from educe.train.attach import Trainable


class SparseLora(FineTune):
    """How little must change: `numbers` of a LoRA adapter's numbers train, drawn with the seed.

    `learning_rate` is that of the whole adapter; fewer numbers take larger steps, so that a step is as long whatever
    their number: the rate is multiplied with sqrt(all / numbers).
    """

    size_settings: ClassVar[tuple[str, ...]] = ("numbers", "rank", "modules", "layers")

    numbers: Annotated[int, Field(ge=1)] | Literal["all"] = 256
    rank: int = Field(default=8, ge=1)
    modules: tuple[str, ...] = ()
    layers: tuple[int, ...] = ()

    def trainable(self, model: "Model", task: Task) -> "Trainable":
        """A LoRA adapter with few free numbers."""
        from educe.train.changes.peft import Lora

        return Lora(
            rank=self.rank,
            modules=self.modules,
            layers=self.layers,
            numbers=None if self.numbers == "all" else self.numbers,
        )

    def rate_factor(self, model: "Model") -> float:
        """An Adam step moves every number by about the rate, so its length grows with the root of their number."""
        from educe.train.changes.peft import Lora

        if self.numbers == "all":
            return 1.0
        whole = Lora(rank=self.rank, modules=self.modules, layers=self.layers).size(model)
        return math.sqrt(max(1.0, whole / self.numbers))
