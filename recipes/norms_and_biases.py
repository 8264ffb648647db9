"""Fine-tuning of the norms' gains and of biases alone: a few numbers in ten thousand.

accelerate launch --config_file accelerate_config.yaml -m recipes.norms_and_biases \
    --subject smollm2-135m-instruct --task word_sentiment --examples 64 --seed 0
"""

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from data.task import Task
from recipes.fine_tune import FineTune, Rate

if TYPE_CHECKING:
    from eval.subject import Subject
    from train.attach import Trainable


class NormsAndBiasesTuning(FineTune):
    """How much shows when only gains and biases may change. Empty `layers` means all, and the norm after the last."""

    layers: tuple[int, ...] = ()
    learning_rate: Rate | Annotated[tuple[Rate, ...], Field(min_length=1)] = 1e-3

    def trainable(self, subject: "Subject", task: Task) -> "Trainable":
        """Gains and biases."""
        from train.changes.own_weights import NormsAndBiases

        return NormsAndBiases(layers=self.layers)


if __name__ == "__main__":
    from recipes.runner.launch import launch

    launch("norms_and_biases")
