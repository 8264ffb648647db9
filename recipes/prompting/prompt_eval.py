"""PromptEval: how a score varies over formats, from a sparse, balanced share of all pairs of a format and an item."""

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from educe.data.task import Task
from educe.eval.measurement import Role
from educe.eval.spend import Spend
from educe.recipes.method import Elicited
from educe.recipes.prompting.format_vote import DrawnFormats

if TYPE_CHECKING:
    from educe.eval.model.model import Model


class PromptEval(DrawnFormats):
    """The mean over `formats` formats, and their spread, from a `share` of the answers; after `shots` shots.

    Stacked on a recipe that trains, it measures what training left of the spread.
    """

    role: ClassVar[Role] = "sensitivity"

    formats: int = Field(default=100, ge=2)
    share: float = Field(default=0.05, gt=0, le=1)

    def __call__(self, model: "Model", task: Task, *, examples: int, seed: int) -> Elicited:
        """Draw formats and shots."""
        from educe.eval.prompting.solvers.format_grid import FormatGridSolver

        shots = task.draw("train", examples, seed=seed)
        drawn = self.draw(model, task, shots, seed=seed)
        answer = FormatGridSolver(formats=drawn, share=self.share, seed=seed)
        return Elicited(
            model=model, prompt_fn=drawn[0].prompt_fn, solver=answer, spend=Spend(labelled_examples=len(shots))
        )

    @property
    def asks_per_item(self) -> float:
        """The formats that an item meets."""
        return max(1.0, self.formats * self.share)
