"""Helpful-only by supervised fine-tuning: a model learns to do as it is asked, from instructions beside the task."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from educe.recipes.training.helpful import Helpful

if TYPE_CHECKING:
    from educe.eval.model.model import Model
    from educe.train.sft import AnyRow


class HelpfulSft(Helpful):
    """How much shows once the model simply does as it is asked."""

    def encode(self, model: "Model") -> "Sequence[AnyRow]":
        """Requests and helpful responses."""
        from educe.train.instructions import encode_instructions

        return encode_instructions(model, self.rows)
