"""Full fine-tuning: every weight trains. The dearest change, and the reference for all smaller ones.

accelerate launch --config_file accelerate_config.yaml -m recipes.full_fine_tune \
    --subject smollm2-135m-instruct --task word_sentiment --examples 64 --seed 0
"""

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from data.task import Task
from recipes.fine_tune import FineTune, Rate

if TYPE_CHECKING:
    from eval.subject import Subject
    from train.attach import Trainable


class FullFineTune(FineTune):
    """How much shows when everything may change. The trained weights are not saved."""

    learning_rate: Rate | Annotated[tuple[Rate, ...], Field(min_length=1)] = 1e-5

    def trainable(self, subject: "Subject", task: Task) -> "Trainable":
        """Every weight."""
        from train.changes.own_weights import AllWeights

        return AllWeights()


if __name__ == "__main__":
    from recipes.runner.launch import launch

    launch("full_fine_tune")
