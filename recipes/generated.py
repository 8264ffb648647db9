"""Answers that are written out, not picked by likelihood: greedily, or drawn at a temperature.

accelerate launch --config_file accelerate_config.yaml -m recipes.generated --subject gemma-3-270m --task capitals
"""

from typing import TYPE_CHECKING

from pydantic import Field

from data.task import Task
from eval.ask import Asking, prompter
from eval.spend import Spend
from recipes.method import AfterShots, Elicited
from recipes.order_vote import lettered

if TYPE_CHECKING:
    from eval.subject import Subject


class Generated(AfterShots):
    """What shows in what the subject says, after `shots` random demonstrations or none.

    A multiple-choice question lists its options and counts as right where the text names the right one, by letter or by
    text; at most `tokens` tokens are written. At a `temperature` of 0 the likeliest token is taken each time.
    """

    temperature: float = Field(default=0.0, ge=0)
    tokens: int = Field(default=16, ge=1)

    def __call__(self, subject: "Subject", task: Task, *, examples: int, seed: int) -> Elicited:
        """Draw the shots, if any; the answers are drawn with the seed, too."""
        from eval.answering.writing import Written

        shots = task.draw("train", examples, seed=seed)
        asking: Asking = lettered(self.asking) if task.kind == "choice" else self.asking
        return Elicited(
            subject=subject,
            ask=prompter(subject, task, shots=shots, asking=asking),
            answer=Written(temperature=self.temperature, tokens=self.tokens, seed=seed),
            spend=Spend(labelled_examples=len(shots)),
        )

    @property
    def tokens_written(self) -> int:
        """The answer."""
        return self.tokens


if __name__ == "__main__":
    from recipes.runner.launch import launch

    launch("generated")
