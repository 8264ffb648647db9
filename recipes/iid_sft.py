"""Supervised fine-tuning of a LoRA adapter on labelled rows from the test's own distribution.

accelerate launch --config_file accelerate_config.yaml -m recipes.iid_sft \
    --subject smollm2-135m-instruct --task word_sentiment --examples 64 --seed 0
"""

from typing import TYPE_CHECKING

from pydantic import Field

from data.task import Task
from recipes.fine_tune import FineTune

if TYPE_CHECKING:
    from eval.subject import Subject
    from train.attach import Trainable


class IidSft(FineTune):
    """How much shows after n IID examples. Empty `modules` and `layers` mean every linear map of every layer."""

    rank: int = Field(default=8, ge=1)
    modules: tuple[str, ...] = ()
    layers: tuple[int, ...] = ()

    def trainable(self, subject: "Subject", task: Task) -> "Trainable":
        """A LoRA adapter."""
        from train.changes.peft import Lora

        return Lora(rank=self.rank, modules=self.modules, layers=self.layers)


if __name__ == "__main__":
    from recipes.runner.launch import launch

    launch("iid_sft")
