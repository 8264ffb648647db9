"""Helpful-only by supervised fine-tuning: a subject learns to do as it is asked, from instructions beside the task.

accelerate launch --config_file accelerate_config.yaml -m recipes.helpful_sft --subject gemma-3-270m --task capitals
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from data.example import Instruction
from recipes.helpful import Helpful

if TYPE_CHECKING:
    from eval.subject import Subject
    from train.sft import Schedule, Tuned


class HelpfulSft(Helpful):
    """How much shows once the subject simply does as it is asked."""

    def fine_tune(
        self, subject: "Subject", instructions: Sequence[Instruction], schedule: "Schedule", *, seed: int
    ) -> "Tuned":
        """On requests and helpful responses."""
        from train.changes.peft import Lora
        from train.instructions import encode_instructions
        from train.sft import fine_tune

        rows = encode_instructions(subject, instructions)
        return fine_tune(subject, rows, trainable=Lora(rank=self.rank), schedule=schedule, seed=seed)


if __name__ == "__main__":
    from recipes.runner.launch import launch

    launch("helpful_sft")
