"""A vote over formats: each item is asked in several formats, and the answer that most of them give counts."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import Field

from educe.data.errors import UserError
from educe.data.example import Example
from educe.data.task import Task
from educe.eval.spend import Spend
from educe.recipes.method import AfterShots, Elicited

if TYPE_CHECKING:
    from educe.eval.model.model import Model
    from educe.eval.prompting.solvers.format_grid import AskedFormat


class DrawnFormats(AfterShots):
    """A recipe that asks in `formats` formats, drawn from the space of the task with the seed; after `shots` shots."""

    formats: int = Field(default=5, ge=2)

    def check(self, task: Task, *, examples: int) -> None:
        """Also refuses a format of its own: the formats are drawn."""
        super().check(task, examples=examples)
        if self.prompt_config.format or self.answer_as:
            raise UserError("this recipe draws its formats; drop format and answer_as")

    def draw(self, model: "Model", task: Task, shots: Sequence[Example], *, seed: int) -> "tuple[AskedFormat, ...]":
        """The formats, asking after the shots."""
        from educe.eval.prompting.solvers.format_grid import draw_formats

        return draw_formats(model, task, self.formats, seed=seed, shots=shots, prompt_config=self.prompt_config)


class FormatVote(DrawnFormats):
    """What shows when formats vote."""

    def __call__(self, model: "Model", task: Task, *, examples: int, seed: int) -> Elicited:
        """Draw formats and shots; every answer costs all of them."""
        from educe.eval.prompting.solvers.voting import FormatVoteSolver

        shots = task.draw("train", examples, seed=seed)
        drawn = self.draw(model, task, shots, seed=seed)
        spend = Spend(labelled_examples=len(shots))
        return Elicited(model=model, prompt_fn=drawn[0].prompt_fn, solver=FormatVoteSolver(formats=drawn), spend=spend)

    @property
    def asks_per_item(self) -> float:
        """Every format."""
        return self.formats
