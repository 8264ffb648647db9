"""Prompt tuning: a few trained vectors stand before every prompt.

accelerate launch --config_file accelerate_config.yaml -m recipes.prompt_tuning \
    --subject smollm2-135m-instruct --task word_sentiment --examples 64 --seed 0
"""

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from data.task import Task
from recipes.fine_tune import FineTune, Rate

if TYPE_CHECKING:
    from eval.subject import Subject
    from train.attach import Trainable


class PromptTuning(FineTune):
    """How much shows after a prompt of `length` vectors that no words could write."""

    length: int = Field(default=8, ge=1)
    learning_rate: Rate | Annotated[tuple[Rate, ...], Field(min_length=1)] = 1e-2

    def trainable(self, subject: "Subject", task: Task) -> "Trainable":
        """A soft prompt."""
        from train.changes.vectors import SoftPrompt

        return SoftPrompt(length=self.length)


if __name__ == "__main__":
    from recipes.runner.launch import launch

    launch("prompt_tuning")
