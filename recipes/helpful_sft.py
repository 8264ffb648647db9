"""Helpful-only by supervised fine-tuning: a subject learns to do as it is asked, from instructions beside the task.

accelerate launch --config_file accelerate_config.yaml -m recipes.helpful_sft --subject gemma-3-270m --task capitals
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from recipes.helpful import Helpful

if TYPE_CHECKING:
    from eval.subject import Subject
    from train.sft import AnyRow


class HelpfulSft(Helpful):
    """How much shows once the subject simply does as it is asked."""

    def encode(self, subject: "Subject") -> "Sequence[AnyRow]":
        """Requests and helpful responses."""
        from train.instructions import encode_instructions

        return encode_instructions(subject, self.rows)


if __name__ == "__main__":
    from recipes.runner.launch import launch

    launch("helpful_sft")
