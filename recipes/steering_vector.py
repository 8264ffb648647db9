"""A steering vector, optimised: added at one layer to every token.

accelerate launch --config_file accelerate_config.yaml -m recipes.steering_vector \
    --subject smollm2-135m-instruct --task word_sentiment --examples 64 --seed 0
"""

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from data.task import Task
from recipes.fine_tune import FineTune, Rate

if TYPE_CHECKING:
    from eval.subject import Subject
    from train.attach import Trainable


class SteeringVectorTuning(FineTune):
    """How much shows after a push in one direction. Without `layer`, at the middle one."""

    layer: int | None = None
    learning_rate: Rate | Annotated[tuple[Rate, ...], Field(min_length=1)] = 1e-2

    def trainable(self, subject: "Subject", task: Task) -> "Trainable":
        """One vector."""
        from train.changes.vectors import SteeringVector

        return SteeringVector(layer=self.layer)


if __name__ == "__main__":
    from recipes.runner.launch import launch

    launch("steering_vector")
