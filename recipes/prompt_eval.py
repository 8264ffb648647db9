"""PromptEval: how a score varies over formats, from a sparse, balanced share of all pairs of a format and an item.

accelerate launch --config_file accelerate_config.yaml -m recipes.prompt_eval --subject gemma-3-270m --task capitals
"""

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from data.task import Task
from eval.spend import Spend
from recipes.format_vote import DrawnFormats
from recipes.method import Elicited

if TYPE_CHECKING:
    from eval.subject import Subject


class PromptEvalSpread(DrawnFormats):
    """The mean over `formats` formats, and their spread, from a `share` of the answers; after `shots` shots.

    Stacked on a recipe that trains, it measures what training left of the spread.
    """

    measures_spread: ClassVar[bool] = True

    formats: int = Field(default=100, ge=2)
    share: float = Field(default=0.05, gt=0, le=1)

    def __call__(self, subject: "Subject", task: Task, *, examples: int, seed: int) -> Elicited:
        """Draw formats and shots."""
        from eval.answering.format_grid import FormatGrid

        shots = task.draw("train", examples, seed=seed)
        drawn = self.draw(subject, task, shots, seed=seed)
        answer = FormatGrid(formats=drawn, share=self.share, seed=seed)
        return Elicited(subject=subject, ask=drawn[0].ask, answer=answer, spend=Spend(labelled_examples=len(shots)))

    @property
    def asks_per_item(self) -> float:
        """The formats that an item meets."""
        return max(1.0, self.formats * self.share)


if __name__ == "__main__":
    from recipes.runner.launch import launch

    launch("prompt_eval")
