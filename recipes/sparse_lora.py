"""A LoRA adapter of which only so many random numbers train, from one number to all of them.

accelerate launch --config_file accelerate_config.yaml -m recipes.sparse_lora \
    --subject smollm2-135m-instruct --task word_sentiment --examples 64 --seed 0
"""

import math
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from data.task import Task
from recipes.fine_tune import FineTune

if TYPE_CHECKING:
    from eval.subject import Subject
    from train.attach import Trainable


class SparseLora(FineTune):
    """How little must change: `numbers` of a LoRA adapter's numbers train, drawn with the seed.

    `learning_rate` is that of the whole adapter; fewer numbers take larger steps, so that a step is as long whatever
    their number: the rate is multiplied with sqrt(all / numbers).
    """

    numbers: Annotated[int, Field(ge=1)] | Literal["all"] = 256
    rank: int = Field(default=8, ge=1)
    modules: tuple[str, ...] = ()
    layers: tuple[int, ...] = ()

    def trainable(self, subject: "Subject", task: Task) -> "Trainable":
        """A LoRA adapter with few free numbers."""
        from train.changes.peft import Lora

        return Lora(
            rank=self.rank,
            modules=self.modules,
            layers=self.layers,
            numbers=None if self.numbers == "all" else self.numbers,
        )

    def rate_factor(self, subject: "Subject") -> float:
        """An Adam step moves every number by about the rate, so its length grows with the root of their number."""
        from train.changes.peft import Lora

        if self.numbers == "all":
            return 1.0
        whole = Lora(rank=self.rank, modules=self.modules, layers=self.layers).size(subject)
        return math.sqrt(max(1.0, whole / self.numbers))


if __name__ == "__main__":
    from recipes.runner.launch import launch

    launch("sparse_lora")
