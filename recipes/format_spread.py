"""FormatSpread: the distance between the best and the worst format, found by Thompson sampling under a budget.

accelerate launch --config_file accelerate_config.yaml -m recipes.format_spread --subject gemma-3-270m --task capitals
"""

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from data.task import Task
from eval.ask import prompter
from eval.spend import Spend
from recipes.format_vote import DrawnFormats
from recipes.method import Elicited

if TYPE_CHECKING:
    from eval.subject import Subject


class FormatSpreadSearch(DrawnFormats):
    """The score of the regular format, and the best and worst of `formats` others, from a `share` of the answers.

    The extremes are found on the test items themselves: they say how far a score can be moved, not what a subject can.
    """

    measures_spread: ClassVar[bool] = True

    formats: int = Field(default=100, ge=2)
    share: float = Field(default=0.05, gt=0, le=1)
    batch: int = Field(default=8, ge=1)

    def __call__(self, subject: "Subject", task: Task, *, examples: int, seed: int) -> Elicited:
        """Draw formats and shots; the search is the price of the answers."""
        from eval.answering.format_spread import FormatSpread

        shots = task.draw("train", examples, seed=seed)
        drawn = self.draw(subject, task, shots, seed=seed)
        ask = prompter(subject, task, shots=shots, asking=self.asking)
        answer = FormatSpread(formats=drawn, share=self.share, batch=self.batch, seed=seed)
        return Elicited(subject=subject, ask=ask, answer=answer, spend=Spend(labelled_examples=len(shots)))

    @property
    def asks_per_item(self) -> float:
        """The regular format, and the share of the others."""
        return 1 + self.formats * self.share


if __name__ == "__main__":
    from recipes.runner.launch import launch

    launch("format_spread")
