"""Few-shot prompting: random labelled rows stand in the prompt as demonstrations.

accelerate launch --config_file accelerate_config.yaml -m recipes.few_shot --subject gemma-3-270m --task capitals
"""

from typing import TYPE_CHECKING

from pydantic import Field

from data.task import Task
from eval.ask import prompter
from eval.spend import Spend
from recipes.method import AfterShots, Elicited

if TYPE_CHECKING:
    from eval.subject import Subject


class FewShot(AfterShots):
    """What shows after `shots` random demonstrations; each seed is another draw."""

    shots: int = Field(default=8, ge=1)

    def __call__(self, subject: "Subject", task: Task, *, examples: int, seed: int) -> Elicited:
        """Draw the shots from the train split and ask after them."""
        shots = task.draw("train", examples, seed=seed)
        ask = prompter(subject, task, shots=shots, asking=self.asking)
        return Elicited(subject=subject, ask=ask, spend=Spend(labelled_examples=len(shots)))


if __name__ == "__main__":
    from recipes.runner.launch import launch

    launch("few_shot")
