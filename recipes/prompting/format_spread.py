"""FormatSpread: the distance between the best and the worst format, found by Thompson sampling under a budget."""

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from educe.data.task import Task
from educe.eval.measurement import Role
from educe.eval.prompting.prompts import make_prompt_fn
from educe.eval.spend import Spend
from educe.recipes.method import Elicited
from educe.recipes.prompting.format_vote import DrawnFormats

if TYPE_CHECKING:
    from educe.eval.model.model import Model


class FormatSpread(DrawnFormats):
    """The score of the regular format, and the best and worst of `formats` others, from a `share` of the answers.

    The extremes are found on the test items themselves: they say how far a score can be moved, not what a model can.
    """

    role: ClassVar[Role] = "sensitivity"

    formats: int = Field(default=100, ge=2)
    share: float = Field(default=0.05, gt=0, le=1)
    batch: int = Field(default=8, ge=1)

    def __call__(self, model: "Model", task: Task, *, examples: int, seed: int) -> Elicited:
        """Draw formats and shots; the search is the price of the answers."""
        from educe.eval.prompting.solvers.format_spread import FormatSpreadSolver

        shots = task.draw("train", examples, seed=seed)
        drawn = self.draw(model, task, shots, seed=seed)
        prompt_fn = make_prompt_fn(model, task, shots=shots, prompt_config=self.prompt_config)
        answer = FormatSpreadSolver(formats=drawn, share=self.share, batch=self.batch, seed=seed)
        return Elicited(model=model, prompt_fn=prompt_fn, solver=answer, spend=Spend(labelled_examples=len(shots)))

    @property
    def asks_per_item(self) -> float:
        """The regular format, and the share of the others."""
        return 1 + self.formats * self.share
