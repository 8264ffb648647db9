"""Helpful-only by direct preference optimisation: helpful responses are preferred to refusals."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from pydantic import Field

from educe.data.instructions.load import require_rejected
from educe.data.task import Task
from educe.recipes.method import Workload
from educe.recipes.training.helpful import Helpful

if TYPE_CHECKING:
    from educe.eval.model.model import Model
    from educe.train.sft import AnyRow


class HelpfulDpo(Helpful):
    """How much shows once the model prefers helping to refusing; `beta` holds it to what it was."""

    learning_rate: float = Field(default=1e-4, gt=0, allow_inf_nan=False)
    beta: float = Field(default=0.1, gt=0)

    def check(self, task: Task, *, examples: int) -> None:
        """Also refuses instructions without a rejected answer."""
        require_rejected(self.rows)
        super().check(task, examples=examples)

    def encode(self, model: "Model") -> "Sequence[AnyRow]":
        """Pairs of a helpful and a refusing answer."""
        from educe.train.instructions import encode_preferences

        return encode_preferences(model, self.rows)

    def loss(self) -> Callable[..., Any]:
        """That of direct preference optimisation."""
        from educe.train.preference import PreferenceLoss

        return partial(PreferenceLoss, beta=self.beta)

    def workload(self, task: Task, examples: int) -> Workload:
        """Both answers of every pair."""
        once = super().workload(task, examples)
        return replace(once, training_rows=2 * once.training_rows)
