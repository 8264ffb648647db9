"""A vote over formats: each item is asked in several formats, and the answer that most of them give counts.

accelerate launch --config_file accelerate_config.yaml -m recipes.format_vote --subject gemma-3-270m --task capitals
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import Field

from data.errors import UserError
from data.example import Example
from data.task import Task
from eval.spend import Spend
from recipes.method import AfterShots, Elicited

if TYPE_CHECKING:
    from eval.answering.format_grid import AskedFormat
    from eval.subject import Subject


class DrawnFormats(AfterShots):
    """A recipe that asks in `formats` formats, drawn from the space of the task with the seed; after `shots` shots."""

    formats: int = Field(default=5, ge=2)

    def check(self, task: Task, *, examples: int) -> None:
        """Also refuses a format of its own: the formats are drawn."""
        super().check(task, examples=examples)
        if self.asking.format or self.answer_as:
            raise UserError("this recipe draws its formats; drop format and answer_as")

    def draw(self, subject: "Subject", task: Task, shots: Sequence[Example], *, seed: int) -> "tuple[AskedFormat, ...]":
        """The formats, asking after the shots."""
        from eval.answering.format_grid import draw_formats

        return draw_formats(subject, task, self.formats, seed=seed, shots=shots, asking=self.asking)


class FormatVoting(DrawnFormats):
    """What shows when formats vote."""

    def __call__(self, subject: "Subject", task: Task, *, examples: int, seed: int) -> Elicited:
        """Draw formats and shots; every answer costs all of them."""
        from eval.answering.voting import FormatVote

        shots = task.draw("train", examples, seed=seed)
        drawn = self.draw(subject, task, shots, seed=seed)
        spend = Spend(labelled_examples=len(shots))
        return Elicited(subject=subject, ask=drawn[0].ask, answer=FormatVote(formats=drawn), spend=spend)

    @property
    def asks_per_item(self) -> float:
        """Every format."""
        return self.formats


if __name__ == "__main__":
    from recipes.runner.launch import launch

    launch("format_vote")
