"""Helpful-only by direct preference optimisation: helpful responses are preferred to refusals.

accelerate launch --config_file accelerate_config.yaml -m recipes.helpful_dpo \
    --subject smollm2-135m-instruct --task benign_requests
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import Field

from data.example import Instruction
from data.instructions import require_rejected
from data.task import Task
from recipes.helpful import Helpful

if TYPE_CHECKING:
    from eval.subject import Subject
    from train.sft import Schedule, Tuned


class HelpfulDpo(Helpful):
    """How much shows once the subject prefers helping to refusing; `beta` holds it to what it was."""

    learning_rate: float = Field(default=1e-4, gt=0)
    beta: float = Field(default=0.1, gt=0)

    def check(self, task: Task, *, examples: int) -> None:
        """Also refuses instructions without a rejected answer."""
        require_rejected(self.rows)
        super().check(task, examples=examples)

    def fine_tune(
        self, subject: "Subject", instructions: Sequence[Instruction], schedule: "Schedule", *, seed: int
    ) -> "Tuned":
        """On pairs of a helpful and a refusing answer."""
        from train.changes.peft import Lora
        from train.instructions import encode_preferences
        from train.preference import preference_loss
        from train.sft import fine_tune

        rows = encode_preferences(subject, instructions)
        loss = preference_loss(self.beta)
        return fine_tune(subject, rows, trainable=Lora(rank=self.rank), schedule=schedule, seed=seed, loss=loss)


if __name__ == "__main__":
    from recipes.runner.launch import launch

    launch("helpful_dpo")
