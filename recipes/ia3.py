"""IA3: keys, values and inner activations are rescaled, number by number.

accelerate launch --config_file accelerate_config.yaml -m recipes.ia3 \
    --subject smollm2-135m-instruct --task word_sentiment --examples 64 --seed 0
"""

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from data.task import Task
from recipes.fine_tune import FineTune, Rate

if TYPE_CHECKING:
    from eval.subject import Subject
    from train.attach import Trainable


class Ia3Tuning(FineTune):
    """How much shows when activations may only be rescaled. Empty `layers` means all."""

    layers: tuple[int, ...] = ()
    learning_rate: Rate | Annotated[tuple[Rate, ...], Field(min_length=1)] = 1e-2

    def trainable(self, subject: "Subject", task: Task) -> "Trainable":
        """Rescaling vectors."""
        from train.changes.peft import Ia3

        return Ia3(layers=self.layers)


if __name__ == "__main__":
    from recipes.runner.launch import launch

    launch("ia3")
