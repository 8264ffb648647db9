"""A vote over formats: each item is asked in several formats, and the answer that most of them give counts.

accelerate launch --config_file accelerate_config.yaml -m recipes.format_vote --subject gemma-3-270m --task capitals
"""

from typing import TYPE_CHECKING

from pydantic import Field

from data.errors import UserError
from data.task import Task
from eval.ask import prompter_in, style_of
from eval.spend import Spend
from recipes.method import AfterShots, Elicited

if TYPE_CHECKING:
    from eval.subject import Subject


class FormatVoting(AfterShots):
    """What shows when `formats` formats vote, drawn from the space of the task with the seed; after `shots` shots."""

    formats: int = Field(default=5, ge=2)

    def check(self, task: Task, *, examples: int) -> None:
        """Also refuses a format of its own: the formats are drawn."""
        super().check(task, examples=examples)
        if self.asking.format or self.answer_as:
            raise UserError("format_vote draws its formats; drop format and answer_as")

    def __call__(self, subject: "Subject", task: Task, *, examples: int, seed: int) -> Elicited:
        """Draw formats and shots; every answer costs all of them."""
        from data.format_space import FormatSpace
        from eval.voting import FormatVote

        shots = task.draw("train", examples, seed=seed)
        style = style_of(self.template, kind=subject.kind)
        drawn = FormatSpace(task, style).sample(self.formats, seed=seed)
        prompters = tuple(prompter_in(subject, named.format, shots=shots, asking=self.asking) for named in drawn)
        spend = Spend(labelled_examples=len(shots))
        about = {f"format_{place}": named.name for place, named in enumerate(drawn, start=1)}
        return Elicited(
            subject=subject, ask=prompters[0], answer=FormatVote(prompters=prompters), spend=spend, about=about
        )


if __name__ == "__main__":
    from recipes.runner.launch import launch

    launch("format_vote")
